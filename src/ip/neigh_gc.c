/* SPDX-License-Identifier: BSD-2-Clause */
/* Housekeeping: shrinking the neighbour table, expiry of addresses and routes, repair, the end of a stack. */
/*
 * How it works: the timer runs only while there is something to collect, so that an idle stack in
 * virtual time has no events. An entry goes only when nothing but the table refers to it (no route, no armed timer),
 * so nobody can be holding its name. Entries that wait for an answer are therefore never removed here;
 * they fail by themselves within seconds and are then free to go. R08.4.
 */
#include "ip/ip_int.h"

#include "core/sweep.h"

#define GC_INTERVAL_S 30u /* R08.4 */

void neigh_unhash(struct neigh *n)
{
	hnode_del(&n->hash);
	n->stack->ip->num_neighs--;
	neigh_put(n);
}

void neigh_shrink(struct stack *st, uint64_t age_ns, uint64_t now_ns)
{
	struct ip_stack *ip = st->ip;

	for (uint32_t i = 0; i < IP_NEIGH_BUCKETS; i++) {
		struct hnode *h = ip->neigh_buckets[i];

		while (h) {
			struct neigh *n = container_of(h, struct neigh, hash);
			bool is_dead =
				!neigh_state_is_usable(neigh_link_state(atomic_load(&n->link)));

			h = h->next;
			if (atomic_load_explicit(&n->refs, memory_order_acquire) != 1)
				continue;
			if (is_dead || now_ns - n->updated_ns >= age_ns)
				neigh_unhash(n);
		}
	}
}

void ip_gc_arm(struct stack *st)
{
	struct timer *t = &st->ip->neigh_gc;

	if (!timer_is_armed(t))
		timer_arm(&st->timers, t,
			  timers_ns_to_tick(&st->timers, stack_now_ns(st)) +
				  ip_ticks_of_ms(st, GC_INTERVAL_S * 1000));
}

/* Does an address or route end by itself. */
static bool has_lifetimes(struct ip_stack *ip)
{
	bool has = false;

	lock_take(&ip->lock);
	for (uint32_t i = 0; i < ip->num_addr_slots && !has; i++)
		has = ip->addrs[i].dev && ip->addrs[i].valid_until_ns != UINT64_MAX;
	for (uint32_t i = 0; i < ip->num_routes && !has; i++)
		has = ip->routes[i].expires_ns != UINT64_MAX;
	lock_drop(&ip->lock);
	return has;
}

void neigh_gc_timer(struct stack *st, struct timer *t)
{
	struct ip_stack *ip = st->ip;
	uint64_t now_ns = stack_now_ns(st);
	bool is_crowded;

	(void)t;
	dst_cache_shrink(st, false, now_ns);
	ip_addr_expire(st, now_ns);
	fib_expire(st, now_ns);
	lock_take(&ip->neigh_lock);
	if (ip->num_neighs > (uint32_t)st->sysctl.neigh_gc_thresh1)
		neigh_shrink(st, (uint64_t)st->sysctl.neigh_gc_stale_time * NS_PER_S, now_ns);
	is_crowded = ip->num_neighs > (uint32_t)st->sysctl.neigh_gc_thresh1;
	lock_drop(&ip->neigh_lock);
	if (is_crowded || ip->num_cached > IP_DST_IDLE_MAX || has_lifetimes(ip))
		ip_gc_arm(st);
}

/*
 * The holder of LOCK_NEIGH died: forward links are whole (a new entry is linked last), backward links,
 * queues and timers may not be. Packets that waited are lost; every entry proves itself anew.
 */
COLD void neigh_recover(struct lock *l)
{
	struct ip_stack *ip = container_of(l, struct ip_stack, neigh_lock);
	struct stack *st = ip->stack;
	uint32_t num = 0;

	l->was_abandoned = 0;
	for (uint32_t i = 0; i < IP_NEIGH_BUCKETS; i++) {
		for (struct hnode **at = &ip->neigh_buckets[i]; *at; at = &(*at)->next) {
			struct neigh *n = container_of(*at, struct neigh, hash);
			uint64_t link = atomic_load(&n->link);
			struct mac_addr mac = neigh_link_mac(link);
			bool is_usable = neigh_state_is_usable(neigh_link_state(link));

			(*at)->pprev = at;
			skb_queue_init(&n->queue);
			atomic_store(&n->link,
				     neigh_link_make(&mac, is_usable ? NEIGH_STALE : NEIGH_FAILED));
			num++;
		}
	}
	ip->num_neighs = num;
	for (uint32_t i = 0; i < STACK_MAX_DEVS; i++) {
		if (st->devs[i])
			skb_sweep_dev(st->devs[i], SKB_IN_NEIGH);
	}
	mib_inc(st, NaruLocksRecovered);
}

void neigh_init(struct stack *st)
{
	timer_init(&st->ip->neigh_gc, TIMER_NEIGH_GC);
}

void ip_drop_waiting(struct stack *st)
{
	for (uint32_t i = 0; i < IP_NEIGH_BUCKETS; i++)
		for (struct hnode *h = st->ip->neigh_buckets[i]; h; h = h->next)
			skb_queue_purge(st, &container_of(h, struct neigh, hash)->queue);
}

/* The stack ends: no packet, timer or route of it is in use any more. */
void neigh_done(struct stack *st)
{
	struct ip_stack *ip = st->ip;

	timer_cancel(&st->timers, &ip->neigh_gc);
	for (uint32_t i = 0; i < IP_NEIGH_BUCKETS; i++) {
		while (ip->neigh_buckets[i]) {
			struct neigh *n = container_of(ip->neigh_buckets[i], struct neigh, hash);

			skb_queue_purge(st, &n->queue);
			if (timer_cancel(&st->timers, &n->timer))
				neigh_put(n);
			neigh_unhash(n);
		}
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours: who on a link has which MAC address, and how sure we are (R08). */
/*
 * How it works
 *
 * One entry per device and address in a hash table, for both families. State and MAC share one
 * 64-bit word, so that output reads both without a lock; everything else is guarded by LOCK_NEIGH.
 *
 *   NONE/FAILED --packet--> INCOMPLETE  solicit by broadcast at 0, 1, 2 s; FAILED at 3 s
 *   INCOMPLETE  --answer--> REACHABLE   for 0.5 to 1.5 x base_reachable_time
 *   REACHABLE   --time----> STALE       unless upper layers confirmed meanwhile
 *   STALE       --packet--> DELAY       5 s for an upper-layer confirmation
 *   DELAY       --time----> PROBE       unicast solicitations at 0, 1, 2 s; FAILED after the third
 *
 * An armed timer holds one reference, as do the table and each route that cached the entry. The
 * state is acted upon (solicitations, queued packets, errors) after the lock was dropped: struct todo.
 * Confirmation is a flag, not a time: it says "since the timer was armed", which costs no clock.
 *
 * RFC 4861 section 7.3.2, RFC 1122 section 2.3.2; R08.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define GC_FORCED_AGE_NS (5 * NS_PER_S) /* R08.4: above gc_thresh2 */
#define ERR_QUOTE_MAX 128u              /* linear bytes shown to a transport for a dropped packet */

/* What to do once the lock is dropped. */
struct todo {
	bool want_solicit;
	bool is_unicast;
	struct mac_addr mac;
	struct ipaddr src;     /* of the packet that waits; any: none */
	struct skb_queue send; /* resolved: goes out */
	struct skb_queue fail; /* dropped, with an error to the sender */
	struct skb_queue drop; /* dropped silently */
};

static enum neigh_state state_of(const struct neigh *n)
{
	return neigh_link_state(
		atomic_load_explicit(&((struct neigh *)n)->link, memory_order_relaxed));
}

static struct mac_addr mac_of(const struct neigh *n)
{
	return neigh_link_mac(atomic_load_explicit(&((struct neigh *)n)->link, memory_order_relaxed));
}

static void set_link(struct neigh *n, const struct mac_addr *mac, enum neigh_state s)
{
	atomic_store_explicit(&n->link, neigh_link_make(mac, s), memory_order_release);
}

static void neigh_get(struct neigh *n)
{
	atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
}

void neigh_put(struct neigh *n)
{
	if (!n || atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1)
		return;
	DEBUG_CHECK(!n->queue.len && !hnode_is_hashed(&n->hash));
	pool_free(&n->stack->pools->neigh, n);
}

/* LOCK_NEIGH held. */
static void arm(struct neigh *n, uint64_t delay_ms, uint64_t now_ns)
{
	struct timers *ts = &n->stack->timers;

	atomic_store_explicit(&n->is_confirmed, 0, memory_order_relaxed);
	if (timer_arm(ts, &n->timer,
		      timers_ns_to_tick(ts, now_ns) + ip_ticks_of_ms(n->stack, delay_ms)))
		neigh_get(n);
}

static void disarm(struct neigh *n)
{
	/* never the last reference: the caller has one */
	if (timer_cancel(&n->stack->timers, &n->timer))
		neigh_put(n);
}

static uint64_t reachable_ms(struct neigh *n)
{
	struct stack *st = n->stack;
	const struct ip_dev *id = ip_dev_of(n->dev);
	uint64_t base = (uint64_t)st->sysctl.neigh_base_reachable_ms;

	if (!ipaddr_is_v4(&n->addr) && id->reachable_ms6)
		base = id->reachable_ms6;
	return base / 2 + stack_rand_below(st, (uint32_t)min_u64(base + 1, UINT32_MAX));
}

static uint64_t retrans_ms(const struct neigh *n)
{
	const struct ip_dev *id = ip_dev_of(n->dev);

	if (!ipaddr_is_v4(&n->addr) && id->retrans_ms6)
		return id->retrans_ms6;
	return (uint64_t)n->stack->sysctl.neigh_retrans_ms;
}

static uint64_t delay_ms(const struct neigh *n)
{
	return (uint64_t)n->stack->sysctl.neigh_delay_first_probe * 1000;
}

static void set_reachable(struct neigh *n, const struct mac_addr *mac, uint64_t now_ns)
{
	set_link(n, mac, NEIGH_REACHABLE);
	arm(n, reachable_ms(n), now_ns);
}

static void ask_solicit(struct neigh *n, struct todo *td, bool is_unicast)
{
	td->want_solicit = true;
	td->is_unicast = is_unicast;
	td->mac = mac_of(n);
	td->src = ipaddr_is_v4(&n->addr) ? IPADDR_ANY_V4 : IPADDR_ANY_V6;
	if (n->queue.first)
		ip_skb_saddr(n->queue.first, &td->src);
}

static void move_all(struct skb_queue *to, struct skb_queue *from)
{
	*to = *from;
	skb_queue_init(from);
}

/* ---- after the lock ---- */

/* As if a host unreachable had come for this packet from ourselves (R08 FAILED). */
static COLD void report_unreachable(struct stack *st, struct skb *skb)
{
	uint32_t linear = min_u32(skb->tail_off - skb->net_off, ERR_QUOTE_MAX), l4_off;
	const uint8_t *ip = skb_network(skb);
	struct icmp_err err = {.ip = ip, .ip_len = linear, .error = EHOSTUNREACH};

	if (linear < IPV4_HDR_LEN)
		return;
	err.is_v6 = ip[0] >> 4 == 6;
	ip_skb_saddr(skb, &err.saddr);
	ip_skb_daddr(skb, &err.daddr);
	err.offender = err.saddr;
	if (err.is_v6) {
		if (ipv6_skip_ext(ip, linear, &err.proto, &l4_off))
			return;
		err.type = ICMP6_TYPE_UNREACH;
		err.code = ICMP6_UNREACH_ADDR;
		err.ttl = (uint8_t)st->sysctl.hop_limit;
	} else {
		l4_off = (ip[0] & 15u) * 4;
		err.proto = ((const struct ipv4_hdr *)ip)->proto;
		err.type = ICMP4_TYPE_UNREACH;
		err.code = ICMP4_UNREACH_HOST;
		err.ttl = (uint8_t)st->sysctl.ip_default_ttl;
	}
	if (linear < l4_off + 8)
		return;
	err.quote = ip + l4_off;
	err.quote_len = linear - l4_off;
	up_tab.l4_err(st, &err);
}

static void run_todo(struct neigh *n, struct todo *td)
{
	struct stack *st = n->stack;
	struct mac_addr mac;
	struct skb *skb;

	if (td->want_solicit && ipaddr_is_v4(&n->addr))
		arp_solicit(n->dev, &n->addr, &td->src, td->is_unicast ? &td->mac : NULL);
	else if (td->want_solicit)
		nd_solicit(n->dev, &n->addr, &td->src, td->is_unicast ? &td->mac : NULL);
	mac = mac_of(n);
	while ((skb = skb_dequeue(&td->send)))
		link_xmit(n->dev, skb, &mac);
	while ((skb = skb_dequeue(&td->drop))) {
		mib_inc(st, NaruNeighDrops);
		skb_free(st, skb);
	}
	while ((skb = skb_dequeue(&td->fail))) {
		mib_inc(st, NaruNeighDrops);
		report_unreachable(st, skb);
		skb_free(st, skb);
	}
}

/* ---- packets ---- */

/* Put @skb behind what waits; the oldest make room (R08.1). LOCK_NEIGH held. */
static void enqueue(struct neigh *n, struct skb *skb, struct todo *td)
{
	uint64_t limit = (uint64_t)n->stack->sysctl.neigh_unres_qlen_bytes;

	while (n->queue.first && n->queue.truesize + (uint64_t)skb->truesize > limit)
		skb_queue_tail(&td->drop, skb_dequeue(&n->queue), SKB_IN_NEIGH);
	skb->dev = n->dev; /* by which a recovery finds it */
	skb_queue_tail(&n->queue, skb, SKB_IN_NEIGH);
}

enum xmit neigh_resolve(struct neigh *n, struct skb *skb)
{
	struct stack *st = n->stack;
	uint64_t now_ns = stack_now_ns(st);
	struct todo td = {0};
	struct mac_addr mac;

	lock_take(&st->ip->neigh_lock);
	mac = mac_of(n);
	switch (state_of(n)) {
	case NEIGH_NONE:
	case NEIGH_FAILED:
		set_link(n, &mac, NEIGH_INCOMPLETE);
		n->probes = 1;
		arm(n, retrans_ms(n), now_ns);
		enqueue(n, skb, &td);
		ask_solicit(n, &td, false);
		skb = NULL;
		break;
	case NEIGH_INCOMPLETE:
		enqueue(n, skb, &td);
		skb = NULL;
		break;
	case NEIGH_STALE:
		set_link(n, &mac, NEIGH_DELAY);
		arm(n, delay_ms(n), now_ns);
		break;
	default: break;
	}
	lock_drop(&st->ip->neigh_lock);
	run_todo(n, &td);
	return skb ? link_xmit(n->dev, skb, &mac) : XMIT_OK;
}

/* ---- time ---- */

static void set_failed(struct neigh *n, struct todo *td)
{
	struct mac_addr none = mac_zero();

	set_link(n, &none, NEIGH_FAILED);
	move_all(&td->fail, &n->queue);
}

static void probe(struct neigh *n, uint32_t max, bool is_unicast, uint64_t now_ns, struct todo *td)
{
	if (n->probes >= max) {
		set_failed(n, td);
		return;
	}
	n->probes++;
	arm(n, retrans_ms(n), now_ns);
	ask_solicit(n, td, is_unicast);
}

void neigh_timer(struct stack *st, struct timer *t)
{
	struct neigh *n = container_of(t, struct neigh, timer); /* the timer's reference is ours now */
	uint64_t now_ns = stack_now_ns(st);
	struct todo td = {0};
	struct mac_addr mac;
	bool is_confirmed;

	lock_take(&st->ip->neigh_lock);
	mac = mac_of(n);
	is_confirmed = atomic_load_explicit(&n->is_confirmed, memory_order_relaxed);
	if (timer_is_armed(&n->timer) || !hnode_is_hashed(&n->hash)) {
		/* armed anew, or removed, while this expiry was on its way */
	} else if (neigh_state_is_usable(state_of(n)) && is_confirmed) {
		set_reachable(n, &mac, now_ns);
	} else {
		switch (state_of(n)) {
		case NEIGH_INCOMPLETE:
			probe(n, (uint32_t)st->sysctl.neigh_mcast_solicit, false, now_ns, &td);
			break;
		case NEIGH_REACHABLE: set_link(n, &mac, NEIGH_STALE); break;
		case NEIGH_DELAY:
			set_link(n, &mac, NEIGH_PROBE);
			n->probes = 0;
			probe(n, (uint32_t)st->sysctl.neigh_ucast_solicit, true, now_ns, &td);
			break;
		case NEIGH_PROBE:
			probe(n, (uint32_t)st->sysctl.neigh_ucast_solicit, true, now_ns, &td);
			break;
		default: break;
		}
	}
	lock_drop(&st->ip->neigh_lock);
	run_todo(n, &td);
	neigh_put(n);
}

/* ---- news ---- */

void neigh_update(struct neigh *n, const struct mac_addr *mac, enum neigh_state to, uint32_t flags)
{
	struct stack *st = n->stack;
	uint64_t now_ns = stack_now_ns(st);
	uint64_t locktime_ns = (uint64_t)st->sysctl.neigh_locktime_ms * NS_PER_MS;
	struct todo td = {0};
	struct mac_addr old, new;
	bool was_usable, is_other;

	lock_take(&st->ip->neigh_lock);
	old = mac_of(n);
	was_usable = neigh_state_is_usable(state_of(n));
	new = mac ? *mac : old;
	is_other = was_usable && !mac_eq(&old, &new);
	if (!was_usable && !mac)
		goto out; /* still nobody to send to */
	if (is_other && (flags & NEIGH_UPD_LOCKTIME) && now_ns - n->updated_ns < locktime_ns)
		goto out;
	if (is_other && !(flags & (NEIGH_UPD_OVERRIDE | NEIGH_UPD_LOCKTIME))) {
		/* R08.5: doubt, but no change */
		if (state_of(n) == NEIGH_REACHABLE) {
			disarm(n);
			set_link(n, &old, NEIGH_STALE);
		}
		goto out;
	}
	if (is_other || !was_usable || to == NEIGH_REACHABLE)
		n->updated_ns = now_ns;
	if (to == NEIGH_REACHABLE) {
		set_reachable(n, &new, now_ns);
	} else if (is_other || !was_usable) {
		disarm(n);
		set_link(n, &new, NEIGH_STALE);
	}
	if (!was_usable)
		move_all(&td.send, &n->queue);
out:
	lock_drop(&st->ip->neigh_lock);
	run_todo(n, &td);
}

void ip_confirm_neigh(struct dst *d)
{
	struct neigh *n = atomic_load_explicit(&d->neigh, memory_order_acquire);

	if (n && !atomic_load_explicit(&n->is_confirmed, memory_order_relaxed))
		atomic_store_explicit(&n->is_confirmed, 1, memory_order_relaxed);
}

/* ---- table ---- */

static struct hnode **bucket_of(struct stack *st, const struct netdev *dev, const struct ipaddr *a)
{
	struct {
		struct ipaddr a;
		uint32_t ifindex;
	} __attribute__((packed)) key = {*a, dev->ifindex};

	return &st->ip->neigh_buckets[siphash(&st->secret, &key, sizeof(key)) % IP_NEIGH_BUCKETS];
}

/* LOCK_NEIGH held. */
static struct neigh *find(struct hnode **bucket, const struct netdev *dev, const struct ipaddr *a)
{
	for (struct hnode *h = *bucket; h; h = h->next) {
		struct neigh *n = container_of(h, struct neigh, hash);

		if (n->dev == dev && ipaddr_eq(&n->addr, a))
			return n;
	}
	return NULL;
}

static struct neigh *insert(struct netdev *dev, const struct ipaddr *a, struct hnode **bucket)
{
	struct stack *st = dev->stack;
	struct neigh *n;

	if (st->ip->num_neighs >= (uint32_t)st->sysctl.neigh_gc_thresh3)
		return NULL;
	n = pool_zalloc(&st->pools->neigh, POOL_NORMAL);
	if (!n)
		return NULL;
	n->obj.owner_proc = 0;
	n->stack = st;
	n->dev = dev;
	n->addr = *a;
	atomic_store(&n->refs, 1);
	timer_init(&n->timer, TIMER_NEIGH);
	hnode_add(&n->hash, bucket);
	if (++st->ip->num_neighs > (uint32_t)st->sysctl.neigh_gc_thresh1)
		ip_gc_arm(st);
	return n;
}

struct neigh *neigh_lookup(struct netdev *dev, const struct ipaddr *a, bool create)
{
	struct stack *st = dev->stack;
	struct ip_stack *ip = st->ip;
	struct hnode **bucket = bucket_of(st, dev, a);
	struct neigh *n;
	uint64_t now_ns;

	lock_take(&ip->neigh_lock);
	n = find(bucket, dev, a);
	if (!n && create && ip->num_neighs < (uint32_t)st->sysctl.neigh_gc_thresh2)
		n = insert(dev, a, bucket);
	if (n)
		neigh_get(n);
	lock_drop(&ip->neigh_lock);
	if (n || !create)
		return n;
	/* crowded: idle routes hold idle entries */
	now_ns = stack_now_ns(st);
	dst_cache_shrink(st, true, now_ns);
	lock_take(&ip->neigh_lock);
	neigh_shrink(st, GC_FORCED_AGE_NS, now_ns);
	n = find(bucket, dev, a);
	if (!n)
		n = insert(dev, a, bucket);
	if (n)
		neigh_get(n);
	lock_drop(&ip->neigh_lock);
	return n;
}

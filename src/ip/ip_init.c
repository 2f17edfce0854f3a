/* SPDX-License-Identifier: BSD-2-Clause */
/* Beginning and end of a stack's ip/, and the door by which frames come in. */
/*
 * How it works: the pools of neighbours and reassembly queues belong to the arena and are made by the
 * first stack that needs them; tables belong to the stack. ip_done() runs after the sockets are gone
 * and before the devices are.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define NEIGH_SHARE_BYTES 65536u /* of the arena for one neighbour entry of the quota */
#define FRAGQ_SHARE_BYTES 65536u

static int init_pools(struct arena_pools *p)
{
	struct arena *a = p->arena;
	int err = 0;

	if (!p->neigh.arena)
		err = pool_init(&p->neigh, a, "neigh", OBJ_NEIGH,
				(uint32_t)align_up_u64(sizeof(struct neigh), 64),
				arena_quota(a, NEIGH_SHARE_BYTES, 64, 65536), 0);
	if (!err && !p->fragq.arena)
		err = pool_init(&p->fragq, a, "fragq", OBJ_FRAGQ,
				(uint32_t)align_up_u64(sizeof(struct fragq), 64),
				arena_quota(a, FRAGQ_SHARE_BYTES, 64, 65536), 0);
	return err;
}

static void free_tables(struct stack *st)
{
	struct arena *a = st->pools->arena;
	struct ip_stack *ip = st->ip;

	arena_free_sized(a, ip->addrs, IP_MAX_ADDRS * sizeof(*ip->addrs));
	arena_free_sized(a, ip->routes, IP_MAX_ROUTES * sizeof(*ip->routes));
	arena_free_sized(a, ip->cache, IP_DST_SETS * IP_DST_WAYS * sizeof(*ip->cache));
	arena_free_sized(a, ip->scratch, IP_SCRATCH_BYTES);
	arena_free_sized(a, ip, sizeof(*ip));
	st->ip = NULL;
}

static int alloc_tables(struct stack *st)
{
	struct arena *a = st->pools->arena;
	struct ip_stack *ip = arena_alloc(a, sizeof(*ip));

	if (!ip)
		return -ENOMEM;
	st->ip = ip;
	ip->addrs = arena_alloc(a, IP_MAX_ADDRS * sizeof(*ip->addrs));
	ip->routes = arena_alloc(a, IP_MAX_ROUTES * sizeof(*ip->routes));
	ip->cache = arena_alloc(a, IP_DST_SETS * IP_DST_WAYS * sizeof(*ip->cache));
	ip->scratch = arena_alloc(a, IP_SCRATCH_BYTES);
	if (ip->addrs && ip->routes && ip->cache && ip->scratch)
		return 0;
	free_tables(st);
	return -ENOMEM;
}

int ip_init(struct stack *st)
{
	int err = init_pools(st->pools);
	struct ip_stack *ip;

	if (!err)
		err = alloc_tables(st);
	if (err)
		return err;
	ip = st->ip;
	ip->stack = st;
	lock_init(&ip->lock, LOCK_IP, st->is_shared);
	lock_init(&ip->neigh_lock, LOCK_NEIGH, st->is_shared);
	atomic_store(&ip->addr_gen, 1);
	for (uint32_t i = 0; i < STACK_MAX_DEVS; i++)
		timer_init(&ip->devs[i].rs, TIMER_IP_RS);
	for (uint32_t i = 0; i < IP_ID_COUNTERS; i++)
		atomic_store(&ip->ids[i], stack_rand_u32(st));
	ip->icmp_refill_ns = stack_now_ns(st);
	ip->icmp_credit = (uint32_t)st->sysctl.icmp_msgs_burst;
	neigh_init(st);
	return 0;
}

void ip_done(struct stack *st)
{
	struct ip_stack *ip = st->ip;

	if (!ip)
		return;
	frag_done(st);
	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		if (ip->addrs[i].dev)
			timer_cancel(&st->timers, &ip->addrs[i].dad);
	}
	for (uint32_t i = 0; i < STACK_MAX_DEVS; i++)
		timer_cancel(&st->timers, &ip->devs[i].rs);
	lock_take(&ip->lock);
	dst_cache_flush(ip);
	lock_drop(&ip->lock);
	dst_cache_shrink(st, true, 0);
	neigh_done(st);
	lock_done(&ip->neigh_lock);
	lock_done(&ip->lock);
	free_tables(st);
}

void ip_rcv_frame(struct stack *st, struct skb *skb)
{
	if (unlikely(skb->pkt_type == PKT_OTHERHOST)) {
		skb_free(st, skb); /* R02 (a): uncounted */
		return;
	}
	switch (skb->protocol) {
	case ETH_TYPE_IPV4: ipv4_rcv(st, skb); return;
	case ETH_TYPE_IPV6: ipv6_rcv(st, skb); return;
	case ETH_TYPE_ARP: arp_rcv(st, skb); return;
	default: skb_free(st, skb);
	}
}

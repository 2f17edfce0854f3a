/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools of an arena and stacks in it. */
/*
 * How it works: pools belong to the arena and serve all its stacks; their quotas are shares of its size
 * that together exceed it (memory is taken when first used), so the arena's cap is what ends a flood.
 * A part of the packet pool is kept for ACK, RST, FIN and close (POOL_RESERVE).
 *
 * Pools of objects that higher ranks define are made by those ranks, with arena_quota().
 */
#include "core/stack.h"

#include <errno.h>
#include <unistd.h>

#include "base/proc.h"
#include "core/dst.h"
#include "core/netdev.h"
#include "core/ubuf.h"

#define SKB_SHARE_BYTES 4096u    /* one packet for each */
#define SKB_RESERVE_DIVISOR 16u  /* of the quota */
#define PAGES_SHARE_PCT 62u      /* payload's share of the arena */
#define TRACE_SHARE_BYTES 65536u /* one record for each */

uint32_t arena_quota(const struct arena *a, uint64_t bytes_per_obj, uint32_t min, uint32_t max)
{
	return (uint32_t)max_u64(min, min_u64(max, a->size / bytes_per_obj));
}

static int init_pools(struct arena_pools *p, struct arena *a)
{
	uint32_t skbs = arena_quota(a, SKB_SHARE_BYTES, 512, 8u << 20);
	uint32_t regions = (uint32_t)(a->size / 100 * PAGES_SHARE_PCT / PAGE_REGION_BYTES);
	uint32_t ubufs = arena_quota(a, 65536, 64, 65536);
	uint32_t dsts = arena_quota(a, 65536, 64, 65536);
	uint32_t stacks = arena_quota(a, 1u << 20, 4, 4096);
	int err;

	err = pool_init(&p->skb, a, "skb", OBJ_SKB, sizeof(struct skb), skbs,
			skbs / SKB_RESERVE_DIVISOR);
	if (!err)
		err = page_pool_create(a, regions, &p->pages);
	if (!err)
		err = pool_init(&p->stack, a, "stack", OBJ_STACK, sizeof(struct stack), stacks, 0);
	if (!err)
		err = pool_init(&p->netdev, a, "netdev", OBJ_NETDEV, sizeof(struct netdev),
				stacks * 4, 0);
	if (!err)
		err = pool_init(&p->dst, a, "dst", OBJ_DST, sizeof(struct dst), dsts, 0);
	if (!err)
		err = pool_init(&p->ubuf, a, "ubuf", OBJ_UBUF, sizeof(struct ubuf), ubufs, 0);
	return err;
}

int arena_pools_create(struct arena *a, enum clock_kind kind, uint64_t start_ns,
		       struct arena_pools **ret)
{
	struct arena_pools *p = arena_alloc(a, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->arena = a;
	clock_init(&p->clock, kind, start_ns, 0);
	err = init_pools(p, a);
	if (err)
		return err; /* the arena is unusable and goes as a whole */
	a->roots[ARENA_ROOT_POOLS] = p;
	*ret = p;
	return 0;
}

static uint32_t trace_records(const struct arena *a)
{
	uint32_t want = arena_quota(a, TRACE_SHARE_BYTES, 256, 16384), n = 256;

	while (n * 2 <= want)
		n *= 2;
	return n;
}

struct stack *stack_alloc(struct arena_pools *pools, uint32_t hz, uint64_t seed)
{
	struct stack *st = pool_zalloc(&pools->stack, POOL_NORMAL);
	bool shared = pools->arena->is_shared;

	if (!st)
		return NULL;
	st->pools = pools;
	st->id = pool_index(&pools->stack, st);
	st->is_shared = shared;
	if (trace_ring_init(&st->trace, pools->arena, trace_records(pools->arena))) {
		pool_free(&pools->stack, st);
		return NULL;
	}
	st->trace.stack = (uint8_t)st->id;
	if (seed)
		rng_seed(&st->rng, seed);
	else
		rng_seed_system(&st->rng);
	rng_bytes(&st->rng, st->secret.k, sizeof(st->secret.k));
	lock_init(&st->rng_lock, LOCK_RXQ, shared);
	lock_init(&st->rxq_lock, LOCK_RXQ, shared);
	timers_init(&st->timers, hz, clock_now_ns(&pools->clock), shared);
	sysctl_init(&st->sysctl);
	skb_queue_init(&st->rxq);
	st->obj.owner_proc = 0;
	return st;
}

void stack_free(struct stack *st)
{
	struct arena_pools *pools = st->pools;
	uint32_t recs = st->trace.mask + 1;

	skb_queue_purge(st, &st->rxq);
	lock_done(&st->rxq_lock);
	lock_done(&st->rng_lock);
	arena_free_sized(pools->arena, st->trace.recs, recs * sizeof(*st->trace.recs));
	arena_free_sized(pools->arena, (void *)st->trace.sums, recs * sizeof(*st->trace.sums));
	pool_free(&pools->stack, st);
}

uint32_t stack_rand_u32(struct stack *st)
{
	uint32_t v;

	lock_take(&st->rng_lock);
	v = rng_u32(&st->rng);
	lock_drop(&st->rng_lock);
	return v;
}

uint32_t stack_rand_below(struct stack *st, uint32_t n)
{
	uint32_t v;

	lock_take(&st->rng_lock);
	v = rng_below(&st->rng, n);
	lock_drop(&st->rng_lock);
	return v;
}

void pools_wake_driver(struct arena_pools *pools)
{
	if (likely(!atomic_load(&pools->driver_until_ns) && !atomic_load(&pools->standby)))
		return;
	waitq_wake(&pools->drive_wq, INT32_MAX);
	if (atomic_load(&pools->is_driver_polling)) {
		int fd = proc_fd_get(pools);
		uint64_t one = 1;

		/* A full counter means a kick is pending already. */
		if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
			return;
	}
}

void stack_pump_kick(struct stack *st)
{
	atomic_store(&st->pump_work, 1);
	waitq_wake(&st->pump_wq, INT32_MAX);
	pools_wake_driver(st->pools);
}

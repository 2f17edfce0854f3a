/* SPDX-License-Identifier: BSD-2-Clause */
/* Sweeps after a death: packets in transit, queues of a broken socket, page counts. */
/*
 * How it works: links of a queue that somebody died in cannot be trusted, but each packet says itself
 * where it is (owner) and whose it is (obj.owner_proc in transit, sk in a socket's queue). A sweep
 * walks all live packets once. Objects freed while clones are out stay live with owner SKB_FREE and
 * are left to their clones.
 */
#include "core/sweep.h"

#include <errno.h>
#include <stdlib.h>

#include "core/netdev.h"
#include "core/tables.h"

static struct stack *any_stack(const struct arena_pools *pools)
{
	uint32_t idx = 0;

	return pool_next_live(&pools->stack, &idx);
}

uint32_t skb_sweep_proc(struct arena_pools *pools, uint16_t slot)
{
	struct stack *st = any_stack(pools);
	uint32_t idx = 0, num = 0;
	struct skb *s;

	if (!st || !slot)
		return 0;
	while ((s = pool_next_live(&pools->skb, &idx))) {
		if (s->owner != SKB_IN_TRANSIT || s->obj.owner_proc != slot)
			continue;
		s->next = s->prev = NULL;
		skb_free(s->dev ? s->dev->stack : st, s);
		num++;
	}
	return num;
}

static bool is_in_sock_queue(uint8_t owner)
{
	switch (owner) {
	case SKB_IN_WRITEQ:
	case SKB_IN_RTXQ:
	case SKB_IN_BACKLOG:
	case SKB_IN_RCVQ:
	case SKB_IN_OFO:
	case SKB_IN_ERRQ:
	case SKB_IN_CORK: return true;
	default: return false;
	}
}

/* Take @s out of whatever list it is in, without following links, onto a chain to be freed. */
static void collect(struct skb **chain, struct skb *s)
{
	skb_owner_move(s, SKB_IN_TRANSIT);
	s->prev = NULL;
	s->next = *chain;
	*chain = s;
}

static uint32_t free_chain(struct stack *st, struct skb *s)
{
	uint32_t num = 0;

	while (s) {
		struct skb *next = s->next;

		s->next = NULL;
		skb_free(st, s);
		s = next;
		num++;
	}
	return num;
}

uint32_t skb_sweep_sock(struct sock *sk)
{
	struct stack *st = sk->stack;
	struct skb *s, *chain = NULL;
	uint32_t idx = 0;

	/* Both stay locked during the walk: what others add afterwards is sound. */
	lock_take(&sk->backlog_lock);
	lock_take(&sk->err_lock);
	sk->backlog_lock.was_abandoned = 0;
	sk->err_lock.was_abandoned = 0;
	while ((s = pool_next_live(&st->pools->skb, &idx)))
		if (s->sk == sk && is_in_sock_queue(s->owner))
			collect(&chain, s);
	skb_queue_init(&sk->backlog);
	atomic_store(&sk->backlog_truesize, 0);
	skb_queue_init(&sk->error_queue);
	skb_queue_init(&sk->receive_queue);
	lock_drop(&sk->err_lock);
	lock_drop(&sk->backlog_lock);
	return free_chain(st, chain);
}

uint32_t skb_sweep_dev(struct netdev *dev, enum skb_owner where)
{
	struct stack *st = dev->stack;
	struct skb *s, *chain = NULL;
	uint32_t idx = 0;

	while ((s = pool_next_live(&st->pools->skb, &idx)))
		if (s->owner == where && s->dev == dev)
			collect(&chain, s);
	return free_chain(st, chain);
}

uint32_t skb_sweep_rxq(struct stack *st)
{
	struct skb *s, *chain = NULL;
	uint32_t idx = 0;

	lock_take(&st->rxq_lock);
	st->rxq_lock.was_abandoned = 0;
	while ((s = pool_next_live(&st->pools->skb, &idx)))
		if (s->owner == SKB_IN_RXQ && s->dev && s->dev->stack == st)
			collect(&chain, s);
	skb_queue_init(&st->rxq);
	lock_drop(&st->rxq_lock);
	return free_chain(st, chain);
}

static void count_frag(const struct page_pool *pp, uint32_t *refs, const struct page_region *r)
{
	if (r)
		refs[page_region_index(pp, r)]++;
}

static void count_dev(const struct page_pool *pp, uint32_t *refs, struct netdev *dev)
{
	const struct dev_ops *ops = dev_ops_tab[dev->ops_id];
	const struct page_region *r;

	count_frag(pp, refs, dev->rx_frag.region);
	if (!ops || !ops->region)
		return;
	for (unsigned int i = 0; (r = ops->region(dev, i)); i++)
		count_frag(pp, refs, r);
}

int pages_recount(struct arena_pools *pools, const struct pool *const *socks, unsigned int num)
{
	uint32_t capacity = page_pool_capacity(pools->pages), idx;
	uint32_t *refs = calloc(capacity, sizeof(*refs));
	struct netdev *dev;
	const struct skb *s;

	if (!refs)
		return -ENOMEM;
	for (idx = 0; (s = pool_next_live(&pools->skb, &idx));)
		for (unsigned int i = 0; i < s->nr_frags; i++)
			count_frag(pools->pages, refs, s->frags[i].region);
	for (idx = 0; (dev = pool_next_live(&pools->netdev, &idx));)
		count_dev(pools->pages, refs, dev);
	for (unsigned int i = 0; i < num; i++) {
		const struct sock *sk;

		for (idx = 0; (sk = pool_next_live(socks[i], &idx));)
			count_frag(pools->pages, refs, sk->page_frag.region);
	}
	page_pool_sweep(pools->pages, refs, capacity);
	free(refs);
	return 0;
}

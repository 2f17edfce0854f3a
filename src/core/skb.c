/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a packet: allocation, clone, free, ownership, queues. */
/*
 * How it works: refs counts the packet itself plus its clones in flight. Freeing releases everything a
 * packet holds at once (destructor, notification, route, payload, its own original) and then drops the
 * packet's own reference; the object goes back to the pool with the last one. So a record whose clone
 * is still in a device costs a head, never payload.
 *
 * 1. Only the holder of a packet touches its fields; refs alone is shared between threads.
 * 2. owner says where a packet is; obj.owner_proc names the process while it is in transit, so that a
 *    sweep can find what a killed process held (core/sweep.c).
 * 3. Queues are linked through next/prev and end in NULL; the queue's lock is the caller's.
 */
#include "core/skb.h"

#include "base/proc.h"
#include "core/dst.h"
#include "core/netdev.h"
#include "core/stack.h"
#include "core/tables.h"
#include "core/trace_ids.h"
#include "core/ubuf.h"

#define SKB_META_START offsetof(struct skb, next)
#define SKB_META_END offsetof(struct skb, frags)

struct skb *skb_alloc(struct stack *st, enum pool_flags flags)
{
	struct skb *s = pool_alloc(&st->pools->skb, flags);

	if (unlikely(!s)) {
		mib_inc(st, NaruNoMemDrops);
		return NULL;
	}
	memset((char *)s + SKB_META_START, 0, SKB_META_END - SKB_META_START);
	atomic_init(&s->refs, 1);
	s->truesize = SKB_TRUESIZE;
	s->data_off = SKB_HEADROOM;
	s->tail_off = SKB_HEADROOM;
	s->owner = SKB_IN_TRANSIT;
	return s;
}

struct skb *skb_clone(struct stack *st, struct skb *skb, enum pool_flags flags)
{
	struct skb *c = pool_alloc(&st->pools->skb, flags);

	if (unlikely(!c)) {
		mib_inc(st, NaruNoMemDrops);
		return NULL;
	}
	memcpy((char *)c + SKB_META_START, (char *)skb + SKB_META_START,
	       SKB_META_END - SKB_META_START);
	memcpy(c->frags, skb->frags, skb->nr_frags * sizeof(c->frags[0]));
	memcpy(c->head + skb->data_off, skb_data(skb), skb_headlen(skb));
	for (unsigned int i = 0; i < c->nr_frags; i++)
		page_region_get(c->frags[i].region);
	atomic_init(&c->refs, 1);
	c->next = c->prev = NULL;
	memset(&c->rb, 0, sizeof(c->rb));
	c->tsorted.next = c->tsorted.prev = NULL;
	c->sk = NULL;
	c->dtor = SKB_DTOR_NONE;
	c->owner = SKB_IN_TRANSIT;
	c->is_clone = true;
	if (c->dst)
		dst_get(c->dst);
	if (c->ubuf)
		ubuf_get(c->ubuf);
	c->orig = skb;
	count_add_u32(&skb->refs, 1);
	return c;
}

static void skb_drop_ref(struct stack *st, struct skb *s)
{
	if (count_add_u32(&s->refs, -1u) == 1)
		pool_free(&st->pools->skb, s);
}

static void run_dtor(struct stack *st, struct skb *s)
{
	uint8_t dtor = s->dtor;

	if (dtor != SKB_DTOR_NONE) {
		stack_trace_ev(st, TR_SKB_FREE, TR_INSTANT, trace_obj(st, s->sk, s), s->truesize,
			       dtor, 0);
		skb_dtor_tab[dtor](st, s);
		s->dtor = SKB_DTOR_NONE;
	}
	s->sk = NULL;
}

static void put_orig(struct stack *st, struct skb *s)
{
	struct skb *orig = s->orig;

	if (orig) {
		s->orig = NULL;
		skb_drop_ref(st, orig);
	}
}

void skb_free(struct stack *st, struct skb *s)
{
	if (!s)
		return;
	DEBUG_CHECK(s->owner != SKB_FREE);
	run_dtor(st, s);
	if (s->ubuf) {
		ubuf_put(st, s->ubuf);
		s->ubuf = NULL;
	}
	if (s->dst) {
		dst_put(s->dst);
		s->dst = NULL;
	}
	for (unsigned int i = 0; i < s->nr_frags; i++)
		page_region_put(st->pools->pages, s->frags[i].region);
	s->nr_frags = 0;
	s->len = s->data_len = 0;
	s->data_off = s->tail_off = SKB_HEADROOM;
	put_orig(st, s);
	s->owner = SKB_FREE;
	s->obj.owner_proc = 0;
	skb_drop_ref(st, s);
}

void skb_orphan(struct stack *st, struct skb *s)
{
	run_dtor(st, s);
	put_orig(st, s);
}

void skb_owner_move(struct skb *skb, enum skb_owner to)
{
	DEBUG_CHECK(skb->owner != SKB_FREE && to != SKB_FREE);
	/* From one place to another a packet passes through somebody's hands. */
	DEBUG_CHECK(skb->owner == SKB_IN_TRANSIT || to == SKB_IN_TRANSIT ||
		    (skb->owner == SKB_IN_WRITEQ && to == SKB_IN_RTXQ));
	skb->owner = (uint8_t)to;
	skb->obj.owner_proc = to == SKB_IN_TRANSIT ? proc_slot() : 0;
}

static void enter(struct skb_queue *q, struct skb *s, enum skb_owner where)
{
	skb_owner_move(s, where);
	q->len++;
	q->truesize += s->truesize;
}

void skb_queue_tail(struct skb_queue *q, struct skb *s, enum skb_owner where)
{
	enter(q, s, where);
	s->next = NULL;
	s->prev = q->last;
	if (q->last)
		q->last->next = s;
	else
		q->first = s;
	q->last = s;
}

void skb_queue_head(struct skb_queue *q, struct skb *s, enum skb_owner where)
{
	enter(q, s, where);
	s->prev = NULL;
	s->next = q->first;
	if (q->first)
		q->first->prev = s;
	else
		q->last = s;
	q->first = s;
}

void skb_queue_after(struct skb_queue *q, struct skb *pos, struct skb *s, enum skb_owner where)
{
	enter(q, s, where);
	s->prev = pos;
	s->next = pos->next;
	if (pos->next)
		pos->next->prev = s;
	else
		q->last = s;
	pos->next = s;
}

void skb_unlink(struct skb_queue *q, struct skb *s)
{
	if (s->prev)
		s->prev->next = s->next;
	else
		q->first = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		q->last = s->prev;
	s->next = s->prev = NULL;
	q->len--;
	q->truesize -= s->truesize;
	skb_owner_move(s, SKB_IN_TRANSIT);
}

struct skb *skb_dequeue(struct skb_queue *q)
{
	struct skb *s = q->first;

	if (s)
		skb_unlink(q, s);
	return s;
}

void skb_queue_purge(struct stack *st, struct skb_queue *q)
{
	struct skb *s;

	while ((s = skb_dequeue(q)))
		skb_free(st, s);
}

const char *skb_check(const struct skb *s)
{
	uint64_t in_frags = 0;

	if (s->data_off > s->tail_off || s->tail_off > SKB_HEAD_BYTES)
		return "linear part outside the head";
	if (s->nr_frags > SKB_MAX_FRAGS)
		return "too many fragments";
	for (unsigned int i = 0; i < s->nr_frags; i++) {
		const struct frag *f = &s->frags[i];

		if (!f->region || !f->len || (uint64_t)f->off + f->len > f->region->size)
			return "fragment outside its region";
		in_frags += f->len;
	}
	if (s->data_len != in_frags)
		return "data_len is not the sum of the fragments";
	if (s->len != s->data_len + skb_headlen(s))
		return "len is not linear + fragments";
	return NULL;
}

const char *skb_queue_check(const struct skb_queue *q, enum skb_owner where)
{
	const struct skb *prev = NULL;
	uint32_t len = 0, truesize = 0;

	for (const struct skb *s = q->first; s; prev = s, s = s->next) {
		const char *bad = skb_check(s);

		if (bad)
			return bad;
		if (s->prev != prev)
			return "back link is wrong";
		if (s->owner != where)
			return "a packet belongs elsewhere";
		if (++len > q->len)
			return "more packets than counted";
		truesize += s->truesize;
	}
	if (q->last != prev)
		return "last is not the last";
	if (len != q->len)
		return "fewer packets than counted";
	return truesize == q->truesize ? NULL : "truesize is not the sum of the packets";
}

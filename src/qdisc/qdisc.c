/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 9: dev_queue_xmit(), and draining a queue into its device. */
/*
 * How it works: one thread at a time drains a queue; is_running is claimed with one compare-and-swap.
 * Who finds it claimed leaves QDISC_MISSED behind, and the runner, who can give it back only while that bit
 * is clear, goes round again: no packet is left without a runner.
 *
 * 1. q->lock covers the queue itself, never the device: dev_hard_start_xmit() runs without it.
 * 2. What the device refused is parked in q->requeued and goes first.
 * 3. A stopped device, or an exhausted quota, leaves the rest to the pump.
 */
#include "qdisc/qdisc.h"

#include <errno.h>

#include "base/proc.h"
#include "core/errq.h"
#include "core/stack.h"
#include "core/sweep.h"
#include "core/tables.h"
#include "core/trace_ids.h"
#include "dev/dev.h"

static const struct qdisc_ops *ops_of(const struct qdisc *q)
{
	return qdisc_ops_tab[q->id];
}

/* A holder that died inside leaves links nobody trusts: the queue starts empty. */
void qdisc_recover(struct lock *l)
{
	struct qdisc *q = container_of(l, struct qdisc, lock);
	struct stack *st = q->dev->stack;

	l->was_abandoned = 0;
	q->requeued = NULL;
	memset(q->priv, 0, ops_of(q)->priv_bytes);
	atomic_store(&q->len, 0);
	if (ops_of(q)->init(q, q->dev))
		q->drops++; /* it refuses everything from now on */
	skb_sweep_dev(q->dev, SKB_IN_QDISC);
	mib_inc(st, NaruLocksRecovered);
}

/* ---- attaching ---- */

static void qdisc_free(struct qdisc *q)
{
	struct stack *st = q->dev->stack;
	const struct qdisc_ops *ops = ops_of(q);

	hrtimer_cancel(&st->timers, &q->watchdog);
	ops->purge(q);
	skb_free(st, q->requeued);
	lock_done(&q->lock);
	if (q->priv)
		arena_free_sized(st->pools->arena, q->priv, ops->priv_bytes);
	arena_free_sized(st->pools->arena, q, sizeof(*q));
}

int qdisc_attach(struct netdev *dev, enum qdisc_kind kind)
{
	struct stack *st = dev->stack;
	struct arena *a = st->pools->arena;
	const struct qdisc_ops *ops = qdisc_ops_tab[kind];
	struct qdisc *q = NULL, *old = dev->qdisc;

	if (kind != QDISC_NOQUEUE) {
		int err = -ENOMEM;

		if (!ops)
			return -ENOENT;
		q = arena_alloc(a, sizeof(*q));
		if (!q)
			return -ENOMEM;
		lock_init(&q->lock, LOCK_QDISC, st->is_shared);
		hrtimer_init(&q->watchdog, HRTIMER_QDISC);
		q->id = (uint8_t)kind;
		q->dev = dev;
		q->priv = arena_alloc(a, ops->priv_bytes);
		if (q->priv)
			err = ops->init(q, dev);
		if (err) {
			if (q->priv)
				arena_free_sized(a, q->priv, ops->priv_bytes);
			arena_free_sized(a, q, sizeof(*q));
			return err;
		}
	}
	dev->qdisc = q;
	dev->qdisc_id = (uint8_t)kind;
	if (old)
		qdisc_free(old);
	return 0;
}

void qdisc_hold(struct qdisc *q, struct skb *skb)
{
	DEBUG_CHECK(!q->requeued);
	skb_owner_move(skb, SKB_IN_QDISC);
	q->requeued = skb;
	atomic_fetch_add(&q->len, 1);
}

/* ---- running ---- */

static struct skb *next_packet(struct qdisc *q, uint64_t now_ns)
{
	struct skb *s = q->requeued;

	if (s)
		q->requeued = NULL;
	else
		s = ops_of(q)->dequeue(q, now_ns);
	if (!s)
		return NULL;
	atomic_fetch_sub(&q->len, 1);
	skb_owner_move(s, SKB_IN_TRANSIT);
	return s;
}

/* One packet to the device. False: the device is full and the packet is parked. */
static bool send_one(struct qdisc *q, struct skb *s)
{
	uint32_t bytes = s->len;

	if (dev_hard_start_xmit(q->dev, s) == XMIT_BUSY) {
		lock_take(&q->lock);
		ops_of(q)->requeue(q, s);
		lock_drop(&q->lock);
		return false;
	}
	count_add_u64(&q->sent_packets, 1);
	count_add_u64(&q->sent_bytes, bytes);
	return true;
}

/* Drain up to the quota. */
static void drain(struct qdisc *q)
{
	struct stack *st = q->dev->stack;
	uint64_t now_ns = stack_now_ns(st);

	for (int i = 0; i < QDISC_RUN_QUOTA; i++) {
		struct skb *s;

		if (atomic_load(&q->dev->is_tx_stopped))
			return;
		lock_take(&q->lock);
		s = next_packet(q, now_ns);
		lock_drop(&q->lock);
		if (!s || !send_one(q, s))
			return;
	}
	if (atomic_load(&q->len))
		stack_pump_kick(st);
}

static bool claim(struct qdisc *q)
{
	uint32_t mine = (uint32_t)proc_slot() << 16 | QDISC_RUNNING, was = 0;

	while (!atomic_compare_exchange_weak(&q->is_running, &was, was ? was | QDISC_MISSED : mine))
		;
	return was == 0;
}

/* False: somebody came meanwhile; the claim is still ours. */
static bool unclaim(struct qdisc *q)
{
	uint32_t mine = (uint32_t)proc_slot() << 16 | QDISC_RUNNING, was = mine;

	if (atomic_compare_exchange_strong(&q->is_running, &was, 0))
		return true;
	if (!(was & QDISC_MISSED))
		return true; /* taken away by qdisc_forget_proc() */
	atomic_fetch_and(&q->is_running, ~QDISC_MISSED);
	return false;
}

static void drain_and_unclaim(struct qdisc *q)
{
	do {
		drain(q);
	} while (!unclaim(q));
}

void qdisc_run(struct qdisc *q)
{
	if (claim(q))
		drain_and_unclaim(q);
}

void qdisc_forget_proc(struct stack *st, uint16_t slot)
{
	for (uint32_t i = 0; i < st->num_devs; i++) {
		struct qdisc *q = st->devs[i] ? st->devs[i]->qdisc : NULL;

		if (q && atomic_load(&q->is_running) >> 16 == slot) {
			atomic_store(&q->is_running, 0);
			stack_pump_kick(st);
		}
	}
}

/* ---- entry ---- */

static enum xmit xmit_direct(struct netdev *dev, struct skb *skb)
{
	struct stack *st = dev->stack;
	enum xmit r = dev_hard_start_xmit(dev, skb);

	if (r != XMIT_BUSY)
		return r;
	/* No queue to wait in. */
	atomic_fetch_add_explicit(&dev->stats.tx_dropped, 1, memory_order_relaxed);
	skb_free(st, skb);
	return XMIT_DROP;
}

/* An empty queue that permits it is passed by; false: enqueue. */
static bool try_bypass(struct qdisc *q, struct skb *skb)
{
	if (!ops_of(q)->can_bypass || atomic_load(&q->len) || atomic_load(&q->dev->is_tx_stopped))
		return false;
	if (!claim(q))
		return false;
	if (atomic_load(&q->len)) { /* somebody was faster: keep the order */
		drain_and_unclaim(q);
		return false;
	}
	if (send_one(q, skb) && unclaim(q))
		return true;
	drain_and_unclaim(q);
	return true;
}

static enum xmit enqueue_and_run(struct qdisc *q, struct skb *skb)
{
	uint64_t now_ns = stack_now_ns(q->dev->stack);
	enum xmit r;

	lock_take(&q->lock);
	r = ops_of(q)->enqueue(q, skb, now_ns);
	lock_drop(&q->lock);
	qdisc_run(q);
	return r;
}

enum xmit dev_queue_xmit(struct skb *skb)
{
	struct netdev *dev = skb->dev;
	struct stack *st = dev->stack;
	struct qdisc *q = dev->qdisc;
	enum xmit r = XMIT_OK;

	stack_trace_ev(st, TR_DEV_QUEUE_XMIT, TR_BEGIN, trace_obj(st, skb->sk, skb), skb->len,
		       q ? atomic_load(&q->len) : 0, 0);
	if (unlikely(!(dev->flags & NETDEV_UP))) {
		atomic_fetch_add_explicit(&dev->stats.tx_dropped, 1, memory_order_relaxed);
		skb_free(st, skb);
		return XMIT_DOWN;
	}
	skb_tstamp_tx(st, skb, NULL, TSTAMP_SCHED);
	if (!q)
		r = xmit_direct(dev, skb);
	else if (!try_bypass(q, skb))
		r = enqueue_and_run(q, skb);
	stack_trace_ev(st, TR_DEV_QUEUE_XMIT, TR_END, 0, 0, 0, (uint64_t)r);
	return r;
}

/* ---- pump side ---- */

bool qdisc_is_idle(const struct stack *st)
{
	for (uint32_t i = 0; i < st->num_devs; i++) {
		const struct netdev *dev = st->devs[i];

		if (dev && (atomic_load(&((struct netdev *)dev)->is_tx_stopped) || (dev->qdisc && atomic_load(&dev->qdisc->len))))
			return false;
	}
	return true;
}

void qdisc_pump(struct stack *st)
{
	for (uint32_t i = 0; i < st->num_devs; i++) {
		struct netdev *dev = st->devs[i];

		if (!dev)
			continue;
		if (atomic_load(&dev->is_tx_stopped) && !dev_tx_flush(dev))
			continue; /* the driver waits until it is writable */
		if (dev->qdisc && atomic_load(&dev->qdisc->len))
			qdisc_run(dev->qdisc);
	}
}

void qdisc_watchdog(struct stack *st, struct hrtimer *t)
{
	(void)st;
	qdisc_run(container_of(t, struct qdisc, watchdog));
}

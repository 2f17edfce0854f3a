/* SPDX-License-Identifier: BSD-2-Clause */
/* Queueing disciplines and the entry from IP: dev_queue_xmit() (stage 9). */
#ifndef NARU_QDISC_QDISC_H
#define NARU_QDISC_QDISC_H

#include "base/timer.h"
#include "core/netdev.h"

#define QDISC_RUN_QUOTA 64 /* packets per run (T64.4) */
#define QDISC_RUNNING 1u   /* bits of is_running */
#define QDISC_MISSED 2u	   /* somebody came while it ran: run again */

struct qdisc {
	struct lock lock;	/* LOCK_QDISC */
	uint8_t id;		/* enum qdisc_kind */
	_Atomic uint32_t len;	/* packets waiting */
	_Atomic uint32_t is_running; /* one thread drains at a time: process slot << 16 | QDISC_RUNNING | QDISC_MISSED */
	struct netdev *dev;
	struct hrtimer watchdog; /* fq: next departure; HRTIMER_QDISC */
	void *priv;		/* arena */
	struct skb *requeued;	/* refused by the device: goes out before everything else */
	_Atomic uint32_t is_throttled; /* what waits is not due: the watchdog will run */
	uint64_t drops, overlimits;
	_Atomic uint64_t sent_packets, sent_bytes;
};

struct qdisc_ops {
	const char *name;
	size_t priv_bytes;
	int (*init)(struct qdisc *q, struct netdev *dev);
	/** enqueue() - lock held. CONSUMES (a refused packet is freed: XMIT_DROP, XMIT_CN, XMIT_OK). */
	enum xmit (*enqueue)(struct qdisc *q, struct skb *skb, uint64_t now_ns);
	/** dequeue() - lock held; NULL: nothing may go now. */
	struct skb *(*dequeue)(struct qdisc *q, uint64_t now_ns);
	/** requeue() - put back what a busy device refused; it is first again. */
	void (*requeue)(struct qdisc *q, struct skb *skb);
	/** can_bypass() - an empty queue may be passed by. */
	bool can_bypass;
	void (*purge)(struct qdisc *q);
};

/** qdisc_attach() - give @dev a queue of this kind; the old one's packets are dropped. */
int qdisc_attach(struct netdev *dev, enum qdisc_kind kind) MUST_CHECK;
/**
 * dev_queue_xmit() - stage 9: SCHED timestamp, queue, run
 * @skb: frame with its link header; skb->dev set. CONSUMED in every case.
 * Return: XMIT_OK, XMIT_DROP, XMIT_CN, XMIT_DOWN.      Next: dev_hard_start_xmit()
 */
enum xmit dev_queue_xmit(struct skb *skb);
/** qdisc_run() - drain up to QDISC_RUN_QUOTA packets; leaves pump work behind when more wait. */
void qdisc_run(struct qdisc *q);
/** qdisc_is_idle() - no device of the stack is stopped or has packets queued; read without a lock. */
bool qdisc_is_idle(const struct stack *st);
/** qdisc_pump() - pump: restart stopped devices of a stack and drain their queues. */
void qdisc_pump(struct stack *st);
/** qdisc_hold() - ops.requeue of every kind: park the refused packet; lock held. */
void qdisc_hold(struct qdisc *q, struct skb *skb);
/** qdisc_recover() - lock_recover_tab[LOCK_QDISC]: the holder died; the queue's packets are lost. */
void qdisc_recover(struct lock *l);
/** qdisc_forget_proc() - a process died: let others run the queues it was running. */
void qdisc_forget_proc(struct stack *st, uint16_t slot);
extern const struct qdisc_ops pfifo_fast_qdisc_ops, fq_qdisc_ops;
/** qdisc_prio_band() - T65: band 0 (first) .. 2 of a packet priority. */
unsigned int qdisc_prio_band(uint32_t priority);
/** qdisc_watchdog() - hrtimer_tab[HRTIMER_QDISC]. */
void qdisc_watchdog(struct stack *st, struct hrtimer *t);

#endif

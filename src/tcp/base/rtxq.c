/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment records and their two queues, not yet sent and sent (T0.3, T41, T46). */
/*
 * How it works: a record is a packet whose payload lies only in fragments; its sequence range,
 * flags and loss marks are in its control block. It enters the write queue empty, grows while it
 * is the tail, and moves once, when sent, to the retransmit queue; there it stays until
 * acknowledged.
 *
 * 1. Both queues are in order of sequence without gaps: write queue ends at write_seq, retransmit
 *    queue begins at or before snd_una.
 * 2. truesize of a record = SKB_TRUESIZE + payload; the sum over both queues is sk.wmem_queued.
 * 3. tsorted is a list node in every record: self-linked while unsent, else in tp->tsorted.
 * 4. A clone on its way shares payload by reference: cutting or moving fragments here never
 *    touches it.
 */
#include "tcp/base/base.h"

#include <errno.h>

#include "wire/seq.h"

/* T46: half of WQ may exceed SNDBUF by two full records before splits of sent records are refused. */
#define SPLIT_SLACK_BYTES (2 * (65536 + (int32_t)SKB_TRUESIZE))

struct skb *tcp_send_head(const struct tcp_sock *tp)
{
	return tp->write_queue.first;
}

/* Payload of a queued record changes by @delta: its charge, its queue's sum. */
static void record_charge(struct skb_queue *q, struct skb *skb, int32_t delta)
{
	skb->truesize += (uint32_t)delta;
	q->truesize += (uint32_t)delta;
}

struct skb *tcp_stream_alloc_skb(struct tcp_sock *tp, bool force)
{
	struct skb *skb = skb_alloc(tp->sk.stack, force ? POOL_RESERVE : POOL_NORMAL);

	if (unlikely(!skb)) {
		tcp_enter_memory_pressure(tp->sk.stack);
		tcp_stream_moderate_sndbuf(tp);
		return NULL;
	}
	list_init(&skb->tsorted);
	skb->sk = &tp->sk; /* no charge: the sweep finds the records of a broken socket by it */
	if (force) {
		tcp_wmem_force(tp, skb->truesize);
	} else if (unlikely(!tcp_wmem_schedule(tp, skb->truesize))) {
		skb_free(tp->sk.stack, skb);
		return NULL;
	}
	return skb;
}

void tcp_skb_entail(struct tcp_sock *tp, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	cb->seq = cb->end_seq = tp->write_seq;
	cb->flags = TCPH_ACK;
	cb->sacked = 0;
	skb_queue_tail(&tp->write_queue, skb, SKB_IN_WRITEQ);
	tcp_wmem_queued_add(tp, skb->truesize);
	tp->nonagle &= (uint8_t)~TCP_NAGLE_PUSH;
	if (tp->write_queue.first == skb)
		tcp_chrono_start(tp, TCP_CHRONO_BUSY);
}

void tcp_wmem_free_skb(struct tcp_sock *tp, struct skb *skb)
{
	tcp_wmem_queued_sub(tp, skb->truesize);
	skb_free(tp->sk.stack, skb);
}

void tcp_remove_empty_skb(struct tcp_sock *tp)
{
	struct skb *skb = tp->write_queue.last;

	if (!skb || tcp_cb(skb)->seq != tcp_cb(skb)->end_seq)
		return;
	skb_unlink(&tp->write_queue, skb);
	if (!tp->write_queue.first)
		tcp_chrono_stop(tp, TCP_CHRONO_BUSY);
	tcp_wmem_free_skb(tp, skb);
}

void tcp_set_skb_tso_segs(struct skb *skb, uint32_t mss)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (skb->len <= mss) {
		cb->pcount = 1;
		cb->gso_size = 0;
	} else {
		cb->gso_size = (uint16_t)mss;
		cb->pcount = (uint16_t)((skb->len + mss - 1) / mss);
	}
}

void tcp_adjust_pcount(struct tcp_sock *tp, const struct skb *skb, int decr)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t n = (uint32_t)decr;

	tp->packets_out -= n;
	if (cb->sacked & TCPCB_SACKED_ACKED)
		tp->sacked_out -= n;
	if (cb->sacked & TCPCB_SACKED_RETRANS)
		tp->retrans_out -= n;
	if (cb->sacked & TCPCB_LOST)
		tp->lost_out -= n;
	/* Without SACK the count is of duplicate ACKs: it may not exceed what is left. */
	if (!tcp_is_sack(tp) && decr > 0)
		tp->sacked_out -= min_u32(tp->sacked_out, n);
}

/* ---- T46: split ---- */

static bool split_is_allowed(struct tcp_sock *tp, const struct skb_queue *q, const struct skb *skb)
{
	if (q == &tp->write_queue || skb == q->first || skb == q->last)
		return true;
	if (likely(tp->sk.wmem_queued / 2 <= tp->sk.sndbuf + SPLIT_SLACK_BYTES))
		return true;
	mib_inc(tp->sk.stack, TcpExtTCPWqueueTooBig);
	return false;
}

/* Which half gets what: FIN, PSH, EOR and a late enough timestamp request go with the second. */
static void split_marks(struct skb *skb, struct skb *rest, uint32_t at)
{
	struct tcp_skb_cb *a = tcp_cb(skb), *b = tcp_cb(rest);

	*b = *a;
	b->seq = a->end_seq = a->seq + at;
	a->flags &= (uint8_t) ~(TCPH_FIN | TCPH_PSH);
	a->is_eor = false;
	rest->tstamp_ns = skb->tstamp_ns;
	if (skb->tx_flags && !seq_before(skb->ts_key, b->seq)) {
		rest->tx_flags = skb->tx_flags;
		rest->ts_key = skb->ts_key;
		skb->tx_flags = 0;
		skb->ts_key = 0;
	}
}

int tcp_fragment(struct tcp_sock *tp, struct skb_queue *q, struct skb *skb, uint32_t len, uint32_t mss)
{
	bool is_sent = q == &tp->rtx_queue;
	int old_pcount = tcp_cb(skb)->pcount;
	uint32_t moved;
	struct skb *rest;

	if (!len || len > skb->len)
		return -EINVAL;
	if (!split_is_allowed(tp, q, skb))
		return -ENOMEM;
	rest = skb_alloc(tp->sk.stack, POOL_RESERVE);
	if (unlikely(!rest))
		return -ENOMEM;
	list_init(&rest->tsorted);
	rest->sk = &tp->sk;
	tcp_wmem_force(tp, rest->truesize);
	tcp_wmem_queued_add(tp, rest->truesize);
	moved = skb->len - len;
	skb_split(tp->sk.stack, skb, rest, len);
	record_charge(q, skb, -(int32_t)moved);
	rest->truesize += moved;
	split_marks(skb, rest, len);
	tcp_set_skb_tso_segs(skb, mss);
	tcp_set_skb_tso_segs(rest, mss);
	skb_queue_after(q, skb, rest, is_sent ? SKB_IN_RTXQ : SKB_IN_WRITEQ);
	if (!is_sent)
		return 0;
	list_add_head(&rest->tsorted, &skb->tsorted);
	if (!seq_before(tp->snd_nxt, tcp_cb(rest)->end_seq)) {
		int decr = old_pcount - tcp_cb(skb)->pcount - tcp_cb(rest)->pcount;

		if (decr)
			tcp_adjust_pcount(tp, skb, decr);
	}
	return 0;
}

int tcp_trim_head(struct tcp_sock *tp, struct skb *skb, uint32_t len)
{
	struct skb_queue *q = skb->owner == SKB_IN_RTXQ ? &tp->rtx_queue : &tp->write_queue;
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (len > skb->len)
		return -EINVAL;
	skb_trim_head(tp->sk.stack, skb, len);
	cb->seq += len;
	record_charge(q, skb, -(int32_t)len);
	tcp_wmem_queued_sub(tp, len);
	if (cb->pcount > 1)
		tcp_set_skb_tso_segs(skb, cb->gso_size);
	return 0;
}

/* ---- T41, T81: merging neighbours ---- */

bool tcp_skb_can_merge(const struct skb *to, const struct skb *from)
{
	return !tcp_cb(to)->is_eor && !to->ubuf && !from->ubuf;
}

void tcp_skb_merge_marks(struct skb *to, const struct skb *from)
{
	tcp_cb(to)->flags |= tcp_cb(from)->flags;
	tcp_cb(to)->is_eor = tcp_cb(from)->is_eor;
	if (from->tx_flags) {
		to->tx_flags |= from->tx_flags;
		to->ts_key = from->ts_key;
	}
}

uint32_t tcp_skb_shift(struct tcp_sock *tp, struct skb_queue *q, struct skb *to, struct skb *from,
		       uint32_t len)
{
	uint32_t n = skb_shift(tp->sk.stack, to, from, len);

	tcp_cb(to)->end_seq += n;
	tcp_cb(from)->seq += n;
	record_charge(q, to, (int32_t)n);
	record_charge(q, from, -(int32_t)n);
	return n;
}

void tcp_grow_skb(struct tcp_sock *tp, struct skb *skb, uint32_t missing_bytes)
{
	struct skb *next = skb->next;

	if (!next || !tcp_skb_can_merge(skb, next))
		return;
	if (!tcp_skb_shift(tp, &tp->write_queue, skb, next, min_u32(missing_bytes, next->len)))
		return;
	if (next->len)
		return;
	tcp_cb(skb)->end_seq = tcp_cb(next)->end_seq; /* a FIN behind the last byte comes along */
	tcp_skb_merge_marks(skb, next);
	skb_unlink(&tp->write_queue, next);
	tcp_wmem_free_skb(tp, next);
}

/* ---- retransmit queue ---- */

void tcp_rtx_queue_add(struct tcp_sock *tp, struct skb *skb)
{
	skb_unlink(&tp->write_queue, skb);
	skb_queue_tail(&tp->rtx_queue, skb, SKB_IN_RTXQ);
	if (!tp->highest_sack)
		tp->highest_sack = skb;
}

void tcp_rtx_queue_unlink_and_free(struct tcp_sock *tp, struct skb *skb)
{
	if (tp->highest_sack == skb)
		tp->highest_sack = skb->next;
	if (tp->retransmit_hint == skb)
		tp->retransmit_hint = NULL;
	list_del(&skb->tsorted);
	skb_unlink(&tp->rtx_queue, skb);
	tcp_wmem_free_skb(tp, skb);
}

void tcp_highest_sack_reset(struct tcp_sock *tp)
{
	tp->highest_sack = tp->rtx_queue.first;
}

static void purge_queue(struct tcp_sock *tp, struct skb_queue *q)
{
	struct skb *skb;

	while ((skb = skb_dequeue(q))) {
		list_del(&skb->tsorted);
		tcp_wmem_free_skb(tp, skb);
	}
}

void tcp_write_queue_purge(struct tcp_sock *tp)
{
	purge_queue(tp, &tp->write_queue);
	purge_queue(tp, &tp->rtx_queue);
	list_init(&tp->tsorted);
	tp->highest_sack = NULL;
	tp->retransmit_hint = NULL;
	tp->packets_out = tp->sacked_out = tp->lost_out = tp->retrans_out = 0;
	tp->backoff = 0;
	tcp_chrono_stop(tp, TCP_CHRONO_BUSY);
}

/* ---- T58: chrono ---- */

static void chrono_set(struct tcp_sock *tp, enum tcp_chrono fresh)
{
	uint64_t tick = tcp_tick_ns(tp), now_ns = tp->now_ns - tp->now_ns % tick;

	if (tp->chrono_type != TCP_CHRONO_NONE)
		tp->chrono_stat_ns[tp->chrono_type - 1] += now_ns - tp->chrono_start_ns;
	tp->chrono_start_ns = now_ns;
	tp->chrono_type = (uint8_t)fresh;
}

void tcp_chrono_start(struct tcp_sock *tp, enum tcp_chrono type)
{
	if (type > tp->chrono_type)
		chrono_set(tp, type);
}

void tcp_chrono_stop(struct tcp_sock *tp, enum tcp_chrono type)
{
	if (!tp->rtx_queue.first && !tp->write_queue.first) {
		if (tp->chrono_type != TCP_CHRONO_NONE)
			chrono_set(tp, TCP_CHRONO_NONE);
	} else if (tp->chrono_type == type) {
		chrono_set(tp, TCP_CHRONO_BUSY);
	}
}

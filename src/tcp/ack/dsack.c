/* SPDX-License-Identifier: BSD-2-Clause */
/* Duplicates the peer reports: a retransmission that was not needed. */
/*
 * How it works
 *
 * The first block is a D-SACK when it lies below the cumulative ACK or inside the second block. It counts
 * duplicate segments against the retransmissions of the present episode (undo), marks the tail-loss probe as
 * unneeded, and - where reordering was seen before - lets RACK wait longer. More duplicates than were ever resent
 * cannot be ours; from then on they are ignored. RFC 2883, 3708, rules T75.2 and C09.1.
 */
#include "tcp/ack/ack_int.h"

static uint32_t count_segments(struct tcp_sock *tp, const struct tcp_sack_block *b, struct ack_ctx *x)
{
	uint32_t len = b->end - b->start, segs = 1;

	if (!seq_before(b->start, b->end) || len > tp->max_window)
		return 0;
	if (len > tp->mss_cache)
		segs = (uint32_t)div_up_u64(len, max_u32(tp->mss_cache, 1));
	else if (tp->tlp_high_seq && b->end == tp->tlp_high_seq)
		x->is_tlp_dsack = true;
	tp->dsack_dups += segs;
	return tp->dsack_dups > tp->total_retrans ? 0 : segs;
}

static void undo_count(struct tcp_sock *tp, uint32_t segs)
{
	if (tp->undo_retrans > 0)
		tp->undo_retrans = (int32_t)max_s64((int64_t)tp->undo_retrans - segs, 0);
}

/* A duplicate above UNA counts by the resent records it covers. */
static void undo_count_above(struct tcp_sock *tp, const struct tcp_sack_block *b)
{
	for (struct skb *skb = tp->rtx_queue.first; skb && seq_before(tcp_cb(skb)->seq, b->end);
	     skb = skb->next) {
		const struct tcp_skb_cb *cb = tcp_cb(skb);

		if (seq_before(cb->seq, b->start) || seq_after(cb->end_seq, b->end))
			continue;
		if ((cb->sacked & TCPCB_RETRANS) && seq_after(cb->end_seq, tp->undo_marker))
			undo_count(tp, cb->pcount);
	}
}

bool tcp_dsack_check(struct tcp_sock *tp, const struct tcp_sack_block *wire, int num,
		     struct ack_ctx *x)
{
	struct stack *st = tp->sk.stack;
	uint32_t segs;

	if (num < 1)
		return false;
	if (seq_before(wire[0].start, x->ack))
		mib_inc(st, TcpExtTCPDSACKRecv);
	else if (num > 1 && seq_before_eq(wire[0].end, wire[1].end) &&
		 seq_after_eq(wire[0].start, wire[1].start))
		mib_inc(st, TcpExtTCPDSACKOfoRecv);
	else
		return false;
	segs = count_segments(tp, &wire[0], x);
	if (!segs) {
		mib_inc(st, TcpExtTCPDSACKIgnoredDubious);
		return true;
	}
	mib_add(st, TcpExtTCPDSACKRecvSegs, segs);
	x->has_dsack = true;
	if (tp->reord_seen && !x->is_tlp_dsack)
		tp->rack.dsack_seen = true;
	tcp_count_delivered(tp, segs, x->is_ece);
	if (!tp->undo_marker || tp->undo_retrans <= 0)
		return true;
	if (!seq_after(wire[0].end, x->prior_una) && seq_after(wire[0].end, tp->undo_marker))
		undo_count(tp, segs);
	else if (seq_after(wire[0].start, tp->snd_una))
		undo_count_above(tp, &wire[0]);
	return true;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Ways into the transmission engine: tcp_push() after a send, and its siblings (T33, T34). */
/*
 * How it works: a push marks PSH on the last record and decides whether to start now. Autocork
 * waits while an earlier packet of this socket is still below: its completion pushes what has
 * gathered (T47).
 */
#include "tcp/out/out_int.h"

#include "core/trace_ids.h"
#include "wire/seq.h"

void tcp_mark_push(struct tcp_sock *tp, struct skb *skb)
{
	tcp_cb(skb)->flags |= TCPH_PSH;
	tp->pushed_seq = tp->write_seq;
}

bool tcp_forced_push(const struct tcp_sock *tp)
{
	return seq_after(tp->write_seq, tp->pushed_seq + tp->max_window / 2);
}

/* Packets below, beside a whole one of this size: something of ours is still in qdisc or device. */
static bool has_packet_below(const struct tcp_sock *tp, const struct skb *skb)
{
	return atomic_load(&((struct tcp_sock *)tp)->sk.wmem_alloc) >= (int32_t)skb->truesize;
}

static bool should_autocork(const struct tcp_sock *tp, const struct skb *tail, uint32_t size_goal)
{
	return tail->len < size_goal && tp->rtx_queue.first && has_packet_below(tp, tail) &&
	       tp->sk.stack->sysctl.tcp_autocorking && !tcp_cb(tail)->is_eor;
}

void tcp_push(struct tcp_sock *tp, int flags, uint32_t mss_now, uint8_t nonagle, uint32_t size_goal)
{
	struct stack *st = tp->sk.stack;
	struct skb *tail = tp->write_queue.last;

	if (!tail)
		return;
	stack_trace_ev(st, TR_TCP_PUSH, TR_INSTANT, trace_obj(st, tp, tail), mss_now, size_goal,
		       nonagle);
	if (!(flags & MSG_MORE) || tcp_forced_push(tp))
		tcp_mark_push(tp, tail);
	if (unlikely(flags & MSG_OOB))
		tp->snd_up = tp->write_seq;
	if (should_autocork(tp, tail, size_goal)) {
		if (!atomic_exchange(&tp->tsq_throttled, 1))
			mib_inc(st, TcpExtTCPAutoCorking);
		if (has_packet_below(tp, tail))
			return;
	}
	if (flags & MSG_MORE)
		nonagle = TCP_NAGLE_CORK;
	__tcp_push_pending_frames(tp, mss_now, nonagle);
}

void __tcp_push_pending_frames(struct tcp_sock *tp, uint32_t mss_now, uint8_t nonagle)
{
	struct stack *st = tp->sk.stack;

	if (unlikely(tp->sk.state == TCP_CLOSE))
		return;
	stack_trace_ev(st, TR_TCP_PUSH_PENDING, TR_BEGIN, trace_obj(st, tp, NULL), mss_now, nonagle, 0);
	if (tcp_write_xmit(tp, mss_now, nonagle, 0))
		tcp_check_probe_timer(tp);
	stack_trace_ev(st, TR_TCP_PUSH_PENDING, TR_END, trace_obj(st, tp, NULL), mss_now, nonagle, 0);
}

void tcp_push_pending_frames(struct tcp_sock *tp)
{
	if (tp->write_queue.first)
		__tcp_push_pending_frames(tp, tcp_current_mss(tp), tp->nonagle);
}

void tcp_push_one(struct tcp_sock *tp, uint32_t mss_now)
{
	tcp_write_xmit(tp, mss_now, TCP_NAGLE_PUSH, 1);
}

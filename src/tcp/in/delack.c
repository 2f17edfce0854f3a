/* SPDX-License-Identifier: BSD-2-Clause */
/* When an acknowledgement leaves: at once, delayed, or compressed (R42-R45, R38.6). */
/*
 * How it works
 *
 * Every segment that deserves an answer sets TCP_ACK_SCHED. After the segment is processed
 * tcp_ack_snd_check() decides. Two habits steer it: quick-ACK credit (answer at once, as at the start of
 * a connection) and interactive mode (an answer will probably ride on our own data, so wait). The delay
 * ATO follows the gaps between the peer's segments.
 *
 * Out-of-order data is answered at once three times, then the duplicates are compressed: one ACK per
 * small fraction of the round trip.
 *
 * Locks: the sock lock, held by the caller or taken by the compression timer.
 */
#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "tcp/out/out.h"
#include "wire/seq.h"

#define GAP_SHORT_NS (TCP_ATO_MIN_NS / 2)	/* R42.2: gaps up to this pull ATO down to its minimum */
#define DELACK_LONG_NS (500 * NS_PER_MS)	/* R42.4 */
#define DUP_ACKS_AT_ONCE 3u			/* R45.2: the peer's loss detection wants them */
#define COMP_RTT_DIVISOR 20u			/* R45.2: 5 % */

/* ---- quick-ACK credit and the delay engine ---- */

static uint32_t quick_credit(const struct tcp_sock *tp, uint32_t max)
{
	uint32_t q = tp->rcv_mss ? tp->rcv_wnd / (2u * tp->rcv_mss) : 0;

	return min_u32(q ? q : 2, max);
}

static void raise_credit(struct tcp_sock *tp, uint32_t max)
{
	uint32_t q = quick_credit(tp, max);

	if (q > tp->quick)
		tp->quick = (uint8_t)q;
}

void tcp_enter_quickack_mode(struct tcp_sock *tp, uint32_t max)
{
	raise_credit(tp, max);
	tp->pingpong = 0;
	tp->ato_ns = TCP_ATO_MIN_NS;
}

bool tcp_in_quickack_mode(const struct tcp_sock *tp)
{
	const struct dst *d = tp->sk.dst;

	return (d && d->metrics.quickack) || (tp->quick && !tcp_is_interactive(tp));
}

static void adapt_ato(struct tcp_sock *tp)
{
	uint64_t gap = tp->now_ns - tp->lrcvtime_ns;

	if (gap <= GAP_SHORT_NS)
		tp->ato_ns = tp->ato_ns / 2 + GAP_SHORT_NS;
	else if (gap < tp->ato_ns)
		tp->ato_ns = min_u64(min_u64(tp->ato_ns / 2 + gap, tp->rto_ns), TCP_DELACK_MAX_NS);
	else if (gap > tp->rto_ns)
		raise_credit(tp, TCP_MAX_QUICKACKS); /* the peer restarts: help its slow start */
}

void tcp_event_data_recv(struct tcp_sock *tp, struct skb *skb)
{
	tcp_schedule_ack(tp);
	tcp_measure_rcv_mss(tp, skb);
	tcp_rcv_rtt_measure(tp);
	if (!tp->ato_ns) {
		raise_credit(tp, TCP_MAX_QUICKACKS);
		tp->ato_ns = TCP_ATO_MIN_NS;
	} else {
		adapt_ato(tp);
	}
	tp->lrcvtime_ns = tp->now_ns;
	tcp_ecn_check_ce(tp, skb);
	tcp_grow_window(tp, skb);
}

/* ---- the delayed acknowledgement ---- */

static uint64_t delay_ns(const struct tcp_sock *tp)
{
	uint64_t d = tp->ato_ns, cap = tp->delack_max_ns ? tp->delack_max_ns : TCP_DELACK_MAX_NS;

	if (d > TCP_DELACK_MIN_NS) {
		bool is_short = tcp_is_interactive(tp) || (tp->ack_pending & TCP_ACK_PUSHED);
		uint64_t limit = is_short ? TCP_DELACK_MAX_NS : DELACK_LONG_NS;

		if (tp->srtt8_us)
			limit = min_u64(limit, max_u64((uint64_t)(tp->srtt8_us >> 3) * NS_PER_US, TCP_DELACK_MIN_NS));
		d = min_u64(d, limit);
	}
	if (tp->rto_min_ns > tcp_tick_ns(tp))
		cap = min_u64(cap, tp->rto_min_ns - tcp_tick_ns(tp));
	return min_u64(d, cap);
}

void tcp_send_delayed_ack(struct tcp_sock *tp)
{
	uint64_t d = delay_ns(tp), when = tp->now_ns + d;

	if (tp->ack_pending & TCP_ACK_TIMER) {
		if (tp->delack_timeout_ns <= tp->now_ns + d / 4) {
			tcp_send_ack(tp);
			return;
		}
		when = min_u64(when, tp->delack_timeout_ns);
	}
	tp->ack_pending |= TCP_ACK_SCHED | TCP_ACK_TIMER;
	tcp_reset_delack_timer(tp, when);
}

void tcp_delack_timer_handler(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (TCPF(sk->state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)))
		return;
	if (tp->compressed_ack) {
		tcp_compack_flush(tp); /* its own timer met a held socket */
		return;
	}
	if (!(tp->ack_pending & TCP_ACK_TIMER))
		return;
	if (tp->delack_timeout_ns > tp->now_ns) {
		tcp_reset_delack_timer(tp, tp->delack_timeout_ns);
		return;
	}
	tp->ack_pending &= (uint8_t)~TCP_ACK_TIMER;
	if (!(tp->ack_pending & TCP_ACK_SCHED))
		return;
	if (tcp_is_interactive(tp)) {
		tp->pingpong = 0;
		tp->ato_ns = TCP_ATO_MIN_NS;
	} else {
		tp->ato_ns = min_u64(min_u64(tp->ato_ns * 2, tp->rto_ns), TCP_DELACK_MAX_NS);
	}
	mib_inc(sk->stack, TcpExtDelayedACKs);
	tcp_send_ack(tp);
}

/* ---- compressed acknowledgements ---- */

void tcp_compack_flush(struct tcp_sock *tp)
{
	if (!tp->compressed_ack)
		return;
	/* One of them leaves now; the sending side counts the others as suppressed. */
	tp->compressed_ack--;
	if (hrtimer_cancel(&tp->sk.stack->timers, &tp->compack_timer))
		sock_put(&tp->sk);
	tcp_send_ack(tp);
}

static void arm_compack(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint64_t rtt8_us = tp->rcv_rtt_us8, delay;

	if (tp->compack_timer.is_armed)
		return;
	if (tp->srtt8_us && tp->srtt8_us < rtt8_us)
		rtt8_us = tp->srtt8_us;
	delay = min_u64(rtt8_us * NS_PER_US / 8 / COMP_RTT_DIVISOR, (uint64_t)sk->stack->sysctl.tcp_comp_sack_delay_ns);
	if (hrtimer_arm(&sk->stack->timers, &tp->compack_timer, tp->now_ns + delay))
		sock_get(sk);
}

void tcp_compack_timer(struct stack *st, struct hrtimer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, compack_timer);
	struct sock *sk = &tp->sk;

	(void)st;
	if (sock_trylock(sk)) {
		tcp_mstamp_refresh(tp);
		if (sk->state != TCP_CLOSE)
			tcp_compack_flush(tp);
		sock_release(sk);
	} else {
		sock_defer(sk, SOCK_DEFER_DELACK_TIMER);
	}
	sock_put(sk);
}

/* ---- the decision ---- */

/* R44.1: much arrived, and telling so moves the right edge (or nobody reads for lack of data). */
static bool is_worth_an_ack(struct tcp_sock *tp)
{
	if (tp->rcv_nxt - tp->rcv_wup <= tp->rcv_mss) /* seq-ok: a length against a length */
		return false;
	return (int32_t)(tp->rcv_nxt - tp->copied_seq) < tp->sk.rcvlowat || tcp_compute_window(tp) >= tp->rcv_wnd;
}

/* R45: a hole is open. */
static void dup_ack_check(struct tcp_sock *tp)
{
	if (!tcp_is_sack(tp) || tp->compressed_ack >= tp->sk.stack->sysctl.tcp_comp_sack_nr) {
		tcp_send_ack(tp);
		return;
	}
	if (tp->compressed_ack_rcv_nxt != tp->rcv_nxt) {
		tp->compressed_ack_rcv_nxt = tp->rcv_nxt;
		tp->dup_ack_counter = 0;
	}
	if (tp->dup_ack_counter < DUP_ACKS_AT_ONCE) {
		tp->dup_ack_counter++;
		tcp_send_ack(tp);
		return;
	}
	tp->compressed_ack++;
	arm_compack(tp);
}

void tcp_ack_snd_check(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (!(tp->ack_pending & TCP_ACK_SCHED))
		return;
	if (is_worth_an_ack(tp) || tcp_in_quickack_mode(tp) || (tp->ack_pending & TCP_ACK_NOW)) {
		if (tp->is_in_backlog && sk->stack->sysctl.tcp_backlog_ack_defer)
			atomic_fetch_or(&sk->deferred, SOCK_DEFER_ACK); /* R44.8 */
		else
			tcp_send_ack(tp);
		return;
	}
	if (tcp_ofo_is_empty(tp))
		tcp_send_delayed_ack(tp);
	else
		dup_ack_check(tp);
}

/* R44.5: the reader caught up with pushed data, or several segments were waiting for it. */
static bool read_deserves_ack(const struct tcp_sock *tp, uint32_t copied)
{
	if (!(tp->ack_pending & TCP_ACK_SCHED))
		return false;
	if (tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss) /* seq-ok: a length against a length */
		return true;
	if (!copied || tp->sk.rmem_alloc > 0)
		return false;
	return (tp->ack_pending & TCP_ACK_PUSHED2) || ((tp->ack_pending & TCP_ACK_PUSHED) && !tcp_is_interactive(tp));
}

/* R38.6: reading at least doubled what the peer may send. */
static bool read_opens_window(struct tcp_sock *tp, uint32_t copied)
{
	uint64_t now2 = 2ull * tcp_receive_window(tp);
	uint32_t fresh;

	if (!copied || (tp->sk.shutdown & RCV_SHUTDOWN) || now2 > tp->window_clamp)
		return false;
	fresh = tcp_compute_window(tp);
	return fresh && fresh >= now2;
}

void tcp_cleanup_rbuf(struct tcp_sock *tp, uint32_t copied)
{
	if (read_deserves_ack(tp, copied) || read_opens_window(tp, copied)) {
		tcp_mstamp_refresh(tp);
		tcp_send_ack(tp);
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Arming of a connection's timers; expiry is tcp/conn/expire.c (T60, T61, T74.9). */
/*
 * How it works: one timer serves retransmission, loss probe, reordering and window probe; setting
 * it for one purpose replaces the other. The due time is a number in the socket
 * (write_timeout_ns). The wheel timer below it is moved only when it would fire too late: it may
 * fire early, then the expiry arms it again, and a cleared one fires for nothing. So a segment
 * sent and acknowledged costs no wheel operation at all most of the time.
 *
 * 1. An armed wheel or high-resolution timer owns one socket reference.
 * 2. write_timer_kind says whether the write timer is pending, not the wheel.
 */
#include "tcp/out/out_int.h"

#define PROBE0_MIN_NS (200 * NS_PER_MS) /* T61 */
#define PTO_NO_RTT_NS NS_PER_S          /* T60.3 without a sample */
#define PTO_SLACK_NS (2 * NS_PER_MS)    /* T60.3 with more than one packet out */
#define BACKOFF_SHIFT_MAX 20u

/* See to it that the wheel looks at this timer at @due_ns at the latest. */
static void arm_by(struct tcp_sock *tp, struct timer *t, uint64_t due_ns)
{
	struct timers *ts = &tp->sk.stack->timers;

	if (likely(timer_is_armed(t)) && t->expires * ts->tick_ns <= due_ns)
		return;
	if (timer_arm(ts, t, div_up_u64(due_ns, ts->tick_ns)))
		sock_get(&tp->sk);
}

void tcp_reset_xmit_timer(struct tcp_sock *tp, enum tcp_write_timer what, uint64_t when_ns_from_now)
{
	if (what != TCP_TIME_REO)
		when_ns_from_now += tcp_pacing_delay_ns(tp);
	when_ns_from_now = min_u64(when_ns_from_now, tp->rto_max_ns);
	tp->write_timer_kind = (uint8_t)what;
	tp->write_timeout_ns = tp->now_ns + when_ns_from_now;
	arm_by(tp, &tp->write_timer, tp->write_timeout_ns);
}

void tcp_clear_xmit_timer(struct tcp_sock *tp)
{
	tp->write_timer_kind = TCP_TIME_NONE;
}

/* Time until the RTO of the oldest outstanding record; may be negative. */
static int64_t head_rto_left_ns(const struct tcp_sock *tp)
{
	const struct skb *head = tp->rtx_queue.first;
	uint64_t since_ns = head ? head->tstamp_ns : tp->now_ns;

	return (int64_t)(since_ns + tp->rto_ns - tp->now_ns);
}

void tcp_rearm_rto(struct tcp_sock *tp)
{
	uint64_t rto_ns = tp->rto_ns;

	if (!tp->packets_out) {
		tcp_clear_xmit_timer(tp);
		return;
	}
	if (tp->write_timer_kind == TCP_TIME_REO || tp->write_timer_kind == TCP_TIME_LOSS_PROBE)
		rto_ns = (uint64_t)max_s64(head_rto_left_ns(tp), (int64_t)tcp_tick_ns(tp));
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, rto_ns);
}

bool tcp_schedule_loss_probe(struct tcp_sock *tp, bool advancing_rto)
{
	int64_t early = tp->sk.stack->sysctl.tcp_early_retrans, bound_ns;
	uint64_t pto_ns = PTO_NO_RTT_NS;

	if ((early != 3 && early != 4) || !tp->packets_out || !tcp_is_sack(tp) ||
	    (tp->ca_state != TCP_CA_Open && tp->ca_state != TCP_CA_CWR))
		return false;
	if (likely(tp->srtt8_us)) {
		pto_ns = tp->srtt8_us * (NS_PER_US / 4);
		pto_ns += tp->packets_out == 1 ? tp->rto_min_ns : PTO_SLACK_NS;
		pto_ns = tcp_ns_to_ticks_up(tp, pto_ns) * tcp_tick_ns(tp);
	}
	bound_ns = advancing_rto ? (int64_t)tp->rto_ns : head_rto_left_ns(tp);
	if (bound_ns > 0)
		pto_ns = min_u64(pto_ns, (uint64_t)bound_ns);
	tcp_reset_xmit_timer(tp, TCP_TIME_LOSS_PROBE, pto_ns);
	return true;
}

static uint64_t probe0_base_ns(const struct tcp_sock *tp)
{
	return max_u64(tp->rto_ns, PROBE0_MIN_NS);
}

uint64_t tcp_probe0_when_ns(const struct tcp_sock *tp)
{
	uint64_t when_ns = probe0_base_ns(tp) << min_u32(tp->backoff, BACKOFF_SHIFT_MAX);

	return min_u64(when_ns, tp->rto_max_ns);
}

void tcp_check_probe_timer(struct tcp_sock *tp)
{
	if (!tp->packets_out && tp->write_timer_kind == TCP_TIME_NONE)
		tcp_reset_xmit_timer(tp, TCP_TIME_PROBE0, probe0_base_ns(tp));
}

void tcp_reset_delack_timer(struct tcp_sock *tp, uint64_t when_abs_ns)
{
	tp->ack_pending |= TCP_ACK_SCHED | TCP_ACK_TIMER;
	tp->delack_timeout_ns = when_abs_ns;
	arm_by(tp, &tp->delack_timer, when_abs_ns);
}

void tcp_reset_keepalive_timer(struct tcp_sock *tp, uint64_t from_now_ns)
{
	struct timers *ts = &tp->sk.stack->timers;

	if (timer_arm(ts, &tp->keepalive_timer, div_up_u64(tp->now_ns + from_now_ns, ts->tick_ns)))
		sock_get(&tp->sk);
}

static void cancel(struct tcp_sock *tp, struct timer *t)
{
	if (timer_is_armed(t) && timer_cancel(&tp->sk.stack->timers, t))
		sock_put(&tp->sk);
}

static void cancel_hr(struct tcp_sock *tp, struct hrtimer *t)
{
	if (t->is_armed && hrtimer_cancel(&tp->sk.stack->timers, t))
		sock_put(&tp->sk);
}

void tcp_delete_keepalive_timer(struct tcp_sock *tp)
{
	cancel(tp, &tp->keepalive_timer);
}

void tcp_clear_timers(struct tcp_sock *tp)
{
	tcp_clear_xmit_timer(tp);
	tp->ack_pending &= (uint8_t)~TCP_ACK_TIMER;
	cancel(tp, &tp->write_timer);
	cancel(tp, &tp->delack_timer);
	cancel(tp, &tp->keepalive_timer);
	cancel_hr(tp, &tp->pacing_timer);
	cancel_hr(tp, &tp->compack_timer);
}

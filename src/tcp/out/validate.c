/* SPDX-License-Identifier: BSD-2-Clause */
/* A congestion window that is not used shrinks (T59, T85.2; RFC 2861, RFC 7661). */
/*
 * How it works: per window of data the largest OUT is noted. As long as CWND was the limit nothing
 * happens; an application that sends less for a whole RTO without an acknowledgement reaching
 * congestion avoidance loses half of what it did not use, and an idle one a factor of two per RTO.
 */
#include "tcp/out/out_int.h"

#include "tcp/cc/cong.h"
#include "wire/seq.h"

static uint32_t initial_cwnd(const struct tcp_sock *tp)
{
	const struct dst *d = tp->sk.dst;

	return d && d->metrics.initcwnd ? d->metrics.initcwnd : TCP_INIT_CWND;
}

/* SSTHRESH remembers three quarters of the window that is given up. */
static uint32_t remembered_ssthresh(const struct tcp_sock *tp)
{
	if (tp->ca_state == TCP_CA_CWR || tp->ca_state == TCP_CA_Recovery)
		return tp->snd_ssthresh;
	return max_u32(tp->snd_ssthresh, tp->snd_cwnd / 2 + tp->snd_cwnd / 4);
}

static void decay_unused(struct tcp_sock *tp)
{
	uint32_t win;

	if (tp->ca_state == TCP_CA_Open && !(tp->sk.flags & SK_NOSPACE)) {
		win = max_u32(tp->snd_cwnd_used, initial_cwnd(tp));
		if (win < tp->snd_cwnd) {
			tp->snd_ssthresh = remembered_ssthresh(tp);
			tp->snd_cwnd = (tp->snd_cwnd + win) / 2;
		}
		tp->snd_cwnd_used = 0;
	}
	tp->snd_cwnd_stamp_ns = tp->now_ns;
}

/* T59.R4: all is sent, the writer waits for room: the buffer is the limit. */
static bool is_sndbuf_limited(const struct tcp_sock *tp)
{
	return !tp->write_queue.first && (tp->sk.flags & SK_NOSPACE) &&
	       (TCPF(tp->sk.state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT)));
}

void tcp_cwnd_validate(struct tcp_sock *tp, bool is_cwnd_limited)
{
	if (!seq_before(tp->snd_una, tp->cwnd_usage_seq) || is_cwnd_limited ||
	    (!tp->is_cwnd_limited && tp->packets_out > tp->max_packets_out)) {
		tp->is_cwnd_limited = is_cwnd_limited;
		tp->max_packets_out = tp->packets_out;
		tp->cwnd_usage_seq = tp->snd_nxt;
	}
	if (tcp_is_cwnd_limited(tp)) {
		tp->snd_cwnd_used = 0;
		tp->snd_cwnd_stamp_ns = tp->now_ns;
		return;
	}
	tp->snd_cwnd_used = max_u32(tp->snd_cwnd_used, tp->packets_out);
	if (unlikely(tp->now_ns - tp->snd_cwnd_stamp_ns >= tp->rto_ns) &&
	    tp->sk.stack->sysctl.tcp_slow_start_after_idle && !tcp_ca_has_cong_control(tp))
		decay_unused(tp);
	if (unlikely(is_sndbuf_limited(tp)))
		tcp_chrono_start(tp, TCP_CHRONO_SNDBUF_LIMITED);
}

static COLD void restart_after_idle(struct tcp_sock *tp, uint64_t idle_ns)
{
	uint32_t cwnd = tp->snd_cwnd, floor = min_u32(initial_cwnd(tp), cwnd);

	tcp_ca_event(tp, CONG_EV_CWND_RESTART);
	tp->snd_ssthresh = remembered_ssthresh(tp);
	for (idle_ns -= tp->rto_ns; idle_ns && cwnd > floor;) {
		cwnd /= 2;
		idle_ns -= min_u64(idle_ns, tp->rto_ns);
	}
	tp->snd_cwnd = max_u32(cwnd, floor);
	tp->snd_cwnd_stamp_ns = tp->now_ns;
	tp->snd_cwnd_used = 0;
}

void tcp_slow_start_after_idle_check(struct tcp_sock *tp)
{
	uint64_t idle_ns;

	if (tp->packets_out || !tp->lsndtime_ns || !tp->sk.stack->sysctl.tcp_slow_start_after_idle)
		return;
	idle_ns = tp->now_ns - tp->lsndtime_ns;
	if (likely(idle_ns <= tp->rto_ns) || tcp_ca_has_cong_control(tp))
		return;
	restart_after_idle(tp, idle_ns);
}

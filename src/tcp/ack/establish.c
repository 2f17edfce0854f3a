/* SPDX-License-Identifier: BSD-2-Clause */
/* Sender state at the moment a connection becomes established. */
/*
 * How it works
 *
 * Called once, after the handshake's round-trip sample was taken. Route metrics give the threshold, reordering
 * degree and initial window where set. A SYN or SYN-ACK that had to be sent three times or more starts with one
 * packet, unless the echoed timestamp shows that already the first one had arrived.
 * RFC 6928 (initial window), 6298 section 5.7, rules T92.7 and C08.5-6. Absent: the per-destination cache T85.3.
 */
#include "tcp/ack/ack_int.h"

#include "tcp/out/out.h"

static bool first_syn_arrived(const struct tcp_sock *tp)
{
	return tp->rx.saw_tstamp && tp->rx.rcv_tsecr && tp->rx.rcv_tsecr == tp->first_syn_tsval;
}

static uint32_t initial_cwnd(const struct tcp_sock *tp)
{
	const struct dst *d = tp->sk.dst;
	uint32_t cwnd = d && d->metrics.initcwnd ? d->metrics.initcwnd : TCP_INIT_CWND;

	if (tp->total_retrans > 1 && !first_syn_arrived(tp))
		cwnd = 1;
	return min_u32(cwnd, tp->snd_cwnd_clamp);
}

static void apply_route_metrics(struct tcp_sock *tp)
{
	const struct dst *d = tp->sk.dst;

	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	if (!d)
		return;
	if (d->metrics.ssthresh)
		tp->snd_ssthresh = min_u32(d->metrics.ssthresh, tp->snd_cwnd_clamp);
	if (d->metrics.reordering)
		tp->reordering = d->metrics.reordering;
}

void tcp_init_metrics_at_establish(struct tcp_sock *tp)
{
	tcp_mtup_init(tp);
	if (!tp->snd_cwnd_clamp)
		tp->snd_cwnd_clamp = UINT32_MAX;
	apply_route_metrics(tp);
	if (!tp->srtt8_us)
		tcp_rtt_fallback(tp);
	tp->snd_cwnd = initial_cwnd(tp);
	tp->snd_cwnd_stamp_ns = tp->now_ns;
	tp->undo_marker = 0;
	if (!tp->cong_initialized)
		tcp_init_congestion_control(tp);
	if (!(tp->sk.flags & SK_SNDBUF_LOCK))
		tcp_sndbuf_expand(tp);
}

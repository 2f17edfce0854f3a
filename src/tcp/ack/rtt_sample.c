/* SPDX-License-Identifier: BSD-2-Clause */
/* Which round-trip time an acknowledgement measures. */
/*
 * How it works
 *
 * First choice is the send time of the oldest record the ACK covers, if that was sent once (Karn); then that of
 * a newly SACKed record; then the echoed timestamp, in ms, of an ACK that covers something. Congestion control
 * gets the newest such record's time instead. A new estimate ends the RTO's backing off.
 * RFC 6298 section 3, RFC 7323 section 4.1, rules T74.1-3 and T74.8.
 */
#include "tcp/ack/ack_int.h"

#include "core/trace_ids.h"

static int64_t echo_rtt_us(const struct tcp_sock *tp)
{
	uint32_t ms;

	if (!tp->rx.saw_tstamp || !tp->rx.rcv_tsecr)
		return NO_RTT;
	ms = tcp_time_stamp(tp, tp->now_ns) - tp->rx.rcv_tsecr;
	if (ms > INT32_MAX / 1000)
		return NO_RTT; /* an echo from the future or of another age */
	return (int64_t)max_u32(ms, 1) * 1000;
}

bool tcp_ack_rtt(struct tcp_sock *tp, struct ack_ctx *x, int64_t seq_rtt_us, int64_t sack_rtt_us,
		 int64_t ca_rtt_us)
{
	if (seq_rtt_us < 0)
		seq_rtt_us = sack_rtt_us;
	if (seq_rtt_us < 0 && (x->data_acked || x->syn_acked))
		seq_rtt_us = ca_rtt_us = echo_rtt_us(tp);
	x->rs.rtt_us = ca_rtt_us;
	if (seq_rtt_us < 0)
		return false;
	if (!x->is_maybe_delayed || ca_rtt_us < tcp_min_rtt_us(tp))
		tcp_update_rtt_min(tp, (uint32_t)min_s64(max_s64(ca_rtt_us, 0), UINT32_MAX - 1));
	tcp_rtt_estimator(tp, (uint32_t)min_s64(seq_rtt_us, UINT32_MAX - 1));
	tcp_set_rto(tp);
	tp->backoff = 0;
	stack_trace_ev(tp->sk.stack, TR_TCP_RTT, TR_INSTANT, trace_obj(tp->sk.stack, &tp->sk, NULL),
		       (uint64_t)seq_rtt_us, tp->srtt8_us >> 3, tp->rto_ns / NS_PER_US);
	return true;
}

void tcp_synack_rtt_meas(struct tcp_sock *tp, uint64_t synack_sent_ns, uint32_t num_retrans)
{
	struct ack_ctx x = {.syn_acked = true};
	int64_t rtt_us = NO_RTT;

	if (!num_retrans && synack_sent_ns)
		rtt_us = (int64_t)((tp->now_ns - synack_sent_ns) / NS_PER_US);
	tcp_ack_rtt(tp, &x, rtt_us, NO_RTT, rtt_us);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What an acknowledgement says about the outstanding tail-loss probe. */
/*
 * How it works
 *
 * tlp_high_seq is NXT at the time of the probe; 0 means no probe is unresolved. A probe of new data is resolved
 * by any ACK that reaches it. For a resent tail there are three answers: a D-SACK of the probe (nothing was
 * lost), a plain duplicate ACK at the mark (both copies arrived), or progress beyond the mark without a D-SACK:
 * the probe itself repaired a loss, and the window must be reduced once as if it had been seen.
 * RFC 8985 section 7.4, rules T82.2 and C09.2.
 */
#include "tcp/ack/ack_int.h"

static COLD void reduce_once(struct tcp_sock *tp)
{
	tcp_init_cwnd_reduction(tp);
	tcp_set_ca_state(tp, TCP_CA_CWR);
	tcp_end_reduction(tp);
	tcp_keep_open(tp);
	mib_inc(tp->sk.stack, TcpExtTCPLossProbeRecovery);
}

void tcp_tlp_ack(struct tcp_sock *tp, const struct ack_ctx *x)
{
	if (likely(!tp->tlp_high_seq) || seq_before(x->ack, tp->tlp_high_seq))
		return;
	if (!tp->tlp_retrans || x->is_tlp_dsack) {
		tp->tlp_high_seq = 0;
	} else if (seq_after(x->ack, tp->tlp_high_seq)) {
		reduce_once(tp);
		tp->tlp_high_seq = 0;
	} else if (ack_is_dup(x)) {
		tp->tlp_high_seq = 0;
	}
}

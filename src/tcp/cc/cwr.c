/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of a window reduction: what CWR and Recovery have in common (T77.5, T77.7, T78). */
/*
 * How it works: a reduction notes where it began (high_seq, prior_cwnd), asks the module for the
 * new threshold and sets the PRR counters to 0; CWND itself then follows the acknowledgements
 * (tcp/ack).
 */
#include "tcp/cc/cong.h"

void tcp_init_cwnd_reduction(struct tcp_sock *tp)
{
	tp->high_seq = tp->snd_nxt;
	tp->tlp_high_seq = 0;
	tp->snd_cwnd_cnt = 0;
	tp->prior_cwnd = tp->snd_cwnd;
	tp->prr_delivered = 0;
	tp->prr_out = 0;
	tp->snd_ssthresh = tcp_ca_ssthresh(tp);
	if (tp->ecn_flags & TCP_ECN_OK)
		tp->ecn_flags |= TCP_ECN_QUEUE_CWR;
}

void tcp_enter_cwr(struct tcp_sock *tp)
{
	tp->prior_ssthresh = 0;
	if (tp->ca_state >= TCP_CA_CWR)
		return;
	tp->undo_marker = 0;
	tcp_init_cwnd_reduction(tp);
	tcp_set_ca_state(tp, TCP_CA_CWR);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Proportional rate reduction: how the window shrinks to ssthresh. */
/*
 * How it works
 *
 * While more is in flight than ssthresh, ACKs let packets out in the proportion ssthresh : window before. Once
 * below, slow start back up to ssthresh, at most one packet more than was delivered and that only when the ACK
 * advanced without new losses. The first step always lets one packet go.
 * RFC 6937bis (RFC 9937), rules T78 and C10.
 */
#include "tcp/ack/ack_int.h"

uint32_t tcp_prr_sndcnt(const struct prr *p, uint32_t newly, bool may_add_one)
{
	int64_t gap = (int64_t)p->ssthresh - p->in_flight;
	int64_t n;

	if (gap < 0) {
		uint64_t due = (uint64_t)p->ssthresh * p->delivered;

		n = (int64_t)div_up_u64(due, max_u32(p->prior_cwnd, 1)) - p->out;
	} else {
		n = max_s64((int64_t)p->delivered - p->out, newly);
		n = min_s64(gap, n + may_add_one);
	}
	return (uint32_t)max_s64(n, p->out ? 0 : 1);
}

void tcp_cwnd_reduction(struct tcp_sock *tp, int newly_acked_sacked, int newly_lost, bool una_advanced)
{
	struct prr p;

	if (newly_acked_sacked <= 0 || !tp->prior_cwnd)
		return;
	tp->prr_delivered += (uint32_t)newly_acked_sacked;
	p = (struct prr){
		.ssthresh = tp->snd_ssthresh,
		.prior_cwnd = tp->prior_cwnd,
		.delivered = tp->prr_delivered,
		.out = tp->prr_out,
		.in_flight = tcp_packets_in_flight(tp),
	};
	tp->snd_cwnd = max_u32(p.in_flight + tcp_prr_sndcnt(&p, (uint32_t)newly_acked_sacked,
							    una_advanced && !newly_lost),
			       1);
}

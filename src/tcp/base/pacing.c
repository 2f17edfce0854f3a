/* SPDX-License-Identifier: BSD-2-Clause */
/* Pacing: rate from CWND and RTT, packets per record, departure times (T37, T39, T55, T85.1). */
/*
 * How it works: wstamp_ns is the earliest departure of the next packet. While nothing paces it
 * follows the clock; else each record moves it on by its payload divided by the rate.
 */
#include "tcp/base/base.h"

#define PACING_START_SEGS 10u /* T55.2: the first packets of a connection are not spaced */

void tcp_update_pacing_rate(struct tcp_sock *tp)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;
	bool is_ss = tp->snd_cwnd < tp->snd_ssthresh / 2;
	uint64_t pct = (uint64_t)(is_ss ? sy->tcp_pacing_ss_ratio : sy->tcp_pacing_ca_ratio);
	uint64_t rate;

	/* bytes per (8 * srtt) in us, times 10^6 * 8, times percent */
	rate = (uint64_t)tp->mss_cache * (8 * 10000) * pct * max_u32(tp->snd_cwnd, tp->packets_out);
	if (likely(tp->srtt8_us))
		rate /= tp->srtt8_us;
	tp->sk.pacing_Bps = min_u64(rate, tp->sk.max_pacing_Bps);
}

uint32_t tcp_tso_autosize(const struct tcp_sock *tp, uint32_t mss, uint32_t min_tso)
{
	uint32_t max = tcp_gso_max_bytes(tp);
	uint64_t bytes = tp->sk.pacing_Bps >> tp->sk.pacing_shift;
	uint32_t r =
		tcp_min_rtt_us(tp) >> min_u32((uint32_t)tp->sk.stack->sysctl.tcp_tso_rtt_log, 31);

	if (r < 32)
		bytes += max >> r;
	bytes = min_u64(bytes, max);
	return max_u32((uint32_t)bytes / mss, min_tso);
}

void tcp_update_skb_after_send(struct tcp_sock *tp, struct skb *skb, uint64_t prior_wstamp_ns)
{
	struct sock *sk = &tp->sk;

	if (unlikely(sk->pacing_status != SK_PACING_NONE) && sk->pacing_Bps &&
	    sk->pacing_Bps != UINT64_MAX && tp->data_segs_out >= PACING_START_SEGS) {
		uint64_t cost_ns = skb->len * NS_PER_S / sk->pacing_Bps;
		uint64_t credit_ns = tp->wstamp_ns - prior_wstamp_ns;

		tp->wstamp_ns += cost_ns - min_u64(cost_ns / 2, credit_ns);
	}
	list_del(&skb->tsorted);
	list_add_tail(&skb->tsorted, &tp->tsorted);
}

uint64_t tcp_pacing_delay_ns(const struct tcp_sock *tp)
{
	return tp->wstamp_ns > tp->now_ns ? tp->wstamp_ns - tp->now_ns : 0;
}

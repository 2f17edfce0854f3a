/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery-rate samples: how fast the network delivered the last flight. */
/*
 * How it works
 *
 * Every record carries a snapshot from its last transmission: packets delivered so far, when the last of them
 * was, when its flight began. The newest-sent record an ACK delivers gives the sample: packets delivered since
 * its snapshot over the longer of the time to send them and the time to acknowledge them. A sample taken while
 * the program had nothing to send is marked; it may raise the reported rate, not lower it.
 * draft-ietf-ccwg-bbr (delivery rate), rules C07 and T19.
 */
#include "tcp/base/base.h"
#include "wire/seq.h"

void tcp_rate_skb_sent(struct tcp_sock *tp, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (!tp->packets_out) {
		tp->first_tx_ns = skb->tstamp_ns;
		tp->delivered_ns = skb->tstamp_ns;
	}
	cb->tx_first_ns = tp->first_tx_ns;
	cb->tx_delivered_ns = tp->delivered_ns;
	cb->tx_delivered = tp->delivered;
	cb->tx_delivered_ce = tp->delivered_ce;
	cb->is_app_limited = tp->app_limited != 0;
}

static bool is_sent_later(const struct tcp_sock *tp, const struct skb *skb,
			  const struct tcp_rate_sample *rs)
{
	if (!rs->prior_mstamp_ns)
		return true;
	if (skb->tstamp_ns != tp->first_tx_ns)
		return skb->tstamp_ns > tp->first_tx_ns;
	return seq_after(tcp_cb(skb)->end_seq, rs->last_end_seq);
}

void tcp_rate_skb_delivered(struct tcp_sock *tp, struct skb *skb, struct tcp_rate_sample *rs)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (!cb->tx_delivered_ns)
		return;
	if (is_sent_later(tp, skb, rs)) {
		rs->prior_mstamp_ns = cb->tx_delivered_ns;
		rs->prior_delivered = cb->tx_delivered;
		rs->prior_delivered_ce = cb->tx_delivered_ce;
		rs->is_app_limited = cb->is_app_limited;
		rs->is_retrans = cb->sacked & TCPCB_RETRANS;
		rs->last_end_seq = cb->end_seq;
		rs->snd_interval_us = (int64_t)((skb->tstamp_ns - cb->tx_first_ns) / NS_PER_US);
		tp->first_tx_ns = skb->tstamp_ns;
	}
	if (cb->sacked & TCPCB_SACKED_ACKED)
		cb->tx_delivered_ns = 0; /* its cumulative ACK is no second delivery */
}

/* C07.5: the estimate TCP_INFO shows. */
static void keep_estimate(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	uint64_t fresh = (uint64_t)rs->delivered * tp->rate_interval_us;
	uint64_t kept = (uint64_t)tp->rate_delivered * (uint64_t)rs->interval_us;

	if (rs->is_app_limited && fresh < kept)
		return;
	tp->rate_delivered = (uint32_t)rs->delivered;
	tp->rate_interval_us = (uint64_t)rs->interval_us;
	tp->rate_app_limited = rs->is_app_limited;
}

void tcp_rate_gen(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, bool is_sack_reneg,
		  struct tcp_rate_sample *rs)
{
	if (tp->app_limited && seq_after(tp->delivered, tp->app_limited))
		tp->app_limited = 0;
	if (delivered)
		tp->delivered_ns = tp->now_ns;
	rs->acked_sacked = delivered;
	rs->losses = (int32_t)lost;
	if (!rs->prior_mstamp_ns || is_sack_reneg) {
		rs->delivered = -1;
		rs->interval_us = -1;
		return;
	}
	rs->delivered = (int32_t)(tp->delivered - rs->prior_delivered);
	rs->delivered_ce = (int32_t)(tp->delivered_ce - rs->prior_delivered_ce);
	rs->rcv_interval_us = (int64_t)((tp->now_ns - rs->prior_mstamp_ns) / NS_PER_US);
	rs->interval_us = max_s64(rs->snd_interval_us, rs->rcv_interval_us);
	if (rs->interval_us < (int64_t)tcp_min_rtt_us(tp)) {
		rs->interval_us = -1; /* faster than the path: ACKs were bunched */
		return;
	}
	keep_estimate(tp, rs);
}

void tcp_rate_check_app_limited(struct tcp_sock *tp)
{
	int32_t walloc = atomic_load_explicit(&tp->sk.wmem_alloc, memory_order_relaxed);

	if (seq_diff(tp->write_seq, tp->snd_nxt) >= (int32_t)tp->mss_cache)
		return;
	if (walloc >= (int32_t)SKB_TRUESIZE)
		return;
	if (tcp_packets_in_flight(tp) >= tp->snd_cwnd || tp->lost_out > tp->retrans_out)
		return;
	tp->app_limited = max_u32(tp->delivered + tcp_packets_in_flight(tp), 1);
}

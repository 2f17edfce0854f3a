/* SPDX-License-Identifier: BSD-2-Clause */
/* RACK: losses found from the time and order in which packets are delivered. */
/*
 * How it works
 *
 * Of everything delivered, the record sent last is remembered (rack.mstamp_ns, rack.end_seq) with its round trip.
 * Whatever was sent before it and is still missing one such round trip plus a reordering window after its own
 * sending is lost. What is younger gets a timer. The window is 0 until reordering was seen; then a quarter of the
 * minimum round trip, times a factor that grows with D-SACKs and falls back after 16 recoveries.
 *
 * tp->tsorted holds what may still be found lost, by send time; found records leave it and come back when resent.
 * RFC 8985, rules T76 and C09.1.
 */
#include "tcp/ack/ack_int.h"

#include "tcp/out/out.h"

#define RACK_STATIC_WINDOW 0x2 /* tcp_recovery: never adapt */
#define RACK_NO_DUPTHRESH 0x4  /* tcp_recovery: three SACKs do not end the wait */
#define REO_TIMER_SLACK_NS (2 * NS_PER_MS)
#define REO_PERSIST_RECOVERIES 16
#define REO_STEPS_MAX 255

static bool is_sent_after(uint64_t t1, uint32_t end1, uint64_t t2, uint32_t end2)
{
	return t1 > t2 || (t1 == t2 && seq_after(end1, end2));
}

static uint64_t age_us(const struct tcp_sock *tp, uint64_t sent_ns)
{
	return (tp->now_ns - min_u64(sent_ns, tp->now_ns)) / NS_PER_US;
}

void tcp_rack_advance(struct tcp_sock *tp, uint8_t sacked, uint32_t end_seq, uint64_t xmit_ns)
{
	uint32_t rtt_us = (uint32_t)min_u64(age_us(tp, xmit_ns), UINT32_MAX);

	if ((sacked & TCPCB_RETRANS) && rtt_us < tcp_min_rtt_us(tp))
		return; /* likely the original, not the retransmission */
	tp->rack.advanced = true;
	tp->rack.rtt_us = rtt_us;
	if (is_sent_after(xmit_ns, end_seq, tp->rack.mstamp_ns, tp->rack.end_seq)) {
		tp->rack.mstamp_ns = xmit_ns;
		tp->rack.end_seq = end_seq;
	}
}

uint32_t tcp_rack_window_us(const struct tcp_sock *tp)
{
	int64_t mode = tp->sk.stack->sysctl.tcp_recovery;

	if (!tp->reord_seen) {
		if (tp->ca_state >= TCP_CA_Recovery)
			return 0;
		if (tp->sacked_out >= tp->reordering && !(mode & RACK_NO_DUPTHRESH))
			return 0;
	}
	return (uint32_t)min_u64((uint64_t)(tcp_min_rtt_us(tp) / 4) *
					 max_u32(tp->rack.reo_wnd_steps, 1),
				 tp->srtt8_us >> 3);
}

int64_t tcp_rack_left_us(const struct tcp_sock *tp, const struct skb *skb, uint32_t window_us)
{
	return (int64_t)tp->rack.rtt_us + window_us - (int64_t)age_us(tp, skb->tstamp_ns);
}

/* Marks what is lost. Return: time until the last undecided record is, in us; 0 none. */
static uint64_t detect(struct tcp_sock *tp)
{
	uint32_t window_us = tcp_rack_window_us(tp);
	int64_t wait_us = 0;

	list_for_each_safe(p, next, &tp->tsorted) {
		struct skb *skb = list_entry(p, struct skb, tsorted);
		struct tcp_skb_cb *cb = tcp_cb(skb);
		int64_t left_us;

		if ((cb->sacked & TCPCB_LOST) && !(cb->sacked & TCPCB_SACKED_RETRANS))
			continue;
		if (!is_sent_after(tp->rack.mstamp_ns, tp->rack.end_seq, skb->tstamp_ns, cb->end_seq))
			break;
		left_us = tcp_rack_left_us(tp, skb, window_us);
		if (left_us <= 0) {
			tcp_mark_skb_lost(tp, skb);
			list_del(&skb->tsorted);
		} else {
			wait_us = max_s64(wait_us, left_us);
		}
	}
	return (uint64_t)wait_us;
}

/* True: the reordering timer runs now. */
static bool mark_lost(struct tcp_sock *tp)
{
	uint64_t wait_us;

	if (!tp->rack.advanced)
		return false;
	tp->rack.advanced = false;
	wait_us = detect(tp);
	if (!wait_us)
		return false;
	tcp_reset_xmit_timer(tp, TCP_TIME_REO,
			     min_u64(wait_us * NS_PER_US + REO_TIMER_SLACK_NS, tp->rto_ns));
	return true;
}

void tcp_rack_reo_timeout(struct tcp_sock *tp)
{
	uint32_t prior_in_flight = tcp_packets_in_flight(tp), prior_lost = tp->lost;

	detect(tp);
	if (prior_in_flight != tcp_packets_in_flight(tp)) {
		if (tp->ca_state < TCP_CA_Recovery) {
			tcp_enter_recovery(tp, false);
			if (!tcp_ca_has_cong_control(tp))
				tcp_cwnd_reduction(tp, 1, (int)(tp->lost - prior_lost), false);
		}
		tcp_xmit_retransmit_queue(tp);
	}
	if (tp->write_timer_kind != TCP_TIME_RETRANS)
		tcp_rearm_rto(tp);
}

void tcp_rack_update_window(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct tcp_rack *r = &tp->rack;

	if ((tp->sk.stack->sysctl.tcp_recovery & RACK_STATIC_WINDOW) || !rs->prior_mstamp_ns)
		return;
	if (seq_before(rs->prior_delivered, r->last_delivered))
		r->dsack_seen = false; /* of data sent before the last change */
	if (r->dsack_seen) {
		r->reo_wnd_steps = (uint8_t)min_u32(r->reo_wnd_steps + 1u, REO_STEPS_MAX);
		r->dsack_seen = false;
		r->last_delivered = tp->delivered;
		r->reo_wnd_persist = REO_PERSIST_RECOVERIES;
	} else if (!r->reo_wnd_persist) {
		r->reo_wnd_steps = 1;
	}
}

static void hint_retransmit(struct tcp_sock *tp, struct skb *skb)
{
	if (tp->retransmit_hint && seq_before(tcp_cb(skb)->seq, tcp_cb(tp->retransmit_hint)->seq))
		tp->retransmit_hint = skb;
}

void tcp_mark_skb_lost(struct tcp_sock *tp, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (cb->sacked & TCPCB_SACKED_ACKED)
		return;
	hint_retransmit(tp, skb);
	if (cb->sacked & TCPCB_LOST) {
		if (!(cb->sacked & TCPCB_SACKED_RETRANS))
			return;
	} else {
		cb->sacked |= TCPCB_LOST;
		tp->lost_out += cb->pcount;
	}
	tp->lost += cb->pcount;
	if (cb->sacked & TCPCB_SACKED_RETRANS) {
		cb->sacked &= (uint8_t)~TCPCB_SACKED_RETRANS;
		tp->retrans_out -= cb->pcount;
		mib_add(tp->sk.stack, TcpExtTCPLostRetransmit, cb->pcount);
	}
}

void tcp_identify_loss(struct tcp_sock *tp, struct ack_ctx *x)
{
	uint32_t prior_retrans = tp->retrans_out;

	if (!tp->rtx_queue.first)
		return;
	if (!tcp_is_sack(tp)) {
		tcp_reno_mark_lost(tp, x->una_advanced);
		return;
	}
	if (mark_lost(tp))
		x->want_timer = false; /* it replaced RTO and TLP */
	if (tp->retrans_out < prior_retrans)
		x->lost_retrans = true;
}

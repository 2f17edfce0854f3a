/* SPDX-License-Identifier: BSD-2-Clause */
/* Cleaning the retransmit queue: what the cumulative ACK covers is measured and freed. */
/*
 * How it works
 *
 * From the oldest record on, everything below UNA leaves the queue and the packet counts; a record covered in
 * part loses the covered front if that is at least a packet. On the way each record tells the RTT, RACK,
 * the delivery rate and the reordering degree what it knows. Records sent more than once give no RTT (Karn).
 * RFC 6298 section 3, rules T73; acknowledgement timestamps T91.
 */
#include "tcp/ack/ack_int.h"

#include "core/errq.h"

/* Gathered while walking. */
struct walk {
	uint64_t first_ns, last_ns; /* send times of never-resent, not SACKed records; 0 none */
	uint32_t packets, low_seq, last_len;
	bool last_is_whole;
};

void tcp_count_delivered(struct tcp_sock *tp, uint32_t packets, bool is_ece)
{
	tp->delivered += packets;
	if (is_ece)
		tp->delivered_ce += packets;
}

/* Packets of @skb that UNA covers; the covered front of a multi-packet record is cut off. 0: none. */
static uint32_t covered_packets(struct tcp_sock *tp, struct skb *skb, bool *ret_whole)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t before = cb->pcount;

	*ret_whole = !seq_after(cb->end_seq, tp->snd_una);
	if (*ret_whole)
		return before;
	if (before == 1 || !seq_after(tp->snd_una, cb->seq))
		return 0;
	if (tcp_trim_head(tp, skb, tp->snd_una - cb->seq))
		return 0;
	return before - cb->pcount;
}

static void measure(struct tcp_sock *tp, struct skb *skb, uint32_t n, struct ack_ctx *x,
		    struct walk *w)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (cb->sacked & TCPCB_RETRANS) {
		if (cb->sacked & TCPCB_SACKED_RETRANS)
			tp->retrans_out -= n;
		x->retrans_acked = true;
	} else if (!(cb->sacked & TCPCB_SACKED_ACKED)) {
		w->last_ns = skb->tstamp_ns;
		if (!w->first_ns)
			w->first_ns = skb->tstamp_ns;
		if (seq_before(cb->seq, w->low_seq))
			w->low_seq = cb->seq;
		if (!seq_after(cb->end_seq, tp->high_seq))
			x->orig_sack_acked = true;
	}
	if (cb->sacked & TCPCB_SACKED_ACKED) {
		tp->sacked_out -= n;
	} else if (tcp_is_sack(tp)) {
		tcp_count_delivered(tp, n, x->is_ece);
		tcp_rack_advance(tp, cb->sacked, cb->end_seq, skb->tstamp_ns);
	}
	if (cb->sacked & TCPCB_LOST)
		tp->lost_out -= n;
	tp->packets_out -= n;
	tcp_rate_skb_delivered(tp, skb, &x->rs);
}

/* T73.4: the last byte asked about is acknowledged. */
static void ack_tstamp(struct tcp_sock *tp, struct skb *skb, uint32_t prior_una)
{
	if (likely(!(skb->tx_flags & SKB_TX_ACK_TSTAMP)))
		return;
	if (!seq_before(skb->ts_key, prior_una) && seq_before(skb->ts_key, tp->snd_una))
		skb_tstamp_tx(tp->sk.stack, skb, &tp->sk, TSTAMP_ACK);
}

static void walk_queue(struct tcp_sock *tp, struct ack_ctx *x, struct walk *w)
{
	struct skb *skb, *next;

	for (skb = tp->rtx_queue.first; skb; skb = next) {
		uint8_t flags = tcp_cb(skb)->flags;
		bool is_whole;
		uint32_t n = covered_packets(tp, skb, &is_whole);

		next = skb->next;
		ack_tstamp(tp, skb, x->prior_una);
		if (!n)
			break;
		measure(tp, skb, n, x, w);
		w->packets += n;
		w->last_len = skb->len;
		w->last_is_whole = is_whole;
		if (flags & TCPH_SYN) {
			x->syn_acked = true;
			tp->retrans_stamp_ns = 0;
		} else {
			x->data_acked = true;
		}
		if (!is_whole)
			break;
		tcp_rtx_queue_unlink_and_free(tp, skb);
	}
}

static int64_t us_since(const struct tcp_sock *tp, uint64_t then_ns)
{
	return (int64_t)((tp->now_ns - min_u64(then_ns, tp->now_ns)) / NS_PER_US);
}

static bool take_rtt(struct tcp_sock *tp, struct ack_ctx *x, const struct walk *w,
		     int64_t *ret_sack_rtt_us)
{
	int64_t seq_rtt = NO_RTT, ca_rtt = NO_RTT, sack_rtt = NO_RTT;

	if (w->first_ns && !x->retrans_acked) {
		seq_rtt = us_since(tp, w->first_ns);
		ca_rtt = us_since(tp, w->last_ns);
		x->is_maybe_delayed = w->packets == 1 && w->last_is_whole &&
				      w->last_len < tp->mss_cache && !tp->packets_out &&
				      !x->data_sacked && !x->has_dsack && !x->is_ece;
		x->rs.is_ack_delayed = x->is_maybe_delayed;
	}
	if (x->first_sack_ns) {
		sack_rtt = us_since(tp, x->first_sack_ns);
		ca_rtt = us_since(tp, x->last_sack_ns);
	}
	*ret_sack_rtt_us = sack_rtt;
	return tcp_ack_rtt(tp, x, seq_rtt, sack_rtt, ca_rtt);
}

static void after_progress(struct tcp_sock *tp, struct ack_ctx *x, const struct walk *w)
{
	x->want_timer = true;
	if (unlikely(tp->mtu_probe_size && !seq_after(tp->mtu_probe_end, tp->snd_una)))
		tcp_mtu_probe_success(tp);
	if (!tcp_is_sack(tp))
		tcp_reno_remove(tp, w->packets, x->is_ece);
	else if (seq_before(w->low_seq, x->prior_fack))
		tcp_check_reordering(tp, w->low_seq, false);
}

void tcp_clean_rtx_queue(struct tcp_sock *tp, struct ack_ctx *x)
{
	struct walk w = {.low_seq = x->prior_fack};
	struct cong_ack sample;
	int64_t sack_rtt_us;
	struct skb *head;
	bool has_rtt;

	walk_queue(tp, x, &w);
	head = tp->rtx_queue.first;
	if (!head)
		tcp_chrono_stop(tp, TCP_CHRONO_BUSY);
	if (!head && !tp->write_queue.first) /* all is said: an idle connection keeps no memory to copy into */
		page_frag_release(tp->sk.stack->pools->pages, &tp->sk.page_frag);
	if (seq_between(tp->snd_up, x->prior_una, tp->snd_una))
		tp->snd_up = tp->snd_una;
	x->is_reneging = head && (tcp_cb(head)->sacked & TCPCB_SACKED_ACKED);
	has_rtt = take_rtt(tp, x, &w, &sack_rtt_us);
	if (w.packets)
		after_progress(tp, x, &w);
	else if (head && has_rtt && sack_rtt_us > us_since(tp, head->tstamp_ns))
		x->want_timer =
			true; /* T73.9: the head was sent again since; its timer starts there */
	sample = (struct cong_ack){
		.pkts_acked = w.packets,
		.rtt_us = (int32_t)max_s64(min_s64(x->rs.rtt_us, INT32_MAX), NO_RTT),
		.in_flight = x->rs.prior_in_flight,
	};
	tcp_ca_pkts_acked(tp, &sample);
}

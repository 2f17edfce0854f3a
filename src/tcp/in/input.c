/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment of an established connection: the predicted kinds first, then the full order of tests (R26, R32). */
/*
 * How it works
 *
 * Two kinds of segment make up nearly all traffic: a pure acknowledgement, and data in order whose other
 * fields say nothing new. Both are recognised from the header alone and skip what cannot apply to them.
 * Everything else takes the order of R26. A peer sees no difference.
 */
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "tcp/out/out.h"
#include "wire/be.h"
#include "wire/seq.h"

/* R32.1: nothing in the header is news except, maybe, the acknowledgement. */
static bool is_predicted(const struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_hdr *th = (const void *)skb_transport(skb);
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	return (cb->flags & ~TCPH_PSH) == TCPH_ACK && cb->seq == tp->rcv_nxt &&
	       TCP_HDR_LEN + cb->opt_len == tp->tcp_header_len &&
	       (uint32_t)be16_to_cpu(th->window_be) << tp->rx.snd_wscale == tp->snd_wnd &&
	       seq_between(cb->ack_seq, tp->snd_una, tp->snd_nxt) && tcp_ofo_is_empty(tp) && !tp->urg_data &&
	       tp->rcv_wnd && tp->sk.rmem_alloc <= tp->sk.rcvbuf;
}

/* The options of a predicted segment: none, or a timestamp that is not old. */
static bool predicted_options_ok(struct tcp_sock *tp, const struct skb *skb)
{
	if (tp->tcp_header_len == TCP_HDR_LEN) {
		tp->rx.saw_tstamp = false;
		return true;
	}
	if (!tcp_fast_parse_options(tp, skb) || !tp->rx.saw_tstamp)
		return false;
	return (int32_t)(tp->rx.rcv_tsval - tp->rx.ts_recent) >= 0;
}

static void note_tstamp(struct tcp_sock *tp)
{
	/* The first unacknowledged segment's value is the one to echo (R27.3). */
	if (tp->rx.saw_tstamp && tp->rcv_nxt == tp->rcv_wup)
		tcp_store_ts_recent(tp);
}

static void rcv_predicted_ack(struct tcp_sock *tp, struct skb *skb)
{
	note_tstamp(tp);
	(void)tcp_ack(tp, skb, 0);
	skb_free(tp->sk.stack, skb);
	tcp_data_snd_check(tp);
}

static void rcv_predicted_data(struct tcp_sock *tp, struct skb *skb)
{
	bool is_merged;

	note_tstamp(tp);
	tcp_rcv_rtt_measure_ts(tp, skb);
	mib_inc(tp->sk.stack, TcpExtTCPHPHits);
	tp->rx.dsack_pending = false;
	is_merged = tcp_queue_rcv(tp, skb, false);
	tcp_event_data_recv(tp, skb);
	if (tcp_cb(skb)->ack_seq != tp->snd_una) {
		(void)tcp_ack(tp, skb, 0);
		tcp_data_snd_check(tp);
	} else {
		tp->snd_wl1 = tcp_cb(skb)->seq;
	}
	tcp_ack_snd_check(tp);
	if (is_merged)
		skb_free(tp->sk.stack, skb);
	tcp_data_ready(tp);
}

void tcp_rcv_established(struct tcp_sock *tp, struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (likely(is_predicted(tp, skb) && predicted_options_ok(tp, skb))) {
		if (!skb->len) {
			rcv_predicted_ack(tp, skb);
			return;
		}
		if (!seq_after(cb->end_seq, tp->rcv_nxt + tcp_receive_window(tp)) && tcp_rmem_schedule(tp, skb->truesize)) {
			rcv_predicted_data(tp, skb);
			return;
		}
	}
	if (!(cb->flags & (TCPH_ACK | TCPH_RST | TCPH_SYN))) {
		skb_free(tp->sk.stack, skb);
		return;
	}
	if (!tcp_validate_incoming(tp, skb, true))
		return;
	if (tcp_ack(tp, skb, TCP_ACK_SLOWPATH | TCP_ACK_UPDATE_TS_RECENT) < 0) {
		skb_free(tp->sk.stack, skb);
		return;
	}
	tcp_rcv_rtt_measure_ts(tp, skb);
	tcp_urg(tp, skb);
	tcp_data_queue(tp, skb);
	tcp_data_snd_check(tp);
	tcp_ack_snd_check(tp);
}

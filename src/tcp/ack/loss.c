/* SPDX-License-Identifier: BSD-2-Clause */
/* The Loss state: entered by a timeout, left when everything sent before it is acknowledged. */
/*
 * How it works
 *
 * A timeout marks the head and all records old enough lost, takes the window down to one packet above what is
 * still thought to be in flight, and lets slow start resend. F-RTO then asks whether the timeout was spurious:
 * when the first ACK advances, two new packets go instead of retransmissions; if records that were never resent
 * get acknowledged, the originals had only been late. RFC 5681 section 3.1, 5682 (F-RTO), rules T80, C09.3.
 */
#include "tcp/ack/ack_int.h"

#include <string.h>

#include "tcp/out/out.h"

static COLD void forget_sacks(struct tcp_sock *tp)
{
	mib_inc(tp->sk.stack, TcpExtTCPSACKReneging);
	for (struct skb *skb = tp->rtx_queue.first; skb; skb = skb->next)
		tcp_cb(skb)->sacked &= (uint8_t)~TCPCB_SACKED_ACKED;
	memset(tp->recv_sack_cache, 0, sizeof(tp->recv_sack_cache));
	tp->sacked_out = 0;
	tp->is_sack_reneg = true; /* delivery counts mean nothing until the episode ends */
	tcp_highest_sack_reset(tp);
}

static void mark_after_timeout(struct tcp_sock *tp)
{
	struct skb *head = tp->rtx_queue.first;
	bool is_reneging = head && (tcp_cb(head)->sacked & TCPCB_SACKED_ACKED);

	if (is_reneging)
		forget_sacks(tp);
	else if (!tcp_is_sack(tp))
		tp->sacked_out = 0;
	for (struct skb *skb = head; skb; skb = skb->next) {
		/* RACK decides later about what was sent less than a round trip ago */
		if (!is_reneging && tcp_is_sack(tp) && skb != head && tcp_rack_left_us(tp, skb, 0) > 0)
			continue;
		tcp_mark_skb_lost(tp, skb);
	}
	tp->retransmit_hint = NULL;
}

void tcp_enter_loss(struct tcp_sock *tp)
{
	const struct sysctls *ctl = &tp->sk.stack->sysctl;
	bool is_new_recovery = tp->ca_state < TCP_CA_Recovery;
	uint32_t sacked_before = tp->sacked_out;

	mark_after_timeout(tp);
	if (tp->ca_state <= TCP_CA_Disorder || !seq_after(tp->high_seq, tp->snd_una) ||
	    (tp->ca_state == TCP_CA_Loss && !tp->retransmits)) {
		tp->prior_ssthresh = tcp_kept_ssthresh(tp);
		tp->prior_cwnd = tp->snd_cwnd;
		tp->snd_ssthresh = tcp_ca_ssthresh(tp);
		tcp_ca_event(tp, CONG_EV_LOSS);
		tcp_undo_init(tp);
	}
	tp->snd_cwnd = tcp_packets_in_flight(tp) + 1;
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp_ns = tp->now_ns;
	/* many duplicates before a timeout: the reordering degree was thought too large */
	if (tp->ca_state <= TCP_CA_Disorder && (int64_t)sacked_before >= ctl->tcp_reordering)
		tp->reordering = min_u32(tp->reordering, (uint32_t)ctl->tcp_reordering);
	tcp_set_ca_state(tp, TCP_CA_Loss);
	tp->high_seq = tp->snd_nxt;
	tp->tlp_high_seq = 0;
	if (tp->ecn_flags & TCP_ECN_OK)
		tp->ecn_flags |= TCP_ECN_QUEUE_CWR;
	tp->frto = ctl->tcp_frto && (is_new_recovery || tp->retransmits) && !tp->mtu_probe_size;
}

/* F-RTO on one ACK. True: the ACK is dealt with. */
static bool frto_step(struct tcp_sock *tp, struct ack_ctx *x, bool is_recovered)
{
	if (x->orig_sack_acked && tcp_undo_loss(tp, true))
		return true;
	if (seq_after(tp->snd_nxt, tp->high_seq)) {
		if (x->data_sacked || x->num_dupack)
			tp->frto = false; /* the new packets passed, the old ones are lost */
	} else if (x->una_advanced && !is_recovered) {
		tp->high_seq = tp->snd_nxt;
		if (tcp_send_head(tp) && seq_after(tcp_wnd_end(tp), tp->snd_nxt)) {
			x->rexmit = REXMIT_NEW_DATA;
			return true;
		}
		tp->frto = false;
	}
	return false;
}

void tcp_ack_in_loss(struct tcp_sock *tp, struct ack_ctx *x)
{
	bool is_recovered = seq_after_eq(tp->snd_una, tp->high_seq);

	if (x->una_advanced && tcp_undo_loss(tp, false))
		return;
	if (tp->frto && frto_step(tp, x, is_recovered))
		return;
	if (is_recovered) {
		tcp_undo_recovery(tp);
		return;
	}
	if (!tcp_is_sack(tp)) {
		if (seq_after(tp->snd_nxt, tp->high_seq) && x->num_dupack)
			tcp_reno_add(tp, x->num_dupack, x->is_ece);
		else if (x->una_advanced)
			tp->sacked_out = 0;
	}
	x->rexmit = REXMIT_LOST;
}

void tcp_simple_retransmit(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp), prior_lost = tp->lost_out;

	for (struct skb *skb = tp->rtx_queue.first; skb; skb = skb->next) {
		uint32_t seg = tcp_cb(skb)->pcount > 1 ? tcp_cb(skb)->gso_size : skb->len;

		if (seg > mss)
			tcp_mark_skb_lost(tp, skb);
	}
	tp->retransmit_hint = NULL;
	if (tp->lost_out == prior_lost)
		return;
	if (!tcp_is_sack(tp))
		tcp_reno_limit(tp, 0);
	if (tp->ca_state != TCP_CA_Loss) {
		/* not congestion: the window and what an undo goes back to stay */
		tp->high_seq = tp->snd_nxt;
		tp->snd_ssthresh = tcp_kept_ssthresh(tp);
		tp->prior_ssthresh = 0;
		tp->undo_marker = 0;
		tcp_set_ca_state(tp, TCP_CA_Loss);
	}
	tcp_xmit_retransmit_queue(tp);
}

void tcp_clear_retrans(struct tcp_sock *tp)
{
	tp->retrans_out = tp->lost_out = tp->sacked_out = 0;
	tp->undo_marker = 0;
	tp->undo_retrans = -1;
	tp->retransmit_hint = NULL;
}

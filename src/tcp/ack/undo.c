/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking back a reduction that turns out to have been a false alarm. */
/*
 * How it works
 *
 * Entering Recovery or Loss notes where the episode began (undo_marker) and counts its retransmissions
 * (undo_retrans). The episode was false when every retransmission was reported as a duplicate (D-SACK), or when
 * the ACK echoes a timestamp older than the first retransmission (Eifel), or when nothing was resent at all.
 * Undoing restores the window and, unless the reduction was the answer to an ECN mark, ssthresh.
 *
 * undo_marker 0: nothing to undo. undo_retrans -1: nothing was resent yet, so no D-SACK can prove anything.
 * RFC 3522 (Eifel), 3708 (D-SACK), rules T79 and C09.4.
 */
#include "tcp/ack/ack_int.h"

#define REO_PERSIST_MAX 16

void tcp_undo_init(struct tcp_sock *tp)
{
	tp->undo_marker = tp->snd_una;
	tp->undo_retrans = (int32_t)tp->retrans_out;
	if (tp->tlp_high_seq && tp->tlp_retrans)
		tp->undo_retrans++;
	if (!tp->undo_retrans)
		tp->undo_retrans = -1;
}

/* The ACK was caused by an original, only late. */
static bool original_was_late(const struct tcp_sock *tp)
{
	uint32_t first;

	if (!tp->retrans_stamp_ns)
		return tcp_is_sack(tp) || seq_before(tp->snd_una, tp->high_seq);
	if (!tp->rx.saw_tstamp || !tp->rx.rcv_tsecr)
		return false;
	first = tcp_time_stamp(tp, tp->retrans_stamp_ns);
	return seq_before(tp->rx.rcv_tsecr, first);
}

static bool may_undo(const struct tcp_sock *tp)
{
	return tp->undo_marker && (!tp->undo_retrans || original_was_late(tp));
}

/* RACK must see the record again: back to its place by send time. */
static void put_back_by_time(struct tcp_sock *tp, struct skb *skb)
{
	struct list *pos = tp->tsorted.prev;

	list_del(&skb->tsorted);
	while (pos != &tp->tsorted && list_entry(pos, struct skb, tsorted)->tstamp_ns > skb->tstamp_ns)
		pos = pos->prev;
	list_add_head(&skb->tsorted, pos);
}

static void unmark_losses(struct tcp_sock *tp)
{
	for (struct skb *skb = tp->rtx_queue.first; skb; skb = skb->next) {
		struct tcp_skb_cb *cb = tcp_cb(skb);

		if (!(cb->sacked & TCPCB_LOST))
			continue;
		cb->sacked &= (uint8_t)~TCPCB_LOST;
		if (!(cb->sacked & TCPCB_SACKED_RETRANS))
			put_back_by_time(tp, skb);
	}
	tp->lost_out = 0;
	tp->retransmit_hint = NULL;
}

static void undo(struct tcp_sock *tp, bool unmark)
{
	if (unmark)
		unmark_losses(tp);
	if (tp->prior_ssthresh) {
		tp->snd_cwnd = tcp_ca_undo_cwnd(tp);
		if (tp->prior_ssthresh > tp->snd_ssthresh) {
			tp->snd_ssthresh = tp->prior_ssthresh;
			tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
		}
	}
	tp->snd_cwnd_stamp_ns = tp->now_ns;
	tp->undo_marker = 0;
	tp->rack.advanced = true; /* look again at what is left */
}

/* UNA reached high_seq in Recovery or Loss. True: stay there until something newer is acknowledged. */
bool tcp_undo_recovery(struct tcp_sock *tp)
{
	if (may_undo(tp)) {
		bool in_loss = tp->ca_state == TCP_CA_Loss;

		undo(tp, false);
		mib_inc(tp->sk.stack, in_loss ? TcpExtTCPLossUndo : TcpExtTCPFullUndo);
	} else if (tp->rack.reo_wnd_persist) {
		tp->rack.reo_wnd_persist--;
	}
	if (tp->snd_una == tp->high_seq && !tcp_is_sack(tp)) {
		/* RFC 6582 section 5: later duplicates may come from this very episode */
		if (!tcp_has_open_retrans(tp))
			tp->retrans_stamp_ns = 0;
		return true;
	}
	tcp_set_ca_state(tp, TCP_CA_Open);
	tp->is_sack_reneg = false;
	return false;
}

bool tcp_undo_dsack(struct tcp_sock *tp)
{
	if (!tp->undo_marker || tp->undo_retrans)
		return false;
	if (tp->rack.reo_wnd_persist < REO_PERSIST_MAX)
		tp->rack.reo_wnd_persist++;
	undo(tp, false);
	mib_inc(tp->sk.stack, TcpExtTCPDSACKUndo);
	return true;
}

bool tcp_undo_loss(struct tcp_sock *tp, bool by_frto)
{
	if (!by_frto && !may_undo(tp))
		return false;
	undo(tp, true);
	mib_inc(tp->sk.stack, TcpExtTCPLossUndo);
	if (by_frto)
		mib_inc(tp->sk.stack, TcpExtTCPSpuriousRTOs);
	tp->retransmits = 0;
	if (by_frto || tcp_is_sack(tp)) {
		tcp_set_ca_state(tp, TCP_CA_Open);
		tp->is_sack_reneg = false;
	}
	return true;
}

/* A partial ACK in Recovery that an original caused: the hole was filled by a late packet. */
bool tcp_undo_partial(struct tcp_sock *tp, const struct ack_ctx *x)
{
	if (!tp->undo_marker || !original_was_late(tp))
		return false;
	tcp_check_reordering(tp, x->prior_una, true);
	if (tp->retrans_out)
		return true; /* wait for what is still out; mark and resend nothing more */
	if (!tcp_has_open_retrans(tp))
		tp->retrans_stamp_ns = 0;
	undo(tp, true);
	mib_inc(tp->sk.stack, TcpExtTCPPartialUndo);
	tcp_keep_open(tp);
	return true;
}

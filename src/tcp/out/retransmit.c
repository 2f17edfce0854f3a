/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending again: one record, all that is marked lost, and the tail as a probe (T81, T82.1). */
/*
 * How it works: loss detection (tcp/ack) marks records LOST and says nothing about sending; here
 * the marked ones go out again as CWND, pacing and the small-queue limit allow, oldest first.
 *
 * 1. A record is resent only when no clone of it is still below: what was never on the wire is not
 *    lost.
 * 2. What is resent is cut to the window and to the present MSS, or joined with small followers.
 * 3. RETR counts records with TCPCB_SACKED_RETRANS; only tcp_retransmit_skb() sets it.
 */
#include "tcp/out/out_int.h"

#include <errno.h>

#include "core/trace_ids.h"
#include "ip/ip.h"
#include "tcp/cc/cong.h"
#include "wire/seq.h"

/* T81.2a: a clone is still in qdisc or device; then its completion resumes us. */
static bool is_still_below(struct tcp_sock *tp, const struct skb *skb)
{
	if (likely(!skb_is_in_flight(skb)))
		return false;
	atomic_store(&tp->tsq_throttled, 1);
	if (!skb_is_in_flight(skb))
		return false;
	mib_inc(tp->sk.stack, TcpExtTCPSpuriousRtxHostQueues);
	return true;
}

/* T81.2b: bytes below UNA are not sent again. */
static int drop_acked_front(struct tcp_sock *tp, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);
	int pcount = cb->pcount, err;

	if (likely(!seq_before(cb->seq, tp->snd_una)))
		return 0;
	if (cb->flags & TCPH_SYN) {
		cb->flags &= (uint8_t)~TCPH_SYN;
		cb->seq++;
	}
	if (seq_before(cb->end_seq, tp->snd_una))
		return -EINVAL;
	if (!seq_before(cb->seq, tp->snd_una))
		return 0;
	err = tcp_trim_head(tp, skb, tp->snd_una - cb->seq);
	if (!err && pcount != cb->pcount)
		tcp_adjust_pcount(tp, skb, pcount - cb->pcount);
	return err;
}

/* ---- T81.2e: join small followers ---- */

static bool can_absorb(const struct tcp_sock *tp, const struct skb *to, const struct skb *next,
		       uint32_t room)
{
	const struct tcp_skb_cb *cb = tcp_cb(next);

	return cb->pcount <= 1 && !skb_is_in_flight(next) && !(cb->sacked & TCPCB_SACKED_ACKED) &&
	       tcp_skb_can_merge(to, next) && next->len <= room &&
	       !seq_after(cb->end_seq, tcp_wnd_end(tp));
}

/* @next vanishes into @to: counts, marks and hints that named it follow. */
static bool absorb(struct tcp_sock *tp, struct skb *to, struct skb *next)
{
	struct tcp_skb_cb *a = tcp_cb(to), *b = tcp_cb(next);

	if (next->len && tcp_skb_shift(tp, &tp->rtx_queue, to, next, next->len) == 0)
		return false;
	a->end_seq = b->end_seq;
	tcp_skb_merge_marks(to, next);
	a->sacked |= b->sacked & TCPCB_EVER_RETRANS;
	tcp_adjust_pcount(tp, next, b->pcount);
	if (tp->highest_sack == next)
		tp->highest_sack = to;
	if (tp->retransmit_hint == next)
		tp->retransmit_hint = to;
	tcp_rtx_queue_unlink_and_free(tp, next);
	return true;
}

static void collapse(struct tcp_sock *tp, struct skb *to, uint32_t space)
{
	if (!tp->sk.stack->sysctl.tcp_retrans_collapse || (tcp_cb(to)->flags & TCPH_SYN) ||
	    tcp_cb(to)->pcount > 1)
		return;
	while (to->next && can_absorb(tp, to, to->next, space - to->len)) {
		if (!absorb(tp, to, to->next))
			return;
	}
}

/* T81.2d-e: the record becomes what may be sent now: at most @segs packets inside the window. */
static int fit_record(struct tcp_sock *tp, struct skb *skb, uint32_t segs)
{
	uint32_t mss = tcp_current_mss(tp), len;
	int32_t room = seq_diff(tcp_wnd_end(tp), tcp_cb(skb)->seq);
	int diff;

	if (room <= 0) {
		if (tcp_cb(skb)->seq != tp->snd_una)
			return -EAGAIN;
		room = (int32_t)mss;
	}
	len = (uint32_t)min_u64((uint64_t)mss * segs, (uint32_t)room);
	if (len >= mss)
		len -= len % mss;
	if (skb->len > len)
		return tcp_fragment(tp, &tp->rtx_queue, skb, len, mss);
	diff = tcp_cb(skb)->pcount;
	tcp_set_skb_tso_segs(skb, mss);
	diff -= tcp_cb(skb)->pcount;
	if (diff)
		tcp_adjust_pcount(tp, skb, diff);
	len = min_u32((uint32_t)room, mss);
	if (skb->len < len)
		collapse(tp, skb, len);
	return 0;
}

/* T52.1: a SYN that got no answer may have died of its ECN bits. */
static void ecn_fallback(struct tcp_sock *tp, struct skb *skb)
{
	const uint8_t ecn_syn = TCPH_SYN | TCPH_ECE | TCPH_CWR;

	if ((tcp_cb(skb)->flags & ecn_syn) == ecn_syn && tp->sk.stack->sysctl.tcp_ecn_fallback)
		tcp_cb(skb)->flags &= (uint8_t) ~(TCPH_ECE | TCPH_CWR);
}

int tcp_retransmit_record(struct tcp_sock *tp, struct skb *skb, uint32_t segs)
{
	struct stack *st = tp->sk.stack;
	uint32_t pcount;
	int err;

	tp->mtu_probe_size = 0; /* T36.8: no verdict */
	if (is_still_below(tp, skb))
		return -EBUSY;
	err = drop_acked_front(tp, skb);
	if (err)
		return err;
	if (!ip_sk_route(&tp->sk, &err))
		return -EHOSTUNREACH;
	err = fit_record(tp, skb, segs);
	if (err)
		return err;
	ecn_fallback(tp, skb);
	pcount = tcp_cb(skb)->pcount;
	mib_add(st, TcpRetransSegs, pcount);
	if (tcp_cb(skb)->flags & TCPH_SYN)
		mib_inc(st, TcpExtTCPSynRetrans);
	tp->total_retrans += pcount;
	tp->bytes_retrans += skb->len;
	stack_trace_ev(st, TR_TCP_RETRANSMIT_SKB, TR_INSTANT, trace_obj(st, tp, skb),
		       tcp_cb(skb)->seq, skb->len, tp->retransmits);
	err = tcp_transmit_skb(tp, skb, true);
	tcp_cb(skb)->sacked |= TCPCB_EVER_RETRANS;
	if (err && err != -EBUSY)
		mib_add(st, TcpExtTCPRetransFail, pcount);
	return err;
}

int tcp_retransmit_skb(struct tcp_sock *tp, struct skb *skb, uint32_t segs)
{
	int err = tcp_retransmit_record(tp, skb, segs);

	if (!err && !(tcp_cb(skb)->sacked & TCPCB_SACKED_RETRANS)) {
		tcp_cb(skb)->sacked |= TCPCB_SACKED_RETRANS;
		tp->retrans_out += tcp_cb(skb)->pcount;
	}
	/* An attempt is enough for the clock of Eifel and the user timeout. */
	if (!tp->retrans_stamp_ns)
		tp->retrans_stamp_ns = skb->tstamp_ns;
	if (tp->undo_retrans < 0)
		tp->undo_retrans = 0;
	tp->undo_retrans += tcp_cb(skb)->pcount;
	return err;
}

/* T81.1: send one marked record; false: stop. */
static bool resend_lost(struct tcp_sock *tp, struct skb *skb, uint32_t segs)
{
	uint32_t pcount;

	if (tcp_small_queue_check(tp, skb, 1) || tcp_retransmit_skb(tp, skb, segs))
		return false;
	pcount = tcp_cb(skb)->pcount;
	mib_add(tp->sk.stack,
		tp->ca_state == TCP_CA_Loss ? TcpExtTCPSlowStartRetrans : TcpExtTCPFastRetrans,
		pcount);
	if (tp->ca_state == TCP_CA_CWR || tp->ca_state == TCP_CA_Recovery)
		tp->prr_out += pcount;
	return true;
}

void tcp_xmit_retransmit_queue(struct tcp_sock *tp)
{
	struct skb *skb = tp->retransmit_hint ? tp->retransmit_hint : tp->rtx_queue.first;
	uint32_t max_segs;
	bool sees_gap = false, is_head_sent = false;

	if (!tp->packets_out)
		return;
	max_segs = tcp_tso_segs(tp, tcp_current_mss(tp));
	for (; skb && !tcp_pacing_is_blocked(tp); skb = skb->next) {
		int32_t room = (int32_t)(tp->snd_cwnd - tcp_packets_in_flight(tp));
		uint8_t sacked = tcp_cb(skb)->sacked;

		/* The next search begins here, unless something unmarked was passed. */
		if (!sees_gap)
			tp->retransmit_hint = skb;
		if (room <= 0 || tp->retrans_out >= tp->lost_out)
			break;
		if (!(sacked & TCPCB_LOST)) {
			sees_gap |= !(sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED));
			continue;
		}
		if (sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED))
			continue;
		if (!resend_lost(tp, skb, min_u32((uint32_t)room, max_segs)))
			break;
		is_head_sent |= skb == tp->rtx_queue.first;
	}
	if (is_head_sent && tp->write_timer_kind != TCP_TIME_REO)
		tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, tp->rto_ns);
}

/* ---- T82.1: tail loss probe ---- */

/* One new record, the congestion window set aside. */
static bool probe_with_new_data(struct tcp_sock *tp, uint32_t mss)
{
	uint32_t before = tp->packets_out;

	tcp_write_xmit(tp, mss, TCP_NAGLE_OFF, 2);
	return tp->packets_out > before;
}

static bool probe_with_tail(struct tcp_sock *tp, uint32_t mss)
{
	struct skb *skb = tp->rtx_queue.last;
	uint32_t front;

	if (!skb || is_still_below(tp, skb))
		return false;
	front = (tcp_cb(skb)->pcount - 1u) * mss;
	if (tcp_cb(skb)->pcount > 1 && skb->len > front) {
		if (tcp_fragment(tp, &tp->rtx_queue, skb, front, mss))
			return false;
		skb = skb->next;
	}
	if (tcp_retransmit_record(tp, skb, 1))
		return false;
	tp->tlp_retrans = true;
	return true;
}

static bool head_fits_window(const struct tcp_sock *tp, uint32_t mss)
{
	const struct skb *skb = tp->write_queue.first;
	uint32_t end;

	if (!skb)
		return false;
	end = skb->len > mss ? tcp_cb(skb)->seq + mss : tcp_cb(skb)->end_seq;
	return !seq_after(end, tcp_wnd_end(tp));
}

void tcp_send_loss_probe(struct tcp_sock *tp)
{
	uint32_t mss = tcp_current_mss(tp);
	bool is_sent = false;

	if (!tp->tlp_high_seq) {
		tp->tlp_retrans = false;
		is_sent = head_fits_window(tp, mss) ? probe_with_new_data(tp, mss)
						    : probe_with_tail(tp, mss);
	}
	if (is_sent) {
		tp->tlp_high_seq = tp->snd_nxt;
		mib_inc(tp->sk.stack, TcpExtTCPLossProbes);
		tcp_clear_xmit_timer(tp); /* a whole RTO from now, not what is left of the head's */
	}
	tcp_rearm_rto(tp);
}

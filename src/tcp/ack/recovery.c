/* SPDX-License-Identifier: BSD-2-Clause */
/* The congestion state machine: Open, Disorder, CWR, Recovery, Loss. */
/*
 * How it works
 *
 * Run for every ACK that is not plain progress. It leaves the present state when its recovery point is
 * acknowledged, tries to undo a false alarm, looks for losses, and enters Recovery when it finds some. What is
 * to be sent afterwards is left in ack_ctx.rexmit; the window itself moves later (PRR or the module).
 *
 *   Open      nothing wrong           Disorder  something SACKed or resent, not yet called lost
 *   CWR       reducing for ECN or a probe       Recovery  reducing and resending
 *   Loss      after a timeout (loss.c)
 * RFC 6675, 6582, 3168, rules T77.
 */
#include "tcp/ack/ack_int.h"

#include "tcp/out/out.h"

#define RENEGING_WAIT_MIN_NS (10 * NS_PER_MS)

bool tcp_has_open_retrans(const struct tcp_sock *tp)
{
	const struct skb *head = tp->rtx_queue.first;

	return tp->retrans_out || (head && (tcp_cb(head)->sacked & TCPCB_EVER_RETRANS));
}

void tcp_keep_open(struct tcp_sock *tp)
{
	enum tcp_ca_state s = TCP_CA_Open;

	if (tcp_left_out(tp) || tcp_has_open_retrans(tp))
		s = TCP_CA_Disorder;
	if (tp->ca_state == s)
		return;
	tcp_set_ca_state(tp, s);
	tp->high_seq = tp->snd_nxt;
}

static void try_to_open(struct tcp_sock *tp, const struct ack_ctx *x)
{
	if (!tcp_has_open_retrans(tp))
		tp->retrans_stamp_ns = 0;
	if (x->is_ece)
		tcp_enter_cwr(tp);
	if (tp->ca_state != TCP_CA_CWR)
		tcp_keep_open(tp);
}

void tcp_end_reduction(struct tcp_sock *tp)
{
	if (tcp_ca_has_cong_control(tp))
		return;
	if (tp->snd_ssthresh < TCP_INFINITE_SSTHRESH &&
	    (tp->ca_state == TCP_CA_CWR || tp->undo_marker)) {
		tp->snd_cwnd = tp->snd_ssthresh;
		tp->snd_cwnd_stamp_ns = tp->now_ns;
	}
	tcp_ca_event(tp, CONG_EV_COMPLETE_CWR);
}

void tcp_enter_recovery(struct tcp_sock *tp, bool ece_ack)
{
	mib_inc(tp->sk.stack, tcp_is_sack(tp) ? TcpExtTCPSackRecovery : TcpExtTCPRenoRecovery);
	tp->prior_ssthresh = 0;
	tcp_undo_init(tp);
	if (!tcp_is_reducing(tp)) {
		if (!ece_ack)
			tp->prior_ssthresh = tcp_kept_ssthresh(tp);
		tcp_init_cwnd_reduction(tp);
	}
	tcp_set_ca_state(tp, TCP_CA_Recovery);
}

/* T77.8: wait a little; if the peer does not tell otherwise the timeout drops all SACK marks. */
static bool waits_for_reneging(struct tcp_sock *tp, struct ack_ctx *x)
{
	uint64_t half_srtt_ns = (uint64_t)(tp->srtt8_us >> 4) * NS_PER_US;

	if (likely(!x->is_reneging) || !x->una_advanced)
		return false;
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, max_u64(half_srtt_ns, RENEGING_WAIT_MIN_NS));
	x->want_timer = false;
	return true;
}

/* T77.3. True: nothing more to do for this ACK. */
static bool leaves_episode(struct tcp_sock *tp)
{
	if (tp->ca_state == TCP_CA_Open) {
		tp->retrans_stamp_ns = 0;
		return false;
	}
	if (seq_before(tp->snd_una, tp->high_seq))
		return false;
	if (tp->ca_state == TCP_CA_CWR && tp->snd_una != tp->high_seq) {
		tcp_end_reduction(tp);
		tcp_set_ca_state(tp, TCP_CA_Open);
	} else if (tp->ca_state == TCP_CA_Recovery) {
		if (!tcp_is_sack(tp))
			tp->sacked_out = 0;
		if (tcp_undo_recovery(tp))
			return true;
		tcp_end_reduction(tp);
	}
	return false;
}

/* T77.4, first sentence. True: go on and resend. */
static bool in_recovery(struct tcp_sock *tp, struct ack_ctx *x)
{
	if (!x->una_advanced) {
		if (!tcp_is_sack(tp))
			tcp_reno_add(tp, x->num_dupack, x->is_ece);
	} else if (tcp_undo_partial(tp, x)) {
		return false;
	}
	if (tcp_undo_dsack(tp)) {
		try_to_open(tp, x);
		return false;
	}
	tcp_identify_loss(tp, x);
	return true;
}

static bool mtu_probe_was_lost(const struct tcp_sock *tp)
{
	return tp->ca_state < TCP_CA_CWR && tp->mtu_probe_size && tp->snd_una == tp->mtu_probe_start;
}

/* Open, Disorder, CWR; and Loss that was just left. True: losses were found, resend. */
static bool outside_recovery(struct tcp_sock *tp, struct ack_ctx *x)
{
	if (!tcp_is_sack(tp)) {
		if (x->una_advanced)
			tp->sacked_out = 0;
		tcp_reno_add(tp, x->num_dupack, x->is_ece);
	}
	if (tp->ca_state <= TCP_CA_Disorder)
		tcp_undo_dsack(tp);
	tcp_identify_loss(tp, x);
	if (!tp->lost_out) {
		try_to_open(tp, x);
		return false;
	}
	if (unlikely(mtu_probe_was_lost(tp))) {
		tcp_mtu_probe_fail(tp);
		tp->snd_cwnd++; /* it was no congestion */
		tcp_simple_retransmit(tp);
		return false;
	}
	tcp_enter_recovery(tp, x->is_ece);
	return true;
}

void tcp_ca_state_machine(struct tcp_sock *tp, struct ack_ctx *x)
{
	if (!tp->packets_out)
		tp->sacked_out = 0;
	if (x->is_ece)
		tp->prior_ssthresh = 0;
	if (waits_for_reneging(tp, x) || leaves_episode(tp))
		return;
	switch (tp->ca_state) {
	case TCP_CA_Recovery:
		if (in_recovery(tp, x))
			x->rexmit = REXMIT_LOST;
		return;
	case TCP_CA_Loss:
		tcp_ack_in_loss(tp, x);
		tcp_identify_loss(tp, x);
		/* A timeout's state is left early only for Open, or when a retransmission is lost too. */
		if (tp->ca_state != TCP_CA_Open && !x->lost_retrans)
			return;
		break;
	default: break;
	}
	if (outside_recovery(tp, x))
		x->rexmit = REXMIT_LOST;
}

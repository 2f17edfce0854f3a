/* SPDX-License-Identifier: BSD-2-Clause */
/* One acknowledgement, from the header to the packets it lets out. */
/*
 * How it works
 *
 * The order of work is fixed (T72): acceptance, window, SACK and ECN facts, then - if something was outstanding -
 * cleaning, RACK's window, probe, state machine, timer, delivery rate, window movement, retransmissions.
 * All facts about the ACK gather in one struct ack_ctx on the stack; each step reads and adds to it. New data is
 * pushed by the caller when this has returned.
 *
 * The state machine runs only for ACKs that are not plain progress in state Open.
 * RFC 9293 section 3.10.7.4, 5961 section 5, rules T72, T81, T86.6 and C01.
 */
#include "tcp/ack/ack_int.h"

#include "core/trace_ids.h"
#include "ip/ip.h"
#include "tcp/out/out.h"

#define TS_RECENT_MAX_AGE_S (24u * 24 * 3600) /* RFC 7323 section 5.5 */

bool tcp_fast_parse_options(struct tcp_sock *tp, const struct skb *skb)
{
	const uint8_t *opt = skb_transport(skb) + TCP_HDR_LEN;
	uint16_t len = tcp_cb(skb)->opt_len;
	struct tcp_options o;

	tp->rx.saw_tstamp = false;
	if (!len || !tp->rx.tstamp_ok)
		return false;
	if (!tcp_options_parse_aligned_ts(opt, len, &tp->rx.rcv_tsval, &tp->rx.rcv_tsecr)) {
		tcp_options_parse(opt, len, false, &o);
		if (!(o.flags & TCP_OPT_TS))
			return false;
		tp->rx.rcv_tsval = o.ts_val;
		tp->rx.rcv_tsecr = o.ts_ecr;
	}
	tp->rx.saw_tstamp = true;
	return true;
}

/* R27.3: the value to echo is that of the first segment not yet acknowledged. */
static void update_ts_recent(struct tcp_sock *tp, uint32_t seq)
{
	uint64_t wall_s;

	if (!tp->rx.saw_tstamp || seq_after(seq, tp->rcv_wup))
		return;
	wall_s = clock_wall_s(&tp->sk.stack->pools->clock);
	if ((int32_t)(tp->rx.rcv_tsval - tp->rx.ts_recent) < 0 &&
	    wall_s < tp->rx.ts_recent_wall_s + TS_RECENT_MAX_AGE_S)
		return;
	tp->rx.ts_recent = tp->rx.rcv_tsval;
	tp->rx.ts_recent_wall_s = wall_s;
}

static void take_sacks(struct tcp_sock *tp, const struct skb *skb, struct ack_ctx *x)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	struct tcp_options o;

	if (!tcp_is_sack(tp) || cb->opt_len < TCP_OPTLEN_SACK_BASE + TCP_OPTLEN_SACK_BLOCK - 2)
		return;
	if (cb->opt_len == TCP_OPTLEN_TS && tp->rx.saw_tstamp)
		return;
	tcp_options_parse(skb_transport(skb) + TCP_HDR_LEN, cb->opt_len, false, &o);
	if (o.flags & TCP_OPT_SACK)
		tcp_sack_tag(tp, o.sacks, o.num_sacks, x);
}

/* T72.6 */
static void update_window(struct tcp_sock *tp, const struct skb *skb, struct ack_ctx *x)
{
	const struct tcp_hdr *th = (const void *)skb_transport(skb);
	uint32_t wnd = be16_to_cpu(th->window_be);

	if (!(tcp_cb(skb)->flags & TCPH_SYN))
		wnd <<= tp->rx.snd_wscale;
	if (!seq_after(x->ack, tp->snd_una) && !seq_after(x->seq, tp->snd_wl1) &&
	    !(x->seq == tp->snd_wl1 && (wnd > tp->snd_wnd || !wnd)))
		return;
	x->window_updated = true;
	tp->snd_wl1 = x->seq;
	if (tp->snd_wnd == wnd)
		return;
	tp->snd_wnd = wnd;
	if (tcp_send_head(tp))
		tcp_slow_start_after_idle_check(tp);
	if (wnd > tp->max_window) {
		tp->max_window = wnd;
		tcp_sync_mss(tp, tp->pmtu_cookie);
	}
}

static void advance_una(struct tcp_sock *tp, uint32_t ack)
{
	tp->bytes_acked += ack - tp->snd_una;
	tp->snd_una = ack;
}

/* T86.6: nothing is outstanding. */
static void ack_without_flight(struct tcp_sock *tp)
{
	const struct skb *head = tcp_send_head(tp);

	if (!head)
		return;
	if (!seq_after(tcp_cb(head)->end_seq, tcp_wnd_end(tp))) {
		tp->backoff = 0;
		tp->probes_stamp_ns = 0;
		tcp_clear_xmit_timer(tp);
		return;
	}
	tcp_reset_xmit_timer(tp, TCP_TIME_PROBE0, tcp_probe0_when_ns(tp));
}

/* T72.11: plain progress needs no state machine. */
static bool is_dubious(const struct tcp_sock *tp, const struct ack_ctx *x)
{
	bool is_news = x->data_acked || x->syn_acked || x->has_payload || x->window_updated;

	return !is_news || x->data_sacked || x->has_dsack || x->is_ece || x->is_reneging ||
	       tp->ca_state != TCP_CA_Open;
}

static void run_state_machine(struct tcp_sock *tp, struct ack_ctx *x, const struct skb *skb)
{
	if (!is_dubious(tp, x))
		return;
	if (!x->una_advanced && !x->has_payload && !x->window_updated && !x->has_dsack)
		x->num_dupack = max_u32(tcp_cb(skb)->pcount, 1);
	tcp_ca_state_machine(tp, x);
}

static uint32_t newly_delivered(struct tcp_sock *tp, const struct ack_ctx *x)
{
	uint32_t n = tp->delivered - x->prior_delivered;

	mib_add(tp->sk.stack, TcpExtTCPDelivered, n);
	if (x->is_ece)
		mib_add(tp->sk.stack, TcpExtTCPDeliveredCE, n);
	return n;
}

/* C01.2-3 */
static void move_window(struct tcp_sock *tp, struct ack_ctx *x, uint32_t delivered, uint32_t lost)
{
	if (tcp_ca_has_cong_control(tp)) {
		tcp_ca_cong_control(tp, &x->rs);
		return;
	}
	if (tcp_is_reducing(tp))
		tcp_cwnd_reduction(tp, (int)delivered, (int)lost, x->una_advanced);
	else if ((int64_t)tp->reordering > tp->sk.stack->sysctl.tcp_reordering
			 ? x->data_acked || x->syn_acked || x->data_sacked
			 : x->data_acked)
		tcp_ca_cong_avoid(tp, x->ack, delivered);
	tcp_update_pacing_rate(tp);
}

static void send_what_is_due(struct tcp_sock *tp, enum rexmit what)
{
	if (what == REXMIT_NONE || tp->sk.state == TCP_SYN_SENT)
		return;
	if (what == REXMIT_NEW_DATA) {
		__tcp_push_pending_frames(tp, tcp_current_mss(tp), TCP_NAGLE_OFF);
		if (seq_after(tp->snd_nxt, tp->high_seq))
			return;
		tp->frto = false; /* nothing could be sent: no test, resend */
	}
	tcp_xmit_retransmit_queue(tp);
}

static void set_timer(struct tcp_sock *tp)
{
	if (!tcp_schedule_loss_probe(tp, true))
		tcp_rearm_rto(tp);
}

static void note_time_in_loss(struct tcp_sock *tp)
{
	if (tp->ca_state == TCP_CA_Loss || !tp->rto_stamp_ns)
		return;
	tp->total_rto_time_ms += (uint32_t)((tp->now_ns - tp->rto_stamp_ns) / NS_PER_MS);
	tp->rto_stamp_ns = 0;
}

/* T72.11: something was outstanding when the ACK came. */
static void ack_with_flight(struct tcp_sock *tp, struct ack_ctx *x, const struct skb *skb)
{
	bool was_in_loss = tp->ca_state == TCP_CA_Loss;
	uint32_t delivered, lost;

	tcp_clean_rtx_queue(tp, x);
	tcp_rack_update_window(tp, &x->rs);
	tcp_tlp_ack(tp, x);
	run_state_machine(tp, x, skb);
	if (was_in_loss)
		note_time_in_loss(tp);
	if (x->want_timer)
		set_timer(tp);
	if (x->una_advanced || x->data_sacked)
		if (tp->sk.dst)
			ip_confirm_neigh(tp->sk.dst);
	delivered = newly_delivered(tp, x);
	lost = tp->lost - x->prior_lost;
	x->rs.is_ece = x->is_ece;
	tcp_rate_gen(tp, delivered, lost, tp->is_sack_reneg, &x->rs);
	move_window(tp, x, delivered, lost);
	stack_trace_ev(tp->sk.stack, TR_TCP_CWND, TR_INSTANT, trace_obj(tp->sk.stack, &tp->sk, NULL),
		       tp->snd_cwnd, tp->snd_ssthresh, tcp_packets_in_flight(tp));
	send_what_is_due(tp, x->rexmit);
}

/* T72.2: below UNA. Only its SACK blocks are news. */
static int old_ack(struct tcp_sock *tp, struct skb *skb, struct ack_ctx *x, int flags)
{
	uint32_t tolerance = (uint32_t)min_u64(tp->max_window, tp->bytes_acked);

	if (seq_before(x->ack, x->prior_una - tolerance)) {
		if (!(flags & TCP_ACK_NO_CHALLENGE))
			tcp_send_challenge_ack(tp);
		return -1;
	}
	take_sacks(tp, skb, x);
	if (!x->data_sacked && !x->has_dsack)
		return 0;
	tcp_ca_state_machine(tp, x);
	newly_delivered(tp, x);
	send_what_is_due(tp, x->rexmit);
	return 0;
}

static void note_segment(struct tcp_sock *tp, struct skb *skb, struct ack_ctx *x)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	*x = (struct ack_ctx){
		.prior_una = tp->snd_una,
		.prior_packets = tp->packets_out,
		.prior_delivered = tp->delivered,
		.prior_lost = tp->lost,
		.prior_fack = tcp_is_sack(tp) ? tcp_highest_sack_seq(tp) : tp->snd_una,
		.ack = cb->ack_seq,
		.seq = cb->seq,
		.has_payload = cb->seq != cb->end_seq,
		.is_ece = (cb->flags & TCPH_ECE) && (tp->ecn_flags & TCP_ECN_OK) &&
			  !(cb->flags & TCPH_SYN),
		.rs = {.prior_in_flight = tcp_packets_in_flight(tp), .rtt_us = NO_RTT},
	};
}

static void accept_ack(struct tcp_sock *tp, struct skb *skb, struct ack_ctx *x, int flags)
{
	if (seq_after(x->ack, x->prior_una)) {
		x->una_advanced = true;
		tp->retransmits = 0;
	}
	if (flags & TCP_ACK_UPDATE_TS_RECENT)
		update_ts_recent(tp, x->seq);
	if (!(flags & TCP_ACK_SLOWPATH) && x->una_advanced) {
		tp->snd_wl1 = x->seq;
		advance_una(tp, x->ack);
		x->window_updated = true;
		mib_inc(tp->sk.stack, TcpExtTCPHPAcks);
		return;
	}
	if (!x->has_payload)
		mib_inc(tp->sk.stack, TcpExtTCPPureAcks);
	update_window(tp, skb, x);
	advance_una(tp, x->ack);
	take_sacks(tp, skb, x);
}

int tcp_ack(struct tcp_sock *tp, struct skb *skb, int flags)
{
	struct ack_ctx x;

	note_segment(tp, skb, &x);
	if (seq_before(x.ack, x.prior_una))
		return old_ack(tp, skb, &x, flags);
	if (unlikely(seq_after(x.ack, tp->snd_nxt))) {
		if (!(flags & TCP_ACK_NO_CHALLENGE))
			tcp_send_challenge_ack(tp);
		return -1;
	}
	accept_ack(tp, skb, &x, flags);
	stack_trace_ev(tp->sk.stack, TR_TCP_ACK, TR_INSTANT, trace_obj(tp->sk.stack, &tp->sk, skb),
		       x.ack, x.ack - x.prior_una, tp->snd_wnd);
	tp->sk.err_soft = 0;
	tp->probes_out = 0;
	tp->keepalive_probes_sent = 0;
	tp->rcv_tstamp_ns = tp->now_ns;
	if (x.prior_packets) {
		ack_with_flight(tp, &x, skb);
		return 1;
	}
	if (x.has_dsack) { /* of an episode that is over: it may still be undone */
		tcp_ca_state_machine(tp, &x);
		newly_delivered(tp, &x);
	}
	ack_without_flight(tp);
	tcp_tlp_ack(tp, &x);
	return 1;
}

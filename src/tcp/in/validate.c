/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a segment acceptable: timestamps, sequence, RST, SYN (R27-R31; RFC 5961, RFC 7323 section 5). */
/*
 * How it works
 *
 * The tests run in the order of R26 and a segment that fails one has no effect beyond the answer it
 * draws. Answers to nonsense are limited: duplicate ACKs for dataless segments and challenge ACKs share
 * one time stamp per connection.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "tcp/out/out.h"
#include "wire/be.h"
#include "wire/seq.h"

#define PAWS_TICKS 1			    /* going back by this much is tolerated (R27.1) */
#define PAWS_VALID_S (24ull * 24 * 60 * 60) /* older stored values prove nothing */

static uint64_t wall_s(const struct tcp_sock *tp)
{
	return clock_wall_s(&tp->sk.stack->pools->clock);
}

void tcp_store_ts_recent(struct tcp_sock *tp)
{
	tp->rx.ts_recent = tp->rx.rcv_tsval;
	tp->rx.ts_recent_wall_s = wall_s(tp);
}

/* ---- timestamps (R27) ---- */

static bool paws_ok(const struct tcp_sock *tp)
{
	if ((int32_t)(tp->rx.ts_recent - tp->rx.rcv_tsval) <= PAWS_TICKS || !tp->rx.ts_recent)
		return true;
	return wall_s(tp) >= tp->rx.ts_recent_wall_s + PAWS_VALID_S;
}

static bool window_would_change(const struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_hdr *th = (const void *)skb_transport(skb);
	uint32_t win = (uint32_t)be16_to_cpu(th->window_be) << tp->rx.snd_wscale;
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	return seq_after(cb->ack_seq, tp->snd_una) || seq_after(cb->seq, tp->snd_wl1) ||
	       (cb->seq == tp->snd_wl1 && (win > tp->snd_wnd || !win));
}

enum paws { PAWS_PASS, PAWS_OLD_ACK, PAWS_FAIL };

/* The timestamp is too old: what of it? (R27.2) */
static enum paws paws_judge(const struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint64_t replay_ms;

	if (!(cb->flags & TCPH_ACK) || cb->seq != cb->end_seq)
		return PAWS_FAIL;
	if (cb->seq != tp->rcv_nxt)
		return seq_before(cb->seq, tp->rcv_nxt) ? PAWS_OLD_ACK : PAWS_FAIL;
	if (cb->ack_seq != tp->snd_una || window_would_change(tp, skb))
		return PAWS_FAIL;
	/* A pure ACK that was overtaken on the way. */
	replay_ms = tp->rto_ns * 12 / 10 / NS_PER_MS;
	return (uint64_t)(tp->rx.ts_recent - tp->rx.rcv_tsval) <= replay_ms ? PAWS_PASS : PAWS_FAIL;
}

/* ---- sequence (R28) ---- */

static bool sequence_ok(struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t edge = tp->rcv_nxt + tcp_receive_window(tp);
	uint32_t end = cb->end_seq;

	if (seq_before(end, tp->rcv_wup))
		return false;
	if (!seq_after(end, edge))
		return true;
	if ((cb->flags & TCPH_FIN) && !seq_after(end - 1, edge))
		return true;
	if (!seq_after(cb->seq, edge) && !skb_peek(&tp->sk.receive_queue))
		return true;
	mib_inc(tp->sk.stack, TcpExtBeyondWindow);
	return false;
}

void tcp_send_dupack(struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (cb->end_seq != cb->seq && seq_before(cb->seq, tp->rcv_nxt)) {
		mib_inc(tp->sk.stack, TcpExtDelayedACKLost);
		tcp_enter_quickack_mode(tp, TCP_MAX_QUICKACKS);
		tcp_dsack_set(tp, cb->seq, seq_min(cb->end_seq, tp->rcv_nxt));
	}
	tcp_send_ack(tp);
}

static void answer_unacceptable(struct tcp_sock *tp, const struct skb *skb, enum mib_id skipped)
{
	if (!tcp_oow_rate_limited(tp->sk.stack, skb, skipped, &tp->last_oow_ack_ns, tp->now_ns))
		tcp_send_dupack(tp, skb);
}

/* ---- RST and SYN (R29, R30) ---- */

/* R29.1, R29.3: a reset that repeats the FIN's own number after the FIN. */
static bool is_reset_after_fin(const struct tcp_sock *tp, const struct skb *skb)
{
	return tcp_cb(skb)->seq == tp->rcv_nxt - 1 &&
	       (TCPF(tp->sk.state) & (TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_LAST_ACK) | TCPF(TCP_CLOSING)));
}

static bool is_exact_reset(const struct tcp_sock *tp, const struct skb *skb)
{
	uint32_t seq = tcp_cb(skb)->seq, high;

	if (seq == tp->rcv_nxt || is_reset_after_fin(tp, skb))
		return true;
	if (!tcp_is_sack(tp) || !tp->rx.num_sacks)
		return false;
	high = tp->selective_acks[0].end;
	for (unsigned int i = 1; i < tp->rx.num_sacks; i++)
		high = seq_max(high, tp->selective_acks[i].end);
	return seq == high;
}

void tcp_reset(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	int err;

	switch ((uint8_t)sk->state) {
	case TCP_CLOSE:
		return;
	case TCP_SYN_SENT:
		err = ECONNREFUSED;
		break;
	case TCP_CLOSE_WAIT:
		err = EPIPE;
		break;
	default:
		err = ECONNRESET;
		break;
	}
	tcp_abort(tp, err);
}

static void challenge_syn(struct tcp_sock *tp, bool syn_inerr)
{
	if (syn_inerr)
		mib_inc(tp->sk.stack, TcpInErrs);
	mib_inc(tp->sk.stack, TcpExtTCPSYNChallenge);
	tcp_send_challenge_ack(tp);
}

/* R24.2: both sides opened at once and the peer's SYN-ACK repeats the SYN we know. */
static bool is_crossed_synack(const struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	return tp->sk.state == TCP_SYN_RECV && !tp->is_passive && (cb->flags & TCPH_ACK) &&
	       cb->seq + 1 == cb->end_seq && cb->seq + 1 == tp->rcv_nxt && cb->ack_seq == tp->snd_nxt;
}

/* ---- all of it ---- */

/* Timestamps. Return: the segment goes on. */
static bool check_paws(struct tcp_sock *tp, struct skb *skb, bool syn_inerr)
{
	uint8_t flags = tcp_cb(skb)->flags;
	enum paws verdict;

	if (!tcp_fast_parse_options(tp, skb) || !tp->rx.saw_tstamp || paws_ok(tp))
		return true;
	verdict = paws_judge(tp, skb);
	if (verdict == PAWS_PASS || (flags & TCPH_RST))
		return true;
	if (flags & TCPH_SYN) {
		challenge_syn(tp, syn_inerr);
	} else if (verdict == PAWS_OLD_ACK) {
		mib_inc(tp->sk.stack, TcpExtPAWSOldAck);
	} else {
		mib_inc(tp->sk.stack, TcpExtPAWSEstab);
		answer_unacceptable(tp, skb, TcpExtTCPACKSkippedPAWS);
	}
	return false;
}

static bool check_flags(struct tcp_sock *tp, struct skb *skb, bool syn_inerr)
{
	uint8_t flags = tcp_cb(skb)->flags;

	if (!sequence_ok(tp, skb)) {
		if (flags & TCPH_RST) {
			if (is_reset_after_fin(tp, skb))
				tcp_reset(tp);
		} else if (flags & TCPH_SYN) {
			if (is_crossed_synack(tp, skb))
				return true;
			challenge_syn(tp, syn_inerr);
		} else {
			answer_unacceptable(tp, skb, TcpExtTCPACKSkippedSeq);
		}
		return false;
	}
	if (flags & TCPH_RST) {
		if (is_exact_reset(tp, skb))
			tcp_reset(tp);
		else
			tcp_send_challenge_ack(tp);
		return false;
	}
	if ((flags & TCPH_SYN) && !is_crossed_synack(tp, skb)) {
		challenge_syn(tp, syn_inerr);
		return false;
	}
	return true;
}

bool tcp_validate_incoming(struct tcp_sock *tp, struct skb *skb, bool syn_inerr)
{
	if (likely(check_paws(tp, skb, syn_inerr) && check_flags(tp, skb, syn_inerr)))
		return true;
	skb_free(tp->sk.stack, skb);
	return false;
}

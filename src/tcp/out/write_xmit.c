/* SPDX-License-Identifier: BSD-2-Clause */
/* The transmission engine: send as many queued records as the rules allow (T35). */
/*
 * How it works: decide, then act. Per record decide_record() asks the tests in the order of T35.R2
 * and says what stands in the way, or how many bytes may go; the loop then splits, clones, sends
 * and books.
 *
 * 1. The head of the write queue is the only candidate; whatever stops it stops the run.
 * 2. A record leaves the write queue only after IP took its clone; a refused one stays the head.
 * 3. When nothing was sent, nothing is out and data waits, the caller arms the probe timer (T61).
 */
#include "tcp/out/out_int.h"

#include "core/trace_ids.h"
#include "tcp/cc/cong.h"
#include "tcp/out/decide.h"

enum xmit_verdict {
	SEND_RECORD = 0,
	STOP_PACING,
	STOP_CWND,
	STOP_RWND,
	STOP_NAGLE,
	STOP_DEFER,
	STOP_DEFER_CWND,
	STOP_DEFER_RWND,
};

/* push-one: what the caller wants (T35). */
enum { PUSH_ALL = 0, PUSH_ONE = 1, PUSH_LOSS_PROBE = 2 };

struct xmit_run {
	struct tcp_sock *tp;
	uint32_t mss;      /* bytes per packet */
	uint32_t max_segs; /* packets per record, 0: not asked yet */
	uint32_t sent;     /* packets */
	int push_one;
	uint8_t mode; /* TCP_NAGLE_* */
	bool is_cwnd_limited, is_rwnd_limited;
};

uint32_t tcp_tso_segs(struct tcp_sock *tp, uint32_t mss)
{
	uint32_t min_tso = tcp_ca_min_tso(tp, (uint32_t)tp->sk.stack->sysctl.tcp_min_tso_segs);
	uint32_t max = tp->sk.gso_max_segs ? tp->sk.gso_max_segs : UINT16_MAX;

	/* min_tso packets of a large MSS (loopback) would not fit into one IP packet */
	max = min_u32(max, max_u32(tcp_gso_max_bytes(tp) / mss, 1));
	return min_u32(tcp_tso_autosize(tp, mss, min_tso), max);
}

bool tcp_pacing_is_blocked(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (likely(sk->pacing_status != SK_PACING_NEEDED) || !tcp_pacing_delay_ns(tp))
		return false;
	if (!tp->pacing_timer.is_armed &&
	    hrtimer_arm(&sk->stack->timers, &tp->pacing_timer, tp->wstamp_ns))
		sock_get(sk);
	return true;
}

void tcp_event_new_data_sent(struct tcp_sock *tp, struct skb *skb)
{
	bool is_first = !tp->packets_out;

	tp->snd_nxt = tcp_cb(skb)->end_seq;
	tcp_rtx_queue_add(tp, skb);
	tp->packets_out += tcp_cb(skb)->pcount;
	if (is_first || tp->write_timer_kind == TCP_TIME_LOSS_PROBE)
		tcp_rearm_rto(tp);
	mib_add(tp->sk.stack, TcpExtTCPOrigDataSent, tcp_cb(skb)->pcount);
	tcp_check_space(tp);
}

static uint32_t run_max_segs(struct xmit_run *run)
{
	if (!run->max_segs)
		run->max_segs = max_u32(tcp_tso_segs(run->tp, run->mss), 1);
	return run->max_segs;
}

static struct decide_nagle nagle_state(const struct tcp_sock *tp, uint8_t mode)
{
	return (struct decide_nagle){
		.mode = mode,
		.packets_out = tp->packets_out,
		.snd_una = tp->snd_una,
		.snd_nxt = tp->snd_nxt,
		.snd_sml = tp->snd_sml,
	};
}

/* T43: a record of one packet. Only the last one of the queue can be held. */
static bool nagle_holds(const struct xmit_run *run, const struct skb *skb)
{
	const struct tcp_sock *tp = run->tp;
	struct decide_nagle n;

	if ((run->mode & TCP_NAGLE_PUSH) || skb->next || skb->len >= run->mss)
		return false;
	if ((tcp_cb(skb)->flags & TCPH_FIN) || tcp_urg_mode(tp))
		return false;
	n = nagle_state(tp, run->mode);
	return decide_nagle_holds(&n, true);
}

/* T44: a record of several packets. */
static enum xmit_verdict defer_record(struct xmit_run *run, const struct skb *skb)
{
	const struct tcp_sock *tp = run->tp;
	const struct skb *head = tp->rtx_queue.first;
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	const struct decide_defer d = {
		.is_recovering = tp->ca_state >= TCP_CA_Recovery,
		.is_last = !skb->next,
		.has_end_mark = (cb->flags & TCPH_FIN) || cb->is_eor,
		.has_rtx = head != NULL,
		.len = skb->len,
		.mss = run->mss,
		.max_segs = run_max_segs(run),
		.wnd_room = tcp_wnd_end(tp) - cb->seq,
		.cwnd = tp->snd_cwnd,
		.in_flight = tcp_packets_in_flight(tp),
		.snd_wnd = tp->snd_wnd,
		.win_divisor = (uint32_t)tp->sk.stack->sysctl.tcp_tso_win_divisor,
		.srtt8_us = tp->srtt8_us,
		.now_ns = tp->now_ns,
		.wstamp_ns = tp->wstamp_ns,
		.head_sent_ns = head ? head->tstamp_ns : 0,
	};

	switch (decide_defer(&d)) {
	case DEFER_NO: return SEND_RECORD;
	case DEFER_CWND_LIMITED: return STOP_DEFER_CWND;
	case DEFER_RWND_LIMITED: return STOP_DEFER_RWND;
	case DEFER_WAIT: break;
	}
	return STOP_DEFER;
}

/* Rows 3 to 9 of T35.R2; *ret_limit: bytes of the record that may go. */
static enum xmit_verdict decide_record(struct xmit_run *run, struct skb *skb, uint32_t *ret_limit)
{
	struct tcp_sock *tp = run->tp;
	struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t quota = decide_cwnd_quota(tcp_packets_in_flight(tp), tp->snd_cwnd);
	enum xmit_verdict v;
	struct decide_nagle n;

	if (!quota) {
		if (run->push_one != PUSH_LOSS_PROBE)
			return STOP_CWND;
		quota = 1;
	}
	*ret_limit = run->mss;
	if (skb->next || skb->len > run->mss) {
		quota = min_u32(quota, run_max_segs(run));
		if (skb->next && quota * run->mss > skb->len)
			tcp_grow_skb(tp, skb, quota * run->mss - skb->len);
	}
	tcp_set_skb_tso_segs(skb, run->mss);
	if (!decide_fits_window(cb->seq, cb->end_seq, skb->len, run->mss, tcp_wnd_end(tp)))
		return STOP_RWND;
	if (cb->pcount == 1)
		return nagle_holds(run, skb) ? STOP_NAGLE : SEND_RECORD;
	if (run->push_one == PUSH_ALL) {
		v = defer_record(run, skb);
		if (v != SEND_RECORD)
			return v;
	}
	if (!tcp_urg_mode(tp)) {
		n = nagle_state(tp, run->mode);
		*ret_limit = decide_split_point(skb->len, tcp_wnd_end(tp) - cb->seq, run->mss,
						quota, !skb->next, &n);
	}
	return SEND_RECORD;
}

/* Rows 10 to 13; false: the run ends. */
static bool send_record(struct xmit_run *run, struct skb *skb, uint32_t limit)
{
	struct tcp_sock *tp = run->tp;
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (skb->len > limit && tcp_fragment(tp, &tp->write_queue, skb, limit, run->mss))
		return false;
	if (tcp_small_queue_check(tp, skb, 0))
		return false;
	if (unlikely(cb->seq == cb->end_seq)) /* made by a writer that sleeps for memory (T48) */
		return false;
	if (unlikely(tcp_transmit_skb(tp, skb, true)))
		return false;
	tcp_event_new_data_sent(tp, skb);
	if (skb->len < cb->pcount * run->mss)
		tp->snd_sml = cb->end_seq;
	run->sent += cb->pcount;
	return run->push_one == PUSH_ALL;
}

static void note_stop(struct xmit_run *run, enum xmit_verdict v)
{
	switch (v) {
	case STOP_RWND:
	case STOP_DEFER_RWND: run->is_rwnd_limited = true; break;
	case STOP_DEFER_CWND: run->is_cwnd_limited = true; break;
	case STOP_CWND: /* seen by INFLIGHT >= CWND afterwards */
	case STOP_PACING:
	case STOP_NAGLE:
	case STOP_DEFER:
	case SEND_RECORD: break;
	}
}

/* T35.R3, T61. */
static bool finish_run(struct xmit_run *run)
{
	struct tcp_sock *tp = run->tp;

	if (unlikely(run->is_rwnd_limited))
		tcp_chrono_start(tp, TCP_CHRONO_RWND_LIMITED);
	else if (unlikely(tp->chrono_type == TCP_CHRONO_RWND_LIMITED))
		tcp_chrono_stop(tp, TCP_CHRONO_RWND_LIMITED);
	run->is_cwnd_limited |= tcp_packets_in_flight(tp) >= tp->snd_cwnd;
	if (run->sent || run->is_cwnd_limited)
		tcp_cwnd_validate(tp, run->is_cwnd_limited);
	if (!run->sent)
		return !tp->packets_out && tp->write_queue.first;
	if (tp->ca_state == TCP_CA_CWR || tp->ca_state == TCP_CA_Recovery)
		tp->prr_out += run->sent;
	if (run->push_one != PUSH_LOSS_PROBE)
		tcp_schedule_loss_probe(tp, false);
	return false;
}

bool tcp_write_xmit(struct tcp_sock *tp, uint32_t mss_now, uint8_t nonagle, int push_one)
{
	struct stack *st = tp->sk.stack;
	struct xmit_run run = {.tp = tp, .mss = mss_now, .mode = nonagle, .push_one = push_one};
	struct skb *skb;
	bool needs_probe;

	if (unlikely(tp->mtu_probe_enabled) && push_one == PUSH_ALL) {
		enum mtu_probe_verdict v = tcp_mtu_probe(tp);

		if (v == MTU_PROBE_WAIT)
			return false;
		run.sent = v == MTU_PROBE_SENT;
	}
	stack_trace_ev(st, TR_TCP_WRITE_XMIT, TR_BEGIN, trace_obj(st, tp, NULL), mss_now,
		       (uint64_t)push_one, 0);
	while ((skb = tp->write_queue.first)) {
		enum xmit_verdict v = STOP_PACING;
		uint32_t limit;

		if (likely(!tcp_pacing_is_blocked(tp)))
			v = decide_record(&run, skb, &limit);
		if (v != SEND_RECORD) {
			note_stop(&run, v);
			break;
		}
		if (!send_record(&run, skb, limit))
			break;
	}
	needs_probe = finish_run(&run);
	stack_trace_ev(st, TR_TCP_WRITE_XMIT, TR_END, trace_obj(st, tp, NULL), mss_now,
		       (uint64_t)push_one, run.sent);
	return needs_probe;
}

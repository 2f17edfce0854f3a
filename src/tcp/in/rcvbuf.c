/* SPDX-License-Identifier: BSD-2-Clause */
/* The receive buffer: its limits, the window it allows, and how both grow (R36, R37, R39-R41, R46). */
/*
 * How it works
 *
 * A received packet is charged with its memory, not its payload; RATIO (256ths) says how much payload a
 * byte of buffer carries and is measured whenever the peer's segment size EMSS grows. SSTH bounds the
 * offered window and grows with well-packed segments; RCVBUF itself grows with what the program reads
 * per round trip (DRS). When the buffer is full, neighbours are copied together, then out-of-order data
 * is thrown away from its far end.
 */
#include <sys/socket.h>

#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "tcp/out/out.h"
#include "wire/seq.h"

#define EMSS_MIN 88u			/* R46.3 */
#define GROW_MIN_PAYLOAD 128u		/* bytes; smaller segments do not open the window (R39.1) */
#define INIT_SPACE_SEGS 10u		/* R37: DRS.space starts at 10 segments */
#define REMNANT_FLAGS (TCPH_FIN | TCPH_SYN | TCPH_URG | TCPH_PSH) /* the last piece of a message */

/* ---- charging ---- */

void tcp_rx_charge(struct tcp_sock *tp, struct skb *skb)
{
	skb_set_owner_r(skb, &tp->sk);
	tp->sk.forward_alloc -= (int32_t)skb->truesize;
}

void tcp_rx_free(struct tcp_sock *tp, struct skb *skb)
{
	uint32_t charge = skb->dtor == SKB_DTOR_SOCK_RFREE ? skb->truesize : 0;

	skb_free(tp->sk.stack, skb);
	if (charge)
		tcp_mem_uncharge_rx(tp, charge);
}

/* ---- EMSS (R46) ---- */

void tcp_initialize_rcv_mss(struct tcp_sock *tp)
{
	uint32_t v = min_u32(tp->advmss, tp->mss_cache);

	v = min_u32(min_u32(v, tp->rcv_wnd / 2), TCP_MSS_DEFAULT);
	tp->rcv_mss = (uint16_t)max_u32(v, EMSS_MIN);
}

/* R36.2: a larger segment size was seen: measure how well packets fill their memory. */
static void measure_ratio(struct tcp_sock *tp, const struct skb *skb)
{
	uint64_t ratio = skb->truesize ? (uint64_t)skb->len * 256 / skb->truesize : 0;
	uint8_t v = (uint8_t)(ratio < 1 ? 1 : ratio > 255 ? 255 : ratio);

	if (v == tp->scaling_ratio)
		return;
	tp->scaling_ratio = v;
	tp->window_clamp = tcp_win_from_space(tp, (uint32_t)tp->sk.rcvbuf);
	tp->rcvq_space = min_u32(tp->rcvq_space, tp->window_clamp);
}

static void measure_small(struct tcp_sock *tp, const struct skb *skb, uint32_t last_candidate)
{
	uint32_t whole = skb->len + TCP_HDR_LEN + tcp_cb(skb)->opt_len;

	if (whole >= TCP_MSS_DEFAULT + TCP_HDR_LEN ||
	    (whole >= EMSS_MIN + TCP_HDR_LEN && !(tcp_cb(skb)->flags & REMNANT_FLAGS))) {
		uint32_t size = whole > tp->tcp_header_len ? whole - tp->tcp_header_len : 0;

		tp->rcv_mss_candidate = (uint16_t)min_u32(size, UINT16_MAX);
		if (size && size == last_candidate) {
			tp->rcv_mss = (uint16_t)size;
			return;
		}
	}
	if (tp->ack_pending & TCP_ACK_PUSHED)
		tp->ack_pending |= TCP_ACK_PUSHED2;
	tp->ack_pending |= TCP_ACK_PUSHED;
}

void tcp_measure_rcv_mss(struct tcp_sock *tp, const struct skb *skb)
{
	uint32_t size = tcp_cb(skb)->pcount > 1 ? tcp_cb(skb)->gso_size : skb->len;
	uint32_t last_candidate = tp->rcv_mss_candidate;

	tp->rcv_mss_candidate = 0;
	if (size < tp->rcv_mss) {
		measure_small(tp, skb, last_candidate);
		return;
	}
	if (size != tp->rcv_mss)
		measure_ratio(tp, skb);
	tp->rcv_mss = (uint16_t)min_u32(size, tp->advmss);
	if (tcp_cb(skb)->flags & TCPH_PSH)
		tp->ack_pending |= TCP_ACK_PUSHED;
}

/* ---- SSTH (R39) ---- */

static void pressure_ssthresh(struct tcp_sock *tp)
{
	tp->rcv_ssthresh = min_u32(tp->rcv_ssthresh, 4u * tp->advmss);
}

/* R39.1: a badly packed segment opens the window only while the buffer could be that much worse. */
static uint32_t growth_of_sparse(const struct tcp_sock *tp, const struct skb *skb)
{
	uint32_t need = tcp_win_from_space(tp, skb->truesize) / 2;
	uint32_t limit = tcp_win_from_space(tp, (uint32_t)tp->sk.stack->sysctl.tcp_rmem[2]) / 2;

	while (tp->rcv_ssthresh <= limit) {
		if (need <= skb->len)
			return 2u * tp->rcv_mss;
		need /= 2;
		limit /= 2;
	}
	return 0;
}

void tcp_grow_window(struct tcp_sock *tp, const struct skb *skb)
{
	uint32_t room, incr, space;

	if (skb->len < GROW_MIN_PAYLOAD)
		return;
	if (tcp_under_memory_pressure(tp)) {
		pressure_ssthresh(tp);
		return;
	}
	space = min_u32(tp->window_clamp, tcp_space(tp));
	if (space <= tp->rcv_ssthresh)
		return;
	room = space - tp->rcv_ssthresh;
	incr = tcp_win_from_space(tp, skb->truesize) <= skb->len ? 2u * tp->advmss : growth_of_sparse(tp, skb);
	if (!incr)
		return;
	incr = max_u32(incr, 2 * skb->len);
	tp->rcv_ssthresh += min_u32(room, incr);
	tp->quick |= 1; /* the wider window is told at once */
}

/* ---- establishment (R37) ---- */

void tcp_init_buffer_space(struct tcp_sock *tp)
{
	uint32_t full, mss = tp->advmss;
	int64_t app_win = tp->sk.stack->sysctl.tcp_app_win;

	if (!(tp->sk.flags & SK_SNDBUF_LOCK))
		tcp_sndbuf_expand(tp);
	tp->rcvq_ns = tp->now_ns;
	tp->rcvq_seq = tp->copied_seq;
	full = tcp_full_space(tp);
	if (tp->window_clamp >= full) {
		tp->window_clamp = full;
		if (app_win && full > 4 * mss)
			tp->window_clamp = max_u32(full - (full >> app_win), 4 * mss);
	}
	/* Always keep one segment back for what the peer sends in excess. */
	if (app_win && tp->window_clamp > 2 * mss && tp->window_clamp + mss > full)
		tp->window_clamp = max_u32(2 * mss, full - mss);
	tp->rcv_ssthresh = min_u32(tp->rcv_ssthresh, tp->window_clamp);
	tp->rcvq_space = min_u32(min_u32(tp->rcv_ssthresh, tp->rcv_wnd), INIT_SPACE_SEGS * mss);
}

/* ---- receiver-side RTT and auto-tuning (R40) ---- */

/* @is_bound: the sample is a whole window's time and may only lower the estimate. */
static void rcv_rtt_update(struct tcp_sock *tp, uint32_t sample_us, bool is_bound)
{
	uint64_t sample8 = (uint64_t)sample_us * 8, cur = tp->rcv_rtt_us8;

	if (cur && sample8 >= cur) {
		if (is_bound || skb_peek(&tp->sk.receive_queue))
			return;
		sample8 = cur - cur / 8 + sample_us;
	}
	tp->rcv_rtt_us8 = (uint32_t)min_u64(sample8, UINT32_MAX);
}

void tcp_rcv_rtt_measure(struct tcp_sock *tp)
{
	if (tp->rcv_rtt_ns) {
		uint64_t us;

		if (seq_before(tp->rcv_nxt, tp->rcv_rtt_seq))
			return;
		us = (tp->now_ns - tp->rcv_rtt_ns) / NS_PER_US;
		rcv_rtt_update(tp, (uint32_t)max_u64(min_u64(us, UINT32_MAX), 1), true);
	}
	tp->rcv_rtt_seq = tp->rcv_nxt + tp->rcv_wnd;
	tp->rcv_rtt_ns = tp->now_ns;
}

void tcp_rcv_rtt_measure_ts(struct tcp_sock *tp, const struct skb *skb)
{
	uint32_t delta_ms;

	if (!tp->rx.saw_tstamp || tp->rx.rcv_tsecr == tp->rcv_rtt_last_tsecr)
		return;
	tp->rcv_rtt_last_tsecr = tp->rx.rcv_tsecr;
	if (tcp_cb(skb)->end_seq - tcp_cb(skb)->seq < tp->rcv_mss) /* seq-ok: a length against a length */
		return;
	delta_ms = tcp_time_stamp(tp, tp->now_ns) - tp->rx.rcv_tsecr;
	if (delta_ms < UINT32_MAX / 1000)
		rcv_rtt_update(tp, max_u32(delta_ms, 1) * 1000, false);
}

void tcp_rcvbuf_grow(struct tcp_sock *tp, uint32_t copied)
{
	struct sock *sk = &tp->sk;
	uint32_t old = tp->rcvq_space, space;
	uint64_t win = 2ull * copied, max = (uint64_t)sk->stack->sysctl.tcp_rmem[2];

	tp->rcvq_space = copied;
	if (!sk->stack->sysctl.tcp_moderate_rcvbuf || (sk->flags & SK_RCVBUF_LOCK))
		return;
	if (old && copied > old)
		win += 2 * (win * (copied - old) / old);
	if (tp->ofo_last && !tcp_ofo_is_empty(tp))
		win += tcp_cb(tp->ofo_last)->end_seq - tp->rcv_nxt;
	space = tcp_space_from_win(tp, (uint32_t)min_u64(win, INT32_MAX));
	space = (uint32_t)min_u64(space, max);
	if ((int64_t)space <= sk->rcvbuf)
		return;
	sk->rcvbuf = (int32_t)space;
	tp->window_clamp = tcp_win_from_space(tp, space);
}

void tcp_rcv_space_adjust(struct tcp_sock *tp)
{
	uint64_t rtt_ns = (uint64_t)(tp->rcv_rtt_us8 >> 3) * NS_PER_US;
	uint32_t copied;

	if (!tp->rcv_rtt_us8 || tp->now_ns - tp->rcvq_ns < rtt_ns)
		return;
	copied = tp->copied_seq - tp->rcvq_seq;
	copied -= min_u32(copied, tp->rcv_nxt - tp->copied_seq); /* what still waits was not needed (R40.4) */
	if (copied > tp->rcvq_space)
		tcp_rcvbuf_grow(tp, copied);
	tp->rcvq_seq = tp->copied_seq;
	tp->rcvq_ns = tp->now_ns;
}

/* ---- memory pressure (R41) ---- */

/* R39.3: the buffer's bound was hit. */
static void clamp_window(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	const struct sysctls *sy = &sk->stack->sysctl;

	tp->quick = 0;
	if (!(sk->flags & SK_RCVBUF_LOCK) && sk->rcvbuf < sy->tcp_rmem[2] && !tcp_under_memory_pressure(tp) &&
	    (int64_t)atomic_load(&sk->stack->tcp_memory_pages) < sy->tcp_mem[0])
		sk->rcvbuf = (int32_t)min_s64(sk->rmem_alloc, sy->tcp_rmem[2]);
	if (sk->rmem_alloc > sk->rcvbuf)
		tp->rcv_ssthresh = min_u32(tp->window_clamp, 2u * tp->advmss);
}

static bool fits(const struct tcp_sock *tp) { return tp->sk.rmem_alloc <= tp->sk.rcvbuf; }

/* R41.4-5: throw away from the far end, never what lies before @in. Return: something went. */
static bool prune_ofo(struct tcp_sock *tp, const struct skb *in)
{
	int64_t step = tp->sk.rcvbuf / 8, freed = 0;
	struct skb *s = tcp_ofo_entry(rb_last(&tp->ofo));
	bool did = false;

	while (s && !seq_after(tcp_cb(in)->seq, tcp_cb(s)->seq)) {
		struct skb *prev = tcp_ofo_entry(rb_prev(&s->rb));

		freed += s->truesize;
		tcp_ofo_unlink(tp, s);
		tcp_rx_free(tp, s);
		did = true;
		s = prev;
		if (freed < step)
			continue;
		if (fits(tp) && !tcp_under_memory_pressure(tp))
			break;
		freed = 0;
	}
	if (!did)
		return false;
	mib_inc(tp->sk.stack, TcpExtOfoPruned);
	tp->rx.num_sacks = 0; /* what is left is not reported again (R41) */
	return true;
}

static bool prune_queues(struct tcp_sock *tp, const struct skb *in)
{
	mib_inc(tp->sk.stack, TcpExtPruneCalled);
	if (!fits(tp))
		clamp_window(tp);
	else if (tcp_under_memory_pressure(tp))
		pressure_ssthresh(tp);
	if (fits(tp))
		return true;
	tcp_collapse_queues(tp);
	if (fits(tp))
		return true;
	prune_ofo(tp, in);
	if (fits(tp))
		return true;
	mib_inc(tp->sk.stack, TcpExtRcvPruned);
	return false;
}

bool tcp_try_rmem_schedule(struct tcp_sock *tp, struct skb *skb, uint32_t size)
{
	if (likely(fits(tp) && tcp_rmem_schedule(tp, size)))
		return true;
	if (!prune_queues(tp, skb))
		return false;
	while (!tcp_rmem_schedule(tp, size))
		if (!prune_ofo(tp, skb))
			return false;
	return true;
}

void tcp_ofo_purge(struct tcp_sock *tp)
{
	struct skb *s;

	while ((s = tcp_ofo_entry(rb_first(&tp->ofo)))) {
		tcp_ofo_unlink(tp, s);
		tcp_rx_free(tp, s);
	}
	tp->rx.num_sacks = 0;
}

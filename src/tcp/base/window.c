/* SPDX-License-Identifier: BSD-2-Clause */
/* The window we advertise: from receive memory to the 16-bit field (T51, R36-R38). */
/*
 * How it works: memory is counted with its overhead; scaling_ratio/256 of it is taken as payload.
 * The window follows free memory, grows at most to rcv_ssthresh, moves in units of the scale and
 * never takes back what was offered (unless tcp_shrink_window says so).
 */
#include "tcp/base/base.h"

#include "wire/seq.h"

#define WINDOW_FIELD_MAX 65535u

uint32_t tcp_win_from_space(const struct tcp_sock *tp, uint32_t space)
{
	return (uint32_t)(((uint64_t)space * tp->scaling_ratio) >> 8);
}

uint32_t tcp_space_from_win(const struct tcp_sock *tp, uint32_t win)
{
	return (uint32_t)min_u64(((uint64_t)win << 8) / max_u32(tp->scaling_ratio, 1), INT32_MAX);
}

uint32_t tcp_space(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->sk;
	int64_t left = (int64_t)sk->rcvbuf - atomic_load(&((struct sock *)sk)->rmem_alloc) -
		       atomic_load(&((struct sock *)sk)->backlog_truesize);

	return left > 0 ? tcp_win_from_space(tp, (uint32_t)left) : 0;
}

uint32_t tcp_full_space(const struct tcp_sock *tp)
{
	return tcp_win_from_space(tp, (uint32_t)tp->sk.rcvbuf);
}

/* Without scaling: keep the old value while it is near enough, else whole multiples of @unit. */
static uint32_t unscaled_window(const struct tcp_sock *tp, uint32_t free, uint32_t unit, uint32_t full)
{
	uint32_t window = tp->rcv_wnd;

	if (window > free || window + unit <= free)
		return free / unit * unit;
	if (unit == full && free > window + full / 2)
		return free;
	return window;
}

uint32_t tcp_compute_window(struct tcp_sock *tp)
{
	uint32_t free = tcp_space(tp), allowed = tcp_full_space(tp);
	uint32_t full = min_u32(tp->window_clamp, allowed);
	uint32_t unit = min_u32(tp->rcv_mss, full);
	uint32_t shift = tp->rx.rcv_wscale;

	if (!unit)
		return 0;
	if (free < full / 2) {
		tp->quick = 0;
		if (tcp_under_memory_pressure(tp))
			tp->rcv_ssthresh = min_u32(tp->rcv_ssthresh, 4u * tp->advmss);
		free = free >> shift << shift;
		if (free < allowed / 16 || free < unit)
			return 0;
	}
	free = min_u32(free, tp->rcv_ssthresh);
	if (shift)
		return (uint32_t)align_up_u64(free, 1ull << shift);
	return unscaled_window(tp, free, unit, full);
}

/* R38.4: what was offered stays offered. */
static uint32_t window_without_shrink(struct tcp_sock *tp, uint32_t want)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;
	uint32_t offered = tcp_receive_window(tp);

	if (want >= offered || (sy->tcp_shrink_window && tp->rx.rcv_wscale))
		return want;
	if (!want)
		mib_inc(tp->sk.stack, TcpExtTCPWantZeroWindowAdv);
	return (uint32_t)align_up_u64(offered, 1ull << tp->rx.rcv_wscale);
}

uint16_t tcp_select_window(struct tcp_sock *tp)
{
	uint32_t before = tp->rcv_wnd, shift = tp->rx.rcv_wscale, field;

	if (unlikely(tp->ack_pending & TCP_ACK_NOMEM))
		tp->rcv_wnd = 0;
	else
		tp->rcv_wnd = window_without_shrink(tp, tcp_compute_window(tp));
	tp->rcv_wup = tp->rcv_nxt;
	field = min_u32(tp->rcv_wnd, WINDOW_FIELD_MAX << shift) >> shift;
	if (unlikely(!field != !before))
		mib_inc(tp->sk.stack, field ? TcpExtTCPFromZeroWindowAdv : TcpExtTCPToZeroWindowAdv);
	return (uint16_t)field;
}

void tcp_select_initial_window(const struct stack *st, uint32_t space, uint32_t mss, bool wscale_ok,
			       uint32_t init_rcv_wnd_segs, uint32_t *window_clamp,
			       uint32_t *ret_rcv_wnd, uint8_t *ret_wscale)
{
	uint64_t scaled;
	uint8_t shift = 0;

	if (!*window_clamp)
		*window_clamp = WINDOW_FIELD_MAX << TCP_MAX_WSCALE;
	space = min_u32(space, *window_clamp);
	if (mss && space > mss)
		space = space / mss * mss;
	if (wscale_ok) {
		scaled = max_u64((uint64_t)st->sysctl.tcp_rmem[2], (uint64_t)st->sysctl.rmem_max);
		scaled = min_u64(max_u64(scaled, space), *window_clamp);
		while (shift < TCP_MAX_WSCALE && scaled >> (16 + shift))
			shift++;
	}
	if (init_rcv_wnd_segs)
		space = (uint32_t)min_u64(space, (uint64_t)init_rcv_wnd_segs * mss);
	*ret_rcv_wnd = space;
	*ret_wscale = shift;
	*window_clamp = min_u32(*window_clamp, WINDOW_FIELD_MAX << shift);
}

uint32_t tcp_acceptable_seq(const struct tcp_sock *tp)
{
	uint32_t end = tcp_wnd_end(tp);
	int32_t beyond = seq_diff(tp->snd_nxt, end);

	if (beyond <= 0 || (tp->rx.wscale_ok && beyond < (int32_t)(1u << tp->rx.rcv_wscale)))
		return tp->snd_nxt;
	return end;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Round-trip estimator, retransmission timeout and minimum round-trip time. */
/*
 * How it works
 *
 * RFC 6298 in integers: SRTT is kept times 8, the mean deviation times 4. RTTVAR is the largest deviation of
 * the present window (at least RTO-min); it rises at once and falls once per window. A deviation that comes
 * from a falling round trip moves the estimate an eighth as fast, so that the RTO does not jump up when the
 * path gets better. RTO = SRTT + RTTVAR in whole ticks, rounded up.
 * RFC 6298 (formulas), 7323 (several samples per window).
 */
#include "tcp/base/base.h"
#include "wire/seq.h"

#define RTT_EARLY_FALL_SHIFT 3 /* T74.5: falling round trips count an eighth */

uint32_t tcp_rto_min_us(const struct tcp_sock *tp)
{
	const struct dst *d = tp->sk.dst;

	if (d && d->metrics.is_rto_min_locked)
		return d->metrics.rto_min_us;
	return (uint32_t)(tp->rto_min_ns / NS_PER_US);
}

void tcp_init_rtt(struct tcp_sock *tp)
{
	tp->srtt8_us = 0;
	tp->mdev4_us = (uint32_t)(TCP_RTO_INIT_NS / NS_PER_US);
	tp->mdev_max4_us = tp->rttvar_us = 0;
	tp->rto_ns = TCP_RTO_INIT_NS;
	minmax_reset(&tp->rtt_min, 0, UINT32_MAX);
}

void tcp_rtt_fallback(struct tcp_sock *tp)
{
	tp->mdev4_us = tp->mdev_max4_us = tp->rttvar_us = (uint32_t)(TCP_RTO_FALLBACK_NS / NS_PER_US);
	tp->rto_ns = min_u64(TCP_RTO_FALLBACK_NS, tp->rto_max_ns);
}

static void first_sample(struct tcp_sock *tp, uint32_t rtt_us)
{
	tp->srtt8_us = rtt_us << 3;
	tp->mdev4_us = rtt_us << 1;
	tp->rttvar_us = max_u32(tp->mdev4_us, tcp_rto_min_us(tp));
	tp->mdev_max4_us = tp->rttvar_us;
	tp->rtt_seq = tp->snd_nxt;
}

/* The step of the deviation (times 4) for an error of @err us. */
static int32_t mdev_step(int32_t err, uint32_t mdev4)
{
	int32_t step = (err < 0 ? -err : err) - (int32_t)(mdev4 >> 2);

	if (err < 0 && step > 0)
		step >>= RTT_EARLY_FALL_SHIFT;
	return step;
}

void tcp_rtt_estimator(struct tcp_sock *tp, uint32_t rtt_us)
{
	int32_t err;

	rtt_us = min_u32(rtt_us, UINT32_MAX >> 4); /* 268 s: keeps SRTT times 8 in 31 bits */
	if (!tp->srtt8_us) {
		first_sample(tp, max_u32(rtt_us, 1));
		return;
	}
	err = (int32_t)rtt_us - (int32_t)(tp->srtt8_us >> 3);
	tp->srtt8_us = max_u32((uint32_t)((int32_t)tp->srtt8_us + err), 1);
	tp->mdev4_us = (uint32_t)((int32_t)tp->mdev4_us + mdev_step(err, tp->mdev4_us));
	tp->mdev_max4_us = max_u32(tp->mdev_max4_us, tp->mdev4_us);
	tp->rttvar_us = max_u32(tp->rttvar_us, tp->mdev_max4_us);
	if (seq_after(tp->snd_una, tp->rtt_seq)) {
		if (tp->mdev_max4_us < tp->rttvar_us)
			tp->rttvar_us -= (tp->rttvar_us - tp->mdev_max4_us) >> 2;
		tp->rtt_seq = tp->snd_nxt;
		tp->mdev_max4_us = tcp_rto_min_us(tp);
	}
}

void tcp_set_rto(struct tcp_sock *tp)
{
	uint64_t ns = ((uint64_t)(tp->srtt8_us >> 3) + tp->rttvar_us) * NS_PER_US;

	tp->rto_ns = min_u64(tcp_ns_to_ticks_up(tp, ns) * tcp_tick_ns(tp), tp->rto_max_ns);
}

uint32_t tcp_min_rtt_us(const struct tcp_sock *tp)
{
	return tp->rtt_min.s[0].v;
}

void tcp_update_rtt_min(struct tcp_sock *tp, uint32_t rtt_us)
{
	uint64_t win_ns = (uint64_t)tp->sk.stack->sysctl.tcp_min_rtt_wlen * NS_PER_S;

	if (!rtt_us) /* T74.3: an immeasurably short one counts as a tick */
		rtt_us = (uint32_t)(tcp_tick_ns(tp) / NS_PER_US);
	minmax_running_min(&tp->rtt_min, win_ns, tp->now_ns, rtt_us);
}

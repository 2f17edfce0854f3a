/* SPDX-License-Identifier: BSD-2-Clause */
/* CUBIC: the window follows a cubic of the time since the last reduction. */
/*
 * How it works
 *
 * After a reduction the window Wmax at which it happened is the curve's plateau: target(t) = origin -+ C|t-K|^3,
 * K being the time the curve needs to come back to Wmax. The target is turned into w, "one packet more per w
 * delivered". Time runs in 1/1024 s and is read in whole ticks; the curve is computed at most once per tick,
 * and not at all for HZ/32 ticks while the window stands still. A Reno estimate runs beside it and sets the pace
 * where the cubic is slower. Without a Wmax (before the first reduction, after a timeout) w is at most 20.
 * Slow start may end early: hystart.c. RFC 9438, rules C03; where they differ, C03.
 */
#include "tcp/cc/cubic_int.h"

#define BETA 717u /* of 1024: what a reduction leaves */
#define BETA_SCALE 1024u
#define C_SCALED 410u /* C = 0.4 packets/s^3, times 1024 */
#define CUBE_SHIFT 40 /* 1/1024 s cubed is 2^30, C's scale 2^10 */
#define K_FACTOR ((1ull << CUBE_SHIFT) / C_SCALED)
#define TIME_UNITS_PER_S 1024u
#define FRIENDLY_EIGHTHS \
	15u /* 8/3 (1024 + beta)/(1024 - beta), in eighths: packets per packet of Reno */
#define W_MAX_FIRST 20u /* while no Wmax is known */
#define W_MIN 2u        /* at most half a window more per round trip */

static_assert(sizeof(struct cubic) <= TCP_CONG_PRIV_BYTES, "cubic state fits the private area");

uint32_t cubic_root(uint64_t a)
{
	uint64_t root = 0;

	for (int bit = 21; bit >= 0; bit--) { /* the root of 2^64 has 22 bits */
		uint64_t x = root | 1ull << bit;

		if ((unsigned __int128)x * x * x <= a)
			root = x;
	}
	return (uint32_t)root;
}

static void forget(struct tcp_cong *c)
{
	struct cubic *q = c->priv;

	*q = (struct cubic){0};
	cubic_hystart_start_round(c, q);
}

static uint32_t cubic_ssthresh(struct tcp_cong *c)
{
	struct cubic *q = c->priv;
	uint64_t cwnd = *c->snd_cwnd;

	q->has_epoch = false;
	if (cwnd < q->wmax) /* fast convergence: leave room for a newcomer */
		q->wmax = (uint32_t)(cwnd * (BETA_SCALE + BETA) / (2 * BETA_SCALE));
	else
		q->wmax = (uint32_t)cwnd;
	return max_u32((uint32_t)(cwnd * BETA / BETA_SCALE), 2);
}

static void start_epoch(struct cubic *q, uint32_t cwnd, uint64_t tick, uint32_t acked)
{
	q->has_epoch = true;
	q->epoch_tick = tick;
	q->acked = acked;
	q->reno_cwnd = cwnd;
	if (q->wmax <= cwnd) {
		q->k = 0;
		q->origin = cwnd;
	} else {
		q->k = cubic_root(K_FACTOR * (q->wmax - cwnd));
		q->origin = q->wmax;
	}
}

/* Window the curve wants at @tick. */
static uint32_t curve_target(const struct tcp_cong *c, const struct cubic *q, uint64_t tick)
{
	uint64_t lead = div_up_u64((uint64_t)q->delay_min_us * NS_PER_US, c->tick_ns);
	uint64_t t = (tick - q->epoch_tick + lead) * TIME_UNITS_PER_S / c->hz;
	uint64_t off = t < q->k ? q->k - t : t - q->k;
	unsigned __int128 cube;
	uint32_t delta;

	off = min_u64(off, 1u << 24); /* 4.5 hours: C times its cube stays below 2^81 */
	cube = ((unsigned __int128)off * off * off * C_SCALED) >> CUBE_SHIFT;
	delta = cube > INT32_MAX ? INT32_MAX : (uint32_t)cube;
	if (t < q->k)
		return q->origin - min_u32(delta, q->origin);
	return q->origin + delta;
}

static uint32_t curve_w(const struct tcp_cong *c, const struct cubic *q, uint32_t cwnd, uint64_t tick)
{
	uint32_t target = curve_target(c, q, tick);
	uint32_t w = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;

	return q->wmax ? w : min_u32(w, W_MAX_FIRST);
}

/* Reno beside it: one packet per 15/8 of the window. */
static uint32_t friendly_w(struct cubic *q, uint32_t cwnd)
{
	uint32_t per = max_u32((uint32_t)((uint64_t)FRIENDLY_EIGHTHS * cwnd / 8), 1);

	if (q->acked > per) {
		uint32_t n = (q->acked - 1) / per;

		q->acked -= n * per;
		q->reno_cwnd += n;
	}
	return q->reno_cwnd > cwnd ? min_u32(q->w, cwnd / (q->reno_cwnd - cwnd)) : q->w;
}

static void update_w(struct tcp_cong *c, struct cubic *q, uint32_t acked)
{
	uint32_t cwnd = *c->snd_cwnd;
	uint64_t tick = c->now_ns / c->tick_ns;

	q->acked += acked;
	if (cwnd == q->last_cwnd && tick - q->last_tick <= c->hz / 32)
		return;
	if (!q->has_epoch || tick != q->last_tick) {
		q->last_cwnd = cwnd;
		q->last_tick = tick;
		if (!q->has_epoch)
			start_epoch(q, cwnd, tick, acked);
		q->w = curve_w(c, q, cwnd, tick);
	}
	q->w = max_u32(friendly_w(q, cwnd), W_MIN);
}

static void cubic_cong_avoid(struct tcp_cong *c, uint32_t ack, uint32_t acked)
{
	struct cubic *q = c->priv;

	(void)ack;
	if (!c->is_cwnd_limited)
		return;
	if (*c->snd_cwnd < *c->snd_ssthresh) {
		acked = tcp_slow_start(c, acked);
		if (!acked)
			return;
	}
	update_w(c, q, acked);
	tcp_cong_avoid_ai(c, max_u32(q->w, W_MIN), acked);
}

static void cubic_set_state(struct tcp_cong *c, enum tcp_ca_state fresh)
{
	if (fresh == TCP_CA_Loss)
		forget(c);
}

/* C03.7: the curve does not grow while nothing is sent. */
static void cubic_cwnd_event(struct tcp_cong *c, enum cong_event ev)
{
	struct cubic *q = c->priv;
	uint64_t tick = c->now_ns / c->tick_ns, last = c->lsndtime_ns / c->tick_ns;

	if (ev == CONG_EV_TX_START && q->has_epoch && tick > last)
		q->epoch_tick = min_u64(q->epoch_tick + (tick - last), tick);
}

static void cubic_pkts_acked(struct tcp_cong *c, const struct cong_ack *sample)
{
	struct cubic *q = c->priv;
	uint32_t rtt_us;

	if (sample->rtt_us < 0)
		return;
	if (q->has_epoch && c->now_ns / c->tick_ns - q->epoch_tick < c->hz)
		return; /* C03.8: the queue of the loss is still draining */
	rtt_us = max_u32((uint32_t)sample->rtt_us, 1);
	if (!q->delay_min_us || rtt_us < q->delay_min_us)
		q->delay_min_us = rtt_us;
	if (!q->has_found && *c->snd_cwnd < *c->snd_ssthresh)
		cubic_hystart_sample(c, q, rtt_us);
}

const struct cong_ops cubic_cong_ops = {
	.name = "cubic",
	.priv_bytes = sizeof(struct cubic),
	.is_non_restricted = true,
	.init = forget,
	.ssthresh = cubic_ssthresh,
	.cong_avoid = cubic_cong_avoid,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.set_state = cubic_set_state,
	.cwnd_event = cubic_cwnd_event,
	.pkts_acked = cubic_pkts_acked,
	.sndbuf_factor = 2,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* NewReno, and the window arithmetic that modules share. */
/*
 * How it works
 *
 * Slow start adds every delivered packet up to ssthresh; what is left of the ACK goes on to additive increase.
 * Additive increase counts packets and adds one to the window per @w of them; the counter is cleared by whoever
 * starts a reduction. Nothing grows while the window is not what limits the sender.
 * RFC 5681 section 3.1, RFC 7661 (validation is elsewhere), rule C02.
 */
#include "tcp/cc/cong.h"

uint32_t tcp_slow_start(struct tcp_cong *c, uint32_t acked)
{
	uint32_t old = *c->snd_cwnd;
	uint64_t sum = (uint64_t)old + acked;
	uint32_t fresh = (uint32_t)min_u64(sum, *c->snd_ssthresh);

	*c->snd_cwnd = min_u32(fresh, c->snd_cwnd_clamp);
	return acked - (fresh - old);
}

void tcp_cong_avoid_ai(struct tcp_cong *c, uint32_t w, uint32_t acked)
{
	uint32_t steps;

	if (*c->snd_cwnd_cnt >= w) { /* w shrank since the packets were counted */
		*c->snd_cwnd_cnt = 0;
		*c->snd_cwnd += 1;
	}
	*c->snd_cwnd_cnt += acked;
	if (*c->snd_cwnd_cnt >= w) {
		steps = *c->snd_cwnd_cnt / w;
		*c->snd_cwnd_cnt -= steps * w;
		*c->snd_cwnd += steps;
	}
	*c->snd_cwnd = min_u32(*c->snd_cwnd, c->snd_cwnd_clamp);
}

uint32_t tcp_reno_undo_cwnd(struct tcp_cong *c)
{
	return max_u32(*c->snd_cwnd, c->prior_cwnd);
}

static uint32_t reno_ssthresh(struct tcp_cong *c)
{
	return max_u32(*c->snd_cwnd / 2, 2);
}

static void reno_cong_avoid(struct tcp_cong *c, uint32_t ack, uint32_t acked)
{
	(void)ack;
	if (!c->is_cwnd_limited)
		return;
	if (*c->snd_cwnd < *c->snd_ssthresh) {
		acked = tcp_slow_start(c, acked);
		if (!acked)
			return;
	}
	tcp_cong_avoid_ai(c, *c->snd_cwnd, acked);
}

const struct cong_ops reno_cong_ops = {
	.name = "reno",
	.is_non_restricted = true,
	.ssthresh = reno_ssthresh,
	.cong_avoid = reno_cong_avoid,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.sndbuf_factor = 2,
};

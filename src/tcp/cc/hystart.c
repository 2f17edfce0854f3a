/* SPDX-License-Identifier: BSD-2-Clause */
/* HyStart: leave slow start before the queue overflows. */
/*
 * How it works
 *
 * Two signs, each looked at once per delivering ACK of a window of at least 16: the ACKs of a round come as one
 * train that lasts longer than the path is (train), or the shortest round trip of a round is clearly longer than
 * the shortest ever (delay; judged from the ninth sample on). Either sets ssthresh to the present window, so
 * that the rest of this very ACK goes to congestion avoidance.
 * Ha, Rhee: "Taming the elephants" (2011); rules C04.
 */
#include "tcp/cc/cubic_int.h"

#include "wire/seq.h"

#define LOW_WINDOW 16u           /* packets */
#define ACK_DELTA_US 2000u       /* ACKs closer than this belong to one train */
#define TRAIN_SLACK_MAX_US 1000u /* for the sender's own bursts */
#define MIN_SAMPLES 8u
#define DELAY_MIN_US 4000u
#define DELAY_MAX_US 16000u

void cubic_hystart_start_round(struct tcp_cong *c, struct cubic *q)
{
	q->round_start_us = q->last_close_us = c->now_ns / NS_PER_US;
	q->round_end_seq = c->snd_nxt;
	q->round_min_us = UINT32_MAX;
	q->num_samples = 0;
}

static void found(struct tcp_cong *c, struct cubic *q, enum mib_id detect, enum mib_id cwnd)
{
	q->has_found = true;
	mib_inc(c->stack, detect);
	mib_add(c->stack, cwnd, *c->snd_cwnd);
	*c->snd_ssthresh = *c->snd_cwnd;
}

static uint32_t train_limit_us(const struct tcp_cong *c, const struct cubic *q)
{
	uint64_t burst_us = 0, limit;

	if (c->pacing_Bps)
		burst_us = 4ull * c->gso_max_size * 1000000u / c->pacing_Bps;
	limit = q->delay_min_us + min_u64(burst_us, TRAIN_SLACK_MAX_US);
	return (uint32_t)(c->is_paced ? limit : limit / 2);
}

static void look_at_train(struct tcp_cong *c, struct cubic *q)
{
	uint64_t now_us = c->now_ns / NS_PER_US;

	if (now_us - q->last_close_us > ACK_DELTA_US)
		return;
	q->last_close_us = now_us;
	if (now_us - q->round_start_us > train_limit_us(c, q))
		found(c, q, TcpExtTCPHystartTrainDetect, TcpExtTCPHystartTrainCwnd);
}

static void look_at_delay(struct tcp_cong *c, struct cubic *q, uint32_t rtt_us)
{
	uint32_t margin = min_u32(max_u32(q->delay_min_us / 8, DELAY_MIN_US), DELAY_MAX_US);

	q->round_min_us = min_u32(q->round_min_us, rtt_us);
	if (q->num_samples < MIN_SAMPLES)
		q->num_samples++;
	else if (q->round_min_us > q->delay_min_us + margin)
		found(c, q, TcpExtTCPHystartDelayDetect, TcpExtTCPHystartDelayCwnd);
}

void cubic_hystart_sample(struct tcp_cong *c, struct cubic *q, uint32_t rtt_us)
{
	if (seq_after(c->snd_una, q->round_end_seq))
		cubic_hystart_start_round(c, q);
	if (*c->snd_cwnd < LOW_WINDOW)
		return;
	look_at_train(c, q);
	look_at_delay(c, q, rtt_us);
}

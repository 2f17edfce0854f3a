/* SPDX-License-Identifier: BSD-2-Clause */
/* The line of one direction of a wire: when a frame arrives, and whether, and how. */
/*
 * How it works
 *
 * A frame starts when the one before has left, takes bytes * 8 / rate, then travels delay plus jitter.
 * Everything is arithmetic on the time of the hand-over: nothing here waits. Loss strikes behind the
 * transmitter, so a lost frame still takes its time on the line.
 */
#include "dev/wire_int.h"

#define PPM 1000000u

static bool strikes(struct rng *rng, uint32_t ppm)
{
	return ppm && rng_below(rng, PPM) < ppm;
}

/* Uniform in [0, max_ns]; jitter beyond 4 s is cut to what one draw covers. */
static uint64_t draw_jitter(struct rng *rng, uint64_t max_ns)
{
	return max_ns ? rng_below(rng, (uint32_t)min_u64(max_ns, UINT32_MAX - 1) + 1) : 0;
}

/* Return: ns at which the last bit leaves. */
static uint64_t transmit(struct wire_line *ln, uint32_t bytes, uint64_t start_ns)
{
	uint64_t bits_ns;

	if (!ln->im.rate_bps)
		return start_ns;
	if (start_ns > ln->busy_until_ns)
		ln->rate_rem = 0;
	bits_ns = (uint64_t)bytes * 8 * NS_PER_S + ln->rate_rem;
	ln->rate_rem = bits_ns % ln->im.rate_bps;
	ln->busy_until_ns = start_ns + bits_ns / ln->im.rate_bps;
	return ln->busy_until_ns;
}

void wire_line_decide(struct wire_line *ln, struct rng *rng, uint32_t bytes, uint64_t now_ns,
		      struct wire_fate *ret)
{
	const struct wire_impair *im = &ln->im;

	ret->is_lost = strikes(rng, im->loss_ppm);
	ret->is_corrupt = strikes(rng, im->corrupt_ppm);
	ret->is_duplicate = strikes(rng, im->duplicate_ppm);
	ret->start_ns = max_u64(now_ns, ln->busy_until_ns);
	ret->deliver_ns =
		transmit(ln, bytes, ret->start_ns) + im->delay_ns + draw_jitter(rng, im->jitter_ns);
	if (strikes(rng, im->reorder_ppm)) {
		ret->deliver_ns += im->reorder_ns;
		return;
	}
	ret->deliver_ns = max_u64(ret->deliver_ns, ln->last_ns);
	ln->last_ns = ret->deliver_ns;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The tests of the transmission engine: both windows, Nagle, deferral, split point. */
/*
 * How it works: no state, no side effects; tests/unit/tcp/test_decide.c holds one table per
 * function. The engine (write_xmit.c) asks in the order of T35.R2 and acts.
 */
#include "tcp/out/decide.h"

#include "tcp/base/tcp_sock.h"
#include "wire/seq.h"

#define DEFER_IDLE_NS NS_PER_MS    /* T44.2 */
#define DEFER_ACK_FAR_NS NS_PER_MS /* T44.7 */
#define DEFER_FIXED_SEGS 3u        /* T44.5 with divisor 0 */
#define URG_POINTER_SPAN 0x10000u  /* T53: a 16-bit pointer reaches less than this */

uint32_t decide_cwnd_quota(uint32_t in_flight, uint32_t cwnd)
{
	if (in_flight >= cwnd)
		return 0;
	return min_u32(max_u32(cwnd / 2, 1), cwnd - in_flight);
}

bool decide_fits_window(uint32_t seq, uint32_t end_seq, uint32_t len, uint32_t mss, uint32_t wnd_end)
{
	return !seq_after(len > mss ? seq + mss : end_seq, wnd_end);
}

/* An earlier segment below the MSS is on its way (Minshall). */
static bool small_segment_is_out(const struct decide_nagle *n)
{
	return seq_after(n->snd_sml, n->snd_una) && !seq_after(n->snd_sml, n->snd_nxt);
}

bool decide_nagle_holds(const struct decide_nagle *n, bool is_partial)
{
	if (!is_partial)
		return false;
	if (n->mode & TCP_NAGLE_CORK)
		return true;
	return !n->mode && n->packets_out && small_segment_is_out(n);
}

/* T44.7: the oldest record's acknowledgement is more than half an RTT, or 1 ms, away. */
static bool next_ack_is_far(const struct decide_defer *d)
{
	uint64_t srtt_ns = d->srtt8_us * (NS_PER_US / 8);
	int64_t wait_ns = (int64_t)(d->head_sent_ns + srtt_ns - d->now_ns);

	return wait_ns > (int64_t)min_u64(srtt_ns / 2, DEFER_ACK_FAR_NS);
}

enum defer_verdict decide_defer(const struct decide_defer *d)
{
	uint64_t cwnd_room = (uint64_t)(d->cwnd - d->in_flight) * d->mss;
	uint64_t room = min_u64(d->wnd_room, cwnd_room), chunk;

	if (d->is_recovering)
		return DEFER_NO;
	if ((int64_t)(d->now_ns - d->wstamp_ns) > (int64_t)DEFER_IDLE_NS)
		return DEFER_NO;
	if (room >= (uint64_t)d->max_segs * d->mss || (!d->is_last && room >= d->len))
		return DEFER_NO;
	if (d->win_divisor) {
		chunk = min_u64(d->snd_wnd, (uint64_t)d->cwnd * d->mss) / d->win_divisor;
		if (room >= chunk)
			return DEFER_NO;
	} else if (room > DEFER_FIXED_SEGS * (uint64_t)d->mss) {
		return DEFER_NO;
	}
	if (!d->has_rtx || next_ack_is_far(d))
		return DEFER_NO;
	if (cwnd_room < d->wnd_room) {
		if (cwnd_room <= d->len)
			return DEFER_CWND_LIMITED;
	} else if (d->wnd_room <= d->len) {
		return DEFER_RWND_LIMITED;
	}
	return d->has_end_mark ? DEFER_NO : DEFER_WAIT;
}

uint32_t decide_split_point(uint32_t len, uint32_t window, uint32_t mss, uint32_t quota,
			    bool is_last, const struct decide_nagle *nagle)
{
	uint64_t cap = (uint64_t)mss * quota;
	uint32_t needed, partial;

	if (cap <= window && !is_last)
		return (uint32_t)cap;
	needed = min_u32(len, window);
	if (cap <= needed)
		return (uint32_t)cap;
	partial = needed % mss;
	return partial && decide_nagle_holds(nagle, true) ? needed - partial : needed;
}

bool decide_urgent(uint32_t seq, uint32_t snd_up, uint32_t snd_nxt, uint16_t *ret_ptr)
{
	if (!seq_before(seq, snd_up))
		return false;
	if (seq_before(snd_up, seq + URG_POINTER_SPAN)) {
		*ret_ptr = (uint16_t)(snd_up - seq);
		return true;
	}
	if (!seq_after(seq + (URG_POINTER_SPAN - 1), snd_nxt))
		return false;
	*ret_ptr = URG_POINTER_SPAN - 1;
	return true;
}

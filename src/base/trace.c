/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace rings: any thread of any process writes, any reads, nobody waits. */
/*
 * How it works: a writer draws a record number n, stores the record into slot n word by word, and
 * beside it a sum over n and the words. A reader copies words and sum and takes the record only if
 * the sum is right for the number it asked for. Older, newer, half-written and mixed records (a
 * writer that slept for a whole lap, or was killed) all fail that test alike; no state to repair.
 */
#include "base/trace.h"

#include <errno.h>
#include <string.h>

#include "base/proc.h"

#define REC_WORDS (sizeof(struct trace_rec) / sizeof(uint64_t))

static_assert(sizeof(struct trace_rec) == 48, "record size is part of the trace file format");

int trace_ring_init(struct trace_ring *r, struct arena *a, uint32_t num_recs)
{
	size_t rec_bytes = (size_t)num_recs * sizeof(r->recs[0]);
	size_t sum_bytes = (size_t)num_recs * sizeof(r->sums[0]);

	if (!num_recs || (num_recs & (num_recs - 1)))
		return -EINVAL;
	memset(r, 0, sizeof(*r));
	r->recs = arena_alloc(a, rec_bytes);
	if (!r->recs)
		return -ENOMEM;
	r->sums = arena_alloc(a, sum_bytes);
	if (!r->sums) {
		arena_free_sized(a, r->recs, rec_bytes);
		r->recs = NULL;
		return -ENOMEM;
	}
	r->mask = num_recs - 1;
	return 0;
}

/* Each step maps different words to different sums; an empty slot (all zero) is no one's. */
static uint64_t sum_of(uint64_t n, const uint64_t w[REC_WORDS])
{
	uint64_t h = n ^ 0x6a09e667f3bcc908ull; /* any number */

	for (unsigned i = 0; i < REC_WORDS; i++) {
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return h;
}

void trace_emit(struct trace_ring *r, uint64_t ns, uint16_t id, uint8_t phase, uint64_t obj,
		uint64_t a, uint64_t b, uint64_t c)
{
	struct trace_rec rec = {.ns = ns,
				.obj = obj,
				.a = a,
				.b = b,
				.c = c,
				.tid = proc_tid(),
				.id = id,
				.phase = phase,
				.stack = r->stack};
	uint64_t n = atomic_fetch_add_explicit(&r->head, 1, memory_order_relaxed);
	uint64_t *slot = (uint64_t *)&r->recs[n & r->mask];
	uint64_t w[REC_WORDS];

	if (r->keeps_first && n > r->mask) {
		atomic_store_explicit(&r->is_on, 0, memory_order_relaxed);
		return;
	}
	memcpy(w, &rec, sizeof(w));
	for (unsigned i = 0; i < REC_WORDS; i++)
		__atomic_store_n(&slot[i], w[i], __ATOMIC_RELAXED);
	atomic_store_explicit(&r->sums[n & r->mask], sum_of(n, w), memory_order_release);
}

bool trace_read(const struct trace_ring *r, uint64_t n, struct trace_rec *ret)
{
	const uint64_t *slot = (const uint64_t *)&r->recs[n & r->mask];
	uint64_t sum = atomic_load_explicit(&r->sums[n & r->mask], memory_order_acquire);
	uint64_t w[REC_WORDS];

	for (unsigned i = 0; i < REC_WORDS; i++)
		w[i] = __atomic_load_n(&slot[i], __ATOMIC_RELAXED);
	if (sum_of(n, w) != sum)
		return false;
	memcpy(ret, w, sizeof(w));
	return true;
}

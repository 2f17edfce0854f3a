/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace rings: fixed-size records at the stage boundaries; off: one predictable branch. */
#ifndef NARU_BASE_TRACE_H
#define NARU_BASE_TRACE_H

#include <stdatomic.h>

#include "base/arena.h"

/* One record: 48 bytes. Meaning of a, b, c by id (core/trace.def). */
struct trace_rec {
	uint64_t ns;
	uint64_t obj;	/* connection or packet it concerns: low 32 bits sock index, high 32 skb index */
	uint64_t a, b, c;
	uint32_t tid;
	uint16_t id;
	uint8_t phase;	/* 'B' begin, 'E' end, 'I' instant */
	uint8_t stack;
};

struct trace_ring {
	_Atomic uint32_t is_on;
	uint32_t mask;		  /* records - 1 */
	_Atomic uint64_t head;	  /* next record number ever */
	struct trace_rec *recs;	  /* in the arena */
	_Atomic uint64_t *sums;	  /* per slot: over record number and contents */
	uint8_t stack;		  /* copied into each record */
	bool keeps_first;	  /* full: switch off instead of overwriting the oldest */
};

/** trace_ring_init() - @num_recs a power of two. */
int trace_ring_init(struct trace_ring *r, struct arena *a, uint32_t num_recs) MUST_CHECK;
void trace_emit(struct trace_ring *r, uint64_t ns, uint16_t id, uint8_t phase, uint64_t obj, uint64_t a, uint64_t b, uint64_t c);
static inline bool trace_is_on(const struct trace_ring *r)
{
	return unlikely(atomic_load_explicit(&((struct trace_ring *)r)->is_on, memory_order_relaxed));
}
/** trace_read() - copy record number @n. Return: false when overwritten or not yet whole. */
bool trace_read(const struct trace_ring *r, uint64_t n, struct trace_rec *ret);

#endif

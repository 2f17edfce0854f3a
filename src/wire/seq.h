/* SPDX-License-Identifier: BSD-2-Clause */
/* Comparison of 32-bit sequence numbers modulo 2^32 (RFC 9293 section 3.4). */
#ifndef NARU_WIRE_SEQ_H
#define NARU_WIRE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

/* Distance a - b; negative when a lies before b. Distances of 2^31 count as "before" both ways. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool seq_before(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0;
}

static inline bool seq_after(uint32_t a, uint32_t b)
{
	return seq_diff(b, a) < 0;
}

static inline bool seq_before_eq(uint32_t a, uint32_t b)
{
	return seq_diff(b, a) >= 0;
}

static inline bool seq_after_eq(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) >= 0;
}

/* lo <= a <= hi on the circle, both ends included. */
static inline bool seq_between(uint32_t a, uint32_t lo, uint32_t hi)
{
	return hi - lo >= a - lo;
}

static inline uint32_t seq_max(uint32_t a, uint32_t b)
{
	return seq_after(a, b) ? a : b;
}

static inline uint32_t seq_min(uint32_t a, uint32_t b)
{
	return seq_before(a, b) ? a : b;
}

#endif

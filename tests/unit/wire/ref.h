/* SPDX-License-Identifier: BSD-2-Clause */
/* Reference checksum for the tests: byte by byte, straight from the text of RFC 1071. */
#ifndef NARU_TESTS_UNIT_WIRE_REF_H
#define NARU_TESTS_UNIT_WIRE_REF_H

#include <stddef.h>
#include <stdint.h>

/* Folded sum in network order, not complemented. */
static inline uint16_t ref_sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint64_t s = start;

	for (size_t i = 0; i < len; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

#endif

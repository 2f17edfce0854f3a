/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksum (RFC 1071): partial sums, folding, pseudo headers. */
#ifndef NARU_WIRE_CSUM_H
#define NARU_WIRE_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/ipaddr.h"

/*
 * Byte order. Every sum here adds the 16-bit words as this machine loads them from memory, so a
 * folded result is correct when it is *stored* with memcpy (or into a header's be16 field) without
 * any swap: h->csum = csum_fold(sum). Never pass a result through cpu_to_be16(). To add a number
 * by hand, add its wire image: csum_add(sum, cpu_to_be16(v)).
 */

/* a + b with end-around carry. */
static inline uint32_t csum_add(uint32_t a, uint32_t b)
{
	uint32_t s = a + b;

	return s + (s < a);
}

/* Remove an earlier contribution from a sum. */
static inline uint32_t csum_sub(uint32_t a, uint32_t b)
{
	return csum_add(a, ~b);
}

/* Join @sum2 of a block that starts @offset bytes after the start of the data behind @sum. */
static inline uint32_t csum_block_add(uint32_t sum, uint32_t sum2, size_t offset)
{
	if (offset & 1)
		sum2 = (sum2 >> 8) | (sum2 << 24);
	return csum_add(sum, sum2);
}

/* 16-bit sum, not complemented: what a device with NEEDS_CSUM expects in the checksum field. */
static inline uint16_t csum_fold_partial(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* The checksum, ready to store. Over data that contains a right checksum the result is 0. */
static inline uint16_t csum_fold(uint32_t sum)
{
	return (uint16_t)~csum_fold_partial(sum);
}

/* As csum_fold(), but 0 becomes 0xffff: UDP, where 0 means "no checksum" (RFC 768). */
static inline uint16_t csum_fold_udp(uint32_t sum)
{
	uint16_t c = csum_fold(sum);

	return c ? c : 0xffff;
}

/**
 * csum_replace16() - new stored checksum after one 16-bit field changed (RFC 1624 equation 3)
 * @check, @from, @to: all as stored in the packet
 */
static inline uint16_t csum_replace16(uint16_t check, uint16_t from, uint16_t to)
{
	return csum_fold(csum_add(csum_add((uint16_t)~check, (uint16_t)~from), to));
}

/**
 * csum_partial() - add the bytes at @p to a running sum
 * @p:    any alignment
 * @len:  bytes, any number; an odd last byte counts as if a 0 byte followed
 * @sum:  0 or an earlier sum over an even number of bytes (odd: use csum_block_add())
 *
 * Return: 32-bit one's complement sum, see "Byte order" above
 */
uint32_t csum_partial(const void *p, size_t len, uint32_t sum);

/**
 * csum_and_copy() - copy @len bytes and return their csum_partial()
 *
 * @dst and @src may have any alignment but must not overlap. The bytes summed are the bytes
 * written, also when another thread changes @src meanwhile.
 */
uint32_t csum_and_copy(void *dst, const void *src, size_t len, uint32_t sum);

/**
 * csum_pseudo() - sum of the TCP/UDP/ICMPv6 pseudo header
 * @src, @dst: the IPv4 form (RFC 793) is used if @dst is v4-mapped, else the IPv6 form
 *             (RFC 8200 section 8.1)
 * @len:       bytes of transport header and payload
 */
static inline uint32_t csum_pseudo(const struct ipaddr *src, const struct ipaddr *dst,
				   uint8_t proto, uint32_t len)
{
	uint64_t s = (uint64_t)cpu_to_be32(len) + cpu_to_be32(proto);

	s += (uint64_t)src->w[3] + dst->w[3];
	if (!ipaddr_is_v4(dst)) {
		s += (uint64_t)src->w[0] + src->w[1] + src->w[2];
		s += (uint64_t)dst->w[0] + dst->w[1] + dst->w[2];
	}
	s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)((s & 0xffffffff) + (s >> 32));
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian loads and stores at any alignment. */
#ifndef NARU_WIRE_BE_H
#define NARU_WIRE_BE_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define BE_SWAP16(x) __builtin_bswap16(x)
#define BE_SWAP32(x) __builtin_bswap32(x)
#define BE_SWAP64(x) __builtin_bswap64(x)
#else
#define BE_SWAP16(x) ((uint16_t)(x))
#define BE_SWAP32(x) ((uint32_t)(x))
#define BE_SWAP64(x) ((uint64_t)(x))
#endif

/* Value conversions: the same operation both ways; the name says which side the value is on. */
static inline uint16_t cpu_to_be16(uint16_t v)
{
	return BE_SWAP16(v);
}

static inline uint32_t cpu_to_be32(uint32_t v)
{
	return BE_SWAP32(v);
}

static inline uint64_t cpu_to_be64(uint64_t v)
{
	return BE_SWAP64(v);
}

static inline uint16_t be16_to_cpu(uint16_t v)
{
	return BE_SWAP16(v);
}

static inline uint32_t be32_to_cpu(uint32_t v)
{
	return BE_SWAP32(v);
}

static inline uint64_t be64_to_cpu(uint64_t v)
{
	return BE_SWAP64(v);
}

/* get_beN(p): the big-endian number in the N/8 bytes at p, in host order. */
static inline uint16_t get_be16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return BE_SWAP16(v);
}

static inline uint32_t get_be32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return BE_SWAP32(v);
}

static inline uint64_t get_be64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return BE_SWAP64(v);
}

/* put_beN(p, v): write host-order v as N/8 big-endian bytes at p. */
static inline void put_be16(void *p, uint16_t v)
{
	v = BE_SWAP16(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_be32(void *p, uint32_t v)
{
	v = BE_SWAP32(v);
	memcpy(p, &v, sizeof(v));
}

static inline void put_be64(void *p, uint64_t v)
{
	v = BE_SWAP64(v);
	memcpy(p, &v, sizeof(v));
}

#endif

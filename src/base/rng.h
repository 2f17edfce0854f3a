/* SPDX-License-Identifier: BSD-2-Clause */
/* Randomness seam: seeded generator and keyed hash (libsodium). */
#ifndef NARU_BASE_RNG_H
#define NARU_BASE_RNG_H

#include "base/cc.h"

struct rng {
	uint8_t seed[32];
	uint64_t block;	    /* next block number of the stream */
	uint8_t buf[256];
	uint32_t used;
};

struct siphash_key {
	uint8_t k[16];
};

/** rng_seed() - deterministic stream from @seed. */
void rng_seed(struct rng *r, uint64_t seed);
/** rng_seed_system() - seed from the system's generator (live stacks). */
void rng_seed_system(struct rng *r);
uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
/** rng_below() - uniform in [0, n), n >= 1. */
uint32_t rng_below(struct rng *r, uint32_t n);
void rng_bytes(struct rng *r, void *out, size_t len);
/** siphash() - SipHash-2-4 (libsodium crypto_shorthash). */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t len);
/** hash_mix() - fast unkeyed mix for tables whose keys are already keyed-hashed or local. */
static inline uint32_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0x9e3779b97f4a7c15ull;
	return (uint32_t)(x >> 32);
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers (ChaCha20 stream of a seed) and the keyed table hash (SipHash-2-4). */
/*
 * How it works: the seed is the key of ChaCha20 with a zero nonce; the key stream, read in 256-byte
 * pieces, is the random stream. Same seed, same stream, on every machine. The caller serialises.
 */
#include "base/rng.h"

#include <sodium.h>
#include <string.h>

#define CHACHA_BLOCK_BYTES 64u

static_assert(sizeof(((struct rng *)0)->seed) == crypto_stream_chacha20_KEYBYTES, "key");
static_assert(sizeof(struct siphash_key) == crypto_shorthash_KEYBYTES, "key");
static_assert(crypto_shorthash_BYTES == 8, "one word");

static void start_stream(struct rng *r)
{
	BUG_ON(sodium_init() < 0); /* idempotent; picks the fast implementation */
	r->block = 0;
	r->used = sizeof(r->buf);
}

void rng_seed(struct rng *r, uint64_t seed)
{
	memset(r->seed, 0, sizeof(r->seed));
	for (unsigned i = 0; i < sizeof(seed); i++)
		r->seed[i] = (uint8_t)(seed >> (8 * i));
	start_stream(r);
}

void rng_seed_system(struct rng *r)
{
	start_stream(r);
	randombytes_buf(r->seed, sizeof(r->seed));
}

static void refill(struct rng *r)
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];

	memset(r->buf, 0, sizeof(r->buf));
	crypto_stream_chacha20_xor_ic(r->buf, r->buf, sizeof(r->buf), nonce, r->block, r->seed);
	r->block += sizeof(r->buf) / CHACHA_BLOCK_BYTES;
	r->used = 0;
}

void rng_bytes(struct rng *r, void *out, size_t len)
{
	uint8_t *p = out;

	while (len) {
		size_t n = sizeof(r->buf) - r->used;

		if (!n) {
			refill(r);
			continue;
		}
		if (n > len)
			n = len;
		memcpy(p, r->buf + r->used, n);
		memset(r->buf + r->used, 0, n); /* what was handed out is not kept */
		r->used += (uint32_t)n;
		p += n;
		len -= n;
	}
}

uint32_t rng_u32(struct rng *r)
{
	uint32_t v;

	rng_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	rng_bytes(r, &v, sizeof(v));
	return v;
}

/* The high word of v * n is uniform once the 2^32 mod n smallest low words are thrown away. */
uint32_t rng_below(struct rng *r, uint32_t n)
{
	uint64_t m = (uint64_t)rng_u32(r) * n;

	if (unlikely((uint32_t)m < n)) {
		uint32_t skip = -n % n;

		while ((uint32_t)m < skip)
			m = (uint64_t)rng_u32(r) * n;
	}
	return (uint32_t)(m >> 32);
}

uint64_t siphash(const struct siphash_key *key, const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t h;

	crypto_shorthash(out, data, len, key->k);
	memcpy(&h, out, sizeof(h));
	return h;
}

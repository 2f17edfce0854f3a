/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksum over contiguous bytes, alone or while copying. */
/*
 * How it works
 *
 * A one's complement sum of 16-bit words equals, modulo 2^16 - 1, the sum of the same bytes taken
 * as 32-bit words in wider accumulators. Each 64-bit lane therefore takes 32-bit halves with plain
 * additions; no carry can be lost before 2^32 additions, which is more than any buffer here holds
 * (16 GiB per lane). The result is folded to 32 bits once at the end.
 *
 * One always-inlined body serves summing and copying: a constant @is_copy removes the stores. Every
 * byte is loaded once, so the sum describes what was stored even if the source changes meanwhile.
 *
 * The AVX2 body is chosen per call from the processor's feature word, which the compiler runtime
 * fills before main(); there is no state of ours. Below VEC_MIN_BYTES the scalar body is faster.
 *
 * RFC 1071 (computation), RFC 1624 (incremental update, in the header).
 */
#include "wire/csum.h"

#include <stdbool.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define VEC_MIN_BYTES 128

#define ALWAYS_INLINE inline __attribute__((always_inline))

static ALWAYS_INLINE uint32_t fold64(uint64_t s)
{
	s = (s & 0xffffffff) + (s >> 32);
	return (uint32_t)((s & 0xffffffff) + (s >> 32));
}

/* One 64-bit word: load, perhaps store, return the sum of its halves. */
static ALWAYS_INLINE uint64_t word_step(bool is_copy, uint8_t *dst, const uint8_t *src)
{
	uint64_t w;

	memcpy(&w, src, sizeof(w));
	if (is_copy)
		memcpy(dst, &w, sizeof(w));
	return (w & 0xffffffff) + (w >> 32);
}

/* The last 0..7 bytes; missing ones count as 0. */
static ALWAYS_INLINE uint64_t tail_step(bool is_copy, uint8_t *dst, const uint8_t *src, size_t len)
{
	uint64_t s = 0;
	size_t at = 0;

	if (len & 4) {
		uint32_t w;

		memcpy(&w, src, sizeof(w));
		if (is_copy)
			memcpy(dst, &w, sizeof(w));
		s += w;
		at = 4;
	}
	if (len & 2) {
		uint16_t w;

		memcpy(&w, src + at, sizeof(w));
		if (is_copy)
			memcpy(dst + at, &w, sizeof(w));
		s += w;
		at += 2;
	}
	if (len & 1) {
		uint8_t pair[2] = {src[at], 0};
		uint16_t w;

		if (is_copy)
			dst[at] = pair[0];
		memcpy(&w, pair, sizeof(w));
		s += w;
	}
	return s;
}

static ALWAYS_INLINE uint64_t sum_scalar(bool is_copy, uint8_t *dst, const uint8_t *src, size_t len)
{
	uint64_t s0 = 0, s1 = 0;
	size_t at = 0;

	for (; len - at >= 32; at += 32) {
		s0 += word_step(is_copy, is_copy ? dst + at : NULL, src + at);
		s1 += word_step(is_copy, is_copy ? dst + at + 8 : NULL, src + at + 8);
		s0 += word_step(is_copy, is_copy ? dst + at + 16 : NULL, src + at + 16);
		s1 += word_step(is_copy, is_copy ? dst + at + 24 : NULL, src + at + 24);
	}
	for (; len - at >= 8; at += 8)
		s0 += word_step(is_copy, is_copy ? dst + at : NULL, src + at);
	s0 += tail_step(is_copy, is_copy ? dst + at : NULL, src + at, len - at);
	return s0 + s1;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

/* One 32-byte vector: low halves of its words into *lo, high halves into *hi. */
AVX2 static ALWAYS_INLINE void vec_step(bool is_copy, uint8_t *dst, const uint8_t *src,
					__m256i mask, __m256i *lo, __m256i *hi)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)src);

	if (is_copy)
		_mm256_storeu_si256((__m256i *)dst, v);
	*lo = _mm256_add_epi64(*lo, _mm256_and_si256(v, mask));
	*hi = _mm256_add_epi64(*hi, _mm256_srli_epi64(v, 32));
}

AVX2 static ALWAYS_INLINE uint64_t sum_avx2_body(bool is_copy, uint8_t *dst, const uint8_t *src,
						 size_t len)
{
	const __m256i mask = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	__m128i half;
	size_t at = 0;

	for (; len - at >= 128; at += 128) {
		vec_step(is_copy, is_copy ? dst + at : NULL, src + at, mask, &a, &b);
		vec_step(is_copy, is_copy ? dst + at + 32 : NULL, src + at + 32, mask, &c, &d);
		vec_step(is_copy, is_copy ? dst + at + 64 : NULL, src + at + 64, mask, &a, &b);
		vec_step(is_copy, is_copy ? dst + at + 96 : NULL, src + at + 96, mask, &c, &d);
	}
	for (; len - at >= 32; at += 32)
		vec_step(is_copy, is_copy ? dst + at : NULL, src + at, mask, &a, &b);

	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	half = _mm_add_epi64(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
	half = _mm_add_epi64(half, _mm_unpackhi_epi64(half, half));
	return (uint64_t)_mm_cvtsi128_si64(half) +
	       sum_scalar(is_copy, is_copy ? dst + at : NULL, src + at, len - at);
}

AVX2 static uint64_t sum_avx2(const uint8_t *src, size_t len)
{
	return sum_avx2_body(false, NULL, src, len);
}

AVX2 static uint64_t copy_avx2(uint8_t *dst, const uint8_t *src, size_t len)
{
	return sum_avx2_body(true, dst, src, len);
}

static ALWAYS_INLINE int use_avx2(size_t len)
{
	return len >= VEC_MIN_BYTES && __builtin_cpu_supports("avx2");
}
#else
static ALWAYS_INLINE int use_avx2(size_t len)
{
	(void)len;
	return 0;
}

static uint64_t sum_avx2(const uint8_t *src, size_t len)
{
	return sum_scalar(false, NULL, src, len);
}

static uint64_t copy_avx2(uint8_t *dst, const uint8_t *src, size_t len)
{
	return sum_scalar(true, dst, src, len);
}
#endif

uint32_t csum_partial(const void *p, size_t len, uint32_t sum)
{
	if (use_avx2(len))
		return csum_add(sum, fold64(sum_avx2(p, len)));
	return csum_add(sum, fold64(sum_scalar(false, NULL, p, len)));
}

uint32_t csum_and_copy(void *dst, const void *src, size_t len, uint32_t sum)
{
	if (use_avx2(len))
		return csum_add(sum, fold64(copy_avx2(dst, src, len)));
	return csum_add(sum, fold64(sum_scalar(true, dst, src, len)));
}

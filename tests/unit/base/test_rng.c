/* SPDX-License-Identifier: BSD-2-Clause */
/* Random stream (RFC 7539 key stream of the seed) and SipHash (vector of its paper). */
#include "base_test.h"

#include "base/rng.h"

static void siphash_gives_the_value_of_the_papers_appendix(void **state)
{
	struct siphash_key key;
	uint8_t in[15];

	(void)state;
	for (uint8_t i = 0; i < 16; i++)
		key.k[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	assert_true(siphash(&key, in, 15) == 0xa129ca6149be45e5ull);
	assert_true(siphash(&key, in, 14) != 0xa129ca6149be45e5ull);
}

static void the_stream_of_seed_zero_is_chacha20_of_the_zero_key(void **state)
{
	/* draft-agl-tls-chacha20poly1305-04 section 7, first vector: zero key, zero nonce */
	static const uint8_t want[32] = {
		0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a,
		0xe5, 0x53, 0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d,
		0xed, 0x1a, 0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7,
	};
	struct rng r;
	uint8_t got[32];

	(void)state;
	rng_seed(&r, 0);
	rng_bytes(&r, got, sizeof(got));
	assert_memory_equal(got, want, sizeof(want));
}

static void the_same_seed_gives_the_same_stream_however_it_is_read(void **state)
{
	struct rng a, b, c;
	uint8_t x[5000], y[5000];
	size_t at = 0, n = 1;

	(void)state;
	rng_seed(&a, 12345);
	rng_seed(&b, 12345);
	rng_seed(&c, 12346);
	rng_bytes(&a, x, sizeof(x));
	while (at < sizeof(y)) {
		n = n * 7 % 251;
		if (n > sizeof(y) - at)
			n = sizeof(y) - at;
		rng_bytes(&b, y + at, n);
		at += n;
	}
	assert_memory_equal(x, y, sizeof(x));
	assert_true(rng_u64(&a) == rng_u64(&b));
	rng_bytes(&c, y, sizeof(y));
	assert_true(memcmp(x, y, 16) != 0);
}

static void no_block_of_the_stream_comes_twice(void **state)
{
	struct rng r;
	uint64_t v[1024];

	(void)state;
	rng_seed(&r, 9);
	for (int i = 0; i < 1024; i++) {
		v[i] = rng_u64(&r);
		for (int j = 0; j < i; j++)
			assert_true(v[i] != v[j]);
	}
}

static void rng_below_is_uniform_and_stays_below(void **state)
{
	struct rng r;
	unsigned count[6] = {0};

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 60000; i++)
		count[rng_below(&r, 6)]++;
	for (int i = 0; i < 6; i++) /* sigma is 91: eight of them */
		assert_in_range(count[i], 10000 - 730, 10000 + 730);
	/* without the rejection half of these would be multiples of three, not a third */
	count[0] = 0;
	for (int i = 0; i < 9000; i++)
		count[0] += rng_below(&r, 3u << 30) % 3 == 0;
	assert_in_range(count[0], 3000 - 360, 3000 + 360);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rng_below(&r, 1), 0);
		assert_true(rng_below(&r, 3000000000u) < 3000000000u);
	}
}

static void two_system_seeds_differ(void **state)
{
	struct rng a, b;

	(void)state;
	rng_seed_system(&a);
	rng_seed_system(&b);
	assert_true(rng_u64(&a) != rng_u64(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_gives_the_value_of_the_papers_appendix),
		cmocka_unit_test(the_stream_of_seed_zero_is_chacha20_of_the_zero_key),
		cmocka_unit_test(the_same_seed_gives_the_same_stream_however_it_is_read),
		cmocka_unit_test(no_block_of_the_stream_comes_twice),
		cmocka_unit_test(rng_below_is_uniform_and_stays_below),
		cmocka_unit_test(two_system_seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

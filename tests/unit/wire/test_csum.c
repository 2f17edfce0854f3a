/* SPDX-License-Identifier: BSD-2-Clause */
/* Internet checksum against RFC examples and a byte-by-byte reference. */
/* The source is included because the scalar body must be tested on machines that have AVX2. */
#include "wire/csum.c"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "ref.h"

#define BIG 70000

static uint16_t stored(uint16_t v)
{
	return be16_to_cpu(v);
}

static uint8_t *random_bytes(size_t len)
{
	uint8_t *p = malloc(len);
	uint32_t x = 12345;

	assert_non_null(p);
	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
	return p;
}

static void rfc1071_example_has_its_sum(void **state)
{
	static const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(stored(csum_fold_partial(csum_partial(b, 8, 0))), 0xddf2);
	assert_int_equal(stored(csum_fold(csum_partial(b, 8, 0))), 0x220d);
}

static void rfc1624_example_updates_to_zero(void **state)
{
	(void)state;
	assert_int_equal(stored(csum_replace16(cpu_to_be16(0xdd2f), cpu_to_be16(0x5555),
					       cpu_to_be16(0x3285))),
			 0x0000);
}

static void every_short_length_and_alignment_equals_the_reference(void **state)
{
	uint8_t *p = random_bytes(512), *copy = malloc(512);

	(void)state;
	for (size_t len = 0; len <= 300; len++) {
		for (size_t at = 0; at < 33; at++) {
			uint16_t want = ref_sum(p + at, len, 0);

			assert_int_equal(stored(csum_fold_partial(csum_partial(p + at, len, 0))),
					 want);
			assert_int_equal(stored(csum_fold_partial(
						 fold64(sum_scalar(false, NULL, p + at, len)))),
					 want);
			memset(copy, 0xee, 512);
			assert_int_equal(stored(csum_fold_partial(
						 csum_and_copy(copy + at / 3, p + at, len, 0))),
					 want);
			assert_memory_equal(copy + at / 3, p + at, len);
			assert_int_equal(copy[at / 3 + len], 0xee);
		}
	}
	free(p);
	free(copy);
}

static void large_buffers_equal_the_reference(void **state)
{
	static const size_t lens[] = {1448, 1460, 1461, 9000, 65483, 65535, BIG - 1};
	uint8_t *p = random_bytes(BIG), *copy = malloc(BIG);

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint16_t want = ref_sum(p + 1, lens[i], 0);

		assert_int_equal(stored(csum_fold_partial(csum_partial(p + 1, lens[i], 0))), want);
		assert_int_equal(stored(csum_fold_partial(csum_and_copy(copy, p + 1, lens[i], 0))),
				 want);
		assert_memory_equal(copy, p + 1, lens[i]);
	}
	free(p);
	free(copy);
}

static void all_ones_never_lose_a_carry(void **state)
{
	uint8_t *p = malloc(BIG);

	(void)state;
	memset(p, 0xff, BIG);
	assert_int_equal(csum_fold_partial(csum_partial(p, BIG, 0xffffffff)), 0xffff);
	assert_int_equal(csum_fold_partial(fold64(sum_scalar(false, NULL, p, BIG))), 0xffff);
	free(p);
}

static void blocks_join_at_even_and_odd_offsets(void **state)
{
	uint8_t *p = random_bytes(700);

	(void)state;
	for (size_t cut = 0; cut <= 700; cut++) {
		uint32_t s = csum_block_add(csum_partial(p, cut, 0),
					    csum_partial(p + cut, 700 - cut, 0), cut);

		assert_int_equal(stored(csum_fold_partial(s)), ref_sum(p, 700, 0));
	}
	free(p);
}

static void subtracting_undoes_adding(void **state)
{
	static const uint8_t a[] = {1, 2, 3, 4}, b[] = {0xff, 0xfe, 9, 8};
	uint32_t both = csum_partial(b, 4, csum_partial(a, 4, 0));

	(void)state;
	assert_int_equal(csum_fold(csum_sub(both, csum_partial(b, 4, 0))),
			 csum_fold(csum_partial(a, 4, 0)));
}

static void pseudo_headers_have_the_layout_of_the_rfcs(void **state)
{
	/* RFC 793: source, destination, 0, protocol, length */
	static const uint8_t v4[] = {192, 0, 2, 1, 198, 51, 100, 7, 0, 6, 0x12, 0x34};
	/* RFC 8200: source, destination, 32-bit length, 3 zeros, next header */
	static const uint8_t v6[40] = {0x20, 1, 0xd,  0xb8, 0,    0,    0,    0,    0, 0,
				       0,    0, 0xff, 0xff, 0,    1,    0xfe, 0x80, 0, 0,
				       0,    0, 0,    0,    1,    2,    3,    4,    5, 6,
				       7,    8, 0,    1,    0x23, 0x45, 0,    0,    0, 17};
	struct ipaddr s, d;

	(void)state;
	memcpy(&s.w[0], v4, 4);
	s = ipaddr_from_v4(s.w[0]);
	memcpy(&d.w[0], v4 + 4, 4);
	d = ipaddr_from_v4(d.w[0]);
	assert_int_equal(stored(csum_fold_partial(csum_pseudo(&s, &d, 6, 0x1234))),
			 ref_sum(v4, sizeof(v4), 0));
	s = ipaddr_from_v6(v6);
	d = ipaddr_from_v6(v6 + 16);
	assert_int_equal(stored(csum_fold_partial(csum_pseudo(&s, &d, 17, 0x12345))),
			 ref_sum(v6, sizeof(v6), 0));
}

static void udp_zero_becomes_all_ones(void **state)
{
	(void)state;
	assert_int_equal(csum_fold(0xffff), 0);
	assert_int_equal(csum_fold_udp(0xffff), 0xffff);
	assert_int_equal(csum_fold_udp(1), 0xfffe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example_has_its_sum),
		cmocka_unit_test(rfc1624_example_updates_to_zero),
		cmocka_unit_test(every_short_length_and_alignment_equals_the_reference),
		cmocka_unit_test(large_buffers_equal_the_reference),
		cmocka_unit_test(all_ones_never_lose_a_carry),
		cmocka_unit_test(blocks_join_at_even_and_odd_offsets),
		cmocka_unit_test(subtracting_undoes_adding),
		cmocka_unit_test(pseudo_headers_have_the_layout_of_the_rfcs),
		cmocka_unit_test(udp_zero_becomes_all_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

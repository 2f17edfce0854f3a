/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and ICMPv6: checksums, error building, quotes. */
#include "wire/icmp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "ref.h"

static void the_empty_echo_has_its_known_checksum(void **state)
{
	uint8_t p[8];

	(void)state;
	assert_int_equal(icmp_hdr_build(p, ICMP4_TYPE_ECHO, 0, 0), 8);
	icmp4_set_csum(p, 8);
	assert_memory_equal(p, "\x08\x00\xf7\xff\0\0\0\0", 8);
	assert_true(icmp4_csum_ok(p, 8));
	p[7] = 1;
	assert_false(icmp4_csum_ok(p, 8));
}

static void fields_are_read_by_every_meaning(void **state)
{
	static const uint8_t p[12] = {3, 4, 0, 0, 0x12, 0x34, 0x05, 0xdc, 1, 2, 3, 4};
	struct icmp_msg m;

	(void)state;
	assert_int_equal(icmp4_parse(p, 12, &m), 0);
	assert_true(m.is_error);
	assert_int_equal(m.mtu, 1500);
	assert_int_equal(m.id, 0x1234);
	assert_int_equal(m.rest, 0x123405dc);
	assert_int_equal(m.pointer, 0x12);
	assert_int_equal(m.body_len, 4);
	assert_ptr_equal(m.body, p + 8);
	assert_int_equal(icmp4_parse(p, 7, &m), -EINVAL);
	assert_int_equal(icmp6_parse(p, 12, &m), 0);
	assert_true(m.is_error);
}

static void only_the_five_error_types_are_errors(void **state)
{
	unsigned int errors = 0;

	(void)state;
	for (unsigned int t = 0; t < 256; t++)
		errors += icmp4_type_is_error((uint8_t)t);
	assert_int_equal(errors, 5);
	assert_true(icmp6_type_is_error(127));
	assert_false(icmp6_type_is_error(128));
}

static void an_error_quotes_up_to_576_bytes(void **state)
{
	uint8_t orig[1500] = {0x45}, out[600];

	(void)state;
	/* 29-byte packet: the error packet is 57 bytes long with its IP header (R02.2) */
	assert_int_equal(icmp4_error_build(out, sizeof(out), 3, 3, 0, orig, 29, 0), 57 - 20);
	assert_int_equal(icmp4_error_build(out, sizeof(out), 3, 4, 1400, orig, 1500, 0), 576 - 20);
	assert_memory_equal(out + 4, "\0\0\x05\x78\x45", 5);
	assert_int_equal(ref_sum(out, 556, 0), 0xffff);
	assert_int_equal(icmp4_error_build(out, sizeof(out), 12, 0, 20u << 24, orig, 1500, 8),
			 576 - 28);
	assert_int_equal(out[4], 20);
	assert_int_equal(icmp4_error_build(out, 30, 3, 3, 0, orig, 29, 0), -EINVAL);
}

static void a_v6_error_stays_within_the_minimum_mtu(void **state)
{
	uint8_t orig[1500] = {0x60}, out[1300];
	struct ipaddr s = ipaddr_loopback_v6(), d = ipaddr_loopback_v6();

	(void)state;
	assert_int_equal(icmp6_error_build(out, sizeof(out), &s, &d, 2, 0, 1300, orig, 1500),
			 1280 - 40);
	/* pseudo header: 1 + 1 (addresses) + 1240 + 58 */
	assert_int_equal(ref_sum(out, 1240, 1 + 1 + 1240 + 58), 0xffff);
	assert_true(icmp6_csum_ok(&s, &d, out, 1240));
	s.b[3] = 7;
	assert_false(icmp6_csum_ok(&s, &d, out, 1240));
}

static void a_v4_quote_is_found_behind_options(void **state)
{
	uint8_t p[8 + 24 + 8] = {3, 3};
	struct icmp_quote q;
	struct icmp_msg m;

	(void)state;
	p[8] = 0x46;
	p[8 + 9] = 6;
	memcpy(p + 8 + 12, "\x0a\0\0\x01\x0a\0\0\x02", 8);
	assert_int_equal(icmp4_parse(p, sizeof(p), &m), 0);
	assert_int_equal(icmp4_quote_parse(&m, &q), 0);
	assert_int_equal(q.proto, 6);
	assert_ptr_equal(q.l4, p + 32);
	assert_int_equal(q.l4_len, 8);
	assert_false(q.is_fragment);
	assert_int_equal(ipaddr_v4_be(&q.src), cpu_to_be32(0x0a000001));
	p[8 + 7] = 1; /* fragment offset 8 */
	assert_int_equal(icmp4_quote_parse(&m, &q), 0);
	assert_true(q.is_fragment);
	assert_int_equal(icmp4_parse(p, sizeof(p) - 1, &m), 0);
	assert_int_equal(icmp4_quote_parse(&m, &q), -EINVAL); /* 7 bytes of transport */
	p[8] = 0x44;
	assert_int_equal(icmp4_parse(p, sizeof(p), &m), 0);
	assert_int_equal(icmp4_quote_parse(&m, &q), -EINVAL);
	p[8] = 0x45;
	p[0] = 8; /* an echo quotes nothing */
	assert_int_equal(icmp4_parse(p, sizeof(p), &m), 0);
	assert_int_equal(icmp4_quote_parse(&m, &q), -EINVAL);
}

static void a_v6_quote_is_found_behind_extension_headers(void **state)
{
	uint8_t p[8 + 40 + 8 + 8] = {1, 4};
	struct icmp_quote q;
	struct icmp_msg m;

	(void)state;
	p[8] = 0x60;
	p[8 + 6] = 60;
	p[8 + 40] = 17;
	assert_int_equal(icmp6_parse(p, sizeof(p), &m), 0);
	assert_int_equal(icmp6_quote_parse(&m, &q), 0);
	assert_int_equal(q.proto, 17);
	assert_ptr_equal(q.l4, p + 56);
	assert_int_equal(icmp6_parse(p, sizeof(p) - 1, &m), 0);
	assert_int_equal(icmp6_quote_parse(&m, &q), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_empty_echo_has_its_known_checksum),
		cmocka_unit_test(fields_are_read_by_every_meaning),
		cmocka_unit_test(only_the_five_error_types_are_errors),
		cmocka_unit_test(an_error_quotes_up_to_576_bytes),
		cmocka_unit_test(a_v6_error_stays_within_the_minimum_mtu),
		cmocka_unit_test(a_v4_quote_is_found_behind_options),
		cmocka_unit_test(a_v6_quote_is_found_behind_extension_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

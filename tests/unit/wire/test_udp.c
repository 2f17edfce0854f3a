/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP header: R59.1 and checksums. */
#include "wire/udp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>

#include "wire/csum.h"

static void the_length_field_decides(void **state)
{
	uint8_t p[16] = {0x12, 0x34, 0, 53, 0, 12};
	struct udp_info in;

	(void)state;
	assert_int_equal(udp_parse(p, 16, &in), 0); /* shorter than the packet: trimmed */
	assert_int_equal(in.sport, 0x1234);
	assert_int_equal(in.dport, 53);
	assert_int_equal(in.len, 12);
	assert_int_equal(in.payload_len, 4);
	assert_false(in.has_csum);
	assert_int_equal(udp_parse(p, 12, &in), 0);
	assert_int_equal(udp_parse(p, 11, &in), -EINVAL);
	p[5] = 7;
	assert_int_equal(udp_parse(p, 16, &in), -EINVAL);
	p[5] = 0;
	assert_int_equal(udp_parse(p, 16, &in), -EINVAL);
	p[5] = 8;
	assert_int_equal(udp_parse(p, 7, &in), -EINVAL);
	assert_int_equal(udp_parse(p, 8, &in), 0);
}

static void a_missing_checksum_is_right_over_v4_only(void **state)
{
	struct ipaddr a4 = ipaddr_loopback_v4(), a6 = ipaddr_loopback_v6();
	uint8_t p[10];
	uint16_t c;

	(void)state;
	udp_build(p, 1, 2, 10);
	memcpy(p + 8, "hi", 2);
	assert_true(udp_csum_ok(&a4, &a4, p, 10));
	assert_false(udp_csum_ok(&a6, &a6, p, 10));
	c = csum_fold_udp(csum_partial(p, 10, csum_pseudo(&a6, &a6, IPPROTO_UDP, 10)));
	memcpy(p + UDP_CSUM_OFF, &c, 2);
	/* 1+1 addresses, 17, 10; 1+2+10 header; "hi": sum 0x6893, complement 0x976c */
	assert_memory_equal(p + UDP_CSUM_OFF, "\x97\x6c", 2);
	assert_true(udp_csum_ok(&a6, &a6, p, 10));
	p[9] ^= 0x40;
	assert_false(udp_csum_ok(&a6, &a6, p, 10));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_length_field_decides),
		cmocka_unit_test(a_missing_checksum_is_right_over_v4_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

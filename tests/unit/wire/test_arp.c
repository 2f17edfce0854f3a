/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP acceptance (R07.1) and layout (RFC 826). */
#include "wire/arp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

/* Who has 10.0.0.2? Tell 10.0.0.1 */
static const uint8_t request[28] = {0,  1, 8, 0, 6, 4, 0, 1, 2, 0, 0,  0, 0, 1,
				    10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2};

/* Result for the request with one byte changed. */
static int with_byte(int at, uint8_t v)
{
	uint8_t p[28];
	struct arp_msg m;

	memcpy(p, request, sizeof(p));
	p[at] = v;
	return arp_parse(p, sizeof(p), &m);
}

static void a_request_comes_back_as_read(void **state)
{
	uint8_t padded[46] = {0}, out[28];
	struct arp_msg m;

	(void)state;
	memcpy(padded, request, sizeof(request));
	assert_int_equal(arp_parse(padded, sizeof(padded), &m), 0);
	assert_int_equal(m.op, ARP_OP_REQUEST);
	assert_int_equal(m.spa_be, cpu_to_be32(0x0a000001));
	assert_int_equal(m.tpa_be, cpu_to_be32(0x0a000002));
	assert_int_equal(m.sha.b[0], 2);
	assert_int_equal(arp_build(out, &m), 28);
	assert_memory_equal(out, request, 28);
}

static void each_field_is_checked(void **state)
{
	struct arp_msg m;

	(void)state;
	assert_int_equal(arp_parse(request, 27, &m), -EINVAL);
	assert_int_equal(with_byte(1, 6), 0); /* IEEE 802 counts as Ethernet */
	assert_int_equal(with_byte(1, 7), -EINVAL);
	assert_int_equal(with_byte(2, 0x86), -EINVAL);
	assert_int_equal(with_byte(4, 8), -EINVAL);
	assert_int_equal(with_byte(5, 16), -EINVAL);
	assert_int_equal(with_byte(7, 2), 0);
	assert_int_equal(with_byte(7, 0), -EINVAL);
	assert_int_equal(with_byte(7, 3), -EINVAL);
	assert_int_equal(with_byte(24, 224), -EINVAL);
	assert_int_equal(with_byte(24, 127), -EINVAL);
	assert_int_equal(with_byte(14, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_comes_back_as_read),
		cmocka_unit_test(each_field_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet header and MAC addresses. */
#include "wire/eth.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

static void a_header_comes_back_as_built(void **state)
{
	struct mac_addr d = mac_broadcast(), s = {{2, 1, 2, 3, 4, 5}}, gd, gs;
	uint8_t f[14];
	uint16_t type;

	(void)state;
	eth_build(f, &d, &s, ETH_TYPE_IPV6);
	assert_memory_equal(f, "\xff\xff\xff\xff\xff\xff\x02\x01\x02\x03\x04\x05\x86\xdd", 14);
	assert_int_equal(eth_parse(f, 14, &gd, &gs, &type), 0);
	assert_true(mac_is_broadcast(&gd) && mac_eq(&gs, &s) && type == 0x86dd);
	assert_int_equal(eth_parse(f, 13, &gd, &gs, &type), -EINVAL);
	put_be16(f + 12, 0x05ff); /* 802.3 length */
	assert_int_equal(eth_parse(f, 14, &gd, &gs, &type), -EINVAL);
}

static void group_addresses_follow_the_rfcs(void **state)
{
	struct mac_addr m, station = {{0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde}};
	struct ipaddr a, want;

	(void)state;
	ipaddr_parse("239.255.1.2", &a); /* RFC 1112: 23 low bits */
	m = mac_from_multicast(&a);
	assert_memory_equal(m.b, "\x01\x00\x5e\x7f\x01\x02", 6);
	ipaddr_parse("ff02::1:ff00:2", &a);
	m = mac_from_multicast(&a);
	assert_memory_equal(m.b, "\x33\x33\xff\x00\x00\x02", 6);
	/* RFC 2464 section 4: 34-56-78-9A-BC-DE gives 36-56-78-FF-FE-9A-BC-DE */
	a = mac_to_linklocal(&station);
	ipaddr_parse("fe80::3656:78ff:fe9a:bcde", &want);
	assert_true(ipaddr_eq(&a, &want));
}

static void text_is_strict(void **state)
{
	struct mac_addr m = mac_zero();
	char out[MAC_STR_MAX];

	(void)state;
	assert_int_equal(mac_parse("02:aB:00:ff:7f:10", &m), 0);
	assert_string_equal(mac_format(&m, out), "02:ab:00:ff:7f:10");
	assert_int_equal(mac_parse("", &m), -EINVAL);
	assert_int_equal(mac_parse("02:ab:00:ff:7f", &m), -EINVAL);
	assert_int_equal(mac_parse("02:ab:00:ff:7f:1", &m), -EINVAL);
	assert_int_equal(mac_parse("02:ab:00:ff:7f:10:", &m), -EINVAL);
	assert_int_equal(mac_parse("02-ab-00-ff-7f-10", &m), -EINVAL);
	assert_true(mac_is_unicast(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_comes_back_as_built),
		cmocka_unit_test(group_addresses_follow_the_rfcs),
		cmocka_unit_test(text_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

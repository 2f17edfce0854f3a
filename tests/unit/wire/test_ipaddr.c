/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses: text forms of RFC 5952, classes, prefixes, sockaddr conversion. */
#include "wire/ipaddr.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(text, &a), 0);
	return a;
}

static void text_follows_rfc5952(void **state)
{
	static const char *const rows[][2] = {
		{"2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},  /* 4.2.3: first of equal runs */
		{"2001:0db8::0001", "2001:db8::1"},              /* 4.1: leading zeros */
		{"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},       /* 4.2.1: as much as possible */
		{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* 4.2.2: never one group */
		{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},         /* 4.2.3: longest run */
		{"2001:DB8:AAAA::FFFF", "2001:db8:aaaa::ffff"},  /* 4.3: lower case */
		{"0:0:0:0:0:0:0:0", "::"},
		{"::1", "::1"},
		{"1:0:0:0:0:0:0:0", "1::"},
		{"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
		{"0:0:3:4:5:6:0:0", "::3:4:5:6:0:0"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"10.0.200.255", "10.0.200.255"},
		{"::ffff:1.2.3.4", "1.2.3.4"},
	};
	char out[IPADDR_STR_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipaddr a = addr(rows[i][0]);

		assert_string_equal(ipaddr_format(&a, out, sizeof(out)), rows[i][1]);
	}
}

static void text_that_does_not_fit_is_empty(void **state)
{
	struct ipaddr a = addr("10.0.0.1");
	char out[9] = "x";

	(void)state;
	assert_string_equal(ipaddr_format(&a, out, 8), "");
	assert_string_equal(ipaddr_format(&a, out, 9), "10.0.0.1");
}

static void bad_literals_are_refused(void **state)
{
	static const char *const bad[] = {"",      "1.2.3",   "1.2.3.256",  "1.2.3.4 ", "1.2.3.4.5",
					  "::1::", "12345::", "fe80::1%lo", "x",        "01.2.3.4"};
	struct ipaddr a = ipaddr_any_v6();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ipaddr_parse(bad[i], &a), -EINVAL);
	assert_true(ipaddr_is_any(&a));
}

static void classes_are_told_apart_in_both_families(void **state)
{
	struct ipaddr a;

	(void)state;
	a = addr("127.8.9.1");
	assert_true(ipaddr_is_loopback(&a) && ipaddr_is_v4(&a));
	a = addr("::1");
	assert_true(ipaddr_is_loopback(&a) && !ipaddr_is_v4(&a));
	a = addr("239.255.255.255");
	assert_true(ipaddr_is_multicast(&a));
	a = addr("240.0.0.0");
	assert_false(ipaddr_is_multicast(&a));
	a = addr("ff05::2");
	assert_true(ipaddr_is_multicast(&a) && !ipaddr_needs_scope(&a));
	a = addr("febf::1");
	assert_true(ipaddr_is_linklocal(&a) && ipaddr_needs_scope(&a));
	a = addr("fec0::1");
	assert_false(ipaddr_is_linklocal(&a));
	a = addr("169.254.3.4");
	assert_true(ipaddr_is_linklocal(&a) && !ipaddr_needs_scope(&a));
	a = addr("255.255.255.255");
	assert_true(ipaddr_is_v4_broadcast(&a));
	a = addr("0.0.0.0");
	assert_true(ipaddr_is_any(&a) && ipaddr_is_v4(&a));
	a = addr("0.0.0.1");
	assert_false(ipaddr_is_any(&a));
}

static void solicited_node_is_the_example_of_rfc4291(void **state)
{
	struct ipaddr a = addr("4037::01:800:200E:8C6C"), want = addr("FF02::1:FF0E:8C6C");
	struct ipaddr got = ipaddr_solicited_node(&a);

	(void)state;
	assert_true(ipaddr_eq(&got, &want));
}

static void prefixes_match_to_the_bit(void **state)
{
	struct ipaddr a = addr("10.1.255.0"), b = addr("10.1.254.255"), any = ipaddr_any_v6();
	struct ipaddr c = addr("2001:db8::"), d = addr("2001:db8:0:0:8000::");

	(void)state;
	assert_true(ipaddr_prefix_match(&a, &b, 96 + 23));
	assert_false(ipaddr_prefix_match(&a, &b, 96 + 24));
	assert_true(ipaddr_prefix_match(&c, &d, 64));
	assert_false(ipaddr_prefix_match(&c, &d, 65));
	assert_true(ipaddr_prefix_match(&a, &any, 0));
	assert_false(ipaddr_prefix_match(&a, &b, 128));
}

static void prefix_text_is_strict(void **state)
{
	static const char *const bad[] = {"10.0.0.0/33", "10.0.0.0/",   "10.0.0.0/-1",
					  "10.0.0.0/8 ", "::/129",      "::/0128",
					  "/8",          "10.0.0.0/8/8"};
	struct ipaddr a;
	unsigned int plen = 999;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ipaddr_parse_prefix(bad[i], &a, &plen), -EINVAL);
	assert_int_equal(plen, 999);
	assert_int_equal(ipaddr_parse_prefix("10.0.0.2/24", &a, &plen), 0);
	assert_int_equal(plen, 120);
	assert_int_equal(a.b[15], 2);
	assert_int_equal(ipaddr_parse_prefix("0.0.0.0/0", &a, &plen), 0);
	assert_int_equal(plen, 96);
	assert_int_equal(ipaddr_parse_prefix("2001:db8::/32", &a, &plen), 0);
	assert_int_equal(plen, 32);
	assert_int_equal(ipaddr_parse_prefix("10.0.0.2", &a, &plen), 0);
	assert_int_equal(plen, 128);
}

static void sockaddrs_come_back_as_they_went(void **state)
{
	struct ipaddr a = addr("192.0.2.9"), b = addr("fe80::7"), got;
	struct sockaddr_storage ss;
	uint32_t scope;
	uint16_t port;

	(void)state;
	assert_int_equal(ipaddr_to_sockaddr(AF_INET, &a, 80, 5, &ss), 16);
	assert_int_equal(ipaddr_from_sockaddr(&ss, 16, &got, &port, &scope), 0);
	assert_true(ipaddr_eq(&a, &got) && port == 80 && scope == 0);
	assert_int_equal(ipaddr_to_sockaddr(AF_INET6, &b, 0x1234, 5, &ss), 28);
	assert_int_equal(ss.ss_family, AF_INET6);
	assert_memory_equal((uint8_t *)&ss + 2, "\x12\x34", 2);
	assert_int_equal(ipaddr_from_sockaddr(&ss, 28, &got, &port, &scope), 0);
	assert_true(ipaddr_eq(&b, &got) && port == 0x1234 && scope == 5);
	/* The 24-byte form has no scope; what lies behind it is not read. */
	assert_int_equal(ipaddr_from_sockaddr(&ss, 24, &got, &port, &scope), 0);
	assert_int_equal(scope, 0);
	/* A scope on an address that is unique without one is dropped. */
	assert_int_equal(ipaddr_to_sockaddr(AF_INET6, &a, 1, 5, &ss), 28);
	assert_int_equal(ipaddr_from_sockaddr(&ss, 28, &got, &port, &scope), 0);
	assert_true(ipaddr_is_v4(&got) && scope == 0);
}

static void short_and_foreign_sockaddrs_are_refused(void **state)
{
	struct sockaddr_storage ss = {.ss_family = AF_INET};
	struct ipaddr a;
	uint16_t port;

	(void)state;
	assert_int_equal(ipaddr_from_sockaddr(&ss, 1, &a, &port, NULL), -EINVAL);
	assert_int_equal(ipaddr_from_sockaddr(&ss, 15, &a, &port, NULL), -EINVAL);
	ss.ss_family = AF_INET6;
	assert_int_equal(ipaddr_from_sockaddr(&ss, 23, &a, &port, NULL), -EINVAL);
	ss.ss_family = AF_UNIX;
	assert_int_equal(ipaddr_from_sockaddr(&ss, 28, &a, &port, NULL), -EAFNOSUPPORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_follows_rfc5952),
		cmocka_unit_test(text_that_does_not_fit_is_empty),
		cmocka_unit_test(bad_literals_are_refused),
		cmocka_unit_test(classes_are_told_apart_in_both_families),
		cmocka_unit_test(solicited_node_is_the_example_of_rfc4291),
		cmocka_unit_test(prefixes_match_to_the_bit),
		cmocka_unit_test(prefix_text_is_strict),
		cmocka_unit_test(sockaddrs_come_back_as_they_went),
		cmocka_unit_test(short_and_foreign_sockaddrs_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

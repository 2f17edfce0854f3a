/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour discovery: bytes of RFC 4861, validity rules, options. */
#include "wire/nd.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "wire/icmp.h"

static const struct mac_addr mac = {{2, 0, 0, 0xaa, 0xbb, 0xcc}};

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(text, &a), 0);
	return a;
}

static int parse(const char *src, const char *dst, uint8_t *p, uint32_t len, struct nd_msg *m)
{
	struct ipaddr s = addr(src), d = addr(dst);

	icmp6_set_csum(&s, &d, p, len);
	return nd_parse(&s, &d, 255, p, len, m);
}

static void a_solicitation_has_the_layout_of_rfc4861(void **state)
{
	struct ipaddr s = addr("fe80::1"), d = addr("ff02::1:ff00:2");
	struct nd_msg m = {
		.type = ICMP6_TYPE_NS, .target = addr("fe80::2"), .has_slla = true, .slla = mac};
	uint8_t p[ND_MSG_MAX];

	(void)state;
	assert_int_equal(nd_build(p, sizeof(p), &s, &d, &m), 32);
	assert_memory_equal(p, "\x87\0", 2);
	assert_memory_equal(p + 4,
			    "\0\0\0\0\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02"
			    "\x01\x01\x02\0\0\xaa\xbb\xcc",
			    28);
	assert_true(icmp6_csum_ok(&s, &d, p, 32));
	assert_int_equal(nd_build(p, 31, &s, &d, &m), -EINVAL);
}

static void an_advertisement_comes_back_as_built(void **state)
{
	struct ipaddr s = addr("fe80::2"), d = addr("fe80::1");
	struct nd_msg m = {.type = ICMP6_TYPE_NA,
			   .flags = ND_NA_SOLICITED | ND_NA_OVERRIDE,
			   .target = addr("fe80::2"),
			   .has_tlla = true,
			   .tlla = mac},
		      got;
	uint8_t p[ND_MSG_MAX];
	int len = nd_build(p, sizeof(p), &s, &d, &m);

	(void)state;
	assert_int_equal(len, 32);
	assert_int_equal(p[4], 0x60);
	assert_int_equal(p[24], 2);
	assert_int_equal(nd_parse(&s, &d, 255, p, 32, &got), 0);
	assert_memory_equal(&got, &m, sizeof(m));
	assert_int_equal(nd_parse(&s, &d, 254, p, 32, &got), -EINVAL);
	p[31] ^= 1;
	assert_int_equal(nd_parse(&s, &d, 255, p, 32, &got), -EINVAL);
}

static void a_router_advertisement_is_read(void **state)
{
	uint8_t p[16 + 8 + 32 + 8] =
		"\x86\0\0\0\x40\xc0\x07\x08\0\0\x75\x30\0\0\x03\xe8"
		"\x05\x01\0\0\0\0\x05\xdc"
		"\x03\x04\x40\xc0\0\0\x0e\x10\0\0\x07\x08\0\0\0\0\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\0"
		"\x63\x01\0\0\0\0\0"; /* unknown option */
	struct ipaddr pfx = addr("2001:db8::");
	struct nd_msg m;

	(void)state;
	assert_int_equal(parse("fe80::9", "ff02::1", p, sizeof(p), &m), 0);
	assert_int_equal(m.cur_hop_limit, 64);
	assert_int_equal(m.flags, ND_RA_MANAGED | ND_RA_OTHER);
	assert_int_equal(m.router_lifetime_s, 1800);
	assert_int_equal(m.reachable_ms, 30000);
	assert_int_equal(m.retrans_ms, 1000);
	assert_int_equal(m.mtu, 1500);
	assert_int_equal(m.num_prefixes, 1);
	assert_int_equal(m.prefixes[0].plen, 64);
	assert_int_equal(m.prefixes[0].flags, ND_PREFIX_ONLINK | ND_PREFIX_AUTO);
	assert_int_equal(m.prefixes[0].valid_s, 3600);
	assert_int_equal(m.prefixes[0].preferred_s, 1800);
	assert_true(ipaddr_eq(&m.prefixes[0].prefix, &pfx));
	/* RFC 4861 section 6.1.2: the source must be link-local */
	assert_int_equal(parse("2001:db8::9", "ff02::1", p, sizeof(p), &m), -EINVAL);
	p[26] = 129; /* impossible prefix length: that option only */
	assert_int_equal(parse("fe80::9", "ff02::1", p, sizeof(p), &m), 0);
	assert_int_equal(m.num_prefixes, 0);
}

static void prefixes_beyond_the_limit_are_ignored(void **state)
{
	uint8_t p[16 + 32 * (ND_MAX_PREFIXES + 2)] = {134};
	struct nd_msg m;

	(void)state;
	for (size_t at = 16; at < sizeof(p); at += 32) {
		p[at] = 3;
		p[at + 1] = 4;
	}
	assert_int_equal(parse("fe80::9", "ff02::1", p, sizeof(p), &m), 0);
	assert_int_equal(m.num_prefixes, ND_MAX_PREFIXES);
}

static void bad_option_lengths_refuse_the_message(void **state)
{
	uint8_t p[40] = {133};
	struct nd_msg m;

	(void)state;
	memcpy(p + 8, "\x01\x01\x02\0\0\0\0\x01", 8);
	assert_int_equal(parse("fe80::9", "ff02::2", p, 16, &m), 0);
	assert_true(m.has_slla);
	assert_int_equal(parse("fe80::9", "ff02::2", p, 15, &m), -EINVAL);
	p[9] = 0;
	assert_int_equal(parse("fe80::9", "ff02::2", p, 16, &m), -EINVAL);
	p[8] = 99; /* also of an option nobody knows */
	assert_int_equal(parse("fe80::9", "ff02::2", p, 16, &m), -EINVAL);
	p[8] = 1;
	p[9] = 1; /* RFC 4861 section 6.1.1: an unspecified source has no address to tell */
	assert_int_equal(parse("::", "ff02::2", p, 16, &m), -EINVAL);
	assert_int_equal(parse("::", "ff02::2", p, 8, &m), 0);
	p[9] = 2; /* 16 bytes: not an Ethernet address */
	assert_int_equal(parse("fe80::9", "ff02::2", p, 24, &m), -EINVAL);
	assert_int_equal(parse("fe80::9", "ff02::2", p, 9, &m), -EINVAL);
	assert_int_equal(parse("fe80::9", "ff02::2", p, 8, &m), 0);
}

static void duplicate_address_probes_have_their_own_rules(void **state)
{
	uint8_t p[32] = {135};
	struct nd_msg m;

	(void)state;
	memcpy(p + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x01\x01\x02\0\0\0\0\x01", 24);
	assert_int_equal(parse("::", "ff02::1:ff00:2", p, 24, &m), 0);
	assert_int_equal(parse("::", "fe80::2", p, 24, &m), -EINVAL);
	assert_int_equal(parse("::", "ff02::1:ff00:2", p, 32, &m), -EINVAL); /* with address */
	assert_int_equal(parse("fe80::1", "fe80::2", p, 32, &m), 0);
	p[8] = 0xff; /* multicast target */
	assert_int_equal(parse("fe80::1", "fe80::2", p, 32, &m), -EINVAL);
}

static void other_messages_are_told_apart(void **state)
{
	uint8_t p[40] = {128};
	struct nd_msg m;

	(void)state;
	assert_int_equal(parse("fe80::9", "ff02::2", p, 40, &m), -EPROTONOSUPPORT);
	p[0] = 136;
	p[4] = ND_NA_SOLICITED; /* solicited, yet to a group */
	assert_int_equal(parse("fe80::9", "ff02::1", p, 24, &m), -EINVAL);
	p[4] = 0;
	assert_int_equal(parse("fe80::9", "ff02::1", p, 24, &m), 0);
	p[1] = 1; /* code */
	assert_int_equal(parse("fe80::9", "ff02::1", p, 24, &m), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_solicitation_has_the_layout_of_rfc4861),
		cmocka_unit_test(an_advertisement_comes_back_as_built),
		cmocka_unit_test(a_router_advertisement_is_read),
		cmocka_unit_test(prefixes_beyond_the_limit_are_ignored),
		cmocka_unit_test(bad_option_lengths_refuse_the_message),
		cmocka_unit_test(duplicate_address_probes_have_their_own_rules),
		cmocka_unit_test(other_messages_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

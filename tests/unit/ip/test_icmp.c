/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP: replies and limits (R05), errors mapped for the transports (R06: both tables, all rows). */
#include "ip_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define US "192.168.0.1"
#define PEER "192.0.2.1"

static void icmp4(struct ip_fixture *f, const char *dst, uint8_t type, uint8_t code, uint32_t rest,
		  const void *body, uint32_t len)
{
	struct v4_spec s = {.src = PEER, .dst = dst, .proto = IPPROTO_ICMP};
	uint8_t m[9000], p[9100];

	icmp_hdr_build(m, type, code, rest);
	memcpy(m + 8, body, len);
	icmp4_set_csum(m, len + 8);
	mark(f);
	inject_ip(f, p, make_v4(p, &s, m, len + 8));
}

static void an_echo_request_comes_back(void **state)
{
	struct ip_fixture *f = *state;
	const uint8_t *p;
	uint32_t us = ip_be(US), peer = ip_be(PEER);

	icmp4(f, US, 8, 0, 0x00010002, "hi", 2);
	assert_int_equal(cap.num_sent, 1);
	p = ip_of(f, &cap.sent[0]);
	assert_int_equal(cap.sent[0].len, 30);
	assert_memory_equal(p + 12, &us, 4);
	assert_memory_equal(p + 16, &peer, 4);
	assert_int_equal(p[8], 64);
	assert_memory_equal(p + 20, "\0\0", 2);
	assert_memory_equal(p + 24, "\0\1\0\2hi", 6);
	assert_int_equal(csum_fold(csum_partial(p, 20, 0)), 0);
	assert_int_equal(csum_fold(csum_partial(p + 20, 10, 0)), 0);
	assert_int_equal(ip_count(f, IcmpInEchos), 1);
	assert_int_equal(ip_count(f, IcmpOutEchoReps), 1);
}

static void a_large_echo_comes_back_in_fragments(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t body[4000], back[5000], m[4100], p[4200];
	struct v4_spec s = {.src = PEER, .dst = US, .proto = IPPROTO_ICMP, .id = 5};
	uint32_t got = 0, len = 4008;

	for (uint32_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 3);
	icmp_hdr_build(m, 8, 0, 7);
	memcpy(m + 8, body, sizeof(body));
	icmp4_set_csum(m, len);
	for (uint32_t off = 0; off < len; off += 1480) {
		s.off = (uint16_t)off;
		s.mf = off + 1480 < len;
		inject_ip(f, p, make_v4(p, &s, m + off, s.mf ? 1480 : len - off));
	}
	assert_int_equal(cap.num_sent, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *q = ip_of(f, &cap.sent[i]);
		uint32_t n = cap.sent[i].len - 20, off = (get_be16(q + 6) & 0x1fffu) * 8;

		assert_int_equal(get_be16(q + 2), cap.sent[i].len);
		assert_int_equal(!!(q[6] & 0x20), i < 2);
		assert_int_equal(csum_fold(csum_partial(q, 20, 0)), 0);
		memcpy(back + off, q + 20, n);
		got += n;
	}
	assert_int_equal(got, len);
	assert_int_equal(back[0], 0);
	assert_memory_equal(back + 8, body, sizeof(body));
	assert_int_equal(csum_fold(csum_partial(back, len, 0)), 0);
	assert_int_equal(ip_count(f, IpFragCreates), 3);
	assert_int_equal(ip_count(f, IpFragOKs), 1);
}

static void rows_that_get_no_answer(void **state)
{
	struct ip_fixture *f = *state;
	struct v4_spec s = {.src = PEER, .dst = US, .proto = IPPROTO_ICMP};
	uint8_t p[100];

	icmp4(f, "192.168.0.255", 8, 0, 1, "hi", 2);
	assert_int_equal(cap.num_sent, 0);
	assert_int_equal(ip_count(f, IcmpInErrors), 1);
	assert_int_equal(ip_count(f, IcmpInEchos), 1);
	icmp4(f, US, 17, 0, 1, "\0\0\0\0", 4);
	assert_int_equal(cap.num_sent, 0);
	assert_int_equal(ip_count(f, IcmpInAddrMasks), 1);
	assert_int_equal(ip_count(f, IcmpInErrors), 0);
	icmp4(f, US, 100, 0, 1, "", 0);
	assert_int_equal(ip_count(f, IcmpInErrors), 1);
	mark(f);
	inject_ip(f, p, make_v4(p, &s, "\x08\x00\x11\x99\0\0\0\0", 8));
	assert_int_equal(cap.num_sent, 0);
	assert_int_equal(ip_count(f, IcmpInMsgs), 1);
	assert_int_equal(ip_count(f, IcmpInErrors), 1);
	assert_int_equal(ip_count(f, IcmpInCsumErrors), 1);
}

static void a_timestamp_request_is_answered_and_counted_as_echo(void **state)
{
	struct ip_fixture *f = *state;

	icmp4(f, US, 13, 0, 1, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(cap.sent[0].len, 40);
	assert_int_equal(ip_of(f, &cap.sent[0])[20], 14);
	assert_memory_equal(ip_of(f, &cap.sent[0]) + 32, ip_of(f, &cap.sent[0]) + 36, 4);
	assert_int_equal(ip_count(f, IcmpOutEchoReps), 1);
	assert_int_equal(ip_count(f, IcmpOutTimestampReps), 0);
}

static void every_row_of_the_ipv4_table_reaches_the_transport(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		uint8_t type, code;
		int err; /* 0: ignored */
		bool is_hard;
	} rows[] = {
		{3, 0, ENETUNREACH, false},
		{3, 1, EHOSTUNREACH, false},
		{3, 2, ENOPROTOOPT, true},
		{3, 3, ECONNREFUSED, true},
		{3, 4, EMSGSIZE, true},
		{3, 5, EOPNOTSUPP, false},
		{3, 6, ENETUNREACH, true},
		{3, 7, EHOSTDOWN, true},
		{3, 8, ENONET, true},
		{3, 9, ENETUNREACH, true},
		{3, 10, EHOSTUNREACH, true},
		{3, 11, ENETUNREACH, false},
		{3, 12, EHOSTUNREACH, false},
		{3, 13, EHOSTUNREACH, true},
		{3, 14, EHOSTUNREACH, true},
		{3, 15, EHOSTUNREACH, true},
		{3, 16, 0, false},
		{4, 0, 0, false},
		{5, 1, 0, false},
		{11, 0, EHOSTUNREACH, false},
		{11, 1, 0, false},
		{12, 0, EPROTO, true},
		{13, 0, 0, false},
	};
	struct v4_spec q = {.src = US, .dst = "198.51.100.9", .proto = IPPROTO_TCP};
	uint8_t quote[64];
	uint32_t n = make_v4(quote, &q, "\x12\x34\x00\x50\x01\x02\x03\x04", 8);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		icmp4(f, US, rows[i].type, rows[i].code, rows[i].code == 4 ? 800 : 0, quote, n);
		assert_int_equal(cap.num_err, rows[i].err != 0);
		if (!rows[i].err)
			continue;
		assert_int_equal(cap.err.error, rows[i].err);
		assert_int_equal(cap.err.is_hard, rows[i].is_hard);
		assert_int_equal(cap.err.info, rows[i].type == 3 && rows[i].code == 4 ? 800 : 0);
		assert_int_equal(cap.err.proto, IPPROTO_TCP);
		assert_int_equal(ipaddr_v4_be(&cap.err.saddr), ip_be(US));
		assert_int_equal(ipaddr_v4_be(&cap.err.daddr), ip_be("198.51.100.9"));
		assert_int_equal(ipaddr_v4_be(&cap.err.offender), ip_be(PEER));
		assert_int_equal(get_be32(cap.err_quote + 4), 0x01020304);
	}
	icmp4(f, US, 3, 3, 0, quote, 20); /* nothing behind the quoted header */
	assert_int_equal(cap.num_err, 0);
	assert_int_equal(ip_count(f, IcmpInErrors), 1);
}

static void icmp6(struct ip_fixture *f, uint8_t type, uint8_t code, uint32_t rest, const void *body,
		  uint32_t len)
{
	struct ipaddr s = ip("fd00:1::9"), d = ip("fd00::1");
	uint8_t m[2000], p[2100];

	icmp_hdr_build(m, type, code, rest);
	memcpy(m + 8, body, len);
	icmp6_set_csum(&s, &d, m, len + 8);
	mark(f);
	inject_ip(f, p, make_v6(p, "fd00:1::9", "fd00::1", IPPROTO_ICMPV6, m, len + 8));
}

static void every_row_of_the_ipv6_table_reaches_the_transport(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		uint8_t type, code;
		int err;
		bool is_hard;
	} rows[] = {
		{1, 0, ENETUNREACH, false},  {1, 1, EACCES, true},
		{1, 2, EHOSTUNREACH, false}, {1, 3, EHOSTUNREACH, false},
		{1, 4, ECONNREFUSED, true},  {1, 5, EACCES, true},
		{1, 6, EACCES, true},        {1, 7, EPROTO, true},
		{2, 0, EMSGSIZE, true},      {3, 0, EHOSTUNREACH, false},
		{3, 1, EHOSTUNREACH, false}, {4, 0, EPROTO, true},
		{4, 1, EPROTO, true},        {4, 2, EPROTO, true},
	};
	uint8_t quote[64];
	uint32_t n = make_v6(quote, "fd00::1", "fd00:9::9", IPPROTO_UDP,
			     "\x12\x34\x00\x50\x01\x02\x03\x04", 8);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		icmp6(f, rows[i].type, rows[i].code, rows[i].type == 2 ? 1300 : 0, quote, n);
		assert_int_equal(cap.num_err, 1);
		assert_int_equal(cap.err.error, rows[i].err);
		assert_int_equal(cap.err.is_hard, rows[i].is_hard);
		assert_int_equal(cap.err.info, rows[i].type == 2 ? 1300 : 0);
		assert_true(cap.err.is_v6);
	}
}

static void an_ipv6_echo_comes_back_with_a_flow_label(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr s, d;
	const uint8_t *p;

	icmp6(f, 128, 0, 0x00010001, "hi", 2);
	assert_int_equal(cap.num_sent, 1);
	p = ip_of(f, &cap.sent[0]);
	assert_int_equal(p[40], 129);
	assert_int_equal(p[7], 64);
	assert_true(get_be32(p) & 0xfffff);
	s = ipaddr_from_v6(p + 8);
	d = ipaddr_from_v6(p + 24);
	assert_true(icmp6_csum_ok(&s, &d, p + 40, 10));
}

static void errors_are_limited_to_six_and_then_one_a_second(void **state)
{
	struct ip_fixture *f = *state;
	struct v4_spec s = {.src = PEER, .dst = US, .proto = 200};
	uint8_t p[64];
	uint32_t n = make_v4(p, &s, "abcdefgh", 8);

	for (int i = 0; i < 10; i++)
		inject_ip(f, p, n);
	assert_int_equal(cap.num_sent, 6);
	assert_int_equal(ip_count(f, IcmpOutRateLimitHost), 4);
	run_for(f, NS_PER_S);
	for (int i = 0; i < 10; i++)
		inject_ip(f, p, n);
	assert_int_equal(cap.num_sent, 7);
	/* many destinations: the global bucket of 50, each message costing one on average */
	mark(f);
	run_for(f, NS_PER_S);
	for (int i = 0; i < 250; i++) {
		char src[32];

		snprintf(src, sizeof(src), "198.51.100.%d", i + 1);
		s.src = src;
		inject_ip(f, p, make_v4(p, &s, "abcdefgh", 8));
	}
	assert_in_range(cap.num_sent, 35, 70);
	assert_int_equal(ip_count(f, IcmpOutRateLimitGlobal), 250 - cap.num_sent);
}

static void nothing_is_answered_to_an_error_a_late_fragment_or_a_group(void **state)
{
	struct ip_fixture *f = *state;
	struct v4_spec rows[] = {
		{.src = PEER, .dst = US, .proto = IPPROTO_ICMP},
		{.src = PEER, .dst = US, .proto = 17, .off = 64},
		{.src = PEER, .dst = "192.168.0.255", .proto = 17},
		{.src = "224.0.0.1", .dst = US, .proto = 17},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t p[64];
		uint32_t n = make_v4(p, &rows[i], "\x03\x01\0\0\0\0\0\0", 8);
		struct skb *skb = netdev_rx_alloc(f->eth, n);

		assert_int_equal(skb_store_bits(skb, 0, p, n), 0);
		skb->net_off = skb->data_off;
		icmp_send(f->st, skb, 3, 3, 0);
		skb_free(f->st, skb);
		run_for(f, NS_PER_MS);
		assert_int_equal(cap.num_sent, 0);
	}
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up_tun, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(an_echo_request_comes_back),
		T(a_large_echo_comes_back_in_fragments),
		T(rows_that_get_no_answer),
		T(a_timestamp_request_is_answered_and_counted_as_echo),
		T(every_row_of_the_ipv4_table_reaches_the_transport),
		T(every_row_of_the_ipv6_table_reaches_the_transport),
		T(an_ipv6_echo_comes_back_with_a_flow_label),
		T(errors_are_limited_to_six_and_then_one_a_second),
		T(nothing_is_answered_to_an_error_a_late_fragment_or_a_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

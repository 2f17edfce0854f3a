/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 input: rows of R04 as the live kernel answered and counted them. */
#include "ip_test.h"

#include <netinet/in.h>
#include <string.h>

#define US "fd00::1"
#define PEER "fd00:1::9"

static uint32_t udp6(uint8_t *out, const char *src, const char *dst)
{
	return make_udp(out, src, dst, 1000, 9, "x", 1);
}

static void send6(struct ip_fixture *f, const char *src, const char *dst, uint8_t nh,
		  const void *body, uint32_t len)
{
	uint8_t p[2000];

	mark(f);
	inject_ip(f, p, make_v6(p, src, dst, nh, body, len));
}

static void expect_icmp6(struct ip_fixture *f, uint8_t type, uint8_t code, uint32_t rest)
{
	const uint8_t *p = ip_of(f, &cap.sent[0]);
	struct ipaddr s, d;

	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(p[6], IPPROTO_ICMPV6);
	assert_int_equal(p[7], 64);
	assert_true(get_be32(p) & 0xfffff); /* R04.7: a flow label */
	assert_int_equal(p[40], type);
	assert_int_equal(p[41], code);
	assert_int_equal(get_be32(p + 44), rest);
	s = ipaddr_from_v6(p + 8);
	d = ipaddr_from_v6(p + 24);
	assert_true(icmp6_csum_ok(&s, &d, p + 40, cap.sent[0].len - 40));
}

static void a_good_datagram_is_delivered(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t u[64];

	send6(f, PEER, US, 17, u, udp6(u, PEER, US));
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 9);
	assert_int_equal(cap.up.ip_proto, 17);
	assert_int_equal(ip_count(f, Ip6InDelivers), 1);
	assert_int_equal(ip_count(f, Ip6InNoECTPkts), 1);
}

static void addresses_that_are_wrong_are_counted(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		const char *src, *dst;
		enum mib_id id;
	} rows[] = {
		{PEER, "fd00::77", Ip6InAddrErrors},
		{"ff02::1", US, Ip6InHdrErrors},
		{"::1", US, Ip6InHdrErrors},
		{PEER, "::1", Ip6InHdrErrors},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t u[64];

		send6(f, rows[i].src, rows[i].dst, 17, u, udp6(u, rows[i].src, rows[i].dst));
		assert_int_equal(cap.num_up + cap.num_sent, 0);
		assert_int_equal(ip_count(f, rows[i].id), 1);
	}
}

static void a_payload_beyond_the_packet_is_truncated(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t p[100], u[64];
	uint32_t n = make_v6(p, PEER, US, 17, u, udp6(u, PEER, US));

	inject_ip(f, p, n - 4);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, Ip6InTruncatedPkts), 1);
	mark(f);
	p[7] = 0; /* hop limit 0 to us is fine */
	memset(p + n, 0, 10);
	inject_ip(f, p, n + 10);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 9);
}

static void unknown_headers_are_answered_with_4_1(void **state)
{
	struct ip_fixture *f = *state;

	send6(f, PEER, US, 200, "xxxxxxxx", 8);
	expect_icmp6(f, 4, 1, 6);
	assert_int_equal(ip_count(f, Ip6InUnknownProtos), 1);
	assert_int_equal(ip_count(f, Icmp6OutParmProblems), 1);
	send6(f, PEER, US, 59, "", 0);
	assert_int_equal(cap.num_sent + cap.num_up, 0);
	assert_int_equal(ip_count(f, Ip6InHdrErrors), 0);
}

static void option_types_decide_their_fate(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t b[100], u[64];
	uint32_t n = udp6(u, PEER, US);

	memcpy(b, "\x11\0\x1e\x04\0\0\0\0", 8);
	memcpy(b + 8, u, n);
	send6(f, PEER, US, 0, b, n + 8);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 9);
	b[2] = 0x40;
	send6(f, PEER, US, 0, b, n + 8);
	assert_int_equal(cap.num_up + cap.num_sent, 0);
	assert_int_equal(ip_count(f, Ip6InHdrErrors), 1);
	b[2] = 0x80;
	send6(f, PEER, US, 0, b, n + 8);
	expect_icmp6(f, 4, 2, 42);
	assert_int_equal(ip_count(f, Ip6InHdrErrors), 1);
	send6(f, PEER, "ff02::1", 0, b, n + 8);
	assert_int_equal(cap.num_sent, 1); /* type 10: also to a group */
	b[2] = 0xc0;
	send6(f, PEER, "ff02::1", 0, b, n + 8);
	assert_int_equal(cap.num_sent, 0); /* type 11: not */
}

static void a_routing_header_with_hops_left_is_refused(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t b[100] = {17, 2, 0, 1};
	uint32_t n = udp6(b + 24, PEER, US);

	send6(f, PEER, US, 43, b, n + 24);
	expect_icmp6(f, 4, 0, 42);
	assert_int_equal(ip_count(f, Ip6InHdrErrors), 1);
	b[3] = 0;
	send6(f, PEER, US, 43, b, n + 24);
	assert_int_equal(cap.num_up, 1);
}

static void a_chain_too_long_for_the_head_is_dropped(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t b[1200] = {0};
	uint32_t n = 0;

	/* five destination headers of 64 bytes: 320 > the linear head */
	for (int i = 0; i < 5; i++, n += 64) {
		b[n] = i < 4 ? 60 : 17;
		b[n + 1] = 7;
		b[n + 2] = 0x1e;
		b[n + 3] = 60;
	}
	n += udp6(b + n, PEER, US);
	send6(f, PEER, US, 60, b, n);
	assert_int_equal(cap.num_up + cap.num_sent, 0);
	assert_int_equal(ip_count(f, Ip6InDiscards), 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up_tun, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_good_datagram_is_delivered),
		T(addresses_that_are_wrong_are_counted),
		T(a_payload_beyond_the_packet_is_truncated),
		T(unknown_headers_are_answered_with_4_1),
		T(option_types_decide_their_fate),
		T(a_routing_header_with_hops_left_is_refused),
		T(a_chain_too_long_for_the_head_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 input: the table of R02, row by row, with its counters. Expected: spec R02 and the live kernel's answers. */
#include "ip_test.h"

#include <netinet/in.h>
#include <string.h>

#define US "192.168.0.1"
#define PEER "192.0.2.1"

struct expected {
	int icmp_type, icmp_code; /* -1: nothing sent */
	uint32_t icmp_len;
	uint32_t num_up;
};

static void send_spec(struct ip_fixture *f, const struct v4_spec *s, const void *payload, uint32_t len)
{
	uint8_t p[2048];

	mark(f);
	inject_ip(f, p, make_v4(p, s, payload, len));
}

static void expect_icmp(struct ip_fixture *f, int type, int code, uint32_t len)
{
	const uint8_t *p;

	assert_int_equal(cap.num_sent, 1);
	p = ip_of(f, &cap.sent[0]);
	assert_int_equal(p[9], IPPROTO_ICMP);
	assert_int_equal(p[20], type);
	assert_int_equal(p[21], code);
	assert_int_equal(cap.sent[0].len, len);
	assert_int_equal(csum_fold(csum_partial(p + 20, len - 20, 0)), 0);
}

static void a_good_datagram_is_delivered_with_padding_trimmed(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t p[200], u[64];
	uint32_t n = make_udp(u, PEER, US, 1000, 9, "x", 1);
	struct v4_spec s = {.src = PEER, .dst = US, .proto = 17, .tos = 0x2e};

	n = make_v4(p, &s, u, n);
	memset(p + n, 0, 20);
	inject_ip(f, p, n + 20);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 9);
	assert_int_equal(cap.up.ip_proto, 17);
	assert_int_equal(cap.up.tos, 0x2e);
	assert_memory_equal(cap.up.bytes, u, 9);
	assert_int_equal(ip_count(f, IpInReceives), 1);
	assert_int_equal(ip_count(f, IpInDelivers), 1);
	assert_int_equal(ip_count(f, IpExtInECT0Pkts), 1);
}

static void each_bad_header_has_its_counter_and_no_answer(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		struct v4_spec s;
		enum mib_id id, id2;
	} rows[] = {
		{{.has_bad_csum = true}, IpInHdrErrors, IpExtInCsumErrors},
		{{.total_len = 200}, IpExtInTruncatedPkts, IpExtInTruncatedPkts},
		{{.total_len = 10}, IpInHdrErrors, IpInHdrErrors},
		{{.ver_ihl = 0x55}, IpInHdrErrors, IpInHdrErrors},
		{{.ver_ihl = 0x44}, IpInHdrErrors, IpInHdrErrors},
		{{.dst = "192.168.0.77"}, IpInAddrErrors, IpInAddrErrors},
		{{.dst = "198.51.100.7"}, IpInAddrErrors, IpInAddrErrors},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4_spec s = rows[i].s;
		uint8_t u[64];

		s.src = PEER;
		s.dst = s.dst ? s.dst : US;
		s.proto = 17;
		send_spec(f, &s, u, make_udp(u, PEER, s.dst, 1000, 9, "x", 1));
		assert_int_equal(ip_count(f, rows[i].id), 1);
		assert_int_equal(ip_count(f, rows[i].id2), 1);
		assert_int_equal(cap.num_up, 0);
		assert_int_equal(cap.num_sent, 0);
	}
}

static void martians_vanish_without_an_snmp_counter(void **state)
{
	struct ip_fixture *f = *state;
	static const char *const rows[][2] = {
		{"127.0.0.1", US}, {PEER, "127.0.0.1"},     {US, US},
		{"224.0.0.5", US}, {"255.255.255.255", US}, {"0.0.0.0", US},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4_spec s = {.src = rows[i][0], .dst = rows[i][1], .proto = 17};
		uint8_t u[64];

		send_spec(f, &s, u, make_udp(u, s.src, s.dst, 1000, 9, "x", 1));
		assert_int_equal(cap.num_up, 0);
		assert_int_equal(cap.num_sent, 0);
		assert_int_equal(ip_count(f, IpInHdrErrors) + ip_count(f, IpInAddrErrors), 0);
		assert_int_equal(ip_count(f, NaruMartianDrops), 1);
	}
}

static void ttl_0_and_1_to_us_are_accepted(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t p[100], u[64];
	struct v4_spec s = {.src = PEER, .dst = US, .proto = 17};
	uint32_t n = make_v4(p, &s, u, make_udp(u, PEER, US, 1000, 9, "x", 1));

	for (uint8_t ttl = 0; ttl < 2; ttl++) {
		mark(f);
		p[8] = ttl;
		ipv4_set_csum(p, 20);
		inject_ip(f, p, n);
		assert_int_equal(cap.num_up, 1);
	}
}

static void an_unknown_protocol_is_answered_with_3_2(void **state)
{
	struct ip_fixture *f = *state;
	struct v4_spec s = {.src = PEER, .dst = US, .proto = 200};

	send_spec(f, &s, "abcdefgh", 8);
	expect_icmp(f, 3, 2, 56);
	assert_int_equal(ip_count(f, IpInUnknownProtos), 1);
	assert_int_equal(ip_count(f, IcmpOutMsgs), 1);
	assert_int_equal(ip_count(f, IcmpOutDestUnreachs), 1);
}

static void a_bad_option_length_is_answered_with_12_0_and_a_pointer(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t u[64];
	struct v4_spec s = {
		.src = PEER,
		.dst = US,
		.proto = 17,
		.opt = (const uint8_t *)"\x07\x30\x04\x00",
		.opt_len = 4,
	};

	send_spec(f, &s, u, make_udp(u, PEER, US, 1000, 9, "x", 1));
	expect_icmp(f, 12, 0, 61);
	assert_int_equal(ip_of(f, &cap.sent[0])[24], 20); /* where the option begins */
	assert_int_equal(ip_count(f, IpInHdrErrors), 1);
	assert_int_equal(ip_count(f, IcmpOutParmProbs), 1);
}

static void a_source_route_is_dropped_silently(void **state)
{
	struct ip_fixture *f = *state;
	uint8_t u[64];
	struct v4_spec s = {
		.src = PEER,
		.dst = US,
		.proto = 17,
		.opt = (const uint8_t *)"\x83\x07\x04\xc0\xa8\x00\x01\x01",
		.opt_len = 8,
	};

	send_spec(f, &s, u, make_udp(u, PEER, US, 1000, 9, "x", 1));
	assert_int_equal(cap.num_sent + cap.num_up, 0);
	assert_int_equal(ip_count(f, IpInHdrErrors), 0);
}

static void broadcast_and_multicast_are_delivered_and_marked(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		const char *dst;
		enum mib_id id;
		uint8_t type;
	} rows[] = {
		{"192.168.0.255", IpExtInBcastPkts, PKT_BROADCAST},
		{"255.255.255.255", IpExtInBcastPkts, PKT_BROADCAST},
		{"224.0.0.1", IpExtInMcastPkts, PKT_MULTICAST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4_spec s = {.src = PEER, .dst = rows[i].dst, .proto = 17};
		uint8_t u[64];

		send_spec(f, &s, u, make_udp(u, PEER, rows[i].dst, 1000, 9, "x", 1));
		assert_int_equal(cap.num_up, 1);
		assert_int_equal(cap.up.pkt_type, rows[i].type);
		assert_int_equal(ip_count(f, rows[i].id), 1);
	}
}

static void a_group_is_received_only_while_joined(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr g = ip("239.1.2.3");
	struct v4_spec s = {.src = PEER, .dst = "239.1.2.3", .proto = 17};
	uint8_t u[64];
	uint32_t n = make_udp(u, PEER, "239.1.2.3", 1000, 9, "x", 1);

	send_spec(f, &s, u, n);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_mc_join(f->eth, &g), 0);
	send_spec(f, &s, u, n);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(ip_mc_leave(f->eth, &g), 0);
	send_spec(f, &s, u, n);
	assert_int_equal(cap.num_up, 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up_tun, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_good_datagram_is_delivered_with_padding_trimmed),
		T(each_bad_header_has_its_counter_and_no_answer),
		T(martians_vanish_without_an_snmp_counter),
		T(ttl_0_and_1_to_us_are_accepted),
		T(an_unknown_protocol_is_answered_with_3_2),
		T(a_bad_option_length_is_answered_with_12_0_and_a_pointer),
		T(a_source_route_is_dropped_silently),
		T(broadcast_and_multicast_are_delivered_and_marked),
		T(a_group_is_received_only_while_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

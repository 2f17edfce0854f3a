/* SPDX-License-Identifier: BSD-2-Clause */
/* Reassembly: rules R03 and R04.5, expected counters as the live kernel counted them. */
#include "ip_test.h"

#include <netinet/in.h>
#include <string.h>

#define US "192.168.0.1"
#define PEER "192.0.2.1"
#define DGRAM 2000u

static uint8_t dgram[70000];

static uint64_t sum_of(const uint8_t *p, uint32_t len)
{
	uint64_t s = 0;

	for (uint32_t i = 8; i < len; i++)
		s += (uint64_t)p[i] * (i + 1);
	return s;
}

static void make_dgram(uint32_t len)
{
	static uint8_t body[70000];

	for (uint32_t i = 0; i < len; i++)
		body[i] = (uint8_t)(65 + i % 26);
	make_udp(dgram, PEER, US, 1000, 9, body, len - 8);
}

static void frag(struct ip_fixture *f, uint16_t id, uint32_t from, uint32_t to, bool mf, uint8_t tos)
{
	struct v4_spec s = {.src = PEER,
			    .dst = US,
			    .proto = 17,
			    .id = id,
			    .off = (uint16_t)from,
			    .mf = mf,
			    .tos = tos};
	uint8_t p[9000];

	inject_ip(f, p, make_v4(p, &s, dgram + from, to - from));
}

static void piece(struct ip_fixture *f, uint16_t id, int k)
{
	static const uint16_t at[] = {0, 800, 1600, DGRAM};

	frag(f, id, at[k], at[k + 1], k < 2, 0);
}

static void expect_whole(struct ip_fixture *f, uint32_t reqds)
{
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, DGRAM);
	assert_int_equal(cap.up_sum, sum_of(dgram, DGRAM));
	assert_int_equal(ip_count(f, IpReasmReqds), reqds);
	assert_int_equal(ip_count(f, IpReasmOKs), 1);
	assert_int_equal(ip_count(f, IpReasmFails), 0);
	mark(f);
}

static void any_order_and_contained_duplicates_complete(void **state)
{
	struct ip_fixture *f = *state;
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	make_dgram(DGRAM);
	for (int o = 0; o < 6; o++) {
		for (int k = 0; k < 3; k++)
			piece(f, (uint16_t)(100 + o), orders[o][k]);
		expect_whole(f, 3);
	}
	piece(f, 1, 0);
	piece(f, 1, 1);
	piece(f, 1, 1); /* exact duplicate */
	piece(f, 1, 2);
	expect_whole(f, 4);
	piece(f, 2, 0);
	piece(f, 2, 1);
	frag(f, 2, 400, 1000, true, 0); /* inside what two fragments hold together */
	piece(f, 2, 2);
	expect_whole(f, 4);
}

static void an_overlap_discards_the_queue_at_once(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	piece(f, 1, 0);
	frag(f, 1, 792, 1608, true, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
	assert_int_equal(ip_count(f, IpExtReasmOverlaps), 1);
	piece(f, 1, 1);
	piece(f, 1, 2);
	run_for(f, 31 * NS_PER_S);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 2);
	assert_int_equal(ip_count(f, IpReasmTimeout), 1);
	assert_int_equal(cap.num_sent, 0); /* the first fragment is not held */
}

static void expiry_after_30_s_reports_11_1_only_with_the_first_fragment(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	piece(f, 1, 0);
	piece(f, 1, 2);
	run_for(f, 30 * NS_PER_S - 5 * NS_PER_MS);
	assert_int_equal(ip_count(f, IpReasmTimeout), 0);
	run_for(f, 10 * NS_PER_MS);
	assert_int_equal(ip_count(f, IpReasmTimeout), 1);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(cap.sent[0].len, 576);
	assert_int_equal(ip_of(f, &cap.sent[0])[20], 11);
	assert_int_equal(ip_of(f, &cap.sent[0])[21], 1);
	assert_int_equal(ip_count(f, IcmpOutTimeExcds), 1);
	mark(f);
	piece(f, 2, 1);
	piece(f, 2, 2);
	run_for(f, 31 * NS_PER_S);
	assert_int_equal(ip_count(f, IpReasmTimeout), 1);
	assert_int_equal(cap.num_sent, 0);
}

static void two_ends_lose_the_datagram(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	piece(f, 1, 2);
	frag(f, 1, 2000, 2100, false, 0);
	piece(f, 1, 0);
	piece(f, 1, 1);
	run_for(f, 31 * NS_PER_S);
	/* as counted live: nothing delivered, ReasmReqds+4 ReasmFails+2 ReasmTimeout+1, ICMP 11/1 */
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, IpReasmReqds), 4);
	assert_int_equal(ip_count(f, IpReasmFails), 2);
	assert_int_equal(ip_count(f, IpReasmTimeout), 1);
	assert_int_equal(cap.num_sent, 1);
}

static void odd_tails_are_cut_and_empty_fragments_refused(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	frag(f, 1, 0, 803, true, 0);
	piece(f, 1, 1);
	piece(f, 1, 2);
	expect_whole(f, 3);
	frag(f, 2, 8, 8, true, 0);
	assert_int_equal(ip_count(f, IpReasmReqds), 1);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
	run_for(f, 31 * NS_PER_S);
	assert_int_equal(ip_count(f, IpReasmTimeout), 0);
}

static void ecn_of_the_fragments_is_merged_or_refused(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	frag(f, 1, 0, 800, true, 2);
	frag(f, 1, 800, 1600, true, 3);
	frag(f, 1, 1600, DGRAM, false, 2);
	assert_int_equal(cap.up.tos & 3, 3);
	expect_whole(f, 3);
	frag(f, 2, 0, 800, true, 2);
	frag(f, 2, 800, 1600, true, 0);
	frag(f, 2, 1600, DGRAM, false, 3);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
}

static void more_than_65535_bytes_is_refused_at_completion(void **state)
{
	struct ip_fixture *f = *state;
	uint32_t off = 0;

	memset(dgram, 'a', sizeof(dgram));
	for (; off + 8000 <= 64000; off += 8000)
		frag(f, 7, off, off + 8000, true, 0);
	frag(f, 7, off, 65520, true, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 0);
	frag(f, 7, 65520, 65520 + 16, false, 0);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
	mark(f);
	/* and the largest one passes: 20 + 65515 */
	make_dgram(65515);
	for (off = 0; off + 8000 <= 64000; off += 8000)
		frag(f, 8, off, off + 8000, true, 0);
	frag(f, 8, off, 65515, false, 0);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 65515);
	assert_int_equal(cap.up_sum, sum_of(dgram, 65515));
}

static void memory_over_the_threshold_refuses_new_fragments(void **state)
{
	struct ip_fixture *f = *state;

	f->st->sysctl.ipfrag_high_thresh = 10000;
	make_dgram(DGRAM);
	for (uint16_t i = 0; i < 8; i++) {
		struct v4_spec s = {.src = PEER, .dst = US, .proto = 17, .id = i, .mf = true};
		uint8_t p[1000];
		uint32_t n = make_v4(p, &s, dgram, 800);
		struct skb *skb = netdev_rx_alloc(f->eth, n);

		assert_int_equal(skb_store_bits(skb, 0, p, n), 0);
		skb->truesize = 2304; /* what a TUN packet costs (R36.1) */
		netif_rx(f->eth, skb);
		pump_run(f->st);
	}
	assert_int_equal(ip_count(f, IpReasmReqds), 8);
	assert_int_equal(ip_count(f, IpReasmFails), 4);
	assert_int_equal(f->st->ip->frag4.num_queues, 4);
}

static void a_queue_left_64_fragments_behind_starts_over(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(DGRAM);
	piece(f, 1, 0);
	for (uint16_t i = 0; i < 65; i++)
		piece(f, (uint16_t)(1000 + i), 0);
	piece(f, 1, 1);
	piece(f, 1, 2);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, IpReasmFails), 1);
}

/* ---- IPv6 ---- */

static void frag6(struct ip_fixture *f, uint32_t id, uint32_t from, uint32_t to, bool mf)
{
	uint8_t body[2100], p[2200];

	ipv6_frag_build(body, IPPROTO_UDP, from & ~7u, mf, id);
	memcpy(body + 8, dgram + from, to - from);
	inject_ip(f, p, make_v6(p, "fd00:1::9", "fd00::1", IPPROTO_FRAGMENT, body, to - from + 8));
}

static void ipv6_rows_of_r04(void **state)
{
	struct ip_fixture *f = *state;

	make_dgram(1000);
	frag6(f, 77, 504, 1000, false);
	frag6(f, 77, 0, 504, true);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 1000);
	assert_int_equal(cap.up_sum, sum_of(dgram, 1000));
	assert_int_equal(cap.up.ip_proto, IPPROTO_UDP);
	assert_int_equal(ip_count(f, Ip6ReasmReqds), 2);
	assert_int_equal(ip_count(f, Ip6ReasmOKs), 1);
	mark(f);
	frag6(f, 78, 0, 1000, false); /* atomic */
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(ip_count(f, Ip6ReasmReqds), 1);
	assert_int_equal(ip_count(f, Ip6ReasmOKs), 1);
	mark(f);
	frag6(f, 79, 0, 504, true);
	frag6(f, 79, 496, 1000, false);
	frag6(f, 79, 504, 1000, false);
	assert_int_equal(cap.num_up, 0);
	assert_int_equal(ip_count(f, Ip6ReasmReqds), 3);
	assert_int_equal(ip_count(f, Ip6ReasmFails), 1);
	mark(f);
	frag6(f, 80, 0, 503, true);
	assert_int_equal(ip_count(f, Ip6InHdrErrors), 1);
	assert_int_equal(ip_count(f, Ip6ReasmReqds), 1);
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(ip_of(f, &cap.sent[0])[40], 4);
	assert_int_equal(ip_of(f, &cap.sent[0])[41], 0);
	assert_int_equal(get_be32(ip_of(f, &cap.sent[0]) + 44), 4); /* the payload length field */
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up_tun, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(any_order_and_contained_duplicates_complete),
		T(an_overlap_discards_the_queue_at_once),
		T(expiry_after_30_s_reports_11_1_only_with_the_first_fragment),
		T(two_ends_lose_the_datagram),
		T(odd_tails_are_cut_and_empty_fragments_refused),
		T(ecn_of_the_fragments_is_merged_or_refused),
		T(more_than_65535_bytes_is_refused_at_completion),
		T(memory_over_the_threshold_refuses_new_fragments),
		T(a_queue_left_64_fragments_behind_starts_over),
		T(ipv6_rows_of_r04),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

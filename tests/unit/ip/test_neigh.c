/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours and ARP: timing and states of R08, rows of R07 (live kernel), discovery of R09. */
#include "ip_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

static enum xmit send_to(struct ip_fixture *f, const char *dst, uint32_t len, uint8_t mark_byte)
{
	struct ip_tx tx = {.daddr = ip(dst), .proto = IPPROTO_UDP, .ttl = -1};
	struct skb *skb = out_skb(f, len);

	skb_data(skb)[4] = mark_byte;
	return ip_send(f->st, skb, &tx);
}

static bool is_arp(const struct seen *s)
{
	return get_be16(s->bytes + 12) == ETH_TYPE_ARP;
}

static uint32_t count_arp(uint16_t op)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cap.num_sent; i++)
		n += is_arp(&cap.sent[i]) && get_be16(cap.sent[i].bytes + 20) == op;
	return n;
}

static void requests_leave_at_0_1_2_s_and_it_fails_at_3_s(void **state)
{
	struct ip_fixture *f = *state;
	uint64_t t0 = stack_now_ns(f->st);

	assert_int_equal(send_to(f, "192.168.0.8", 20, 0), XMIT_OK);
	run_for(f, 3 * NS_PER_S - NS_PER_MS);
	assert_int_equal(cap.num_sent, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *p = cap.sent[i].bytes;
		uint32_t us = ip_be("192.168.0.1"), them = ip_be("192.168.0.8");

		assert_int_equal(cap.sent[i].at_ns - t0, i * NS_PER_S);
		assert_memory_equal(p, "\xff\xff\xff\xff\xff\xff", 6);
		assert_int_equal(get_be16(p + 20), ARP_OP_REQUEST);
		assert_memory_equal(p + 28, &us, 4);
		assert_memory_equal(p + 38, &them, 4);
	}
	assert_int_equal(cap.num_err, 0);
	assert_int_equal(state_of_neigh(f, "192.168.0.8", NULL), NEIGH_INCOMPLETE);
	run_for(f, 2 * NS_PER_MS);
	assert_int_equal(state_of_neigh(f, "192.168.0.8", NULL), NEIGH_FAILED);
	assert_int_equal(cap.num_err, 1);
	assert_int_equal(cap.err.error, EHOSTUNREACH);
	assert_int_equal(cap.err.type, 3);
	assert_int_equal(cap.err.code, 1);
	assert_int_equal(cap.err.proto, IPPROTO_UDP);
	assert_int_equal(get_be16(cap.err_quote), 0x1000);
	assert_int_equal(get_be16(cap.err_quote + 2), 0x2000);
	/* the next packet starts over */
	mark(f);
	send_to(f, "192.168.0.8", 20, 0);
	assert_int_equal(count_arp(ARP_OP_REQUEST), 1);
}

static void a_reply_releases_the_queue_in_order_and_makes_it_reachable(void **state)
{
	struct ip_fixture *f = *state;
	struct mac_addr mac;

	for (uint8_t i = 0; i < 150; i++)
		send_to(f, "192.168.0.7", 100, i);
	assert_int_equal(cap.num_sent, 1);
	arp_from_peer(f, ARP_OP_REPLY, "192.168.0.7", "192.168.0.1", &peer_mac, false);
	assert_int_equal(cap.num_sent, 151); /* 150 small ones are kept, R08.1 */
	for (uint32_t i = 0; i < 150; i++) {
		assert_memory_equal(cap.sent[i + 1].bytes, peer_mac.b, 6);
		assert_int_equal(cap.sent[i + 1].bytes[14 + 20 + 4], i);
	}
	assert_int_equal(state_of_neigh(f, "192.168.0.7", &mac), NEIGH_REACHABLE);
	assert_memory_equal(mac.b, peer_mac.b, 6);
	send_to(f, "192.168.0.7", 100, 200);
	assert_int_equal(cap.num_sent, 152);
}

static void a_full_queue_drops_the_oldest(void **state)
{
	struct ip_fixture *f = *state;

	for (uint32_t i = 0; i < 400; i++) {
		struct ip_tx tx = {.daddr = ip("192.168.0.13"), .proto = IPPROTO_UDP, .ttl = -1};
		struct skb *skb = out_skb(f, 1000);

		skb->truesize = 2304;
		put_be16(skb_data(skb) + 4, (uint16_t)i);
		assert_int_equal(ip_send(f->st, skb, &tx), XMIT_OK);
	}
	arp_from_peer(f, ARP_OP_REPLY, "192.168.0.13", "192.168.0.1", &peer_mac, false);
	assert_int_equal(cap.num_sent, 1 + 92); /* 212992 / 2304 */
	assert_int_equal(get_be16(cap.sent[1].bytes + 14 + 20 + 4), 400 - 92);
	assert_int_equal(get_be16(cap.sent[92].bytes + 14 + 20 + 4), 399);
	assert_int_equal(ip_count(f, NaruNeighDrops), 400 - 92);
}

static void stale_goes_to_delay_then_probes_and_fails(void **state)
{
	struct ip_fixture *f = *state;
	uint64_t t0;

	f->st->sysctl.neigh_delay_first_probe = 1;
	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.11", "192.168.0.1", &peer_mac, true);
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_STALE);
	mark(f);
	t0 = stack_now_ns(f->st);
	send_to(f, "192.168.0.11", 20, 0);
	assert_int_equal(cap.num_sent, 1); /* the packet itself, at once */
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_DELAY);
	run_for(f, 4 * NS_PER_S + NS_PER_MS);
	assert_int_equal(cap.num_sent, 4);
	for (uint32_t i = 1; i < 4; i++) {
		assert_true(is_arp(&cap.sent[i]));
		assert_memory_equal(cap.sent[i].bytes, peer_mac.b, 6); /* unicast */
		assert_int_equal(cap.sent[i].at_ns - t0, i * NS_PER_S);
	}
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_FAILED);
}

static void confirmation_from_above_saves_the_probes(void **state)
{
	struct ip_fixture *f = *state;
	struct flow fl = {.daddr = ip("192.168.0.11")};
	struct dst *d;

	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.11", "192.168.0.1", &peer_mac, true);
	send_to(f, "192.168.0.11", 20, 0);
	mark(f);
	assert_int_equal(ip_route_output(f->st, &fl, &d), 0);
	ip_confirm_neigh(d);
	dst_put(d);
	run_for(f, 6 * NS_PER_S);
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_REACHABLE);
	assert_int_equal(cap.num_sent, 0);
	/* and lasts between 15 and 45 s */
	run_for(f, 9 * NS_PER_S);
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_REACHABLE);
	run_for(f, 40 * NS_PER_S);
	assert_int_equal(state_of_neigh(f, "192.168.0.11", NULL), NEIGH_STALE);
}

static void arp_rows_of_r07(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		const char *what;
		uint16_t op;
		const char *spa, *tpa;
		bool has_answer;
		const char *answer_tip;
		enum neigh_state entry;
	} rows[] = {
		{"request for our address", ARP_OP_REQUEST, "192.168.0.31", "192.168.0.1", true,
		 "192.168.0.31", NEIGH_STALE},
		{"request for another", ARP_OP_REQUEST, "192.168.0.32", "192.168.0.50", false, NULL,
		 NEIGH_NONE},
		{"unsolicited reply, no entry", ARP_OP_REPLY, "192.168.0.33", "192.168.0.1", false,
		 NULL, NEIGH_NONE},
		{"gratuitous request", ARP_OP_REQUEST, "192.168.0.34", "192.168.0.34", false, NULL,
		 NEIGH_NONE},
		{"probe from 0.0.0.0", ARP_OP_REQUEST, "0.0.0.0", "192.168.0.1", true, "0.0.0.0",
		 NEIGH_NONE},
		{"sender is our address", ARP_OP_REQUEST, "192.168.0.1", "192.168.0.1", false, NULL,
		 NEIGH_NONE},
		{"request for multicast", ARP_OP_REQUEST, "192.168.0.35", "224.0.0.1", false, NULL,
		 NEIGH_NONE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		mark(f);
		arp_from_peer(f, rows[i].op, rows[i].spa, rows[i].tpa, &peer_mac, true);
		assert_int_equal(cap.num_sent, rows[i].has_answer);
		assert_int_equal(state_of_neigh(f, rows[i].spa, NULL), rows[i].entry);
		if (rows[i].has_answer) {
			uint32_t tip = ip_be(rows[i].answer_tip), us = ip_be("192.168.0.1");

			assert_int_equal(get_be16(cap.sent[0].bytes + 20), ARP_OP_REPLY);
			assert_memory_equal(cap.sent[0].bytes, peer_mac.b, 6);
			assert_memory_equal(cap.sent[0].bytes + 28, &us, 4);
			assert_memory_equal(cap.sent[0].bytes + 38, &tip, 4);
		}
	}
	f->st->sysctl.arp_accept = 1;
	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.34", "192.168.0.34", &peer_mac, true);
	assert_int_equal(state_of_neigh(f, "192.168.0.34", NULL), NEIGH_STALE);
}

static void locktime_protects_a_mac_except_from_gratuitous_frames(void **state)
{
	struct ip_fixture *f = *state;
	const struct mac_addr other = {{2, 0, 0, 0, 0, 8}};
	struct mac_addr mac;

	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.7", "192.168.0.1", &peer_mac, true);
	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.7", "192.168.0.1", &other, true);
	state_of_neigh(f, "192.168.0.7", &mac);
	assert_memory_equal(mac.b, peer_mac.b, 6);
	arp_from_peer(f, ARP_OP_REPLY, "192.168.0.7", "192.168.0.7", &other, true);
	assert_int_equal(state_of_neigh(f, "192.168.0.7", &mac), NEIGH_STALE);
	assert_memory_equal(mac.b, other.b, 6);
	arp_from_peer(f, ARP_OP_REPLY, "192.168.0.7", "192.168.0.7", &peer_mac, true);
	state_of_neigh(f, "192.168.0.7", &mac);
	assert_memory_equal(mac.b, peer_mac.b, 6);
	run_for(f, NS_PER_S + NS_PER_MS);
	arp_from_peer(f, ARP_OP_REQUEST, "192.168.0.7", "192.168.0.1", &other, true);
	state_of_neigh(f, "192.168.0.7", &mac);
	assert_memory_equal(mac.b, other.b, 6);
}

static void the_table_refuses_what_exceeds_thresh3(void **state)
{
	struct ip_fixture *f = *state;
	char a[32];

	f->st->sysctl.neigh_gc_thresh2 = 16;
	f->st->sysctl.neigh_gc_thresh3 = 32;
	for (int i = 0; i < 40; i++) {
		snprintf(a, sizeof(a), "192.168.0.%d", 10 + i);
		assert_int_equal(send_to(f, a, 20, 0), i < 32 ? XMIT_OK : XMIT_NOMEM);
	}
	run_for(f, 10 * NS_PER_S); /* all failed: their places are free again */
	assert_int_equal(send_to(f, "192.168.0.200", 20, 0), XMIT_OK);
}

/* ---- IPv6 ---- */

static uint32_t make_nd(uint8_t *out, const char *src, const char *dst, const struct nd_msg *m)
{
	uint8_t body[ND_MSG_MAX];
	struct ipaddr s = ip(src), d = ip(dst);
	int n = nd_build(body, sizeof(body), &s, &d, m);

	n = (int)make_v6(out, src, dst, IPPROTO_ICMPV6, body, (uint32_t)n);
	out[7] = 255;
	return (uint32_t)n;
}

static void ipv6_solicits_by_multicast_and_takes_the_advertisement(void **state)
{
	struct ip_fixture *f = *state;
	struct nd_msg na = {.type = ICMP6_TYPE_NA,
			    .flags = ND_NA_SOLICITED | ND_NA_OVERRIDE,
			    .has_tlla = true,
			    .tlla = peer_mac,
			    .target = ip("fd00::7")};
	uint8_t p[400];

	send_to(f, "fd00::7", 20, 0);
	assert_int_equal(cap.num_sent, 1);
	assert_memory_equal(cap.sent[0].bytes, "\x33\x33\xff\x00\x00\x07", 6);
	assert_int_equal(cap.sent[0].bytes[14 + 7], 255);
	assert_int_equal(cap.sent[0].bytes[14 + 40], ICMP6_TYPE_NS);
	inject_ip(f, p, make_nd(p, "fd00::7", "fd00::1", &na));
	assert_int_equal(state_of_neigh(f, "fd00::7", NULL), NEIGH_REACHABLE);
	assert_int_equal(cap.num_sent, 2);
	assert_memory_equal(cap.sent[1].bytes, peer_mac.b, 6);
	run_for(f, 2 * NS_PER_S);
	assert_int_equal(cap.num_sent, 2);
}

static void a_solicitation_for_us_is_answered_and_learned_as_stale(void **state)
{
	struct ip_fixture *f = *state;
	struct nd_msg ns = {
		.type = ICMP6_TYPE_NS, .has_slla = true, .slla = peer_mac, .target = ip("fd00::1")};
	struct nd_msg dad = {.type = ICMP6_TYPE_NS, .target = ip("fd00::1")};
	uint8_t p[400];
	uint32_t n;

	inject_ip(f, p, make_nd(p, "fd00::7", "ff02::1:ff00:1", &ns));
	assert_int_equal(state_of_neigh(f, "fd00::7", NULL),
			 NEIGH_DELAY); /* STALE, used by the answer */
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(cap.sent[0].bytes[54], ICMP6_TYPE_NA);
	assert_int_equal(cap.sent[0].bytes[58], ND_NA_SOLICITED | ND_NA_OVERRIDE);
	mark(f);
	inject_ip(f, p, make_nd(p, "::", "ff02::1:ff00:1", &dad));
	assert_int_equal(cap.num_sent, 1);
	assert_memory_equal(cap.sent[0].bytes, "\x33\x33\x00\x00\x00\x01", 6);
	assert_int_equal(cap.sent[0].bytes[58], ND_NA_OVERRIDE);
	/* hop limit 254 came through a router */
	mark(f);
	n = make_nd(p, "::", "ff02::1:ff00:1", &dad);
	p[7] = 254;
	inject_ip(f, p, n);
	assert_int_equal(cap.num_sent, 0);
}

static void an_address_is_tentative_for_one_second_and_lost_to_a_duplicate(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr a = ip("fd00::5"), b = ip("fd00::6");
	struct nd_msg na = {.type = ICMP6_TYPE_NA,
			    .flags = ND_NA_OVERRIDE,
			    .has_tlla = true,
			    .tlla = peer_mac,
			    .target = ip("fd00::6")};
	uint8_t p[400];
	bool is_tentative;

	assert_int_equal(ip_addr_add(f->eth, &a, 64, false), 0);
	assert_int_equal(ip_addr_add(f->eth, &b, 64, false), 0);
	assert_true(ip_addr_is_local(f->st, &a, &is_tentative));
	assert_true(is_tentative);
	run_for(f, 500 * NS_PER_MS);
	inject_ip(f, p, make_nd(p, "fd00::6", "ff02::1", &na));
	run_for(f, 600 * NS_PER_MS);
	assert_true(ip_addr_is_local(f->st, &a, &is_tentative));
	assert_false(is_tentative);
	assert_false(ip_addr_is_local(f->st, &b, &is_tentative));
}

static void a_router_advertisement_brings_route_prefix_and_address(void **state)
{
	struct ip_fixture *f = *state;
	struct nd_msg ra = {
		.type = ICMP6_TYPE_RA,
		.has_slla = true,
		.slla = peer_mac,
		.cur_hop_limit = 50,
		.router_lifetime_s = 60,
		.mtu = 1400,
		.num_prefixes = 1,
		.prefixes = {{.prefix = ip("2001:db8::"),
			      .plen = 64,
			      .valid_s = 7200,
			      .preferred_s = 3600,
			      .flags = ND_PREFIX_ONLINK | ND_PREFIX_AUTO}},
	};
	struct ipaddr any = IPADDR_ANY_V6, mine = ip("2001:db8::0000:ff:fe00:1");
	struct flow fl = {.daddr = ip("2001:4860::1")};
	struct dst *d;
	uint8_t p[500];
	bool is_tentative;

	f->st->sysctl.accept_ra = 1;
	assert_int_equal(ip_route_del(f->st, &any, 0), 0);
	inject_ip(f, p, make_nd(p, "fe80::9", "ff02::1", &ra));
	run_for(f, 2 * NS_PER_S);
	assert_true(ip_addr_is_local(f->st, &mine, &is_tentative));
	assert_false(is_tentative);
	assert_int_equal(ip_route_output(f->st, &fl, &d), 0);
	assert_true(ipaddr_eq(&d->gateway, &(struct ipaddr){.b = {0xfe, 0x80, [15] = 9}}));
	assert_int_equal(dst_mtu(d), 1400);
	assert_true(ipaddr_eq(&d->saddr, &mine));
	dst_put(d);
	run_for(f, 61 * NS_PER_S);
	fl.saddr = any;
	dst_cache_shrink(f->st, true, 0);
	assert_int_equal(ip_route_output(f->st, &fl, &d), -ENETUNREACH);
}

static void an_idle_stack_has_no_events(void **state)
{
	struct ip_fixture *f = *state;

	send_to(f, "192.168.0.8", 20, 0);
	run_for(f, 60 * NS_PER_S);
	assert_true(timers_next_ns(&f->st->timers) == UINT64_MAX);
}

static void joining_a_group_is_reported_to_the_link(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr g4 = ip("239.1.2.3"), g6 = ip("ff15::7");
	uint32_t be = ipaddr_v4_be(&g4);
	const uint8_t *p;

	assert_int_equal(ip_mc_join(f->eth, &g4), 0);
	assert_int_equal(ip_mc_join(f->eth, &g4), 0);
	assert_int_equal(cap.num_sent, 1);
	p = cap.sent[0].bytes;
	assert_memory_equal(p, "\x01\x00\x5e\x00\x00\x16", 6); /* 224.0.0.22 */
	assert_int_equal(p[14], 0x46);                         /* router alert */
	assert_int_equal(p[14 + 8], 1);
	assert_int_equal(p[14 + 24], 0x22); /* version 3 report, one record: change to exclude */
	assert_int_equal(get_be16(p + 14 + 24 + 6), 1);
	assert_int_equal(p[14 + 24 + 8], 4);
	assert_memory_equal(p + 14 + 24 + 12, &be, 4);
	assert_int_equal(csum_fold(csum_partial(p + 14 + 24, 16, 0)), 0);
	assert_int_equal(ip_mc_leave(f->eth, &g4), 0);
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(ip_mc_leave(f->eth, &g4), 0);
	assert_int_equal(cap.num_sent, 2);
	assert_int_equal(cap.sent[1].bytes[14 + 24 + 8], 3); /* change to include nothing */
	assert_int_equal(ip_mc_join(f->eth, &g6), 0);
	p = cap.sent[2].bytes;
	assert_memory_equal(p, "\x33\x33\x00\x00\x00\x16", 6);
	assert_int_equal(p[14 + 6], 0); /* hop-by-hop with router alert */
	assert_int_equal(p[14 + 48], ICMP6_TYPE_MLD2_REPORT);
	assert_memory_equal(p + 14 + 48 + 12, g6.b, 16);
	assert_int_equal(ip_mc_leave(f->eth, &g6), 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(requests_leave_at_0_1_2_s_and_it_fails_at_3_s),
		T(a_reply_releases_the_queue_in_order_and_makes_it_reachable),
		T(a_full_queue_drops_the_oldest),
		T(stale_goes_to_delay_then_probes_and_fails),
		T(confirmation_from_above_saves_the_probes),
		T(arp_rows_of_r07),
		T(locktime_protects_a_mac_except_from_gratuitous_frames),
		T(the_table_refuses_what_exceeds_thresh3),
		T(ipv6_solicits_by_multicast_and_takes_the_advertisement),
		T(a_solicitation_for_us_is_answered_and_learned_as_stale),
		T(an_address_is_tentative_for_one_second_and_lost_to_a_duplicate),
		T(a_router_advertisement_brings_route_prefix_and_address),
		T(an_idle_stack_has_no_events),
		T(joining_a_group_is_reported_to_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

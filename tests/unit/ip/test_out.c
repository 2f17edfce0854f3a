/* SPDX-License-Identifier: BSD-2-Clause */
/* Output: headers of T62, MTU rules of T63.5 and T70.3, fragments, loopback, a wire between two stacks. */
#include "ip_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "wire/udp.h"

static struct sock *make_sock(struct ip_fixture *f, const char *src, const char *dst,
			      enum proto_id proto)
{
	struct sock *sk = calloc(1, sizeof(*sk));

	sock_init(sk, f->st, proto, AF_INET, SOCK_STREAM);
	sk->saddr = ip(src);
	sk->daddr = ip(dst);
	sk->is_v4_path = ipaddr_is_v4(&sk->daddr);
	sk->ip_id = 0xfffe;
	return sk;
}

static void drop_sock(struct sock *sk)
{
	sock_set_dst(sk, NULL);
	sock_done(sk);
	free(sk);
}

/* A TCP segment: 20 bytes of header, @len bytes of payload. */
static struct skb *segment(struct ip_fixture *f, uint32_t len, uint16_t gso_size)
{
	struct skb *skb = skb_alloc(f->st, POOL_NORMAL);
	uint8_t *h, *body = calloc(1, len + 1);

	assert_non_null(skb);
	h = skb_put(skb, 20);
	memset(h, 0, 20);
	h[12] = 0x50;
	assert_true(!len || skb_append_copy(f->st, skb, &f->pf, body, len));
	free(body);
	skb->csum = CSUM_PARTIAL;
	skb->th_off = skb->csum_start = (uint16_t)skb->data_off;
	skb->csum_offset = 16;
	if (gso_size) {
		skb->gso_size = gso_size;
		skb->gso_segs = (uint16_t)((len + gso_size - 1) / gso_size);
		skb->gso_type = GSO_TCPV4;
	}
	return skb;
}

static const uint8_t *last(struct ip_fixture *f)
{
	assert_true(cap.num_sent > 0);
	return ip_of(f, &cap.sent[cap.num_sent - 1]);
}

static void a_socket_decides_the_ipv4_header(void **state)
{
	struct ip_fixture *f = *state;
	struct sock *sk = make_sock(f, "192.168.0.1", "8.8.8.8", PROTO_TCP);
	const uint8_t *p;

	f->eth->features |= NETDEV_F_TSO4;
	sk->inet.tos = 0x20;
	assert_int_equal(ip_queue_xmit(sk, segment(f, 100, 0)), XMIT_OK);
	p = last(f);
	assert_int_equal(p[0], 0x45);
	assert_int_equal(p[1], 0x20);
	assert_int_equal(get_be16(p + 2), 140);
	assert_int_equal(get_be16(p + 4), 0xfffe);
	assert_int_equal(get_be16(p + 6), 0x4000); /* DF: pmtudisc WANT is the default */
	assert_int_equal(p[8], 64);
	assert_int_equal(p[9], 6);
	assert_int_equal(csum_fold(csum_partial(p, 20, 0)), 0);
	/* the id advances by the number of segments */
	assert_int_equal(ip_queue_xmit(sk, segment(f, 4000, 1000)), XMIT_OK);
	assert_int_equal(get_be16(last(f) + 4), 0xffff);
	sk->inet.ttl = 5;
	sk->inet.pmtudisc = IP_PMTUDISC_DONT;
	assert_int_equal(ip_queue_xmit(sk, segment(f, 10, 0)), XMIT_OK);
	assert_int_equal(get_be16(last(f) + 4), 3);
	assert_int_equal(get_be16(last(f) + 6), 0);
	assert_int_equal(last(f)[8], 5);
	assert_int_equal(ip_count(f, IpOutRequests), 3);
	drop_sock(sk);
}

static void a_socket_decides_the_ipv6_header(void **state)
{
	struct ip_fixture *f = *state;
	struct sock *sk = make_sock(f, "fd00::1", "fd00::2", PROTO_TCP);
	struct skb *skb = segment(f, 100, 0);
	const uint8_t *p;

	sk->hash_val = 12345;
	sk->inet.tclass = 0x20;
	skb->tos = 2; /* ECT(0) of this packet */
	assert_int_equal(ip_queue_xmit(sk, skb), XMIT_OK);
	p = last(f);
	assert_int_equal(get_be32(p) >> 20, 0x622);
	assert_true(get_be32(p) & 0xfffff);
	assert_int_equal(get_be32(p) & 0xfffff, ip_flowlabel(f->st, 12345));
	assert_int_equal(get_be16(p + 4), 120);
	assert_int_equal(p[6], 6);
	assert_int_equal(p[7], 64);
	drop_sock(sk);
}

static void a_gso_packet_passes_whole_if_its_segments_fit(void **state)
{
	struct ip_fixture *f = *state;
	struct sock *sk = make_sock(f, "192.168.0.1", "8.8.8.8", PROTO_TCP);

	f->eth->features |= NETDEV_F_TSO4;
	assert_int_equal(ip_queue_xmit(sk, segment(f, 5000, 1460)), XMIT_OK);
	assert_int_equal(cap.num_sent, 1);
	assert_int_equal(cap.sent[0].gso_size, 1460);
	assert_int_equal(get_be16(last(f) + 2), 5040);
	mark(f);
	/* the path became smaller: segments that do not fit any more are refused one by one */
	assert_true(ip_update_pmtu(sk->dst, 1000));
	assert_int_equal(ip_queue_xmit(sk, segment(f, 5000, 1460)), XMIT_TOOBIG);
	assert_int_equal(cap.num_sent, 1); /* the short last one: 620 bytes */
	assert_int_equal(ip_count(f, IpFragFails), 3);
	drop_sock(sk);
}

static void a_packet_over_the_mtu_with_df_is_refused_and_told_to_ourselves(void **state)
{
	struct ip_fixture *f = *state;
	struct sock *sk = make_sock(f, "192.168.0.1", "8.8.8.8", PROTO_TCP);

	assert_int_equal(ip_queue_xmit(sk, segment(f, 1461, 0)), XMIT_TOOBIG);
	assert_int_equal(ip_count(f, IpFragFails), 1);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_sent, 0);
	assert_int_equal(cap.num_err, 1);
	assert_int_equal(cap.err.error, EMSGSIZE);
	assert_int_equal(cap.err.info, 1500);
	assert_int_equal(ip_queue_xmit(sk, segment(f, 1460, 0)), XMIT_OK);
	drop_sock(sk);
}

static void no_route_is_xmit_noroute(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr any = IPADDR_ANY_V4;
	struct sock *sk = make_sock(f, "192.168.0.1", "8.8.8.8", PROTO_TCP);

	assert_int_equal(ip_route_del(f->st, &any, 96), 0);
	assert_int_equal(ip_queue_xmit(sk, segment(f, 10, 0)), XMIT_NOROUTE);
	assert_int_equal(ip_count(f, IpOutNoRoutes), 1);
	assert_int_equal(xmit_to_errno(XMIT_NOROUTE), -EHOSTUNREACH);
	drop_sock(sk);
}

static struct skb *udp_skb(struct ip_fixture *f, const char *src, const char *dst, uint32_t len)
{
	uint8_t *d = malloc(len + 8), *body = malloc(len + 1);
	struct skb *skb = skb_alloc(f->st, POOL_NORMAL);

	for (uint32_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 13);
	make_udp(d, src, dst, 1000, 9, body, len);
	memcpy(skb_put(skb, 8), d, 8);
	assert_true(skb_append_copy(f->st, skb, &f->pf, d + 8, len));
	free(d);
	free(body);
	return skb;
}

static void datagrams_are_fragmented_on_multiples_of_8(void **state)
{
	struct ip_fixture *f = *state;
	struct ip_tx tx = {.saddr = ip("192.168.0.1"),
			   .daddr = ip("8.8.8.8"),
			   .proto = 17,
			   .ttl = -1,
			   .pmtudisc = IP_PMTUDISC_WANT,
			   .allow_frag = true,
			   .opt = (const uint8_t *)"\x07\x07\x04\0\0\0\0",
			   .opt_len = 8};

	assert_int_equal(ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 3000), &tx), XMIT_OK);
	assert_int_equal(cap.num_sent, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *p = ip_of(f, &cap.sent[i]);

		assert_int_equal(p[0], 0x47);
		assert_int_equal(get_be16(p + 6), (i * 1472 / 8) | (i < 2 ? 0x2000 : 0)); /* no DF */
		assert_int_equal(get_be16(p + 2), i < 2 ? 1500 : 28 + 3008 - 2 * 1472);
		assert_int_equal(get_be16(p + 4), get_be16(ip_of(f, &cap.sent[0]) + 4));
		assert_int_equal(p[20], i ? 1 : 7); /* record route is not copied */
		assert_int_equal(csum_fold(csum_partial(p, 28, 0)), 0);
	}
	mark(f);
	tx.opt_len = 0;
	tx.pmtudisc = IP_PMTUDISC_DO;
	assert_int_equal(ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 3000), &tx),
			 XMIT_TOOBIG);
	tx.pmtudisc = IP_PMTUDISC_WANT;
	assert_int_equal(ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 1472), &tx), XMIT_OK);
	assert_int_equal(get_be16(last(f) + 6), 0x4000); /* WANT: DF when it fits (T70.3) */
	assert_true(cap.num_sent == 1);
}

static void ids_of_packets_without_a_socket(void **state)
{
	struct ip_fixture *f = *state;
	struct ip_tx tx = {.saddr = ip("192.168.0.1"), .daddr = ip("8.8.8.8"), .proto = 17, .ttl = -1};
	uint16_t id;

	ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 10), &tx);
	id = get_be16(last(f) + 4);
	ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 10), &tx);
	assert_int_equal(get_be16(last(f) + 4), (uint16_t)(id + 1));
	tx.pmtudisc = IP_PMTUDISC_DO;
	ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 10), &tx);
	assert_int_equal(get_be16(last(f) + 4), 0);
	tx = (struct ip_tx){.saddr = tx.saddr,
			    .daddr = tx.daddr,
			    .proto = 6,
			    .ttl = -1,
			    .is_id_zero = true,
			    .want_df = true};
	ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 10), &tx);
	assert_int_equal(get_be16(last(f) + 4), 0);
	assert_int_equal(get_be16(last(f) + 6), 0x4000);
	tx.is_id_zero = false;
	tx.is_id_fixed = true;
	tx.id = 77;
	ip_send(f->st, udp_skb(f, "192.168.0.1", "8.8.8.8", 10), &tx);
	assert_int_equal(get_be16(last(f) + 4), 77);
}

static void ipv6_datagrams_get_a_fragment_header(void **state)
{
	struct ip_fixture *f = *state;
	struct ip_tx tx = {.saddr = ip("fd00::1"),
			   .daddr = ip("fd00::2"),
			   .proto = 17,
			   .ttl = -1,
			   .pmtudisc = IPV6_PMTUDISC_WANT,
			   .allow_frag = true};

	assert_int_equal(ip_send(f->st, udp_skb(f, "fd00::1", "fd00::2", 3000), &tx), XMIT_OK);
	assert_int_equal(cap.num_sent, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const uint8_t *p = ip_of(f, &cap.sent[i]);

		assert_int_equal(p[6], 44);
		assert_int_equal(p[40], 17);
		assert_int_equal(get_be16(p + 42), i * 1448 | (i < 2)); /* (1500 - 48) & ~7 */
		assert_int_equal(get_be16(p + 4) + 40, cap.sent[i].len);
		assert_int_equal(get_be32(p + 44), get_be32(ip_of(f, &cap.sent[0]) + 44));
	}
}

static void loopback_delivers_large_and_fragmented(void **state)
{
	struct ip_fixture *f = *state;
	struct ip_tx tx = {.saddr = ip("127.0.0.1"),
			   .daddr = ip("127.0.0.1"),
			   .proto = 17,
			   .ttl = -1,
			   .pmtudisc = IP_PMTUDISC_WANT,
			   .allow_frag = true};

	assert_int_equal(ip_send(f->st, udp_skb(f, "127.0.0.1", "127.0.0.1", 60000), &tx), XMIT_OK);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 60008);
	f->lo->mtu = 1500;
	mark(f);
	assert_int_equal(ip_send(f->st, udp_skb(f, "127.0.0.1", "127.0.0.1", 60000), &tx), XMIT_OK);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 60008);
	assert_int_equal(ip_count(f, IpReasmOKs), 1);
	tx.saddr = tx.daddr = ip("fd00::1");
	mark(f);
	assert_int_equal(ip_send(f->st, udp_skb(f, "fd00::1", "fd00::1", 60000), &tx), XMIT_OK);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up_len, 60008);
}

static void a_group_message_loops_back_when_asked(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr g = ip("239.1.1.1");
	struct ip_tx tx = {.saddr = ip("192.168.0.1"),
			   .daddr = g,
			   .proto = 17,
			   .ttl = 1,
			   .oif = f->eth->ifindex,
			   .mc_loop = true};

	ip_send(f->st, udp_skb(f, "192.168.0.1", "239.1.1.1", 10), &tx);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 0); /* not a member */
	assert_int_equal(ip_mc_join(f->eth, &g), 0);
	mark(f);
	ip_send(f->st, udp_skb(f, "192.168.0.1", "239.1.1.1", 10), &tx);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(cap.up.pkt_type, PKT_MULTICAST);
	assert_int_equal(cap.num_sent, 1);
	tx.daddr = ip("192.168.0.255");
	mark(f);
	ip_send(f->st, udp_skb(f, "192.168.0.1", "192.168.0.255", 10), &tx);
	run_for(f, NS_PER_MS);
	assert_int_equal(cap.num_up, 1);
	assert_int_equal(ip_mc_leave(f->eth, &g), 0);
}

/* ---- two stacks ---- */

static void run_both(struct arena_pools *pools, struct stack *a, struct stack *b, uint64_t ns)
{
	uint64_t until = clock_now_ns(&pools->clock) + ns;

	for (;;) {
		uint64_t next;

		pump_run(a);
		pump_run(b);
		next = min_u64(timers_next_ns(&a->timers), timers_next_ns(&b->timers));
		if (next > until)
			break;
		clock_advance_to(&pools->clock, max_u64(next, clock_now_ns(&pools->clock)));
	}
	clock_advance_to(&pools->clock, until);
}

static void two_stacks_on_a_wire_find_each_other(void **state)
{
	struct ip_fixture *f = *state;
	struct wire_config cfg = {
		.seed = 1, .ab = {.delay_ns = NS_PER_MS}, .ba = {.delay_ns = NS_PER_MS}};
	static const char *const addrs[2][2] = {{"10.0.0.1", "10.0.0.2"}, {"fd01::1", "fd01::2"}};
	struct stack *b = stack_alloc(f->pools, TEST_HZ, 9);
	struct netdev *da, *db, *blo;

	assert_non_null(b);
	assert_int_equal(pump_init(b), 0);
	assert_int_equal(ip_init(b), 0);
	assert_int_equal(loopback_create(b, &blo), 0);
	assert_int_equal(wire_create(f->st, "w0", b, "w0", &cfg, &da, &db), 0);
	dev_up(da);
	dev_up(db);
	assert_int_equal(ip_dev_up(da), 0);
	assert_int_equal(ip_dev_up(db), 0);
	run_both(f->pools, f->st, b, 2 * NS_PER_S);
	for (int v6 = 0; v6 < 2; v6++) {
		struct ipaddr la = ip(addrs[v6][0]), lb = ip(addrs[v6][1]);
		struct ip_tx tx = {.saddr = la,
				   .daddr = lb,
				   .proto = 17,
				   .ttl = -1,
				   .pmtudisc = IP_PMTUDISC_WANT,
				   .allow_frag = true};

		assert_int_equal(ip_addr_add(da, &la, v6 ? 64 : 96 + 24, true), 0);
		assert_int_equal(ip_addr_add(db, &lb, v6 ? 64 : 96 + 24, true), 0);
		mark(f);
		assert_int_equal(ip_send(f->st, udp_skb(f, addrs[v6][0], addrs[v6][1], 5000), &tx),
				 XMIT_OK);
		run_both(f->pools, f->st, b, 100 * NS_PER_MS);
		assert_int_equal(cap.num_up, 1);
		assert_int_equal(cap.up_len, 5008);
		assert_int_equal(cap.up.at_ns % NS_PER_S,
				 (100 * v6 + 3) * NS_PER_MS); /* there, back, there */
	}
	ip_done(b);
	pump_done(b);
	netdev_remove(db);
	netdev_remove(blo);
	ip_done(f->st);
	assert_int_equal(ip_init(f->st), 0);
	netdev_remove(da);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up_tun, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(a_socket_decides_the_ipv4_header),
		T(a_socket_decides_the_ipv6_header),
		T(a_gso_packet_passes_whole_if_its_segments_fit),
		T(a_packet_over_the_mtu_with_df_is_refused_and_told_to_ourselves),
		T(no_route_is_xmit_noroute),
		T(datagrams_are_fragmented_on_multiples_of_8),
		T(ids_of_packets_without_a_socket),
		T(ipv6_datagrams_get_a_fragment_header),
		T(loopback_delivers_large_and_fragmented),
		T(a_group_message_loops_back_when_asked),
		T(two_stacks_on_a_wire_find_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

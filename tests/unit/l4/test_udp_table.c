/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP ports and the socket a datagram belongs to (T10.R3, R10.5, R59.5). */
#include "l4_test.h"

#define DGRAM SOCK_DGRAM

static struct sock *found(struct stack *st, const char *us, uint16_t sport, const char *peer, uint16_t dport)
{
	struct l4_tuple t = { .saddr = ip(us), .daddr = ip(peer), .sport = sport, .dport = dport, .ifindex = 1 };
	struct sock *sk = l4_udp_lookup(st, &t);

	if (sk)
		sock_put(sk);
	return sk;
}

static struct sock *at(struct stack *st, int family, uint32_t flags, const char *addr, uint16_t port)
{
	int err;
	struct sock *sk = bound_sock(st, family, DGRAM, flags, addr, port, &err);

	assert_int_equal(err, 0);
	return sk;
}

static void bind_to_port_0_has_no_parity(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	int num_odd = 0;

	for (int i = 0; i < 64; i++) {
		struct sock *sk = at(st, AF_INET, 0, "0.0.0.0", 0);

		assert_in_range(sk->sport, 32768, 60999);
		num_odd += sk->sport & 1;
	}
	assert_in_range(num_odd, 8, 56);
}

static void an_exhausted_range_is_EADDRINUSE(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;

	for (int i = 0; i < 11; i++) {
		struct sock *sk = new_sock(st, AF_INET, DGRAM, 0);

		sk->inet.local_port_range = 40000 | 40009u << 16;
		assert_int_equal(bind_to(sk, "0.0.0.0", 0), i < 10 ? 0 : -EADDRINUSE);
	}
}

static void wildcards_conflict_across_families_unless_v6only(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	int err;

	(void)at(st, AF_INET, 0, "0.0.0.0", 500);
	(void)bound_sock(st, AF_INET6, DGRAM, 0, "::", 500, &err);
	assert_int_equal(err, -EADDRINUSE);
	(void)at(st, AF_INET6, SK_V6ONLY, "::", 500);
	(void)bound_sock(st, AF_INET, DGRAM, 0, "127.0.0.1", 500, &err);
	assert_int_equal(err, -EADDRINUSE);
}

static void of_equal_reusers_the_last_bound_gets_the_datagram(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a, *b;

	a = at(st, AF_INET, SK_REUSEADDR, "0.0.0.0", 501);
	b = at(st, AF_INET, SK_REUSEADDR, "0.0.0.0", 501);
	assert_ptr_equal(found(st, "127.0.0.1", 501, "127.0.0.2", 9), b);
	inet_release(b);
	assert_ptr_equal(found(st, "127.0.0.1", 501, "127.0.0.2", 9), a);
}

static void a_connected_socket_gets_its_peer_and_nobody_else(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *any = at(st, AF_INET, SK_REUSEADDR, "0.0.0.0", 502);
	struct sock *addr = at(st, AF_INET, SK_REUSEADDR, "127.0.0.1", 502);
	struct sock *con = at(st, AF_INET, SK_REUSEADDR, "127.0.0.1", 502);

	assert_int_equal(connect_nonblock(con, "127.0.0.2", 9), 0);
	assert_ptr_equal(found(st, "127.0.0.1", 502, "127.0.0.2", 9), con);
	assert_ptr_equal(found(st, "127.0.0.1", 502, "127.0.0.2", 10), addr);
	assert_ptr_equal(found(st, "127.0.0.3", 502, "127.0.0.2", 9), any);
	assert_null(found(st, "127.0.0.1", 503, "127.0.0.2", 9));
}

static void count_call(struct sock *sk, void *arg)
{
	(void)sk;
	++*(int *)arg;
}

static void a_multicast_datagram_is_for_every_match(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct l4_tuple t = { .saddr = ip("224.0.0.99"), .daddr = ip("127.0.0.2"), .sport = 504, .dport = 9, .ifindex = 1 };
	struct ip_mreqn m = { .imr_ifindex = 1 };
	struct sock *picky = NULL;
	int calls = 0;

	for (int i = 0; i < 70; i++) { /* more than are collected at once */
		picky = at(st, AF_INET, SK_REUSEADDR, "0.0.0.0", 504);
		assert_true(picky->inet.mc_all);
	}
	(void)at(st, AF_INET, SK_REUSEADDR, "127.0.0.1", 504); /* another address */
	assert_int_equal(l4_udp_each(st, &t, count_call, &calls), 70);
	assert_int_equal(calls, 70);
	picky->inet.mc_all = false; /* IP_MULTICAST_ALL 0: only what it joined itself */
	assert_int_equal(l4_udp_each(st, &t, count_call, &calls), 69);
	m.imr_multiaddr.s_addr = t.saddr.w[3];
	assert_int_equal(inet_setsockopt(picky, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), 0);
	assert_int_equal(l4_udp_each(st, &t, count_call, &calls), 70);
	assert_int_equal(inet_setsockopt(picky, SOL_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)), -EADDRINUSE);
	assert_int_equal(inet_setsockopt(picky, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), 0);
	assert_int_equal(inet_setsockopt(picky, SOL_IP, IP_DROP_MEMBERSHIP, &m, sizeof(m)), -EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bind_to_port_0_has_no_parity),
		TEST(an_exhausted_range_is_EADDRINUSE),
		TEST(wildcards_conflict_across_families_unless_v6only),
		TEST(of_equal_reusers_the_last_bound_gets_the_datagram),
		TEST(a_connected_socket_gets_its_peer_and_nobody_else),
		TEST(a_multicast_datagram_is_for_every_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* connect() without bind(): even ports, a private range, bind()'s ports left alone (T10.R2). */
#include "l4_test.h"

static struct sock *connecting(struct stack *st, uint32_t range, const char *to, uint16_t port, int *err)
{
	struct sock *sk = new_sock(st, AF_INET, SOCK_STREAM, 0);

	sk->inet.local_port_range = range;
	*err = connect_nonblock(sk, to, port);
	return sk;
}

/* The pump has not run: every attempt is still in SYN-SENT. */
static void connect_gives_even_ports_one_behind_the_other(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	uint16_t last = 0;
	int err, num_even = 0, num_up = 0;

	for (int i = 0; i < 30; i++) {
		struct sock *sk = connecting(st, 0, "127.0.0.1", 80, &err);

		assert_int_equal(err, -EINPROGRESS);
		num_even += !(sk->sport & 1);
		num_up += sk->sport > last && (!last || sk->sport - last <= 16);
		last = sk->sport;
	}
	assert_int_equal(num_even, 30);
	assert_true(num_up >= 29); /* at most one wraps around the end of the range */
}

static void a_private_range_of_ten_is_used_up_then_EADDRNOTAVAIL(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	uint32_t seen = 0;
	int err;

	for (int i = 0; i < 10; i++) {
		struct sock *sk = connecting(st, 40000 | 40009u << 16, "127.0.0.1", 81, &err);

		assert_int_equal(err, -EINPROGRESS);
		seen |= 1u << (sk->sport - 40000);
	}
	assert_int_equal(seen, 0x3ff);
	(void)connecting(st, 40000 | 40009u << 16, "127.0.0.1", 81, &err);
	assert_int_equal(err, -EADDRNOTAVAIL);
	/* Another peer: every port is free again. */
	(void)connecting(st, 40000 | 40009u << 16, "127.0.0.1", 82, &err);
	assert_int_equal(err, -EINPROGRESS);
}

static void ports_of_bind_users_are_passed_over(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *sk;
	int err;

	(void)bound_sock(st, AF_INET, SOCK_STREAM, SK_REUSEADDR, "127.0.0.7", 40100, &err);
	assert_int_equal(err, 0);
	sk = connecting(st, 40100 | 40101u << 16, "127.0.0.1", 80, &err);
	assert_int_equal(err, -EINPROGRESS);
	assert_int_equal(sk->sport, 40101);
	sk = connecting(st, 40100 | 40101u << 16, "127.0.0.1", 80, &err);
	assert_int_equal(err, -EADDRNOTAVAIL);
	assert_int_equal(sk->sport, 0);
}

static void a_bound_socket_keeps_its_port(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a, *b;
	int err;

	a = bound_sock(st, AF_INET, SOCK_STREAM, SK_REUSEADDR, "127.0.0.1", 40200, &err);
	b = bound_sock(st, AF_INET, SOCK_STREAM, SK_REUSEADDR, "127.0.0.1", 40200, &err);
	assert_int_equal(err, 0);
	assert_int_equal(connect_nonblock(a, "127.0.0.1", 80), -EINPROGRESS);
	assert_int_equal(a->sport, 40200);
	assert_int_equal(connect_nonblock(b, "127.0.0.1", 80), -EADDRNOTAVAIL);
	assert_int_equal(connect_nonblock(b, "127.0.0.1", 81), -EINPROGRESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connect_gives_even_ports_one_behind_the_other),
		TEST(a_private_range_of_ten_is_used_up_then_EADDRNOTAVAIL),
		TEST(ports_of_bind_users_are_passed_over),
		TEST(a_bound_socket_keeps_its_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

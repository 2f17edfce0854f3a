/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may own a TCP port beside whom, and which port bind() chooses (T10.R1, R4; R10.4, R51.7). */
#include "l4/l4_int.h"
#include "l4_test.h"

#define STREAM SOCK_STREAM

static int try_bind(struct stack *st, int family, uint32_t flags, const char *addr, uint16_t port)
{
	int err;

	(void)bound_sock(st, family, STREAM, flags, addr, port, &err);
	return err;
}

static void bind_to_port_0_gives_odd_ports(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	int err, num_odd = 0;

	for (int i = 0; i < 30; i++) {
		struct sock *sk = bound_sock(st, AF_INET, STREAM, 0, "0.0.0.0", 0, &err);

		assert_int_equal(err, 0);
		assert_in_range(sk->sport, 32768, 60999);
		num_odd += sk->sport & 1;
	}
	assert_int_equal(num_odd, 30);
}

static void a_reusing_socket_gets_the_lower_half_first(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	int err;

	for (int i = 0; i < 30; i++) {
		struct sock *sk = bound_sock(st, AF_INET, STREAM, SK_REUSEADDR, "0.0.0.0", 0, &err);

		assert_int_equal(err, 0);
		assert_in_range(sk->sport, 32768, (32768 + 61000) / 2);
	}
}

static void a_private_range_runs_out_with_EADDRINUSE(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *sk;

	for (int i = 0; i < 11; i++) {
		sk = new_sock(st, AF_INET, STREAM, 0);
		sk->inet.local_port_range = 40000 | 40009u << 16;
		assert_int_equal(bind_to(sk, "0.0.0.0", 0), i < 10 ? 0 : -EADDRINUSE);
	}
}

static void overlapping_addresses_conflict(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;

	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.1", 5000), 0);
	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.1", 5000), -EADDRINUSE);
	assert_int_equal(try_bind(st, AF_INET, 0, "0.0.0.0", 5000), -EADDRINUSE);
	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.2", 5000), 0);
	assert_int_equal(try_bind(st, AF_INET6, 0, "::", 5000), -EADDRINUSE);
	assert_int_equal(try_bind(st, AF_INET6, 0, "::1", 5000), 0);
}

static void a_v6only_wildcard_fits_beside_the_v4_wildcard(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;

	assert_int_equal(try_bind(st, AF_INET, 0, "0.0.0.0", 5001), 0);
	assert_int_equal(try_bind(st, AF_INET6, 0, "::", 5001), -EADDRINUSE);
	assert_int_equal(try_bind(st, AF_INET6, SK_V6ONLY, "::", 5001), 0);
}

static void reuseaddr_needs_both_and_no_listener(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a, *b;
	int err;

	a = bound_sock(st, AF_INET, STREAM, SK_REUSEADDR, "127.0.0.1", 5002, &err);
	assert_int_equal(err, 0);
	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.1", 5002), -EADDRINUSE);
	b = bound_sock(st, AF_INET, STREAM, SK_REUSEADDR, "127.0.0.1", 5002, &err);
	assert_int_equal(err, 0);
	assert_int_equal(inet_listen(a, 5), 0);
	assert_int_equal(inet_listen(b, 5), -EADDRINUSE);
	assert_int_equal(try_bind(st, AF_INET, SK_REUSEADDR, "127.0.0.1", 5002), -EADDRINUSE);
}

static void a_reuseport_group_is_of_one_user(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *sk;
	int err;

	sk = bound_sock(st, AF_INET, STREAM, SK_REUSEPORT, "0.0.0.0", 5003, &err);
	assert_int_equal(inet_listen(sk, 5), 0);
	sk = bound_sock(st, AF_INET, STREAM, SK_REUSEPORT, "0.0.0.0", 5003, &err);
	assert_int_equal(err, 0);
	assert_int_equal(inet_listen(sk, 5), 0);
	assert_int_equal(try_bind(st, AF_INET, 0, "0.0.0.0", 5003), -EADDRINUSE);
	sk = new_sock(st, AF_INET, STREAM, SK_REUSEPORT);
	sk->uid = 4711;
	assert_int_equal(bind_to(sk, "0.0.0.0", 5003), -EADDRINUSE);
}

static void different_devices_do_not_conflict(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a = new_sock(st, AF_INET, STREAM, 0), *b = new_sock(st, AF_INET, STREAM, 0);

	a->bound_ifindex = 1;
	b->bound_ifindex = 2;
	assert_int_equal(bind_to(a, "0.0.0.0", 5004), 0);
	assert_int_equal(bind_to(b, "0.0.0.0", 5004), 0);
	assert_int_equal(try_bind(st, AF_INET, 0, "0.0.0.0", 5004), -EADDRINUSE);
}

static void a_closed_socket_gives_its_port_and_bucket_back(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *sk;
	int err;

	sk = bound_sock(st, AF_INET, STREAM, 0, "127.0.0.1", 5005, &err);
	assert_int_equal(pool_in_use(&st->pools->bind_bucket), 1);
	inet_release(sk);
	assert_int_equal(pool_in_use(&st->pools->bind_bucket), 0);
	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.1", 5005), 0);
}

/* Recovery builds the tables from the objects alone. */
static void ports_survive_the_death_of_a_lock_holder(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct l4_tuple t = { .saddr = ip("127.0.0.1"), .daddr = ip("127.0.0.9"), .sport = 5006, .dport = 9 };
	struct sock *sk, *found;
	int err;

	sk = bound_sock(st, AF_INET, STREAM, 0, "127.0.0.1", 5006, &err);
	assert_int_equal(inet_listen(sk, 5), 0);
	l4_ports_recover(&st->l4->ports_lock);
	assert_int_equal(try_bind(st, AF_INET, 0, "127.0.0.1", 5006), -EADDRINUSE);
	found = l4_lookup_listener(st, &t);
	assert_ptr_equal(found, sk);
	sock_put(found);
	inet_release(sk);
	assert_int_equal(pool_in_use(&st->pools->bind_bucket), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bind_to_port_0_gives_odd_ports),
		TEST(a_reusing_socket_gets_the_lower_half_first),
		TEST(a_private_range_runs_out_with_EADDRINUSE),
		TEST(overlapping_addresses_conflict),
		TEST(a_v6only_wildcard_fits_beside_the_v4_wildcard),
		TEST(reuseaddr_needs_both_and_no_listener),
		TEST(a_reuseport_group_is_of_one_user),
		TEST(different_devices_do_not_conflict),
		TEST(a_closed_socket_gives_its_port_and_bucket_back),
		TEST(ports_survive_the_death_of_a_lock_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

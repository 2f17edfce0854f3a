/* SPDX-License-Identifier: BSD-2-Clause */
/* The established table and the choice among listeners (R10.1-3). */
#include "l4/l4_int.h"
#include "l4_test.h"

static struct sock *named(struct stack *st, const char *us, uint16_t sport, const char *peer, uint16_t dport)
{
	struct ipaddr saddr = ip(us);
	struct sock *sk = new_sock(st, ipaddr_is_v4(&saddr) ? AF_INET : AF_INET6, SOCK_STREAM, 0);

	sk->saddr = saddr;
	sk->daddr = ip(peer);
	sk->sport = sport;
	sk->dport = dport;
	return sk;
}

static struct l4_tuple tuple(const char *us, uint16_t sport, const char *peer, uint16_t dport, uint32_t ifindex)
{
	return (struct l4_tuple){ .saddr = ip(us), .daddr = ip(peer), .sport = sport, .dport = dport, .ifindex = ifindex };
}

static void expect(struct stack *st, const struct l4_tuple *t, const struct conn *want)
{
	struct conn *c = l4_lookup_established(st, t);

	assert_ptr_equal(c, want);
	if (c)
		l4_conn_put(c);
}

static void a_tuple_is_found_until_it_is_removed(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a = named(st, "10.0.0.1", 80, "10.0.0.2", 4000);
	struct sock *b = named(st, "fd00::1", 80, "fd00::2", 4000);
	struct l4_tuple ta = tuple("10.0.0.1", 80, "10.0.0.2", 4000, 1), tb = tuple("fd00::1", 80, "fd00::2", 4000, 1);
	struct l4_tuple other = tuple("10.0.0.1", 80, "10.0.0.2", 4001, 1);

	assert_int_equal(l4_ehash_insert(&a->conn, NULL, NULL, NULL), 0);
	assert_int_equal(l4_ehash_insert(&b->conn, NULL, NULL, NULL), 0);
	expect(st, &ta, &a->conn);
	expect(st, &tb, &b->conn);
	expect(st, &other, NULL);
	assert_int_equal(a->refs, 1);
	l4_ehash_remove(&a->conn);
	l4_ehash_remove(&a->conn); /* once more does no harm */
	expect(st, &ta, NULL);
	expect(st, &tb, &b->conn);
}

static void a_tuple_has_one_owner_who_can_be_replaced(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a = named(st, "10.0.0.1", 80, "10.0.0.2", 4000), *b = named(st, "10.0.0.1", 80, "10.0.0.2", 4000);
	struct l4_tuple t = tuple("10.0.0.1", 80, "10.0.0.2", 4000, 1);

	assert_int_equal(l4_ehash_insert(&a->conn, NULL, NULL, NULL), 0);
	assert_int_equal(l4_ehash_insert(&b->conn, NULL, NULL, NULL), -EADDRNOTAVAIL);
	assert_true(l4_ehash_replace(&a->conn, &b->conn));
	expect(st, &t, &b->conn);
	assert_false(l4_ehash_replace(&a->conn, &b->conn));
}

static void a_device_bound_socket_takes_only_its_device(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a = named(st, "10.0.0.1", 80, "10.0.0.2", 4000);
	struct l4_tuple on1 = tuple("10.0.0.1", 80, "10.0.0.2", 4000, 1), on2 = tuple("10.0.0.1", 80, "10.0.0.2", 4000, 2);

	a->bound_ifindex = 2;
	assert_int_equal(l4_ehash_insert(&a->conn, NULL, NULL, NULL), 0);
	expect(st, &on1, NULL);
	expect(st, &on2, &a->conn);
}

static void a_stripe_is_rebuilt_after_its_holder_died(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *a = named(st, "10.0.0.1", 80, "10.0.0.2", 4000);
	struct l4_tuple t = tuple("10.0.0.1", 80, "10.0.0.2", 4000, 1);

	assert_int_equal(l4_ehash_insert(&a->conn, NULL, NULL, NULL), 0);
	atomic_store(&a->state, TCP_ESTABLISHED);
	for (uint32_t i = 0; i < L4_EHASH_LOCKS; i++)
		l4_ehash_recover(&st->l4->stripes[i].lock);
	expect(st, &t, &a->conn);
	atomic_store(&a->state, TCP_CLOSE);
	l4_ehash_remove(&a->conn);
	expect(st, &t, NULL);
}

/* ---- listeners ---- */

static struct sock *listener(struct stack *st, int family, uint32_t flags, const char *addr, uint16_t port, uint32_t ifindex)
{
	struct sock *sk = new_sock(st, family, SOCK_STREAM, flags);

	sk->bound_ifindex = ifindex;
	assert_int_equal(bind_to(sk, addr, port), 0);
	assert_int_equal(inet_listen(sk, 5), 0);
	return sk;
}

static struct sock *found(struct stack *st, struct l4_tuple t)
{
	struct sock *sk = l4_lookup_listener(st, &t);

	if (sk)
		sock_put(sk);
	return sk;
}

static void address_beats_device_beats_family(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *v6 = listener(st, AF_INET6, SK_REUSEPORT, "::", 90, 0);
	struct sock *v4, *dev, *addr;

	assert_ptr_equal(found(st, tuple("127.0.0.1", 90, "127.0.0.2", 1, 1)), v6); /* dual stack */
	v4 = listener(st, AF_INET, SK_REUSEPORT, "0.0.0.0", 90, 0);
	assert_ptr_equal(found(st, tuple("127.0.0.1", 90, "127.0.0.2", 1, 1)), v4);
	dev = listener(st, AF_INET, SK_REUSEPORT, "0.0.0.0", 90, 1);
	assert_ptr_equal(found(st, tuple("127.0.0.1", 90, "127.0.0.2", 1, 1)), dev);
	assert_ptr_equal(found(st, tuple("127.0.0.1", 90, "127.0.0.2", 1, 2)), v4);
	addr = listener(st, AF_INET, SK_REUSEPORT, "127.0.0.1", 90, 0);
	assert_ptr_equal(found(st, tuple("127.0.0.1", 90, "127.0.0.2", 1, 1)), addr);
	assert_ptr_equal(found(st, tuple("::1", 90, "::1", 1, 1)), v6);
	assert_null(found(st, tuple("127.0.0.1", 91, "127.0.0.2", 1, 1)));
}

static void v6only_does_not_see_v4(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;

	(void)listener(st, AF_INET6, SK_V6ONLY, "::", 92, 0);
	assert_null(found(st, tuple("127.0.0.1", 92, "127.0.0.2", 1, 1)));
}

static void a_reuseport_group_shares_flows_and_keeps_each(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	struct sock *m[4];
	uint32_t hits[4] = { 0 };

	for (int i = 0; i < 4; i++)
		m[i] = listener(st, AF_INET, SK_REUSEPORT, "0.0.0.0", 93, 0);
	for (uint16_t port = 1000; port < 2000; port++) {
		struct sock *sk = found(st, tuple("127.0.0.1", 93, "127.0.0.2", port, 1));

		assert_ptr_equal(found(st, tuple("127.0.0.1", 93, "127.0.0.2", port, 1)), sk);
		for (int i = 0; i < 4; i++)
			hits[i] += sk == m[i];
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(hits[i], 180, 320); /* 250 +- 5 standard deviations */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tuple_is_found_until_it_is_removed),
		TEST(a_tuple_has_one_owner_who_can_be_replaced),
		TEST(a_device_bound_socket_takes_only_its_device),
		TEST(a_stripe_is_rebuilt_after_its_holder_died),
		TEST(address_beats_device_beats_family),
		TEST(v6only_does_not_see_v4),
		TEST(a_reuseport_group_shares_flows_and_keeps_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_IP and SOL_IPV6 options: ranges, errno and read-back as observed on Linux 6.18 (T95). */
#include "l4_test.h"

enum kind { TCP4, TCP6, UDP4, UDP6 };

/* Set @v with @len bytes; then *@want is what getsockopt() reads, or @err is the errno. */
struct row {
	enum kind kind;
	int level, opt, v;
	socklen_t len;
	int err, want;
};

static const struct row rows[] = {
	/* IP: a short value is its first byte, an empty one 0 */
	{ TCP4, SOL_IP, IP_TOS, -1, 4, 0, 252 }, /* the ECN bits stay TCP's */
	{ UDP4, SOL_IP, IP_TOS, -1, 1, 0, 255 },
	{ TCP4, SOL_IP, IP_TOS, 0, 0, 0, 0 },
	{ TCP4, SOL_IP, IP_TTL, 0, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, IP_TTL, -1, 4, 0, 64 },
	{ TCP4, SOL_IP, IP_TTL, -1, 1, 0, 255 },
	{ TCP4, SOL_IP, IP_TTL, 9, 0, EINVAL, 0 },
	{ TCP4, SOL_IP, IP_MTU_DISCOVER, 5, 4, 0, 5 },
	{ TCP4, SOL_IP, IP_MTU_DISCOVER, 6, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, IP_RECVERR, 7, 4, 0, 1 },
	{ TCP4, SOL_IP, 21 /* MINTTL */, 256, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, 21, 255, 4, 0, 255 },
	{ TCP4, SOL_IP, IP_MULTICAST_TTL, 5, 4, EINVAL, 0 },
	{ UDP4, SOL_IP, IP_MULTICAST_TTL, -1, 4, 0, 1 },
	{ UDP4, SOL_IP, IP_MULTICAST_TTL, 256, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, 49 /* MULTICAST_ALL */, 2, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, 51 /* LOCAL_PORT_RANGE */, 0x7fffffff, 4, EINVAL, 0 },
	{ TCP4, SOL_IP, 51, -1, 4, 0, -1 },
	{ TCP4, SOL_IP, 51, 5, 8, EINVAL, 0 },
	{ TCP4, SOL_IP, 50 /* UNICAST_IF */, 1, 4, EADDRNOTAVAIL, 0 },
	{ TCP4, SOL_IP, IP_ADD_MEMBERSHIP, 0, 8, EPROTO, 0 },
	{ TCP4, SOL_IP, 16 /* IPSEC_POLICY */, 0, 0, EMSGSIZE, 0 },
	{ TCP4, SOL_IP, 16, 0, 4, EOPNOTSUPP, 0 },
	{ TCP4, SOL_IP, 999, 1, 1, ENOPROTOOPT, 0 },
	{ TCP4, SOL_IP, 200, 1, 4, EOPNOTSUPP, 0 },
	/* IPV6: four bytes or EINVAL */
	{ TCP4, SOL_IPV6, IPV6_V6ONLY, 1, 4, ENOPROTOOPT, 0 },
	{ TCP6, SOL_IPV6, IPV6_V6ONLY, 5, 4, 0, 1 },
	{ TCP6, SOL_IPV6, IPV6_V6ONLY, 1, 3, EINVAL, 0 },
	{ TCP6, SOL_IPV6, IPV6_UNICAST_HOPS, 0, 4, 0, 0 },
	{ TCP6, SOL_IPV6, IPV6_UNICAST_HOPS, -1, 4, 0, 64 },
	{ TCP6, SOL_IPV6, IPV6_UNICAST_HOPS, 256, 4, EINVAL, 0 },
	{ TCP6, SOL_IPV6, IPV6_MULTICAST_HOPS, 1, 4, ENOPROTOOPT, 0 },
	{ UDP6, SOL_IPV6, IPV6_MULTICAST_HOPS, -1, 4, 0, 1 },
	{ TCP6, SOL_IPV6, IPV6_MULTICAST_LOOP, 2, 4, EINVAL, 0 },
	{ UDP6, SOL_IPV6, IPV6_MULTICAST_IF, 99, 4, ENODEV, 0 },
	{ TCP6, SOL_IPV6, IPV6_TCLASS, 255, 4, 0, 252 },
	{ UDP6, SOL_IPV6, IPV6_TCLASS, 255, 4, 0, 255 },
	{ UDP6, SOL_IPV6, IPV6_TCLASS, -1, 4, 0, 0 },
	{ TCP6, SOL_IPV6, 62 /* DONTFRAG */, 1, 1, 0, 0 },
	{ TCP6, SOL_IPV6, 70 /* AUTOFLOWLABEL */, 1, 4, 0, 1 },
	{ TCP6, SOL_IPV6, 72 /* ADDR_PREFERENCES */, 1, 4, 0, 0x401 },
	{ TCP6, SOL_IPV6, 72, 3, 4, EINVAL, 0 },
	{ TCP6, SOL_IPV6, 999, 1, 1, ENOPROTOOPT, 0 },
};

static struct sock *sock_of(struct stack *st, enum kind k)
{
	return new_sock(st, k == TCP4 || k == UDP4 ? AF_INET : AF_INET6, k == TCP4 || k == TCP6 ? SOCK_STREAM : SOCK_DGRAM, 0);
}

static void values_are_checked_and_read_back_as_linux_does(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		struct sock *sk = sock_of(st, r->kind);
		int64_t v = r->v;
		int got = 0x5a5a5a5a, err;
		socklen_t len = sizeof(got);

		err = inet_setsockopt(sk, r->level, r->opt, &v, r->len);
		if (err != -r->err)
			fail_msg("row %zu: option %d: %d, not %d", i, r->opt, err, -r->err);
		if (err)
			continue;
		assert_int_equal(inet_getsockopt(sk, r->level, r->opt, &got, &len), 0);
		if (got != r->want)
			fail_msg("row %zu: option %d reads %d, not %d", i, r->opt, got, r->want);
	}
}

static void a_short_buffer_gets_one_byte_at_level_ip(void **state)
{
	struct sock *sk = sock_of(((struct fixture *)*state)->st, TCP4);
	uint8_t buf[4] = { 0xaa, 0xaa, 0xaa, 0xaa };
	socklen_t len = 3;

	assert_int_equal(inet_getsockopt(sk, SOL_IP, IP_TTL, buf, &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(buf[0], 64);
	assert_int_equal(buf[1], 0xaa);
	len = 0;
	assert_int_equal(inet_getsockopt(sk, SOL_IP, IP_TTL, buf, &len), 0);
	assert_int_equal(len, 0);
	len = 4;
	assert_int_equal(inet_getsockopt(sk, SOL_IPV6, IPV6_V6ONLY, buf, &len), -EOPNOTSUPP);
}

static void tos_also_sets_the_priority(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	static const struct { int tos; uint32_t prio; } rows_[] = { { 0x10, 6 }, { 0x08, 2 }, { 0x18, 4 }, { 0xb8, 4 }, { 0x04, 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows_); i++) {
		struct sock *sk = sock_of(st, UDP4);

		assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_TOS, &rows_[i].tos, 4), 0);
		assert_int_equal(sk->priority, rows_[i].prio);
	}
}

static void ip_options_are_checked_and_padded(void **state)
{
	struct sock *sk = sock_of(((struct fixture *)*state)->st, UDP4);
	uint8_t nop = 1, unknown[4] = { 2, 0, 0, 0 }, rr[8] = { 7, 7, 4 }, srr[12] = { 0x89, 11, 4 }, big[44] = { 1 }, buf[40];
	socklen_t len = sizeof(buf);

	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, &nop, 1), 0);
	assert_int_equal(inet_getsockopt(sk, SOL_IP, IP_OPTIONS, buf, &len), 0);
	assert_int_equal(len, 4);
	assert_memory_equal(buf, ((uint8_t[]){ 1, 0, 0, 0 }), 4);
	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, unknown, 4), -EINVAL);
	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, rr, 8), 0);
	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, srr, 12), -EINVAL); /* not offered */
	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, big, 44), -EINVAL);
	assert_int_equal(inet_setsockopt(sk, SOL_IP, IP_OPTIONS, NULL, 0), 0);
	assert_int_equal(sk->inet.opt_len, 0);
}

static void rights_are_asked_for(void **state)
{
	struct sock *sk = sock_of(((struct fixture *)*state)->st, TCP6);
	int one = 1, zero = 0;

	sk->uid = 4711;
	assert_int_equal(inet_setsockopt(sk, SOL_IP, 19 /* TRANSPARENT */, &one, 4), -EPERM);
	assert_int_equal(inet_setsockopt(sk, SOL_IP, 19, &zero, 4), 0);
	assert_int_equal(inet_setsockopt(sk, SOL_IPV6, 75 /* TRANSPARENT */, &one, 4), -EPERM);
	assert_int_equal(inet_setsockopt(sk, SOL_IPV6, IPV6_HOPOPTS, NULL, 0), -EPERM);
}

static void v6only_cannot_change_once_bound(void **state)
{
	struct stack *st = ((struct fixture *)*state)->st;
	int err, one = 1;
	struct sock *sk = bound_sock(st, AF_INET6, SOCK_STREAM, 0, "::", 600, &err);

	assert_int_equal(err, 0);
	assert_int_equal(inet_setsockopt(sk, SOL_IPV6, IPV6_V6ONLY, &one, 4), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_are_checked_and_read_back_as_linux_does),
		TEST(a_short_buffer_gets_one_byte_at_level_ip),
		TEST(tos_also_sets_the_priority),
		TEST(ip_options_are_checked_and_padded),
		TEST(rights_are_asked_for),
		TEST(v6only_cannot_change_once_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

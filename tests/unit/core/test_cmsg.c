/* SPDX-License-Identifier: BSD-2-Clause */
/* Control messages of a send call: the table of T13. */
#include "core/cmsg.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

static struct sock sk;

/* Parse one message with @len data bytes of @val. */
static int one(int level, int type, size_t len, uint64_t val, struct sockcm *ck)
{
	union {
		struct cmsghdr h;
		uint8_t b[CMSG_SPACE(64)];
	} u;
	struct msg m = {.control = u.b, .controllen = CMSG_LEN(len)};
	uint64_t v[8] = {val};

	memset(&u, 0, sizeof(u));
	u.h.cmsg_len = CMSG_LEN(len);
	u.h.cmsg_level = level;
	u.h.cmsg_type = type;
	memcpy(CMSG_DATA(&u.h), v, len);
	return sock_cmsg_send(&sk, &m, ck);
}

static int reset(void **state)
{
	(void)state;
	memset(&sk, 0, sizeof(sk));
	sk.proto = PROTO_TCP;
	return 0;
}

static void the_mark_asks_for_the_privilege_before_the_length(void **state)
{
	struct sockcm ck = {0};

	(void)state;
	assert_int_equal(one(SOL_SOCKET, 36, 4, 7, &ck), 0);
	assert_int_equal(ck.mark, 7);
	assert_int_equal(one(SOL_SOCKET, 36, 8, 7, &ck), -EINVAL);
	sk.uid = 1000;
	assert_int_equal(one(SOL_SOCKET, 36, 8, 7, &ck), -EPERM);
	assert_int_equal(one(SOL_SOCKET, 36, 4, 7, &ck), -EPERM);
}

static void the_priority_asks_for_the_length_before_the_privilege(void **state)
{
	struct sockcm ck = {0};

	(void)state;
	sk.uid = 1000;
	assert_int_equal(one(SOL_SOCKET, 12, 4, 6, &ck), 0);
	assert_int_equal(ck.priority, 6);
	assert_int_equal(one(SOL_SOCKET, 12, 4, 7, &ck), -EPERM);
	assert_int_equal(one(SOL_SOCKET, 12, 8, 7, &ck), -EINVAL);
	sk.uid = 0;
	assert_int_equal(one(SOL_SOCKET, 12, 4, 7, &ck), 0);
}

static void timestamp_bits_of_a_call_replace_only_themselves(void **state)
{
	struct sockcm ck = {.tsflags = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_OPT_ID};

	(void)state;
	assert_int_equal(one(SOL_SOCKET, 37, 4, SOF_TIMESTAMPING_TX_SOFTWARE, &ck), 0);
	assert_int_equal(ck.tsflags, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_ID);
	assert_int_equal(one(SOL_SOCKET, 65, 4, 0x40000, &ck), 0);
	assert_int_equal(one(SOL_SOCKET, 37, 4, SOF_TIMESTAMPING_OPT_ID, &ck), -EINVAL);
	assert_int_equal(one(SOL_SOCKET, 37, 2, 0, &ck), -EINVAL);
}

static void some_need_a_socket_that_asked_for_them(void **state)
{
	struct sockcm ck = {0};

	(void)state;
	assert_int_equal(one(SOL_SOCKET, 61, 8, 5, &ck), -EINVAL);
	sk.flags |= SK_TXTIME;
	assert_int_equal(one(SOL_SOCKET, 61, 8, 5, &ck), 0);
	assert_int_equal(one(SOL_SOCKET, 61, 4, 5, &ck), -EINVAL);
	sk.tsflags = SOF_TIMESTAMPING_OPT_ID;
	assert_int_equal(one(SOL_SOCKET, 81, 4, 5, &ck), -EINVAL); /* never on TCP */
	sk.proto = PROTO_UDP;
	assert_int_equal(one(SOL_SOCKET, 81, 4, 5, &ck), 0);
	assert_int_equal(ck.ts_opt_id, 5);
	sk.tsflags = 0;
	assert_int_equal(one(SOL_SOCKET, 81, 4, 5, &ck), -EINVAL);
}

static void rights_are_ignored_and_the_unknown_is_refused(void **state)
{
	struct sockcm ck = {0};

	(void)state;
	assert_int_equal(one(SOL_SOCKET, 1, 4, 0, &ck), 0);
	assert_int_equal(one(SOL_SOCKET, 2, 0, 0, &ck), 0);
	assert_int_equal(one(SOL_SOCKET, 79, 4, 3, &ck), 0);
	assert_int_equal(ck.dmabuf_id, 3);
	assert_int_equal(one(SOL_SOCKET, 79, 8, 3, &ck), -EINVAL);
	assert_int_equal(one(SOL_SOCKET, 999, 4, 0, &ck), -EINVAL);
	assert_int_equal(one(0, 2, 1, 0, &ck), 0); /* IP_TTL too short: another level, not read */
}

static void impossible_header_lengths_are_refused(void **state)
{
	uint64_t buf[8] = {0};
	struct cmsghdr *h = (struct cmsghdr *)buf;
	struct msg m = {.control = buf};
	struct sockcm ck = {0};
	static const struct {
		size_t controllen, cmsg_len;
		int err;
	} t[] = {
		{0, 0, 0},         {15, 0, 0}, /* not even a header: nothing there */
		{16, 15, -EINVAL}, {16, 17, -EINVAL}, {64, 65, -EINVAL}, {64, ~(size_t)0, -EINVAL},
		{16, 16, 0},
	};

	(void)state;
	h->cmsg_level = 77;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		m.controllen = t[i].controllen;
		h->cmsg_len = t[i].cmsg_len;
		assert_int_equal(sock_cmsg_send(&sk, &m, &ck), t[i].err);
	}
}

static void the_first_failure_ends_the_walk(void **state)
{
	union {
		struct cmsghdr h;
		uint8_t b[3 * CMSG_SPACE(4)];
	} u;
	struct msg m = {.control = u.b, .controllen = sizeof(u.b)};
	static const struct {
		int type;
		uint32_t v;
	} items[3] = {{12, 3}, {999, 0}, {12, 5}};
	struct sockcm ck = {0};

	(void)state;
	memset(&u, 0, sizeof(u));
	for (int i = 0; i < 3; i++) {
		struct cmsghdr *h = (struct cmsghdr *)(u.b + (size_t)i * CMSG_SPACE(4));

		h->cmsg_len = CMSG_LEN(4);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = items[i].type;
		memcpy(CMSG_DATA(h), &items[i].v, 4);
	}
	assert_int_equal(sock_cmsg_send(&sk, &m, &ck), -EINVAL);
	assert_int_equal(ck.priority, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_mark_asks_for_the_privilege_before_the_length, reset),
		cmocka_unit_test_setup(the_priority_asks_for_the_length_before_the_privilege, reset),
		cmocka_unit_test_setup(timestamp_bits_of_a_call_replace_only_themselves, reset),
		cmocka_unit_test_setup(some_need_a_socket_that_asked_for_them, reset),
		cmocka_unit_test_setup(rights_are_ignored_and_the_unknown_is_refused, reset),
		cmocka_unit_test_setup(impossible_header_lengths_are_refused, reset),
		cmocka_unit_test_setup(the_first_failure_ends_the_walk, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which errno wins on the way into a send (T03-T05, T12, T20, T31): values of the live kernel. */
#define _GNU_SOURCE
#include "pair.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define KERNEL_POINTER ((void *)0xffff800000000000ull)
#define UNMAPPED ((void *)0x10)

static struct pair p;
static volatile sig_atomic_t num_sigpipe;

static void on_sigpipe(int sig)
{
	(void)sig;
	num_sigpipe++;
}

static void the_buffer_is_looked_at_before_the_descriptor(void **state)
{
	(void)state;
	pair_open(&p);
	expect_errno(naru_send(p.a, 999999, KERNEL_POINTER, 10, 0), EFAULT);
	expect_errno(naru_send(p.a, 999999, "x", 1, 0), EBADF);
	pair_close(&p);
}

static void the_address_is_checked_before_the_connection(void **state)
{
	int s;

	(void)state;
	pair_open(&p);
	s = naru_socket(p.a, AF_INET, SOCK_STREAM, 0);
	expect_errno(naru_sendto(p.a, s, "x", 1, 0, (void *)&p.to, 129), EINVAL);
	expect_errno(naru_sendto(p.a, s, "x", 1, 0, (void *)&p.to, (socklen_t)-1), EINVAL);
	expect_errno(naru_sendto(p.a, s, "x", 1, 0, UNMAPPED, 16), EFAULT);
	num_sigpipe = 0;
	expect_errno(naru_sendto(p.a, s, "x", 1, 0, (void *)&p.to, 16), EPIPE);
	assert_int_equal(num_sigpipe, 1);
	expect_errno(naru_send(p.a, s, "x", 1, MSG_NOSIGNAL), EPIPE);
	assert_int_equal(num_sigpipe, 1);
	pair_close(&p);
}

static void an_unmapped_buffer_fails_when_bytes_are_copied(void **state)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char c;

	(void)state;
	pair_open(&p);
	munmap(pages + 4096, 4096);
	expect_errno(naru_send(p.a, p.client, UNMAPPED, 10, 0), EFAULT);
	expect_errno(naru_send(p.a, p.client, pages, 8192, 0), EFAULT); /* the whole chunk is discarded */
	naru_run_for(p.a, 100000000);
	expect_errno(naru_recv(p.b, p.server, &c, 1, MSG_DONTWAIT), EAGAIN);
	munmap(pages, 4096);
	pair_close(&p);
}

static void a_bad_receive_buffer_is_efault_and_loses_nothing(void **state)
{
	char c[4];

	(void)state;
	pair_open(&p);
	assert_int_equal(naru_send(p.a, p.client, "abc", 3, 0), 3);
	naru_run_for(p.a, 5000000);
	expect_errno(naru_recv(p.b, p.server, UNMAPPED, 3, 0), EFAULT);
	assert_int_equal(naru_recv(p.b, p.server, c, 3, 0), 3);
	assert_memory_equal(c, "abc", 3);
	pair_close(&p);
}

static void a_shut_sender_gets_epipe_even_for_nothing(void **state)
{
	(void)state;
	pair_open(&p);
	assert_int_equal(naru_shutdown(p.a, p.client, SHUT_WR), 0);
	num_sigpipe = 0;
	expect_errno(naru_send(p.a, p.client, "x", 1, 0), EPIPE);
	expect_errno(naru_send(p.a, p.client, "", 0, 0), EPIPE);
	assert_int_equal(num_sigpipe, 2);
	pair_close(&p);
}

static void a_reset_is_told_once_then_epipe(void **state)
{
	struct linger l = { .l_onoff = 1, .l_linger = 0 };
	char c;

	(void)state;
	pair_open(&p);
	assert_int_equal(naru_setsockopt(p.b, p.server, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	assert_int_equal(naru_close(p.b, p.server), 0);
	naru_run_for(p.a, 5000000);
	num_sigpipe = 0;
	expect_errno(naru_send(p.a, p.client, "x", 1, 0), ECONNRESET);
	assert_int_equal(num_sigpipe, 0);
	expect_errno(naru_send(p.a, p.client, "x", 1, 0), EPIPE);
	assert_int_equal(num_sigpipe, 1);
	assert_int_equal(naru_recv(p.a, p.client, &c, 1, 0), 0);
	pair_close(&p);
}

static void vectors_have_their_own_limits(void **state)
{
	static struct iovec many[1025];
	struct msghdr m = { .msg_iov = many, .msg_iovlen = 1025 };
	struct iovec neg = { .iov_base = many, .iov_len = (size_t)-1 };

	(void)state;
	pair_open(&p);
	expect_errno(naru_sendmsg(p.a, p.client, &m, 0), EMSGSIZE);
	expect_errno(naru_writev(p.a, p.client, many, 1025), EINVAL);
	expect_errno(naru_writev(p.a, p.client, &neg, 1), EINVAL);
	expect_errno(naru_writev(p.a, p.client, UNMAPPED, 1), EFAULT);
	pair_close(&p);
}

static void unknown_flags_and_internal_flags_are_ignored(void **state)
{
	(void)state;
	pair_open(&p);
	assert_int_equal(naru_send(p.a, p.client, "abc", 3, 0x2 | 0x200), 3);
	assert_int_equal(naru_send(p.a, p.client, "abc", 3, 0x8000000), 3); /* MSG_SPLICE_PAGES */
	assert_int_equal(naru_send(p.a, p.client, "", 0, 0), 0);
	pair_close(&p);
}

static void a_full_buffer_takes_a_part_then_eagain(void **state)
{
	static char big[1 << 20];
	int small = 4608, mine = 0;
	socklen_t len = sizeof(mine);

	(void)state;
	pair_open(&p);
	assert_int_equal(naru_setsockopt(p.a, p.client, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(naru_getsockopt(p.a, p.client, SOL_SOCKET, SO_SNDBUF, &mine, &len), 0);
	assert_int_equal(mine, 9216); /* doubled */
	assert_in_range(naru_send(p.a, p.client, big, sizeof(big), MSG_DONTWAIT), 1, sizeof(big) - 1);
	for (int i = 0; i < 100 && naru_send(p.a, p.client, big, sizeof(big), MSG_DONTWAIT) > 0; i++)
		;
	expect_errno(naru_send(p.a, p.client, big, sizeof(big), MSG_DONTWAIT), EAGAIN);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_buffer_is_looked_at_before_the_descriptor),
		cmocka_unit_test(the_address_is_checked_before_the_connection),
		cmocka_unit_test(an_unmapped_buffer_fails_when_bytes_are_copied),
		cmocka_unit_test(a_bad_receive_buffer_is_efault_and_loses_nothing),
		cmocka_unit_test(a_shut_sender_gets_epipe_even_for_nothing),
		cmocka_unit_test(a_reset_is_told_once_then_epipe),
		cmocka_unit_test(vectors_have_their_own_limits),
		cmocka_unit_test(unknown_flags_and_internal_flags_are_ignored),
		cmocka_unit_test(a_full_buffer_takes_a_part_then_eagain),
	};

	signal(SIGPIPE, on_sigpipe);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll and poll: the trigger modes, as epoll(7) and the live kernel have them (R56). */
#define _GNU_SOURCE
#include "pair.h"

#define MS 1000000ull

static struct pair p;

static void add(int ep, int s, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.u64 = 77 };

	assert_int_equal(naru_epoll_ctl(p.b, ep, EPOLL_CTL_ADD, s, &ev), 0);
}

static void client_says(const char *text)
{
	assert_int_equal(naru_send(p.a, p.client, text, strlen(text), 0), strlen(text));
	naru_run_for(p.a, 5 * MS);
}

static void level_reports_until_everything_is_read(void **state)
{
	struct epoll_event ev[4];
	char c[8];
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	add(ep, p.server, EPOLLIN);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0);
	client_says("ab");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1);
		assert_int_equal(ev[0].events, EPOLLIN);
		assert_int_equal(ev[0].data.u64, 77);
		assert_int_equal(naru_recv(p.b, p.server, c, 1, 0), 1);
	}
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0);
	pair_close(&p);
}

static void edge_reports_new_data_only_and_again_after_mod(void **state)
{
	struct epoll_event ev[4], mod = { .events = EPOLLIN | EPOLLET };
	char c[8];
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	add(ep, p.server, EPOLLIN | EPOLLET);
	client_says("abc");
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1);
	assert_int_equal(naru_recv(p.b, p.server, c, 1, 0), 1);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0); /* a partial read gives no event */
	client_says("d");
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0);
	assert_int_equal(naru_epoll_ctl(p.b, ep, EPOLL_CTL_MOD, p.server, &mod), 0);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1); /* MOD arms it again */
	pair_close(&p);
}

static void one_shot_is_silent_until_modified(void **state)
{
	struct epoll_event ev[4], mod = { .events = EPOLLIN | EPOLLONESHOT };
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	add(ep, p.server, EPOLLIN | EPOLLONESHOT);
	client_says("abc");
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1);
	client_says("d");
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0);
	assert_int_equal(naru_epoll_ctl(p.b, ep, EPOLL_CTL_MOD, p.server, &mod), 0);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 1);
	pair_close(&p);
}

static void exclusive_is_refused_where_linux_refuses_it(void **state)
{
	struct epoll_event bad = { .events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT }, mod = { .events = EPOLLIN };
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_ADD, p.server, &bad), EINVAL);
	add(ep, p.server, EPOLLIN | EPOLLEXCLUSIVE);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_MOD, p.server, &mod), EINVAL);
	pair_close(&p);
}

static void control_errors_are_those_of_linux(void **state)
{
	struct epoll_event ev = { .events = EPOLLIN };
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_MOD, p.server, &ev), ENOENT);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_DEL, p.server, &ev), ENOENT);
	add(ep, p.server, EPOLLIN);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_ADD, p.server, &ev), EEXIST);
	expect_errno(naru_epoll_ctl(p.b, p.server, EPOLL_CTL_ADD, p.listener, &ev), EINVAL);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_ADD, 999999, &ev), EBADF);
	expect_errno(naru_epoll_ctl(p.b, ep, EPOLL_CTL_ADD, p.listener, (void *)16), EFAULT);
	expect_errno(naru_epoll_wait(p.b, ep, &ev, 0, 0), EINVAL);
	expect_errno(naru_epoll_wait(p.b, p.server, &ev, 1, 0), EINVAL);
	pair_close(&p);
}

static void a_closed_socket_leaves_the_set(void **state)
{
	struct epoll_event ev[4];
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	add(ep, p.server, EPOLLIN);
	client_says("x");
	assert_int_equal(naru_close(p.b, p.server), 0);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 0), 0);
	pair_close(&p);
}

static void waiting_ends_with_data_or_at_the_time_limit(void **state)
{
	struct epoll_event ev[4];
	uint64_t t0;
	int ep;

	(void)state;
	pair_open(&p);
	ep = naru_epoll_create1(p.b, 0);
	add(ep, p.server, EPOLLIN);
	t0 = naru_now_ns(p.b);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, 50), 0);
	assert_true(naru_now_ns(p.b) - t0 >= 50 * MS && naru_now_ns(p.b) - t0 < 60 * MS);
	assert_int_equal(naru_send(p.a, p.client, "x", 1, 0), 1);
	assert_int_equal(naru_epoll_wait(p.b, ep, ev, 4, -1), 1);
	pair_close(&p);
}

static void poll_masks_follow_the_life_of_a_connection(void **state)
{
	struct pollfd f = { .events = POLLIN | POLLOUT | POLLRDHUP };
	char c;

	(void)state;
	pair_open(&p);
	f.fd = naru_socket(p.b, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLOUT | POLLHUP); /* fresh, unconnected */
	f.fd = p.server;
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLOUT);
	client_says("x");
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLIN | POLLOUT);
	assert_int_equal(naru_recv(p.b, p.server, &c, 1, 0), 1);
	assert_int_equal(naru_shutdown(p.a, p.client, SHUT_WR), 0);
	naru_run_for(p.a, 300 * MS);
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLIN | POLLOUT | POLLRDHUP);
	assert_int_equal(naru_shutdown(p.b, p.server, SHUT_WR), 0);
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	f.fd = 999999;
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 1);
	assert_int_equal(f.revents, POLLNVAL);
	f.fd = -1;
	assert_int_equal(naru_poll(p.b, &f, 1, 0), 0);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_reports_until_everything_is_read),
		cmocka_unit_test(edge_reports_new_data_only_and_again_after_mod),
		cmocka_unit_test(one_shot_is_silent_until_modified),
		cmocka_unit_test(exclusive_is_refused_where_linux_refuses_it),
		cmocka_unit_test(control_errors_are_those_of_linux),
		cmocka_unit_test(a_closed_socket_leaves_the_set),
		cmocka_unit_test(waiting_ends_with_data_or_at_the_time_limit),
		cmocka_unit_test(poll_masks_follow_the_life_of_a_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

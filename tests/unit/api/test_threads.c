/* SPDX-License-Identifier: BSD-2-Clause */
/* Many threads on two stacks in real time: blocking and epoll servers, full-duplex clients, sockets that come and go. */
/*
 * How it works
 *
 * Stack 1 has two servers that send back what they get: threads that block, and one thread with epoll.
 * Stack 0 has clients; each uses one connection from two threads, one that sends and one that reads.
 * Beside them a thread opens, registers, polls and closes sockets in both stacks, and one reads state
 * (counters, tcp_info, names) of connections that others use. Every byte is checked; in the end no
 * object is left. Its worth is greatest in a build with -Db_sanitize=thread.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/world.h"
#include "naru/naru.h"

#define CLIENTS 4
#define ROUNDS 6		   /* connections of each client, one after the other */
#define CONN_BYTES 60000u	   /* each way, of each connection */
#define BLOCKING_SERVERS 2
#define PORT_BLOCKING 4001
#define PORT_EPOLL 4002
#define HANG_S 200
#define OPT_TCP_INFO 11

struct shared {
	naru_world *w;
	naru_stack *st[2];
	int listener[2];	   /* blocking, epoll */
	_Atomic int clients_left;
	_Atomic int errors;
	_Atomic int watched;	   /* a client's socket, changes all the time */
};

struct client {
	struct shared *sh;
	int idx, s;
	uint32_t round;
};

#define CHECK(sh, cond)                                                                                                \
	do {                                                                                                           \
		if (!(cond)) {                                                                                         \
			fprintf(stderr, "line %d: %s: errno %s\n", __LINE__, #cond, strerror(errno));                  \
			atomic_fetch_add(&(sh)->errors, 1);                                                            \
		}                                                                                                      \
	} while (0)

static struct sockaddr_in server_name(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, "10.0.0.2", &a.sin_addr);
	return a;
}

static uint8_t pattern(const struct client *c, uint32_t n) { return (uint8_t)(n * 13 + (n >> 9) + c->round * 31 + (uint32_t)c->idx); }

/* ---- servers ---- */

static bool send_all(struct shared *sh, int s, const uint8_t *buf, size_t n)
{
	while (n) {
		ssize_t r = naru_send(sh->st[1], s, buf, n, 0);

		if (r <= 0)
			return false;
		buf += r;
		n -= (size_t)r;
	}
	return true;
}

static void *blocking_server(void *arg)
{
	struct shared *sh = arg;
	uint8_t buf[3000];
	ssize_t r;
	int s;

	while ((s = naru_accept(sh->st[1], sh->listener[0], NULL, NULL)) >= 0) {
		while ((r = naru_recv(sh->st[1], s, buf, sizeof(buf), 0)) > 0)
			CHECK(sh, send_all(sh, s, buf, (size_t)r));
		CHECK(sh, r == 0);
		CHECK(sh, naru_close(sh->st[1], s) == 0);
	}
	CHECK(sh, errno == EINVAL); /* the listener was shut down */
	return NULL;
}

/* A connection of the epoll server: what was read and not yet sent. */
struct echo {
	int s;
	size_t from, to;
	bool saw_eof;
	uint8_t buf[4000];
};

static struct echo *echo_new(struct shared *sh, int ep, int s)
{
	struct echo *e = calloc(1, sizeof(*e));
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = e };

	assert_non_null(e);
	e->s = s;
	CHECK(sh, naru_epoll_ctl(sh->st[1], ep, EPOLL_CTL_ADD, s, &ev) == 0);
	return e;
}

/* Move bytes until something would block. Return: false at the end. */
static bool echo_turn(struct shared *sh, struct echo *e)
{
	for (;;) {
		ssize_t r;

		if (e->from == e->to) {
			r = e->saw_eof ? 0 : naru_recv(sh->st[1], e->s, e->buf, sizeof(e->buf), MSG_DONTWAIT);
			if (r == 0)
				return false;
			if (r < 0)
				return errno == EAGAIN;
			e->from = 0;
			e->to = (size_t)r;
		}
		r = naru_send(sh->st[1], e->s, e->buf + e->from, e->to - e->from, MSG_DONTWAIT);
		if (r < 0)
			return errno == EAGAIN;
		e->from += (size_t)r;
	}
}

static void echo_event(struct shared *sh, int ep, struct echo *e)
{
	struct epoll_event ev = { .data.ptr = e };

	if (!echo_turn(sh, e)) {
		CHECK(sh, naru_close(sh->st[1], e->s) == 0);
		free(e);
		return;
	}
	ev.events = e->from == e->to ? EPOLLIN : EPOLLOUT;
	CHECK(sh, naru_epoll_ctl(sh->st[1], ep, EPOLL_CTL_MOD, e->s, &ev) == 0);
}

static void *epoll_server(void *arg)
{
	struct shared *sh = arg;
	int ep = naru_epoll_create1(sh->st[1], 0), s;
	struct epoll_event evs[8], ev = { .events = EPOLLIN };

	CHECK(sh, naru_epoll_ctl(sh->st[1], ep, EPOLL_CTL_ADD, sh->listener[1], &ev) == 0);
	while (atomic_load(&sh->clients_left)) {
		int n = naru_epoll_wait(sh->st[1], ep, evs, 8, 50);

		CHECK(sh, n >= 0);
		for (int i = 0; i < n; i++) {
			if (evs[i].data.ptr) {
				echo_event(sh, ep, evs[i].data.ptr);
				continue;
			}
			while ((s = naru_accept4(sh->st[1], sh->listener[1], NULL, NULL, SOCK_NONBLOCK)) >= 0)
				echo_new(sh, ep, s);
			CHECK(sh, errno == EAGAIN);
		}
	}
	CHECK(sh, naru_close(sh->st[1], ep) == 0);
	return NULL;
}

/* ---- clients ---- */

static void *read_back(void *arg)
{
	struct client *c = arg;
	struct shared *sh = c->sh;
	uint32_t got = 0;
	uint8_t buf[2500];
	ssize_t r;

	while ((r = naru_recv(sh->st[0], c->s, buf, sizeof(buf), 0)) > 0) {
		for (ssize_t k = 0; k < r; k++)
			if (buf[k] != pattern(c, got + (uint32_t)k)) {
				CHECK(sh, !"a wrong byte");
				return NULL;
			}
		got += (uint32_t)r;
	}
	CHECK(sh, r == 0);
	CHECK(sh, got == CONN_BYTES);
	return NULL;
}

static void send_stream(struct client *c)
{
	uint8_t buf[3333];
	uint32_t sent = 0;

	while (sent < CONN_BYTES) {
		uint32_t n = CONN_BYTES - sent < sizeof(buf) ? CONN_BYTES - sent : (uint32_t)sizeof(buf);
		ssize_t r;

		for (uint32_t k = 0; k < n; k++)
			buf[k] = pattern(c, sent + k);
		r = naru_send(c->sh->st[0], c->s, buf, n, 0);
		CHECK(c->sh, r > 0);
		if (r <= 0)
			return;
		sent += (uint32_t)r;
	}
}

static void *client(void *arg)
{
	struct client *c = arg;
	struct shared *sh = c->sh;

	for (c->round = 0; c->round < ROUNDS; c->round++) {
		struct sockaddr_in to = server_name((c->round + (uint32_t)c->idx) % 2 ? PORT_EPOLL : PORT_BLOCKING);
		pthread_t reader;

		c->s = naru_socket(sh->st[0], AF_INET, SOCK_STREAM, 0);
		CHECK(sh, c->s >= 0);
		CHECK(sh, naru_connect(sh->st[0], c->s, (void *)&to, sizeof(to)) == 0);
		atomic_store(&sh->watched, c->s);
		assert_int_equal(pthread_create(&reader, NULL, read_back, c), 0);
		send_stream(c);
		CHECK(sh, naru_shutdown(sh->st[0], c->s, SHUT_WR) == 0);
		pthread_join(reader, NULL);
		CHECK(sh, naru_close(sh->st[0], c->s) == 0);
	}
	atomic_fetch_sub(&sh->clients_left, 1);
	return NULL;
}

/* ---- those who disturb ---- */

static void churn_once(struct shared *sh, naru_stack *st, unsigned int n)
{
	int u = naru_socket(st, AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), t = naru_socket(st, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int ep = naru_epoll_create1(st, 0);
	struct sockaddr_in nowhere = server_name((uint16_t)(6000 + n % 100)), any = { .sin_family = AF_INET };
	struct pollfd pfd[2] = { { .fd = u, .events = POLLIN }, { .fd = t, .events = POLLIN | POLLOUT } };
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLET }, out[2];

	CHECK(sh, u >= 0 && t >= 0 && ep >= 0);
	CHECK(sh, naru_bind(st, u, (void *)&any, sizeof(any)) == 0);
	CHECK(sh, naru_epoll_ctl(st, ep, EPOLL_CTL_ADD, u, &ev) == 0);
	CHECK(sh, naru_epoll_ctl(st, ep, EPOLL_CTL_ADD, t, &ev) == 0);
	naru_sendto(st, u, "hello", 5, 0, (void *)&nowhere, sizeof(nowhere)); /* a port nobody listens on */
	if (naru_connect(st, t, (void *)&nowhere, sizeof(nowhere)))
		CHECK(sh, errno == EINPROGRESS || errno == ECONNREFUSED);
	CHECK(sh, naru_poll(st, pfd, 2, (int)(n % 3)) >= 0);
	CHECK(sh, naru_epoll_wait(st, ep, out, 2, 0) >= 0);
	if (n % 2)
		CHECK(sh, naru_close(st, ep) == 0);
	CHECK(sh, naru_close(st, t) == 0);
	CHECK(sh, naru_close(st, u) == 0);
	if (n % 2 == 0)
		CHECK(sh, naru_close(st, ep) == 0);
}

static void *churn(void *arg)
{
	struct shared *sh = arg;

	for (unsigned int n = 0; atomic_load(&sh->clients_left); n++)
		churn_once(sh, sh->st[n % 2], n);
	return NULL;
}

/* Reads of sockets that others use and close: any errno is fine, races are not. */
static void *watch(void *arg)
{
	struct shared *sh = arg;
	char name[64];

	while (atomic_load(&sh->clients_left)) {
		int s = atomic_load(&sh->watched), val;
		uint8_t info[256];
		socklen_t len = sizeof(info), vlen = sizeof(val), alen = sizeof(struct sockaddr_in);
		struct sockaddr_in a;
		uint64_t v;

		naru_getsockopt(sh->st[0], s, IPPROTO_TCP, OPT_TCP_INFO, info, &len);
		naru_getsockopt(sh->st[0], s, SOL_SOCKET, SO_SNDBUF, &val, &vlen);
		naru_getpeername(sh->st[0], s, (void *)&a, &alen);
		naru_recv(sh->st[0], s, info, 1, MSG_PEEK | MSG_DONTWAIT);
		CHECK(sh, naru_counter(sh->st[1], "TcpInSegs", &v) == 0);
		CHECK(sh, naru_sysctl_get(sh->st[0], "net.ipv4.tcp_sack", name, sizeof(name)) >= 0);
		usleep(300);
	}
	return NULL;
}

/* ---- the test ---- */

static void set_up(struct shared *sh)
{
	struct naru_world_config wc = { .memory_bytes = 96u << 20, .seed = 11 };
	struct naru_stack_config sc = { .ehash_buckets = 256 };

	assert_int_equal(naru_world_new(&wc, &sh->w), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(naru_stack_new(sh->w, &sc, &sh->st[i]), 0);
	assert_int_equal(naru_wire(sh->st[0], "eth0", sh->st[1], "eth0", NULL), 0);
	assert_int_equal(naru_addr_add(sh->st[0], "eth0", "10.0.0.1/24"), 0);
	assert_int_equal(naru_addr_add(sh->st[1], "eth0", "10.0.0.2/24"), 0);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = server_name(i ? PORT_EPOLL : PORT_BLOCKING);

		sh->listener[i] = naru_socket(sh->st[1], AF_INET, SOCK_STREAM | (i ? SOCK_NONBLOCK : 0), 0);
		assert_int_equal(naru_bind(sh->st[1], sh->listener[i], (void *)&a, sizeof(a)), 0);
		assert_int_equal(naru_listen(sh->st[1], sh->listener[i], 16), 0);
	}
}

static void count_live(const char *name, uint32_t in_use, void *arg)
{
	if (in_use)
		print_message("left behind: %s %u\n", name, in_use);
	*(uint32_t *)arg += in_use;
}

static void check_ended(struct shared *sh)
{
	uint32_t live = 0;

	for (int i = 0; i < 2; i++)
		naru_stack_free(sh->st[i]);
	world_each_pool(sh->w->pools, count_live, &live);
	assert_int_equal(live, 0);
	naru_world_free(sh->w);
}

static void threads_share_two_stacks_and_every_byte_arrives(void **state)
{
	static struct shared sh;
	pthread_t t[CLIENTS], server[BLOCKING_SERVERS], poller, churner, watcher;
	struct client c[CLIENTS];

	(void)state;
	alarm(HANG_S);
	set_up(&sh);
	atomic_store(&sh.clients_left, CLIENTS);
	for (int i = 0; i < BLOCKING_SERVERS; i++)
		assert_int_equal(pthread_create(&server[i], NULL, blocking_server, &sh), 0);
	assert_int_equal(pthread_create(&poller, NULL, epoll_server, &sh), 0);
	assert_int_equal(pthread_create(&churner, NULL, churn, &sh), 0);
	assert_int_equal(pthread_create(&watcher, NULL, watch, &sh), 0);
	for (int i = 0; i < CLIENTS; i++) {
		c[i] = (struct client){ .sh = &sh, .idx = i };
		assert_int_equal(pthread_create(&t[i], NULL, client, &c[i]), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(naru_shutdown(sh.st[1], sh.listener[0], SHUT_RDWR), 0);
	for (int i = 0; i < BLOCKING_SERVERS; i++)
		pthread_join(server[i], NULL);
	pthread_join(poller, NULL);
	pthread_join(churner, NULL);
	pthread_join(watcher, NULL);
	assert_int_equal(atomic_load(&sh.errors), 0);
	check_ended(&sh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_two_stacks_and_every_byte_arrives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

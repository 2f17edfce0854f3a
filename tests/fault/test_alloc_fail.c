/* SPDX-License-Identifier: BSD-2-Clause */
/* Every allocation of a connection's life, and of a stack's, fails once: the call says so, all else goes on. */
/*
 * How it works
 *
 * The injector of the arena fails exactly one allocation, the n-th from the moment it is armed. The same
 * body runs with n = 1, 2, 3 ... until it comes through with the injector still armed: then n is past
 * the last one. A call may fail only after the injector fired, and only with the errno of missing
 * memory; the same call then works, as nothing else is short. The protocol has to get over whatever was
 * lost inside: all bytes arrive, and in the end no object is left.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/world.h"
#include "core/netdev.h"
#include "dev/dev.h"
#include "naru/naru.h"

#define WORLD_BYTES (48u << 20)
#define MAX_ALLOCS 4000		   /* the body makes some hundreds */
#define MAX_STEPS 20000
#define LIMIT_NS (600 * NS_PER_S)  /* of virtual time for one body: lost SYNs and FINs take seconds */
#define END_NS (300 * NS_PER_S)	   /* TIME-WAIT, FIN-WAIT-2, last retries of closed sockets */
#define STREAM_BYTES 12000u	   /* each way */
#define DGRAM_BYTES 3000u	   /* more than one frame: fragments */
#define DGRAM_TRIES 6
#define STORM_TURNS 25
#define STORM_LAST_START 100
#define BUF_BYTES 4096		   /* SO_SNDBUF and SO_RCVBUF */
#define PORT 4000

struct end {
	int s;
	uint32_t sent, got;
	bool has_shut, saw_eof, is_closed;
};

struct body {
	long n;		   /* which allocation fails */
	bool is_v6;
	naru_world *w;
	naru_stack *st[2];
	int listener;
	struct end end[2];
	bool has_lost;	   /* the frame that gets lost has been lost */
	int storm_from;	   /* from this turn on, for STORM_TURNS, an allocation of every turn fails; 0: none */
	uint64_t start_ns;
};

/* ---- judging ---- */

static bool has_fired(const struct body *b) { return b->w->arena->fail_after <= 0; }

static void die(const struct body *b, const char *what, int err)
{
	fail_msg("allocation %ld of v%d: %s: %s", b->n, b->is_v6 ? 6 : 4, what, strerror(err));
}

/* A call failed with @err (positive): was it entitled to? */
static void judge(const struct body *b, const char *what, int err)
{
	if (!has_fired(b))
		die(b, what, err);
	switch (err) {
	case ENOMEM:
	case ENOBUFS:
	case ENFILE:
		return;
	default:
		die(b, what, err);
	}
}

/* The call failed; it must work the second time. For calls that return a handle or 0, and set errno. */
#define TWICE(b, call)                                                                                                 \
	({                                                                                                             \
		int ret_ = (call);                                                                                     \
		if (ret_ < 0) {                                                                                        \
			judge(b, #call, errno);                                                                        \
			ret_ = (call);                                                                                 \
			if (ret_ < 0)                                                                                  \
				die(b, "again: " #call, errno);                                                        \
		}                                                                                                      \
		ret_;                                                                                                  \
	})
/* The same for calls that return a negative errno. */
#define TWICE_CFG(b, call)                                                                                             \
	do {                                                                                                           \
		int err_ = (call);                                                                                     \
		if (err_ < 0) {                                                                                        \
			judge(b, #call, -err_);                                                                        \
			err_ = (call);                                                                                 \
			if (err_ < 0)                                                                                  \
				die(b, "again: " #call, -err_);                                                        \
		}                                                                                                      \
	} while (0)

struct leak {
	char text[256];
	size_t len;
};

static void note_pool(const char *name, uint32_t in_use, void *arg)
{
	struct leak *l = arg;

	if (in_use && l->len < sizeof(l->text) - 40)
		l->len += (size_t)snprintf(l->text + l->len, 40, " %s %u", name, in_use);
}

static void check_pools(struct arena_pools *pools, long n, const char *when)
{
	struct leak l = { .len = 0 };

	world_each_pool(pools, note_pool, &l);
	note_pool("stack", pool_in_use(&pools->stack), &l);
	note_pool("netdev", pool_in_use(&pools->netdev), &l);
	if (l.len)
		fail_msg("allocation %ld: left behind %s:%s", n, when, l.text);
}

/* ---- the world ---- */

static void world_open(struct body *b)
{
	struct naru_world_config wc = { .memory_bytes = WORLD_BYTES, .is_virtual = true, .seed = 7 };
	struct naru_stack_config sc = { .ehash_buckets = 64 };

	assert_int_equal(naru_world_new(&wc, &b->w), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(naru_stack_new(b->w, &sc, &b->st[i]), 0);
	b->w->arena->fail_after = b->n;
	b->start_ns = naru_now_ns(b->st[0]);
}

static void configure(struct body *b)
{
	struct naru_wire_config wc = { .seed = 3, .ab.delay_ns = NS_PER_MS, .ba.delay_ns = NS_PER_MS };

	TWICE_CFG(b, naru_wire(b->st[0], "eth0", b->st[1], "eth0", &wc));
	for (int i = 0; i < 2; i++) {
		TWICE_CFG(b, naru_addr_add(b->st[i], "eth0", i ? "10.0.0.2/24" : "10.0.0.1/24"));
		TWICE_CFG(b, naru_addr_add(b->st[i], "eth0", i ? "fd00::2/64" : "fd00::1/64"));
		TWICE_CFG(b, naru_route_add(b->st[i], "192.168.7.0/24", "10.0.0.9", NULL));
	}
	naru_run_for(b->st[0], 3 * NS_PER_S); /* duplicate address detection */
}

static void world_close(struct body *b)
{
	naru_run_for(b->st[0], END_NS);
	for (int i = 0; i < 2; i++)
		naru_stack_free(b->st[i]);
	check_pools(b->w->pools, b->n, "after the stacks ended");
	naru_world_free(b->w);
}

static void step(struct body *b)
{
	naru_step(b->st[0], 10 * NS_PER_MS);
	if (naru_now_ns(b->st[0]) - b->start_ns > LIMIT_NS)
		die(b, "stalled", ETIMEDOUT);
}

static socklen_t name_of_server(const struct body *b, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (b->is_v6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)ss;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(PORT);
		inet_pton(AF_INET6, "fd00::2", &a->sin6_addr);
		return sizeof(*a);
	}
	struct sockaddr_in *a = (struct sockaddr_in *)ss;

	a->sin_family = AF_INET;
	a->sin_port = htons(PORT);
	inet_pton(AF_INET, "10.0.0.2", &a->sin_addr);
	return sizeof(*a);
}

/* ---- a connection ---- */

static int new_socket(struct body *b, int i, int type)
{
	int val = BUF_BYTES, s = TWICE(b, naru_socket(b->st[i], b->is_v6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK, 0));

	TWICE(b, naru_setsockopt(b->st[i], s, SOL_SOCKET, SO_RCVBUF, &val, sizeof(val)));
	TWICE(b, naru_setsockopt(b->st[i], s, SOL_SOCKET, SO_SNDBUF, &val, sizeof(val)));
	return s;
}

static int start_connect(struct body *b, const struct sockaddr_storage *ss, socklen_t len)
{
	return naru_connect(b->st[0], b->end[0].s, (const void *)ss, len) && errno != EINPROGRESS ? -1 : 0;
}

static void connect_both(struct body *b)
{
	struct sockaddr_storage ss;
	socklen_t len = name_of_server(b, &ss);

	b->listener = new_socket(b, 1, SOCK_STREAM);
	TWICE(b, naru_bind(b->st[1], b->listener, (void *)&ss, len));
	TWICE(b, naru_listen(b->st[1], b->listener, 4));
	b->end[0].s = new_socket(b, 0, SOCK_STREAM);
	TWICE(b, start_connect(b, &ss, len));
	for (int k = 0; k < MAX_STEPS; k++) {
		b->end[1].s = naru_accept4(b->st[1], b->listener, NULL, NULL, SOCK_NONBLOCK);
		if (b->end[1].s >= 0)
			return;
		if (errno != EAGAIN)
			judge(b, "accept", errno);
		step(b);
	}
	die(b, "no connection", ETIMEDOUT);
}

static uint8_t pattern(int i, uint32_t n) { return (uint8_t)(n * 7 + (n >> 8) + (uint32_t)i * 91); }

/* The wire eats what end 0 sends in this call. */
static void lose_one(struct body *b, const uint8_t *buf, size_t n)
{
	struct netdev *dev = netdev_by_name((struct stack *)b->st[0], "eth0");
	struct wire_impair lossy = { .delay_ns = NS_PER_MS, .loss_ppm = 1000000 }, good = { .delay_ns = NS_PER_MS };
	ssize_t r;

	wire_set_impair(dev, 0, &lossy);
	r = naru_send(b->st[0], b->end[0].s, buf, n, 0);
	wire_set_impair(dev, 0, &good);
	if (r > 0) {
		b->end[0].sent += (uint32_t)r;
		b->has_lost = true;
	}
}

static void write_some(struct body *b, int i)
{
	struct end *e = &b->end[i];
	uint8_t buf[1000];
	uint32_t n = STREAM_BYTES - e->sent;
	ssize_t r;

	if (!n)
		return;
	n = n < sizeof(buf) ? n : sizeof(buf);
	for (uint32_t k = 0; k < n; k++)
		buf[k] = pattern(i, e->sent + k);
	if (i == 0 && !b->has_lost && e->sent > STREAM_BYTES / 3) {
		lose_one(b, buf, n);
		return;
	}
	r = naru_send(b->st[i], e->s, buf, n, 0);
	if (r < 0 && errno != EAGAIN)
		judge(b, "send", errno);
	if (r > 0)
		e->sent += (uint32_t)r;
}

static void read_some(struct body *b, int i)
{
	struct end *e = &b->end[i];
	uint8_t buf[1500];
	ssize_t r = naru_recv(b->st[i], e->s, buf, sizeof(buf), 0);

	if (r < 0 && errno != EAGAIN)
		judge(b, "recv", errno);
	if (r == 0)
		e->saw_eof = true;
	for (ssize_t k = 0; k < r; k++)
		if (buf[k] != pattern(!i, e->got + (uint32_t)k))
			die(b, "a wrong byte", EIO);
	if (r > 0)
		e->got += (uint32_t)r;
}

static void turn(struct body *b, int i)
{
	struct end *e = &b->end[i];

	if (e->is_closed)
		return;
	write_some(b, i);
	if (e->sent == STREAM_BYTES && !e->has_shut) {
		TWICE(b, naru_shutdown(b->st[i], e->s, SHUT_WR));
		e->has_shut = true;
	}
	read_some(b, i);
	if (e->has_shut && e->saw_eof) {
		if (e->got != STREAM_BYTES)
			die(b, "end of file too early", EIO);
		TWICE(b, naru_close(b->st[i], e->s));
		e->is_closed = true;
	}
}

static void run_streams(struct body *b)
{
	for (int k = 0; k < MAX_STEPS; k++) {
		if (b->end[0].is_closed && b->end[1].is_closed)
			return;
		if (b->storm_from)
			b->w->arena->fail_after = k >= b->storm_from && k < b->storm_from + STORM_TURNS;
		for (int i = 0; i < 2; i++)
			turn(b, i);
		step(b);
	}
	die(b, "streams do not end", ETIMEDOUT);
}

/* ---- a datagram in fragments, seen through epoll ---- */

static void exchange_dgrams(struct body *b)
{
	struct epoll_event ev = { .events = EPOLLIN };
	static uint8_t out[DGRAM_BYTES], in[DGRAM_BYTES + 1];
	struct sockaddr_storage ss;
	socklen_t len = name_of_server(b, &ss);
	int rx = new_socket(b, 1, SOCK_DGRAM), tx = new_socket(b, 0, SOCK_DGRAM);
	int ep = TWICE(b, naru_epoll_create1(b->st[1], 0));
	ssize_t r = -1;

	TWICE(b, naru_epoll_ctl(b->st[1], ep, EPOLL_CTL_ADD, rx, &ev));
	TWICE(b, naru_bind(b->st[1], rx, (void *)&ss, len));
	TWICE(b, naru_connect(b->st[0], tx, (void *)&ss, len));
	memset(out, 0x5a, sizeof(out));
	for (int k = 0; k < DGRAM_TRIES && r < 0; k++) {
		if (naru_send(b->st[0], tx, out, sizeof(out), 0) < 0)
			judge(b, "send of a datagram", errno);
		if (naru_epoll_wait(b->st[1], ep, &ev, 1, 2000) != 1)
			continue;
		r = naru_recv(b->st[1], rx, in, sizeof(in), 0);
		if (r < 0 && errno != EAGAIN)
			judge(b, "recv of a datagram", errno);
	}
	if (r != DGRAM_BYTES || memcmp(in, out, sizeof(out)))
		die(b, "the datagram", EIO);
	naru_close(b->st[1], ep);
	naru_close(b->st[1], rx);
	naru_close(b->st[0], tx);
}

/* ---- the tests ---- */

static bool run_body(long n, bool is_v6, int storm_from)
{
	struct body b = { .n = n, .is_v6 = is_v6, .storm_from = storm_from };
	bool fired;

	world_open(&b);
	configure(&b);
	connect_both(&b);
	run_streams(&b);
	naru_close(b.st[1], b.listener);
	exchange_dgrams(&b);
	fired = has_fired(&b);
	world_close(&b);
	return fired;
}

static void run_all(bool is_v6)
{
	long n = 1;

	while (run_body(n, is_v6, 0))
		if (++n == MAX_ALLOCS)
			fail_msg("the body makes more than %d allocations", MAX_ALLOCS);
	print_message("v%d: %ld allocations failed one by one\n", is_v6 ? 6 : 4, n - 1);
}

static void a_v4_connection_survives_each_missing_allocation(void **state)
{
	(void)state;
	run_all(false);
}

static void a_v6_connection_survives_each_missing_allocation(void **state)
{
	(void)state;
	run_all(true);
}

static void a_connection_survives_a_time_without_memory(void **state)
{
	(void)state;
	for (int from = 1; from <= STORM_LAST_START; from += 3) {
		run_body(0, false, from);
		run_body(0, true, from);
	}
}

/* What a stack leaves of the arena; permanent blocks come back by size, so a second one needs no more. */
static uint64_t top_after_one_stack(naru_world *w)
{
	naru_stack *st;

	assert_int_equal(naru_stack_new(w, NULL, &st), 0);
	naru_stack_free(st);
	return w->arena->top;
}

static void a_stack_that_cannot_be_made_leaves_nothing(void **state)
{
	struct naru_world_config wc = { .memory_bytes = WORLD_BYTES, .is_virtual = true, .seed = 7 };
	uint64_t want_top = 0;
	bool fired = true;

	(void)state;
	for (long n = 0; fired; n++) {
		naru_stack *st = NULL;
		naru_world *w;
		int err;

		assert_int_equal(naru_world_new(&wc, &w), 0);
		if (n == 0)
			want_top = top_after_one_stack(w);
		w->arena->fail_after = n;
		err = naru_stack_new(w, NULL, &st);
		fired = n == 0 || w->arena->fail_after <= 0;
		w->arena->fail_after = 0;
		if (err && (!fired || err != -ENOMEM || st))
			fail_msg("allocation %ld: %s", n, strerror(-err));
		if (!err)
			naru_stack_free(st);
		check_pools(w->pools, n, "by a stack that was not made");
		if (top_after_one_stack(w) != want_top)
			fail_msg("allocation %ld: a permanent block was not given back", n);
		naru_world_free(w);
	}
}

static void an_arena_that_cannot_be_filled_says_so(void **state)
{
	struct arena_config cfg = { .size = WORLD_BYTES };
	bool fired = true;

	(void)state;
	for (long n = 1; fired; n++) {
		struct arena_pools *pools = NULL;
		struct arena *a;
		int err;

		assert_int_equal(arena_create(&cfg, &a, NULL), 0);
		a->fail_after = n;
		err = arena_pools_create(a, CLOCK_KIND_VIRTUAL, NS_PER_S, &pools);
		fired = a->fail_after <= 0;
		assert_int_equal(err, fired ? -ENOMEM : 0);
		assert_true(fired == !pools);
		arena_unmap(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_arena_that_cannot_be_filled_says_so),
		cmocka_unit_test(a_stack_that_cannot_be_made_leaves_nothing),
		cmocka_unit_test(a_v4_connection_survives_each_missing_allocation),
		cmocka_unit_test(a_v6_connection_survives_each_missing_allocation),
		cmocka_unit_test(a_connection_survives_a_time_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

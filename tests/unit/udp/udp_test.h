/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of udp/ share: two stacks on a wire in virtual time, sockets, counters. */
#ifndef NARU_TESTS_UDP_TEST_H
#define NARU_TESTS_UDP_TEST_H

#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "boot/world.h"
#include "core/netdev.h"
#include "core/sock.h"

#define WIRE_MTU 1500
#define UDP_LEVEL 17
#define OPT_UDP_CORK 1

struct fixture {
	naru_world *w;
	naru_stack *a, *b; /* 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2 */
	uint8_t buf[70000];
};

static inline int set_up(void **state)
{
	struct naru_world_config wc = {.memory_bytes = 64u << 20, .is_virtual = true};
	struct naru_wire_config cc = {.mtu = WIRE_MTU};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(naru_world_new(&wc, &f->w), 0);
	assert_int_equal(naru_stack_new(f->w, NULL, &f->a), 0);
	assert_int_equal(naru_stack_new(f->w, NULL, &f->b), 0);
	assert_int_equal(naru_wire(f->a, "eth0", f->b, "eth0", &cc), 0);
	assert_int_equal(naru_addr_add(f->a, "eth0", "10.0.0.1/24"), 0);
	assert_int_equal(naru_addr_add(f->b, "eth0", "10.0.0.2/24"), 0);
	assert_int_equal(naru_addr_add(f->a, "eth0", "fd00::1/64"), 0);
	assert_int_equal(naru_addr_add(f->b, "eth0", "fd00::2/64"), 0);
	naru_run_for(f->a, 5 * NS_PER_S); /* duplicate address detection */
	for (size_t i = 0; i < sizeof(f->buf); i++)
		f->buf[i] = (uint8_t)(i * 7 + (i >> 8));
	*state = f;
	return 0;
}

/* Stacks gone, nothing may be left. */
static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	naru_stack_free(f->a);
	naru_stack_free(f->b);
	assert_int_equal(pool_in_use(&f->w->pools->udp_sock), 0);
	assert_int_equal(pool_in_use(&f->w->pools->skb), 0);
	assert_int_equal(page_pool_in_use(f->w->pools->pages), 0);
	naru_world_free(f->w);
	free(f);
	return 0;
}

static inline struct sockaddr_in v4(const char *text, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
	return a;
}

static inline struct sockaddr_in6 v6(const char *text, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

static inline int udp4(naru_stack *st)
{
	int s = naru_socket(st, AF_INET, SOCK_DGRAM, 0);

	assert_true(s >= 0);
	return s;
}

static inline int bound4(naru_stack *st, const char *addr, uint16_t port)
{
	struct sockaddr_in a = v4(addr, port);
	int s = udp4(st);

	assert_int_equal(naru_bind(st, s, (struct sockaddr *)&a, sizeof(a)), 0);
	return s;
}

static inline int connect4(naru_stack *st, int s, const char *addr, uint16_t port)
{
	struct sockaddr_in a = v4(addr, port);

	return naru_connect(st, s, (struct sockaddr *)&a, sizeof(a));
}

static inline uint16_t port_of(naru_stack *st, int s)
{
	struct sockaddr_in6 a; /* the port lies at the same place in both families */
	socklen_t len = sizeof(a);

	assert_int_equal(naru_getsockname(st, s, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin6_port);
}

static inline ssize_t send4(naru_stack *st, int s, const void *p, size_t len, int flags,
			    const char *addr, uint16_t port)
{
	struct sockaddr_in a = v4(addr, port);

	return naru_sendto(st, s, p, len, flags | MSG_DONTWAIT, (struct sockaddr *)&a, sizeof(a));
}

static inline ssize_t get(struct fixture *f, naru_stack *st, int s, int flags)
{
	return naru_recv(st, s, f->buf, sizeof(f->buf), flags | MSG_DONTWAIT);
}

static inline int set_int(naru_stack *st, int s, int level, int opt, int v)
{
	return naru_setsockopt(st, s, level, opt, &v, sizeof(v));
}

static inline uint64_t mib(naru_stack *st, enum mib_id id)
{
	return mib_get((struct stack *)st, id);
}

#define assert_errno(call, e)               \
	do {                                \
		assert_int_equal(call, -1); \
		assert_int_equal(errno, e); \
	} while (0)

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

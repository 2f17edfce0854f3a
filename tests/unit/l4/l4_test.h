/* SPDX-License-Identifier: BSD-2-Clause */
/* One stack in virtual time, and sockets by what tests care about. */
#ifndef NARU_TESTS_L4_TEST_H
#define NARU_TESTS_L4_TEST_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "boot/world.h"
#include "inet/inet.h"
#include "l4/l4.h"

struct fixture {
	naru_world *w;
	struct stack *st;
};

static inline int fixture_new(void **state)
{
	struct naru_world_config wc = { .memory_bytes = 64u << 20, .is_virtual = true, .seed = 7 };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(naru_world_new(&wc, &f->w), 0);
	assert_int_equal(stack_new(f->w->pools, &(struct naru_stack_config){ .hz = 0 }, 7, &f->st), 0);
	*state = f;
	return 0;
}

static inline int fixture_free(void **state)
{
	struct fixture *f = *state;

	stack_end(f->st);
	naru_world_free(f->w);
	free(f);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)

static inline struct ipaddr ip(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(text, &a), 0);
	return a;
}

static inline struct sock *new_sock(struct stack *st, int family, int type, uint32_t flags)
{
	struct sock *sk;

	assert_int_equal(inet_create(st, family, type, 0, &sk), 0);
	sk->flags |= flags;
	return sk;
}

static inline int bind_to(struct sock *sk, const char *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	struct ipaddr a = ip(addr);
	socklen_t len = ipaddr_to_sockaddr(sk->family, &a, port, 0, &ss);

	return inet_bind(sk, &ss, len);
}

/* Return: the socket, bound; NULL with errno's value in *err when that failed. */
static inline struct sock *bound_sock(struct stack *st, int family, int type, uint32_t flags, const char *addr, uint16_t port, int *err)
{
	struct sock *sk = new_sock(st, family, type, flags);

	*err = bind_to(sk, addr, port);
	if (!*err)
		return sk;
	inet_release(sk);
	return NULL;
}

static inline int connect_nonblock(struct sock *sk, const char *addr, uint16_t port)
{
	struct sockaddr_storage ss;
	struct ipaddr a = ip(addr);
	socklen_t len = ipaddr_to_sockaddr(sk->family, &a, port, 0, &ss);

	return inet_connect(sk, &ss, len, true);
}

#endif

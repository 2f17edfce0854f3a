/* SPDX-License-Identifier: BSD-2-Clause */
/* A connected pair of sockets on two stacks in virtual time, for tests of the calls. */
#ifndef NARU_TESTS_API_PAIR_H
#define NARU_TESTS_API_PAIR_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ucopy.h"
#include "naru/naru.h"

struct pair {
	naru_world *w;
	naru_stack *a, *b;
	int listener, client, server;
	struct sockaddr_in to;
};

static inline void pair_open(struct pair *p)
{
	struct naru_world_config wc = { .memory_bytes = 64u << 20, .is_virtual = true, .seed = 3 };

	memset(p, 0, sizeof(*p));
	p->to = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(80), .sin_addr = { htonl(0x0a000002) } };
	assert_int_equal(naru_world_new(&wc, &p->w), 0);
	assert_int_equal(naru_stack_new(p->w, NULL, &p->a), 0);
	assert_int_equal(naru_stack_new(p->w, NULL, &p->b), 0);
	assert_int_equal(naru_wire(p->a, "eth0", p->b, "eth0", NULL), 0);
	assert_int_equal(naru_addr_add(p->a, "eth0", "10.0.0.1/24"), 0);
	assert_int_equal(naru_addr_add(p->b, "eth0", "10.0.0.2/24"), 0);
	p->listener = naru_socket(p->b, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_bind(p->b, p->listener, (struct sockaddr *)&p->to, sizeof(p->to)), 0);
	assert_int_equal(naru_listen(p->b, p->listener, 5), 0);
	p->client = naru_socket(p->a, AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_connect(p->a, p->client, (struct sockaddr *)&p->to, sizeof(p->to)), 0);
	p->server = naru_accept(p->b, p->listener, NULL, NULL);
	assert_true(p->server >= 0);
	ucopy_init(); /* cmocka put its own handler in front */
}

static inline void pair_close(struct pair *p)
{
	naru_stack_free(p->a);
	naru_stack_free(p->b);
	naru_world_free(p->w);
}

#define expect_errno(call, err)                \
	do {                                   \
		errno = 0;                     \
		assert_int_equal((call), -1);  \
		assert_int_equal(errno, err);  \
	} while (0)

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of core/, qdisc/ and pump/ share: a stack in an arena, packets, the upward tables. */
#ifndef NARU_TESTS_CORE_TEST_H
#define NARU_TESTS_CORE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/san.h"
#include "core/proto.h"
#include "core/sock.h"
#include "core/stack.h"
#include "core/tables.h"
#include "dev/dev.h"
#include "qdisc/qdisc.h"

#define TEST_START_NS (10 * NS_PER_S)

struct fixture {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *st;
};

static inline int set_up_kind(void **state, enum clock_kind kind)
{
	struct arena_config cfg = {.size = 64u << 20, .layout_hash = 1};
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = -1;

	assert_int_equal(arena_create(&cfg, &f->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(f->arena, kind, TEST_START_NS, &f->pools), 0);
	f->st = stack_alloc(f->pools, 1000, 1);
	assert_non_null(f->st);
	*state = f;
	return 0;
}

static inline int UNUSED set_up(void **state)
{
	return set_up_kind(state, CLOCK_KIND_VIRTUAL);
}
static inline int UNUSED set_up_real(void **state)
{
	return set_up_kind(state, CLOCK_KIND_REAL);
}

static inline int UNUSED tear_down(void **state)
{
	struct fixture *f = *state;

	arena_unmap(f->arena);
	free(f);
	return 0;
}

/* Every packet and page came back. */
static inline void assert_nothing_held(const struct fixture *f)
{
	assert_int_equal(pool_in_use(&f->pools->skb), 0);
	assert_int_equal(page_pool_in_use(f->pools->pages), 0);
}

/* Byte @i of the test payload. */
static inline uint8_t pattern(uint32_t i)
{
	return (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
}

static inline void UNUSED put_pattern(struct stack *st, struct skb *s, struct page_frag *pf,
				      uint32_t from, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t b = pattern(from + i);

		assert_true(skb_append_copy(st, s, pf, &b, 1));
	}
}

static inline void UNUSED assert_pattern(const struct skb *s, uint32_t off, uint32_t from,
					 uint32_t len)
{
	for (uint32_t i = 0; i < len; i++) {
		uint8_t b;

		assert_int_equal(skb_copy_bits(s, off + i, &b, 1), 0);
		assert_int_equal(b, pattern(from + i));
	}
}

/* RFC 1071, written as the RFC says it: sum of big-endian words, carries folded. 0xffff over right data. */
static inline uint16_t UNUSED naive_sum(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* A test may name its own before it includes this file. */
#ifndef T_L3_RCV
#define T_L3_RCV NULL
#endif
#ifndef T_SOCK_FREE
#define T_SOCK_FREE NULL
#endif
#ifndef T_SOCK_READY
#define T_SOCK_READY NULL
#endif
#ifndef T_PROTO
#define T_PROTO NULL
#endif
#ifndef T_TIMER
#define T_TIMER NULL
#endif
#ifndef T_DEV
#define T_DEV NULL
#endif
#ifndef T_DTOR
#define T_DTOR sock_wfree
#endif

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM] = {[LOCK_QDISC] = qdisc_recover};
const timer_fn timer_tab[TIMER_KIND_NUM] = {[TIMER_TCP_WRITE] = T_TIMER};
const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM] = {[HRTIMER_QDISC] = qdisc_watchdog};
const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM] = {
	[SKB_DTOR_SOCK_WFREE] = T_DTOR,
	[SKB_DTOR_SOCK_RFREE] = sock_rfree,
};
const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {[DEV_TAP] = T_DEV};
const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM] = {
	[QDISC_PFIFO_FAST] = &pfifo_fast_qdisc_ops,
	[QDISC_FQ] = &fq_qdisc_ops,
};
const struct proto_ops *const proto_ops_tab[PROTO_NUM] = {
	[PROTO_TCP] = T_PROTO, [PROTO_UDP] = T_PROTO};
const struct up_calls up_tab = {
	.l3_rcv = T_L3_RCV, .sock_free = T_SOCK_FREE, .sock_ready = T_SOCK_READY};

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of dev/ share: two stacks in one arena, time, frames. */
#ifndef NARU_TESTS_DEV_TEST_H
#define NARU_TESTS_DEV_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "core/stack.h"
#include "core/tables.h"
#include "dev/dev.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define TEST_START_NS (10 * NS_PER_S)
#define TEST_HDR_BYTES (ETH_HDR_LEN + IPV4_HDR_LEN + UDP_HDR_LEN)
#define TEST_SKIP 77

struct dev_fixture {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *a, *b;
};

/* A charged packet names a counter where its socket would be. */
static inline uint64_t *test_charge_of(const struct skb *skb)
{
	return (uint64_t *)skb->sk;
}

static inline void test_charge(struct skb *skb, uint64_t *counter)
{
	skb->sk = (struct sock *)counter;
	skb->dtor = SKB_DTOR_SOCK_WFREE;
	*counter += skb->truesize;
}

static inline int set_up_kind(void **state, enum clock_kind kind, bool is_shared)
{
	struct arena_config cfg = {.size = 256u << 20, .layout_hash = 1, .is_shared = is_shared};
	struct dev_fixture *f = calloc(1, sizeof(*f));
	int fd = -1;

	assert_int_equal(arena_create(&cfg, &f->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(f->arena, kind, TEST_START_NS, &f->pools), 0);
	f->a = stack_alloc(f->pools, 1000, 1);
	f->b = stack_alloc(f->pools, 1000, 2);
	assert_non_null(f->a);
	assert_non_null(f->b);
	*state = f;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_kind(state, CLOCK_KIND_VIRTUAL, false);
}
static inline int set_up_shared(void **state)
{
	return set_up_kind(state, CLOCK_KIND_VIRTUAL, true);
}

static inline void remove_devs(struct stack *st)
{
	for (int i = 0; i < STACK_MAX_DEVS; i++)
		if (st->devs[i])
			netdev_remove(st->devs[i]);
}

/* Nothing may be left of packets and payload. */
static inline int tear_down(void **state)
{
	struct dev_fixture *f = *state;

	skb_queue_purge(f->a, &f->a->rxq);
	skb_queue_purge(f->b, &f->b->rxq);
	remove_devs(f->a);
	remove_devs(f->b);
	assert_int_equal(pool_in_use(&f->pools->skb), 0);
	assert_int_equal(page_pool_in_use(f->pools->pages), 0);
	assert_int_equal(pool_in_use(&f->pools->netdev), 0);
	arena_unmap(f->arena);
	free(f);
	return 0;
}

static inline struct skb *take(struct stack *st)
{
	return skb_dequeue(&st->rxq);
}

/* Let the virtual clock run to @until_ns, firing the timers of both stacks when they are due. */
static inline void run_until(struct dev_fixture *f, uint64_t until_ns)
{
	for (;;) {
		uint64_t na = timers_next_ns(&f->a->timers), nb = timers_next_ns(&f->b->timers);
		uint64_t next = min_u64(na, nb);
		struct stack *st = na <= nb ? f->a : f->b;
		struct hrtimer *t;

		if (next > until_ns)
			break;
		clock_advance_to(&f->pools->clock, next);
		while ((t = hrtimer_pop_expired(&st->timers, next)))
			hrtimer_tab[t->kind](st, t);
	}
	clock_advance_to(&f->pools->clock, until_ns);
}

struct frame_spec {
	struct mac_addr src, dst;
	uint32_t src_be, dst_be; /* addresses; 0: 10.0.0.1 and 10.0.0.2 */
	uint16_t sport, dport;
	uint32_t payload; /* bytes, byte i is (fill + i) & 0xff */
	uint8_t fill, tos;
	uint16_t gso_size; /* 0: none */
	bool has_partial_csum;
};

/* IPv4 + UDP, link header in place, payload in fragments of @pf. */
static inline struct skb *make_frame(struct stack *st, struct page_frag *pf,
				     const struct frame_spec *fs)
{
	struct ipaddr src = ipaddr_from_v4(fs->src_be ? fs->src_be : cpu_to_be32(0x0a000001));
	struct ipaddr dst = ipaddr_from_v4(fs->dst_be ? fs->dst_be : cpu_to_be32(0x0a000002));
	struct ipv4_out ip = {.src_be = src.w[3],
			      .dst_be = dst.w[3],
			      .ttl = 64,
			      .proto = IPPROTO_UDP,
			      .tos = fs->tos};
	struct skb *skb = skb_alloc(st, POOL_NORMAL);
	uint32_t l4_len = UDP_HDR_LEN + fs->payload;
	uint8_t *p, *udp, *bytes = malloc(fs->payload + 1);
	uint16_t sum;

	assert_non_null(skb);
	skb->data_off = skb->tail_off = 66;
	p = skb_put(skb, TEST_HDR_BYTES);
	eth_build(p, &fs->dst, &fs->src, ETH_TYPE_IPV4);
	ip.total_len = (uint16_t)(IPV4_HDR_LEN + l4_len);
	assert_int_equal(ipv4_build(p + ETH_HDR_LEN, &ip), IPV4_HDR_LEN);
	udp = p + ETH_HDR_LEN + IPV4_HDR_LEN;
	put_be16(udp, fs->sport);
	put_be16(udp + 2, fs->dport);
	put_be16(udp + 4, (uint16_t)l4_len);
	sum = csum_fold_partial(csum_pseudo(&src, &dst, IPPROTO_UDP, l4_len));
	memcpy(udp + 6, &sum, sizeof(sum));
	for (uint32_t i = 0; i < fs->payload; i++)
		bytes[i] = (uint8_t)(fs->fill + i);
	assert_true(skb_append_copy(st, skb, pf, bytes, fs->payload));
	free(bytes);
	skb->protocol = ETH_TYPE_IPV4;
	skb->net_off = (uint16_t)(skb->data_off + ETH_HDR_LEN);
	skb->th_off = (uint16_t)(skb->net_off + IPV4_HDR_LEN);
	skb->csum = CSUM_PARTIAL;
	skb->csum_start = skb->th_off;
	skb->csum_offset = 6;
	skb->gso_size = fs->gso_size;
	if (fs->gso_size) {
		skb->gso_type = GSO_UDP_L4;
		skb->gso_segs = (uint16_t)((fs->payload + fs->gso_size - 1) / fs->gso_size);
	} else if (!fs->has_partial_csum) {
		assert_int_equal(skb_checksum_help(skb), 0);
	}
	return skb;
}

/* RFC 768: sum over pseudo header, header and data is all ones. */
static inline bool udp_sum_is_right(const struct skb *skb)
{
	uint8_t h[TEST_HDR_BYTES];
	struct ipaddr src, dst;
	uint32_t len = skb->len - ETH_HDR_LEN - IPV4_HDR_LEN;

	if (skb_copy_bits(skb, 0, h, sizeof(h)))
		return false;
	memcpy(&src.w[3], h + ETH_HDR_LEN + 12, 4);
	memcpy(&dst.w[3], h + ETH_HDR_LEN + 16, 4);
	src = ipaddr_from_v4(src.w[3]);
	dst = ipaddr_from_v4(dst.w[3]);
	return !csum_fold(skb_csum(skb, ETH_HDR_LEN + IPV4_HDR_LEN, len,
				   csum_pseudo(&src, &dst, IPPROTO_UDP, len)));
}

/* Is byte i of the payload (fill + i) & 0xff? */
static inline bool payload_is(const struct skb *skb, uint8_t fill)
{
	uint8_t b;

	for (uint32_t i = TEST_HDR_BYTES; i < skb->len; i++)
		if (skb_copy_bits(skb, i, &b, 1) || b != (uint8_t)(fill + i - TEST_HDR_BYTES))
			return false;
	return true;
}

#endif

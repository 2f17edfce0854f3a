/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets: clones and originals, cutting and joining payload, queues, sweeps. */
struct stack;
struct skb;
static void note_dtor(struct stack *st, struct skb *skb);
#define T_DTOR note_dtor
#include "core_test.h"

#include <sys/uio.h>

#include "base/proc.h"
#include "core/sweep.h"
#include "wire/csum.h"

static void note_dtor(struct stack *st, struct skb *skb)
{
	(void)st;
	++*(int *)(void *)skb->sk;
	assert_true(skb->len || skb->nr_frags == 0); /* payload is still there when it runs */
}

static struct skb *payload_skb(struct fixture *f, struct page_frag *pf, uint32_t len)
{
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);

	assert_non_null(s);
	put_pattern(f->st, s, pf, 0, len);
	return s;
}

static void an_empty_packet_has_room_for_headers_and_costs_832(void **state)
{
	struct fixture *f = *state;
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);

	assert_int_equal(s->truesize, 832); /* T25 */
	assert_int_equal(skb_headroom(s), SKB_HEADROOM);
	assert_int_equal(s->len, 0);
	assert_int_equal(s->owner, SKB_IN_TRANSIT);
	assert_null(skb_check(s));
	skb_free(f->st, s);
	assert_nothing_held(f);
}

static void an_original_freed_before_its_clone_keeps_only_its_place(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 1000), *c;

	assert_false(skb_is_in_flight(s));
	c = skb_clone(f->st, s, POOL_NORMAL);
	assert_true(skb_is_in_flight(s));
	memset(skb_push(c, 20), 0xee, 20); /* headers are private */
	assert_int_equal(s->len, 1000);
	skb_free(f->st, s);
	assert_int_equal(pool_in_use(&f->pools->skb), 2);
	page_frag_release(f->pools->pages, &pf);
	assert_int_equal(page_pool_in_use(f->pools->pages), 1);
	assert_pattern(c, 20, 0, 1000); /* the clone's own references hold the bytes */
	skb_free(f->st, c);
	assert_nothing_held(f);
}

static void a_clone_freed_first_ends_the_flight(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 10), *c = skb_clone(f->st, s, POOL_NORMAL);

	skb_free(f->st, c);
	assert_false(skb_is_in_flight(s));
	assert_pattern(s, 0, 0, 10);
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void the_destructor_runs_once_and_before_the_payload_goes(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 10);
	int runs = 0;

	s->sk = (struct sock *)(void *)&runs;
	s->dtor = SKB_DTOR_SOCK_WFREE;
	skb_orphan(f->st, s);
	assert_int_equal(runs, 1);
	assert_null(s->sk);
	skb_free(f->st, s);
	assert_int_equal(runs, 1);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void copies_read_across_head_and_fragments(void **state)
{
	struct fixture *f = *state;
	struct page_frag a = {0}, b = {0};
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);
	uint8_t buf[300], *p = skb_put(s, 50);
	struct iovec iov[4];

	for (uint32_t i = 0; i < 50; i++)
		p[i] = pattern(i);
	put_pattern(f->st, s, &a, 50, 101);
	put_pattern(f->st, s, &b, 151, 99);
	assert_int_equal(s->len, 250);
	assert_int_equal(s->nr_frags, 2);
	for (uint32_t off = 0; off < 250; off += 7)
		assert_pattern(s, off, off, 250 - off);
	assert_int_equal(skb_copy_bits(s, 1, buf, 250), -EFAULT);
	assert_int_equal(skb_copy_bits(s, 251, buf, 0), -EFAULT);
	assert_int_equal(skb_iov(s, iov, 2), -EMSGSIZE);
	assert_int_equal(skb_iov(s, iov, 4), 3);
	assert_int_equal(iov[0].iov_len + iov[1].iov_len + iov[2].iov_len, 250);
	/* odd boundaries between the parts */
	for (uint32_t off = 0; off < 60; off++) {
		uint16_t sum;

		assert_int_equal(skb_copy_bits(s, off, buf, 250 - off), 0);
		sum = naive_sum(buf, 250 - off, 0);
		assert_int_equal(be16_to_cpu(csum_fold_partial(skb_csum(s, off, 250 - off, 0))), sum);
	}
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &a);
	page_frag_release(f->pools->pages, &b);
	assert_nothing_held(f);
}

static void bytes_behind_the_last_in_one_region_stay_one_fragment(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 30000);

	assert_int_equal(s->nr_frags, 1);
	put_pattern(f->st, s, &pf, 30000, 5000); /* 32768 is the end of the region */
	assert_int_equal(s->nr_frags, 2);
	assert_int_equal(s->frags[0].len, 32768);
	assert_pattern(s, 0, 0, 35000);
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void a_pull_makes_headers_linear_and_keeps_the_bytes(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 500);

	assert_true(skb_may_pull(f->st, s, 20));
	assert_int_equal(skb_headlen(s), 20);
	assert_int_equal(s->len, 500);
	assert_null(skb_check(s));
	assert_pattern(s, 0, 0, 500);
	assert_false(skb_may_pull(f->st, s, 501));
	assert_false(skb_may_pull(f->st, s, SKB_HEAD_BYTES)); /* longer than any head */
	assert_int_equal(s->len, 500);
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void trimming_at_every_place_leaves_the_middle(void **state)
{
	struct fixture *f = *state;

	for (uint32_t head = 0; head <= 300; head += 25) {
		for (uint32_t len = 0; len <= 300 - head; len += 50) {
			struct page_frag a = {0}, b = {0};
			struct skb *s = skb_alloc(f->st, POOL_NORMAL);
			uint8_t *p = skb_put(s, 50);

			for (uint32_t i = 0; i < 50; i++)
				p[i] = pattern(i);
			put_pattern(f->st, s, &a, 50, 125);
			put_pattern(f->st, s, &b, 175, 125);
			skb_trim_head(f->st, s, head);
			skb_trim_tail(f->st, s, len);
			assert_int_equal(s->len, len);
			assert_null(skb_check(s));
			assert_pattern(s, 0, head, len);
			skb_free(f->st, s);
			page_frag_release(f->pools->pages, &a);
			page_frag_release(f->pools->pages, &b);
		}
	}
	assert_nothing_held(f);
}

static void a_split_and_a_shift_back_lose_nothing(void **state)
{
	struct fixture *f = *state;

	for (uint32_t cut = 0; cut <= 200; cut += 20) {
		struct page_frag a = {0}, b = {0};
		struct skb *s = skb_alloc(f->st, POOL_NORMAL), *t = skb_alloc(f->st, POOL_NORMAL);

		put_pattern(f->st, s, &a, 0, 100);
		put_pattern(f->st, s, &b, 100, 100);
		skb_split(f->st, s, t, cut);
		assert_null(skb_check(s));
		assert_null(skb_check(t));
		assert_int_equal(s->len, cut);
		assert_int_equal(t->len, 200 - cut);
		assert_pattern(s, 0, 0, cut);
		assert_pattern(t, 0, cut, 200 - cut);
		assert_int_equal(skb_shift(f->st, s, t, 33), min_u32(33, 200 - cut));
		assert_int_equal(skb_shift(f->st, s, t, 1000), 200 - cut - min_u32(33, 200 - cut));
		assert_int_equal(t->len, 0);
		assert_pattern(s, 0, 0, 200);
		assert_int_equal(s->nr_frags, 2); /* the halves of a cut fragment meet again */
		skb_free(f->st, s);
		skb_free(f->st, t);
		page_frag_release(f->pools->pages, &a);
		page_frag_release(f->pools->pages, &b);
	}
	assert_nothing_held(f);
}

static void a_shift_that_needs_too_many_fragments_moves_nothing(void **state)
{
	struct fixture *f = *state;
	struct skb *s = skb_alloc(f->st, POOL_NORMAL), *t = skb_alloc(f->st, POOL_NORMAL);

	for (uint32_t i = 0; i < SKB_MAX_FRAGS - 1; i++) {
		struct page_region *r = page_region_alloc(f->pools->pages);

		assert_true(skb_add_frag(f->st, s, r, 0, 10));
	}
	for (uint32_t i = 0; i < 2; i++)
		assert_true(skb_add_frag(f->st, t, page_region_alloc(f->pools->pages), 0, 10));
	assert_int_equal(skb_shift(f->st, s, t, 20), 0);
	assert_int_equal(t->len, 20);
	assert_int_equal(skb_shift(f->st, s, t, 10), 10);
	assert_int_equal(s->nr_frags, SKB_MAX_FRAGS);
	skb_free(f->st, s);
	skb_free(f->st, t);
	assert_nothing_held(f);
}

static void a_queue_counts_packets_and_charges(void **state)
{
	struct fixture *f = *state;
	struct skb_queue q;
	struct skb *s[4];

	skb_queue_init(&q);
	for (int i = 0; i < 4; i++) {
		s[i] = skb_alloc(f->st, POOL_NORMAL);
		s[i]->truesize = 100u << i;
	}
	skb_queue_tail(&q, s[1], SKB_IN_RCVQ);
	skb_queue_head(&q, s[0], SKB_IN_RCVQ);
	skb_queue_tail(&q, s[3], SKB_IN_RCVQ);
	skb_queue_after(&q, s[1], s[2], SKB_IN_RCVQ);
	assert_int_equal(q.truesize, 1500);
	assert_null(skb_queue_check(&q, SKB_IN_RCVQ));
	skb_queue_charge(&q, s[2], 50);
	assert_null(skb_queue_check(&q, SKB_IN_RCVQ));
	skb_unlink(&q, s[1]);
	assert_int_equal(s[1]->owner, SKB_IN_TRANSIT);
	assert_null(skb_queue_check(&q, SKB_IN_RCVQ));
	s[2]->truesize++; /* somebody forgot skb_queue_charge() */
	assert_non_null(skb_queue_check(&q, SKB_IN_RCVQ));
	s[2]->truesize--;
	assert_ptr_equal(skb_dequeue(&q), s[0]);
	assert_ptr_equal(skb_dequeue(&q), s[2]);
	assert_ptr_equal(skb_dequeue(&q), s[3]);
	assert_null(skb_dequeue(&q));
	assert_int_equal(q.truesize, 0);
	for (int i = 0; i < 4; i++)
		skb_free(f->st, s[i]);
	assert_nothing_held(f);
}

static void a_sweep_frees_what_a_dead_process_held_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb_queue q;
	struct skb *mine, *theirs, *queued;

	skb_queue_init(&q);
	proc_set_slot(7);
	theirs = payload_skb(f, &pf, 100);
	queued = payload_skb(f, &pf, 100);
	skb_queue_tail(&q, queued, SKB_IN_RCVQ);
	proc_set_slot(3);
	mine = payload_skb(f, &pf, 100);
	assert_int_equal(skb_sweep_proc(f->pools, 7), 1);
	(void)theirs;
	assert_int_equal(pool_in_use(&f->pools->skb), 2);
	skb_free(f->st, mine);
	skb_queue_purge(f->st, &q);
	page_frag_release(f->pools->pages, &pf);
	proc_set_slot(0);
	assert_nothing_held(f);
}

static void a_recount_gives_back_pages_nobody_names(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 40000);

	assert_int_equal(page_pool_in_use(f->pools->pages), 2);
	pf.region = NULL; /* its holder died */
	for (int i = 0; i < 3; i++)
		page_region_get(s->frags[0].region); /* references somebody died with */
	assert_int_equal(pages_recount(f->pools, NULL, 0), 0);
	assert_int_equal(page_pool_in_use(f->pools->pages), 2);
	skb_free(f->st, s);
	assert_nothing_held(f);
}

static void received_packets_are_charged_as_linux_does(void **state)
{
	static const struct {
		uint32_t len, truesize;
	} rows[] = {
		{100, 832},           {1000, 2304}, {1448, 2304}, {1514, 2304}, /* R36.1 */
		{65000, 832 + 65536},
	};
	struct fixture *f = *state;
	struct netdev *dev;

	assert_int_equal(netdev_alloc(f->st, "t0", DEV_NONE, &dev), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct skb *s = netdev_rx_alloc(dev, rows[i].len);

		assert_int_equal(s->truesize, rows[i].truesize);
		assert_int_equal(s->len, rows[i].len);
		assert_null(skb_check(s));
		skb_free(f->st, s);
	}
	page_frag_release(f->pools->pages, &dev->rx_frag);
	assert_nothing_held(f);
}

static void every_refused_allocation_leaves_the_stack_whole(void **state)
{
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = payload_skb(f, &pf, 100);

	f->arena->fail_after = 1;
	assert_null(skb_alloc(f->st, POOL_NORMAL));
	f->arena->fail_after = 1;
	assert_null(skb_clone(f->st, s, POOL_NORMAL));
	assert_false(skb_is_in_flight(s));
	f->arena->fail_after = 0;
	assert_int_equal(mib_get(f->st, NaruNoMemDrops), 2);
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_empty_packet_has_room_for_headers_and_costs_832),
		T(an_original_freed_before_its_clone_keeps_only_its_place),
		T(a_clone_freed_first_ends_the_flight),
		T(the_destructor_runs_once_and_before_the_payload_goes),
		T(copies_read_across_head_and_fragments),
		T(bytes_behind_the_last_in_one_region_stay_one_fragment),
		T(a_pull_makes_headers_linear_and_keeps_the_bytes),
		T(trimming_at_every_place_leaves_the_middle),
		T(a_split_and_a_shift_back_lose_nothing),
		T(a_shift_that_needs_too_many_fragments_moves_nothing),
		T(a_queue_counts_packets_and_charges),
		T(a_sweep_frees_what_a_dead_process_held_and_nothing_else),
		T(a_recount_gives_back_pages_nobody_names),
		T(received_packets_are_charged_as_linux_does),
		T(every_refused_allocation_leaves_the_stack_whole),
	};

	return cmocka_run_group_tests_name("skb", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Planted trouble does what it says, and a decorator takes the place of its device. */
#include <errno.h>

#include "dev_test.h"

struct link {
	struct netdev *a, *b, *top_a, *top_b;
	struct page_frag pf;
};

static struct link make_link(struct dev_fixture *f, const struct fault_config *at_a,
			     const struct fault_config *at_b)
{
	struct link l = {0};

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &(struct wire_config){.seed = 1},
				     &l.a, &l.b),
			 0);
	assert_int_equal(fault_wrap(l.a, at_a, &l.top_a), 0);
	assert_int_equal(fault_wrap(l.b, at_b, &l.top_b), 0);
	dev_up(l.top_a);
	dev_up(l.top_b);
	return l;
}

/* Send @num frames with fill bytes 1, 2, ... Return: how many the device refused. */
static int send_frames(struct dev_fixture *f, struct link *l, int num)
{
	int num_busy = 0;

	for (int i = 1; i <= num; i++) {
		struct skb *skb = make_frame(
			f->a, &l->pf, &(struct frame_spec){.payload = 20, .fill = (uint8_t)i});

		if (dev_hard_start_xmit(l->top_a, skb) == XMIT_BUSY) {
			num_busy++;
			assert_int_equal(dev_hard_start_xmit(l->top_a, skb), XMIT_OK);
		}
	}
	return num_busy;
}

static void expect_fills(struct dev_fixture *f, const char *fills)
{
	for (; *fills; fills++) {
		struct skb *skb = take(f->b);

		assert_non_null(skb);
		assert_true(payload_is(skb, (uint8_t)(*fills - '0')));
		skb_free(f->b, skb);
	}
	assert_null(take(f->b));
}

static void a_decorator_has_the_name_and_index_of_its_device(void **state)
{
	struct dev_fixture *f = *state;
	struct fault_config none = {0};
	struct link l = make_link(f, &none, &none);
	struct netdev *again;

	assert_ptr_equal(netdev_by_name(f->a, "eth0"), l.top_a);
	assert_ptr_equal(netdev_by_index(f->a, l.a->ifindex), l.top_a);
	assert_memory_equal(l.top_a->mac, l.a->mac, 6);
	assert_int_equal(fault_wrap(l.a, &none, &again), -EBUSY);
	assert_int_equal(fault_wrap(l.top_a, &none, &again), 0);
	assert_ptr_equal(netdev_by_name(f->a, "eth0"), again);
}

static void received_frames_belong_to_the_outermost_device(void **state)
{
	struct dev_fixture *f = *state;
	struct fault_config none = {0};
	struct link l = make_link(f, &none, &none);
	struct skb *skb;

	send_frames(f, &l, 1);
	skb = take(f->b);
	assert_non_null(skb);
	assert_ptr_equal(skb->dev, l.top_b);
	assert_int_equal(atomic_load(&l.top_b->stats.rx_packets), 1);
	skb_free(f->b, skb);
	page_frag_release(f->pools->pages, &l.pf);
}

static void every_third_sent_frame_is_dropped(void **state)
{
	struct dev_fixture *f = *state;
	struct link l =
		make_link(f, &(struct fault_config){.tx_drop_nth = 3}, &(struct fault_config){0});

	assert_int_equal(send_frames(f, &l, 7), 0);
	expect_fills(f, "12457");
	assert_int_equal(atomic_load(&l.top_a->stats.tx_dropped), 2);
	page_frag_release(f->pools->pages, &l.pf);
}

static void every_second_received_frame_is_dropped(void **state)
{
	struct dev_fixture *f = *state;
	struct link l =
		make_link(f, &(struct fault_config){0}, &(struct fault_config){.rx_drop_nth = 2});

	send_frames(f, &l, 5);
	expect_fills(f, "135");
	assert_int_equal(atomic_load(&l.top_b->stats.rx_dropped), 2);
	page_frag_release(f->pools->pages, &l.pf);
}

static void a_refused_frame_stays_the_callers_and_can_be_sent_again(void **state)
{
	struct dev_fixture *f = *state;
	struct link l =
		make_link(f, &(struct fault_config){.tx_busy_nth = 2}, &(struct fault_config){0});

	/* offers: 1 | 2 refused, 3 | 4 refused, 5 | 6 refused, 7 | ... */
	assert_int_equal(send_frames(f, &l, 4), 3);
	expect_fills(f, "1234");
	page_frag_release(f->pools->pages, &l.pf);
}

static void a_frame_damaged_on_receipt_fails_its_checksum(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct fault_config){0},
				  &(struct fault_config){.rx_corrupt_ppm = 1000000, .seed = 4});
	struct skb *kept = make_frame(f->a, &l.pf, &(struct frame_spec){.payload = 1000, .fill = 1}),
		   *got;
	struct skb *sent = skb_clone(f->a, kept, POOL_NORMAL);

	assert_int_equal(dev_hard_start_xmit(l.top_a, sent), XMIT_OK);
	got = take(f->b);
	assert_non_null(got);
	assert_int_equal(got->csum, CSUM_NONE);
	assert_false(udp_sum_is_right(got));
	assert_true(udp_sum_is_right(kept) && payload_is(kept, 1));
	skb_free(f->b, got);
	skb_free(f->a, kept);
	page_frag_release(f->pools->pages, &l.pf);
}

#define FAULT_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(a_decorator_has_the_name_and_index_of_its_device),
		FAULT_TEST(received_frames_belong_to_the_outermost_device),
		FAULT_TEST(every_third_sent_frame_is_dropped),
		FAULT_TEST(every_second_received_frame_is_dropped),
		FAULT_TEST(a_refused_frame_stays_the_callers_and_can_be_sent_again),
		FAULT_TEST(a_frame_damaged_on_receipt_fails_its_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

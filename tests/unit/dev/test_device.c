/* SPDX-License-Identifier: BSD-2-Clause */
/* The last stage of sending: cutting, summing, refusing. */
#include <errno.h>
#include <sys/wait.h>

#include "dev_test.h"

static struct netdev *plain_wire(struct dev_fixture *f, struct netdev **ret_b)
{
	struct wire_config cfg = {.seed = 1};
	struct netdev *a;

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &cfg, &a, ret_b), 0);
	dev_up(a);
	dev_up(*ret_b);
	return a;
}

static void a_big_packet_is_cut_and_summed_for_a_plain_device(void **state)
{
	struct dev_fixture *f = *state;
	struct page_frag pf = {0};
	struct netdev *a, *b;
	uint32_t total = 0, n = 0;
	struct skb *skb;

	a = plain_wire(f, &b);
	skb = make_frame(f->a, &pf,
			 &(struct frame_spec){.payload = 10000, .gso_size = 1400, .fill = 9});
	assert_int_equal(dev_hard_start_xmit(a, skb), XMIT_OK);
	for (; (skb = take(f->b)); n++) {
		uint32_t payload = skb->len - TEST_HDR_BYTES;

		assert_int_equal(payload, n < 7 ? 1400 : 200);
		assert_int_equal(skb->csum, CSUM_NONE);
		assert_true(udp_sum_is_right(skb));
		assert_true(payload_is(skb, (uint8_t)(9 + total)));
		total += payload;
		skb_free(f->b, skb);
	}
	assert_int_equal(n, 8);
	assert_int_equal(total, 10000);
	page_frag_release(f->pools->pages, &pf);
}

static void the_rest_of_a_cut_packet_goes_out_first_and_carries_the_charge(void **state)
{
	struct dev_fixture *f = *state;
	struct fault_config busy = {.tx_busy_nth = 3};
	struct page_frag pf = {0};
	struct netdev *a, *b, *top;
	uint64_t charge = 0;
	struct skb *big, *small, *skb;

	a = plain_wire(f, &b);
	assert_int_equal(fault_wrap(a, &busy, &top), 0);
	big = make_frame(f->a, &pf, &(struct frame_spec){.payload = 4 * 1000, .gso_size = 1000});
	small = make_frame(f->a, &pf, &(struct frame_spec){.payload = 10, .fill = 77});
	test_charge(big, &charge);
	assert_int_equal(dev_hard_start_xmit(top, big), XMIT_OK); /* 1, 2 sent; 3 refused */
	assert_int_equal(atomic_load(&top->is_tx_stopped), 1);
	assert_int_equal(top->tx_pending.len, 2);
	assert_int_not_equal(charge, 0);
	/* 4 and 5 are the rest; 6, the new frame, is refused and stays ours */
	assert_int_equal(dev_hard_start_xmit(top, small), XMIT_BUSY);
	assert_int_equal(top->tx_pending.len, 0);
	assert_int_equal(charge, 0);
	assert_int_equal(dev_hard_start_xmit(top, small), XMIT_OK);
	assert_int_equal(atomic_load(&top->is_tx_stopped), 0);
	for (uint32_t n = 0; n < 4; n++) {
		skb = take(f->b);
		assert_non_null(skb);
		assert_int_equal(skb->len, TEST_HDR_BYTES + 1000);
		assert_true(payload_is(skb, (uint8_t)(n * 1000)));
		skb_free(f->b, skb);
	}
	skb = take(f->b);
	assert_non_null(skb);
	assert_true(payload_is(skb, 77));
	skb_free(f->b, skb);
	page_frag_release(f->pools->pages, &pf);
}

static void a_left_over_is_flushed_without_a_new_packet(void **state)
{
	struct dev_fixture *f = *state;
	struct fault_config busy = {.tx_busy_nth = 2};
	struct page_frag pf = {0};
	struct netdev *a, *b, *top;
	struct skb *big;

	a = plain_wire(f, &b);
	assert_int_equal(fault_wrap(a, &busy, &top), 0);
	big = make_frame(f->a, &pf, &(struct frame_spec){.payload = 2 * 1000, .gso_size = 1000});
	assert_int_equal(dev_hard_start_xmit(top, big), XMIT_OK);
	assert_int_equal(f->b->rxq.len, 1);
	assert_true(dev_tx_flush(top));
	assert_int_equal(f->b->rxq.len, 2);
	assert_int_equal(atomic_load(&top->is_tx_stopped), 0);
	page_frag_release(f->pools->pages, &pf);
}

static void what_waits_in_a_device_whose_sender_was_killed_is_dropped(void **state)
{
	struct dev_fixture *f = *state;
	struct fault_config busy = {.tx_busy_nth = 2};
	struct page_frag pf = {0};
	struct netdev *a, *b, *top;
	struct frame_spec fs = {.payload = 3000, .gso_size = 1000};
	int status;
	pid_t pid;

	a = plain_wire(f, &b);
	assert_int_equal(fault_wrap(a, &busy, &top), 0);
	assert_int_equal(dev_hard_start_xmit(top, make_frame(f->a, &pf, &fs)), XMIT_OK);
	assert_int_equal(top->tx_pending.len, 2);
	pid = fork();
	if (pid == 0) {
		lock_take(&top->xmit_lock);
		top->tx_pending.first = (void *)1; /* half an update */
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(dev_tx_flush(top));
	assert_int_equal(pool_in_use(&f->pools->skb), 1); /* the piece b received */
	assert_int_equal(mib_get(f->a, NaruLocksRecovered), 1);
	page_frag_release(f->pools->pages, &pf);
}

static void a_device_that_is_down_takes_nothing(void **state)
{
	struct dev_fixture *f = *state;
	struct wire_config cfg = {.seed = 1};
	struct page_frag pf = {0};
	struct netdev *a, *b;

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &cfg, &a, &b), 0);
	assert_int_equal(
		dev_hard_start_xmit(a, make_frame(f->a, &pf, &(struct frame_spec){.payload = 8})),
		XMIT_DOWN);
	assert_int_equal(atomic_load(&a->stats.tx_dropped), 1);
	page_frag_release(f->pools->pages, &pf);
}

static void mtu_has_the_bounds_of_its_kind(void **state)
{
	struct dev_fixture *f = *state;
	struct netdev *a, *b, *lo;

	a = plain_wire(f, &b);
	assert_int_equal(loopback_create(f->a, &lo), 0);
	assert_int_equal(dev_set_mtu(a, 67), -EINVAL);
	assert_int_equal(dev_set_mtu(a, 68), 0);
	assert_int_equal(dev_set_mtu(a, 65521), 0);
	assert_int_equal(dev_set_mtu(a, 65522), -EINVAL);
	assert_int_equal(a->mtu, 65521);
	assert_int_equal(dev_set_mtu(lo, 65536), 0);
	assert_int_equal(dev_set_mtu(lo, 65537), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_big_packet_is_cut_and_summed_for_a_plain_device,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_rest_of_a_cut_packet_goes_out_first_and_carries_the_charge, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_left_over_is_flushed_without_a_new_packet, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			what_waits_in_a_device_whose_sender_was_killed_is_dropped, set_up_shared,
			tear_down),
		cmocka_unit_test_setup_teardown(a_device_that_is_down_takes_nothing, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(mtu_has_the_bounds_of_its_kind, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The in-memory wire: perfect, and impaired in virtual time. */
#include <sys/wait.h>

#include "dev_test.h"
#include "dev/wire_int.h"

struct link {
	struct netdev *a, *b;
	struct page_frag pf;
};

static struct link make_link(struct dev_fixture *f, const struct wire_config *cfg)
{
	struct link l = {0};

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", cfg, &l.a, &l.b), 0);
	dev_up(l.a);
	dev_up(l.b);
	return l;
}

static void done_link(struct dev_fixture *f, struct link *l)
{
	assert_int_equal(wire_in_flight(l->a), 0);
	page_frag_release(f->pools->pages, &l->pf);
}

static void send_frame(struct dev_fixture *f, struct link *l, uint32_t payload, uint8_t fill)
{
	struct skb *skb =
		make_frame(f->a, &l->pf, &(struct frame_spec){.payload = payload, .fill = fill});

	assert_int_equal(dev_hard_start_xmit(l->a, skb), XMIT_OK);
}

/* Take one frame from b. Return: its fill byte, -1: none. */
static int receive(struct dev_fixture *f)
{
	struct skb *skb = take(f->b);
	uint8_t fill;

	if (!skb)
		return -1;
	assert_int_equal(skb_copy_bits(skb, TEST_HDR_BYTES, &fill, 1), 0);
	assert_true(payload_is(skb, fill));
	skb_free(f->b, skb);
	return fill;
}

static uint32_t drain(struct dev_fixture *f)
{
	uint32_t n = f->b->rxq.len;

	skb_queue_purge(f->b, &f->b->rxq);
	return n;
}

static void a_perfect_wire_hands_over_at_once_without_copying(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1});
	struct page_region *region;
	uint64_t charge = 0;
	struct skb *skb = make_frame(f->a, &l.pf, &(struct frame_spec){.payload = 1448});

	region = skb->frags[0].region;
	test_charge(skb, &charge);
	assert_int_equal(dev_hard_start_xmit(l.a, skb), XMIT_OK);
	assert_int_equal(charge, 0);
	skb = take(f->b);
	assert_non_null(skb);
	assert_ptr_equal(skb->frags[0].region, region);
	assert_ptr_equal(skb->dev, l.b);
	assert_int_equal(skb->truesize, 2304); /* R36.1: live value for 1448 bytes */
	assert_int_equal(skb->mac_off, skb->data_off);
	skb_free(f->b, skb);
	done_link(f, &l);
}

static void delay_is_exact(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .ab.delay_ns = 10 * NS_PER_MS});

	send_frame(f, &l, 100, 5);
	run_until(f, TEST_START_NS + 10 * NS_PER_MS - 1);
	assert_int_equal(receive(f), -1);
	run_until(f, TEST_START_NS + 10 * NS_PER_MS);
	assert_int_equal(receive(f), 5);
	done_link(f, &l);
}

static void rate_is_exact_over_many_frames(void **state)
{
	struct dev_fixture *f = *state;
	/* 3 Mbit/s: a frame of 42 + 958 = 1000 bytes takes 2 666 666.67 ns; 300 take 800 ms exactly */
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .ab.rate_bps = 3000000});

	for (int i = 0; i < 300; i++)
		send_frame(f, &l, 958, (uint8_t)i);
	run_until(f, TEST_START_NS + 2666665);
	assert_int_equal(f->b->rxq.len, 0);
	run_until(f, TEST_START_NS + 2666666);
	assert_int_equal(f->b->rxq.len, 1);
	run_until(f, TEST_START_NS + 800 * NS_PER_MS - 1);
	assert_int_equal(f->b->rxq.len, 299);
	run_until(f, TEST_START_NS + 800 * NS_PER_MS);
	assert_int_equal(f->b->rxq.len, 300);
	for (int i = 0; i < 300; i++)
		assert_int_equal(receive(f), i & 0xff);
	done_link(f, &l);
}

static void a_packet_still_to_be_cut_takes_the_time_of_its_pieces(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(
		f, &(struct wire_config){.seed = 1, .has_gso = true, .ab.rate_bps = 8000000});
	struct skb *skb =
		make_frame(f->a, &l.pf, &(struct frame_spec){.payload = 5000, .gso_size = 1000});

	assert_int_equal(dev_hard_start_xmit(l.a, skb), XMIT_OK);
	run_until(f, TEST_START_NS + 5 * (1000 + 42) * NS_PER_US -
			     1); /* 1 byte a microsecond, 5 x 42 of headers */
	assert_int_equal(f->b->rxq.len, 0);
	run_until(f, TEST_START_NS + 5 * (1000 + 42) * NS_PER_US);
	assert_int_equal(drain(f), 1);
	done_link(f, &l);
}

static void a_full_queue_drops_the_newest(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(
		f, &(struct wire_config){.seed = 1, .ab = {.rate_bps = 8000000, .queue_frames = 3}});

	for (int i = 0; i < 10; i++) /* 0 is being sent, 1 2 3 wait */
		send_frame(f, &l, 958, (uint8_t)i);
	assert_int_equal(mib_get(f->a, NaruWireLost), 6);
	run_until(f, TEST_START_NS + NS_PER_MS); /* 0 has left, 1 is being sent */
	send_frame(f, &l, 958, 100);
	send_frame(f, &l, 958, 101);
	assert_int_equal(mib_get(f->a, NaruWireLost), 7);
	run_until(f, TEST_START_NS + NS_PER_S);
	for (int i = 0; i < 4; i++)
		assert_int_equal(receive(f), i);
	assert_int_equal(receive(f), 100);
	assert_int_equal(receive(f), -1);
	done_link(f, &l);
}

static void ect_packets_are_marked_when_more_wait_than_allowed(void **state)
{
	struct dev_fixture *f = *state;
	struct link l =
		make_link(f, &(struct wire_config){
				     .seed = 1, .ab = {.rate_bps = 8000000, .ecn_mark_frames = 2}});
	static const uint8_t tos[] = {2, 2, 2, 2, 2, 1, 0, 3};
	/* waiting when each arrives: 0 0 1 2 3 4 5 6 */
	static const uint8_t want[] = {2, 2, 2, 2, 3, 3, 0, 3};

	for (size_t i = 0; i < sizeof(tos); i++) {
		struct skb *skb =
			make_frame(f->a, &l.pf, &(struct frame_spec){.payload = 958, .tos = tos[i]});

		assert_int_equal(dev_hard_start_xmit(l.a, skb), XMIT_OK);
	}
	run_until(f, TEST_START_NS + NS_PER_S);
	for (size_t i = 0; i < sizeof(tos); i++) {
		struct skb *skb = take(f->b);
		struct ipv4_info info;

		assert_non_null(skb);
		assert_int_equal(ipv4_parse(skb_data(skb) + ETH_HDR_LEN, skb->len - ETH_HDR_LEN,
					    &info),
				 IPV4_OK);
		assert_int_equal(info.tos, want[i]);
		skb_free(f->b, skb);
	}
	done_link(f, &l);
}

static void loss_is_within_five_sigma(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 7, .ab.loss_ppm = 100000});
	const int n = 20000, expected = n / 10, variance = expected * 9 / 10;
	int got = 0, diff;

	for (int i = 0; i < n; i++) {
		send_frame(f, &l, 10, 0);
		run_until(f, stack_now_ns(f->a) + 1);
		got += (int)drain(f);
	}
	diff = n - got - expected;
	assert_true(diff * diff < 25 * variance);
	assert_int_equal(mib_get(f->a, NaruWireLost) + mib_get(f->b, NaruWireLost), n - got);
	done_link(f, &l);
}

static void a_duplicate_arrives_too_and_shares_nothing(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .ab.duplicate_ppm = 1000000});
	struct skb *one, *two;

	send_frame(f, &l, 1000, 4);
	run_until(f, TEST_START_NS);
	one = take(f->b);
	two = take(f->b);
	assert_non_null(one);
	assert_non_null(two);
	assert_null(take(f->b));
	assert_true(payload_is(one, 4) && payload_is(two, 4));
	assert_true(udp_sum_is_right(one) && udp_sum_is_right(two));
	assert_true(one->frags[0].region != two->frags[0].region ||
		    one->frags[0].off != two->frags[0].off);
	skb_free(f->b, one);
	skb_free(f->b, two);
	done_link(f, &l);
}

static void corruption_flips_one_bit_and_never_in_the_senders_copy(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(
		f, &(struct wire_config){.seed = 3, .has_gso = true, .ab.corrupt_ppm = 1000000});

	for (int i = 0; i < 200; i++) {
		struct skb *kept = make_frame(
			f->a, &l.pf,
			&(struct frame_spec){.payload = 5000, .gso_size = 1000, .fill = 6});
		struct skb *sent = skb_clone(f->a, kept, POOL_NORMAL), *got;
		uint32_t num_flipped = 0;

		assert_non_null(sent);
		assert_int_equal(dev_hard_start_xmit(l.a, sent), XMIT_OK);
		run_until(f, stack_now_ns(f->a) + 1);
		got = take(f->b);
		assert_non_null(got);
		assert_int_equal(got->csum, CSUM_NONE); /* the receiver has to look */
		assert_true(payload_is(kept, 6));
		assert_int_equal(skb_checksum_help(kept), 0);
		for (uint32_t k = 0; k < kept->len; k++) {
			uint8_t x, y;

			assert_int_equal(
				skb_copy_bits(kept, k, &x, 1) | skb_copy_bits(got, k, &y, 1), 0);
			num_flipped += (uint32_t)__builtin_popcount(x ^ y);
		}
		assert_int_equal(num_flipped, 1);
		skb_free(f->a, kept);
		skb_free(f->b, got);
	}
	done_link(f, &l);
}

static void jitter_keeps_the_order(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(
		f, &(struct wire_config){.seed = 5,
					 .ab = {.delay_ns = NS_PER_MS, .jitter_ns = 5 * NS_PER_MS}});

	for (int i = 0; i < 200; i++) {
		send_frame(f, &l, 10, (uint8_t)i);
		run_until(f, stack_now_ns(f->a) + 100 * NS_PER_US);
	}
	run_until(f, stack_now_ns(f->a) + NS_PER_S);
	for (int i = 0; i < 200; i++)
		assert_int_equal(receive(f), i);
	done_link(f, &l);
}

static void a_reordered_frame_is_overtaken(void **state)
{
	struct dev_fixture *f = *state;
	struct wire_impair late = {
		.delay_ns = NS_PER_MS, .reorder_ppm = 1000000, .reorder_ns = 2 * NS_PER_MS};
	struct wire_impair plain = {.delay_ns = NS_PER_MS};
	struct link l = make_link(f, &(struct wire_config){.seed = 5, .ab = late});

	send_frame(f, &l, 10, 1);
	wire_set_impair(l.a, 0, &plain);
	send_frame(f, &l, 10, 2);
	run_until(f, TEST_START_NS + NS_PER_MS);
	assert_int_equal(receive(f), 2);
	run_until(f, TEST_START_NS + 3 * NS_PER_MS - 1);
	assert_int_equal(receive(f), -1);
	run_until(f, TEST_START_NS + 3 * NS_PER_MS);
	assert_int_equal(receive(f), 1);
	done_link(f, &l);
}

static void a_wire_that_becomes_perfect_keeps_the_order(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 5, .ab.delay_ns = NS_PER_MS});

	send_frame(f, &l, 10, 1);
	wire_set_impair(l.a, 0, &(struct wire_impair){0});
	send_frame(f, &l, 10, 2);
	assert_int_equal(receive(f), -1);
	run_until(f, TEST_START_NS + NS_PER_MS);
	send_frame(f, &l, 10, 3);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(receive(f), i);
	done_link(f, &l);
}

static uint64_t digest_of_a_run(uint64_t seed)
{
	struct wire_impair bad = {.rate_bps = 50000000,
				  .delay_ns = 3 * NS_PER_MS,
				  .jitter_ns = NS_PER_MS,
				  .loss_ppm = 50000,
				  .reorder_ppm = 50000,
				  .reorder_ns = NS_PER_MS,
				  .duplicate_ppm = 50000,
				  .corrupt_ppm = 50000,
				  .queue_frames = 20};
	struct wire_config cfg = {.seed = seed, .has_digest = true, .ab = bad, .ba = bad};
	struct dev_fixture *f;
	uint64_t digest;
	struct link l;
	void *state;

	set_up(&state);
	f = state;
	l = make_link(f, &cfg);
	for (int i = 0; i < 500; i++) {
		send_frame(f, &l, 10 + (uint32_t)i * 2, (uint8_t)i);
		run_until(f, stack_now_ns(f->a) + 50 * NS_PER_US);
	}
	run_until(f, stack_now_ns(f->a) + NS_PER_S);
	digest = wire_digest(l.a);
	assert_true(wire_num_frames(l.a) > 300);
	assert_int_equal(wire_num_frames(l.a), drain(f));
	done_link(f, &l);
	tear_down(&state);
	return digest;
}

static void the_same_seed_gives_the_same_bytes_at_the_same_times(void **state)
{
	uint64_t first = digest_of_a_run(42);

	(void)state;
	assert_int_equal(first, digest_of_a_run(42));
	assert_int_not_equal(first, digest_of_a_run(43));
}

static void a_frame_above_the_mtu_is_dropped(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .mtu = 1000});

	send_frame(f, &l, 1000 - IPV4_HDR_LEN - UDP_HDR_LEN, 1);
	send_frame(f, &l, 1001 - IPV4_HDR_LEN - UDP_HDR_LEN, 2);
	assert_int_equal(receive(f), 1);
	assert_int_equal(receive(f), -1);
	assert_int_equal(atomic_load(&l.a->stats.tx_dropped), 1);
	assert_int_equal(atomic_load(&l.a->stats.tx_packets), 1);
	done_link(f, &l);
}

static void an_end_that_went_away_loses_what_is_sent_to_it(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .ab.delay_ns = NS_PER_MS});

	send_frame(f, &l, 10, 1);
	netdev_remove(l.b);
	assert_int_equal(wire_in_flight(l.a), 0);
	send_frame(f, &l, 10, 2);
	run_until(f, TEST_START_NS + NS_PER_S);
	assert_int_equal(mib_get(f->a, NaruWireLost), 1);
	done_link(f, &l);
}

static void frames_in_the_hands_of_a_killed_process_are_lost_and_nothing_else(void **state)
{
	struct dev_fixture *f = *state;
	struct link l = make_link(f, &(struct wire_config){.seed = 1, .ab.delay_ns = NS_PER_MS});
	struct wire *w = l.a->priv;
	int status;
	pid_t pid;

	send_frame(f, &l, 1000, 1);
	send_frame(f, &l, 1000, 2);
	pid = fork();
	if (pid == 0) {
		lock_take(&w->lock);
		w->dir[0].set.node = (void *)1; /* half an update */
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	send_frame(f, &l, 1000, 3);
	assert_int_equal(wire_in_flight(l.a), 1);
	assert_int_equal(pool_in_use(&f->pools->skb), 1);
	run_until(f, TEST_START_NS + NS_PER_S);
	assert_int_equal(receive(f), 3);
	assert_int_equal(receive(f), -1);
	done_link(f, &l);
}

#define WIRE_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WIRE_TEST(a_perfect_wire_hands_over_at_once_without_copying),
		WIRE_TEST(delay_is_exact),
		WIRE_TEST(rate_is_exact_over_many_frames),
		WIRE_TEST(a_packet_still_to_be_cut_takes_the_time_of_its_pieces),
		WIRE_TEST(a_full_queue_drops_the_newest),
		WIRE_TEST(ect_packets_are_marked_when_more_wait_than_allowed),
		WIRE_TEST(loss_is_within_five_sigma),
		WIRE_TEST(a_duplicate_arrives_too_and_shares_nothing),
		WIRE_TEST(corruption_flips_one_bit_and_never_in_the_senders_copy),
		WIRE_TEST(jitter_keeps_the_order),
		WIRE_TEST(a_reordered_frame_is_overtaken),
		WIRE_TEST(a_wire_that_becomes_perfect_keeps_the_order),
		cmocka_unit_test(the_same_seed_gives_the_same_bytes_at_the_same_times),
		WIRE_TEST(a_frame_above_the_mtu_is_dropped),
		cmocka_unit_test_setup_teardown(
			frames_in_the_hands_of_a_killed_process_are_lost_and_nothing_else,
			set_up_shared, tear_down),
		WIRE_TEST(an_end_that_went_away_loses_what_is_sent_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The out-of-order queue: D-SACK of every overlap, charges, pruning (R33, R34, R41; scripts and prune.py on Linux). */
#include "rx.h"

static struct fx f;

static int setup(void **state)
{
	(void)state;
	fx_open(&f, 1000, 1000, 64240);
	return 0;
}

/* Whatever a test did: emptying the queues gives every byte of charge back. */
static int teardown(void **state)
{
	struct skb *s;

	(void)state;
	while ((s = skb_dequeue(&f.tp->sk.receive_queue)))
		tcp_rx_free(f.tp, s);
	tcp_ofo_purge(f.tp);
	assert_int_equal(f.tp->sk.rmem_alloc, 0);
	tcp_mem_reclaim(f.tp);
	assert_int_equal(f.st->tcp_memory_pages, 0);
	fx_close(&f);
	return 0;
}

static void overlaps_are_reported_as_in_the_live_script(void **state)
{
	(void)state;
	rx_data(&f, 2001, 4001);
	rx_data(&f, 2001, 3001);
	rx_expect_dsack(&f, 2001, 3001);
	rx_expect_sacks(&f, 2001, 4001);
	rx_data(&f, 3501, 5001);
	rx_expect_dsack(&f, 3501, 4001);
	rx_expect_sacks(&f, 2001, 5001);
	rx_data(&f, 1001, 6001); /* covers both */
	rx_expect_dsack(&f, 2001, 5001);
	rx_expect_sacks(&f, 1001, 6001);
	rx_data(&f, 1, 1501);
	rx_expect_dsack(&f, 1001, 1501);
	assert_int_equal(f.tp->rcv_nxt, 6001);
	assert_int_equal(fx_mib(&f, TcpExtTCPDSACKOfoSent), 3);
	assert_int_equal(fx_mib(&f, TcpExtTCPDSACKOldSent), 1);
	assert_int_equal(fx_mib(&f, TcpExtTCPOFOMerge), 3);
}

static void a_longer_segment_with_the_same_start_replaces(void **state)
{
	(void)state;
	rx_data(&f, 2001, 2501);
	rx_data(&f, 2001, 3001);
	rx_expect_dsack(&f, 2001, 2501);
	rx_expect_sacks(&f, 2001, 3001);
	rx_data(&f, 1, 2001);
	assert_int_equal(f.tp->rcv_nxt, 3001);
}

static void every_order_of_five_segments_ends_the_same(void **state)
{
	int p[5] = { 0, 1, 2, 3, 4 };

	(void)state;
	for (unsigned int n = 0; n < 120; n++) {
		uint32_t base = f.tp->rcv_nxt;
		unsigned int k = n;

		for (int i = 0; i < 5; i++)
			p[i] = i;
		for (int i = 4; i > 0; i--) { /* the n-th permutation */
			int j = (int)(k % (unsigned int)(i + 1)), t = p[i];

			k /= (unsigned int)(i + 1);
			p[i] = p[j];
			p[j] = t;
		}
		for (int i = 0; i < 5; i++)
			rx_data(&f, base + 100u * (uint32_t)p[i], base + 100u * (uint32_t)p[i] + 100);
		assert_int_equal(f.tp->rcv_nxt, base + 500);
		assert_null(f.tp->ofo.node);
		assert_int_equal(f.tp->rx.num_sacks, 0);
		f.tp->copied_seq = f.tp->rcv_nxt;
		while (skb_peek(&f.tp->sk.receive_queue))
			tcp_rx_free(f.tp, skb_dequeue(&f.tp->sk.receive_queue));
		f.tp->rcv_wup = f.tp->rcv_nxt;
	}
}

static void a_filled_hole_is_answered_at_once_but_not_a_partly_filled_one(void **state)
{
	(void)state;
	rx_data(&f, 1001, 2001);
	rx_data(&f, 3001, 4001);
	rx_data(&f, 1, 1001);
	assert_false(f.tp->ack_pending & TCP_ACK_NOW);
	rx_data(&f, 2001, 3001);
	assert_true(f.tp->ack_pending & TCP_ACK_NOW);
}

static void data_above_a_fin_goes_when_the_fin_is_taken(void **state)
{
	(void)state;
	rx_data(&f, 2001, 3001);
	tcp_data_queue(f.tp, rx_segment(&f, TCPH_ACK | TCPH_FIN, 1, 500));
	assert_int_equal(f.tp->rcv_nxt, 502);
	assert_int_equal(f.tp->sk.state, TCP_CLOSE_WAIT);
	assert_null(f.tp->ofo.node);
	assert_false(f.tp->ack_pending & TCP_ACK_NOW); /* discarded is not filled (fin_ofo_after) */
}

/* prune.py on the live kernel: RCVBUF 8000, 50-byte pieces 200 apart, 832 bytes each. */
static void a_small_buffer_refuses_above_and_prunes_for_the_hole(void **state)
{
	(void)state;
	f.tp->sk.rcvbuf = 8000;
	f.tp->sk.flags |= SK_RCVBUF_LOCK;
	for (uint32_t i = 0; i < 10; i++)
		rx_data(&f, 101 + 200 * i, 151 + 200 * i);
	assert_int_equal(f.tp->sk.rmem_alloc, 8320);
	rx_data(&f, 2101, 2151);
	assert_int_equal(f.tp->sk.rmem_alloc, 8320);
	assert_int_equal(fx_mib(&f, TcpExtTCPOFODrop), 1);
	assert_int_equal(fx_mib(&f, TcpExtRcvPruned), 1);
	rx_data(&f, 1, 101);
	assert_int_equal(f.tp->rcv_nxt, 151);
	assert_int_equal(fx_mib(&f, TcpExtOfoPruned), 1);
	assert_int_equal(f.tp->rx.num_sacks, 0);
	assert_non_null(f.tp->ofo.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(overlaps_are_reported_as_in_the_live_script, setup, teardown),
		cmocka_unit_test_setup_teardown(a_longer_segment_with_the_same_start_replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(every_order_of_five_segments_ends_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(a_filled_hole_is_answered_at_once_but_not_a_partly_filled_one, setup, teardown),
		cmocka_unit_test_setup_teardown(data_above_a_fin_goes_when_the_fin_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_small_buffer_refuses_above_and_prunes_for_the_hole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

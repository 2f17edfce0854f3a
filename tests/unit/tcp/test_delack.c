/* SPDX-License-Identifier: BSD-2-Clause */
/* When an acknowledgement leaves: scripts quickack16, delack_adapt, pingpong_exit of Linux 6.18 (R42-R45). */
#include "rx.h"

static struct fx f;

static int setup(void **state)
{
	(void)state;
	fx_open(&f, 1000, 1000, 64240);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

static void read_all(void)
{
	f.tp->copied_seq = f.tp->rcv_nxt;
	while (skb_peek(&f.tp->sk.receive_queue))
		tcp_rx_free(f.tp, skb_dequeue(&f.tp->sk.receive_queue));
}

/* 100 bytes at @us; true: answered at once. */
static bool answered(uint64_t us)
{
	struct fx_pkt p;
	bool did;

	fx_now_us(&f, us);
	rx_whole(&f, TCPH_ACK | TCPH_PSH, f.tp->rcv_nxt, f.tp->rcv_nxt + 100);
	did = fx_next(&f, &p);
	if (did)
		assert_int_equal(p.ack, f.tp->rcv_nxt);
	read_all();
	return did;
}

/* Let the delay run out; how long it was, in ms. */
static uint64_t expire(void)
{
	uint64_t ms = (f.tp->delack_timeout_ns - f.tp->now_ns) / NS_PER_MS;

	assert_true(f.tp->ack_pending & TCP_ACK_TIMER);
	f.tp->now_ns = f.tp->delack_timeout_ns;
	clock_advance_to(&f.pools->clock, f.tp->now_ns);
	tcp_delack_timer_handler(f.tp);
	return ms;
}

static uint64_t now_us(void) { return (f.tp->now_ns - FX_START_NS) / 1000; }

static void the_first_sixteen_are_answered_at_once(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		assert_true(answered(10000 * (i + 1)));
	assert_false(answered(170000));
	assert_int_equal(expire(), 40);
	fx_expect(&f, 1, 0, TCPH_ACK);
	assert_int_equal(fx_mib(&f, TcpExtDelayedACKs), 1);
}

static void a_missed_delay_doubles_up_to_the_rto_minimum(void **state)
{
	static const uint64_t want_ms[] = { 40, 80, 160, 199, 199 }; /* RTO-min less one tick (R42.1) */

	(void)state;
	fx_rtt_us(&f, 300000);
	f.tp->rto_ns = 500 * NS_PER_MS;
	for (unsigned int i = 0; i < 16; i++)
		assert_true(answered(10000 * (i + 1)));
	for (unsigned int i = 0; i < ARRAY_SIZE(want_ms); i++) {
		assert_false(answered(now_us() + (i ? f.tp->ato_ns / 1000 : 10000)));
		assert_int_equal(expire(), want_ms[i]);
		fx_expect(&f, 1, 0, TCPH_ACK);
	}
}

static void a_short_round_trip_keeps_it_at_40_ms(void **state)
{
	(void)state;
	fx_rtt_us(&f, 20000);
	f.tp->quick = 0;
	f.tp->ato_ns = 160 * NS_PER_MS;
	f.tp->lrcvtime_ns = f.tp->now_ns;
	assert_false(answered(160000));
	assert_int_equal(expire(), 40);
}

static void the_timer_leaves_interactive_mode(void **state)
{
	(void)state;
	assert_true(answered(10000));
	f.tp->pingpong = 1; /* we replied quickly */
	assert_false(answered(20000));
	assert_int_equal(expire(), 40);
	fx_expect(&f, 1, 0, TCPH_ACK);
	assert_int_equal(f.tp->pingpong, 0);
	assert_true(answered(now_us() + 10000)); /* credit is left */
}

static void a_pause_longer_than_the_rto_refills_the_credit(void **state)
{
	(void)state;
	assert_true(answered(10000));
	f.tp->quick = 0;
	assert_true(answered(10000 + 300000));
	assert_int_equal(f.tp->quick, 15);
}

static void old_data_is_answered_at_once_even_in_interactive_mode(void **state)
{
	struct fx_pkt p;

	(void)state;
	assert_true(answered(10000));
	f.tp->pingpong = 1;
	f.tp->quick = 0;
	rx_whole(&f, TCPH_ACK, 1, 101);
	assert_true(fx_next(&f, &p));
	assert_int_equal(f.tp->pingpong, 0);
	assert_int_equal(f.tp->quick, 15);
}

static void out_of_order_data_is_compressed_from_the_fourth_on(void **state)
{
	struct fx_pkt p;

	(void)state;
	fx_rtt_us(&f, 20000);
	f.tp->rcv_rtt_us8 = 20000 * 8;
	assert_true(answered(10000));
	f.tp->quick = 0;
	for (unsigned int i = 0; i < 3; i++) {
		rx_whole(&f, TCPH_ACK, 2101 + 1000 * i, 3101 + 1000 * i);
		assert_true(fx_next(&f, &p));
		f.tp->quick = 0; /* window growth would keep answering at once */
	}
	for (unsigned int i = 3; i < 7; i++) {
		rx_whole(&f, TCPH_ACK, 2101 + 1000 * i, 3101 + 1000 * i);
		f.tp->quick = 0;
		if (i == 3)
			assert_true(f.tp->compack_timer.is_armed || f.tp->compressed_ack);
	}
	fx_expect_none(&f);
	assert_int_equal(f.tp->compressed_ack, 4);
	assert_int_equal(f.tp->compack_timer.expires_ns - f.tp->now_ns, NS_PER_MS); /* 5 % of 20 ms */
	tcp_compack_flush(f.tp);
	fx_expect(&f, 1, 0, TCPH_ACK);
	assert_int_equal(fx_mib(&f, TcpExtTCPAckCompressed), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_first_sixteen_are_answered_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_missed_delay_doubles_up_to_the_rto_minimum, setup, teardown),
		cmocka_unit_test_setup_teardown(a_short_round_trip_keeps_it_at_40_ms, setup, teardown),
		cmocka_unit_test_setup_teardown(the_timer_leaves_interactive_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pause_longer_than_the_rto_refills_the_credit, setup, teardown),
		cmocka_unit_test_setup_teardown(old_data_is_answered_at_once_even_in_interactive_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(out_of_order_data_is_compressed_from_the_fourth_on, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The window we offer: start values, EMSS, auto-tuning; numbers of the live kernel (R36-R40, R46; drs.py, win_init). */
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

struct init_case {
	uint32_t space, mss, clamp;
	uint32_t want_wnd;
	uint8_t want_scale;
};

static void initial_windows_are_those_of_the_live_kernel(void **state)
{
	static const struct init_case cases[] = {
		{ 65536, 1460, 0, 64240, 10 },	  { 65536, 1448, 0, 65160, 10 },
		{ 5000, 1460, 5000, 4380, 0 },	  { 20000, 1460, 20000, 18980, 0 },
		{ 65536, 1460, 10000, 8760, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct init_case *c = &cases[i];
		uint32_t clamp = c->clamp, wnd;
		uint8_t scale;

		tcp_select_initial_window(f.st, c->space, c->mss, true, 0, &clamp, &wnd, &scale);
		assert_int_equal(wnd, c->want_wnd);
		assert_int_equal(scale, c->want_scale);
	}
}

static void auto_tuning_follows_the_live_numbers(void **state)
{
	static const uint32_t copied[] = { 23168, 46336, 92672, 185344 };
	static const int32_t want[] = { 163100, 444825, 889651, 1779302 };

	(void)state;
	f.tp->scaling_ratio = 160; /* 1448-byte packets of 2304 bytes */
	f.tp->rcvq_space = 14480;
	f.tp->sk.rcvbuf = 131072;
	for (size_t i = 0; i < ARRAY_SIZE(copied); i++) {
		tcp_rcvbuf_grow(f.tp, copied[i]);
		assert_int_equal(f.tp->sk.rcvbuf, want[i]);
		assert_int_equal(f.tp->window_clamp, tcp_win_from_space(f.tp, (uint32_t)want[i]));
	}
}

static void a_locked_buffer_does_not_grow(void **state)
{
	(void)state;
	f.tp->sk.rcvbuf = 131072;
	f.tp->sk.flags |= SK_RCVBUF_LOCK;
	f.tp->rcvq_space = 14480;
	tcp_rcvbuf_grow(f.tp, 1000000);
	assert_int_equal(f.tp->sk.rcvbuf, 131072);
}

static void what_waits_unread_does_not_count_for_growth(void **state)
{
	(void)state;
	f.tp->rcv_rtt_us8 = 8000;
	f.tp->rcvq_space = 14480;
	f.tp->rcvq_seq = 1;
	f.tp->rcvq_ns = FX_START_NS;
	f.tp->copied_seq = 30001;
	f.tp->rcv_nxt = 60001; /* 30000 read, 30000 left */
	f.tp->sk.rcvbuf = 131072;
	fx_now_us(&f, 5000);
	tcp_rcv_space_adjust(f.tp);
	assert_int_equal(f.tp->sk.rcvbuf, 131072);
	assert_int_equal(f.tp->rcvq_seq, 30001);
}

static void measure(uint32_t len, uint8_t flags)
{
	struct skb *s = rx_segment(&f, flags, f.tp->rcv_nxt, len);

	tcp_measure_rcv_mss(f.tp, s);
	skb_free(f.st, s);
}

static void two_equal_smaller_segments_lower_the_estimate(void **state)
{
	(void)state;
	measure(1400, TCPH_ACK);
	assert_int_equal(f.tp->rcv_mss, 1400);
	measure(600, TCPH_ACK);
	measure(800, TCPH_ACK);
	assert_int_equal(f.tp->rcv_mss, 1400);
	measure(700, TCPH_ACK);
	measure(700, TCPH_ACK);
	assert_int_equal(f.tp->rcv_mss, 700);
	measure(9000, TCPH_ACK);
	assert_int_equal(f.tp->rcv_mss, 1460); /* not above what we advertised */
}

static void a_larger_segment_measures_the_packing(void **state)
{
	(void)state;
	f.tp->sk.rcvbuf = 131072;
	measure(1448, TCPH_ACK);
	assert_int_equal(f.tp->scaling_ratio, 160);
	assert_int_equal(f.tp->window_clamp, 81920);
}

static void start_of_auto_tuning_is_ten_segments(void **state)
{
	(void)state;
	f.tp->advmss = 1448;
	f.tp->rcv_wnd = f.tp->rcv_ssthresh = 65160;
	f.tp->window_clamp = 65535u << 10;
	f.tp->sk.rcvbuf = 131072;
	tcp_init_buffer_space(f.tp);
	assert_int_equal(f.tp->rcvq_space, 14480);
	assert_int_equal(f.tp->window_clamp, 65536 - 1448);
	assert_int_equal(f.tp->rcv_ssthresh, 64088);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(initial_windows_are_those_of_the_live_kernel, setup, teardown),
		cmocka_unit_test_setup_teardown(auto_tuning_follows_the_live_numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(a_locked_buffer_does_not_grow, setup, teardown),
		cmocka_unit_test_setup_teardown(what_waits_unread_does_not_count_for_growth, setup, teardown),
		cmocka_unit_test_setup_teardown(two_equal_smaller_segments_lower_the_estimate, setup, teardown),
		cmocka_unit_test_setup_teardown(a_larger_segment_measures_the_packing, setup, teardown),
		cmocka_unit_test_setup_teardown(start_of_auto_tuning_is_ten_segments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

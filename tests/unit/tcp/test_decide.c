/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure tests of the transmission engine: T40, T42-T45, T53 as tables. */
#include "tcp/out/decide.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tcp/base/tcp_sock.h"

static void quota_is_at_most_half_the_window(void **state)
{
	static const uint32_t t[][3] = {
		/* in flight, cwnd, quota */
		{0, 10, 5}, {8, 10, 2}, {10, 10, 0}, {12, 10, 0}, {0, 1, 1}, {0, 2, 1}, {0, 3, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_int_equal(decide_cwnd_quota(t[i][0], t[i][1]), t[i][2]);
}

static void only_the_first_packet_must_fit_the_window(void **state)
{
	(void)state;
	assert_true(decide_fits_window(1, 3001, 3000, 1000, 1501));     /* win1500.pkt */
	assert_false(decide_fits_window(1001, 2001, 1000, 1000, 1301)); /* shrink.pkt */
	assert_true(decide_fits_window(1, 301, 300, 1000, 301));
	assert_false(decide_fits_window(1, 302, 300, 1000, 301)); /* a FIN needs its number */
	assert_true(decide_fits_window(0xfffffff0u, 0x10u, 32, 1000, 0x10u));
}

static void nagle_holds_small_behind_small(void **state)
{
	struct decide_nagle n = {
		.mode = 0, .packets_out = 1, .snd_una = 1, .snd_nxt = 101, .snd_sml = 101};

	(void)state;
	assert_true(decide_nagle_holds(&n, true));
	assert_false(decide_nagle_holds(&n, false));
	n.snd_una =
		101; /* the small one is acknowledged: a partial may go although full ones are out */
	n.snd_nxt = 1101;
	assert_false(decide_nagle_holds(&n, true));
	n.snd_una = 1;
	n.packets_out = 0;
	assert_false(decide_nagle_holds(&n, true));
	n.packets_out = 1;
	n.mode = TCP_NAGLE_OFF;
	assert_false(decide_nagle_holds(&n, true));
	n.mode = TCP_NAGLE_OFF | TCP_NAGLE_CORK; /* CORK dominates */
	assert_true(decide_nagle_holds(&n, true));
	n.packets_out = 0;
	assert_true(decide_nagle_holds(&n, true));
	assert_false(decide_nagle_holds(&n, false));
}

/* checks/pd/defer.pkt: short RTT, big window, long queue. */
static struct decide_defer defer_base(uint32_t cwnd, uint32_t in_flight)
{
	return (struct decide_defer){
		.is_last = true,
		.has_rtx = true,
		.len = 60000,
		.mss = 1000,
		.max_segs = 65,
		.wnd_room = 2000000,
		.cwnd = cwnd,
		.in_flight = in_flight,
		.snd_wnd = 2000000,
		.win_divisor = 3,
		.srtt8_us = 600 * 8,
		.now_ns = 10 * NS_PER_MS,
		.wstamp_ns = 10 * NS_PER_MS - 500000,
		.head_sent_ns = 10 * NS_PER_MS - 600000,
	};
}

static void a_third_of_the_window_is_worth_sending(void **state)
{
	static const struct {
		uint32_t cwnd, in_flight;
		enum defer_verdict v;
	} t[] = {
		{11, 9, DEFER_CWND_LIMITED},  {12, 8, DEFER_NO}, {13, 11, DEFER_CWND_LIMITED},
		{14, 10, DEFER_CWND_LIMITED}, {15, 9, DEFER_NO},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		struct decide_defer d = defer_base(t[i].cwnd, t[i].in_flight);

		assert_int_equal(decide_defer(&d), t[i].v);
	}
}

static void deferral_has_exceptions(void **state)
{
	struct decide_defer d = defer_base(11, 9);

	(void)state;
	d.is_recovering = true;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d = defer_base(11, 9);
	d.wstamp_ns = d.now_ns - NS_PER_MS - 1;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d = defer_base(11, 9);
	d.has_rtx = false;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d = defer_base(11, 9); /* the next ACK is far: 20 ms RTT, just sent */
	d.srtt8_us = 20000 * 8;
	d.head_sent_ns = d.now_ns;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d = defer_base(11, 9); /* fits, but more may be appended */
	d.len = 1500;
	assert_int_equal(decide_defer(&d), DEFER_WAIT);
	d.has_end_mark = true;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d.has_end_mark = false;
	d.is_last = false;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d = defer_base(11, 9); /* the peer's window is the smaller one */
	d.wnd_room = 1500;
	assert_int_equal(decide_defer(&d), DEFER_RWND_LIMITED);
	d = defer_base(20, 15);
	d.win_divisor = 0;
	assert_int_equal(decide_defer(&d), DEFER_NO);
	d.in_flight = 17;
	assert_int_equal(decide_defer(&d), DEFER_CWND_LIMITED);
}

static void the_split_point_fills_the_window(void **state)
{
	struct decide_nagle off = {.mode = TCP_NAGLE_OFF}, cork = {.mode = TCP_NAGLE_CORK};

	(void)state;
	assert_int_equal(decide_split_point(3000, 1500, 1000, 5, true, &off), 1500); /* win1500.pkt */
	assert_int_equal(decide_split_point(3000, 1500, 1000, 5, true, &cork), 1000);
	assert_int_equal(decide_split_point(10000, 60000, 1000, 5, true, &off), 5000);
	assert_int_equal(decide_split_point(10000, 60000, 1000, 5, false, &off), 5000);
	assert_int_equal(decide_split_point(2500, 60000, 1000, 5, true, &off), 2500);
	assert_int_equal(decide_split_point(2500, 60000, 1000, 5, true, &cork), 2000);
}

static void the_urgent_pointer_names_the_byte_after(void **state)
{
	uint16_t p = 7;

	(void)state;
	/* G12: 2500 bytes from 2 on, UP = 2502 */
	assert_true(decide_urgent(2, 2502, 2, &p));
	assert_int_equal(p, 2500);
	assert_true(decide_urgent(2002, 2502, 2002, &p));
	assert_int_equal(p, 500);
	assert_false(decide_urgent(2502, 2502, 2502, &p));
	/* too far for 16 bits: 0xffff once the pointer would lie beyond NXT */
	assert_true(decide_urgent(2, 2 + 0x20000, 1000, &p));
	assert_int_equal(p, 0xffff);
	assert_false(decide_urgent(2, 2 + 0x20000, 2 + 0x10000, &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quota_is_at_most_half_the_window),
		cmocka_unit_test(only_the_first_packet_must_fit_the_window),
		cmocka_unit_test(nagle_holds_small_behind_small),
		cmocka_unit_test(a_third_of_the_window_is_worth_sending),
		cmocka_unit_test(deferral_has_exceptions),
		cmocka_unit_test(the_split_point_fills_the_window),
		cmocka_unit_test(the_urgent_pointer_names_the_byte_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What a segment does to a TIME-WAIT object (R51; scripts tw_fw2, tw_rst1337, tw_recycle_* of Linux 6.18). */
#include "rx.h"

#include "tcp/conn/conn_int.h"

static struct fx f;
static struct tcp_tw tw;

#define A TCPH_ACK

static void fill(uint8_t substate)
{
	memset(&tw, 0, sizeof(tw));
	tw.conn.stack = f.st;
	tw.conn.refs = 100; /* the tests own it: it must not go to a pool */
	tw.conn.state = TCP_TIME_WAIT;
	timer_init(&tw.timer, TIMER_TCP_TW);
	tw.substate = substate;
	tw.rcv_nxt = 1001;
	tw.snd_nxt = 501;
	tw.rcv_wnd = 1000;
	atomic_store(&f.st->num_tw, 1);
}

static int setup(void **state)
{
	int err;

	(void)state;
	fx_open(&f, 1000, 1000, 64240);
	err = l4_init(f.st, 64);
	assert_int_equal(err, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	timer_cancel(&f.st->timers, &tw.timer);
	fx_close(&f);
	return 0;
}

static enum tcp_tw_verdict judge(uint8_t flags, uint32_t seq, uint32_t len, uint32_t *isn)
{
	struct skb *s = rx_segment(&f, flags, seq, len);
	enum tcp_tw_verdict v = tcp_tw_judge(&tw, s, isn);

	skb_free(f.st, s);
	return v;
}

struct tw_case {
	uint8_t flags;
	uint32_t seq, len;
	enum tcp_tw_verdict want;
	bool want_dead;
};

static void run(uint8_t substate, const struct tw_case *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t isn = 0;

		timer_cancel(&f.st->timers, &tw.timer);
		fill(substate);
		assert_int_equal(judge(c[i].flags, c[i].seq, c[i].len, &isn), c[i].want);
		assert_int_equal(tw.is_killed, c[i].want_dead);
	}
}

static void fin_wait2_objects_take_a_fin_and_refuse_data(void **state)
{
	static const struct tw_case cases[] = {
		{ A, 1001, 0, TCP_TW_DONE, false },
		{ A, 1001, 10, TCP_TW_RST, false },
		{ A | TCPH_FIN, 1001, 0, TCP_TW_ACK, false },
		{ A | TCPH_FIN, 1001, 10, TCP_TW_RST, false },
		{ TCPH_RST, 1001, 0, TCP_TW_DONE, true },
		{ TCPH_SYN, 1001, 0, TCP_TW_RST, false },
		{ A, 5000, 10, TCP_TW_ACK, false }, /* outside the window */
	};

	(void)state;
	run(TCP_FIN_WAIT2, cases, ARRAY_SIZE(cases));
}

static void the_fin_makes_it_a_true_time_wait_of_60_s(void **state)
{
	uint32_t isn;

	(void)state;
	fill(TCP_FIN_WAIT2);
	assert_int_equal(judge(A | TCPH_FIN, 1001, 0, &isn), TCP_TW_ACK);
	assert_int_equal(tw.substate, TCP_TIME_WAIT);
	assert_int_equal(tw.rcv_nxt, 1002);
	assert_int_equal(tw.timer.expires, (FX_START_NS + 60 * NS_PER_S) / NS_PER_MS);
}

static void true_objects_answer_data_and_go_only_for_an_exact_reset(void **state)
{
	static const struct tw_case cases[] = {
		{ A, 1001, 0, TCP_TW_DONE, false },	   { A | TCPH_FIN, 1000, 0, TCP_TW_ACK, false },
		{ A, 1001, 100, TCP_TW_ACK, false },	   { TCPH_RST, 1001, 0, TCP_TW_DONE, true },
		{ TCPH_RST, 1002, 0, TCP_TW_DONE, false }, { TCPH_SYN, 1000, 0, TCP_TW_ACK, false },
		{ TCPH_SYN, 1002, 0, TCP_TW_SYN, false },  { TCPH_SYN | A, 1002, 0, TCP_TW_ACK, false },
	};

	(void)state;
	run(TCP_TIME_WAIT, cases, ARRAY_SIZE(cases));
}

static void rfc1337_keeps_it_from_a_reset(void **state)
{
	uint32_t isn;

	(void)state;
	f.st->sysctl.tcp_rfc1337 = 1;
	fill(TCP_TIME_WAIT);
	assert_int_equal(judge(TCPH_RST, 1001, 0, &isn), TCP_TW_DONE);
	assert_false(tw.is_killed);
}

static void the_new_connection_begins_65537_further(void **state)
{
	uint32_t isn = 0;

	(void)state;
	fill(TCP_TIME_WAIT);
	assert_int_equal(judge(TCPH_SYN, 2000, 0, &isn), TCP_TW_SYN);
	assert_int_equal(isn, 501 + 65537);
	tw.snd_nxt = (uint32_t)-65537;
	assert_int_equal(judge(TCPH_SYN, 2000, 0, &isn), TCP_TW_SYN);
	assert_int_equal(isn, 1); /* 0 stands for "none" */
}

static void dataless_nonsense_is_answered_twice_a_second_at_most(void **state)
{
	uint32_t isn;

	(void)state;
	fill(TCP_TIME_WAIT);
	assert_int_equal(judge(A, 900, 0, &isn), TCP_TW_ACK);
	assert_int_equal(judge(A, 900, 0, &isn), TCP_TW_DONE);
	assert_int_equal(judge(A, 900, 10, &isn), TCP_TW_ACK); /* data always */
	fx_now_us(&f, 500000);
	assert_int_equal(judge(A, 900, 0, &isn), TCP_TW_ACK);
	assert_int_equal(fx_mib(&f, TcpExtTCPACKSkippedTimeWait), 1);
}

static void taking_a_tuple_over_needs_timestamps_and_time(void **state)
{
	(void)state;
	fill(TCP_TIME_WAIT);
	tw.conn.saddr = tw.conn.daddr = ipaddr_from_v4(cpu_to_be32(0x0a000001));
	tw.entered_ns = FX_START_NS;
	fx_now_us(&f, 2000000);
	f.tp->sk.flags |= SK_BINDPORT_LOCK;
	assert_false(tcp_tw_may_recycle(&tw.conn, f.tp)); /* no timestamps */
	tw.tstamp_ok = true;
	tw.ts_recent_wall_s = 1;
	assert_true(tcp_tw_may_recycle(&tw.conn, f.tp)); /* bound: whatever tcp_tw_reuse says */
	assert_int_equal(f.tp->write_seq, 501 + 65537);
	f.tp->sk.flags &= ~SK_BINDPORT_LOCK;
	assert_false(tcp_tw_may_recycle(&tw.conn, f.tp)); /* 2: loopback only */
	f.st->sysctl.tcp_tw_reuse = 1;
	assert_true(tcp_tw_may_recycle(&tw.conn, f.tp));
	tw.entered_ns = FX_START_NS + 1500 * NS_PER_MS;
	assert_false(tcp_tw_may_recycle(&tw.conn, f.tp)); /* younger than a second */
	tw.substate = TCP_FIN_WAIT2;
	tw.entered_ns = FX_START_NS;
	assert_false(tcp_tw_may_recycle(&tw.conn, f.tp));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(fin_wait2_objects_take_a_fin_and_refuse_data, setup, teardown),
		cmocka_unit_test_setup_teardown(the_fin_makes_it_a_true_time_wait_of_60_s, setup, teardown),
		cmocka_unit_test_setup_teardown(true_objects_answer_data_and_go_only_for_an_exact_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(rfc1337_keeps_it_from_a_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(the_new_connection_begins_65537_further, setup, teardown),
		cmocka_unit_test_setup_teardown(dataless_nonsense_is_answered_twice_a_second_at_most, setup, teardown),
		cmocka_unit_test_setup_teardown(taking_a_tuple_over_needs_timestamps_and_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Packetization-layer path MTU discovery: when a probe leaves, and what it is made of (T36). */
#include "fixture.h"

static struct fx f;

/* Base MSS 1024, peer's MSS 1460: bounds 1064 and 1500, the middle is 1282 = MSS 1242. */
static int open_probing(void **state)
{
	struct tcp_sock *tp;

	(void)state;
	fx_open(&f, 1000, 1460, 60000);
	fx_rtt_us(&f, 20000);
	fx_no_gso(&f);
	f.st->sysctl.tcp_mtu_probing = 2;
	tp = f.tp;
	tcp_mtup_init(tp);
	tcp_sync_mss(tp, 1500);
	tp->pmtu_cookie = dst_mtu(tp->sk.dst);
	tp->snd_cwnd = 20;
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

static void the_search_starts_at_the_base_mss(void **state)
{
	(void)state;
	assert_int_equal(f.tp->mtu_search_low, 1064);
	assert_int_equal(f.tp->mtu_search_high, 1500);
	assert_int_equal(f.tp->mss_cache, 1024);
}

static void a_probe_of_the_middle_size_leaves_first(void **state)
{
	struct tcp_sock *tp = f.tp;
	struct fx_pkt p;

	(void)state;
	tp->nonagle = TCP_NAGLE_CORK;
	tp->snd_cwnd = 0;
	for (size_t i = 0; i < 8000; i++)
		f.buf[i] = (uint8_t)i;
	fx_send(&f, 8000, 0);
	tp->snd_cwnd = 20;
	tcp_push_pending_frames(tp);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.seq, 1);
	assert_int_equal(p.len, 1242);
	assert_int_equal(p.gso_size, 0);
	assert_int_equal(tp->mtu_probe_size, 1282);
	assert_int_equal(tp->mtu_probe_end, 1243);
	assert_int_equal(tp->snd_cwnd, 19);
	assert_true(fx_next(&f, &p)); /* the rest follows at once, from where the probe ended */
	assert_int_equal(p.seq, 1243);
	assert_int_equal(p.len, 1024); /* what the probe left of the second record, filled up again */
	FX_CHECK(&f);
}

static void without_enough_data_there_is_no_probe(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	/* needed: 1242 + (3 + 1) * 1024 = 5338 */
	tp->snd_cwnd = 0;
	fx_send(&f, 5337, 0);
	tp->snd_cwnd = 20;
	tcp_push_pending_frames(tp);
	assert_int_equal(tp->mtu_probe_size, 0);
	assert_int_equal(tp->packets_out, 6);
}

static void a_full_flight_makes_the_probe_wait(void **state)
{
	struct tcp_sock *tp = f.tp;
	struct fx_pkt p;

	(void)state;
	tp->snd_cwnd = 11;
	tp->sk.sndbuf = 4000000;
	tp->mtu_probe_enabled = false;
	fx_send(&f, 10 * 1024, 0);
	assert_int_equal(tp->packets_out, 10);
	while (fx_next(&f, &p))
		;
	tp->mtu_probe_enabled = true;
	fx_send(&f, 8000, 0);
	while (fx_next(&f, &p))
		assert_true(p.len <= 1024);
	assert_int_equal(tp->mtu_probe_size, 0);
}

static void an_eor_mark_stands_in_the_way(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->snd_cwnd = 0;
	fx_send(&f, 1000, MSG_EOR);
	fx_send(&f, 8000, 0);
	tp->snd_cwnd = 20;
	tcp_push_pending_frames(tp);
	assert_int_equal(tp->mtu_probe_size, 0);
	fx_expect(&f, 1, 1000, TCPH_PSH | TCPH_ACK);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_probing, close_all)
	const struct CMUnitTest tests[] = {
		T(the_search_starts_at_the_base_mss),
		T(a_probe_of_the_middle_size_leaves_first),
		T(without_enough_data_there_is_no_probe),
		T(a_full_flight_makes_the_probe_wait),
		T(an_eor_mark_stands_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies: what goes in comes out, for two minutes, and nothing else does (R22). */
#include "rx.h"

#include "tcp/conn/conn_int.h"

static struct fx f;
static struct l4_tuple t;

static int setup(void **state)
{
	int err;

	(void)state;
	fx_open(&f, 1000, 1000, 64240);
	err = tcp_stack_init(f.st);
	assert_int_equal(err, 0);
	t = (struct l4_tuple){ .saddr = ipaddr_loopback_v4(), .daddr = ipaddr_from_v4(cpu_to_be32(0xc0000201)),
			       .sport = 80, .dport = 1024 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

static void the_size_is_rounded_down_to_the_table(void **state)
{
	static const uint16_t v4[][2] = { { 100, 536 }, { 536, 536 }, { 1299, 536 }, { 1300, 1300 }, { 1400, 1300 },
					  { 1440, 1440 }, { 1459, 1440 }, { 1460, 1460 }, { 9000, 1460 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(v4); i++) {
		uint16_t mss = v4[i][0];
		uint32_t c = tcp_cookie_make(f.st, &t, 0xfffffff0u + (uint32_t)i, &mss);

		assert_int_equal(mss, v4[i][1]);
		assert_int_equal(tcp_cookie_check(f.st, &t, 0xfffffff0u + (uint32_t)i, c), v4[i][1]);
	}
	t.saddr = ipaddr_loopback_v6();
	t.daddr = ipaddr_loopback_v6();
	for (size_t i = 0; i < 1; i++) {
		uint16_t mss = 1430;
		uint32_t c = tcp_cookie_make(f.st, &t, 7, &mss);

		assert_int_equal(tcp_cookie_check(f.st, &t, 7, c), 1420);
	}
}

static void another_tuple_number_or_cookie_is_refused(void **state)
{
	uint16_t mss = 1460;
	uint32_t c = tcp_cookie_make(f.st, &t, 1000, &mss);
	struct l4_tuple other = t;

	(void)state;
	for (uint32_t bit = 0; bit < 32; bit++)
		assert_int_equal(tcp_cookie_check(f.st, &t, 1000, c ^ (1u << bit)) == 1460, false);
	other.dport++;
	assert_int_equal(tcp_cookie_check(f.st, &other, 1000, c), 0);
	assert_int_equal(tcp_cookie_check(f.st, &t, 1000 + 0x100, c), 0);
}

static void it_ages_within_two_minutes(void **state)
{
	uint16_t mss = 1460;
	uint64_t to_next = 60 * NS_PER_S - FX_START_NS % (60 * NS_PER_S);
	uint32_t c = tcp_cookie_make(f.st, &t, 1000, &mss);

	(void)state;
	fx_now_us(&f, to_next / 1000 + 59999999); /* end of the following minute */
	assert_int_equal(tcp_cookie_check(f.st, &t, 1000, c), 1460);
	fx_now_us(&f, to_next / 1000 + 60000000);
	assert_int_equal(tcp_cookie_check(f.st, &t, 1000, c), 0);
}

static void options_ride_in_the_timestamp(void **state)
{
	struct tcp_syn_info si = { 0 };

	(void)state;
	for (uint32_t now = 1000000; now < 1000128; now++) {
		struct tcp_req req = { .wscale_ok = true, .snd_wscale = 7, .sack_ok = true };
		uint32_t ts = tcp_cookie_tsval(now, &req);

		assert_true(ts <= now && now - ts < 64); /* never in the future */
		assert_true(tcp_cookie_decode_ts(f.st, ts & 63, &si));
		assert_true(si.wscale_ok && si.sack_ok && !si.ecn_ok);
		assert_int_equal(si.snd_wscale, 7);
	}
	assert_true(tcp_cookie_decode_ts(f.st, 15, &si)); /* no scale, no SACK */
	assert_false(si.wscale_ok || si.sack_ok);
	f.st->sysctl.tcp_sack = 0;
	assert_false(tcp_cookie_decode_ts(f.st, 0x10 | 7, &si)); /* we never offered it */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_size_is_rounded_down_to_the_table, setup, teardown),
		cmocka_unit_test_setup_teardown(another_tuple_number_or_cookie_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(it_ages_within_two_minutes, setup, teardown),
		cmocka_unit_test_setup_teardown(options_ride_in_the_timestamp, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

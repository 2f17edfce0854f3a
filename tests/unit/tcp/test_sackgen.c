/* SPDX-License-Identifier: BSD-2-Clause */
/* Which SACK blocks we report: the sequence of a script that passes on Linux 6.18 (sack_order, R35). */
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

static void blocks_come_most_recent_first_and_the_fifth_is_forgotten(void **state)
{
	(void)state;
	rx_data(&f, 2001, 3001);
	rx_expect_sacks(&f, 2001, 3001);
	rx_data(&f, 4001, 5001);
	rx_data(&f, 6001, 7001);
	rx_data(&f, 8001, 9001);
	rx_expect_sacks(&f, 8001, 9001, 6001, 7001, 4001, 5001, 2001, 3001);
	rx_data(&f, 10001, 11001);
	rx_expect_sacks(&f, 10001, 11001, 8001, 9001, 6001, 7001, 4001, 5001);
	rx_data(&f, 5001, 5501); /* adjoins the last one */
	rx_expect_sacks(&f, 4001, 5501, 10001, 11001, 8001, 9001, 6001, 7001);
	rx_data(&f, 5501, 6001); /* joins two */
	rx_expect_sacks(&f, 4001, 7001, 10001, 11001, 8001, 9001);
	rx_data(&f, 1, 2001); /* the forgotten one is still queued */
	assert_int_equal(f.tp->rcv_nxt, 3001);
	rx_expect_sacks(&f, 4001, 7001, 10001, 11001, 8001, 9001);
	rx_data(&f, 3001, 4001);
	assert_int_equal(f.tp->rcv_nxt, 7001);
	rx_expect_sacks(&f, 10001, 11001, 8001, 9001);
}

static void without_sack_nothing_is_reported(void **state)
{
	(void)state;
	f.tp->rx.sack_ok = false;
	rx_data(&f, 2001, 3001);
	rx_data(&f, 2001, 3001);
	assert_int_equal(f.tp->rx.num_sacks, 0);
	assert_false(f.tp->rx.dsack_pending);
}

static void dsack_can_be_switched_off(void **state)
{
	(void)state;
	f.st->sysctl.tcp_dsack = 0;
	rx_data(&f, 1, 1001);
	rx_data(&f, 1, 1001);
	assert_false(f.tp->rx.dsack_pending);
	assert_int_equal(fx_mib(&f, TcpExtTCPDSACKOldSent), 0);
}

static void blocks_survive_the_wrap_of_the_sequence_space(void **state)
{
	uint32_t base = 0xfffffc00u; /* 1024 before 0 */

	(void)state;
	f.tp->rcv_nxt = f.tp->rcv_wup = f.tp->copied_seq = base;
	rx_data(&f, base + 1000, base + 1100); /* crosses 0 */
	rx_data(&f, base + 2000, base + 2100);
	rx_data(&f, base + 1100, base + 2000);
	rx_expect_sacks(&f, base + 1000, base + 2100);
	rx_data(&f, base, base + 1000);
	assert_int_equal(f.tp->rcv_nxt, base + 2100);
	assert_int_equal(f.tp->rx.num_sacks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks_come_most_recent_first_and_the_fifth_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(without_sack_nothing_is_reported, setup, teardown),
		cmocka_unit_test_setup_teardown(dsack_can_be_switched_off, setup, teardown),
		cmocka_unit_test_setup_teardown(blocks_survive_the_wrap_of_the_sequence_space, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

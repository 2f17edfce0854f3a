/* SPDX-License-Identifier: BSD-2-Clause */
/* Clocks: virtual time moves when told and only forward. */
#include "base_test.h"

#include "base/clock.h"

static void virtual_time_moves_only_forward_and_only_when_told(void **state)
{
	struct clock c;

	(void)state;
	clock_init(&c, CLOCK_KIND_VIRTUAL, 1000, 5000000);
	assert_true(clock_is_virtual(&c));
	assert_int_equal(clock_now_ns(&c), 1000);
	assert_int_equal(clock_wall_ns(&c), 5001000);
	clock_advance_to(&c, 3000);
	clock_advance_to(&c, 2000);
	assert_int_equal(clock_now_ns(&c), 3000);
	assert_int_equal(clock_wall_ns(&c), 5003000);
}

static void real_time_is_the_systems(void **state)
{
	struct clock c;
	struct timespec mono, wall;
	uint64_t now, wall_now;

	(void)state;
	clock_init(&c, CLOCK_KIND_REAL, 0, 0);
	assert_false(clock_is_virtual(&c));
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_REALTIME, &wall);
	now = clock_now_ns(&c);
	wall_now = clock_wall_ns(&c);
	assert_in_range(now - ((uint64_t)mono.tv_sec * NS_PER_S + (uint64_t)mono.tv_nsec), 0,
			NS_PER_S);
	assert_in_range(wall_now - ((uint64_t)wall.tv_sec * NS_PER_S + (uint64_t)wall.tv_nsec), 0,
			NS_PER_S);
	assert_true(clock_now_ns(&c) >= now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(virtual_time_moves_only_forward_and_only_when_told),
		cmocka_unit_test(real_time_is_the_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

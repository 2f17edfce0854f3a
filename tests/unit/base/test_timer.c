/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers against a sorted list: exact tick, exact order, long jumps. */
#include "base_test.h"

#include "base/clock.h"
#include "base/timer.h"

#define HZ 1000
#define TICK_NS (NS_PER_S / HZ)

struct item {
	struct timer t;
	uint64_t expires, order; /* the model's own copy */
	bool is_armed;
};

static struct timers *new_timers(uint64_t start_tick)
{
	struct timers *ts = calloc(1, sizeof(*ts));

	timers_init(ts, HZ, start_tick * TICK_NS, false);
	return ts;
}

static struct item *item_of(struct timer *t)
{
	return t ? container_of(t, struct item, t) : NULL;
}

static void a_timer_fires_at_its_tick_and_not_before(void **state)
{
	static const uint64_t far[] = {0,          1,
				       63,         64,
				       65,         4095,
				       4096,       4097,
				       262143,     262144,
				       1ull << 24, (1ull << 30) - 1,
				       1ull << 30, (1ull << 36) - 1,
				       1ull << 36, (1ull << 36) + 12345,
				       1ull << 40};
	static const uint64_t starts[] = {
		0, 1, 63, 64, 1000003, (1ull << 30) - 1, (1ull << 36) - 2};

	(void)state;
	for (unsigned s = 0; s < ARRAY_SIZE(starts); s++)
		for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
			struct timers *ts = new_timers(starts[s]);
			struct timer t;
			uint64_t at = starts[s] + far[i];

			timer_init(&t, 1);
			assert_false(timer_is_armed(&t));
			assert_true(timer_arm(ts, &t, at));
			assert_true(timer_is_armed(&t));
			assert_int_equal(timers_next_ns(ts), at * TICK_NS);
			if (far[i]) {
				assert_null(timer_pop_expired(ts, at - 1));
				assert_int_equal(timers_next_ns(ts), at * TICK_NS);
			}
			assert_ptr_equal(timer_pop_expired(ts, at), &t);
			assert_false(timer_is_armed(&t));
			assert_null(timer_pop_expired(ts, at + 1));
			assert_int_equal(timers_next_ns(ts), UINT64_MAX);
			free(ts);
		}
}

static void what_is_overdue_fires_at_once_oldest_first(void **state)
{
	struct timers *ts = new_timers(5000);
	struct timer t[4];
	static const uint64_t at[] = {5000, 4000, 4999, 3};

	(void)state;
	for (int i = 0; i < 4; i++) {
		timer_init(&t[i], 1);
		timer_arm(ts, &t[i], at[i]);
	}
	assert_int_equal(timers_next_ns(ts), 3 * TICK_NS);
	assert_true(timers_any_due(ts, 5000 * TICK_NS));
	assert_ptr_equal(timer_pop_expired(ts, 5000), &t[3]);
	assert_ptr_equal(timer_pop_expired(ts, 5000), &t[1]);
	assert_ptr_equal(timer_pop_expired(ts, 5000), &t[2]);
	assert_ptr_equal(timer_pop_expired(ts, 5000), &t[0]);
	assert_null(timer_pop_expired(ts, 5000));
	free(ts);
}

static void arming_and_cancelling_say_who_holds_a_reference(void **state)
{
	struct timers *ts = new_timers(0);
	struct timer t;

	(void)state;
	timer_init(&t, 1);
	assert_false(timer_cancel(ts, &t));
	assert_true(timer_arm(ts, &t, 100));
	assert_false(timer_arm(ts, &t, 50)); /* moved, not armed anew */
	assert_int_equal(ts->num_armed, 1);
	assert_null(timer_pop_expired(ts, 49));
	assert_false(timer_arm(ts, &t, 1000));
	assert_null(timer_pop_expired(ts, 999));
	assert_true(timer_cancel(ts, &t));
	assert_false(timer_cancel(ts, &t));
	assert_int_equal(ts->num_armed, 0);
	assert_null(timer_pop_expired(ts, 5000));
	free(ts);
}

/* Expected next of the model: smallest tick, then earliest arming. */
static struct item *model_first(struct item *it, unsigned n)
{
	struct item *best = NULL;

	for (unsigned i = 0; i < n; i++)
		if (it[i].is_armed && (!best || it[i].expires < best->expires ||
				       (it[i].expires == best->expires && it[i].order < best->order)))
			best = &it[i];
	return best;
}

static void model_step(struct timers *ts, struct item *it, unsigned n, uint64_t *now, uint64_t *seed)
{
	static uint64_t order;
	struct item *x = &it[next_random(seed) % n];
	struct item *first;
	uint64_t r = next_random(seed);

	if (r % 8 == 0) {
		assert_int_equal(timer_cancel(ts, &x->t), x->is_armed);
		x->is_armed = false;
	} else if (r % 8 < 5) {
		x->expires = *now + (next_random(seed) >> (20 + next_random(seed) % 44));
		x->order = order++;
		assert_int_equal(timer_arm(ts, &x->t, x->expires), !x->is_armed);
		x->is_armed = true;
	} else {
		first = model_first(it, n);
		/* now and then to the very tick, else somewhere, sometimes far */
		if (r % 8 == 5 && first && first->expires > *now)
			*now = first->expires - (r >> 8) % 2;
		else
			*now += next_random(seed) >> (30 + next_random(seed) % 34);
		while ((first = model_first(it, n)) && first->expires <= *now) {
			assert_ptr_equal(item_of(timer_pop_expired(ts, *now)), first);
			first->is_armed = false;
		}
		assert_null(timer_pop_expired(ts, *now));
	}
	first = model_first(it, n);
	if (r >> 32 & 1)
		assert_int_equal(timers_next_ns(ts), !first ? UINT64_MAX
						     : first->expires > UINT64_MAX / TICK_NS
							     ? UINT64_MAX - 1
							     : first->expires * TICK_NS);
	if (first && first->expires < UINT64_MAX / TICK_NS)
		assert_true(timers_any_due(ts, first->expires * TICK_NS));
}

static void a_hundred_thousand_random_arms_match_a_sorted_list(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned run = 0; run < 10; run++) {
		unsigned n = 1 + 8 * run;
		struct item *it = calloc(n, sizeof(*it));
		uint64_t now = run % 2 ? next_random(&seed) >> (24 + run) : 0;
		struct timers *ts = new_timers(now);

		for (unsigned i = 0; i < n; i++)
			timer_init(&it[i].t, 1);
		for (int i = 0; i < ROUNDS(17000); i++)
			model_step(ts, it, n, &now, &seed);
		free(ts);
		free(it);
	}
}

/* Order among equal ticks only holds within the ring's range (2^36 ticks). */
static void many_timers_come_out_sorted(void **state)
{
	unsigned n = (unsigned)ROUNDS(100000), popped = 0;
	struct item *it = calloc(n, sizeof(*it));
	struct timers *ts = new_timers(12345);
	uint64_t seed = 7, last = 0, last_order = 0;
	struct item *x;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		timer_init(&it[i].t, 1);
		it[i].order = i;
		timer_arm(ts, &it[i].t, 12345 + next_random(&seed) % (i % 2 ? 3000 : 30000000));
	}
	while ((x = item_of(timer_pop_expired(ts, 40000000)))) {
		assert_true(x->t.expires >= last);
		assert_true(x->t.expires > last || !popped || x->order > last_order);
		last = x->t.expires;
		last_order = x->order;
		popped++;
	}
	assert_int_equal(popped, n);
	free(ts);
	free(it);
}

static void a_jump_over_a_hundred_years_costs_nothing(void **state)
{
	struct timers *ts = new_timers(0);
	struct timer near, far;
	struct clock c;
	uint64_t t0, at = 3600ull * HZ, century = 100ull * 365 * 86400 * HZ;

	(void)state;
	clock_init(&c, CLOCK_KIND_REAL, 0, 0);
	timer_init(&near, 1);
	timer_init(&far, 2);
	t0 = clock_now_ns(&c);
	for (int i = 0; i < 1000; i++, at += 2 * century) {
		timer_arm(ts, &near, at);
		timer_arm(ts, &far, at + century);
		assert_ptr_equal(timer_pop_expired(ts, at), &near);
		assert_null(timer_pop_expired(ts, at + century - 1));
		assert_ptr_equal(timer_pop_expired(ts, at + century), &far);
	}
	assert_true(clock_now_ns(&c) - t0 < 2 * NS_PER_S); /* 3 * 10^12 ticks each */
	free(ts);
}

static void fine_timers_fire_by_time_then_by_arming(void **state)
{
	struct timers *ts = new_timers(0);
	struct hrtimer h[4];
	struct timer t;

	(void)state;
	for (int i = 0; i < 4; i++)
		hrtimer_init(&h[i], 3);
	timer_init(&t, 1);
	assert_true(hrtimer_arm(ts, &h[0], 1500));
	assert_true(hrtimer_arm(ts, &h[1], 1000));
	assert_true(hrtimer_arm(ts, &h[2], 1500));
	assert_true(hrtimer_arm(ts, &h[3], 900));
	timer_arm(ts, &t, 1);
	assert_int_equal(timers_next_ns(ts), 900);
	assert_true(hrtimer_cancel(ts, &h[3]));
	assert_false(hrtimer_cancel(ts, &h[3]));
	assert_int_equal(timers_next_ns(ts), 1000);
	assert_false(timers_any_due(ts, 999));
	assert_null(hrtimer_pop_expired(ts, 999));
	assert_ptr_equal(hrtimer_pop_expired(ts, 2000), &h[1]);
	assert_ptr_equal(hrtimer_pop_expired(ts, 2000), &h[0]);
	assert_ptr_equal(hrtimer_pop_expired(ts, 2000), &h[2]);
	assert_null(hrtimer_pop_expired(ts, 2000));
	assert_int_equal(timers_next_ns(ts), TICK_NS);
	/* armed again: a later place among equals */
	hrtimer_arm(ts, &h[0], 5000);
	hrtimer_arm(ts, &h[1], 5000);
	assert_false(hrtimer_arm(ts, &h[0], 5000));
	assert_ptr_equal(hrtimer_pop_expired(ts, 5000), &h[1]);
	assert_ptr_equal(hrtimer_pop_expired(ts, 5000), &h[0]);
	free(ts);
}

static void after_a_reset_nothing_is_armed_and_all_can_be_again(void **state)
{
	struct timers *ts = new_timers(100);
	struct timer t[3];
	struct hrtimer h;

	(void)state;
	hrtimer_init(&h, 1);
	hrtimer_arm(ts, &h, 1);
	for (int i = 0; i < 3; i++) {
		timer_init(&t[i], 1);
		timer_arm(ts, &t[i], 110 + 100 * (uint64_t)i);
	}
	lock_take(&ts->lock);
	timers_reset(ts);
	lock_drop(&ts->lock);
	assert_int_equal(timers_next_ns(ts), UINT64_MAX);
	assert_null(timer_pop_expired(ts, 200));
	assert_null(hrtimer_pop_expired(ts, 200 * TICK_NS));
	for (int i = 0; i < 3; i++) {
		timer_init(&t[i], 1);
		assert_true(timer_arm(ts, &t[i], 301));
	}
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(timer_pop_expired(ts, 301), &t[i]);
	free(ts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_at_its_tick_and_not_before),
		cmocka_unit_test(what_is_overdue_fires_at_once_oldest_first),
		cmocka_unit_test(arming_and_cancelling_say_who_holds_a_reference),
		cmocka_unit_test(a_hundred_thousand_random_arms_match_a_sorted_list),
		cmocka_unit_test(many_timers_come_out_sorted),
		cmocka_unit_test(a_jump_over_a_hundred_years_costs_nothing),
		cmocka_unit_test(fine_timers_fire_by_time_then_by_arming),
		cmocka_unit_test(after_a_reset_nothing_is_armed_and_all_can_be_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

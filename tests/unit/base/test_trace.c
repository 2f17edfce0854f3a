/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace rings: order, wrap, and readers beside writers. */
#include "base_test.h"

#include <pthread.h>

#include "base/proc.h"
#include "base/trace.h"

static struct arena *a;
static struct trace_ring *ring;

static int make(void **state)
{
	(void)state;
	a = new_arena(ARENA_MIN_BYTES, false, NULL);
	ring = arena_alloc(a, sizeof(*ring));
	return trace_ring_init(ring, a, 64);
}

static int drop(void **state)
{
	(void)state;
	arena_unmap(a);
	return 0;
}

static void emit(uint64_t n)
{
	trace_emit(ring, n, (uint16_t)(n % 1000), 'I', n, n + 1, n + 2, n + 3);
}

static bool fits(const struct trace_rec *r, uint64_t n)
{
	return r->ns == n && r->id == n % 1000 && r->phase == 'I' && r->obj == n && r->a == n + 1 &&
	       r->b == n + 2 && r->c == n + 3;
}

static void a_record_reads_as_it_was_written(void **state)
{
	struct trace_rec r;

	(void)state;
	assert_false(trace_is_on(ring));
	ring->stack = 5;
	emit(77);
	assert_true(trace_read(ring, 0, &r));
	assert_true(fits(&r, 77));
	assert_int_equal(r.stack, 5);
	assert_int_equal(r.tid, proc_tid());
	assert_false(trace_read(ring, 1, &r));
}

static void the_last_lap_is_there_and_older_ones_are_not(void **state)
{
	struct trace_rec r;

	(void)state;
	for (uint64_t n = 0; n < 1000; n++)
		emit(n);
	for (uint64_t n = 0; n < 1000 - 64; n++)
		assert_false(trace_read(ring, n, &r));
	for (uint64_t n = 1000 - 64; n < 1000; n++) {
		assert_true(trace_read(ring, n, &r));
		assert_true(fits(&r, n));
	}
	assert_false(trace_read(ring, 1000, &r));
}

static void a_half_written_record_is_not_read_and_its_slot_is_used_again(void **state)
{
	struct trace_rec r;

	(void)state;
	for (uint64_t n = 0; n < 64 + 10; n++)
		emit(n);
	/* the writer of number 64 + 10 was killed after its second word */
	atomic_fetch_add(&ring->head, 1);
	ring->recs[10].ns = ring->recs[10].obj = 64 + 10;
	assert_false(trace_read(ring, 10, &r));
	assert_false(trace_read(ring, 64 + 10, &r));
	for (uint64_t n = 64 + 11; n < 64 * 3; n++)
		emit(n);
	assert_true(trace_read(ring, 128 + 10, &r));
	assert_true(fits(&r, 128 + 10));
}

static _Atomic int stop;

static void *write_on(void *arg)
{
	uint64_t n = (uint64_t)(uintptr_t)arg << 32;

	for (int i = 0; i < ROUNDS(300000); i++)
		emit(n++);
	return NULL;
}

static void *read_on(void *arg)
{
	uint64_t *good = arg;
	struct trace_rec r;

	while (!atomic_load(&stop)) {
		uint64_t head = atomic_load(&ring->head);

		for (uint64_t n = head > 64 ? head - 64 : 0; n < head; n++)
			if (trace_read(ring, n, &r)) {
				BUG_ON(!fits(&r, r.ns));
				(*good)++;
			}
	}
	return NULL;
}

static void readers_beside_writers_see_whole_records_only(void **state)
{
	pthread_t w[3], r;
	uint64_t good = 0;

	(void)state;
	atomic_store(&stop, 0);
	pthread_create(&r, NULL, read_on, &good);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&w[i], NULL, write_on, (void *)(i + 1));
	for (int i = 0; i < 3; i++)
		pthread_join(w[i], NULL);
	atomic_store(&stop, 1);
	pthread_join(r, NULL);
	assert_int_equal(atomic_load(&ring->head), 3 * ROUNDS(300000));
	assert_true(good > 0);
}

static void a_ring_needs_a_power_of_two_and_memory(void **state)
{
	struct trace_ring other;

	(void)state;
	assert_int_equal(trace_ring_init(&other, a, 0), -EINVAL);
	assert_int_equal(trace_ring_init(&other, a, 100), -EINVAL);
	assert_int_equal(trace_ring_init(&other, a, 1u << 20), -ENOMEM);
	a->fail_after = 2;
	assert_int_equal(trace_ring_init(&other, a, 64), -ENOMEM);
	assert_int_equal(trace_ring_init(&other, a, 64), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make, drop)
		T(a_record_reads_as_it_was_written),
		T(the_last_lap_is_there_and_older_ones_are_not),
		T(a_half_written_record_is_not_read_and_its_slot_is_used_again),
		T(readers_beside_writers_see_whole_records_only),
		T(a_ring_needs_a_power_of_two_and_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Pools: quota and reserve, names that survive objects, threads, signals, sudden death. */
#include "base_test.h"

#include <pthread.h>
#include <sys/time.h>

#include "base/pool.h"
#include "base/proc.h"

#define TYPE 9

struct thing {
	struct obj obj;
	uint64_t value;
	uint8_t rest[100];
};

static struct pool *new_pool(struct arena *a, uint32_t size, uint32_t quota, uint32_t reserve)
{
	struct pool *p = arena_alloc(a, sizeof(*p));

	assert_non_null(p);
	assert_int_equal(pool_init(p, a, "things", TYPE, size, quota, reserve), 0);
	return p;
}

static void the_last_ones_are_kept_for_the_reserve(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 10, 3);

	(void)state;
	for (int i = 0; i < 7; i++)
		assert_non_null(pool_alloc(p, POOL_NORMAL));
	assert_null(pool_alloc(p, POOL_NORMAL));
	for (int i = 0; i < 3; i++)
		assert_non_null(pool_alloc(p, POOL_RESERVE));
	assert_null(pool_alloc(p, POOL_RESERVE));
	assert_int_equal(pool_in_use(p), 10);
	assert_int_equal(p->peak, 10);
	assert_int_equal(p->fails, 2);
	arena_unmap(a);
}

static void an_object_is_marked_and_a_fresh_one_is_clear(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 100, 0);
	struct thing *t;

	(void)state;
	proc_set_slot(77);
	t = pool_alloc(p, POOL_NORMAL);
	assert_int_equal(t->obj.type, TYPE);
	assert_int_equal(t->obj.is_live, 1);
	assert_int_equal(t->obj.owner_proc, 77);
	assert_int_equal(t->rest[99], 0);
	memset(&t->value, 0xff, sizeof(*t) - offsetof(struct thing, value));
	pool_free(p, t);
	assert_int_equal(t->obj.is_live, 0);
	assert_int_equal(t->obj.owner_proc, 0);
	assert_ptr_equal(pool_zalloc(p, POOL_NORMAL), t);
	assert_int_equal(t->value, 0);
	assert_int_equal(t->rest[99], 0);
	pool_free(p, NULL);
	proc_set_slot(0);
	arena_unmap(a);
}

static void a_handle_dies_with_its_object(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 100, 0);
	struct thing *t = pool_alloc(p, POOL_NORMAL), *u;
	uint64_t h = pool_handle(p, t);

	(void)state;
	assert_ptr_equal(pool_resolve(p, h), t);
	pool_free(p, t);
	assert_null(pool_resolve(p, h));
	u = pool_alloc(p, POOL_NORMAL);
	assert_ptr_equal(u, t); /* same place, new life */
	assert_null(pool_resolve(p, h));
	assert_ptr_equal(pool_resolve(p, pool_handle(p, u)), u);
	assert_null(pool_resolve(p, 0));
	assert_null(pool_resolve(p, h | UINT32_MAX));
	arena_unmap(a);
}

static void number_and_address_name_each_other_at_every_size(void **state)
{
	static const uint32_t sizes[] = {16,    24,    48,    64,
					 65,    192,   320,   448,
					 704,   1000,  4032,  9999,
					 21824, 32700, 32800, POOL_MAX_OBJ_BYTES};
	(void)state;
	for (unsigned s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct arena *a = new_arena(64ull << 20, false, NULL);
		uint32_t n = min_u32(5000, (40u << 20) / (sizes[s] * 2));
		struct pool *p = new_pool(a, sizes[s], n, 0);
		uint8_t *seen = calloc(1, n + 5000);
		struct obj *o;

		while ((o = pool_alloc(p, POOL_NORMAL))) {
			uint32_t idx = pool_index(p, o);

			assert_true(idx < n + 4096);
			assert_int_equal(seen[idx]++, 0);
			assert_ptr_equal(pool_at(p, idx), o);
			assert_int_equal((uintptr_t)o % (sizes[s] > 48 ? 64 : 16), 0);
			memset(o + 1, 0xee, sizes[s] - sizeof(*o));
		}
		assert_int_equal(pool_in_use(p), n);
		assert_null(pool_at(p, n + 4096));
		assert_null(pool_at(p, UINT32_MAX));
		free(seen);
		arena_unmap(a);
	}
}

static void the_walk_meets_exactly_the_live_ones(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 3000, 0);
	struct thing *t[3000];
	uint32_t idx = 0, met = 0;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		t[i] = pool_alloc(p, POOL_NORMAL);
		t[i]->value = i;
	}
	for (unsigned i = 0; i < 3000; i++)
		if (i % 3)
			pool_free(p, t[i]);
	for (struct thing *x; (x = pool_next_live(p, &idx)); met++)
		assert_int_equal(x->value % 3, 0);
	assert_int_equal(met, 1000);
	arena_unmap(a);
}

static void each_allocation_can_be_made_to_fail(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 100, 0);

	(void)state;
	a->fail_after = 2; /* first alloc counts itself, then the chunk it needs */
	assert_null(pool_alloc(p, POOL_NORMAL));
	assert_int_equal(pool_in_use(p), 0);
	a->fail_after = 3;
	assert_non_null(pool_alloc(p, POOL_NORMAL)); /* 1, chunk 2 */
	assert_null(pool_alloc(p, POOL_NORMAL));     /* 3 */
	assert_non_null(pool_alloc(p, POOL_NORMAL));
	assert_int_equal(pool_in_use(p), 2);
	arena_unmap(a);
}

static void a_full_arena_refuses_and_keeps_count(void **state)
{
	struct arena *a = new_arena(ARENA_MIN_BYTES, false, NULL);
	struct pool *p = new_pool(a, 32000, 10000, 0);
	uint32_t n = 0;

	(void)state;
	while (pool_alloc(p, POOL_NORMAL))
		n++;
	assert_in_range(n, 2 * 58, 2 * 63);
	assert_int_equal(pool_in_use(p), n);
	arena_unmap(a);
}

static void wrong_sizes_are_refused(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = arena_alloc(a, sizeof(*p));

	(void)state;
	assert_int_equal(pool_init(p, a, "x", TYPE, 8, 10, 0), -EINVAL);
	assert_int_equal(pool_init(p, a, "x", TYPE, POOL_MAX_OBJ_BYTES + 1, 10, 0), -EINVAL);
	assert_int_equal(pool_init(p, a, "x", TYPE, 64, 0, 0), -EINVAL);
	assert_int_equal(pool_init(p, a, "x", TYPE, 64, 10, 11), -EINVAL);
	a->fail_after = 1;
	assert_int_equal(pool_init(p, a, "x", TYPE, 64, 10, 0), -ENOMEM);
	arena_unmap(a);
}

static void free_twice(void *arg)
{
	struct pool *p = arg;
	void *o = pool_alloc(p, POOL_NORMAL);

	pool_free(p, o);
	pool_free(p, o);
}

static void free_into_another_pool(void *arg)
{
	struct pool *p = arg;
	struct pool *q = new_pool(p->arena, sizeof(struct thing), 10, 0);

	q->type = TYPE + 1;
	pool_free(q, pool_alloc(p, POOL_NORMAL));
}

static void freeing_twice_or_into_a_foreign_pool_aborts(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 100, 0);

	(void)state;
	assert_true(died_of(in_child(free_twice, p), SIGABRT));
	assert_true(died_of(in_child(free_into_another_pool, p), SIGABRT));
	arena_unmap(a);
}

/* Take, mark, check that nobody else marked, give back. */
static void hammer_rounds(struct pool *p, uint64_t mark, int rounds)
{
	struct thing *held[24] = {NULL};
	uint64_t seed = mark;

	for (int n = 0; n < rounds; n++) {
		unsigned i = next_random(&seed) % ARRAY_SIZE(held);

		if (held[i]) {
			BUG_ON(held[i]->value != mark + i);
			pool_free(p, held[i]);
			held[i] = NULL;
		} else if ((held[i] = pool_alloc(p, POOL_NORMAL))) {
			held[i]->value = mark + i;
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++)
		pool_free(p, held[i]);
}

static void *hammer(void *arg)
{
	hammer_rounds(arg, (uint64_t)(uintptr_t)pthread_self() << 8, ROUNDS(500000));
	return NULL;
}

static void eight_threads_never_get_the_same_object(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 150, 0); /* tighter than 8 * 24 */
	pthread_t t[8];

	(void)state;
	for (int i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, p), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(pool_in_use(p), 0);
	for (int i = 0; i < 150; i++)
		assert_non_null(pool_alloc(p, POOL_NORMAL));
	arena_unmap(a);
}

static struct pool *signal_pool;
static volatile sig_atomic_t num_signals;

static void on_alarm(int sig)
{
	(void)sig;
	num_signals++;
	hammer_rounds(signal_pool, 1ull << 60, 50);
}

static void a_signal_between_any_two_instructions_does_no_harm(void **state)
{
	struct arena *a = new_arena(0, false, NULL);
	struct itimerval every = {{0, 50}, {0, 50}}, off = {{0, 0}, {0, 0}};
	struct timespec t0, t1;

	(void)state;
	signal_pool = new_pool(a, sizeof(struct thing), 100, 0);
	hammer_rounds(signal_pool, 1, 1000); /* grown: growing takes a lock, handlers must not meet it */
	for (int i = 0; i < 100; i++)
		assert_non_null(pool_alloc(signal_pool, POOL_NORMAL));
	for (uint32_t i = 0; i < 100; i++)
		pool_free(signal_pool, pool_at(signal_pool, i));
	signal(SIGALRM, on_alarm);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	setitimer(ITIMER_REAL, &every, NULL);
	do {
		hammer_rounds(signal_pool, 1ull << 40, 1000);
		clock_gettime(CLOCK_MONOTONIC, &t1);
	} while ((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000 < 300);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_IGN); /* one may still be on its way */
	assert_true(num_signals > 10);
	assert_int_equal(pool_in_use(signal_pool), 0);
	arena_unmap(a);
}

static void hammer_for_ever(void *arg)
{
	for (;;)
		hammer_rounds(arg, (uint64_t)getpid() << 8, 1000);
}

static void the_objects_of_a_killed_process_are_found_by_its_slot(void **state)
{
	struct arena *a = new_arena(0, true, NULL);
	struct pool *p = new_pool(a, sizeof(struct thing), 2000, 0);
	uint32_t lost, n = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		uint32_t idx = 0;

		proc_set_slot((uint16_t)(i + 1)); /* the child inherits it */
		kill_in_the_middle(hammer_for_ever, p, 2000 + 173 * (unsigned)i);
		for (struct thing *t; (t = pool_next_live(p, &idx));)
			if (t->obj.owner_proc == i + 1)
				pool_free(p, t);
	}
	proc_set_slot(0);
	lost = pool_in_use(p);
	assert_in_range(lost, 0, 20); /* at most one each */
	while (pool_alloc(p, POOL_NORMAL))
		n++;
	assert_int_equal(n, 2000 - lost);
	arena_unmap(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* first: a process that never had a second thread takes the unlocked way */
		cmocka_unit_test(a_signal_between_any_two_instructions_does_no_harm),
		cmocka_unit_test(the_last_ones_are_kept_for_the_reserve),
		cmocka_unit_test(an_object_is_marked_and_a_fresh_one_is_clear),
		cmocka_unit_test(a_handle_dies_with_its_object),
		cmocka_unit_test(number_and_address_name_each_other_at_every_size),
		cmocka_unit_test(the_walk_meets_exactly_the_live_ones),
		cmocka_unit_test(each_allocation_can_be_made_to_fail),
		cmocka_unit_test(a_full_arena_refuses_and_keeps_count),
		cmocka_unit_test(wrong_sizes_are_refused),
		cmocka_unit_test(freeing_twice_or_into_a_foreign_pool_aborts),
		cmocka_unit_test(eight_threads_never_get_the_same_object),
		cmocka_unit_test(the_objects_of_a_killed_process_are_found_by_its_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

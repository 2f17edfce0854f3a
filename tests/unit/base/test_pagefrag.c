/* SPDX-License-Identifier: BSD-2-Clause */
/* Page regions: references, reuse from the start (T26.1), exhaustion, recovery. */
#include "base_test.h"

#include "base/pagefrag.h"

static struct arena *a;
static struct page_pool *pp;

static int make(void **state)
{
	(void)state;
	a = new_arena(ARENA_MIN_BYTES, false, NULL);
	return page_pool_create(a, 20, &pp);
}

static int drop(void **state)
{
	(void)state;
	arena_unmap(a);
	return 0;
}

static void regions_are_whole_distinct_and_limited(void **state)
{
	struct page_region *r[20];

	(void)state;
	assert_int_equal(page_pool_capacity(pp), 20);
	for (int i = 0; i < 20; i++) {
		r[i] = page_region_alloc(pp);
		assert_non_null(r[i]);
		assert_int_equal(r[i]->refs, 1);
		assert_int_equal(r[i]->size, PAGE_REGION_BYTES);
		memset(r[i]->data, i, PAGE_REGION_BYTES);
		assert_true(page_region_index(pp, r[i]) < page_pool_capacity(pp) + 4096);
	}
	assert_null(page_region_alloc(pp));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(r[i]->data[0], i);
		assert_int_equal(r[i]->data[PAGE_REGION_BYTES - 1], i);
	}
	for (int i = 0; i < 20; i++)
		page_region_put(pp, r[i]);
	assert_int_equal(page_pool_in_use(pp), 0);
	assert_non_null(page_region_alloc(pp));
}

static void a_region_lives_as_long_as_its_last_reference(void **state)
{
	struct page_region *r = page_region_alloc(pp);

	(void)state;
	page_region_get(r);
	page_region_put(pp, r);
	assert_int_equal(page_pool_in_use(pp), 1);
	page_region_put(pp, r);
	assert_int_equal(page_pool_in_use(pp), 0);
}

static void a_full_region_nobody_reads_is_used_from_its_start(void **state)
{
	struct page_frag pf = {NULL, 0};
	struct page_region *first;

	(void)state;
	assert_true(page_frag_refill(pp, &pf, 1));
	first = pf.region;
	assert_int_equal(pf.off, 0);
	pf.off = PAGE_REGION_BYTES - 31;
	assert_true(page_frag_refill(pp, &pf, 31));
	assert_int_equal(pf.off, PAGE_REGION_BYTES - 31); /* enough: untouched */
	assert_true(page_frag_refill(pp, &pf, 32));
	assert_ptr_equal(pf.region, first);
	assert_int_equal(pf.off, 0);
	/* a reader: leave its bytes alone */
	page_region_get(first);
	pf.off = PAGE_REGION_BYTES;
	assert_true(page_frag_refill(pp, &pf, PAGE_REGION_BYTES));
	assert_ptr_not_equal(pf.region, first);
	assert_int_equal(pf.off, 0);
	assert_int_equal(first->refs, 1); /* ours is gone, the reader's stays */
	page_region_put(pp, first);
	page_frag_release(pp, &pf);
	page_frag_release(pp, &pf); /* nothing left to release */
	assert_null(pf.region);
	assert_int_equal(page_pool_in_use(pp), 0);
}

static void a_failed_refill_changes_nothing(void **state)
{
	struct page_frag pf = {NULL, 0};
	struct page_region *r;

	(void)state;
	for (int64_t n = 1; n <= 3; n++) { /* the descriptor, the chunk it needs, the data chunk */
		a->fail_after = n;
		assert_false(page_frag_refill(pp, &pf, 32));
		assert_int_equal(a->fail_after, 0);
		assert_null(pf.region);
		assert_int_equal(page_pool_in_use(pp), 0);
	}
	assert_true(page_frag_refill(pp, &pf, 32));
	r = pf.region;
	page_region_get(r);
	pf.off = PAGE_REGION_BYTES - 5;
	a->fail_after = 1;
	assert_false(page_frag_refill(pp, &pf, 32));
	assert_ptr_equal(pf.region, r);
	assert_int_equal(pf.off, PAGE_REGION_BYTES - 5);
}

static void a_region_without_data_goes_back_at_the_arenas_cap(void **state)
{
	(void)state;
	while (arena_chunk_alloc(a))
		;
	assert_null(page_region_alloc(pp));
	assert_int_equal(page_pool_in_use(pp), 0);
}

static void recovery_sets_counts_and_frees_what_nobody_holds(void **state)
{
	struct page_region *r[3];
	uint32_t refs[4096] = {0};

	(void)state;
	for (int i = 0; i < 3; i++)
		r[i] = page_region_alloc(pp);
	page_region_get(r[0]); /* a killed process's */
	refs[page_region_index(pp, r[0])] = 1;
	refs[page_region_index(pp, r[2])] = 5;
	page_pool_sweep(pp, refs, ARRAY_SIZE(refs));
	assert_int_equal(r[0]->refs, 1);
	assert_int_equal(r[1]->obj.is_live, 0);
	assert_int_equal(r[2]->refs, 5);
	assert_int_equal(page_pool_in_use(pp), 2);
	page_pool_sweep(pp, refs, 0);
	assert_int_equal(page_pool_in_use(pp), 0);
}

static void creation_fails_cleanly_at_each_allocation(void **state)
{
	struct page_pool *other = NULL;
	uint64_t top;

	(void)state;
	for (int64_t n = 1; n <= 3; n++) {
		a->fail_after = n;
		assert_int_equal(page_pool_create(a, 20, &other), -ENOMEM);
		assert_null(other);
	}
	top = a->top;
	a->fail_after = 3;
	assert_int_equal(page_pool_create(a, 20, &other), -ENOMEM);
	assert_int_equal(a->top, top); /* nothing leaked: the same blocks again */
	assert_int_equal(page_pool_create(a, 20, &other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make, drop)
		T(regions_are_whole_distinct_and_limited),
		T(a_region_lives_as_long_as_its_last_reference),
		T(a_full_region_nobody_reads_is_used_from_its_start),
		T(a_failed_refill_changes_nothing),
		T(a_region_without_data_goes_back_at_the_arenas_cap),
		T(recovery_sets_counts_and_frees_what_nobody_holds),
		T(creation_fails_cleanly_at_each_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

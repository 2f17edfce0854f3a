/* SPDX-License-Identifier: BSD-2-Clause */
/* Arena: sharing between processes, hard cap, recycling, and sudden death inside it. */
#include "base_test.h"

#include <fcntl.h>
#include <stdio.h>

struct shared {
	struct arena *a;
	int fd;
};

static void done(struct arena *a, int fd)
{
	arena_unmap(a);
	if (fd >= 0)
		close(fd);
}

static void attach_and_answer(void *arg)
{
	struct shared *s = arg;
	struct arena *mine = NULL;
	uint64_t *word;

	arena_unmap(s->a); /* what fork gave us; from here on like a stranger with the descriptor */
	if (arena_attach(s->fd, 42, &mine) || mine != s->a)
		_exit(1);
	word = mine->roots[3];
	if (*word != 7)
		_exit(2);
	*word = 8;
	mine->roots[4] = arena_chunk_alloc(mine);
}

static void an_attached_process_shares_state_at_the_same_address(void **state)
{
	struct shared s;
	uint64_t *word;

	(void)state;
	s.a = new_arena(0, true, &s.fd);
	assert_int_equal(s.a->size, ARENA_DEFAULT_BYTES);
	word = s.a->roots[3] = arena_alloc(s.a, sizeof(*word));
	*word = 7;
	assert_true(went_well(in_child(attach_and_answer, &s)));
	assert_int_equal(*word, 8);
	assert_true(arena_contains(s.a, s.a->roots[4]));
	assert_ptr_not_equal(arena_chunk_alloc(s.a), s.a->roots[4]);
	done(s.a, s.fd);
}

static void attach_refuses_what_is_not_this_arena(void **state)
{
	struct arena *a, *b = NULL;
	uint64_t bad = 1;
	int fd, junk = memfd_create("junk", 0);

	(void)state;
	a = new_arena(ARENA_MIN_BYTES, true, &fd);
	assert_int_equal(arena_attach(fd, 43, &b), -EPROTO);
	assert_int_equal(arena_attach(fd, 42, &b), -EEXIST); /* mapped already */
	assert_int_equal(arena_attach(junk, 42, &b), -EPROTO);
	assert_int_equal(ftruncate(junk, ARENA_MIN_BYTES), 0);
	assert_int_equal(arena_attach(junk, 42, &b), -EPROTO);
	/* a true copy of the header in a file of another size */
	assert_int_equal(pwrite(junk, a, sizeof(*a), 0), sizeof(*a));
	assert_int_equal(ftruncate(junk, ARENA_MIN_BYTES / 2), 0);
	assert_int_equal(arena_attach(junk, 42, &b), -EPROTO);
	assert_int_equal(ftruncate(junk, ARENA_MIN_BYTES), 0);
	assert_int_equal(pwrite(junk, &bad, 8, offsetof(struct arena, base)), 8);
	assert_int_equal(arena_attach(junk, 42, &b), -EPROTO);
	assert_null(b);
	close(junk);
	done(a, fd);
}

static void nobody_can_resize_the_file_under_the_others(void **state)
{
	struct arena *a;
	int fd;

	(void)state;
	a = new_arena(ARENA_MIN_BYTES, true, &fd);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	done(a, fd);
}

static void a_taken_base_is_refused_and_an_unnamed_one_avoids_it(void **state)
{
	struct arena_config cfg = {.size = ARENA_MIN_BYTES};
	struct arena *a, *b = NULL, *c;
	int fd = -1;

	(void)state;
	a = new_arena(ARENA_MIN_BYTES, false, NULL);
	cfg.base = a->base;
	assert_int_equal(arena_create(&cfg, &b, &fd), -EEXIST);
	assert_null(b);
	assert_int_equal(fd, -1);
	c = new_arena(ARENA_MIN_BYTES, false, NULL);
	assert_true(c->base >= a->base + a->size || c->base + c->size <= a->base);
	done(c, -1);
	done(a, -1);
	assert_int_equal(arena_create(&cfg, &b, NULL), 0);
	assert_int_equal(b->base, cfg.base);
	done(b, -1);
}

static void sizes_outside_the_limits_are_refused(void **state)
{
	struct arena_config small = {.size = ARENA_MIN_BYTES - 1};
	struct arena_config large = {.size = ARENA_MAX_BYTES + 1};
	struct arena_config crooked = {.base = ARENA_BASE_DEFAULT + 4096};
	struct arena *a = NULL;

	(void)state;
	assert_int_equal(arena_create(&small, &a, NULL), -EINVAL);
	assert_int_equal(arena_create(&large, &a, NULL), -EINVAL);
	assert_int_equal(arena_create(&crooked, &a, NULL), -EINVAL);
	assert_null(a);
}

static void many_arenas_stand_side_by_side(void **state)
{
	struct arena *a[20];

	(void)state;
	for (int i = 0; i < 20; i++) {
		a[i] = new_arena(64ull << 20, false, NULL);
		memset(arena_chunk_alloc(a[i]), i, ARENA_CHUNK_BYTES);
	}
	for (int i = 0; i < 20; i++)
		done(a[i], -1);
}

static unsigned take_all_chunks(struct arena *a, void **chunks, unsigned max)
{
	unsigned n = 0;

	while (n < max && (chunks[n] = arena_chunk_alloc(a)))
		n++;
	return n;
}

static void the_cap_is_hard_and_what_comes_back_is_used_again(void **state)
{
	struct arena *a = new_arena(ARENA_MIN_BYTES, false, NULL);
	void *chunks[64], *again[64];
	unsigned n, m;

	(void)state;
	n = take_all_chunks(a, chunks, 64);
	assert_in_range(n, 60, 63); /* 64 less the header's */
	assert_int_equal(a->chunks_in_use, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal((uintptr_t)chunks[i] % ARENA_CHUNK_BYTES, 0);
		memset(chunks[i], 0xff, ARENA_CHUNK_BYTES);
	}
	assert_null(arena_alloc(a, 64)); /* both borders met */
	for (unsigned i = 0; i < n; i++)
		arena_chunk_free(a, chunks[i]);
	assert_int_equal(a->chunks_in_use, 0);
	m = take_all_chunks(a, again, 64);
	assert_int_equal(m, n);
	for (unsigned i = 0; i < m; i++)
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(again[i], again[j]);
	done(a, -1);
}

static void assert_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0);
}

static void permanent_blocks_are_zero_aligned_and_come_back_by_size(void **state)
{
	static const size_t sizes[] = {1, 64, 65, 1000, 100000};
	struct arena *a = new_arena(ARENA_MIN_BYTES, false, NULL);
	void *p[5][3];
	uint64_t top;

	(void)state;
	for (int s = 0; s < 5; s++)
		for (int i = 0; i < 3; i++) {
			p[s][i] = arena_alloc(a, sizes[s]);
			assert_int_equal((uintptr_t)p[s][i] % 64, 0);
			assert_zero(p[s][i], sizes[s]);
			memset(p[s][i], 0xa5, sizes[s]);
		}
	for (int i = 0; i < 3; i++)
		for (int s = 0; s < 5; s++)
			arena_free_sized(a, p[s][i], sizes[s]);
	top = a->top;
	for (int s = 4; s >= 0; s--)
		for (int i = 0; i < 3; i++) {
			p[s][i] = arena_alloc(a, sizes[s]);
			assert_zero(p[s][i], sizes[s]);
			memset(p[s][i], 0x5a, sizes[s]);
		}
	assert_int_equal(a->top, top);
	for (int s = 0; s < 5; s++) /* nobody wrote into a neighbour */
		for (int i = 0; i < 3; i++)
			assert_int_equal(((uint8_t *)p[s][i])[sizes[s] - 1], 0x5a);
	assert_null(arena_alloc(a, SIZE_MAX));
	assert_null(arena_alloc(a, a->size));
	done(a, -1);
}

static void the_nth_allocation_fails_and_only_that_one(void **state)
{
	struct arena *a = new_arena(ARENA_MIN_BYTES, false, NULL);
	uint64_t tried = a->num_allocs;

	(void)state;
	a->fail_after = 3;
	assert_non_null(arena_chunk_alloc(a));
	assert_non_null(arena_alloc(a, 64));
	assert_null(arena_chunk_alloc(a));
	assert_non_null(arena_chunk_alloc(a));
	assert_non_null(arena_alloc(a, 64));
	assert_int_equal(a->num_allocs - tried, 5);
	done(a, -1);
}

static void churn(void *arg)
{
	struct arena *a = arg;
	void *c[16] = {NULL}, *b[16] = {NULL};
	uint64_t seed = (uint64_t)getpid();

	for (;;) {
		unsigned i = next_random(&seed) % 16;

		if (c[i])
			arena_chunk_free(a, c[i]);
		c[i] = c[i] ? NULL : arena_chunk_alloc(a);
		if (b[i])
			arena_free_sized(a, b[i], 64 * (1 + i % 3));
		b[i] = b[i] ? NULL : arena_alloc(a, 64 * (1 + i % 3));
	}
}

static int compare_pointers(const void *x, const void *y)
{
	uintptr_t a = (uintptr_t) * (void *const *)x, b = (uintptr_t) * (void *const *)y;

	return (a > b) - (a < b);
}

static void a_process_killed_in_the_allocator_never_makes_it_hand_out_twice(void **state)
{
	struct arena *a = new_arena(64ull << 20, true, NULL);
	static void *chunks[1024];
	unsigned n;

	(void)state;
	for (int i = 0; i < 20; i++)
		kill_in_the_middle(churn, a, 2000 + 137 * (unsigned)i);
	n = take_all_chunks(a, chunks, 1024);
	/* what the dead held is theirs (16 a life); one more each may be lost */
	assert_true(n + 20 * 17 >= 1022);
	qsort(chunks, n, sizeof(chunks[0]), compare_pointers);
	for (unsigned i = 1; i < n; i++)
		assert_ptr_not_equal(chunks[i - 1], chunks[i]);
	done(a, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_attached_process_shares_state_at_the_same_address),
		cmocka_unit_test(attach_refuses_what_is_not_this_arena),
		cmocka_unit_test(nobody_can_resize_the_file_under_the_others),
		cmocka_unit_test(a_taken_base_is_refused_and_an_unnamed_one_avoids_it),
		cmocka_unit_test(sizes_outside_the_limits_are_refused),
		cmocka_unit_test(many_arenas_stand_side_by_side),
		cmocka_unit_test(the_cap_is_hard_and_what_comes_back_is_used_again),
		cmocka_unit_test(permanent_blocks_are_zero_aligned_and_come_back_by_size),
		cmocka_unit_test(the_nth_allocation_fails_and_only_that_one),
		cmocka_unit_test(a_process_killed_in_the_allocator_never_makes_it_hand_out_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-process table: what fork copies and what it must not. */
#include "base_test.h"

#include <sys/syscall.h>

#include "base/proc.h"

static void a_descriptor_is_found_until_it_is_forgotten(void **state)
{
	static char keys[PROC_MAX_FDS + 1];

	(void)state;
	for (int i = 0; i < PROC_MAX_FDS; i++) {
		assert_int_equal(proc_fd_get(&keys[i]), -1);
		assert_int_equal(proc_fd_set(&keys[i], i), 0);
	}
	assert_int_equal(proc_fd_set(&keys[PROC_MAX_FDS], 3), -ENFILE);
	assert_int_equal(proc_fd_get(&keys[PROC_MAX_FDS]), -1);
	for (int i = 0; i < PROC_MAX_FDS; i++)
		assert_int_equal(proc_fd_get(&keys[i]), i);
	for (int i = 0; i < PROC_MAX_FDS; i += 2)
		assert_int_equal(proc_fd_set(&keys[i], -1), 0);
	for (int i = 0; i < PROC_MAX_FDS; i++)
		assert_int_equal(proc_fd_get(&keys[i]), i % 2 ? i : -1);
	assert_int_equal(proc_fd_set(&keys[PROC_MAX_FDS], 9), 0); /* room again */
	assert_int_equal(proc_fd_set(&keys[PROC_MAX_FDS], 10), 0);
	assert_int_equal(proc_fd_get(&keys[PROC_MAX_FDS]), 10);
	assert_int_equal(proc_fd_set(&state, -1), 0); /* never known */
}

static void check_tid(void *parent)
{
	uint32_t tid = proc_tid();

	if (tid == *(uint32_t *)parent || tid != (uint32_t)syscall(SYS_gettid) || proc_slot() != 12)
		_exit(1);
}

static void a_child_has_its_own_thread_id_and_the_parents_slot(void **state)
{
	uint32_t tid = proc_tid();

	(void)state;
	assert_int_equal(tid, syscall(SYS_gettid));
	assert_int_equal(proc_slot(), 0);
	proc_set_slot(12);
	assert_true(went_well(in_child(check_tid, &tid)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_is_found_until_it_is_forgotten),
		cmocka_unit_test(a_child_has_its_own_thread_id_and_the_parents_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

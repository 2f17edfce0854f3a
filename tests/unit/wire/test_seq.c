/* SPDX-License-Identifier: BSD-2-Clause */
/* Sequence comparison around the wrap. */
#include "wire/seq.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void order_holds_across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq_before(0xfffffff0u, 0x10u));
	assert_false(seq_before(0x10u, 0xfffffff0u));
	assert_true(seq_after(0x10u, 0xfffffff0u));
	assert_int_equal(seq_diff(0x10u, 0xfffffff0u), 0x20);
	assert_int_equal(seq_diff(0xfffffff0u, 0x10u), -0x20);
	assert_int_equal(seq_max(0xfffffff0u, 0x10u), 0x10u);
	assert_int_equal(seq_min(0xfffffff0u, 0x10u), 0xfffffff0u);
}

static void equal_is_neither_before_nor_after(void **state)
{
	(void)state;
	assert_false(seq_before(7, 7));
	assert_false(seq_after(7, 7));
	assert_true(seq_before_eq(7, 7));
	assert_true(seq_after_eq(7, 7));
}

static void between_includes_both_ends_across_the_wrap(void **state)
{
	(void)state;
	assert_true(seq_between(0xfffffffeu, 0xfffffffeu, 3));
	assert_true(seq_between(3, 0xfffffffeu, 3));
	assert_true(seq_between(0, 0xfffffffeu, 3));
	assert_false(seq_between(4, 0xfffffffeu, 3));
	assert_false(seq_between(0xfffffffdu, 0xfffffffeu, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_holds_across_the_wrap),
		cmocka_unit_test(equal_is_neither_before_nor_after),
		cmocka_unit_test(between_includes_both_ends_across_the_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

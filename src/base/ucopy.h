/* SPDX-License-Identifier: BSD-2-Clause */
/* Copy from and to memory a program named: a bad pointer is -EFAULT, not a crash. */
#ifndef NARU_BASE_UCOPY_H
#define NARU_BASE_UCOPY_H

#include <sys/types.h>

#include "base/cc.h"

#define USER_ADDR_END 0x7ffffffff000ull /* first address no program can own (x86-64, 4 levels) */

/** user_range_ok() - the whole range lies in user space (T04.2); residency is not looked at. */
static inline bool user_range_ok(const void *p, size_t len)
{
	uint64_t a = (uint64_t)(uintptr_t)p;
	return a <= USER_ADDR_END && len <= USER_ADDR_END - a;
}

/**
 * ucopy_init() - install the SIGSEGV/SIGBUS handler for this process; faults outside the copy
 * routines go to the handler that was there before. Calling it again does nothing while ours stands;
 * when another was put in its place (cmocka does before each test) ours goes in front of that one.
 * Return: 0 or a negative errno of sigaction().
 */
int ucopy_init(void);
/** ucopy_handle_fault() - for a program's own handler chain: true when the fault was ours and the
 * context now points behind the copy. @ucontext is the third argument of an SA_SIGINFO handler. */
bool ucopy_handle_fault(int sig, void *ucontext);
/**
 * ucopy_from_user()/ucopy_to_user() - copy @len bytes; no system call when memory is good
 * Return: bytes NOT copied (0: all). A fault in the middle may have copied a part.
 */
size_t ucopy_from_user(void *dst, const void *user_src, size_t len) MUST_CHECK;
size_t ucopy_to_user(void *user_dst, const void *src, size_t len) MUST_CHECK;

#endif

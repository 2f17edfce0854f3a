/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting in memory that others may share, without the bus lock while there are no others. */
/*
 * How it works: a process that runs one thread and has mapped no shared arena is alone with its memory.
 * It uses the same single instructions without the lock prefix: still whole against signal handlers, and
 * several times cheaper. Everybody else gets the ordinary atomic operation. The answer of proc_is_alone()
 * changes only between two calls into the stack: a thread is never started from inside.
 */
#ifndef NARU_BASE_ATOMIC_H
#define NARU_BASE_ATOMIC_H

#include <stdatomic.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "base/cc.h"
#include "base/proc.h"
#include "base/san.h"

#if defined(_SYS_SINGLE_THREADED_H) && defined(__x86_64__) && !SAN_THREAD
#define ATOMIC_HAS_ALONE 1
#else
#define ATOMIC_HAS_ALONE 0
#endif

/** proc_is_alone() - no other thread or process can touch our memory between two of our instructions. */
static inline bool proc_is_alone(void)
{
#if ATOMIC_HAS_ALONE
	return __libc_single_threaded && !proc_is_sharing;
#else
	return false;
#endif
}

/** count_add_u32()/u64()/s32() - add and return the value before; sequentially consistent. */
static inline uint32_t count_add_u32(_Atomic uint32_t *v, uint32_t d)
{
#if ATOMIC_HAS_ALONE
	if (likely(proc_is_alone())) {
		__asm__ volatile("xaddl %0, %1" : "+r"(d), "+m"(*v) : : "memory", "cc");
		return d;
	}
#endif
	return atomic_fetch_add(v, d);
}

static inline uint64_t count_add_u64(_Atomic uint64_t *v, uint64_t d)
{
#if ATOMIC_HAS_ALONE
	if (likely(proc_is_alone())) {
		__asm__ volatile("xaddq %0, %1" : "+r"(d), "+m"(*v) : : "memory", "cc");
		return d;
	}
#endif
	return atomic_fetch_add(v, d);
}

static inline int32_t count_add_s32(_Atomic int32_t *v, int32_t d)
{
#if ATOMIC_HAS_ALONE
	if (likely(proc_is_alone())) {
		__asm__ volatile("xaddl %0, %1" : "+r"(d), "+m"(*v) : : "memory", "cc");
		return d;
	}
#endif
	return atomic_fetch_add(v, d);
}

#if !SAN_THREAD /* it does not know fences */
/** full_barrier() - nothing before it passes anything behind it; between threads that may exist. */
static inline void full_barrier(void)
{
	if (proc_is_alone())
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
}
#endif

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Which sanitizer this is compiled with, and how to tell it about memory we manage ourselves. */
#ifndef NARU_BASE_SAN_H
#define NARU_BASE_SAN_H

#include "base/cc.h"

#ifdef __has_feature
#define SAN_FEATURE(f) __has_feature(f)
#else
#define SAN_FEATURE(f) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || SAN_FEATURE(address_sanitizer)
#define SAN_ADDRESS 1
#else
#define SAN_ADDRESS 0
#endif
#if defined(__SANITIZE_THREAD__) || SAN_FEATURE(thread_sanitizer)
#define SAN_THREAD 1
#else
#define SAN_THREAD 0
#endif
#define SAN_MEMORY SAN_FEATURE(memory_sanitizer)

/* For reads whose value is thrown away when another thread was faster. */
#if SAN_THREAD
#define SAN_NO_THREAD __attribute__((no_sanitize("thread"), noinline))
#else
#define SAN_NO_THREAD
#endif

/* san_poison()/san_unpoison() - reads and writes there are reported / allowed (ASan builds). */
/* san_written() - memory that code the sanitizer cannot see has filled (MSan builds). */
#if SAN_ADDRESS
#include <sanitizer/asan_interface.h>
static inline void san_poison(void *p, size_t len)
{
	__asan_poison_memory_region(p, len);
}
static inline void san_unpoison(void *p, size_t len)
{
	__asan_unpoison_memory_region(p, len);
}
#else
static inline void san_poison(void *p UNUSED, size_t len UNUSED)
{
}
static inline void san_unpoison(void *p UNUSED, size_t len UNUSED)
{
}
#endif
#if SAN_MEMORY
#include <sanitizer/msan_interface.h>
static inline void san_written(void *p, size_t len)
{
	__msan_unpoison(p, len);
}
#else
static inline void san_written(void *p UNUSED, size_t len UNUSED)
{
}
#endif

#endif

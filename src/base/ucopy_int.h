/* SPDX-License-Identifier: BSD-2-Clause */
/* The assembly part of ucopy.c: its entries and the labels the fault handler compares with. */
#ifndef NARU_BASE_UCOPY_INT_H
#define NARU_BASE_UCOPY_INT_H

#include <stddef.h>

/** naru_ucopy() - any length; the areas do not overlap. Return: bytes not copied. */
size_t naru_ucopy(void *dst, const void *src, size_t len);
/** naru_ucopy_avx() - 64 bytes and more, on machines with AVX2. Return: bytes not copied. */
size_t naru_ucopy_avx(void *dst, const void *src, size_t len);

/* A range is [x, x_end); x_fixup is where a fault in it goes on (fast: to the byte range). */
extern const char naru_ucopy_fast[], naru_ucopy_fast_end[];
extern const char naru_ucopy_bytes[], naru_ucopy_bytes_end[], naru_ucopy_bytes_fixup[];
extern const char naru_ucopy_wide[], naru_ucopy_wide_end[], naru_ucopy_wide_fixup[];
extern const char naru_ucopy_string[], naru_ucopy_string_end[], naru_ucopy_string_fixup[];

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Assertion of the fuzz targets: stays active in every build type. */
#ifndef NARU_TESTS_FUZZ_FUZZ_CHECK_H
#define NARU_TESTS_FUZZ_FUZZ_CHECK_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_CHECK(x)                     \
	do {                              \
		if (!(x))                 \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif

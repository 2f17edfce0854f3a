/* SPDX-License-Identifier: BSD-2-Clause */
/* The version text; the number stands in meson.build and nowhere else. */
#include "naru/version.h"

const char naru_version[] = NARU_VERSION;

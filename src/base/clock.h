/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock seam: real (CLOCK_MONOTONIC) or virtual time, in ns. */
#ifndef NARU_BASE_CLOCK_H
#define NARU_BASE_CLOCK_H

#include <stdatomic.h>

#include "base/cc.h"

enum clock_kind { CLOCK_KIND_REAL = 0, CLOCK_KIND_VIRTUAL = 1 };

/* One per arena: all stacks of an arena share time. */
struct clock {
	uint8_t kind;
	_Atomic uint64_t virt_ns;   /* virtual: the present */
	uint64_t virt_wall_base_ns; /* virtual: realtime = this + virt_ns */
};

void clock_init(struct clock *c, enum clock_kind kind, uint64_t start_ns, uint64_t wall_base_ns);
/** clock_now_ns() - monotonic ns; one call per entry point, pass it down as now_ns. */
uint64_t clock_now_ns(const struct clock *c);
/** clock_wall_ns() - real-time ns since 1970 (timestamps reported to programs). */
uint64_t clock_wall_ns(const struct clock *c);
/** clock_wall_s() - seconds since 1970, for ages in days; may be one timer tick of the kernel late. */
uint64_t clock_wall_s(const struct clock *c);
/** clock_is_past() - is @when_ns reached: as clock_now_ns() >= @when_ns, cheaper when it is far away. */
bool clock_is_past(const struct clock *c, uint64_t when_ns);
/** clock_advance_to() - virtual only: move the present forward; never back. */
void clock_advance_to(struct clock *c, uint64_t now_ns);
static inline bool clock_is_virtual(const struct clock *c) { return c->kind == CLOCK_KIND_VIRTUAL; }

#endif

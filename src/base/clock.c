/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock seam. */
/*
 * How it works: a real clock asks the system (vDSO, no kernel entry). A virtual one is a number that
 * only clock_advance_to() moves, and only forward, so that runs repeat to the bit. An exact reading costs
 * some 25 ns, a coarse one a tenth of that.
 */
#include "base/clock.h"

#include <time.h>

/* The coarse clock stands still between two ticks of the kernel, which come at least 100 times a second. */
#define COARSE_LAG_MAX_NS (10 * NS_PER_MS)

static uint64_t system_ns(clockid_t id)
{
	struct timespec ts;

	BUG_ON(clock_gettime(id, &ts) != 0);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void clock_init(struct clock *c, enum clock_kind kind, uint64_t start_ns, uint64_t wall_base_ns)
{
	c->kind = kind;
	atomic_init(&c->virt_ns, start_ns);
	c->virt_wall_base_ns = wall_base_ns;
}

uint64_t clock_now_ns(const struct clock *c)
{
	if (!clock_is_virtual(c))
		return system_ns(CLOCK_MONOTONIC);
	return atomic_load_explicit(&((struct clock *)c)->virt_ns, memory_order_acquire);
}

uint64_t clock_wall_ns(const struct clock *c)
{
	if (!clock_is_virtual(c))
		return system_ns(CLOCK_REALTIME);
	return c->virt_wall_base_ns + clock_now_ns(c);
}

uint64_t clock_wall_s(const struct clock *c)
{
	if (!clock_is_virtual(c))
		return system_ns(CLOCK_REALTIME_COARSE) / NS_PER_S;
	return clock_wall_ns(c) / NS_PER_S;
}

bool clock_is_past(const struct clock *c, uint64_t when_ns)
{
	if (!clock_is_virtual(c) && when_ns > system_ns(CLOCK_MONOTONIC_COARSE) + 2 * COARSE_LAG_MAX_NS)
		return false;
	return clock_now_ns(c) >= when_ns;
}

void clock_advance_to(struct clock *c, uint64_t now_ns)
{
	uint64_t old = atomic_load_explicit(&c->virt_ns, memory_order_relaxed);

	DEBUG_CHECK(clock_is_virtual(c));
	while (old < now_ns &&
	       !atomic_compare_exchange_weak_explicit(&c->virt_ns, &old, now_ns,
						      memory_order_release, memory_order_relaxed))
		;
}

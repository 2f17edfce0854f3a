/* SPDX-License-Identifier: BSD-2-Clause */
/* References to a route, and its path MTU. */
/*
 * How it works: a route is shared by its table, sockets and packets, each with a reference; the last
 * one gives back the neighbour and the object. A replaced route is marked dead, not freed.
 */
#include "core/dst.h"

#include "core/netdev.h"
#include "core/stack.h"
#include "core/tables.h"

#define IPV4_MAX_MTU 65535u        /* total length is 16 bits */
#define IPV6_MAX_MTU (65535u + 40) /* payload length is 16 bits */

void dst_get(struct dst *d)
{
	count_add_u32(&d->refs, 1);
}

void dst_put(struct dst *d)
{
	struct neigh *n;

	if (!d || count_add_u32(&d->refs, -1u) != 1)
		return;
	n = atomic_exchange(&d->neigh, NULL);
	if (n)
		up_tab.neigh_put(n);
	pool_free(&d->stack->pools->dst, d);
}

uint32_t dst_mtu(const struct dst *d)
{
	struct dst *w = (struct dst *)d;
	uint32_t max = ipaddr_is_v4(&d->daddr) ? IPV4_MAX_MTU : IPV6_MAX_MTU;
	uint32_t mtu = d->metrics.mtu ? d->metrics.mtu : d->dev->mtu;
	uint32_t pmtu = atomic_load_explicit(&w->pmtu, memory_order_relaxed);

	if (pmtu && pmtu < mtu && !d->metrics.is_mtu_locked) {
		uint64_t until = __atomic_load_n(&w->pmtu_expires_ns, __ATOMIC_RELAXED);

		if (stack_now_ns(d->stack) < until)
			mtu = pmtu;
	}
	return min_u32(mtu, max);
}

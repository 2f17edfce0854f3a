/* SPDX-License-Identifier: BSD-2-Clause */
/* A route as a socket or packet holds it: output device, next hop, metrics. */
#ifndef NARU_CORE_DST_H
#define NARU_CORE_DST_H

#include <stdatomic.h>

#include "base/pool.h"
#include "wire/ipaddr.h"

struct netdev;
struct neigh;
struct stack;

enum dst_type { DST_UNICAST = 0, DST_LOCAL, DST_BROADCAST, DST_MULTICAST };

/* Route metrics; 0: not set, the stack's default applies. */
struct dst_metrics {
	uint32_t mtu, advmss, initcwnd, initrwnd, window, hoplimit, rto_min_us, quickack, ssthresh, cwnd, reordering, rtt_us, rttvar_us;
	bool is_mtu_locked, is_rto_min_locked;
	char cc[16];	/* congestion control of this route, "" none */
};

struct dst {
	struct obj obj;
	_Atomic uint32_t refs;
	_Atomic uint32_t is_dead;    /* replaced: look up again (dst_is_valid) */
	struct stack *stack;
	struct netdev *dev;
	struct ipaddr gateway;	     /* next hop; the destination itself when on link */
	struct ipaddr daddr, saddr;  /* what it was looked up for; chosen source */
	_Atomic(struct neigh *) neigh; /* one reference, set at first use */
	uint8_t type;
	bool is_gatewayed;
	struct dst_metrics metrics;
	_Atomic uint32_t pmtu;	     /* learned path MTU, 0 none */
	uint64_t pmtu_expires_ns;
	_Atomic bool is_pmtu_locked; /* the learned MTU was below min_pmtu: send without DF */
};

void dst_get(struct dst *d);
/** dst_put() - NULL is fine; frees with the last reference (neighbour reference dropped through
 *  neigh_put_tab in core/tables.h). */
void dst_put(struct dst *d);
static inline bool dst_is_valid(const struct dst *d)
{
	return d && !atomic_load_explicit(&((struct dst *)d)->is_dead, memory_order_relaxed);
}
/** dst_mtu() - path MTU if learned and fresh, else route metric, else device MTU. */
uint32_t dst_mtu(const struct dst *d);

#endif

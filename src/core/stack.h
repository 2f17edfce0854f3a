/* SPDX-License-Identifier: BSD-2-Clause */
/* One network stack: a namespace of its own. Several may share an arena, its pools and its clock. */
#ifndef NARU_CORE_STACK_H
#define NARU_CORE_STACK_H

#include "base/atomic.h"
#include "base/clock.h"
#include "base/pagefrag.h"
#include "base/rng.h"
#include "base/timer.h"
#include "base/trace.h"
#include "core/ids.h"
#include "core/mib.h"
#include "core/skb.h"
#include "core/sysctl.h"

#define STACK_MAX_DEVS 16
#define RXQ_FRAMES_MAX 20000u	/* received frames waiting for the pump; more are dropped and counted */

/* Pools and clock of one arena: arena.roots[ARENA_ROOT_POOLS]. */
struct arena_pools {
	struct arena *arena;
	struct clock clock;
	struct pool skb;
	struct page_pool *pages;
	struct pool stack, netdev, dst, neigh, fragq;
	struct pool tcp_sock, udp_sock, tcp_req, tcp_tw, bind_bucket;
	struct pool file, epoll, epitem, proc, ubuf;
	/* ---- sleeping on behalf of everybody (pump/sleep.c) ---- */
	struct waitq drive_wq;		  /* the driver sleeps here when it has no descriptor */
	_Atomic uint32_t driver;	  /* process slot << 16 | 1 of the driver; 0: nobody drives */
	_Atomic uint32_t standby;	  /* as driver: who sleeps on drive_wq to follow it at once */
	_Atomic uint32_t is_driver_polling; /* it sleeps in ppoll(): kick its event descriptor too */
	_Atomic uint64_t driver_until_ns; /* it looks again at this time; 0: it is awake */
};

/* Private parts of the higher ranks, each defined by its owner. */
struct ip_stack;
struct l4_stack;
struct tcp_stack;
struct udp_stack;
struct pump;

struct stack {
	struct obj obj;
	struct arena_pools *pools;
	uint32_t id;		/* small number within the arena */
	bool is_shared;		/* several processes or threads of several processes */
	bool is_driven;		/* a supervisor thread drives the pump: waiters sleep on their futex */
	_Atomic uint32_t pump_work; /* something waits for the pump: received frames, deferred sockets */
	struct rng rng;		/* under LOCK_PORTS where several threads draw: use stack_rand_*() */
	struct lock rng_lock;
	struct siphash_key secret; /* per-stack key for hashes that peers must not predict */
	struct timers timers;
	struct sysctls sysctl;
	struct mib mib;
	struct trace_ring trace;
	struct lock rxq_lock;
	struct skb_queue rxq;	/* frames from devices, waiting for the pump */
	struct waitq pump_wq;	/* the driver sleeps here when no descriptor wakes it */
	struct netdev *devs[STACK_MAX_DEVS]; /* by ifindex - 1 */
	uint32_t num_devs;
	struct ip_stack *ip;
	struct l4_stack *l4;
	struct tcp_stack *tcp;
	struct udp_stack *udp;
	struct pump *pump;
	_Atomic uint64_t tcp_memory_pages; /* T89.3: 4096-byte pages reserved by sockets */
	_Atomic uint32_t tcp_pressure;	   /* start time in ms, 0: none */
	_Atomic uint32_t num_orphans, num_tw, num_tcp_socks;
};

static inline void mib_add(struct stack *st, enum mib_id id, uint64_t n)
{
	count_add_u64(&st->mib.v[id], n);
}
static inline void mib_inc(struct stack *st, enum mib_id id) { mib_add(st, id, 1); }
static inline void mib_dec(struct stack *st, enum mib_id id) { mib_add(st, id, (uint64_t)-1); }
static inline uint64_t mib_get(const struct stack *st, enum mib_id id)
{
	return atomic_load_explicit(&((struct stack *)st)->mib.v[id], memory_order_relaxed);
}
static inline uint64_t stack_now_ns(const struct stack *st) { return clock_now_ns(&st->pools->clock); }

/** stack_rand_u32()/stack_rand_below() - random numbers, safe from any thread. */
uint32_t stack_rand_u32(struct stack *st);
uint32_t stack_rand_below(struct stack *st, uint32_t n);

/**
 * arena_pools_create() - all pools of an arena
 * Return: 0, -ENOMEM. Quotas follow from the arena's size.
 */
int arena_pools_create(struct arena *a, enum clock_kind kind, uint64_t start_ns, struct arena_pools **ret) MUST_CHECK;
/** stack_alloc() - a stack with defaults and no devices; the ranks above init their parts (boot/). */
struct stack *stack_alloc(struct arena_pools *pools, uint32_t hz, uint64_t seed);
/** stack_free() - give a stack back; its devices are removed and the ranks above are done with it. */
void stack_free(struct stack *st);
/** arena_quota() - objects of a pool: one for each @bytes_per_obj of the arena, within @min .. @max. */
uint32_t arena_quota(const struct arena *a, uint64_t bytes_per_obj, uint32_t min, uint32_t max);
/** stack_pump_kick() - there is work for the pump; wakes a sleeping driver. */
void stack_pump_kick(struct stack *st);
/**
 * pools_wake_driver() - make the thread that sleeps for the whole arena look around now
 * Its event descriptor is proc_fd_get(pools): boot/ creates it and passes it to the other processes
 * of a shared arena together with the device descriptors.
 */
void pools_wake_driver(struct arena_pools *pools);

#endif

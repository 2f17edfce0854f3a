/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers of one stack: a hierarchical wheel in ticks, and high-resolution timers in ns. */
#ifndef NARU_BASE_TIMER_H
#define NARU_BASE_TIMER_H

#include "base/lock.h"
#include "base/rbtree.h"

/* Every function below but timers_reset() takes timers.lock itself and drops it before it returns. */
#define WHEEL_LEVELS 6
#define WHEEL_SLOTS 64

/* Embedded in the object it serves. @kind selects timer_tab[kind] (core/tables.h). */
struct timer {
	struct timer *next, **pprev; /* pprev NULL: not armed */
	uint64_t expires;	     /* tick */
	uint8_t kind;
	uint8_t level, slot;
};

struct hrtimer {
	struct rb_node node;
	uint64_t expires_ns;
	uint64_t order; /* ties fire in arming order */
	uint8_t kind;
	bool is_armed;
};

struct timers {
	struct lock lock;
	uint64_t tick_ns;	 /* 10^9 / HZ */
	uint32_t hz;
	uint64_t now_tick;	 /* wheel has been run up to and including this tick */
	uint32_t num_armed;
	_Atomic uint64_t next_ns; /* no timer is due before this (a lower bound); UINT64_MAX: none */
	uint64_t occupied[WHEEL_LEVELS];
	struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
	struct timer **tails[WHEEL_LEVELS][WHEEL_SLOTS]; /* where the next one is linked; valid when occupied */
	uint64_t first_tick; /* earliest expiry in the wheel, TICK_UNKNOWN when it must be looked up */
	struct rb_root hr;
	uint64_t hr_order;
};

void timers_init(struct timers *ts, uint32_t hz, uint64_t now_ns, bool shared);
static inline uint64_t timers_ns_to_tick(const struct timers *ts, uint64_t ns) { return ns / ts->tick_ns; }
static inline void timer_init(struct timer *t, uint8_t kind) { t->pprev = NULL; t->kind = kind; }
static inline bool timer_is_armed(const struct timer *t)
{
	return __atomic_load_n(&t->pprev, __ATOMIC_RELAXED) != NULL;
}
static inline void hrtimer_init(struct hrtimer *t, uint8_t kind) { t->is_armed = false; t->kind = kind; }
/**
 * timer_arm() - (re)arm for an absolute tick; it fires when the stack's tick >= @expires, exactly
 * Return: true when it was not armed before (the caller then takes a reference for the timer).
 */
bool timer_arm(struct timers *ts, struct timer *t, uint64_t expires);
/** timer_cancel() - Return: true when it was armed (the caller drops the timer's reference). */
bool timer_cancel(struct timers *ts, struct timer *t);
/** timer_pop_expired() - unlink and return one due timer, in order of tick; NULL: none left. */
struct timer *timer_pop_expired(struct timers *ts, uint64_t now_tick);
bool hrtimer_arm(struct timers *ts, struct hrtimer *t, uint64_t expires_ns);
bool hrtimer_cancel(struct timers *ts, struct hrtimer *t);
struct hrtimer *hrtimer_pop_expired(struct timers *ts, uint64_t now_ns);
/**
 * timers_next_ns() - exact time of the next expiry; UINT64_MAX when nothing is armed
 * May walk the chain of one slot when the earliest timer went since the last call; who can bear to
 * wake too early reads next_ns instead.
 */
uint64_t timers_next_ns(struct timers *ts);
/** timers_any_due() - cheap unlocked test (may say true too early, never too late). */
static inline bool timers_any_due(const struct timers *ts, uint64_t now_ns)
{
	return now_ns >= atomic_load_explicit(&((struct timers *)ts)->next_ns, memory_order_relaxed);
}
/**
 * timers_reset() - recovery: forget every armed timer; the caller holds ts->lock (the recovery
 * handler does), re-inits the timers in the objects and arms them again.
 */
void timers_reset(struct timers *ts) MUST_HOLD(ts->lock);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Process-shared robust locks with ranks; wait queues on futexes. */
#ifndef NARU_BASE_LOCK_H
#define NARU_BASE_LOCK_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/atomic.h"

/*
 * Lock classes in the order in which one thread may take them (lower first; equal only where
 * noted). Debug builds keep the classes a thread holds and abort on inversion. docs/locking.md.
 */
enum lock_class {
	LOCK_PUMP = 1,	   /* one per stack: who plays the soft interrupt */
	LOCK_EPOLL = 2,	   /* one epoll object's interest list */
	LOCK_SOCK = 3,	   /* one socket; a listener before its child (nested) */
	LOCK_SOCK_CHILD = 4, /* a child while its listener is held */
	LOCK_BACKLOG = 5,  /* a socket's backlog list */
	LOCK_PORTS = 6,	   /* port tables of one stack */
	LOCK_EHASH = 7,	   /* one stripe of the established table */
	LOCK_IP = 8,	   /* routes, addresses, fragments */
	LOCK_NEIGH = 9,	   /* neighbour table */
	LOCK_QDISC = 10,
	LOCK_DEV = 11,	   /* device transmit */
	LOCK_WIRE = 12,	   /* an in-memory wire, both ends */
	LOCK_RXQ = 13,	   /* a stack's received-frame queue */
	LOCK_EPREADY = 14, /* one epoll object's ready list */
	LOCK_TIMERS = 15,  /* timer wheel and high-resolution timers of one stack */
	LOCK_FILES = 16,   /* file table */
	LOCK_ARENA = 17,   /* arena chunk allocator */
	LOCK_CLASS_NUM
};

struct lock {
	pthread_mutex_t mutex;
	uint8_t class;
	uint8_t was_abandoned; /* the last owner died while it held the lock; sticky until cleared */
	_Atomic uint8_t is_held_alone; /* taken while this process was alone with it: the mutex was not touched */
	uint8_t is_shared;
};

/**
 * lock_init() - make a lock usable
 * @shared: several processes will take it: process-shared and robust; else private and plain
 */
void lock_init(struct lock *l, enum lock_class class, bool shared);
void lock_done(struct lock *l);

/* lock.c: with the mutex, and in debug builds. */
void lock_take_slow(struct lock *l);
bool lock_try_slow(struct lock *l) MUST_CHECK;
void lock_drop_slow(struct lock *l);

static inline bool lock_is_held_alone(const struct lock *l)
{
	return atomic_load_explicit(&((struct lock *)l)->is_held_alone, memory_order_acquire);
}
static inline void lock_set_held_alone(struct lock *l, uint8_t is_held)
{
	atomic_store_explicit(&l->is_held_alone, is_held, memory_order_release);
}
static inline bool lock_is_ours_alone(const struct lock *l)
{
#if NARU_DEBUG
	(void)l;
	return false;
#else
	return !l->is_shared && proc_is_alone();
#endif
}

/**
 * lock_take() - wait for the lock
 *
 * When the previous owner died inside, the lock is made usable again, was_abandoned is set, and
 * lock_recover_tab[class] is called (with the lock held) if that class has a handler.
 */
static inline void lock_take(struct lock *l)
{
	if (likely(lock_is_ours_alone(l) && !lock_is_held_alone(l)))
		lock_set_held_alone(l, 1);
	else
		lock_take_slow(l);
}
/** lock_try() - as lock_take() without waiting. Return: true when taken. */
static inline MUST_CHECK bool lock_try(struct lock *l)
{
	if (unlikely(!lock_is_ours_alone(l)))
		return lock_try_slow(l);
	if (lock_is_held_alone(l))
		return false;
	lock_set_held_alone(l, 1);
	return true;
}
static inline void lock_drop(struct lock *l)
{
	if (likely(lock_is_held_alone(l)))
		lock_set_held_alone(l, 0);
	else
		lock_drop_slow(l);
}
/** lock_is_held_by_me() - debug builds only know; others answer true. */
bool lock_is_held_by_me(const struct lock *l);
/** lock_thread_holds_any() - debug builds: does this thread hold any lock (fork must not). */
bool lock_thread_holds_any(void);

typedef void (*lock_recover_fn)(struct lock *l);
/* Indexed by class; NULL where nothing needs repair. Defined in boot/tables.c. */
extern const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];

/* A place to sleep. Waiters read the sequence, test their condition, then sleep on the sequence. */
struct waitq {
	_Atomic uint32_t seq;
	_Atomic uint32_t num_waiters;
};

/** waitq_begin() - announce a sleeper. Return: ticket for waitq_sleep(). Pair with waitq_end(). */
uint32_t waitq_begin(struct waitq *q);
/**
 * waitq_sleep() - sleep until a wake after waitq_begin(), a signal, or the deadline
 * @deadline_ns: CLOCK_MONOTONIC ns, UINT64_MAX for none
 * Return: 0 woken (or spurious), -ETIMEDOUT, -EINTR
 */
int waitq_sleep(struct waitq *q, uint32_t ticket, uint64_t deadline_ns);
void waitq_end(struct waitq *q);
/** waitq_wake() - wake up to @num sleepers (INT32_MAX: all). No system call when nobody sleeps. */
void waitq_wake(struct waitq *q, int num);

#endif

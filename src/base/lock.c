/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranked, robust locks and futex wait queues. */
/*
 * How it works: a lock is a pthread mutex; shared ones are robust, so the next taker learns that the
 * owner died, repairs the state through lock_recover_tab and goes on. Debug builds keep the locks a
 * thread holds in a thread-local list and abort when a lower or equal class is waited for.
 *
 * A process that is alone with its memory (base/atomic.h) only notes that it holds the lock. Should it start
 * a thread while it does, the thread gets the mutex and waits for the note to go.
 *
 * Wait queues: a waker makes the condition true, then bumps seq, then looks at num_waiters. A waiter
 * raises num_waiters, then reads seq, then tests the condition, then sleeps only while seq is what it
 * read. All four are sequentially consistent, so one of the two always sees the other. A waiter that
 * was killed leaves num_waiters one too high: wake-ups then cost a system call, nothing more.
 */
#include "base/lock.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if NARU_DEBUG

#define HELD_MAX 32

static _Thread_local struct {
	const struct lock *lock[HELD_MAX];
	unsigned num;
} held;

static void check_rank(const struct lock *l)
{
	for (unsigned i = 0; i < held.num; i++) {
		if (l->class > held.lock[i]->class)
			continue;
		fprintf(stderr, "naru: lock rank inversion: class %d wanted while class %d is held\n",
			l->class, held.lock[i]->class);
		abort();
	}
}

static void note_taken(const struct lock *l)
{
	BUG_ON(held.num == HELD_MAX);
	held.lock[held.num++] = l;
}

static void note_dropped(const struct lock *l)
{
	unsigned i = held.num;

	while (i > 0 && held.lock[i - 1] != l)
		i--;
	BUG_ON(i == 0); /* dropped by a thread that does not hold it */
	memmove(&held.lock[i - 1], &held.lock[i], (held.num - i) * sizeof(held.lock[0]));
	held.num--;
}

bool lock_is_held_by_me(const struct lock *l)
{
	for (unsigned i = 0; i < held.num; i++)
		if (held.lock[i] == l)
			return true;
	return false;
}

bool lock_thread_holds_any(void)
{
	return held.num != 0;
}

#else

static inline void check_rank(const struct lock *l UNUSED)
{
}
static inline void note_taken(const struct lock *l UNUSED)
{
}
static inline void note_dropped(const struct lock *l UNUSED)
{
}

bool lock_is_held_by_me(const struct lock *l UNUSED)
{
	return true;
}

bool lock_thread_holds_any(void)
{
	return false;
}

#endif

void lock_init(struct lock *l, enum lock_class class, bool shared)
{
	pthread_mutexattr_t attr;

	BUG_ON(pthread_mutexattr_init(&attr) != 0);
	if (shared) {
		BUG_ON(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) != 0);
		BUG_ON(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) != 0);
	}
	BUG_ON(pthread_mutex_init(&l->mutex, &attr) != 0);
	pthread_mutexattr_destroy(&attr);
	l->class = (uint8_t) class;
	l->was_abandoned = 0;
	l->is_held_alone = 0;
	l->is_shared = shared;
}

void lock_done(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}

/* We own the mutex, and its last owner died inside. */
static COLD void recover(struct lock *l, int err)
{
	BUG_ON(err != EOWNERDEAD);
	BUG_ON(pthread_mutex_consistent(&l->mutex) != 0);
	l->was_abandoned = 1;
	if (lock_recover_tab[l->class])
		lock_recover_tab[l->class](l);
}

void lock_take_slow(struct lock *l)
{
	int err;

	check_rank(l);
	err = pthread_mutex_lock(&l->mutex);
	while (unlikely(lock_is_held_alone(l))) {
		BUG_ON(proc_is_alone()); /* it would wait for itself */
		sched_yield();
	}
	note_taken(l);
	if (unlikely(err))
		recover(l, err);
}

bool lock_try_slow(struct lock *l)
{
	int err = pthread_mutex_trylock(&l->mutex);

	if (err == EBUSY)
		return false;
	if (unlikely(lock_is_held_alone(l))) {
		BUG_ON(pthread_mutex_unlock(&l->mutex) != 0); /* such a lock is not shared: err is 0 */
		return false;
	}
	note_taken(l); /* trying in the wrong order cannot deadlock: no rank check */
	if (unlikely(err))
		recover(l, err);
	return true;
}

void lock_drop_slow(struct lock *l)
{
	note_dropped(l);
	BUG_ON(pthread_mutex_unlock(&l->mutex) != 0);
}

uint32_t waitq_begin(struct waitq *q)
{
	atomic_fetch_add(&q->num_waiters, 1);
	return atomic_load(&q->seq);
}

int waitq_sleep(struct waitq *q, uint32_t ticket, uint64_t deadline_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
			      .tv_nsec = (long)(deadline_ns % NS_PER_S)};
	long r = syscall(SYS_futex, &q->seq, FUTEX_WAIT_BITSET, ticket,
			 deadline_ns == UINT64_MAX ? NULL : &ts, NULL, FUTEX_BITSET_MATCH_ANY);

	if (r == 0 || errno == EAGAIN)
		return 0;
	BUG_ON(errno != ETIMEDOUT && errno != EINTR);
	return -errno;
}

void waitq_end(struct waitq *q)
{
	atomic_fetch_sub(&q->num_waiters, 1);
}

void waitq_wake(struct waitq *q, int num)
{
	count_add_u32(&q->seq, 1);
	if (likely(atomic_load(&q->num_waiters) == 0))
		return;
	syscall(SYS_futex, &q->seq, FUTEX_WAKE, num, NULL, NULL, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The soft interrupt: received frames, timers and deferred work, in whoever's context; and sleeping. */
#ifndef NARU_PUMP_PUMP_H
#define NARU_PUMP_PUMP_H

#include "core/netdev.h"
#include "core/stack.h"

struct sock;

#define PUMP_RX_BUDGET 64 /* frames between two GRO flushes (R01.6) */

/* Stack-private part: stack->pump. */
struct pump {
	struct lock lock;	    /* LOCK_PUMP: the one who plays the soft interrupt */
	struct lock tsq_lock;	    /* LOCK_RXQ rank */
	struct sock *tsq_first;	    /* sockets to resume (T47.5), linked by sk->tsq_next */
	struct gro_table *gro;	    /* arena; merges per flow (pump lock) */
	struct skb_queue batch;	    /* frames taken from stack.rxq, being worked off (pump lock) */
};

int pump_init(struct stack *st) MUST_CHECK;
void pump_done(struct stack *st);
/** pump_drop_socks() - end of a stack: forget the sockets whose small-queue limit was lifted; before l4_done(). */
void pump_drop_socks(struct stack *st);

/**
 * pump_run() - work off what is pending now: received frames, due timers, deferred sockets, queues
 * Nothing is done when another thread holds the pump: it will see the work. Bounded rounds.
 * Context: no sock lock or lower held.
 */
void pump_run(struct stack *st);
/** pump_kick_here() - cheap test at the end of a call: run the pump if there is work. */
static inline void pump_kick_here(struct stack *st)
{
	if (atomic_load_explicit(&st->pump_work, memory_order_relaxed))
		pump_run(st);
	if (atomic_load_explicit(&st->timers.next_ns, memory_order_relaxed) <
	    atomic_load_explicit(&st->pools->driver_until_ns, memory_order_relaxed))
		pools_wake_driver(st->pools);
}
/** pump_queue_tsq() - resume this socket's sending from the pump (T47.4); once; takes a reference. */
void pump_queue_tsq(struct sock *sk);
/** pump_poll_devices() - read device descriptors (non-blocking), up to the budget; frames read. */
int pump_poll_devices(struct stack *st);
/**
 * pump_step() - drive the stack once: poll devices, run, and if nothing happened sleep until the next
 * timer, a descriptor, a kick, or @deadline_ns (real clock only; virtual: the clock is moved to the next
 * timer of any stack of the arena, not past the deadline)
 * Return: true when something was done or time moved; false: deadline reached or nothing can ever come.
 */
bool pump_step(struct stack *st, uint64_t deadline_ns);
/**
 * pump_sleep() - a call waits for its socket: release locks first
 * @q, @ticket: from waitq_begin() while the condition was tested under the sock lock
 * Driven stacks: sleep on the futex. Others: the caller plays the pump until woken.
 * Return: 0 (test again), -ETIMEDOUT, -EINTR (a signal arrived), -EDEADLK (virtual clock only: no event can
 * ever come and there is no deadline; callers give up as if non-blocking, -EAGAIN)
 */
int pump_sleep(struct stack *st, struct waitq *q, uint32_t ticket, uint64_t deadline_ns);
/** pump_kick_fd_open() - event descriptor of this process for its driver (proc_fd_set(pools, fd)); fd or -errno. */
int pump_kick_fd_open(struct arena_pools *pools);
/** pump_forget_proc() - a process died: it no longer drives or runs queues. */
void pump_forget_proc(struct arena_pools *pools, uint16_t slot);
/** pump_recover() - the pump's holder died: drop received frames of the stack, reset GRO. LOCK_PUMP held. */
void pump_recover(struct stack *st);
/** pump_next_event_ns() - earliest timer over all stacks of the arena; UINT64_MAX none. */
uint64_t pump_next_event_ns(struct arena_pools *pools);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Driving stacks through time: one step, and a call that waits for its socket. */
/*
 * How it works: all stacks of an arena share time, so they are driven together, in order of their ids.
 *
 * Virtual clock: when no stack has work, the present jumps to the next timer of any of them. The same
 * inputs give the same order of events.
 *
 * Real clock: a thread that has nothing to do becomes the driver (one for each arena) and sleeps until
 * the next timer, in ppoll() over the devices' descriptors and its event descriptor, or on drive_wq when
 * there is none. Before it sleeps it publishes driver_until_ns; who gives it work, wakes a socket or arms an
 * earlier timer reads that and wakes it (pools_wake_driver(), pump_kick_here()). driver_until_ns is
 * stored before the last look for work, so nothing falls between.
 * One more waiter stands by on drive_wq and follows the driver at once when it leaves; all others sleep on
 * their own socket and look again after RETRY_NS.
 *
 * With a supervisor (is_driven) waiters only sleep on their sockets.
 */
#define _GNU_SOURCE /* ppoll() */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/proc.h"
#include "core/tables.h"
#include "pump/pump.h"
#include "qdisc/qdisc.h"

#define RETRY_NS (10 * NS_PER_MS)   /* a waiter looks again whether it must drive */
#define POLL_FDS_MAX 64             /* devices with descriptors driven by one process */
#define SLEEP_MAX_NS (1 * NS_PER_S) /* the driver looks around at least so often */

/* ---- all stacks of an arena ---- */

static bool stack_has_work(struct stack *st, uint64_t now_ns)
{
	return st->pump && (atomic_load(&st->pump_work) || timers_any_due(&st->timers, now_ns));
}

/* Poll and run everything that is due now. Return: was there anything. */
static bool run_all(struct arena_pools *pools)
{
	uint64_t now_ns = clock_now_ns(&pools->clock);
	struct stack *st;
	uint32_t idx = 0;
	bool did = false;

	while ((st = pool_next_live(&pools->stack, &idx))) {
		if (!st->pump)
			continue;
		if (pump_poll_devices(st))
			did = true;
		if (!stack_has_work(st, now_ns))
			continue;
		pump_run(st);
		did = true;
	}
	return did;
}

uint64_t pump_next_event_ns(struct arena_pools *pools)
{
	uint64_t next = UINT64_MAX;
	struct stack *st;
	uint32_t idx = 0;

	while ((st = pool_next_live(&pools->stack, &idx)))
		if (st->pump)
			next = min_u64(next, timers_next_ns(&st->timers));
	return next;
}

static bool any_work(struct arena_pools *pools)
{
	uint64_t now_ns = clock_now_ns(&pools->clock);
	struct stack *st;
	uint32_t idx = 0;

	while ((st = pool_next_live(&pools->stack, &idx)))
		if (stack_has_work(st, now_ns))
			return true;
	return false;
}

/* ---- virtual clock ---- */

static bool step_virtual(struct arena_pools *pools, uint64_t deadline_ns)
{
	uint64_t to;

	if (run_all(pools))
		return true;
	to = min_u64(pump_next_event_ns(pools), deadline_ns);
	if (to == UINT64_MAX || to <= clock_now_ns(&pools->clock))
		return false;
	clock_advance_to(&pools->clock, to);
	run_all(pools);
	return true;
}

/* ---- real clock ---- */

static int collect_fds(struct arena_pools *pools, struct pollfd *pfd)
{
	int num = 0, kick = proc_fd_get(pools);
	struct stack *st;
	uint32_t idx = 0;

	while ((st = pool_next_live(&pools->stack, &idx))) {
		for (uint32_t i = 0; i < st->num_devs && num < POLL_FDS_MAX - 1; i++) {
			struct netdev *dev = st->devs[i];
			const struct dev_ops *ops = dev ? dev_ops_tab[dev->ops_id] : NULL;
			int fd = ops && ops->fd ? ops->fd(dev) : -1;

			if (fd < 0)
				continue;
			pfd[num].fd = fd;
			pfd[num].events = POLLIN;
			if (atomic_load(&dev->is_tx_stopped))
				pfd[num].events |= POLLOUT;
			num++;
		}
	}
	if (num && kick >= 0)
		pfd[num++] = (struct pollfd){.fd = kick, .events = POLLIN};
	return num;
}

/* A stopped device became writable: its queue runs in the next round. */
static void restart_stopped(struct arena_pools *pools)
{
	struct stack *st;
	uint32_t idx = 0;

	while ((st = pool_next_live(&pools->stack, &idx)))
		for (uint32_t i = 0; i < st->num_devs; i++)
			if (st->devs[i] && atomic_load(&st->devs[i]->is_tx_stopped))
				atomic_store(&st->pump_work, 1);
}

static int sleep_in_poll(struct arena_pools *pools, struct pollfd *pfd, int num, uint64_t until_ns)
{
	uint64_t now_ns = clock_now_ns(&pools->clock);
	uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;
	struct timespec ts = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
	int r = ppoll(pfd, (nfds_t)num, &ts, NULL);
	int kick = proc_fd_get(pools);

	if (r < 0)
		return errno == EINTR ? -EINTR : 0;
	for (int i = 0; i < num; i++) {
		uint64_t n;

		if (pfd[i].fd == kick && pfd[i].revents && read(kick, &n, sizeof(n)) < 0)
			continue; /* drained by another thread */
		if (pfd[i].revents & POLLOUT)
			restart_stopped(pools);
	}
	return 0;
}

/*
 * Sleep as the driver until there may be work. @q: the waiter's own queue, NULL for a supervisor.
 * Return: 0 or -EINTR.
 */
static int sleep_as_driver(struct arena_pools *pools, const struct waitq *q, uint32_t ticket,
			   uint64_t deadline_ns)
{
	struct pollfd pfd[POLL_FDS_MAX];
	int num = collect_fds(pools, pfd), err = 0;
	uint64_t now_ns = clock_now_ns(&pools->clock), until_ns;
	uint32_t t = waitq_begin(&pools->drive_wq);

	atomic_store(&pools->is_driver_polling, num != 0);
	until_ns = min_u64(now_ns + SLEEP_MAX_NS, deadline_ns);
	/* Published as "for ever" first: a timer armed while we look counts as earlier. */
	atomic_store(&pools->driver_until_ns, UINT64_MAX);
	until_ns = min_u64(until_ns, pump_next_event_ns(pools));
	atomic_store(&pools->driver_until_ns, max_u64(until_ns, 1));
	if (until_ns > now_ns && !any_work(pools) && pump_next_event_ns(pools) >= until_ns &&
	    (!q || atomic_load(&((struct waitq *)q)->seq) == ticket)) {
		if (num)
			err = sleep_in_poll(pools, pfd, num, until_ns);
		else
			err = waitq_sleep(&pools->drive_wq, t, until_ns);
	}
	atomic_store(&pools->driver_until_ns, 0);
	atomic_store(&pools->is_driver_polling, 0);
	waitq_end(&pools->drive_wq);
	return err == -EINTR ? err : 0;
}

/* Take one of the two places, pools->driver or pools->standby. */
static bool claim(_Atomic uint32_t *place)
{
	uint32_t none = 0;

	return atomic_compare_exchange_strong(place, &none, (uint32_t)proc_slot() << 16 | 1);
}

static void driver_leave(struct arena_pools *pools)
{
	atomic_store(&pools->driver, 0);
	if (atomic_load(&pools->standby))
		waitq_wake(&pools->drive_wq, INT32_MAX);
}

bool pump_step(struct stack *st, uint64_t deadline_ns)
{
	struct arena_pools *pools = st->pools;

	if (clock_is_virtual(&pools->clock))
		return step_virtual(pools, deadline_ns);
	if (run_all(pools))
		return true;
	if (clock_now_ns(&pools->clock) >= deadline_ns)
		return false;
	if (claim(&pools->driver)) {
		sleep_as_driver(pools, NULL, 0, deadline_ns);
		driver_leave(pools);
	} else {
		uint32_t t = waitq_begin(&st->pump_wq);

		waitq_sleep(&st->pump_wq, t,
			    min_u64(deadline_ns, clock_now_ns(&pools->clock) + RETRY_NS));
		waitq_end(&st->pump_wq);
	}
	run_all(pools);
	return clock_now_ns(&pools->clock) < deadline_ns;
}

int pump_kick_fd_open(struct arena_pools *pools)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = proc_fd_set(pools, fd);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

void pump_forget_proc(struct arena_pools *pools, uint16_t slot)
{
	uint32_t who = (uint32_t)slot << 16 | 1;
	struct stack *st;
	uint32_t idx = 0;

	if (atomic_compare_exchange_strong(&pools->driver, &who, 0)) {
		atomic_store(&pools->driver_until_ns, 0);
		atomic_store(&pools->is_driver_polling, 0);
	}
	who = (uint32_t)slot << 16 | 1;
	atomic_compare_exchange_strong(&pools->standby, &who, 0);
	while ((st = pool_next_live(&pools->stack, &idx)))
		qdisc_forget_proc(st, slot);
}

/* ---- a call waits ---- */

static bool is_woken(const struct waitq *q, uint32_t ticket)
{
	return atomic_load(&((struct waitq *)q)->seq) != ticket;
}

static int sleep_virtual(struct stack *st, struct waitq *q, uint32_t ticket, uint64_t deadline_ns)
{
	struct arena_pools *pools = st->pools;

	while (!is_woken(q, ticket)) {
		if (clock_now_ns(&pools->clock) >= deadline_ns && !any_work(pools))
			return -ETIMEDOUT;
		if (!step_virtual(pools, deadline_ns) && !is_woken(q, ticket) && !any_work(pools))
			return clock_now_ns(&pools->clock) >= deadline_ns ? -ETIMEDOUT : -EDEADLK;
	}
	return 0;
}

/* Not the driver: first in line to follow it, or asleep on the socket alone. */
static int sleep_beside_driver(struct arena_pools *pools, struct waitq *q, uint32_t ticket,
			       uint64_t until_ns)
{
	uint32_t t;
	int err = 0;

	if (!claim(&pools->standby))
		return waitq_sleep(q, ticket, until_ns);
	t = waitq_begin(&pools->drive_wq);
	if (!is_woken(q, ticket) && atomic_load(&pools->driver))
		err = waitq_sleep(&pools->drive_wq, t, until_ns);
	waitq_end(&pools->drive_wq);
	atomic_store(&pools->standby, 0);
	return err;
}

static int sleep_once(struct stack *st, struct waitq *q, uint32_t ticket, uint64_t deadline_ns)
{
	struct arena_pools *pools = st->pools;
	int err;

	if (claim(&pools->driver)) {
		err = sleep_as_driver(pools, q, ticket, deadline_ns);
		driver_leave(pools);
		return err;
	}
	err = sleep_beside_driver(pools, q, ticket,
				  min_u64(deadline_ns, clock_now_ns(&pools->clock) + RETRY_NS));
	return err == -ETIMEDOUT ? 0 : err;
}

int pump_sleep(struct stack *st, struct waitq *q, uint32_t ticket, uint64_t deadline_ns)
{
	struct arena_pools *pools = st->pools;
	int err;

	if (st->is_driven && !clock_is_virtual(&pools->clock)) {
		pump_kick_here(st);
		return is_woken(q, ticket) ? 0 : waitq_sleep(q, ticket, deadline_ns);
	}
	if (clock_is_virtual(&pools->clock))
		return sleep_virtual(st, q, ticket, deadline_ns);
	for (;;) {
		run_all(pools);
		if (is_woken(q, ticket))
			return 0;
		if (clock_now_ns(&pools->clock) >= deadline_ns)
			return -ETIMEDOUT;
		err = sleep_once(st, q, ticket, deadline_ns);
		if (err)
			return is_woken(q, ticket) ? 0 : err;
	}
}

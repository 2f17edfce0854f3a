/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll over both kinds: the kernel's object for the kernel's descriptors, Naru's object for its sockets. */
/*
 * How it works
 *
 * The program's epoll descriptor is the kernel's. The first socket added to it makes an epoll object of
 * Naru's and an event descriptor, which joins the kernel's set under a tag of ours. A waiter takes what
 * both have. With sockets only it sleeps on the object's futex; with both it counts itself in num_outside
 * and sleeps in the kernel, where the event descriptor wakes it.
 *
 * The process that made the object owns it: its close, or the supervisor at its end, frees it. A child of
 * fork() uses the parent's object through the memory they share, and inherits it when the parent ends.
 */
#include "preload/shim.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/ucopy.h"

#define EVENTS_AT_ONCE 128 /* a caller with more room gets the rest at its next call */

struct shim_ep {
	_Atomic uint32_t refs;	     /* descriptors of this process, and calls in progress */
	_Atomic(struct epoll *) ep;  /* NULL: no socket was added yet */
	uint64_t handle;	     /* of ep */
	int efd;		     /* in the kernel's set */
	pid_t owner;		     /* process that made ep; slots are used again by others */
	_Atomic int32_t num_kernel;  /* descriptors of the kernel's in the set, at least */
	_Atomic bool is_nested;	     /* it stands in another set: kicks are always wanted */
	struct shim_ep *next_free;
};

static uint64_t tag_of(const struct shim_ep *e) { return (uint64_t)(uintptr_t)e; }

/* ---- objects ---- */

struct epoll *ep_naru(struct shim_ep *e) { return atomic_load(&e->ep); }

struct shim_ep *ep_of(int fd)
{
	struct fd_entry *d = fd_entry(fd);
	struct shim_ep *e;
	uint32_t refs;

	if (fd_kind(fd) != FD_EPOLL)
		return NULL;
	e = atomic_load(&d->obj);
	if (!e)
		return NULL;
	refs = atomic_load(&e->refs);
	do {
		if (!refs)
			return NULL;
	} while (!atomic_compare_exchange_weak(&e->refs, &refs, refs + 1));
	if (atomic_load(&d->obj) == e)
		return e;
	ep_put(e);
	return NULL;
}

void ep_get_ref(struct shim_ep *e) { atomic_fetch_add(&e->refs, 1); }

/* The memory stays for the next one: a reader may still look at refs. */
void ep_put(struct shim_ep *e)
{
	struct epoll *ep;

	if (atomic_fetch_sub(&e->refs, 1) != 1)
		return;
	ep = atomic_exchange(&e->ep, NULL);
	if (ep) {
		proc_fd_set(ep, -1);
		if (e->owner == getpid()) {
			shim_tell(TREE_FORGET_EPOLL, e->handle, -1);
			epoll_free(ep);
		}
		shim_disown_fd(e->efd);
	}
	pthread_mutex_lock(&shim.lock);
	e->next_free = shim.free_eps;
	shim.free_eps = e;
	pthread_mutex_unlock(&shim.lock);
}

static struct shim_ep *ep_new(void)
{
	struct shim_ep *e;

	pthread_mutex_lock(&shim.lock);
	e = shim.free_eps;
	if (e)
		shim.free_eps = e->next_free;
	pthread_mutex_unlock(&shim.lock);
	if (!e)
		e = calloc(1, sizeof(*e));
	if (e) {
		e->num_kernel = 0;
		e->is_nested = false;
		e->efd = -1;
		atomic_store(&e->refs, 1);
	}
	return e;
}

void ep_install(int fd)
{
	struct shim_ep *e = fd_entry(fd) ? ep_new() : NULL;

	if (!e)
		return;
	pthread_mutex_lock(&shim.lock);
	shim.tab[fd].has_dups = false;
	atomic_store(&shim.tab[fd].obj, e);
	atomic_store(&shim.tab[fd].kind, FD_EPOLL);
	if (fd > atomic_load(&shim.max_fd))
		atomic_store(&shim.max_fd, fd);
	pthread_mutex_unlock(&shim.lock);
}

/* Make Naru's half. 0 or negative errno. */
static int make_naru(struct shim_ep *e, int epfd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = tag_of(e) };
	struct epoll *ep = epoll_new(shim.stack);
	int fd = ep ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;

	if (fd < 0) {
		if (ep)
			epoll_free(ep);
		return ep ? -errno : -ENOMEM;
	}
	e->efd = shim_own_fd(fd);
	if (REAL(epoll_ctl)(epfd, EPOLL_CTL_ADD, e->efd, &ev)) {
		int err = -errno;

		epoll_free(ep);
		shim_disown_fd(e->efd);
		return err;
	}
	e->handle = pool_handle(&shim.stack->pools->epoll, ep);
	e->owner = getpid();
	proc_fd_set(ep, e->efd);
	shim_tell(TREE_WATCH_EPOLL, e->handle, e->efd);
	ep->num_outside = e->is_nested ? 1 : 0;
	atomic_store(&e->ep, ep);
	return 0;
}

static int need_naru(struct shim_ep *e, int epfd)
{
	int err = 0;

	if (atomic_load(&e->ep))
		return 0;
	pthread_mutex_lock(&shim.lock);
	if (!atomic_load(&e->ep))
		err = make_naru(e, epfd);
	pthread_mutex_unlock(&shim.lock);
	return err;
}

/* The child keeps using an object of a process that has ended only while nobody else got its memory. */
static struct epoll *live_naru(struct shim_ep *e)
{
	struct epoll *ep = atomic_load(&e->ep);

	return ep && pool_resolve(&shim.stack->pools->epoll, e->handle) == ep ? ep : NULL;
}

/* ---- control ---- */

static int ctl_socket(struct shim_ep *e, int epfd, int op, struct file *f, int fd, struct epoll_event *user)
{
	struct epoll_event ev = { 0 };
	int err;

	if (op != EPOLL_CTL_DEL && ucopy_from_user(&ev, user, sizeof(ev)))
		return -EFAULT;
	if (op == EPOLL_CTL_ADD) {
		err = need_naru(e, epfd);
		if (err)
			return err;
	}
	if (!live_naru(e))
		return -ENOENT;
	return epoll_ctl_file(e->ep, op, f, fd, &ev);
}

static void mark_nested(int fd)
{
	struct shim_ep *in = ep_of(fd);

	if (!in)
		return;
	if (!atomic_exchange(&in->is_nested, true) && atomic_load(&in->ep))
		atomic_fetch_add(&atomic_load(&in->ep)->num_outside, 1);
	ep_put(in);
}

static int ctl_kernel(struct shim_ep *e, int epfd, int op, int fd, struct epoll_event *ev)
{
	struct epoll *ep;
	int ret;

	if (fd_kind(fd) == FD_EPOLL && op == EPOLL_CTL_ADD)
		mark_nested(fd);
	if (fd_kind(fd) == FD_OWN)
		return (int)fd_done(NULL, -EBADF);
	ret = REAL(epoll_ctl)(epfd, op, fd, ev);
	if (ret || op == EPOLL_CTL_MOD)
		return ret;
	ep = live_naru(e);
	if (op == EPOLL_CTL_DEL)
		atomic_fetch_sub(&e->num_kernel, 1);
	else if (!atomic_fetch_add(&e->num_kernel, 1) && ep)
		waitq_wake(&ep->wq, INT32_MAX); /* who sleeps on the futex must move into the kernel */
	return ret;
}

SHIM_EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *ev)
{
	struct shim_ep *e = ep_of(epfd);
	struct file *f;
	int ret;

	if (!e)
		return REAL(epoll_ctl)(epfd, op, fd, ev);
	f = fd_get(fd);
	if (f)
		ret = (int)fd_done(f, ctl_socket(e, epfd, op, f, fd, ev));
	else
		ret = ctl_kernel(e, epfd, op, fd, ev);
	ep_put(e);
	return ret;
}

SHIM_EXPORT int epoll_create1(int flags)
{
	int fd = REAL(epoll_create1)(flags);

	if (fd >= 0 && shim_is_on())
		ep_install(fd);
	return fd;
}

SHIM_EXPORT int epoll_create(int size)
{
	if (size > 0)
		return epoll_create1(0);
	errno = EINVAL;
	return -1;
}

/* ---- waiting ---- */

/* One wait() call. */
struct epoll_call {
	struct shim_ep *e;
	struct epoll *ep;
	int epfd, max; /* max <= EVENTS_AT_ONCE */
	uint64_t deadline_ns;
	const sigset_t *mask;
	struct epoll_event evs[EVENTS_AT_ONCE];
};

/* libc's wait for what the kernel knows, from place @n on; our tag is taken out. Events in all or -errno. */
static int wait_kernel(struct epoll_call *c, int n, const struct timespec *ts)
{
	int got, to = n;

	if (REAL(epoll_pwait2)) {
		got = REAL(epoll_pwait2)(c->epfd, c->evs + n, c->max - n, ts, c->mask);
	} else {
		int64_t ms = ts ? ts->tv_sec * 1000 + (ts->tv_nsec + 999999) / 1000000 : -1;

		got = REAL(epoll_pwait)(c->epfd, c->evs + n, c->max - n, (int)(ms > INT32_MAX ? INT32_MAX : ms), c->mask);
	}
	if (got < 0)
		return n ? n : -errno;
	for (int i = n; i < n + got; i++) {
		uint64_t count;

		if (c->evs[i].data.u64 != tag_of(c->e))
			c->evs[to++] = c->evs[i];
		else if (REAL(read)(c->e->efd, &count, sizeof(count)) < 0)
			continue; /* another thread drained it */
	}
	return to;
}

/* Sleep in the kernel. Events or -errno; 0: look again. */
static int sleep_outside(struct epoll_call *c)
{
	uint64_t now = stack_now_ns(c->ep->stack), ns = c->deadline_ns > now ? c->deadline_ns - now : 0;
	struct timespec ts = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
	int n = 0;

	atomic_fetch_add(&c->ep->num_outside, 1);
	atomic_store(&c->ep->is_kicked, 0);
	if (!epoll_has_ready(c->ep))
		n = wait_kernel(c, 0, c->deadline_ns == UINT64_MAX ? NULL : &ts);
	atomic_fetch_sub(&c->ep->num_outside, 1);
	if (n > 0 && n < c->max)
		n += epoll_collect(c->ep, c->evs + n, c->max - n);
	return n;
}

static int wait_both(struct epoll_call *c)
{
	static const struct timespec now = { 0 };

	for (;;) {
		uint32_t ticket = waitq_begin(&c->ep->wq);
		bool is_mixed = c->mask || atomic_load(&c->e->num_kernel) > 0;
		int n = epoll_collect(c->ep, c->evs, c->max), err = 0;

		if (n && n < c->max && atomic_load(&c->e->num_kernel) > 0)
			n = wait_kernel(c, n, &now);
		if (n || stack_now_ns(c->ep->stack) >= c->deadline_ns) {
			waitq_end(&c->ep->wq);
			return n || !is_mixed ? n : wait_kernel(c, 0, &now);
		}
		if (!is_mixed)
			err = waitq_sleep(&c->ep->wq, ticket, c->deadline_ns);
		waitq_end(&c->ep->wq);
		if (is_mixed)
			err = sleep_outside(c);
		if (err > 0 || (err < 0 && err != -ETIMEDOUT))
			return err;
	}
}

static int wait_epoll(int epfd, struct epoll_event *user, int max, uint64_t deadline_ns, const sigset_t *mask, struct shim_ep *e)
{
	struct epoll_call c;
	int n;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(*user))
		return -EINVAL;
	c.e = e;
	c.ep = live_naru(e);
	c.epfd = epfd;
	c.max = max < EVENTS_AT_ONCE ? max : EVENTS_AT_ONCE;
	c.deadline_ns = deadline_ns;
	c.mask = mask;
	tree_run_pending(c.ep->stack);
	n = wait_both(&c);
	if (n > 0 && ucopy_to_user(user, c.evs, (size_t)n * sizeof(*user)))
		return -EFAULT;
	return n;
}

SHIM_EXPORT int epoll_pwait2(int epfd, struct epoll_event *evs, int max, const struct timespec *ts, const sigset_t *mask)
{
	struct shim_ep *e = ep_of(epfd);
	uint64_t deadline;
	int ret, err;

	if (!e || !live_naru(e)) {
		if (e)
			ep_put(e);
		return REAL(epoll_pwait2)(epfd, evs, max, ts, mask);
	}
	deadline = deadline_after(ts, &err);
	ret = err ? err : wait_epoll(epfd, evs, max, deadline, mask, e);
	ep_put(e);
	return (int)fd_done(NULL, ret);
}

SHIM_EXPORT int epoll_pwait(int epfd, struct epoll_event *evs, int max, int timeout_ms, const sigset_t *mask)
{
	struct shim_ep *e = ep_of(epfd);
	uint64_t deadline;
	int ret;

	if (!e || !live_naru(e)) {
		if (e)
			ep_put(e);
		return REAL(epoll_pwait)(epfd, evs, max, timeout_ms, mask);
	}
	deadline = timeout_ms < 0 ? UINT64_MAX : stack_now_ns(shim.stack) + (uint64_t)timeout_ms * NS_PER_MS;
	ret = wait_epoll(epfd, evs, max, deadline, mask, e);
	ep_put(e);
	return (int)fd_done(NULL, ret);
}

SHIM_EXPORT int epoll_wait(int epfd, struct epoll_event *evs, int max, int timeout_ms)
{
	return epoll_pwait(epfd, evs, max, timeout_ms, NULL);
}

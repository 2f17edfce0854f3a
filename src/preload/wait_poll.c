/* SPDX-License-Identifier: BSD-2-Clause */
/* poll and select over sockets of Naru's, descriptors of the kernel's, and both at once. */
/*
 * How it works
 *
 * Only kernel descriptors: libc. Only sockets: poll_files(). Both: this thread has an epoll object of
 * Naru's and an event descriptor; the sockets are registered with the object, the thread sleeps in
 * ppoll() on the kernel's descriptors and the event descriptor, and whoever makes a socket ready writes
 * to it (this process directly, others through the supervisor). With a signal mask to be put in place
 * while sleeping ppoll() is used too, since only the kernel can do that without a gap.
 */
#include "preload/shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/proc.h"

#define FAST_FDS 64
#define READ_EVENTS (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define WRITE_EVENTS (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)

/* One thread's place to sleep on both sides. */
struct waiter {
	struct epoll *ep;
	uint64_t handle;
	int efd;
};

/* One poll() call. */
struct poll_call {
	struct pollfd *fds; /* the program's, or select()'s copy */
	nfds_t n;
	struct file **files;   /* NULL where the kernel knows the descriptor */
	struct pollfd *kernel; /* n + 1: fd -1 where it is ours; last: event descriptor */
	struct pollfd *ours;   /* n: fd -1 where it is the kernel's */
	nfds_t num_ours, num_kernel;
};

/* ---- the thread's waiter ---- */

static void waiter_free(struct waiter *w)
{
	proc_fd_set(w->ep, -1);
	shim_tell(TREE_FORGET_EPOLL, w->handle, -1);
	shim_disown_fd(w->efd);
	epoll_free(w->ep);
	free(w);
}

void wait_thread_end(void *state) { waiter_free(state); }

static struct waiter *waiter_new(void)
{
	struct waiter *w = calloc(1, sizeof(*w));
	int fd;

	if (!w)
		return NULL;
	w->ep = epoll_new(shim.stack);
	fd = w->ep ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1;
	if (fd < 0) {
		if (w->ep)
			epoll_free(w->ep);
		free(w);
		return NULL;
	}
	w->ep->is_poll = true;
	w->efd = shim_own_fd(fd);
	w->handle = pool_handle(&shim.stack->pools->epoll, w->ep);
	proc_fd_set(w->ep, w->efd);
	shim_tell(TREE_WATCH_EPOLL, w->handle, w->efd);
	return w;
}

static struct waiter *waiter_get(void)
{
	struct waiter *w = pthread_getspecific(shim.thread_key);

	if (w)
		return w;
	w = waiter_new();
	if (w)
		pthread_setspecific(shim.thread_key, w);
	return w;
}

void wait_after_fork(void)
{
	struct waiter *w = pthread_getspecific(shim.thread_key);

	if (!w)
		return;
	pthread_setspecific(shim.thread_key, NULL); /* the parent's; our copy of its descriptor goes */
	proc_fd_set(w->ep, -1);
	shim_disown_fd(w->efd);
	free(w);
}

/* ---- time ---- */

uint64_t deadline_after(const struct timespec *ts, int *ret_err)
{
	uint64_t now = stack_now_ns(shim.stack);

	*ret_err = 0;
	if (!ts)
		return UINT64_MAX;
	if (ts->tv_sec < 0 || (uint64_t)ts->tv_nsec >= NS_PER_S) {
		*ret_err = -EINVAL;
		return now;
	}
	if ((uint64_t)ts->tv_sec > (UINT64_MAX - now) / NS_PER_S - 1)
		return UINT64_MAX;
	return now + (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec;
}

static struct timespec until(uint64_t deadline_ns)
{
	uint64_t now = stack_now_ns(shim.stack), ns = deadline_ns > now ? deadline_ns - now : 0;

	return (struct timespec){ (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
}

/* ---- sorting ---- */

static bool ep_is_ready(int fd)
{
	struct shim_ep *e = ep_of(fd);
	bool is_ready = e && ep_naru(e) && epoll_has_ready(ep_naru(e));

	if (e)
		ep_put(e);
	return is_ready;
}

static void sort_fds(struct poll_call *c)
{
	for (nfds_t i = 0; i < c->n; i++) {
		int fd = c->fds[i].fd;

		c->files[i] = fd < 0 ? NULL : fd_get(fd);
		c->num_ours += c->files[i] != NULL;
		c->num_kernel += fd >= 0 && !c->files[i];
	}
}

static void split(struct poll_call *c)
{
	for (nfds_t i = 0; i < c->n; i++) {
		c->ours[i] = c->kernel[i] = c->fds[i];
		if (c->files[i])
			c->kernel[i].fd = -1;
		else
			c->ours[i].fd = -1;
	}
	c->kernel[c->n] = (struct pollfd){ .fd = -1, .events = POLLIN };
}

/* Join both halves' answers. Number of entries with an answer. */
static int combine(struct poll_call *c)
{
	int ready = 0;

	for (nfds_t i = 0; i < c->n; i++) {
		short ev = c->files[i] ? c->ours[i].revents : c->fds[i].fd >= 0 ? c->kernel[i].revents : 0;

		if (!c->files[i] && (c->fds[i].events & POLLIN) && fd_kind(c->fds[i].fd) == FD_EPOLL && ep_is_ready(c->fds[i].fd))
			ev |= POLLIN;
		c->fds[i].revents = ev;
		ready += ev != 0;
	}
	return ready;
}

/* ---- both kinds ---- */

static void register_all(struct poll_call *c, struct epoll *ep, int op)
{
	for (nfds_t i = 0; i < c->n; i++) {
		struct epoll_event ev = { .events = (uint16_t)c->fds[i].events, .data.u64 = i };

		if (c->files[i])
			epoll_ctl_file(ep, op, c->files[i], (int)i, &ev);
	}
}

/* One look at both sides, sleeping until @deadline_ns if neither has anything. Entries ready or -errno. */
static int look(struct poll_call *c, uint64_t deadline_ns, const sigset_t *mask)
{
	int ours = poll_files(shim.stack, c->files, c->ours, (uint32_t)c->n, 0);
	struct timespec ts = until(ours ? 0 : deadline_ns);
	int r = REAL(ppoll)(c->kernel, c->n + 1, deadline_ns == UINT64_MAX && !ours ? NULL : &ts, mask);

	if (ours < 0)
		return ours;
	if (r < 0 && !ours)
		return -errno;
	if (r < 0)
		for (nfds_t i = 0; i < c->n; i++)
			c->kernel[i].revents = 0;
	return combine(c);
}

static int poll_both(struct poll_call *c, uint64_t deadline_ns, const sigset_t *mask)
{
	struct waiter *w;
	int ret = look(c, 0, NULL);

	if (ret || stack_now_ns(shim.stack) >= deadline_ns)
		return ret;
	w = waiter_get();
	if (!w)
		return -ENOMEM;
	c->kernel[c->n].fd = w->efd;
	register_all(c, w->ep, EPOLL_CTL_ADD);
	atomic_fetch_add(&w->ep->num_outside, 1);
	for (;;) {
		uint64_t count;

		atomic_store(&w->ep->is_kicked, 0);
		ret = look(c, deadline_ns, mask);
		if (c->kernel[c->n].revents && REAL(read)(w->efd, &count, sizeof(count)) < 0)
			continue; /* drained already */
		if (ret || stack_now_ns(shim.stack) >= deadline_ns)
			break;
	}
	atomic_fetch_sub(&w->ep->num_outside, 1);
	register_all(c, w->ep, EPOLL_CTL_DEL);
	return ret;
}

static int poll_sorted(struct poll_call *c, uint64_t deadline_ns, const sigset_t *mask)
{
	struct timespec ts;
	int ret;

	if (!c->num_ours) {
		bool has_ep = false;

		for (nfds_t i = 0; i < c->n; i++)
			has_ep |= fd_kind(c->fds[i].fd) == FD_EPOLL;
		if (!has_ep) {
			ts = until(deadline_ns);
			ret = REAL(ppoll)(c->fds, c->n, deadline_ns == UINT64_MAX ? NULL : &ts, mask);
			return ret < 0 ? -errno : ret;
		}
	} else if (!c->num_kernel && !mask) {
		return poll_files(shim.stack, c->files, c->fds, (uint32_t)c->n, deadline_ns);
	}
	split(c);
	return poll_both(c, deadline_ns, mask);
}

int wait_poll(struct pollfd *fds, nfds_t n, uint64_t deadline_ns, const sigset_t *mask)
{
	struct pollfd fast[2 * FAST_FDS + 1];
	struct file *fast_files[FAST_FDS];
	struct poll_call c = { .fds = fds, .n = n, .files = fast_files, .kernel = fast, .ours = fast + FAST_FDS + 1 };
	void *slow = NULL;
	int ret;

	if (n > FAST_FDS) {
		slow = malloc((2 * n + 1) * sizeof(*fds) + n * sizeof(*c.files));
		if (!slow)
			return -ENOMEM;
		c.files = slow;
		c.kernel = (struct pollfd *)(c.files + n);
		c.ours = c.kernel + n + 1;
	}
	sort_fds(&c);
	ret = poll_sorted(&c, deadline_ns, mask);
	for (nfds_t i = 0; i < n; i++)
		if (c.files[i])
			file_put(c.files[i]);
	free(slow);
	return ret;
}

/* ---- the calls ---- */

static bool is_kernels(struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++)
		if (fd_kind(fds[i].fd) == FD_NARU || fd_kind(fds[i].fd) == FD_EPOLL)
			return false;
	return true;
}

SHIM_EXPORT int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	uint64_t deadline;

	if (!shim.is_on || n > SHIM_MAX_FDS || !fds || is_kernels(fds, n))
		return REAL(poll)(fds, n, timeout_ms);
	deadline = timeout_ms < 0 ? UINT64_MAX : stack_now_ns(shim.stack) + (uint64_t)timeout_ms * NS_PER_MS;
	return (int)fd_done(NULL, wait_poll(fds, n, deadline, NULL));
}

SHIM_EXPORT int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask)
{
	uint64_t deadline;
	int err;

	if (!shim.is_on || n > SHIM_MAX_FDS || !fds || is_kernels(fds, n))
		return REAL(ppoll)(fds, n, ts, mask);
	deadline = deadline_after(ts, &err);
	return (int)fd_done(NULL, err ? err : wait_poll(fds, n, deadline, mask));
}

SHIM_EXPORT int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t size)
{
	BUG_ON(size / sizeof(*fds) < n);
	return poll(fds, n, timeout_ms);
}

SHIM_EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *ts, const sigset_t *mask, size_t size)
{
	BUG_ON(size / sizeof(*fds) < n);
	return ppoll(fds, n, ts, mask);
}

/* ---- select ---- */

/* Bit @fd, also beyond FD_SETSIZE: the program's set is as long as its nfds says. */
static bool bit_get(const fd_set *set, int fd)
{
	return set && ((const unsigned long *)set)[fd / NFDBITS] >> (fd % NFDBITS) & 1;
}

static void bit_put(fd_set *set, int fd, bool is_set)
{
	unsigned long bit = 1ul << (fd % NFDBITS), *word;

	if (!set)
		return;
	word = &((unsigned long *)set)[fd / NFDBITS];
	*word = is_set ? *word | bit : *word & ~bit;
}

static bool sets_are_kernels(int nfds, const fd_set *r, const fd_set *w, const fd_set *e)
{
	int end = min_u32((uint32_t)nfds, (uint32_t)atomic_load(&shim.max_fd) + 1);

	for (int fd = 0; fd < end; fd++)
		if ((fd_kind(fd) == FD_NARU || fd_kind(fd) == FD_EPOLL) && (bit_get(r, fd) || bit_get(w, fd) || bit_get(e, fd)))
			return false;
	return true;
}

static int answer_select(const struct pollfd *fds, nfds_t n, fd_set *r, fd_set *w, fd_set *e)
{
	int bits = 0;

	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents & POLLNVAL)
			return -EBADF;
	for (nfds_t i = 0; i < n; i++) {
		short want = fds[i].events, got = fds[i].revents;
		bool in = (want & POLLIN) && (got & READ_EVENTS), out = (want & POLLOUT) && (got & WRITE_EVENTS);
		bool pri = (want & POLLPRI) && (got & POLLPRI);

		bit_put(r, fds[i].fd, in);
		bit_put(w, fds[i].fd, out);
		bit_put(e, fds[i].fd, pri);
		bits += in + out + pri;
	}
	return bits;
}

/* poll() answers with errors nobody asked for, where select() would go on waiting: only for exception sets. */
static int wait_select(int nfds, fd_set *r, fd_set *w, fd_set *e, uint64_t deadline_ns, const sigset_t *mask)
{
	struct pollfd *fds = malloc(sizeof(*fds) * ((size_t)nfds + 1));
	nfds_t n = 0;
	int ret;

	if (!fds)
		return -ENOMEM;
	for (int fd = 0; fd < nfds; fd++) {
		short ev = (short)((bit_get(r, fd) ? POLLIN : 0) | (bit_get(w, fd) ? POLLOUT : 0) | (bit_get(e, fd) ? POLLPRI : 0));

		if (ev)
			fds[n++] = (struct pollfd){ .fd = fd, .events = ev };
	}
	ret = wait_poll(fds, n, deadline_ns, mask);
	if (ret >= 0)
		ret = answer_select(fds, n, r, w, e);
	free(fds);
	return ret;
}

SHIM_EXPORT int select(int nfds, fd_set *r, fd_set *w, fd_set *e, struct timeval *tv)
{
	struct timespec ts = { 0 };
	uint64_t deadline;
	int ret, err;

	if (!shim.is_on || nfds <= 0 || (unsigned int)nfds > SHIM_MAX_FDS || sets_are_kernels(nfds, r, w, e))
		return REAL(select)(nfds, r, w, e, tv);
	if (tv)
		ts = (struct timespec){ tv->tv_sec + tv->tv_usec / 1000000, tv->tv_usec % 1000000 * 1000 };
	deadline = deadline_after(tv ? &ts : NULL, &err);
	ret = err ? err : wait_select(nfds, r, w, e, deadline, NULL);
	if (tv && !err) { /* Linux leaves what remains */
		ts = until(deadline);
		*tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
	}
	return (int)fd_done(NULL, ret);
}

SHIM_EXPORT int pselect(int nfds, fd_set *r, fd_set *w, fd_set *e, const struct timespec *ts, const sigset_t *mask)
{
	uint64_t deadline;
	int err;

	if (!shim.is_on || nfds <= 0 || (unsigned int)nfds > SHIM_MAX_FDS || sets_are_kernels(nfds, r, w, e))
		return REAL(pselect)(nfds, r, w, e, ts, mask);
	deadline = deadline_after(ts, &err);
	return (int)fd_done(NULL, err ? err : wait_select(nfds, r, w, e, deadline, mask));
}

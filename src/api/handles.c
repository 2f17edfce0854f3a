/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's calls: handles to files, negative errno to -1 and errno. */
#define _GNU_SOURCE
#include "naru/naru.h"

#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "base/ucopy.h"
#include "pump/pump.h"

#define POLL_FAST_FDS 32
#define POLL_MAX_FDS 65536u /* more entries than any process has descriptors: -EINVAL */

static struct stack *stack_of(naru_stack *st) { return (struct stack *)st; }

static ssize_t done(struct file *f, ssize_t n)
{
	if (f)
		file_put(f);
	if (likely(n >= 0))
		return n;
	errno = (int)-n;
	return -1;
}

#define LOOKUP(st, s) file_lookup(stack_of(st), s)

int naru_socket(naru_stack *st, int domain, int type, int protocol)
{
	struct file *f;
	int err = __sys_socket(stack_of(st), domain, type, protocol, &f);

	return err ? (int)done(NULL, err) : file_handle(f);
}

int naru_bind(naru_stack *st, int s, const struct sockaddr *addr, socklen_t len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_bind(f, addr, len));
}

int naru_connect(naru_stack *st, int s, const struct sockaddr *addr, socklen_t len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_connect(f, addr, len));
}

int naru_listen(naru_stack *st, int s, int backlog)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_listen(f, backlog));
}

int naru_accept4(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct file *f = LOOKUP(st, s), *child;
	int err = __sys_accept4(f, addr, len, flags, &child);

	return (int)done(f, err ? err : file_handle(child));
}

int naru_accept(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len) { return naru_accept4(st, s, addr, len, 0); }

ssize_t naru_sendto(naru_stack *st, int s, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t alen)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_sendto(f, buf, len, flags, addr, alen));
}

ssize_t naru_send(naru_stack *st, int s, const void *buf, size_t len, int flags)
{
	return naru_sendto(st, s, buf, len, flags, NULL, 0);
}

ssize_t naru_sendmsg(naru_stack *st, int s, const struct msghdr *msg, int flags)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_sendmsg(f, msg, flags));
}

int naru_sendmmsg(naru_stack *st, int s, struct mmsghdr *vec, unsigned int n, int flags)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_sendmmsg(f, vec, n, flags));
}

ssize_t naru_write(naru_stack *st, int s, const void *buf, size_t len)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_write(f, buf, len));
}

ssize_t naru_writev(naru_stack *st, int s, const struct iovec *iov, int n)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_writev(f, iov, n));
}

ssize_t naru_recvfrom(naru_stack *st, int s, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_recvfrom(f, buf, len, flags, addr, alen));
}

ssize_t naru_recv(naru_stack *st, int s, void *buf, size_t len, int flags)
{
	return naru_recvfrom(st, s, buf, len, flags, NULL, NULL);
}

ssize_t naru_recvmsg(naru_stack *st, int s, struct msghdr *msg, int flags)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_recvmsg(f, msg, flags));
}

int naru_recvmmsg(naru_stack *st, int s, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_recvmmsg(f, vec, n, flags, timeout));
}

ssize_t naru_read(naru_stack *st, int s, void *buf, size_t len)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_read(f, buf, len));
}

ssize_t naru_readv(naru_stack *st, int s, const struct iovec *iov, int n)
{
	struct file *f = LOOKUP(st, s);

	return done(f, __sys_readv(f, iov, n));
}

int naru_shutdown(naru_stack *st, int s, int how)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_shutdown(f, how));
}

int naru_close(naru_stack *st, int s)
{
	struct file *f = LOOKUP(st, s);
	int err = f ? file_close(f) : -EBADF;

	err = (int)done(f, err);
	pump_kick_here(stack_of(st));
	return err;
}

int naru_getsockname(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_getsockname(f, addr, len));
}

int naru_getpeername(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_getpeername(f, addr, len));
}

int naru_getsockopt(naru_stack *st, int s, int level, int opt, void *val, socklen_t *len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_getsockopt(f, level, opt, val, len));
}

int naru_setsockopt(naru_stack *st, int s, int level, int opt, const void *val, socklen_t len)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_setsockopt(f, level, opt, val, len));
}

int naru_ioctl(naru_stack *st, int s, unsigned long req, void *arg)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_ioctl(f, req, arg));
}

int naru_fcntl(naru_stack *st, int s, int cmd, long arg)
{
	struct file *f = LOOKUP(st, s);

	return (int)done(f, __sys_fcntl(f, cmd, arg));
}

/* ---- readiness ---- */

static uint64_t deadline_of(struct stack *st, int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX : stack_now_ns(st) + (uint64_t)timeout_ms * NS_PER_MS;
}

int naru_poll(naru_stack *st, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct file *fast[POLL_FAST_FDS], **files = fast;
	int ret;

	if (n > POLL_MAX_FDS)
		return (int)done(NULL, -EINVAL);
	if (!user_range_ok(fds, n * sizeof(*fds)))
		return (int)done(NULL, -EFAULT);
	if (n > POLL_FAST_FDS && !(files = malloc(n * sizeof(*files))))
		return (int)done(NULL, -ENOMEM);
	for (nfds_t i = 0; i < n; i++)
		files[i] = LOOKUP(st, fds[i].fd);
	ret = poll_files(stack_of(st), files, fds, (uint32_t)n, deadline_of(stack_of(st), timeout_ms));
	for (nfds_t i = 0; i < n; i++)
		if (files[i])
			file_put(files[i]);
	if (files != fast)
		free(files);
	return (int)done(NULL, ret);
}

int naru_epoll_create1(naru_stack *st, int flags)
{
	struct epoll *ep;
	struct file *f;

	if (flags & ~EPOLL_CLOEXEC)
		return (int)done(NULL, -EINVAL);
	ep = epoll_new(stack_of(st));
	if (!ep)
		return (int)done(NULL, -ENOMEM);
	f = file_open(stack_of(st), NULL, ep);
	if (!f) {
		epoll_free(ep);
		return (int)done(NULL, -ENFILE);
	}
	return file_handle(f);
}

int naru_epoll_ctl(naru_stack *st, int epfd, int op, int s, struct epoll_event *ev)
{
	struct file *ef = LOOKUP(st, epfd), *f = LOOKUP(st, s);
	struct epoll_event e = { 0 };
	int err = 0;

	if (op != EPOLL_CTL_DEL && ucopy_from_user(&e, ev, sizeof(e)))
		err = -EFAULT;
	else if (!ef || !f)
		err = -EBADF;
	else if (ef->kind != FILE_EPOLL)
		err = -EINVAL;
	if (!err)
		err = epoll_ctl_file(ef->ep, op, f, s, &e);
	if (f)
		file_put(f);
	return (int)done(ef, err);
}

int naru_epoll_wait(naru_stack *st, int epfd, struct epoll_event *evs, int max, int timeout_ms)
{
	struct file *f;
	int n;

	if (max <= 0 || (size_t)max > INT32_MAX / sizeof(*evs))
		return (int)done(NULL, -EINVAL);
	if (!user_range_ok(evs, (size_t)max * sizeof(*evs)))
		return (int)done(NULL, -EFAULT);
	f = LOOKUP(st, epfd);
	if (!f)
		return (int)done(NULL, -EBADF);
	n = f->kind == FILE_EPOLL ? epoll_wait_ns(f->ep, evs, max, deadline_of(f->stack, timeout_ms)) : -EINVAL;
	return (int)done(f, n);
}

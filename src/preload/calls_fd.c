/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on descriptors as such: close, dup, fcntl, ioctl, close_range. */
/*
 * How it works: descriptor flags live on the placeholder (the kernel's), file flags in Naru's file. Our own
 * descriptors look closed to the program: closing them is EBADF and ranges leave them out.
 */
#include "preload/shim.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4u
#endif

SHIM_EXPORT int close(int fd) { return fd_kind(fd) == FD_KERNEL ? REAL(close)(fd) : fd_close(fd); }

SHIM_EXPORT int dup(int fd)
{
	int ret = REAL(dup)(fd);

	if (ret >= 0 && fd_kind(fd) != FD_KERNEL)
		fd_copy(fd, ret);
	return ret;
}

static int is_refused(int fd)
{
	if (fd_kind(fd) != FD_OWN)
		return 0;
	errno = EBUSY; /* as when the number is being opened by another thread */
	return -1;
}

SHIM_EXPORT int dup2(int from, int to)
{
	if (fd_kind(from) == FD_KERNEL && fd_kind(to) == FD_KERNEL)
		return REAL(dup2)(from, to);
	return is_refused(to) ? -1 : fd_replace(from, to, -1);
}

SHIM_EXPORT int dup3(int from, int to, int flags)
{
	if (flags < 0 || (fd_kind(from) == FD_KERNEL && fd_kind(to) == FD_KERNEL))
		return REAL(dup3)(from, to, flags);
	return is_refused(to) ? -1 : fd_replace(from, to, flags);
}

static int naru_fcntl_call(struct file *f, int fd, int cmd, long arg)
{
	int ret;

	switch (cmd) {
	case F_GETFL:
	case F_SETFL:
		return (int)fd_done(f, __sys_fcntl(f, cmd, arg));
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		ret = REAL(fcntl)(fd, cmd, arg);
		if (ret >= 0)
			fd_copy(fd, ret);
		file_put(f);
		return ret;
	default:
		file_put(f);
		return REAL(fcntl)(fd, cmd, arg); /* FD_CLOEXEC, owner, ...: the placeholder's */
	}
}

static int fcntl_call(int fd, int cmd, long arg)
{
	struct file *f = fd_get(fd);
	int ret;

	if (f)
		return naru_fcntl_call(f, fd, cmd, arg);
	ret = REAL(fcntl)(fd, cmd, arg);
	if (ret >= 0 && (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) && fd_kind(fd) == FD_EPOLL)
		fd_copy(fd, ret);
	return ret;
}

SHIM_EXPORT int fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return fcntl_call(fd, cmd, arg);
}

SHIM_EXPORT int fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	return fcntl_call(fd, cmd, arg);
}

SHIM_EXPORT int ioctl(int fd, unsigned long req, ...)
{
	struct file *f = fd_get(fd);
	va_list ap;
	void *arg;

	va_start(ap, req);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!f)
		return REAL(ioctl)(fd, req, arg);
	if (req == FIOCLEX || req == FIONCLEX) {
		file_put(f);
		return REAL(ioctl)(fd, req, arg);
	}
	return (int)fd_done(f, __sys_ioctl(f, req, arg));
}

/* ---- ranges ---- */

static void close_ours_in(unsigned int first, unsigned int last)
{
	unsigned int max = (unsigned int)atomic_load(&shim.max_fd);

	for (unsigned int fd = first; fd <= last && fd <= max; fd++)
		if (fd_kind((int)fd) == FD_NARU || fd_kind((int)fd) == FD_EPOLL)
			fd_close((int)fd);
}

SHIM_EXPORT int close_range(unsigned int first, unsigned int last, int flags)
{
	unsigned int max = (unsigned int)atomic_load(&shim.max_fd);
	int ret = 0;

	if (first > last)
		return REAL(close_range)(first, last, flags);
	if (!((unsigned int)flags & CLOSE_RANGE_CLOEXEC))
		close_ours_in(first, last);
	for (unsigned int fd = first; fd <= max && fd <= last && !ret; fd++) {
		if (fd_kind((int)fd) != FD_OWN)
			continue;
		if (fd > first)
			ret = REAL(close_range)(first, fd - 1, flags);
		if (fd == last)
			return ret;
		first = fd + 1;
	}
	return ret ? ret : REAL(close_range)(first, last, flags);
}

SHIM_EXPORT void closefrom(int first) { close_range(first < 0 ? 0 : (unsigned int)first, ~0u, 0); }

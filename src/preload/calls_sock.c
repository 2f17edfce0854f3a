/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that make, name, connect and configure sockets. */
/*
 * How it works: internet stream and datagram sockets are Naru's, all others the kernel's. The descriptor is
 * taken before the socket is made or accepted, as the kernel does, so that EMFILE loses no connection.
 */
#include "preload/shim.h"

#include <netinet/in.h>
#include <unistd.h>

static bool is_ours(int domain, int type, int protocol)
{
	int t = type & 0xf;

	if ((domain != AF_INET && domain != AF_INET6) || (t != SOCK_STREAM && t != SOCK_DGRAM))
		return false;
	if (t == SOCK_STREAM)
		return !protocol || protocol == IPPROTO_TCP;
	return !protocol || protocol == IPPROTO_UDP;
}

SHIM_EXPORT int socket(int domain, int type, int protocol)
{
	struct file *f;
	int fd, err;

	if (!is_ours(domain, type, protocol) || !shim_is_on())
		return REAL(socket)(domain, type, protocol);
	fd = fd_placeholder(type);
	if (fd < 0)
		return (int)fd_done(NULL, fd);
	err = __sys_socket(shim.stack, domain, type, protocol, &f);
	if (err) {
		REAL(close)(fd);
		return (int)fd_done(NULL, err);
	}
	fd_install(fd, f);
	return fd;
}

SHIM_EXPORT int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	struct file *f = fd_get(fd), *child;
	int err, ret;

	if (!f)
		return REAL(accept4)(fd, addr, len, flags);
	ret = fd_placeholder(flags);
	if (ret < 0)
		return (int)fd_done(f, ret);
	err = __sys_accept4(f, addr, len, flags, &child);
	if (err)
		REAL(close)(ret);
	else
		fd_install(ret, child);
	return (int)fd_done(f, err ? err : ret);
}

SHIM_EXPORT int accept(int fd, struct sockaddr *addr, socklen_t *len) { return accept4(fd, addr, len, 0); }

SHIM_EXPORT int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_bind(f, addr, len)) : REAL(bind)(fd, addr, len);
}

SHIM_EXPORT int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_connect(f, addr, len)) : REAL(connect)(fd, addr, len);
}

SHIM_EXPORT int listen(int fd, int backlog)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_listen(f, backlog)) : REAL(listen)(fd, backlog);
}

SHIM_EXPORT int shutdown(int fd, int how)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_shutdown(f, how)) : REAL(shutdown)(fd, how);
}

SHIM_EXPORT int getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_getsockname(f, addr, len)) : REAL(getsockname)(fd, addr, len);
}

SHIM_EXPORT int getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_getpeername(f, addr, len)) : REAL(getpeername)(fd, addr, len);
}

SHIM_EXPORT int getsockopt(int fd, int level, int opt, void *val, socklen_t *len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_getsockopt(f, level, opt, val, len)) : REAL(getsockopt)(fd, level, opt, val, len);
}

SHIM_EXPORT int setsockopt(int fd, int level, int opt, const void *val, socklen_t len)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_setsockopt(f, level, opt, val, len)) : REAL(setsockopt)(fd, level, opt, val, len);
}

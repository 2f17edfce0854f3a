/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls that make, name, connect, configure and end sockets. */
#define _GNU_SOURCE
#include "api/api.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/ucopy.h"
#include "core/proto.h"
#include "pump/pump.h"
#include "socket/call.h"
#include "socket/socket.h"

#define OPT_MAX_BYTES 1024 /* no option value is longer; a longer buffer is used up to this */
#define TYPE_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)
#define TYPE_MASK 0xf

static int restarted(int err) { return err == -ERESTARTSYS ? -EINTR : err; }

static int open_sock(struct stack *st, struct sock *sk, bool is_nonblock, struct file **ret)
{
	struct file *f = file_open(st, sk, NULL);

	if (!f) {
		sock_file_released(sk);
		return -ENFILE;
	}
	f->is_nonblock = is_nonblock;
	*ret = f;
	return 0;
}

int __sys_socket(struct stack *st, int domain, int type, int protocol, struct file **ret)
{
	struct sock *sk;
	int err;

	if (type & ~TYPE_MASK & ~TYPE_FLAGS)
		return -EINVAL;
	err = sock_create(st, domain, type & TYPE_MASK, protocol, &sk);
	return err ? err : open_sock(st, sk, type & SOCK_NONBLOCK, ret);
}

int __sys_bind(struct file *f, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_storage ss;
	int err = file_check_sock(f);

	if (!err)
		err = copy_name_in(addr, len, &ss);
	return err ? err : sock_bind(f->sk, &ss, len);
}

int __sys_connect(struct file *f, const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_storage ss;
	int err = file_check_sock(f);

	if (!err)
		err = copy_name_in(addr, len, &ss);
	if (err)
		return err;
	err = sock_connect(f->sk, &ss, len, f->is_nonblock);
	pump_kick_here(f->stack);
	return restarted(err);
}

int __sys_listen(struct file *f, int backlog)
{
	int err = file_check_sock(f);

	return err ? err : sock_listen(f->sk, backlog);
}

int __sys_accept4(struct file *f, struct sockaddr *addr, socklen_t *len, int flags, struct file **ret)
{
	struct sockaddr_storage ss;
	struct file *child_file;
	struct sock *child;
	socklen_t namelen;
	int err = file_check_sock(f);

	if (err)
		return err;
	if (flags & ~TYPE_FLAGS)
		return -EINVAL;
	child_file = file_reserve(f->stack); /* first: a connection taken from the queue cannot go back */
	if (!child_file)
		return -ENFILE;
	pump_kick_here(f->stack);
	err = sock_accept(f->sk, f->is_nonblock, &child);
	pump_kick_here(f->stack);
	if (err) {
		file_unreserve(child_file);
		return restarted(err);
	}
	child_file->is_nonblock = (flags & SOCK_NONBLOCK) != 0;
	file_fill(child_file, child, NULL);
	if (addr) {
		err = sock_getname(child, true, &ss, &namelen);
		if (err)
			err = -ECONNABORTED;
		else
			err = copy_name_out(&ss, namelen, addr, len);
		if (err) {
			file_close(child_file);
			return err;
		}
	}
	*ret = child_file;
	return 0;
}

int __sys_shutdown(struct file *f, int how)
{
	int err = file_check_sock(f);

	if (!err)
		err = sock_shutdown(f->sk, how);
	if (f)
		pump_kick_here(f->stack);
	return err;
}

static int get_name(struct file *f, bool is_peer, struct sockaddr *addr, socklen_t *len)
{
	struct sockaddr_storage ss;
	socklen_t namelen;
	int err = file_check_sock(f);

	if (!err)
		err = sock_getname(f->sk, is_peer, &ss, &namelen);
	if (err)
		return err;
	return addr ? copy_name_out(&ss, namelen, addr, len) : -EFAULT;
}

int __sys_getsockname(struct file *f, struct sockaddr *addr, socklen_t *len) { return get_name(f, false, addr, len); }

int __sys_getpeername(struct file *f, struct sockaddr *addr, socklen_t *len) { return get_name(f, true, addr, len); }

int __sys_setsockopt(struct file *f, int level, int opt, const void *val, socklen_t len)
{
	uint8_t buf[OPT_MAX_BYTES] __attribute__((aligned(8)));
	socklen_t n = len < sizeof(buf) ? len : sizeof(buf);
	int err = file_check_sock(f);

	if (err)
		return err;
	if ((int)len < 0)
		return -EINVAL;
	memset(buf, 0, sizeof(uint64_t) * 2);
	if (val ? ucopy_from_user(buf, val, n) != 0 : n != 0)
		return -EFAULT;
	err = sock_setsockopt(f->sk, level, opt, buf, n);
	pump_kick_here(f->stack);
	return err;
}

int __sys_getsockopt(struct file *f, int level, int opt, void *val, socklen_t *len)
{
	uint8_t buf[OPT_MAX_BYTES] __attribute__((aligned(8)));
	socklen_t n;
	int err = file_check_sock(f);

	if (err)
		return err;
	if (ucopy_from_user(&n, len, sizeof(n)))
		return -EFAULT;
	if ((int)n < 0)
		return -EINVAL;
	if (n > sizeof(buf))
		n = sizeof(buf);
	err = sock_getsockopt(f->sk, level, opt, buf, &n);
	if (err)
		return err;
	if (ucopy_to_user(val, buf, n) || ucopy_to_user(len, &n, sizeof(n)))
		return -EFAULT;
	return 0;
}

int __sys_ioctl(struct file *f, unsigned long req, void *arg)
{
	int val = 0, err;

	if (!f)
		return -EBADF;
	switch (req) {
	case FIONBIO:
		if (ucopy_from_user(&val, arg, sizeof(val)))
			return -EFAULT;
		f->is_nonblock = val != 0;
		return 0;
	case FIOCLEX:
	case FIONCLEX:
		return 0; /* a handle is closed on exec in any case; the shim sets the descriptor's own flag */
	}
	if (f->kind != FILE_SOCK)
		return -ENOTTY;
	err = sock_ioctl(f->sk, req, &val);
	if (!err && ucopy_to_user(arg, &val, sizeof(val)))
		err = -EFAULT;
	return err;
}

int __sys_fcntl(struct file *f, int cmd, long arg)
{
	if (!f)
		return -EBADF;
	switch (cmd) {
	case F_GETFL:
		return O_RDWR | (f->is_nonblock ? O_NONBLOCK : 0);
	case F_SETFL:
		f->is_nonblock = (arg & O_NONBLOCK) != 0;
		return 0;
	case F_GETFD:
		return FD_CLOEXEC;
	case F_SETFD:
		return 0;
	default:
		return -EINVAL;
	}
}

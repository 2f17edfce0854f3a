/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls on open files, shared by the library (handles) and the shim (descriptors). */
#ifndef NARU_API_API_H
#define NARU_API_API_H

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#include "api/epoll.h"
#include "api/file.h"
#include "core/msg.h"

struct mmsghdr;

/*
 * All of these return bytes / 0 or a negative errno, never set errno, and take pointers as the program
 * gave them. @f NULL means the descriptor is not open (-EBADF), reported where Linux reports it.
 */

/** __sys_sendto() - stage 1 (T03): iterator first (-EFAULT), then the file, then the address. Next: __sock_sendmsg(). */
ssize_t __sys_sendto(struct file *f, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t alen);
/** __sys_sendmsg() - T05 sendmsg row. */
ssize_t __sys_sendmsg(struct file *f, const struct msghdr *msg, int flags);
int __sys_sendmmsg(struct file *f, struct mmsghdr *vec, unsigned int n, int flags);
/** __sys_writev() - write and writev: no name, no control data. */
ssize_t __sys_writev(struct file *f, const struct iovec *iov, int n);
ssize_t __sys_write(struct file *f, const void *buf, size_t len);
ssize_t __sys_recvfrom(struct file *f, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen);
ssize_t __sys_recvmsg(struct file *f, struct msghdr *msg, int flags);
int __sys_recvmmsg(struct file *f, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout);
ssize_t __sys_read(struct file *f, void *buf, size_t len);
ssize_t __sys_readv(struct file *f, const struct iovec *iov, int n);

/** __sys_socket() - type may carry SOCK_NONBLOCK | SOCK_CLOEXEC. *ret: an open file with one reference (its openness). */
int __sys_socket(struct stack *st, int domain, int type, int protocol, struct file **ret);
int __sys_bind(struct file *f, const struct sockaddr *addr, socklen_t len);
int __sys_connect(struct file *f, const struct sockaddr *addr, socklen_t len);
int __sys_listen(struct file *f, int backlog);
int __sys_accept4(struct file *f, struct sockaddr *addr, socklen_t *len, int flags, struct file **ret);
int __sys_shutdown(struct file *f, int how);
int __sys_getsockname(struct file *f, struct sockaddr *addr, socklen_t *len);
int __sys_getpeername(struct file *f, struct sockaddr *addr, socklen_t *len);
int __sys_getsockopt(struct file *f, int level, int opt, void *val, socklen_t *len);
int __sys_setsockopt(struct file *f, int level, int opt, const void *val, socklen_t len);
int __sys_ioctl(struct file *f, unsigned long req, void *arg);
int __sys_fcntl(struct file *f, int cmd, long arg);

/** import_ubuf() - T04: one user buffer as a cursor; cut to MAX_RW_COUNT; -EFAULT outside user space. */
int import_ubuf(const void *buf, size_t len, struct iovec *iov, struct iov_iter *ret);
/** import_iovec() - copy in and check @n iovecs; @fast holds up to API_FAST_IOV; else @slow_free is to be free()d. */
#define API_FAST_IOV 8
int import_iovec(const struct iovec *user, size_t n, struct iovec *fast, struct iovec **ret_slow, struct iov_iter *ret);
/** copy_name_in()/copy_name_out() - sockaddrs across the edge. */
int copy_name_in(const struct sockaddr *user, socklen_t len, struct sockaddr_storage *ret);
int copy_name_out(const struct sockaddr_storage *ss, socklen_t len, struct sockaddr *user, socklen_t *user_len);
/** file_check_sock() - 0 for an open socket, else -EBADF or -ENOTSOCK. */
static inline int file_check_sock(const struct file *f)
{
	if (unlikely(!f))
		return -EBADF;
	return likely(f->kind == FILE_SOCK) ? 0 : -ENOTSOCK;
}

#endif

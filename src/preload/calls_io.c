/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that move data: send, receive, read, write, sendfile. */
/*
 * How it works: a descriptor of Naru's goes to the stack, any other to libc. On unix sockets the control
 * data is looked through for descriptors: what is passed on is shared first, what arrives is recognised.
 */
#include "preload/shim.h"

#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define COPY_BYTES 16384u /* of sendfile(), on the stack */

SHIM_EXPORT ssize_t read(int fd, void *buf, size_t len)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_read(f, buf, len)) : REAL(read)(fd, buf, len);
}

SHIM_EXPORT ssize_t write(int fd, const void *buf, size_t len)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_write(f, buf, len)) : REAL(write)(fd, buf, len);
}

SHIM_EXPORT ssize_t readv(int fd, const struct iovec *iov, int n)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_readv(f, iov, n)) : REAL(readv)(fd, iov, n);
}

SHIM_EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_writev(f, iov, n)) : REAL(writev)(fd, iov, n);
}

SHIM_EXPORT ssize_t send(int fd, const void *buf, size_t len, int flags)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_sendto(f, buf, len, flags, NULL, 0)) : REAL(send)(fd, buf, len, flags);
}

SHIM_EXPORT ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t alen)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_sendto(f, buf, len, flags, addr, alen)) : REAL(sendto)(fd, buf, len, flags, addr, alen);
}

SHIM_EXPORT ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_recvfrom(f, buf, len, flags, NULL, NULL)) : REAL(recv)(fd, buf, len, flags);
}

SHIM_EXPORT ssize_t recvfrom(int fd, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	struct file *f = fd_get(fd);

	return f ? fd_done(f, __sys_recvfrom(f, buf, len, flags, addr, alen)) : REAL(recvfrom)(fd, buf, len, flags, addr, alen);
}

/* ---- messages ---- */

static void each_passed(const struct msghdr *m, bool is_sent)
{
	struct msghdr h = *m;

	if (!h.msg_control || !shim.is_on)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c)) {
		size_t num;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(0))
			continue;
		num = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < num; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (is_sent)
				fd_share(fd);
			else
				fd_adopt(fd);
		}
	}
}

SHIM_EXPORT ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct file *f = fd_get(fd);

	if (f)
		return fd_done(f, __sys_sendmsg(f, msg, flags));
	if (msg)
		each_passed(msg, true);
	return REAL(sendmsg)(fd, msg, flags);
}

SHIM_EXPORT ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct file *f = fd_get(fd);
	ssize_t n;

	if (f)
		return fd_done(f, __sys_recvmsg(f, msg, flags));
	n = REAL(recvmsg)(fd, msg, flags);
	if (n >= 0 && msg->msg_controllen)
		each_passed(msg, false);
	return n;
}

SHIM_EXPORT int sendmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_sendmmsg(f, vec, n, flags)) : REAL(sendmmsg)(fd, vec, n, flags);
}

SHIM_EXPORT int recvmmsg(int fd, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
	struct file *f = fd_get(fd);

	return f ? (int)fd_done(f, __sys_recvmmsg(f, vec, n, flags, timeout)) : REAL(recvmmsg)(fd, vec, n, flags, timeout);
}

/* ---- libc's checked variants ---- */

SHIM_EXPORT ssize_t __read_chk(int fd, void *buf, size_t len, size_t buflen)
{
	BUG_ON(len > buflen);
	return read(fd, buf, len);
}

SHIM_EXPORT ssize_t __recv_chk(int fd, void *buf, size_t len, size_t buflen, int flags)
{
	BUG_ON(len > buflen);
	return recv(fd, buf, len, flags);
}

SHIM_EXPORT ssize_t __recvfrom_chk(int fd, void *buf, size_t len, size_t buflen, int flags, struct sockaddr *addr, socklen_t *alen)
{
	BUG_ON(len > buflen);
	return recvfrom(fd, buf, len, flags, addr, alen);
}

/* ---- sendfile ---- */

/* From the file position @pos. Bytes sent or negative errno when none were. */
static ssize_t send_from(struct file *f, int in, off_t pos, size_t count)
{
	uint8_t buf[COPY_BYTES];
	size_t done = 0;

	while (done < count) {
		size_t want = count - done < sizeof(buf) ? count - done : sizeof(buf);
		ssize_t got = pread(in, buf, want, pos + (off_t)done), sent;

		if (got < 0)
			return done ? (ssize_t)done : errno == ESPIPE ? -EINVAL : -errno;
		if (!got)
			break;
		sent = __sys_sendto(f, buf, (size_t)got, done + (size_t)got < count ? MSG_MORE : 0, NULL, 0);
		if (sent < 0)
			return done ? (ssize_t)done : sent;
		done += (size_t)sent;
		if (sent < got)
			break;
	}
	return (ssize_t)done;
}

SHIM_EXPORT ssize_t sendfile(int out, int in, off_t *offset, size_t count)
{
	struct file *f = fd_get(out);
	off_t pos;
	ssize_t n;

	if (!f) {
		if (fd_kind(in) != FD_NARU)
			return REAL(sendfile)(out, in, offset, count);
		errno = EINVAL; /* a socket has no pages to send */
		return -1;
	}
	pos = offset ? *offset : lseek(in, 0, SEEK_CUR);
	if (pos < 0)
		return fd_done(f, errno == ESPIPE || offset ? -EINVAL : -errno);
	if (count > INT32_MAX)
		count = INT32_MAX;
	n = send_from(f, in, pos, count);
	if (n > 0 && offset)
		*offset = pos + n;
	else if (n > 0)
		lseek(in, pos + n, SEEK_SET);
	return fd_done(f, n);
}

SHIM_EXPORT ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) { return sendfile(out, in, offset, count); }

/* Programs that splice fall back to copying when told that this pair cannot. */
SHIM_EXPORT ssize_t splice(int in, off64_t *off_in, int out, off64_t *off_out, size_t len, unsigned int flags)
{
	if (fd_kind(in) != FD_NARU && fd_kind(out) != FD_NARU)
		return REAL(splice)(in, off_in, out, off_out, len, flags);
	errno = EINVAL;
	return -1;
}

/* ---- stdio ---- */

static ssize_t cookie_read(void *cookie, char *buf, size_t len) { return read((int)(intptr_t)cookie, buf, len); }
static int cookie_close(void *cookie) { return close((int)(intptr_t)cookie); }

static ssize_t cookie_write(void *cookie, const char *buf, size_t len)
{
	ssize_t n = write((int)(intptr_t)cookie, buf, len);

	return n < 0 ? 0 : n; /* fopencookie: 0 is the error */
}

SHIM_EXPORT FILE *fdopen(int fd, const char *mode)
{
	static const cookie_io_functions_t io = { .read = cookie_read, .write = cookie_write, .close = cookie_close };
	FILE *fp;

	if (fd_kind(fd) != FD_NARU)
		return REAL(fdopen)(fd, mode);
	fp = fopencookie((void *)(intptr_t)fd, mode, io);
	if (fp)
		fp->_fileno = fd;
	return fp;
}

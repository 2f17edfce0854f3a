/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving calls. */
#define _GNU_SOURCE
#include "api/api.h"

#include <errno.h>
#include <string.h>

#include "base/ucopy.h"
#include "pump/pump.h"
#include "socket/socket.h"

#define CONTROL_OUT_BYTES 1024 /* more ancillary data than any one receive produces */
#define MMSG_MAX 1024

static ssize_t recv_from_socket(struct file *f, struct msg *m)
{
	ssize_t n;

	if (f->is_nonblock)
		m->flags |= MSG_DONTWAIT;
	pump_kick_here(f->stack);
	n = sock_recvmsg(f->sk, m);
	pump_kick_here(f->stack);
	return n == -ERESTARTSYS ? -EINTR : n;
}

ssize_t __sys_recvfrom(struct file *f, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen)
{
	struct iovec iov;
	struct msg m = { .flags = flags };
	ssize_t n;
	int err = import_ubuf(buf, len, &iov, &m.iter);

	if (!err)
		err = file_check_sock(f);
	if (unlikely(err))
		return err;
	n = recv_from_socket(f, &m);
	if (n >= 0 && addr) {
		err = copy_name_out(&m.name, m.namelen, addr, alen);
		if (err)
			return err;
	}
	return n;
}

ssize_t __sys_read(struct file *f, void *buf, size_t len)
{
	if (!len)
		return f && f->kind == FILE_SOCK ? 0 : -EBADF; /* R53.3: without looking */
	return __sys_recvfrom(f, buf, len, 0, NULL, NULL);
}

ssize_t __sys_readv(struct file *f, const struct iovec *iov, int n)
{
	struct iovec fast[API_FAST_IOV], *slow = NULL;
	struct msg m = { .flags = 0 };
	ssize_t ret;
	int err = file_check_sock(f);

	if (err)
		return err;
	if (n < 0)
		return -EINVAL;
	err = import_iovec(iov, (size_t)n, fast, &slow, &m.iter);
	if (err)
		return err;
	ret = m.iter.count ? recv_from_socket(f, &m) : 0;
	free(slow);
	return ret;
}

/* Fill in name, control data and flags of the program's header. */
static int copy_header_out(const struct msg *m, const struct msghdr *h, struct msghdr *user)
{
	size_t used = m->control_used;
	int flags = m->out_flags;
	socklen_t namelen = m->namelen;

	if (h->msg_name) {
		socklen_t room = h->msg_namelen;

		if ((int)room < 0)
			return -EINVAL;
		if (ucopy_to_user(h->msg_name, &m->name, room < namelen ? room : namelen) ||
		    ucopy_to_user(&user->msg_namelen, &namelen, sizeof(namelen)))
			return -EFAULT;
	}
	if (used && ucopy_to_user(h->msg_control, m->control, used))
		return -EFAULT;
	if (ucopy_to_user(&user->msg_controllen, &used, sizeof(used)) ||
	    ucopy_to_user(&user->msg_flags, &flags, sizeof(flags)))
		return -EFAULT;
	return 0;
}

static ssize_t recv_one(struct file *f, struct msghdr *user, int flags)
{
	uint8_t control[CONTROL_OUT_BYTES] __attribute__((aligned(8)));
	struct iovec fast[API_FAST_IOV], *slow = NULL;
	struct msg m = { .flags = flags };
	struct msghdr h;
	ssize_t n;
	int err;

	if (ucopy_from_user(&h, user, sizeof(h)))
		return -EFAULT;
	if (h.msg_iovlen > IOV_MAX_COUNT)
		return -EMSGSIZE;
	err = import_iovec(h.msg_iov, h.msg_iovlen, fast, &slow, &m.iter);
	if (err)
		return err;
	m.control = control;
	m.controllen = h.msg_control ? (h.msg_controllen < sizeof(control) ? h.msg_controllen : sizeof(control)) : 0;
	n = recv_from_socket(f, &m);
	if (n >= 0) {
		err = copy_header_out(&m, &h, user);
		if (err)
			n = err;
	}
	free(slow);
	return n;
}

ssize_t __sys_recvmsg(struct file *f, struct msghdr *msg, int flags)
{
	int err = file_check_sock(f);

	return err ? err : recv_one(f, msg, flags);
}

static uint64_t mmsg_deadline(struct stack *st, const struct timespec *ts)
{
	return ts ? stack_now_ns(st) + (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec : UINT64_MAX;
}

int __sys_recvmmsg(struct file *f, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout)
{
	unsigned int done = 0;
	struct timespec ts;
	uint64_t deadline;
	int err = file_check_sock(f);

	if (err)
		return err;
	if (timeout && ucopy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (timeout && (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= (long)NS_PER_S))
		return -EINVAL;
	deadline = mmsg_deadline(f->stack, timeout ? &ts : NULL);
	if (n > MMSG_MAX)
		n = MMSG_MAX;
	while (done < n) {
		int wait = flags & MSG_WAITFORONE && done ? MSG_DONTWAIT : 0;
		ssize_t r = recv_one(f, &vec[done].msg_hdr, (flags & ~MSG_WAITFORONE) | wait);
		uint32_t got = (uint32_t)r;

		if (r < 0) {
			err = (int)r;
			break;
		}
		if (ucopy_to_user(&vec[done].msg_len, &got, sizeof(got))) {
			err = -EFAULT;
			break;
		}
		done++;
		if (stack_now_ns(f->stack) >= deadline)
			break;
	}
	return done ? (int)done : err;
}

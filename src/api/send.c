/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 1 of the transmit path: the sending calls. */
/*
 * How it works
 *
 * Each call describes the program's memory by a cursor, finds the socket, copies the address in once,
 * drops the flags that only kernel-internal callers may use, and hands a struct msg to stage 2. The
 * order decides which errno wins (T03). After the call the pump gets its turn if there is work for it
 * (a packet on loopback, say): that is the soft interrupt on the way out. SIGPIPE is raised here.
 */
#define _GNU_SOURCE
#include "api/api.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/ucopy.h"
#include "core/trace_ids.h"
#include "pump/pump.h"
#include "socket/socket.h"

/* Bits only in-kernel callers may set; silently dropped (T03.5). */
#define MSG_INTERNAL_FLAGS (0x8000000 | 0x10000 | 0x100000)
#define MSG_BATCH_FLAG 0x40000
#define CONTROL_FAST_BYTES 512
#define CONTROL_MAX_BYTES 131072 /* net.core.optmem_max: larger control data is -ENOBUFS (T05) */
#define MMSG_MAX 1024		 /* T05: longer vectors are cut */

static ssize_t send_to_socket(struct file *f, struct msg *m)
{
	ssize_t n;

	m->flags &= ~MSG_INTERNAL_FLAGS;
	if (f->is_nonblock)
		m->flags |= MSG_DONTWAIT;
	n = __sock_sendmsg(f->sk, m);
	pump_kick_here(f->stack);
	if (unlikely(n < 0)) {
		if (m->want_sigpipe)
			pthread_kill(pthread_self(), SIGPIPE);
		if (n == -ERESTARTSYS)
			n = -EINTR;
	}
	return n;
}

ssize_t __sys_sendto(struct file *f, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t alen)
{
	struct iovec iov;
	struct msg m;
	ssize_t n;
	int err;

	err = import_ubuf(buf, len, &iov, &m.iter);
	if (!err)
		err = file_check_sock(f);
	if (unlikely(err))
		return err;
	stack_trace_ev(f->stack, TR_SYS_SENDTO, TR_BEGIN, trace_obj(f->stack, f->sk, NULL), len, (uint32_t)flags, 0);
	stack_trace_ev(f->stack, TR_IMPORT_UBUF, TR_INSTANT, trace_obj(f->stack, f->sk, NULL), (uintptr_t)buf, m.iter.count, 0);
	m.flags = flags;
	m.namelen = 0;
	m.has_name = false;
	m.control = NULL;
	m.controllen = 0;
	m.want_sigpipe = false;
	if (addr) {
		err = copy_name_in(addr, alen, &m.name);
		if (err)
			return err;
		m.has_name = true;
		m.namelen = alen;
	}
	n = send_to_socket(f, &m);
	stack_trace_ev(f->stack, TR_SYS_SENDTO, TR_END, trace_obj(f->stack, f->sk, NULL), len, (uint32_t)flags, (uint64_t)n);
	return n;
}

ssize_t __sys_write(struct file *f, const void *buf, size_t len) { return __sys_sendto(f, buf, len, 0, NULL, 0); }

ssize_t __sys_writev(struct file *f, const struct iovec *iov, int n)
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
	ret = m.iter.count ? send_to_socket(f, &m) : 0;
	free(slow);
	return ret;
}

/* ---- sendmsg ---- */

static int copy_control_in(const struct msghdr *h, uint8_t *fast, void **ret_slow, struct msg *m)
{
	void *to = fast;

	if (h->msg_controllen > CONTROL_MAX_BYTES)
		return -ENOBUFS;
	if (!h->msg_control || !h->msg_controllen)
		return 0;
	if (h->msg_controllen > CONTROL_FAST_BYTES) {
		to = *ret_slow = malloc(h->msg_controllen);
		if (!to)
			return -ENOBUFS;
	}
	if (ucopy_from_user(to, h->msg_control, h->msg_controllen))
		return -EFAULT;
	m->control = to;
	m->controllen = h->msg_controllen;
	return 0;
}

static int copy_name_of(const struct msghdr *h, struct msg *m)
{
	socklen_t len = h->msg_namelen;

	if ((int)len < 0)
		return -EINVAL;
	if (len > sizeof(m->name))
		len = sizeof(m->name); /* T05: clamped, not refused */
	if (!h->msg_name || !len)
		return 0;
	m->has_name = true;
	m->namelen = len;
	return copy_name_in(h->msg_name, len, &m->name);
}

static ssize_t send_one(struct file *f, const struct msghdr *user, int flags)
{
	uint8_t control[CONTROL_FAST_BYTES] __attribute__((aligned(8)));
	struct iovec fast[API_FAST_IOV], *slow_iov = NULL;
	void *slow_control = NULL;
	struct msg m = { .flags = flags };
	struct msghdr h;
	ssize_t ret;

	if (ucopy_from_user(&h, user, sizeof(h)))
		return -EFAULT;
	ret = copy_name_of(&h, &m);
	if (!ret)
		ret = h.msg_iovlen > IOV_MAX_COUNT ? -EMSGSIZE : import_iovec(h.msg_iov, h.msg_iovlen, fast, &slow_iov, &m.iter);
	if (!ret)
		ret = copy_control_in(&h, control, &slow_control, &m);
	if (!ret)
		ret = send_to_socket(f, &m);
	free(slow_iov);
	free(slow_control);
	return ret;
}

ssize_t __sys_sendmsg(struct file *f, const struct msghdr *msg, int flags)
{
	int err = file_check_sock(f);

	return err ? err : send_one(f, msg, flags);
}

int __sys_sendmmsg(struct file *f, struct mmsghdr *vec, unsigned int n, int flags)
{
	unsigned int done = 0;
	int err = file_check_sock(f);

	if (n > MMSG_MAX)
		n = MMSG_MAX;
	while (!err && done < n) {
		uint32_t sent;
		struct msghdr h;
		int eor;
		ssize_t r;

		if (ucopy_from_user(&h, &vec[done].msg_hdr, sizeof(h))) {
			err = -EFAULT;
			break;
		}
		eor = h.msg_flags & MSG_EOR;
		r = send_one(f, &vec[done].msg_hdr, flags | eor | (done + 1 < n ? MSG_BATCH_FLAG : 0));
		if (r < 0) {
			err = (int)r;
			break;
		}
		sent = (uint32_t)r;
		if (ucopy_to_user(&vec[done].msg_len, &sent, sizeof(sent)))
			err = -EFAULT;
		else
			done++;
	}
	return done ? (int)done : err;
}

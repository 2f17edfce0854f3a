/* SPDX-License-Identifier: BSD-2-Clause */
/* What one send or receive call carries: the message and a cursor over the program's memory. */
#ifndef NARU_CORE_MSG_H
#define NARU_CORE_MSG_H

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cc.h"

#define MAX_RW_COUNT 0x7ffff000u /* T04.1: longer transfers are cut to this */
#define IOV_MAX_COUNT 1024	 /* T05: more is -EMSGSIZE */

/* Forward-only cursor over user memory (T04.3); positions move only by iter_advance(). */
struct iov_iter {
	const struct iovec *iov; /* already copied in from the program */
	uint32_t nr;
	size_t off;		 /* consumed bytes of iov[0] */
	size_t count;		 /* bytes left */
	bool is_kernel;		 /* our own memory: plain memcpy */
};

/* msg_name etc. are already copied in; sizes as the caller gave them. */
struct msg {
	struct sockaddr_storage name; /* destination in, source out */
	socklen_t namelen;	      /* 0: none */
	bool has_name;		      /* the caller passed a pointer (T03.3) */
	struct iov_iter iter;
	void *control;		      /* our copy in; buffer out */
	size_t controllen;	      /* in: size; out: used */
	int flags;		      /* MSG_* in */
	int out_flags;		      /* recvmsg: MSG_TRUNC, MSG_CTRUNC, MSG_OOB, MSG_ERRQUEUE */
	size_t control_used;	      /* recvmsg: bytes written to control */
	bool has_nosignal;	      /* set when SIGPIPE must not be raised by the edge */
	bool want_sigpipe;	      /* out: the call failed with EPIPE and the edge shall raise SIGPIPE */
};

/** iter_copy_from() - copy @len from the program, advance on success. -EFAULT: nothing advanced (T26.6). */
int iter_copy_from(struct iov_iter *it, void *dst, size_t len) MUST_CHECK;
/** iter_copy_to() - copy @len to the program, advance on success. */
int iter_copy_to(struct iov_iter *it, const void *src, size_t len) MUST_CHECK;
void iter_advance(struct iov_iter *it, size_t n);
/** iter_revert() is not offered: copies advance only when whole. */

/** cmsg_put() - append one control message to msg->control; sets MSG_CTRUNC when it does not fit. */
void cmsg_put(struct msg *m, int level, int type, const void *data, size_t len);

#endif

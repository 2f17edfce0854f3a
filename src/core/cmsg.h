/* SPDX-License-Identifier: BSD-2-Clause */
/* Control messages of a send call: the walk, and what the socket level understands (T13). */
#ifndef NARU_CORE_CMSG_H
#define NARU_CORE_CMSG_H

#include "core/msg.h"
#include "core/sock.h"

#define SOCK_CMSG_SEEN_TXTIME 0x01u
#define SOCK_CMSG_SEEN_TS_OPT_ID 0x02u
#define SOCK_CMSG_SEEN_MARK 0x04u
#define SOCK_CMSG_SEEN_PRIORITY 0x08u

/* Per-call overrides; the caller sets the socket's own values before parsing (T13.5). */
struct sockcm {
	uint64_t txtime_ns; /* SCM_TXTIME, in the socket's clock */
	uint32_t tsflags;   /* SO_TIMESTAMPING of this call */
	uint32_t mark;
	uint32_t priority;
	uint32_t ts_opt_id; /* SCM_TS_OPT_ID */
	uint32_t dmabuf_id; /* SCM_DEVMEM_DMABUF, 0 none */
	uint32_t seen;      /* SOCK_CMSG_SEEN_* of what was given */
};

/* One control message of msg->control; data lies in our copy. */
struct cmsg_item {
	int level, type;
	const void *data;
	size_t len; /* of data, padding not counted */
};

/**
 * cmsg_next() - step through the control buffer of a send call
 * @pos: 0 before the first call
 *
 * Return: 1 with *ret filled, 0 at the end, -EINVAL for a header whose length is impossible (T13.1)
 */
int cmsg_next(const struct msg *m, size_t *pos, struct cmsg_item *ret) MUST_CHECK;

/**
 * sock_cmsg_one() - apply one SOL_SOCKET message (T13 table)
 * Return: 0, -EINVAL, -EPERM. *ck is unchanged on error.
 */
int sock_cmsg_one(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck) MUST_CHECK;

/**
 * sock_cmsg_send() - walk all; levels other than SOL_SOCKET are passed over unread
 * Return: 0 or the first error; what was applied before it stays in *ck
 */
int sock_cmsg_send(struct sock *sk, struct msg *m, struct sockcm *ck) MUST_CHECK;

#endif

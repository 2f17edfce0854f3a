/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 2 of the transmit path: security hook, then the family's send. */
/*
 * How it works
 *
 * One call per message, no lock held, the data still in the caller's buffer. The hook sees the socket,
 * the message and the size; what it answers is returned as it is (T06).
 */
#include "socket/socket.h"

#include "core/trace_ids.h"
#include "inet/inet.h"

int security_socket_sendmsg(struct sock *sk, const struct msg *m, size_t size)
{
	(void)sk;
	(void)m;
	(void)size;
	return 0;
}

ssize_t sock_sendmsg_nosec(struct sock *sk, struct msg *m)
{
	struct stack *st = sk->stack;
	ssize_t n;

	stack_trace_ev(st, TR_SOCK_SENDMSG_NOSEC, TR_BEGIN, trace_obj(st, sk, NULL), m->iter.count, (uint32_t)m->flags, 0);
	n = inet_sendmsg(sk, m);
	stack_trace_ev(st, TR_SOCK_SENDMSG_NOSEC, TR_END, trace_obj(st, sk, NULL), 0, 0, (uint64_t)n); /* T07.3 */
	return n;
}

ssize_t __sock_sendmsg(struct sock *sk, struct msg *m)
{
	struct stack *st = sk->stack;
	ssize_t n;

	stack_trace_ev(st, TR_SOCK_SENDMSG, TR_BEGIN, trace_obj(st, sk, NULL), m->iter.count, (uint32_t)m->flags, 0);
	n = security_socket_sendmsg(sk, m, m->iter.count);
	if (likely(!n))
		n = sock_sendmsg_nosec(sk, m);
	stack_trace_ev(st, TR_SOCK_SENDMSG, TR_END, trace_obj(st, sk, NULL), 0, 0, (uint64_t)n);
	return n;
}

ssize_t sock_recvmsg(struct sock *sk, struct msg *m) { return inet_recvmsg(sk, m); }

/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 3 of the transmit path: inet_sendmsg() and its preparation. */
/*
 * How it works
 *
 * A user-space stack has one receive worker per stack (the pump), so the flow record of T09.1-3 names
 * no other queue; what remains of the stage is autobind. TCP does not permit it (T09.4), UDP does.
 */
#include "inet/inet.h"

#include <errno.h>

#include "core/trace_ids.h"


int inet_send_prepare(struct sock *sk)
{
	int err = 0;

	if (likely(sk->sport) || !sock_ops(sk)->has_autobind)
		return 0;
	sock_lock(sk);
	if (!sk->sport && sock_ops(sk)->get_port(sk, 0))
		err = -EAGAIN; /* T08.1: whatever the cause */
	sock_release(sk);
	return err;
}

ssize_t inet_sendmsg(struct sock *sk, struct msg *m)
{
	struct stack *st = sk->stack;
	ssize_t n;

	stack_trace_ev(st, TR_INET_SENDMSG, TR_BEGIN, trace_obj(st, sk, NULL), m->iter.count, sk->family, 0);
	stack_trace_ev(st, TR_INET_SEND_PREPARE, TR_BEGIN, trace_obj(st, sk, NULL), sk->sport, 0, 0);
	n = inet_send_prepare(sk);
	stack_trace_ev(st, TR_INET_SEND_PREPARE, TR_END, trace_obj(st, sk, NULL), sk->sport, 0, (uint64_t)n);
	if (likely(!n))
		n = sock_ops(sk)->sendmsg(sk, m);
	stack_trace_ev(st, TR_INET_SENDMSG, TR_END, trace_obj(st, sk, NULL), 0, sk->family, (uint64_t)n);
	return n;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of a connection: timers off, out of the tables, everybody woken. */
/*
 * How it works
 *
 * A socket lives on one reference: the file's, the accept queue's, or, after close(), its own. The last
 * kind is dropped here, once, when an orphan reaches CLOSE. Callers hold a reference of their own (the
 * lookup's, a timer's, the call's), so the socket is still there when they release the lock.
 */
#include "tcp/out/out.h"

#include <sys/epoll.h>

#include "tcp/base/base.h"

static void drop_orphan(struct tcp_sock *tp)
{
	if (tp->is_orphan_done)
		return;
	tp->is_orphan_done = true;
	atomic_fetch_sub(&tp->sk.stack->num_orphans, 1);
	sock_put(&tp->sk);
}

void tcp_done(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (sk->state == TCP_SYN_SENT || sk->state == TCP_SYN_RECV)
		mib_inc(sk->stack, TcpAttemptFails);
	tcp_set_state(tp, TCP_CLOSE);
	tcp_clear_timers(tp);
	sk->shutdown = SHUTDOWN_MASK;
	if (sk->flags & SK_DEAD)
		drop_orphan(tp);
	else
		sock_wake(sk, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLRDHUP);
}

void tcp_abort(struct tcp_sock *tp, int err)
{
	struct sock *sk = &tp->sk;

	tcp_write_queue_purge(tp);
	atomic_store(&sk->err, err);
	tcp_done(tp);
	if (!(sk->flags & SK_DEAD))
		sock_report_error(sk, err);
}

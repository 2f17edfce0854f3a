/* SPDX-License-Identifier: BSD-2-Clause */
/* accept(): the oldest finished connection of a listener (R19.3, R20.5). */
/*
 * How it works: the accept queue's reference of the child becomes the caller's. A child that was reset
 * while it waited is handed out all the same; its first read tells.
 */
#include <errno.h>

#include "tcp/conn/conn_int.h"

static int wait_for_child(struct tcp_sock *lsk, int64_t timeo_ns)
{
	struct sock *sk = &lsk->sk;

	for (;;) {
		uint32_t ticket = waitq_begin(&sk->wq);
		int err = 0;

		if (sk->state != TCP_LISTEN)
			err = -EINVAL;
		else if (list_is_empty(&lsk->accept_queue) && !timeo_ns)
			err = -EAGAIN;
		if (err || !list_is_empty(&lsk->accept_queue)) {
			waitq_end(&sk->wq);
			return err;
		}
		err = tcp_wait(lsk, ticket, &timeo_ns);
		if (err)
			return err;
	}
}

int tcp_accept(struct sock *sk, int64_t timeo_ns, struct sock **ret)
{
	struct tcp_sock *lsk = tcp_sk(sk), *child;
	int err;

	sock_lock(sk);
	err = wait_for_child(lsk, timeo_ns);
	if (err) {
		sock_release(sk);
		return err;
	}
	child = list_entry(lsk->accept_queue.next, struct tcp_sock, accept_node);
	list_del(&child->accept_node);
	lsk->ack_backlog--;
	sock_lock(&child->sk);
	child->listener = NULL;
	child->is_associated = true;
	sock_release(&child->sk);
	sock_release(sk);
	sock_put(sk); /* the child's reference to its listener; the caller has its own */
	*ret = &child->sk;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping inside a call: the lock is given away, time runs, signals end it (T18, T20). */
/*
 * How it works: the caller takes its ticket, tests its condition under the lock, and comes here to sleep.
 * Whoever changes the condition holds the lock too and wakes the queue, so no wake-up falls between.
 */
#include <errno.h>

#include "pump/pump.h"
#include "tcp/conn/conn_int.h"

int tcp_wait(struct tcp_sock *tp, uint32_t ticket, int64_t *timeo_ns)
{
	struct sock *sk = &tp->sk;
	struct stack *st = sk->stack;
	bool is_forever = *timeo_ns == SOCK_TIMEO_FOREVER;
	uint64_t start_ns, deadline_ns;
	int err;

	if (!*timeo_ns) {
		waitq_end(&sk->wq);
		return -EAGAIN;
	}
	start_ns = stack_now_ns(st);
	deadline_ns = is_forever ? UINT64_MAX : start_ns + (uint64_t)*timeo_ns;
	sock_release(sk);
	err = pump_sleep(st, &sk->wq, ticket, deadline_ns);
	waitq_end(&sk->wq);
	sock_lock(sk);
	tcp_mstamp_refresh(tp);
	if (!is_forever) {
		uint64_t slept_ns = tp->now_ns - start_ns;

		*timeo_ns = slept_ns >= (uint64_t)*timeo_ns ? 0 : *timeo_ns - (int64_t)slept_ns;
	}
	switch (err) {
	case -ETIMEDOUT:
		*timeo_ns = 0;
		return 0; /* the caller looks once more, then finds no time left */
	case -EDEADLK: /* virtual time in which nothing can happen any more */
		return -EAGAIN;
	case -EINTR:
		return is_forever ? -ERESTARTSYS : -EINTR;
	default:
		return 0;
	}
}

int tcp_wait_connect(struct tcp_sock *tp, int64_t *timeo_ns)
{
	struct sock *sk = &tp->sk;
	int err = 0;

	while (!(TCPF(sk->state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT)))) {
		uint32_t ticket = waitq_begin(&sk->wq);

		err = sock_error(sk);
		if (!err && !(TCPF(sk->state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))))
			err = -EPIPE;
		if (err) {
			waitq_end(&sk->wq);
			return err;
		}
		/* With a writer waiting, the handshake's last ACK is left for its data to carry. */
		tp->is_writer_waiting = true;
		err = tcp_wait(tp, ticket, timeo_ns);
		tp->is_writer_waiting = false;
		if (err)
			return err;
	}
	return 0;
}

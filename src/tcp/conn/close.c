/* SPDX-License-Identifier: BSD-2-Clause */
/* How a connection ends from our side: shutdown, close, linger, disconnect, orphans (T94, R50). */
/*
 * How it works
 *
 * close() takes the file away. What is left is decided by state: nothing to finish - the socket dies here;
 * a FIN to deliver - it lives on as an orphan under its own reference until tcp_done(). Unread data, or
 * SO_LINGER with 0, ends it with a reset instead.
 *
 * Locks: tcp_close() takes the sock lock; the others are called with it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "tcp/in/in.h"
#include "wire/seq.h"

uint64_t tcp_fin_time_ns(const struct tcp_sock *tp)
{
	int64_t s = tp->linger2_s > 0 ? tp->linger2_s : tp->sk.stack->sysctl.tcp_fin_timeout;

	return max_u64((uint64_t)s * NS_PER_S, tp->rto_ns * 7 / 2);
}

/* State after we sent everything. Return: a FIN has to be sent. */
static bool move_to_closing(struct tcp_sock *tp)
{
	switch ((uint8_t)tp->sk.state) {
	case TCP_ESTABLISHED:
	case TCP_SYN_RECV:
		tcp_set_state(tp, TCP_FIN_WAIT1);
		return true;
	case TCP_CLOSE_WAIT:
		tcp_set_state(tp, TCP_LAST_ACK);
		return true;
	case TCP_SYN_SENT:
		tcp_set_state(tp, TCP_CLOSE);
		return false;
	default:
		return false;
	}
}

/* ---- shutdown (T94.1) ---- */

static void shutdown_send(struct tcp_sock *tp)
{
	if (!(TCPF(tp->sk.state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))))
		return; /* SYN-RECEIVED: the FIN follows the handshake */
	if (move_to_closing(tp))
		tcp_send_fin(tp);
}

int tcp_shutdown(struct sock *sk, uint8_t mask)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int err = 0;

	tcp_mstamp_refresh(tp);
	switch ((uint8_t)sk->state) {
	case TCP_CLOSE:
		err = -ENOTCONN;
		sk->shutdown |= mask;
		break;
	case TCP_LISTEN:
		if (!(mask & RCV_SHUTDOWN))
			break;
		err = tcp_disconnect(sk);
		break;
	case TCP_SYN_SENT:
		err = tcp_disconnect(sk);
		break;
	default:
		sk->shutdown |= mask;
		if (mask & SEND_SHUTDOWN)
			shutdown_send(tp);
		break;
	}
	sock_wake(sk, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLRDHUP | EPOLLHUP);
	return err;
}

/* ---- disconnect (T94.8) ---- */

static bool needs_reset(uint8_t state)
{
	return TCPF(state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_FIN_WAIT1) | TCPF(TCP_FIN_WAIT2) |
			      TCPF(TCP_SYN_RECV));
}

static void purge_rx(struct tcp_sock *tp)
{
	struct skb *s;

	while ((s = skb_dequeue(&tp->sk.receive_queue)))
		tcp_rx_free(tp, s);
	tcp_ofo_purge(tp);
}

/* Everything one connection leaves behind; the next one begins as in tcp_create(). */
static void forget_connection(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint32_t next_isn = tp->write_seq + tp->max_window + 2;

	purge_rx(tp);
	tcp_write_queue_purge(tp);
	sk->dport = 0;
	if (!(sk->flags & SK_BINDADDR_LOCK))
		sk->saddr = sk->rcv_saddr = sk->family == AF_INET6 ? ipaddr_any_v6() : ipaddr_any_v4();
	sk->daddr = sk->family == AF_INET6 ? ipaddr_any_v6() : ipaddr_any_v4();
	sk->is_v4_path = ipaddr_is_v4(&sk->saddr);
	sock_set_dst(sk, NULL);
	sk->shutdown = 0;
	sk->flags &= ~(SK_DONE | SK_NOSPACE);
	if (!sk->bucket)
		sk->sport = 0;
	tcp_reset_numbers(tp);
	tp->write_seq = next_isn ? next_isn : 1;
}

int tcp_disconnect(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t old = sk->state;

	tcp_mstamp_refresh(tp);
	if (old != TCP_CLOSE)
		tcp_set_state(tp, TCP_CLOSE);
	if (old == TCP_LISTEN) {
		tcp_listen_stop(tp);
	} else if (needs_reset(old) ||
		   (tp->snd_nxt != tp->write_seq && (TCPF(old) & (TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK))))) {
		tcp_send_active_reset(tp);
		atomic_store(&sk->err, ECONNRESET);
	} else if (old == TCP_SYN_SENT) {
		atomic_store(&sk->err, ECONNRESET);
	}
	tcp_clear_timers(tp);
	tp->is_connecting = tp->is_associated = false;
	forget_connection(tp);
	sock_wake(sk, EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLERR);
	return 0;
}

/* ---- close (T94.4) ---- */

/* Unread payload; an unread FIN does not count (R50.2). Empties the queue. */
static bool drop_unread(struct tcp_sock *tp)
{
	bool has_unread = false;
	struct skb *s;

	while ((s = skb_dequeue(&tp->sk.receive_queue))) {
		uint32_t end = tcp_cb(s)->end_seq - !!(tcp_cb(s)->flags & TCPH_FIN);

		if (seq_after(end, tp->copied_seq))
			has_unread = true;
		tcp_rx_free(tp, s);
	}
	return has_unread;
}

/* Block until the FIN is acknowledged or @linger_ns are over; errors of the wait are not reported. */
static void linger(struct tcp_sock *tp, int64_t linger_ns)
{
	struct sock *sk = &tp->sk;

	while (TCPF(sk->state) & (TCPF(TCP_FIN_WAIT1) | TCPF(TCP_CLOSING) | TCPF(TCP_LAST_ACK))) {
		uint32_t ticket = waitq_begin(&sk->wq);

		if (tcp_wait(tp, ticket, &linger_ns))
			return;
	}
}

static void begin_close(struct tcp_sock *tp, int64_t linger_ns)
{
	struct sock *sk = &tp->sk;
	bool has_unread = drop_unread(tp);

	tcp_mem_reclaim(tp);
	if (sk->state == TCP_CLOSE)
		return;
	if (has_unread) {
		mib_inc(sk->stack, TcpExtTCPAbortOnClose);
		tcp_set_state(tp, TCP_CLOSE);
		tcp_send_active_reset(tp);
	} else if ((sk->flags & SK_LINGER) && !sk->linger_s) {
		mib_inc(sk->stack, TcpExtTCPAbortOnData);
		(void)tcp_disconnect(sk);
	} else if (move_to_closing(tp)) {
		tcp_send_fin(tp);
		linger(tp, linger_ns);
	}
}

/* The program is gone; FIN-WAIT-2 must not last for ever. */
static void orphan_fin_wait2(struct tcp_sock *tp)
{
	uint64_t wait_ns;

	if (tp->linger2_s < 0) {
		tcp_set_state(tp, TCP_CLOSE);
		tcp_send_active_reset(tp);
		mib_inc(tp->sk.stack, TcpExtTCPAbortOnLinger);
		return;
	}
	wait_ns = tcp_fin_time_ns(tp);
	if (wait_ns > TCP_TIMEWAIT_NS)
		tcp_reset_keepalive_timer(tp, wait_ns - TCP_TIMEWAIT_NS);
	else
		tcp_time_wait(tp, TCP_FIN_WAIT2, wait_ns);
}

static bool too_many_orphans(const struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;

	return (int64_t)atomic_load(&st->num_orphans) > st->sysctl.tcp_max_orphans ||
	       ((int64_t)atomic_load(&st->tcp_memory_pages) > st->sysctl.tcp_mem[2] && tp->sk.wmem_queued > 4608);
}

static void become_orphan(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	sk->flags |= SK_DEAD;
	sk->file_handle = 0;
	atomic_fetch_add(&sk->stack->num_orphans, 1);
	(void)sock_flush_backlog(sk); /* what arrived meanwhile meets an orphan */
	tcp_mstamp_refresh(tp);
	if (sk->state == TCP_FIN_WAIT2)
		orphan_fin_wait2(tp);
	if (sk->state != TCP_CLOSE && too_many_orphans(tp)) {
		tcp_set_state(tp, TCP_CLOSE);
		tcp_send_active_reset(tp);
		mib_inc(sk->stack, TcpExtTCPAbortOnMemory);
	}
	if (sk->state == TCP_CLOSE) {
		tcp_write_queue_purge(tp);
		tcp_done(tp); /* drops the reference of the orphan */
	}
}

void tcp_close(struct sock *sk, int64_t linger_ns)
{
	struct tcp_sock *tp = tcp_sk(sk);

	sock_get(sk);
	sock_lock(sk);
	tcp_mstamp_refresh(tp);
	sk->shutdown = SHUTDOWN_MASK;
	if (sk->state == TCP_LISTEN) {
		tcp_set_state(tp, TCP_CLOSE);
		tcp_listen_stop(tp);
	} else {
		begin_close(tp, linger_ns);
	}
	become_orphan(tp);
	sock_release(sk);
	sock_put(sk);
}

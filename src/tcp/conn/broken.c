/* SPDX-License-Identifier: BSD-2-Clause */
/* A socket whose lock holder died half-way: reset, never repaired. */
/*
 * How it works
 *
 * Links and counts may be torn, so nothing is walked: packets are found by a sweep of their pool, requests
 * and children by theirs. The reset to the peer is built from plain numbers. Afterwards the socket is
 * closed with ECONNRESET, or simply closed if it was a listener.
 *
 * Locks: the sock lock, just taken over.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "core/sweep.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"

static void reset_peer(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->sk;
	struct tcp_reply r = {
		.saddr = sk->saddr, .daddr = sk->daddr, .sport = sk->sport, .dport = sk->dport,
		.seq = tp->snd_nxt, .ack = tp->rcv_nxt, .flags = TCPH_RST | TCPH_ACK, .mark = sk->mark,
		.oif = sk->bound_ifindex,
	};

	tcp_send_reply(sk->stack, &r);
}

/* Children and requests of a broken listener, by walking the pools. */
static void end_listener(struct tcp_sock *lsk)
{
	struct arena_pools *pools = lsk->sk.stack->pools;
	struct tcp_sock *child;
	struct tcp_req *req;
	uint32_t idx = 0;

	while ((req = pool_next_live(&pools->tcp_req, &idx))) {
		if (req->listener != &lsk->sk)
			continue;
		l4_ehash_remove(&req->conn);
		list_init(&req->node);
		if (timer_cancel(&req->conn.stack->timers, &req->timer))
			tcp_req_put(req);
		tcp_req_put(req);
	}
	idx = 0;
	while ((child = pool_next_live(&pools->tcp_sock, &idx))) {
		if (child->listener != &lsk->sk)
			continue;
		child->listener = NULL;
		list_init(&child->accept_node);
		if (!sock_trylock(&child->sk))
			continue;
		child->sk.flags |= SK_DEAD;
		child->is_orphan_done = true;
		if (child->sk.state != TCP_CLOSE)
			reset_peer(child);
		tcp_write_queue_purge(child);
		tcp_done(child);
		sock_release(&child->sk);
		sock_put(&child->sk);
		sock_put(&lsk->sk);
	}
	list_init(&lsk->req_list);
	list_init(&lsk->accept_queue);
	lsk->ack_backlog = lsk->num_reqs = lsk->num_young_reqs = 0;
}

static void empty_queues(struct tcp_sock *tp)
{
	(void)skb_sweep_sock(&tp->sk);
	skb_queue_init(&tp->write_queue);
	skb_queue_init(&tp->rtx_queue);
	list_init(&tp->tsorted);
	tp->ofo.node = NULL;
	tp->ofo_last = tp->highest_sack = tp->retransmit_hint = NULL;
	tp->packets_out = tp->sacked_out = tp->lost_out = tp->retrans_out = 0;
	tp->rx.num_sacks = 0;
	tp->snd_nxt = tp->snd_una = tp->write_seq;
	tp->copied_seq = tp->rcv_nxt;
	/* What was reserved goes back with what was charged. */
	tp->sk.forward_alloc += tp->sk.wmem_queued;
	tp->sk.wmem_queued = 0;
	if (tp->sk.forward_alloc < 0)
		tp->sk.forward_alloc = 0;
}

void tcp_reset_broken(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint8_t old = sk->state;

	mib_inc(sk->stack, NaruLocksRecovered);
	tcp_mstamp_refresh(tp);
	if (old == TCP_LISTEN)
		end_listener(tp);
	else if (old != TCP_CLOSE && old != TCP_SYN_SENT)
		reset_peer(tp);
	empty_queues(tp);
	if (old != TCP_CLOSE && old != TCP_LISTEN)
		atomic_store(&sk->err, ECONNRESET);
	sk->flags |= SK_DONE;
	tcp_done(tp);
	if (!(sk->flags & SK_DEAD))
		sock_wake(sk, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP);
}

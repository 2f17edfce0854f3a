/* SPDX-License-Identifier: BSD-2-Clause */
/* A listening socket: becoming one, what segments do to it, and its end (R15, R16, R20.4). */
/*
 * How it works
 *
 * Everything a listener owns (requests, accept queue, counts) is guarded by its lock. A segment may have
 * waited in its backlog, so the established table is asked again here: meanwhile the request may have
 * become a socket, which then gets the segment.
 *
 * Locks: the listener, then a child.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"

int tcp_listen(struct sock *sk, int backlog)
{
	struct tcp_sock *lsk = tcp_sk(sk);
	uint32_t max = min_u32((uint32_t)backlog, (uint32_t)sk->stack->sysctl.somaxconn);
	int err;

	if (!(TCPF(sk->state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return -EINVAL;
	lsk->max_ack_backlog = max;
	if (sk->state == TCP_LISTEN)
		return 0;
	lsk->ack_backlog = lsk->num_reqs = lsk->num_young_reqs = 0;
	/* The port is asked for as a listener, so that two of them on one port are noticed. */
	tcp_set_state(lsk, TCP_LISTEN);
	err = l4_tcp_get_port(sk, sk->bucket ? sk->sport : 0);
	if (err) {
		atomic_store(&sk->state, TCP_CLOSE); /* it was never in the listener table */
		return err;
	}
	l4_listen_hash(sk);
	return 0;
}

/* ---- a SYN (R16) ---- */

static void drop_syn(struct tcp_sock *lsk, struct skb *skb, enum mib_id why)
{
	mib_inc(lsk->sk.stack, why);
	mib_inc(lsk->sk.stack, TcpExtListenDrops);
	skb_free(lsk->sk.stack, skb);
}

/* R16.4: without cookies the last quarter of the backlog is for proven peers; nobody is proven here. */
static bool is_backlog_scarce(const struct tcp_sock *lsk)
{
	const struct sysctls *sy = &lsk->sk.stack->sysctl;

	return !sy->tcp_syncookies && sy->tcp_max_syn_backlog - (int64_t)lsk->num_reqs < sy->tcp_max_syn_backlog >> 2;
}

static void answer_with_cookie(struct tcp_sock *lsk, struct tcp_req *req, const struct tcp_syn_info *si)
{
	struct stack *st = lsk->sk.stack;
	uint64_t now_ns = stack_now_ns(st);

	req->is_cookie = true;
	req->snt_isn = tcp_cookie_make(st, &si->t, req->rcv_isn, &req->mss);
	if (req->tstamp_ok)
		req->snt_tsval_last = tcp_cookie_tsval((uint32_t)(now_ns / NS_PER_MS), req) + req->ts_offset;
	lsk->syncookie_last_ns = now_ns;
	mib_inc(st, TcpExtSyncookiesSent);
	(void)tcp_send_req_synack(st, req, &lsk->sk);
	tcp_req_put(req);
}

static void answer_with_request(struct tcp_sock *lsk, struct tcp_req *req, const struct tcp_syn_info *si, uint32_t isn)
{
	struct stack *st = lsk->sk.stack;

	req->snt_isn = isn ? isn : tcp_secure_isn(st, &si->t.saddr, &si->t.daddr, si->t.sport, si->t.dport);
	if (tcp_req_add(lsk, req)) {
		tcp_req_put(req);
		return;
	}
	(void)tcp_send_req_synack(st, req, &lsk->sk);
	req->synack_ns = lsk->now_ns; /* set after the first one, so that it counts as the first */
}

static void conn_request(struct tcp_sock *lsk, const struct l4_tuple *t, struct skb *skb)
{
	struct stack *st = lsk->sk.stack;
	struct tcp_syn_info si = { .t = *t };
	uint32_t isn = *tcp_tw_isn(skb);
	bool want_cookie = !isn && (st->sysctl.tcp_syncookies == 2 || tcp_syn_queue_is_full(lsk));
	struct tcp_req *req;

	if (want_cookie && !st->sysctl.tcp_syncookies) {
		drop_syn(lsk, skb, TcpExtTCPReqQFullDrop);
		return;
	}
	if (tcp_accept_queue_is_full(lsk)) {
		drop_syn(lsk, skb, TcpExtListenOverflows);
		return;
	}
	if (!isn && is_backlog_scarce(lsk)) {
		mib_inc(st, TcpExtListenDrops);
		skb_free(st, skb);
		return;
	}
	tcp_syn_parse(lsk, skb, &si);
	if (want_cookie) {
		mib_inc(st, TcpExtTCPReqQFullDoCookies);
		lsk->syn_flood_warned = true;
		if (!si.tstamp_ok) /* nowhere to keep them (R22.2, R22.5) */
			si.sack_ok = si.wscale_ok = si.ecn_ok = false;
	}
	req = tcp_req_new(lsk, &si, skb);
	if (req && want_cookie)
		answer_with_cookie(lsk, req, &si);
	else if (req)
		answer_with_request(lsk, req, &si, isn);
	skb_free(st, skb);
}

/* ---- any segment ---- */

static void rcv_unknown(struct tcp_sock *lsk, const struct l4_tuple *t, struct skb *skb)
{
	uint8_t flags = tcp_cb(skb)->flags;

	if (flags & TCPH_RST) {
		skb_free(lsk->sk.stack, skb);
	} else if (flags & TCPH_ACK) {
		tcp_cookie_rcv(lsk, t, skb);
	} else if ((flags & TCPH_SYN) && !(flags & TCPH_FIN)) {
		conn_request(lsk, t, skb);
	} else {
		skb_free(lsk->sk.stack, skb);
	}
}

void tcp_listen_rcv(struct tcp_sock *lsk, struct skb *skb)
{
	struct stack *st = lsk->sk.stack;
	struct l4_tuple t;
	struct conn *c;

	tcp_skb_tuple(skb, &t);
	c = l4_lookup_established(st, &t);
	if (!c) {
		rcv_unknown(lsk, &t, skb);
		return;
	}
	switch ((uint8_t)c->state) {
	case TCP_NEW_SYN_RECV:
		if (((struct tcp_req *)c)->listener == &lsk->sk)
			tcp_req_rcv(lsk, (struct tcp_req *)c, skb);
		else
			skb_free(st, skb); /* it moved to another listener: the peer will repeat it */
		tcp_req_put((struct tcp_req *)c);
		break;
	case TCP_TIME_WAIT:
		skb_free(st, skb); /* only the pump works on those */
		tcp_tw_put((struct tcp_tw *)c);
		break;
	default:
		if (c != &lsk->sk.conn)
			tcp_deliver((struct sock *)c, skb);
		else
			skb_free(st, skb);
		sock_put((struct sock *)c);
		break;
	}
}

/* ---- end ---- */

static void reset_child(struct tcp_sock *child)
{
	struct sock *sk = &child->sk;

	sock_lock(sk);
	tcp_mstamp_refresh(child);
	child->listener = NULL;
	sk->flags |= SK_DEAD;
	child->is_orphan_done = true; /* never counted as an orphan: the queue's reference goes below */
	if (sk->state != TCP_CLOSE) {
		tcp_send_active_reset(child);
		tcp_write_queue_purge(child);
		tcp_done(child);
	}
	sock_release(sk);
	sock_put(sk);
}

void tcp_listen_stop(struct tcp_sock *lsk)
{
	while (!list_is_empty(&lsk->req_list))
		tcp_req_drop(lsk, list_entry(lsk->req_list.next, struct tcp_req, node));
	while (!list_is_empty(&lsk->accept_queue)) {
		struct tcp_sock *child = list_entry(lsk->accept_queue.next, struct tcp_sock, accept_node);

		list_del(&child->accept_node);
		lsk->ack_backlog--;
		reset_child(child);
		sock_put(&lsk->sk); /* the child's reference to its listener */
	}
}

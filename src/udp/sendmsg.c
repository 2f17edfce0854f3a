/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 4 of the transmit path for datagrams: gates, room, one datagram or a piece of one (T68). */
/*
 * How it works
 *
 * A call either makes a whole datagram and sends it, or (UDP_CORK, MSG_MORE) adds to the one that
 * is being assembled, whose destination the first piece fixed. Room is waited for before anything
 * is built, so that a sleeper holds nothing but its flow.
 *
 * Locks: takes the sock lock; gives it away while sleeping.
 */
#include "udp/udp_int.h"

#include <errno.h>

#define UDP_MSG_MAX 65535u /* T68.1 */
#define FLAG_PROBE 0x10    /* MSG_PROBE; not in every libc */

/* T71.1: the pending error is told here, once. */
static int wait_for_room(struct sock *sk, int64_t timeo_ns)
{
	struct udp_sock *us = udp_sk(sk);

	for (;;) {
		uint32_t ticket = waitq_begin(&sk->wq);
		int err = sock_error(sk);

		if (!err && (sk->shutdown & SEND_SHUTDOWN))
			err = -EPIPE;
		if (err || atomic_load(&sk->wmem_alloc) < sk->sndbuf) {
			waitq_end(&sk->wq);
			return err;
		}
		atomic_store(&us->wants_space, 1);
		if (atomic_load(&sk->wmem_alloc) < sk->sndbuf) { /* freed before we had left our note */
			waitq_end(&sk->wq);
			continue;
		}
		err = udp_wait(sk, ticket, &timeo_ns);
		if (err)
			return err;
	}
}

/* One more piece of the datagram being assembled. CONSUMES it on error (T69.2). */
static int append_pending(struct sock *sk, struct msg *m)
{
	struct udp_sock *us = udp_sk(sk);
	int err = udp_datagram_append(sk, us->pending, &us->cork, &m->iter);

	if (err) {
		udp_flush_pending(sk);
		return err;
	}
	return us->is_corked || (m->flags & MSG_MORE) ? 0 : udp_push_pending(sk);
}

/* The first piece: @f becomes the cork's. */
static void keep_pending(struct sock *sk, struct skb *skb, struct udp_flow *f)
{
	struct udp_sock *us = udp_sk(sk);

	us->cork = *f;
	f->dst = NULL;
	us->pending = skb;
	skb_owner_move(skb, SKB_IN_CORK);
}

static int send_new(struct sock *sk, struct msg *m, struct udp_flow *f)
{
	struct skb *skb = udp_datagram_new(sk, f);
	int err;

	if (!skb)
		return -ENOBUFS;
	err = udp_datagram_append(sk, skb, f, &m->iter);
	if (err) {
		skb_free(sk->stack, skb);
		return err;
	}
	if (udp_sk(sk)->is_corked || (m->flags & MSG_MORE)) {
		keep_pending(sk, skb, f);
		return 0;
	}
	return udp_datagram_send(sk, skb, f);
}

static int send_locked(struct sock *sk, struct msg *m, bool *ret_is_v4)
{
	struct udp_sock *us = udp_sk(sk);
	struct udp_flow f;
	int err;

	if (us->pending) { /* T68.3: the name is not even looked at */
		*ret_is_v4 = udp_flow_is_v4(&us->cork);
		return append_pending(sk, m);
	}
	err = udp_flow_init(sk, m, &f);
	if (err)
		return err;
	*ret_is_v4 = udp_flow_is_v4(&f);
	if (m->flags & MSG_CONFIRM)
		ip_confirm_neigh(f.dst);
	if (!(m->flags & FLAG_PROBE)) {
		err = wait_for_room(sk, m->flags & MSG_DONTWAIT ? 0 : sk->sndtimeo_ns);
		if (!err && us->pending)
			err = -EINVAL; /* another thread began to assemble while we slept */
		if (!err)
			err = send_new(sk, m, &f);
	}
	udp_flow_done(&f);
	return err;
}

ssize_t udp_sendmsg(struct sock *sk, struct msg *m)
{
	size_t len = m->iter.count;
	bool is_v4 = sk->family == AF_INET;
	int err;

	if (len > UDP_MSG_MAX)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	sock_lock(sk);
	err = send_locked(sk, m, &is_v4);
	sock_release(sk);
	if (likely(!err))
		return (ssize_t)len;
	if (err == -ENOBUFS || err == -EAGAIN)
		mib_inc(sk->stack, UDP_MIB(is_v4, SndbufErrors));
	return err;
}

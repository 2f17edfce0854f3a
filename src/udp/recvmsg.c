/* SPDX-License-Identifier: BSD-2-Clause */
/* recv() and its kin for datagrams: one per call (R60). */
/*
 * How it works
 *
 * A pending error is told before anything else, once; then the first datagram is taken or, peeking,
 * looked at from the peek offset on, which runs over datagram borders. What does not fit is
 * discarded and said so. Several sleepers woken for one error: the first takes it, the others give
 * up with -EAGAIN.
 *
 * Locks: takes the sock lock; gives it away while sleeping.
 */
#include "udp/udp_int.h"

#include <errno.h>

#define CM_RXQ_OVFL 40 /* SO_RXQ_OVFL */

/* One call. */
struct rx {
	struct sock *sk;
	struct msg *m;
	struct skb *skb; /* found; still queued when peeking */
	uint32_t off;    /* where in it to begin */
	int64_t timeo_ns;
	bool is_peek;
};

/* ---- find ---- */

static bool find_datagram(struct rx *r)
{
	struct sock *sk = r->sk;
	uint32_t off = r->is_peek && sk->peek_off > 0 ? (uint32_t)sk->peek_off : 0;
	struct skb *s = skb_peek(&sk->receive_queue);

	while (s && off && off >= s->len) {
		off -= s->len;
		s = s->next;
	}
	if (!s)
		return false;
	r->skb = s;
	r->off = off;
	if (!r->is_peek)
		skb_unlink(&sk->receive_queue, s);
	return true;
}

/* 1: found. 0: end of stream. Else the errno. */
static int wait_for_datagram(struct rx *r)
{
	struct sock *sk = r->sk;
	struct udp_sock *us = udp_sk(sk);
	uint32_t num_errors = atomic_load(&us->num_errors);

	for (;;) {
		uint32_t ticket = waitq_begin(&sk->wq);
		int err = sock_error(sk);

		if (err || find_datagram(r) || (sk->shutdown & RCV_SHUTDOWN)) {
			waitq_end(&sk->wq);
			return err ? err : r->skb != NULL;
		}
		if (atomic_load(&us->num_errors) != num_errors) {
			waitq_end(&sk->wq);
			return -EAGAIN; /* woken for an error that another reader took */
		}
		err = udp_wait(sk, ticket, &r->timeo_ns);
		if (err)
			return err;
	}
}

/* ---- copy ---- */

static int copy_out(const struct skb *skb, uint32_t off, uint32_t len, struct iov_iter *it)
{
	uint32_t head = skb_headlen(skb), n;

	if (off < head) {
		n = min_u32(len, head - off);
		if (iter_copy_to(it, skb_data(skb) + off, n))
			return -EFAULT;
		len -= n;
		off = 0;
	} else {
		off -= head;
	}
	for (unsigned int i = 0; len && i < skb->nr_frags; i++) {
		const struct frag *f = &skb->frags[i];

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		n = min_u32(len, f->len - off);
		if (iter_copy_to(it, f->region->data + f->off + off, n))
			return -EFAULT;
		len -= n;
		off = 0;
	}
	return 0;
}

static void put_name(const struct sock *sk, struct msg *m, const struct skb *skb)
{
	const struct udp_hdr *h = (const struct udp_hdr *)skb_transport(skb);
	struct ipaddr from;

	ip_skb_saddr(skb, &from);
	memset(&m->name, 0, sizeof(m->name));
	m->namelen = ipaddr_to_sockaddr(sk->family, &from, be16_to_cpu(h->sport_be),
					skb->dev ? skb->dev->ifindex : 0, &m->name);
}

static void put_control(struct sock *sk, struct msg *m, const struct skb *skb)
{
	uint32_t num_drops = udp_rx_cb(skb)->num_drops;

	if ((sk->flags & SK_RXQ_OVFL) && num_drops)
		cmsg_put(m, SOL_SOCKET, CM_RXQ_OVFL, &num_drops, sizeof(num_drops));
	l4_put_cmsgs(sk, m, skb);
}

static void move_peek_off(struct sock *sk, bool is_peek, uint32_t n)
{
	int64_t off = sk->peek_off;

	if (off < 0)
		return;
	off += is_peek ? (int64_t)n : -(int64_t)n;
	sk->peek_off = (int32_t)min_s64(max_s64(off, 0), INT32_MAX);
}

static ssize_t deliver(struct rx *r)
{
	struct sock *sk = r->sk;
	struct skb *skb = r->skb;
	bool is_v4 = skb_network(skb)[0] >> 4 == 4;
	uint32_t avail = skb->len - r->off, n = (uint32_t)min_u64(r->m->iter.count, avail);
	ssize_t ret;

	if (copy_out(skb, r->off, n, &r->m->iter)) {
		if (!r->is_peek) {
			atomic_fetch_add(&sk->drops, 1);
			mib_inc(sk->stack, UDP_MIB(is_v4, InErrors));
		}
		return -EFAULT;
	}
	if (!r->is_peek)
		mib_inc(sk->stack, UDP_MIB(is_v4, InDatagrams));
	if (n < avail)
		r->m->out_flags |= MSG_TRUNC;
	put_name(sk, r->m, skb);
	put_control(sk, r->m, skb);
	move_peek_off(sk, r->is_peek, r->is_peek ? n : skb->len);
	ret = r->m->flags & MSG_TRUNC ? (ssize_t)skb->len : (ssize_t)n;
	return ret;
}

/* ---- the call ---- */

ssize_t udp_recvmsg(struct sock *sk, struct msg *m)
{
	struct rx r = {
		.sk = sk,
		.m = m,
		.is_peek = m->flags & MSG_PEEK,
		.timeo_ns = m->flags & MSG_DONTWAIT ? 0 : sk->rcvtimeo_ns,
	};
	ssize_t ret;

	m->namelen = 0;
	if (m->flags & MSG_ERRQUEUE)
		return l4_recv_err(sk, m);
	sock_lock(sk);
	ret = wait_for_datagram(&r);
	if (ret > 0) {
		ret = deliver(&r);
		if (!r.is_peek)
			skb_free(sk->stack, r.skb);
	}
	sock_release(sk);
	return ret;
}

int udp_first_len(const struct sock *sk)
{
	const struct skb *s = skb_peek(&sk->receive_queue);

	return s ? (int)s->len : 0;
}

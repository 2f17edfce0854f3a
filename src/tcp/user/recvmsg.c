/* SPDX-License-Identifier: BSD-2-Clause */
/* recv() and its kin: from the receive queue to the program (R53, R54, R55, R57). */
/*
 * How it works
 *
 * One read walks the stream from CPY (or, peeking, from behind it) through as many records as it wants,
 * stops in front of the urgent mark, and gives records back when they are used up. With nothing to copy
 * it looks, in this order, at end of stream, error, shutdown, state and time before it sleeps. What was
 * copied always wins over an error, which is told by the next call.
 *
 * Locks: takes the sock lock; gives it away while sleeping.
 */
#include "tcp/user/user_int.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <sys/time.h>
#include <time.h>

#include "l4/l4.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn.h"
#include "tcp/in/in.h"
#include "wire/seq.h"

#define CM_TCP_INQ 36 /* TCP_CM_INQ */
#define CM_TIMESTAMP 29
#define CM_TIMESTAMPNS 35
#define CM_TIMESTAMPING 37

struct rx {
	struct tcp_sock *tp;
	struct msg *m;
	uint32_t peek_seq;	/* cursor of a peek */
	uint32_t *seq;		/* the cursor: &peek_seq or &tp->copied_seq */
	size_t left;		/* bytes still wanted */
	size_t target;		/* enough to return */
	ssize_t copied;
	int64_t timeo_ns;
	int err;		/* why it ended, if nothing was copied */
	bool is_peek, is_discard;
	uint64_t stamp_ns;	/* of the last segment copied from */
};

/* ---- copying ---- */

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

static void give_back(struct rx *r, struct skb *skb)
{
	if (r->is_peek)
		return;
	skb_unlink(&r->tp->sk.receive_queue, skb);
	tcp_rx_free(r->tp, skb);
}

/* ---- one record ---- */

/* How many of @avail bytes may be taken at the cursor, urgent data considered (R54.3). *ret_skip: the urgent
 * byte itself is at the cursor and not part of the stream. */
static uint32_t clip_at_mark(const struct rx *r, uint32_t avail, bool *ret_skip)
{
	const struct tcp_sock *tp = r->tp;
	uint32_t ahead = tp->urg_seq - *r->seq;

	*ret_skip = false;
	if (likely(!tp->urg_data) || ahead >= avail)
		return avail;
	if (ahead)
		return ahead;
	*ret_skip = !(tp->sk.flags & SK_OOBINLINE);
	return avail;
}

static void forget_passed_mark(struct tcp_sock *tp)
{
	if (tp->urg_data && seq_after(tp->copied_seq, tp->urg_seq))
		tp->urg_data = 0;
}

/* Take from @skb at @off. Return: false when the read is over (r->err set on a bad pointer). */
static bool take(struct rx *r, struct skb *skb, uint32_t off)
{
	uint32_t avail = (uint32_t)min_u64(skb->len - off, r->left), used;
	bool skip;

	used = clip_at_mark(r, avail, &skip);
	if (skip) {
		(*r->seq)++;
		off++;
		used--;
	}
	if (used) {
		if (!r->is_discard && copy_out(skb, off, used, &r->m->iter)) {
			r->err = -EFAULT;
			return false;
		}
		*r->seq += used;
		r->copied += used;
		r->left -= used;
		r->stamp_ns = skb->tstamp_ns;
		if (!r->is_peek)
			tcp_rcv_space_adjust(r->tp);
	}
	if (!r->is_peek)
		forget_passed_mark(r->tp);
	if (off + used < skb->len)
		return true;
	if (tcp_cb(skb)->flags & TCPH_FIN) {
		(*r->seq)++;
		give_back(r, skb);
		return false;
	}
	give_back(r, skb);
	return true;
}

/* The record that holds the cursor; *ret_off: where in its payload. NULL: none yet. */
static struct skb *find_record(const struct rx *r, uint32_t *ret_off)
{
	for (struct skb *s = skb_peek(&r->tp->sk.receive_queue); s; s = s->next) {
		uint32_t off = *r->seq - tcp_cb(s)->seq;

		if (tcp_cb(s)->flags & TCPH_SYN)
			off--;
		if (off < s->len || (off == s->len && (tcp_cb(s)->flags & TCPH_FIN))) {
			*ret_off = off;
			return s;
		}
	}
	return NULL;
}

/* ---- nothing to take ---- */

/* R53.1. Return: the read is over; r->err says why if nothing was copied. */
static bool is_over(struct rx *r)
{
	struct sock *sk = &r->tp->sk;

	if (r->copied)
		return atomic_load(&sk->err) || sk->state == TCP_CLOSE || (sk->shutdown & RCV_SHUTDOWN) || !r->timeo_ns;
	if (sk->flags & SK_DONE)
		return true;
	r->err = sock_error(sk);
	if (r->err || (sk->shutdown & RCV_SHUTDOWN))
		return true;
	if (sk->state == TCP_CLOSE)
		r->err = -ENOTCONN;
	else if (!r->timeo_ns)
		r->err = -EAGAIN;
	return r->err != 0;
}

/* Return: look again. */
static bool wait_for_data(struct rx *r)
{
	struct sock *sk = &r->tp->sk;
	int err;

	if (sock_flush_backlog(sk))
		return true;
	if (r->copied && (size_t)r->copied >= r->target)
		return false;
	if (is_over(r))
		return false;
	tcp_cleanup_rbuf(r->tp, (uint32_t)r->copied);
	err = tcp_wait(r->tp, waitq_begin(&sk->wq), &r->timeo_ns);
	if (err)
		r->err = err;
	return !err;
}

static void read_stream(struct rx *r)
{
	do {
		uint32_t off;
		struct skb *skb;

		if (unlikely(r->tp->urg_data) && r->tp->urg_seq == *r->seq && r->copied)
			return;
		skb = find_record(r, &off);
		if (skb ? !take(r, skb, off) : !wait_for_data(r))
			return;
	} while (r->left);
}

/* ---- urgent data (R54.4) ---- */

static ssize_t read_urgent(struct rx *r)
{
	struct tcp_sock *tp = r->tp;
	struct sock *sk = &tp->sk;
	uint8_t byte = (uint8_t)tp->urg_data;

	if ((sk->flags & SK_OOBINLINE) || !tp->urg_data || tp->urg_data == TCP_URG_READ)
		return -EINVAL;
	if (sk->state == TCP_CLOSE && !(sk->flags & SK_DONE))
		return -ENOTCONN;
	if (tp->urg_data & TCP_URG_VALID) {
		if (!r->is_peek)
			tp->urg_data = TCP_URG_READ;
		r->m->out_flags |= MSG_OOB;
		if (!r->left) {
			r->m->out_flags |= MSG_TRUNC;
			return 0;
		}
		if (!r->is_discard && iter_copy_to(&r->m->iter, &byte, 1))
			return -EFAULT;
		return 1;
	}
	if (sk->state == TCP_CLOSE || (sk->shutdown & RCV_SHUTDOWN))
		return 0;
	return -EAGAIN;
}

/* ---- ancillary data (R57) ---- */

static void put_stamp(struct sock *sk, struct msg *m, uint64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	if (sk->flags & SK_TIMESTAMPNS) {
		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMPNS, &ts, sizeof(ts));
	} else if (sk->flags & SK_TIMESTAMP) {
		struct timeval tv = { .tv_sec = ts.tv_sec, .tv_usec = ts.tv_nsec / 1000 };

		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMP, &tv, sizeof(tv));
	}
	if ((sk->tsflags & (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)) ==
	    (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)) {
		struct timespec all[3] = { ts };

		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMPING, all, sizeof(all));
	}
}

static void put_cmsgs(struct rx *r)
{
	struct tcp_sock *tp = r->tp;
	struct sock *sk = &tp->sk;

	if (r->stamp_ns && ((sk->flags & (SK_TIMESTAMP | SK_TIMESTAMPNS)) || sk->tsflags))
		put_stamp(sk, r->m, r->stamp_ns + clock_wall_ns(&sk->stack->pools->clock) - stack_now_ns(sk->stack));
	if (tp->recvmsg_inq) {
		int inq = (int)tcp_inq(tp);

		if (!inq && (sk->flags & SK_DONE))
			inq = 1; /* the end of the stream is still to be read */
		cmsg_put(r->m, IPPROTO_TCP, CM_TCP_INQ, &inq, sizeof(inq));
	}
}

/* ---- the call ---- */

static void move_peek_off(struct rx *r)
{
	struct sock *sk = &r->tp->sk;
	int64_t off = sk->peek_off;

	if (off < 0)
		return;
	off += r->is_peek ? r->copied : -r->copied;
	sk->peek_off = (int32_t)max_s64(off, 0);
}

static ssize_t recv_locked(struct rx *r)
{
	struct tcp_sock *tp = r->tp;
	struct sock *sk = &tp->sk;
	int flags = r->m->flags;

	if (sk->state == TCP_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return read_urgent(r);
	r->seq = &tp->copied_seq;
	if (r->is_peek) {
		r->peek_seq = tp->copied_seq + (uint32_t)(sk->peek_off > 0 ? sk->peek_off : 0);
		r->seq = &r->peek_seq;
	}
	r->target = flags & MSG_WAITALL ? r->left : min_u64((uint64_t)sk->rcvlowat, r->left);
	if (!r->target)
		r->target = 1;
	read_stream(r);
	if (!r->is_peek)
		tcp_cleanup_rbuf(tp, (uint32_t)r->copied);
	if (!r->copied && r->err)
		return r->err;
	move_peek_off(r);
	put_cmsgs(r);
	return r->copied;
}

ssize_t tcp_recvmsg(struct sock *sk, struct msg *m)
{
	struct rx r = {
		.tp = tcp_sk(sk), .m = m, .left = m->iter.count, .is_peek = m->flags & MSG_PEEK,
		.is_discard = m->flags & MSG_TRUNC, .timeo_ns = m->flags & MSG_DONTWAIT ? 0 : sk->rcvtimeo_ns,
	};
	ssize_t ret;

	m->namelen = 0;
	if (m->flags & MSG_ERRQUEUE)
		return l4_recv_err(sk, m);
	sock_lock(sk);
	tcp_mstamp_refresh(r.tp);
	ret = recv_locked(&r);
	sock_release(sk);
	return ret;
}

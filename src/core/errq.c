/* SPDX-License-Identifier: BSD-2-Clause */
/* Error queue of a socket: entries, transmit timestamps, zerocopy notifications. */
/*
 * How it works: entries are packets with a struct errq_cb in cb, linked in sk->error_queue under
 * sk->err_lock (rank LOCK_RXQ), so that a device or a freed packet can post one while others hold the
 * socket. They are charged to RMEM; over the limit of RCVBUF an entry is refused.
 *
 * Deliberately absent: SOF_TIMESTAMPING_OPT_STATS payload (the transports' knowledge) and COMPLETION.
 */
#include "core/errq.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <sys/epoll.h>

#include "core/netdev.h"
#include "core/proto.h"
#include "core/sock.h"
#include "core/ubuf.h"

void errq_lock_take(struct sock *sk)
{
	struct stack *st = sk->stack;
	uint32_t idx = 0;
	struct skb *s;

	lock_take(&sk->err_lock);
	if (likely(!sk->err_lock.was_abandoned))
		return;
	/* Links cannot be trusted: the entries are found by walking the pool, and lost. */
	sk->err_lock.was_abandoned = 0;
	skb_queue_init(&sk->error_queue);
	while ((s = pool_next_live(&st->pools->skb, &idx))) {
		if (s->owner != SKB_IN_ERRQ || s->sk != sk)
			continue;
		s->next = s->prev = NULL;
		skb_owner_move(s, SKB_IN_TRANSIT);
		skb_free(st, s);
	}
}

int sock_queue_err_skb(struct sock *sk, struct skb *skb)
{
	if ((int64_t)atomic_load(&sk->rmem_alloc) + skb->truesize >= sk->rcvbuf)
		return -ENOMEM;
	skb_orphan(sk->stack, skb);
	skb_set_owner_r(skb, sk);
	errq_lock_take(sk);
	skb_queue_tail(&sk->error_queue, skb, SKB_IN_ERRQ);
	lock_drop(&sk->err_lock);
	sock_wake(sk, EPOLLERR);
	return 0;
}

struct skb *sock_dequeue_err_skb(struct sock *sk)
{
	struct skb *s;

	errq_lock_take(sk);
	s = skb_dequeue(&sk->error_queue);
	lock_drop(&sk->err_lock);
	return s;
}

/* ---- transmit timestamps (T91) ---- */

static struct skb *tstamp_payload(struct stack *st, struct skb *skb, bool is_empty)
{
	struct skb *n;

	if (is_empty)
		return skb_alloc(st, POOL_NORMAL);
	n = skb_clone(st, skb, POOL_NORMAL);
	if (!n)
		return NULL;
	skb_orphan(st, n); /* a reader's copy is not "in flight" */
	if (n->dst) {
		dst_put(n->dst);
		n->dst = NULL;
	}
	if (n->ubuf) {
		ubuf_put(st, n->ubuf);
		n->ubuf = NULL;
	}
	return n;
}

void skb_tstamp_tx(struct stack *st, struct skb *skb, struct sock *sk, enum tstamp_event ev)
{
	struct errq_cb *cb;
	struct skb *n;
	bool ts_only;

	if (likely(!(skb->tx_flags & skb_tx_event_flag(ev))))
		return;
	if (skb->sk)
		sk = skb->sk;
	if (!sk)
		return;
	ts_only = sk->tsflags & SOF_TIMESTAMPING_OPT_TSONLY;
	if (!ts_only && !st->sysctl.tstamp_allow_data)
		return;
	n = tstamp_payload(st, skb, ts_only);
	if (!n)
		return;
	cb = errq_cb(n);
	memset(cb, 0, sizeof(*cb));
	cb->ee_errno = ENOMSG;
	cb->ee_origin = ERRQ_ORIGIN_TIMESTAMPING;
	cb->ee_info = ev;
	if (sk->tsflags & SOF_TIMESTAMPING_OPT_ID)
		cb->ee_data = skb->ts_key - (sk->proto == PROTO_TCP ? sk->tskey : 0);
	cb->has_stamp = sk->tsflags & SOF_TIMESTAMPING_SOFTWARE;
	cb->ifindex = skb->dev ? skb->dev->ifindex : 0;
	n->tstamp_ns = clock_wall_ns(&st->pools->clock);
	n->tx_flags = 0;
	if (sock_queue_err_skb(sk, n)) {
		atomic_fetch_add(&sk->drops, 1);
		skb_free(st, n);
	}
}

/* ---- zerocopy notifications (T90) ---- */

struct ubuf *ubuf_alloc(struct sock *sk, uint32_t id)
{
	struct ubuf *u = pool_alloc(&sk->stack->pools->ubuf, POOL_NORMAL);

	if (!u)
		return NULL;
	atomic_init(&u->refs, 1);
	atomic_init(&u->is_copied, 0);
	sock_get(sk);
	u->sk = sk;
	u->id = id;
	u->num = 1;
	u->bytes = 0;
	return u;
}

/* T90.3: does the newest entry end where this range begins, with the same code. */
static bool merge_into_tail(struct sock *sk, const struct ubuf *u, uint8_t code)
{
	struct skb *tail;
	bool is_merged = false;

	errq_lock_take(sk);
	tail = skb_peek_tail(&sk->error_queue);
	if (tail) {
		struct errq_cb *cb = errq_cb(tail);
		uint64_t num = (uint64_t)(cb->ee_data - cb->ee_info) + 1 + u->num;

		if (cb->ee_origin == ERRQ_ORIGIN_ZEROCOPY && cb->ee_code == code &&
		    cb->ee_data + 1 == u->id && num < UINT32_MAX) {
			cb->ee_data += u->num;
			is_merged = true;
		}
	}
	lock_drop(&sk->err_lock);
	return is_merged;
}

static void post_zerocopy(struct stack *st, struct ubuf *u)
{
	uint8_t code = atomic_load(&u->is_copied) ? ERRQ_CODE_ZEROCOPY_COPIED : 0;
	struct errq_cb *cb;
	struct skb *s;

	if (merge_into_tail(u->sk, u, code)) {
		sock_wake(u->sk, EPOLLERR);
		return;
	}
	s = skb_alloc(st, POOL_RESERVE);
	if (!s)
		return;
	cb = errq_cb(s);
	memset(cb, 0, sizeof(*cb));
	cb->ee_origin = ERRQ_ORIGIN_ZEROCOPY;
	cb->ee_code = code;
	cb->ee_info = u->id;
	cb->ee_data = u->id + u->num - 1;
	if (sock_queue_err_skb(u->sk, s))
		skb_free(st, s);
}

void ubuf_put(struct stack *st, struct ubuf *u)
{
	struct sock *sk;

	if (!u || atomic_fetch_sub_explicit(&u->refs, 1, memory_order_acq_rel) != 1)
		return;
	sk = u->sk;
	if (sk && u->num && !(__atomic_load_n(&sk->flags, __ATOMIC_RELAXED) & SK_DEAD))
		post_zerocopy(st, u);
	pool_free(&st->pools->ubuf, u);
	if (sk)
		sock_put(sk);
}

void ubuf_abort(struct stack *st, struct ubuf *u)
{
	if (!u)
		return;
	u->num--;
	ubuf_put(st, u);
}

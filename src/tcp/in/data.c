/* SPDX-License-Identifier: BSD-2-Clause */
/* Payload on its way to the reader: in order, old, beyond the window; and the FIN (R33, R48). */
/*
 * How it works
 *
 *        old            in order                 out of order           beyond
 *   ------------|---------------------------|--------------------|-----------------> sequence
 *             RNXT                                            RNXT + WINLEFT
 *
 * In-order data is charged and appended to the receive queue; records may begin below what was read
 * already (the reader starts at CPY). Old data is dropped and answered at once with a D-SACK.
 *
 * A FIN in FIN-WAIT-2 only marks the connection (is_time_wait_due); tcp/conn makes it a TIME-WAIT object.
 */
#include <sys/epoll.h>

#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "tcp/out/out.h"
#include "wire/seq.h"

#define ONE_BUFFER_TRUESIZE 2304u /* R36.1: largest charge of a packet that is one buffer */

/* ---- appending ---- */

static bool move_frags(struct tcp_sock *tp, struct skb *to, struct skb *from)
{
	if (skb_headlen(from) || !from->nr_frags || to->nr_frags + from->nr_frags > SKB_MAX_FRAGS)
		return false;
	for (unsigned int i = 0; i < from->nr_frags; i++) {
		struct frag *f = &from->frags[i], *last = to->nr_frags ? &to->frags[to->nr_frags - 1] : NULL;

		if (last && last->region == f->region && last->off + last->len == f->off) {
			last->len += f->len;
			page_region_put(tp->sk.stack->pools->pages, f->region);
		} else {
			to->frags[to->nr_frags++] = *f; /* the reference moves along */
		}
	}
	to->len += from->data_len;
	to->data_len += from->data_len;
	from->nr_frags = 0; /* the husk keeps its lengths for who measures it; it is only freed */
	return true;
}

bool tcp_try_coalesce(struct tcp_sock *tp, struct skb *to, struct skb *from, uint32_t *ret_grown)
{
	struct tcp_skb_cb *t = tcp_cb(to), *f = tcp_cb(from);
	uint32_t len = from->len, grown = 0;

	if (f->seq != t->end_seq || (t->flags & TCPH_FIN) || ((t->flags | f->flags) & TCPH_SYN))
		return false;
	if (!to->nr_frags && len <= skb_tailroom(to)) {
		uint8_t *p = skb_put(to, len);

		if (skb_copy_bits(from, 0, p, len)) { /* cannot be: len is its length */
			skb_trim_tail(tp->sk.stack, to, to->len - len);
			return false;
		}
	} else {
		if (!move_frags(tp, to, from))
			return false;
		/* A packet of one buffer stays charged as if it stood alone, so that windows are Linux's (R36.1). */
		grown = from->truesize > ONE_BUFFER_TRUESIZE ? from->truesize - SKB_TRUESIZE : from->truesize;
	}
	t->end_seq = f->end_seq;
	t->ack_seq = f->ack_seq;
	t->flags |= f->flags;
	to->tstamp_ns = from->tstamp_ns;
	*ret_grown = grown;
	return true;
}

/* The tail got more memory: charge it, also in the queue's sum. */
static void grow_charge(struct tcp_sock *tp, struct skb_queue *q, struct skb *skb, uint32_t grown)
{
	skb->truesize += grown;
	if (q)
		q->truesize += grown;
	atomic_fetch_add(&tp->sk.rmem_alloc, (int32_t)grown);
	tp->sk.forward_alloc -= (int32_t)grown;
}

static void advance_rcv_nxt(struct tcp_sock *tp, uint32_t end)
{
	tp->bytes_received += end - tp->rcv_nxt;
	tp->rcv_nxt = end;
}

/* @is_charged: it comes from the out-of-order queue. */
bool tcp_queue_rcv(struct tcp_sock *tp, struct skb *skb, bool is_charged)
{
	struct sock *sk = &tp->sk;
	struct skb *tail = skb_peek_tail(&sk->receive_queue);
	uint32_t end = tcp_cb(skb)->end_seq, grown;

	if (tail && tcp_try_coalesce(tp, tail, skb, &grown)) {
		if (grown) {
			if (is_charged)
				tcp_wmem_force(tp, grown); /* its own charge goes when it is freed */
			grow_charge(tp, &sk->receive_queue, tail, grown);
		}
		mib_inc(sk->stack, TcpExtTCPRcvCoalesce);
		advance_rcv_nxt(tp, end);
		return true;
	}
	if (!is_charged)
		tcp_rx_charge(tp, skb);
	skb_queue_tail(&sk->receive_queue, skb, SKB_IN_RCVQ);
	advance_rcv_nxt(tp, end);
	return false;
}

void tcp_data_ready(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	int32_t avail = (int32_t)(tp->rcv_nxt - tp->copied_seq);

	if (sk->flags & SK_DEAD)
		return;
	/* Below the low-water mark only a peer that cannot send more is a reason to wake. */
	if (avail >= sk->rcvlowat || (sk->flags & SK_DONE) ||
	    (avail > 0 && (sk->rmem_alloc > sk->rcvbuf || tcp_receive_window(tp) <= tp->rcv_mss)))
		sock_wake(sk, EPOLLIN | EPOLLRDNORM);
}

/* ---- FIN (R48) ---- */

void tcp_fin(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint32_t events = EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;

	tcp_schedule_ack(tp);
	sk->shutdown |= RCV_SHUTDOWN;
	sk->flags |= SK_DONE;
	switch ((uint8_t)sk->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
		tcp_set_state(tp, TCP_CLOSE_WAIT);
		tcp_enter_interactive(tp);
		break;
	case TCP_FIN_WAIT1:
		tcp_send_ack(tp); /* simultaneous close */
		tcp_set_state(tp, TCP_CLOSING);
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(tp);
		tp->is_time_wait_due = true;
		break;
	default:
		break; /* a repeated one */
	}
	tcp_ofo_purge(tp);
	tcp_mem_reclaim(tp);
	if (sk->flags & SK_DEAD)
		return;
	if (sk->shutdown == SHUTDOWN_MASK)
		events |= EPOLLHUP;
	sock_wake(sk, events);
}

/* ---- one segment ---- */

/* R33.5: no memory for in-order data. true: it may be queued nevertheless. */
static COLD bool queue_by_force(struct tcp_sock *tp, struct skb *skb)
{
	tp->ack_pending |= TCP_ACK_NOMEM | TCP_ACK_NOW;
	tcp_schedule_ack(tp);
	tcp_data_ready(tp);
	if (skb_peek(&tp->sk.receive_queue) && skb->len) {
		mib_inc(tp->sk.stack, TcpExtTCPRcvQDrop);
		return false;
	}
	tcp_wmem_force(tp, skb->truesize);
	return true;
}

static void queue_in_order(struct tcp_sock *tp, struct skb *skb)
{
	bool has_fin = tcp_cb(skb)->flags & TCPH_FIN, is_merged;

	if (!tcp_try_rmem_schedule(tp, skb, skb->truesize) && !queue_by_force(tp, skb)) {
		skb_free(tp->sk.stack, skb);
		return;
	}
	is_merged = tcp_queue_rcv(tp, skb, false);
	if (skb->len)
		tcp_event_data_recv(tp, skb);
	if (has_fin)
		tcp_fin(tp);
	if (!tcp_ofo_is_empty(tp)) {
		tcp_ofo_drain(tp);
		if (tcp_ofo_is_empty(tp))
			tp->ack_pending |= TCP_ACK_NOW; /* the hole is filled */
	}
	if (tp->rx.num_sacks)
		tcp_sack_remove(tp);
	if (is_merged)
		skb_free(tp->sk.stack, skb);
	tcp_data_ready(tp);
}

/* Not wanted: answer at once and drop. */
static void refuse(struct tcp_sock *tp, struct skb *skb)
{
	tcp_enter_quickack_mode(tp, TCP_MAX_QUICKACKS);
	tcp_schedule_ack(tp);
	skb_free(tp->sk.stack, skb);
}

static void refuse_zero_window(struct tcp_sock *tp, struct skb *skb)
{
	mib_inc(tp->sk.stack, TcpExtTCPZeroWindowDrop);
	refuse(tp, skb);
}

void tcp_data_queue(struct tcp_sock *tp, struct skb *skb)
{
	struct stack *st = tp->sk.stack;
	uint32_t seq = tcp_cb(skb)->seq, end = tcp_cb(skb)->end_seq, win = tcp_receive_window(tp);

	if (seq == end) {
		skb_free(st, skb);
		return;
	}
	tcp_ecn_accept_cwr(tp, skb);
	tp->rx.dsack_pending = false;
	if (seq == tp->rcv_nxt) {
		if (!win && skb->len)
			refuse_zero_window(tp, skb);
		else
			queue_in_order(tp, skb);
	} else if (!seq_after(end, tp->rcv_nxt)) {
		mib_inc(st, TcpExtDelayedACKLost);
		tcp_dsack_set(tp, seq, end);
		refuse(tp, skb);
	} else if (!seq_before(seq, tp->rcv_nxt + win)) {
		mib_inc(st, TcpExtBeyondWindow);
		refuse(tp, skb);
	} else if (seq_before(seq, tp->rcv_nxt)) {
		tcp_dsack_set(tp, seq, tp->rcv_nxt);
		if (win)
			queue_in_order(tp, skb);
		else
			refuse_zero_window(tp, skb);
	} else {
		tcp_data_queue_ofo(tp, skb);
	}
}

void tcp_data_snd_check(struct tcp_sock *tp)
{
	tcp_push_pending_frames(tp);
	tcp_check_space(tp);
}

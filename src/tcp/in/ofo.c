/* SPDX-License-Identifier: BSD-2-Clause */
/* The out-of-order queue: segments above a hole, ordered by sequence (R34). */
/*
 * How it works
 *
 * Records sit in a balanced tree by their first sequence number. A newcomer is compared with the record at
 * or before its start (its "floor") and then with those behind it: one that lies inside the other goes,
 * partial overlaps stay (the reader skips them). Every byte that arrives twice is reported by D-SACK.
 *
 *        floor          newcomer                  followers
 *     [---------)   [----------------)      [----)   [--------)
 *
 * Invariants: 1. from record to record both start and end grow, all starts lie above RNXT; 2. ofo_last is the one with the highest
 * sequence, meaningful only while the tree is not empty; 3. every record is charged to RMEM.
 */
#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "wire/seq.h"

void tcp_ofo_unlink(struct tcp_sock *tp, struct skb *skb)
{
	if (tp->ofo_last == skb)
		tp->ofo_last = tcp_ofo_entry(rb_prev(&skb->rb));
	rb_erase(&tp->ofo, &skb->rb);
	skb_owner_move(skb, SKB_IN_TRANSIT);
}

/* Last record that starts at or before @seq; NULL: none. */
static struct skb *find_floor(const struct tcp_sock *tp, uint32_t seq)
{
	struct rb_node *n = tp->ofo.node;
	struct skb *floor = NULL;

	if (n && seq_after_eq(seq, tcp_cb(tp->ofo_last)->seq))
		return tp->ofo_last; /* the usual case: later than everything */
	while (n) {
		struct skb *s = tcp_ofo_entry(n);

		if (seq_before(seq, tcp_cb(s)->seq)) {
			n = n->left;
		} else {
			floor = s;
			n = n->right;
		}
	}
	return floor;
}

static void insert_behind(struct tcp_sock *tp, struct skb *floor, struct skb *skb)
{
	struct rb_node *parent = floor ? &floor->rb : NULL;
	struct rb_node **link = floor ? &floor->rb.right : &tp->ofo.node;

	/* The place right behind the floor is the leftmost of its right subtree. */
	while (*link) {
		parent = *link;
		link = &parent->left;
	}
	rb_insert_at(&tp->ofo, &skb->rb, parent, link);
	skb_owner_move(skb, SKB_IN_OFO);
	if (!tp->ofo_last || !rb_next(&skb->rb))
		tp->ofo_last = skb;
}

static void drop_duplicate(struct tcp_sock *tp, struct skb *skb)
{
	mib_inc(tp->sk.stack, TcpExtTCPOFOMerge);
	skb_free(tp->sk.stack, skb);
}

/* A queued record lies wholly inside the newcomer. */
static void swallow(struct tcp_sock *tp, struct skb *old)
{
	tcp_dsack_extend(tp, tcp_cb(old)->seq, tcp_cb(old)->end_seq);
	mib_inc(tp->sk.stack, TcpExtTCPOFOMerge);
	tcp_ofo_unlink(tp, old);
	tcp_rx_free(tp, old);
}

static void trim_followers(struct tcp_sock *tp, struct skb *rec, uint32_t end)
{
	struct skb *s;

	while ((s = tcp_ofo_entry(rb_next(&rec->rb)))) {
		if (!seq_after(end, tcp_cb(s)->seq))
			return;
		if (seq_before(end, tcp_cb(s)->end_seq)) {
			tcp_dsack_extend(tp, tcp_cb(s)->seq, end);
			return;
		}
		swallow(tp, s);
	}
}

/* Give @skb its place. Return: the record that holds its bytes now; NULL: it was a duplicate (freed). */
static struct skb *place(struct tcp_sock *tp, struct skb *skb, bool *ret_is_merged)
{
	uint32_t seq = tcp_cb(skb)->seq, end = tcp_cb(skb)->end_seq, grown;
	struct skb *floor = find_floor(tp, seq);

	*ret_is_merged = false;
	if (floor && seq_before(seq, tcp_cb(floor)->end_seq)) {
		if (!seq_after(end, tcp_cb(floor)->end_seq)) {
			tcp_dsack_set(tp, seq, end);
			drop_duplicate(tp, skb);
			return NULL;
		}
		if (seq == tcp_cb(floor)->seq) {
			struct skb *before = tcp_ofo_entry(rb_prev(&floor->rb));

			swallow(tp, floor);
			floor = before;
		} else {
			tcp_dsack_set(tp, seq, tcp_cb(floor)->end_seq);
		}
	} else if (floor && tcp_try_coalesce(tp, floor, skb, &grown)) {
		if (grown) {
			floor->truesize += grown;
			atomic_fetch_add(&tp->sk.rmem_alloc, (int32_t)grown);
			tp->sk.forward_alloc -= (int32_t)grown;
		}
		*ret_is_merged = true;
		return floor;
	}
	insert_behind(tp, floor, skb);
	return skb;
}

void tcp_data_queue_ofo(struct tcp_sock *tp, struct skb *skb)
{
	struct stack *st = tp->sk.stack;
	uint32_t seq = tcp_cb(skb)->seq, end = tcp_cb(skb)->end_seq;
	struct skb *rec;
	bool is_merged;

	tcp_ecn_check_ce(tp, skb);
	if (!tcp_try_rmem_schedule(tp, skb, skb->truesize)) {
		mib_inc(st, TcpExtTCPOFODrop);
		tcp_data_ready(tp);
		skb_free(st, skb);
		return;
	}
	tcp_schedule_ack(tp);
	tp->rcv_ooopack += max_u32(tcp_cb(skb)->pcount, 1);
	mib_inc(st, TcpExtTCPOFOQueue);
	if (tcp_is_sack(tp))
		tcp_grow_window(tp, skb);
	rec = place(tp, skb, &is_merged);
	if (rec)
		trim_followers(tp, rec, end);
	if (tcp_is_sack(tp))
		tcp_sack_new_ofo(tp, seq, end);
	if (is_merged)
		skb_free(st, skb);
	else if (rec)
		tcp_rx_charge(tp, skb);
	if (rec && !tp->listener)
		tcp_rcvbuf_grow(tp, tp->rcvq_space); /* R40.3: room for what follows the hole */
}

void tcp_ofo_drain(struct tcp_sock *tp)
{
	uint32_t dup_high = tp->rcv_nxt;
	struct skb *s;

	while ((s = tcp_ofo_entry(rb_first(&tp->ofo)))) {
		uint32_t seq = tcp_cb(s)->seq, end = tcp_cb(s)->end_seq;
		bool has_fin = tcp_cb(s)->flags & TCPH_FIN;

		if (seq_after(seq, tp->rcv_nxt))
			return;
		if (seq_before(seq, dup_high)) {
			tcp_dsack_extend(tp, seq, dup_high);
			dup_high = seq_min(dup_high, end);
		}
		tcp_ofo_unlink(tp, s);
		if (!seq_after(end, tp->rcv_nxt)) {
			tcp_rx_free(tp, s);
			continue;
		}
		if (tcp_queue_rcv(tp, s, true))
			tcp_rx_free(tp, s);
		if (has_fin) {
			tcp_fin(tp); /* empties the tree */
			return;
		}
	}
}

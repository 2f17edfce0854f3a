/* SPDX-License-Identifier: BSD-2-Clause */
/* SACK and D-SACK blocks that our acknowledgements carry (R35; RFC 2018 section 4, RFC 2883). */
/*
 * How it works
 *
 * selective_acks[0 .. num_sacks-1] are the runs of out-of-order data we still report, the most recently
 * changed one first. At most TCP_NUM_SACKS are remembered: the oldest is forgotten although its data
 * stays queued. A D-SACK is one range, sent once, ahead of the list.
 *
 * Invariants: 1. no two blocks touch; 2. every block lies above RNXT; 3. num_sacks is 0 without SACK.
 */
#include "tcp/in/in_int.h"

#include "wire/seq.h"

#define FLUSH_FROM_BLOCK 2 /* blocks an ACK shows for sure; from the third on none may be lost unseen (R45.4) */

/* Grow @b over [seq, end) when the two overlap or adjoin. */
static bool block_extend(struct tcp_sack_block *b, uint32_t seq, uint32_t end)
{
	if (seq_after(seq, b->end) || seq_after(b->start, end))
		return false;
	b->start = seq_min(b->start, seq);
	b->end = seq_max(b->end, end);
	return true;
}

static void block_delete(struct tcp_rx_opts *rx, struct tcp_sack_block *list, unsigned int i)
{
	rx->num_sacks--;
	for (; i < rx->num_sacks; i++)
		list[i] = list[i + 1];
}

static void move_to_front(struct tcp_sack_block *list, unsigned int i)
{
	struct tcp_sack_block b = list[i];

	for (; i > 0; i--)
		list[i] = list[i - 1];
	list[0] = b;
}

/* The front block grew: swallow whatever it touches now. */
static void join_with_front(struct tcp_sock *tp)
{
	struct tcp_sack_block *list = tp->selective_acks;

	for (unsigned int i = 1; i < tp->rx.num_sacks;) {
		if (block_extend(&list[0], list[i].start, list[i].end))
			block_delete(&tp->rx, list, i);
		else
			i++;
	}
}

void tcp_sack_new_ofo(struct tcp_sock *tp, uint32_t seq, uint32_t end)
{
	struct tcp_sack_block *list = tp->selective_acks;
	unsigned int n = tp->rx.num_sacks, i;

	for (i = 0; i < n; i++) {
		if (!block_extend(&list[i], seq, end))
			continue;
		if (i >= FLUSH_FROM_BLOCK)
			tcp_compack_flush(tp);
		move_to_front(list, i);
		join_with_front(tp);
		return;
	}
	if (n >= FLUSH_FROM_BLOCK)
		tcp_compack_flush(tp);
	if (n == TCP_NUM_SACKS)
		n--;
	for (i = n; i > 0; i--)
		list[i] = list[i - 1];
	list[0] = (struct tcp_sack_block){ .start = seq, .end = end };
	tp->rx.num_sacks = (uint8_t)(n + 1);
}

void tcp_sack_remove(struct tcp_sock *tp)
{
	struct tcp_sack_block *list = tp->selective_acks;

	if (tcp_ofo_is_empty(tp)) {
		tp->rx.num_sacks = 0;
		return;
	}
	for (unsigned int i = 0; i < tp->rx.num_sacks;) {
		if (seq_after_eq(tp->rcv_nxt, list[i].start))
			block_delete(&tp->rx, list, i);
		else
			i++;
	}
}

void tcp_dsack_set(struct tcp_sock *tp, uint32_t seq, uint32_t end)
{
	if (!tcp_is_sack(tp) || !tp->sk.stack->sysctl.tcp_dsack)
		return;
	mib_inc(tp->sk.stack, seq_before(seq, tp->rcv_nxt) ? TcpExtTCPDSACKOldSent : TcpExtTCPDSACKOfoSent);
	tp->rx.dsack_pending = true;
	tp->duplicate_sack = (struct tcp_sack_block){ .start = seq, .end = end };
}

void tcp_dsack_extend(struct tcp_sock *tp, uint32_t seq, uint32_t end)
{
	if (!tp->rx.dsack_pending)
		tcp_dsack_set(tp, seq, end);
	else
		block_extend(&tp->duplicate_sack, seq, end);
}

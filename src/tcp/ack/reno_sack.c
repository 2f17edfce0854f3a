/* SPDX-License-Identifier: BSD-2-Clause */
/* Without SACK: duplicate ACKs counted as if each had SACKed one packet. */
/*
 * How it works
 *
 * Each duplicate ACK says that one packet behind the hole arrived; sacked_out counts them, but always leaves room
 * for the hole itself. When more arrive than can be, the path reorders. A partial ACK takes off what it covers.
 * The head is lost after as many duplicates as the reordering degree, and again at each partial ACK in Recovery.
 * RFC 6582, rules T75.6 and T76.6.
 */
#include "tcp/ack/ack_int.h"

void tcp_reno_limit(struct tcp_sock *tp, uint32_t addend)
{
	uint32_t holes = min_u32(max_u32(tp->lost_out, 1), tp->packets_out);
	uint32_t cap = (uint32_t)tp->sk.stack->sysctl.tcp_max_reordering;

	if (tp->sacked_out + holes <= tp->packets_out)
		return;
	tp->sacked_out = tp->packets_out - holes;
	tp->reordering = max_u32(min_u32(tp->packets_out + addend, cap), tp->reordering);
	tp->reord_seen++;
	mib_inc(tp->sk.stack, TcpExtTCPRenoReorder);
}

void tcp_reno_add(struct tcp_sock *tp, uint32_t num_dupack, bool is_ece)
{
	uint32_t prior = tp->sacked_out;

	if (!num_dupack)
		return;
	tp->sacked_out += num_dupack;
	tcp_reno_limit(tp, 0);
	if (tp->sacked_out > prior)
		tcp_count_delivered(tp, tp->sacked_out - prior, is_ece);
}

void tcp_reno_remove(struct tcp_sock *tp, uint32_t acked, bool is_ece)
{
	if (acked) {
		/* the hole, and what the duplicates did not already count */
		tcp_count_delivered(tp, acked > tp->sacked_out ? acked - tp->sacked_out : 1, is_ece);
		tp->sacked_out -= min_u32(tp->sacked_out, acked - 1);
	}
	tcp_reno_limit(tp, acked);
}

void tcp_reno_mark_lost(struct tcp_sock *tp, bool una_advanced)
{
	struct skb *head = tp->rtx_queue.first;
	bool is_first = tp->ca_state < TCP_CA_Recovery && tp->sacked_out >= tp->reordering;
	bool is_partial = tp->ca_state == TCP_CA_Recovery && una_advanced;
	uint32_t mss;

	if (!head || (!is_first && !is_partial) || (tcp_cb(head)->sacked & TCPCB_LOST))
		return;
	mss = tcp_cb(head)->gso_size;
	if (tcp_cb(head)->pcount > 1 && mss && head->len > mss &&
	    tcp_fragment(tp, &tp->rtx_queue, head, mss, mss))
		return; /* no memory: the timer will see to it */
	tcp_mark_skb_lost(tp, head);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls inside tcp/in. The sock lock is held. */
#ifndef NARU_TCP_IN_IN_INT_H
#define NARU_TCP_IN_IN_INT_H

#include "tcp/in/in.h"

/* data.c */
/** tcp_try_coalesce() - R33.1: append @from's payload to @to (contiguous). false: layout does not allow; @from as before.
 *  true: the bytes moved, @from is a husk (its lengths still stand) for the caller to free, and @to's charge is to grow
 *  by *ret_grown. */
bool tcp_try_coalesce(struct tcp_sock *tp, struct skb *to, struct skb *from, uint32_t *ret_grown);
/** tcp_queue_rcv() - append to the receive queue and advance RNXT. true: merged into the tail, caller frees @skb. */
bool tcp_queue_rcv(struct tcp_sock *tp, struct skb *skb, bool is_charged);
/** tcp_data_ready() - wake readers when SO_RCVLOWAT is reached. */
void tcp_data_ready(struct tcp_sock *tp);
/** tcp_schedule_ack() - an ACK is owed. */
static inline void tcp_schedule_ack(struct tcp_sock *tp) { tp->ack_pending |= TCP_ACK_SCHED; }
/* ofo.c */
/** tcp_data_queue_ofo() - R34.1-4: a segment above RNXT. CONSUMES. */
void tcp_data_queue_ofo(struct tcp_sock *tp, struct skb *skb);
/** tcp_ofo_drain() - R33.1: move what has become contiguous to the receive queue. */
void tcp_ofo_drain(struct tcp_sock *tp);
/** tcp_ofo_unlink() - take @skb out of the tree; owner SKB_IN_TRANSIT. */
void tcp_ofo_unlink(struct tcp_sock *tp, struct skb *skb);
static inline bool tcp_ofo_is_empty(const struct tcp_sock *tp) { return !tp->ofo.node; }
static inline struct skb *tcp_ofo_entry(struct rb_node *n) { return n ? container_of(n, struct skb, rb) : NULL; }
/* sackgen.c */
void tcp_dsack_set(struct tcp_sock *tp, uint32_t seq, uint32_t end);
void tcp_dsack_extend(struct tcp_sock *tp, uint32_t seq, uint32_t end);
/** tcp_sack_new_ofo() - R35.1: out-of-order data [seq, end) was stored. */
void tcp_sack_new_ofo(struct tcp_sock *tp, uint32_t seq, uint32_t end);
/** tcp_sack_remove() - R35.4: forget blocks below RNXT. */
void tcp_sack_remove(struct tcp_sock *tp);
/* delack.c */
/** tcp_compack_flush() - send the compressed ACK now, if there is one (R45.4). */
void tcp_compack_flush(struct tcp_sock *tp);
static inline bool tcp_is_interactive(const struct tcp_sock *tp)
{
	return (int64_t)tp->pingpong >= tp->sk.stack->sysctl.tcp_pingpong_thresh;
}
static inline void tcp_enter_interactive(struct tcp_sock *tp)
{
	tp->pingpong = (uint8_t)tp->sk.stack->sysctl.tcp_pingpong_thresh;
}
/* rcvbuf.c */
void tcp_rcv_rtt_measure(struct tcp_sock *tp);
void tcp_rcv_rtt_measure_ts(struct tcp_sock *tp, const struct skb *skb);
/** tcp_grow_window() - R39.1 after a segment that was kept. */
void tcp_grow_window(struct tcp_sock *tp, const struct skb *skb);
/** tcp_rcvbuf_grow() - R40.3 */
void tcp_rcvbuf_grow(struct tcp_sock *tp, uint32_t copied);
/** tcp_rx_charge() - own a received packet: RMEM and protocol memory, both reserved before. */
void tcp_rx_charge(struct tcp_sock *tp, struct skb *skb);
/* collapse.c */
/** tcp_collapse_queues() - R41.2-3: copy small neighbours together. */
void tcp_collapse_queues(struct tcp_sock *tp);
/* ecn.c */
void tcp_ecn_accept_cwr(struct tcp_sock *tp, const struct skb *skb);
void tcp_ecn_check_ce(struct tcp_sock *tp, const struct skb *skb);
/* validate.c */
void tcp_store_ts_recent(struct tcp_sock *tp);

#endif

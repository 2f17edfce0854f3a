/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/in: segments to the reader, acknowledgements back. The sock lock is held. */
#ifndef NARU_TCP_IN_IN_H
#define NARU_TCP_IN_IN_H

#include "tcp/base/tcp_sock.h"

/** tcp_rcv_established() - R26-R34 for ESTABLISHED. CONSUMES. */
void tcp_rcv_established(struct tcp_sock *tp, struct skb *skb);
/** tcp_validate_incoming() - R27-R31: false when the segment was dropped (freed). */
bool tcp_validate_incoming(struct tcp_sock *tp, struct skb *skb, bool syn_inerr);
/** tcp_data_queue() - R33/R34. CONSUMES. */
void tcp_data_queue(struct tcp_sock *tp, struct skb *skb);
void tcp_urg(struct tcp_sock *tp, struct skb *skb);
void tcp_data_snd_check(struct tcp_sock *tp);	/* push + space check (T72.12) */
void tcp_ack_snd_check(struct tcp_sock *tp);	/* R44 */
void tcp_reset(struct tcp_sock *tp);		/* R29.4-5: peer's RST taken */
void tcp_fin(struct tcp_sock *tp);		/* R48; in FIN-WAIT-2 sets tp->is_time_wait_due, the caller in tcp/conn enters TIME-WAIT */
/* delack.c */
void tcp_event_data_recv(struct tcp_sock *tp, struct skb *skb);	/* R42 */
void tcp_send_delayed_ack(struct tcp_sock *tp);
void tcp_enter_quickack_mode(struct tcp_sock *tp, uint32_t max);
void tcp_delack_timer_handler(struct tcp_sock *tp);
void tcp_compack_timer(struct stack *st, struct hrtimer *t);
bool tcp_in_quickack_mode(const struct tcp_sock *tp);
/** tcp_cleanup_rbuf() - after @copied bytes were read: maybe a window update or ACK (R38.6, R44.5). */
void tcp_cleanup_rbuf(struct tcp_sock *tp, uint32_t copied);
/* rcvbuf.c */
void tcp_rcv_space_adjust(struct tcp_sock *tp);	/* R40 */
void tcp_init_buffer_space(struct tcp_sock *tp);	/* R37 at ESTABLISHED */
void tcp_initialize_rcv_mss(struct tcp_sock *tp);	/* R46.3 */
void tcp_measure_rcv_mss(struct tcp_sock *tp, const struct skb *skb);
bool tcp_try_rmem_schedule(struct tcp_sock *tp, struct skb *skb, uint32_t size);	/* R41 */
void tcp_ofo_purge(struct tcp_sock *tp);
/** tcp_rx_free() - a packet of the receive or out-of-order queue is done with: both charges go. CONSUMES. */
void tcp_rx_free(struct tcp_sock *tp, struct skb *skb);
void tcp_send_dupack(struct tcp_sock *tp, const struct skb *skb);	/* R28 */

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/ack: what an acknowledgement changes. The sock lock is held. */
#ifndef NARU_TCP_ACK_ACK_H
#define NARU_TCP_ACK_ACK_H

#include "tcp/base/tcp_sock.h"

/* flags in for tcp_ack() */
#define TCP_ACK_SLOWPATH 0x100
#define TCP_ACK_UPDATE_TS_RECENT 0x4000
#define TCP_ACK_NO_CHALLENGE 0x8000

/**
 * tcp_ack() - T72: one acknowledgement (header parsed, rx options in tp->rx)
 * Return: 1 accepted (also an old one), 0 old ACK below UNA used for SACK only,
 *         -1 unacceptable: segment is to be dropped (challenge ACK sent unless NO_CHALLENGE)
 */
int tcp_ack(struct tcp_sock *tp, struct skb *skb, int flags);
/** tcp_send_challenge_ack() - R31, rate limited; implemented in tcp/ack. */
void tcp_send_challenge_ack(struct tcp_sock *tp);
/** tcp_oow_rate_limited() - R31.1: true when an answer must be skipped. @skipped counts it. */
bool tcp_oow_rate_limited(struct stack *st, const struct skb *skb, enum mib_id skipped, uint64_t *last_oow_ns, uint64_t now_ns);
void tcp_enter_loss(struct tcp_sock *tp);		/* T80.2 */
/* tcp_enter_cwr(), tcp_init_cwnd_reduction(): tcp/cc/cong.h (out/ needs them too), implemented in tcp/cc/cwr.c */
void tcp_enter_recovery(struct tcp_sock *tp, bool ece_ack);
void tcp_rack_reo_timeout(struct tcp_sock *tp);		/* T76.4 */
void tcp_simple_retransmit(struct tcp_sock *tp);	/* T96.2: mark all too large records lost, resend */
void tcp_synack_rtt_meas(struct tcp_sock *tp, uint64_t synack_sent_ns, uint32_t num_retrans);
void tcp_init_metrics_at_establish(struct tcp_sock *tp); /* cwnd 10 or 1, C08.5-6, buffers */
void tcp_mark_skb_lost(struct tcp_sock *tp, struct skb *skb);
void tcp_cwnd_reduction(struct tcp_sock *tp, int newly_acked_sacked, int newly_lost, bool una_advanced); /* PRR */
void tcp_clear_retrans(struct tcp_sock *tp);
/** tcp_parse_segment_options() - R12 into tp->rx; true when a timestamp was saved. */
bool tcp_fast_parse_options(struct tcp_sock *tp, const struct skb *skb);

#endif

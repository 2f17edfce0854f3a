/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls inside tcp/out. The sock lock is held. */
#ifndef NARU_TCP_OUT_OUT_INT_H
#define NARU_TCP_OUT_OUT_INT_H

#include "tcp/base/base.h"
#include "tcp/out/out.h"

/* write_xmit.c */
/** tcp_event_new_data_sent() - T56: the head of the write queue was sent. */
void tcp_event_new_data_sent(struct tcp_sock *tp, struct skb *skb);
/** tcp_pacing_is_blocked() - T39: departure lies ahead; the timer that goes on is armed. */
bool tcp_pacing_is_blocked(struct tcp_sock *tp);

/* mtu_probe.c */
enum mtu_probe_verdict { MTU_PROBE_NONE = -1, MTU_PROBE_WAIT = 0, MTU_PROBE_SENT = 1 };
/** tcp_mtu_probe() - T36; mtu_probe_enabled was tested. */
enum mtu_probe_verdict tcp_mtu_probe(struct tcp_sock *tp);

/* build.c */
struct tcp_options_out;
/** tcp_syn_options() - T50: of a SYN, or of the SYN-ACK of a simultaneous open. */
void tcp_syn_options(struct tcp_sock *tp, const struct skb *skb, struct tcp_options_out *ret);
/** tcp_established_options() - T50, third column; the one-shot D-SACK is used up. */
void tcp_established_options(struct tcp_sock *tp, const struct skb *skb, struct tcp_options_out *ret);
/** tcp_finish_header() - T54.1: pseudo-header sum and offsets; the transport header is at data. */
void tcp_finish_header(struct skb *skb, const struct ipaddr *saddr, const struct ipaddr *daddr);

/* retransmit.c */
/** tcp_retransmit_record() - T81.2 without RETR (the loss probe). 0, negative, 1 dropped. */
int tcp_retransmit_record(struct tcp_sock *tp, struct skb *skb, uint32_t segs);

#endif

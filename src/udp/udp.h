/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP: datagrams out (T68-T71) and in (R59, R60). */
#ifndef NARU_UDP_UDP_H
#define NARU_UDP_UDP_H

#include "core/proto.h"
#include "core/tables.h"

/** udp_stack_init() - the arena's pool of UDP sockets, made by its first stack. 0, -ENOMEM. */
int udp_stack_init(struct stack *st) MUST_CHECK;
void udp_stack_done(struct stack *st);
/** udp_rcv() - from l4: one datagram (or several, segmentation offload); data at the UDP header,
 *  net_off at the IP header. R59. CONSUMES. Context: pump, no lock. */
void udp_rcv(struct stack *st, struct skb *skb);
/** udp_err() - from l4: an ICMP error about one of our datagrams (R06.4, T71.2). No lock held. */
void udp_err(struct stack *st, const struct icmp_err *err);
/**
 * udp_sendmsg() - stage 4 for datagrams: T68; takes the sock lock, may sleep for room
 * Return: length of this call; errno of T68-T71 (a pending ICMP error among them)
 * Next: ip_send()
 */
ssize_t udp_sendmsg(struct sock *sk, struct msg *m);
/** udp_recvmsg() - R60: one datagram; name, control data and flags are left in @m. */
ssize_t udp_recvmsg(struct sock *sk, struct msg *m);
extern const struct proto_ops udp_proto_ops;

#endif

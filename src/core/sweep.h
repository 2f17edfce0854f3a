/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding what a dead process or a broken socket leaves behind, by walking pools instead of links. */
#ifndef NARU_CORE_SWEEP_H
#define NARU_CORE_SWEEP_H

#include "core/sock.h"

/**
 * skb_sweep_proc() - free the packets that were in the hands of a dead process
 * @slot: its place in the process table; it is really gone. Return: packets freed.
 */
uint32_t skb_sweep_proc(struct arena_pools *pools, uint16_t slot);
/**
 * skb_sweep_sock() - free every packet in a queue of a broken socket; its queues become empty
 *
 * Found by skb->sk and owner, so whoever puts a packet in a socket's queue sets skb->sk, also without a
 * dtor (SKB_IN_WRITEQ, SKB_IN_RTXQ, SKB_IN_OFO, SKB_IN_CORK). Queues beyond struct sock are the
 * protocol's to reset. Context: sock lock. Return: packets freed.
 */
uint32_t skb_sweep_sock(struct sock *sk) MUST_HOLD(*sk);
/** skb_sweep_dev() - free every packet of @dev that is in @where (SKB_IN_QDISC, SKB_IN_DEV); links are not followed
 *  and its queues are the caller's to reset. Context: the lock that covers those queues. Return: number. */
uint32_t skb_sweep_dev(struct netdev *dev, enum skb_owner where);
/** skb_sweep_rxq() - free the frames of a stack that wait for the pump or in GRO; queues are reset. Return: number. */
uint32_t skb_sweep_rxq(struct stack *st);
/**
 * pages_recount() - set each page region's count to what packets, sockets and devices really hold
 * @socks, @num: pools whose objects begin with struct sock
 * Nothing else may run in the arena. Return: 0; -ENOMEM.
 */
int pages_recount(struct arena_pools *pools, const struct pool *const *socks,
		  unsigned int num) MUST_CHECK;

#endif

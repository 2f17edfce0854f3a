/* SPDX-License-Identifier: BSD-2-Clause */
/* The upward calls: every table is const, indexed by a small id, and defined in boot/tables.c. */
#ifndef NARU_CORE_TABLES_H
#define NARU_CORE_TABLES_H

#include "base/timer.h"
#include "core/ids.h"
#include "core/netdev.h"
#include "wire/ipaddr.h"

struct sock;
struct neigh;
struct epitem;
struct icmp_err;
struct qdisc_ops;
struct proto_ops;
struct stack;

typedef void (*timer_fn)(struct stack *st, struct timer *t);
typedef void (*hrtimer_fn)(struct stack *st, struct hrtimer *t);
typedef void (*skb_dtor_fn)(struct stack *st, struct skb *skb);

/* Fired by the pump with no lock held except LOCK_PUMP; the timer is already disarmed. */
extern const timer_fn timer_tab[TIMER_KIND_NUM];
extern const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM];
/* Run by skb_free()/skb_orphan(); skb->sk is the charged socket. */
extern const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM];
extern const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM];
extern const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM];
extern const struct proto_ops *const proto_ops_tab[PROTO_NUM];

/* Single upward calls, as one-entry tables. */
struct up_calls {
	/** l3_rcv() - pump: one frame after GRO, link header pulled, skb->protocol set. CONSUMES. */
	void (*l3_rcv)(struct stack *st, struct skb *skb);
	/** l4_rcv() - ip/: transport packet to us, network header at skb->net_off, data at transport. CONSUMES. */
	void (*l4_rcv)(struct stack *st, struct skb *skb);
	/** l4_err() - ip/: an ICMP error whose quote starts at @quote; see struct icmp_err. */
	void (*l4_err)(struct stack *st, const struct icmp_err *err);
	void (*neigh_put)(struct neigh *n);
	/** sock_ready() - readiness of a socket changed: epoll items hang on sk->poll_items. */
	void (*sock_ready)(struct sock *sk, uint32_t events);
	/** proto_free() - the last reference of a socket is gone: give it back to its pool. */
	void (*sock_free)(struct sock *sk);
};
extern const struct up_calls up_tab;

/* One ICMP or ICMPv6 error as the transports see it (R06). */
struct icmp_err {
	struct ipaddr saddr, daddr;	/* of the quoted packet: saddr is ours */
	struct ipaddr offender;		/* who sent the ICMP message */
	const uint8_t *quote;		/* transport header as quoted */
	uint32_t quote_len;		/* bytes available, at least 8 */
	const uint8_t *ip;		/* quoted IP header on, for the error queue */
	uint32_t ip_len;
	uint32_t info;			/* MTU of 3/4 and 2/0, pointer of parameter problems */
	uint8_t proto;			/* quoted transport protocol */
	uint8_t type, code;
	uint8_t ttl;			/* of the ICMP packet itself */
	bool is_v6;
	bool is_hard;			/* R06 table */
	int error;			/* errno, positive; 0: no socket error (e.g. source quench) */
};

#endif

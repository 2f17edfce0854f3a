/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls and state inside udp/. */
#ifndef NARU_UDP_UDP_INT_H
#define NARU_UDP_UDP_INT_H

#include "core/cmsg.h"
#include "ip/ip.h"
#include "l4/l4.h"
#include "udp/udp.h"
#include "wire/udp.h"

/* Where a datagram goes and what its headers say; of a call, or of the one being assembled. */
struct udp_flow {
	struct ipaddr saddr, daddr;
	struct dst *dst;    /* one reference */
	uint64_t txtime_ns; /* SCM_TXTIME; 0: now */
	uint32_t oif;       /* 0: any */
	uint32_t mark, priority, flowlabel;
	uint32_t mtu; /* bytes of an IP packet: path or device by pmtudisc (T69.1) */
	uint32_t ts_key;
	uint16_t dport; /* host order */
	int16_t ttl;    /* -1: route's, else the default */
	uint8_t tos, pmtudisc;
	uint8_t tx_flags; /* SKB_TX_* */
	uint8_t opt_len;  /* IPv4 options */
	uint8_t opt[40];
	bool is_dontfrag;  /* IPV6_DONTFRAG: refuse what exceeds the MTU */
	bool is_connected; /* nothing of the call differs from the socket: its cached route serves */
};

struct udp_sock {
	struct sock sk;
	struct skb *pending; /* datagram being assembled: UDP header missing, SKB_IN_CORK; NULL: none */
	struct udp_flow cork; /* of pending; holds a route while pending is set */
	bool is_corked;       /* UDP_CORK */
	bool no_check6_tx, no_check6_rx;
	_Atomic uint32_t wants_space; /* a writer or poller waits for room (T71.3) */
	_Atomic uint32_t num_errors; /* reported so far: a sleeper sees that it was woken for one */
};
static inline struct udp_sock *udp_sk(const struct sock *sk)
{
	return (struct udp_sock *)sk;
}

/* While a received datagram is in a queue: skb->cb. */
struct udp_rx_cb {
	uint32_t num_drops; /* sk->drops when it was queued (SO_RXQ_OVFL) */
};
static inline struct udp_rx_cb *udp_rx_cb(const struct skb *s)
{
	return (struct udp_rx_cb *)s->cb;
}

/* A counter of the family the packets belong to. */
#define UDP_MIB(is_v4, name) ((is_v4) ? Udp##name : Udp6##name)

/* ---- sock.c ---- */
/**
 * udp_wait() - a call waits for its socket; the lock is dropped and retaken, *timeo_ns shrinks
 * @ticket: from waitq_begin(), taken before the condition was tested; waitq_end() is done here
 * Return: 0 (test again), -EAGAIN (time is over); after a signal -EINTR (finite limit) or
 * -ERESTARTSYS (none)
 */
int udp_wait(struct sock *sk, uint32_t ticket, int64_t *timeo_ns) MUST_CHECK;
/** udp_is_writeable() - less than half of SNDBUF is below (T71.3); any context. */
bool udp_is_writeable(const struct sock *sk);

/* ---- dest.c; sock lock held ---- */
/**
 * udp_flow_init() - T68.4-7: destination, options of socket and call, route
 * @f: filled in; on success it holds a route: udp_flow_done()
 * Return: 0; errno of T68 (nothing is held)
 */
int udp_flow_init(struct sock *sk, struct msg *m, struct udp_flow *f) MUST_CHECK;
void udp_flow_done(struct udp_flow *f);
static inline bool udp_flow_is_v4(const struct udp_flow *f)
{
	return ipaddr_is_v4(&f->daddr);
}

/* ---- control.c ---- */
/* What the control messages of a send call may change (T13). */
struct udp_control {
	struct sockcm ck;
	struct udp_flow *flow;
	bool has_tos, has_ttl, has_other; /* has_other: something besides SOL_UDP was given */
};
/** udp_control_read() - apply every message to c->flow and c->ck; -EINVAL, -EPERM. */
int udp_control_read(struct sock *sk, struct msg *m, struct udp_control *c) MUST_CHECK;

/* ---- output.c; sock lock held ---- */
/** udp_datagram_new() - an empty datagram charged to the socket; NULL: no memory. */
struct skb *udp_datagram_new(struct sock *sk, const struct udp_flow *f) MUST_CHECK;
/**
 * udp_datagram_append() - T69.2, T69.6: copy all of the message behind what is there
 * Return: 0; -EMSGSIZE (told to the error queue), -EFAULT, -ENOBUFS; @skb may have grown and is the
 * caller's to free
 */
int udp_datagram_append(struct sock *sk, struct skb *skb, const struct udp_flow *f,
			struct iov_iter *it) MUST_CHECK;
/** udp_datagram_send() - T70: header, checksum, IP. CONSUMES @skb. Return: 0 or negative errno. */
int udp_datagram_send(struct sock *sk, struct skb *skb, const struct udp_flow *f);
/** udp_push_pending() - send what was assembled, as udp_datagram_send(); it is pending no more. */
int udp_push_pending(struct sock *sk);
/** udp_flush_pending() - throw away what was assembled, if anything. */
void udp_flush_pending(struct sock *sk);

/* ---- input.c ---- */
/** udp_backlog_rcv() - to the receive queue or dropped (R59.4); data is the payload. CONSUMES. */
void udp_backlog_rcv(struct sock *sk, struct skb *skb);

/* ---- recvmsg.c ---- */
/** udp_first_len() - bytes of the first datagram that waits (SIOCINQ); 0: none. */
int udp_first_len(const struct sock *sk);

/* ---- err.c ---- */
/** udp_local_error() - IP_RECVERR entry of a datagram that did not leave: EMSGSIZE, MTU (T69.2). */
void udp_local_error(struct sock *sk, const struct udp_flow *f, uint32_t mtu);
/** udp_wants_errors() - IP_RECVERR or IPV6_RECVERR, as the packet's family asks. */
bool udp_wants_errors(const struct sock *sk, bool is_v4);

/* ---- options.c; sock lock held ---- */
int udp_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len);
int udp_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len);
int udp_ioctl(struct sock *sk, unsigned long req, int *val);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What TCP and UDP share: port tables, four-tuple lookup, the dispatch from IP, IP-level options. */
#ifndef NARU_L4_L4_H
#define NARU_L4_L4_H

#include "core/proto.h"
#include "core/tables.h"

#define L4_EHASH_BUCKETS 65536u /* established table; power of two, allocated when a stack starts */
#define L4_EHASH_LOCKS 64u

int l4_init(struct stack *st, uint32_t ehash_buckets) MUST_CHECK;
void l4_done(struct stack *st);

/** l4_rcv() - up_tab.l4_rcv: TCP, UDP, ICMP-less rest answered by ip/. CONSUMES. Through l4_proto_tab. */
void l4_rcv(struct stack *st, struct skb *skb);
void l4_err(struct stack *st, const struct icmp_err *err);
struct l4_proto { void (*rcv)(struct stack *st, struct skb *skb); void (*err)(struct stack *st, const struct icmp_err *err); };
extern const struct l4_proto l4_proto_tab[PROTO_NUM]; /* boot/tables.c */

/* A received packet's view: saddr/sport are OURS (its destination). */
struct l4_tuple { struct ipaddr saddr, daddr; uint16_t sport, dport; uint32_t ifindex; };
uint32_t l4_tuple_hash(const struct stack *st, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport);

/* ---- established table (R10.1): sockets, requests, TIME-WAIT objects ---- */
/** l4_ehash_insert() - @c filled in; takes no reference. -EADDRNOTAVAIL when the tuple is taken.
 *  @may_recycle_tw: may be NULL; asked with the stripe held about a TIME-WAIT owner of the tuple; true: it is unhashed
 *  and *ret_tw is the object, with a reference (the caller ends and puts it). */
int l4_ehash_insert(struct conn *c, bool (*may_recycle_tw)(struct conn *tw, void *arg), void *arg, struct conn **ret_tw) MUST_CHECK;
/** l4_ehash_replace() - put @fresh where @old stood, atomically for lookups; false when @old was gone. */
bool l4_ehash_replace(struct conn *old, struct conn *fresh) MUST_CHECK;
void l4_ehash_remove(struct conn *c);
/** l4_lookup_established() - with a reference, or NULL. */
struct conn *l4_lookup_established(struct stack *st, const struct l4_tuple *t);
/** l4_conn_put() - reference of any kind of conn: sockets by sock_put(), the others by l4_conn_free_tab. */
void l4_conn_put(struct conn *c);
typedef void (*l4_conn_free_fn)(struct conn *c);
/* By obj.type: the last reference of a request or TIME-WAIT object is gone. Defined in boot/tables.c. */
extern const l4_conn_free_fn l4_conn_free_tab[OBJ_TYPE_NUM];

/* ---- listeners and bound ports (T10, R10) ---- */
/** l4_lookup_listener() - best listener (R10.2-3) with a reference, or NULL. */
struct sock *l4_lookup_listener(struct stack *st, const struct l4_tuple *t);
void l4_listen_hash(struct sock *sk);
void l4_listen_unhash(struct sock *sk);
/** l4_tcp_get_port() - bind: @port 0 chooses by T10.R1. -EADDRINUSE, -EACCES is inet's. */
int l4_tcp_get_port(struct sock *sk, uint16_t port) MUST_CHECK;
/** l4_tcp_connect_port() - T10.R2: choose a port (when unbound) and hash the socket into the established table.
 *  -EADDRNOTAVAIL. */
int l4_tcp_connect_port(struct sock *sk, bool (*may_recycle_tw)(struct conn *tw, void *arg), void *arg, struct conn **ret_tw) MUST_CHECK;
/** l4_put_port() - TCP: leave the bucket, sk->sport stays for getsockname(); UDP: leave the table, sport 0.
 *  l4_inherit_port() - child joins its listener's bucket; -ENOMEM. */
void l4_put_port(struct sock *sk);
int l4_inherit_port(struct sock *child, const struct sock *listener) MUST_CHECK;
/**
 * l4_bind_node_move() - a TIME-WAIT object becomes an owner of the socket's port
 * @node: directly behind the object's struct conn, as in struct sock
 * @ret_bucket: the bucket, NULL when the socket has none. The socket itself leaves by l4_put_port().
 */
void l4_bind_node_move(struct sock *sk, struct hnode *node, struct bind_bucket **ret_bucket);
void l4_bind_node_remove(struct stack *st, struct hnode *node, struct bind_bucket *bucket);

/* One TCP port that somebody owns. Guarded by LOCK_PORTS. */
struct bind_bucket {
	struct obj obj;
	struct stack *stack;
	struct hnode node;	/* by port */
	struct hnode *owners;	/* bind_node of sockets and TIME-WAIT objects */
	uint32_t num_owners;
	uint16_t port;
	bool is_connect_only;	/* made by connect(): bind users skip it and the other way round (T10.R2) */
};

/* conn.bind_flags: what an owner allows others */
#define BIND_REUSEADDR 0x01u
#define BIND_REUSEPORT 0x02u
#define BIND_V6ONLY 0x04u

/* ---- UDP table ---- */
/** l4_udp_get_port() - T10.R3. */
int l4_udp_get_port(struct sock *sk, uint16_t port) MUST_CHECK;
void l4_udp_rehash(struct sock *sk);	/* address changed by connect/disconnect */
/** l4_udp_lookup() - best socket (R10.5) with a reference, or NULL. */
struct sock *l4_udp_lookup(struct stack *st, const struct l4_tuple *t);
/** l4_udp_each() - call @fn for every socket that matches a multicast/broadcast datagram (R59.5); count. */
uint32_t l4_udp_each(struct stack *st, const struct l4_tuple *t, void (*fn)(struct sock *sk, void *arg), void *arg);

/** l4_mc_leave_all() - a UDP socket is going: its multicast memberships end. */
void l4_mc_leave_all(struct sock *sk);

/** l4_addr_type() - for bind(): is the address ours, broadcast, multicast (inet/ does not see ip/). */
enum dst_type l4_addr_type(struct stack *st, const struct ipaddr *a);

/* ---- SOL_IP / SOL_IPV6 options shared by the transports; sock lock held; value is our copy ---- */
/* Errno and ranges: T95. Not offered: source routes, extension headers, source filters, IPV6_ADDRFORM. */
int l4_ip_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len);
int l4_ip_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len);
/** l4_recv_err() - recvmsg(MSG_ERRQUEUE): sock_extended_err, offender, timestamps (R53.5, T90, T91). */
ssize_t l4_recv_err(struct sock *sk, struct msg *m);
/** l4_put_cmsgs() - ancillary data of a received packet (R57, R60). */
void l4_put_cmsgs(struct sock *sk, struct msg *m, const struct skb *skb);
/** l4_icmp_error_queue() - IP_RECVERR entry from an ICMP error (R06.4). */
void l4_icmp_error_queue(struct sock *sk, const struct icmp_err *err, uint16_t dport);
/** l4_ports_recover()/l4_ehash_recover() - lock_recover_tab: the holder of LOCK_PORTS/LOCK_EHASH died inside. */
void l4_ports_recover(struct lock *l);
void l4_ehash_recover(struct lock *l);

#endif

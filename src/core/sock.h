/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every socket has. One mutex is held for the whole of a call (robust: a killed holder is seen);
 * packets that meet a held socket go to its backlog and are worked off by sock_release().
 */
#ifndef NARU_CORE_SOCK_H
#define NARU_CORE_SOCK_H

#include <stdatomic.h>
#include <time.h>

#include "base/list.h"
#include "base/lock.h"
#include "base/timer.h"
#include "core/dst.h"
#include "core/ids.h"
#include "core/skb.h"
#include "core/stack.h"
#include "wire/ipaddr.h"

/* TCP states under Linux's numbers (struct tcp_info, ss). UDP uses ESTABLISHED and CLOSE. */
enum sock_state {
	TCP_ESTABLISHED = 1, TCP_SYN_SENT, TCP_SYN_RECV, TCP_FIN_WAIT1, TCP_FIN_WAIT2, TCP_TIME_WAIT,
	TCP_CLOSE, TCP_CLOSE_WAIT, TCP_LAST_ACK, TCP_LISTEN, TCP_CLOSING, TCP_NEW_SYN_RECV
};
#define TCPF(state) (1u << (state))

#define RCV_SHUTDOWN 1u
#define SEND_SHUTDOWN 2u
#define SHUTDOWN_MASK 3u

/* sk->flags */
#define SK_KEEPOPEN 0x00000001u
#define SK_LINGER 0x00000002u
#define SK_BROADCAST 0x00000004u
#define SK_DONTROUTE 0x00000008u
#define SK_OOBINLINE 0x00000010u
#define SK_DEAD 0x00000020u	/* orphan: no file refers to it */
#define SK_DONE 0x00000040u	/* error or EOF state is final */
#define SK_NOSPACE 0x00000080u	/* a writer waits for room (T30.1) */
#define SK_ZEROCOPY 0x00000100u
#define SK_SNDBUF_LOCK 0x00000200u
#define SK_RCVBUF_LOCK 0x00000400u
#define SK_BINDADDR_LOCK 0x00000800u
#define SK_BINDPORT_LOCK 0x00001000u
#define SK_REUSEADDR 0x00002000u
#define SK_REUSEPORT 0x00004000u
#define SK_NO_CHECK 0x00008000u
#define SK_RXQ_OVFL 0x00010000u
#define SK_TIMESTAMP 0x00020000u
#define SK_TIMESTAMPNS 0x00040000u
#define SK_TXTIME 0x00080000u
#define SK_V6ONLY 0x00100000u
#define SK_RECVERR 0x00200000u
#define SK_RECVERR6 0x00400000u
#define SK_FREEBIND 0x00800000u
#define SK_TRANSPARENT 0x01000000u
#define SK_BIND_ADDRESS_NO_PORT 0x02000000u
#define SK_RECVPKTINFO 0x04000000u
#define SK_RECVTTL 0x08000000u
#define SK_RECVTOS 0x10000000u
#define SK_BROKEN 0x20000000u	/* its lock holder died: reset at the next touch */

#define SOCK_TIMEO_FOREVER INT64_MAX

struct epitem;
struct file;
struct msg;

/* IP-level options of one socket. Cold except tos/ttl. */
struct inet_opts {
	uint8_t tos;		/* TCP keeps the two ECN bits to itself */
	int16_t ttl;		/* -1: route's, else the default */
	int16_t hop_limit;	/* IPv6 unicast, -1 default */
	uint8_t pmtudisc;	/* IP_PMTUDISC_*; default WANT */
	uint8_t pmtudisc6;
	uint8_t mc_ttl;		/* default 1 */
	int16_t mc_hops;	/* default 1 */
	bool mc_loop, mc_all;
	uint8_t min_ttl;
	uint8_t tclass;
	uint32_t mc_ifindex;
	struct ipaddr mc_saddr;
	uint32_t flowlabel;
	uint32_t local_port_range; /* low | high << 16 */
	uint64_t bools4;	/* SOL_IP switches that live nowhere else, by option number */
	uint64_t bools6[2];	/* the same of SOL_IPV6 */
	uint32_t uc_ifindex;	/* IP_UNICAST_IF, IPV6_UNICAST_IF; 0: none */
	uint16_t addr_prefs;	/* IPV6_ADDR_PREFERENCES as set */
	uint8_t opt_len;	/* IP_OPTIONS bytes */
	uint8_t opt[40];
};

/*
 * What full sockets, half-open requests and TIME-WAIT objects share, so that one table finds them all.
 * Addresses: v4 as v4-mapped; any: unbound/unconnected. Written before hashing.
 */
#define CONN_FIELDS                                                                                \
	struct obj obj;                                                                            \
	struct stack *stack;                                                                       \
	struct hnode hash; /* established or listener table: LOCK_EHASH stripe / LOCK_PORTS */     \
	struct ipaddr saddr, daddr; /* ours, the peer's */                                         \
	uint16_t sport, dport;	    /* host order; 0: none */                                      \
	uint16_t family;	    /* AF_INET or AF_INET6 as the program asked */                 \
	uint8_t proto;		    /* enum proto_id */                                            \
	_Atomic uint8_t state;	    /* enum sock_state */                                          \
	bool is_v4_path;	    /* packets are IPv4 (AF_INET, or v4-mapped peer) */            \
	uint8_t bind_flags;	    /* l4/: BIND_* of an owner of a port; LOCK_PORTS */            \
	uint32_t hash_val;                                                                         \
	uint32_t bound_ifindex;                                                                    \
	_Atomic uint32_t refs;

struct conn {
	CONN_FIELDS
};

struct sock {
	union {
		struct conn conn;	 /* what lookups see */
		struct { CONN_FIELDS };	 /* the same fields under their own names */
	};
	struct hnode bind_node;	 /* owners of a port; LOCK_PORTS */
	struct bind_bucket *bucket;
	struct ipaddr rcv_saddr; /* address bound by the program; any: wildcard */
	uint8_t type;		 /* SOCK_STREAM, SOCK_DGRAM */
	uint32_t uid;
	uint64_t cookie;	 /* SO_COOKIE */
	uint64_t file_handle;	 /* file that owns it; 0: orphan or not accepted yet */
	/* ---- lock ---- */
	struct lock lock;
	struct lock backlog_lock;
	struct skb_queue backlog;
	_Atomic uint32_t backlog_truesize;
	struct sock *tsq_next;	 /* pump->tsq_first list; pump->tsq_lock */
	_Atomic uint32_t is_tsq_queued;
	_Atomic uint32_t deferred; /* SOCK_DEFER_* bits, worked off by sock_release() in bit order */
	/* ---- readers, writers, pollers ---- */
	struct waitq wq;
	struct lock err_lock;	 /* LOCK_RXQ rank: error_queue and poll_items; taken under any lock below */
	struct list poll_items;	 /* struct epitem; err_lock */
	struct skb_queue receive_queue;
	struct skb_queue error_queue; /* err_lock */
	_Atomic int32_t err;	 /* pending errno, positive; taken by sock_error() */
	int32_t err_soft;
	uint8_t shutdown;	 /* RCV_SHUTDOWN | SEND_SHUTDOWN */
	uint32_t flags;		 /* SK_* */
	/* ---- memory (T89) ---- */
	_Atomic int32_t sndbuf, rcvbuf; /* written under the lock, read by the pump without */
	int32_t wmem_queued;	 /* WQ */
	_Atomic int32_t wmem_alloc; /* WALLOC: bytes below */
	_Atomic int32_t rmem_alloc;
	int32_t forward_alloc;	 /* FWD: reserved, unused bytes of protocol memory */
	int32_t rcvlowat;
	struct page_frag page_frag; /* where sendmsg copies to */
	/* ---- route ---- */
	struct dst *dst;	 /* one reference; check dst_is_valid() */
	uint32_t route_caps;	 /* device features seen at routing */
	uint32_t gso_max_size, gso_max_segs;
	/* ---- options ---- */
	uint32_t priority, mark;
	uint64_t max_pacing_Bps; /* UINT64_MAX: none */
	uint64_t pacing_Bps;
	uint8_t pacing_status;	 /* enum sk_pacing */
	uint8_t pacing_shift;	 /* 10 */
	int64_t sndtimeo_ns, rcvtimeo_ns; /* 0: never block (T18.2); SOCK_TIMEO_FOREVER */
	int32_t linger_s;
	uint32_t tsflags;	 /* SO_TIMESTAMPING */
	uint32_t tskey;
	int32_t peek_off;	 /* -1 off */
	uint32_t incoming_cpu;
	_Atomic uint32_t drops;
	uint64_t rx_stamp_ns;	 /* of the last packet read */
	struct inet_opts inet;
	uint16_t ip_id;		 /* next identification */
};

enum sk_pacing { SK_PACING_NONE = 0, SK_PACING_NEEDED, SK_PACING_FQ };

/* Deferred work of a held socket, in the order in which sock_release() runs it (T11.3). */
#define SOCK_DEFER_TSQ 0x01u
#define SOCK_DEFER_WRITE_TIMER 0x02u
#define SOCK_DEFER_DELACK_TIMER 0x04u
#define SOCK_DEFER_MTU 0x08u
#define SOCK_DEFER_ACK 0x10u

/** sock_init() - defaults of a new socket (buffers, timeouts, lock); refs 1, state TCP_CLOSE. */
void sock_init(struct sock *sk, struct stack *st, enum proto_id proto, int family, int type);
/** sock_done() - purge queues, drop route and page fragment; called by the protocol when refs hit 0. */
void sock_done(struct sock *sk);
void sock_get(struct sock *sk);
/** sock_put() - the last reference frees it through up_tab.sock_free. */
void sock_put(struct sock *sk);

/** sock_lock() - may wait; not interruptible (T11.1). */
void sock_lock(struct sock *sk) TAKES(*sk);
/** sock_trylock() - as sock_lock() without waiting. Return: true when taken. */
bool sock_trylock(struct sock *sk) MUST_CHECK;
/**
 * sock_release() - work off the backlog in arrival order, run deferred work through
 * proto_ops.release_cb, unlock; if packets slipped in while unlocking, try again.
 */
void sock_release(struct sock *sk) DROPS(*sk);
/** sock_flush_backlog() - T25.2: true when backlog packets were worked off. */
bool sock_flush_backlog(struct sock *sk) MUST_HOLD(*sk);
/** sock_defer() - leave work for the lock's holder; runs it here when nobody holds it. */
void sock_defer(struct sock *sk, uint32_t bits);
/**
 * sock_receive_skb() - pump: give a packet to a socket: at once if it is free, else to its backlog
 * @limit: backlog bytes allowed. CONSUMES. Return: false when the backlog was over its limit (dropped).
 */
bool sock_receive_skb(struct sock *sk, struct skb *skb, uint64_t limit);

/** sock_error() - take the pending error: 0 or negative errno. */
int sock_error(struct sock *sk);
/** sock_report_error() - set sk->err (positive errno) and wake everybody with EPOLLERR. */
void sock_report_error(struct sock *sk, int err);
/** sock_wake() - readiness may have changed: wake sleepers and poll items; @events EPOLL* bits.
 *  With or without the sock lock, with any lock below LOCK_RXQ held; calls up_tab.sock_ready under err_lock. */
void sock_wake(struct sock *sk, uint32_t events);
/** sock_set_dst() - install a route (takes over the reference), refresh device capabilities. */
void sock_set_dst(struct sock *sk, struct dst *d);
/** sock_dst() - valid cached route or NULL (drops a dead one). */
struct dst *sock_dst(struct sock *sk);

/** skb_set_owner_w() - charge a packet going down to WALLOC; each packet holds one socket reference until its dtor. */
void skb_set_owner_w(struct skb *skb, struct sock *sk, enum skb_dtor dtor);
/** skb_set_owner_r() - charge a received packet to RMEM. */
void skb_set_owner_r(struct skb *skb, struct sock *sk);

/** sock_wfree() - skb_dtor_tab[SKB_DTOR_SOCK_WFREE]: uncharge WALLOC, proto_ops.write_space, drop the reference. */
void sock_wfree(struct stack *st, struct skb *skb);
/** sock_rfree() - skb_dtor_tab[SKB_DTOR_SOCK_RFREE]: uncharge RMEM (no reference is held: the socket owns its queue). */
void sock_rfree(struct stack *st, struct skb *skb);

/** sock_dequeue_err_skb() - first packet of the error queue or NULL; the caller frees it. */
struct skb *sock_dequeue_err_skb(struct sock *sk);
/** sock_queue_err_skb() - append to the error queue (charged to RMEM), wake EPOLLERR. -ENOMEM: full. */
int sock_queue_err_skb(struct sock *sk, struct skb *skb) MUST_CHECK;

#endif

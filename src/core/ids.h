/* SPDX-License-Identifier: BSD-2-Clause */
/* Small numbers that stand for things the arena may not point at: types, kinds, table slots. */
#ifndef NARU_CORE_IDS_H
#define NARU_CORE_IDS_H

/* struct obj.type */
enum obj_type {
	OBJ_NONE = 0,
	OBJ_SKB,
	OBJ_REGION,
	OBJ_STACK,
	OBJ_NETDEV,
	OBJ_DST,
	OBJ_NEIGH,
	OBJ_FRAGQ,
	OBJ_TCP_SOCK,
	OBJ_UDP_SOCK,
	OBJ_TCP_REQ,	/* half-open request of a listener */
	OBJ_TCP_TW,	/* TIME-WAIT or FIN-WAIT-2 mini socket */
	OBJ_BIND_BUCKET,
	OBJ_FILE,
	OBJ_EPOLL,
	OBJ_EPITEM,
	OBJ_PROC,
	OBJ_UBUF,	/* zerocopy notification */
	OBJ_TYPE_NUM
};

/* arena.roots[] */
enum arena_root { ARENA_ROOT_POOLS = 0, ARENA_ROOT_WORLD = 1, ARENA_ROOT_SUPERVISOR = 2 };

/* struct timer.kind: timer_tab[] */
enum timer_kind {
	TIMER_NONE = 0,
	TIMER_TCP_WRITE,     /* RTO, TLP, reordering, window probe: one at a time */
	TIMER_TCP_DELACK,
	TIMER_TCP_KEEPALIVE, /* also FIN-WAIT-2 and SYN-ACK queue */
	TIMER_TCP_REQ,	     /* SYN-ACK retransmission of one request */
	TIMER_TCP_TW,
	TIMER_NEIGH,	     /* one neighbour entry */
	TIMER_NEIGH_GC,
	TIMER_FRAG,	     /* one reassembly queue */
	TIMER_IP_DAD,	     /* duplicate address detection */
	TIMER_IP_RS,	     /* router solicitation */
	TIMER_ROUTE_GC,	     /* expiry of path MTU exceptions */
	TIMER_KIND_NUM
};

/* struct hrtimer.kind: hrtimer_tab[] */
enum hrtimer_kind {
	HRTIMER_NONE = 0,
	HRTIMER_TCP_PACING,
	HRTIMER_TCP_COMPACK,
	HRTIMER_WIRE,	 /* next delivery of one wire end */
	HRTIMER_QDISC,	 /* fq watchdog */
	HRTIMER_KIND_NUM
};

/* struct netdev.ops_id: dev_ops_tab[] */
enum dev_kind {
	DEV_NONE = 0,
	DEV_LOOPBACK,
	DEV_WIRE,
	DEV_TAP,
	DEV_STREAM,  /* the framing QEMU and passt speak */
	DEV_CAPTURE, /* decorator */
	DEV_FAULT,   /* decorator */
	DEV_KIND_NUM
};

/* struct netdev.qdisc_id: qdisc_ops_tab[] */
enum qdisc_kind { QDISC_NOQUEUE = 0, QDISC_PFIFO_FAST, QDISC_FQ, QDISC_KIND_NUM };

/* struct sock.proto: proto_ops_tab[] */
enum proto_id { PROTO_NONE = 0, PROTO_TCP, PROTO_UDP, PROTO_NUM };

/* struct skb.dtor: skb_dtor_tab[] */
enum skb_dtor { SKB_DTOR_NONE = 0, SKB_DTOR_SOCK_WFREE, SKB_DTOR_TCP_WFREE, SKB_DTOR_TCP_ACK_WFREE, SKB_DTOR_SOCK_RFREE, SKB_DTOR_NUM };

#endif

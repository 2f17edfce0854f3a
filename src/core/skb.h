/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet: a private linear head plus up to 17 page fragments. A clone has a head of its own and
 * shares the payload; the original stays as long as a clone of it is below (skb->orig).
 *
 * Ownership: skb->owner names the one place a packet is in; only skb_owner_move() changes it.
 */
#ifndef NARU_CORE_SKB_H
#define NARU_CORE_SKB_H

#include <stdatomic.h>
#include <string.h>

#include "base/list.h"
#include "base/pagefrag.h"
#include "base/rbtree.h"
#include "core/ids.h"

struct sock;
struct netdev;
struct dst;
struct stack;
struct ubuf;

#define SKB_MAX_FRAGS 17
#define SKB_HEAD_BYTES 256    /* headroom + headers + small payload */
#define SKB_HEADROOM 160      /* Ethernet 14+2, IPv6 40 + room, TCP 60, rounded: reserve of skb_alloc() */
#define SKB_CB_BYTES 72	      /* per-layer scratch, owned by the layer that holds the packet */
#define SKB_TRUESIZE 832u     /* charge of an empty record (T25.4) and of a small received packet (R36.1) */
#define SKB_RX_TRUESIZE_BASE 256u /* received: 256 + buffer rounded up to a power of two (R36.1: 1448 -> 2304) */

enum skb_owner {
	SKB_FREE = 0,
	SKB_IN_TRANSIT, /* a function holds it on its stack: obj.owner_proc says whose */
	SKB_IN_WRITEQ,
	SKB_IN_RTXQ,
	SKB_IN_QDISC,
	SKB_IN_DEV,
	SKB_IN_WIRE,
	SKB_IN_RXQ,	/* a stack's received-frame queue, GRO included */
	SKB_IN_BACKLOG,
	SKB_IN_RCVQ,
	SKB_IN_OFO,
	SKB_IN_ERRQ,
	SKB_IN_NEIGH,
	SKB_IN_FRAGQ,
	SKB_IN_CORK,	/* a UDP datagram being assembled */
};

enum skb_csum {
	CSUM_NONE = 0,	  /* rx: not verified. tx: complete in the packet */
	CSUM_UNNECESSARY, /* rx: known good */
	CSUM_PARTIAL,	  /* pseudo-header sum is in place; csum_start/csum_offset tell where to finish */
};

enum skb_gso { GSO_NONE = 0, GSO_TCPV4 = 1, GSO_TCPV6 = 4, GSO_UDP_L4 = 5 }; /* virtio's numbers */
#define GSO_ECN 0x80 /* or-ed: only the first packet keeps CWR */

enum skb_pkt_type { PKT_HOST = 0, PKT_BROADCAST, PKT_MULTICAST, PKT_OTHERHOST };

/* SO_TIMESTAMPING requests riding on a packet (T32). */
#define SKB_TX_SW_TSTAMP 0x01
#define SKB_TX_SCHED_TSTAMP 0x02
#define SKB_TX_ACK_TSTAMP 0x04

struct frag {
	struct page_region *region; /* one reference held by this fragment */
	uint32_t off;
	uint32_t len;
};

struct skb {
	struct obj obj;
	struct skb *next, *prev;    /* in a struct skb_queue */
	struct rb_node rb;	    /* out-of-order queue */
	struct list tsorted;	    /* by last transmit time (T0.3) */
	struct sock *sk;	    /* charged socket while dtor is set */
	struct netdev *dev;	    /* rx: arrived on; tx: leaves by */
	struct dst *dst;	    /* route, one reference; NULL: none */
	struct skb *orig;	    /* clone: the record it was cloned from, one reference */
	struct ubuf *ubuf;	    /* zerocopy notification, one reference */
	uint64_t tstamp_ns;	    /* tx: departure (last transmit) time; rx: arrival */
	_Atomic uint32_t refs;	    /* 1 + clones in flight */
	uint32_t len;		    /* linear + fragments */
	uint32_t data_len;	    /* in fragments */
	uint32_t truesize;	    /* memory charge */
	uint32_t priority, mark;
	uint32_t hash;		    /* flow hash; 0 unknown */
	uint32_t ts_key;	    /* SO_TIMESTAMPING key */
	uint16_t data_off;	    /* first linear byte in head[] */
	uint16_t tail_off;	    /* one past the last linear byte */
	uint16_t mac_off, net_off, th_off; /* header starts in head[] */
	uint16_t protocol;	    /* ethertype, host order */
	uint16_t csum_start;	    /* offset in head[] */
	uint16_t csum_offset;
	uint16_t gso_size, gso_segs;
	uint8_t gso_type;
	uint8_t csum;		    /* enum skb_csum */
	uint8_t owner;		    /* enum skb_owner */
	uint8_t dtor;		    /* enum skb_dtor */
	uint8_t pkt_type;
	uint8_t nr_frags;
	uint8_t tx_flags;	    /* SKB_TX_* */
	uint8_t ip_proto;	    /* rx: transport protocol after extension headers */
	bool is_clone, ooo_okay, ignore_df, is_ack;
	uint8_t tos;		    /* rx: DS field / traffic class */
	uint8_t ttl;		    /* rx */
	uint64_t cb[SKB_CB_BYTES / 8];
	struct frag frags[SKB_MAX_FRAGS];
	uint8_t head[SKB_HEAD_BYTES];
};

struct skb_queue {
	struct skb *first, *last;
	uint32_t len;	    /* packets */
	uint32_t truesize;  /* sum */
};

/* ---- life ---- */

/**
 * skb_alloc() - empty packet with SKB_HEADROOM reserved, truesize SKB_TRUESIZE, owner SKB_IN_TRANSIT
 * Return: NULL when the pool refuses. Every metadata field is 0/NULL.
 */
struct skb *skb_alloc(struct stack *st, enum pool_flags flags);
/** skb_clone() - private head (copied), shared payload, holds a reference on @skb; no socket, no dtor. */
struct skb *skb_clone(struct stack *st, struct skb *skb, enum pool_flags flags);
/** skb_free() - runs the destructor, drops payload, route and original; NULL is fine. CONSUMES. */
void skb_free(struct stack *st, struct skb *skb);
/** skb_orphan() - run the destructor now and forget the socket and the original. */
void skb_orphan(struct stack *st, struct skb *skb);
/** skb_is_in_flight() - a clone of this record is still below (qdisc, device). */
static inline bool skb_is_in_flight(const struct skb *skb)
{
	return atomic_load_explicit(&((struct skb *)skb)->refs, memory_order_acquire) > 1;
}
/** skb_owner_move() - the only way to change skb->owner; debug builds check the transition. */
void skb_owner_move(struct skb *skb, enum skb_owner to);

/* ---- linear part ---- */

static inline uint8_t *skb_data(const struct skb *s) { return (uint8_t *)s->head + s->data_off; }
static inline uint32_t skb_headlen(const struct skb *s) { return s->tail_off - s->data_off; }
static inline uint32_t skb_headroom(const struct skb *s) { return s->data_off; }
static inline uint32_t skb_tailroom(const struct skb *s) { return SKB_HEAD_BYTES - s->tail_off; }
/** skb_push()/skb_pull()/skb_put() - header space; caller made sure there is room (BUG otherwise). */
static inline uint8_t *skb_push(struct skb *s, uint32_t n)
{
	BUG_ON(n > s->data_off);
	s->data_off -= n;
	s->len += n;
	return skb_data(s);
}
static inline uint8_t *skb_pull(struct skb *s, uint32_t n)
{
	BUG_ON(n > skb_headlen(s));
	s->data_off += n;
	s->len -= n;
	return skb_data(s);
}
static inline uint8_t *skb_put(struct skb *s, uint32_t n)
{
	uint8_t *p = s->head + s->tail_off;
	BUG_ON(n > skb_tailroom(s));
	s->tail_off += n;
	s->len += n;
	return p;
}
/** skb_may_pull() - make the first @n bytes linear (copied up from fragments). false: too short/no room. */
bool skb_may_pull(struct stack *st, struct skb *s, uint32_t n) MUST_CHECK;
static inline uint8_t *skb_network(const struct skb *s) { return (uint8_t *)s->head + s->net_off; }
static inline uint8_t *skb_transport(const struct skb *s) { return (uint8_t *)s->head + s->th_off; }
static inline bool skb_is_gso(const struct skb *s) { return s->gso_size != 0; }

/* ---- fragments and whole-packet operations ---- */

/** skb_add_frag() - append; takes over the caller's reference on @r; merges with an adjacent last one
 *  (then the reference is dropped). false: 17 already (reference stays with the caller). */
bool skb_add_frag(struct stack *st, struct skb *s, struct page_region *r, uint32_t off, uint32_t len) MUST_CHECK;
/** skb_copy_bits() - copy @len bytes from packet offset @off. -EFAULT beyond the end. */
int skb_copy_bits(const struct skb *s, uint32_t off, void *to, uint32_t len) MUST_CHECK;
/** skb_copy_to_user() - as above to program memory; -EFAULT when it is bad. */
int skb_copy_to_user(const struct skb *s, uint32_t off, void *user_to, uint32_t len) MUST_CHECK;
/** skb_store_bits() - overwrite bytes in place (device emulation, corruption). */
int skb_store_bits(struct skb *s, uint32_t off, const void *from, uint32_t len) MUST_CHECK;
/** skb_csum() - one's complement sum over [off, off+len). */
uint32_t skb_csum(const struct skb *s, uint32_t off, uint32_t len, uint32_t sum);
/** skb_trim_head() - drop @n bytes from the front of the packet (linear and fragments). */
void skb_trim_head(struct stack *st, struct skb *s, uint32_t n);
/** skb_trim_tail() - shorten to @len bytes. */
void skb_trim_tail(struct stack *st, struct skb *s, uint32_t len);
/** skb_split() - move everything behind offset @len to the empty packet @to (payload references move or
 *  are shared at the cut). Linear bytes behind the cut are copied. truesize is the caller's to move. */
void skb_split(struct stack *st, struct skb *s, struct skb *to, uint32_t len);
/** skb_shift() - move up to @len payload bytes from the front of @from to the end of @to (both without
 *  linear payload). Return: bytes moved: all of min(len, from->len), or 0: fragments would not fit. */
uint32_t skb_shift(struct stack *st, struct skb *to, struct skb *from, uint32_t len);
/** skb_append_copy() - copy @len bytes to the tail, using @pf for space. false: no memory or frags. */
bool skb_append_copy(struct stack *st, struct skb *s, struct page_frag *pf, const void *data, uint32_t len) MUST_CHECK;
/** skb_iov() - describe the packet as iovecs. Return: count, or -EMSGSIZE when @max is too small. */
struct iovec;
int skb_iov(const struct skb *s, struct iovec *iov, int max);

/* ---- queues (callers hold the queue's lock) ---- */

static inline void skb_queue_init(struct skb_queue *q) { memset(q, 0, sizeof(*q)); }
static inline struct skb *skb_peek(const struct skb_queue *q) { return q->first; }
static inline struct skb *skb_peek_tail(const struct skb_queue *q) { return q->last; }
/** enqueue/unlink also move skb->owner: @where for the queue, SKB_IN_TRANSIT after unlink. */
void skb_queue_tail(struct skb_queue *q, struct skb *s, enum skb_owner where);
void skb_queue_head(struct skb_queue *q, struct skb *s, enum skb_owner where);
/** skb_queue_after() - insert @s behind @pos. */
void skb_queue_after(struct skb_queue *q, struct skb *pos, struct skb *s, enum skb_owner where);
void skb_unlink(struct skb_queue *q, struct skb *s);
struct skb *skb_dequeue(struct skb_queue *q);
void skb_queue_purge(struct stack *st, struct skb_queue *q);
/** skb_queue_charge() - change the truesize of a queued packet; keeps the queue's sum right. */
static inline void skb_queue_charge(struct skb_queue *q, struct skb *s, int32_t delta)
{
	s->truesize += (uint32_t)delta;
	q->truesize += (uint32_t)delta;
}
/** skb_queue_check() - walk: links, owner, len and truesize agree. Return: NULL, or what is wrong. */
const char *skb_queue_check(const struct skb_queue *q, enum skb_owner where);
/** skb_check() - one packet: offsets within the head, len and data_len agree with the parts. NULL: sound. */
const char *skb_check(const struct skb *s);

#endif

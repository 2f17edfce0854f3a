/* SPDX-License-Identifier: BSD-2-Clause */
/* A network device as the stack sees it, and the operations a device file implements. */
#ifndef NARU_CORE_NETDEV_H
#define NARU_CORE_NETDEV_H

#include <stdatomic.h>

#include "base/lock.h"
#include "base/pagefrag.h"
#include "core/ids.h"
#include "core/skb.h"

#define NETDEV_NAME_BYTES 16
#define NETDEV_GSO_MAX_DEFAULT 65536u
#define NETDEV_TXQ_DEFAULT 1000u

/* netdev.features: what the device does by itself; the rest is done in software before xmit. */
#define NETDEV_F_SG 0x01u	  /* takes fragments */
#define NETDEV_F_CSUM 0x02u	  /* finishes CSUM_PARTIAL */
#define NETDEV_F_TSO4 0x04u
#define NETDEV_F_TSO6 0x08u
#define NETDEV_F_USO 0x10u
#define NETDEV_F_LOOPBACK 0x20u	  /* peers need no checksum verification */
#define NETDEV_F_GRO 0x40u	  /* merge received segments */

#define NETDEV_UP 0x01u
#define NETDEV_NOARP 0x02u	  /* no link header, no neighbours (loopback, tun) */
#define NETDEV_LOOPBACK 0x04u

/* What happened to a packet handed down; never an errno (HOUSE 7). */
enum xmit {
	XMIT_OK = 0,
	XMIT_DROP = 1,	  /* refused by the queue */
	XMIT_CN = 2,	  /* taken, but the queue is congested */
	XMIT_BUSY = 3,	  /* device only: full, NOT consumed, try again when writable */
	XMIT_NOROUTE = -1, /* -EHOSTUNREACH */
	XMIT_NOMEM = -2,  /* -ENOBUFS */
	XMIT_TOOBIG = -3, /* -EMSGSIZE */
	XMIT_DOWN = -4,	  /* -ENETDOWN */
	XMIT_DENIED = -5, /* -EPERM */
};

struct netdev_stats {
	_Atomic uint64_t rx_packets, rx_bytes, rx_dropped, rx_errors;
	_Atomic uint64_t tx_packets, tx_bytes, tx_dropped, tx_errors;
};

struct qdisc;

struct netdev {
	struct obj obj;
	struct stack *stack;
	char name[NETDEV_NAME_BYTES];
	uint32_t ifindex;	   /* from 1 */
	uint8_t ops_id;		   /* dev_ops_tab[] */
	uint8_t qdisc_id;	   /* qdisc_ops_tab[] */
	uint8_t mac[6];
	uint32_t flags;		   /* NETDEV_UP ... */
	uint32_t features;
	uint32_t mtu;
	uint32_t gso_max_size;	   /* bytes, IP packet */
	uint32_t gso_max_segs;
	uint32_t tx_queue_len;	   /* packets */
	struct lock xmit_lock;	   /* LOCK_DEV: one transmitter at a time */
	struct qdisc *qdisc;	   /* arena; NULL with QDISC_NOQUEUE */
	_Atomic uint32_t is_tx_stopped; /* device said BUSY: the pump restarts it when writable */
	void *priv;		   /* device file's own arena block */
	struct skb_queue tx_pending; /* cut or refused frames that go out first next time (xmit_lock) */
	struct netdev *lower;	   /* decorators: the device underneath */
	struct netdev *upper;	   /* the decorator around this device; NULL: this one is the stack's */
	struct page_frag rx_frag;  /* receive buffers (pump only) */
	uint16_t rx_hdr_len;	   /* header bytes of the last TCP frame: how much goes to the linear head */
	struct netdev_stats stats;
};

/*
 * One family of devices. Tables of these are const and picked by netdev.ops_id.
 */
struct dev_ops {
	const char *name;
	/** xmit() - stage 10: one frame (link header in place unless NOARP). CONSUMES except on XMIT_BUSY.
	 *  Called with dev->xmit_lock held. The frame fits dev->features. */
	enum xmit (*xmit)(struct netdev *dev, struct skb *skb);
	/** flush() - push the rest of a frame already taken; xmit_lock held. true: nothing is left. NULL: never any. */
	bool (*flush)(struct netdev *dev);
	/** rx() - decorators: look at a frame the device underneath received. Return: the frame to pass on, or
	 *  NULL (then it was CONSUMED). NULL hook: pass on. */
	struct skb *(*rx)(struct netdev *dev, struct skb *skb);
	/** poll() - pump only: read up to @budget frames and netif_rx() each. Return: frames read.
	 *  NULL: frames arrive by themselves (loopback, wire). */
	int (*poll)(struct netdev *dev, int budget);
	/** fd() - descriptor to sleep on in this process, -1: none here. NULL: none. */
	int (*fd)(struct netdev *dev);
	/** region() - recovery: the @idx-th page region of which the device itself holds a reference, besides rx_frag;
	 *  NULL: no more. Hook NULL: none. */
	struct page_region *(*region)(struct netdev *dev, unsigned int idx);
	/** close() - release what the device holds. NULL: nothing. */
	void (*close)(struct netdev *dev);
};

/** netdev_alloc() - named, down, with an ifindex and sane defaults; -ENOSPC/-ENOMEM/-EEXIST. */
int netdev_alloc(struct stack *st, const char *name, enum dev_kind kind, struct netdev **ret) MUST_CHECK;
struct netdev *netdev_by_index(struct stack *st, uint32_t ifindex);
struct netdev *netdev_by_name(struct stack *st, const char *name);
/** netdev_remove() - unlink and free (devices are removed only when a stack ends). */
void netdev_remove(struct netdev *dev);

/**
 * netif_rx() - hand a received frame to the stack (stage 0 of the way up)
 * @skb: data at the link header (or network header for NOARP with skb->protocol set). CONSUMED;
 *       dropped and counted when RXQ_FRAMES_MAX wait already.
 * Context: any thread, no lock above LOCK_RXQ held. Marks pump work; does not process anything. A frame that
 * still carries a charge, an original or a route loses them here.
 */
void netif_rx(struct netdev *dev, struct skb *skb);
/** netif_rx_take_all() - pump: everything that waits, in order, in @ret. */
void netif_rx_take_all(struct stack *st, struct skb_queue *ret);
/** netdev_rx_alloc() - packet for a received frame of @len bytes (0 .. 65600), all of it writable: fill it through
 *  skb_iov() or skb_store_bits(). truesize per R36.1: up to NETDEV_RX_SMALL bytes 832 and linear; up to 1664 256 + the
 *  buffer rounded to a power of two; above 832 + whole pages. Longer frames keep rx_hdr_len bytes linear, the rest lies
 *  in page fragments of dev->rx_frag. Pump only. NULL: no memory. */
#define NETDEV_RX_SMALL 254u
struct skb *netdev_rx_alloc(struct netdev *dev, uint32_t len);
/** netdev_rx_truesize() - charge of a received frame of @len bytes (R36.1). */
uint32_t netdev_rx_truesize(uint32_t len);

/* Software helpers for devices that lack a feature (core/gso.c). */
/** skb_checksum_help() - finish CSUM_PARTIAL. 0 or -EINVAL. */
int skb_checksum_help(struct skb *skb) MUST_CHECK;
/**
 * skb_gso_segment() - cut a GSO packet (link header at data) into wire packets, T54.2 / T70.2
 * @ret: list of packets by ->next, each complete except its checksum (CSUM_PARTIAL kept)
 * The SO_TIMESTAMPING requests stay with @skb: take SND before. No piece has a socket, route or original.
 * Return: count, or -ENOMEM / -EINVAL (then nothing was made). @skb is not consumed.
 */
int skb_gso_segment(struct stack *st, struct skb *skb, struct skb **ret) MUST_CHECK;

#endif

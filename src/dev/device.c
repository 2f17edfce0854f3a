/* SPDX-License-Identifier: BSD-2-Clause */
/* What all devices share: the last stage of sending, the first of receiving, up and MTU. */
/*
 * How it works
 *
 * Sending (T64.6, T67): one transmitter at a time under dev->xmit_lock. A packet the device cannot cut
 * is cut here, a checksum it cannot finish is finished here, then ops->xmit takes the frame or says
 * XMIT_BUSY.
 *
 * 1. A packet is either wholly the caller's (XMIT_BUSY) or wholly ours. A cut packet of which one
 *    piece went out cannot be given back, so the other pieces wait in dev->tx_pending.
 * 2. Nothing overtakes tx_pending or the rest of a half-written frame.
 * 3. is_tx_stopped is set exactly when something was refused or left behind; the pump then calls
 *    dev_tx_flush() and restarts the queue.
 * 4. The charge of a cut packet moves to its last piece, so the sender is charged until all is gone.
 *
 * Receiving: the device that read a frame calls dev_rx(); decorators see it from the inside out.
 *
 * Absent: linearising (every device here takes fragments), egress queue choice (one queue).
 */
#include "dev/dev_int.h"

#include <errno.h>
#include <string.h>

#include "base/proc.h"
#include "core/dst.h"
#include "core/errq.h"
#include "core/trace_ids.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#define DEV_MTU_MIN IPV4_MIN_MTU
#define DEV_MTU_MAX_ETH (DEV_FRAME_MAX - 2 * ETH_HDR_LEN) /* 65521: the frame fits 65535 bytes */
#define DEV_MTU_MAX_RAW 65535u
#define DEV_MTU_MAX_LOOPBACK 65536u

#define UDP_HDR_LEN 8u
#define HEADERS_GUESS 128u /* copied to the head when the protocol is not known */

static void stat_add(_Atomic uint64_t *v, uint64_t n)
{
	count_add_u64(v, n);
}

uint16_t dev_ip_ethertype(uint8_t first_byte)
{
	if (first_byte >> 4 == 4)
		return ETH_TYPE_IPV4;
	return first_byte >> 4 == 6 ? ETH_TYPE_IPV6 : 0;
}

static uint32_t transport_header_len(const uint8_t *p, uint32_t left, uint8_t proto)
{
	if (proto == IPPROTO_TCP && left >= TCP_HDR_LEN)
		return (uint32_t)(p[12] >> 4) * 4;
	if (proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return UDP_HDR_LEN;
	return HEADERS_GUESS;
}

uint32_t dev_headers_len(const uint8_t *p, uint32_t len, bool has_eth)
{
	uint32_t off = has_eth ? ETH_HDR_LEN : 0;
	uint16_t type;
	uint8_t proto;

	if (len < off + IPV4_HDR_LEN)
		return len;
	type = has_eth ? get_be16(p + 12) : dev_ip_ethertype(p[0]);
	if (type == ETH_TYPE_IPV4) {
		proto = p[off + 9];
		off += (uint32_t)(p[off] & 15) * 4;
	} else if (type == ETH_TYPE_IPV6 && len >= off + IPV6_HDR_LEN) {
		proto = p[off + 6];
		off += IPV6_HDR_LEN;
	} else {
		return min_u32(len, HEADERS_GUESS);
	}
	if (off >= len)
		return len;
	return min_u32(len, off + transport_header_len(p + off, len - off, proto));
}

int dev_create(struct stack *st, const char *name, enum dev_kind kind, size_t priv_bytes,
	       struct netdev **ret)
{
	void *priv = arena_alloc(st->pools->arena, priv_bytes);
	struct netdev *dev;
	int err;

	if (!priv)
		return -ENOMEM;
	err = netdev_alloc(st, name, kind, &dev);
	if (err) {
		arena_free_sized(st->pools->arena, priv, priv_bytes);
		return err;
	}
	dev->priv = priv;
	*ret = dev;
	return 0;
}

void dev_free_priv(struct netdev *dev, size_t priv_bytes)
{
	if (!dev->priv)
		return;
	arena_free_sized(dev->stack->pools->arena, dev->priv, priv_bytes);
	dev->priv = NULL;
}

void dev_pick_mac(struct stack *st, uint8_t mac[6])
{
	put_be16(mac, (uint16_t)stack_rand_u32(st));
	put_be32(mac + 2, stack_rand_u32(st));
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 2);
}

struct netdev *dev_top(struct netdev *dev)
{
	while (dev->upper)
		dev = dev->upper;
	return dev;
}

void dev_up(struct netdev *dev)
{
	for (; dev; dev = dev->lower)
		dev->flags |= NETDEV_UP;
}

static uint32_t mtu_max(const struct netdev *dev)
{
	if (dev->flags & NETDEV_LOOPBACK)
		return DEV_MTU_MAX_LOOPBACK;
	return dev->flags & NETDEV_NOARP ? DEV_MTU_MAX_RAW : DEV_MTU_MAX_ETH;
}

int dev_set_mtu(struct netdev *dev, uint32_t mtu)
{
	if (mtu < DEV_MTU_MIN || mtu > mtu_max(dev))
		return -EINVAL;
	for (; dev; dev = dev->lower)
		dev->mtu = mtu;
	return 0;
}

/* ---- receiving ---- */

void dev_leave_stack(struct stack *st, struct skb *skb)
{
	skb_orphan(st, skb);
	dst_put(skb->dst);
	skb->dst = NULL;
	dev_note_copied(skb);
	ubuf_put(st, skb->ubuf);
	skb->ubuf = NULL;
	skb->tx_flags = 0;
	skb->tstamp_ns = 0;
	skb->ignore_df = false;
	skb->ooo_okay = false;
	skb->is_ack = false;
}

void dev_rx(struct netdev *dev, struct skb *skb)
{
	struct stack *st = dev->stack;

	while (dev->upper) {
		const struct dev_ops *ops;

		dev = dev->upper;
		ops = dev_ops_tab[dev->ops_id];
		if (ops->rx)
			skb = ops->rx(dev, skb);
		if (!skb)
			return;
	}
	if (unlikely(!(dev->flags & NETDEV_UP))) {
		stat_add(&dev->stats.rx_dropped, 1);
		skb_free(st, skb);
		return;
	}
	if (skb->csum == CSUM_PARTIAL)
		skb->csum = CSUM_UNNECESSARY;
	skb->dev = dev;
	skb->mac_off = skb->data_off;
	netif_rx(dev, skb);
}

/* ---- sending ---- */

static uint32_t gso_feature(const struct skb *skb)
{
	switch (skb->gso_type & ~GSO_ECN) {
	case GSO_TCPV4: return NETDEV_F_TSO4;
	case GSO_TCPV6: return NETDEV_F_TSO6;
	case GSO_UDP_L4: return NETDEV_F_USO;
	default: return 0;
	}
}

static bool must_segment(const struct netdev *dev, const struct skb *skb)
{
	uint32_t ip_len = skb->len - (dev->flags & NETDEV_NOARP ? 0 : ETH_HDR_LEN);

	if (likely(!skb_is_gso(skb)))
		return false;
	return !(dev->features & gso_feature(skb)) || ip_len >= dev->gso_max_size ||
	       skb->gso_segs > dev->gso_max_segs;
}

/* Hand one frame the device can take to it. Return: XMIT_OK (taken or dropped) or XMIT_BUSY. */
static enum xmit send_one(struct netdev *dev, struct skb *skb)
{
	uint32_t len = skb->len;
	enum xmit v;

	if (skb->csum == CSUM_PARTIAL && !(dev->features & NETDEV_F_CSUM) && skb_checksum_help(skb)) {
		stat_add(&dev->stats.tx_dropped, 1);
		skb_free(dev->stack, skb);
		return XMIT_OK;
	}
	v = dev_ops_tab[dev->ops_id]->xmit(dev, skb);
	if (v == XMIT_BUSY)
		return v;
	if (likely(v == XMIT_OK)) {
		stat_add(&dev->stats.tx_packets, 1);
		stat_add(&dev->stats.tx_bytes, len);
	} else {
		stat_add(&dev->stats.tx_dropped, 1);
	}
	return XMIT_OK;
}

/* Return: true when neither half a frame nor a waiting one is left. */
static bool send_left_over(struct netdev *dev)
{
	const struct dev_ops *ops = dev_ops_tab[dev->ops_id];
	struct skb *skb;

	if (ops->flush && !ops->flush(dev))
		return false;
	while ((skb = skb_dequeue(&dev->tx_pending))) {
		if (send_one(dev, skb) == XMIT_BUSY) {
			skb_queue_head(&dev->tx_pending, skb, SKB_IN_DEV);
			return false;
		}
	}
	return true;
}

/* The last piece answers for the whole packet from now on. */
static void move_charge(struct skb *from, struct skb *to)
{
	to->sk = from->sk;
	to->dtor = from->dtor;
	to->orig = from->orig;
	to->truesize = from->truesize;
	from->sk = NULL;
	from->dtor = SKB_DTOR_NONE;
	from->orig = NULL;
}

static void send_segments(struct netdev *dev, struct skb *skb)
{
	struct skb *seg = NULL, *next, *last;
	bool is_busy = false;

	if (skb_gso_segment(dev->stack, skb, &seg) <= 0) {
		stat_add(&dev->stats.tx_dropped, 1);
		skb_free(dev->stack, skb);
		return;
	}
	for (last = seg; last->next; last = last->next)
		;
	if (skb->dtor != SKB_DTOR_NONE)
		move_charge(skb, last);
	skb_free(dev->stack, skb);
	for (; seg; seg = next) {
		next = seg->next;
		seg->next = NULL;
		seg->dev = dev;
		if (!is_busy)
			is_busy = send_one(dev, seg) == XMIT_BUSY;
		if (is_busy)
			skb_queue_tail(&dev->tx_pending, seg, SKB_IN_DEV);
	}
}

/* SND is stamped once, when the device is about to get the packet, also if it then refuses it (T67.1). */
static enum xmit send_packet(struct netdev *dev, struct skb *skb)
{
	if (unlikely(skb->tx_flags & SKB_TX_SW_TSTAMP)) {
		skb_tstamp_tx(dev->stack, skb, skb->sk, TSTAMP_SND);
		skb->tx_flags &= (uint8_t)~SKB_TX_SW_TSTAMP;
	}
	if (!must_segment(dev, skb))
		return send_one(dev, skb);
	send_segments(dev, skb);
	return XMIT_OK;
}

void dev_sweep(struct netdev *dev, enum skb_owner owner)
{
	struct pool *pool = &dev->stack->pools->skb;
	uint32_t idx = 0;
	struct skb *skb;

	while ((skb = pool_next_live(pool, &idx)))
		if (skb->owner == owner && skb->dev == dev)
			skb_free(dev->stack, skb);
	mib_inc(dev->stack, NaruLocksRecovered);
}

/* A holder that died inside leaves a list nobody trusts. */
static void xmit_lock_take(struct netdev *dev)
{
	lock_take(&dev->xmit_lock);
	if (likely(!dev->xmit_lock.was_abandoned))
		return;
	dev->xmit_lock.was_abandoned = 0;
	skb_queue_init(&dev->tx_pending);
	dev_sweep(dev, SKB_IN_DEV);
}

static void note_stopped(struct netdev *dev, bool is_stopped)
{
	if (atomic_load_explicit(&dev->is_tx_stopped, memory_order_relaxed) != is_stopped)
		atomic_store_explicit(&dev->is_tx_stopped, is_stopped, memory_order_release);
}

/* Only a process that holds the descriptor of a device that has one can restart it. */
static bool is_reachable(const struct netdev *dev)
{
	while (dev->lower)
		dev = dev->lower;
	return !dev_ops_tab[dev->ops_id]->fd || proc_fd_get(dev) >= 0;
}

bool dev_tx_flush(struct netdev *dev)
{
	bool is_clear;

	if (!is_reachable(dev))
		return false;
	xmit_lock_take(dev);
	is_clear = send_left_over(dev);
	note_stopped(dev, !is_clear);
	lock_drop(&dev->xmit_lock);
	return is_clear;
}

enum xmit dev_hard_start_xmit(struct netdev *dev, struct skb *skb)
{
	const struct dev_ops *ops = dev_ops_tab[dev->ops_id];
	struct stack *st = dev->stack;
	uint64_t obj;
	enum xmit v;

	if (unlikely(!(dev->flags & NETDEV_UP))) {
		stat_add(&dev->stats.tx_dropped, 1);
		skb_free(st, skb);
		return XMIT_DOWN;
	}
	obj = trace_obj(st, skb->sk, skb);
	stack_trace_ev(st, TR_DEV_HARD_START_XMIT, TR_BEGIN, obj, skb->len, dev->ifindex, 0);
	xmit_lock_take(dev);
	if (unlikely(!send_left_over(dev)))
		v = XMIT_BUSY;
	else
		v = send_packet(dev, skb);
	note_stopped(dev, v == XMIT_BUSY || dev->tx_pending.len || (ops->flush && !ops->flush(dev)));
	lock_drop(&dev->xmit_lock);
	stack_trace_ev(st, TR_DEV_HARD_START_XMIT, TR_END, obj, 0, dev->ifindex, (uint64_t)v);
	return v;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of a stack: making, finding, and handing received frames up. */
/*
 * How it works: a stack has up to 16 devices in devs[] by ifindex - 1. A device (in whatever thread)
 * gives a frame with netif_rx(); it waits in the stack's queue until the pump takes it. Nothing of the
 * protocol runs here, so netif_rx() may be called with the device's own lock held.
 */
#include "core/netdev.h"

#include <errno.h>

#include "core/dst.h"
#include "core/stack.h"
#include "core/tables.h"
#include "core/trace_ids.h"

#define RX_HEADER_GUESS 66u  /* Ethernet 14 + IPv4 20 + TCP 20 + timestamps 12 */
#define RX_BUF_OVERHEAD 384u /* 64 headroom + 320 of a buffer's own data (R36.1) */
#define RX_BUF_MAX 2048u
#define RX_LEN_MAX 65600u /* 64 KiB IP packet, link header, some tags */
#define PAGE_BYTES 4096u

int netdev_alloc(struct stack *st, const char *name, enum dev_kind kind, struct netdev **ret)
{
	struct netdev *dev;
	uint32_t i = 0;

	if (!name[0] || strlen(name) >= NETDEV_NAME_BYTES)
		return -EINVAL;
	if (netdev_by_name(st, name))
		return -EEXIST;
	while (i < STACK_MAX_DEVS && st->devs[i])
		i++;
	if (i == STACK_MAX_DEVS)
		return -ENOSPC;
	dev = pool_zalloc(&st->pools->netdev, POOL_NORMAL);
	if (!dev)
		return -ENOMEM;
	dev->stack = st;
	strcpy(dev->name, name);
	dev->ifindex = i + 1;
	dev->ops_id = (uint8_t)kind;
	dev->qdisc_id = QDISC_NOQUEUE;
	dev->mtu = 1500;
	dev->gso_max_size = NETDEV_GSO_MAX_DEFAULT;
	dev->gso_max_segs = 65535;
	dev->tx_queue_len = NETDEV_TXQ_DEFAULT;
	lock_init(&dev->xmit_lock, LOCK_DEV, st->is_shared);
	st->devs[i] = dev;
	st->num_devs = max_u32(st->num_devs, i + 1);
	dev->obj.owner_proc = 0;
	*ret = dev;
	return 0;
}

struct netdev *netdev_by_index(struct stack *st, uint32_t ifindex)
{
	return ifindex - 1 < STACK_MAX_DEVS ? st->devs[ifindex - 1] : NULL;
}

struct netdev *netdev_by_name(struct stack *st, const char *name)
{
	for (uint32_t i = 0; i < st->num_devs; i++)
		if (st->devs[i] && !strcmp(st->devs[i]->name, name))
			return st->devs[i];
	return NULL;
}

void netdev_remove(struct netdev *dev)
{
	struct stack *st = dev->stack;
	const struct dev_ops *ops = dev_ops_tab[dev->ops_id];

	DEBUG_CHECK(!dev->qdisc); /* qdisc_attach(dev, QDISC_NOQUEUE) came first */
	if (ops && ops->close)
		ops->close(dev);
	st->devs[dev->ifindex - 1] = NULL;
	while (st->num_devs && !st->devs[st->num_devs - 1])
		st->num_devs--;
	skb_queue_purge(st, &dev->tx_pending);
	page_frag_release(st->pools->pages, &dev->rx_frag);
	lock_done(&dev->xmit_lock);
	pool_free(&st->pools->netdev, dev);
}

/* ---- receive ---- */

static void rxq_lock_take(struct stack *st)
{
	lock_take(&st->rxq_lock);
	if (unlikely(st->rxq_lock.was_abandoned)) {
		/* Links cannot be trusted; the packets are found by a sweep of the pool. */
		st->rxq_lock.was_abandoned = 0;
		skb_queue_init(&st->rxq);
		mib_inc(st, NaruLocksRecovered);
	}
}

void netif_rx(struct netdev *dev, struct skb *skb)
{
	struct stack *st = dev->stack;
	uint32_t bytes = skb->len;
	bool is_full;

	if (skb->dtor || skb->orig) /* looped back: the sender's charge ends here (T67.3) */
		skb_orphan(st, skb);
	if (skb->dst) {
		dst_put(skb->dst);
		skb->dst = NULL;
	}
	skb->dev = dev;
	count_add_u64(&dev->stats.rx_packets, 1);
	count_add_u64(&dev->stats.rx_bytes, skb->len);
	rxq_lock_take(st);
	is_full = st->rxq.len >= RXQ_FRAMES_MAX;
	if (!is_full)
		skb_queue_tail(&st->rxq, skb, SKB_IN_RXQ);
	lock_drop(&st->rxq_lock);
	if (unlikely(is_full)) {
		mib_inc(st, NaruRxQueueDrops);
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		skb_free(st, skb);
		return;
	}
	stack_trace_ev(st, TR_NETIF_RX, TR_INSTANT, trace_obj(st, NULL, skb), bytes, dev->ifindex, 0);
	atomic_store(&st->pump_work, 1);
	/* With a supervisor the caller runs the pump before it returns; waking another thread for each
	 * frame would cost more than the frame. */
	if (!st->is_driven)
		pools_wake_driver(st->pools);
}

void netif_rx_take_all(struct stack *st, struct skb_queue *ret)
{
	rxq_lock_take(st);
	*ret = st->rxq;
	skb_queue_init(&st->rxq);
	lock_drop(&st->rxq_lock);
}

uint32_t netdev_rx_truesize(uint32_t len)
{
	uint32_t buf = 1024;

	if (len <= NETDEV_RX_SMALL)
		return SKB_TRUESIZE;
	while (buf < len + RX_BUF_OVERHEAD)
		buf *= 2;
	if (buf <= RX_BUF_MAX)
		return SKB_RX_TRUESIZE_BASE + buf;
	return SKB_TRUESIZE + (uint32_t)align_up_u64(len, PAGE_BYTES);
}

/* Fragments one behind the other, without gaps, so that payloads of a burst merge (GRO). */
static bool rx_add_frags(struct stack *st, struct netdev *dev, struct skb *s, uint32_t len)
{
	struct page_frag *pf = &dev->rx_frag;

	while (len) {
		uint32_t n;

		if (!page_frag_refill(st->pools->pages, pf, 1))
			return false;
		n = min_u32(len, pf->region->size - pf->off);
		page_region_get(pf->region);
		if (!skb_add_frag(st, s, pf->region, pf->off, n)) {
			page_region_put(st->pools->pages, pf->region);
			return false;
		}
		pf->off += n;
		len -= n;
	}
	return true;
}

struct skb *netdev_rx_alloc(struct netdev *dev, uint32_t len)
{
	struct stack *st = dev->stack;
	uint32_t linear = len;
	struct skb *s;

	if (len > RX_LEN_MAX)
		return NULL;
	s = skb_alloc(st, POOL_NORMAL);
	if (!s)
		return NULL;
	s->data_off = s->tail_off = SKB_HEAD_BYTES - NETDEV_RX_SMALL;
	s->dev = dev;
	if (len > NETDEV_RX_SMALL)
		linear = dev->rx_hdr_len ? dev->rx_hdr_len : RX_HEADER_GUESS;
	skb_put(s, min_u32(linear, NETDEV_RX_SMALL));
	if (len > s->len && !rx_add_frags(st, dev, s, len - s->len)) {
		skb_free(st, s);
		mib_inc(st, NaruNoMemDrops);
		return NULL;
	}
	s->truesize = netdev_rx_truesize(len);
	return s;
}

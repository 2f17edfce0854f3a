/* SPDX-License-Identifier: BSD-2-Clause */
/* Decorators: a device around another one, in its place. */
/*
 * How it works
 *
 * The decorator takes over name, index, address, features and limits of the device underneath, so that
 * queues, routes and addresses hang on it. Its xmit_lock stands for the whole chain: nobody else may
 * send through the lower device, whose own lock stays unused. The lower device keeps a pointer up;
 * dev_rx() follows it. Closing the decorator closes what is underneath.
 */
#include "dev/dev_int.h"

#include <errno.h>
#include <string.h>

static const struct dev_ops *lower_ops(const struct netdev *dev)
{
	return dev_ops_tab[dev->lower->ops_id];
}

enum xmit dev_lower_xmit(struct netdev *dev, struct skb *skb)
{
	return lower_ops(dev)->xmit(dev->lower, skb);
}

bool dev_lower_flush(struct netdev *dev)
{
	return !lower_ops(dev)->flush || lower_ops(dev)->flush(dev->lower);
}

int dev_lower_poll(struct netdev *dev, int budget)
{
	return lower_ops(dev)->poll ? lower_ops(dev)->poll(dev->lower, budget) : 0;
}

int dev_lower_fd(struct netdev *dev)
{
	return lower_ops(dev)->fd ? lower_ops(dev)->fd(dev->lower) : -1;
}

static void take_over(struct netdev *dev, struct netdev *lower, enum dev_kind kind)
{
	struct stack *st = lower->stack;

	dev->stack = st;
	memcpy(dev->name, lower->name, sizeof(dev->name));
	memcpy(dev->mac, lower->mac, sizeof(dev->mac));
	dev->ifindex = lower->ifindex;
	dev->ops_id = (uint8_t)kind;
	dev->qdisc_id = lower->qdisc_id;
	dev->flags = lower->flags;
	dev->features = lower->features;
	dev->mtu = lower->mtu;
	dev->gso_max_size = lower->gso_max_size;
	dev->gso_max_segs = lower->gso_max_segs;
	dev->tx_queue_len = lower->tx_queue_len;
	dev->obj.owner_proc = 0;
	lock_init(&dev->xmit_lock, LOCK_DEV, st->is_shared);
	dev->lower = lower;
	lower->upper = dev;
	st->devs[dev->ifindex - 1] = dev;
}

int dev_wrap(struct netdev *lower, enum dev_kind kind, size_t priv_bytes, struct netdev **ret)
{
	struct stack *st = lower->stack;
	struct netdev *dev;
	void *priv;

	if (lower->qdisc || lower->upper)
		return -EBUSY;
	dev = pool_zalloc(&st->pools->netdev, POOL_NORMAL);
	if (!dev)
		return -ENOMEM;
	priv = arena_alloc(st->pools->arena, priv_bytes);
	if (!priv) {
		pool_free(&st->pools->netdev, dev);
		return -ENOMEM;
	}
	take_over(dev, lower, kind);
	dev->priv = priv;
	*ret = dev;
	return 0;
}

static void free_lower(struct netdev *lower)
{
	struct stack *st = lower->stack;

	if (dev_ops_tab[lower->ops_id]->close)
		dev_ops_tab[lower->ops_id]->close(lower);
	skb_queue_purge(st, &lower->tx_pending);
	page_frag_release(st->pools->pages, &lower->rx_frag);
	lock_done(&lower->xmit_lock);
	pool_free(&st->pools->netdev, lower);
}

void dev_unwrap(struct netdev *dev, size_t priv_bytes)
{
	if (dev->lower)
		free_lower(dev->lower);
	dev->lower = NULL;
	dev_free_priv(dev, priv_bytes);
}

void dev_unwrap_keep(struct netdev *dev, size_t priv_bytes)
{
	struct stack *st = dev->stack;

	st->devs[dev->ifindex - 1] = dev->lower;
	dev->lower->upper = NULL;
	dev_free_priv(dev, priv_bytes);
	lock_done(&dev->xmit_lock);
	pool_free(&st->pools->netdev, dev);
}

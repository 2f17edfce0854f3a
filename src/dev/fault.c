/* SPDX-License-Identifier: BSD-2-Clause */
/* Decorator for tests: drops, refuses or damages every n-th frame. */
/*
 * How it works
 *
 * Counters run per direction from 1, so "every third" means the 3rd, 6th, 9th. A refused frame is offered
 * again and counts again. Damage is done to a private copy, after its checksum was finished.
 */
#include "dev/dev_int.h"

struct fault {
	struct fault_config cfg;
	uint64_t num_tx, num_rx;
	struct rng rng; /* pump only, like frag */
	struct page_frag frag;
};

#define FAULT_PPM 1000000u

static bool is_nth(uint64_t count, uint32_t nth)
{
	return nth && count % nth == 0;
}

static enum xmit fault_xmit(struct netdev *dev, struct skb *skb)
{
	struct fault *f = dev->priv;

	f->num_tx++;
	if (is_nth(f->num_tx, f->cfg.tx_busy_nth)) {
		stack_pump_kick(dev->stack);
		return XMIT_BUSY;
	}
	if (is_nth(f->num_tx, f->cfg.tx_drop_nth)) {
		skb_free(dev->stack, skb);
		return XMIT_DROP;
	}
	return dev_lower_xmit(dev, skb);
}

static struct skb *fault_rx(struct netdev *dev, struct skb *skb)
{
	struct fault *f = dev->priv;

	f->num_rx++;
	if (is_nth(f->num_rx, f->cfg.rx_drop_nth)) {
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		skb_free(dev->stack, skb);
		return NULL;
	}
	if (f->cfg.rx_corrupt_ppm && skb->len && rng_below(&f->rng, FAULT_PPM) < f->cfg.rx_corrupt_ppm)
		return dev_corrupt_skb(dev->stack, skb, &f->frag, &f->rng);
	return skb;
}

static struct page_region *fault_region(struct netdev *dev, unsigned int idx)
{
	const struct fault *f = dev->priv;

	return idx == 0 ? f->frag.region : NULL;
}

static void fault_close(struct netdev *dev)
{
	struct fault *f = dev->priv;

	if (f)
		page_frag_release(dev->stack->pools->pages, &f->frag);
	dev_unwrap(dev, sizeof(*f));
}

int fault_wrap(struct netdev *lower, const struct fault_config *cfg, struct netdev **ret)
{
	struct netdev *dev;
	struct fault *f;
	int err = dev_wrap(lower, DEV_FAULT, sizeof(*f), &dev);

	if (err)
		return err;
	f = dev->priv;
	f->cfg = *cfg;
	rng_seed(&f->rng, cfg->seed);
	*ret = dev;
	return 0;
}

const struct dev_ops fault_dev_ops = {
	.name = "fault",
	.xmit = fault_xmit,
	.flush = dev_lower_flush,
	.poll = dev_lower_poll,
	.fd = dev_lower_fd,
	.rx = fault_rx,
	.region = fault_region,
	.close = fault_close,
};

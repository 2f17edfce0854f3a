/* SPDX-License-Identifier: BSD-2-Clause */
/* pfifo_fast: three first-in-first-out bands in strict order (T65). */
/*
 * How it works: the low four bits of a packet's priority choose the band; each band holds up to the
 * device's tx_queue_len packets; band 0 is emptied before band 1, that before band 2. Departure times
 * are not looked at.
 */
#include <errno.h>

#include "core/stack.h"
#include "qdisc/qdisc.h"

#define NUM_BANDS 3

struct pfifo_fast {
	struct skb_queue bands[NUM_BANDS];
	uint32_t limit; /* packets in each band */
};

unsigned int qdisc_prio_band(uint32_t priority)
{
	static const uint8_t band[16] = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};

	return band[priority & 15];
}

static int pfifo_fast_init(struct qdisc *q, struct netdev *dev)
{
	struct pfifo_fast *pf = q->priv;

	pf->limit = dev->tx_queue_len;
	return 0;
}

static enum xmit pfifo_fast_enqueue(struct qdisc *q, struct skb *skb, uint64_t now_ns)
{
	struct pfifo_fast *pf = q->priv;
	struct skb_queue *band = &pf->bands[qdisc_prio_band(skb->priority)];

	(void)now_ns;
	if (band->len >= pf->limit) {
		q->drops++;
		skb_free(q->dev->stack, skb);
		return XMIT_DROP;
	}
	skb_queue_tail(band, skb, SKB_IN_QDISC);
	atomic_fetch_add(&q->len, 1);
	return XMIT_OK;
}

static struct skb *pfifo_fast_dequeue(struct qdisc *q, uint64_t now_ns)
{
	struct pfifo_fast *pf = q->priv;

	(void)now_ns;
	for (int i = 0; i < NUM_BANDS; i++)
		if (pf->bands[i].first)
			return skb_dequeue(&pf->bands[i]);
	return NULL;
}

static void pfifo_fast_purge(struct qdisc *q)
{
	struct pfifo_fast *pf = q->priv;

	for (int i = 0; i < NUM_BANDS; i++)
		skb_queue_purge(q->dev->stack, &pf->bands[i]);
}

const struct qdisc_ops pfifo_fast_qdisc_ops = {
	.name = "pfifo_fast",
	.priv_bytes = sizeof(struct pfifo_fast),
	.init = pfifo_fast_init,
	.enqueue = pfifo_fast_enqueue,
	.dequeue = pfifo_fast_dequeue,
	.requeue = qdisc_hold,
	.can_bypass = true,
	.purge = pfifo_fast_purge,
};

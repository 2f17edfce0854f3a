/* SPDX-License-Identifier: BSD-2-Clause */
/* "lo": what is sent is received, in the same stack. */
/*
 * How it works
 *
 * A packet that goes down comes up again through the receive queue: never processed inside the
 * sender's call, so no lock of the sender is held when it arrives. The sender's charge is released at
 * hand-over, as Linux does (T67.3); what the receiver is charged is the truesize the packet has. The
 * memory is reliable: a checksum left to the device is neither finished nor verified (dev_rx() marks it
 * good; where it would go stays on record), and big packets pass uncut.
 */
#include "dev/dev_int.h"

#define LOOPBACK_MTU 65536u
#define LOOPBACK_FEATURES                                                             \
	(NETDEV_F_SG | NETDEV_F_CSUM | NETDEV_F_TSO4 | NETDEV_F_TSO6 | NETDEV_F_USO | \
	 NETDEV_F_LOOPBACK)

static enum xmit loopback_xmit(struct netdev *dev, struct skb *skb)
{
	dev_leave_stack(dev->stack, skb);
	if (!skb->protocol)
		skb->protocol = dev_ip_ethertype(skb_headlen(skb) ? skb_data(skb)[0] : 0);
	skb->pkt_type = PKT_HOST;
	dev_rx(dev, skb);
	return XMIT_OK;
}

int loopback_create(struct stack *st, struct netdev **ret)
{
	struct netdev *dev;
	int err = netdev_alloc(st, "lo", DEV_LOOPBACK, &dev);

	if (err)
		return err;
	dev->flags |= NETDEV_NOARP | NETDEV_LOOPBACK;
	dev->features = LOOPBACK_FEATURES;
	dev->mtu = LOOPBACK_MTU;
	dev->gso_max_size = NETDEV_GSO_MAX_DEFAULT;
	dev->gso_max_segs = UINT16_MAX;
	dev->qdisc_id = QDISC_NOQUEUE;
	dev_up(dev);
	*ret = dev;
	return 0;
}

const struct dev_ops loopback_dev_ops = {
	.name = "loopback",
	.xmit = loopback_xmit,
};

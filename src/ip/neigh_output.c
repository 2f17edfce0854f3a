/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 8: the link header, from the route's neighbour. */
/*
 * How it works
 *
 * A route remembers its neighbour. While that is confirmed, the state-and-MAC word is read once,
 * without a lock, and the packet goes on; all other states take neigh_resolve(). Devices without
 * neighbours (loopback, TUN) get the bare packet. Group addresses map to MACs by rule (RFC 1112
 * section 6.4, RFC 2464 section 7).
 */
#include "ip/ip_int.h"

#include "core/trace_ids.h"

#include "qdisc/qdisc.h"

enum xmit link_xmit(struct netdev *dev, struct skb *skb, const struct mac_addr *to)
{
	struct mac_addr from;

	skb->dev = dev;
	if (dev->flags & (NETDEV_NOARP | NETDEV_LOOPBACK)) {
		skb->mac_off = skb->data_off;
		return dev_queue_xmit(skb);
	}
	if (unlikely(!ip_room(skb, ETH_HDR_LEN))) {
		skb_free(dev->stack, skb);
		return XMIT_NOMEM;
	}
	memcpy(from.b, dev->mac, sizeof(from.b));
	eth_build(skb_push(skb, ETH_HDR_LEN), to, &from, skb->protocol);
	skb->mac_off = skb->data_off;
	return dev_queue_xmit(skb);
}

static enum xmit output_to(struct neigh *n, struct skb *skb)
{
	uint64_t link = atomic_load_explicit(&n->link, memory_order_acquire);
	struct mac_addr mac;

	switch (neigh_link_state(link)) {
	case NEIGH_REACHABLE:
	case NEIGH_DELAY:
	case NEIGH_PROBE: mac = neigh_link_mac(link); return link_xmit(n->dev, skb, &mac);
	default: return neigh_resolve(n, skb);
	}
}

static struct mac_addr group_mac(enum dst_type type, const struct ipaddr *a)
{
	return type == DST_BROADCAST ? mac_broadcast() : mac_from_multicast(a);
}

/* First use of a route: find its neighbour and leave one reference in the route. */
static struct neigh *dst_neigh(struct dst *d)
{
	struct neigh *n = neigh_lookup(d->dev, &d->gateway, true), *old = NULL;

	if (!n)
		return NULL;
	if (!atomic_compare_exchange_strong(&d->neigh, &old, n)) {
		neigh_put(n); /* another thread was first */
		n = old;
	}
	return n;
}

enum xmit neigh_output(struct dst *d, struct skb *skb)
{
	struct netdev *dev = d->dev;
	struct mac_addr mac;
	struct neigh *n;

	stack_trace_ev(dev->stack, TR_NEIGH_OUTPUT, TR_INSTANT, trace_obj(dev->stack, skb->sk, skb), skb->len, 0, 0);
	if (dev->flags & (NETDEV_NOARP | NETDEV_LOOPBACK))
		return link_xmit(dev, skb, NULL);
	if (unlikely(d->type != DST_UNICAST)) {
		mac = group_mac(d->type, &d->daddr);
		return link_xmit(dev, skb, &mac);
	}
	n = atomic_load_explicit(&d->neigh, memory_order_acquire);
	if (unlikely(!n))
		n = dst_neigh(d);
	if (unlikely(!n)) {
		mib_inc(dev->stack, NaruNeighDrops);
		skb_free(dev->stack, skb);
		return XMIT_NOMEM;
	}
	return output_to(n, skb);
}

enum xmit neigh_xmit(struct netdev *dev, const struct ipaddr *nexthop, struct skb *skb)
{
	struct mac_addr mac;
	struct neigh *n;
	enum xmit x;

	if (!ip_dev_has_neighs(dev))
		return link_xmit(dev, skb, NULL);
	if (ipaddr_is_multicast(nexthop)) {
		mac = mac_from_multicast(nexthop);
		return link_xmit(dev, skb, &mac);
	}
	n = neigh_lookup(dev, nexthop, true);
	if (!n) {
		mib_inc(dev->stack, NaruNeighDrops);
		skb_free(dev->stack, skb);
		return XMIT_NOMEM;
	}
	x = output_to(n, skb);
	neigh_put(n);
	return x;
}

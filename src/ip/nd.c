/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 neighbour discovery: solicitations and advertisements (R09, RFC 4861 section 7). */
/*
 * How it works: messages come here parsed and checked by nd_parse() (hop limit 255, checksum, options).
 * A solicitation for an address of the receiving interface is answered, and teaches us its sender; an
 * advertisement only updates an entry that exists, by the override rules of RFC 4861 section 7.2.5.
 * Duplicate address detection reads both kinds for its own (addr_life.c). Router messages: ra.c.
 */
#include "ip/ip_int.h"

#include <netinet/in.h>

static struct mac_addr own_mac(const struct netdev *dev)
{
	struct mac_addr m;

	memcpy(m.b, dev->mac, sizeof(m.b));
	return m;
}

static struct ipaddr all_nodes(void)
{
	return (struct ipaddr){.b = {0xff, 0x02, [15] = 1}};
}

static void count_out(struct stack *st, uint8_t type)
{
	mib_inc(st, Icmp6OutMsgs);
	if (type == ICMP6_TYPE_NS)
		mib_inc(st, Icmp6OutNeighborSolicits);
	else if (type == ICMP6_TYPE_NA)
		mib_inc(st, Icmp6OutNeighborAdvertisements);
	else if (type == ICMP6_TYPE_RS)
		mib_inc(st, Icmp6OutRouterSolicits);
}

void nd_send(struct netdev *dev, const struct ipaddr *src, const struct ipaddr *dst,
	     const struct nd_msg *msg, const struct mac_addr *to)
{
	struct stack *st = dev->stack;
	uint8_t buf[ND_MSG_MAX];
	int len = nd_build(buf, sizeof(buf), src, dst, msg);
	struct skb *skb = len > 0 ? ip_msg_alloc(st, buf, (uint32_t)len) : NULL;
	struct ipv6_out h = {
		.src = *src,
		.dst = *dst,
		.payload_len = (uint16_t)len,
		.hop_limit = ND_HOP_LIMIT,
		.next_header = IPPROTO_ICMPV6,
	};

	if (!skb)
		return;
	skb->th_off = skb->data_off;
	ipv6_build(skb_push(skb, IPV6_HDR_LEN), &h);
	skb->net_off = skb->data_off;
	skb->protocol = ETH_TYPE_IPV6;
	mib_inc(st, Ip6OutRequests);
	mib_inc(st, Ip6OutTransmits);
	mib_add(st, Ip6OutOctets, skb->len);
	count_out(st, msg->type);
	if (to)
		link_xmit(dev, skb, to);
	else
		neigh_xmit(dev, dst, skb);
}

void nd_solicit(struct netdev *dev, const struct ipaddr *target, const struct ipaddr *src,
		const struct mac_addr *to)
{
	struct nd_msg m = {
		.type = ICMP6_TYPE_NS, .has_slla = true, .slla = own_mac(dev), .target = *target};
	struct ipaddr dst = to ? *target : ipaddr_solicited_node(target), from = *src;

	if (ipaddr_is_any(&from) || !ip_addr_is_on_dev(dev, &from))
		from = ip_addr_source_any(dev, target);
	if (ipaddr_is_any(&from))
		return; /* no usable address on this link yet */
	nd_send(dev, &from, &dst, &m, to);
}

void nd_send_dad(struct netdev *dev, const struct ipaddr *target, const uint8_t nonce[6])
{
	struct nd_msg m = {.type = ICMP6_TYPE_NS, .target = *target, .has_nonce = true};
	struct ipaddr any = IPADDR_ANY_V6, dst = ipaddr_solicited_node(target);

	memcpy(m.nonce, nonce, sizeof(m.nonce));
	nd_send(dev, &any, &dst, &m, NULL);
}

/* ---- solicitations ---- */

static void answer(struct netdev *dev, const struct ipaddr *to, const struct ipaddr *target)
{
	bool is_dad = ipaddr_is_any(to);
	struct ipaddr dst = is_dad ? all_nodes() : *to;
	struct nd_msg m = {
		.type = ICMP6_TYPE_NA,
		.flags = (uint8_t)(ND_NA_OVERRIDE | (is_dad ? 0 : ND_NA_SOLICITED)),
		.has_tlla = true,
		.tlla = own_mac(dev),
		.target = *target,
	};

	nd_send(dev, target, &dst, &m, NULL);
}

static void rcv_ns(struct netdev *dev, const struct ipaddr *src, const struct nd_msg *m)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ifaddr *ia;
	struct neigh *n;
	bool is_ours, is_tentative;

	lock_take(&ip->lock);
	ia = ip_addr_find(ip, &m->target, dev);
	is_ours = ia && !ia->is_dad_failed;
	is_tentative = ia && ia->is_tentative;
	lock_drop(&ip->lock);
	if (!is_ours)
		return;
	if (is_tentative) {
		/* two nodes want it; our own looped solicitation does not count */
		if (ipaddr_is_any(src) &&
		    !(m->has_nonce && ip_addr_is_own_nonce(dev, &m->target, m->nonce)))
			ip_addr_dad_conflict(dev, &m->target);
		return;
	}
	if (!ipaddr_is_any(src) && m->has_slla && mac_is_unicast(&m->slla)) {
		n = neigh_lookup(dev, src, true);
		if (n)
			neigh_update(n, &m->slla, NEIGH_STALE, NEIGH_UPD_OVERRIDE);
		neigh_put(n);
	}
	answer(dev, src, &m->target);
}

/* ---- advertisements ---- */

static void rcv_na(struct netdev *dev, const struct nd_msg *m)
{
	struct ip_stack *ip = dev->stack->ip;
	bool is_ours, is_solicited = m->flags & ND_NA_SOLICITED;
	enum neigh_state to = is_solicited ? NEIGH_REACHABLE : NEIGH_STALE;
	struct neigh *n;

	lock_take(&ip->lock);
	is_ours = ip_addr_find(ip, &m->target, dev) != NULL;
	lock_drop(&ip->lock);
	if (is_ours) {
		ip_addr_dad_conflict(dev, &m->target); /* only if still tentative */
		return;
	}
	if (m->has_tlla && !mac_is_unicast(&m->tlla))
		return;
	n = neigh_lookup(dev, &m->target, false);
	if (!n)
		return;
	neigh_update(n, m->has_tlla ? &m->tlla : NULL, to,
		     m->flags & ND_NA_OVERRIDE ? NEIGH_UPD_OVERRIDE : 0);
	n->is_router = m->flags & ND_NA_ROUTER;
	neigh_put(n);
}

void nd_rcv(struct netdev *dev, const struct ipaddr *src, const struct ipaddr *dst,
	    uint8_t hop_limit, const uint8_t *p, uint32_t len)
{
	struct nd_msg m;

	if (!ip_dev_has_neighs(dev))
		return;
	if (nd_parse(src, dst, hop_limit, p, len, &m)) {
		mib_inc(dev->stack, Icmp6InErrors);
		return;
	}
	switch (m.type) {
	case ICMP6_TYPE_NS: rcv_ns(dev, src, &m); break;
	case ICMP6_TYPE_NA: rcv_na(dev, &m); break;
	case ICMP6_TYPE_RA: ra_rcv(dev, src, &m); break;
	default: break; /* router solicitations are for routers */
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP: answering, learning, asking (R07, RFC 826, RFC 5227 probes). */
/*
 * How it works
 *
 * A request for an address of ours is answered by unicast and teaches us its sender; everything else
 * only updates an entry that exists already (arp_accept 0). Whether a frame says enough to call the
 * neighbour reachable, and whether it may replace a MAC, is decided here; neigh_update() obeys.
 */
#include "ip/ip_int.h"

#include "wire/arp.h"

#define ARP_IGNORE_OTHER_IF 1 /* answer only for addresses of the incoming interface */
#define ARP_IGNORE_SUBNET 2   /* and only to its subnet */
#define ARP_IGNORE_ALL 8

static void arp_send(struct netdev *dev, const struct arp_msg *m, const struct mac_addr *to)
{
	uint8_t buf[ARP_PKT_LEN];
	struct skb *skb;

	arp_build(buf, m);
	skb = ip_msg_alloc(dev->stack, buf, sizeof(buf));
	if (!skb)
		return;
	skb->protocol = ETH_TYPE_ARP;
	skb->net_off = skb->data_off;
	link_xmit(dev, skb, to);
}

void arp_solicit(struct netdev *dev, const struct ipaddr *target, const struct ipaddr *src,
		 const struct mac_addr *to)
{
	struct stack *st = dev->stack;
	struct mac_addr bcast = mac_broadcast();
	struct arp_msg m = {.op = ARP_OP_REQUEST, .tpa_be = ipaddr_v4_be(target)};
	struct ipaddr spa = *src;
	bool is_tentative;

	if (ipaddr_is_any(&spa) || ipaddr_is_loopback(&spa) ||
	    !ip_addr_is_local(st, &spa, &is_tentative))
		spa = ip_addr_source_any(dev, target);
	memcpy(m.sha.b, dev->mac, sizeof(m.sha.b));
	m.spa_be = ipaddr_v4_be(&spa);
	if (to)
		m.tha = *to;
	arp_send(dev, &m, to ? to : &bcast);
}

/* Shall a request from @spa for @tpa, both not any, be answered on @dev. */
static bool shall_answer(struct netdev *dev, const struct ipaddr *spa, const struct ipaddr *tpa)
{
	struct stack *st = dev->stack;
	bool is_tentative;

	switch (st->sysctl.arp_ignore) {
	case ARP_IGNORE_OTHER_IF: return ip_addr_is_on_dev(dev, tpa);
	case ARP_IGNORE_SUBNET:
		return ip_addr_is_on_dev(dev, tpa) &&
		       (ipaddr_is_any(spa) || ip_addr_same_subnet(dev, spa));
	case ARP_IGNORE_ALL: return false;
	default: return ip_addr_is_local(st, tpa, &is_tentative);
	}
}

static void answer(struct netdev *dev, const struct arp_msg *m)
{
	struct arp_msg r = {
		.op = ARP_OP_REPLY,
		.tha = m->sha,
		.spa_be = m->tpa_be,
		.tpa_be = m->spa_be, /* 0.0.0.0 for an address probe */
	};

	memcpy(r.sha.b, dev->mac, sizeof(r.sha.b));
	arp_send(dev, &r, &m->sha);
}

static void learn(struct netdev *dev, const struct arp_msg *m, const struct ipaddr *spa,
		  bool is_for_us, bool is_unicast)
{
	bool is_gratuitous = m->spa_be == m->tpa_be, create = is_for_us;
	bool is_solicited = m->op == ARP_OP_REPLY && is_unicast;
	int64_t accept = dev->stack->sysctl.arp_accept;
	struct neigh *n;

	if (!mac_is_unicast(&m->sha))
		return;
	if (is_gratuitous && (accept == 1 || (accept == 2 && ip_addr_same_subnet(dev, spa))))
		create = true;
	n = neigh_lookup(dev, spa, create);
	if (!n)
		return;
	neigh_update(n, &m->sha, is_solicited ? NEIGH_REACHABLE : NEIGH_STALE,
		     is_gratuitous ? NEIGH_UPD_OVERRIDE : NEIGH_UPD_LOCKTIME);
	neigh_put(n);
}

static void arp_input(struct netdev *dev, const struct arp_msg *m, bool is_unicast)
{
	struct ipaddr spa = ipaddr_from_v4(m->spa_be), tpa = ipaddr_from_v4(m->tpa_be);
	bool is_tentative, is_for_us;

	if (m->spa_be && (ip_addr_is_local(dev->stack, &spa, &is_tentative) ||
			  ipaddr_is_multicast(&spa) || ipaddr_is_v4_broadcast(&spa)))
		return; /* R07.3: our own address is not defended */
	is_for_us = m->op == ARP_OP_REQUEST && shall_answer(dev, &spa, &tpa);
	if (m->spa_be)
		learn(dev, m, &spa, is_for_us, is_unicast);
	if (is_for_us)
		answer(dev, m);
}

void arp_rcv(struct stack *st, struct skb *skb)
{
	struct netdev *dev = skb->dev;
	uint8_t buf[ARP_PKT_LEN];
	struct arp_msg m;

	if (ip_dev_has_neighs(dev) && skb_copy_bits(skb, 0, buf, sizeof(buf)) == 0 &&
	    arp_parse(buf, sizeof(buf), &m) == 0)
		arp_input(dev, &m, skb->pkt_type == PKT_HOST);
	skb_free(st, skb);
}

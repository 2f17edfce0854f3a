/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 input: checks, is it ours, options, reassembly, delivery (R02). */
/*
 * How it works
 *
 * ipv4_rcv() follows the order of R02: header, length, destination, options, fragments, protocol. Each
 * test leaves early with its counter. What the loopback device brings is never a martian: there our
 * own addresses are everybody's. Nothing is forwarded.
 *
 * Before delivery: net_off at the IP header, data and th_off at the transport header, ip_proto, tos,
 * ttl set, pkt_type BROADCAST or MULTICAST if the IP destination is.
 */
#include "ip/ip_int.h"

#include <netinet/in.h>

enum rx_dest { RX_OURS, RX_MARTIAN, RX_FOREIGN, RX_NOT_MEMBER };

void ip_ecn_count(struct stack *st, uint8_t tos, bool is_v6, uint32_t segs)
{
	static const uint16_t id_tab[2][4] = {
		{IpExtInNoECTPkts, IpExtInECT1Pkts, IpExtInECT0Pkts, IpExtInCEPkts},
		{Ip6InNoECTPkts, Ip6InECT1Pkts, Ip6InECT0Pkts, Ip6InCEPkts},
	};

	mib_add(st, id_tab[is_v6][tos & 3], segs ? segs : 1);
}

void ip_skb_saddr(const struct skb *skb, struct ipaddr *ret)
{
	const uint8_t *p = skb_network(skb);

	if (p[0] >> 4 == 4)
		*ret = ipaddr_from_v4(((const struct ipv4_hdr *)p)->src_be);
	else
		*ret = ipaddr_from_v6(((const struct ipv6_hdr *)p)->src);
}

void ip_skb_daddr(const struct skb *skb, struct ipaddr *ret)
{
	const uint8_t *p = skb_network(skb);

	if (p[0] >> 4 == 4)
		*ret = ipaddr_from_v4(((const struct ipv4_hdr *)p)->dst_be);
	else
		*ret = ipaddr_from_v6(((const struct ipv6_hdr *)p)->dst);
}

static bool is_from_loopback(const struct skb *skb)
{
	return skb->dev->flags & NETDEV_LOOPBACK;
}

/* A source nobody may have, or an address that never travels on a real link (R02 table). */
static bool is_martian(struct stack *st, const struct ipv4_info *in)
{
	if (ipaddr_is_loopback(&in->src) || ipaddr_is_loopback(&in->dst) ||
	    ipaddr_is_multicast(&in->src) || ipaddr_is_v4_broadcast(&in->src))
		return true;
	if (in->src_be == 0)
		return !ipaddr_is_v4_broadcast(&in->dst) &&
		       !(ipaddr_is_multicast(&in->dst) && in->proto == IPPROTO_IGMP);
	return ip_addr_rx_is_spoofed(st, &in->src);
}

static enum rx_dest classify(struct stack *st, struct skb *skb, const struct ipv4_info *in)
{
	struct netdev *bdev;

	if (!is_from_loopback(skb) && is_martian(st, in))
		return RX_MARTIAN;
	if (likely(ip_addr_rx_is_ours(st, &in->dst)))
		return RX_OURS;
	if (ipaddr_is_multicast(&in->dst)) {
		skb->pkt_type = PKT_MULTICAST;
		mib_inc(st, IpExtInMcastPkts);
		return mc_is_member(skb->dev, &in->dst) ? RX_OURS : RX_NOT_MEMBER;
	}
	lock_take(&st->ip->lock);
	bdev = ip_addr_broadcast_dev(st->ip, &in->dst);
	lock_drop(&st->ip->lock);
	if (!ipaddr_is_v4_broadcast(&in->dst) && !bdev)
		return RX_FOREIGN;
	skb->pkt_type = PKT_BROADCAST;
	mib_inc(st, IpExtInBcastPkts);
	return RX_OURS;
}

/* False: to be dropped (already counted). */
static bool check_options(struct stack *st, struct skb *skb, const struct ipv4_info *in)
{
	struct ipv4_options o;
	uint8_t bad_off;

	if (in->hdr_len == IPV4_HDR_LEN)
		return true;
	if (ipv4_options_parse(skb_data(skb), in->hdr_len, &o, &bad_off)) {
		mib_inc(st, IpInHdrErrors);
		icmp_send(st, skb, ICMP4_TYPE_PARAM_PROB, 0, bad_off);
		return false;
	}
	return !o.srr_off; /* accept_source_route is off */
}

/* Data at the transport header. CONSUMES. */
static void deliver(struct stack *st, struct skb *skb)
{
	switch (skb->ip_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		mib_inc(st, IpInDelivers);
		up_tab.l4_rcv(st, skb);
		return;
	case IPPROTO_ICMP:
		mib_inc(st, IpInDelivers);
		icmp_rcv(st, skb);
		return;
	case IPPROTO_IGMP:
		mib_inc(st, IpInDelivers);
		igmp_rcv(st, skb);
		return;
	default:
		mib_inc(st, IpInUnknownProtos);
		icmp_send(st, skb, ICMP4_TYPE_UNREACH, ICMP4_UNREACH_PROTO, 0);
		skb_free(st, skb);
	}
}

static void pull_to_transport(struct skb *skb, const struct ipv4_info *in)
{
	skb->net_off = skb->data_off;
	skb->tos = in->tos;
	skb->ttl = in->ttl;
	skb->ip_proto = in->proto;
	skb_pull(skb, in->hdr_len);
	skb->th_off = skb->data_off;
}

/* A packet that is ours; data at its header, @in as parsed. CONSUMES. */
static void local_in(struct stack *st, struct skb *skb, struct ipv4_info *in)
{
	if (unlikely(!check_options(st, skb, in))) {
		skb_free(st, skb);
		return;
	}
	if (unlikely(ipv4_is_fragment(in))) {
		skb = frag4_rcv(st, skb, in);
		if (!skb)
			return;
		/* rebuilt: the header is new, and linear */
		if (ipv4_parse(skb_data(skb), skb->len, in) != IPV4_OK) {
			mib_inc(st, IpInDiscards);
			skb_free(st, skb);
			return;
		}
	}
	pull_to_transport(skb, in);
	deliver(st, skb);
}

/* Steps (b) and (c). False: to be dropped. */
static bool parse(struct stack *st, struct skb *skb, struct ipv4_info *in)
{
	enum ipv4_verdict v;
	uint32_t hdr_len;

	if (!skb_may_pull(st, skb, IPV4_HDR_LEN)) {
		mib_inc(st, IpInHdrErrors);
		return false;
	}
	hdr_len = (skb_data(skb)[0] & 15u) * 4;
	if (hdr_len > IPV4_HDR_LEN && hdr_len <= skb->len && !skb_may_pull(st, skb, hdr_len)) {
		mib_inc(st, IpInDiscards);
		return false;
	}
	v = ipv4_parse(skb_data(skb), skb->len, in);
	if (likely(v == IPV4_OK))
		return true;
	if (v == IPV4_TRUNC) {
		mib_inc(st, IpExtInTruncatedPkts);
	} else {
		mib_inc(st, IpInHdrErrors);
		if (v == IPV4_CSUM_ERR)
			mib_inc(st, IpExtInCsumErrors);
	}
	return false;
}

void ipv4_rcv(struct stack *st, struct skb *skb)
{
	struct ipv4_info in;

	mib_inc(st, IpInReceives);
	mib_add(st, IpExtInOctets, skb->len);
	skb->net_off = skb->data_off;
	if (unlikely(!parse(st, skb, &in)))
		goto drop;
	skb->net_off = skb->data_off;
	if (unlikely(skb->len > in.total_len))
		skb_trim_tail(st, skb, in.total_len);
	ip_ecn_count(st, in.tos, false, skb->gso_segs);
	switch (classify(st, skb, &in)) {
	case RX_OURS: local_in(st, skb, &in); return;
	case RX_MARTIAN: mib_inc(st, NaruMartianDrops); break;
	case RX_FOREIGN: mib_inc(st, IpInAddrErrors); break;
	case RX_NOT_MEMBER: break;
	}
drop:
	skb_free(st, skb);
}

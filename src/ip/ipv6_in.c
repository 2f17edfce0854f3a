/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 input: checks, is it ours, extension headers, reassembly, delivery (R04). */
/*
 * How it works
 *
 * Packets whose first next-header is TCP, UDP or ICMPv6 go straight on. All others are walked in a
 * contiguous copy (the pump's scratch), because extension headers may reach over fragments of the
 * buffer; a chain that does not fit the linear head in the end is dropped (Ip6InDiscards).
 *
 * RFC 8200 section 4, RFC 4443 section 3.
 */
#include "ip/ip_int.h"

#include <netinet/in.h>

enum rx_dest { RX_OURS, RX_BAD, RX_FOREIGN };

static bool is_upper(uint8_t next_header)
{
	return next_header == IPPROTO_TCP || next_header == IPPROTO_UDP ||
	       next_header == IPPROTO_ICMPV6;
}

static enum rx_dest classify(struct stack *st, struct skb *skb, const struct ipv6_info *in)
{
	if (unlikely(ipaddr_is_loopback(&in->src) || ipaddr_is_loopback(&in->dst)) &&
	    !(skb->dev->flags & NETDEV_LOOPBACK))
		return RX_BAD;
	if (likely(ip_addr_rx_is_ours(st, &in->dst)))
		return RX_OURS;
	if (ipaddr_is_multicast(&in->dst)) {
		skb->pkt_type = PKT_MULTICAST;
		mib_inc(st, Ip6InMcastPkts);
		return mc_is_member(skb->dev, &in->dst) ? RX_OURS : RX_FOREIGN;
	}
	return RX_FOREIGN;
}

/* Data at the transport header at @nh_off's say. CONSUMES. */
static void deliver(struct stack *st, struct skb *skb, uint32_t nh_off)
{
	switch (skb->ip_proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		mib_inc(st, Ip6InDelivers);
		up_tab.l4_rcv(st, skb);
		return;
	case IPPROTO_ICMPV6:
		mib_inc(st, Ip6InDelivers);
		icmp6_rcv(st, skb);
		return;
	default:
		mib_inc(st, Ip6InUnknownProtos);
		icmp_send(st, skb, ICMP6_TYPE_PARAM_PROB, ICMP6_PARAM_NEXT_HEADER, nh_off);
		skb_free(st, skb);
	}
}

/* The upper layer lies @off bytes behind the start. CONSUMES. */
static void to_upper(struct stack *st, struct skb *skb, uint8_t proto, uint32_t off, uint32_t nh_off)
{
	if (unlikely(!skb_may_pull(st, skb, off))) {
		mib_inc(st, Ip6InDiscards);
		skb_free(st, skb);
		return;
	}
	skb->net_off = skb->data_off;
	skb->ip_proto = proto;
	skb_pull(skb, off);
	skb->th_off = skb->data_off;
	deliver(st, skb, nh_off);
}

static void param_prob(struct stack *st, struct skb *skb, const struct ipv6_walk *w)
{
	mib_inc(st, Ip6InHdrErrors);
	if (w->has_frag)
		mib_inc(st, Ip6ReasmReqds);
	icmp_send(st, skb, ICMP6_TYPE_PARAM_PROB, w->err_code, w->err_ptr);
	skb_free(st, skb);
}

/* Follow the extension headers. CONSUMES. */
static void walk_in(struct stack *st, struct skb *skb, struct ipv6_info *in)
{
	uint8_t *p = st->ip->scratch;
	struct ipv6_walk w;
	uint32_t len = skb->len;
	/* a rebuilt packet may hold another fragment header: RFC 8200 does not forbid nesting; once is enough */
	for (int pass = 0; pass < 2; pass++) {
		enum ipv6_walk_verdict v;

		if (len > IP_SCRATCH_BYTES || skb_copy_bits(skb, 0, p, len))
			break;
		v = ipv6_walk(p, len, &w);
		if (v == IPV6_WALK_FRAGMENT && pass == 0) {
			skb = frag6_rcv(st, skb, in, &w);
			if (!skb)
				return;
			len = skb->len;
			continue;
		}
		if (v == IPV6_WALK_PARAM_PROB) {
			param_prob(st, skb, &w);
			return;
		}
		if (v == IPV6_WALK_UPPER) {
			if (w.has_frag) { /* atomic fragment */
				mib_inc(st, Ip6ReasmReqds);
				mib_inc(st, Ip6ReasmOKs);
			}
			to_upper(st, skb, w.next_header, w.offset, w.nh_off);
			return;
		}
		if (v != IPV6_WALK_NONE)
			mib_inc(st, Ip6InHdrErrors);
		skb_free(st, skb);
		return;
	}
	mib_inc(st, Ip6InDiscards);
	skb_free(st, skb);
}

static bool parse(struct stack *st, struct skb *skb, struct ipv6_info *in)
{
	if (!skb_may_pull(st, skb, IPV6_HDR_LEN)) {
		mib_inc(st, Ip6InHdrErrors);
		return false;
	}
	switch (ipv6_parse(skb_data(skb), skb->len, in)) {
	case IPV6_OK: return true;
	case IPV6_HDR_ERR: mib_inc(st, Ip6InHdrErrors); return false;
	case IPV6_TRUNC: mib_inc(st, Ip6InTruncatedPkts); return false;
	case IPV6_DROP: return false;
	}
	return false;
}

void ipv6_rcv(struct stack *st, struct skb *skb)
{
	struct ipv6_info in;
	enum rx_dest dest;

	mib_inc(st, Ip6InReceives);
	mib_add(st, Ip6InOctets, skb->len);
	skb->net_off = skb->data_off;
	if (unlikely(!parse(st, skb, &in)))
		goto drop;
	if (unlikely(skb->len > IPV6_HDR_LEN + (uint32_t)in.payload_len))
		skb_trim_tail(st, skb, IPV6_HDR_LEN + (uint32_t)in.payload_len);
	ip_ecn_count(st, in.tclass, true, skb->gso_segs);
	dest = classify(st, skb, &in);
	if (unlikely(dest != RX_OURS)) {
		mib_inc(st, dest == RX_BAD ? Ip6InHdrErrors : Ip6InAddrErrors);
		goto drop;
	}
	skb->tos = in.tclass;
	skb->ttl = in.hop_limit;
	if (likely(is_upper(in.next_header)))
		to_upper(st, skb, in.next_header, IPV6_HDR_LEN,
			 offsetof(struct ipv6_hdr, next_header));
	else
		walk_in(st, skb, &in);
	return;
drop:
	skb_free(st, skb);
}

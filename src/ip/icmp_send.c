/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending ICMP and ICMPv6 errors about a packet (R02.2, R05.4, RFC 1122 3.2.2, RFC 4443 2.4). */
/*
 * How it works: first decide whether this packet may cause an error at all, then find the way back,
 * ask the rate limit, and only then build the message on the stack. The quote is read from the packet's
 * network header on, whatever has been pulled since.
 */
#include "ip/ip_int.h"

#define TOS_KEPT 0x1eu    /* of the original DS field ... */
#define TOS_CONTROL 0xc0u /* ... with precedence 6 */

/* Bytes [net_off, ...) of the packet, at most @cap. Linear bytes may lie in front of data. */
static uint32_t copy_quote(const struct skb *skb, uint8_t *out, uint32_t cap)
{
	uint32_t before = skb->data_off > skb->net_off ? skb->data_off - skb->net_off : 0;
	uint32_t rest;

	before = min_u32(before, cap);
	memcpy(out, skb_network(skb), before);
	rest = min_u32(skb->len, cap - before);
	return skb_copy_bits(skb, 0, out + before, rest) ? before : before + rest;
}

static bool is_unicast_source(const struct ipaddr *a)
{
	return !ipaddr_is_any(a) && !ipaddr_is_multicast(a) && !ipaddr_is_v4_broadcast(a);
}

/* R02.2: what never causes an error. @q: the packet, @len bytes. */
static bool may_complain_v4(struct stack *st, const struct skb *skb, const uint8_t *q, uint32_t len)
{
	const struct ipv4_hdr *h = (const struct ipv4_hdr *)q;
	uint32_t hdr_len = (q[0] & 15u) * 4;
	struct ipaddr src = ipaddr_from_v4(h->src_be), dst = ipaddr_from_v4(h->dst_be);
	enum dst_type t;

	if (len < IPV4_HDR_LEN || hdr_len < IPV4_HDR_LEN || skb->pkt_type != PKT_HOST ||
	    !is_unicast_source(&src) || ipv4_frag_bytes(h->frag_be))
		return false;
	if (h->proto == IPPROTO_ICMP && (len < hdr_len + 1 || icmp4_type_is_error(q[hdr_len])))
		return false;
	t = ip_addr_type(st, &dst);
	return t != DST_MULTICAST && t != DST_BROADCAST;
}

static bool may_complain_v6(const struct skb *skb, const uint8_t *q, uint32_t len, uint8_t type,
			    uint8_t code)
{
	const struct ipv6_hdr *h = (const struct ipv6_hdr *)q;
	struct ipaddr src, dst;
	uint32_t off;
	uint8_t proto;

	if (len < IPV6_HDR_LEN)
		return false;
	src = ipaddr_from_v6(h->src);
	dst = ipaddr_from_v6(h->dst);
	if (!is_unicast_source(&src))
		return false;
	if ((ipaddr_is_multicast(&dst) || skb->pkt_type != PKT_HOST) && type != ICMP6_TYPE_TOO_BIG &&
	    !(type == ICMP6_TYPE_PARAM_PROB && code == ICMP6_PARAM_OPTION))
		return false;
	if (ipv6_skip_ext(q, len, &proto, &off))
		return true; /* no upper layer in sight: not an ICMPv6 error either */
	if (proto != IPPROTO_ICMPV6)
		return true;
	return off < len && !icmp6_type_is_error(q[off]) && q[off] != ICMP6_TYPE_REDIRECT;
}

static void count_out(struct stack *st, bool is_v4, uint8_t type)
{
	mib_inc(st, is_v4 ? IcmpOutMsgs : Icmp6OutMsgs);
	if (is_v4 && type == ICMP4_TYPE_UNREACH)
		mib_inc(st, IcmpOutDestUnreachs);
	else if (is_v4 && type == ICMP4_TYPE_TIME_EXCEEDED)
		mib_inc(st, IcmpOutTimeExcds);
	else if (is_v4 && type == ICMP4_TYPE_PARAM_PROB)
		mib_inc(st, IcmpOutParmProbs);
	else if (!is_v4 && type == ICMP6_TYPE_UNREACH)
		mib_inc(st, Icmp6OutDestUnreachs);
	else if (!is_v4 && type == ICMP6_TYPE_TOO_BIG)
		mib_inc(st, Icmp6OutPktTooBigs);
	else if (!is_v4 && type == ICMP6_TYPE_TIME_EXCEEDED)
		mib_inc(st, Icmp6OutTimeExcds);
	else if (!is_v4 && type == ICMP6_TYPE_PARAM_PROB)
		mib_inc(st, Icmp6OutParmProblems);
}

/* Way back to @to; the source is the address the packet was sent to, if it is ours. */
static struct dst *way_back(struct stack *st, const struct skb *skb, const struct ipaddr *was_to,
			    const struct ipaddr *to, struct ipaddr *ret_src)
{
	struct flow fl = {.daddr = *to, .saddr = *was_to};
	struct dst *d;
	bool is_tentative;

	if (!ip_addr_is_local(st, was_to, &is_tentative) || is_tentative)
		fl.saddr = ipaddr_is_v4(to) ? IPADDR_ANY_V4 : IPADDR_ANY_V6;
	if (ipaddr_needs_scope(to) && skb->dev)
		fl.oif = skb->dev->ifindex;
	if (ip_route_output(st, &fl, &d))
		return NULL;
	*ret_src = fl.saddr;
	return d;
}

static void send_v4(struct stack *st, const struct skb *skb, uint8_t type, uint8_t code, uint32_t info)
{
	uint8_t q[ICMP4_ERR_PACKET_MAX], msg[ICMP4_ERR_PACKET_MAX];
	uint32_t len = copy_quote(skb, q, sizeof(q));
	const struct ipv4_hdr *h = (const struct ipv4_hdr *)q;
	struct ip_tx tx = {.proto = IPPROTO_ICMP, .ttl = -1};
	struct ipaddr was_to;
	struct skb *out = NULL;
	int n;

	if (len < IPV4_HDR_LEN || !may_complain_v4(st, skb, q, len))
		return;
	was_to = ipaddr_from_v4(h->dst_be);
	tx.daddr = ipaddr_from_v4(h->src_be);
	tx.tos = (uint8_t)((h->tos & TOS_KEPT) | TOS_CONTROL);
	tx.mark = 0;
	tx.dst = way_back(st, skb, &was_to, &tx.daddr, &tx.saddr);
	if (!tx.dst)
		return;
	if (icmp_allowed(st, tx.dst, &tx.daddr, type, code)) {
		n = icmp4_error_build(msg, sizeof(msg), type, code,
				      type == ICMP4_TYPE_PARAM_PROB ? info << 24 : info, q, len, 0);
		out = n > 0 ? ip_msg_alloc(st, msg, (uint32_t)n) : NULL;
	}
	if (out) {
		count_out(st, true, type);
		ip_send(st, out, &tx);
	}
	dst_put(tx.dst);
}

static void send_v6(struct stack *st, const struct skb *skb, uint8_t type, uint8_t code, uint32_t info)
{
	uint8_t q[ICMP6_ERR_PACKET_MAX], msg[ICMP6_ERR_PACKET_MAX];
	uint32_t len = copy_quote(skb, q, sizeof(q));
	const struct ipv6_hdr *h = (const struct ipv6_hdr *)q;
	struct ip_tx tx = {.proto = IPPROTO_ICMPV6, .ttl = -1};
	struct ipaddr was_to;
	struct skb *out = NULL;
	int n;

	if (!may_complain_v6(skb, q, len, type, code))
		return;
	was_to = ipaddr_from_v6(h->dst);
	tx.daddr = ipaddr_from_v6(h->src);
	tx.dst = way_back(st, skb, &was_to, &tx.daddr, &tx.saddr);
	if (!tx.dst)
		return;
	if (!ipaddr_is_any(&tx.saddr) && icmp_allowed(st, tx.dst, &tx.daddr, type, code)) {
		n = icmp6_error_build(msg, sizeof(msg), &tx.saddr, &tx.daddr, type, code, info, q,
				      len);
		out = n > 0 ? ip_msg_alloc(st, msg, (uint32_t)n) : NULL;
	}
	if (out) {
		count_out(st, false, type);
		ip_send(st, out, &tx);
	}
	dst_put(tx.dst);
}

void icmp_send(struct stack *st, struct skb *skb, uint8_t type, uint8_t code, uint32_t info)
{
	uint8_t version;

	if (skb->tail_off <= skb->net_off)
		return;
	version = skb_network(skb)[0] >> 4;
	if (version == 4)
		send_v4(st, skb, type, code, info);
	else if (version == 6)
		send_v6(st, skb, type, code, info);
}

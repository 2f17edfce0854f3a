/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMPv6 input: echo replies, errors for the transports, neighbour discovery, listener queries. */
/*
 * How it works: as icmp.c, with the pseudo header in the checksum. Neighbour discovery and listener
 * messages are read from a contiguous copy (the pump's scratch). RFC 4443, R05, R06.
 */
#include "ip/ip_int.h"

#include <errno.h>
#include <netinet/in.h>

/* R06, second table. False: this error concerns nobody. */
static bool map_error(uint8_t type, uint8_t code, struct icmp_err *err)
{
	switch (type) {
	case ICMP6_TYPE_UNREACH:
		switch (code) {
		case ICMP6_UNREACH_NO_ROUTE: err->error = ENETUNREACH; break;
		case ICMP6_UNREACH_ADMIN:
		case ICMP6_UNREACH_POLICY:
		case ICMP6_UNREACH_REJECT_ROUTE: err->error = EACCES; break;
		case ICMP6_UNREACH_SCOPE:
		case ICMP6_UNREACH_ADDR: err->error = EHOSTUNREACH; break;
		case ICMP6_UNREACH_PORT: err->error = ECONNREFUSED; break;
		default: err->error = EPROTO; break;
		}
		err->is_hard = err->error != ENETUNREACH && err->error != EHOSTUNREACH;
		return true;
	case ICMP6_TYPE_TOO_BIG:
		err->error = EMSGSIZE;
		err->is_hard = true;
		return true;
	case ICMP6_TYPE_TIME_EXCEEDED: err->error = EHOSTUNREACH; return true;
	case ICMP6_TYPE_PARAM_PROB:
		err->error = EPROTO;
		err->is_hard = true;
		return true;
	default: return false;
	}
}

static void rcv_error(struct stack *st, struct skb *skb, const struct icmp_msg *m)
{
	struct icmp_err err = {.type = m->type, .code = m->code, .ttl = skb->ttl, .is_v6 = true};
	struct icmp_quote q;

	if (icmp6_quote_parse(m, &q)) {
		mib_inc(st, Icmp6InErrors);
		return;
	}
	if (!map_error(m->type, m->code, &err) || q.is_fragment)
		return;
	if (q.proto != IPPROTO_TCP && q.proto != IPPROTO_UDP)
		return;
	if (m->type == ICMP6_TYPE_TOO_BIG || m->type == ICMP6_TYPE_PARAM_PROB)
		err.info = m->rest;
	err.saddr = q.src;
	err.daddr = q.dst;
	ip_skb_saddr(skb, &err.offender);
	err.quote = q.l4;
	err.quote_len = q.l4_len;
	err.ip = m->body;
	err.ip_len = m->body_len;
	err.proto = q.proto;
	up_tab.l4_err(st, &err);
}

/* Turn an echo request round in place. True: CONSUMED. */
static bool rcv_echo(struct stack *st, struct skb *skb)
{
	struct ip_tx tx = {.proto = IPPROTO_ICMPV6, .tos = skb->tos, .ttl = -1, .allow_frag = true};
	struct icmp_hdr *h = (struct icmp_hdr *)skb_data(skb);
	struct ipaddr was_to;
	uint16_t from, to;
	uint32_t sum;

	ip_skb_saddr(skb, &tx.daddr);
	ip_skb_daddr(skb, &was_to);
	if (ipaddr_is_any(&tx.daddr))
		return false;
	if (ipaddr_needs_scope(&tx.daddr))
		tx.oif = skb->dev->ifindex;
	/* a group address cannot be a source; the pseudo header then changes too */
	tx.saddr = was_to;
	if (ipaddr_is_multicast(&was_to))
		tx.saddr = ip_addr_source_any(skb->dev, &tx.daddr);
	if (ipaddr_is_any(&tx.saddr))
		return false;
	memcpy(&from, h, sizeof(from));
	h->type = ICMP6_TYPE_ECHO_REPLY;
	h->code = 0;
	memcpy(&to, h, sizeof(to));
	sum = csum_add((uint16_t)~h->csum, (uint16_t)~from);
	sum = csum_add(sum, to);
	sum = csum_sub(sum, csum_partial(&was_to, sizeof(was_to), 0));
	sum = csum_add(sum, csum_partial(&tx.saddr, sizeof(tx.saddr), 0));
	h->csum = csum_fold(sum);
	skb->csum = CSUM_NONE;
	skb->gso_size = skb->gso_segs = 0;
	mib_inc(st, Icmp6OutMsgs);
	mib_inc(st, Icmp6OutEchoReplies);
	ip_send(st, skb, &tx);
	return true;
}

static void count_in(struct stack *st, uint8_t type)
{
	switch (type) {
	case ICMP6_TYPE_UNREACH: mib_inc(st, Icmp6InDestUnreachs); break;
	case ICMP6_TYPE_TOO_BIG: mib_inc(st, Icmp6InPktTooBigs); break;
	case ICMP6_TYPE_TIME_EXCEEDED: mib_inc(st, Icmp6InTimeExcds); break;
	case ICMP6_TYPE_PARAM_PROB: mib_inc(st, Icmp6InParmProblems); break;
	case ICMP6_TYPE_ECHO: mib_inc(st, Icmp6InEchos); break;
	case ICMP6_TYPE_ECHO_REPLY: mib_inc(st, Icmp6InEchoReplies); break;
	case ICMP6_TYPE_RS: mib_inc(st, Icmp6InRouterSolicits); break;
	case ICMP6_TYPE_RA: mib_inc(st, Icmp6InRouterAdvertisements); break;
	case ICMP6_TYPE_NS: mib_inc(st, Icmp6InNeighborSolicits); break;
	case ICMP6_TYPE_NA: mib_inc(st, Icmp6InNeighborAdvertisements); break;
	case ICMP6_TYPE_REDIRECT: mib_inc(st, Icmp6InRedirects); break;
	default: break;
	}
}

/* True: CONSUMED. */
static bool dispatch(struct stack *st, struct skb *skb, const struct ipaddr *src,
		     const struct ipaddr *dst)
{
	uint8_t *buf = st->ip->scratch;
	uint32_t len = min_u32(skb->len, IP_SCRATCH_BYTES);
	struct icmp_msg m;

	if (skb_copy_bits(skb, 0, buf, len) || icmp6_parse(buf, len, &m)) {
		mib_inc(st, Icmp6InErrors);
		return false;
	}
	count_in(st, m.type);
	switch (m.type) {
	case ICMP6_TYPE_ECHO: return rcv_echo(st, skb);
	case ICMP6_TYPE_RS:
	case ICMP6_TYPE_RA:
	case ICMP6_TYPE_NS:
	case ICMP6_TYPE_NA: nd_rcv(skb->dev, src, dst, skb->ttl, buf, len); return false;
	case ICMP6_TYPE_MLD_QUERY:
		if (skb->ttl == 1 && ipaddr_is_linklocal(src))
			mld_rcv(skb->dev, buf, len);
		return false;
	default:
		if (m.is_error)
			rcv_error(st, skb, &m);
		return false;
	}
}

void icmp6_rcv(struct stack *st, struct skb *skb)
{
	struct ipaddr src, dst;
	uint32_t sum;

	mib_inc(st, Icmp6InMsgs);
	ip_skb_saddr(skb, &src);
	ip_skb_daddr(skb, &dst);
	if (skb->len < ICMP_HDR_LEN || !skb_may_pull(st, skb, ICMP_HDR_LEN)) {
		mib_inc(st, Icmp6InErrors);
		skb_free(st, skb);
		return;
	}
	sum = csum_pseudo(&src, &dst, IPPROTO_ICMPV6, skb->len);
	if (csum_fold(skb_csum(skb, 0, skb->len, sum)) != 0) {
		mib_inc(st, Icmp6InErrors);
		mib_inc(st, Icmp6InCsumErrors);
	} else if (dispatch(st, skb, &src, &dst)) {
		return;
	}
	skb_free(st, skb);
}

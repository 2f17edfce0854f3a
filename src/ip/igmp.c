/* SPDX-License-Identifier: BSD-2-Clause */
/* Group membership on the wire: IGMPv3 and v2 reports, MLDv2 reports, answers to queries. */
/*
 * How it works
 *
 * Joining sends one state-change record (mode "change to exclude nothing"), leaving "change to
 * include nothing"; a query is answered at once with one record per group, without the random delay:
 * one host more does not make a burst. After a version 2 query, IGMP speaks version 2 for
 * a while (RFC 3376 section 7.2.1). Older queriers and source filters are not supported.
 *
 * Messages carry the router alert option and hop limit 1. RFC 3376, RFC 2236, RFC 3810.
 */
#include "ip/ip_int.h"

#include <netinet/in.h>

#define IGMP_QUERY 0x11
#define IGMP_V2_REPORT 0x16
#define IGMP_V2_LEAVE 0x17
#define IGMP_V3_REPORT 0x22
#define IGMP_MIN_BYTES 8u
#define IGMP_V3_QUERY_MIN 12u
#define IGMP_V2_MEMORY_NS (260 * NS_PER_S) /* RFC 3376 8.12: 2 x 125 s + 10 s */
#define REC_IS_EXCLUDE 2
#define REC_TO_INCLUDE 3
#define REC_TO_EXCLUDE 4
#define REC4_BYTES 8u
#define REC6_BYTES 20u
#define MLD_QUERY_MIN 24u
#define TOS_CONTROL 0xc0u /* precedence 6, as all network control */

static const uint8_t router_alert4[4] = {148, 4, 0, 0};

/* Hop-by-hop header with router alert 0 (MLD) and padding. */
static const uint8_t hbh_alert6[8] = {IPPROTO_ICMPV6, 0, 5, 2, 0, 0, 1, 0};

static void send_igmp(struct netdev *dev, uint8_t *msg, uint32_t len, const struct ipaddr *to)
{
	struct stack *st = dev->stack;
	struct ip_tx tx = {
		.daddr = *to,
		.saddr = ip_addr_source_any(dev, to),
		.proto = IPPROTO_IGMP,
		.tos = TOS_CONTROL,
		.ttl = 1,
		.want_df = true,
		.is_id_zero = true,
		.oif = dev->ifindex,
		.opt = router_alert4,
		.opt_len = sizeof(router_alert4),
	};
	struct skb *skb;

	put_be16(msg + 2, 0);
	icmp4_set_csum(msg, len); /* the same sum at the same place */
	skb = ip_msg_alloc(st, msg, len);
	if (skb)
		ip_send(st, skb, &tx);
}

static uint32_t put_rec4(uint8_t *p, uint8_t kind, const struct ipaddr *group)
{
	uint32_t be = ipaddr_v4_be(group);

	p[0] = kind;
	p[1] = p[2] = p[3] = 0;
	memcpy(p + 4, &be, 4);
	return REC4_BYTES;
}

static void send_v3(struct netdev *dev, const struct ipaddr *groups, uint32_t num, uint8_t kind)
{
	uint8_t msg[8 + IP_MAX_GROUPS * REC4_BYTES] = {IGMP_V3_REPORT};
	struct ipaddr to = ipaddr_from_v4(cpu_to_be32(0xe0000016)); /* 224.0.0.22 */
	uint32_t len = 8;

	put_be16(msg + 6, (uint16_t)num);
	for (uint32_t i = 0; i < num; i++)
		len += put_rec4(msg + len, kind, &groups[i]);
	send_igmp(dev, msg, len, &to);
}

static void send_v2(struct netdev *dev, uint8_t type, const struct ipaddr *group)
{
	uint8_t msg[8] = {type};
	uint32_t be = ipaddr_v4_be(group);
	struct ipaddr all_routers = ipaddr_from_v4(cpu_to_be32(0xe0000002));

	memcpy(msg + 4, &be, 4);
	send_igmp(dev, msg, sizeof(msg), type == IGMP_V2_LEAVE ? &all_routers : group);
}

static bool speaks_v2(struct netdev *dev)
{
	return ip_dev_of(dev)->igmp2_until_ns > stack_now_ns(dev->stack);
}

void igmp_report(struct netdev *dev, const struct ipaddr *group, bool is_join)
{
	if (speaks_v2(dev))
		send_v2(dev, is_join ? IGMP_V2_REPORT : IGMP_V2_LEAVE, group);
	else
		send_v3(dev, group, 1, is_join ? REC_TO_EXCLUDE : REC_TO_INCLUDE);
}

/* Groups of one family that a query for @asked (any: all) concerns. */
static uint32_t collect(struct netdev *dev, const struct ipaddr *asked,
			struct ipaddr out[IP_MAX_GROUPS])
{
	struct ip_stack *ip = dev->stack->ip;
	struct ip_dev *id = ip_dev_of(dev);
	uint32_t num = 0;

	lock_take(&ip->lock);
	for (uint32_t i = 0; i < IP_MAX_GROUPS; i++) {
		struct mc_group *g = &id->groups[i];

		if (g->users && ipaddr_is_v4(&g->addr) == ipaddr_is_v4(asked) &&
		    (ipaddr_is_any(asked) || ipaddr_eq(asked, &g->addr)))
			out[num++] = g->addr;
	}
	lock_drop(&ip->lock);
	return num;
}

void igmp_rcv(struct stack *st, struct skb *skb)
{
	struct netdev *dev = skb->dev;
	struct ipaddr groups[IP_MAX_GROUPS], asked;
	uint8_t msg[IGMP_V3_QUERY_MIN];
	uint32_t num, len = skb->len, be;

	if (ip_dev_has_neighs(dev) && len >= IGMP_MIN_BYTES && skb->ttl == 1 &&
	    csum_fold(skb_csum(skb, 0, len, 0)) == 0 &&
	    skb_copy_bits(skb, 0, msg, min_u32(len, sizeof(msg))) == 0 && msg[0] == IGMP_QUERY) {
		memcpy(&be, msg + 4, 4);
		asked = ipaddr_from_v4(be);
		num = collect(dev, &asked, groups);
		if (len < IGMP_V3_QUERY_MIN)
			ip_dev_of(dev)->igmp2_until_ns = stack_now_ns(st) + IGMP_V2_MEMORY_NS;
		if (num && len >= IGMP_V3_QUERY_MIN && !speaks_v2(dev))
			send_v3(dev, groups, num, REC_IS_EXCLUDE);
		for (uint32_t i = 0; i < num && speaks_v2(dev); i++)
			send_v2(dev, IGMP_V2_REPORT, &groups[i]);
	}
	skb_free(st, skb);
}

/* ---- MLD ---- */

static void send_mld(struct netdev *dev, const struct ipaddr *groups, uint32_t num, uint8_t kind)
{
	struct stack *st = dev->stack;
	uint8_t msg[sizeof(hbh_alert6) + 8 + IP_MAX_GROUPS * REC6_BYTES] = {0},
							     *p = msg + sizeof(hbh_alert6);
	struct ipaddr to = {.b = {0xff, 0x02, [15] = 0x16}};
	struct ipv6_out h = {.dst = to, .hop_limit = 1, .next_header = IPPROTO_HOPOPTS};
	uint32_t len = 8 + num * REC6_BYTES;
	struct skb *skb;

	memcpy(msg, hbh_alert6, sizeof(hbh_alert6));
	p[0] = ICMP6_TYPE_MLD2_REPORT;
	put_be16(p + 6, (uint16_t)num);
	for (uint32_t i = 0; i < num; i++) {
		p[8 + i * REC6_BYTES] = kind;
		memcpy(p + 8 + i * REC6_BYTES + 4, groups[i].b, 16);
	}
	/* any while the link-local address is tentative (RFC 3810 section 5.2.13) */
	h.src = ip_addr_source_any(dev, &to);
	icmp6_set_csum(&h.src, &to, p, len);
	skb = ip_msg_alloc(st, msg, len + sizeof(hbh_alert6));
	if (!skb)
		return;
	h.payload_len = (uint16_t)skb->len;
	ipv6_build(skb_push(skb, IPV6_HDR_LEN), &h);
	skb->net_off = skb->data_off;
	skb->protocol = ETH_TYPE_IPV6;
	mib_inc(st, Ip6OutRequests);
	mib_inc(st, Ip6OutTransmits);
	mib_inc(st, Icmp6OutMsgs);
	neigh_xmit(dev, &to, skb);
}

void mld_report(struct netdev *dev, const struct ipaddr *group, bool is_join)
{
	send_mld(dev, group, 1, is_join ? REC_TO_EXCLUDE : REC_TO_INCLUDE);
}

void mld_rcv(struct netdev *dev, const uint8_t *p, uint32_t len)
{
	struct ipaddr groups[IP_MAX_GROUPS], asked;
	uint32_t num;

	if (!ip_dev_has_neighs(dev) || len < MLD_QUERY_MIN)
		return;
	asked = ipaddr_from_v6(p + 8);
	if (ipaddr_is_v4(&asked))
		return;
	num = collect(dev, &asked, groups);
	if (num)
		send_mld(dev, groups, num, REC_IS_EXCLUDE);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 neighbour discovery: reading and writing NS, NA, RS and RA. */
/*
 * How it works
 *
 * A message is read into a private copy and handed out only when fixed part, option lengths and
 * checksum are right (RFC 4861 sections 6.1.1, 6.1.2, 7.1.1, 7.1.2). What an option means
 * for the host (lifetimes, MTU limits, autoconfiguration) is not judged here.
 *
 * Link-layer addresses are Ethernet's: one unit of eight bytes; another length refuses the message.
 *
 * RFC 4861, RFC 2464 section 6, RFC 7527 (nonce).
 */
#include "wire/nd.h"

#include <errno.h>

#include "wire/icmp.h"

#define NS_LEN 24
#define NA_LEN 24
#define RS_LEN 8
#define RA_LEN 16

#define OPT_SLLA 1
#define OPT_TLLA 2
#define OPT_PREFIX 3
#define OPT_MTU 5
#define OPT_NONCE 14

#define OPT_UNIT 8 /* option lengths count these */
#define OPT_LEN_LLA 8
#define OPT_LEN_MTU 8
#define OPT_LEN_NONCE 8
#define OPT_LEN_PREFIX 32

static unsigned int fixed_len(uint8_t type)
{
	switch (type) {
	case ICMP6_TYPE_NS: return NS_LEN;
	case ICMP6_TYPE_NA: return NA_LEN;
	case ICMP6_TYPE_RS: return RS_LEN;
	case ICMP6_TYPE_RA: return RA_LEN;
	default: return 0;
	}
}

static void take_prefix(const uint8_t *opt, struct nd_msg *m)
{
	struct nd_prefix *pfx = &m->prefixes[m->num_prefixes];

	if (m->num_prefixes == ND_MAX_PREFIXES || opt[2] > 128)
		return;
	pfx->plen = opt[2];
	pfx->flags = opt[3];
	pfx->valid_s = get_be32(opt + 4);
	pfx->preferred_s = get_be32(opt + 8);
	pfx->prefix = ipaddr_from_v6(opt + 16);
	m->num_prefixes++;
}

/* One option of @opt_len bytes, all there. */
static int take_option(const uint8_t *opt, uint32_t opt_len, struct nd_msg *m)
{
	switch (opt[0]) {
	case OPT_SLLA:
		if (m->type == ICMP6_TYPE_NA)
			return 0;
		memcpy(m->slla.b, opt + 2, ETH_ADDR_LEN);
		m->has_slla = true;
		return opt_len == OPT_LEN_LLA ? 0 : -EINVAL;
	case OPT_TLLA:
		if (m->type != ICMP6_TYPE_NA)
			return 0;
		memcpy(m->tlla.b, opt + 2, ETH_ADDR_LEN);
		m->has_tlla = true;
		return opt_len == OPT_LEN_LLA ? 0 : -EINVAL;
	case OPT_NONCE:
		if (m->type == ICMP6_TYPE_NS && opt_len == OPT_LEN_NONCE) {
			memcpy(m->nonce, opt + 2, sizeof(m->nonce));
			m->has_nonce = true;
		}
		return 0;
	case OPT_MTU:
		if (m->type == ICMP6_TYPE_RA && opt_len == OPT_LEN_MTU)
			m->mtu = get_be32(opt + 4);
		return 0;
	case OPT_PREFIX:
		if (m->type == ICMP6_TYPE_RA && opt_len == OPT_LEN_PREFIX)
			take_prefix(opt, m);
		return 0;
	default: return 0;
	}
}

static int parse_options(const uint8_t *opt, uint32_t len, struct nd_msg *m)
{
	while (len) {
		uint32_t opt_len;

		if (len < 2)
			return -EINVAL;
		opt_len = opt[1] * (uint32_t)OPT_UNIT;
		if (opt_len == 0 || opt_len > len || take_option(opt, opt_len, m))
			return -EINVAL;
		opt += opt_len;
		len -= opt_len;
	}
	return 0;
}

static void parse_fixed(const uint8_t *p, struct nd_msg *m)
{
	switch (m->type) {
	case ICMP6_TYPE_NA:
		m->flags = p[4];
		m->target = ipaddr_from_v6(p + 8);
		break;
	case ICMP6_TYPE_NS: m->target = ipaddr_from_v6(p + 8); break;
	case ICMP6_TYPE_RA:
		m->cur_hop_limit = p[4];
		m->flags = p[5];
		m->router_lifetime_s = get_be16(p + 6);
		m->reachable_ms = get_be32(p + 8);
		m->retrans_ms = get_be32(p + 12);
		break;
	}
}

static bool is_solicited_node(const struct ipaddr *a)
{
	struct ipaddr sn = ipaddr_solicited_node(a);

	return ipaddr_eq(a, &sn);
}

/* Rules that join the message with the addresses of its IPv6 header. */
static bool is_addressing_ok(const struct ipaddr *src, const struct ipaddr *dst,
			     const struct nd_msg *m)
{
	switch (m->type) {
	case ICMP6_TYPE_NS:
		if (ipaddr_is_multicast(&m->target) || ipaddr_is_v4(&m->target))
			return false;
		return !ipaddr_is_any(src) || (!m->has_slla && is_solicited_node(dst));
	case ICMP6_TYPE_NA:
		if (ipaddr_is_multicast(&m->target) || ipaddr_is_v4(&m->target))
			return false;
		return !ipaddr_is_multicast(dst) || !(m->flags & ND_NA_SOLICITED);
	case ICMP6_TYPE_RS: return !ipaddr_is_any(src) || !m->has_slla;
	default: return ipaddr_is_linklocal(src) && !ipaddr_is_v4(src);
	}
}

int nd_parse(const struct ipaddr *src, const struct ipaddr *dst, uint8_t hop_limit,
	     const uint8_t *p, uint32_t len, struct nd_msg *ret_msg)
{
	struct nd_msg m = {0};
	unsigned int fixed;

	if (len < ICMP_HDR_LEN)
		return -EINVAL;
	fixed = fixed_len(p[0]);
	if (fixed == 0)
		return -EPROTONOSUPPORT;
	if (hop_limit != ND_HOP_LIMIT || p[1] != 0 || len < fixed || !icmp6_csum_ok(src, dst, p, len))
		return -EINVAL;
	m.type = p[0];
	parse_fixed(p, &m);
	if (parse_options(p + fixed, len - fixed, &m) || !is_addressing_ok(src, dst, &m))
		return -EINVAL;
	*ret_msg = m;
	return 0;
}

static uint8_t *write_lla(uint8_t *w, uint8_t kind, const struct mac_addr *mac)
{
	w[0] = kind;
	w[1] = OPT_LEN_LLA / OPT_UNIT;
	memcpy(w + 2, mac->b, ETH_ADDR_LEN);
	return w + OPT_LEN_LLA;
}

static uint8_t *write_prefix(uint8_t *w, const struct nd_prefix *pfx)
{
	memset(w, 0, OPT_LEN_PREFIX);
	w[0] = OPT_PREFIX;
	w[1] = OPT_LEN_PREFIX / OPT_UNIT;
	w[2] = pfx->plen;
	w[3] = pfx->flags;
	put_be32(w + 4, pfx->valid_s);
	put_be32(w + 8, pfx->preferred_s);
	memcpy(w + 16, pfx->prefix.b, sizeof(pfx->prefix.b));
	return w + OPT_LEN_PREFIX;
}

static uint8_t *write_ra_options(uint8_t *w, const struct nd_msg *m)
{
	if (m->mtu) {
		memset(w, 0, OPT_LEN_MTU);
		w[0] = OPT_MTU;
		w[1] = OPT_LEN_MTU / OPT_UNIT;
		put_be32(w + 4, m->mtu);
		w += OPT_LEN_MTU;
	}
	for (int i = 0; i < m->num_prefixes; i++)
		w = write_prefix(w, &m->prefixes[i]);
	return w;
}

static void write_fixed(uint8_t *p, unsigned int fixed, const struct nd_msg *m)
{
	memset(p, 0, fixed);
	p[0] = m->type;
	switch (m->type) {
	case ICMP6_TYPE_NA:
		p[4] = m->flags;
		memcpy(p + 8, m->target.b, sizeof(m->target.b));
		break;
	case ICMP6_TYPE_NS: memcpy(p + 8, m->target.b, sizeof(m->target.b)); break;
	case ICMP6_TYPE_RA:
		p[4] = m->cur_hop_limit;
		p[5] = m->flags;
		put_be16(p + 6, m->router_lifetime_s);
		put_be32(p + 8, m->reachable_ms);
		put_be32(p + 12, m->retrans_ms);
		break;
	}
}

int nd_build(uint8_t *out, size_t cap, const struct ipaddr *src, const struct ipaddr *dst,
	     const struct nd_msg *msg)
{
	uint8_t buf[ND_MSG_MAX], *w = buf;
	unsigned int fixed = fixed_len(msg->type);
	size_t len;

	if (fixed == 0 || msg->num_prefixes > ND_MAX_PREFIXES)
		return -EINVAL;
	write_fixed(buf, fixed, msg);
	w += fixed;
	if (msg->has_slla && msg->type != ICMP6_TYPE_NA)
		w = write_lla(w, OPT_SLLA, &msg->slla);
	if (msg->has_tlla && msg->type == ICMP6_TYPE_NA)
		w = write_lla(w, OPT_TLLA, &msg->tlla);
	if (msg->has_nonce && msg->type == ICMP6_TYPE_NS) {
		w[0] = OPT_NONCE;
		w[1] = OPT_LEN_NONCE / OPT_UNIT;
		memcpy(w + 2, msg->nonce, sizeof(msg->nonce));
		w += OPT_LEN_NONCE;
	}
	if (msg->type == ICMP6_TYPE_RA)
		w = write_ra_options(w, msg);
	len = (size_t)(w - buf);
	if (len > cap)
		return -EINVAL;
	icmp6_set_csum(src, dst, buf, (uint32_t)len);
	memcpy(out, buf, len);
	return (int)len;
}

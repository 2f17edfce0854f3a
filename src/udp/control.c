/* SPDX-License-Identifier: BSD-2-Clause */
/* Control messages of a UDP send: what one call may set differently from its socket (T13). */
/*
 * How it works: one walk over the buffer. SOL_SOCKET goes to core/, SOL_IP and SOL_IPV6 change the
 * flow, unknown types of a known level are refused, unknown levels passed over. IPv4 types serve
 * packets of IPv4, IPv6 types those of IPv6; IPV6_PKTINFO with a mapped address serves IPv4 too.
 *
 * Deliberately absent: IPv6 extension headers, and UDP_SEGMENT (a later issue): -EINVAL.
 */
#define _GNU_SOURCE
#include "udp/udp_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define LEVEL_UDP 17
#define CM_IP_PROTOCOL 52 /* IP_PROTOCOL: 1 .. 255, no meaning on UDP */
#define CM_IPV6_FLOWINFO 11
#define CM_IPV6_DONTFRAG 62
#define IP_OPT_MAX 40u
#define IP_OPT_END 0
#define IP_OPT_NOP 1
#define FLOWLABEL_MASK 0xfffffu

/* T95: (TOS & 0x1e) to priority. */
static uint32_t tos_priority(uint8_t tos)
{
	static const uint8_t band_tab[4] = {0, 2, 6, 4};

	return band_tab[(tos & 0x1e) >> 3];
}

static int get_int(const struct cmsg_item *c, int lo, int hi, int *ret)
{
	int v;

	if (c->len != sizeof(v))
		return -EINVAL;
	memcpy(&v, c->data, sizeof(v));
	if (v < lo || v > hi)
		return -EINVAL;
	*ret = v;
	return 0;
}

static int set_tos(struct udp_control *c, const struct cmsg_item *it)
{
	int v;

	if (it->len == 1)
		v = *(const uint8_t *)it->data;
	else if (get_int(it, 0, 255, &v))
		return -EINVAL;
	c->flow->tos = (uint8_t)v;
	c->ck.priority = tos_priority((uint8_t)v);
	c->has_tos = true;
	return 0;
}

/* Every option's length lies inside; what is behind an end mark is padding. */
static bool are_options_sound(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < len && p[i] != IP_OPT_END) {
		size_t n = 1;

		if (p[i] != IP_OPT_NOP) {
			n = i + 1 < len ? p[i + 1] : 0;
			if (n < 2 || n > len - i)
				return false;
		}
		i += n;
	}
	return true;
}

static int set_ip_options(struct udp_control *c, const struct cmsg_item *it)
{
	if (it->len > IP_OPT_MAX || !are_options_sound(it->data, it->len))
		return -EINVAL;
	memset(c->flow->opt, IP_OPT_END, sizeof(c->flow->opt));
	memcpy(c->flow->opt, it->data, it->len);
	c->flow->opt_len = (uint8_t)((it->len + 3) & ~(size_t)3);
	return 0;
}

static int set_pktinfo4(struct udp_control *c, const struct cmsg_item *it)
{
	struct in_pktinfo info;

	if (it->len != sizeof(info))
		return -EINVAL;
	memcpy(&info, it->data, sizeof(info));
	if (info.ipi_ifindex)
		c->flow->oif = (uint32_t)info.ipi_ifindex;
	if (info.ipi_spec_dst.s_addr)
		c->flow->saddr = ipaddr_from_v4(info.ipi_spec_dst.s_addr);
	return 0;
}

static int set_pktinfo6(struct udp_control *c, const struct cmsg_item *it, bool is_v4)
{
	struct in6_pktinfo info;
	struct ipaddr a;

	if (it->len != sizeof(info))
		return -EINVAL;
	memcpy(&info, it->data, sizeof(info));
	a = ipaddr_from_v6(&info.ipi6_addr);
	if (!ipaddr_is_any(&a) && ipaddr_is_v4(&a) != is_v4)
		return -EINVAL;
	if (info.ipi6_ifindex) {
		/* bound to a link: no other */
		if (c->flow->oif && c->flow->oif != info.ipi6_ifindex)
			return -EINVAL;
		c->flow->oif = info.ipi6_ifindex;
	}
	if (!ipaddr_is_any(&a))
		c->flow->saddr = a;
	return 0;
}

static int ip_one(struct udp_control *c, const struct cmsg_item *it)
{
	int v, err = 0;

	switch (it->type) {
	case IP_TTL:
		err = get_int(it, 1, 255, &v);
		if (!err) {
			c->flow->ttl = (int16_t)v;
			c->has_ttl = true;
		}
		return err;
	case IP_TOS: return set_tos(c, it);
	case IP_PKTINFO: return set_pktinfo4(c, it);
	case IP_RETOPTS: return set_ip_options(c, it);
	case CM_IP_PROTOCOL: return get_int(it, 1, 255, &v);
	default: return -EINVAL;
	}
}

/* -1 asks for the socket's own value. */
static int ipv6_one(struct udp_control *c, const struct cmsg_item *it)
{
	int v, err;
	uint32_t info_be;

	switch (it->type) {
	case IPV6_PKTINFO: return set_pktinfo6(c, it, false);
	case IPV6_HOPLIMIT:
		err = get_int(it, -1, 255, &v);
		if (!err && v >= 0) {
			c->flow->ttl = (int16_t)v;
			c->has_ttl = true;
		}
		return err;
	case IPV6_TCLASS:
		err = get_int(it, -1, 255, &v);
		if (!err && v >= 0) {
			c->flow->tos = (uint8_t)v;
			c->has_tos = true;
		}
		return err;
	case CM_IPV6_DONTFRAG:
		err = get_int(it, 0, 1, &v);
		if (!err)
			c->flow->is_dontfrag = v;
		return err;
	case CM_IPV6_FLOWINFO:
		if (it->len < sizeof(info_be))
			return -EINVAL;
		memcpy(&info_be, it->data, sizeof(info_be));
		c->flow->flowlabel = be32_to_cpu(info_be) & FLOWLABEL_MASK;
		return 0;
	default: return -EINVAL;
	}
}

static int apply_one(struct sock *sk, struct udp_control *c, const struct cmsg_item *it)
{
	bool is_v4 = udp_flow_is_v4(c->flow);

	if (it->level == LEVEL_UDP)
		return -EINVAL;
	c->has_other = true;
	if (it->level == SOL_SOCKET)
		return sock_cmsg_one(sk, it, &c->ck);
	if (it->level == SOL_IPV6 && is_v4 && sk->family == AF_INET6 && it->type == IPV6_PKTINFO)
		return set_pktinfo6(c, it, true);
	if (it->level == SOL_IP && is_v4)
		return ip_one(c, it);
	if (it->level == SOL_IPV6 && !is_v4)
		return ipv6_one(c, it);
	return 0;
}

int udp_control_read(struct sock *sk, struct msg *m, struct udp_control *c)
{
	struct cmsg_item it;
	size_t pos = 0;
	int more, err;

	while ((more = cmsg_next(m, &pos, &it)) > 0) {
		err = apply_one(sk, c, &it);
		if (err)
			return err;
	}
	return more;
}

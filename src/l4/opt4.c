/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level SOL_IP (T95; ranges and errno observed on Linux 6.18). */
/*
 * How it works: the option number is looked at before the value. A value of at least four bytes is an int,
 * a shorter one is its first byte, an empty one is 0 - which some options refuse. Reading into one to three
 * bytes gives one byte when the value fits.
 *
 * Deliberately absent: source routes (EINVAL), source filters and netfilter's and IPsec's options (the
 * errno of a kernel that has them and dislikes the value).
 */
#include "l4/l4_int.h"

#include <errno.h>
#include <netinet/in.h>

#include "wire/ipv4.h"

/* Linux's numbers beyond libc's headers */
enum {
	OPT_HDRINCL = 3, OPT_ROUTER_ALERT = 5, OPT_RECVOPTS = 6, OPT_RETOPTS = 7, OPT_PKTINFO = 8, OPT_PKTOPTIONS = 9,
	OPT_RECVTTL = 12, OPT_RECVTOS = 13, OPT_MTU = 14, OPT_FREEBIND = 15, OPT_IPSEC_POLICY = 16, OPT_XFRM_POLICY = 17,
	OPT_PASSSEC = 18, OPT_TRANSPARENT = 19, OPT_ORIGDSTADDR = 20, OPT_MINTTL = 21, OPT_NODEFRAG = 22, OPT_CHECKSUM = 23,
	OPT_BIND_NO_PORT = 24, OPT_RECVFRAGSIZE = 25, OPT_RECVERR_RFC4884 = 26, OPT_ADD_MEMBERSHIP = 35,
	OPT_DROP_MEMBERSHIP = 36, OPT_UNBLOCK_SOURCE = 37, OPT_DROP_SOURCE = 40, OPT_MSFILTER = 41, OPT_MCAST_JOIN = 42,
	OPT_MCAST_LEAVE = 45, OPT_MCAST_LEAVE_SOURCE = 47, OPT_MCAST_MSFILTER = 48, OPT_MULTICAST_ALL = 49,
	OPT_UNICAST_IF = 50, OPT_LOCAL_PORT_RANGE = 51, OPT_PROTOCOL = 52, OPT_MROUTE_FIRST = 200, OPT_MROUTE_LAST = 211,
};

#define PMTUDISC_MAX 5	  /* IP_PMTUDISC_OMIT */
#define TOS_ECN_BITS 3u
#define IP_MTU_MAX 65535u /* total length field */
#define OPTIONS_MAX 40u

/* The switches of which only the bit matters. */
static bool is_plain_bool(const struct sock *sk, int opt)
{
	switch (opt) {
	case OPT_RECVOPTS:
	case OPT_RETOPTS:
	case OPT_PKTINFO:
	case OPT_RECVTTL:
	case OPT_RECVTOS:
	case OPT_PASSSEC:
	case OPT_ORIGDSTADDR:
	case OPT_CHECKSUM:
		return true;
	case OPT_RECVFRAGSIZE:
		return sk->type != SOCK_STREAM;
	default:
		return false;
	}
}

/* ---- setting ---- */

/* T95: what the DS field means for the priority, by bits 1..4. */
static uint32_t tos_priority(uint8_t tos)
{
	static const uint8_t by_eighth[4] = { 0, 2, 6, 4 };

	return by_eighth[(tos & 0x1e) >> 3];
}

static int set_tos(struct sock *sk, int v)
{
	uint8_t tos = (uint8_t)v;

	if (sk->type == SOCK_STREAM)
		tos = (uint8_t)((tos & ~TOS_ECN_BITS) | (sk->inet.tos & TOS_ECN_BITS));
	if (tos == sk->inet.tos)
		return 0;
	sk->inet.tos = tos;
	sk->priority = tos_priority(tos);
	sock_set_dst(sk, NULL);
	return 0;
}

/* True when every option has a sound length and none needs a route or a right we do not give. */
static bool options_ok(const struct sock *sk, const uint8_t *hdr, uint8_t hdr_len)
{
	struct ipv4_options o;
	uint8_t bad;

	for (uint32_t i = IPV4_HDR_LEN; i < hdr_len;) {
		if (!hdr[i])
			break;
		if (hdr[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= hdr_len || hdr[i + 1] < 2 || i + hdr[i + 1] > hdr_len)
			return false;
		/* Record route, timestamp and router alert are known; the rest is root's business. */
		if (hdr[i] != 7 && hdr[i] != 68 && hdr[i] != 148 && !l4_is_net_admin(sk))
			return false;
		i += hdr[i + 1];
	}
	return !ipv4_options_parse(hdr, hdr_len, &o, &bad) && !o.srr_off;
}

static int set_options(struct sock *sk, const void *val, socklen_t len)
{
	uint8_t hdr[IPV4_HDR_LEN + OPTIONS_MAX] = { 0 };
	uint8_t padded = (uint8_t)((len + 3) & ~3u);

	if (len > OPTIONS_MAX)
		return -EINVAL;
	if (len)
		memcpy(hdr + IPV4_HDR_LEN, val, len);
	hdr[0] = (uint8_t)(0x40 | (IPV4_HDR_LEN + padded) / 4);
	if (!options_ok(sk, hdr, (uint8_t)(IPV4_HDR_LEN + padded)))
		return -EINVAL;
	memcpy(sk->inet.opt, hdr + IPV4_HDR_LEN, OPTIONS_MAX);
	sk->inet.opt_len = padded;
	return 0;
}

static int set_port_range(struct sock *sk, const void *val, socklen_t len)
{
	uint32_t v, low, high;

	if (len != sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	low = v & 0xffff;
	high = v >> 16;
	if (low && high && low > high)
		return -EINVAL;
	sk->inet.local_port_range = v;
	return 0;
}

static int set_policy(const struct sock *sk, int opt, socklen_t len)
{
	if (!l4_is_net_admin(sk))
		return -EPERM;
	if (!len)
		return -EMSGSIZE;
	return opt == OPT_IPSEC_POLICY || sk->family == AF_INET6 ? -EOPNOTSUPP : -EINVAL;
}

/* Values with a range; @len was checked. */
static int set_number(struct sock *sk, int opt, int v)
{
	switch (opt) {
	case IP_TTL:
		if (v != -1 && (v < 1 || v > 255))
			return -EINVAL;
		sk->inet.ttl = (int16_t)v;
		return 0;
	case OPT_MINTTL:
		if (v < 0 || v > 255)
			return -EINVAL;
		sk->inet.min_ttl = (uint8_t)v;
		return 0;
	case IP_MULTICAST_TTL:
		if (sk->type == SOCK_STREAM || v < -1 || v > 255)
			return -EINVAL;
		sk->inet.mc_ttl = v == -1 ? 1 : (uint8_t)v;
		return 0;
	case IP_MTU_DISCOVER:
		if (v < 0 || v > PMTUDISC_MAX)
			return -EINVAL;
		sk->inet.pmtudisc = (uint8_t)v;
		return 0;
	case OPT_RECVERR_RFC4884:
		if (v < 0 || v > 1)
			return -EINVAL;
		l4_set_bool4(sk, opt, v);
		return 0;
	case OPT_MULTICAST_ALL:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (sk->family == AF_INET)
			sk->inet.mc_all = v;
		l4_set_bool4(sk, opt, v);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_flag_opt(struct sock *sk, int opt, bool on)
{
	switch (opt) {
	case IP_RECVERR:
		l4_set_recverr(sk, SK_RECVERR, on);
		return 0;
	case OPT_FREEBIND:
		l4_set_flag(sk, SK_FREEBIND, on);
		return 0;
	case OPT_TRANSPARENT:
		if (on && !l4_is_net_admin(sk))
			return -EPERM;
		l4_set_flag(sk, SK_TRANSPARENT, on);
		return 0;
	case OPT_BIND_NO_PORT:
		l4_set_flag(sk, SK_BIND_ADDRESS_NO_PORT, on);
		return 0;
	case IP_MULTICAST_LOOP:
		sk->inet.mc_loop = on;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Options that are no int, or have an answer of their own. -ENOPROTOOPT: not one of them. */
static int set_special(struct sock *sk, int opt, const void *val, socklen_t len)
{
	if (opt >= OPT_MROUTE_FIRST && opt <= OPT_MROUTE_LAST)
		return -EOPNOTSUPP;
	if (opt >= OPT_UNBLOCK_SOURCE && opt <= OPT_MCAST_MSFILTER && opt != OPT_MCAST_JOIN && opt != OPT_MCAST_LEAVE)
		return -EINVAL;
	switch (opt) {
	case IP_OPTIONS:
		return set_options(sk, val, len);
	case OPT_LOCAL_PORT_RANGE:
		return set_port_range(sk, val, len);
	case OPT_UNICAST_IF:
		return l4_set_unicast_if(sk, val, len);
	case OPT_IPSEC_POLICY:
	case OPT_XFRM_POLICY:
		return set_policy(sk, opt, len);
	case IP_MULTICAST_IF:
		return l4_mc4_set_if(sk, val, len);
	case OPT_ADD_MEMBERSHIP:
	case OPT_DROP_MEMBERSHIP:
		return l4_mc4_membership(sk, opt == OPT_ADD_MEMBERSHIP, val, len);
	case OPT_MCAST_JOIN:
	case OPT_MCAST_LEAVE:
		return l4_mc_group_req(sk, AF_INET, opt == OPT_MCAST_JOIN, val, len);
	case OPT_ROUTER_ALERT:
	case OPT_RECVFRAGSIZE: /* streams: the others take it as a switch */
		return -EINVAL;
	case 64: /* netfilter's tables */
	case 65:
	case 96:
	case 97:
		return l4_is_net_admin(sk) ? -EINVAL : -EPERM;
	default:
		return -ENOPROTOOPT;
	}
}

static bool refuses_empty(int opt)
{
	return opt == IP_TTL || opt == OPT_MINTTL || opt == OPT_FREEBIND || opt == OPT_TRANSPARENT || opt == IP_MULTICAST_TTL ||
	       opt == IP_MULTICAST_LOOP || opt == OPT_MULTICAST_ALL;
}

int l4_set_ip4(struct sock *sk, int opt, const void *val, socklen_t len)
{
	int v = 0, err;

	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	else if (len)
		v = *(const uint8_t *)val;
	if (!len && refuses_empty(opt))
		return -EINVAL;
	if (opt == IP_TOS)
		return set_tos(sk, v);
	if (is_plain_bool(sk, opt)) {
		l4_set_bool4(sk, opt, v != 0);
		return 0;
	}
	err = set_number(sk, opt, v);
	if (err == -ENOPROTOOPT)
		err = set_flag_opt(sk, opt, v != 0);
	if (err == -ENOPROTOOPT)
		err = set_special(sk, opt, val, len);
	return err;
}

/* ---- reading ---- */

static int get_mtu(struct sock *sk)
{
	struct dst *d = sock_dst(sk);

	if (!d)
		return -ENOTCONN;
	return (int)(sk->is_v4_path && sk->family == AF_INET ? min_u32(dst_mtu(d), IP_MTU_MAX) : dst_mtu(d));
}

static int get_ttl(const struct sock *sk)
{
	const struct stack *st = sk->stack;

	if (sk->inet.ttl >= 0)
		return sk->inet.ttl;
	if (sk->dst && sk->dst->metrics.hoplimit)
		return (int)sk->dst->metrics.hoplimit;
	return (int)st->sysctl.ip_default_ttl;
}

/* A number; *ret_found false when the option has none. Negative: errno. */
static int get_number(struct sock *sk, int opt, bool *ret_found)
{
	*ret_found = true;
	switch (opt) {
	case IP_TOS:
		return sk->inet.tos;
	case IP_TTL:
		return get_ttl(sk);
	case IP_MTU_DISCOVER:
		return sk->inet.pmtudisc;
	case IP_RECVERR:
		return !!(sk->flags & SK_RECVERR);
	case OPT_MTU:
		return get_mtu(sk);
	case OPT_FREEBIND:
		return !!(sk->flags & SK_FREEBIND);
	case OPT_TRANSPARENT:
		return !!(sk->flags & SK_TRANSPARENT);
	case OPT_MINTTL:
		return sk->inet.min_ttl;
	case OPT_BIND_NO_PORT:
		return !!(sk->flags & SK_BIND_ADDRESS_NO_PORT);
	case IP_MULTICAST_TTL:
		return sk->inet.mc_ttl;
	case IP_MULTICAST_LOOP:
		return sk->inet.mc_loop;
	case OPT_MULTICAST_ALL:
		return sk->family == AF_INET ? sk->inet.mc_all : l4_bool4(sk, opt);
	case OPT_PROTOCOL:
		return sk->sport; /* observed: the local port */
	case OPT_HDRINCL:
	case OPT_ROUTER_ALERT:
	case OPT_NODEFRAG:
		return 0;
	case OPT_RECVERR_RFC4884:
	case OPT_RECVFRAGSIZE:
		return l4_bool4(sk, opt);
	default:
		*ret_found = is_plain_bool(sk, opt);
		return *ret_found ? l4_bool4(sk, opt) : 0;
	}
}

static int put_number(void *val, socklen_t *len, int v)
{
	if (*len > 0 && *len < sizeof(v) && v >= 0 && v <= 255) {
		*(uint8_t *)val = (uint8_t)v;
		*len = 1;
		return 0;
	}
	return l4_get_bytes(val, len, &v, sizeof(v));
}

static int get_word(uint32_t word, void *val, socklen_t *len)
{
	int v;

	memcpy(&v, &word, sizeof(v));
	return put_number(val, len, v);
}

/* Numbers with bit 31 and things that are no number. */
static int get_special(struct sock *sk, int opt, void *val, socklen_t *len)
{
	bool is_tcp = sk->type == SOCK_STREAM;

	if (opt >= OPT_MROUTE_FIRST && opt <= OPT_MROUTE_LAST)
		return -EOPNOTSUPP;
	switch (opt) {
	case IP_OPTIONS:
		return l4_get_bytes(val, len, sk->inet.opt, sk->inet.opt_len);
	case OPT_PKTOPTIONS:
		*len = is_tcp ? 0 : *len;
		return is_tcp ? 0 : -ENOPROTOOPT;
	case OPT_LOCAL_PORT_RANGE:
		return get_word(sk->inet.local_port_range, val, len);
	case OPT_UNICAST_IF:
		return get_word(cpu_to_be32(sk->inet.uc_ifindex), val, len);
	case IP_MULTICAST_IF:
		return get_word(ipaddr_is_v4(&sk->inet.mc_saddr) ? ipaddr_v4_be(&sk->inet.mc_saddr) : 0, val, len);
	case OPT_MSFILTER:
	case OPT_MCAST_MSFILTER:
		return -EINVAL;
	case 64: /* netfilter's tables */
	case 65:
	case 66:
	case 67:
	case 96:
	case 97:
	case 98:
	case 99:
		return l4_is_net_admin(sk) ? -EINVAL : -EPERM;
	case 80: /* SO_ORIGINAL_DST: never translated */
		return !is_tcp ? -ENOPROTOOPT : *len < sizeof(struct sockaddr_in) ? -EINVAL : -ENOENT;
	default:
		return -ENOPROTOOPT;
	}
}

int l4_get_ip4(struct sock *sk, int opt, void *val, socklen_t *len)
{
	bool is_number;
	int v = get_number(sk, opt, &is_number);

	if (!is_number)
		return get_special(sk, opt, val, len);
	return v < 0 ? v : put_number(val, len, v);
}

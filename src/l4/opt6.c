/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level SOL_IPV6 (T95; ranges and errno observed on Linux 6.18). */
/*
 * How it works: almost every option wants an int and refuses less than four bytes. Reading cuts the int to
 * the buffer.
 *
 * Deliberately absent: extension headers of our own (only their removal is accepted), sticky
 * IPV6_PKTINFO, source filters, flow label leases, turning a socket into AF_INET (EADDRNOTAVAIL).
 */
#include "l4/l4_int.h"

#include <errno.h>
#include <netinet/in.h>

#include "core/netdev.h"

/* Linux's numbers beyond libc's headers */
enum {
	OPT_ADDRFORM = 1, OPT_2292PKTINFO = 2, OPT_2292HOPOPTS = 3, OPT_2292DSTOPTS = 4, OPT_2292RTHDR = 5,
	OPT_2292PKTOPTIONS = 6, OPT_2292HOPLIMIT = 8, OPT_FLOWINFO = 11, OPT_ADD_MEMBERSHIP = 20, OPT_DROP_MEMBERSHIP = 21,
	OPT_ROUTER_ALERT = 22, OPT_JOIN_ANYCAST = 27, OPT_LEAVE_ANYCAST = 28, OPT_MULTICAST_ALL = 29,
	OPT_ROUTER_ALERT_ISOLATE = 30, OPT_RECVERR_RFC4884 = 31, OPT_FLOWLABEL_MGR = 32, OPT_FLOWINFO_SEND = 33,
	OPT_IPSEC_POLICY = 34, OPT_XFRM_POLICY = 35, OPT_MCAST_JOIN = 42, OPT_MCAST_LEAVE = 45, OPT_MCAST_LEAVE_SOURCE = 47,
	OPT_MCAST_MSFILTER = 48, OPT_RECVPKTINFO = 49, OPT_PKTINFO = 50, OPT_RECVHOPLIMIT = 51, OPT_RECVHOPOPTS = 53,
	OPT_HOPOPTS = 54, OPT_RTHDRDSTOPTS = 55, OPT_RECVRTHDR = 56, OPT_RTHDR = 57, OPT_RECVDSTOPTS = 58, OPT_DSTOPTS = 59,
	OPT_RECVPATHMTU = 60, OPT_PATHMTU = 61, OPT_DONTFRAG = 62, OPT_RECVTCLASS = 66, OPT_TCLASS = 67,
	OPT_AUTOFLOWLABEL = 70, OPT_ADDR_PREFERENCES = 72, OPT_MINHOPCOUNT = 73, OPT_ORIGDSTADDR = 74, OPT_TRANSPARENT = 75,
	OPT_UNICAST_IF = 76, OPT_RECVFRAGSIZE = 77, OPT_FREEBIND = 78, OPT_ORIGINAL_DST = 80,
	OPT_MROUTE_FIRST = 200, OPT_MROUTE_LAST = 212,
};

#define PMTUDISC_MAX 5
#define IPV6_MIN_MTU 1280
#define TCLASS_ECN_BITS 3
#define EXT_HDR_MAX 2040u /* 255 * 8 */
#define GROUP_FILTER_BYTES 144u

/* RFC 5014 preferences: one of the first three, one of the next two, at most one of the last two. */
#define PREF_TMP 0x0001
#define PREF_PUBLIC 0x0002
#define PREF_PUBTMP_DEFAULT 0x0100
#define PREF_COA 0x0004
#define PREF_HOME 0x0400
#define PREF_CGA 0x0008
#define PREF_NONCGA 0x0800

static bool is_plain_bool(int opt)
{
	switch (opt) {
	case OPT_2292PKTINFO:
	case OPT_2292HOPOPTS:
	case OPT_2292DSTOPTS:
	case OPT_2292RTHDR:
	case OPT_2292HOPLIMIT:
	case OPT_FLOWINFO:
	case OPT_ROUTER_ALERT_ISOLATE:
	case OPT_FLOWINFO_SEND:
	case OPT_RECVPKTINFO:
	case OPT_RECVHOPLIMIT:
	case OPT_RECVHOPOPTS:
	case OPT_RECVRTHDR:
	case OPT_RECVDSTOPTS:
	case OPT_RECVPATHMTU:
	case OPT_RECVTCLASS:
	case OPT_ORIGDSTADDR:
		return true;
	default:
		return false;
	}
}

/* Switches that take a short value for 0. */
static bool is_lenient_bool(int opt)
{
	return opt == OPT_DONTFRAG || opt == OPT_AUTOFLOWLABEL || opt == OPT_RECVFRAGSIZE;
}

/* ---- setting ---- */

static int set_prefs(struct sock *sk, int v)
{
	int num_src = !!(v & PREF_TMP) + !!(v & PREF_PUBLIC) + !!(v & PREF_PUBTMP_DEFAULT);

	if (num_src > 1 || (v & PREF_COA && v & PREF_HOME) || (v & PREF_CGA && v & PREF_NONCGA))
		return -EINVAL;
	sk->inet.addr_prefs = (uint16_t)(v & (PREF_TMP | PREF_PUBLIC | PREF_COA)); /* what is not named: the default */
	return 0;
}

static int set_tclass(struct sock *sk, int v)
{
	if (v < -1 || v > 255)
		return -EINVAL;
	if (v < 0)
		v = 0;
	if (sk->type == SOCK_STREAM)
		v = (v & ~TCLASS_ECN_BITS) | (sk->inet.tclass & TCLASS_ECN_BITS);
	if (sk->inet.tclass != v)
		sock_set_dst(sk, NULL);
	sk->inet.tclass = (uint8_t)v;
	return 0;
}

static int set_mc_if(struct sock *sk, int v)
{
	if (v && sk->bound_ifindex && sk->bound_ifindex != (uint32_t)v)
		return -EINVAL;
	if (v && (v < 0 || !netdev_by_index(sk->stack, (uint32_t)v)))
		return -ENODEV;
	sk->inet.mc_ifindex = (uint32_t)v;
	return 0;
}

static int set_addrform(const struct sock *sk, int v)
{
	if (v != AF_INET)
		return -EINVAL;
	return sk->state == TCP_ESTABLISHED ? -EADDRNOTAVAIL : -ENOTCONN;
}

/* @v was at least four bytes. */
static int set_number(struct sock *sk, int opt, int v)
{
	struct inet_opts *o = &sk->inet;
	bool is_01 = v == 0 || v == 1, is_byte = v >= 0 && v <= 255;

	switch (opt) {
	case OPT_ADDRFORM:
		return set_addrform(sk, v);
	case OPT_ADDR_PREFERENCES:
		return set_prefs(sk, v);
	case OPT_TCLASS:
		return set_tclass(sk, v);
	case IPV6_UNICAST_HOPS:
		if (!is_byte && v != -1)
			return -EINVAL;
		o->hop_limit = (int16_t)v;
		return 0;
	case IPV6_MULTICAST_HOPS:
		if (!is_byte && v != -1)
			return -EINVAL;
		o->mc_hops = (int16_t)(v == -1 ? 1 : v);
		return 0;
	case IPV6_MULTICAST_IF:
		return set_mc_if(sk, v);
	case IPV6_MULTICAST_LOOP:
		o->mc_loop = v;
		return is_01 ? 0 : -EINVAL;
	case IPV6_MTU_DISCOVER:
		if (v < 0 || v > PMTUDISC_MAX)
			return -EINVAL;
		o->pmtudisc6 = (uint8_t)v;
		return 0;
	case IPV6_MTU:
		return v && v < IPV6_MIN_MTU ? -EINVAL : 0;
	case OPT_RECVERR_RFC4884:
		if (!is_01)
			return -EINVAL;
		l4_set_bool6(sk, opt, v);
		return 0;
	case OPT_MINHOPCOUNT:
		if (!is_byte)
			return -EINVAL;
		o->min_ttl = (uint8_t)v;
		return 0;
	case OPT_ROUTER_ALERT:
	default:
		return -ENOPROTOOPT;
	}
}

static int set_flag_opt(struct sock *sk, int opt, bool on)
{
	switch (opt) {
	case IPV6_RECVERR:
		l4_set_recverr(sk, SK_RECVERR6, on);
		return 0;
	case IPV6_V6ONLY:
		if (l4_is_bound(sk))
			return -EINVAL;
		l4_set_flag(sk, SK_V6ONLY, on);
		return 0;
	case OPT_MULTICAST_ALL:
		sk->inet.mc_all = on;
		return 0;
	case OPT_FREEBIND:
		l4_set_flag(sk, SK_FREEBIND, on);
		return 0;
	case OPT_TRANSPARENT:
		if (on && !l4_is_net_admin(sk))
			return -EPERM;
		l4_set_flag(sk, SK_TRANSPARENT, on);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* Only taking our own extension headers away is offered; there are none. */
static int set_ext_hdr(const struct sock *sk, int opt, const void *val, socklen_t len)
{
	const uint8_t *p = val;

	if (opt != OPT_RTHDR && !l4_is_net_admin(sk))
		return -EPERM;
	if (!len)
		return 0;
	if (opt == OPT_RTHDR || (len & 7) || len > EXT_HDR_MAX || (p[1] + 1u) * 8u > len)
		return -EINVAL;
	return -EPERM;
}

/* Options that are no int. -ENOPROTOOPT: not one of them. */
static int set_special(struct sock *sk, int opt, const void *val, socklen_t len)
{
	if (opt >= OPT_MROUTE_FIRST && opt <= OPT_MROUTE_LAST)
		return -EOPNOTSUPP;
	if (opt >= OPT_MCAST_JOIN && opt <= OPT_MCAST_MSFILTER && opt != OPT_MCAST_JOIN && opt != OPT_MCAST_LEAVE)
		return -EINVAL;
	switch (opt) {
	case OPT_2292PKTOPTIONS:
		return len < sizeof(struct cmsghdr) ? 0 : -EINVAL;
	case OPT_ADD_MEMBERSHIP:
	case OPT_DROP_MEMBERSHIP:
		return l4_mc6_membership(sk, opt == OPT_ADD_MEMBERSHIP, val, len);
	case OPT_MCAST_JOIN:
	case OPT_MCAST_LEAVE:
		return l4_mc_group_req(sk, AF_INET6, opt == OPT_MCAST_JOIN, val, len);
	case OPT_JOIN_ANYCAST:
	case OPT_LEAVE_ANYCAST:
		return len >= sizeof(struct ipv6_mreq) && opt == OPT_JOIN_ANYCAST && !l4_is_net_admin(sk) ? -EPERM : -EINVAL;
	case OPT_IPSEC_POLICY:
	case OPT_XFRM_POLICY:
		if (!l4_is_net_admin(sk))
			return -EPERM;
		return !len ? -EMSGSIZE : opt == OPT_IPSEC_POLICY ? -EOPNOTSUPP : -EINVAL;
	case OPT_HOPOPTS:
	case OPT_RTHDRDSTOPTS:
	case OPT_DSTOPTS:
	case OPT_RTHDR:
		return set_ext_hdr(sk, opt, val, len);
	case OPT_UNICAST_IF:
		return l4_set_unicast_if(sk, val, len);
	case OPT_PKTINFO:
	case OPT_FLOWLABEL_MGR:
		return -EINVAL;
	case 64: /* netfilter's tables */
	case 65:
		return l4_is_net_admin(sk) ? -EINVAL : -EPERM;
	default:
		return -ENOPROTOOPT;
	}
}

/* The options of set_number() and set_flag_opt(): they refuse short values before anything else. */
static bool wants_int(const struct sock *sk, int opt)
{
	switch (opt) {
	case IPV6_MULTICAST_IF:
	case IPV6_MULTICAST_HOPS:
		return sk->type != SOCK_STREAM; /* no such option on a stream */
	case OPT_ADDRFORM:
	case OPT_ADDR_PREFERENCES:
	case OPT_TCLASS:
	case IPV6_UNICAST_HOPS:
	case IPV6_MULTICAST_LOOP:
	case IPV6_MTU_DISCOVER:
	case IPV6_MTU:
	case OPT_RECVERR_RFC4884:
	case OPT_MINHOPCOUNT:
	case OPT_ROUTER_ALERT:
	case IPV6_RECVERR:
	case IPV6_V6ONLY:
	case OPT_MULTICAST_ALL:
	case OPT_FREEBIND:
	case OPT_TRANSPARENT:
		return true;
	default:
		return is_plain_bool(opt);
	}
}

int l4_set_ip6(struct sock *sk, int opt, const void *val, socklen_t len)
{
	int v = 0, err;

	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	if (is_lenient_bool(opt)) {
		/* The flow label switch is on unless told otherwise: its bit means off. */
		l4_set_bool6(sk, opt, opt == OPT_AUTOFLOWLABEL ? !v : v != 0);
		return 0;
	}
	if (!wants_int(sk, opt))
		return set_special(sk, opt, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	if (is_plain_bool(opt)) {
		l4_set_bool6(sk, opt, v != 0);
		return 0;
	}
	err = set_number(sk, opt, v);
	return err == -ENOPROTOOPT ? set_flag_opt(sk, opt, v != 0) : err;
}

/* ---- reading ---- */

static int get_hops(const struct sock *sk)
{
	if (sk->inet.hop_limit >= 0)
		return sk->inet.hop_limit;
	if (sk->dst && sk->dst->metrics.hoplimit)
		return (int)sk->dst->metrics.hoplimit;
	return (int)sk->stack->sysctl.hop_limit;
}

static int get_prefs(const struct sock *sk)
{
	int src = sk->inet.addr_prefs & (PREF_TMP | PREF_PUBLIC);

	return (src ? src : PREF_PUBTMP_DEFAULT) | (sk->inet.addr_prefs & PREF_COA ? PREF_COA : PREF_HOME);
}

static int get_mtu(struct sock *sk)
{
	struct dst *d = sock_dst(sk);

	return d ? (int)dst_mtu(d) : -ENOTCONN;
}

/* A socket bound to one IPv6 address can take nothing else. */
static int get_v6only(const struct sock *sk)
{
	bool is_one = (sk->flags & SK_BINDADDR_LOCK) && !ipaddr_is_any(&sk->rcv_saddr) && !ipaddr_is_v4(&sk->rcv_saddr);

	return (sk->flags & SK_V6ONLY) || is_one;
}

/* A number; *ret_found false when the option has none. Negative: errno. */
static int get_number(struct sock *sk, int opt, bool *ret_found)
{
	*ret_found = true;
	switch (opt) {
	case OPT_ADDRFORM:
		return sk->state == TCP_ESTABLISHED ? AF_INET6 : -ENOTCONN;
	case IPV6_UNICAST_HOPS:
		return get_hops(sk);
	case IPV6_MULTICAST_IF:
		return (int)sk->inet.mc_ifindex;
	case IPV6_MULTICAST_HOPS:
		return sk->inet.mc_hops;
	case IPV6_MULTICAST_LOOP:
		return sk->inet.mc_loop;
	case IPV6_MTU_DISCOVER:
		return sk->inet.pmtudisc6;
	case IPV6_MTU:
		return get_mtu(sk);
	case IPV6_RECVERR:
		return !!(sk->flags & SK_RECVERR6);
	case IPV6_V6ONLY:
		return get_v6only(sk);
	case OPT_MULTICAST_ALL:
		return sk->inet.mc_all;
	case OPT_TCLASS:
		return sk->inet.tclass;
	case OPT_AUTOFLOWLABEL:
		return !l4_bool6(sk, opt);
	case OPT_ADDR_PREFERENCES:
		return get_prefs(sk);
	case OPT_MINHOPCOUNT:
		return sk->inet.min_ttl;
	case OPT_TRANSPARENT:
		return !!(sk->flags & SK_TRANSPARENT);
	case OPT_FREEBIND:
		return !!(sk->flags & SK_FREEBIND);
	case OPT_ROUTER_ALERT:
		return 0;
	case OPT_RECVERR_RFC4884:
	case OPT_DONTFRAG:
	case OPT_RECVFRAGSIZE:
		return l4_bool6(sk, opt);
	default:
		*ret_found = is_plain_bool(opt);
		return *ret_found ? l4_bool6(sk, opt) : 0;
	}
}

/* struct ip6_mtuinfo: an address that is not filled in, and the MTU. */
static int get_pathmtu(struct sock *sk, void *val, socklen_t *len)
{
	struct { struct sockaddr_in6 addr; uint32_t mtu; } info;
	int mtu;

	if (*len < sizeof(info))
		return -EINVAL;
	mtu = get_mtu(sk);
	if (mtu < 0)
		return mtu;
	memset(&info, 0, sizeof(info));
	info.addr.sin6_family = AF_INET6;
	info.mtu = (uint32_t)mtu;
	return l4_get_bytes(val, len, &info, sizeof(info));
}

static int get_special(struct sock *sk, int opt, void *val, socklen_t *len)
{
	bool is_tcp = sk->type == SOCK_STREAM;
	uint32_t ifindex_be;

	if (opt >= OPT_MROUTE_FIRST && opt <= OPT_MROUTE_LAST)
		return -EOPNOTSUPP;
	switch (opt) {
	case OPT_HOPOPTS:
	case OPT_RTHDRDSTOPTS:
	case OPT_RTHDR:
	case OPT_DSTOPTS:
		*len = 0;
		return 0;
	case OPT_2292PKTOPTIONS:
		if (!is_tcp)
			return -ENOPROTOOPT;
		*len = 0;
		return 0;
	case OPT_UNICAST_IF:
		ifindex_be = cpu_to_be32(sk->inet.uc_ifindex);
		return l4_get_bytes(val, len, &ifindex_be, sizeof(ifindex_be));
	case OPT_PATHMTU:
		return get_pathmtu(sk, val, len);
	case OPT_MCAST_MSFILTER:
		return *len < GROUP_FILTER_BYTES ? -EINVAL : -EADDRNOTAVAIL;
	case OPT_FLOWLABEL_MGR:
		return -EINVAL;
	case 64: /* netfilter's tables */
	case 65:
	case 68:
	case 69:
		return l4_is_net_admin(sk) ? -EINVAL : -EPERM;
	case OPT_ORIGINAL_DST: /* never translated */
		return !is_tcp ? -ENOPROTOOPT : *len < sizeof(struct sockaddr_in6) ? -EINVAL : -ENOENT;
	default:
		return -ENOPROTOOPT;
	}
}

int l4_get_ip6(struct sock *sk, int opt, void *val, socklen_t *len)
{
	bool is_number;
	int v = get_number(sk, opt, &is_number);

	if (!is_number)
		return get_special(sk, opt, val, len);
	return v < 0 ? v : l4_get_bytes(val, len, &v, sizeof(v));
}

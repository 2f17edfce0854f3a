/* SPDX-License-Identifier: BSD-2-Clause */
/* Ancillary data of a received packet: time, addresses, TTL, DS field (R57, R60). */
/*
 * How it works: what the program switched on is read from the packet's IP header, which stays in the head at
 * net_off. An AF_INET6 socket gets IPv6 forms; for an IPv4 packet it gets IPV6_PKTINFO with the mapped
 * address, and the IPv4 forms if it asked for those. Order: time first, then addresses, TTL, DS field.
 * IP_CHECKSUM and IP_RECVFRAGSIZE are stored but never delivered.
 */
#define _GNU_SOURCE
#include "l4/l4_int.h"

#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <time.h>

#include "core/netdev.h"
#include "ip/ip.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

/* Linux's numbers for what libc's headers lack */
#define CM_TIMESTAMP 29
#define CM_TIMESTAMPNS 35
#define CM_TIMESTAMPING 37
#define OPT4_ORIGDSTADDR 20
#define OPT6_FLOWINFO 11
#define OPT6_ORIGDSTADDR 74
#define OPT6_2292PKTINFO 2
#define OPT6_2292HOPLIMIT 8
#define FLOWINFO_MASK 0x0fffffffu

static void put_time(struct sock *sk, struct msg *m, uint64_t ns)
{
	const uint32_t want = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	struct timespec all[3] = { { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) } };
	struct timeval tv = { .tv_sec = all[0].tv_sec, .tv_usec = all[0].tv_nsec / 1000 };

	if (sk->flags & SK_TIMESTAMPNS)
		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMPNS, &all[0], sizeof(all[0]));
	else if (sk->flags & SK_TIMESTAMP)
		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMP, &tv, sizeof(tv));
	if ((sk->tsflags & want) == want)
		cmsg_put(m, SOL_SOCKET, CM_TIMESTAMPING, all, sizeof(all));
}

/* ---- IPv4 ---- */

/* A broadcast or multicast packet is answered from the device's first address. */
static struct ipaddr local_addr_for(struct stack *st, const struct ipaddr *dst, uint32_t ifindex)
{
	struct ip_addr_info info;

	if (ip_addr_type(st, dst) == DST_LOCAL)
		return *dst;
	for (uint32_t i = 0; !ip_addr_at(st, i, &info); i++)
		if (info.ifindex == ifindex && ipaddr_is_v4(&info.addr))
			return info.addr;
	return *dst;
}

static void put_pktinfo4(struct sock *sk, struct msg *m, const struct ipaddr *dst, uint32_t ifindex)
{
	struct ipaddr local = local_addr_for(sk->stack, dst, ifindex);
	struct in_pktinfo pi = { .ipi_ifindex = (int)ifindex };

	pi.ipi_spec_dst.s_addr = ipaddr_v4_be(&local);
	pi.ipi_addr.s_addr = ipaddr_v4_be(dst);
	cmsg_put(m, SOL_IP, IP_PKTINFO, &pi, sizeof(pi));
}

static void put_origdst(struct msg *m, int family, int level, int type, const struct ipaddr *dst, const struct skb *skb)
{
	struct sockaddr_storage ss;
	socklen_t len;

	memset(&ss, 0, sizeof(ss));
	len = ipaddr_to_sockaddr(family, dst, get_be16(skb_transport(skb) + 2), skb->dev ? skb->dev->ifindex : 0, &ss);
	cmsg_put(m, level, type, &ss, len);
}

static void put_ip4(struct sock *sk, struct msg *m, const struct skb *skb, const struct ipaddr *dst)
{
	const uint8_t *hdr = skb_network(skb);
	uint32_t opt_len = (hdr[0] & 15u) * 4u - IPV4_HDR_LEN;
	int ttl = skb->ttl;

	if (l4_bool4(sk, IP_PKTINFO))
		put_pktinfo4(sk, m, dst, skb->dev ? skb->dev->ifindex : 0);
	if (l4_bool4(sk, IP_RECVTTL))
		cmsg_put(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	if (l4_bool4(sk, IP_RECVTOS))
		cmsg_put(m, SOL_IP, IP_TOS, &skb->tos, sizeof(skb->tos));
	if (l4_bool4(sk, IP_RECVOPTS) && opt_len)
		cmsg_put(m, SOL_IP, IP_RECVOPTS, hdr + IPV4_HDR_LEN, opt_len);
	if (l4_bool4(sk, IP_RETOPTS) && opt_len)
		cmsg_put(m, SOL_IP, IP_RETOPTS, hdr + IPV4_HDR_LEN, opt_len);
	if (l4_bool4(sk, OPT4_ORIGDSTADDR))
		put_origdst(m, AF_INET, SOL_IP, OPT4_ORIGDSTADDR, dst, skb);
}

/* ---- IPv6 ---- */

static void put_pktinfo6(struct sock *sk, struct msg *m, const struct ipaddr *dst, uint32_t ifindex)
{
	struct in6_pktinfo pi = { .ipi6_ifindex = ifindex };

	memcpy(&pi.ipi6_addr, dst->b, sizeof(pi.ipi6_addr));
	if (l4_bool6(sk, IPV6_RECVPKTINFO))
		cmsg_put(m, SOL_IPV6, IPV6_PKTINFO, &pi, sizeof(pi));
	if (l4_bool6(sk, OPT6_2292PKTINFO))
		cmsg_put(m, SOL_IPV6, OPT6_2292PKTINFO, &pi, sizeof(pi));
}

static void put_ip6(struct sock *sk, struct msg *m, const struct skb *skb, const struct ipaddr *dst)
{
	int hops = skb->ttl, tclass = skb->tos;
	uint32_t flowinfo_be = cpu_to_be32(get_be32(skb_network(skb)) & FLOWINFO_MASK);

	if (l4_bool6(sk, IPV6_RECVHOPLIMIT))
		cmsg_put(m, SOL_IPV6, IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (l4_bool6(sk, OPT6_2292HOPLIMIT))
		cmsg_put(m, SOL_IPV6, OPT6_2292HOPLIMIT, &hops, sizeof(hops));
	if (l4_bool6(sk, IPV6_RECVTCLASS))
		cmsg_put(m, SOL_IPV6, IPV6_TCLASS, &tclass, sizeof(tclass));
	if (l4_bool6(sk, OPT6_FLOWINFO) && flowinfo_be)
		cmsg_put(m, SOL_IPV6, OPT6_FLOWINFO, &flowinfo_be, sizeof(flowinfo_be));
	if (l4_bool6(sk, OPT6_ORIGDSTADDR))
		put_origdst(m, AF_INET6, SOL_IPV6, OPT6_ORIGDSTADDR, dst, skb);
}

void l4_put_cmsgs(struct sock *sk, struct msg *m, const struct skb *skb)
{
	struct ipaddr dst;

	if (((sk->flags & (SK_TIMESTAMP | SK_TIMESTAMPNS)) || sk->tsflags) && skb->tstamp_ns)
		put_time(sk, m, skb->tstamp_ns + clock_wall_ns(&sk->stack->pools->clock) - stack_now_ns(sk->stack));
	if (likely(!(sk->inet.bools4 | sk->inet.bools6[0] | sk->inet.bools6[1])))
		return;
	ip_skb_daddr(skb, &dst);
	if (sk->family == AF_INET6)
		put_pktinfo6(sk, m, &dst, skb->dev ? skb->dev->ifindex : 0);
	if (skb->protocol == ETH_TYPE_IPV4)
		put_ip4(sk, m, skb, &dst);
	else
		put_ip6(sk, m, skb, &dst);
}

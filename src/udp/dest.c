/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a datagram goes: name, options of socket and call, route (T68.4-7). */
/*
 * How it works
 *
 * The flow starts as the socket has it, the control messages of the call change it, then the route
 * is found. Only a call that brings neither name nor control data may use, and refresh, the cached
 * route of the socket. A group as destination brings its own device, source and TTL.
 *
 * An AF_INET6 socket may send to an IPv4 destination (v4-mapped or AF_INET): all is IPv4 then.
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>

#define NAME6_BYTES_MIN 24u /* sockaddr_in6 without scope (RFC 2133) */
#define FLOW_MTU_MIN 68u    /* RFC 791; T69.1 */
#define MC_TTL_DEFAULT 1
#define OPT6_DONTFRAG 62 /* bit of inet.bools6 */

/* ---- T68.4: the name ---- */

static int parse_v4(const struct sockaddr_storage *ss, socklen_t len, struct inet_addr *to)
{
	struct sockaddr_storage as_inet = *ss;

	if (len < sizeof(struct sockaddr_in))
		return -EINVAL;
	if (ss->ss_family != AF_INET && ss->ss_family != AF_UNSPEC)
		return -EAFNOSUPPORT;
	as_inet.ss_family = AF_INET;
	return ipaddr_from_sockaddr(&as_inet, len, &to->addr, &to->port, &to->scope_id);
}

/* *ret_is_none: AF_UNSPEC, as if no name had been given. */
static int parse_v6(const struct sock *sk, const struct sockaddr_storage *ss, socklen_t len,
		    struct inet_addr *to, bool *ret_is_none)
{
	int err;

	if (len < sizeof(sa_family_t))
		return -EINVAL;
	switch (ss->ss_family) {
	case AF_UNSPEC: *ret_is_none = true; return 0;
	case AF_INET: err = parse_v4(ss, len, to); break;
	case AF_INET6:
		if (len < NAME6_BYTES_MIN)
			return -EINVAL;
		err = ipaddr_from_sockaddr(ss, len, &to->addr, &to->port, &to->scope_id);
		break;
	default: return -EINVAL;
	}
	if (!err && ipaddr_is_v4(&to->addr) && (sk->flags & SK_V6ONLY))
		err = -ENETUNREACH;
	return err;
}

/* Fill in destination and port; is_connected when the peer serves. */
static int find_dest(const struct sock *sk, const struct msg *m, struct udp_flow *f)
{
	struct inet_addr to = {.port = 0};
	bool is_none = !m->has_name;
	int err = 0;

	if (m->has_name && sk->family == AF_INET)
		err = parse_v4(&m->name, m->namelen, &to);
	else if (m->has_name)
		err = parse_v6(sk, &m->name, m->namelen, &to, &is_none);
	if (err)
		return err;
	if (is_none) {
		if (sk->state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		f->daddr = sk->daddr;
		f->dport = sk->dport;
		f->is_connected = true;
		return 0;
	}
	if (!to.port)
		return -EINVAL;
	f->daddr = to.addr;
	f->dport = to.port;
	if (ipaddr_is_any(&f->daddr))
		f->daddr = ipaddr_is_v4(&to.addr) ? ipaddr_loopback_v4() : ipaddr_loopback_v6();
	if (to.scope_id && ipaddr_needs_scope(&f->daddr)) {
		if (f->oif && f->oif != to.scope_id)
			return -EINVAL;
		f->oif = to.scope_id;
	}
	return 0;
}

/* ---- what the socket says ---- */

static void take_socket_options(const struct sock *sk, struct udp_flow *f)
{
	const struct inet_opts *o = &sk->inet;

	if (udp_flow_is_v4(f)) {
		f->tos = o->tos;
		f->ttl = o->ttl;
		f->pmtudisc = o->pmtudisc;
		f->opt_len = o->opt_len;
		memcpy(f->opt, o->opt, sizeof(f->opt));
	} else {
		f->tos = o->tclass;
		f->ttl = o->hop_limit;
		f->pmtudisc = o->pmtudisc6;
		f->flowlabel = o->flowlabel;
		f->is_dontfrag = o->bools6[OPT6_DONTFRAG >> 6] >> (OPT6_DONTFRAG & 63) & 1;
	}
}

/* T68.6, T70.4 */
static void take_multicast_options(const struct sock *sk, struct udp_flow *f, bool has_ttl)
{
	const struct inet_opts *o = &sk->inet;
	bool is_v4 = udp_flow_is_v4(f);

	f->is_connected = false;
	if (!f->oif)
		f->oif = o->mc_ifindex;
	if (ipaddr_is_any(&f->saddr) && !ipaddr_is_any(&o->mc_saddr) &&
	    ipaddr_is_v4(&o->mc_saddr) == is_v4)
		f->saddr = o->mc_saddr;
	if (has_ttl)
		return;
	f->ttl = is_v4 ? o->mc_ttl : o->mc_hops;
	if (f->ttl < 0)
		f->ttl = MC_TTL_DEFAULT;
}

/* T91: what is asked for and, with OPT_ID, under which key. */
static void take_timestamping(struct sock *sk, const struct sockcm *ck, struct udp_flow *f)
{
	if (ck->tsflags & SOF_TIMESTAMPING_TX_SOFTWARE)
		f->tx_flags |= SKB_TX_SW_TSTAMP;
	if (ck->tsflags & SOF_TIMESTAMPING_TX_SCHED)
		f->tx_flags |= SKB_TX_SCHED_TSTAMP;
	if (!f->tx_flags || !(sk->tsflags & SOF_TIMESTAMPING_OPT_ID))
		return;
	f->ts_key = ck->seen & SOCK_CMSG_SEEN_TS_OPT_ID ? ck->ts_opt_id : sk->tskey++;
}

static int take_control(struct sock *sk, struct msg *m, struct udp_flow *f)
{
	struct udp_control c = {
		.flow = f,
		.ck = {.mark = sk->mark, .priority = sk->priority, .tsflags = sk->tsflags},
	};
	int err = m->controllen ? udp_control_read(sk, m, &c) : 0;

	if (err)
		return err;
	if (c.has_other)
		f->is_connected = false;
	f->mark = c.ck.mark;
	f->priority = c.ck.priority;
	f->txtime_ns = c.ck.seen & SOCK_CMSG_SEEN_TXTIME ? c.ck.txtime_ns : 0;
	if (ipaddr_is_multicast(&f->daddr))
		take_multicast_options(sk, f, c.has_ttl);
	else if (!f->oif)
		f->oif = sk->inet.uc_ifindex;
	take_timestamping(sk, &c.ck, f);
	return 0;
}

/* ---- T68.7: route ---- */

static int find_route(struct sock *sk, struct udp_flow *f)
{
	struct flow fl = {
		.saddr = f->saddr,
		.daddr = f->daddr,
		.sport = sk->sport,
		.dport = f->dport,
		.oif = f->oif,
		.mark = f->mark,
		.tos = f->tos,
		.proto = IPPROTO_UDP,
	};
	int err;

	if (f->is_connected && sock_dst(sk)) {
		f->dst = sk->dst;
		dst_get(f->dst);
		return 0;
	}
	if (ipaddr_needs_scope(&f->daddr) && !f->oif)
		return -EINVAL;
	err = ip_route_output(sk->stack, &fl, &f->dst);
	if (err)
		return err;
	f->saddr = fl.saddr;
	if (f->is_connected) {
		dst_get(f->dst);
		sock_set_dst(sk, f->dst);
	}
	return 0;
}

static int check_route(const struct sock *sk, const struct msg *m, const struct udp_flow *f)
{
	if (f->dst->type == DST_BROADCAST && !(sk->flags & SK_BROADCAST))
		return -EACCES;
	if (((m->flags & MSG_DONTROUTE) || (sk->flags & SK_DONTROUTE)) && f->dst->is_gatewayed)
		return -ENETUNREACH; /* not on the link */
	if (f->mtu < FLOW_MTU_MIN)
		return -ENETUNREACH;
	return 0;
}

int udp_flow_init(struct sock *sk, struct msg *m, struct udp_flow *f)
{
	int err;

	*f = (struct udp_flow){.saddr = sk->saddr, .oif = sk->bound_ifindex};
	err = find_dest(sk, m, f);
	if (err)
		return err;
	if (ipaddr_is_any(&f->saddr))
		f->saddr = udp_flow_is_v4(f) ? IPADDR_ANY_V4 : IPADDR_ANY_V6;
	else if (ipaddr_is_v4(&f->saddr) != udp_flow_is_v4(f))
		return -ENETUNREACH; /* bound to an address of the other family */
	take_socket_options(sk, f);
	err = take_control(sk, m, f);
	if (!err)
		err = find_route(sk, f);
	if (err)
		return err;
	f->mtu = f->pmtudisc < IP_PMTUDISC_PROBE ? dst_mtu(f->dst) : f->dst->dev->mtu;
	err = check_route(sk, m, f);
	if (err)
		udp_flow_done(f);
	return err;
}

void udp_flow_done(struct udp_flow *f)
{
	dst_put(f->dst);
	f->dst = NULL;
}

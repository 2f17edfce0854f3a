/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast memberships of sockets: joining, leaving, and whom a packet concerns (R59.5). */
/*
 * How it works: a small table per stack names socket, group and device. The device counts its members
 * (ip/): the table tells it once per socket. A socket with IP_MULTICAST_ALL takes every group that anybody
 * on this host joined, others only their own.
 *
 * Deliberately absent: source filters.
 * Locks: LOCK_PORTS guards the table and is not held while ip/ is called.
 */
#define _GNU_SOURCE
#include "l4/l4_int.h"

#include <errno.h>
#include <netinet/in.h>

#include "core/netdev.h"
#include "ip/ip.h"

static struct mc_member *find(struct l4_stack *l4, const struct sock *sk, const struct ipaddr *group, uint32_t ifindex)
{
	for (uint32_t i = 0; i < L4_MAX_MEMBERS; i++) {
		struct mc_member *m = &l4->members[i];

		if (m->sk == sk && ipaddr_eq(&m->group, group) && (!ifindex || m->ifindex == ifindex))
			return m;
	}
	return NULL;
}

static int enter(struct sock *sk, const struct ipaddr *group, uint32_t ifindex)
{
	struct l4_stack *l4 = sk->stack->l4;
	struct mc_member *unused = NULL;
	uint32_t num = 0;
	int err = 0;

	lock_take(&l4->ports_lock);
	for (uint32_t i = 0; i < L4_MAX_MEMBERS; i++) {
		num += l4->members[i].sk == sk;
		if (!l4->members[i].sk)
			unused = &l4->members[i];
	}
	if (find(l4, sk, group, ifindex))
		err = -EADDRINUSE;
	else if (!unused || num >= L4_SOCK_MEMBERS)
		err = -ENOBUFS;
	else
		*unused = (struct mc_member){ .sk = sk, .group = *group, .ifindex = ifindex };
	lock_drop(&l4->ports_lock);
	return err;
}

/* Return: ifindex it had, 0: there was none. */
static uint32_t forget(struct sock *sk, const struct ipaddr *group, uint32_t ifindex)
{
	struct l4_stack *l4 = sk->stack->l4;
	struct mc_member *m;
	uint32_t had = 0;

	lock_take(&l4->ports_lock);
	m = find(l4, sk, group, ifindex);
	if (m) {
		had = m->ifindex;
		m->sk = NULL;
	}
	lock_drop(&l4->ports_lock);
	return had;
}

static int join(struct sock *sk, const struct ipaddr *group, struct netdev *dev)
{
	int err = enter(sk, group, dev->ifindex);

	if (err)
		return err;
	err = ip_mc_join(dev, group);
	if (err)
		(void)forget(sk, group, dev->ifindex);
	return err;
}

static int leave(struct sock *sk, const struct ipaddr *group, uint32_t ifindex)
{
	uint32_t had = forget(sk, group, ifindex);
	struct netdev *dev = had ? netdev_by_index(sk->stack, had) : NULL;

	if (!had)
		return -EADDRNOTAVAIL;
	return dev ? ip_mc_leave(dev, group) : 0;
}

void l4_mc_leave_all(struct sock *sk)
{
	struct l4_stack *l4 = sk->stack->l4;

	for (uint32_t i = 0; i < L4_MAX_MEMBERS; i++) {
		struct mc_member m = { .sk = NULL };
		struct netdev *dev;

		lock_take(&l4->ports_lock);
		if (l4->members[i].sk == sk) {
			m = l4->members[i];
			l4->members[i].sk = NULL;
		}
		lock_drop(&l4->ports_lock);
		dev = m.sk ? netdev_by_index(sk->stack, m.ifindex) : NULL;
		if (dev)
			(void)ip_mc_leave(dev, &m.group);
	}
}

bool l4_mc_wants(const struct sock *sk, const struct l4_tuple *t)
{
	return sk->inet.mc_all || !ipaddr_is_multicast(&t->saddr) || find(sk->stack->l4, sk, &t->saddr, t->ifindex);
}

/* ---- which device ---- */

static struct netdev *dev_of_addr(struct stack *st, const struct ipaddr *a)
{
	struct ip_addr_info info;

	for (uint32_t i = 0; !ip_addr_at(st, i, &info); i++)
		if (ipaddr_eq(&info.addr, a))
			return netdev_by_index(st, info.ifindex);
	return NULL;
}

/* Where packets to the group would leave. */
static struct netdev *dev_by_route(struct stack *st, const struct ipaddr *group)
{
	struct flow fl = { .saddr = ipaddr_is_v4(group) ? ipaddr_any_v4() : ipaddr_any_v6(), .daddr = *group };
	struct netdev *dev = NULL;
	struct dst *d;

	if (!ip_route_output(st, &fl, &d)) {
		dev = d->dev;
		dst_put(d);
	}
	return dev;
}

/* ---- options ---- */

static int change(struct sock *sk, bool is_join, const struct ipaddr *group, struct netdev *dev)
{
	if (is_join)
		return dev ? join(sk, group, dev) : -ENODEV;
	return leave(sk, group, dev ? dev->ifindex : 0);
}

int l4_mc4_membership(struct sock *sk, bool is_join, const void *val, socklen_t len)
{
	struct ip_mreqn r = { .imr_ifindex = 0 };
	struct ipaddr group, addr;
	struct netdev *dev;

	if (sk->type == SOCK_STREAM)
		return -EPROTO;
	if (len < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&r, val, len < sizeof(r) ? sizeof(struct ip_mreq) : sizeof(r));
	group = ipaddr_from_v4(r.imr_multiaddr.s_addr);
	addr = ipaddr_from_v4(r.imr_address.s_addr);
	if (is_join && !ipaddr_is_multicast(&group))
		return -EINVAL;
	if (r.imr_ifindex)
		dev = netdev_by_index(sk->stack, (uint32_t)r.imr_ifindex);
	else
		dev = addr.w[3] ? dev_of_addr(sk->stack, &addr) : dev_by_route(sk->stack, &group);
	if (!is_join && !dev && !r.imr_ifindex && !addr.w[3] && group.w[3])
		return -ENODEV; /* nothing tells where */
	return change(sk, is_join, &group, dev);
}

int l4_mc6_membership(struct sock *sk, bool is_join, const void *val, socklen_t len)
{
	struct ipv6_mreq r;
	struct ipaddr group;
	struct netdev *dev = NULL;

	if (len < sizeof(r))
		return -EINVAL;
	if (sk->type == SOCK_STREAM)
		return -EPROTO;
	memcpy(&r, val, sizeof(r));
	group = ipaddr_from_v6(&r.ipv6mr_multiaddr);
	if (is_join && (ipaddr_is_v4(&group) || !ipaddr_is_multicast(&group)))
		return -EINVAL;
	if (r.ipv6mr_interface)
		dev = netdev_by_index(sk->stack, r.ipv6mr_interface);
	else if (is_join)
		dev = dev_by_route(sk->stack, &group);
	if (r.ipv6mr_interface && !dev)
		return -ENODEV;
	return change(sk, is_join, &group, dev);
}

int l4_mc_group_req(struct sock *sk, int family, bool is_join, const void *val, socklen_t len)
{
	struct group_req r;
	struct ipaddr group;
	struct netdev *dev;
	uint16_t port;

	if (len < sizeof(r))
		return -EINVAL;
	if (sk->type == SOCK_STREAM)
		return -EPROTO;
	memcpy(&r, val, sizeof(r));
	if (r.gr_group.ss_family != family || ipaddr_from_sockaddr(&r.gr_group, sizeof(r.gr_group), &group, &port, NULL) ||
	    (is_join && !ipaddr_is_multicast(&group)))
		return -EINVAL;
	dev = r.gr_interface ? netdev_by_index(sk->stack, r.gr_interface) : dev_by_route(sk->stack, &group);
	if (r.gr_interface && !dev)
		return -ENODEV;
	return change(sk, is_join, &group, dev);
}

/* An address, an ip_mreq or an ip_mreqn; all zero: none. */
int l4_mc4_set_if(struct sock *sk, const void *val, socklen_t len)
{
	struct ip_mreqn r = { .imr_ifindex = 0 };
	struct ipaddr addr;
	struct netdev *dev;

	if (sk->type == SOCK_STREAM || len < sizeof(r.imr_address))
		return -EINVAL;
	if (len >= sizeof(struct ip_mreq))
		memcpy(&r, val, len < sizeof(r) ? sizeof(struct ip_mreq) : sizeof(r));
	else
		memcpy(&r.imr_address, val, sizeof(r.imr_address));
	addr = ipaddr_from_v4(r.imr_address.s_addr);
	if (!r.imr_ifindex && !addr.w[3]) {
		sk->inet.mc_ifindex = 0;
		sk->inet.mc_saddr = ipaddr_any_v4();
		return 0;
	}
	dev = r.imr_ifindex ? netdev_by_index(sk->stack, (uint32_t)r.imr_ifindex) : dev_of_addr(sk->stack, &addr);
	if (!dev)
		return -EADDRNOTAVAIL;
	if (sk->bound_ifindex && sk->bound_ifindex != dev->ifindex)
		return -EINVAL;
	sk->inet.mc_ifindex = dev->ifindex;
	sk->inet.mc_saddr = addr;
	return 0;
}

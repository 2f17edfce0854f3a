/* SPDX-License-Identifier: BSD-2-Clause */
/* Output routes: from a flow to device, next hop and source address. */
/*
 * How it works
 *
 * ip_route_output() looks into the route cache first. A miss classifies the destination (ours,
 * broadcast, multicast, subnet broadcast, anything else by the routing table) and makes a struct dst.
 * What is ours goes to the loopback device whatever the address. The cached entry depends on
 * destination and required device only; a source the caller insists on must be ours, and does not
 * change the way.
 *
 * Sockets keep the dst and ask again only when dst_is_valid() says no (ip_sk_route).
 */
#include "ip/ip_int.h"

#include <errno.h>
#include <netinet/in.h>

#define ADVMSS_MAX_V4 (65535u - 40u) /* an IPv4 packet has at most 65535 bytes */
#define ADVMSS_MAX_V6 (65535u - 20u)

/* What a lookup found, before it becomes a struct dst. */
struct way {
	struct netdev *dev;
	struct ipaddr gateway, saddr;
	const struct dst_metrics *metrics;
	enum dst_type type;
	bool has_gateway;
};

static struct netdev *find_loopback(struct stack *st)
{
	for (uint32_t i = 0; i < STACK_MAX_DEVS; i++) {
		struct netdev *dev = st->devs[i];

		if (dev && (dev->flags & NETDEV_LOOPBACK) && ip_dev_is_up(dev))
			return dev;
	}
	return NULL;
}

/* Device for destinations that name no link: the required one, the default route's, the first. */
static struct netdev *pick_link(struct stack *st, const struct ipaddr *daddr, uint32_t oif,
				uint64_t now_ns)
{
	struct netdev *dev = oif ? netdev_by_index(st, oif) : NULL;
	struct route *r;

	if (oif)
		return dev && ip_dev_is_up(dev) ? dev : NULL;
	r = fib_lookup(st->ip, daddr, 0, now_ns);
	if (r)
		return r->dev;
	for (uint32_t i = 0; i < STACK_MAX_DEVS; i++) {
		dev = st->devs[i];
		if (dev && !(dev->flags & NETDEV_LOOPBACK) && ip_dev_is_up(dev))
			return dev;
	}
	return NULL;
}

static int way_local(struct stack *st, const struct ipaddr *daddr, struct way *w)
{
	w->dev = find_loopback(st);
	if (!w->dev)
		return -ENETUNREACH;
	w->type = DST_LOCAL;
	/* every 127.x.y.z is reached from 127.0.0.1 */
	w->saddr = ipaddr_is_v4(daddr) && ipaddr_is_loopback(daddr) ? ipaddr_loopback_v4() : *daddr;
	return 0;
}

static int way_by_table(struct stack *st, const struct ipaddr *daddr, uint32_t oif, uint64_t now_ns,
			struct way *w)
{
	struct route *r = fib_lookup(st->ip, daddr, oif, now_ns);

	if (r) {
		w->dev = r->dev;
		w->has_gateway = r->has_gateway;
		if (r->has_gateway)
			w->gateway = r->gateway;
		w->metrics = &r->metrics;
		return 0;
	}
	/* an IPv4 socket bound to a device takes everything as on link there */
	if (!oif || !ipaddr_is_v4(daddr))
		return -ENETUNREACH;
	w->dev = netdev_by_index(st, oif);
	return w->dev && ip_dev_is_up(w->dev) ? 0 : -ENETUNREACH;
}

/* LOCK_IP held. */
static int find_way(struct stack *st, const struct ipaddr *daddr, uint32_t oif, uint64_t now_ns,
		    struct way *w)
{
	struct netdev *bdev;
	int err = 0;

	*w = (struct way){.gateway = *daddr, .type = DST_UNICAST};
	if (ip_addr_is_ours(st->ip, daddr))
		return way_local(st, daddr, w);
	bdev = ip_addr_broadcast_dev(st->ip, daddr);
	if (ipaddr_is_v4_broadcast(daddr) || bdev) {
		w->type = DST_BROADCAST;
		w->dev = bdev ? bdev : pick_link(st, daddr, oif, now_ns);
	} else if (ipaddr_is_multicast(daddr)) {
		w->type = DST_MULTICAST;
		w->dev = pick_link(st, daddr, oif, now_ns);
	} else if (ipaddr_needs_scope(daddr)) {
		w->dev = pick_link(st, daddr, oif, now_ns);
	} else {
		err = way_by_table(st, daddr, oif, now_ns, w);
	}
	if (err || !w->dev)
		return err ? err : -ENETUNREACH;
	w->saddr = ip_addr_source(st, w->dev, daddr, &w->gateway, now_ns);
	return 0;
}

/* A struct dst with one reference for the caller and one for the cache. LOCK_IP held. */
static struct dst *make_dst(struct stack *st, const struct ipaddr *daddr, uint32_t oif,
			    const struct way *w)
{
	struct dst *d = pool_zalloc(&st->pools->dst, POOL_NORMAL);

	if (!d)
		return NULL;
	atomic_store(&d->refs, 1);
	d->obj.owner_proc = 0;
	d->stack = st;
	d->dev = w->dev;
	d->gateway = w->gateway;
	d->daddr = *daddr;
	d->saddr = w->saddr;
	d->type = w->type;
	d->is_gatewayed = w->has_gateway;
	if (w->metrics)
		d->metrics = *w->metrics;
	if (!ipaddr_is_v4(daddr) && w->type != DST_LOCAL) {
		const struct ip_dev *id = ip_dev_of(w->dev);

		if (!d->metrics.mtu)
			d->metrics.mtu = id->mtu6;
		if (!d->metrics.hoplimit)
			d->metrics.hoplimit = id->hop_limit6;
	}
	dst_cache_add(st, d, oif);
	return d;
}

/* Referenced route to *@daddr, from @saddr if that is not any. Takes LOCK_IP. */
static int route_to(struct stack *st, const struct ipaddr *daddr, const struct ipaddr *saddr,
		    uint32_t oif, struct dst **ret)
{
	struct ip_stack *ip = st->ip;
	struct dst *d;
	int err = 0;

	lock_take(&ip->lock);
	d = dst_cache_find(st, daddr, oif);
	if (!ipaddr_is_any(saddr) && !ip_addr_is_ours(ip, saddr)) {
		err = -EINVAL;
	} else if (d) {
		dst_get(d);
	} else {
		struct way w;

		err = find_way(st, daddr, oif, stack_now_ns(st), &w);
		if (!err) {
			d = make_dst(st, daddr, oif, &w);
			err = d ? 0 : -ENOBUFS;
		}
	}
	lock_drop(&ip->lock);
	if (!err)
		*ret = d;
	return err;
}

int ip_route_output(struct stack *st, struct flow *fl, struct dst **ret)
{
	struct ipaddr daddr = fl->daddr;
	bool is_v4 = ipaddr_is_v4(&daddr);
	struct dst *d = NULL;
	int err;

	if (ipaddr_is_any(&daddr))
		daddr = is_v4 ? ipaddr_loopback_v4() : ipaddr_loopback_v6();
	if (!ipaddr_is_any(&fl->saddr) && ipaddr_is_v4(&fl->saddr) != is_v4)
		return -EINVAL;
	err = route_to(st, &daddr, &fl->saddr, fl->oif, &d);
	if (err == -ENOBUFS) {
		dst_cache_shrink(st, true, stack_now_ns(st));
		err = route_to(st, &daddr, &fl->saddr, fl->oif, &d);
	}
	if (err) {
		if (err == -ENETUNREACH)
			mib_inc(st, is_v4 ? IpOutNoRoutes : Ip6OutNoRoutes);
		return err;
	}
	if (ipaddr_is_any(&fl->saddr))
		fl->saddr = d->saddr;
	*ret = d;
	return 0;
}

struct dst *ip_sk_route(struct sock *sk, int *ret_err)
{
	struct dst *d = sock_dst(sk);
	struct flow fl;
	int err;

	if (likely(d))
		return d;
	fl = (struct flow){
		.saddr = sk->saddr,
		.daddr = sk->daddr,
		.sport = sk->sport,
		.dport = sk->dport,
		.oif = sk->bound_ifindex,
		.mark = sk->mark,
		.tos = sk->inet.tos,
		.proto = sk->proto == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP,
	};
	err = ip_route_output(sk->stack, &fl, &d);
	if (err) {
		*ret_err = err;
		return NULL;
	}
	sock_set_dst(sk, d);
	return d;
}

struct dst *ip_dst_for(struct stack *st, const struct ipaddr *daddr, const struct ipaddr *saddr)
{
	struct flow fl = {.saddr = *saddr, .daddr = *daddr};
	struct dst *d;

	if (ip_route_output(st, &fl, &d))
		return NULL;
	return d;
}

uint32_t ip_dst_advmss(struct stack *st, const struct dst *d, bool is_v4)
{
	uint32_t hdrs = is_v4 ? 40 : 60, mtu, mss;

	mss = d->metrics.advmss;
	if (!mss) {
		mtu = d->metrics.mtu ? d->metrics.mtu : d->dev->mtu;
		mss = mtu > hdrs ? mtu - hdrs : 0;
		mss = max_u32(mss, (uint32_t)st->sysctl.min_adv_mss);
	}
	return min_u32(mss, is_v4 ? ADVMSS_MAX_V4 : ADVMSS_MAX_V6);
}

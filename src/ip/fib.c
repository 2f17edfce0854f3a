/* SPDX-License-Identifier: BSD-2-Clause */
/* The routing table: prefixes, most specific first. */
/*
 * How it works
 *
 * One array per stack, sorted by descending prefix length, then by metric, then by age, so the first
 * match of a scan is the answer. It is bounded (IP_MAX_ROUTES) and scanned only when the route cache
 * does not know a destination. IPv4 prefixes are mapped ones and can never match IPv6 addresses,
 * except that a prefix shorter than 96 bits is compared within IPv6 only. LOCK_IP guards everything.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define ROUTE_METRIC_RA 1024u /* routes of router advertisements, as `ip -6 route` shows */

static bool prefix_eq(const struct route *r, const struct ipaddr *prefix, uint8_t plen128)
{
	return r->plen128 == plen128 && ipaddr_eq(&r->prefix, prefix);
}

struct route *fib_lookup(struct ip_stack *ip, const struct ipaddr *a, uint32_t oif, uint64_t now_ns)
{
	bool is_v4 = ipaddr_is_v4(a);

	for (uint32_t i = 0; i < ip->num_routes; i++) {
		struct route *r = &ip->routes[i];

		if (ipaddr_is_v4(&r->prefix) != is_v4 || (oif && r->dev->ifindex != oif))
			continue;
		if (!ipaddr_prefix_match(a, &r->prefix, r->plen128))
			continue;
		if (r->expires_ns > now_ns && ip_dev_is_up(r->dev))
			return r;
	}
	return NULL;
}

/* IPv4 knows one route per prefix that was asked for; IPv6 one per prefix, device and gateway. */
static bool is_same_route(const struct route *a, const struct route *b)
{
	if (!prefix_eq(a, &b->prefix, b->plen128))
		return false;
	if (ipaddr_is_v4(&a->prefix) && !(a->is_auto && b->is_auto))
		return true;
	return a->dev == b->dev && a->has_gateway == b->has_gateway &&
	       (!a->has_gateway || ipaddr_eq(&a->gateway, &b->gateway));
}

int fib_insert(struct ip_stack *ip, const struct route *r)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < ip->num_routes; i++) {
		if (is_same_route(&ip->routes[i], r))
			return -EEXIST;
	}
	if (ip->num_routes == IP_MAX_ROUTES)
		return -ENOSPC;
	while (at < ip->num_routes &&
	       (ip->routes[at].plen128 > r->plen128 ||
		(ip->routes[at].plen128 == r->plen128 && ip->routes[at].metric <= r->metric)))
		at++;
	memmove(&ip->routes[at + 1], &ip->routes[at], (ip->num_routes - at) * sizeof(*r));
	ip->routes[at] = *r;
	ip->num_routes++;
	dst_cache_flush(ip);
	return 0;
}

static void remove_at(struct ip_stack *ip, uint32_t i)
{
	ip->num_routes--;
	memmove(&ip->routes[i], &ip->routes[i + 1], (ip->num_routes - i) * sizeof(ip->routes[0]));
	dst_cache_flush(ip);
}

int fib_remove(struct ip_stack *ip, const struct ipaddr *prefix, uint8_t plen128,
	       const struct netdev *dev, bool is_auto)
{
	for (uint32_t i = 0; i < ip->num_routes; i++) {
		struct route *r = &ip->routes[i];

		if (prefix_eq(r, prefix, plen128) && (!dev || r->dev == dev) &&
		    r->is_auto == is_auto) {
			remove_at(ip, i);
			return 0;
		}
	}
	return -ESRCH;
}

/* No device was named: the one on whose link the gateway is. LOCK_IP held. */
static int find_dev(struct ip_stack *ip, struct route *r)
{
	const struct route *via;

	if (!r->has_gateway)
		return -ENODEV;
	if (ipaddr_is_linklocal(&r->gateway))
		return -EINVAL; /* on every link */
	via = fib_lookup(ip, &r->gateway, 0, 0);
	if (!via)
		return -ENETUNREACH;
	r->dev = via->dev;
	return 0;
}

/* A gateway must be a neighbour: on a link of ours, and not ourselves. LOCK_IP held. */
static int check_gateway(struct stack *st, const struct route *r)
{
	struct route *via;

	if (ip_addr_is_ours(st->ip, &r->gateway) || ipaddr_is_multicast(&r->gateway) ||
	    ipaddr_is_v4(&r->gateway) != ipaddr_is_v4(&r->prefix))
		return -EINVAL;
	if (!ipaddr_is_v4(&r->gateway) && ipaddr_is_linklocal(&r->gateway))
		return 0;
	/* a device without neighbours delivers whatever the gateway is called */
	if (!ip_dev_has_neighs(r->dev))
		return 0;
	via = fib_lookup(st->ip, &r->gateway, r->dev->ifindex, 0);
	if (via)
		return via->has_gateway ? -ENETUNREACH : 0;
	/* the device may still be down: its prefixes count nevertheless */
	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		const struct ifaddr *ia = &st->ip->addrs[i];

		if (ia->dev == r->dev && ipaddr_is_v4(&ia->addr) == ipaddr_is_v4(&r->gateway) &&
		    ipaddr_prefix_match(&ia->addr, &r->gateway, ia->plen128))
			return 0;
	}
	return -ENETUNREACH;
}

int ip_route_add(struct stack *st, const struct ipaddr *dst, uint8_t plen128,
		 const struct ipaddr *gateway, struct netdev *dev, const struct dst_metrics *metrics)
{
	struct ip_stack *ip = st->ip;
	struct route r = {
		.plen128 = plen128,
		.dev = dev,
		.expires_ns = UINT64_MAX,
		.metric = ipaddr_is_v4(dst) ? 0 : ROUTE_METRIC_RA,
	};
	int err = 0;

	if (plen128 > 128 || (ipaddr_is_v4(dst) && plen128 < IPADDR_V4_PLEN_BASE))
		return -EINVAL;
	r.prefix = ipaddr_mask(dst, plen128);
	if (metrics)
		r.metrics = *metrics;
	if (gateway) {
		r.gateway = *gateway;
		r.has_gateway = true;
	}
	lock_take(&ip->lock);
	if (!dev)
		err = find_dev(ip, &r);
	if (!err && gateway)
		err = check_gateway(st, &r);
	if (!err)
		err = fib_insert(ip, &r);
	lock_drop(&ip->lock);
	return err;
}

int ip_route_del(struct stack *st, const struct ipaddr *dst, uint8_t plen128)
{
	struct ip_stack *ip = st->ip;
	struct ipaddr prefix = ipaddr_mask(dst, plen128);
	int err;

	lock_take(&ip->lock);
	err = fib_remove(ip, &prefix, plen128, NULL, false);
	if (err)
		err = fib_remove(ip, &prefix, plen128, NULL, true);
	lock_drop(&ip->lock);
	return err;
}

void fib_set_ra(struct netdev *dev, const struct ipaddr *prefix, uint8_t plen128,
		const struct ipaddr *gateway, uint64_t expires_ns)
{
	struct ip_stack *ip = dev->stack->ip;
	struct route r = {
		.prefix = ipaddr_mask(prefix, plen128),
		.plen128 = plen128,
		.dev = dev,
		.metric = ROUTE_METRIC_RA,
		.expires_ns = expires_ns,
		.has_gateway = gateway != NULL,
		.is_from_ra = true,
	};

	if (gateway)
		r.gateway = *gateway;
	lock_take(&ip->lock);
	for (uint32_t i = 0; i < ip->num_routes; i++) {
		if (!is_same_route(&ip->routes[i], &r))
			continue;
		if (ip->routes[i].is_from_ra && expires_ns)
			ip->routes[i].expires_ns = expires_ns;
		else if (ip->routes[i].is_from_ra)
			remove_at(ip, i);
		lock_drop(&ip->lock);
		return;
	}
	/* a full table: the advertisement is not used, the next one tries again */
	if (expires_ns && fib_insert(ip, &r))
		mib_inc(dev->stack, NaruNoMemDrops);
	ip_gc_arm(dev->stack);
	lock_drop(&ip->lock);
}

void fib_expire(struct stack *st, uint64_t now_ns)
{
	struct ip_stack *ip = st->ip;

	lock_take(&ip->lock);
	for (uint32_t i = ip->num_routes; i-- > 0;) {
		if (ip->routes[i].expires_ns <= now_ns)
			remove_at(ip, i);
	}
	lock_drop(&ip->lock);
}

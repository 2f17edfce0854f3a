/* SPDX-License-Identifier: BSD-2-Clause */
/* Local addresses: table, scopes, source choice, lookups for bind() and for received packets. */
/*
 * How it works
 *
 * A stack has at most IP_MAX_ADDRS addresses in one flat table; it is scanned only when something is
 * not remembered: received packets remember the last local destination (rx_last, guarded by
 * addr_gen), sent ones their route. An address brings the on-link route of its prefix. 127/8 and ::1
 * are ours whether or not the loopback device lists them.
 *
 * Every change flushes the route cache and bumps addr_gen. LOCK_IP guards the table; messages (DAD,
 * membership reports) leave after it was dropped. Life of an address (DAD, lifetimes): addr_dad.c.
 *
 * RFC 6724 (source choice: rules 1, 2, 3, 5, 6, 8), RFC 4862.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define SCOPE_LINK 2 /* RFC 4007 numbers */
#define SCOPE_SITE 5
#define SCOPE_GLOBAL 14

/* Policy table of RFC 6724 section 2.1: labels only. */
struct label_row {
	uint8_t prefix[6];
	uint8_t plen;
	uint8_t label;
};
static const struct label_row label_tab[] = {
	{{0x20, 0x02}, 16, 2},             /* 6to4 */
	{{0x20, 0x01, 0x00, 0x00}, 32, 5}, /* Teredo */
	{{0xfc}, 7, 13},                   /* unique local */
	{{0xfe, 0xc0}, 10, 11},            /* site local */
	{{0x3f, 0xfe}, 16, 12},            /* 6bone */
};
#define LABEL_LOOPBACK 0
#define LABEL_DEFAULT 1

static uint8_t label_of(const struct ipaddr *a)
{
	if (ipaddr_is_loopback(a))
		return LABEL_LOOPBACK;
	for (size_t i = 0; i < ARRAY_SIZE(label_tab); i++) {
		struct ipaddr p = IPADDR_ANY_V6;

		memcpy(p.b, label_tab[i].prefix, sizeof(label_tab[i].prefix));
		if (ipaddr_prefix_match(a, &p, label_tab[i].plen))
			return label_tab[i].label;
	}
	return LABEL_DEFAULT;
}

static uint8_t scope_of(const struct ipaddr *a)
{
	if (ipaddr_is_multicast(a))
		return a->b[1] & 15;
	if (ipaddr_is_linklocal(a) || ipaddr_is_loopback(a))
		return SCOPE_LINK;
	if (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0)
		return SCOPE_SITE;
	return SCOPE_GLOBAL;
}

static unsigned int common_prefix(const struct ipaddr *a, const struct ipaddr *b, unsigned int max)
{
	for (unsigned int i = 0; i < max; i++) {
		if ((a->b[i / 8] ^ b->b[i / 8]) & (0x80u >> (i % 8)))
			return i;
	}
	return max;
}

static bool is_usable(const struct ifaddr *ia)
{
	return ia->dev && !ia->is_tentative && !ia->is_dad_failed;
}

struct ifaddr *ip_addr_find(struct ip_stack *ip, const struct ipaddr *a, const struct netdev *dev)
{
	for (uint32_t i = 0; i < ip->num_addr_slots; i++) {
		struct ifaddr *ia = &ip->addrs[i];

		if (ia->dev && (!dev || ia->dev == dev) && ipaddr_eq(&ia->addr, a))
			return ia;
	}
	return NULL;
}

bool ip_addr_is_ours(struct ip_stack *ip, const struct ipaddr *a)
{
	struct ifaddr *ia;

	if (ipaddr_is_loopback(a))
		return true;
	ia = ip_addr_find(ip, a, NULL);
	return ia && is_usable(ia);
}

bool ip_addr_rx_is_ours(struct stack *st, const struct ipaddr *a)
{
	struct ip_stack *ip = st->ip;
	uint32_t gen = atomic_load_explicit(&ip->addr_gen, memory_order_acquire);
	bool is_ours;

	if (likely(ip->rx_last.gen == gen && ipaddr_eq(&ip->rx_last.addr, a)))
		return true;
	lock_take(&ip->lock);
	is_ours = ip_addr_is_ours(ip, a);
	lock_drop(&ip->lock);
	if (is_ours) {
		ip->rx_last.addr = *a;
		ip->rx_last.gen = gen;
	}
	return is_ours;
}

bool ip_addr_rx_is_spoofed(struct stack *st, const struct ipaddr *src)
{
	struct ip_stack *ip = st->ip;
	uint32_t gen = atomic_load_explicit(&ip->addr_gen, memory_order_acquire);
	bool is_ours;

	if (likely(ip->rx_last_from.gen == gen && ipaddr_eq(&ip->rx_last_from.addr, src)))
		return false;
	lock_take(&ip->lock);
	is_ours = ip_addr_find(ip, src, NULL) != NULL;
	lock_drop(&ip->lock);
	if (!is_ours) {
		ip->rx_last_from.addr = *src;
		ip->rx_last_from.gen = gen;
	}
	return is_ours;
}

bool ip_addr_is_local(struct stack *st, const struct ipaddr *a, bool *ret_tentative)
{
	struct ip_stack *ip = st->ip;
	struct ifaddr *ia;
	bool is_ours;

	*ret_tentative = false;
	if (ipaddr_is_loopback(a))
		return true;
	lock_take(&ip->lock);
	ia = ip_addr_find(ip, a, NULL);
	is_ours = ia && !ia->is_dad_failed;
	if (is_ours)
		*ret_tentative = ia->is_tentative;
	lock_drop(&ip->lock);
	return is_ours;
}

bool ip_addr_is_on_dev(struct netdev *dev, const struct ipaddr *a)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ifaddr *ia;
	bool is_ours;

	lock_take(&ip->lock);
	ia = ip_addr_find(ip, a, dev);
	is_ours = ia && is_usable(ia);
	lock_drop(&ip->lock);
	return is_ours;
}

bool ip_addr_same_subnet(struct netdev *dev, const struct ipaddr *a)
{
	struct ip_stack *ip = dev->stack->ip;
	bool is_near = false;

	lock_take(&ip->lock);
	for (uint32_t i = 0; i < ip->num_addr_slots && !is_near; i++) {
		struct ifaddr *ia = &ip->addrs[i];

		is_near = ia->dev == dev && ipaddr_is_v4(&ia->addr) == ipaddr_is_v4(a) &&
			  ipaddr_prefix_match(&ia->addr, a, ia->plen128);
	}
	lock_drop(&ip->lock);
	return is_near;
}

/* All host bits set, in a subnet of at least four addresses (RFC 3021 excludes /31). */
static bool is_directed_broadcast(const struct ifaddr *ia, const struct ipaddr *a)
{
	uint32_t host;

	if (!ipaddr_is_v4(&ia->addr) || ia->plen128 <= IPADDR_V4_PLEN_BASE ||
	    ia->plen128 > IPADDR_V4_PLEN_BASE + 30 || (ia->dev->flags & NETDEV_LOOPBACK))
		return false;
	host = 0xffffffffu >> (ia->plen128 - IPADDR_V4_PLEN_BASE);
	return be32_to_cpu(a->w[3]) == (be32_to_cpu(ia->addr.w[3]) | host);
}

struct netdev *ip_addr_broadcast_dev(struct ip_stack *ip, const struct ipaddr *a)
{
	if (!ipaddr_is_v4(a))
		return NULL;
	for (uint32_t i = 0; i < ip->num_addr_slots; i++) {
		struct ifaddr *ia = &ip->addrs[i];

		if (ia->dev && is_directed_broadcast(ia, a))
			return ia->dev;
	}
	return NULL;
}

enum dst_type ip_addr_type(struct stack *st, const struct ipaddr *a)
{
	struct ip_stack *ip = st->ip;
	enum dst_type t = DST_UNICAST;

	if (ipaddr_is_multicast(a))
		return DST_MULTICAST;
	if (ipaddr_is_v4_broadcast(a))
		return DST_BROADCAST;
	lock_take(&ip->lock);
	if (ip_addr_is_ours(ip, a))
		t = DST_LOCAL;
	else if (ip_addr_broadcast_dev(ip, a))
		t = DST_BROADCAST;
	lock_drop(&ip->lock);
	return t;
}

int ip_addr_at(struct stack *st, uint32_t idx, struct ip_addr_info *ret)
{
	struct ip_stack *ip = st->ip;
	int err = -ENOENT;

	lock_take(&ip->lock);
	for (uint32_t i = 0; i < ip->num_addr_slots; i++) {
		struct ifaddr *ia = &ip->addrs[i];

		if (!ia->dev || ia->is_dad_failed || idx--)
			continue;
		ret->addr = ia->addr;
		ret->plen128 = ia->plen128;
		ret->ifindex = ia->dev->ifindex;
		err = 0;
		break;
	}
	lock_drop(&ip->lock);
	return err;
}

/* ---- source choice ---- */

static struct ipaddr source_v4(struct ip_stack *ip, struct netdev *dev, const struct ipaddr *nexthop)
{
	const struct ifaddr *on_dev = NULL, *elsewhere = NULL;

	for (uint32_t i = 0; i < ip->num_addr_slots; i++) {
		const struct ifaddr *ia = &ip->addrs[i];

		if (!is_usable(ia) || !ipaddr_is_v4(&ia->addr))
			continue;
		if (ia->dev != dev) {
			if (!elsewhere && !(ia->dev->flags & NETDEV_LOOPBACK))
				elsewhere = ia;
			continue;
		}
		if (ipaddr_prefix_match(&ia->addr, nexthop, ia->plen128))
			return ia->addr;
		if (!on_dev)
			on_dev = ia;
	}
	if (!on_dev)
		on_dev = elsewhere;
	return on_dev ? on_dev->addr : IPADDR_ANY_V4;
}

struct source_rank {
	const struct ipaddr *to;
	const struct netdev *dev;
	uint64_t now_ns;
	uint8_t scope, label;
};

/* RFC 6724 section 5: is @a a better source than @b. */
static bool is_better_source(const struct source_rank *r, const struct ifaddr *a,
			     const struct ifaddr *b)
{
	uint8_t sa = scope_of(&a->addr), sb = scope_of(&b->addr);
	bool da = a->preferred_until_ns <= r->now_ns, db = b->preferred_until_ns <= r->now_ns;
	bool la = label_of(&a->addr) == r->label, lb = label_of(&b->addr) == r->label;

	if (ipaddr_eq(&a->addr, r->to) || ipaddr_eq(&b->addr, r->to))
		return ipaddr_eq(&a->addr, r->to); /* rule 1 */
	if (sa != sb)                              /* rule 2 */
		return sa < sb ? sa >= r->scope : sb < r->scope;
	if (da != db) /* rule 3 */
		return !da;
	if ((a->dev == r->dev) != (b->dev == r->dev)) /* rule 5 */
		return a->dev == r->dev;
	if (la != lb) /* rule 6 */
		return la;
	return common_prefix(&a->addr, r->to, a->plen128) >
	       common_prefix(&b->addr, r->to, b->plen128); /* rule 8 */
}

static struct ipaddr source_v6(struct ip_stack *ip, const struct source_rank *r)
{
	const struct ifaddr *best = NULL;
	bool is_link_scope = r->scope <= SCOPE_LINK;

	for (uint32_t i = 0; i < ip->num_addr_slots; i++) {
		const struct ifaddr *ia = &ip->addrs[i];

		if (!is_usable(ia) || ipaddr_is_v4(&ia->addr))
			continue;
		/* link-local addresses and destinations mean nothing on another link */
		if (ia->dev != r->dev && (is_link_scope || ipaddr_is_linklocal(&ia->addr)))
			continue;
		if (ipaddr_is_loopback(&ia->addr) && !(r->dev->flags & NETDEV_LOOPBACK))
			continue;
		if (!best || is_better_source(r, ia, best))
			best = ia;
	}
	return best ? best->addr : IPADDR_ANY_V6;
}

struct ipaddr ip_addr_source(struct stack *st, struct netdev *dev, const struct ipaddr *to,
			     const struct ipaddr *nexthop, uint64_t now_ns)
{
	struct source_rank r = {.to = to, .dev = dev, .now_ns = now_ns};

	if (ipaddr_is_v4(to))
		return source_v4(st->ip, dev, nexthop);
	r.scope = scope_of(to);
	r.label = label_of(to);
	return source_v6(st->ip, &r);
}

struct ipaddr ip_addr_source_any(struct netdev *dev, const struct ipaddr *to)
{
	struct stack *st = dev->stack;
	struct ipaddr a;

	lock_take(&st->ip->lock);
	a = ip_addr_source(st, dev, to, to, stack_now_ns(st));
	lock_drop(&st->ip->lock);
	return a;
}

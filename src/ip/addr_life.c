/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a local address: adding, duplicate address detection, lifetimes, removal. */
/*
 * How it works
 *
 * An IPv6 address on a link with neighbours starts tentative: the solicited-node group is joined, a
 * neighbour solicitation from :: with a nonce goes out, and when nobody answered for retrans_time the
 * address becomes usable (dad_transmits 0 or @no_dad: at once). A conflict turns it into a dead entry
 * that keeps its slot, so that it is not tried again. When the link-local address becomes usable the
 * search for routers begins.
 *
 * A dad timer is armed and cancelled under LOCK_IP; the slot of an address is reused only after its
 * timer was cancelled, and a timer that fires late finds is_tentative false.
 *
 * RFC 4862 sections 5.4 (DAD), 5.5.3 (lifetimes), RFC 7527 (nonce), R09.1.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define MIN_VALID_KEPT_NS (7200 * NS_PER_S) /* RFC 4862 5.5.3 (e): the two-hour rule */
#define ROUTE_METRIC_AUTO6 256u /* on-link prefix of an IPv6 address, as `ip -6 route` shows */
#define NEVER_NS UINT64_MAX

static void changed(struct ip_stack *ip)
{
	/* 0 stands for "nothing remembered" in rx_last */
	if (atomic_fetch_add_explicit(&ip->addr_gen, 1, memory_order_release) == UINT32_MAX)
		atomic_fetch_add_explicit(&ip->addr_gen, 1, memory_order_release);
	dst_cache_flush(ip);
}

static uint64_t retrans_ticks(struct netdev *dev)
{
	const struct ip_dev *id = ip_dev_of(dev);
	uint64_t ms =
		id->retrans_ms6 ? id->retrans_ms6 : (uint64_t)dev->stack->sysctl.neigh_retrans_ms;

	return ip_ticks_of_ms(dev->stack, ms);
}

static struct route route_of(const struct ifaddr *ia)
{
	return (struct route){
		.prefix = ipaddr_mask(&ia->addr, ia->plen128),
		.plen128 = ia->plen128,
		.dev = ia->dev,
		.metric = ipaddr_is_v4(&ia->addr) ? 0 : ROUTE_METRIC_AUTO6,
		.expires_ns = NEVER_NS,
		.is_auto = true,
	};
}

/* Does some other address of the device keep this prefix route alive. */
static bool prefix_is_shared(struct ip_stack *ip, const struct ifaddr *me)
{
	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		const struct ifaddr *ia = &ip->addrs[i];

		if (ia != me && ia->dev == me->dev && ia->plen128 == me->plen128 &&
		    ipaddr_is_v4(&ia->addr) == ipaddr_is_v4(&me->addr) &&
		    ipaddr_prefix_match(&ia->addr, &me->addr, me->plen128))
			return true;
	}
	return false;
}

/* Send the next solicitation and wait; caller holds no lock. */
static void dad_send(struct netdev *dev, const struct ipaddr *a)
{
	struct stack *st = dev->stack;
	struct ip_stack *ip = st->ip;
	struct ifaddr *ia;
	uint8_t nonce[6];
	uint32_t r[2] = {stack_rand_u32(st), stack_rand_u32(st)};
	bool is_due = false;

	memcpy(nonce, r, sizeof(nonce));
	lock_take(&ip->lock);
	ia = ip_addr_find(ip, a, dev);
	if (ia && ia->is_tentative) {
		memcpy(ia->nonce, nonce, sizeof(nonce));
		timer_arm(&st->timers, &ia->dad,
			  timers_ns_to_tick(&st->timers, stack_now_ns(st)) + retrans_ticks(dev));
		is_due = true;
	}
	lock_drop(&ip->lock);
	if (is_due)
		nd_send_dad(dev, a, nonce);
}

static struct ifaddr *free_slot(struct ip_stack *ip)
{
	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		if (ip->addrs[i].dev)
			continue;
		ip->num_addr_slots = max_u32(ip->num_addr_slots, i + 1);
		return &ip->addrs[i];
	}
	return NULL;
}

/* Fill a slot and its route. LOCK_IP held. */
static int addr_insert(struct netdev *dev, const struct ipaddr *addr, uint8_t plen128,
		       bool is_tentative)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ifaddr *ia = ip_addr_find(ip, addr, dev);
	struct route r;
	int err;

	if (ia)
		return (dev->flags & NETDEV_LOOPBACK) && ia->plen128 == plen128 ? 0 : -EEXIST;
	ia = free_slot(ip);
	if (!ia)
		return -ENOSPC;
	*ia = (struct ifaddr){
		.addr = *addr,
		.stack = dev->stack,
		.dev = dev,
		.plen128 = plen128,
		.is_tentative = is_tentative,
		.dad_left = (uint8_t)dev->stack->sysctl.dad_transmits,
		.valid_until_ns = NEVER_NS,
		.preferred_until_ns = NEVER_NS,
	};
	timer_init(&ia->dad, TIMER_IP_DAD);
	r = route_of(ia);
	if (plen128 < 128) {
		err = fib_insert(ip, &r);
		if (err && err != -EEXIST) {
			ia->dev = NULL;
			return err;
		}
	}
	changed(ip);
	return 0;
}

int ip_addr_add(struct netdev *dev, const struct ipaddr *addr, uint8_t plen128, bool no_dad)
{
	struct stack *st = dev->stack;
	struct ip_stack *ip = st->ip;
	bool is_v4 = ipaddr_is_v4(addr), want_dad;
	struct ipaddr group;
	int err;

	if (plen128 > 128 || (is_v4 && plen128 < IPADDR_V4_PLEN_BASE) || ipaddr_is_any(addr) ||
	    ipaddr_is_multicast(addr) || ipaddr_is_v4_broadcast(addr))
		return -EINVAL;
	want_dad = !is_v4 && !no_dad && ip_dev_has_neighs(dev) && st->sysctl.dad_transmits > 0;
	lock_take(&ip->lock);
	err = addr_insert(dev, addr, plen128, want_dad);
	lock_drop(&ip->lock);
	if (err || is_v4)
		return err;
	group = ipaddr_solicited_node(addr);
	err = ip_mc_join(dev, &group);
	if (err) {
		ip_addr_del(dev, addr);
		return err;
	}
	if (want_dad && ip_dev_is_up(dev))
		dad_send(dev, addr);
	return 0;
}

/* Take an entry out. LOCK_IP held. */
static void addr_remove(struct ip_stack *ip, struct ifaddr *ia)
{
	struct ipaddr prefix = ipaddr_mask(&ia->addr, ia->plen128);

	timer_cancel(&ia->stack->timers, &ia->dad);
	if (ia->plen128 < 128 && !prefix_is_shared(ip, ia))
		fib_remove(ip, &prefix, ia->plen128, ia->dev, true);
	ia->dev = NULL;
	ia->is_tentative = false;
	changed(ip);
}

int ip_addr_del(struct netdev *dev, const struct ipaddr *addr)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ipaddr group = ipaddr_solicited_node(addr);
	struct ifaddr *ia;

	lock_take(&ip->lock);
	ia = ip_addr_find(ip, addr, dev);
	if (ia)
		addr_remove(ip, ia);
	lock_drop(&ip->lock);
	if (!ia)
		return -EADDRNOTAVAIL;
	if (!ipaddr_is_v4(addr))
		ip_mc_leave(dev, &group);
	return 0;
}

void dad_timer(struct stack *st, struct timer *t)
{
	struct ifaddr *ia = container_of(t, struct ifaddr, dad);
	struct ip_stack *ip = st->ip;
	struct netdev *dev = NULL;
	struct ipaddr a;
	bool is_more = false;

	lock_take(&ip->lock);
	if (ia->dev && ia->is_tentative) {
		dev = ia->dev;
		a = ia->addr;
		if (ia->dad_left)
			ia->dad_left--;
		is_more = ia->dad_left > 0;
		if (!is_more) {
			ia->is_tentative = false;
			changed(ip);
		}
	}
	lock_drop(&ip->lock);
	if (!dev)
		return;
	if (is_more)
		dad_send(dev, &a);
	else if (ipaddr_is_linklocal(&a))
		rs_start(dev);
}

void ip_addr_dad_conflict(struct netdev *dev, const struct ipaddr *a)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ifaddr *ia;

	lock_take(&ip->lock);
	ia = ip_addr_find(ip, a, dev);
	if (ia && ia->is_tentative) {
		timer_cancel(&dev->stack->timers, &ia->dad);
		ia->is_tentative = false;
		ia->is_dad_failed = true;
		changed(ip);
	}
	lock_drop(&ip->lock);
}

bool ip_addr_is_own_nonce(struct netdev *dev, const struct ipaddr *a, const uint8_t nonce[6])
{
	struct ip_stack *ip = dev->stack->ip;
	struct ifaddr *ia;
	bool is_own;

	lock_take(&ip->lock);
	ia = ip_addr_find(ip, a, dev);
	is_own = ia && memcmp(ia->nonce, nonce, sizeof(ia->nonce)) == 0;
	lock_drop(&ip->lock);
	return is_own;
}

/* ---- device up, router advertisements, expiry ---- */

static int loopback_addrs(struct netdev *dev)
{
	struct ipaddr v4 = ipaddr_loopback_v4(), v6 = ipaddr_loopback_v6();
	int err = ip_addr_add(dev, &v4, IPADDR_V4_PLEN_BASE + 8, true);

	return err ? err : ip_addr_add(dev, &v6, 128, true);
}

static int linklocal_addr(struct netdev *dev)
{
	struct mac_addr mac;
	struct ipaddr a;
	int err;

	memcpy(mac.b, dev->mac, sizeof(mac.b));
	if (mac_is_zero(&mac))
		return 0;
	a = mac_to_linklocal(&mac);
	err = ip_addr_add(dev, &a, 64, false);
	if (!err && dev->stack->sysctl.dad_transmits == 0)
		rs_start(dev);
	return err == -EEXIST ? 0 : err;
}

int ip_dev_up(struct netdev *dev)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ipaddr waiting[IP_MAX_ADDRS];
	uint32_t num = 0;

	ip_dev_of(dev)->is_up = true;
	if (dev->flags & NETDEV_LOOPBACK)
		return loopback_addrs(dev);
	lock_take(&ip->lock);
	dst_cache_flush(ip);
	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		struct ifaddr *ia = &ip->addrs[i];

		if (ia->dev == dev && ia->is_tentative && !timer_is_armed(&ia->dad))
			waiting[num++] = ia->addr;
	}
	lock_drop(&ip->lock);
	if (!ip_dev_has_neighs(dev))
		return 0;
	mc_report_all(dev);
	for (uint32_t i = 0; i < num; i++)
		dad_send(dev, &waiting[i]);
	return linklocal_addr(dev);
}

static uint64_t lifetime_end(uint32_t s, uint64_t now_ns)
{
	return s == ND_LIFETIME_INFINITE ? NEVER_NS : now_ns + s * NS_PER_S;
}

void ip_addr_auto(struct netdev *dev, const struct nd_prefix *p, uint64_t now_ns)
{
	struct ip_stack *ip = dev->stack->ip;
	uint64_t valid = lifetime_end(p->valid_s, now_ns), left;
	struct mac_addr mac;
	struct ipaddr a;
	struct ifaddr *ia;
	bool is_fresh;
	int err;

	memcpy(mac.b, dev->mac, sizeof(mac.b));
	a = mac_to_linklocal(&mac);
	memcpy(a.b, p->prefix.b, 8);
	lock_take(&ip->lock);
	ia = ip_addr_find(ip, &a, dev);
	is_fresh = !ia;
	lock_drop(&ip->lock);
	if (is_fresh) {
		/* a full table or a refused group: this prefix stays unused */
		err = p->valid_s ? ip_addr_add(dev, &a, 64, false) : -EINVAL;
		if (err)
			return;
	}
	lock_take(&ip->lock);
	ia = ip_addr_find(ip, &a, dev);
	if (ia && (ia->is_from_ra || is_fresh)) {
		left = ia->is_from_ra && ia->valid_until_ns > now_ns ? ia->valid_until_ns - now_ns
								     : 0;
		if (valid == NEVER_NS || valid - now_ns > MIN_VALID_KEPT_NS || valid - now_ns > left)
			ia->valid_until_ns = valid;
		else if (left > MIN_VALID_KEPT_NS)
			ia->valid_until_ns = now_ns + MIN_VALID_KEPT_NS;
		ia->preferred_until_ns = lifetime_end(p->preferred_s, now_ns);
		ip_gc_arm(dev->stack);
		ia->is_from_ra = true;
	}
	lock_drop(&ip->lock);
}

void ip_addr_expire(struct stack *st, uint64_t now_ns)
{
	struct ip_stack *ip = st->ip;

	for (uint32_t i = 0; i < IP_MAX_ADDRS; i++) {
		struct ifaddr *ia = &ip->addrs[i];
		struct netdev *dev = NULL;
		struct ipaddr group;

		lock_take(&ip->lock);
		if (ia->dev && ia->valid_until_ns <= now_ns) {
			dev = ia->dev;
			group = ipaddr_solicited_node(&ia->addr);
			addr_remove(ip, ia);
		}
		lock_drop(&ip->lock);
		if (dev)
			ip_mc_leave(dev, &group);
	}
}

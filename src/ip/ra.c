/* SPDX-License-Identifier: BSD-2-Clause */
/* Router solicitation and what a router advertisement sets up (R09.3, RFC 4861 6.3, RFC 4862 5.5). */
/*
 * How it works: once the link-local address is usable, up to three solicitations leave 4 s apart, the
 * first after a random delay of at most 1 s, until an advertisement comes. An advertisement sets
 * the default route (with its lifetime), link parameters, on-link prefixes and, for /64 prefixes
 * marked so, an EUI-64 address. Lifetimes are looked at by lookups and by the 30 s housekeeping.
 */
#include "ip/ip_int.h"

#define RS_MAX 3u
#define RS_INTERVAL_MS 4000u
#define RS_DELAY_MAX_MS 1000u
#define REACHABLE_MAX_MS 3600000u /* RFC 4861 6.2.1: larger values are nonsense */
#define AUTO_PLEN 64u             /* RFC 2464 section 4 */

static void arm_rs(struct ip_dev *id, uint64_t delay_ms)
{
	struct stack *st = id->dev->stack;

	timer_arm(&st->timers, &id->rs,
		  timers_ns_to_tick(&st->timers, stack_now_ns(st)) + ip_ticks_of_ms(st, delay_ms));
}

void rs_start(struct netdev *dev)
{
	struct ip_dev *id = ip_dev_of(dev);

	if (!dev->stack->sysctl.accept_ra)
		return;
	id->dev = dev;
	id->rs_left = RS_MAX;
	arm_rs(id, stack_rand_below(dev->stack, RS_DELAY_MAX_MS + 1));
}

void rs_timer(struct stack *st, struct timer *t)
{
	struct ip_dev *id = container_of(t, struct ip_dev, rs);
	struct nd_msg m = {.type = ICMP6_TYPE_RS};
	struct ipaddr all_routers = {.b = {0xff, 0x02, [15] = 2}}, src;

	(void)st;
	if (!id->rs_left)
		return;
	id->rs_left--;
	src = ip_addr_source_any(id->dev, &all_routers);
	if (!ipaddr_is_any(&src)) {
		m.has_slla = true;
		memcpy(m.slla.b, id->dev->mac, sizeof(m.slla.b));
	}
	nd_send(id->dev, &src, &all_routers, &m, NULL);
	if (id->rs_left)
		arm_rs(id, RS_INTERVAL_MS);
}

static void take_parameters(struct netdev *dev, const struct nd_msg *m)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ip_dev *id = ip_dev_of(dev);
	bool is_new = false;

	lock_take(&ip->lock);
	if (m->cur_hop_limit && m->cur_hop_limit != id->hop_limit6) {
		id->hop_limit6 = m->cur_hop_limit;
		is_new = true;
	}
	if (m->mtu >= IPV6_LINK_MTU_MIN && m->mtu <= dev->mtu && m->mtu != id->mtu6) {
		id->mtu6 = m->mtu;
		is_new = true;
	}
	if (m->reachable_ms && m->reachable_ms <= REACHABLE_MAX_MS)
		id->reachable_ms6 = m->reachable_ms;
	/* below 10 ms a router could make us flood the link */
	if (m->retrans_ms >= 10 && m->retrans_ms <= REACHABLE_MAX_MS)
		id->retrans_ms6 = m->retrans_ms;
	if (is_new)
		dst_cache_flush(ip);
	lock_drop(&ip->lock);
}

static void take_prefix(struct netdev *dev, const struct nd_prefix *p, uint64_t now_ns)
{
	uint64_t until =
		p->valid_s == ND_LIFETIME_INFINITE ? UINT64_MAX : now_ns + p->valid_s * NS_PER_S;

	if (ipaddr_is_linklocal(&p->prefix) || ipaddr_is_multicast(&p->prefix) ||
	    ipaddr_is_v4(&p->prefix) || p->preferred_s > p->valid_s)
		return;
	if (p->flags & ND_PREFIX_ONLINK)
		fib_set_ra(dev, &p->prefix, p->plen, NULL, p->valid_s ? until : 0);
	if ((p->flags & ND_PREFIX_AUTO) && p->plen == AUTO_PLEN)
		ip_addr_auto(dev, p, now_ns);
}

void ra_rcv(struct netdev *dev, const struct ipaddr *src, const struct nd_msg *m)
{
	struct stack *st = dev->stack;
	uint64_t now_ns = stack_now_ns(st);
	struct ipaddr any = IPADDR_ANY_V6;
	struct neigh *n;

	if (!st->sysctl.accept_ra || !ipaddr_is_linklocal(src))
		return;
	ip_dev_of(dev)->rs_left = 0;
	take_parameters(dev, m);
	fib_set_ra(dev, &any, 0, src,
		   m->router_lifetime_s ? now_ns + m->router_lifetime_s * NS_PER_S : 0);
	if (m->has_slla && mac_is_unicast(&m->slla)) {
		n = neigh_lookup(dev, src, true);
		if (n) {
			neigh_update(n, &m->slla, NEIGH_STALE, NEIGH_UPD_OVERRIDE);
			n->is_router = true;
		}
		neigh_put(n);
	}
	for (uint32_t i = 0; i < m->num_prefixes; i++)
		take_prefix(dev, &m->prefixes[i], now_ns);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* How many ICMP messages may leave: a global bucket and one per destination (R05.4). */
/*
 * How it works
 *
 * The global bucket is refilled in steps of at least 20 ms with icmp_msgs_per_sec, up to
 * icmp_msgs_burst; each message takes 0, 1 or 2 tokens at random, so that its level cannot be used to
 * learn what others made us send. The per-destination bucket grows with time: one message costs
 * icmp_ratelimit, six fit. It lives in a small direct-mapped table; two destinations that share a
 * slot evict each other, which only makes the global bucket the stricter of the two.
 *
 * Nothing is limited on the loopback device, fragmentation needed / packet too big never is.
 */
#include "ip/ip_int.h"

#define REFILL_STEP_NS (20 * NS_PER_MS)
#define PEER_BURST 6u
#define TYPES_IN_MASK 32u

static bool is_limited_type(const struct stack *st, bool is_v4, uint8_t type, uint8_t code)
{
	if (!is_v4)
		return type != ICMP6_TYPE_TOO_BIG && type <= 127; /* ratemask "0-1,3-127" */
	if (type == ICMP4_TYPE_UNREACH && code == ICMP4_UNREACH_FRAG_NEEDED)
		return false;
	return type < TYPES_IN_MASK && (st->sysctl.icmp_ratemask >> type & 1);
}

/* LOCK_IP held. */
static bool take_global(struct stack *st, uint64_t now_ns, uint32_t cost)
{
	struct ip_stack *ip = st->ip;
	uint64_t passed = now_ns - ip->icmp_refill_ns;
	uint64_t burst = (uint64_t)st->sysctl.icmp_msgs_burst;

	if (passed >= REFILL_STEP_NS) {
		/* a second fills any bucket, and keeps the product small */
		uint64_t add = min_u64(passed, NS_PER_S) * (uint64_t)st->sysctl.icmp_msgs_per_sec /
			       NS_PER_S;

		if (add) {
			ip->icmp_credit = (uint32_t)min_u64(ip->icmp_credit + add, burst);
			ip->icmp_refill_ns = now_ns;
		}
	}
	if (!ip->icmp_credit)
		return false;
	ip->icmp_credit -= min_u32(cost, ip->icmp_credit);
	return true;
}

/* LOCK_IP held. */
static bool take_peer(struct stack *st, const struct ipaddr *to, uint64_t now_ns, uint64_t cost_ns)
{
	struct icmp_peer *p = &st->ip->peers[siphash(&st->secret, to, sizeof(*to)) % IP_ICMP_PEERS];

	if (!ipaddr_eq(&p->addr, to))
		*p = (struct icmp_peer){
			.addr = *to, .last_ns = now_ns, .tokens_ns = PEER_BURST * cost_ns};
	p->tokens_ns = min_u64(p->tokens_ns + (now_ns - p->last_ns), PEER_BURST * cost_ns);
	p->last_ns = now_ns;
	if (p->tokens_ns < cost_ns)
		return false;
	p->tokens_ns -= cost_ns;
	return true;
}

bool icmp_allowed(struct stack *st, const struct dst *d, const struct ipaddr *to, uint8_t type,
		  uint8_t code)
{
	bool is_v4 = ipaddr_is_v4(to), is_global_ok, is_peer_ok = true;
	uint64_t now_ns = stack_now_ns(st);
	uint64_t cost_ns = NS_PER_MS * (uint64_t)(is_v4 ? st->sysctl.icmp_ratelimit
							: st->sysctl.icmp6_ratelimit);
	uint32_t cost = stack_rand_below(st, 3);

	if (d->dev->flags & NETDEV_LOOPBACK || !is_limited_type(st, is_v4, type, code))
		return true;
	lock_take(&st->ip->lock);
	is_global_ok = take_global(st, now_ns, cost);
	if (is_global_ok && cost_ns)
		is_peer_ok = take_peer(st, to, now_ns, cost_ns);
	lock_drop(&st->ip->lock);
	if (!is_global_ok)
		mib_inc(st, IcmpOutRateLimitGlobal);
	else if (!is_peer_ok)
		mib_inc(st, is_v4 ? IcmpOutRateLimitHost : Icmp6OutRateLimitHost);
	return is_global_ok && is_peer_ok;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The route cache: one struct dst per destination, so that a learned path MTU is shared. */
/*
 * How it works
 *
 * A set-associative table of IP_DST_SETS x IP_DST_WAYS slots, keyed by destination and required
 * device; a keyed hash picks the set, because peers choose addresses. A slot holds one reference.
 * A full set gives up the least recently used entry nobody else holds, else the least recently used.
 *
 * A change of addresses or routes only marks every entry dead; it stays in its slot until the
 * destination is asked for again, and then hands its path MTU to the successor if the next hop is
 * still the same. Whoever holds a dead entry finds out by dst_is_valid(). LOCK_IP guards the table.
 *
 * Path MTU: R05.7, T96.2. An exception lives mtu_expires seconds; dst_mtu() judges freshness.
 */
#include "ip/ip_int.h"

static struct dst_slot *set_of(struct stack *st, const struct ipaddr *daddr, uint32_t oif)
{
	struct {
		struct ipaddr a;
		uint32_t oif;
	} __attribute__((packed)) key = {*daddr, oif};
	uint64_t h = siphash(&st->secret, &key, sizeof(key));

	return &st->ip->cache[(h % IP_DST_SETS) * IP_DST_WAYS];
}

static bool slot_matches(const struct dst_slot *s, const struct ipaddr *daddr, uint32_t oif)
{
	return s->dst && s->oif == oif && ipaddr_eq(&s->dst->daddr, daddr);
}

struct dst *dst_cache_find(struct stack *st, const struct ipaddr *daddr, uint32_t oif)
{
	struct dst_slot *set = set_of(st, daddr, oif);

	for (uint32_t i = 0; i < IP_DST_WAYS; i++) {
		if (slot_matches(&set[i], daddr, oif) && dst_is_valid(set[i].dst)) {
			set[i].last_used = ++st->ip->cache_clock;
			return set[i].dst;
		}
	}
	return NULL;
}

static bool is_only_cached(const struct dst *d)
{
	return atomic_load_explicit(&((struct dst *)d)->refs, memory_order_acquire) == 1;
}

/* Should @a be given up rather than @b. */
static bool is_worse(const struct dst_slot *a, const struct dst_slot *b, uint32_t clock)
{
	bool idle_a = is_only_cached(a->dst), idle_b = is_only_cached(b->dst);

	if (idle_a != idle_b)
		return idle_a;
	return clock - a->last_used > clock - b->last_used;
}

static void inherit_pmtu(struct dst *d, const struct dst *old)
{
	if (old->dev != d->dev || !ipaddr_eq(&old->gateway, &d->gateway))
		return;
	d->pmtu_expires_ns = old->pmtu_expires_ns;
	atomic_store(&d->is_pmtu_locked, atomic_load(&((struct dst *)old)->is_pmtu_locked));
	atomic_store(&d->pmtu, atomic_load(&((struct dst *)old)->pmtu));
}

void dst_cache_add(struct stack *st, struct dst *d, uint32_t oif)
{
	struct dst_slot *set = set_of(st, &d->daddr, oif), *victim = NULL;
	struct dst *old;

	for (uint32_t i = 0; i < IP_DST_WAYS; i++) {
		if (slot_matches(&set[i], &d->daddr, oif)) {
			inherit_pmtu(d, set[i].dst);
			victim = &set[i];
			break;
		}
		if (!set[i].dst)
			victim = &set[i];
		else if (!victim || (victim->dst && is_worse(&set[i], victim, st->ip->cache_clock)))
			victim = &set[i];
	}
	old = victim->dst;
	victim->dst = NULL; /* whoever dies here leaves no name of a freed entry */
	victim->oif = oif;
	victim->last_used = ++st->ip->cache_clock;
	dst_get(d);
	victim->dst = d;
	dst_put(old);
	if (!old && ++st->ip->num_cached > IP_DST_IDLE_MAX)
		ip_gc_arm(st);
}

void dst_cache_flush(struct ip_stack *ip)
{
	for (uint32_t i = 0; i < IP_DST_SETS * IP_DST_WAYS; i++) {
		if (ip->cache[i].dst)
			atomic_store_explicit(&ip->cache[i].dst->is_dead, 1, memory_order_relaxed);
	}
}

static bool has_fresh_pmtu(const struct dst *d, uint64_t now_ns)
{
	return atomic_load_explicit(&((struct dst *)d)->pmtu, memory_order_relaxed) &&
	       __atomic_load_n(&d->pmtu_expires_ns, __ATOMIC_RELAXED) > now_ns;
}

void dst_cache_shrink(struct stack *st, bool all, uint64_t now_ns)
{
	struct ip_stack *ip = st->ip;
	struct dst *d;

	lock_take(&ip->lock);
	ip->num_cached = 0;
	for (uint32_t i = 0; i < IP_DST_SETS * IP_DST_WAYS; i++) {
		struct dst_slot *s = &ip->cache[i];

		if (!s->dst)
			continue;
		if (!is_only_cached(s->dst) || (!all && has_fresh_pmtu(s->dst, now_ns))) {
			ip->num_cached++;
			continue;
		}
		d = s->dst;
		s->dst = NULL;
		dst_put(d);
	}
	lock_drop(&ip->lock);
}

/* Slots and routes are written so that every prefix of the writes is usable; look everything up again. */
COLD void ip_recover(struct lock *l)
{
	struct ip_stack *ip = container_of(l, struct ip_stack, lock);

	l->was_abandoned = 0;
	dst_cache_flush(ip);
	atomic_fetch_add(&ip->addr_gen, 1);
	mib_inc(ip->stack, NaruLocksRecovered);
}

bool ip_update_pmtu(struct dst *d, uint32_t mtu)
{
	struct stack *st = d->stack;
	bool is_v4 = ipaddr_is_v4(&d->daddr), is_locked = false, is_smaller;
	uint32_t old;

	if (d->metrics.is_mtu_locked || (!is_v4 && mtu < IPV6_LINK_MTU_MIN))
		return false;
	if (is_v4 && mtu < (uint32_t)st->sysctl.min_pmtu) {
		mtu = (uint32_t)st->sysctl.min_pmtu;
		is_locked = true;
	}
	lock_take(&st->ip->lock);
	old = dst_mtu(d);
	is_smaller = mtu < old;
	/* an equal value renews the exception, a larger one is not believed */
	if (mtu <= old && (is_smaller || atomic_load(&d->pmtu))) {
		uint64_t until = stack_now_ns(st) + (uint64_t)st->sysctl.mtu_expires * NS_PER_S;

		__atomic_store_n(&d->pmtu_expires_ns, until, __ATOMIC_RELAXED);
		atomic_store(&d->is_pmtu_locked, is_locked);
		atomic_store(&d->pmtu, mtu);
	}
	lock_drop(&st->ip->lock);
	return is_smaller;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The established table: four-tuple to socket, request or TIME-WAIT object (R10.1). */
/*
 * How it works
 *
 * Chains by a keyed hash of the tuple, guarded by 64 locks: the lock of a chain is its number modulo 64. The
 * table holds no references. Whoever frees an object unhashes it first, so that under the lock every object
 * found is still memory; its count may already be 0, then it is passed over.
 *
 * 1. conn.hash_val, addresses, ports and device do not change while the object is hashed.
 * 2. A tuple and device appear at most once.
 */
#include "l4/l4_int.h"

#include <errno.h>

struct tuple_bytes {
	struct ipaddr saddr, daddr;
	uint32_t ports;
};

/* IPv4 needs only the last word of each address. */
struct tuple_bytes4 {
	uint32_t saddr, daddr, ports;
};

uint32_t l4_tuple_hash(const struct stack *st, const struct ipaddr *saddr, uint16_t sport, const struct ipaddr *daddr, uint16_t dport)
{
	uint32_t ports = (uint32_t)sport << 16 | dport;
	struct tuple_bytes b;

	if (ipaddr_is_v4(saddr) && ipaddr_is_v4(daddr)) {
		struct tuple_bytes4 b4 = { ipaddr_v4_be(saddr), ipaddr_v4_be(daddr), ports };

		return (uint32_t)siphash(&st->secret, &b4, sizeof(b4));
	}
	b.saddr = *saddr;
	b.daddr = *daddr;
	b.ports = ports;
	return (uint32_t)siphash(&st->secret, &b, offsetof(struct tuple_bytes, ports) + sizeof(b.ports));
}

static struct ehash_stripe *stripe_of(struct l4_stack *l4, uint32_t hash)
{
	return &l4->stripes[hash % L4_EHASH_LOCKS];
}

static struct hnode **chain_of(struct l4_stack *l4, uint32_t hash)
{
	return &l4->ehash[hash & (l4->num_chains - 1)];
}

static bool same_tuple(const struct conn *a, const struct conn *b)
{
	return a->sport == b->sport && a->dport == b->dport && ipaddr_eq(&a->daddr, &b->daddr) && ipaddr_eq(&a->saddr, &b->saddr);
}

static struct conn *find_owner(struct hnode *chain, const struct conn *c)
{
	for (struct hnode *n = chain; n; n = n->next) {
		struct conn *o = container_of(n, struct conn, hash);

		if (o->hash_val == c->hash_val && same_tuple(o, c) &&
		    (!o->bound_ifindex || !c->bound_ifindex || o->bound_ifindex == c->bound_ifindex))
			return o;
	}
	return NULL;
}

static void unhash(struct ehash_stripe *s, struct conn *c)
{
	s->leaving = c;
	atomic_signal_fence(memory_order_seq_cst);
	hnode_del(&c->hash);
	atomic_signal_fence(memory_order_seq_cst);
	s->leaving = NULL;
}

int l4_ehash_insert(struct conn *c, bool (*may_recycle_tw)(struct conn *tw, void *arg), void *arg, struct conn **ret_tw)
{
	struct l4_stack *l4 = c->stack->l4;
	uint32_t hash = l4_tuple_hash(c->stack, &c->saddr, c->sport, &c->daddr, c->dport);
	struct ehash_stripe *s = stripe_of(l4, hash);
	struct hnode **chain = chain_of(l4, hash);
	struct conn *owner;
	int err = 0;

	c->hash_val = hash;
	lock_take(&s->lock);
	owner = find_owner(*chain, c);
	if (owner && owner->state == TCP_TIME_WAIT && may_recycle_tw && may_recycle_tw(owner, arg)) {
		atomic_fetch_add_explicit(&owner->refs, 1, memory_order_relaxed); /* its timer holds one */
		unhash(s, owner);
		*ret_tw = owner;
		owner = NULL;
	}
	if (owner)
		err = -EADDRNOTAVAIL;
	else
		hnode_add(&c->hash, chain);
	lock_drop(&s->lock);
	return err;
}

bool l4_ehash_replace(struct conn *old, struct conn *fresh)
{
	struct l4_stack *l4 = old->stack->l4;
	struct ehash_stripe *s = stripe_of(l4, old->hash_val);
	bool was_there;

	fresh->hash_val = old->hash_val;
	lock_take(&s->lock);
	was_there = hnode_is_hashed(&old->hash);
	if (was_there) {
		unhash(s, old);
		hnode_add(&fresh->hash, chain_of(l4, fresh->hash_val));
	}
	lock_drop(&s->lock);
	return was_there;
}

void l4_ehash_remove(struct conn *c)
{
	struct ehash_stripe *s = stripe_of(c->stack->l4, c->hash_val);

	lock_take(&s->lock);
	if (hnode_is_hashed(&c->hash))
		unhash(s, c);
	lock_drop(&s->lock);
}

/* An ICMP quote does not tell the device: ifindex 0 fits all. */
static bool fits(const struct conn *c, const struct l4_tuple *t)
{
	return c->sport == t->sport && c->dport == t->dport && ipaddr_eq(&c->daddr, &t->daddr) && ipaddr_eq(&c->saddr, &t->saddr) &&
	       (!c->bound_ifindex || !t->ifindex || c->bound_ifindex == t->ifindex);
}

struct conn *l4_lookup_established(struct stack *st, const struct l4_tuple *t)
{
	uint32_t hash = l4_tuple_hash(st, &t->saddr, t->sport, &t->daddr, t->dport);
	struct l4_stack *l4 = st->l4;
	struct ehash_stripe *s = stripe_of(l4, hash);
	struct conn *found = NULL;

	lock_take(&s->lock);
	for (struct hnode *n = *chain_of(l4, hash); n; n = n->next) {
		struct conn *c = container_of(n, struct conn, hash);

		if (c->hash_val == hash && fits(c, t) && l4_get_live(c)) {
			found = c;
			break;
		}
	}
	lock_drop(&s->lock);
	return found;
}

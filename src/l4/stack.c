/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of one stack: made, ended, and built anew after a holder of their locks died. */
/*
 * How it works
 *
 * A dead holder leaves at most one link half-way. hnode_add() and hnode_del() both leave pprev set while
 * they work, so an object with pprev set belongs into its chain - except the one that was just leaving,
 * whose name the remover wrote down first. Recovery forgets all chains and links every object it finds in
 * the pools again.
 */
#include "l4/l4_int.h"

#include <errno.h>

#include "ip/ip.h"

#define BUCKET_SHARE_BYTES 4096u /* of arena, for one bucket */
#define BUCKETS_MAX (1u << 20)	 /* of all stacks: 16 with every port in use */

/* ---- life ---- */

static struct l4_stack *tables_alloc(struct arena *a, uint32_t chains, uint32_t perturb)
{
	struct l4_stack *l4 = arena_alloc(a, sizeof(*l4));

	if (!l4)
		return NULL;
	l4->ehash = arena_alloc(a, chains * sizeof(*l4->ehash));
	l4->perturb = arena_alloc(a, perturb * sizeof(*l4->perturb));
	l4->num_chains = chains;
	l4->num_perturb = perturb;
	if (l4->ehash && l4->perturb)
		return l4;
	if (l4->ehash)
		arena_free_sized(a, l4->ehash, chains * sizeof(*l4->ehash));
	if (l4->perturb)
		arena_free_sized(a, l4->perturb, perturb * sizeof(*l4->perturb));
	arena_free_sized(a, l4, sizeof(*l4));
	return NULL;
}

/* Once per arena: its stacks share the pool. */
static int make_pool(struct arena_pools *p)
{
	struct arena *a = p->arena;
	uint32_t buckets = arena_quota(a, BUCKET_SHARE_BYTES, 256, BUCKETS_MAX);

	if (p->bind_bucket.arena)
		return 0;
	return pool_init(&p->bind_bucket, a, "bind_bucket", OBJ_BIND_BUCKET, sizeof(struct bind_bucket), buckets, 0);
}

int l4_init(struct stack *st, uint32_t ehash_buckets)
{
	uint32_t chains = L4_EHASH_LOCKS;
	struct l4_stack *l4;

	if (make_pool(st->pools))
		return -ENOMEM;
	while (chains < ehash_buckets && chains < 1u << 24)
		chains *= 2;
	l4 = tables_alloc(st->pools->arena, chains, min_u32(chains, L4_PERTURB_MAX));
	if (!l4)
		return -ENOMEM;
	l4->stack = st;
	lock_init(&l4->ports_lock, LOCK_PORTS, st->is_shared);
	for (uint32_t i = 0; i < L4_EHASH_LOCKS; i++) {
		l4->stripes[i].l4 = l4;
		lock_init(&l4->stripes[i].lock, LOCK_EHASH, st->is_shared);
	}
	st->l4 = l4;
	return 0;
}

void l4_done(struct stack *st)
{
	struct arena *a = st->pools->arena;
	struct l4_stack *l4 = st->l4;

	if (!l4)
		return;
	st->l4 = NULL;
	for (uint32_t i = 0; i < L4_EHASH_LOCKS; i++)
		lock_done(&l4->stripes[i].lock);
	lock_done(&l4->ports_lock);
	arena_free_sized(a, l4->perturb, l4->num_perturb * sizeof(*l4->perturb));
	arena_free_sized(a, l4->ehash, l4->num_chains * sizeof(*l4->ehash));
	arena_free_sized(a, l4, sizeof(*l4));
}

/* ---- recovery ---- */

static void rehash_stripe(struct ehash_stripe *s, const struct pool *pool)
{
	struct l4_stack *l4 = s->l4;
	uint32_t idx = 0, stripe = (uint32_t)(s - l4->stripes);
	struct conn *c;

	while ((c = pool_next_live(pool, &idx))) {
		if (c->stack != l4->stack || !hnode_is_hashed(&c->hash) || c->state == TCP_LISTEN ||
		    c->hash_val % L4_EHASH_LOCKS != stripe)
			continue;
		if (c == s->leaving)
			c->hash.pprev = NULL;
		else
			hnode_add(&c->hash, &l4->ehash[c->hash_val & (l4->num_chains - 1)]);
	}
}

void l4_ehash_recover(struct lock *l)
{
	struct ehash_stripe *s = container_of(l, struct ehash_stripe, lock);
	struct l4_stack *l4 = s->l4;
	struct arena_pools *pools = l4->stack->pools;

	for (uint32_t i = (uint32_t)(s - l4->stripes); i < l4->num_chains; i += L4_EHASH_LOCKS)
		l4->ehash[i] = NULL;
	rehash_stripe(s, &pools->tcp_sock);
	rehash_stripe(s, &pools->tcp_req);
	rehash_stripe(s, &pools->tcp_tw);
	s->leaving = NULL;
	l->was_abandoned = 0;
}

static void relink_sock_chains(struct l4_stack *l4, const struct pool *pool, struct hnode **chains)
{
	uint32_t idx = 0;
	struct sock *sk;

	while ((sk = pool_next_live(pool, &idx))) {
		if (sk->stack != l4->stack || !hnode_is_hashed(&sk->hash))
			continue;
		if (sk->proto == PROTO_TCP && sk->state != TCP_LISTEN)
			continue; /* in the established table */
		if (&sk->hash == l4->leaving)
			sk->hash.pprev = NULL;
		else
			hnode_add(&sk->hash, &chains[l4_port_chain(sk->sport)]);
	}
}

static void relink_owners(struct l4_stack *l4, const struct pool *pool)
{
	uint32_t idx = 0;
	struct bound *o;

	while ((o = pool_next_live(pool, &idx))) {
		if (o->conn.stack != l4->stack || !o->bucket || !hnode_is_hashed(&o->bind_node))
			continue;
		if (&o->bind_node == l4->leaving) {
			o->bind_node.pprev = NULL;
			o->bucket = NULL;
			continue;
		}
		hnode_add(&o->bind_node, &o->bucket->owners);
		o->bucket->num_owners++;
	}
}

static void relink_buckets(struct l4_stack *l4, bool is_second)
{
	struct pool *pool = &l4->stack->pools->bind_bucket;
	struct bind_bucket *b;
	uint32_t idx = 0;

	while ((b = pool_next_live(pool, &idx))) {
		if (b->stack != l4->stack)
			continue;
		if (!is_second) {
			b->owners = NULL;
			b->num_owners = 0;
		} else if (b->num_owners) {
			hnode_add(&b->node, &l4->buckets[l4_port_chain(b->port)]);
		} else {
			pool_free(pool, b);
		}
	}
}

void l4_ports_recover(struct lock *l)
{
	struct l4_stack *l4 = container_of(l, struct l4_stack, ports_lock);
	struct arena_pools *pools = l4->stack->pools;

	memset(l4->buckets, 0, sizeof(l4->buckets));
	memset(l4->listeners, 0, sizeof(l4->listeners));
	memset(l4->udp, 0, sizeof(l4->udp));
	relink_sock_chains(l4, &pools->tcp_sock, l4->listeners);
	relink_sock_chains(l4, &pools->udp_sock, l4->udp);
	relink_buckets(l4, false);
	relink_owners(l4, &pools->tcp_sock);
	relink_owners(l4, &pools->tcp_tw);
	relink_buckets(l4, true);
	l4->leaving = NULL;
	l->was_abandoned = 0;
}

/* ---- small things ---- */

enum dst_type l4_addr_type(struct stack *st, const struct ipaddr *a)
{
	return ip_addr_type(st, a);
}

bool l4_get_live(struct conn *c)
{
	uint32_t refs = atomic_load_explicit(&c->refs, memory_order_relaxed);

	while (refs) {
		if (atomic_compare_exchange_weak_explicit(&c->refs, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			return true;
	}
	return false;
}

void l4_conn_put(struct conn *c)
{
	if (c->obj.type == OBJ_TCP_SOCK || c->obj.type == OBJ_UDP_SOCK)
		sock_put((struct sock *)c);
	else if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		l4_conn_free_tab[c->obj.type](c);
}

uint8_t l4_bind_flags_of(const struct sock *sk)
{
	return (uint8_t)((sk->flags & SK_REUSEADDR ? BIND_REUSEADDR : 0) | (sk->flags & SK_REUSEPORT ? BIND_REUSEPORT : 0) |
			 (sk->flags & SK_V6ONLY ? BIND_V6ONLY : 0));
}

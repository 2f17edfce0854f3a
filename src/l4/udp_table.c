/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP sockets by port: binding (T10.R3), lookup (R10.5), delivery to many (R59.5). */
/*
 * How it works
 *
 * One chain per port, newest first: of several sockets that fit equally well the one bound last wins. A
 * connected socket's peer may change while it is hashed; a lookup that meets the change half-way finds no
 * fit, as if the packet had come a moment earlier.
 *
 * Locks: LOCK_PORTS inside; the sock lock may be held. l4_udp_each() calls back without a lock.
 */
#include "l4/l4_int.h"

#include <errno.h>

#define EACH_BATCH 32u /* references held at once */

/* ---- binding ---- */

static bool conflicts(const struct sock *sk, uint16_t port, const struct sock *o)
{
	if (o == sk || o->sport != port)
		return false;
	if (sk->bound_ifindex && o->bound_ifindex && sk->bound_ifindex != o->bound_ifindex)
		return false;
	if (!l4_addr_overlap(&sk->rcv_saddr, sk->flags & SK_V6ONLY, &o->rcv_saddr, o->flags & SK_V6ONLY))
		return false;
	if (sk->flags & o->flags & SK_REUSEADDR)
		return false;
	return !((sk->flags & o->flags & SK_REUSEPORT) && sk->uid == o->uid);
}

static bool is_free(struct l4_stack *l4, const struct sock *sk, uint16_t port)
{
	for (struct hnode *n = l4->udp[l4_port_chain(port)]; n; n = n->next)
		if (conflicts(sk, port, l4_hash_sock(n)))
			return false;
	return true;
}

/* Uniform: a random start and a random odd step reach every residue of 65536, those in the range count. */
static uint16_t choose_port(struct l4_stack *l4, const struct sock *sk)
{
	uint32_t low, high, num, start, step = stack_rand_u32(sk->stack) | 1;

	l4_port_range(sk, &low, &high);
	num = high + 1 - low;
	start = stack_rand_u32(sk->stack);
	for (uint32_t i = 0; i <= UINT16_MAX; i++) {
		uint16_t port = (uint16_t)(start + i * step);

		if (port && port >= low && port < low + num && is_free(l4, sk, port))
			return port;
	}
	return 0;
}

int l4_udp_get_port(struct sock *sk, uint16_t port)
{
	struct l4_stack *l4 = sk->stack->l4;
	int err = 0;

	lock_take(&l4->ports_lock);
	if (!port)
		port = choose_port(l4, sk);
	if (!port || !is_free(l4, sk, port)) {
		err = -EADDRINUSE;
	} else {
		l4_unlink(l4, &sk->hash);
		sk->sport = port;
		hnode_add(&sk->hash, &l4->udp[l4_port_chain(port)]);
	}
	lock_drop(&l4->ports_lock);
	return err;
}

void l4_udp_rehash(struct sock *sk)
{
	struct l4_stack *l4 = sk->stack->l4;

	/* The chain depends on the port alone; taking the lock makes the new addresses visible to lookups. */
	lock_take(&l4->ports_lock);
	DEBUG_CHECK(!sk->sport || hnode_is_hashed(&sk->hash));
	lock_drop(&l4->ports_lock);
}

/* ---- lookup ---- */

struct sock *l4_udp_lookup(struct stack *st, const struct l4_tuple *t)
{
	struct l4_stack *l4 = st->l4;
	struct hnode *chain;
	int best_score = L4_SCORE_NONE;
	struct sock *best = NULL;

	lock_take(&l4->ports_lock);
	chain = l4->udp[l4_port_chain(t->sport)];
	for (struct hnode *n = chain; n; n = n->next) {
		int score = l4_score(l4_hash_sock(n), t);

		if (score > best_score) {
			best_score = score;
			best = l4_hash_sock(n);
		}
	}
	if (best && (best->flags & SK_REUSEPORT) && !best->dport)
		best = l4_pick_group(chain, best, t, best_score);
	if (best && !l4_get_live(&best->conn))
		best = NULL;
	lock_drop(&l4->ports_lock);
	return best;
}

/* References to the matching sockets from the @skip-th on. */
static uint32_t collect(struct l4_stack *l4, const struct l4_tuple *t, uint32_t skip, struct sock **socks)
{
	uint32_t num = 0;

	lock_take(&l4->ports_lock);
	for (struct hnode *n = l4->udp[l4_port_chain(t->sport)]; n && num < EACH_BATCH; n = n->next) {
		struct sock *sk = l4_hash_sock(n);

		if (l4_score(sk, t) == L4_SCORE_NONE || !l4_mc_wants(sk, t))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		if (l4_get_live(&sk->conn))
			socks[num++] = sk;
	}
	lock_drop(&l4->ports_lock);
	return num;
}

uint32_t l4_udp_each(struct stack *st, const struct l4_tuple *t, void (*fn)(struct sock *sk, void *arg), void *arg)
{
	struct sock *socks[EACH_BATCH];
	uint32_t done = 0, num;

	do {
		num = collect(st->l4, t, done, socks);
		for (uint32_t i = 0; i < num; i++) {
			fn(socks[i], arg);
			sock_put(socks[i]);
		}
		done += num;
	} while (num == EACH_BATCH);
	return done;
}

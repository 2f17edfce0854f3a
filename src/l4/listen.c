/* SPDX-License-Identifier: BSD-2-Clause */
/* Listeners by port, and how well a socket fits a packet (R10.2, R10.3). */
/*
 * How it works
 *
 * One chain per port; every socket on it gets a score, the highest wins. Among members of a REUSEPORT group
 * with equal scores the flow's hash decides, scaled to the number of members, so that a flow meets the same
 * member as long as the group stays as it is.
 *
 * Locks: LOCK_PORTS inside.
 */
#include "l4/l4_int.h"

/* What each property is worth: a later one never outweighs an earlier one. */
#define SCORE_CONNECTED 16
#define SCORE_ADDR 8
#define SCORE_DEVICE 4
#define SCORE_V4 2

static bool family_fits(const struct sock *sk, const struct l4_tuple *t)
{
	if (sk->family == AF_INET)
		return ipaddr_is_v4(&t->saddr);
	if (!ipaddr_is_v4(&t->saddr))
		return !ipaddr_is_v4(&sk->rcv_saddr);
	/* An IPv4 packet: a dual-stack socket, unless it is bound to a real IPv6 address. */
	return !(sk->flags & SK_V6ONLY) && (ipaddr_is_any(&sk->rcv_saddr) || ipaddr_is_v4(&sk->rcv_saddr));
}

int l4_score(const struct sock *sk, const struct l4_tuple *t)
{
	int score = sk->family == AF_INET ? SCORE_V4 : 0;

	if (sk->sport != t->sport || !family_fits(sk, t))
		return L4_SCORE_NONE;
	if (!ipaddr_is_any(&sk->rcv_saddr)) {
		if (!ipaddr_eq(&sk->rcv_saddr, &t->saddr))
			return L4_SCORE_NONE;
		score += SCORE_ADDR;
	}
	if (sk->dport) {
		if (sk->dport != t->dport || !ipaddr_eq(&sk->daddr, &t->daddr))
			return L4_SCORE_NONE;
		score += SCORE_CONNECTED;
	}
	if (sk->bound_ifindex) {
		if (sk->bound_ifindex != t->ifindex)
			return L4_SCORE_NONE;
		score += SCORE_DEVICE;
	}
	return score;
}

static bool is_member(const struct sock *sk, const struct sock *first, const struct l4_tuple *t, int score)
{
	return (sk->flags & SK_REUSEPORT) && !sk->dport && sk->uid == first->uid && l4_score(sk, t) == score;
}

struct sock *l4_pick_group(struct hnode *chain, struct sock *first, const struct l4_tuple *t, int score)
{
	uint32_t num = 0, idx;

	for (struct hnode *n = chain; n; n = n->next)
		num += is_member(l4_hash_sock(n), first, t, score);
	idx = (uint32_t)((uint64_t)l4_tuple_hash(first->stack, &t->saddr, t->sport, &t->daddr, t->dport) * num >> 32);
	for (struct hnode *n = chain; n; n = n->next)
		if (is_member(l4_hash_sock(n), first, t, score) && !idx--)
			return l4_hash_sock(n);
	return first;
}

static struct sock *best_listener(struct hnode *chain, const struct l4_tuple *t)
{
	int best_score = L4_SCORE_NONE;
	struct sock *best = NULL;

	for (struct hnode *n = chain; n; n = n->next) {
		int score = l4_score(l4_hash_sock(n), t);

		if (score > best_score) {
			best_score = score;
			best = l4_hash_sock(n);
		}
	}
	if (best && (best->flags & SK_REUSEPORT))
		best = l4_pick_group(chain, best, t, best_score);
	return best;
}

struct sock *l4_lookup_listener(struct stack *st, const struct l4_tuple *t)
{
	struct l4_stack *l4 = st->l4;
	struct sock *sk;

	lock_take(&l4->ports_lock);
	sk = best_listener(l4->listeners[l4_port_chain(t->sport)], t);
	if (sk && !l4_get_live(&sk->conn))
		sk = NULL;
	lock_drop(&l4->ports_lock);
	return sk;
}

void l4_listen_hash(struct sock *sk)
{
	struct l4_stack *l4 = sk->stack->l4;

	lock_take(&l4->ports_lock);
	if (!hnode_is_hashed(&sk->hash))
		hnode_add(&sk->hash, &l4->listeners[l4_port_chain(sk->sport)]);
	lock_drop(&l4->ports_lock);
}

void l4_listen_unhash(struct sock *sk)
{
	struct l4_stack *l4 = sk->stack->l4;

	lock_take(&l4->ports_lock);
	l4_unlink(l4, &sk->hash);
	lock_drop(&l4->ports_lock);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Owners of TCP ports: who may share one (R10.4, R51.7), and bind() to port 0 (T10.R1). */
/*
 * How it works
 *
 * A port that has owners has a bucket; sockets and TIME-WAIT objects are its owners, and the last one that
 * leaves frees it. bind() to port 0 walks the range from a random place, ports of one parity first: odd
 * ones when the range begins at an even port, so that connect(), which begins with the others, seldom
 * collides (RFC 6056 discusses the choices).
 *
 * Locks: LOCK_PORTS inside; the sock lock may be held.
 */
#include "l4/l4_int.h"

#include <errno.h>

/* ---- buckets ---- */

struct bind_bucket *l4_bucket_find(struct l4_stack *l4, uint16_t port)
{
	for (struct hnode *n = l4->buckets[l4_port_chain(port)]; n; n = n->next) {
		struct bind_bucket *b = container_of(n, struct bind_bucket, node);

		if (b->port == port)
			return b;
	}
	return NULL;
}

struct bind_bucket *l4_bucket_new(struct l4_stack *l4, uint16_t port)
{
	struct bind_bucket *b = pool_zalloc(&l4->stack->pools->bind_bucket, POOL_NORMAL);

	if (!b)
		return NULL;
	b->stack = l4->stack;
	b->port = port;
	hnode_add(&b->node, &l4->buckets[l4_port_chain(port)]);
	return b;
}

void l4_bucket_join(struct bind_bucket *b, struct bound *owner, uint8_t flags)
{
	owner->conn.bind_flags = flags;
	owner->bucket = b;
	hnode_add(&owner->bind_node, &b->owners);
	b->num_owners++;
}

static void free_if_unused(struct l4_stack *l4, struct bind_bucket *b)
{
	if (b->num_owners)
		return;
	hnode_del(&b->node);
	pool_free(&l4->stack->pools->bind_bucket, b);
}

void l4_bucket_leave(struct l4_stack *l4, struct bound *owner)
{
	struct bind_bucket *b = owner->bucket;

	l4_unlink(l4, &owner->bind_node);
	owner->bucket = NULL;
	b->num_owners--;
	free_if_unused(l4, b);
}

/* ---- conflicts ---- */

static bool is_tw(const struct bound *o) { return o->conn.obj.type == OBJ_TCP_TW; }

static const struct ipaddr *owner_addr(const struct bound *o)
{
	return is_tw(o) ? &o->conn.saddr : &((const struct sock *)o)->rcv_saddr;
}

static bool devices_overlap(const struct conn *a, const struct conn *b)
{
	return !a->bound_ifindex || !b->bound_ifindex || a->bound_ifindex == b->bound_ifindex;
}

/* Options as they are now; a TIME-WAIT object keeps those of its socket. */
static uint8_t owner_flags(const struct bound *o)
{
	return is_tw(o) ? o->conn.bind_flags : l4_bind_flags_of((const struct sock *)o);
}

/*
 * May @sk join an owner whose address overlaps its own?
 * @is_strict: choosing a port: SO_REUSEADDR alone is not a reason to sit down beside somebody
 */
static bool may_share(const struct sock *sk, const struct bound *o, bool is_strict)
{
	uint8_t both = l4_bind_flags_of(sk) & owner_flags(o);

	if (is_strict)
		return false;
	if ((both & BIND_REUSEADDR) && o->conn.state != TCP_LISTEN)
		return true;
	return (both & BIND_REUSEPORT) && (is_tw(o) || ((const struct sock *)o)->uid == sk->uid);
}

static bool has_conflict(const struct sock *sk, const struct bind_bucket *b, bool is_strict)
{
	for (struct hnode *n = b->owners; n; n = n->next) {
		const struct bound *o = container_of(n, struct bound, bind_node);

		if (&o->conn == &sk->conn || !devices_overlap(&o->conn, &sk->conn))
			continue;
		if (l4_addr_overlap(&sk->rcv_saddr, sk->flags & SK_V6ONLY, owner_addr(o), owner_flags(o) & BIND_V6ONLY) &&
		    !may_share(sk, o, is_strict))
			return true;
	}
	return false;
}

/* ---- bind() to port 0 (T10.R1) ---- */

static bool is_free(struct l4_stack *l4, const struct sock *sk, uint16_t port, bool is_strict)
{
	struct bind_bucket *b = l4_bucket_find(l4, port);

	return !b || !has_conflict(sk, b, is_strict);
}

/* [low, end): one parity, then the other. 0: none free. */
static uint16_t walk_range(struct l4_stack *l4, const struct sock *sk, uint32_t low, uint32_t end, bool is_strict)
{
	uint32_t num = end - low, start;

	if (num > 1)
		num &= ~1u;
	start = stack_rand_below(sk->stack, num) | 1;
	for (int pass = 0; pass < 2; pass++, start--) {
		uint32_t port = low + start;

		for (uint32_t i = 0; i < num; i += 2, port += 2) {
			if (port >= low + num)
				port -= num;
			if (is_free(l4, sk, (uint16_t)port, is_strict))
				return (uint16_t)port;
		}
	}
	return 0;
}

static uint16_t choose_port(struct l4_stack *l4, const struct sock *sk)
{
	bool may_relax = sk->stack->sysctl.ip_autobind_reuse;
	uint32_t low, high, end, half;
	uint16_t port = 0;

	l4_port_range(sk, &low, &high);
	end = high + 1;
	half = low + ((end - low) >> 2) * 2;
	for (int relaxed = 0; !port && relaxed <= (int)may_relax; relaxed++) {
		bool is_strict = !relaxed;

		if ((sk->flags & SK_REUSEADDR) && end - low >= 4) {
			port = walk_range(l4, sk, low, half, is_strict);
			if (!port)
				port = walk_range(l4, sk, half, end, is_strict);
		} else {
			port = walk_range(l4, sk, low, end, is_strict);
		}
	}
	return port;
}

/* ---- entry points ---- */

static int get_port_locked(struct l4_stack *l4, struct sock *sk, uint16_t port)
{
	struct bind_bucket *b;

	if (!port) {
		port = choose_port(l4, sk);
		if (!port)
			return -EADDRINUSE;
	}
	b = l4_bucket_find(l4, port);
	if (b && has_conflict(sk, b, false))
		return -EADDRINUSE;
	if (sk->bucket)
		return 0; /* listen(): it is an owner already */
	if (!b)
		b = l4_bucket_new(l4, port);
	if (!b)
		return -ENOMEM;
	b->is_connect_only = false;
	sk->sport = port;
	l4_bucket_join(b, (struct bound *)sk, l4_bind_flags_of(sk));
	return 0;
}

int l4_tcp_get_port(struct sock *sk, uint16_t port)
{
	struct l4_stack *l4 = sk->stack->l4;
	int err;

	lock_take(&l4->ports_lock);
	err = get_port_locked(l4, sk, port);
	lock_drop(&l4->ports_lock);
	return err;
}

void l4_put_port(struct sock *sk)
{
	struct l4_stack *l4 = sk->stack->l4;

	lock_take(&l4->ports_lock);
	if (sk->proto == PROTO_UDP) {
		l4_unlink(l4, &sk->hash);
		sk->sport = 0;
	} else if (sk->bucket) {
		l4_bucket_leave(l4, (struct bound *)sk);
	}
	lock_drop(&l4->ports_lock);
}

int l4_inherit_port(struct sock *child, const struct sock *listener)
{
	struct l4_stack *l4 = child->stack->l4;
	struct bind_bucket *b;

	lock_take(&l4->ports_lock);
	b = listener->bucket;
	if (!b || b->port != child->sport)
		b = l4_bucket_find(l4, child->sport);
	if (!b)
		b = l4_bucket_new(l4, child->sport);
	if (b)
		l4_bucket_join(b, (struct bound *)child, l4_bind_flags_of(child));
	lock_drop(&l4->ports_lock);
	return b ? 0 : -ENOMEM;
}

void l4_bind_node_move(struct sock *sk, struct hnode *node, struct bind_bucket **ret_bucket)
{
	struct l4_stack *l4 = sk->stack->l4;

	lock_take(&l4->ports_lock);
	*ret_bucket = NULL;
	if (sk->bucket) {
		struct bound *tw = container_of(node, struct bound, bind_node);

		DEBUG_CHECK(ret_bucket == &tw->bucket);
		l4_bucket_join(sk->bucket, tw, l4_bind_flags_of(sk));
	}
	lock_drop(&l4->ports_lock);
}

void l4_bind_node_remove(struct stack *st, struct hnode *node, struct bind_bucket *bucket)
{
	struct bound *tw = container_of(node, struct bound, bind_node);

	lock_take(&st->l4->ports_lock);
	if (tw->bucket == bucket && bucket)
		l4_bucket_leave(st->l4, tw);
	lock_drop(&st->l4->ports_lock);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* connect() without bind(): a local port by the double hash of RFC 6056 section 3.3.4 (T10.R2). */
/*
 * How it works
 *
 * A keyed hash of addresses, remote port and a 10-second epoch gives a place in the range and a counter.
 * The walk begins at place plus counter, even distances first, and takes the first port whose four-tuple
 * is free; the counter then moves on, so that the next connect() to the same peer begins behind it. Ports
 * with bind() users are left alone.
 *
 * Locks: LOCK_PORTS, below it the stripe of the tuple.
 */
#include "l4/l4_int.h"

#include <errno.h>

#define EPOCH_NS (10 * NS_PER_S)

/* Who asks, and what happens to a TIME-WAIT owner. */
struct attempt {
	struct sock *sk;
	bool (*may_recycle_tw)(struct conn *tw, void *arg);
	void *arg;
	struct conn **ret_tw;
};

struct dest_bytes {
	struct ipaddr saddr, daddr;
	uint64_t epoch;
	uint64_t dport;
};

static uint64_t dest_hash(const struct sock *sk)
{
	struct dest_bytes b = { .saddr = sk->saddr, .daddr = sk->daddr, .dport = sk->dport,
				.epoch = stack_now_ns(sk->stack) / EPOCH_NS };

	return siphash(&sk->stack->secret, &b, sizeof(b));
}

/* The counters begin at random values: what is stored is what was added since. */
static uint32_t counter_base(const struct stack *st, uint32_t idx)
{
	return (uint32_t)siphash(&st->secret, &idx, sizeof(idx));
}

static int hash_sock(const struct attempt *a)
{
	return l4_ehash_insert(&a->sk->conn, a->may_recycle_tw, a->arg, a->ret_tw);
}

/* 0: taken; -EADDRNOTAVAIL: try another; -ENOMEM. */
static int try_port(struct l4_stack *l4, const struct attempt *a, uint16_t port)
{
	struct bind_bucket *b = l4_bucket_find(l4, port);
	struct sock *sk = a->sk;
	int err;

	if (b && !b->is_connect_only)
		return -EADDRNOTAVAIL;
	if (!b)
		b = l4_bucket_new(l4, port);
	if (!b)
		return -ENOMEM;
	b->is_connect_only = true;
	l4_bucket_join(b, (struct bound *)sk, l4_bind_flags_of(sk));
	sk->sport = port;
	err = hash_sock(a);
	if (err) {
		l4_bucket_leave(l4, (struct bound *)sk);
		sk->sport = 0;
	}
	return err;
}

static int walk(struct l4_stack *l4, const struct attempt *a)
{
	struct stack *st = a->sk->stack;
	uint64_t h = dest_hash(a->sk);
	uint32_t idx = (uint32_t)h & (l4->num_perturb - 1), step = a->sk->inet.local_port_range ? 1 : 2;
	uint32_t low, high, num, start;
	int err = -EADDRNOTAVAIL;

	l4_port_range(a->sk, &low, &high);
	num = high + 1 - low;
	if (num > 1)
		num &= ~1u;
	start = (counter_base(st, idx) + l4->perturb[idx] + (uint32_t)(h >> 32)) % num;
	if (step == 2)
		start &= ~1u;
	for (uint32_t pass = 0; pass < step; pass++, start++) {
		uint32_t port = low + start;

		for (uint32_t i = 0; i < num; i += step, port += step) {
			if (port >= low + num)
				port -= num;
			err = try_port(l4, a, (uint16_t)port);
			if (err == -EADDRNOTAVAIL)
				continue;
			if (!err)
				l4->perturb[idx] += max_u32(i, stack_rand_below(st, 8) * step) + step;
			return err;
		}
	}
	return err;
}

int l4_tcp_connect_port(struct sock *sk, bool (*may_recycle_tw)(struct conn *tw, void *arg), void *arg, struct conn **ret_tw)
{
	struct attempt a = { .sk = sk, .may_recycle_tw = may_recycle_tw, .arg = arg, .ret_tw = ret_tw };
	struct l4_stack *l4 = sk->stack->l4;
	int err;

	if (sk->bucket)
		return hash_sock(&a);
	lock_take(&l4->ports_lock);
	err = walk(l4, &a);
	lock_drop(&l4->ports_lock);
	return err;
}

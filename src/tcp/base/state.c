/* SPDX-License-Identifier: BSD-2-Clause */
/* State changes of a connection with their counters, and numbers an outsider cannot guess. */
/*
 * How it works
 *
 * Every change of state passes tcp_set_state(), so that CurrEstab and EstabResets stay true and a closed
 * socket is never found by a lookup. Initial sequence numbers and timestamp offsets are a keyed hash of
 * the four-tuple (RFC 6528 section 3); the sequence number moves on with the wall clock.
 */
#include "tcp/base/base.h"

#include "core/trace_ids.h"
#include "l4/l4.h"

#define ISN_TICK_SHIFT 6 /* one sequence number per 64 ns (R25.1) */

static bool counts_as_established(uint8_t s)
{
	return s == TCP_ESTABLISHED || s == TCP_CLOSE_WAIT;
}

static void leave_tables(struct sock *sk, uint8_t old)
{
	if (old == TCP_LISTEN)
		l4_listen_unhash(sk);
	else
		l4_ehash_remove(&sk->conn);
	if (sk->bucket && !(sk->flags & SK_BINDPORT_LOCK))
		l4_put_port(sk);
}

void tcp_set_state(struct tcp_sock *tp, enum sock_state s)
{
	struct sock *sk = &tp->sk;
	struct stack *st = sk->stack;
	uint8_t old = sk->state;

	if (old == (uint8_t)s)
		return;
	if (counts_as_established((uint8_t)s) && !counts_as_established(old))
		mib_inc(st, TcpCurrEstab);
	if (!counts_as_established((uint8_t)s) && counts_as_established(old))
		mib_dec(st, TcpCurrEstab);
	if (s == TCP_CLOSE) {
		if (counts_as_established(old))
			mib_inc(st, TcpEstabResets);
		leave_tables(sk, old);
	}
	atomic_store(&sk->state, (uint8_t)s);
	stack_trace_ev(st, TR_TCP_STATE, TR_INSTANT, trace_obj(st, sk, NULL), old, s, 0);
}

/* What the hashes read: no padding, so that equal tuples hash equally. */
struct tuple_bytes {
	struct ipaddr saddr, daddr;
	uint32_t ports;
};

static uint64_t tuple_siphash(const struct siphash_key *key, const struct ipaddr *saddr, const struct ipaddr *daddr,
			      uint16_t sport, uint16_t dport)
{
	struct tuple_bytes b;

	b.saddr = *saddr;
	b.daddr = *daddr;
	b.ports = ((uint32_t)sport << 16) | dport;
	return siphash(key, &b, offsetof(struct tuple_bytes, ports) + sizeof(b.ports));
}

uint32_t tcp_secure_isn(struct stack *st, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport, uint16_t dport)
{
	uint64_t clock = clock_wall_ns(&st->pools->clock) >> ISN_TICK_SHIFT;

	return (uint32_t)tuple_siphash(&st->tcp->isn_key, saddr, daddr, sport, dport) + (uint32_t)clock;
}

uint32_t tcp_secure_ts_offset(struct stack *st, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport,
			      uint16_t dport)
{
	if (st->sysctl.tcp_timestamps != 1)
		return 0;
	return (uint32_t)tuple_siphash(&st->tcp->ts_key, saddr, daddr, sport, dport);
}

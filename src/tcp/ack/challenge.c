/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenge ACKs, and how often invalid segments are answered at all. */
/*
 * How it works
 *
 * Every connection, request and TIME-WAIT object remembers when it last answered an invalid segment and stays
 * silent for tcp_invalid_ratelimit after. Challenge ACKs obey that for every kind of segment, and a limit per
 * second over the whole stack, whose exact quota is drawn anew each second so that nobody can count connections
 * by it. RFC 5961, rules R31.
 */
#include "tcp/ack/ack_int.h"

#include "tcp/out/out.h"

static bool is_too_soon(struct stack *st, enum mib_id skipped, uint64_t *last_oow_ns, uint64_t now_ns)
{
	uint64_t limit_ns = (uint64_t)st->sysctl.tcp_invalid_ratelimit * NS_PER_MS;

	if (*last_oow_ns && now_ns - *last_oow_ns < limit_ns) {
		mib_inc(st, skipped);
		return true;
	}
	*last_oow_ns = now_ns;
	return false;
}

bool tcp_oow_rate_limited(struct stack *st, const struct skb *skb, enum mib_id skipped,
			  uint64_t *last_oow_ns, uint64_t now_ns)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (cb->seq != cb->end_seq && !(cb->flags & TCPH_SYN))
		return false; /* data and FIN are always answered */
	return is_too_soon(st, skipped, last_oow_ns, now_ns);
}

/* One of this second's quota; the first of a second draws the quota. */
static bool take_from_quota(struct stack *st, uint64_t now_ns)
{
	uint64_t limit = (uint64_t)st->sysctl.tcp_challenge_ack_limit;
	uint64_t second = now_ns / NS_PER_S + 1; /* 0: never drawn */
	uint32_t left;

	if (limit == INT32_MAX)
		return true;
	if (atomic_load(&st->tcp->challenge_second) != second) {
		uint32_t half = (uint32_t)((limit + 1) / 2);

		atomic_store(&st->tcp->challenge_second, second);
		atomic_store(&st->tcp->challenge_count,
			     half + (limit ? stack_rand_below(st, (uint32_t)limit) : 0));
	}
	left = atomic_load(&st->tcp->challenge_count);
	while (left)
		if (atomic_compare_exchange_weak(&st->tcp->challenge_count, &left, left - 1))
			return true;
	return false;
}

void tcp_send_challenge_ack(struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;

	if (is_too_soon(st, TcpExtTCPACKSkippedChallenge, &tp->last_oow_ack_ns, tp->now_ns))
		return;
	if (!take_from_quota(st, tp->now_ns))
		return;
	mib_inc(st, TcpExtTCPChallengeACK);
	tcp_send_ack(tp);
}

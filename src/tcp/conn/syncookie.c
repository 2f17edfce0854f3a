/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies: a half-open connection kept in the sequence number instead of in memory (R22). */
/*
 * How it works
 *
 *   ISS = H1(tuple) + peer ISN + (count << 24) + ((H2(tuple, count) + m) mod 2^24)
 *
 * count is the minute, m an index into a small table of segment sizes. The answer brings ISS + 1 back;
 * taking H1 and the peer's number off yields the count the cookie was made at, then H2 yields m. What else
 * was negotiated travels in the low bits of our timestamp.
 *
 * Locks: the listener's, in tcp_cookie_rcv(); the rest is pure.
 */
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "wire/seq.h"

#define COUNT_PERIOD_NS (60 * NS_PER_S)
#define COUNT_SHIFT 24
#define LOW_MASK ((1u << COUNT_SHIFT) - 1)
#define MAX_AGE 2u			       /* counts; 60 to 120 s */
#define VALID_AFTER_LAST_NS (120 * NS_PER_S)   /* the listener must have sent one recently */
#define TS_BITS 6
#define TS_MASK ((1u << TS_BITS) - 1)
#define TS_WSCALE_MASK 0xfu
#define TS_WSCALE_NONE 0xfu
#define TS_SACK 0x10u
#define TS_ECN 0x20u

static const uint16_t mss_v4[] = { 536, 1300, 1440, 1460 };
static const uint16_t mss_v6[] = { 1220, 1420, 1440, 8940 };
_Static_assert(ARRAY_SIZE(mss_v4) == ARRAY_SIZE(mss_v6), "one index for both families");

struct cookie_bytes {
	struct ipaddr saddr, daddr;
	uint32_t ports, count;
};

static uint32_t cookie_hash(const struct siphash_key *key, const struct l4_tuple *t, uint32_t count)
{
	struct cookie_bytes b;

	b.saddr = t->saddr;
	b.daddr = t->daddr;
	b.ports = ((uint32_t)t->sport << 16) | t->dport;
	b.count = count;
	return (uint32_t)siphash(key, &b, offsetof(struct cookie_bytes, count) + sizeof(b.count));
}

static uint32_t present_count(const struct stack *st)
{
	return (uint32_t)(stack_now_ns(st) / COUNT_PERIOD_NS);
}

static const uint16_t *mss_table(const struct l4_tuple *t)
{
	return ipaddr_is_v4(&t->daddr) ? mss_v4 : mss_v6;
}

uint32_t tcp_cookie_make(struct stack *st, const struct l4_tuple *t, uint32_t peer_isn, uint16_t *mss)
{
	const struct siphash_key *key = st->tcp->cookie_key;
	const uint16_t *table = mss_table(t);
	uint32_t count = present_count(st), m = ARRAY_SIZE(mss_v4) - 1;

	while (m && *mss < table[m])
		m--;
	*mss = table[m];
	return cookie_hash(&key[0], t, 0) + peer_isn + (count << COUNT_SHIFT) +
	       ((cookie_hash(&key[1], t, count) + m) & LOW_MASK);
}

uint16_t tcp_cookie_check(struct stack *st, const struct l4_tuple *t, uint32_t peer_isn, uint32_t cookie)
{
	const struct siphash_key *key = st->tcp->cookie_key;
	uint32_t count = present_count(st), age, m;

	cookie -= cookie_hash(&key[0], t, 0) + peer_isn;
	age = (count - (cookie >> COUNT_SHIFT)) & (UINT32_MAX >> COUNT_SHIFT);
	if (age >= MAX_AGE)
		return 0;
	m = (cookie - cookie_hash(&key[1], t, count - age)) & LOW_MASK;
	return m < ARRAY_SIZE(mss_v4) ? mss_table(t)[m] : 0;
}

uint32_t tcp_cookie_tsval(uint32_t now_ms, const struct tcp_req *req)
{
	uint32_t bits = req->wscale_ok ? req->snd_wscale : TS_WSCALE_NONE, ts;

	if (req->sack_ok)
		bits |= TS_SACK;
	if (req->ecn_ok)
		bits |= TS_ECN;
	ts = (now_ms & ~TS_MASK) | bits;
	return ts > now_ms ? ts - (TS_MASK + 1) : ts;
}

bool tcp_cookie_decode_ts(const struct stack *st, uint32_t bits, struct tcp_syn_info *ret)
{
	const struct sysctls *sy = &st->sysctl;

	ret->tstamp_ok = true;
	ret->sack_ok = bits & TS_SACK;
	ret->ecn_ok = bits & TS_ECN;
	ret->wscale_ok = (bits & TS_WSCALE_MASK) != TS_WSCALE_NONE;
	ret->snd_wscale = ret->wscale_ok ? (uint8_t)(bits & TS_WSCALE_MASK) : 0;
	if (ret->snd_wscale > TCP_MAX_WSCALE)
		return false;
	return sy->tcp_timestamps && (!ret->sack_ok || sy->tcp_sack) && (!ret->wscale_ok || sy->tcp_window_scaling) &&
	       (!ret->ecn_ok || sy->tcp_ecn);
}

/* What the ACK says about the SYN it answers for. Return: false: not a connection we offered. */
static bool decode_ack(struct tcp_sock *lsk, const struct skb *skb, struct tcp_syn_info *si)
{
	struct stack *st = lsk->sk.stack;
	struct tcp_options o;
	uint32_t off;

	si->mss = tcp_cookie_check(st, &si->t, tcp_cb(skb)->seq - 1, tcp_cb(skb)->ack_seq - 1);
	if (!si->mss) {
		mib_inc(st, TcpExtSyncookiesFailed);
		return false;
	}
	mib_inc(st, TcpExtSyncookiesRecv);
	tcp_options_parse(tcp_opts_of(skb), tcp_cb(skb)->opt_len, false, &o);
	if (!(o.flags & TCP_OPT_TS) || !o.ts_ecr)
		return true;
	off = tcp_secure_ts_offset(st, &si->t.saddr, &si->t.daddr, si->t.sport, si->t.dport);
	si->ts_val = o.ts_val;
	si->ts_ecr = o.ts_ecr;
	return tcp_cookie_decode_ts(st, (o.ts_ecr - off) & TS_MASK, si);
}

static struct tcp_sock *child_from_cookie(struct tcp_sock *lsk, const struct tcp_syn_info *si, struct skb *skb)
{
	struct tcp_req *req = tcp_req_new(lsk, si, skb);
	struct tcp_sock *child;

	if (!req)
		return NULL;
	/* The request is written from the ACK: what counted as its SYN lies one before. */
	req->rcv_isn = tcp_cb(skb)->seq - 1;
	req->rcv_nxt = req->rcv_isn + 1;
	req->snt_isn = tcp_cb(skb)->ack_seq - 1;
	req->snt_tsval_first = req->snt_tsval_last = si->ts_ecr;
	req->is_cookie = true;
	child = tcp_create_child(lsk, req, NULL, skb);
	tcp_req_put(req);
	return child;
}

void tcp_cookie_rcv(struct tcp_sock *lsk, const struct l4_tuple *t, struct skb *skb)
{
	struct stack *st = lsk->sk.stack;
	struct tcp_syn_info si = { .t = *t };
	struct tcp_sock *child;

	if (!st->sysctl.tcp_syncookies || (tcp_cb(skb)->flags & TCPH_SYN) || !lsk->syncookie_last_ns ||
	    lsk->now_ns > lsk->syncookie_last_ns + VALID_AFTER_LAST_NS || !decode_ack(lsk, skb, &si)) {
		tcp_send_reset_for(st, skb);
		skb_free(st, skb);
		return;
	}
	if (tcp_accept_queue_is_full(lsk)) {
		mib_inc(st, TcpExtListenOverflows);
		mib_inc(st, TcpExtListenDrops);
		skb_free(st, skb);
		return;
	}
	child = child_from_cookie(lsk, &si, skb);
	if (child)
		tcp_child_process(lsk, child, skb);
	else
		skb_free(st, skb);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Half-open connections of a listener: making, retransmitting, finishing and dropping them (R16-R19, R21). */
/*
 * How it works
 *
 * A request is a small object in the established table under state NEW_SYN_RECV. Its fields are guarded
 * by the listener's lock; only the addresses and the listener may be read by a lookup without it. It holds
 * one reference on the listener and one on its route until its own last reference goes.
 *
 * References of a request: one for being in the tables, one for an armed timer, one per lookup.
 */
#include <errno.h>
#include <netinet/in.h>

#include "ip/ip.h"
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "wire/seq.h"

#define MIN_RETRIES_UNDER_LOAD 2 /* R17.3 */
#define PAWS_RST_AGE_NS (60 * NS_PER_S) /* R27.4 */

/* ---- making one ---- */

void tcp_syn_parse(const struct tcp_sock *lsk, const struct skb *skb, struct tcp_syn_info *ret)
{
	const struct sysctls *sy = &lsk->sk.stack->sysctl;
	struct tcp_options o;
	uint8_t flags = tcp_cb(skb)->flags;

	tcp_options_parse(tcp_opts_of(skb), tcp_cb(skb)->opt_len, true, &o);
	ret->mss = (o.flags & TCP_OPT_MSS) ? o.mss : TCP_MSS_DEFAULT;
	if (lsk->rx.user_mss && lsk->rx.user_mss < ret->mss)
		ret->mss = lsk->rx.user_mss;
	ret->wscale_ok = (o.flags & TCP_OPT_WSCALE) && sy->tcp_window_scaling;
	ret->snd_wscale = ret->wscale_ok ? o.wscale : 0;
	ret->sack_ok = (o.flags & TCP_OPT_SACK_PERM) && sy->tcp_sack;
	ret->tstamp_ok = (o.flags & TCP_OPT_TS) && sy->tcp_timestamps;
	ret->ts_val = o.ts_val;
	ret->ts_ecr = o.ts_ecr;
	/* An ECN-setup SYN asks with both flags and is itself not marked (RFC 3168 section 6.1.1). */
	ret->ecn_ok = (flags & TCPH_ECE) && (flags & TCPH_CWR) && !(tcp_cb(skb)->ds & 3) && sy->tcp_ecn;
}

static struct dst *req_route(struct tcp_sock *lsk, const struct tcp_syn_info *si, const struct skb *syn)
{
	struct sock *sk = &lsk->sk;
	struct flow fl = {
		.saddr = si->t.saddr, .daddr = si->t.daddr, .sport = si->t.sport, .dport = si->t.dport,
		.oif = sk->bound_ifindex, .mark = sk->mark, .proto = IPPROTO_TCP,
		.tos = sk->stack->sysctl.tcp_reflect_tos ? (uint8_t)(tcp_cb(syn)->ds & ~3u) : sk->inet.tos,
	};
	struct dst *d;

	if (!fl.oif && ipaddr_needs_scope(&fl.daddr))
		fl.oif = si->t.ifindex;
	return ip_route_output(sk->stack, &fl, &d) ? NULL : d;
}

/* R37: what window the SYN-ACK offers. */
static void req_window(struct tcp_sock *lsk, struct tcp_req *req)
{
	struct stack *st = lsk->sk.stack;
	const struct dst_metrics *m = &req->dst->metrics;
	uint32_t full = tcp_full_space(lsk), mss = ip_dst_advmss(st, req->dst, req->conn.is_v4_path);

	if (lsk->rx.user_mss)
		mss = min_u32(mss, lsk->rx.user_mss);
	req->window_clamp = lsk->window_clamp ? lsk->window_clamp : m->window;
	if ((lsk->sk.flags & SK_RCVBUF_LOCK) && (req->window_clamp > full || !req->window_clamp))
		req->window_clamp = full;
	tcp_select_initial_window(st, full, mss - (req->tstamp_ok ? TCP_OPTLEN_TS : 0), req->wscale_ok, m->initrwnd,
				  &req->window_clamp, &req->rcv_wnd, &req->rcv_wscale);
}

static void req_name(struct tcp_sock *lsk, struct tcp_req *req, const struct l4_tuple *t)
{
	struct conn *c = &req->conn;

	c->stack = lsk->sk.stack;
	c->saddr = t->saddr;
	c->daddr = t->daddr;
	c->sport = t->sport;
	c->dport = t->dport;
	c->family = lsk->sk.family;
	c->proto = PROTO_TCP;
	c->is_v4_path = ipaddr_is_v4(&t->daddr);
	c->bound_ifindex = lsk->sk.bound_ifindex;
	if (!c->bound_ifindex && ipaddr_needs_scope(&t->daddr))
		c->bound_ifindex = t->ifindex;
	c->hash_val = l4_tuple_hash(c->stack, &t->saddr, t->sport, &t->daddr, t->dport);
	atomic_init(&c->state, TCP_NEW_SYN_RECV);
	atomic_init(&c->refs, 1);
	hnode_init(&c->hash);
}

struct tcp_req *tcp_req_new(struct tcp_sock *lsk, const struct tcp_syn_info *si, const struct skb *syn)
{
	struct stack *st = lsk->sk.stack;
	struct dst *d = req_route(lsk, si, syn);
	struct tcp_req *req;

	if (!d)
		return NULL;
	req = pool_zalloc(&st->pools->tcp_req, POOL_NORMAL);
	if (!req) {
		dst_put(d);
		mib_inc(st, NaruNoMemDrops);
		return NULL;
	}
	req_name(lsk, req, &si->t);
	sock_get(&lsk->sk);
	req->listener = &lsk->sk;
	req->dst = d;
	list_init(&req->node);
	timer_init(&req->timer, TIMER_TCP_REQ);
	req->rcv_isn = tcp_cb(syn)->seq;
	req->rcv_nxt = req->rcv_isn + 1;
	req->mss = si->mss;
	req->tstamp_ok = si->tstamp_ok;
	req->sack_ok = si->sack_ok;
	req->wscale_ok = si->wscale_ok;
	req->snd_wscale = si->wscale_ok ? si->snd_wscale : 0;
	req->ecn_ok = si->ecn_ok;
	req->ts_recent = si->tstamp_ok ? si->ts_val : 0;
	req->ts_offset = tcp_secure_ts_offset(st, &si->t.saddr, &si->t.daddr, si->t.sport, si->t.dport);
	req->mark = st->sysctl.tcp_fwmark_accept && syn->mark ? syn->mark : lsk->sk.mark;
	req->tos_in = tcp_cb(syn)->ds;
	req->ifindex = req->conn.bound_ifindex;
	req->timeout_ns = TCP_RTO_INIT_NS;
	req_window(lsk, req);
	return req;
}

/* ---- tables and references ---- */

void tcp_req_free(struct conn *c)
{
	struct tcp_req *req = (struct tcp_req *)c;

	dst_put(req->dst);
	sock_put(req->listener);
	pool_free(&c->stack->pools->tcp_req, req);
}

void tcp_req_put(struct tcp_req *req)
{
	if (atomic_fetch_sub_explicit(&req->conn.refs, 1, memory_order_acq_rel) == 1)
		tcp_req_free(&req->conn);
}

static void req_get(struct tcp_req *req)
{
	atomic_fetch_add_explicit(&req->conn.refs, 1, memory_order_relaxed);
}

/* Doubles per timeout; the RTO maximum does not apply (R17.1, C11). */
static uint64_t current_timeout(const struct tcp_req *req)
{
	return req->timeout_ns << req->num_timeout;
}

static void arm_timer(struct tcp_req *req, uint64_t expires_ns)
{
	struct stack *st = req->conn.stack;

	req->expires_ns = expires_ns;
	if (timer_arm(&st->timers, &req->timer, stack_tick_at(st, expires_ns)))
		req_get(req);
}

int tcp_req_add(struct tcp_sock *lsk, struct tcp_req *req)
{
	int err = l4_ehash_insert(&req->conn, NULL, NULL, NULL);

	if (err)
		return err;
	list_add_tail(&req->node, &lsk->req_list);
	lsk->num_reqs++;
	lsk->num_young_reqs++;
	arm_timer(req, lsk->now_ns + current_timeout(req));
	return 0;
}

/* Out of the listener's list; the table is the caller's business. */
static void unlink_req(struct tcp_sock *lsk, struct tcp_req *req)
{
	if (list_is_empty(&req->node))
		return;
	list_del(&req->node);
	lsk->num_reqs--;
	if (!req->num_timeout)
		lsk->num_young_reqs--;
	if (timer_cancel(&req->conn.stack->timers, &req->timer))
		tcp_req_put(req);
	tcp_req_put(req); /* the tables' */
}

void tcp_req_drop(struct tcp_sock *lsk, struct tcp_req *req)
{
	l4_ehash_remove(&req->conn);
	unlink_req(lsk, req);
}

/* ---- SYN-ACK retransmission (R17, R21.2) ---- */

uint32_t tcp_synack_retries(const struct tcp_sock *lsk)
{
	return lsk->syn_retries ? lsk->syn_retries : (uint32_t)lsk->sk.stack->sysctl.tcp_synack_retries;
}

/* R17.3: many old requests: give up on them sooner. */
static uint32_t retries_under_load(const struct tcp_sock *lsk)
{
	uint32_t allowed = tcp_synack_retries(lsk), young = lsk->num_young_reqs * 2;

	if (lsk->num_reqs * 2 <= max_u32(8, lsk->max_ack_backlog))
		return allowed;
	while (allowed > MIN_RETRIES_UNDER_LOAD && lsk->num_reqs >= young) {
		allowed--;
		young = young ? young * 2 : 1;
	}
	return allowed;
}

static bool resend_synack(struct tcp_sock *lsk, struct tcp_req *req)
{
	struct stack *st = lsk->sk.stack;

	if (tcp_send_req_synack(st, req, &lsk->sk))
		return false;
	req->num_retrans++;
	mib_inc(st, TcpRetransSegs);
	mib_inc(st, TcpExtTCPSynRetrans);
	return true;
}

/* Return: the request lives on. */
static bool req_timeout(struct tcp_sock *lsk, struct tcp_req *req)
{
	uint32_t allowed = retries_under_load(lsk);
	bool is_over = req->num_timeout >= allowed, resend = true;

	if (lsk->defer_accept) {
		is_over = is_over && (!req->is_acked || req->num_timeout >= lsk->defer_accept);
		resend = !req->is_acked || req->num_timeout + 1 >= lsk->defer_accept;
	}
	mib_inc(lsk->sk.stack, TcpExtTCPTimeouts);
	if (is_over)
		return false;
	if (resend && !resend_synack(lsk, req) && !req->is_acked)
		return false;
	if (!req->num_timeout++)
		lsk->num_young_reqs--;
	arm_timer(req, lsk->now_ns + current_timeout(req));
	return true;
}

void tcp_req_timer(struct stack *st, struct timer *t)
{
	struct tcp_req *req = container_of(t, struct tcp_req, timer);
	struct sock *sk = req->listener;
	struct tcp_sock *lsk = tcp_sk(sk);

	if (!sock_trylock(sk)) {
		/* A call holds the listener: look again at the next tick. */
		if (timer_arm(&st->timers, t, stack_tick_at(st, stack_now_ns(st)) + 1))
			req_get(req);
		tcp_req_put(req);
		return;
	}
	tcp_mstamp_refresh(lsk);
	if (!list_is_empty(&req->node) && sk->state == TCP_LISTEN && !timer_is_armed(t) && !req_timeout(lsk, req))
		tcp_req_drop(lsk, req);
	sock_get(sk);
	tcp_req_put(req);
	sock_release(sk);
	sock_put(sk);
}

/* ---- segments (R18) ---- */

void tcp_req_send_ack(const struct tcp_req *req)
{
	struct stack *st = req->conn.stack;
	struct tcp_reply r = {
		.saddr = req->conn.saddr, .daddr = req->conn.daddr, .sport = req->conn.sport, .dport = req->conn.dport,
		.seq = req->snt_isn + 1, .ack = req->rcv_nxt, .flags = TCPH_ACK, .mark = req->mark,
		.window = (uint16_t)(req->rcv_wnd >> req->rcv_wscale), .oif = req->conn.bound_ifindex,
		.has_ts = req->tstamp_ok, .tsecr = req->ts_recent,
		.tsval = (uint32_t)(stack_now_ns(st) / NS_PER_MS) + req->ts_offset,
	};

	tcp_send_reply(st, &r);
}

/* What the options of a segment say about its age. */
struct ts_view {
	bool has_ts, is_old, is_bad_echo;
	uint32_t val;
};

static struct ts_view look_at_ts(const struct tcp_sock *lsk, const struct tcp_req *req, const struct skb *skb)
{
	struct ts_view v = { 0 };
	struct tcp_options o;
	bool is_rst = tcp_cb(skb)->flags & TCPH_RST;

	if (!req->tstamp_ok)
		return v;
	tcp_options_parse(tcp_opts_of(skb), tcp_cb(skb)->opt_len, false, &o);
	if (!(o.flags & TCP_OPT_TS))
		return v;
	v.has_ts = true;
	v.val = o.ts_val;
	v.is_old = req->ts_recent && (int32_t)(req->ts_recent - o.ts_val) > 1 &&
		   !(is_rst && lsk->now_ns - req->synack_ns >= PAWS_RST_AGE_NS);
	v.is_bad_echo = o.ts_ecr && !seq_between(o.ts_ecr, req->snt_tsval_first, req->snt_tsval_last);
	return v;
}

static bool in_window(uint32_t seq, uint32_t end, uint32_t lo, uint32_t hi)
{
	return seq == lo || (seq_after(end, lo) && seq_before(seq, hi)) || (seq == hi && seq == end);
}

static bool may_answer(const struct tcp_sock *lsk, struct tcp_req *req, const struct skb *skb, enum mib_id skipped)
{
	return !tcp_oow_rate_limited(lsk->sk.stack, skb, skipped, &req->last_oow_ns, lsk->now_ns);
}

static void repeated_syn(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	if (may_answer(lsk, req, skb, TcpExtTCPACKSkippedSynRecv) && resend_synack(lsk, req))
		arm_timer(req, lsk->now_ns + current_timeout(req));
}

static void embryonic_end(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	mib_inc(lsk->sk.stack, TcpAttemptFails);
	mib_inc(lsk->sk.stack, TcpExtEmbryonicRsts);
	tcp_send_reset_for(lsk->sk.stack, skb); /* does not answer a RST */
	tcp_req_drop(lsk, req);
}

/* R19: the handshake is done but nobody may wait for accept(). */
static void overflow(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	struct stack *st = lsk->sk.stack;

	mib_inc(st, TcpExtListenOverflows);
	mib_inc(st, TcpExtListenDrops);
	if (!st->sysctl.tcp_abort_on_overflow) {
		req->is_acked = true;
		return;
	}
	mib_inc(st, TcpExtEmbryonicRsts);
	tcp_send_reset_for(st, skb);
	tcp_req_drop(lsk, req);
}

/* R18.10. CONSUMES when it returns true. */
static bool finish(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	struct tcp_sock *child;

	if (tcp_accept_queue_is_full(lsk)) {
		overflow(lsk, req, skb);
		return false;
	}
	child = tcp_create_child(lsk, req, &req->conn, skb);
	if (!child) {
		mib_inc(lsk->sk.stack, TcpExtListenDrops);
		req->is_acked = true;
		return false;
	}
	unlink_req(lsk, req);
	tcp_child_process(lsk, child, skb);
	return true;
}

/* Rows 1 to 3 of R18: segments that do not even touch the request. Return: handled. */
static bool is_answered_aside(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb, const struct ts_view *ts)
{
	struct stack *st = lsk->sk.stack;
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint8_t flags = cb->flags;

	if (cb->seq == req->rcv_isn && (flags & (TCPH_SYN | TCPH_ACK | TCPH_RST)) == TCPH_SYN && !ts->is_old) {
		repeated_syn(lsk, req, skb);
		return true;
	}
	if ((flags & TCPH_ACK) && !(flags & TCPH_RST) && cb->ack_seq != req->snt_isn + 1) {
		tcp_send_reset_for(st, skb);
		return true;
	}
	if (!ts->is_old && !ts->is_bad_echo &&
	    in_window(cb->seq, cb->end_seq, req->rcv_nxt, req->rcv_nxt + req->rcv_wnd))
		return false;
	if (!(flags & TCPH_RST) && may_answer(lsk, req, skb, TcpExtTCPACKSkippedSynRecv))
		tcp_req_send_ack(req);
	if (ts->is_old)
		mib_inc(st, TcpExtPAWSEstab);
	else if (ts->is_bad_echo)
		mib_inc(st, TcpExtTSEcrRejected);
	return true;
}

/* Return: the segment was consumed. */
static bool judge(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);
	struct ts_view ts = look_at_ts(lsk, req, skb);
	uint8_t flags = cb->flags;

	if (is_answered_aside(lsk, req, skb, &ts))
		return false;
	if (ts.has_ts && !seq_after(cb->seq, req->rcv_nxt))
		req->ts_recent = ts.val;
	if (cb->seq == req->rcv_isn)
		flags &= (uint8_t)~TCPH_SYN; /* the SYN itself lies outside the window */
	if ((flags & TCPH_RST) && cb->seq != req->rcv_nxt) {
		if (may_answer(lsk, req, skb, TcpExtTCPACKSkippedChallenge)) {
			mib_inc(lsk->sk.stack, TcpExtTCPChallengeACK);
			tcp_req_send_ack(req);
		}
		return false;
	}
	if (flags & (TCPH_RST | TCPH_SYN)) {
		embryonic_end(lsk, req, skb);
		return false;
	}
	if (!(flags & TCPH_ACK))
		return false;
	if (req->num_timeout < lsk->defer_accept && cb->end_seq == req->rcv_isn + 1) {
		req->is_acked = true;
		mib_inc(lsk->sk.stack, TcpExtTCPDeferAcceptDrop);
		return false;
	}
	return finish(lsk, req, skb);
}

void tcp_req_rcv(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb)
{
	if (!judge(lsk, req, skb))
		skb_free(lsk->sk.stack, skb);
}

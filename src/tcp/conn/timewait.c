/* SPDX-License-Identifier: BSD-2-Clause */
/* TIME-WAIT, and the FIN-WAIT-2 of closed sockets: small objects that remember a tuple (R51). */
/*
 * How it works
 *
 * The socket is replaced in the established table by an object that holds only what answers need. The
 * object lives as long as its timer is armed: that is its one reference besides lookups.
 *
 * Who may touch what: the fields are written before the object is hashed and afterwards by the pump alone
 * (received segments and the timer run there). connect() reads some of them under the table's stripe when
 * it wants to take the tuple over; a value torn between two segments only decides whether it may.
 * Whoever wins is_killed takes the object out of the tables.
 */
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "wire/seq.h"

#define REOPEN_SEQ_GAP (65535u + 2) /* R51.5: beyond everything the old connection may have sent */
#define PAWS_RST_AGE_S 60u

/* ---- entering and leaving ---- */

static void fill(struct tcp_tw *tw, const struct tcp_sock *tp, enum sock_state substate)
{
	const struct sock *sk = &tp->sk;
	struct conn *c = &tw->conn;

	c->stack = sk->stack;
	c->saddr = sk->saddr;
	c->daddr = sk->daddr;
	c->sport = sk->sport;
	c->dport = sk->dport;
	c->family = sk->family;
	c->proto = PROTO_TCP;
	c->is_v4_path = sk->is_v4_path;
	c->hash_val = sk->hash_val;
	c->bound_ifindex = sk->bound_ifindex;
	atomic_init(&c->state, TCP_TIME_WAIT);
	atomic_init(&c->refs, 1);
	hnode_init(&c->hash);
	hnode_init(&tw->bind_node);
	timer_init(&tw->timer, TIMER_TCP_TW);
	tw->substate = (uint8_t)substate;
	tw->rcv_nxt = tp->rcv_nxt;
	tw->snd_nxt = tp->snd_nxt;
	tw->rcv_wnd = tcp_receive_window(tp);
	tw->rcv_wscale = tp->rx.rcv_wscale;
	tw->ts_recent = tp->rx.ts_recent;
	tw->ts_recent_wall_s = tp->rx.ts_recent_wall_s;
	tw->ts_offset = tp->ts_offset;
	tw->tstamp_ok = tp->rx.tstamp_ok;
	tw->mark = sk->mark;
	tw->flowlabel = sk->inet.flowlabel;
	tw->tos = sk->is_v4_path ? sk->inet.tos : sk->inet.tclass;
	tw->entered_ns = tp->now_ns;
}

static void tw_get(struct tcp_tw *tw)
{
	atomic_fetch_add_explicit(&tw->conn.refs, 1, memory_order_relaxed);
}

void tcp_tw_free(struct conn *c)
{
	pool_free(&c->stack->pools->tcp_tw, c);
}

void tcp_tw_put(struct tcp_tw *tw)
{
	if (atomic_fetch_sub_explicit(&tw->conn.refs, 1, memory_order_acq_rel) == 1)
		tcp_tw_free(&tw->conn);
}

/* Arm for @timeo_ns from now; the timer's reference is the one the object was born with, or a new one. */
static void tw_arm(struct tcp_tw *tw, uint64_t now_ns, uint64_t timeo_ns)
{
	struct stack *st = tw->conn.stack;

	if (timer_arm(&st->timers, &tw->timer, stack_tick_at(st, now_ns + timeo_ns)))
		tw_get(tw);
}

/* Who takes an object out of the tables does it once. Return: it was us. */
static bool tw_leave_tables(struct tcp_tw *tw)
{
	struct stack *st = tw->conn.stack;

	if (atomic_exchange(&tw->is_killed, 1))
		return false;
	l4_ehash_remove(&tw->conn);
	if (tw->bucket)
		l4_bind_node_remove(st, &tw->bind_node, tw->bucket);
	atomic_fetch_sub(&st->num_tw, 1);
	return true;
}

void tcp_tw_kill(struct tcp_tw *tw)
{
	if (!tw_leave_tables(tw))
		return;
	if (timer_cancel(&tw->conn.stack->timers, &tw->timer))
		tcp_tw_put(tw);
}

void tcp_tw_timer(struct stack *st, struct timer *t)
{
	struct tcp_tw *tw = container_of(t, struct tcp_tw, timer);

	if (tw_leave_tables(tw))
		mib_inc(st, TcpExtTW);
	tcp_tw_put(tw);
}

void tcp_time_wait(struct tcp_sock *tp, enum sock_state substate, uint64_t timeo_ns)
{
	struct sock *sk = &tp->sk;
	struct stack *st = sk->stack;
	struct tcp_tw *tw = NULL;

	if ((int64_t)atomic_load(&st->num_tw) < st->sysctl.tcp_max_tw_buckets)
		tw = pool_zalloc(&st->pools->tcp_tw, POOL_RESERVE);
	if (!tw) {
		mib_inc(st, TcpExtTCPTimeWaitOverflow);
		tcp_write_queue_purge(tp);
		tcp_done(tp);
		return;
	}
	fill(tw, tp, substate);
	/* Not shorter than a retransmission or two of the peer's FIN. */
	timeo_ns = max_u64(timeo_ns, tp->rto_ns * 7 / 2);
	if (substate == TCP_TIME_WAIT)
		timeo_ns = TCP_TIMEWAIT_NS;
	atomic_fetch_add(&st->num_tw, 1);
	l4_bind_node_move(sk, &tw->bind_node, &tw->bucket);
	if (l4_ehash_replace(&sk->conn, &tw->conn)) {
		tw_arm(tw, tp->now_ns, timeo_ns);
		tcp_tw_put(tw); /* the timer keeps it */
	} else {
		tw_leave_tables(tw);
		tcp_tw_put(tw);
	}
	tcp_write_queue_purge(tp);
	tcp_done(tp);
}

/* ---- answers ---- */

void tcp_tw_send_ack(const struct tcp_tw *tw)
{
	struct stack *st = tw->conn.stack;
	struct tcp_reply r = {
		.saddr = tw->conn.saddr, .daddr = tw->conn.daddr, .sport = tw->conn.sport, .dport = tw->conn.dport,
		.seq = tw->snd_nxt, .ack = tw->rcv_nxt, .flags = TCPH_ACK, .tos = tw->tos, .mark = tw->mark,
		.flowlabel = tw->flowlabel, .oif = tw->conn.bound_ifindex,
		.window = (uint16_t)min_u32(tw->rcv_wnd >> tw->rcv_wscale, UINT16_MAX),
		.has_ts = tw->tstamp_ok, .tsecr = tw->ts_recent,
		.tsval = (uint32_t)(stack_now_ns(st) / NS_PER_MS) + tw->ts_offset,
	};

	tcp_send_reply(st, &r);
}

/* ---- segments (R51.2-5) ---- */

struct tw_view {
	bool has_ts, is_old; /* timestamp present; it fails the test */
	uint32_t tsval;
	uint64_t now_ns, wall_s;
};

static struct tw_view look(const struct tcp_tw *tw, const struct skb *skb)
{
	struct stack *st = tw->conn.stack;
	struct tw_view v = { .now_ns = stack_now_ns(st), .wall_s = clock_wall_s(&st->pools->clock) };
	bool is_rst = tcp_cb(skb)->flags & TCPH_RST;
	struct tcp_options o;

	if (!tw->tstamp_ok)
		return v;
	tcp_options_parse(tcp_opts_of(skb), tcp_cb(skb)->opt_len, false, &o);
	if (!(o.flags & TCP_OPT_TS))
		return v;
	v.has_ts = true;
	v.tsval = o.ts_val;
	v.is_old = tw->ts_recent && (int32_t)(tw->ts_recent - o.ts_val) > 0 &&
		   !(is_rst && v.wall_s >= tw->ts_recent_wall_s + PAWS_RST_AGE_S);
	return v;
}

static void note_ts(struct tcp_tw *tw, const struct tw_view *v)
{
	if (!v->has_ts)
		return;
	tw->ts_recent = v->tsval;
	tw->ts_recent_wall_s = v->wall_s;
}

static enum tcp_tw_verdict limited_ack(struct tcp_tw *tw, const struct skb *skb, const struct tw_view *v, enum mib_id skipped)
{
	if (tcp_oow_rate_limited(tw->conn.stack, skb, skipped, &tw->last_oow_ns, v->now_ns))
		return TCP_TW_DONE;
	return TCP_TW_ACK;
}

static bool in_window(uint32_t seq, uint32_t end, uint32_t lo, uint32_t hi)
{
	return seq == lo || (seq_after(end, lo) && seq_before(seq, hi)) || (seq == hi && seq == end);
}

static enum tcp_tw_verdict judge_fin_wait2(struct tcp_tw *tw, const struct skb *skb, const struct tw_view *v)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (v->is_old || !in_window(cb->seq, cb->end_seq, tw->rcv_nxt, tw->rcv_nxt + tw->rcv_wnd))
		return limited_ack(tw, skb, v, TcpExtTCPACKSkippedFinWait2);
	if (cb->flags & TCPH_RST) {
		tcp_tw_kill(tw);
		return TCP_TW_DONE;
	}
	if ((cb->flags & TCPH_SYN) && !seq_before(cb->seq, tw->rcv_nxt))
		return TCP_TW_RST;
	if (!(cb->flags & TCPH_ACK) || !seq_after(cb->end_seq, tw->rcv_nxt) || cb->end_seq == cb->seq)
		return TCP_TW_DONE;
	if (!(cb->flags & TCPH_FIN) || cb->end_seq != tw->rcv_nxt + 1)
		return TCP_TW_RST; /* data nobody will read */
	tw->substate = TCP_TIME_WAIT;
	tw->rcv_nxt = cb->end_seq;
	note_ts(tw, v);
	tw_arm(tw, v->now_ns, TCP_TIMEWAIT_NS);
	return TCP_TW_ACK;
}

/* R51.3: at RNXT and nothing in it. */
static enum tcp_tw_verdict judge_exact(struct tcp_tw *tw, const struct skb *skb, const struct tw_view *v)
{
	if (tcp_cb(skb)->flags & TCPH_RST) {
		if (!tw->conn.stack->sysctl.tcp_rfc1337) {
			tcp_tw_kill(tw);
			return TCP_TW_DONE;
		}
	} else {
		tw_arm(tw, v->now_ns, TCP_TIMEWAIT_NS);
	}
	note_ts(tw, v);
	return TCP_TW_DONE;
}

static bool is_newer_syn(const struct tcp_tw *tw, const struct skb *skb, const struct tw_view *v)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if ((cb->flags & (TCPH_SYN | TCPH_RST | TCPH_ACK)) != TCPH_SYN || v->is_old)
		return false;
	return seq_after(cb->seq, tw->rcv_nxt) || (v->has_ts && (int32_t)(tw->ts_recent - v->tsval) < 0);
}

static uint32_t reopen_isn(const struct tcp_tw *tw)
{
	uint32_t isn = tw->snd_nxt + REOPEN_SEQ_GAP;

	return isn ? isn : 1;
}

enum tcp_tw_verdict tcp_tw_judge(struct tcp_tw *tw, const struct skb *skb, uint32_t *ret_isn)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	struct tw_view v = look(tw, skb);

	if (tw->substate == TCP_FIN_WAIT2)
		return judge_fin_wait2(tw, skb, &v);
	if (!v.is_old && cb->seq == tw->rcv_nxt && (cb->seq == cb->end_seq || (cb->flags & TCPH_RST)))
		return judge_exact(tw, skb, &v);
	if (is_newer_syn(tw, skb, &v)) {
		*ret_isn = reopen_isn(tw);
		return TCP_TW_SYN;
	}
	if (v.is_old)
		mib_inc(tw->conn.stack, TcpExtPAWSTimewait);
	if (cb->flags & TCPH_RST)
		return TCP_TW_DONE;
	if (v.is_old || (cb->flags & TCPH_ACK))
		tw_arm(tw, v.now_ns, TCP_TIMEWAIT_NS);
	return limited_ack(tw, skb, &v, TcpExtTCPACKSkippedTimeWait);
}

/* ---- taking a tuple over (R51.6, T10.R5) ---- */

static bool auto_reuse_allowed(const struct tcp_tw *tw, const struct stack *st)
{
	const struct sysctls *sy = &st->sysctl;

	if (!sy->tcp_tw_reuse)
		return false;
	if (sy->tcp_tw_reuse == 2 && !ipaddr_is_loopback(&tw->conn.saddr) && !ipaddr_is_loopback(&tw->conn.daddr))
		return false;
	return stack_now_ns(st) - tw->entered_ns >= (uint64_t)sy->tcp_tw_reuse_delay * NS_PER_MS;
}

bool tcp_tw_may_recycle(struct conn *c, void *arg)
{
	struct tcp_sock *tp = arg;
	struct tcp_tw *tw = (struct tcp_tw *)c;
	struct stack *st = tp->sk.stack;

	if (tw->substate != TCP_TIME_WAIT || !tw->tstamp_ok || !tw->ts_recent_wall_s)
		return false;
	if (!(tp->sk.flags & SK_BINDPORT_LOCK) && !auto_reuse_allowed(tw, st))
		return false;
	tp->write_seq = reopen_isn(tw);
	tp->rx.ts_recent = tw->ts_recent;
	tp->rx.ts_recent_wall_s = tw->ts_recent_wall_s;
	mib_inc(st, TcpExtTWRecycled);
	return true;
}

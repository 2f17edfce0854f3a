/* SPDX-License-Identifier: BSD-2-Clause */
/* The active side: connect(), the SYN's preparation, and what answers it (T92, R23, R24). */
/*
 * How it works
 *
 * connect() is a small machine of its own: the first call starts the handshake, later ones wait for it or
 * tell how it went, once (is_connecting). A failed attempt leaves the socket as new, so that it can try
 * again. Segments in SYN-SENT end in one of three ways: established, reset, or a crossed SYN.
 *
 * Locks: the sock lock; given away while waiting.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "ip/ip.h"
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "tcp/in/in.h"
#include "wire/seq.h"

#define RESYN_TICKS 2 /* R23.1 */
#define FINAL_ACK_DELAY_NS TCP_DELACK_MAX_NS

/* ---- starting ---- */

static int find_route(struct sock *sk, const struct inet_addr *to, struct ipaddr *ret_saddr, struct dst **ret)
{
	struct flow fl = {
		.saddr = sk->rcv_saddr, .daddr = to->addr, .sport = sk->sport, .dport = to->port,
		.oif = sk->bound_ifindex, .mark = sk->mark, .proto = IPPROTO_TCP,
		.tos = ipaddr_is_v4(&to->addr) ? sk->inet.tos : sk->inet.tclass,
	};
	struct dst *d;
	int err;

	if (ipaddr_is_any(&fl.daddr))
		fl.daddr = ipaddr_is_v4(&fl.daddr) ? ipaddr_loopback_v4() : ipaddr_loopback_v6();
	if (ipaddr_is_any(&fl.saddr))
		fl.saddr = ipaddr_is_v4(&fl.daddr) ? ipaddr_any_v4() : ipaddr_any_v6();
	else if (ipaddr_is_v4(&fl.saddr) != ipaddr_is_v4(&fl.daddr))
		return -ENETUNREACH; /* bound to an address of the other family */
	if (to->scope_id && ipaddr_needs_scope(&to->addr)) {
		if (fl.oif && fl.oif != to->scope_id)
			return -EINVAL;
		fl.oif = to->scope_id;
	}
	if (ipaddr_needs_scope(&to->addr) && !fl.oif)
		return -EINVAL;
	err = ip_route_output(sk->stack, &fl, &d);
	if (err)
		return err;
	if (d->type == DST_MULTICAST || d->type == DST_BROADCAST) {
		dst_put(d);
		return -ENETUNREACH;
	}
	*ret_saddr = fl.saddr;
	*ret = d;
	return 0;
}

static void forget_peer(struct sock *sk)
{
	sk->dport = 0;
	sk->daddr = sk->family == AF_INET6 ? ipaddr_any_v6() : ipaddr_any_v4();
	if (!(sk->flags & SK_BINDADDR_LOCK)) {
		sk->saddr = sk->rcv_saddr = sk->daddr;
		sk->is_v4_path = sk->family == AF_INET;
	}
	sock_set_dst(sk, NULL);
}

/* Addresses, port, place in the established table. */
static int take_tuple(struct tcp_sock *tp, const struct inet_addr *to)
{
	struct sock *sk = &tp->sk;
	struct conn *tw = NULL;
	struct ipaddr saddr;
	struct dst *d;
	int err = find_route(sk, to, &saddr, &d);

	if (err)
		return err;
	sk->is_v4_path = ipaddr_is_v4(&to->addr);
	if (ipaddr_is_any(&sk->rcv_saddr))
		sk->rcv_saddr = saddr;
	sk->saddr = saddr;
	sk->daddr = ipaddr_is_any(&to->addr) ? saddr : to->addr;
	sk->dport = to->port;
	if (to->scope_id && ipaddr_needs_scope(&to->addr))
		sk->bound_ifindex = to->scope_id;
	sock_set_dst(sk, d);
	atomic_store(&sk->state, TCP_SYN_SENT); /* before hashing: lookups see a connection */
	err = l4_tcp_connect_port(sk, tcp_tw_may_recycle, tp, &tw);
	if (tw) {
		tcp_tw_kill((struct tcp_tw *)tw);
		tcp_tw_put((struct tcp_tw *)tw);
	}
	if (!err)
		return 0;
	atomic_store(&sk->state, TCP_CLOSE);
	forget_peer(sk);
	return err;
}

/* T92.4 */
static void prepare(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	struct stack *st = sk->stack;
	const struct dst_metrics *m = &sk->dst->metrics;
	uint32_t adv, full = tcp_full_space(tp), ts_len = st->sysctl.tcp_timestamps ? TCP_OPTLEN_TS : 0;

	if (!tp->write_seq) /* else a recycled TIME-WAIT object or the connection before gave it */
		tp->write_seq = tcp_secure_isn(st, &sk->saddr, &sk->daddr, sk->sport, sk->dport);
	tp->ts_offset = tcp_secure_ts_offset(st, &sk->saddr, &sk->daddr, sk->sport, sk->dport);
	sk->ip_id = (uint16_t)stack_rand_u32(st);
	tp->snt_isn = tp->write_seq;
	tp->tcp_header_len = (uint16_t)(TCP_HDR_LEN + ts_len);
	tp->rx.mss_clamp = tp->rx.user_mss ? tp->rx.user_mss : TCP_MSS_DEFAULT;
	tp->max_window = 0;
	tcp_mtup_init(tp);
	tcp_sync_mss(tp, dst_mtu(sk->dst));
	adv = ip_dst_advmss(st, sk->dst, sk->is_v4_path);
	if (tp->rx.user_mss)
		adv = min_u32(adv, tp->rx.user_mss);
	tp->advmss = (uint16_t)adv;
	if (!tp->window_clamp)
		tp->window_clamp = m->window;
	if ((sk->flags & SK_RCVBUF_LOCK) && (tp->window_clamp > full || !tp->window_clamp))
		tp->window_clamp = full;
	tcp_select_initial_window(st, full, adv - ts_len, st->sysctl.tcp_window_scaling != 0, m->initrwnd, &tp->window_clamp,
				  &tp->rcv_wnd, &tp->rx.rcv_wscale);
	tcp_initialize_rcv_mss(tp);
	tp->rcv_ssthresh = tp->rcv_wnd;
	tp->snd_wnd = tp->snd_wl1 = 0;
	tp->snd_una = tp->snd_nxt = tp->snd_sml = tp->snd_up = tp->pushed_seq = tp->rtt_seq = tp->write_seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = 0;
	tp->retransmits = 0;
	tcp_clear_retrans(tp);
	tcp_init_rtt(tp);
	sk->err_soft = 0;
	sk->flags &= ~SK_DONE;
	tp->is_passive = false;
}

static int start_connect(struct tcp_sock *tp, const struct inet_addr *to)
{
	int err;

	tcp_mstamp_refresh(tp);
	err = take_tuple(tp, to);
	if (err)
		return err;
	prepare(tp);
	err = tcp_send_syn(tp);
	if (err) {
		tcp_write_queue_purge(tp);
		tcp_set_state(tp, TCP_CLOSE);
		tcp_clear_timers(tp);
		forget_peer(&tp->sk);
	}
	return err;
}

/* ---- the call (T92.6) ---- */

static bool is_handshaking(const struct tcp_sock *tp)
{
	return TCPF(tp->sk.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV));
}

static int wait_for_handshake(struct tcp_sock *tp, int64_t timeo_ns, int would_block)
{
	struct sock *sk = &tp->sk;

	while (is_handshaking(tp)) {
		uint32_t ticket = waitq_begin(&sk->wq);
		int err;

		if (!timeo_ns) {
			waitq_end(&sk->wq);
			return would_block;
		}
		err = tcp_wait(tp, ticket, &timeo_ns);
		if (err)
			return err == -EAGAIN ? would_block : err;
	}
	return 0;
}

static int connect_failed(struct tcp_sock *tp)
{
	int err = sock_error(&tp->sk);

	tp->is_connecting = false;
	(void)tcp_disconnect(&tp->sk);
	return err ? err : -ECONNABORTED;
}

int tcp_connect(struct sock *sk, const struct inet_addr *to, int64_t timeo_ns)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int would_block = -EALREADY, err;

	if (!tp->is_connecting) {
		if (sk->state != TCP_CLOSE || tp->is_associated)
			return -EISCONN;
		err = start_connect(tp, to);
		if (err)
			return err;
		tp->is_connecting = true;
		would_block = -EINPROGRESS;
	}
	err = wait_for_handshake(tp, timeo_ns, would_block);
	if (err)
		return err;
	if (sk->state == TCP_CLOSE)
		return connect_failed(tp);
	tp->is_connecting = false;
	tp->is_associated = true;
	return 0;
}

/* ---- SYN-SENT (R23) ---- */

void tcp_enter_established(struct tcp_sock *tp)
{
	tcp_init_metrics_at_establish(tp);
	tcp_init_buffer_space(tp);
}

void tcp_finish_connect(struct tcp_sock *tp, struct skb *skb)
{
	struct sock *sk = &tp->sk;
	uint32_t idle_s = tp->keepalive_time_s;

	(void)skb;
	tcp_set_state(tp, TCP_ESTABLISHED);
	tp->lrcvtime_ns = tp->now_ns;
	tcp_enter_established(tp);
	tp->lsndtime_ns = tp->now_ns;
	if (!idle_s)
		idle_s = (uint32_t)sk->stack->sysctl.tcp_keepalive_time;
	if (sk->flags & SK_KEEPOPEN)
		tcp_reset_keepalive_timer(tp, (uint64_t)idle_s * NS_PER_S);
}

/* What both kinds of answer settle. */
static void take_syn_options(struct tcp_sock *tp, const struct tcp_options *o)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;
	uint16_t mss = (o->flags & TCP_OPT_MSS) ? o->mss : TCP_MSS_DEFAULT;

	if (tp->rx.user_mss && tp->rx.user_mss < mss)
		mss = tp->rx.user_mss;
	tp->rx.mss_clamp = mss;
	tp->rx.sack_ok = (o->flags & TCP_OPT_SACK_PERM) && sy->tcp_sack;
	tp->rx.wscale_ok = (o->flags & TCP_OPT_WSCALE) && sy->tcp_window_scaling;
	tp->rx.snd_wscale = tp->rx.wscale_ok ? o->wscale : 0;
	if (!tp->rx.wscale_ok) {
		tp->rx.rcv_wscale = 0;
		tp->window_clamp = min_u32(tp->window_clamp, UINT16_MAX);
	}
	tp->rx.tstamp_ok = (o->flags & TCP_OPT_TS) && sy->tcp_timestamps;
	tp->rx.saw_tstamp = tp->rx.tstamp_ok;
	tp->tcp_header_len = TCP_HDR_LEN;
	if (tp->rx.tstamp_ok) {
		tp->tcp_header_len += TCP_OPTLEN_TS;
		tp->rx.rcv_tsval = tp->rx.ts_recent = o->ts_val;
		tp->rx.rcv_tsecr = o->ts_ecr;
		tp->rx.ts_recent_wall_s = clock_wall_s(&tp->sk.stack->pools->clock);
	}
}

static void take_peer_isn(struct tcp_sock *tp, const struct skb *skb)
{
	tp->rcv_isn = tcp_cb(skb)->seq;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = tp->rcv_isn + 1;
}

static void resize_segments(struct tcp_sock *tp)
{
	tcp_mtup_init(tp);
	tcp_sync_mss(tp, tp->pmtu_cookie);
	tcp_initialize_rcv_mss(tp);
}

/* T52.1: the peer says yes with ECE alone. */
static void settle_ecn(struct tcp_sock *tp, uint8_t flags, uint8_t want)
{
	if ((flags & (TCPH_ECE | TCPH_CWR)) != want)
		tp->ecn_flags &= (uint8_t)~TCP_ECN_OK;
	tp->rx.ecn_ok = tp->ecn_flags & TCP_ECN_OK;
}

/* T92.7: someone will send data in a moment: let it carry the last ACK of the handshake. */
static bool is_final_ack_delayed(const struct tcp_sock *tp)
{
	return tp->is_writer_waiting || tp->defer_accept ||
	       (int64_t)tp->pingpong >= tp->sk.stack->sysctl.tcp_pingpong_thresh;
}

static void rcv_synack(struct tcp_sock *tp, struct skb *skb, const struct tcp_options *o)
{
	struct sock *sk = &tp->sk;

	settle_ecn(tp, tcp_cb(skb)->flags, TCPH_ECE);
	tp->snd_wl1 = tcp_cb(skb)->seq;
	take_syn_options(tp, o);
	if (tp->rx.tstamp_ok)
		tp->advmss -= TCP_OPTLEN_TS;
	(void)tcp_ack(tp, skb, TCP_ACK_SLOWPATH);
	take_peer_isn(tp, skb);
	tp->snd_wnd = tcp_window_of(skb); /* never scaled in a SYN */
	resize_segments(tp);
	tcp_finish_connect(tp, skb);
	if (is_final_ack_delayed(tp)) {
		tcp_enter_quickack_mode(tp, TCP_MAX_QUICKACKS);
		tcp_reset_delack_timer(tp, tp->now_ns + FINAL_ACK_DELAY_NS);
	} else {
		tcp_send_ack(tp);
	}
	sock_wake(sk, EPOLLOUT | EPOLLWRNORM);
}

/* R24.1 */
static void rcv_crossed_syn(struct tcp_sock *tp, struct skb *skb, const struct tcp_options *o)
{
	take_syn_options(tp, o);
	take_peer_isn(tp, skb);
	tcp_set_state(tp, TCP_SYN_RECV);
	tp->snd_wnd = tp->max_window = tcp_window_of(skb);
	tp->snd_wl1 = tcp_cb(skb)->seq;
	settle_ecn(tp, tcp_cb(skb)->flags, TCPH_ECE | TCPH_CWR);
	resize_segments(tp);
	(void)tcp_send_synack(tp);
}

static bool echo_is_ours(const struct tcp_sock *tp, const struct tcp_options *o)
{
	if (!(o->flags & TCP_OPT_TS) || !o->ts_ecr || !tp->sk.stack->sysctl.tcp_timestamps)
		return true;
	return seq_between(o->ts_ecr, tcp_time_stamp(tp, tp->syn_stamp_ns), tcp_time_stamp(tp, tp->now_ns));
}

static void refuse_answer(struct tcp_sock *tp, struct skb *skb)
{
	tcp_send_reset_for(tp->sk.stack, skb); /* not to a RST */
}

static void rcv_with_ack(struct tcp_sock *tp, struct skb *skb, const struct tcp_options *o)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (!seq_after(cb->ack_seq, tp->snd_una) || seq_after(cb->ack_seq, tp->snd_nxt)) {
		if (!tp->retransmits)
			tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, RESYN_TICKS * tcp_tick_ns(tp));
		refuse_answer(tp, skb);
	} else if (!echo_is_ours(tp, o)) {
		mib_inc(tp->sk.stack, TcpExtPAWSActive);
		refuse_answer(tp, skb);
	} else if (cb->flags & TCPH_RST) {
		tcp_reset(tp);
	} else if (cb->flags & TCPH_SYN) {
		rcv_synack(tp, skb, o);
	}
}

void tcp_rcv_synsent(struct tcp_sock *tp, struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	struct tcp_options o;

	tcp_options_parse(tcp_opts_of(skb), cb->opt_len, true, &o);
	if (cb->flags & TCPH_ACK)
		rcv_with_ack(tp, skb, &o);
	else if (!(cb->flags & TCPH_RST) && (cb->flags & TCPH_SYN))
		rcv_crossed_syn(tp, skb, &o);
	skb_free(tp->sk.stack, skb);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket a finished passive handshake becomes (R20, T92.8). */
/*
 * How it works
 *
 * The child gets the listener's options as they are now and the numbers of the request. It is locked
 * before it becomes visible in the established table, where it takes the request's place, so the segment
 * that completed the handshake is the first it processes. The accept queue owns its only reference.
 *
 * Locks: listener, then child. Both are held on return of tcp_create_child().
 */
#include <netinet/in.h>
#include <sys/epoll.h>

#include "ip/ip.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "tcp/in/in.h"
#include "wire/seq.h"

/* Flags a child takes over; what concerns error state, address ownership or death is its own. */
#define INHERITED_FLAGS                                                                            \
	(SK_KEEPOPEN | SK_LINGER | SK_DONTROUTE | SK_OOBINLINE | SK_ZEROCOPY | SK_SNDBUF_LOCK | SK_RCVBUF_LOCK | \
	 SK_REUSEADDR | SK_REUSEPORT | SK_TIMESTAMP | SK_TIMESTAMPNS | SK_V6ONLY | SK_RECVERR | SK_RECVERR6 | \
	 SK_FREEBIND | SK_TRANSPARENT | SK_BINDADDR_LOCK)

static void inherit_sock(struct sock *sk, const struct sock *l)
{
	sk->flags = l->flags & INHERITED_FLAGS;
	sk->uid = l->uid;
	sk->sndbuf = l->sndbuf;
	sk->rcvbuf = l->rcvbuf;
	sk->rcvlowat = l->rcvlowat;
	sk->max_pacing_Bps = l->max_pacing_Bps;
	sk->pacing_Bps = l->pacing_Bps;
	sk->pacing_status = l->pacing_status;
	sk->sndtimeo_ns = l->sndtimeo_ns;
	sk->rcvtimeo_ns = l->rcvtimeo_ns;
	sk->linger_s = l->linger_s;
	sk->tsflags = l->tsflags;
	sk->peek_off = l->peek_off;
	sk->incoming_cpu = l->incoming_cpu;
	sk->inet = l->inet;
}

static void inherit_tcp(struct tcp_sock *tp, const struct tcp_sock *l)
{
	tp->nonagle = l->nonagle;
	tp->rx.user_mss = l->rx.user_mss;
	tp->rto_min_ns = l->rto_min_ns;
	tp->rto_max_ns = l->rto_max_ns;
	tp->delack_max_ns = l->delack_max_ns;
	tp->syn_retries = l->syn_retries;
	tp->user_timeout_ms = l->user_timeout_ms;
	tp->keepalive_time_s = l->keepalive_time_s;
	tp->keepalive_intvl_s = l->keepalive_intvl_s;
	tp->keepalive_probes = l->keepalive_probes;
	tp->linger2_s = l->linger2_s;
	tp->recvmsg_inq = l->recvmsg_inq;
	tp->thin_lto = l->thin_lto;
	tp->notsent_lowat = l->notsent_lowat;
	tp->tx_delay_us = l->tx_delay_us;
	tp->cong_id = l->cong_id;
}

static void take_names(struct sock *sk, const struct tcp_req *req)
{
	sk->saddr = sk->rcv_saddr = req->conn.saddr;
	sk->daddr = req->conn.daddr;
	sk->sport = req->conn.sport;
	sk->dport = req->conn.dport;
	sk->is_v4_path = req->conn.is_v4_path;
	sk->hash_val = req->conn.hash_val;
	sk->bound_ifindex = req->conn.bound_ifindex;
	sk->mark = req->mark;
	if (sk->stack->sysctl.tcp_reflect_tos)
		sk->inet.tos = (uint8_t)(req->tos_in & ~3u);
	dst_get(req->dst);
	sock_set_dst(sk, req->dst);
}

static void take_options(struct tcp_sock *tp, const struct tcp_req *req)
{
	tp->rx.tstamp_ok = req->tstamp_ok;
	tp->rx.sack_ok = req->sack_ok;
	tp->rx.wscale_ok = req->wscale_ok;
	tp->rx.ecn_ok = req->ecn_ok;
	tp->ecn_flags = req->ecn_ok ? TCP_ECN_OK : 0;
	tp->tcp_header_len = TCP_HDR_LEN + (req->tstamp_ok ? TCP_OPTLEN_TS : 0);
	if (req->tstamp_ok) {
		tp->rx.ts_recent = req->ts_recent;
		tp->rx.ts_recent_wall_s = clock_wall_s(&tp->sk.stack->pools->clock);
	}
	tp->ts_offset = req->ts_offset;
	tp->window_clamp = req->window_clamp;
	tp->rcv_ssthresh = tp->rcv_wnd = req->rcv_wnd;
	if (req->wscale_ok) {
		tp->rx.snd_wscale = req->snd_wscale;
		tp->rx.rcv_wscale = req->rcv_wscale;
	} else {
		tp->window_clamp = min_u32(tp->window_clamp, UINT16_MAX);
	}
	tp->rx.mss_clamp = req->mss;
}

static void take_numbers(struct tcp_sock *tp, const struct tcp_req *req, const struct skb *skb)
{
	uint32_t snd = req->snt_isn + 1, rcv = req->rcv_isn + 1;

	tp->snt_isn = req->snt_isn;
	tp->rcv_isn = req->rcv_isn;
	tp->snd_una = tp->snd_nxt = tp->snd_sml = tp->snd_up = tp->write_seq = tp->pushed_seq = snd;
	tp->rtt_seq = tp->high_seq = snd;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = tp->rcvq_seq = rcv;
	tp->snd_wl1 = tcp_cb(skb)->seq;
	tp->snd_wnd = tp->max_window = tcp_window_of(skb) << tp->rx.snd_wscale;
	tp->syn_stamp_ns = req->synack_ns;
	tp->total_retrans = req->num_retrans;
	tp->first_syn_tsval = req->snt_tsval_first;
	tp->is_passive = true;
}

static void size_segments(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint32_t adv = ip_dst_advmss(sk->stack, sk->dst, sk->is_v4_path);

	if (tp->rx.user_mss)
		adv = min_u32(adv, tp->rx.user_mss);
	tp->advmss = (uint16_t)adv;
	tcp_mtup_init(tp);
	tcp_sync_mss(tp, dst_mtu(sk->dst));
	tcp_initialize_rcv_mss(tp);
}

/* Visible from here on. Return: false when the tuple was taken by somebody else. */
static bool enter_tables(struct tcp_sock *lsk, struct tcp_sock *child, struct conn *old)
{
	struct sock *sk = &child->sk;

	if (l4_inherit_port(sk, &lsk->sk))
		return false;
	if (old ? l4_ehash_replace(old, &sk->conn) : !l4_ehash_insert(&sk->conn, NULL, NULL, NULL))
		return true;
	l4_put_port(sk);
	return false;
}

static void enter_accept_queue(struct tcp_sock *lsk, struct tcp_sock *child)
{
	sock_get(&lsk->sk);
	child->listener = &lsk->sk;
	list_add_tail(&child->accept_node, &lsk->accept_queue);
	lsk->ack_backlog++;
}

struct tcp_sock *tcp_create_child(struct tcp_sock *lsk, struct tcp_req *req, struct conn *old, struct skb *skb)
{
	struct stack *st = lsk->sk.stack;
	struct sock *sk = tcp_create(st, lsk->sk.family, SOCK_STREAM);
	struct tcp_sock *child;

	if (!sk) {
		mib_inc(st, NaruNoMemDrops);
		return NULL;
	}
	child = tcp_sk(sk);
	sk->lock.class = LOCK_SOCK_CHILD;
	inherit_sock(sk, &lsk->sk);
	inherit_tcp(child, lsk);
	child->now_ns = lsk->now_ns;
	take_names(sk, req);
	take_options(child, req);
	take_numbers(child, req, skb);
	tcp_init_rtt(child);
	size_segments(child);
	atomic_store(&sk->state, TCP_SYN_RECV);
	sock_lock(sk);
	if (!enter_tables(lsk, child, old)) {
		atomic_store(&sk->state, TCP_CLOSE);
		sock_release(sk);
		sock_put(sk);
		return NULL;
	}
	enter_accept_queue(lsk, child);
	mib_inc(st, TcpPassiveOpens);
	return child;
}

void tcp_child_process(struct tcp_sock *lsk, struct tcp_sock *child, struct skb *skb)
{
	struct sock *sk = &child->sk;

	sock_get(sk);
	tcp_do_rcv(child, skb);
	if (sk->state != TCP_SYN_RECV)
		sock_wake(&lsk->sk, EPOLLIN | EPOLLRDNORM);
	sock_release(sk);
	sock_put(sk);
}

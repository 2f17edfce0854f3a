/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP part of a stack, and the making and freeing of its sockets. */
/*
 * How it works: a new socket is all zero but for what tcp_create() sets. tcp_reset_numbers() brings a used
 * one back to that state and keeps the options its program set; both share the defaults below.
 */
#include <errno.h>
#include <string.h>

#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/cc/cong.h"
#include "tcp/conn/conn_int.h"
#include "tcp/in/in.h"

#define SOCK_SHARE_BYTES 16384u /* of the arena for one connection; a socket itself takes about a tenth */
#define POOL_SIZE(t) ((uint32_t)align_up_u64(sizeof(t), CACHE_LINE))
#define RATIO_START 128 /* half of the buffer counts as payload (R36.2) */

static void random_bytes(struct stack *st, void *to, size_t len)
{
	uint8_t *p = to;

	for (size_t i = 0; i < len; i += sizeof(uint32_t)) {
		uint32_t v = stack_rand_u32(st);

		memcpy(p + i, &v, len - i < sizeof(v) ? len - i : sizeof(v));
	}
}

/* Once per arena: its stacks share the pools. */
static int make_pools(struct arena_pools *p)
{
	struct arena *a = p->arena;
	uint32_t socks = arena_quota(a, SOCK_SHARE_BYTES, 512, 1u << 20);
	int err = 0;

	if (!p->tcp_sock.arena)
		err = pool_init(&p->tcp_sock, a, "tcp_sock", OBJ_TCP_SOCK, POOL_SIZE(struct tcp_sock), socks, 0);
	if (!err && !p->tcp_req.arena)
		err = pool_init(&p->tcp_req, a, "tcp_req", OBJ_TCP_REQ, POOL_SIZE(struct tcp_req), socks, 0);
	if (!err && !p->tcp_tw.arena)
		err = pool_init(&p->tcp_tw, a, "tcp_tw", OBJ_TCP_TW, POOL_SIZE(struct tcp_tw), 2 * socks, 0);
	return err;
}

int tcp_stack_init(struct stack *st)
{
	struct tcp_stack *t;
	int err = make_pools(st->pools);

	if (err)
		return err;
	t = arena_alloc(st->pools->arena, sizeof(*t));
	if (!t)
		return -ENOMEM;
	random_bytes(st, &t->isn_key, sizeof(t->isn_key));
	random_bytes(st, &t->ts_key, sizeof(t->ts_key));
	random_bytes(st, t->cookie_key, sizeof(t->cookie_key));
	t->default_cong_id = CONG_CUBIC;
	st->tcp = t;
	return 0;
}

/* Orphans: nobody will hear from them again. */
static void end_orphans(struct stack *st)
{
	struct tcp_sock *tp;
	uint32_t idx = 0;

	while ((tp = pool_next_live(&st->pools->tcp_sock, &idx))) {
		struct sock *sk = &tp->sk;

		if (sk->stack != st || !(sk->flags & SK_DEAD))
			continue;
		sock_get(sk);
		sock_lock(sk);
		if (sk->state != TCP_CLOSE) {
			tcp_write_queue_purge(tp);
			tcp_done(tp);
		}
		sock_release(sk);
		sock_put(sk);
	}
}

static void end_timewaits(struct stack *st)
{
	struct tcp_tw *tw;
	uint32_t idx = 0;

	while ((tw = pool_next_live(&st->pools->tcp_tw, &idx)))
		if (tw->conn.stack == st)
			tcp_tw_kill(tw);
}

void tcp_stack_done(struct stack *st)
{
	if (!st->tcp)
		return;
	end_orphans(st);
	end_timewaits(st);
	arena_free_sized(st->pools->arena, st->tcp, sizeof(*st->tcp));
	st->tcp = NULL;
}

/* Numbers of a connection that do not begin at zero. */
static void set_start_values(struct tcp_sock *tp)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;

	tp->snd_cwnd = TCP_INIT_CWND;
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->snd_cwnd_clamp = UINT32_MAX;
	tp->mss_cache = TCP_MSS_DEFAULT;
	tp->rx.mss_clamp = TCP_MSS_DEFAULT;
	tp->tcp_header_len = TCP_HDR_LEN;
	tp->reordering = (uint32_t)sy->tcp_reordering;
	tp->app_limited = UINT32_MAX; /* until the first flight is delivered (C07.1) */
	tp->rate_app_limited = true;
	tp->scaling_ratio = RATIO_START;
	tp->ca_state = TCP_CA_Open;
	list_init(&tp->tsorted);
	tcp_init_rtt(tp);
}

static void set_option_defaults(struct tcp_sock *tp)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;
	int id;

	tp->rto_min_ns = (uint64_t)sy->tcp_rto_min_us * NS_PER_US;
	tp->rto_max_ns = (uint64_t)sy->tcp_rto_max_ms * NS_PER_MS;
	tp->delack_max_ns = TCP_DELACK_MAX_NS;
	id = tcp_cong_find(sy->tcp_congestion_control); /* may have been changed since the stack began */
	tp->cong_id = id >= 0 ? (uint8_t)id : tp->sk.stack->tcp->default_cong_id;
}

struct sock *tcp_create(struct stack *st, int family, int type)
{
	struct tcp_sock *tp = pool_zalloc(&st->pools->tcp_sock, POOL_NORMAL);

	if (!tp)
		return NULL;
	sock_init(&tp->sk, st, PROTO_TCP, family, type);
	set_option_defaults(tp);
	set_start_values(tp);
	timer_init(&tp->write_timer, TIMER_TCP_WRITE);
	timer_init(&tp->delack_timer, TIMER_TCP_DELACK);
	timer_init(&tp->keepalive_timer, TIMER_TCP_KEEPALIVE);
	hrtimer_init(&tp->pacing_timer, HRTIMER_TCP_PACING);
	hrtimer_init(&tp->compack_timer, HRTIMER_TCP_COMPACK);
	list_init(&tp->accept_queue);
	list_init(&tp->accept_node);
	list_init(&tp->req_list);
	tcp_mstamp_refresh(tp);
	atomic_fetch_add(&st->num_tcp_socks, 1);
	return &tp->sk;
}

void tcp_free(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct stack *st = sk->stack;
	struct skb *s;

	tcp_set_state(tp, TCP_CLOSE);
	if (sk->bucket)
		l4_put_port(sk);
	while ((s = skb_dequeue(&sk->receive_queue)))
		tcp_rx_free(tp, s);
	tcp_ofo_purge(tp);
	tcp_write_queue_purge(tp);
	tcp_mem_reclaim(tp); /* everything is unused now */
	sock_done(sk);
	atomic_fetch_sub(&st->num_tcp_socks, 1);
	pool_free(&st->pools->tcp_sock, tp);
}

void tcp_reset_numbers(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint16_t user_mss = tp->rx.user_mss;

	tcp_clear_retrans(tp);
	tcp_set_ca_state(tp, TCP_CA_Open);
	tp->cong_initialized = false;
	memset(tp->cong_priv, 0, sizeof(tp->cong_priv));
	memset(&tp->rx, 0, sizeof(tp->rx));
	tp->rx.user_mss = user_mss;
	memset(&tp->rack, 0, sizeof(tp->rack));
	memset(&tp->rtt_min, 0, sizeof(tp->rtt_min));
	memset(tp->recv_sack_cache, 0, sizeof(tp->recv_sack_cache));
	memset(tp->chrono_stat_ns, 0, sizeof(tp->chrono_stat_ns));
	tp->chrono_type = TCP_CHRONO_NONE;
	tp->snd_una = tp->snd_nxt = tp->pushed_seq = tp->snd_up = tp->snd_sml = 0;
	tp->snd_wnd = tp->max_window = tp->snd_wl1 = tp->snd_cwnd_cnt = 0;
	tp->packets_out = tp->sacked_out = tp->lost_out = tp->retrans_out = 0;
	tp->delivered = tp->delivered_ce = tp->lost = tp->undo_marker = 0;
	tp->srtt8_us = tp->mdev4_us = tp->mdev_max4_us = tp->rttvar_us = 0;
	tp->backoff = tp->retransmits = tp->probes_out = tp->keepalive_probes_sent = 0;
	tp->probes_stamp_ns = tp->retrans_stamp_ns = tp->syn_stamp_ns = 0;
	tp->total_retrans = tp->dsack_dups = tp->reord_seen = tp->rcv_ooopack = 0;
	tp->bytes_acked = tp->bytes_sent = tp->bytes_retrans = tp->bytes_received = 0;
	tp->data_segs_in = tp->data_segs_out = tp->segs_in = tp->segs_out = 0;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = tp->rcv_wnd = tp->rcv_ssthresh = tp->window_clamp = 0;
	tp->urg_data = 0;
	tp->ack_pending = tp->quick = tp->pingpong = tp->compressed_ack = tp->dup_ack_counter = 0;
	tp->ato_ns = tp->lrcvtime_ns = tp->last_oow_ack_ns = tp->rcv_tstamp_ns = 0;
	tp->rcv_mss = tp->rcv_mss_candidate = 0;
	tp->rcv_rtt_us8 = 0;
	tp->rcv_rtt_ns = tp->rcvq_ns = 0;
	tp->rcvq_space = 0;
	tp->ecn_flags = 0;
	tp->highest_sack = tp->retransmit_hint = NULL;
	tp->is_time_wait_due = tp->is_passive = tp->frto = tp->is_fin_queued = false;
	tp->tlp_high_seq = 0;
	tp->pmtu_cookie = 0;
	sk->err_soft = 0;
	set_start_values(tp);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The door between a connection and its congestion control module. */
/*
 * How it works
 *
 * A module never sees the connection: each call builds a struct tcp_cong on the stack, with pointers to the
 * three numbers a module may change and copies of what it may read. Absent hooks are handled here. The
 * module is named by its place in cong_ops_tab[], so that nothing in the arena points at code.
 * The sock lock is held throughout.
 */
#include "tcp/cc/cong.h"

#include <errno.h>
#include <string.h>

#include "core/trace_ids.h"

static const struct cong_ops *ops_of(const struct tcp_sock *tp)
{
	return cong_ops_tab[tp->cong_id];
}

static struct tcp_cong view(struct tcp_sock *tp)
{
	const struct timers *ts = &tp->sk.stack->timers;

	return (struct tcp_cong){
		.snd_cwnd = &tp->snd_cwnd,
		.snd_ssthresh = &tp->snd_ssthresh,
		.snd_cwnd_cnt = &tp->snd_cwnd_cnt,
		.snd_cwnd_clamp = tp->snd_cwnd_clamp,
		.prior_cwnd = tp->prior_cwnd,
		.mss = tp->mss_cache,
		.srtt8_us = tp->srtt8_us,
		.snd_una = tp->snd_una,
		.snd_nxt = tp->snd_nxt,
		.packets_out = tp->packets_out,
		.in_flight = tcp_packets_in_flight(tp),
		.delivered = tp->delivered,
		.lost = tp->lost,
		.gso_max_size = tp->sk.gso_max_size,
		.is_cwnd_limited = tcp_is_cwnd_limited(tp),
		.is_paced = tp->sk.pacing_status != SK_PACING_NONE,
		.ca_state = tp->ca_state,
		.now_ns = tp->now_ns,
		.tick_ns = ts->tick_ns,
		.lsndtime_ns = tp->lsndtime_ns,
		.pacing_Bps = tp->sk.pacing_Bps,
		.hz = ts->hz,
		.stack = tp->sk.stack,
		.priv = tp->cong_priv,
	};
}

bool tcp_is_cwnd_limited(const struct tcp_sock *tp)
{
	if (tp->is_cwnd_limited)
		return true;
	return tcp_in_slow_start(tp) && tp->snd_cwnd < 2 * tp->max_packets_out;
}

int tcp_cong_find(const char *name)
{
	for (int id = 0; id < CONG_NUM; id++)
		if (cong_ops_tab[id] && !strcmp(cong_ops_tab[id]->name, name))
			return id;
	return -ENOENT;
}

void tcp_init_congestion_control(struct tcp_sock *tp)
{
	struct tcp_cong c = view(tp);

	memset(tp->cong_priv, 0, sizeof(tp->cong_priv));
	tp->prior_ssthresh = 0;
	if (ops_of(tp)->init)
		ops_of(tp)->init(&c);
	tp->cong_initialized = true;
}

int tcp_set_congestion_control(struct tcp_sock *tp, const char *name)
{
	int id = tcp_cong_find(name);

	if (id < 0)
		return id;
	if (id == tp->cong_id)
		return 0;
	tp->cong_id = (uint8_t)id;
	if (tp->cong_initialized)
		tcp_init_congestion_control(tp);
	return 0;
}

uint32_t tcp_ca_ssthresh(struct tcp_sock *tp)
{
	struct tcp_cong c = view(tp);

	return ops_of(tp)->ssthresh(&c);
}

void tcp_ca_cong_avoid(struct tcp_sock *tp, uint32_t ack, uint32_t acked)
{
	struct tcp_cong c = view(tp);

	if (ops_of(tp)->cong_avoid)
		ops_of(tp)->cong_avoid(&c, ack, acked);
	tp->snd_cwnd_stamp_ns = tp->now_ns; /* T59.3: also when nothing grew */
}

uint32_t tcp_ca_undo_cwnd(struct tcp_sock *tp)
{
	struct tcp_cong c = view(tp);

	return ops_of(tp)->undo_cwnd(&c);
}

void tcp_set_ca_state(struct tcp_sock *tp, enum tcp_ca_state s)
{
	struct tcp_cong c = view(tp);

	if (ops_of(tp)->set_state)
		ops_of(tp)->set_state(&c, s);
	if (tp->ca_state != s)
		stack_trace_ev(tp->sk.stack, TR_TCP_CA_STATE, TR_INSTANT,
			       trace_obj(tp->sk.stack, &tp->sk, NULL), tp->ca_state, s, 0);
	tp->ca_state = (uint8_t)s;
}

void tcp_ca_event(struct tcp_sock *tp, enum cong_event ev)
{
	struct tcp_cong c;

	if (!ops_of(tp)->cwnd_event)
		return;
	c = view(tp);
	ops_of(tp)->cwnd_event(&c, ev);
}

void tcp_ca_pkts_acked(struct tcp_sock *tp, const struct cong_ack *sample)
{
	struct tcp_cong c;

	if (!ops_of(tp)->pkts_acked)
		return;
	c = view(tp);
	ops_of(tp)->pkts_acked(&c, sample);
}

bool tcp_ca_has_cong_control(const struct tcp_sock *tp)
{
	return ops_of(tp)->cong_control != NULL;
}

void tcp_ca_cong_control(struct tcp_sock *tp, const struct tcp_rate_sample *rs)
{
	struct tcp_cong c = view(tp);

	ops_of(tp)->cong_control(&c, rs);
}

uint32_t tcp_ca_min_tso(struct tcp_sock *tp, uint32_t def)
{
	struct tcp_cong c;

	if (!ops_of(tp)->min_tso_segs)
		return def;
	c = view(tp);
	return ops_of(tp)->min_tso_segs(&c);
}

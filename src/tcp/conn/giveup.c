/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a connection tries before it gives up. */
/*
 * How it works
 *
 * Tests run only when a timer fires. The kernel's counts of retries are turned into a time: what that many
 * retransmissions would have taken with a doubling timeout that began at 200 ms (1 s for a SYN). A user timeout
 * takes the place of that time in both directions. Orphans get fewer tries, and none when memory is short.
 * RFC 9293 section 3.8.3, 5482, rules C11 and T87.
 */
#include "tcp/conn/expire_int.h"

#include <errno.h>

#include "tcp/base/base.h"

#define MODEL_BASE_NS (200 * NS_PER_MS) /* whatever the socket's RTO-min is (C11.2) */
#define ORPHAN_RETRIES 8u
#define SNDBUF_FLOOR_BYTES 4608

uint64_t tcp_model_timeout_ns(uint32_t n, uint64_t base_ns, uint64_t max_ns)
{
	uint64_t ratio = max_ns / base_ns;
	uint32_t doublings = 0;

	while (ratio > 1) {
		ratio >>= 1;
		doublings++;
	}
	if (n <= doublings)
		return ((2ull << n) - 1) * base_ns;
	return ((2ull << doublings) - 1) * base_ns + (n - doublings) * max_ns;
}

COLD void tcp_write_err(struct tcp_sock *tp)
{
	mib_inc(tp->sk.stack, TcpExtTCPAbortOnTimeout);
	tcp_abort(tp, tp->sk.err_soft ? tp->sk.err_soft : ETIMEDOUT);
}

static uint64_t user_timeout_ns(const struct tcp_sock *tp)
{
	return (uint64_t)tp->user_timeout_ms * NS_PER_MS;
}

uint64_t tcp_clamp_to_user_timeout(const struct tcp_sock *tp, uint64_t when_ns, uint64_t since_ns)
{
	uint64_t elapsed = tp->now_ns - min_u64(since_ns, tp->now_ns), limit = user_timeout_ns(tp);

	if (!limit || !since_ns)
		return when_ns;
	if (elapsed >= limit)
		return tcp_tick_ns(tp);
	return min_u64(when_ns, max_u64(limit - elapsed, tcp_tick_ns(tp)));
}

/* Time since the first retransmission of the episode against the model of @n, or @timeout_ns if set. */
static bool is_timed_out(const struct tcp_sock *tp, uint32_t n, uint64_t timeout_ns)
{
	uint64_t start = tp->retrans_stamp_ns;

	if (!tp->retransmits)
		return false;
	if (!start)
		start = tp->rtx_queue.first ? tp->rtx_queue.first->tstamp_ns : tp->now_ns;
	if (!timeout_ns)
		timeout_ns = tcp_model_timeout_ns(n, MODEL_BASE_NS, tp->rto_max_ns);
	return tp->now_ns - min_u64(start, tp->now_ns) >= timeout_ns;
}

/* ---- orphans (T87.4) ---- */

static uint32_t orphan_retries(const struct tcp_sock *tp, bool is_alive)
{
	uint32_t n = (uint32_t)tp->sk.stack->sysctl.tcp_orphan_retries;

	if (tp->sk.err_soft && !is_alive)
		return 0;
	return !n && is_alive ? ORPHAN_RETRIES : n;
}

/* Too many orphans, or too little memory for this one. True: it is gone. */
static bool orphan_must_go(struct tcp_sock *tp, bool do_reset)
{
	struct stack *st = tp->sk.stack;
	uint32_t weight = 1;
	bool is_memory_short;

	if (tp->now_ns - min_u64(tp->lsndtime_ns, tp->now_ns) > 2 * tp->rto_max_ns || !do_reset)
		weight *= 2;
	if (tp->sk.err_soft)
		weight *= 2;
	is_memory_short = (int64_t)atomic_load(&st->tcp_memory_pages) > st->sysctl.tcp_mem[2] &&
			  tp->sk.wmem_queued > SNDBUF_FLOOR_BYTES;
	if ((int64_t)atomic_load(&st->num_orphans) * weight <= st->sysctl.tcp_max_orphans &&
	    !is_memory_short)
		return false;
	if (do_reset)
		tcp_send_active_reset(tp);
	tcp_done(tp);
	mib_inc(st, TcpExtTCPAbortOnMemory);
	return true;
}

/* ---- retransmission ---- */

static bool syn_is_hopeless(const struct tcp_sock *tp)
{
	const struct sysctls *ctl = &tp->sk.stack->sysctl;
	uint32_t n = tp->syn_retries ? tp->syn_retries : (uint32_t)ctl->tcp_syn_retries, limit = n;
	uint64_t elapsed = tp->now_ns - min_u64(tp->syn_stamp_ns, tp->now_ns);

	if (tp->sk.state == TCP_SYN_SENT)
		limit += (uint32_t)ctl->tcp_syn_linear_timeouts;
	if (tp->retransmits >= limit)
		return true;
	if (tp->user_timeout_ms)
		return elapsed >= user_timeout_ns(tp);
	return elapsed >= tcp_model_timeout_ns(n, TCP_RTO_INIT_NS, tp->rto_max_ns);
}

/* T36.7: nothing gets through; perhaps the packets are too large. */
static void suspect_black_hole(struct tcp_sock *tp)
{
	const struct sysctls *ctl = &tp->sk.stack->sysctl;
	int64_t mss;

	if (!ctl->tcp_mtu_probing)
		return;
	if (!tp->mtu_probe_enabled) {
		tp->mtu_probe_enabled = true;
		tp->mtu_probe_stamp_ns = tp->now_ns;
	} else {
		mss = tcp_mtu_to_mss(tp, tp->mtu_search_low) / 2;
		mss = min_s64(ctl->tcp_base_mss, mss);
		mss = max_s64(max_s64(mss, ctl->tcp_mtu_probe_floor), ctl->tcp_min_snd_mss);
		tp->mtu_search_low = tcp_mss_to_mtu(tp, (uint32_t)mss);
	}
	tcp_sync_mss(tp, tp->pmtu_cookie);
}

bool tcp_give_up_rto(struct tcp_sock *tp)
{
	const struct sysctls *ctl = &tp->sk.stack->sysctl;
	uint32_t n = (uint32_t)ctl->tcp_retries2;
	bool is_hopeless;

	if (TCPF(tp->sk.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))) {
		is_hopeless = syn_is_hopeless(tp);
	} else {
		if (is_timed_out(tp, (uint32_t)ctl->tcp_retries1, 0)) {
			suspect_black_hole(tp);
			sock_set_dst(&tp->sk, NULL); /* the next packet looks for a route again */
		}
		if (tp->sk.flags & SK_DEAD) {
			bool is_alive = tp->rto_ns < tp->rto_max_ns;

			n = orphan_retries(tp, is_alive);
			if (orphan_must_go(tp, is_alive || !is_timed_out(tp, n, 0)))
				return true;
		}
		is_hopeless = is_timed_out(tp, n, user_timeout_ns(tp));
	}
	if (is_hopeless)
		tcp_write_err(tp);
	return is_hopeless;
}

bool tcp_give_up_closed_window(struct tcp_sock *tp)
{
	uint64_t resending = tp->retrans_stamp_ns ? tp->now_ns - tp->retrans_stamp_ns : 0;
	uint64_t silent = tp->now_ns - min_u64(tp->rcv_tstamp_ns, tp->now_ns),
		 limit = 2 * tp->rto_max_ns;
	bool is_hopeless = tp->user_timeout_ms ? resending > user_timeout_ns(tp)
					       : resending > limit && silent > limit;

	if (is_hopeless)
		tcp_write_err(tp);
	return is_hopeless;
}

/* ---- window probes ---- */

bool tcp_give_up_probe(struct tcp_sock *tp)
{
	uint32_t max_probes = (uint32_t)tp->sk.stack->sysctl.tcp_retries2;
	bool is_hopeless = false;

	if (!tp->probes_stamp_ns)
		tp->probes_stamp_ns = tp->now_ns;
	else if (tp->user_timeout_ms)
		is_hopeless = tp->now_ns - tp->probes_stamp_ns >= user_timeout_ns(tp);
	if (!is_hopeless && (tp->sk.flags & SK_DEAD)) {
		bool is_alive = tcp_probe0_when_ns(tp) < tp->rto_max_ns;

		max_probes = orphan_retries(tp, is_alive);
		if (is_alive || tp->backoff < max_probes) {
			if (orphan_must_go(tp, true))
				return true;
		} else {
			is_hopeless = true;
		}
	}
	is_hopeless |= tp->probes_out >= max_probes;
	if (is_hopeless)
		tcp_write_err(tp);
	return is_hopeless;
}

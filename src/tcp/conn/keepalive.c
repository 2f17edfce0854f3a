/* SPDX-License-Identifier: BSD-2-Clause */
/* Keepalive probes, and the end of an orphan's FIN-WAIT-2. */
/*
 * How it works
 *
 * Both share one timer. Idle time counts from the last ACK or data received. When it is long enough, an empty
 * segment one below the window asks the peer; too many without an answer, or a user timeout with at least one
 * sent, and the connection is reset. While data is queued or outstanding, other timers watch; this one waits a
 * whole idle period more. RFC 9293 section 3.8.4, rules T87.3, C11.4-5.
 */
#include "tcp/conn/expire_int.h"

#include "tcp/base/base.h"

#define LOCAL_FAILURE_WAIT_NS (500 * NS_PER_MS)
#define LOCKED_WAIT_NS (50 * NS_PER_MS)

static uint64_t idle_limit_ns(const struct tcp_sock *tp)
{
	uint32_t set = tp->keepalive_time_s;

	return (set ? set : (uint64_t)tp->sk.stack->sysctl.tcp_keepalive_time) * NS_PER_S;
}

static uint64_t interval_ns(const struct tcp_sock *tp)
{
	uint32_t set = tp->keepalive_intvl_s;

	return (set ? set : (uint64_t)tp->sk.stack->sysctl.tcp_keepalive_intvl) * NS_PER_S;
}

static uint32_t max_probes(const struct tcp_sock *tp)
{
	return tp->keepalive_probes ? tp->keepalive_probes
				    : (uint32_t)tp->sk.stack->sysctl.tcp_keepalive_probes;
}

static bool peer_is_dead(const struct tcp_sock *tp, uint64_t idle_ns)
{
	if (tp->user_timeout_ms)
		return idle_ns >= (uint64_t)tp->user_timeout_ms * NS_PER_MS &&
		       tp->keepalive_probes_sent;
	return tp->keepalive_probes_sent >= max_probes(tp);
}

/* Return: time until the next look, in ns; 0: the connection is gone. */
static uint64_t probe(struct tcp_sock *tp, uint64_t idle_ns)
{
	if (peer_is_dead(tp, idle_ns)) {
		tcp_send_active_reset(tp);
		tcp_write_err(tp);
		return 0;
	}
	mib_inc(tp->sk.stack, TcpExtTCPKeepAlive);
	if (tcp_xmit_probe_skb(tp, false) > 0)
		return LOCAL_FAILURE_WAIT_NS;
	tp->keepalive_probes_sent++;
	return interval_ns(tp);
}

static void look_at_idle(struct tcp_sock *tp)
{
	uint64_t last = max_u64(tp->lrcvtime_ns, tp->rcv_tstamp_ns), wait = idle_limit_ns(tp);
	uint64_t idle = tp->now_ns - min_u64(last, tp->now_ns);

	if (!tp->packets_out && !tcp_send_head(tp))
		wait = idle >= wait ? probe(tp, idle) : wait - idle;
	if (wait)
		tcp_reset_keepalive_timer(tp, wait);
}

/* C11.5: what is left of a long FIN-WAIT-2 is spent as a mini socket. */
static void end_fin_wait2(struct tcp_sock *tp)
{
	uint64_t total = tcp_fin_time_ns(tp);

	if (tp->linger2_s >= 0 && total > TCP_TIMEWAIT_NS) {
		tcp_time_wait(tp, TCP_FIN_WAIT2, total - TCP_TIMEWAIT_NS);
		return;
	}
	tcp_send_active_reset(tp);
	tcp_done(tp);
}

static void expired(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (TCPF(sk->state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE) | TCPF(TCP_SYN_SENT)))
		return;
	if (sk->state == TCP_FIN_WAIT2 && (sk->flags & SK_DEAD))
		end_fin_wait2(tp);
	else if (sk->flags & SK_KEEPOPEN)
		look_at_idle(tp);
}

void tcp_keepalive_timer(struct stack *st, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, keepalive_timer);
	struct sock *sk = &tp->sk;

	if (!sock_trylock(sk)) {
		uint64_t when_ns = stack_now_ns(st) + LOCKED_WAIT_NS;

		if (!timer_arm(&st->timers, t, div_up_u64(when_ns, st->timers.tick_ns)))
			sock_put(sk); /* its holder armed it meanwhile, with a reference of its own */
		return;
	}
	tcp_mstamp_refresh(tp);
	expired(tp);
	sock_release(sk);
	sock_put(sk);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens when a connection's write timer or delayed-ACK timer fires. */
/*
 * How it works
 *
 * One timer serves four purposes, named by write_timer_kind: retransmission, tail-loss probe, RACK's reordering
 * wait, window probe. The wheel may fire before the time that is really meant (write_timeout_ns); then it is
 * armed again. A fired timer owns a socket reference, dropped at the end. A socket in use gets a note and does
 * the work when its holder leaves.
 * RFC 6298 section 5, 9293 section 3.8.6.1 (probes), rules T80.1, T86, C11.
 */
#include "tcp/conn/expire_int.h"

#include "core/trace_ids.h"
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/in/in.h"

#define LOCAL_FAILURE_WAIT_NS (500 * NS_PER_MS) /* T80.1: the queue below was full */
#define THIN_LINEAR_TIMEOUTS 6u
#define THIN_PACKETS 4u

static void rearm_wheel(struct tcp_sock *tp)
{
	struct timers *ts = &tp->sk.stack->timers;

	if (timer_arm(ts, &tp->write_timer, div_up_u64(tp->write_timeout_ns, ts->tick_ns)))
		sock_get(&tp->sk);
}

/* ---- retransmission timeout ---- */

static void count_failure(struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;
	bool sack = tcp_is_sack(tp);

	if (tp->ca_state == TCP_CA_Recovery)
		mib_inc(st, sack ? TcpExtTCPSackRecoveryFail : TcpExtTCPRenoRecoveryFail);
	else if (tp->ca_state == TCP_CA_Loss)
		mib_inc(st, TcpExtTCPLossFailures);
	else if (tp->ca_state == TCP_CA_Disorder || tp->sacked_out)
		mib_inc(st, sack ? TcpExtTCPSackFailures : TcpExtTCPRenoFailures);
}

static void count_timeout(struct tcp_sock *tp)
{
	if (!tp->rto_stamp_ns) {
		tp->total_rto_recoveries++;
		tp->rto_stamp_ns = tp->now_ns;
	}
	tp->total_rto++;
	if (tp->retransmits < UINT8_MAX)
		tp->retransmits++;
}

static bool is_thin_linear(const struct tcp_sock *tp)
{
	if (tp->sk.state != TCP_ESTABLISHED || tp->retransmits > THIN_LINEAR_TIMEOUTS)
		return false;
	if (!tp->thin_lto && !tp->sk.stack->sysctl.tcp_thin_linear_timeouts)
		return false;
	return tp->packets_out < THIN_PACKETS && tp->snd_ssthresh < TCP_INFINITE_SSTHRESH;
}

static void back_off(struct tcp_sock *tp)
{
	if (is_thin_linear(tp)) {
		tp->backoff = 0;
		tcp_set_rto(tp);
	} else if (tp->sk.state != TCP_SYN_SENT ||
		   tp->retransmits > (uint64_t)tp->sk.stack->sysctl.tcp_syn_linear_timeouts) {
		if (tp->backoff < UINT8_MAX)
			tp->backoff++;
		tp->rto_ns = min_u64(tp->rto_ns * 2, tp->rto_max_ns);
	}
}

static void rearm_rto(struct tcp_sock *tp)
{
	bool is_syn = TCPF(tp->sk.state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV));
	uint64_t since = is_syn ? tp->syn_stamp_ns : tp->retrans_stamp_ns;

	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, tcp_clamp_to_user_timeout(tp, tp->rto_ns, since));
}

/* T86.5, C11.6: the window closed over data in flight. */
static void rto_closed_window(struct tcp_sock *tp)
{
	if (tcp_give_up_closed_window(tp))
		return;
	tcp_enter_loss(tp);
	(void)tcp_retransmit_skb(tp, tp->rtx_queue.first, 1);
	back_off(tp);
	rearm_rto(tp);
}

static void rto_expired(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	bool is_handshake = TCPF(sk->state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV));

	if (!tp->packets_out || !tp->rtx_queue.first)
		return;
	if (!tp->snd_wnd && !(sk->flags & SK_DEAD) && !is_handshake) {
		rto_closed_window(tp);
		return;
	}
	mib_inc(sk->stack, TcpExtTCPTimeouts);
	if (tcp_give_up_rto(tp))
		return;
	if (!tp->retransmits)
		count_failure(tp);
	tcp_enter_loss(tp);
	count_timeout(tp);
	if (tcp_retransmit_skb(tp, tp->rtx_queue.first, 1) > 0) {
		tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, LOCAL_FAILURE_WAIT_NS);
		return;
	}
	back_off(tp);
	rearm_rto(tp);
}

/* ---- window probe ---- */

static void probe_expired(struct tcp_sock *tp)
{
	uint64_t when_ns = LOCAL_FAILURE_WAIT_NS;
	int err;

	if (tp->packets_out || !tcp_send_head(tp)) {
		tp->probes_out = 0;
		tp->probes_stamp_ns = 0;
		return;
	}
	if (tcp_give_up_probe(tp))
		return;
	err = tcp_write_wakeup(tp);
	if (tp->packets_out || !tcp_send_head(tp)) {
		tp->probes_out = 0;
		tp->backoff = 0;
		tp->probes_stamp_ns = 0;
		return;
	}
	tp->probes_out++;
	if (err <= 0) {
		if (tp->backoff < tp->sk.stack->sysctl.tcp_retries2)
			tp->backoff++;
		when_ns = tcp_probe0_when_ns(tp);
	}
	when_ns = tcp_clamp_to_user_timeout(tp, when_ns, tp->probes_stamp_ns);
	tcp_reset_xmit_timer(tp, TCP_TIME_PROBE0, when_ns);
}

/* ---- entries ---- */

void tcp_write_timer_handler(struct tcp_sock *tp)
{
	enum tcp_write_timer kind = tp->write_timer_kind;

	if (kind == TCP_TIME_NONE || (TCPF(tp->sk.state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		return;
	if (tp->write_timeout_ns > tp->now_ns) {
		rearm_wheel(tp);
		return;
	}
	stack_trace_ev(tp->sk.stack, TR_TCP_TIMER, TR_INSTANT,
		       trace_obj(tp->sk.stack, &tp->sk, NULL), kind, tp->rto_ns, 0);
	switch (kind) {
	case TCP_TIME_REO: tcp_rack_reo_timeout(tp); break;
	case TCP_TIME_LOSS_PROBE: tcp_send_loss_probe(tp); break;
	case TCP_TIME_RETRANS:
		tcp_clear_xmit_timer(tp);
		rto_expired(tp);
		break;
	case TCP_TIME_PROBE0:
		tcp_clear_xmit_timer(tp);
		probe_expired(tp);
		break;
	case TCP_TIME_NONE: break;
	}
}

void tcp_write_timer(struct stack *st, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, write_timer);
	struct sock *sk = &tp->sk;

	(void)st;
	if (sock_trylock(sk)) {
		tcp_mstamp_refresh(tp);
		tcp_write_timer_handler(tp);
		sock_release(sk);
	} else {
		sock_defer(sk, SOCK_DEFER_WRITE_TIMER);
	}
	sock_put(sk);
}

void tcp_delack_timer(struct stack *st, struct timer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, delack_timer);
	struct sock *sk = &tp->sk;

	if (sock_trylock(sk)) {
		tcp_mstamp_refresh(tp);
		tcp_delack_timer_handler(tp);
		sock_release(sk);
	} else {
		mib_inc(st, TcpExtDelayedACKLocked);
		sock_defer(sk, SOCK_DEFER_DELACK_TIMER);
	}
	sock_put(sk);
}

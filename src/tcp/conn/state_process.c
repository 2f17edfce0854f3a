/* SPDX-License-Identifier: BSD-2-Clause */
/* A segment in every state but ESTABLISHED and LISTEN (R49, R50.2-4, R48.5; RFC 9293 section 3.10.7.4). */
/*
 * How it works
 *
 * The common tests first, then the acknowledgement and what it means to this state, then urgent data,
 * payload and the answers. A state function that ends the connection says so, and nothing after it
 * touches the socket's queues.
 */
#include <sys/epoll.h>

#include "ip/ip.h"
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "tcp/in/in.h"
#include "wire/seq.h"

enum next { GO_ON, SEGMENT_DONE, SEND_RESET };

static void rcv_handshake_done(struct tcp_sock *tp, struct skb *skb)
{
	struct sock *sk = &tp->sk;

	if (!tp->srtt8_us && tp->is_passive)
		tcp_synack_rtt_meas(tp, tp->syn_stamp_ns, tp->total_retrans);
	if (tp->is_passive)
		tp->delivered++; /* the SYN-ACK counts (C07.1) */
	tp->copied_seq = tp->rcv_nxt;
	tp->snd_una = tcp_cb(skb)->ack_seq;
	tp->snd_wnd = tcp_window_of(skb) << tp->rx.snd_wscale;
	tp->snd_wl1 = tcp_cb(skb)->seq;
	if (tp->rx.tstamp_ok) /* the SYN-ACK told the size without them */
		tp->advmss -= TCP_OPTLEN_TS;
	tcp_finish_connect(tp, skb);
	tcp_update_pacing_rate(tp);
	tcp_initialize_rcv_mss(tp);
	sock_wake(sk, EPOLLOUT | EPOLLWRNORM);
	if (sk->shutdown & SEND_SHUTDOWN) { /* shutdown() came before the handshake was done (T94.1) */
		tcp_set_state(tp, TCP_FIN_WAIT1);
		tcp_send_fin(tp);
	}
}

/* Data or FIN that nobody will read any more. */
static bool has_news(const struct tcp_sock *tp, const struct skb *skb)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	return cb->end_seq != cb->seq && seq_after(cb->end_seq - !!(cb->flags & TCPH_FIN), tp->rcv_nxt);
}

static bool is_fin_acked(const struct tcp_sock *tp) { return tp->snd_una == tp->write_seq; }

/* R49, R50.4 */
static enum next ack_in_fin_wait1(struct tcp_sock *tp, struct skb *skb)
{
	struct sock *sk = &tp->sk;
	uint64_t wait_ns;

	if (!is_fin_acked(tp))
		return GO_ON;
	tcp_set_state(tp, TCP_FIN_WAIT2);
	sk->shutdown |= SEND_SHUTDOWN;
	if (sk->dst)
		ip_confirm_neigh(sk->dst);
	if (!(sk->flags & SK_DEAD)) {
		sock_wake(sk, EPOLLOUT | EPOLLWRNORM); /* a lingering close() waits for this */
		return GO_ON;
	}
	if (tp->linger2_s < 0 || has_news(tp, skb)) {
		tcp_done(tp);
		mib_inc(sk->stack, TcpExtTCPAbortOnData);
		return SEND_RESET;
	}
	wait_ns = tcp_fin_time_ns(tp);
	if (wait_ns > TCP_TIMEWAIT_NS) {
		tcp_reset_keepalive_timer(tp, wait_ns - TCP_TIMEWAIT_NS);
		return GO_ON;
	}
	if (tcp_cb(skb)->flags & TCPH_FIN) {
		tcp_reset_keepalive_timer(tp, wait_ns); /* the FIN is taken in a moment */
		return GO_ON;
	}
	tcp_time_wait(tp, TCP_FIN_WAIT2, wait_ns);
	return SEGMENT_DONE;
}

static enum next ack_by_state(struct tcp_sock *tp, struct skb *skb)
{
	switch ((uint8_t)tp->sk.state) {
	case TCP_SYN_RECV:
		rcv_handshake_done(tp, skb);
		return GO_ON;
	case TCP_FIN_WAIT1:
		return ack_in_fin_wait1(tp, skb);
	case TCP_CLOSING:
		if (!is_fin_acked(tp))
			return GO_ON;
		tcp_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_NS);
		return SEGMENT_DONE;
	case TCP_LAST_ACK:
		if (!is_fin_acked(tp))
			return GO_ON;
		tcp_done(tp);
		return SEGMENT_DONE;
	default:
		return GO_ON;
	}
}

static enum next process_ack(struct tcp_sock *tp, struct skb *skb)
{
	int verdict = tcp_ack(tp, skb, TCP_ACK_SLOWPATH | TCP_ACK_UPDATE_TS_RECENT | TCP_ACK_NO_CHALLENGE);

	if (verdict <= 0 && tp->sk.state == TCP_SYN_RECV)
		return SEND_RESET;
	if (verdict < 0) {
		tcp_send_challenge_ack(tp);
		return SEGMENT_DONE;
	}
	return ack_by_state(tp, skb);
}

/* Payload. Return: the segment was consumed; *ret_next tells more. */
static bool process_data(struct tcp_sock *tp, struct skb *skb, enum next *ret_next)
{
	struct sock *sk = &tp->sk;

	switch ((uint8_t)sk->state) {
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		if (!seq_before(tcp_cb(skb)->seq, tp->rcv_nxt))
			return false; /* beyond the FIN: ignored (R48.5) */
		break;
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		if ((sk->shutdown & RCV_SHUTDOWN) && has_news(tp, skb)) {
			mib_inc(sk->stack, TcpExtTCPAbortOnData);
			tcp_reset(tp);
			*ret_next = SEND_RESET;
			return false;
		}
		break;
	default:
		break;
	}
	tcp_data_queue(tp, skb);
	return true;
}

static void process(struct tcp_sock *tp, struct skb *skb, enum next *ret_next, bool *ret_consumed)
{
	*ret_consumed = false;
	*ret_next = process_ack(tp, skb);
	if (*ret_next != GO_ON)
		return;
	tcp_urg(tp, skb);
	*ret_consumed = process_data(tp, skb, ret_next);
	if (*ret_next != GO_ON || tp->sk.state == TCP_CLOSE)
		return;
	if (tp->is_time_wait_due) {
		tp->is_time_wait_due = false;
		tcp_time_wait(tp, TCP_TIME_WAIT, TCP_TIMEWAIT_NS);
		return;
	}
	tcp_data_snd_check(tp);
	tcp_ack_snd_check(tp);
}

void tcp_rcv_state_process(struct tcp_sock *tp, struct skb *skb)
{
	struct stack *st = tp->sk.stack;
	bool is_consumed;
	enum next next;

	if (tp->sk.state == TCP_SYN_SENT) {
		tcp_rcv_synsent(tp, skb);
		return;
	}
	if (!(tcp_cb(skb)->flags & (TCPH_ACK | TCPH_RST | TCPH_SYN))) {
		skb_free(st, skb);
		return;
	}
	if (!tcp_validate_incoming(tp, skb, false))
		return;
	process(tp, skb, &next, &is_consumed);
	if (next == SEND_RESET)
		tcp_send_reset_for(st, skb);
	if (!is_consumed)
		skb_free(st, skb);
}

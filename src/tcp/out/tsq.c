/* SPDX-License-Identifier: BSD-2-Clause */
/* Small queues: bound what one connection keeps below, go on when packets complete (T47). */
/*
 * How it works: wmem_alloc counts the packets below. Above the limit the sender sets tsq_throttled
 * and looks again; a completion first takes its charge off and then looks at the mark. So one of
 * the two sees the other, and a stopped sender is always resumed.
 */
#include "tcp/out/out_int.h"

#include "pump/pump.h"

#define TX_DELAY_SHIFT \
	19 /* T47.2: rate * delay_us / 2^19, about half of what the delay holds back */

/* At least one whole packet beside @limit bytes lies below. */
static bool is_above(const struct tcp_sock *tp, uint64_t limit)
{
	return (uint64_t)atomic_load(&((struct tcp_sock *)tp)->sk.wmem_alloc) >= limit;
}

bool tcp_small_queue_check(struct tcp_sock *tp, const struct skb *skb, unsigned int factor)
{
	const struct sock *sk = &tp->sk;
	uint64_t limit = max_u64(2ull * skb->truesize, sk->pacing_Bps >> sk->pacing_shift);

	limit = min_u64(limit, (uint64_t)sk->stack->sysctl.tcp_limit_output_bytes) << factor;
	if (unlikely(tp->tx_delay_us) && sk->pacing_Bps != UINT64_MAX)
		limit += ((sk->pacing_Bps >> 10) * tp->tx_delay_us) >> (TX_DELAY_SHIFT - 10);
	if (likely(!is_above(tp, limit)))
		return false;
	if (tp->rtx_queue.first == tp->rtx_queue.last) /* none or one: never block a flow for good */
		return false;
	atomic_store(&tp->tsq_throttled, 1);
	return is_above(tp, limit);
}

void tcp_wfree(struct stack *st, struct skb *skb)
{
	struct sock *sk = skb->sk;
	struct tcp_sock *tp = tcp_sk(sk);

	(void)st;
	count_add_s32(&sk->wmem_alloc, -(int32_t)skb->truesize);
	if (unlikely(atomic_load(&tp->tsq_throttled)) && atomic_exchange(&tp->tsq_throttled, 0))
		pump_queue_tsq(sk);
	sock_put(sk);
}

void tcp_ack_wfree(struct stack *st, struct skb *skb)
{
	(void)st;
	count_add_s32(&skb->sk->wmem_alloc, -(int32_t)skb->truesize);
	sock_put(skb->sk);
}

void tcp_tsq_handler(struct tcp_sock *tp)
{
	const uint32_t sending = TCPF(TCP_ESTABLISHED) | TCPF(TCP_FIN_WAIT1) | TCPF(TCP_CLOSING) |
				 TCPF(TCP_CLOSE_WAIT) | TCPF(TCP_LAST_ACK);

	if (!(TCPF(tp->sk.state) & sending))
		return;
	tcp_mstamp_refresh(tp);
	if (tp->lost_out > tp->retrans_out && tp->snd_cwnd > tcp_packets_in_flight(tp))
		tcp_xmit_retransmit_queue(tp);
	tcp_write_xmit(tp, tcp_current_mss(tp), tp->nonagle, 0);
}

void tcp_pacing_timer(struct stack *st, struct hrtimer *t)
{
	struct tcp_sock *tp = container_of(t, struct tcp_sock, pacing_timer);

	(void)st;
	sock_defer(&tp->sk, SOCK_DEFER_TSQ);
	sock_put(&tp->sk);
}

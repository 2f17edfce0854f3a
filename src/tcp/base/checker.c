/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker that never sleeps: counts against queues, charges, timers (DESIGN decision 8). */
/*
 * How it works: walks both queues once and compares what it sees with the counters kept along the
 * way. Cheap while little is queued; meant for quiet moments (end of a call) and for tests, where
 * it is fatal.
 */
#include "tcp/base/base.h"

#include "wire/seq.h"

struct seen {
	uint32_t out, sacked, lost, retrans;
	uint64_t truesize;
	int bad;
};

static void expect(struct seen *s, bool claim)
{
	if (unlikely(!claim))
		s->bad++;
}

static uint32_t walk(struct seen *s, const struct skb_queue *q, uint32_t next_seq, bool is_sent)
{
	for (const struct skb *skb = q->first; skb; skb = skb->next) {
		const struct tcp_skb_cb *cb = tcp_cb(skb);

		expect(s, cb->seq == next_seq);
		expect(s, skb->truesize == SKB_TRUESIZE + skb->len);
		next_seq = cb->end_seq;
		s->truesize += skb->truesize;
		if (!is_sent)
			continue;
		expect(s, cb->pcount > 0);
		s->out += cb->pcount;
		s->sacked += cb->sacked & TCPCB_SACKED_ACKED ? cb->pcount : 0;
		s->lost += cb->sacked & TCPCB_LOST ? cb->pcount : 0;
		s->retrans += cb->sacked & TCPCB_SACKED_RETRANS ? cb->pcount : 0;
	}
	return next_seq;
}

/* Queued data has a timer or a stated outside reason (pacing, small queue limit, a writer at work). */
static bool has_way_out(const struct tcp_sock *tp)
{
	if (!tp->rtx_queue.first && !tp->write_queue.first)
		return true;
	if (tp->write_timer_kind != TCP_TIME_NONE || tp->pacing_timer.is_armed || tp->repair)
		return true;
	return !tp->packets_out && atomic_load(&((struct tcp_sock *)tp)->tsq_throttled);
}

int tcp_check_invariants(const struct tcp_sock *tp)
{
	struct seen s = {0};
	const struct skb *first = tp->rtx_queue.first;
	uint32_t seq = first ? tcp_cb(first)->seq : tp->snd_nxt;

	expect(&s, walk(&s, &tp->rtx_queue, seq, true) == tp->snd_nxt);
	expect(&s, walk(&s, &tp->write_queue, tp->snd_nxt, false) == tp->write_seq);
	expect(&s, seq_before_eq(seq, tp->snd_una) || !first);
	expect(&s, s.out == tp->packets_out);
	expect(&s, !tcp_is_sack(tp) || s.sacked == tp->sacked_out);
	expect(&s, s.lost == tp->lost_out);
	expect(&s, s.retrans == tp->retrans_out);
	expect(&s, s.truesize == (uint64_t)tp->sk.wmem_queued);
	expect(&s, tp->sk.forward_alloc >= 0);
	expect(&s, seq_before_eq(tp->snd_una, tp->snd_nxt) &&
			   seq_before_eq(tp->snd_nxt, tp->write_seq));
	if (!(TCPF(tp->sk.state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN))))
		expect(&s, has_way_out(tp));
	if (unlikely(s.bad))
		mib_add(tp->sk.stack, NaruCheckerFailures, (uint32_t)s.bad);
	return s.bad;
}

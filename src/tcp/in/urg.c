/* SPDX-License-Identifier: BSD-2-Clause */
/* Urgent data on the receiving side (R54.1, R54.2, R54.5; RFC 6093). */
/*
 * How it works: one urgent byte can be pending. urg_seq is its place in the stream; urg_data tells
 * whether it is only announced, here (with the byte in the low 8 bits) or read.
 */
#include <sys/epoll.h>

#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "wire/be.h"
#include "wire/seq.h"

/* R54.5: the earlier urgent byte is next to be read and more follows: it is lost. */
static void skip_unread_mark(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	struct skb *s = skb_peek(&sk->receive_queue);

	if (tp->urg_seq != tp->copied_seq || !tp->urg_data || (sk->flags & SK_OOBINLINE) ||
	    tp->copied_seq == tp->rcv_nxt)
		return;
	tp->copied_seq++;
	if (s && !seq_before(tp->copied_seq, tcp_cb(s)->end_seq)) {
		skb_unlink(&sk->receive_queue, s);
		tcp_rx_free(tp, s);
	}
}

static void announce(struct tcp_sock *tp, uint32_t seq, uint16_t ptr)
{
	if (ptr && !tp->sk.stack->sysctl.tcp_stdurg)
		ptr--;
	seq += ptr;
	if (seq_after(tp->copied_seq, seq) || seq_before(seq, tp->rcv_nxt))
		return;
	if (tp->urg_data && !seq_after(seq, tp->urg_seq))
		return;
	skip_unread_mark(tp);
	tp->urg_data = TCP_URG_NOTYET;
	tp->urg_seq = seq;
	sock_wake(&tp->sk, EPOLLPRI);
}

void tcp_urg(struct tcp_sock *tp, struct skb *skb)
{
	const struct tcp_hdr *th = (const void *)skb_transport(skb);
	uint32_t off;
	uint8_t byte;

	if (tcp_cb(skb)->flags & TCPH_URG)
		announce(tp, tcp_cb(skb)->seq, be16_to_cpu(th->urg_be));
	if (tp->urg_data != TCP_URG_NOTYET)
		return;
	off = tp->urg_seq - tcp_cb(skb)->seq - ((tcp_cb(skb)->flags & TCPH_SYN) ? 1 : 0);
	if (off >= skb->len || skb_copy_bits(skb, off, &byte, 1))
		return;
	tp->urg_data = TCP_URG_VALID | byte;
	if (!(tp->sk.flags & SK_DEAD))
		sock_wake(&tp->sk, EPOLLIN | EPOLLRDNORM | EPOLLPRI);
}

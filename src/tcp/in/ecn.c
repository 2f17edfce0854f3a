/* SPDX-License-Identifier: BSD-2-Clause */
/* Explicit congestion notification on the receiving side (R47; RFC 3168 section 6.1.3). */
/*
 * How it works: a CE mark latches "demand CWR"; every segment we send carries ECE until the peer's CWR
 * arrives. Marks are looked at only on in-order data, where acknowledgements are owed anyway.
 */
#include "tcp/cc/cong.h"
#include "tcp/in/in_int.h"

#define ECN_MASK 3u
#define ECN_NOT_ECT 0u
#define ECN_CE 3u
#define QUICK_ACKS_ON_MARK 2u

void tcp_ecn_accept_cwr(struct tcp_sock *tp, const struct skb *skb)
{
	if (!(tcp_cb(skb)->flags & TCPH_CWR))
		return;
	tp->ecn_flags &= (uint8_t)~TCP_ECN_DEMAND_CWR;
	if (tcp_cb(skb)->seq != tcp_cb(skb)->end_seq)
		tp->ack_pending |= TCP_ACK_NOW;
}

void tcp_ecn_check_ce(struct tcp_sock *tp, const struct skb *skb)
{
	if (!(tp->ecn_flags & TCP_ECN_OK))
		return;
	switch (tcp_cb(skb)->ds & ECN_MASK) {
	case ECN_NOT_ECT:
		/* The sender marks new data only: this one was sent again, its ACK is urgent. */
		if (tp->ecn_flags & TCP_ECN_SEEN)
			tcp_enter_quickack_mode(tp, QUICK_ACKS_ON_MARK);
		break;
	case ECN_CE:
		tcp_ca_event(tp, CONG_EV_ECN_IS_CE);
		if (!(tp->ecn_flags & TCP_ECN_DEMAND_CWR)) {
			tcp_enter_quickack_mode(tp, QUICK_ACKS_ON_MARK);
			tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
		}
		tp->ecn_flags |= TCP_ECN_SEEN;
		break;
	default:
		tcp_ca_event(tp, CONG_EV_ECN_NO_CE);
		tp->ecn_flags |= TCP_ECN_SEEN;
		break;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* One TCP segment from IP: checks, whose it is, and into that socket or its backlog (R10-R14). */
/*
 * How it works
 *
 * tcp_rcv() runs in the pump only. It validates header and checksum, notes what the rest needs in
 * skb->cb and pulls the header, so that everybody above sees payload; the header stays readable at
 * th_off. The established table answers with one of three kinds of object:
 *
 *   full socket   processed under its lock, now or from its backlog
 *   request       processed under its LISTENER's lock; looked up again there, since the segment may wait
 *   TIME-WAIT     processed here and now: only the pump touches its fields after it was hashed
 *
 * Locks: none on entry but the pump's. The lookup's reference is dropped here.
 */
#include "tcp/conn/conn_int.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include "core/netdev.h"
#include "core/trace_ids.h"
#include "tcp/ack/ack.h"
#include "tcp/in/in.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define BACKLOG_SLACK 65536u /* bytes beyond both buffers (R14.3) */

void tcp_skb_tuple(const struct skb *skb, struct l4_tuple *ret)
{
	const struct tcp_hdr *th = tcp_hdr_of(skb);

	if (skb->protocol == ETH_TYPE_IPV4) {
		const struct ipv4_hdr *ip = (const void *)skb_network(skb);

		ret->saddr = ipaddr_from_v4(ip->dst_be);
		ret->daddr = ipaddr_from_v4(ip->src_be);
	} else {
		const struct ipv6_hdr *ip6 = (const void *)skb_network(skb);

		ret->saddr = ipaddr_from_v6(ip6->dst);
		ret->daddr = ipaddr_from_v6(ip6->src);
	}
	ret->sport = be16_to_cpu(th->dport_be);
	ret->dport = be16_to_cpu(th->sport_be);
	ret->ifindex = skb->dev ? skb->dev->ifindex : 0;
}

/* ---- header (R11) ---- */

static bool checksum_ok(const struct skb *skb, const struct l4_tuple *t)
{
	uint32_t sum;

	if (skb->csum != CSUM_NONE)
		return true; /* the device verified it, or it never left this machine */
	sum = csum_pseudo(&t->daddr, &t->saddr, IPPROTO_TCP, skb->len);
	return csum_fold(skb_csum(skb, 0, skb->len, sum)) == 0;
}

static void fill_cb(struct skb *skb, unsigned int hdr_len)
{
	const struct tcp_hdr *th = tcp_hdr_of(skb);
	struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t payload = skb->len - hdr_len;

	memset(cb, 0, sizeof(*cb));
	cb->seq = be32_to_cpu(th->seq_be);
	cb->flags = th->flags;
	cb->end_seq = cb->seq + payload + !!(cb->flags & TCPH_SYN) + !!(cb->flags & TCPH_FIN);
	cb->ack_seq = be32_to_cpu(th->ack_be);
	cb->ds = skb->tos;
	cb->pcount = skb->gso_segs > 1 ? skb->gso_segs : 1;
	cb->gso_size = skb->gso_size ? skb->gso_size : (uint16_t)min_u32(payload, UINT16_MAX);
	cb->opt_len = (uint16_t)(hdr_len - TCP_HDR_LEN);
}

/* Return: false when the segment is to be dropped (counted). */
static bool check_header(struct stack *st, struct skb *skb, struct l4_tuple *ret_tuple)
{
	unsigned int hdr_len;

	if (skb->pkt_type != PKT_HOST)
		return false;
	mib_inc(st, TcpInSegs);
	if (!skb_may_pull(st, skb, TCP_HDR_LEN))
		return false;
	skb->th_off = skb->data_off;
	hdr_len = tcp_hdr_len(tcp_hdr_of(skb));
	if (hdr_len < TCP_HDR_LEN) {
		mib_inc(st, TcpInErrs);
		return false;
	}
	if (!skb_may_pull(st, skb, hdr_len))
		return false;
	skb->th_off = skb->data_off;
	tcp_skb_tuple(skb, ret_tuple);
	if (!checksum_ok(skb, ret_tuple)) {
		mib_inc(st, TcpInCsumErrors);
		mib_inc(st, TcpInErrs);
		return false;
	}
	fill_cb(skb, hdr_len);
	skb_pull(skb, hdr_len);
	return true;
}

/* ---- to a socket ---- */

void tcp_do_rcv(struct tcp_sock *tp, struct skb *skb)
{
	uint32_t pcount = tcp_cb(skb)->pcount;

	tcp_mstamp_refresh(tp);
	tp->segs_in += pcount;
	if (skb->len)
		tp->data_segs_in += pcount;
	switch ((uint8_t)tp->sk.state) {
	case TCP_ESTABLISHED:
		tcp_rcv_established(tp, skb);
		break;
	case TCP_LISTEN:
		tcp_listen_rcv(tp, skb);
		break;
	case TCP_CLOSE:
		skb_free(tp->sk.stack, skb);
		break;
	default:
		tcp_rcv_state_process(tp, skb);
		break;
	}
}

void tcp_backlog_rcv(struct sock *sk, struct skb *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tp->is_in_backlog = true;
	tcp_do_rcv(tp, skb);
	tp->is_in_backlog = false;
}

void tcp_release_cb(struct sock *sk, uint32_t deferred)
{
	struct tcp_sock *tp = tcp_sk(sk);

	tcp_mstamp_refresh(tp);
	if (sk->state == TCP_CLOSE)
		return;
	if (deferred & SOCK_DEFER_TSQ)
		tcp_tsq_handler(tp);
	if (deferred & SOCK_DEFER_WRITE_TIMER)
		tcp_write_timer_handler(tp);
	if (deferred & SOCK_DEFER_DELACK_TIMER)
		tcp_delack_timer_handler(tp);
	if (deferred & SOCK_DEFER_MTU)
		tcp_mtu_reduced(tp);
	if ((deferred & SOCK_DEFER_ACK) && (tp->ack_pending & TCP_ACK_SCHED) && sk->state != TCP_CLOSE)
		tcp_send_ack(tp);
}

void tcp_deliver(struct sock *sk, struct skb *skb)
{
	int64_t limit;

	if (skb->ttl < sk->inet.min_ttl) {
		mib_inc(sk->stack, TcpExtTCPMinTTLDrop);
		skb_free(sk->stack, skb);
		return;
	}
	if (likely(sock_trylock(sk))) {
		(void)sock_flush_backlog(sk); /* order of arrival */
		tcp_do_rcv(tcp_sk(sk), skb);
		sock_release(sk);
		return;
	}
	limit = 2ll * sk->rcvbuf + sk->sndbuf / 2 + BACKLOG_SLACK - sk->rmem_alloc;
	if (!sock_receive_skb(sk, skb, limit > 0 ? (uint64_t)limit : 0))
		mib_inc(sk->stack, TcpExtTCPBacklogDrop);
}

/* ---- objects that are not sockets ---- */

static void rcv_time_wait(struct stack *st, struct tcp_tw *tw, const struct l4_tuple *t, struct skb *skb)
{
	struct sock *listener;
	uint32_t isn = 0;

	switch (tcp_tw_judge(tw, skb, &isn)) {
	case TCP_TW_SYN:
		listener = l4_lookup_listener(st, t);
		if (listener) {
			tcp_tw_kill(tw);
			*tcp_tw_isn(skb) = isn;
			tcp_deliver(listener, skb);
			sock_put(listener);
			return;
		}
		tcp_tw_send_ack(tw);
		break;
	case TCP_TW_ACK:
		tcp_tw_send_ack(tw);
		break;
	case TCP_TW_RST:
		tcp_send_reset_for(st, skb);
		tcp_tw_kill(tw);
		break;
	case TCP_TW_DONE:
		break;
	}
	skb_free(st, skb);
}

static void rcv_found(struct stack *st, struct conn *c, const struct l4_tuple *t, struct skb *skb)
{
	struct sock *sk;

	switch ((uint8_t)c->state) {
	case TCP_TIME_WAIT:
		rcv_time_wait(st, (struct tcp_tw *)c, t, skb);
		tcp_tw_put((struct tcp_tw *)c);
		return;
	case TCP_NEW_SYN_RECV:
		sk = ((struct tcp_req *)c)->listener;
		sock_get(sk);
		tcp_req_put((struct tcp_req *)c);
		break;
	default:
		sk = (struct sock *)c;
		break;
	}
	tcp_deliver(sk, skb);
	sock_put(sk);
}

void tcp_rcv(struct stack *st, struct skb *skb)
{
	struct l4_tuple t;
	struct conn *c;
	struct sock *listener;

	if (!check_header(st, skb, &t)) {
		skb_free(st, skb);
		return;
	}
	stack_trace_ev(st, TR_TCP_RCV, TR_INSTANT, trace_obj(st, NULL, skb), tcp_cb(skb)->seq, skb->len, tcp_cb(skb)->flags);
	c = l4_lookup_established(st, &t);
	if (likely(c)) {
		rcv_found(st, c, &t, skb);
		return;
	}
	listener = l4_lookup_listener(st, &t);
	if (listener) {
		tcp_deliver(listener, skb);
		sock_put(listener);
		return;
	}
	tcp_send_reset_for(st, skb);
	skb_free(st, skb);
}

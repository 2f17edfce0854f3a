/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors about our segments: path MTU, soft and hard errors, requests (R06, T96). */
/*
 * How it works
 *
 * An error counts only when the sequence number it quotes is outstanding. During the handshake it ends the
 * attempt; afterwards it is a soft error, remembered in case the connection times out - unless the program
 * asked for errors (IP_RECVERR). Packets that were too big are cut anew and sent again.
 *
 * Locks: takes the sock lock if it is free; a path MTU for a busy socket is left to its holder.
 */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>

#include "ip/ip.h"
#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn_int.h"
#include "wire/seq.h"

static bool is_too_big(const struct icmp_err *e)
{
	return e->is_v6 ? e->type == ICMP6_PACKET_TOO_BIG : e->type == ICMP_DEST_UNREACH && e->code == ICMP_FRAG_NEEDED;
}

static bool is_host_or_net_unreach(const struct icmp_err *e)
{
	if (e->is_v6)
		return e->type == ICMP6_DST_UNREACH && e->code == ICMP6_DST_UNREACH_NOROUTE;
	return e->type == ICMP_DEST_UNREACH && (e->code == ICMP_NET_UNREACH || e->code == ICMP_HOST_UNREACH);
}

/* ---- path MTU (T96.2) ---- */

void tcp_mtu_reduced(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint32_t mtu;

	if ((TCPF(sk->state) & (TCPF(TCP_LISTEN) | TCPF(TCP_CLOSE))) || !sk->dst)
		return;
	ip_update_pmtu(sk->dst, tp->icmp_mtu);
	mtu = dst_mtu(sk->dst);
	if (tp->pmtu_cookie <= mtu || (sk->is_v4_path && sk->inet.pmtudisc == IP_PMTUDISC_DONT))
		return;
	tcp_sync_mss(tp, mtu);
	/* Lost by size, not by congestion: send again in pieces. */
	tcp_simple_retransmit(tp);
}

static void note_mtu(struct tcp_sock *tp, const struct icmp_err *e, bool is_locked)
{
	tp->icmp_mtu = e->info;
	if (is_locked)
		tcp_mtu_reduced(tp);
	else
		sock_defer(&tp->sk, SOCK_DEFER_MTU);
}

/* ---- errors ---- */

/* R06.6: unreachable may be why nothing came back; then the timeout was longer than it need be. */
static void revert_backoff(struct tcp_sock *tp, const struct icmp_err *e, uint32_t seq)
{
	struct skb *head = tp->rtx_queue.first;
	uint64_t since_ns, left_ns = 0;

	if (!is_host_or_net_unreach(e) || seq != tp->snd_una || !tp->retransmits || !tp->backoff || !head)
		return;
	tp->backoff--;
	tcp_set_rto(tp);
	tp->rto_ns = min_u64(tp->rto_ns << tp->backoff, tp->rto_max_ns);
	since_ns = tp->now_ns - min_u64(head->tstamp_ns, tp->now_ns);
	if (since_ns < tp->rto_ns)
		left_ns = tp->rto_ns - since_ns;
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, max_u64(left_ns, 1));
}

static bool wants_errors(const struct sock *sk)
{
	return sk->flags & (sk->is_v4_path ? SK_RECVERR : SK_RECVERR6);
}

static void err_in_handshake(struct tcp_sock *tp, const struct icmp_err *e, bool is_locked)
{
	struct sock *sk = &tp->sk;

	if (!is_locked) {
		sk->err_soft = e->error; /* R06.3: told when the attempt times out */
		return;
	}
	tcp_abort(tp, e->error);
	if (wants_errors(sk))
		l4_icmp_error_queue(sk, e, sk->dport);
}

static void err_for_sock(struct tcp_sock *tp, const struct icmp_err *e, uint32_t seq, bool is_locked)
{
	struct sock *sk = &tp->sk;

	if (!is_locked && !is_too_big(e))
		mib_inc(sk->stack, TcpExtLockDroppedIcmps);
	if (sk->state == TCP_CLOSE || sk->state == TCP_LISTEN)
		return;
	if (e->ttl < sk->inet.min_ttl) {
		mib_inc(sk->stack, TcpExtTCPMinTTLDrop);
		return;
	}
	if (!seq_between(seq, tp->snd_una, tp->snd_nxt)) {
		mib_inc(sk->stack, TcpExtOutOfWindowIcmps);
		return;
	}
	if (is_too_big(e)) {
		note_mtu(tp, e, is_locked);
		return;
	}
	if (!e->error)
		return;
	if (is_locked)
		revert_backoff(tp, e, seq);
	if (TCPF(sk->state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV))) {
		err_in_handshake(tp, e, is_locked);
	} else if (is_locked && wants_errors(sk)) {
		l4_icmp_error_queue(sk, e, sk->dport);
		sock_report_error(sk, e->error);
	} else {
		sk->err_soft = e->error;
	}
}

/* R06.1: only answers to our SYN-ACK; unreachable hosts and expired packets end the request. */
static void err_for_request(struct tcp_req *req, const struct icmp_err *e, uint32_t seq)
{
	struct sock *sk = req->listener;
	bool ends = e->error && (is_host_or_net_unreach(e) ||
				 (!e->is_v6 && (e->type == ICMP_TIME_EXCEEDED || e->type == ICMP_PARAMETERPROB)) ||
				 (e->is_v6 && e->type == ICMP6_TIME_EXCEEDED));

	if (seq != req->snt_isn) {
		mib_inc(sk->stack, TcpExtOutOfWindowIcmps);
		return;
	}
	if (!ends || !sock_trylock(sk))
		return;
	if (!list_is_empty(&req->node)) {
		mib_inc(sk->stack, TcpExtListenDrops);
		tcp_req_drop(tcp_sk(sk), req);
	}
	sock_release(sk);
}

void tcp_err(struct stack *st, const struct icmp_err *e)
{
	struct l4_tuple t = { .saddr = e->saddr, .daddr = e->daddr };
	struct conn *c;
	uint32_t seq;

	if (e->quote_len < 8)
		return;
	t.sport = get_be16(e->quote);
	t.dport = get_be16(e->quote + 2);
	seq = get_be32(e->quote + 4);
	c = l4_lookup_established(st, &t);
	if (!c) {
		mib_inc(st, e->is_v6 ? Icmp6InErrors : IcmpInErrors);
		return;
	}
	if (c->state == TCP_TIME_WAIT) {
		tcp_tw_put((struct tcp_tw *)c);
	} else if (c->state == TCP_NEW_SYN_RECV) {
		struct sock *listener = ((struct tcp_req *)c)->listener;

		sock_get(listener);
		err_for_request((struct tcp_req *)c, e, seq);
		tcp_req_put((struct tcp_req *)c);
		sock_put(listener);
	} else {
		struct sock *sk = (struct sock *)c;
		bool is_locked = sock_trylock(sk);

		if (is_locked)
			tcp_mstamp_refresh(tcp_sk(sk));
		err_for_sock(tcp_sk(sk), e, seq, is_locked);
		if (is_locked)
			sock_release(sk);
		sock_put(sk);
	}
}

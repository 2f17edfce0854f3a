/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments sent for no full socket: RST, TIME-WAIT answers, SYN-ACK of a request (R13, R17). */
/*
 * How it works: the caller names addresses, numbers and flags; the segment is built on the stack's
 * own account (no socket is charged) and goes straight to IP. Everything here answers something
 * hostile: nothing is kept, nothing waits, a failed allocation means no answer.
 */
#include "tcp/out/out_int.h"

#include <errno.h>

#include "core/netdev.h"
#include "ip/ip.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define TOS_ECN_MASK 3u
#define WINDOW_FIELD_MAX 65535u

/* Fixed part of a header; options of @opt_len bytes follow. */
static struct tcp_hdr *push_header(struct skb *skb, uint16_t sport, uint16_t dport, uint32_t opt_len)
{
	struct tcp_hdr *th = (struct tcp_hdr *)skb_push(skb, TCP_HDR_LEN + opt_len);

	memset(th, 0, TCP_HDR_LEN);
	th->sport_be = cpu_to_be16(sport);
	th->dport_be = cpu_to_be16(dport);
	th->doff_res = (uint8_t)((TCP_HDR_LEN + opt_len) / 4 << 4);
	return th;
}

void tcp_send_reply(struct stack *st, const struct tcp_reply *r)
{
	struct tcp_options_out o = {
		.flags = r->has_ts ? TCP_OPT_TS : 0, .ts_val = r->tsval, .ts_ecr = r->tsecr};
	const struct ip_tx tx = {
		.saddr = r->saddr,
		.daddr = r->daddr,
		.proto = IPPROTO_TCP,
		.tos = r->tos,
		.ttl = -1,
		.is_id_zero = true,
		.want_df = true,
		.flowlabel = r->flowlabel,
		.mark = r->mark,
		.oif = r->oif,
	};
	uint32_t opt_len = (uint32_t)tcp_options_len(&o);
	struct skb *skb = skb_alloc(st, POOL_RESERVE);
	struct tcp_hdr *th;

	if (unlikely(!skb))
		return;
	th = push_header(skb, r->sport, r->dport, opt_len);
	th->seq_be = cpu_to_be32(r->seq);
	th->ack_be = cpu_to_be32(r->ack);
	th->flags = r->flags;
	th->window_be = cpu_to_be16(r->window);
	tcp_options_build((uint8_t *)th + TCP_HDR_LEN, &o);
	tcp_finish_header(skb, &r->saddr, &r->daddr);
	skb->gso_segs = 1;
	mib_inc(st, TcpOutSegs);
	if (r->flags & TCPH_RST)
		mib_inc(st, TcpOutRsts);
	ip_send(st, skb, &tx);
}

/* Our address and the peer's from the IP header of a received packet. */
static void addresses_of(const struct skb *skb, struct ipaddr *ret_ours, struct ipaddr *ret_theirs)
{
	if (skb->protocol == ETH_TYPE_IPV4) {
		const struct ipv4_hdr *ih = (const struct ipv4_hdr *)skb_network(skb);

		*ret_ours = ipaddr_from_v4(ih->dst_be);
		*ret_theirs = ipaddr_from_v4(ih->src_be);
	} else {
		const struct ipv6_hdr *ih = (const struct ipv6_hdr *)skb_network(skb);

		*ret_ours = ipaddr_from_v6(ih->dst);
		*ret_theirs = ipaddr_from_v6(ih->src);
	}
}

void tcp_send_reset_for(struct stack *st, struct skb *skb)
{
	const struct tcp_hdr *th = (const struct tcp_hdr *)skb_transport(skb);
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	struct tcp_reply r = {.flags = TCPH_RST, .tos = skb->tos & (uint8_t)~TOS_ECN_MASK};

	if ((cb->flags & TCPH_RST) || skb->pkt_type != PKT_HOST)
		return;
	addresses_of(skb, &r.saddr, &r.daddr);
	r.sport = be16_to_cpu(th->dport_be);
	r.dport = be16_to_cpu(th->sport_be);
	if (cb->flags & TCPH_ACK) {
		r.seq = cb->ack_seq;
	} else {
		r.flags |= TCPH_ACK;
		r.ack = cb->end_seq;
	}
	if (skb->dev && ipaddr_needs_scope(&r.daddr))
		r.oif = skb->dev->ifindex;
	tcp_send_reply(st, &r);
}

/* ---- SYN-ACK of a half-open request ---- */

static uint16_t request_mss(struct stack *st, const struct tcp_req *req, const struct sock *listener)
{
	uint32_t mss = ip_dst_advmss(st, req->dst, req->conn.is_v4_path);
	uint16_t user_mss = tcp_sk(listener)->rx.user_mss;

	return (uint16_t)(user_mss && user_mss < mss ? user_mss : mss);
}

/* T50, SYN-ACK column. A cookie's timestamp was chosen by who made the cookie. */
static void request_options(struct stack *st, struct tcp_req *req, const struct sock *listener,
			    struct tcp_options_out *ret)
{
	struct tcp_options_out o = {.flags = TCP_OPT_MSS, .mss = request_mss(st, req, listener)};

	if (req->tstamp_ok) {
		if (!req->is_cookie)
			req->snt_tsval_last =
				(uint32_t)(stack_now_ns(st) / NS_PER_MS) + req->ts_offset;
		if (!req->synack_ns)
			req->snt_tsval_first = req->snt_tsval_last;
		o.flags |= TCP_OPT_TS;
		o.ts_val = req->snt_tsval_last;
		o.ts_ecr = req->ts_recent;
	}
	if (req->sack_ok)
		o.flags |= TCP_OPT_SACK_PERM;
	if (req->wscale_ok) {
		o.flags |= TCP_OPT_WSCALE;
		o.wscale = req->rcv_wscale;
	}
	*ret = o;
}

static uint8_t request_tos(const struct stack *st, const struct tcp_req *req,
			   const struct sock *listener)
{
	uint8_t own = req->conn.is_v4_path ? listener->inet.tos : listener->inet.tclass;

	return (st->sysctl.tcp_reflect_tos ? (uint8_t)req->tos_in : own) & (uint8_t)~TOS_ECN_MASK;
}

int tcp_send_req_synack(struct stack *st, struct tcp_req *req, struct sock *listener)
{
	const struct conn *cn = &req->conn;
	struct ip_tx tx = {
		.saddr = cn->saddr,
		.daddr = cn->daddr,
		.proto = IPPROTO_TCP,
		.tos = request_tos(st, req, listener),
		.ttl = cn->is_v4_path ? listener->inet.ttl : listener->inet.hop_limit,
		.pmtudisc = listener->inet.pmtudisc,
		.is_id_zero = true,
		.want_df = true,
		.mark = req->mark,
		.priority = listener->priority,
		.oif = req->ifindex,
		.dst = req->dst,
	};
	struct skb *skb = skb_alloc(st, POOL_NORMAL);
	struct tcp_options_out o;
	struct tcp_hdr *th;

	if (unlikely(!skb))
		return -ENOMEM;
	if (!cn->is_v4_path)
		tx.flowlabel = ip_flowlabel(st, cn->hash_val);
	request_options(st, req, listener, &o);
	th = push_header(skb, cn->sport, cn->dport, (uint32_t)tcp_options_len(&o));
	tcp_options_build((uint8_t *)th + TCP_HDR_LEN, &o);
	th->seq_be = cpu_to_be32(req->snt_isn);
	th->ack_be = cpu_to_be32(req->rcv_nxt);
	th->flags = TCPH_SYN | TCPH_ACK | (req->ecn_ok ? TCPH_ECE : 0);
	th->window_be = cpu_to_be16((uint16_t)min_u32(req->rcv_wnd, WINDOW_FIELD_MAX));
	tcp_finish_header(skb, &cn->saddr, &cn->daddr);
	skb->gso_segs = 1;
	mib_inc(st, TcpOutSegs);
	return xmit_to_errno(ip_send(st, skb, &tx));
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 7: IP headers for sockets and for replies, MTU check. */
/*
 * How it works
 *
 * ip_queue_xmit() serves connected sockets: cached route, header from the socket's options, no lock
 * and no reference taken on the way. ip_send() serves everything that is not, or not only, a socket:
 * what the header shall say stands in struct ip_tx. Both end in ip_output(), which compares with the
 * MTU: a GSO packet whose segments fit passes whole, others are cut in software first; a packet too
 * large is refused (DF: and "fragmentation needed" is sent to ourselves) or fragmented.
 *
 * Every packet is consumed on every way out. Spec: T62, T63, T70.3-4, T96.2, R61.
 */
#include "ip/ip_int.h"

#include "core/trace_ids.h"

#include <errno.h>
#include <netinet/in.h>

#define IP_HDR_ROOM_MAX (IPV4_HDR_MAX + ETH_HDR_LEN + 2) /* also 40 + 14 + 2 */
#define MSG_HEADROOM \
	80u /* head start of packets made here: IPv6 40, Ethernet 14, router alert, even */
#define FLOWLABEL_MASK 0xfffffu

int xmit_to_errno(enum xmit x)
{
	switch (x) {
	case XMIT_OK:
	case XMIT_CN: return 0;
	case XMIT_DROP:
	case XMIT_BUSY:
	case XMIT_NOMEM: return -ENOBUFS;
	case XMIT_NOROUTE: return -EHOSTUNREACH;
	case XMIT_TOOBIG: return -EMSGSIZE;
	case XMIT_DOWN: return -ENETDOWN;
	case XMIT_DENIED: return -EPERM;
	}
	return -ENOBUFS;
}

bool ip_room(struct skb *skb, uint32_t n)
{
	uint32_t shift;

	if (likely(skb->data_off >= n))
		return true;
	shift = n - skb->data_off;
	if (skb_tailroom(skb) < shift)
		return false;
	memmove(skb_data(skb) + shift, skb_data(skb), skb_headlen(skb));
	skb->data_off += shift;
	skb->tail_off += shift;
	skb->net_off += shift;
	skb->th_off += shift;
	skb->csum_start += shift;
	return true;
}

struct skb *ip_msg_alloc(struct stack *st, const void *data, uint32_t len)
{
	struct skb *skb = skb_alloc(st, POOL_NORMAL);
	struct page_frag pf = {0};
	uint32_t linear;
	bool is_ok = true;

	if (!skb)
		return NULL;
	skb->data_off = skb->tail_off = MSG_HEADROOM;
	linear = min_u32(len, skb_tailroom(skb));
	memcpy(skb_put(skb, linear), data, linear);
	if (len > linear) {
		/* rare and rate limited: a region of its own rather than state to recover */
		is_ok = skb_append_copy(st, skb, &pf, (const uint8_t *)data + linear, len - linear);
		page_frag_release(st->pools->pages, &pf);
	}
	if (!is_ok) {
		skb_free(st, skb);
		return NULL;
	}
	return skb;
}

uint32_t ip_flowlabel(struct stack *st, uint32_t flow_hash)
{
	uint32_t label;

	/* 0 never, 2 only where asked for; 1 and 3 always */
	if (st->sysctl.auto_flowlabels == 0 || st->sysctl.auto_flowlabels == 2)
		return 0;
	label = hash_mix(((uint64_t)flow_hash << 32) | ~flow_hash) & FLOWLABEL_MASK;
	return label ? label : 1;
}

/* ---- MTU ---- */

static uint32_t transport_hdr_len(const struct skb *skb)
{
	if ((skb->gso_type & ~GSO_ECN) == GSO_UDP_L4)
		return 8;
	return (skb_transport(skb)[12] >> 4) * 4u;
}

/* Bytes of the largest IP packet a GSO packet will be cut into. */
static uint32_t gso_ip_len(const struct skb *skb)
{
	return skb->th_off - skb->data_off + transport_hdr_len(skb) + skb->gso_size;
}

static COLD enum xmit output_cut(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu,
				 bool has_df)
{
	struct skb *list, *next;
	enum xmit x = XMIT_OK, one;
	int n;

	skb->mac_off = skb->data_off; /* no link header yet */
	n = skb_gso_segment(st, skb, &list);
	skb_free(st, skb);
	if (n < 0)
		return XMIT_NOMEM;
	for (; list; list = next) {
		next = list->next;
		list->next = NULL;
		one = ip_output(st, d, list, mtu, has_df);
		if (one != XMIT_OK)
			x = one;
	}
	return x;
}

static COLD enum xmit refuse_big(struct stack *st, struct skb *skb, uint32_t mtu, bool is_v4)
{
	mib_inc(st, is_v4 ? IpFragFails : Ip6FragFails);
	if (is_v4)
		icmp_send(st, skb, ICMP4_TYPE_UNREACH, ICMP4_UNREACH_FRAG_NEEDED, mtu);
	else
		icmp_send(st, skb, ICMP6_TYPE_TOO_BIG, 0, mtu);
	skb_free(st, skb);
	return XMIT_TOOBIG;
}

static COLD enum xmit output_big(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu,
				 bool has_df)
{
	bool is_v4 = ipaddr_is_v4(&d->daddr);

	if (skb_is_gso(skb)) {
		if (gso_ip_len(skb) <= mtu)
			return neigh_output(d, skb);
		return output_cut(st, d, skb, mtu, has_df);
	}
	if (has_df && !skb->ignore_df)
		return refuse_big(st, skb, mtu, is_v4);
	return ip_fragment(st, d, skb, mtu);
}

enum xmit ip_output(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu, bool has_df)
{
	bool is_v4 = ipaddr_is_v4(&d->daddr);

	mib_inc(st, is_v4 ? IpOutTransmits : Ip6OutTransmits);
	mib_add(st, is_v4 ? IpExtOutOctets : Ip6OutOctets, skb->len);
	if (unlikely(d->type == DST_MULTICAST))
		mib_inc(st, is_v4 ? IpExtOutMcastPkts : Ip6OutMcastPkts);
	else if (unlikely(d->type == DST_BROADCAST))
		mib_inc(st, IpExtOutBcastPkts);
	if (likely(skb->len <= mtu))
		return neigh_output(d, skb);
	return output_big(st, d, skb, mtu, has_df);
}

/* ---- sockets ---- */

static uint32_t mtu_for(const struct dst *d, uint8_t pmtudisc)
{
	return pmtudisc < IP_PMTUDISC_PROBE ? dst_mtu(d) : d->dev->mtu;
}

static bool df_for(const struct dst *d, uint8_t pmtudisc)
{
	if (pmtudisc == IP_PMTUDISC_DO || pmtudisc == IP_PMTUDISC_PROBE)
		return true;
	return pmtudisc == IP_PMTUDISC_WANT && !d->metrics.is_mtu_locked &&
	       !atomic_load_explicit(&((struct dst *)d)->is_pmtu_locked, memory_order_relaxed);
}

static uint8_t ttl_for(struct stack *st, const struct dst *d, int16_t ttl, bool is_v4)
{
	if (ttl >= 0)
		return (uint8_t)ttl;
	if (d->metrics.hoplimit)
		return (uint8_t)d->metrics.hoplimit;
	return (uint8_t)(is_v4 ? st->sysctl.ip_default_ttl : st->sysctl.hop_limit);
}

/* Prepend a finished IPv4 header. */
static bool push_v4(struct skb *skb, struct ipv4_out *h)
{
	uint32_t hdr_len = IPV4_HDR_LEN + ((h->opt_len + 3u) & ~3u);

	if (unlikely(skb->len + hdr_len > IPV4_TOTAL_MAX || !ip_room(skb, hdr_len)))
		return false;
	h->total_len = (uint16_t)(skb->len + hdr_len);
	ipv4_build(skb_push(skb, hdr_len), h);
	skb->net_off = skb->data_off;
	skb->protocol = ETH_TYPE_IPV4;
	return true;
}

static bool push_v6(struct skb *skb, struct ipv6_out *h)
{
	if (unlikely(skb->len > UINT16_MAX || !ip_room(skb, IPV6_HDR_LEN)))
		return false;
	h->payload_len = (uint16_t)skb->len;
	ipv6_build(skb_push(skb, IPV6_HDR_LEN), h);
	skb->net_off = skb->data_off;
	skb->protocol = ETH_TYPE_IPV6;
	return true;
}

static COLD enum xmit drop_out(struct stack *st, struct skb *skb, bool is_v4)
{
	mib_inc(st, is_v4 ? IpOutDiscards : Ip6OutDiscards);
	skb_free(st, skb);
	return XMIT_TOOBIG;
}

static uint8_t sk_ip_proto(const struct sock *sk)
{
	return sk->proto == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP;
}

static enum xmit queue_xmit_v4(struct sock *sk, struct dst *d, struct skb *skb)
{
	struct stack *st = sk->stack;
	bool has_df = df_for(d, sk->inet.pmtudisc) && !skb->ignore_df;
	struct ipv4_out h = {
		.src_be = ipaddr_v4_be(&sk->saddr),
		.dst_be = ipaddr_v4_be(&sk->daddr),
		.id = sk->ip_id,
		.frag_be = ipv4_frag_field_be(0, false, has_df),
		.tos = (uint8_t)(sk->inet.tos | (skb->tos & 3)),
		.ttl = ttl_for(st, d, sk->inet.ttl, true),
		.proto = sk_ip_proto(sk),
		.opt_len = sk->inet.opt_len,
		.opt = sk->inet.opt,
	};

	sk->ip_id = (uint16_t)(sk->ip_id + (skb->gso_segs ? skb->gso_segs : 1));
	mib_inc(st, IpOutRequests);
	if (unlikely(!push_v4(skb, &h)))
		return drop_out(st, skb, true);
	return ip_output(st, d, skb, mtu_for(d, sk->inet.pmtudisc), has_df);
}

static enum xmit queue_xmit_v6(struct sock *sk, struct dst *d, struct skb *skb)
{
	struct stack *st = sk->stack;
	struct ipv6_out h = {
		.src = sk->saddr,
		.dst = sk->daddr,
		.flow_label = sk->inet.flowlabel,
		.tclass = (uint8_t)(sk->inet.tclass | (skb->tos & 3)),
		.hop_limit = ttl_for(st, d, sk->inet.hop_limit, false),
		.next_header = sk_ip_proto(sk),
	};
	bool has_df;

	if (!h.flow_label)
		h.flow_label = ip_flowlabel(st, skb->hash ? skb->hash : sk->hash_val);
	mib_inc(st, Ip6OutRequests);
	if (unlikely(!push_v6(skb, &h)))
		return drop_out(st, skb, false);
	/* IPv6 routers never fragment; a stream is not fragmented here either (T63.5) */
	has_df = sk->proto == PROTO_TCP || sk->inet.pmtudisc6 == IPV6_PMTUDISC_DO ||
		 sk->inet.pmtudisc6 == IPV6_PMTUDISC_PROBE;
	return ip_output(st, d, skb, mtu_for(d, sk->inet.pmtudisc6), has_df);
}

enum xmit ip_queue_xmit(struct sock *sk, struct skb *skb)
{
	int err = 0;
	struct dst *d = ip_sk_route(sk, &err);
	enum xmit x;

	if (unlikely(!d)) {
		skb_free(sk->stack, skb);
		return XMIT_NOROUTE;
	}
	skb->th_off = skb->data_off;
	skb->priority = sk->priority;
	skb->mark = sk->mark;
	stack_trace_ev(sk->stack, TR_IP_QUEUE_XMIT, TR_BEGIN, trace_obj(sk->stack, sk, skb), skb->len, sk->proto, 0);
	x = sk->is_v4_path ? queue_xmit_v4(sk, d, skb) : queue_xmit_v6(sk, d, skb);
	stack_trace_ev(sk->stack, TR_IP_QUEUE_XMIT, TR_END, trace_obj(sk->stack, sk, NULL), 0, sk->proto, (uint64_t)(int64_t)x);
	return x;
}

/* ---- everything else ---- */

static uint64_t tx_hash(struct stack *st, const struct ip_tx *tx, const struct ipaddr *src)
{
	struct {
		struct ipaddr s, d;
		uint32_t proto;
	} __attribute__((packed)) key = {*src, tx->daddr, tx->proto};

	return siphash(&st->secret, &key, sizeof(key));
}

/* T70.4: 0 where DF may not be ignored, else a counter that destinations share by hash. */
static uint16_t tx_id(struct stack *st, const struct ip_tx *tx, const struct skb *skb,
		      const struct ipaddr *src, bool has_df)
{
	uint32_t segs = skb->gso_segs ? skb->gso_segs : 1;
	bool is_strict =
		tx->want_df || tx->pmtudisc == IP_PMTUDISC_DO || tx->pmtudisc == IP_PMTUDISC_PROBE;

	if (tx->is_id_zero)
		return 0;
	if (tx->is_id_fixed)
		return tx->id;
	if (has_df && is_strict && !skb->ignore_df)
		return 0;
	return (uint16_t)atomic_fetch_add_explicit(
		&st->ip->ids[tx_hash(st, tx, src) % IP_ID_COUNTERS], segs, memory_order_relaxed);
}

/* A copy for ourselves of what goes to a group or to everybody. */
static COLD void loop_back(struct stack *st, const struct dst *d, struct skb *skb)
{
	struct skb *copy = skb_clone(st, skb, POOL_NORMAL);

	for (uint32_t i = 0; copy && i < STACK_MAX_DEVS; i++) {
		struct netdev *lo = st->devs[i];

		if (!lo || !(lo->flags & NETDEV_LOOPBACK) || lo == d->dev)
			continue;
		copy->tx_flags = 0;
		copy->csum = copy->csum == CSUM_PARTIAL ? CSUM_UNNECESSARY : copy->csum;
		netif_rx(lo, copy);
		return;
	}
	skb_free(st, copy);
}

static enum xmit send_v4(struct stack *st, struct dst *d, struct skb *skb, const struct ip_tx *tx,
			 const struct ipaddr *src)
{
	uint32_t mtu = mtu_for(d, tx->pmtudisc);
	uint32_t ip_len = skb->len + IPV4_HDR_LEN + tx->opt_len;
	bool has_df = tx->want_df || df_for(d, tx->pmtudisc);
	struct ipv4_out h = {
		.src_be = ipaddr_v4_be(src),
		.dst_be = ipaddr_v4_be(&tx->daddr),
		.tos = tx->tos,
		.ttl = ttl_for(st, d, tx->ttl, true),
		.proto = tx->proto,
		.opt_len = tx->opt_len,
		.opt = tx->opt,
	};

	/* T70.3: WANT fragments what does not fit */
	if (tx->allow_frag && !tx->want_df && tx->pmtudisc == IP_PMTUDISC_WANT && ip_len > mtu &&
	    !skb_is_gso(skb))
		has_df = false;
	has_df = has_df && !skb->ignore_df;
	h.id = tx_id(st, tx, skb, src, has_df);
	h.frag_be = ipv4_frag_field_be(0, false, has_df);
	mib_inc(st, IpOutRequests);
	if (unlikely(!push_v4(skb, &h)))
		return drop_out(st, skb, true);
	if (d->type == DST_BROADCAST ||
	    (d->type == DST_MULTICAST && tx->mc_loop && mc_is_member(d->dev, &tx->daddr)))
		loop_back(st, d, skb);
	return ip_output(st, d, skb, mtu, has_df);
}

static enum xmit send_v6(struct stack *st, struct dst *d, struct skb *skb, const struct ip_tx *tx,
			 const struct ipaddr *src)
{
	struct ipv6_out h = {
		.src = *src,
		.dst = tx->daddr,
		.flow_label = tx->flowlabel,
		.tclass = tx->tos,
		.hop_limit = ttl_for(st, d, tx->ttl, false),
		.next_header = tx->proto,
	};
	bool may_frag = tx->allow_frag && tx->pmtudisc != IPV6_PMTUDISC_DO &&
			tx->pmtudisc != IPV6_PMTUDISC_PROBE;

	if (!h.flow_label)
		h.flow_label =
			ip_flowlabel(st, skb->hash ? skb->hash : (uint32_t)tx_hash(st, tx, src));
	mib_inc(st, Ip6OutRequests);
	if (unlikely(!push_v6(skb, &h)))
		return drop_out(st, skb, false);
	if (d->type == DST_MULTICAST && tx->mc_loop && mc_is_member(d->dev, &tx->daddr))
		loop_back(st, d, skb);
	return ip_output(st, d, skb, mtu_for(d, tx->pmtudisc), !may_frag);
}

enum xmit ip_send(struct stack *st, struct skb *skb, const struct ip_tx *tx)
{
	struct flow fl = {.saddr = tx->saddr, .daddr = tx->daddr, .oif = tx->oif, .mark = tx->mark};
	struct dst *d = tx->dst, *mine = NULL;
	enum xmit x;

	if (!dst_is_valid(d)) {
		int err = ip_route_output(st, &fl, &mine);

		if (err) {
			skb_free(st, skb);
			return err == -ENOBUFS ? XMIT_NOMEM : XMIT_NOROUTE;
		}
		d = mine;
	} else if (ipaddr_is_any(&fl.saddr)) {
		fl.saddr = d->saddr;
	}
	skb->th_off = skb->data_off;
	skb->priority = tx->priority;
	skb->mark = tx->mark;
	if (ipaddr_is_v4(&tx->daddr))
		x = send_v4(st, d, skb, tx, &fl.saddr);
	else
		x = send_v6(st, d, skb, tx, &fl.saddr);
	dst_put(mine);
	return x;
}

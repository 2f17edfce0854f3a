/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram from below: checks, the socket or sockets it is for, the receive queue (R59). */
/*
 * How it works
 *
 * Checks first, so that nothing wrong reaches a queue or causes an answer. Then the best socket
 * takes a unicast datagram, and every matching one a copy of a multicast or broadcast. A busy
 * socket gets it through its backlog. In a queue the data begins behind the UDP header; IP and UDP
 * header stay readable at net_off and th_off, from where the reading side takes name and ancillary
 * data.
 *
 * A device may hand up several datagrams of a flow in one packet (segmentation offload): they are
 * taken apart here. Deliberately absent: UDP_GRO, encapsulation, the limits of udp_mem.
 *
 * Locks: none held on entry; the sock lock in udp_backlog_rcv().
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "core/netdev.h"
#include "wire/csum.h"
#include "wire/icmp.h"

/* ---- to a socket ---- */

static void count_full(struct sock *sk, bool is_v4)
{
	mib_inc(sk->stack, UDP_MIB(is_v4, RcvbufErrors));
	mib_inc(sk->stack, UDP_MIB(is_v4, InErrors));
}

static bool is_skb_v4(const struct skb *skb)
{
	return skb_network(skb)[0] >> 4 == 4;
}

/* R59.4: one datagram always fits an empty queue. */
static bool has_room(const struct sock *sk, const struct skb *skb)
{
	int64_t rmem = atomic_load(&((struct sock *)sk)->rmem_alloc);

	return !rmem || rmem + skb->truesize <= sk->rcvbuf;
}

void udp_backlog_rcv(struct sock *sk, struct skb *skb)
{
	struct stack *st = sk->stack;

	if (unlikely(sk->flags & SK_DEAD)) {
		skb_free(st, skb);
		return;
	}
	if (unlikely(!has_room(sk, skb))) {
		atomic_fetch_add(&sk->drops, 1);
		count_full(sk, is_skb_v4(skb));
		skb_free(st, skb);
		return;
	}
	udp_rx_cb(skb)->num_drops = atomic_load(&sk->drops);
	skb_set_owner_r(skb, sk);
	skb_queue_tail(&sk->receive_queue, skb, SKB_IN_RCVQ);
	sock_wake(sk, EPOLLIN | EPOLLRDNORM);
}

/* Data at the UDP header. CONSUMES @skb. */
static void give(struct sock *sk, struct skb *skb)
{
	struct stack *st = sk->stack;
	bool is_v4 = is_skb_v4(skb);
	uint32_t limit = (uint32_t)atomic_load_explicit(&sk->rcvbuf, memory_order_relaxed);

	skb_orphan(st, skb);
	skb_pull(skb, UDP_HDR_LEN);
	if (!sock_receive_skb(sk, skb, limit))
		count_full(sk, is_v4);
}

/* ---- multicast and broadcast (R59.5) ---- */

/* One matching socket; no lock is held. */
static void give_copy(struct sock *sk, void *arg)
{
	struct skb *skb = arg, *copy = skb_clone(sk->stack, skb, POOL_NORMAL);

	if (copy) {
		give(sk, copy);
		return;
	}
	atomic_fetch_add(&sk->drops, 1);
	count_full(sk, is_skb_v4(skb));
}

/* CONSUMES @skb. */
static void give_all(struct stack *st, struct skb *skb, const struct l4_tuple *t)
{
	if (!l4_udp_each(st, t, give_copy, skb))
		mib_inc(st, UDP_MIB(is_skb_v4(skb), IgnoredMulti));
	skb_free(st, skb);
}

static bool is_for_group(struct stack *st, const struct skb *skb, const struct ipaddr *daddr)
{
	if (ipaddr_is_multicast(daddr))
		return true;
	return skb->pkt_type == PKT_BROADCAST &&
	       (ipaddr_is_v4_broadcast(daddr) || ip_addr_type(st, daddr) == DST_BROADCAST);
}

/* ---- checks (R59.1) ---- */

/* False: wrong. A missing checksum is right on IPv4; on IPv6 *ret_is_absent says so. */
static bool is_csum_right(const struct skb *skb, const struct l4_tuple *t, uint32_t len,
			  bool *ret_is_absent)
{
	const struct udp_hdr *h = (const struct udp_hdr *)skb_data(skb);

	*ret_is_absent = false;
	if (!h->csum) {
		*ret_is_absent = !ipaddr_is_v4(&t->saddr);
		return true;
	}
	if (skb->csum != CSUM_NONE)
		return true;
	return !csum_fold(skb_csum(skb, 0, len, csum_pseudo(&t->daddr, &t->saddr, IPPROTO_UDP, len)));
}

static COLD void drop_wrong(struct stack *st, struct skb *skb, bool is_csum)
{
	bool is_v4 = is_skb_v4(skb);

	if (is_csum)
		mib_inc(st, UDP_MIB(is_v4, InCsumErrors));
	mib_inc(st, UDP_MIB(is_v4, InErrors));
	skb_free(st, skb);
}

static COLD void no_socket(struct stack *st, struct skb *skb)
{
	bool is_v4 = is_skb_v4(skb);

	mib_inc(st, UDP_MIB(is_v4, NoPorts));
	if (is_v4)
		icmp_send(st, skb, ICMP4_TYPE_UNREACH, ICMP4_UNREACH_PORT, 0);
	else
		icmp_send(st, skb, ICMP6_TYPE_UNREACH, ICMP6_UNREACH_PORT, 0);
	skb_free(st, skb);
}

/* ---- one datagram ---- */

static void rcv_one(struct stack *st, struct skb *skb)
{
	struct l4_tuple t = {.ifindex = skb->dev ? skb->dev->ifindex : 0};
	struct udp_info info;
	bool has_no_csum;
	struct sock *sk;

	if (!skb_may_pull(st, skb, UDP_HDR_LEN) || udp_parse(skb_data(skb), skb->len, &info)) {
		drop_wrong(st, skb, false);
		return;
	}
	skb_trim_tail(st, skb, info.len);
	ip_skb_daddr(skb, &t.saddr);
	ip_skb_saddr(skb, &t.daddr);
	t.sport = info.dport;
	t.dport = info.sport;
	if (!is_csum_right(skb, &t, info.len, &has_no_csum)) {
		drop_wrong(st, skb, true);
		return;
	}
	if (is_for_group(st, skb, &t.saddr)) {
		if (has_no_csum)
			drop_wrong(st, skb, true);
		else
			give_all(st, skb, &t);
		return;
	}
	sk = l4_udp_lookup(st, &t);
	if (has_no_csum && !(sk && udp_sk(sk)->no_check6_rx))
		drop_wrong(st, skb, true);
	else if (sk)
		give(sk, skb);
	else
		no_socket(st, skb);
	if (sk)
		sock_put(sk);
}

/* ---- several in one packet (R59.6) ---- */

static COLD void rcv_gso(struct stack *st, struct skb *skb)
{
	struct skb *list = NULL, *next;
	uint32_t hdr_len = skb->data_off - skb->net_off;
	int n;

	(void)skb_push(skb, hdr_len);
	skb->mac_off = skb->data_off;
	n = skb_gso_segment(st, skb, &list);
	for (; n > 0 && list; list = next) {
		next = list->next;
		list->next = NULL;
		list->dev = skb->dev;
		list->pkt_type = skb->pkt_type;
		list->tstamp_ns = skb->tstamp_ns;
		list->ip_proto = skb->ip_proto;
		list->tos = skb->tos;
		list->ttl = skb->ttl;
		list->truesize = netdev_rx_truesize(list->len);
		list->net_off = list->data_off;
		skb_pull(list, hdr_len);
		list->th_off = list->data_off;
		rcv_one(st, list);
	}
	if (n < 0)
		mib_inc(st, UDP_MIB(is_skb_v4(skb), InErrors));
	skb_free(st, skb);
}

void udp_rcv(struct stack *st, struct skb *skb)
{
	if (unlikely(skb_is_gso(skb)))
		rcv_gso(st, skb);
	else
		rcv_one(st, skb);
}

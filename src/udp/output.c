/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and sending one datagram (T69, T70). */
/*
 * How it works
 *
 * A datagram is one packet: small payload in the linear head, the rest in the page fragment of the
 * socket. It is cut into IP fragments below, if need be, so pieces of a corked datagram are simply
 * put behind each other. It is charged to WALLOC from the start; the charge follows its size by the
 * rule for received packets, because the same packet is what a receiver on loopback will hold.
 *
 * The checksum is left to the device, or to core/gso.c, unless the socket wants none.
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <netinet/in.h>

#include "core/netdev.h"
#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define IP_PACKET_MAX 65535u
#define FRAG_MIN_BYTES 32u    /* T26.1 */
#define SNDBUF_LATER_FACTOR 2 /* T69.6 */

/* ---- limits ---- */

static uint32_t ip_hdr_len(const struct udp_flow *f)
{
	return udp_flow_is_v4(f) ? IPV4_HDR_LEN + f->opt_len : IPV6_HDR_LEN;
}

/* T69.2: largest IP packet; an IPv6 header does not count into its own length field. */
static uint32_t packet_limit(const struct udp_flow *f)
{
	if (f->is_dontfrag || (f->pmtudisc >= IP_PMTUDISC_DO && f->pmtudisc != IP_PMTUDISC_OMIT))
		return f->mtu;
	return udp_flow_is_v4(f) ? IP_PACKET_MAX : IP_PACKET_MAX + IPV6_HDR_LEN;
}

static bool is_too_long(const struct udp_flow *f, size_t payload)
{
	return payload + UDP_HDR_LEN + ip_hdr_len(f) > packet_limit(f);
}

/* ---- payload ---- */

struct skb *udp_datagram_new(struct sock *sk, const struct udp_flow *f)
{
	struct skb *skb = skb_alloc(sk->stack, POOL_NORMAL);

	if (!skb)
		return NULL;
	skb->tx_flags = f->tx_flags;
	skb->ts_key = f->ts_key;
	skb->tstamp_ns = f->txtime_ns;
	skb_set_owner_w(skb, sk, SKB_DTOR_SOCK_WFREE);
	return skb;
}

static void charge(struct sock *sk, struct skb *skb, const struct udp_flow *f)
{
	uint32_t want = netdev_rx_truesize(skb->len + UDP_HDR_LEN + ip_hdr_len(f));

	atomic_fetch_add(&sk->wmem_alloc, (int32_t)(want - skb->truesize));
	skb->truesize = want;
}

/* One chunk of the message to the end of @skb; fewer bytes than @want where a page ends. */
static int copy_chunk(struct sock *sk, struct skb *skb, struct iov_iter *it, uint32_t want)
{
	struct page_pool *pages = sk->stack->pools->pages;
	struct page_frag *pf = &sk->page_frag;
	uint32_t n;

	if (!skb->nr_frags && want <= skb_tailroom(skb)) {
		if (iter_copy_from(it, skb->head + skb->tail_off, want))
			return -EFAULT;
		(void)skb_put(skb, want);
		return 0;
	}
	if (!page_frag_refill(pages, pf, FRAG_MIN_BYTES))
		return -ENOBUFS;
	n = min_u32(want, pf->region->size - pf->off);
	if (iter_copy_from(it, pf->region->data + pf->off, n))
		return -EFAULT;
	page_region_get(pf->region);
	if (!skb_add_frag(sk->stack, skb, pf->region, pf->off, n)) {
		page_region_put(pages, pf->region);
		return -ENOBUFS;
	}
	pf->off += n;
	return 0;
}

static int copy_all(struct sock *sk, struct skb *skb, struct iov_iter *it)
{
	int err = 0;

	while (!err && it->count)
		err = copy_chunk(sk, skb, it, (uint32_t)it->count);
	return err;
}

static uint32_t fragments_of(const struct udp_flow *f, size_t payload)
{
	uint32_t room = (f->mtu - min_u32(ip_hdr_len(f), f->mtu)) & ~7u;

	return (uint32_t)((payload + UDP_HDR_LEN) / max_u32(room, 8));
}

int udp_datagram_append(struct sock *sk, struct skb *skb, const struct udp_flow *f,
			struct iov_iter *it)
{
	size_t total = skb->len + it->count;
	int err = 0;

	if (is_too_long(f, total)) {
		udp_local_error(sk, f, f->mtu);
		return -EMSGSIZE;
	}
	/* What needs one more IP fragment may go over the limit, but not without end. */
	if (skb->len && fragments_of(f, total) != fragments_of(f, skb->len) &&
	    (int64_t)atomic_load(&sk->wmem_alloc) > (int64_t)sk->sndbuf * SNDBUF_LATER_FACTOR)
		err = -ENOBUFS;
	if (!err)
		err = copy_all(sk, skb, it);
	if (!err)
		charge(sk, skb, f);
	else
		mib_inc(sk->stack, udp_flow_is_v4(f) ? IpOutDiscards : Ip6OutDiscards);
	return err;
}

/* ---- T70.1: header ---- */

static void build_header(const struct sock *sk, struct skb *skb, const struct udp_flow *f)
{
	struct udp_hdr *h = (struct udp_hdr *)skb_push(skb, UDP_HDR_LEN);
	bool no_check = udp_flow_is_v4(f) ? sk->flags & SK_NO_CHECK : udp_sk(sk)->no_check6_tx;
	uint16_t len = (uint16_t)skb->len;

	udp_build((uint8_t *)h, sk->sport, f->dport, len);
	skb->th_off = skb->data_off;
	if (no_check)
		return;
	h->csum = csum_fold_partial(csum_pseudo(&f->saddr, &f->daddr, IPPROTO_UDP, len));
	skb->csum = CSUM_PARTIAL;
	skb->csum_start = skb->data_off;
	skb->csum_offset = UDP_CSUM_OFF;
}

static void fill_ip_tx(struct sock *sk, const struct udp_flow *f, struct ip_tx *tx)
{
	*tx = (struct ip_tx){
		.saddr = f->saddr,
		.daddr = f->daddr,
		.proto = IPPROTO_UDP,
		.tos = f->tos,
		.ttl = f->ttl,
		.pmtudisc = f->pmtudisc,
		.allow_frag = true,
		.flowlabel = f->flowlabel,
		.mark = f->mark,
		.priority = f->priority,
		.oif = f->oif,
		.dst = f->dst,
		.opt = f->opt,
		.opt_len = f->opt_len,
		.mc_loop = sk->inet.mc_loop,
	};
	if (sk->state == TCP_ESTABLISHED) { /* T70.4 */
		tx->is_id_fixed = true;
		tx->id = sk->ip_id++;
	}
}

/* T70.5 */
static int verdict(struct sock *sk, const struct udp_flow *f, enum xmit x)
{
	bool is_v4 = udp_flow_is_v4(f);
	int err = xmit_to_errno(x);

	if (!err) {
		mib_inc(sk->stack, UDP_MIB(is_v4, OutDatagrams));
		return 0;
	}
	if (err == -ENOBUFS && !udp_wants_errors(sk, is_v4)) {
		mib_inc(sk->stack, UDP_MIB(is_v4, SndbufErrors));
		return 0;
	}
	return err;
}

int udp_datagram_send(struct sock *sk, struct skb *skb, const struct udp_flow *f)
{
	struct ip_tx tx;

	build_header(sk, skb, f);
	fill_ip_tx(sk, f, &tx);
	return verdict(sk, f, ip_send(sk->stack, skb, &tx));
}

/* ---- the datagram being assembled ---- */

static struct skb *take_pending(struct udp_sock *us)
{
	struct skb *skb = us->pending;

	us->pending = NULL;
	skb_owner_move(skb, SKB_IN_TRANSIT);
	return skb;
}

int udp_push_pending(struct sock *sk)
{
	struct udp_sock *us = udp_sk(sk);
	struct skb *skb = take_pending(us);
	int err = udp_datagram_send(sk, skb, &us->cork);

	udp_flow_done(&us->cork);
	return err;
}

void udp_flush_pending(struct sock *sk)
{
	struct udp_sock *us = udp_sk(sk);

	if (!us->pending)
		return;
	skb_free(sk->stack, take_pending(us));
	udp_flow_done(&us->cork);
}

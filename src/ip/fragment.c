/* SPDX-License-Identifier: BSD-2-Clause */
/* Cutting outgoing packets into fragments, IPv4 and IPv6. */
/*
 * How it works: each fragment is a clone trimmed to its piece, so payload pages are shared; the last
 * one takes over the charge to the socket. The checksum is finished before. All pieces but the last carry a multiple of 8 bytes. IPv4 options without the copy
 * bit become padding behind the first piece (RFC 791 section 3.1); IPv6 packets made here have no
 * extension headers, so the whole payload is the fragmentable part (RFC 8200 section 4.5). T63.5.
 */
#include "ip/ip_int.h"

#define OPT_COPIED 0x80u
#define OPT_END 0
#define OPT_NOP 1

void ip_frag_options(uint8_t *opt, uint32_t len)
{
	uint32_t i = 0, n;

	while (i < len && opt[i] != OPT_END) {
		n = 1;
		if (opt[i] != OPT_NOP) {
			n = i + 1 < len ? opt[i + 1] : 0;
			if (n < 2 || n > len - i)
				return;
			if (!(opt[i] & OPT_COPIED))
				memset(opt + i, OPT_NOP, n);
		}
		i += n;
	}
}

/* The piece [off, off + len) of the payload behind @hdr_len bytes, without any header. */
static struct skb *cut_piece(struct stack *st, struct skb *skb, uint32_t hdr_len, uint32_t off,
			     uint32_t len)
{
	struct skb *f = skb_clone(st, skb, POOL_NORMAL);

	if (!f)
		return NULL;
	skb_trim_head(st, f, hdr_len + off);
	skb_trim_tail(st, f, len);
	f->csum = CSUM_NONE;
	f->truesize = netdev_rx_truesize(len); /* what waits for a neighbour is limited by it */
	if (off) {
		/* one timestamp report per datagram */
		f->tx_flags = 0;
	}
	if (!ip_room(f, IPV4_HDR_MAX + ETH_HDR_LEN)) {
		skb_free(st, f);
		return NULL;
	}
	return f;
}

/* The sender stays charged until the last piece is gone. */
static void move_charge(struct skb *from, struct skb *to)
{
	to->sk = from->sk;
	to->dtor = from->dtor;
	to->truesize = from->truesize;
	from->sk = NULL;
	from->dtor = SKB_DTOR_NONE;
}

static void head_v4(struct skb *f, const uint8_t *hdr, uint32_t hdr_len, uint32_t off, bool more)
{
	uint8_t *p = skb_push(f, hdr_len);
	struct ipv4_hdr *h = (struct ipv4_hdr *)p;

	memcpy(p, hdr, hdr_len);
	if (off)
		ip_frag_options(p + IPV4_HDR_LEN, hdr_len - IPV4_HDR_LEN);
	h->total_len_be = cpu_to_be16((uint16_t)f->len);
	h->frag_be = ipv4_frag_field_be(off, more, false);
	ipv4_set_csum(p, (uint8_t)hdr_len);
	f->net_off = f->data_off;
}

static void head_v6(struct skb *f, const uint8_t *hdr, uint32_t id, uint32_t off, bool more)
{
	const struct ipv6_hdr *o = (const struct ipv6_hdr *)hdr;
	struct ipv6_hdr *h;

	ipv6_frag_build(skb_push(f, IPV6_FRAG_HDR_LEN), o->next_header, off, more, id);
	h = (struct ipv6_hdr *)skb_push(f, IPV6_HDR_LEN);
	memcpy(h, hdr, IPV6_HDR_LEN);
	h->next_header = IPPROTO_FRAGMENT;
	h->payload_len_be = cpu_to_be16((uint16_t)(f->len - IPV6_HDR_LEN));
	f->net_off = f->data_off;
}

static enum xmit frag_fail(struct stack *st, struct skb *skb, bool is_v4, enum xmit x)
{
	mib_inc(st, is_v4 ? IpFragFails : Ip6FragFails);
	skb_free(st, skb);
	return x;
}

enum xmit ip_fragment(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu)
{
	bool is_v4 = ipaddr_is_v4(&d->daddr);
	uint8_t hdr[IPV4_HDR_MAX];
	uint32_t hdr_len = is_v4 ? (skb_data(skb)[0] & 15u) * 4 : IPV6_HDR_LEN;
	uint32_t overhead = is_v4 ? hdr_len : IPV6_HDR_LEN + IPV6_FRAG_HDR_LEN;
	uint32_t id = is_v4 ? 0 : stack_rand_u32(st), total = skb->len - hdr_len, step;
	enum xmit x = XMIT_OK;

	if (mtu < overhead + 8)
		return frag_fail(st, skb, is_v4, XMIT_TOOBIG);
	if (skb->csum == CSUM_PARTIAL && skb_checksum_help(skb))
		return frag_fail(st, skb, is_v4, XMIT_NOMEM);
	memcpy(hdr, skb_data(skb), hdr_len);
	step = (mtu - overhead) & ~7u;
	for (uint32_t off = 0; off < total; off += step) {
		uint32_t len = min_u32(step, total - off);
		struct skb *f = cut_piece(st, skb, hdr_len, off, len);

		if (!f)
			return frag_fail(st, skb, is_v4, XMIT_NOMEM);
		if (is_v4)
			head_v4(f, hdr, hdr_len, off, off + len < total);
		else
			head_v6(f, hdr, id, off, off + len < total);
		if (off + len == total)
			move_charge(skb, f);
		mib_inc(st, is_v4 ? IpFragCreates : Ip6FragCreates);
		x = neigh_output(d, f);
		if (x != XMIT_OK && x != XMIT_CN)
			return frag_fail(st, skb, is_v4, x);
	}
	mib_inc(st, is_v4 ? IpFragOKs : Ip6FragOKs);
	skb_free(st, skb);
	return x;
}

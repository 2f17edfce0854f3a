/* SPDX-License-Identifier: BSD-2-Clause */
/* Software segmentation and checksum for devices that lack them (T54, T70). */
/*
 * How it works: a GSO packet is one set of headers in the head and a payload of gso_segs * gso_size
 * bytes. Each piece gets a copy of the headers and references to its slice of the payload; nothing of
 * the payload is copied unless it lies in the head. Then lengths, IP id, sequence number, flags and the
 * pseudo-header sum are set for the piece; the checksum itself stays CSUM_PARTIAL.
 */
#include <errno.h>

#include "core/dst.h"
#include "core/netdev.h"
#include "core/stack.h"
#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

int skb_checksum_help(struct skb *s)
{
	uint32_t at = (uint32_t)s->csum_start + s->csum_offset, off, sum;
	uint16_t c;

	if (s->csum != CSUM_PARTIAL)
		return 0;
	if (s->csum_start < s->data_off || at + 2 > s->tail_off)
		return -EINVAL;
	off = s->csum_start - s->data_off;
	sum = skb_csum(s, off, s->len - off, 0); /* the field holds the pseudo-header sum */
	c = s->csum_offset == UDP_CSUM_OFF ? csum_fold_udp(sum) : csum_fold(sum);
	memcpy(s->head + at, &c, sizeof(c));
	s->csum = CSUM_NONE;
	return 0;
}

/* What every piece of one packet has in common. */
struct gso {
	const struct skb *skb;
	uint32_t hdr_len; /* link to transport header, bytes */
	uint32_t mss;
	uint32_t num;
	uint8_t proto;
	bool is_v4;
	uint32_t tcp_seq;
	uint16_t ip_id;
};

static int gso_describe(const struct skb *skb, struct gso *g)
{
	uint8_t type = skb->gso_type & (uint8_t)~GSO_ECN;
	uint32_t l4_len, net_len;

	if (!skb->gso_size || skb->net_off < skb->data_off || skb->th_off <= skb->net_off)
		return -EINVAL;
	g->skb = skb;
	g->mss = skb->gso_size;
	if (type != GSO_TCPV4 && type != GSO_TCPV6 && type != GSO_UDP_L4)
		return -EINVAL;
	g->proto = type == GSO_UDP_L4 ? IPPROTO_UDP : IPPROTO_TCP;
	net_len = skb->th_off - skb->net_off;
	g->is_v4 = skb->head[skb->net_off] >> 4 == 4;
	if (net_len < (g->is_v4 ? IPV4_HDR_LEN : IPV6_HDR_LEN) ||
	    (type == GSO_TCPV4 && !g->is_v4) || (type == GSO_TCPV6 && g->is_v4))
		return -EINVAL;
	if (skb->th_off + (g->proto == IPPROTO_TCP ? TCP_HDR_LEN : UDP_HDR_LEN) > skb->tail_off)
		return -EINVAL;
	l4_len = UDP_HDR_LEN;
	if (g->proto == IPPROTO_TCP) {
		const struct tcp_hdr *th = (const void *)skb_transport(skb);

		l4_len = tcp_hdr_len(th);
		g->tcp_seq = be32_to_cpu(th->seq_be);
	}
	if (l4_len < UDP_HDR_LEN || skb->th_off + l4_len > skb->tail_off)
		return -EINVAL;
	if (g->is_v4)
		g->ip_id = be16_to_cpu(((const struct ipv4_hdr *)skb_network(skb))->id_be);
	g->hdr_len = skb->th_off + l4_len - skb->data_off;
	if (skb->len <= g->hdr_len)
		return -EINVAL;
	g->num = (uint32_t)div_up_u64(skb->len - g->hdr_len, g->mss);
	return 0;
}

/* Payload bytes [off, off+len) of the original packet to the end of @s. */
static bool take_slice(struct stack *st, struct skb *s, const struct skb *from, uint32_t off,
		       uint32_t len)
{
	uint32_t headlen = skb_headlen(from);

	if (off < headlen) {
		uint32_t n = min_u32(len, headlen - off);

		if (n > skb_tailroom(s))
			return false;
		memcpy(skb_put(s, n), skb_data(from) + off, n);
		off += n;
		len -= n;
	}
	off -= headlen;
	for (unsigned int i = 0; len && i < from->nr_frags; i++) {
		const struct frag *f = &from->frags[i];
		uint32_t n;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		n = min_u32(len, f->len - off);
		page_region_get(f->region);
		if (!skb_add_frag(st, s, f->region, f->off + off, n)) {
			page_region_put(st->pools->pages, f->region);
			return false;
		}
		off = 0;
		len -= n;
	}
	return len == 0;
}

static void set_ip_header(const struct gso *g, struct skb *s, uint32_t k, struct ipaddr *src,
			  struct ipaddr *dst)
{
	uint32_t len = s->len - (s->net_off - s->data_off);

	if (g->is_v4) {
		struct ipv4_hdr *ih = (void *)skb_network(s);

		ih->total_len_be = cpu_to_be16((uint16_t)len);
		ih->id_be = cpu_to_be16((uint16_t)(g->ip_id + k));
		ipv4_set_csum((uint8_t *)ih, (uint8_t)((ih->ver_ihl & 15) * 4));
		*src = ipaddr_from_v4(ih->src_be);
		*dst = ipaddr_from_v4(ih->dst_be);
	} else {
		struct ipv6_hdr *ih = (void *)skb_network(s);

		ih->payload_len_be = cpu_to_be16((uint16_t)(len - IPV6_HDR_LEN));
		*src = ipaddr_from_v6(ih->src);
		*dst = ipaddr_from_v6(ih->dst);
	}
}

static void set_headers(const struct gso *g, struct skb *s, uint32_t k)
{
	uint32_t l4_len = s->len - (s->th_off - s->data_off);
	struct ipaddr src, dst;
	uint16_t sum;

	set_ip_header(g, s, k, &src, &dst);
	sum = csum_fold_partial(csum_pseudo(&src, &dst, g->proto, l4_len));
	if (g->proto == IPPROTO_TCP) {
		struct tcp_hdr *th = (void *)skb_transport(s);

		th->seq_be = cpu_to_be32(g->tcp_seq + k * g->mss);
		if (k + 1 < g->num)
			th->flags &= (uint8_t) ~(TCPH_FIN | TCPH_PSH);
		if (k)
			th->flags &= (uint8_t)~TCPH_CWR;
		th->csum = sum;
		s->csum_offset = TCP_CSUM_OFF;
	} else {
		struct udp_hdr *uh = (void *)skb_transport(s);

		uh->len_be = cpu_to_be16((uint16_t)l4_len);
		uh->csum = sum;
		s->csum_offset = UDP_CSUM_OFF;
	}
	s->csum = CSUM_PARTIAL;
	s->csum_start = s->th_off;
}

static struct skb *make_piece(struct stack *st, const struct gso *g, uint32_t k)
{
	const struct skb *from = g->skb;
	uint32_t off = g->hdr_len + k * g->mss;
	struct skb *s = skb_alloc(st, POOL_NORMAL);

	if (!s)
		return NULL;
	s->dev = from->dev;
	s->priority = from->priority;
	s->mark = from->mark;
	s->hash = from->hash;
	s->tstamp_ns = from->tstamp_ns;
	s->protocol = from->protocol;
	s->pkt_type = from->pkt_type;
	s->tos = from->tos;
	s->data_off = s->tail_off = from->data_off;
	s->mac_off = from->mac_off;
	s->net_off = from->net_off;
	s->th_off = from->th_off;
	memcpy(skb_put(s, g->hdr_len), skb_data(from), g->hdr_len);
	if (!take_slice(st, s, from, off, min_u32(g->mss, from->len - off))) {
		skb_free(st, s);
		return NULL;
	}
	s->truesize += s->data_len;
	set_headers(g, s, k);
	return s;
}

int skb_gso_segment(struct stack *st, struct skb *skb, struct skb **ret)
{
	struct skb *first = NULL, **link = &first;
	struct gso g = {0};
	int err = gso_describe(skb, &g);

	if (err)
		return err;
	for (uint32_t k = 0; k < g.num; k++) {
		struct skb *s = make_piece(st, &g, k);

		if (!s)
			goto out_free;
		*link = s;
		link = &s->next;
	}
	*ret = first;
	return (int)g.num;

out_free:
	while (first) {
		struct skb *next = first->next;

		skb_free(st, first);
		first = next;
	}
	return -ENOMEM;
}

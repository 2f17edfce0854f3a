/* SPDX-License-Identifier: BSD-2-Clause */
/* Generic receive offload: consecutive segments of a TCP flow become one packet (R01). */
/*
 * How it works: a segment is first described (struct seg: where its headers are, or that it cannot take
 * part). A held packet of the same flow either takes it (all conditions of R01.2 and R01.4), or is
 * passed up first and the segment is held in its place. Payload moves by fragment reference; only the
 * few bytes that lie in a head are copied, and once a packet runs short of fragments, what follows is
 * copied to one growing fragment.
 *
 * 1. Held packets are SKB_IN_RXQ and unchanged but for appended payload and OR-ed PSH/FIN; lengths and
 *    the IP checksum are set when they are passed up.
 * 2. A wrong checksum touches nothing: the segment passes alone at once (R01.3).
 */
#include "pump/gro.h"

#include "base/rng.h"
#include "core/netdev.h"
#include "core/stack.h"
#include "core/tables.h"
#include "core/trace_ids.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#define FLAGS_END (TCPH_URG | TCPH_PSH | TCPH_RST | TCPH_SYN | TCPH_FIN) /* R01.5 */
#define FLAGS_MAY_DIFFER (TCPH_FIN | TCPH_PSH)
#define FRAGS_BEFORE_COPY (SKB_MAX_FRAGS - 3u) /* room for 96 KiB of copied payload */

enum gro_id_mode { ID_UNKNOWN = 0, ID_GROWS, ID_FIXED };

/* What one received segment looks like. */
struct seg {
	struct skb *skb;
	const struct tcp_hdr *th;
	uint32_t hdr_len; /* network + TCP header, bytes */
	uint32_t tcp_hlen;
	uint32_t payload;
	uint32_t seq;
	uint32_t hash;
	bool is_v4, has_df;
	uint16_t ip_id;
};

/* ---- describing a segment ---- */

static bool describe_v4(struct stack *st, struct skb *skb, struct seg *g)
{
	const struct ipv4_hdr *ih;
	uint32_t total;

	if (!skb_may_pull(st, skb, IPV4_HDR_LEN + TCP_HDR_LEN))
		return false;
	ih = (const void *)skb_data(skb);
	total = be16_to_cpu(ih->total_len_be);
	if (ih->ver_ihl != 0x45 || ih->proto != IPPROTO_TCP || total > skb->len ||
	    total < IPV4_HDR_LEN + TCP_HDR_LEN)
		return false;
	if (ih->frag_be & cpu_to_be16(IPV4_MF | IPV4_FRAG_MASK))
		return false;
	if (csum_fold(csum_partial(ih, IPV4_HDR_LEN, 0)))
		return false;
	skb_trim_tail(st, skb, total); /* link padding */
	g->is_v4 = true;
	g->has_df = ih->frag_be & cpu_to_be16(IPV4_DF);
	g->ip_id = be16_to_cpu(ih->id_be);
	g->hdr_len = IPV4_HDR_LEN;
	g->hash = hash_mix((uint64_t)ih->src_be << 32 | ih->dst_be);
	return true;
}

static bool describe_v6(struct stack *st, struct skb *skb, struct seg *g)
{
	const struct ipv6_hdr *ih;
	struct ipaddr src, dst;
	uint32_t total, off = IPV6_HDR_LEN;

	if (!skb_may_pull(st, skb, IPV6_HDR_LEN + TCP_HDR_LEN))
		return false;
	ih = (const void *)skb_data(skb);
	total = IPV6_HDR_LEN + be16_to_cpu(ih->payload_len_be);
	if (skb_data(skb)[0] >> 4 != 6 || total > skb->len || total < IPV6_HDR_LEN + TCP_HDR_LEN)
		return false;
	if (ih->next_header != IPPROTO_TCP) {
		struct ipv6_walk w;
		uint32_t linear = min_u32(skb_headlen(skb), total);

		if (ipv6_walk(skb_data(skb), linear, &w) != IPV6_WALK_UPPER || w.has_frag ||
		    w.next_header != IPPROTO_TCP)
			return false;
		off = w.offset;
	}
	skb_trim_tail(st, skb, total);
	src = ipaddr_from_v6(ih->src);
	dst = ipaddr_from_v6(ih->dst);
	g->is_v4 = false;
	g->hdr_len = off;
	g->hash = hash_mix(src.q[0] ^ src.q[1] * 3 ^ dst.q[0] * 5 ^ dst.q[1] * 7);
	return true;
}

/* R01.3: true when the TCP checksum is known good or was found right. */
static bool checksum_ok(struct seg *g)
{
	struct skb *skb = g->skb;
	struct ipaddr src, dst;
	uint32_t off = g->hdr_len - g->tcp_hlen, len = skb->len - off, sum;

	if (skb->csum != CSUM_NONE)
		return true;
	if (g->is_v4) {
		const struct ipv4_hdr *ih = (const void *)skb_data(skb);

		src = ipaddr_from_v4(ih->src_be);
		dst = ipaddr_from_v4(ih->dst_be);
	} else {
		const struct ipv6_hdr *ih = (const void *)skb_data(skb);

		src = ipaddr_from_v6(ih->src);
		dst = ipaddr_from_v6(ih->dst);
	}
	sum = csum_pseudo(&src, &dst, IPPROTO_TCP, len);
	if (csum_fold(skb_csum(skb, off, len, sum)))
		return false;
	skb->csum = CSUM_UNNECESSARY;
	return true;
}

/* False: not a TCP segment that could take part; it passes alone. */
static bool describe(struct stack *st, struct skb *skb, struct seg *g)
{
	bool ok = false;

	memset(g, 0, sizeof(*g));
	if (skb->protocol == ETH_TYPE_IPV4)
		ok = describe_v4(st, skb, g);
	else if (skb->protocol == ETH_TYPE_IPV6)
		ok = describe_v6(st, skb, g);
	if (!ok || !skb_may_pull(st, skb, g->hdr_len + TCP_HDR_LEN))
		return false;
	g->th = (const void *)(skb_data(skb) + g->hdr_len);
	if (tcp_hdr_parse(g->th, skb->len - g->hdr_len) != TCP_HDR_OK)
		return false;
	g->tcp_hlen = tcp_hdr_len(g->th);
	if (!skb_may_pull(st, skb, g->hdr_len + g->tcp_hlen))
		return false;
	skb->th_off = (uint16_t)(skb->data_off + g->hdr_len);
	g->hdr_len += g->tcp_hlen;
	g->skb = skb;
	g->payload = skb->len - g->hdr_len;
	g->seq = be32_to_cpu(g->th->seq_be);
	g->hash = hash_mix((uint64_t)g->hash << 32 | (uint32_t)g->th->sport_be << 16 |
			   g->th->dport_be);
	if (skb->dev) /* how much of the next frame belongs into the head */
		skb->dev->rx_hdr_len = (uint16_t)(skb->data_off - skb->mac_off + g->hdr_len);
	return true;
}

/* ---- passing up ---- */

static void pass_up(struct stack *st, struct skb *skb)
{
	if (skb->owner != SKB_IN_TRANSIT)
		skb_owner_move(skb, SKB_IN_TRANSIT);
	up_tab.l3_rcv(st, skb);
}

static void set_lengths(struct skb *skb)
{
	if (skb_data(skb)[0] >> 4 == 4) {
		struct ipv4_hdr *ih = (void *)skb_data(skb);

		ih->total_len_be = cpu_to_be16((uint16_t)skb->len);
		ipv4_set_csum((uint8_t *)ih, IPV4_HDR_LEN);
		skb->gso_type = GSO_TCPV4;
	} else {
		struct ipv6_hdr *ih = (void *)skb_data(skb);

		ih->payload_len_be = cpu_to_be16((uint16_t)(skb->len - IPV6_HDR_LEN));
		skb->gso_type = GSO_TCPV6;
	}
}

static void flush_at(struct stack *st, struct gro_bucket *b, uint32_t i)
{
	struct gro_held h = b->held[i];

	b->num--;
	memmove(&b->held[i], &b->held[i + 1], (b->num - i) * sizeof(h));
	if (h.num > 1) {
		set_lengths(h.skb);
		h.skb->gso_size = h.mss;
		h.skb->gso_segs = h.num;
		h.skb->csum = CSUM_UNNECESSARY;
	}
	stack_trace_ev(st, TR_GRO_FLUSH, TR_INSTANT, trace_obj(st, NULL, h.skb), h.skb->len, h.num,
		       0);
	pass_up(st, h.skb);
}

void gro_flush(struct stack *st, struct gro_table *g)
{
	for (uint32_t i = 0; i < GRO_BUCKETS; i++)
		while (g->buckets[i].num)
			flush_at(st, &g->buckets[i], 0);
}

/* ---- conditions ---- */

/* R01.1: the same flow, whatever else differs. */
static bool is_same_flow(const struct gro_held *h, const struct seg *g)
{
	const struct skb *p = h->skb, *s = g->skb;
	const struct tcp_hdr *pth = (const void *)skb_transport(p);
	uint32_t mac_len = s->data_off - s->mac_off;

	if (p->dev != s->dev || p->protocol != s->protocol ||
	    (uint32_t)(p->data_off - p->mac_off) != mac_len)
		return false;
	if (pth->sport_be != g->th->sport_be || pth->dport_be != g->th->dport_be)
		return false;
	if (g->is_v4) {
		const struct ipv4_hdr *a = (const void *)skb_data(p), *b = (const void *)skb_data(s);

		if (a->src_be != b->src_be || a->dst_be != b->dst_be)
			return false;
	} else if (memcmp(skb_data(p) + 8, skb_data(s) + 8, 32)) {
		return false;
	}
	return !memcmp(p->head + p->mac_off, s->head + s->mac_off, mac_len);
}

/* R01.2: identification grows by one for each segment, or stays the same with DF. */
static uint8_t id_mode_of(const struct gro_held *h, const struct seg *g)
{
	if (g->ip_id == (uint16_t)(h->first_id + h->num) && h->id_mode != ID_FIXED)
		return ID_GROWS;
	if (g->has_df && g->ip_id == h->first_id && h->id_mode != ID_GROWS)
		return ID_FIXED;
	return ID_UNKNOWN;
}

static bool is_ip_alike(const struct gro_held *h, const struct seg *g)
{
	const uint8_t *p = skb_data(h->skb), *s = skb_data(g->skb);

	if (g->is_v4) {
		const struct ipv4_hdr *a = (const void *)p, *b = (const void *)s;

		return a->tos == b->tos && a->ttl == b->ttl && a->frag_be == b->frag_be &&
		       id_mode_of(h, g) != ID_UNKNOWN;
	}
	/* Version, class, flow label; next header, hop limit; extension headers. */
	return !memcmp(p, s, 4) && p[6] == s[6] && p[7] == s[7] &&
	       h->skb->th_off - h->skb->data_off == g->skb->th_off - g->skb->data_off &&
	       !memcmp(p + IPV6_HDR_LEN, s + IPV6_HDR_LEN, g->hdr_len - g->tcp_hlen - IPV6_HDR_LEN);
}

/* R01.4 */
static bool may_append(const struct gro_held *h, const struct seg *g)
{
	const struct tcp_hdr *a = (const void *)skb_transport(h->skb), *b = g->th;

	return ((a->flags ^ b->flags) & ~FLAGS_MAY_DIFFER) == 0 && a->window_be == b->window_be &&
	       a->ack_be == b->ack_be && a->doff_res == b->doff_res &&
	       !memcmp(tcp_hdr_opts(a), tcp_hdr_opts(b), g->tcp_hlen - TCP_HDR_LEN) &&
	       g->seq == h->next_seq && g->payload >= 1 && g->payload <= h->mss &&
	       h->skb->len + g->payload < GRO_MAX_BYTES && !skb_is_gso(g->skb) && is_ip_alike(h, g);
}

/* ---- merging ---- */

static bool copy_payload(struct stack *st, struct skb *p, const struct skb *s, uint32_t off)
{
	struct page_frag *pf = &s->dev->rx_frag;
	uint32_t headlen = skb_headlen(s);

	if (off < headlen) {
		if (!skb_append_copy(st, p, pf, skb_data(s) + off, headlen - off))
			return false;
		off = headlen;
	}
	off -= headlen;
	for (unsigned int i = 0; i < s->nr_frags; i++, off = 0) {
		const struct frag *f = &s->frags[i];

		if (!skb_append_copy(st, p, pf, f->region->data + f->off + off, f->len - off))
			return false;
	}
	return true;
}

/* Payload of @g to the end of @p. False: it does not fit; @p as before. */
static bool take_payload(struct stack *st, struct skb *p, const struct seg *g)
{
	struct skb *s = g->skb;
	uint32_t old_len = p->len;

	if (skb_headlen(s) == g->hdr_len && p->nr_frags + s->nr_frags <= FRAGS_BEFORE_COPY) {
		for (unsigned int i = 0; i < s->nr_frags; i++) {
			struct frag *f = &s->frags[i];

			page_region_get(f->region);
			if (!skb_add_frag(st, p, f->region, f->off, f->len))
				BUG_ON(true); /* counted above */
		}
	} else if (!copy_payload(st, p, s, g->hdr_len)) {
		skb_trim_tail(st, p, old_len);
		return false;
	}
	p->truesize +=
		max_u32(g->payload, s->truesize > SKB_TRUESIZE ? s->truesize - SKB_TRUESIZE : 0);
	return true;
}

static void append(struct stack *st, struct gro_bucket *b, uint32_t i, const struct seg *g)
{
	struct gro_held *h = &b->held[i];
	struct tcp_hdr *th = (void *)skb_transport(h->skb);
	bool is_end = g->payload < h->mss || (g->th->flags & FLAGS_END);

	if (g->is_v4)
		h->id_mode = id_mode_of(h, g);
	th->flags |= g->th->flags & FLAGS_MAY_DIFFER;
	h->next_seq += g->payload;
	h->num++;
	skb_free(st, g->skb);
	if (is_end)
		flush_at(st, b, i);
}

static void hold(struct stack *st, struct gro_bucket *b, const struct seg *g)
{
	if (b->num == GRO_BUCKET_PKTS)
		flush_at(st, b, 0);
	skb_owner_move(g->skb, SKB_IN_RXQ);
	b->held[b->num++] = (struct gro_held){
		.skb = g->skb,
		.next_seq = g->seq + g->payload,
		.mss = (uint16_t)g->payload,
		.num = 1,
		.first_id = g->ip_id,
	};
}

void gro_receive(struct stack *st, struct gro_table *t, struct skb *skb)
{
	struct gro_bucket *b;
	struct seg g;
	uint32_t i;

	if (!describe(st, skb, &g) || !checksum_ok(&g)) {
		pass_up(st, skb);
		return;
	}
	b = &t->buckets[g.hash % GRO_BUCKETS];
	for (i = 0; i < b->num && !is_same_flow(&b->held[i], &g); i++)
		;
	if (i < b->num) {
		if (may_append(&b->held[i], &g) && take_payload(st, b->held[i].skb, &g)) {
			append(st, b, i, &g);
			return;
		}
		flush_at(st, b, i);
	}
	if (!g.payload || (g.th->flags & FLAGS_END) || skb_is_gso(skb))
		pass_up(st, skb);
	else
		hold(st, b, &g);
}

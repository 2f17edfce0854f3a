/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 reassembly (R04.5): what the family adds to frag.c. */
/*
 * How it works: ipv6_walk() has judged the fragment's own fields (multiple of eight, end, all headers
 * in the first). Here the
 * fragment header is left behind: the rebuilt packet is the first fragment's headers up to it, the
 * next-header byte that announced it patched, and all the data. RFC 8200 section 4.5, RFC 5722 (overlap).
 */
#include "ip/ip_int.h"

static struct skb *refuse(struct stack *st, struct skb *skb)
{
	mib_inc(st, Ip6ReasmFails);
	skb_free(st, skb);
	return NULL;
}

static void discard(struct fragq *q)
{
	mib_inc(q->stack, Ip6ReasmFails);
	fragq_kill(q);
}

/* The packet is whole. CONSUMES the queue. */
static struct skb *finish(struct fragq *q)
{
	struct stack *st = q->stack;
	const struct frag_cb *cb = frag_cb(fragq_first(q));
	uint32_t hdr_len = cb->hdr_len; /* headers in front of the fragment header */
	struct skb *out = NULL;
	int ecn = fragq_ecn(q);
	struct ipv6_hdr *h;
	uint32_t word;

	if (ecn >= 0 && hdr_len - IPV6_HDR_LEN + q->total <= UINT16_MAX)
		out = fragq_build(q, hdr_len);
	if (!out) {
		discard(q);
		return NULL;
	}
	skb_data(out)[cb->nh_off] = cb->nh;
	h = (struct ipv6_hdr *)skb_data(out);
	h->payload_len_be = cpu_to_be16((uint16_t)(out->len - IPV6_HDR_LEN));
	word = be32_to_cpu(h->ver_class_flow_be);
	h->ver_class_flow_be = cpu_to_be32((word & ~(3u << 20)) | (uint32_t)ecn << 20);
	out->tos = (uint8_t)((word >> 20 & 0xfc) | (uint32_t)ecn);
	out->ttl = h->hop_limit;
	mib_inc(st, Ip6ReasmOKs);
	fragq_kill(q);
	return out;
}

/* Headers up to the fragment header must be linear: the quote and the result are made from them. */
static bool prepare(struct stack *st, struct skb *skb, const struct ipv6_walk *w)
{
	uint32_t hdr_len = w->frag_hdr_off, all = w->frag_hdr_off + IPV6_FRAG_HDR_LEN;

	if (!skb_may_pull(st, skb, all))
		return false;
	skb->net_off = skb->data_off;
	*frag_cb(skb) = (struct frag_cb){
		.off = w->frag_off_bytes,
		.end = w->frag_off_bytes + skb->len - all,
		.hdr_len = (uint16_t)hdr_len,
		.nh_off = (uint16_t)w->frag_nh_off,
		.nh = w->next_header,
	};
	return true;
}

struct skb *frag6_rcv(struct stack *st, struct skb *skb, const struct ipv6_info *in,
		      const struct ipv6_walk *w)
{
	struct frag_key key = {.src = in->src, .dst = in->dst, .id = w->frag_id, .is_v6 = true};
	struct fragq *q;

	mib_inc(st, Ip6ReasmReqds);
	if (ipaddr_needs_scope(&in->src) || ipaddr_needs_scope(&in->dst))
		key.ifindex = skb->dev->ifindex;
	if (!prepare(st, skb, w))
		return refuse(st, skb);
	q = fragq_find(st, &key);
	if (!q)
		return refuse(st, skb);
	q->ecn_seen |= (uint8_t)(1u << (in->tclass & 3));
	if (!q->dev || !w->frag_off_bytes)
		q->dev = skb->dev;
	skb_pull(skb, w->frag_hdr_off + IPV6_FRAG_HDR_LEN);
	switch (fragq_add(q, skb, !w->has_more_frags)) {
	case FRAG_KEPT: return NULL;
	case FRAG_COMPLETE: return finish(q);
	case FRAG_DUP: skb_free(st, skb); return NULL;
	default:
		discard(q);
		skb_free(st, skb);
		return NULL;
	}
}

void frag6_expire(struct fragq *q)
{
	struct stack *st = q->stack;
	struct skb *first = fragq_first(q);

	mib_inc(st, Ip6ReasmTimeout);
	mib_inc(st, Ip6ReasmFails);
	if (first)
		icmp_send(st, first, ICMP6_TYPE_TIME_EXCEEDED, ICMP_TIMEX_REASSEMBLY, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 reassembly (R03): what the family adds to frag.c. */
/*
 * How it works: a fragment is trimmed to a multiple of eight (unless last), its data moved to the
 * payload with net_off left at its header, and put into the queue of its datagram. A queue whose source
 * sent more than ipfrag_max_dist fragments of other datagrams since its last one starts over: its id
 * has probably been reused. Sources are counted by hash (frag_seen).
 *
 * RFC 791 section 3.2, RFC 3168 section 5.3.
 */
#include "ip/ip_int.h"

#include <errno.h>

static struct skb *refuse(struct stack *st, struct skb *skb)
{
	mib_inc(st, IpReasmFails);
	skb_free(st, skb);
	return NULL;
}

static void discard(struct fragq *q)
{
	mib_inc(q->stack, IpReasmFails);
	fragq_kill(q);
}

/* R03.11. The queue to use: @q itself, or a fresh one; NULL: refused. */
static struct fragq *check_distance(struct fragq *q)
{
	struct stack *st = q->stack;
	uint32_t max = (uint32_t)st->sysctl.ipfrag_max_dist, *seen;
	struct frag_key key = q->key;

	seen = &st->ip->frag_seen[siphash(&st->secret, &key.src, sizeof(key.src)) % IP_ICMP_PEERS];
	(*seen)++;
	if (max && q->meat && *seen - q->rid > max) {
		discard(q);
		q = fragq_find(st, &key);
	}
	if (q)
		q->rid = *seen;
	return q;
}

/* The datagram is whole. CONSUMES the queue. */
static struct skb *finish(struct fragq *q)
{
	struct stack *st = q->stack;
	struct skb *first = fragq_first(q), *out = NULL;
	uint32_t hdr_len = frag_cb(first)->hdr_len;
	int ecn = fragq_ecn(q);
	struct ipv4_hdr *h;

	if (ecn >= 0 && hdr_len + q->total <= IPV4_TOTAL_MAX)
		out = fragq_build(q, hdr_len);
	if (!out) {
		discard(q);
		return NULL;
	}
	h = (struct ipv4_hdr *)skb_data(out);
	h->total_len_be = cpu_to_be16((uint16_t)out->len);
	h->frag_be = ipv4_frag_field_be(0, false, q->is_df);
	h->tos = (uint8_t)((h->tos & ~3u) | (uint32_t)ecn);
	ipv4_set_csum(skb_data(out), (uint8_t)hdr_len);
	mib_inc(st, IpReasmOKs);
	fragq_kill(q);
	return out;
}

static void note(struct fragq *q, const struct skb *skb, const struct ipv4_info *in)
{
	q->is_df = in->has_df && (q->meat == 0 || q->is_df);
	q->ecn_seen |= (uint8_t)(1u << (in->tos & 3));
	if (!q->dev || in->frag_off_bytes == 0)
		q->dev = skb->dev;
}

struct skb *frag4_rcv(struct stack *st, struct skb *skb, const struct ipv4_info *in)
{
	struct frag_key key = {.src = in->src, .dst = in->dst, .id = in->id, .proto = in->proto};
	uint32_t len = in->payload_len;
	struct frag_cb *cb = frag_cb(skb);
	struct fragq *q;

	mib_inc(st, IpReasmReqds);
	if (in->has_mf)
		len &= ~7u;
	if (!len)
		return refuse(st, skb);
	q = fragq_find(st, &key);
	if (q)
		q = check_distance(q);
	if (!q)
		return refuse(st, skb);
	note(q, skb, in);
	skb->net_off = skb->data_off;
	skb_pull(skb, in->hdr_len);
	skb_trim_tail(st, skb, len);
	*cb = (struct frag_cb){
		.off = in->frag_off_bytes,
		.end = in->frag_off_bytes + len,
		.hdr_len = in->hdr_len,
	};
	switch (fragq_add(q, skb, !in->has_mf)) {
	case FRAG_KEPT: return NULL;
	case FRAG_COMPLETE: return finish(q);
	case FRAG_DUP: skb_free(st, skb); return NULL;
	case FRAG_OVERLAP:
		mib_inc(st, IpExtReasmOverlaps);
		discard(q);
		skb_free(st, skb);
		return NULL;
	default:
		discard(q);
		skb_free(st, skb);
		return NULL;
	}
}

void frag4_expire(struct fragq *q)
{
	struct stack *st = q->stack;
	struct skb *first = fragq_first(q);

	mib_inc(st, IpReasmTimeout);
	mib_inc(st, IpReasmFails);
	if (first)
		icmp_send(st, first, ICMP4_TYPE_TIME_EXCEEDED, ICMP_TIMEX_REASSEMBLY, 0);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 header: input checks, extension header walk, building. */
/*
 * How it works
 *
 * ipv6_walk() follows the chain of next-header bytes with a cursor {offset, nh_off, next_header}.
 * Invariant: offset <= len, and nh_off names the byte that announced the header at offset, which is
 * where an ICMPv6 parameter problem for an unknown header points. A header is read only after its
 * full length is known to lie inside the packet.
 *
 * A real fragment ends the walk: what follows it can be read only after reassembly, and then a
 * second walk starts from the rebuilt packet.
 *
 * RFC 8200 (headers, options, fragments), RFC 4443 (pointers), RFC 7112 (first fragments); R04.
 */
#include "wire/ipv6.h"

#include <errno.h>

#define EXT_HDR_MIN 8          /* bytes; every extension header starts with a full unit */
#define OPTS_PER_HDR_MAX 8     /* max_hbh_opts_number and max_dst_opts_number, R04.2 */
#define PAD_RUN_MAX 7          /* bytes of padding in a row, R04.2 */
#define REASSEMBLED_MAX 65535u /* payload bytes */

#define OPT_PAD1 0
#define OPT_PADN 1
#define OPT_ROUTER_ALERT 5
#define OPT_JUMBO 0xc2

/* Routing types with switches of their own, off by default: dropped without a word */
#define RH_TYPE_RPL 3
#define RH_TYPE_SEGMENT 4

#define PAYLOAD_LEN_OFF 4 /* in the IPv6 header */
#define NEXT_HEADER_OFF 6
#define DST_OFF 24

enum ipv6_verdict ipv6_parse(const uint8_t *p, uint32_t len, struct ipv6_info *ret_info)
{
	const struct ipv6_hdr *h = (const struct ipv6_hdr *)p;
	struct ipaddr src, dst;
	uint32_t word, payload_len;

	if (len < IPV6_HDR_LEN)
		return IPV6_HDR_ERR;
	word = be32_to_cpu(h->ver_class_flow_be);
	if (word >> 28 != 6)
		return IPV6_HDR_ERR;
	payload_len = be16_to_cpu(h->payload_len_be);
	if (payload_len > len - IPV6_HDR_LEN)
		return IPV6_TRUNC;
	src = ipaddr_from_v6(h->src);
	dst = ipaddr_from_v6(h->dst);
	if (ipaddr_is_v4(&src) || ipaddr_is_v4(&dst))
		return IPV6_DROP;
	if (ipaddr_is_multicast(&src))
		return IPV6_HDR_ERR;
	if (ipaddr_is_multicast(&dst) && (dst.b[1] & 15) <= 1)
		return IPV6_DROP;

	*ret_info = (struct ipv6_info){
		.src = src,
		.dst = dst,
		.flow_label = word & 0xfffff,
		.payload_len = (uint16_t)payload_len,
		.tclass = (uint8_t)(word >> 20),
		.hop_limit = h->hop_limit,
		.next_header = h->next_header,
	};
	return IPV6_OK;
}

static enum ipv6_walk_verdict param_prob(struct ipv6_walk *w, uint8_t code, uint32_t ptr)
{
	w->err_code = code;
	w->err_ptr = ptr;
	return IPV6_WALK_PARAM_PROB;
}

/* The two top bits of an option type we do not know say what to do (RFC 8200 section 4.2). */
static enum ipv6_walk_verdict unknown_option(const uint8_t *p, uint32_t at, struct ipv6_walk *w)
{
	bool is_mcast = p[DST_OFF] == 0xff;

	switch (p[at] >> 6) {
	case 0: return IPV6_WALK_UPPER;
	case 1: return IPV6_WALK_DROP;
	case 2: w->is_err_for_mcast = true; return param_prob(w, 2, at);
	default: return is_mcast ? IPV6_WALK_DROP : param_prob(w, 2, at);
	}
}

/* RFC 2675. No jumbogram fits a frame here, so every form of the option is an error. */
static enum ipv6_walk_verdict take_jumbo(const uint8_t *p, uint32_t at, uint32_t opt_len,
					 struct ipv6_walk *w)
{
	if (opt_len != 4 || (at & 3) != 2)
		return IPV6_WALK_DROP;
	if (get_be32(p + at + 2) <= REASSEMBLED_MAX)
		return param_prob(w, 0, at + 2);
	return get_be16(p + PAYLOAD_LEN_OFF) ? param_prob(w, 0, at) : IPV6_WALK_DROP;
}

/* One option with a length byte at @at, @opt_len bytes of data; IPV6_WALK_UPPER means go on. */
static enum ipv6_walk_verdict take_option(const uint8_t *p, uint32_t at, uint32_t opt_len,
					  bool is_hbh, struct ipv6_walk *w)
{
	if (is_hbh && p[at] == OPT_ROUTER_ALERT) {
		if (opt_len != 2)
			return IPV6_WALK_DROP;
		w->has_router_alert = true;
		w->router_alert = get_be16(p + at + 2);
		return IPV6_WALK_UPPER;
	}
	if (is_hbh && p[at] == OPT_JUMBO)
		return take_jumbo(p, at, opt_len, w);
	return unknown_option(p, at, w);
}

/* PadN carries zeros only; anything else is a hidden channel. */
static bool is_all_zero(const uint8_t *p, uint32_t len)
{
	while (len && *p == 0) {
		p++;
		len--;
	}
	return len == 0;
}

/* All options between @at and @end (inside the packet). */
static enum ipv6_walk_verdict walk_options(const uint8_t *p, uint32_t at, uint32_t end, bool is_hbh,
					   struct ipv6_walk *w)
{
	enum ipv6_walk_verdict v;
	uint32_t num_opts = 0, pad_run = 0, opt_len;

	while (at < end) {
		bool is_pad = p[at] == OPT_PAD1 || p[at] == OPT_PADN;

		if (p[at] != OPT_PAD1 && (end - at < 2 || p[at + 1] > end - at - 2))
			return IPV6_WALK_DROP;
		opt_len = p[at] == OPT_PAD1 ? 1 : 2u + p[at + 1];
		pad_run = is_pad ? pad_run + opt_len : 0;
		num_opts += !is_pad;
		if (pad_run > PAD_RUN_MAX || num_opts > OPTS_PER_HDR_MAX)
			return IPV6_WALK_DROP;
		if (p[at] == OPT_PADN && !is_all_zero(p + at + 2, opt_len - 2))
			return IPV6_WALK_DROP;
		v = is_pad ? IPV6_WALK_UPPER : take_option(p, at, opt_len - 2, is_hbh, w);
		if (v != IPV6_WALK_UPPER)
			return v;
		at += opt_len;
	}
	return IPV6_WALK_UPPER;
}

static bool is_ext_hdr(uint8_t next_header)
{
	return next_header == IPPROTO_HOPOPTS || next_header == IPPROTO_DSTOPTS ||
	       next_header == IPPROTO_ROUTING || next_header == IPPROTO_FRAGMENT;
}

/* Length of the extension header at @off, of which at least 8 bytes are there. */
static uint32_t ext_hdr_len(uint8_t kind, const uint8_t *p, uint32_t off)
{
	return kind == IPPROTO_FRAGMENT ? IPV6_FRAG_HDR_LEN : (p[off + 1] + 1u) * 8;
}

/* Follow the chain from (@proto, @off) without judging it; 0 or -1 if it leaves the @len bytes. */
static int skip_chain(const uint8_t *p, uint32_t len, uint8_t *proto, uint32_t *off)
{
	while (is_ext_hdr(*proto)) {
		uint32_t ext_len;

		if (*off > len || len - *off < EXT_HDR_MIN)
			return -1;
		if (*proto == IPPROTO_FRAGMENT && (get_be16(p + *off + 2) & 0xfff8))
			return -1;
		ext_len = ext_hdr_len(*proto, p, *off);
		if (ext_len > len - *off)
			return -1;
		*proto = p[*off];
		*off += ext_len;
	}
	return 0;
}

/* Does a first fragment, whose data begins at @off, reach into the upper layer (RFC 7112). */
static bool is_chain_whole(const uint8_t *p, uint32_t len, uint8_t proto, uint32_t off)
{
	uint32_t need = 1;

	if (skip_chain(p, len, &proto, &off))
		return false;
	if (proto == IPPROTO_NONE)
		return true;
	if (proto == IPPROTO_TCP)
		need = 20;
	else if (proto == IPPROTO_UDP || proto == IPPROTO_ICMPV6)
		need = 8;
	return len - off >= need;
}

/* Fragment header at w->offset (8 bytes are there). UPPER: atomic, go on behind it. */
static enum ipv6_walk_verdict take_fragment(const uint8_t *p, uint32_t len, struct ipv6_walk *w)
{
	uint16_t off_m = get_be16(p + w->offset + 2);
	uint32_t data_len = len - w->offset - IPV6_FRAG_HDR_LEN;

	w->has_frag = true;
	w->has_more_frags = off_m & 1;
	w->frag_hdr_off = w->offset;
	w->frag_nh_off = w->nh_off;
	w->frag_off_bytes = off_m & 0xfff8u;
	w->frag_id = get_be32(p + w->offset + 4);
	if (!w->has_more_frags && w->frag_off_bytes == 0)
		return IPV6_WALK_UPPER;
	if (w->frag_off_bytes == 0 &&
	    !is_chain_whole(p, len, p[w->offset], w->offset + IPV6_FRAG_HDR_LEN))
		return param_prob(w, 3, 0);
	if (w->has_more_frags && data_len % 8)
		return param_prob(w, 0, PAYLOAD_LEN_OFF);
	if (w->frag_off_bytes + data_len > REASSEMBLED_MAX)
		return param_prob(w, 0, w->frag_hdr_off + 2);
	return data_len ? IPV6_WALK_FRAGMENT : IPV6_WALK_DROP;
}

/* The extension header at w->offset, @ext_len bytes, all inside the packet. */
static enum ipv6_walk_verdict take_ext_hdr(const uint8_t *p, uint32_t len, uint32_t ext_len,
					   struct ipv6_walk *w)
{
	uint32_t at = w->offset;

	switch (w->next_header) {
	case IPPROTO_HOPOPTS:
		if (w->nh_off != NEXT_HEADER_OFF)
			return param_prob(w, 1, w->nh_off);
		return walk_options(p, at + 2, at + ext_len, true, w);
	case IPPROTO_DSTOPTS: return walk_options(p, at + 2, at + ext_len, false, w);
	case IPPROTO_ROUTING:
		if (p[at + 2] == RH_TYPE_RPL || p[at + 2] == RH_TYPE_SEGMENT)
			return IPV6_WALK_DROP;
		return p[at + 3] ? param_prob(w, 0, at + 2) : IPV6_WALK_UPPER;
	default: return take_fragment(p, len, w);
	}
}

static void step_over(const uint8_t *p, uint32_t ext_len, struct ipv6_walk *w)
{
	w->next_header = p[w->offset];
	w->nh_off = w->offset;
	w->offset += ext_len;
}

enum ipv6_walk_verdict ipv6_walk(const uint8_t *p, uint32_t len, struct ipv6_walk *ret_walk)
{
	struct ipv6_walk *w = ret_walk;

	*w = (struct ipv6_walk){0};
	if (len < IPV6_HDR_LEN)
		return IPV6_WALK_TRUNC;
	w->offset = IPV6_HDR_LEN;
	w->nh_off = NEXT_HEADER_OFF;
	w->next_header = p[NEXT_HEADER_OFF];
	/* Each turn consumes at least EXT_HDR_MIN bytes: the packet bounds the loop. */
	while (is_ext_hdr(w->next_header)) {
		enum ipv6_walk_verdict v;
		uint32_t ext_len;

		if (len - w->offset < EXT_HDR_MIN)
			return IPV6_WALK_TRUNC;
		ext_len = ext_hdr_len(w->next_header, p, w->offset);
		if (ext_len > len - w->offset)
			return IPV6_WALK_TRUNC;
		v = take_ext_hdr(p, len, ext_len, w);
		if (v == IPV6_WALK_FRAGMENT)
			step_over(p, ext_len, w);
		if (v != IPV6_WALK_UPPER)
			return v;
		step_over(p, ext_len, w);
	}
	return w->next_header == IPPROTO_NONE ? IPV6_WALK_NONE : IPV6_WALK_UPPER;
}

int ipv6_skip_ext(const uint8_t *p, uint32_t len, uint8_t *ret_proto, uint32_t *ret_offset)
{
	uint32_t off = IPV6_HDR_LEN;
	uint8_t proto;

	if (len < IPV6_HDR_LEN)
		return -EINVAL;
	proto = p[NEXT_HEADER_OFF];
	if (skip_chain(p, len, &proto, &off))
		return -EINVAL;
	*ret_proto = proto;
	*ret_offset = off;
	return 0;
}

int ipv6_build(uint8_t *out, const struct ipv6_out *o)
{
	struct ipv6_hdr h = {
		.ver_class_flow_be = cpu_to_be32(6u << 28 | (uint32_t)o->tclass << 20 |
						 (o->flow_label & 0xfffff)),
		.payload_len_be = cpu_to_be16(o->payload_len),
		.next_header = o->next_header,
		.hop_limit = o->hop_limit,
	};

	memcpy(h.src, o->src.b, sizeof(h.src));
	memcpy(h.dst, o->dst.b, sizeof(h.dst));
	memcpy(out, &h, sizeof(h));
	return IPV6_HDR_LEN;
}

int ipv6_frag_build(uint8_t *out, uint8_t next_header, uint32_t off_bytes, bool more, uint32_t id)
{
	out[0] = next_header;
	out[1] = 0;
	put_be16(out + 2, (uint16_t)((off_bytes & 0xfff8u) | more));
	put_be32(out + 4, id);
	return IPV6_FRAG_HDR_LEN;
}

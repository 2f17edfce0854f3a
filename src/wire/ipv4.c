/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 header: input checks, option walk, building. */
/*
 * How it works
 *
 * ipv4_parse() applies the tests in the order that decides which counter moves (R02), and copies
 * the fields out so that nobody reads the packet twice. Options are looked at only by the few
 * callers that meet a header longer than 20 bytes.
 *
 * RFC 791 (header, options), RFC 1122 section 3.2.1, RFC 2113 (router alert).
 */
#include "wire/ipv4.h"

#include <errno.h>

#include "wire/csum.h"

/* Option types (IANA), with the copied bit */
#define OPT_EOL 0
#define OPT_NOP 1
#define OPT_RR 7
#define OPT_TS 68
#define OPT_LSRR 131
#define OPT_SSRR 137
#define OPT_ROUTER_ALERT 148

/* csum_partial() of a header; without options, the usual case, five additions. */
static uint32_t hdr_sum(const uint8_t *p, uint32_t hdr_len)
{
	uint32_t w[IPV4_HDR_LEN / sizeof(uint32_t)];
	uint64_t s;

	if (hdr_len != IPV4_HDR_LEN)
		return csum_partial(p, hdr_len, 0);
	memcpy(w, p, sizeof(w));
	s = (uint64_t)w[0] + w[1] + w[2] + w[3] + w[4];
	s = (s & UINT32_MAX) + (s >> 32);
	return (uint32_t)(s + (s >> 32));
}

enum ipv4_verdict ipv4_parse(const uint8_t *p, uint32_t len, struct ipv4_info *ret_info)
{
	const struct ipv4_hdr *h = (const struct ipv4_hdr *)p;
	uint32_t hdr_len, total_len;

	if (len < IPV4_HDR_LEN || (h->ver_ihl >> 4) != 4)
		return IPV4_HDR_ERR;
	hdr_len = (h->ver_ihl & 15u) * 4;
	if (hdr_len < IPV4_HDR_LEN || hdr_len > len)
		return IPV4_HDR_ERR;
	if (csum_fold(hdr_sum(p, hdr_len)) != 0)
		return IPV4_CSUM_ERR;
	total_len = be16_to_cpu(h->total_len_be);
	if (total_len > len)
		return IPV4_TRUNC;
	if (total_len < hdr_len)
		return IPV4_HDR_ERR;

	*ret_info = (struct ipv4_info){
		.src = ipaddr_from_v4(h->src_be),
		.dst = ipaddr_from_v4(h->dst_be),
		.src_be = h->src_be,
		.dst_be = h->dst_be,
		.payload_len = total_len - hdr_len,
		.total_len = (uint16_t)total_len,
		.id = be16_to_cpu(h->id_be),
		.frag_off_bytes = ipv4_frag_bytes(h->frag_be),
		.hdr_len = (uint8_t)hdr_len,
		.tos = h->tos,
		.ttl = h->ttl,
		.proto = h->proto,
		.has_df = be16_to_cpu(h->frag_be) & IPV4_DF,
		.has_mf = be16_to_cpu(h->frag_be) & IPV4_MF,
	};
	return IPV4_OK;
}

/*
 * The option checkers get the option at @o with its verified length @len and return 0, or the
 * position inside the option (1: length, 2: pointer, ...) that is wrong; ICMP points there.
 */
static uint8_t check_route_opt(const uint8_t *o, uint8_t len)
{
	if (len < 3)
		return 1;
	if (o[2] < 4 || (o[2] <= len && o[2] + 3 > len))
		return 2;
	return 0;
}

/* Kinds RFC 791 does not define pass, as on a live kernel, if four bytes fit. */
static uint8_t check_ts_opt(const uint8_t *o, uint8_t len)
{
	uint8_t entry_len, kind, num_missed;

	if (len < 4)
		return 1;
	kind = o[3] & 15;
	num_missed = o[3] >> 4;
	entry_len = kind == 1 || kind == 3 ? 8 : 4;
	if (o[2] < 5 || (o[2] <= len && o[2] + entry_len - 1 > len))
		return 2;
	/* A full option counts the hops it missed; that count must not overflow. */
	return o[2] > len && num_missed == 15 ? 3 : 0;
}

/* One option at @off; 0, or the wrong position plus 1 (position 0 is a duplicate's). */
static unsigned int take_option(const uint8_t *hdr, uint8_t off, uint8_t len,
				struct ipv4_options *opts)
{
	const uint8_t *o = hdr + off;
	uint8_t bad = 0, *seen = NULL;

	switch (o[0]) {
	case OPT_LSRR:
	case OPT_SSRR:
		seen = &opts->srr_off;
		bad = check_route_opt(o, len);
		opts->is_strict_srr = o[0] == OPT_SSRR;
		opts->is_srr_unfinished = !bad && o[2] <= len;
		break;
	case OPT_RR:
		seen = &opts->rr_off;
		bad = check_route_opt(o, len);
		break;
	case OPT_TS:
		seen = &opts->ts_off;
		bad = check_ts_opt(o, len);
		break;
	case OPT_ROUTER_ALERT:
		if (len < 4)
			return 1 + 1;
		if (o[2] == 0 && o[3] == 0)
			opts->router_alert_off = off;
		return 0;
	default: return 0;
	}
	if (bad)
		return bad + 1u;
	if (*seen)
		return 1;
	*seen = off;
	return 0;
}

int ipv4_options_parse(const uint8_t *hdr, uint8_t hdr_len, struct ipv4_options *ret_opts,
		       uint8_t *ret_bad_off)
{
	struct ipv4_options opts = {0};
	uint8_t off = IPV4_HDR_LEN;

	while (off < hdr_len && hdr[off] != OPT_EOL) {
		unsigned int bad;

		if (hdr[off] == OPT_NOP) {
			off++;
			continue;
		}
		if (hdr_len - off < 2 || hdr[off + 1] < 2 || hdr[off + 1] > hdr_len - off) {
			*ret_bad_off = off;
			return -EINVAL;
		}
		bad = take_option(hdr, off, hdr[off + 1], &opts);
		if (bad) {
			*ret_bad_off = (uint8_t)(off + bad - 1);
			return -EINVAL;
		}
		off = (uint8_t)(off + hdr[off + 1]);
	}
	*ret_opts = opts;
	return 0;
}

int ipv4_build(uint8_t *out, const struct ipv4_out *o)
{
	unsigned int opt_room = (o->opt_len + 3u) & ~3u;
	unsigned int hdr_len = IPV4_HDR_LEN + opt_room;
	struct ipv4_hdr h;

	if (o->opt_len > IPV4_OPT_MAX || o->total_len < hdr_len)
		return -EINVAL;
	h = (struct ipv4_hdr){
		.ver_ihl = (uint8_t)(4 << 4 | hdr_len / 4),
		.tos = o->tos,
		.total_len_be = cpu_to_be16(o->total_len),
		.id_be = cpu_to_be16(o->id),
		.frag_be = o->frag_be,
		.ttl = o->ttl,
		.proto = o->proto,
		.src_be = o->src_be,
		.dst_be = o->dst_be,
	};
	memcpy(out, &h, sizeof(h));
	if (opt_room) {
		memcpy(out + IPV4_HDR_LEN, o->opt, o->opt_len);
		memset(out + IPV4_HDR_LEN + o->opt_len, OPT_EOL, opt_room - o->opt_len);
	}
	ipv4_set_csum(out, (uint8_t)hdr_len);
	return (int)hdr_len;
}

void ipv4_set_csum(uint8_t *hdr, uint8_t hdr_len)
{
	struct ipv4_hdr *h = (struct ipv4_hdr *)hdr;

	h->csum = 0;
	h->csum = csum_fold(hdr_sum(hdr, hdr_len));
}

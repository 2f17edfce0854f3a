/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and ICMPv6: reading messages and quotes, checksums, building errors. */
/*
 * How it works
 *
 * Both families share the 8-byte header; what its last four bytes mean depends on the type, so the
 * parser decodes every reading of them and the caller takes the one that fits. An error's body is
 * the packet that caused it, cut anywhere: quotes are read with their own bounds, and nothing in
 * them is believed beyond addresses, protocol and the first bytes of the transport header.
 *
 * RFC 792, RFC 4443, RFC 1122 section 3.2.2, RFC 1191 (MTU field), RFC 1812 section 4.3.2.3; R05.
 */
#include "wire/icmp.h"

#include <errno.h>
#include <netinet/in.h>

#include "wire/csum.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define QUOTE_L4_MIN 8 /* bytes of transport header in a usable quote, RFC 792 */

static int parse_common(const uint8_t *p, uint32_t len, struct icmp_msg *ret_msg)
{
	if (len < ICMP_HDR_LEN)
		return -EINVAL;
	*ret_msg = (struct icmp_msg){
		.type = p[0],
		.code = p[1],
		.id = get_be16(p + 4),
		.seq = get_be16(p + 6),
		.rest = get_be32(p + 4),
		.mtu = get_be16(p + 6),
		.pointer = p[4],
		.gateway_be = cpu_to_be32(get_be32(p + 4)),
		.body = p + ICMP_HDR_LEN,
		.body_len = len - ICMP_HDR_LEN,
	};
	return 0;
}

int icmp4_parse(const uint8_t *p, uint32_t len, struct icmp_msg *ret_msg)
{
	int err = parse_common(p, len, ret_msg);

	if (!err)
		ret_msg->is_error = icmp4_type_is_error(ret_msg->type);
	return err;
}

int icmp6_parse(const uint8_t *p, uint32_t len, struct icmp_msg *ret_msg)
{
	int err = parse_common(p, len, ret_msg);

	if (!err)
		ret_msg->is_error = icmp6_type_is_error(ret_msg->type);
	return err;
}

int icmp4_quote_parse(const struct icmp_msg *msg, struct icmp_quote *ret_quote)
{
	const struct ipv4_hdr *h = (const struct ipv4_hdr *)msg->body;
	uint32_t hdr_len;

	if (!msg->is_error || msg->body_len < IPV4_HDR_LEN || (h->ver_ihl >> 4) != 4)
		return -EINVAL;
	hdr_len = (h->ver_ihl & 15u) * 4;
	if (hdr_len < IPV4_HDR_LEN || hdr_len + QUOTE_L4_MIN > msg->body_len)
		return -EINVAL;
	*ret_quote = (struct icmp_quote){
		.src = ipaddr_from_v4(h->src_be),
		.dst = ipaddr_from_v4(h->dst_be),
		.proto = h->proto,
		.is_fragment = ipv4_frag_bytes(h->frag_be) != 0,
		.l4_len = msg->body_len - hdr_len,
		.l4 = msg->body + hdr_len,
	};
	return 0;
}

int icmp6_quote_parse(const struct icmp_msg *msg, struct icmp_quote *ret_quote)
{
	const struct ipv6_hdr *h = (const struct ipv6_hdr *)msg->body;
	uint32_t off;
	uint8_t proto;

	if (!msg->is_error || msg->body_len < IPV6_HDR_LEN ||
	    be32_to_cpu(h->ver_class_flow_be) >> 28 != 6)
		return -EINVAL;
	if (ipv6_skip_ext(msg->body, msg->body_len, &proto, &off) ||
	    off + QUOTE_L4_MIN > msg->body_len)
		return -EINVAL;
	*ret_quote = (struct icmp_quote){
		.src = ipaddr_from_v6(h->src),
		.dst = ipaddr_from_v6(h->dst),
		.proto = proto,
		.l4_len = msg->body_len - off,
		.l4 = msg->body + off,
	};
	return 0;
}

bool icmp4_csum_ok(const uint8_t *p, uint32_t len)
{
	return csum_fold(csum_partial(p, len, 0)) == 0;
}

bool icmp6_csum_ok(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *p, uint32_t len)
{
	return csum_fold(csum_partial(p, len, csum_pseudo(src, dst, IPPROTO_ICMPV6, len))) == 0;
}

static void store_csum(uint8_t *p, uint32_t len, uint32_t sum)
{
	uint16_t csum = 0;

	memcpy(p + 2, &csum, sizeof(csum));
	csum = csum_fold(csum_partial(p, len, sum));
	memcpy(p + 2, &csum, sizeof(csum));
}

void icmp4_set_csum(uint8_t *p, uint32_t len)
{
	store_csum(p, len, 0);
}

void icmp6_set_csum(const struct ipaddr *src, const struct ipaddr *dst, uint8_t *p, uint32_t len)
{
	store_csum(p, len, csum_pseudo(src, dst, IPPROTO_ICMPV6, len));
}

int icmp_hdr_build(uint8_t *out, uint8_t type, uint8_t code, uint32_t rest)
{
	out[0] = type;
	out[1] = code;
	put_be16(out + 2, 0);
	put_be32(out + 4, rest);
	return ICMP_HDR_LEN;
}

/* Header and as much of the original as @room bytes of ICMP message allow. */
static int build_error(uint8_t *out, size_t cap, size_t room, uint8_t type, uint8_t code,
		       uint32_t rest, const uint8_t *orig, size_t orig_len)
{
	size_t quote_len = room - ICMP_HDR_LEN;

	if (quote_len > orig_len)
		quote_len = orig_len;
	if (cap < ICMP_HDR_LEN + quote_len)
		return -EINVAL;
	icmp_hdr_build(out, type, code, rest);
	memcpy(out + ICMP_HDR_LEN, orig, quote_len);
	return (int)(ICMP_HDR_LEN + quote_len);
}

int icmp4_error_build(uint8_t *out, size_t cap, uint8_t type, uint8_t code, uint32_t rest,
		      const uint8_t *orig, size_t orig_len, unsigned int ip_opt_len)
{
	int len;

	if (ip_opt_len > IPV4_OPT_MAX)
		return -EINVAL;
	len = build_error(out, cap, ICMP4_ERR_PACKET_MAX - IPV4_HDR_LEN - ip_opt_len, type, code,
			  rest, orig, orig_len);
	if (len > 0)
		icmp4_set_csum(out, (uint32_t)len);
	return len;
}

int icmp6_error_build(uint8_t *out, size_t cap, const struct ipaddr *src, const struct ipaddr *dst,
		      uint8_t type, uint8_t code, uint32_t rest, const uint8_t *orig, size_t orig_len)
{
	int len = build_error(out, cap, ICMP6_ERR_PACKET_MAX - IPV6_HDR_LEN, type, code, rest, orig,
			      orig_len);

	if (len > 0)
		icmp6_set_csum(src, dst, out, (uint32_t)len);
	return len;
}

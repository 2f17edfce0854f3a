/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 header and extension headers: input checks, walk, building (RFC 8200, rules R04). */
#ifndef NARU_WIRE_IPV6_H
#define NARU_WIRE_IPV6_H

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ipaddr.h"

#define IPV6_HDR_LEN 40
#define IPV6_FRAG_HDR_LEN 8
#define IPV6_LINK_MTU_MIN 1280 /* RFC 8200 section 5 */

struct ipv6_hdr {
	uint32_t ver_class_flow_be; /* 4 bits version, 8 traffic class, 20 flow label */
	uint16_t payload_len_be;
	uint8_t next_header;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} __attribute__((packed, may_alias));
static_assert(sizeof(struct ipv6_hdr) == IPV6_HDR_LEN, "IPv6 header layout");

struct ipv6_frag_hdr {
	uint8_t next_header;
	uint8_t reserved;
	uint16_t off_m_be; /* offset in bytes (low 3 bits: 2 reserved, more-fragments) */
	uint32_t id_be;
} __attribute__((packed, may_alias));
static_assert(sizeof(struct ipv6_frag_hdr) == IPV6_FRAG_HDR_LEN, "fragment header layout");

enum ipv6_verdict {
	IPV6_OK = 0,
	IPV6_HDR_ERR, /* Ip6InHdrErrors: short, version, multicast source */
	IPV6_TRUNC,   /* Ip6InTruncatedPkts */
	IPV6_DROP,    /* destination scope 0 or 1 multicast, v4-mapped address on the wire */
};

struct ipv6_info {
	struct ipaddr src;
	struct ipaddr dst;
	uint32_t flow_label;  /* host order, 20 bits */
	uint16_t payload_len; /* bytes after the 40-byte header, never beyond what was received */
	uint8_t tclass;
	uint8_t hop_limit;
	uint8_t next_header; /* first one */
};

/**
 * ipv6_parse() - the checks of R04.1 that need nothing but the packet
 * @p: the packet at any alignment, @len bytes received (padding may follow)
 *
 * ::1 is allowed here; the caller refuses it on devices other than loopback.
 *
 * Return: verdict; @ret_info is written only for IPV6_OK
 */
enum ipv6_verdict ipv6_parse(const uint8_t *p, uint32_t len, struct ipv6_info *ret_info);

enum ipv6_walk_verdict {
	IPV6_WALK_UPPER = 0, /* next_header/offset name the upper-layer header (known or not) */
	IPV6_WALK_NONE,      /* next header 59: nothing to deliver, no error */
	IPV6_WALK_FRAGMENT,  /* a real fragment; offset is the first byte of its data */
	IPV6_WALK_DROP, /* drop silently (option type 01, padding abuse, RPL and segment routing) */
	IPV6_WALK_TRUNC,      /* an extension header reaches beyond the packet: Ip6InHdrErrors */
	IPV6_WALK_PARAM_PROB, /* drop and send ICMPv6 4/err_code with pointer err_ptr */
};

struct ipv6_walk {
	uint32_t offset; /* from the start of the IPv6 header */
	uint32_t nh_off; /* where next_header was read: pointer of ICMPv6 4/1 */
	uint8_t next_header;
	bool has_frag; /* a fragment header was seen (also an atomic one) */
	bool has_more_frags;
	bool has_router_alert;
	uint16_t router_alert; /* value, host order */
	uint32_t frag_hdr_off; /* offset of the fragment header */
	uint32_t frag_nh_off;  /* offset of the next-header byte that names the fragment header */
	uint32_t frag_off_bytes;
	uint32_t frag_id;      /* host order */
	uint8_t err_code;      /* PARAM_PROB: 0 .. 3, ICMP6_PARAM_x */
	bool is_err_for_mcast; /* PARAM_PROB: to be sent even if the destination was multicast */
	uint32_t err_ptr;      /* PARAM_PROB: offset from the start of the IPv6 header */
};

/**
 * ipv6_walk() - follow the extension headers (R04.2 to R04.5)
 * @p:      start of the IPv6 header
 * @len:    40 + payload_len as checked by ipv6_parse(); nothing behind it is read
 *
 * Handles hop-by-hop (first only), destination options, routing with no segments left, fragment.
 * An atomic fragment header is passed through (has_frag set, verdict of what follows).
 * A first fragment must hold all headers up to the upper layer: 20 bytes of TCP, 8 of UDP
 * or ICMPv6, 1 of anything else (RFC 7112). If not: PARAM_PROB with code 3.
 * Non-zero @ret_walk->offset never exceeds @len.
 *
 * Return: verdict; @ret_walk is always written, err_* only for PARAM_PROB
 */
enum ipv6_walk_verdict ipv6_walk(const uint8_t *p, uint32_t len, struct ipv6_walk *ret_walk);

/**
 * ipv6_skip_ext() - find the upper layer in a packet that may be cut, as quoted by ICMPv6 errors
 * @p, @len:     IPv6 header and what follows, any length
 * @ret_proto:   next header at @ret_offset
 *
 * Options are not looked at. Non-first fragments have no upper header.
 *
 * Return: 0 with *@ret_offset <= @len; -EINVAL if no upper layer can be found
 */
int ipv6_skip_ext(const uint8_t *p, uint32_t len, uint8_t *ret_proto, uint32_t *ret_offset);

struct ipv6_out {
	struct ipaddr src;
	struct ipaddr dst;
	uint32_t flow_label;  /* host order, 20 bits used */
	uint16_t payload_len; /* bytes after the 40-byte header */
	uint8_t tclass;
	uint8_t hop_limit;
	uint8_t next_header;
};

/** ipv6_build() - write the 40-byte header; returns IPV6_HDR_LEN */
int ipv6_build(uint8_t *out, const struct ipv6_out *h);

/** ipv6_frag_build() - write a fragment header; @off_bytes is a multiple of 8; returns 8 */
int ipv6_frag_build(uint8_t *out, uint8_t next_header, uint32_t off_bytes, bool more, uint32_t id);

#endif

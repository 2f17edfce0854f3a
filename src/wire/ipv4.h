/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 header: input checks, options, building, fragment fields (RFC 791, rules R02). */
#ifndef NARU_WIRE_IPV4_H
#define NARU_WIRE_IPV4_H

#include <assert.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ipaddr.h"

#define IPV4_HDR_LEN 20
#define IPV4_HDR_MAX 60
#define IPV4_OPT_MAX 40
#define IPV4_MIN_MTU 68 /* RFC 791 */
#define IPV4_TOTAL_MAX 65535

/* Bits of frag_be in host order */
#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_FRAG_MASK 0x1fff /* offset in units of 8 bytes */

struct ipv4_hdr {
	uint8_t ver_ihl;
	uint8_t tos;
	uint16_t total_len_be;
	uint16_t id_be;
	uint16_t frag_be;
	uint8_t ttl;
	uint8_t proto;
	uint16_t csum; /* as stored: csum_fold() result */
	uint32_t src_be;
	uint32_t dst_be;
} __attribute__((packed, may_alias));
static_assert(sizeof(struct ipv4_hdr) == IPV4_HDR_LEN, "IPv4 header layout");

enum ipv4_verdict {
	IPV4_OK = 0,
	IPV4_HDR_ERR,  /* IpInHdrErrors */
	IPV4_CSUM_ERR, /* IpInHdrErrors and IpExtInCsumErrors */
	IPV4_TRUNC,    /* IpExtInTruncatedPkts */
};

struct ipv4_info {
	struct ipaddr src;
	struct ipaddr dst;
	uint32_t src_be;
	uint32_t dst_be;
	uint32_t payload_len;    /* total_len - hdr_len; what lies behind it is link padding */
	uint16_t total_len;      /* bytes, hdr_len .. received length */
	uint16_t id;             /* host order */
	uint16_t frag_off_bytes; /* 0 .. 65528 */
	uint8_t hdr_len;         /* bytes, 20 .. 60; options are hdr_len - 20 */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	bool has_df;
	bool has_mf;
};

/* True if the packet is a piece of a larger one. */
static inline bool ipv4_is_fragment(const struct ipv4_info *in)
{
	return in->has_mf || in->frag_off_bytes;
}

static inline uint16_t ipv4_frag_bytes(uint16_t frag_be)
{
	return (uint16_t)((be16_to_cpu(frag_be) & IPV4_FRAG_MASK) << 3);
}

/* The frag_be field; @off_bytes is a multiple of 8 up to 65528. */
static inline uint16_t ipv4_frag_field_be(uint32_t off_bytes, bool mf, bool df)
{
	return cpu_to_be16((uint16_t)(((off_bytes >> 3) & IPV4_FRAG_MASK) | (mf ? IPV4_MF : 0) |
				      (df ? IPV4_DF : 0)));
}

/**
 * ipv4_parse() - steps (b) and (c) of R02
 * @p:    the packet at any alignment, @len bytes received (padding may follow)
 *
 * Order of the tests: 20 bytes, version, IHL, whole header received, header checksum,
 * total length > received, total length < header.
 *
 * Return: verdict; @ret_info is written only for IPV4_OK
 */
enum ipv4_verdict ipv4_parse(const uint8_t *p, uint32_t len, struct ipv4_info *ret_info);

struct ipv4_options {
	uint8_t srr_off;          /* offset in the header of a source route, 0 = none */
	uint8_t rr_off;           /* record route, 0 = none */
	uint8_t ts_off;           /* timestamp, 0 = none */
	uint8_t router_alert_off; /* router alert, 0 = none */
	bool is_strict_srr;
	bool is_srr_unfinished; /* the source route has hops left */
};

/**
 * ipv4_options_parse() - walk the options of a header that ipv4_parse() accepted
 * @hdr:         start of the IP header, @hdr_len bytes (20 .. 60)
 * @ret_bad_off: on error, offset from the start of the header: pointer of ICMP 12/0
 *
 * Return: 0; -EINVAL for a bad length, pointer or duplicate (@ret_opts unchanged)
 */
int ipv4_options_parse(const uint8_t *hdr, uint8_t hdr_len, struct ipv4_options *ret_opts,
		       uint8_t *ret_bad_off);

struct ipv4_out {
	uint32_t src_be;
	uint32_t dst_be;
	uint16_t total_len; /* host order, header included */
	uint16_t id;        /* host order */
	uint16_t frag_be;   /* ipv4_frag_field_be() or 0 */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	uint8_t opt_len;    /* bytes, 0 .. 40; rounded up to 4 with end-of-list bytes */
	const uint8_t *opt; /* may be NULL if opt_len is 0 */
};

/**
 * ipv4_build() - write a header with its checksum
 * @out: room for 20 + opt_len rounded up to 4
 *
 * Return: header length in bytes (20 .. 60); -EINVAL for opt_len > 40 or total_len < header length
 */
int ipv4_build(uint8_t *out, const struct ipv4_out *h);

/** ipv4_set_csum() - recompute the checksum of the header at @hdr (after a change of any field) */
void ipv4_set_csum(uint8_t *hdr, uint8_t hdr_len);

#endif

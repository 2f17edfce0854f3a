/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and ICMPv6 messages: numbers, checksums, parsing, error and echo headers (RFC 792, 4443). */
#ifndef NARU_WIRE_ICMP_H
#define NARU_WIRE_ICMP_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ipaddr.h"

#define ICMP_HDR_LEN 8
#define ICMP4_ERR_PACKET_MAX 576  /* bytes of a whole IPv4 error packet, R02 note 2 */
#define ICMP6_ERR_PACKET_MAX 1280 /* RFC 4443 section 2.4 (c) */

/* ICMP types (IPv4) */
#define ICMP4_TYPE_ECHO_REPLY 0
#define ICMP4_TYPE_UNREACH 3
#define ICMP4_TYPE_SOURCE_QUENCH 4
#define ICMP4_TYPE_REDIRECT 5
#define ICMP4_TYPE_ECHO 8
#define ICMP4_TYPE_TIME_EXCEEDED 11
#define ICMP4_TYPE_PARAM_PROB 12
#define ICMP4_TYPE_TIMESTAMP 13
#define ICMP4_TYPE_TIMESTAMP_REPLY 14
#define ICMP4_TYPE_INFO_REQUEST 15
#define ICMP4_TYPE_INFO_REPLY 16
#define ICMP4_TYPE_MASK_REQUEST 17
#define ICMP4_TYPE_MASK_REPLY 18
#define ICMP4_TYPE_MAX 18

/* Codes of ICMP4_TYPE_UNREACH */
#define ICMP4_UNREACH_NET 0
#define ICMP4_UNREACH_HOST 1
#define ICMP4_UNREACH_PROTO 2
#define ICMP4_UNREACH_PORT 3
#define ICMP4_UNREACH_FRAG_NEEDED 4
#define ICMP4_UNREACH_SRC_ROUTE 5
#define ICMP4_UNREACH_NET_UNKNOWN 6
#define ICMP4_UNREACH_HOST_UNKNOWN 7
#define ICMP4_UNREACH_ISOLATED 8
#define ICMP4_UNREACH_NET_PROHIB 9
#define ICMP4_UNREACH_HOST_PROHIB 10
#define ICMP4_UNREACH_TOS_NET 11
#define ICMP4_UNREACH_TOS_HOST 12
#define ICMP4_UNREACH_FILTER 13
#define ICMP4_UNREACH_PREC_VIOLATION 14
#define ICMP4_UNREACH_PREC_CUTOFF 15
#define ICMP4_UNREACH_MAX_CODE 15

/* Codes of ICMP4_TYPE_TIME_EXCEEDED, and of ICMP6_TYPE_TIME_EXCEEDED */
#define ICMP_TIMEX_TTL 0
#define ICMP_TIMEX_REASSEMBLY 1

/* ICMPv6 types */
#define ICMP6_TYPE_UNREACH 1
#define ICMP6_TYPE_TOO_BIG 2
#define ICMP6_TYPE_TIME_EXCEEDED 3
#define ICMP6_TYPE_PARAM_PROB 4
#define ICMP6_TYPE_INFO_MIN 128 /* smaller types are errors */
#define ICMP6_TYPE_ECHO 128
#define ICMP6_TYPE_ECHO_REPLY 129
#define ICMP6_TYPE_MLD_QUERY 130
#define ICMP6_TYPE_MLD_REPORT 131
#define ICMP6_TYPE_MLD_DONE 132
#define ICMP6_TYPE_RS 133
#define ICMP6_TYPE_RA 134
#define ICMP6_TYPE_NS 135
#define ICMP6_TYPE_NA 136
#define ICMP6_TYPE_REDIRECT 137
#define ICMP6_TYPE_MLD2_REPORT 143

/* Codes of ICMP6_TYPE_UNREACH */
#define ICMP6_UNREACH_NO_ROUTE 0
#define ICMP6_UNREACH_ADMIN 1
#define ICMP6_UNREACH_SCOPE 2
#define ICMP6_UNREACH_ADDR 3
#define ICMP6_UNREACH_PORT 4
#define ICMP6_UNREACH_POLICY 5
#define ICMP6_UNREACH_REJECT_ROUTE 6

/* Codes of ICMP6_TYPE_PARAM_PROB */
#define ICMP6_PARAM_HEADER 0
#define ICMP6_PARAM_NEXT_HEADER 1
#define ICMP6_PARAM_OPTION 2
#define ICMP6_PARAM_FIRST_FRAG 3 /* RFC 7112 */

/* One layout serves both families. */
struct icmp_hdr {
	uint8_t type;
	uint8_t code;
	uint16_t csum; /* as stored */
	union {
		struct {
			uint16_t id_be;
			uint16_t seq_be;
		} echo;
		struct {
			uint16_t unused;
			uint16_t mtu_be;
		} frag;               /* ICMP 3/4 */
		uint32_t gateway_be;  /* ICMP 5 */
		uint8_t pointer;      /* ICMP 12 */
		uint32_t mtu6_be;     /* ICMPv6 2 */
		uint32_t pointer6_be; /* ICMPv6 4 */
		uint32_t rest_be;
	} __attribute__((packed));
} __attribute__((packed, may_alias));
static_assert(sizeof(struct icmp_hdr) == ICMP_HDR_LEN, "ICMP header layout");

struct icmp_msg {
	uint8_t type;
	uint8_t code;
	bool is_error; /* carries a quote of the packet that caused it */
	uint16_t id;   /* echo and timestamp; host order */
	uint16_t seq;
	uint32_t rest;       /* bytes 4..7 in host order: ICMPv6 MTU or pointer */
	uint16_t mtu;        /* ICMP 3/4; 0 from old routers */
	uint8_t pointer;     /* ICMP 12 */
	uint32_t gateway_be; /* ICMP 5 */
	const uint8_t *body; /* bytes after the 8-byte header, inside the parsed buffer */
	uint32_t body_len;
};

/* What the packet quoted inside an error was. */
struct icmp_quote {
	struct ipaddr src; /* sender of the quoted packet: normally one of our addresses */
	struct ipaddr dst;
	uint8_t proto;
	bool is_fragment;  /* a non-first fragment: l4 is not a transport header */
	uint32_t l4_len;   /* bytes quoted after the IP header(s); at least 8 */
	const uint8_t *l4; /* inside the parsed buffer */
};

/**
 * icmp4_parse() - read the header of an ICMP message; does not verify the checksum
 * @p, @len: IP payload
 *
 * Return: 0; -EINVAL if shorter than 8 bytes (@ret_msg unchanged)
 */
int icmp4_parse(const uint8_t *p, uint32_t len, struct icmp_msg *ret_msg);

/** icmp6_parse() - as icmp4_parse() for ICMPv6; all types below 128 are errors */
int icmp6_parse(const uint8_t *p, uint32_t len, struct icmp_msg *ret_msg);

/**
 * icmp4_quote_parse() - find the transport header inside an error (R05.5)
 * @msg: error read by icmp4_parse()
 *
 * The quoted IPv4 header's checksum and total length are not tested (routers change them).
 *
 * Return: 0; -EINVAL if the quote is not IPv4 or holds fewer than 8 bytes behind its header
 */
int icmp4_quote_parse(const struct icmp_msg *msg, struct icmp_quote *ret_quote);

/** icmp6_quote_parse() - as icmp4_quote_parse() for ICMPv6; extension headers are skipped */
int icmp6_quote_parse(const struct icmp_msg *msg, struct icmp_quote *ret_quote);

/** icmp4_csum_ok() - verify the checksum over the whole contiguous message */
bool icmp4_csum_ok(const uint8_t *p, uint32_t len);

/** icmp6_csum_ok() - as icmp4_csum_ok() with the IPv6 pseudo header */
bool icmp6_csum_ok(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *p,
		   uint32_t len);

/** icmp4_set_csum() - compute and store the checksum of a contiguous message of @len >= 8 bytes */
void icmp4_set_csum(uint8_t *p, uint32_t len);

/** icmp6_set_csum() - as icmp4_set_csum() with the IPv6 pseudo header */
void icmp6_set_csum(const struct ipaddr *src, const struct ipaddr *dst, uint8_t *p, uint32_t len);

/** icmp_hdr_build() - write 8 bytes with checksum 0; @rest in host order; returns ICMP_HDR_LEN */
int icmp_hdr_build(uint8_t *out, uint8_t type, uint8_t code, uint32_t rest);

/**
 * icmp4_error_build() - a whole ICMP error message (not its IP header)
 * @out, @cap:   destination; 556 bytes are always enough
 * @rest:        bytes 4..7 in host order: next-hop MTU for 3/4, pointer << 24 for 12, else 0
 * @orig:        the offending packet from its IP header on, @orig_len bytes available
 * @ip_opt_len:  bytes of IP options the error's own header will carry
 *
 * Quotes as much of @orig as keeps the packet within 576 bytes; checksum is filled in.
 *
 * Return: bytes written; -EINVAL if @cap cannot hold header and quote
 */
int icmp4_error_build(uint8_t *out, size_t cap, uint8_t type, uint8_t code, uint32_t rest,
		      const uint8_t *orig, size_t orig_len, unsigned int ip_opt_len);

/**
 * icmp6_error_build() - as icmp4_error_build(): the packet stays within 1280 bytes
 * @src, @dst: addresses of the error packet (pseudo header)
 */
int icmp6_error_build(uint8_t *out, size_t cap, const struct ipaddr *src, const struct ipaddr *dst,
		      uint8_t type, uint8_t code, uint32_t rest, const uint8_t *orig,
		      size_t orig_len);

/** icmp4_type_is_error() - types 3, 4, 5, 11, 12: never answered with an error (RFC 1122 3.2.2) */
static inline bool icmp4_type_is_error(uint8_t type)
{
	return type == ICMP4_TYPE_UNREACH || type == ICMP4_TYPE_SOURCE_QUENCH ||
	       type == ICMP4_TYPE_REDIRECT || type == ICMP4_TYPE_TIME_EXCEEDED ||
	       type == ICMP4_TYPE_PARAM_PROB;
}

static inline bool icmp6_type_is_error(uint8_t type)
{
	return type < ICMP6_TYPE_INFO_MIN;
}

#endif

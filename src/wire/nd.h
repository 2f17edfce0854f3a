/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 neighbour discovery messages: NS, NA, RS, RA (RFC 4861, rules R09). */
#ifndef NARU_WIRE_ND_H
#define NARU_WIRE_ND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/eth.h"
#include "wire/ipaddr.h"

#define ND_HOP_LIMIT 255
#define ND_MAX_PREFIXES 8 /* prefix options kept of one RA; later ones are ignored */
#define ND_MSG_MAX (16 + 8 + 8 + 32 * ND_MAX_PREFIXES) /* bytes nd_build() can write */

/* Flags of NA */
#define ND_NA_ROUTER 0x80
#define ND_NA_SOLICITED 0x40
#define ND_NA_OVERRIDE 0x20

/* Flags of RA */
#define ND_RA_MANAGED 0x80
#define ND_RA_OTHER 0x40

/* Flags of a prefix */
#define ND_PREFIX_ONLINK 0x80
#define ND_PREFIX_AUTO 0x40

#define ND_LIFETIME_INFINITE 0xffffffffu

struct nd_prefix {
	struct ipaddr prefix;
	uint32_t valid_s;
	uint32_t preferred_s;
	uint8_t plen;  /* 0 .. 128 */
	uint8_t flags; /* ND_PREFIX_x */
};

struct nd_msg {
	uint8_t type;   /* ICMP6_TYPE_NS, _NA, _RS or _RA */
	uint8_t flags;  /* NA or RA flags */
	bool has_slla;  /* source link-layer address option: NS, RS, RA */
	bool has_tlla;  /* target link-layer address option: NA */
	bool has_nonce; /* NS: RFC 7527, enhanced DAD */
	struct mac_addr slla;
	struct mac_addr tlla;
	uint8_t nonce[6];
	struct ipaddr target;       /* NS, NA */
	uint8_t cur_hop_limit;      /* RA; 0 = unspecified */
	uint16_t router_lifetime_s; /* RA; 0 = not a default router */
	uint32_t reachable_ms;      /* RA; 0 = unspecified */
	uint32_t retrans_ms;        /* RA; 0 = unspecified */
	uint32_t mtu;               /* RA; 0 = option absent */
	uint8_t num_prefixes;
	struct nd_prefix prefixes[ND_MAX_PREFIXES];
};

/**
 * nd_parse() - validity checks of RFC 4861 sections 6.1 and 7.1 and the options
 * @src, @dst:  addresses of the IPv6 header
 * @hop_limit:  of the IPv6 header; anything but 255 is refused
 * @p, @len:    ICMPv6 message; the checksum is verified
 *
 * Unknown options are skipped; an option of length 0 or beyond the message refuses all of it.
 *
 * Return: 0; -EINVAL with @ret_msg unchanged; -EPROTONOSUPPORT for another ICMPv6 type
 */
int nd_parse(const struct ipaddr *src, const struct ipaddr *dst, uint8_t hop_limit,
	     const uint8_t *p, uint32_t len, struct nd_msg *ret_msg);

/**
 * nd_build() - write a message with options and checksum
 * @out, @cap: destination; ND_MSG_MAX bytes are always enough
 *
 * Return: length of the ICMPv6 message; -EINVAL for another type, too many prefixes or small @cap
 */
int nd_build(uint8_t *out, size_t cap, const struct ipaddr *src, const struct ipaddr *dst,
	     const struct nd_msg *msg);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet II header and MAC addresses. */
#ifndef NARU_WIRE_ETH_H
#define NARU_WIRE_ETH_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wire/be.h"
#include "wire/ipaddr.h"

#define ETH_HDR_LEN 14
#define ETH_ADDR_LEN 6
#define ETH_MIN_FRAME_BYTES 60 /* without FCS */

/* Ethertypes, host order */
#define ETH_TYPE_IPV4 0x0800
#define ETH_TYPE_ARP 0x0806
#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_IPV6 0x86dd
#define ETH_TYPE_MIN 0x0600 /* smaller values are IEEE 802.3 lengths */

struct mac_addr {
	uint8_t b[ETH_ADDR_LEN];
};

struct eth_hdr {
	struct mac_addr dst;
	struct mac_addr src;
	uint16_t type_be;
} __attribute__((packed, may_alias));
static_assert(sizeof(struct eth_hdr) == ETH_HDR_LEN, "Ethernet header layout");

#define MAC_STR_MAX 18 /* "aa:bb:cc:dd:ee:ff" and the terminating 0 */

static inline struct mac_addr mac_broadcast(void)
{
	return (struct mac_addr){{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
}

static inline struct mac_addr mac_zero(void)
{
	return (struct mac_addr){{0}};
}

static inline bool mac_eq(const struct mac_addr *a, const struct mac_addr *b)
{
	return memcmp(a->b, b->b, ETH_ADDR_LEN) == 0;
}

static inline bool mac_is_zero(const struct mac_addr *m)
{
	return (m->b[0] | m->b[1] | m->b[2] | m->b[3] | m->b[4] | m->b[5]) == 0;
}

/* Group bit; true for broadcast too. */
static inline bool mac_is_multicast(const struct mac_addr *m)
{
	return m->b[0] & 1;
}

static inline bool mac_is_broadcast(const struct mac_addr *m)
{
	return (m->b[0] & m->b[1] & m->b[2] & m->b[3] & m->b[4] & m->b[5]) == 0xff;
}

/* Can this be the address of a station. */
static inline bool mac_is_unicast(const struct mac_addr *m)
{
	return !mac_is_multicast(m) && !mac_is_zero(m);
}

/* Group address for a multicast IP: RFC 1112 section 6.4 (01:00:5e), RFC 2464 section 7 (33:33). */
static inline struct mac_addr mac_from_multicast(const struct ipaddr *a)
{
	if (ipaddr_is_v4(a))
		return (struct mac_addr){{1, 0, 0x5e, a->b[13] & 0x7f, a->b[14], a->b[15]}};
	return (struct mac_addr){{0x33, 0x33, a->b[12], a->b[13], a->b[14], a->b[15]}};
}

/* fe80:: address made from the MAC by modified EUI-64 (RFC 4291 appendix A, RFC 2464 section 5). */
static inline struct ipaddr mac_to_linklocal(const struct mac_addr *m)
{
	return (struct ipaddr){.b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, m->b[0] ^ 2, m->b[1], m->b[2],
				     0xff, 0xfe, m->b[3], m->b[4], m->b[5]}};
}

/* Write the 14 header bytes; @type in host order. */
static inline void eth_build(void *out, const struct mac_addr *dst, const struct mac_addr *src,
			     uint16_t type)
{
	uint8_t *p = out;

	memcpy(p, dst->b, ETH_ADDR_LEN);
	memcpy(p + 6, src->b, ETH_ADDR_LEN);
	put_be16(p + 12, type);
}

/**
 * eth_parse() - read the header of a frame
 * @ret_type: ethertype in host order
 *
 * Return: 0; -EINVAL for a frame shorter than the header or with an 802.3 length instead of a type
 */
int eth_parse(const void *frame, size_t len, struct mac_addr *ret_dst, struct mac_addr *ret_src,
	      uint16_t *ret_type);

/** mac_format() - "aa:bb:cc:dd:ee:ff"; @out has room for MAC_STR_MAX bytes; returns @out */
char *mac_format(const struct mac_addr *m, char *out);

/** mac_parse() - read six two-digit hex bytes separated by ':'; 0 or -EINVAL, output unchanged */
int mac_parse(const char *text, struct mac_addr *ret_mac);

#endif

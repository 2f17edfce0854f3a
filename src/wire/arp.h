/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP for IPv4 over Ethernet (RFC 826). */
#ifndef NARU_WIRE_ARP_H
#define NARU_WIRE_ARP_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/eth.h"
#include "wire/ipaddr.h"

#define ARP_PKT_LEN 28
#define ARP_HW_ETHER 1
#define ARP_HW_IEEE802 6 /* accepted on Ethernet too, R07.1 */
#define ARP_OP_REQUEST 1
#define ARP_OP_REPLY 2

struct arp_pkt {
	uint16_t hw_be;
	uint16_t proto_be;
	uint8_t hw_len;
	uint8_t proto_len;
	uint16_t op_be;
	struct mac_addr sha;
	uint32_t spa_be;
	struct mac_addr tha;
	uint32_t tpa_be;
} __attribute__((packed, may_alias));
static_assert(sizeof(struct arp_pkt) == ARP_PKT_LEN, "ARP layout");

struct arp_msg {
	uint16_t op;         /* ARP_OP_REQUEST or ARP_OP_REPLY */
	struct mac_addr sha; /* sender's MAC */
	struct mac_addr tha; /* target's MAC; meaningless in a request */
	uint32_t spa_be;     /* sender's IPv4 address; 0 in an address probe */
	uint32_t tpa_be;     /* target's IPv4 address */
};

/**
 * arp_parse() - the acceptance checks of R07.1 that need nothing but the packet
 * @p, @len: bytes after the Ethernet header; trailing padding is allowed
 *
 * Checks: hardware type 1 or 6, protocol 0x0800, lengths 6 and 4, op 1 or 2, target address neither
 * multicast nor 127/8. Nothing is said about the addresses of the Ethernet header.
 *
 * Return: 0; -EINVAL with @ret_msg unchanged
 */
int arp_parse(const uint8_t *p, size_t len, struct arp_msg *ret_msg);

/** arp_build() - write ARP_PKT_LEN bytes at @out; returns ARP_PKT_LEN */
int arp_build(uint8_t *out, const struct arp_msg *msg);

#endif

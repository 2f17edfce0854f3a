/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP header (RFC 768, rule R59.1). */
#ifndef NARU_WIRE_UDP_H
#define NARU_WIRE_UDP_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/be.h"
#include "wire/ipaddr.h"

#define UDP_HDR_LEN 8
#define UDP_CSUM_OFF 6

struct udp_hdr {
	uint16_t sport_be;
	uint16_t dport_be;
	uint16_t len_be;
	uint16_t csum; /* as stored; 0 = none */
} __attribute__((packed, may_alias));
static_assert(sizeof(struct udp_hdr) == UDP_HDR_LEN, "UDP header layout");

struct udp_info {
	uint16_t sport; /* host order */
	uint16_t dport;
	uint16_t len;         /* header and payload, 8 .. ip_payload_len; trim the rest */
	uint16_t payload_len; /* len - 8 */
	bool has_csum;        /* checksum field is not 0 */
};

/**
 * udp_parse() - length rules of R59.1
 * @p:              start of the UDP header
 * @ip_payload_len: bytes of IP payload
 *
 * A length field of 0 over IPv6 (jumbogram, RFC 2675) is refused too.
 *
 * Return: 0; -EINVAL (UdpInErrors) with @ret_info unchanged
 */
int udp_parse(const uint8_t *p, uint32_t ip_payload_len, struct udp_info *ret_info);

/**
 * udp_csum_ok() - verify a datagram whose payload is contiguous
 * @len: udp_info.len
 *
 * Return: true if right, or absent (field 0) over IPv4; over IPv6 an absent checksum is false
 */
bool udp_csum_ok(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *p, uint16_t len);

/** udp_build() - write the header, checksum 0; ports in host order; returns UDP_HDR_LEN */
int udp_build(uint8_t *out, uint16_t sport, uint16_t dport, uint16_t len);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* UDP header: length rules, checksum, building. */
/*
 * How it works
 *
 * The length field rules: shorter than the IP payload trims, longer or below 8 refuses. The
 * checksum covers what the length field names, never the trimmed bytes.
 *
 * RFC 768, RFC 8200 section 8.1 (checksum required over IPv6), rule R59.1.
 */
#include "wire/udp.h"

#include <errno.h>
#include <netinet/in.h>

#include "wire/csum.h"

int udp_parse(const uint8_t *p, uint32_t ip_payload_len, struct udp_info *ret_info)
{
	const struct udp_hdr *h = (const struct udp_hdr *)p;
	uint16_t len;

	if (ip_payload_len < UDP_HDR_LEN)
		return -EINVAL;
	len = be16_to_cpu(h->len_be);
	if (len < UDP_HDR_LEN || len > ip_payload_len)
		return -EINVAL;
	ret_info->sport = be16_to_cpu(h->sport_be);
	ret_info->dport = be16_to_cpu(h->dport_be);
	ret_info->len = len;
	ret_info->payload_len = (uint16_t)(len - UDP_HDR_LEN);
	ret_info->has_csum = h->csum != 0;
	return 0;
}

bool udp_csum_ok(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *p, uint16_t len)
{
	const struct udp_hdr *h = (const struct udp_hdr *)p;

	if (h->csum == 0)
		return ipaddr_is_v4(dst);
	return csum_fold(csum_partial(p, len, csum_pseudo(src, dst, IPPROTO_UDP, len))) == 0;
}

int udp_build(uint8_t *out, uint16_t sport, uint16_t dport, uint16_t len)
{
	put_be16(out, sport);
	put_be16(out + 2, dport);
	put_be16(out + 4, len);
	put_be16(out + 6, 0);
	return UDP_HDR_LEN;
}

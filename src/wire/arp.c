/* SPDX-License-Identifier: BSD-2-Clause */
/* ARP packets: acceptance checks and building. */
/*
 * How it works
 *
 * Only what the packet alone can tell is tested here; whether an address is ours, which neighbour
 * entry changes and what is answered belongs to the neighbour table.
 *
 * RFC 826, RFC 5227 (probes), rule R07.1.
 */
#include "wire/arp.h"

#include <errno.h>

static bool is_hdr_ok(const struct arp_pkt *a)
{
	uint16_t hw = be16_to_cpu(a->hw_be), op = be16_to_cpu(a->op_be);

	return (hw == ARP_HW_ETHER || hw == ARP_HW_IEEE802) &&
	       be16_to_cpu(a->proto_be) == ETH_TYPE_IPV4 && a->hw_len == ETH_ADDR_LEN &&
	       a->proto_len == 4 && (op == ARP_OP_REQUEST || op == ARP_OP_REPLY);
}

int arp_parse(const uint8_t *p, size_t len, struct arp_msg *ret_msg)
{
	const struct arp_pkt *a = (const struct arp_pkt *)p;
	struct ipaddr target;

	if (len < ARP_PKT_LEN || !is_hdr_ok(a))
		return -EINVAL;
	target = ipaddr_from_v4(a->tpa_be);
	if (ipaddr_is_multicast(&target) || ipaddr_is_loopback(&target))
		return -EINVAL;
	ret_msg->op = be16_to_cpu(a->op_be);
	ret_msg->sha = a->sha;
	ret_msg->tha = a->tha;
	ret_msg->spa_be = a->spa_be;
	ret_msg->tpa_be = a->tpa_be;
	return 0;
}

int arp_build(uint8_t *out, const struct arp_msg *msg)
{
	struct arp_pkt a = {
		.hw_be = cpu_to_be16(ARP_HW_ETHER),
		.proto_be = cpu_to_be16(ETH_TYPE_IPV4),
		.hw_len = ETH_ADDR_LEN,
		.proto_len = 4,
		.op_be = cpu_to_be16(msg->op),
		.sha = msg->sha,
		.spa_be = msg->spa_be,
		.tha = msg->tha,
		.tpa_be = msg->tpa_be,
	};

	memcpy(out, &a, sizeof(a));
	return ARP_PKT_LEN;
}

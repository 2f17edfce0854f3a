/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet and ARP: what is accepted is built again byte for byte. */
#include <string.h>

#include "fuzz_check.h"
#include "wire/arp.h"

static void check_arp(const uint8_t *p, size_t len)
{
	uint8_t out[ARP_PKT_LEN];
	struct arp_msg m;

	if (arp_parse(p, len, &m))
		return;
	FUZZ_CHECK(len >= ARP_PKT_LEN);
	FUZZ_CHECK(m.op == ARP_OP_REQUEST || m.op == ARP_OP_REPLY);
	FUZZ_CHECK(arp_build(out, &m) == ARP_PKT_LEN);
	/* The hardware type may have been 6; it is written as 1. */
	FUZZ_CHECK(!memcmp(out + 2, p + 2, ARP_PKT_LEN - 2));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mac_addr dst, src;
	uint8_t hdr[ETH_HDR_LEN];
	uint16_t type = 0;

	check_arp(data, len);
	if (eth_parse(data, len, &dst, &src, &type))
		return 0;
	FUZZ_CHECK(len >= ETH_HDR_LEN && type >= ETH_TYPE_MIN);
	eth_build(hdr, &dst, &src, type);
	FUZZ_CHECK(!memcmp(hdr, data, ETH_HDR_LEN));
	check_arp(data + ETH_HDR_LEN, len - ETH_HDR_LEN);
	return 0;
}

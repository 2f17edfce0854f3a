/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbour discovery: options stay inside the message, and build(parse(x)) reads the same. */
/*
 * Input: one byte choosing the addresses, then an ICMPv6 message. The checksum is made right, else
 * nothing behind it would ever be reached; the message as it came is tried too.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_check.h"
#include "wire/icmp.h"
#include "wire/nd.h"

static const char *const sources[] = {"fe80::1", "::", "2001:db8::1", "fe80::ffff:2"};
static const char *const targets[] = {"ff02::1", "ff02::1:ff00:2", "fe80::2", "ff02::2"};

static void check_parsed(const struct ipaddr *src, const struct ipaddr *dst, const uint8_t *p,
			 uint32_t len)
{
	uint8_t out[ND_MSG_MAX];
	struct nd_msg m, again;
	int n;

	if (nd_parse(src, dst, ND_HOP_LIMIT, p, len, &m))
		return;
	FUZZ_CHECK(m.type == p[0] && m.num_prefixes <= ND_MAX_PREFIXES);
	for (int i = 0; i < m.num_prefixes; i++)
		FUZZ_CHECK(m.prefixes[i].plen <= 128);
	FUZZ_CHECK(!ipaddr_is_multicast(&m.target));
	n = nd_build(out, sizeof(out), src, dst, &m);
	FUZZ_CHECK(n > 0);
	FUZZ_CHECK(nd_parse(src, dst, ND_HOP_LIMIT, out, (uint32_t)n, &again) == 0);
	FUZZ_CHECK(!memcmp(&m, &again, sizeof(m)));
	FUZZ_CHECK(nd_parse(src, dst, 64, out, (uint32_t)n, &again) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ipaddr src, dst;
	uint8_t *p;

	if (len < 1 + ICMP_HDR_LEN || len > 4096)
		return 0;
	ipaddr_parse(sources[data[0] & 3], &src);
	ipaddr_parse(targets[data[0] >> 2 & 3], &dst);
	data++;
	len--;
	check_parsed(&src, &dst, data, (uint32_t)len);
	p = malloc(len);
	if (!p)
		return 0;
	memcpy(p, data, len);
	icmp6_set_csum(&src, &dst, p, (uint32_t)len);
	check_parsed(&src, &dst, p, (uint32_t)len);
	free(p);
	return 0;
}

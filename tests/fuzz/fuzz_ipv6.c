/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 header and extension header walk: offsets and pointers stay inside the packet. */
#include <string.h>

#include "fuzz_check.h"
#include "wire/ipv6.h"

static void check_walk(const uint8_t *p, uint32_t len)
{
	enum ipv6_walk_verdict v;
	uint32_t off = 0;
	uint8_t proto = 0;
	struct ipv6_walk w;

	v = ipv6_walk(p, len, &w);
	FUZZ_CHECK(w.offset <= len && w.nh_off < len);
	if (v == IPV6_WALK_PARAM_PROB)
		FUZZ_CHECK(w.err_ptr < len && w.err_code <= 3);
	if (w.has_frag)
		FUZZ_CHECK(w.frag_hdr_off + IPV6_FRAG_HDR_LEN <= len &&
			   w.frag_nh_off < w.frag_hdr_off && p[w.frag_nh_off] == IPPROTO_FRAGMENT);
	if (v == IPV6_WALK_FRAGMENT) {
		FUZZ_CHECK(w.has_frag && w.offset == w.frag_hdr_off + IPV6_FRAG_HDR_LEN);
		FUZZ_CHECK(w.offset < len && w.frag_off_bytes + (len - w.offset) <= 65535);
		FUZZ_CHECK(w.frag_off_bytes % 8 == 0);
		FUZZ_CHECK(!w.has_more_frags || (len - w.offset) % 8 == 0);
	}
	if (v == IPV6_WALK_UPPER || v == IPV6_WALK_NONE) {
		FUZZ_CHECK(p[w.nh_off] == w.next_header);
		FUZZ_CHECK(ipv6_skip_ext(p, len, &proto, &off) == 0);
		FUZZ_CHECK(proto == w.next_header && off == w.offset);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct ipv6_info in;
	uint32_t off = 0;
	uint8_t proto = 0, out[IPV6_HDR_LEN];

	if (len > 70000)
		return 0;
	if (ipv6_skip_ext(data, (uint32_t)len, &proto, &off) == 0)
		FUZZ_CHECK(off >= IPV6_HDR_LEN && off <= len);
	if (len >= IPV6_HDR_LEN)
		check_walk(data, (uint32_t)len);
	if (ipv6_parse(data, (uint32_t)len, &in) != IPV6_OK)
		return 0;
	FUZZ_CHECK(IPV6_HDR_LEN + (size_t)in.payload_len <= len);
	FUZZ_CHECK(!ipaddr_is_v4(&in.src) && !ipaddr_is_v4(&in.dst));
	FUZZ_CHECK(!ipaddr_is_multicast(&in.src));
	ipv6_build(out, &(struct ipv6_out){.src = in.src,
					   .dst = in.dst,
					   .flow_label = in.flow_label,
					   .payload_len = in.payload_len,
					   .tclass = in.tclass,
					   .hop_limit = in.hop_limit,
					   .next_header = in.next_header});
	FUZZ_CHECK(!memcmp(out, data, IPV6_HDR_LEN));
	check_walk(data, IPV6_HDR_LEN + (uint32_t)in.payload_len);
	return 0;
}

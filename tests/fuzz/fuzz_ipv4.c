/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 header and options: every length stays inside the packet. */
/*
 * Input: a packet. A random one never has a right checksum, so each input is tried a second time
 * with the checksum set; that copy also goes through UDP.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz_check.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

static void check_options(const uint8_t *p, uint8_t hdr_len)
{
	struct ipv4_options o;
	uint8_t bad = 0;

	if (ipv4_options_parse(p, hdr_len, &o, &bad)) {
		FUZZ_CHECK(bad >= IPV4_HDR_LEN && bad < hdr_len);
		return;
	}
	FUZZ_CHECK(o.srr_off < hdr_len && o.rr_off < hdr_len && o.ts_off < hdr_len);
	FUZZ_CHECK(o.router_alert_off < hdr_len);
	if (o.srr_off)
		FUZZ_CHECK(o.srr_off + p[o.srr_off + 1] <= hdr_len);
	if (o.is_srr_unfinished)
		FUZZ_CHECK(o.srr_off && p[o.srr_off + 2] + 3 <= p[o.srr_off + 1]);
}

static void check_rebuilt(const uint8_t *p, const struct ipv4_info *in)
{
	struct ipv4_out o = {
		.src_be = in->src_be,
		.dst_be = in->dst_be,
		.total_len = in->total_len,
		.id = in->id,
		.frag_be = ipv4_frag_field_be(in->frag_off_bytes, in->has_mf, in->has_df),
		.tos = in->tos,
		.ttl = in->ttl,
		.proto = in->proto,
		.opt_len = (uint8_t)(in->hdr_len - IPV4_HDR_LEN),
		.opt = p + IPV4_HDR_LEN,
	};
	uint8_t out[IPV4_HDR_MAX];
	struct ipv4_info again;

	FUZZ_CHECK(ipv4_build(out, &o) == in->hdr_len);
	/* The reserved flag is not carried over; everything else is. */
	if (!(p[6] & 0x80))
		FUZZ_CHECK(!memcmp(out, p, 10) && !memcmp(out + 12, p + 12, in->hdr_len - 12u));
	FUZZ_CHECK(in->total_len > in->hdr_len || ipv4_parse(out, in->hdr_len, &again) == IPV4_OK);
}

static void check_packet(const uint8_t *p, uint32_t len)
{
	struct ipv4_info in;
	struct udp_info udp;

	if (ipv4_parse(p, len, &in) != IPV4_OK)
		return;
	FUZZ_CHECK(in.hdr_len >= IPV4_HDR_LEN && in.hdr_len <= IPV4_HDR_MAX);
	FUZZ_CHECK(in.total_len <= len && in.hdr_len + in.payload_len == in.total_len);
	FUZZ_CHECK(in.frag_off_bytes % 8 == 0);
	FUZZ_CHECK(ipaddr_is_v4(&in.src) && ipaddr_v4_be(&in.dst) == in.dst_be);
	check_options(p, in.hdr_len);
	check_rebuilt(p, &in);
	if (udp_parse(p + in.hdr_len, in.payload_len, &udp) == 0) {
		FUZZ_CHECK(udp.len <= in.payload_len && udp.payload_len + UDP_HDR_LEN == udp.len);
		udp_csum_ok(&in.src, &in.dst, p + in.hdr_len, udp.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint32_t hdr_len;
	uint8_t *p;

	if (len > 70000)
		return 0;
	check_packet(data, (uint32_t)len);
	if (len < IPV4_HDR_LEN)
		return 0;
	hdr_len = (data[0] & 15u) * 4;
	if (hdr_len < IPV4_HDR_LEN || hdr_len > len)
		return 0;
	p = malloc(len);
	if (!p)
		return 0;
	memcpy(p, data, len);
	ipv4_set_csum(p, (uint8_t)hdr_len);
	check_packet(p, (uint32_t)len);
	free(p);
	return 0;
}

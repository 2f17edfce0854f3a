/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net header: an accepted description fits its frame and survives being written. */
/* Input: one byte choosing the header size, then header and frame. */
#include <stdbool.h>
#include <string.h>

#include "fuzz_check.h"
#include "wire/vnet.h"

static const size_t hdr_sizes[] = {10, 12, 20, 24, 32, 64, 0, 9};

static void check_fits(const struct vnet_info *in, size_t frame_len)
{
	bool is_tcp = in->gso_type == VNET_GSO_TCPV4 || in->gso_type == VNET_GSO_TCPV6;

	FUZZ_CHECK(in->hdr_len <= frame_len);
	if (in->needs_csum)
		FUZZ_CHECK((size_t)in->csum_start + in->csum_offset + 2 <= frame_len);
	else
		FUZZ_CHECK(in->csum_start == 0 && in->csum_offset == 0);
	FUZZ_CHECK(!in->has_ecn || is_tcp);
	if (in->gso_type == VNET_GSO_NONE) {
		FUZZ_CHECK(in->gso_size == 0);
		return;
	}
	FUZZ_CHECK(is_tcp || in->gso_type == VNET_GSO_UDP_L4);
	FUZZ_CHECK(in->gso_size > 0 && (in->needs_csum || in->is_data_valid));
	if (in->needs_csum)
		FUZZ_CHECK(in->csum_start + (is_tcp ? 20u : 8u) <= frame_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vnet_info in, again;
	uint8_t out[VNET_HDR_LEN_MAX + 2048];
	size_t hdr_len;

	if (len < 1 || len > 2048)
		return 0;
	hdr_len = hdr_sizes[data[0] & 7];
	data++;
	len--;
	memset(&in, 0, sizeof(in));
	memset(&again, 0, sizeof(again));
	if (vnet_parse(data, len, hdr_len, &in))
		return 0;
	FUZZ_CHECK(hdr_len >= VNET_HDR_LEN && hdr_len <= len);
	check_fits(&in, len - hdr_len);
	memcpy(out + hdr_len, data + hdr_len, len - hdr_len);
	FUZZ_CHECK(vnet_build(out, hdr_len, &in, len - hdr_len) == (int)hdr_len);
	FUZZ_CHECK(vnet_parse(out, len, hdr_len, &again) == 0);
	FUZZ_CHECK(!memcmp(&in, &again, sizeof(in)));
	return 0;
}

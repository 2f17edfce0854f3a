/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net header: reading a hostile one, writing ours. */
/*
 * How it works
 *
 * Reading and writing end in the same question - does this description fit this frame - so one
 * function answers it for both. Whoever segments or completes a checksum later may rely on the
 * answer and needs no bounds tests of its own.
 *
 * virtio 1.2 sections 5.1.6 and 5.1.6.2.
 */
#include "wire/vnet.h"

#include <errno.h>
#include <string.h>

#define TCP_HDR_MIN 20
#define TCP_CSUM_AT 16
#define UDP_HDR_MIN 8
#define UDP_CSUM_AT 6

static uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static bool is_tcp_gso(uint8_t gso_type)
{
	return gso_type == VNET_GSO_TCPV4 || gso_type == VNET_GSO_TCPV6;
}

static bool does_gso_fit(const struct vnet_info *in, size_t frame_len)
{
	uint16_t csum_at = is_tcp_gso(in->gso_type) ? TCP_CSUM_AT : UDP_CSUM_AT;
	size_t l4_min = is_tcp_gso(in->gso_type) ? TCP_HDR_MIN : UDP_HDR_MIN;

	if (in->gso_type == VNET_GSO_NONE)
		return !in->has_ecn;
	if (!is_tcp_gso(in->gso_type) && (in->gso_type != VNET_GSO_UDP_L4 || in->has_ecn))
		return false;
	if (in->gso_size == 0)
		return false;
	if (!in->needs_csum)
		return in->is_data_valid;
	return in->csum_offset == csum_at && in->csum_start + l4_min <= frame_len;
}

static bool does_fit(const struct vnet_info *in, size_t frame_len)
{
	if (in->needs_csum && in->csum_start + (size_t)in->csum_offset + 2 > frame_len)
		return false;
	return does_gso_fit(in, frame_len);
}

int vnet_parse(const uint8_t *buf, size_t len, size_t vnet_hdr_len, struct vnet_info *ret_info)
{
	struct vnet_info in = {0};
	size_t frame_len;

	if (vnet_hdr_len < VNET_HDR_LEN || len < vnet_hdr_len)
		return -EINVAL;
	frame_len = len - vnet_hdr_len;
	in.needs_csum = buf[0] & VNET_F_NEEDS_CSUM;
	in.is_data_valid = buf[0] & VNET_F_DATA_VALID;
	in.has_ecn = buf[1] & VNET_GSO_ECN;
	in.gso_type = (uint8_t)(buf[1] & ~VNET_GSO_ECN);
	in.hdr_len = get_le16(buf + 2);
	if (in.hdr_len > frame_len)
		in.hdr_len = 0;
	if (in.gso_type != VNET_GSO_NONE)
		in.gso_size = get_le16(buf + 4);
	if (in.needs_csum) {
		in.csum_start = get_le16(buf + 6);
		in.csum_offset = get_le16(buf + 8);
	}
	if (!does_fit(&in, frame_len))
		return -EINVAL;
	*ret_info = in;
	return 0;
}

int vnet_build(uint8_t *out, size_t vnet_hdr_len, const struct vnet_info *info, size_t frame_len)
{
	if (vnet_hdr_len < VNET_HDR_LEN || vnet_hdr_len > VNET_HDR_LEN_MAX ||
	    info->hdr_len > frame_len || !does_fit(info, frame_len))
		return -EINVAL;
	memset(out, 0, vnet_hdr_len);
	out[0] = (uint8_t)((info->needs_csum ? VNET_F_NEEDS_CSUM : 0) |
			   (info->is_data_valid ? VNET_F_DATA_VALID : 0));
	out[1] = (uint8_t)(info->gso_type | (info->has_ecn ? VNET_GSO_ECN : 0));
	put_le16(out + 2, info->hdr_len);
	if (info->gso_type != VNET_GSO_NONE)
		put_le16(out + 4, info->gso_size);
	if (info->needs_csum) {
		put_le16(out + 6, info->csum_start);
		put_le16(out + 8, info->csum_offset);
	}
	return (int)vnet_hdr_len;
}

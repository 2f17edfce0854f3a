/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio-net header in front of frames on TAP and AF_PACKET (virtio 1.2 section 5.1.6). */
#ifndef NARU_WIRE_VNET_H
#define NARU_WIRE_VNET_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VNET_HDR_LEN 10     /* without num_buffers */
#define VNET_HDR_LEN_MRG 12 /* with num_buffers */
#define VNET_HDR_LEN_MAX 64 /* largest size a TAP was seen to take */

/* flags */
#define VNET_F_NEEDS_CSUM 1
#define VNET_F_DATA_VALID 2

/* gso_type */
#define VNET_GSO_NONE 0
#define VNET_GSO_TCPV4 1
#define VNET_GSO_UDP 3 /* UDP fragmentation; refused */
#define VNET_GSO_TCPV6 4
#define VNET_GSO_UDP_L4 5 /* UDP_SEGMENT */
#define VNET_GSO_ECN 0x80 /* may be or-ed to the TCP types: CWR is set */

/* All fields little endian on the wire (TUNSETVNETLE; AF_PACKET on little-endian hosts). */
struct vnet_hdr {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len_le;
	uint16_t gso_size_le;
	uint16_t csum_start_le;
	uint16_t csum_offset_le;
	uint16_t num_buffers_le; /* absent in the 10-byte form */
} __attribute__((packed, may_alias));
static_assert(sizeof(struct vnet_hdr) == VNET_HDR_LEN_MRG, "virtio-net header layout");

struct vnet_info {
	bool needs_csum;      /* the checksum field holds only the pseudo-header sum */
	bool is_data_valid;   /* the sender vouches for the checksum */
	bool has_ecn;         /* VNET_GSO_ECN */
	uint8_t gso_type;     /* VNET_GSO_x without the ECN bit */
	uint16_t hdr_len;     /* hint: bytes of all headers; 0 = unknown */
	uint16_t gso_size;    /* payload bytes per segment; 0 if gso_type is NONE */
	uint16_t csum_start;  /* from the start of the frame; valid if needs_csum */
	uint16_t csum_offset; /* from csum_start */
};

/**
 * vnet_parse() - read and distrust a header
 * @buf, @len:   header and frame as read from the device
 * @vnet_hdr_len: 10, 12 or more (the rest is skipped), as set on the device
 *
 * Accepted means: csum_start + csum_offset + 2 fits in the frame; a GSO type is known, its size is
 * not 0, it comes with NEEDS_CSUM or DATA_VALID, and with NEEDS_CSUM the transport header at
 * csum_start is complete and csum_offset is that of TCP or UDP. hdr_len is cleared if it lies
 * outside the frame.
 *
 * Return: 0; -EINVAL with @ret_info unchanged
 */
int vnet_parse(const uint8_t *buf, size_t len, size_t vnet_hdr_len, struct vnet_info *ret_info);

/**
 * vnet_build() - write @vnet_hdr_len bytes (10 .. 64; num_buffers and what follows is 0)
 * @frame_len: bytes that follow; the fields of @info are checked against it as in vnet_parse()
 *
 * Return: @vnet_hdr_len; -EINVAL if the description does not fit the frame
 */
int vnet_build(uint8_t *out, size_t vnet_hdr_len, const struct vnet_info *info, size_t frame_len);

#endif

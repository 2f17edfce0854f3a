/* SPDX-License-Identifier: BSD-2-Clause */
/* virtio-net header against hostile values. */
#include "wire/vnet.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#define FRAME 1000

/* TCPv4 segmentation as a TAP hands it over: 10 bytes, little endian. */
static const uint8_t tso[10] = {1, 1, 54, 0, 0xb4, 5, 34, 0, 16, 0};

static uint8_t buf[12 + FRAME];

static int parse(const uint8_t *hdr, size_t frame_len, struct vnet_info *in)
{
	memset(buf, 0, sizeof(buf));
	memcpy(buf, hdr, 10);
	return vnet_parse(buf, 10 + frame_len, 10, in);
}

static int with_byte(int at, uint8_t v, size_t frame_len)
{
	uint8_t h[10];
	struct vnet_info in;

	memcpy(h, tso, sizeof(h));
	h[at] = v;
	return parse(h, frame_len, &in);
}

static void a_kernel_header_is_read_and_written_alike(void **state)
{
	struct vnet_info in;
	uint8_t out[12];

	(void)state;
	assert_int_equal(parse(tso, FRAME, &in), 0);
	assert_true(in.needs_csum && !in.has_ecn);
	assert_int_equal(in.gso_type, VNET_GSO_TCPV4);
	assert_int_equal(in.gso_size, 1460);
	assert_int_equal(in.hdr_len, 54);
	assert_int_equal(in.csum_start, 34);
	assert_int_equal(in.csum_offset, 16);
	memset(out, 0xff, sizeof(out));
	assert_int_equal(vnet_build(out, 12, &in, FRAME), 12);
	assert_memory_equal(out, tso, 10);
	assert_memory_equal(out + 10, "\0\0", 2);
}

static void descriptions_that_leave_the_frame_are_refused(void **state)
{
	struct vnet_info in;

	(void)state;
	assert_int_equal(vnet_parse(tso, 9, 10, &in), -EINVAL);
	assert_int_equal(vnet_parse(tso, 10, 9, &in), -EINVAL);
	assert_int_equal(parse(tso, 53, &in), -EINVAL); /* TCP header is cut */
	assert_int_equal(parse(tso, 54, &in), 0);
	assert_int_equal(with_byte(7, 0xff, FRAME), -EINVAL);
	assert_int_equal(with_byte(9, 0xff, FRAME), -EINVAL);
	assert_int_equal(with_byte(8, 17, FRAME), -EINVAL); /* not TCP's checksum */
}

static void impossible_segmentation_is_refused(void **state)
{
	uint8_t h[10];
	struct vnet_info in;

	(void)state;
	assert_int_equal(with_byte(1, 2, FRAME), -EINVAL);
	assert_int_equal(with_byte(1, VNET_GSO_UDP, FRAME), -EINVAL);
	assert_int_equal(with_byte(1, VNET_GSO_ECN, FRAME), -EINVAL);
	assert_int_equal(with_byte(1, VNET_GSO_TCPV4 | VNET_GSO_ECN, FRAME), 0);
	assert_int_equal(with_byte(0, 0, FRAME), -EINVAL); /* nobody vouches for the checksum */
	assert_int_equal(with_byte(0, VNET_F_DATA_VALID, FRAME), 0);
	memcpy(h, tso, sizeof(h));
	h[4] = h[5] = 0; /* segments of nothing */
	assert_int_equal(parse(h, FRAME, &in), -EINVAL);
	memcpy(h, tso, sizeof(h));
	h[1] = VNET_GSO_UDP_L4;
	assert_int_equal(parse(h, FRAME, &in), -EINVAL);
	h[8] = 6;
	assert_int_equal(parse(h, FRAME, &in), 0);
}

static void a_wild_header_length_is_only_a_hint(void **state)
{
	uint8_t h[10] = {0, 0, 0xff, 0xff};
	struct vnet_info in;

	(void)state;
	assert_int_equal(parse(h, 60, &in), 0);
	assert_int_equal(in.hdr_len, 0);
	in.hdr_len = 61;
	assert_int_equal(vnet_build(h, 10, &in, 60), -EINVAL);
}

static void partial_checksums_need_two_bytes_inside(void **state)
{
	uint8_t h[10] = {1, 0, 0, 0, 0, 0, 34, 0, 6, 0};
	struct vnet_info in;

	(void)state;
	assert_int_equal(parse(h, 42, &in), 0);
	assert_int_equal(parse(h, 41, &in), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kernel_header_is_read_and_written_alike),
		cmocka_unit_test(descriptions_that_leave_the_frame_are_refused),
		cmocka_unit_test(impossible_segmentation_is_refused),
		cmocka_unit_test(a_wild_header_length_is_only_a_hint),
		cmocka_unit_test(partial_checksums_need_two_bytes_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

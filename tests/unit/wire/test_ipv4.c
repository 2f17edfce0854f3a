/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4 input verdicts of R02, options, building. */
#include "wire/ipv4.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "ref.h"

/* A UDP packet of 115 bytes whose header checksum 0xb861 is widely published. */
static const uint8_t known[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
				  0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};

/* Give the header at @p a right checksum, by the reference. */
static void fix(uint8_t *p)
{
	put_be16(p + 10, 0);
	put_be16(p + 10, (uint16_t)~ref_sum(p, (p[0] & 15) * 4u, 0));
}

static enum ipv4_verdict verdict(const uint8_t *p, uint32_t len)
{
	struct ipv4_info in;

	return ipv4_parse(p, len, &in);
}

static void a_right_packet_is_taken_apart(void **state)
{
	uint8_t p[130] = {0};
	struct ipv4_info in;

	(void)state;
	memcpy(p, known, 20);
	assert_int_equal(ipv4_parse(p, 130, &in), IPV4_OK); /* 15 bytes of padding are ignored */
	assert_int_equal(in.total_len, 115);
	assert_int_equal(in.payload_len, 95);
	assert_int_equal(in.hdr_len, 20);
	assert_int_equal(in.proto, 17);
	assert_int_equal(in.ttl, 64);
	assert_true(in.has_df && !in.has_mf && !ipv4_is_fragment(&in));
	assert_int_equal(in.src_be, cpu_to_be32(0xc0a80001));
	assert_int_equal(ipaddr_v4_be(&in.dst), cpu_to_be32(0xc0a800c7));
}

static void each_fault_has_its_verdict(void **state)
{
	uint8_t p[130] = {0};

	(void)state;
	memcpy(p, known, 20);
	assert_int_equal(verdict(p, 19), IPV4_HDR_ERR);
	assert_int_equal(verdict(p, 114), IPV4_TRUNC);
	p[11] ^= 1;
	assert_int_equal(verdict(p, 130), IPV4_CSUM_ERR);
	memcpy(p, known, 20);
	p[0] = 0x65;
	assert_int_equal(verdict(p, 130), IPV4_HDR_ERR);
	p[0] = 0x44; /* IHL 4 */
	assert_int_equal(verdict(p, 130), IPV4_HDR_ERR);
	p[0] = 0x46; /* 24-byte header in 20 received bytes */
	assert_int_equal(verdict(p, 20), IPV4_HDR_ERR);
	memcpy(p, known, 20);
	put_be16(p + 2, 19); /* total length below the header */
	fix(p);
	assert_int_equal(verdict(p, 130), IPV4_HDR_ERR);
	memcpy(p, known, 20);
	p[8] = 0; /* TTL 0 addressed to us is accepted */
	fix(p);
	assert_int_equal(verdict(p, 130), IPV4_OK);
}

static void fragment_fields_convert_both_ways(void **state)
{
	uint8_t p[128] = {0};
	struct ipv4_info in;
	uint16_t f = ipv4_frag_field_be(65528, true, false);

	(void)state;
	memcpy(p, known, 20);
	memcpy(p + 6, "\x3f\xff", 2);
	assert_memory_equal(&f, p + 6, 2);
	fix(p);
	assert_int_equal(ipv4_parse(p, 128, &in), IPV4_OK);
	assert_int_equal(in.frag_off_bytes, 65528);
	assert_true(in.has_mf && !in.has_df && ipv4_is_fragment(&in));
	f = ipv4_frag_field_be(0, false, true);
	assert_memory_equal(&f, "\x40\x00", 2);
}

static void a_built_header_is_the_known_one(void **state)
{
	struct ipv4_out o = {.src_be = cpu_to_be32(0xc0a80001),
			     .dst_be = cpu_to_be32(0xc0a800c7),
			     .total_len = 115,
			     .frag_be = cpu_to_be16(IPV4_DF),
			     .ttl = 64,
			     .proto = 17};
	uint8_t p[20];

	(void)state;
	assert_int_equal(ipv4_build(p, &o), 20);
	assert_memory_equal(p, known, 20);
}

static void built_options_are_padded_and_summed(void **state)
{
	struct ipv4_out o = {
		.total_len = 28, .opt_len = 5, .opt = (const uint8_t *)"\x01\x44\x04\x05"};
	uint8_t p[28];

	(void)state;
	assert_int_equal(ipv4_build(p, &o), 28);
	assert_int_equal(p[0], 0x47);
	assert_memory_equal(p + 20, "\x01\x44\x04\x05\0\0\0\0", 8);
	assert_int_equal(ref_sum(p, 28, 0), 0xffff);
	o.total_len = 27;
	assert_int_equal(ipv4_build(p, &o), -EINVAL);
	o.total_len = 100;
	o.opt_len = 41;
	assert_int_equal(ipv4_build(p, &o), -EINVAL);
}

/* Options given as text behind a 20-byte header; -1 = accepted, else the pointer. */
static int options(const char *bytes, int len, struct ipv4_options *opts)
{
	uint8_t h[60] = {0}, bad = 0;

	memcpy(h + 20, bytes, (size_t)len);
	if (ipv4_options_parse(h, (uint8_t)(20 + len), opts, &bad) == 0)
		return -1;
	return bad;
}

#define OPTIONS(s) options(s, sizeof(s) - 1, &opts)

static void options_are_located(void **state)
{
	struct ipv4_options opts;

	(void)state;
	assert_int_equal(OPTIONS("\x01\x07\x07\x04\0\0\0\0\x94\x04\0\0"), -1);
	assert_int_equal(opts.rr_off, 21);
	assert_int_equal(opts.router_alert_off, 28);
	assert_int_equal(opts.srr_off, 0);
	assert_int_equal(OPTIONS("\x01\x89\x07\x04\x0a\0\0\x01"), -1);
	assert_int_equal(opts.srr_off, 21);
	assert_true(opts.is_strict_srr && opts.is_srr_unfinished);
	assert_int_equal(OPTIONS("\x01\x83\x07\x08\x0a\0\0\x01"), -1);
	assert_false(opts.is_strict_srr || opts.is_srr_unfinished);
	assert_int_equal(OPTIONS("\x44\x08\x05\0\0\0\0\0"), -1); /* one timestamp fits */
	assert_int_equal(opts.ts_off, 20);
	assert_int_equal(OPTIONS("\x44\x08\x05\x01\0\0\0\0"), 22); /* with address it does not */
	assert_int_equal(OPTIONS("\0\x07\x01\xff"), -1); /* nothing is read behind the end of list */
}

static void a_bad_option_is_pointed_at(void **state)
{
	struct ipv4_options opts;

	(void)state;
	assert_int_equal(OPTIONS("\x01\x01\x07\x01"), 22);       /* length 1 */
	assert_int_equal(OPTIONS("\x01\x07\x08\x04"), 21);       /* reaches beyond the header */
	assert_int_equal(OPTIONS("\x01\x01\x01\x07"), 23);       /* no length byte */
	assert_int_equal(OPTIONS("\x07\x07\x03\0\0\0\0\0"), 22); /* pointer below 4 */
	assert_int_equal(OPTIONS("\x07\x07\x05\0\0\0\0\0"), 22); /* slot crosses the end */
	assert_int_equal(OPTIONS("\x44\x04\x05\xf0"), 23);       /* sixteenth hop missed */
	assert_int_equal(OPTIONS("\x44\x04\x05\xe2"), -1);       /* undefined kind, fifteenth */
	assert_int_equal(OPTIONS("\x44\x06\x05\x02\0\0\0\0"), 22);
	assert_int_equal(OPTIONS("\x94\x03\0\0"), 21); /* router alert has four bytes */
	assert_int_equal(OPTIONS("\x83\x03\x04\x89\x03\x04\0\0"), 23); /* second source route */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_right_packet_is_taken_apart),
		cmocka_unit_test(each_fault_has_its_verdict),
		cmocka_unit_test(fragment_fields_convert_both_ways),
		cmocka_unit_test(a_built_header_is_the_known_one),
		cmocka_unit_test(built_options_are_padded_and_summed),
		cmocka_unit_test(options_are_located),
		cmocka_unit_test(a_bad_option_is_pointed_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

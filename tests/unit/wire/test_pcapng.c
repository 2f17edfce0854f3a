/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng blocks, byte by byte on a little-endian machine. */
#include "wire/pcapng.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

static uint8_t out[4096];

static uint32_t word(size_t at)
{
	uint32_t v;

	memcpy(&v, out + at, 4);
	return v;
}

static void the_section_header_is_exact(void **state)
{
	(void)state;
	assert_int_equal(pcapng_shb(out, sizeof(out), NULL), 28);
	assert_int_equal(word(0), 0x0a0d0d0a);
	assert_int_equal(word(4), 28);
	assert_int_equal(word(8), 0x1a2b3c4d);
	assert_int_equal(word(12), 1); /* major 1, minor 0 (little endian) */
	assert_int_equal(word(16), 0xffffffff);
	assert_int_equal(word(20), 0xffffffff);
	assert_int_equal(word(24), 28);
	assert_int_equal(pcapng_shb(out, 27, NULL), -ENOSPC);
	assert_int_equal(pcapng_shb(out, sizeof(out), "naru"), 40);
	assert_memory_equal(out + 24, "\x04\0\x04\0naru\0\0\0\0", 12);
}

static void the_interface_has_nanoseconds(void **state)
{
	(void)state;
	assert_int_equal(pcapng_idb(out, sizeof(out), PCAPNG_LINKTYPE_RAW, 0, "eth0"), 40);
	assert_memory_equal(out,
			    "\x01\0\0\0\x28\0\0\0\x65\0\0\0\0\0\0\0"
			    "\x02\0\x04\0eth0"
			    "\x09\0\x01\0\x09\0\0\0"
			    "\0\0\0\0\x28\0\0\0",
			    40);
}

static void a_packet_carries_time_data_and_comment(void **state)
{
	struct pcapng_epb e = {.if_id = 1,
			       .cap_len = 5,
			       .orig_len = 60,
			       .comment_len = 3,
			       .ts_ns = 0x0102030405060708,
			       .data = (const uint8_t *)"abcde",
			       .comment = "why",
			       .direction = PCAPNG_DIR_OUT};

	(void)state;
	memset(out, 0xaa, sizeof(out));
	assert_int_equal(pcapng_epb_len(&e), 60);
	assert_int_equal(pcapng_epb(out, 59, &e), -ENOSPC);
	assert_int_equal(out[0], 0xaa);
	assert_int_equal(pcapng_epb(out, 60, &e), 60);
	assert_memory_equal(out,
			    "\x06\0\0\0\x3c\0\0\0\x01\0\0\0"
			    "\x04\x03\x02\x01\x08\x07\x06\x05"
			    "\x05\0\0\0\x3c\0\0\0"
			    "abcde\0\0\0"
			    "\x01\0\x03\0why\0"
			    "\x02\0\x04\0\x02\0\0\0"
			    "\0\0\0\0\x3c\0\0\0",
			    60);
	assert_int_equal(out[60], 0xaa);
}

static void a_bare_packet_has_no_options(void **state)
{
	struct pcapng_epb e = {.cap_len = 4, .orig_len = 4, .data = (const uint8_t *)"abcd"};

	(void)state;
	assert_int_equal(pcapng_epb(out, sizeof(out), &e), 36);
	assert_int_equal(word(32), 36);
}

static void a_huge_packet_is_refused(void **state)
{
	struct pcapng_epb e = {.cap_len = 0xffffffff, .orig_len = 0xffffffff};

	(void)state;
	assert_int_equal(pcapng_epb(out, sizeof(out), &e), -ENOSPC);
}

static void a_long_comment_is_cut(void **state)
{
	static char text[5000];
	struct pcapng_epb e = {.comment = text, .comment_len = sizeof(text)};

	(void)state;
	memset(text, 'x', sizeof(text));
	assert_int_equal(pcapng_epb(out, sizeof(out), &e), 32 + 4 + PCAPNG_COMMENT_MAX + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_section_header_is_exact),
		cmocka_unit_test(the_interface_has_nanoseconds),
		cmocka_unit_test(a_packet_carries_time_data_and_comment),
		cmocka_unit_test(a_bare_packet_has_no_options),
		cmocka_unit_test(a_huge_packet_is_refused),
		cmocka_unit_test(a_long_comment_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

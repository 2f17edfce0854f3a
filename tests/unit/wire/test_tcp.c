/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP header checks (R11.2), option reading (R12) and the exact bytes of T50. */
#include "wire/tcp.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static struct tcp_options parse(const void *bytes, int len, bool is_syn)
{
	struct tcp_options o;

	memset(&o, 0x5a, sizeof(o));
	tcp_options_parse(bytes, len, is_syn, &o);
	return o;
}

#define PARSE_SYN(s) parse(s, sizeof(s) - 1, true)
#define PARSE(s) parse(s, sizeof(s) - 1, false)
#define assert_built(o, s)                                                   \
	do {                                                                 \
		uint8_t buf_[TCP_OPT_SPACE];                                 \
		assert_int_equal(tcp_options_len(o), sizeof(s) - 1);         \
		assert_int_equal(tcp_options_build(buf_, o), sizeof(s) - 1); \
		assert_memory_equal(buf_, s, sizeof(s) - 1);                 \
	} while (0)

static void data_offset_verdicts_differ(void **state)
{
	uint8_t h[24] = {0};

	(void)state;
	h[12] = 5 << 4;
	assert_int_equal(tcp_hdr_parse(h, 20), TCP_HDR_OK);
	assert_int_equal(tcp_hdr_parse(h, 19), TCP_HDR_TRUNC);
	h[12] = 4 << 4;
	assert_int_equal(tcp_hdr_parse(h, 20), TCP_HDR_DOFF_SMALL);
	h[12] = 6 << 4 | 0xf; /* reserved bits are ignored, R11.3 */
	assert_int_equal(tcp_hdr_parse(h, 23), TCP_HDR_TRUNC);
	assert_int_equal(tcp_hdr_parse(h, 24), TCP_HDR_OK);
	assert_int_equal(tcp_hdr_len((struct tcp_hdr *)h), 24);
}

static void typical_syn_is_read(void **state)
{
	struct tcp_options o = PARSE_SYN("\x02\x04\x05\xb4\x04\x02\x08\x0a\x01\x02\x03\x04"
					 "\x05\x06\x07\x08\x01\x03\x03\x0a");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_MSS | TCP_OPT_SACK_PERM | TCP_OPT_TS | TCP_OPT_WSCALE);
	assert_int_equal(o.mss, 1460);
	assert_int_equal(o.wscale, 10);
	assert_int_equal(o.ts_val, 0x01020304);
	assert_int_equal(o.ts_ecr, 0x05060708);
}

static void syn_only_options_are_ignored_elsewhere(void **state)
{
	struct tcp_options o = PARSE("\x02\x04\x05\xb4\x04\x02\x01\x03\x03\x0a\x22\x02\x01\x01");

	(void)state;
	assert_int_equal(o.flags, 0);
	assert_int_equal(o.mss, 0);
}

static void parsing_stops_at_end_of_list(void **state)
{
	struct tcp_options o = PARSE_SYN("\x01\x03\x03\x02\x00\x02\x04\x05\xb4");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_WSCALE);
}

static void a_bad_length_keeps_what_came_before(void **state)
{
	struct tcp_options o = PARSE_SYN("\x02\x04\x05\xb4\x03\x01\x01\x04\x02");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_MSS | TCP_OPT_MALFORMED);
	o = PARSE_SYN("\x04\x02\x08\x0a\x00\x00"); /* longer than what remains */
	assert_int_equal(o.flags, TCP_OPT_SACK_PERM | TCP_OPT_MALFORMED);
	o = PARSE_SYN("\x04\x02\x01\x01\x08\x0a\0\0\0\0\0\0"); /* by two bytes only */
	assert_int_equal(o.flags, TCP_OPT_SACK_PERM | TCP_OPT_MALFORMED);
	o = PARSE_SYN("\x04\x02\x08"); /* no room for a length */
	assert_int_equal(o.flags, TCP_OPT_SACK_PERM | TCP_OPT_MALFORMED);
	o = PARSE_SYN("\x04\x02\x63\x00"); /* unknown kind, length 0 */
	assert_int_equal(o.flags, TCP_OPT_SACK_PERM | TCP_OPT_MALFORMED);
}

static void a_wrong_length_of_a_known_kind_skips_it(void **state)
{
	struct tcp_options o = PARSE_SYN("\x02\x03\x05\x03\x04\x01\x01\x04\x03\x00"
					 "\x08\x06\x00\x00\x00\x00\x05\x06\x00\x00\x00\x01"
					 "\x02\x04\x02\x18");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_MSS);
	assert_int_equal(o.mss, 536);
}

static void window_scale_above_fourteen_is_fourteen(void **state)
{
	(void)state;
	assert_int_equal(PARSE_SYN("\x01\x03\x03\x0f").wscale, 14);
	assert_int_equal(PARSE_SYN("\x01\x03\x03\xff").wscale, 14);
	assert_int_equal(PARSE_SYN("\x01\x03\x03\x0e").wscale, 14);
}

static void an_mss_of_zero_is_absent(void **state)
{
	(void)state;
	assert_int_equal(PARSE_SYN("\x02\x04\x00\x00").flags, 0);
}

static void the_last_duplicate_wins(void **state)
{
	struct tcp_options o = PARSE_SYN("\x02\x04\x05\xb4\x02\x04\x02\x18\x01\x03\x03\x02"
					 "\x01\x03\x03\x07\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02"
					 "\x08\x0a\x00\x00\x00\x03\x00\x00\x00\x04");

	(void)state;
	assert_int_equal(o.mss, 536);
	assert_int_equal(o.wscale, 7);
	assert_int_equal(o.ts_val, 3);
	assert_int_equal(o.ts_ecr, 4);
}

static void sack_blocks_are_read_in_order(void **state)
{
	struct tcp_options o = PARSE("\x01\x01\x05\x12\x00\x00\x00\x01\x00\x00\x00\x02"
				     "\xff\xff\xff\xf0\x00\x00\x00\x10");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_SACK);
	assert_int_equal(o.num_sacks, 2);
	assert_int_equal(o.sacks[0].start, 1);
	assert_int_equal(o.sacks[1].start, 0xfffffff0u);
	assert_int_equal(o.sacks[1].end, 0x10);
	assert_int_equal(PARSE("\x05\x02").flags, 0);
}

static void fast_open_cookies_of_both_kinds_are_read(void **state)
{
	struct tcp_options o = PARSE_SYN("\x22\x06"
					 "abcd\x01\x01");

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_FASTOPEN);
	assert_int_equal(o.cookie_len, 4);
	assert_memory_equal(o.cookie, "abcd", 4);
	o = PARSE_SYN("\xfe\x0c\xf9\x89"
		      "abcdefgh");
	assert_int_equal(o.flags, TCP_OPT_FASTOPEN | TCP_OPT_FASTOPEN_EXP);
	assert_int_equal(o.cookie_len, 8);
	o = PARSE_SYN("\x22\x02\x01\x01"); /* request */
	assert_int_equal(o.flags, TCP_OPT_FASTOPEN);
	assert_int_equal(o.cookie_len, 0);
	assert_int_equal(PARSE_SYN("\x22\x04"
				   "ab")
				 .flags,
			 0); /* too short */
	assert_int_equal(PARSE_SYN("\x22\x07"
				   "abcde")
				 .flags,
			 0); /* odd */
	assert_int_equal(PARSE_SYN("\xfe\x08\xf9\x88"
				   "abcd")
				 .flags,
			 0); /* other magic */
}

static void md5_signature_is_located(void **state)
{
	uint8_t b[20] = {1, 1, 19, 18, 'k'};
	struct tcp_options o = parse(b, sizeof(b), false);

	(void)state;
	assert_int_equal(o.flags, TCP_OPT_MD5);
	assert_ptr_equal(o.md5, b + 4);
}

static void aligned_timestamps_take_the_fast_path(void **state)
{
	static const uint8_t b[16] = {1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 9, 1, 1, 1, 1};
	uint32_t val = 0, ecr = 0;

	(void)state;
	assert_true(tcp_options_parse_aligned_ts(b, 12, &val, &ecr));
	assert_int_equal(val, 256);
	assert_int_equal(ecr, 9);
	assert_false(tcp_options_parse_aligned_ts(b, 16, &val, &ecr));
	assert_false(tcp_options_parse_aligned_ts(b, 8, &val, &ecr));
	assert_false(tcp_options_parse_aligned_ts(b + 1, 12, &val, &ecr));
}

static void the_fast_writer_equals_the_general_one(void **state)
{
	struct tcp_options_out o = {.flags = TCP_OPT_TS, .ts_val = 0x01020304, .ts_ecr = 0x05060708};
	uint8_t buf[TCP_OPTLEN_TS];

	(void)state;
	assert_built(&o, "\x01\x01\x08\x0a\x01\x02\x03\x04\x05\x06\x07\x08");
	assert_int_equal(tcp_options_build_ts(buf, 0x01020304, 0x05060708), 12);
	assert_memory_equal(buf, "\x01\x01\x08\x0a\x01\x02\x03\x04\x05\x06\x07\x08", 12);
}

static void syn_has_the_bytes_of_t50(void **state)
{
	struct tcp_options_out o = {.flags = TCP_OPT_MSS | TCP_OPT_SACK_PERM | TCP_OPT_TS |
					     TCP_OPT_WSCALE,
				    .mss = 1460,
				    .wscale = 10,
				    .ts_val = 0x01020304};

	(void)state;
	assert_built(&o, "\x02\x04\x05\xb4\x04\x02\x08\x0a\x01\x02\x03\x04\x00\x00\x00\x00"
			 "\x01\x03\x03\x0a");
	o.flags &= (uint16_t)~TCP_OPT_TS;
	assert_built(&o, "\x02\x04\x05\xb4\x01\x01\x04\x02\x01\x03\x03\x0a");
	o.flags = TCP_OPT_MSS | TCP_OPT_TS;
	assert_built(&o, "\x02\x04\x05\xb4\x01\x01\x08\x0a\x01\x02\x03\x04\x00\x00\x00\x00");
}

static void sack_blocks_are_cut_to_the_room(void **state)
{
	struct tcp_options_out o = {
		.flags = TCP_OPT_SACK, .num_sacks = 4, .sacks = {{1, 2}, {3, 4}, {5, 6}, {7, 8}}};

	(void)state;
	assert_int_equal(tcp_options_len(&o), 36);
	assert_int_equal(tcp_options_sacks_written(&o), 4);
	o.flags |= TCP_OPT_TS;
	assert_int_equal(tcp_options_sacks_written(&o), 3);
	assert_built(&o, "\x01\x01\x08\x0a\0\0\0\0\0\0\0\0\x01\x01\x05\x1a"
			 "\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05\0\0\0\x06");
	o.flags |= TCP_OPT_MD5; /* 20 + 12 leave 8 bytes: no block fits */
	assert_int_equal(tcp_options_len(&o), 32);
	assert_int_equal(tcp_options_sacks_written(&o), 0);
	o.flags &= (uint16_t)~TCP_OPT_TS; /* 20 leave 20: two blocks */
	assert_int_equal(tcp_options_sacks_written(&o), 2);
}

static void cookies_are_padded_behind(void **state)
{
	struct tcp_options_out o = {
		.flags = TCP_OPT_FASTOPEN, .cookie_len = 8, .cookie = (const uint8_t *)"abcdefgh"};

	(void)state;
	assert_built(&o, "\x22\x0a"
			 "abcdefgh\x01\x01");
	o.cookie_exp = true;
	assert_built(&o, "\xfe\x0c\xf9\x89"
			 "abcdefgh");
	o.cookie_len = 0;
	assert_built(&o, "\xfe\x04\xf9\x89");
	o.cookie_exp = false;
	assert_built(&o, "\x22\x02\x01\x01");
}

static void a_cookie_without_room_is_left_out(void **state)
{
	struct tcp_options_out o = {.flags = TCP_OPT_MSS | TCP_OPT_TS | TCP_OPT_WSCALE |
					     TCP_OPT_FASTOPEN,
				    .mss = 1460,
				    .cookie_len = 16,
				    .cookie = (const uint8_t *)"0123456789abcdef"};

	(void)state;
	assert_int_equal(tcp_options_len(&o), 40); /* 20 + 18 padded */
	assert_true(tcp_options_cookie_fits(&o));
	o.flags |= TCP_OPT_MD5;
	assert_int_equal(tcp_options_len(&o), 40);
	assert_false(tcp_options_cookie_fits(&o));
}

static void md5_leads_and_returns_its_slot(void **state)
{
	struct tcp_options_out o = {.flags = TCP_OPT_MD5 | TCP_OPT_MSS, .mss = 0x1234};
	uint8_t buf[TCP_OPT_SPACE];

	(void)state;
	memset(buf, 0xaa, sizeof(buf));
	assert_int_equal(tcp_options_build(buf, &o), 24);
	assert_ptr_equal(o.ret_md5, buf + 4);
	assert_memory_equal(buf, "\x01\x01\x13\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02\x04\x12\x34",
			    24);
	o.flags = TCP_OPT_MSS;
	tcp_options_build(buf, &o);
	assert_null(o.ret_md5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_offset_verdicts_differ),
		cmocka_unit_test(typical_syn_is_read),
		cmocka_unit_test(syn_only_options_are_ignored_elsewhere),
		cmocka_unit_test(parsing_stops_at_end_of_list),
		cmocka_unit_test(a_bad_length_keeps_what_came_before),
		cmocka_unit_test(a_wrong_length_of_a_known_kind_skips_it),
		cmocka_unit_test(window_scale_above_fourteen_is_fourteen),
		cmocka_unit_test(an_mss_of_zero_is_absent),
		cmocka_unit_test(the_last_duplicate_wins),
		cmocka_unit_test(sack_blocks_are_read_in_order),
		cmocka_unit_test(fast_open_cookies_of_both_kinds_are_read),
		cmocka_unit_test(md5_signature_is_located),
		cmocka_unit_test(aligned_timestamps_take_the_fast_path),
		cmocka_unit_test(the_fast_writer_equals_the_general_one),
		cmocka_unit_test(syn_has_the_bytes_of_t50),
		cmocka_unit_test(sack_blocks_are_cut_to_the_room),
		cmocka_unit_test(cookies_are_padded_behind),
		cmocka_unit_test(a_cookie_without_room_is_left_out),
		cmocka_unit_test(md5_leads_and_returns_its_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

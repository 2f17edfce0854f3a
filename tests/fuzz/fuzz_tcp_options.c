/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP header and options: bounds of the parser, and parse(build(x)) gives x. */
/*
 * Input: one mode byte, then an option list. The list is parsed; what was found is built again and
 * parsed again. The same bytes also fill a wish list for the writer, valid or not.
 */
#include <string.h>

#include "fuzz_check.h"
#include "wire/tcp.h"

#define WRITABLE                                                                        \
	(TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERM | TCP_OPT_TS | TCP_OPT_SACK | \
	 TCP_OPT_FASTOPEN | TCP_OPT_MD5)

static void check_parsed(const struct tcp_options *o, const uint8_t *opt, int len, bool is_syn)
{
	int seen = len > TCP_OPT_SPACE ? TCP_OPT_SPACE : len;

	FUZZ_CHECK(o->wscale <= TCP_MAX_WSCALE_SHIFT);
	FUZZ_CHECK(!(o->flags & TCP_OPT_MSS) == !o->mss);
	FUZZ_CHECK(!(o->flags & TCP_OPT_SACK) == !o->num_sacks);
	FUZZ_CHECK(o->num_sacks <= TCP_MAX_SACK_BLOCKS);
	FUZZ_CHECK(o->cookie_len <= TCP_COOKIE_MAX && o->cookie_len % 2 == 0);
	FUZZ_CHECK(!(o->flags & TCP_OPT_MD5) == !o->md5);
	if (o->md5)
		FUZZ_CHECK(o->md5 >= opt + 2 && o->md5 + TCP_MD5_LEN <= opt + seen);
	if (!is_syn)
		FUZZ_CHECK(!(o->flags & (TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERM |
					 TCP_OPT_FASTOPEN | TCP_OPT_FASTOPEN_EXP)));
}

/* Build @o into a guarded buffer, parse the result as a SYN's, compare with what should fit. */
static void check_written(struct tcp_options_out *o)
{
	uint8_t buf[TCP_OPT_SPACE + 8];
	uint16_t want = o->flags & WRITABLE;
	unsigned int num_sacks = tcp_options_sacks_written(o);
	struct tcp_options got;
	int len;

	memset(buf, 0xa5, sizeof(buf));
	len = tcp_options_build(buf, o);
	FUZZ_CHECK(len == tcp_options_len(o) && len % 4 == 0 && len >= 0 && len <= TCP_OPT_SPACE);
	for (size_t i = (size_t)len; i < sizeof(buf); i++)
		FUZZ_CHECK(buf[i] == 0xa5);
	tcp_options_parse(buf, len, true, &got);
	FUZZ_CHECK(!(got.flags & TCP_OPT_MALFORMED));
	check_parsed(&got, buf, len, true);
	FUZZ_CHECK(got.num_sacks == num_sacks);
	FUZZ_CHECK(!memcmp(got.sacks, o->sacks, num_sacks * sizeof(o->sacks[0])));
	FUZZ_CHECK(got.md5 == o->ret_md5);
	/* Nothing appears unasked; MSS 0 is written but never believed. */
	FUZZ_CHECK(!(got.flags & ~(want | TCP_OPT_FASTOPEN_EXP)));
	if (got.flags & TCP_OPT_MSS)
		FUZZ_CHECK(got.mss == o->mss);
	if (got.flags & TCP_OPT_TS)
		FUZZ_CHECK(got.ts_val == o->ts_val && got.ts_ecr == o->ts_ecr);
	if (got.flags & TCP_OPT_FASTOPEN)
		FUZZ_CHECK(got.cookie_len == o->cookie_len &&
			   !memcmp(got.cookie, o->cookie, got.cookie_len));
	if (o->mss && o->wscale <= TCP_MAX_WSCALE_SHIFT && !(want & (TCP_OPT_MD5 | TCP_OPT_SACK))) {
		/* Without the two large groups everything but a long cookie must fit. */
		FUZZ_CHECK(((want ^ got.flags) &
			    (TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_TS | TCP_OPT_SACK_PERM)) == 0);
		FUZZ_CHECK(!(want & TCP_OPT_WSCALE) || got.wscale == o->wscale);
	}
}

static void rebuild(const struct tcp_options *o)
{
	struct tcp_options_out out = {
		.flags = o->flags & WRITABLE,
		.mss = o->mss,
		.wscale = o->wscale,
		.num_sacks = o->num_sacks,
		.cookie_len = o->cookie_len,
		.cookie_exp = o->flags & TCP_OPT_FASTOPEN_EXP,
		.ts_val = o->ts_val,
		.ts_ecr = o->ts_ecr,
		.cookie = o->cookie,
	};

	memcpy(out.sacks, o->sacks, sizeof(out.sacks));
	check_written(&out);
}

static void build_wish(const uint8_t *data, size_t len)
{
	uint8_t raw[2 + 2 + 4 + 8 + 32 + 16] = {0};
	struct tcp_options_out out = {0};

	memcpy(raw, data, len < sizeof(raw) ? len : sizeof(raw));
	out.flags = get_be16(raw) & WRITABLE;
	out.mss = get_be16(raw + 2);
	out.wscale = raw[4];
	out.num_sacks = raw[5] % (TCP_MAX_SACK_BLOCKS + 1);
	/* The contract: 0, or 4 .. 16 and even */
	out.cookie_len = (uint8_t)(raw[6] % 8 ? raw[6] % 8 * 2 + 2 : 0);
	out.cookie_exp = raw[7] & 1;
	out.ts_val = get_be32(raw + 8);
	out.ts_ecr = get_be32(raw + 12);
	for (int i = 0; i < TCP_MAX_SACK_BLOCKS; i++) {
		out.sacks[i].start = get_be32(raw + 16 + 8 * i);
		out.sacks[i].end = get_be32(raw + 20 + 8 * i);
	}
	out.cookie = raw + 48;
	check_written(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tcp_options o;
	uint32_t val = 0, ecr = 0;
	bool is_syn;

	if (len > 4096)
		return 0;
	if (tcp_hdr_parse(data, (uint32_t)len) == TCP_HDR_OK) {
		unsigned int hdr_len = tcp_hdr_len((const struct tcp_hdr *)data);

		FUZZ_CHECK(hdr_len >= TCP_HDR_LEN && hdr_len <= TCP_HDR_MAX && hdr_len <= len);
		tcp_options_parse(data + TCP_HDR_LEN, (int)(hdr_len - TCP_HDR_LEN), true, &o);
		check_parsed(&o, data + TCP_HDR_LEN, (int)(hdr_len - TCP_HDR_LEN), true);
	}
	if (len == 0)
		return 0;
	is_syn = data[0] & 1;
	data++;
	len--;
	tcp_options_parse(data, (int)len, is_syn, &o);
	check_parsed(&o, data, (int)len, is_syn);
	if (tcp_options_parse_aligned_ts(data, (int)len, &val, &ecr))
		FUZZ_CHECK((o.flags & TCP_OPT_TS) && o.ts_val == val && o.ts_ecr == ecr);
	rebuild(&o);
	build_wish(data, len);
	return 0;
}

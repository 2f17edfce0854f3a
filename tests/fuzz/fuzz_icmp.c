/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP and ICMPv6 messages and the packets they quote. */
/*
 * Input: an ICMP message. It is also used as the offending packet of an error, which is built, read
 * back and must quote the same bytes.
 */
#include <string.h>

#include "fuzz_check.h"
#include "wire/icmp.h"

static void check_quote(const struct icmp_msg *m, const struct icmp_quote *q)
{
	FUZZ_CHECK(m->is_error);
	FUZZ_CHECK(q->l4 >= m->body && q->l4_len >= 8);
	FUZZ_CHECK(q->l4 + q->l4_len == m->body + m->body_len);
}

static void check_msg(const struct icmp_msg *m, const uint8_t *data, size_t len)
{
	FUZZ_CHECK(m->body == data + ICMP_HDR_LEN && m->body_len == len - ICMP_HDR_LEN);
	FUZZ_CHECK(m->rest == ((uint32_t)m->id << 16 | m->seq) && m->mtu == m->seq);
}

static void check_errors(const uint8_t *orig, size_t len)
{
	struct ipaddr a = ipaddr_loopback_v6();
	struct icmp_msg m;
	uint8_t out[1280];
	int n;

	n = icmp4_error_build(out, sizeof(out), ICMP4_TYPE_UNREACH, 3, 0, orig, len, 0);
	FUZZ_CHECK(n >= ICMP_HDR_LEN && n <= ICMP4_ERR_PACKET_MAX - 20);
	FUZZ_CHECK(icmp4_csum_ok(out, (uint32_t)n) && icmp4_parse(out, (uint32_t)n, &m) == 0);
	FUZZ_CHECK(m.body_len <= len && (len == 0 || !memcmp(m.body, orig, m.body_len)));
	n = icmp6_error_build(out, sizeof(out), &a, &a, ICMP6_TYPE_TOO_BIG, 0, 1280, orig, len);
	FUZZ_CHECK(n >= ICMP_HDR_LEN && n <= ICMP6_ERR_PACKET_MAX - 40);
	FUZZ_CHECK(icmp6_csum_ok(&a, &a, out, (uint32_t)n));
	FUZZ_CHECK(icmp6_parse(out, (uint32_t)n, &m) == 0 && m.rest == 1280);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct icmp_quote q;
	struct icmp_msg m;

	if (len > 70000)
		return 0;
	check_errors(data, len);
	if (icmp4_parse(data, (uint32_t)len, &m) == 0) {
		check_msg(&m, data, len);
		if (icmp4_quote_parse(&m, &q) == 0)
			check_quote(&m, &q);
	}
	if (icmp6_parse(data, (uint32_t)len, &m) == 0) {
		check_msg(&m, data, len);
		if (icmp6_quote_parse(&m, &q) == 0)
			check_quote(&m, &q);
	}
	return 0;
}

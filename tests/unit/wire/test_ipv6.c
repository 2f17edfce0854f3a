/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv6 input verdicts and extension headers, rules R04.1 to R04.5. */
#include "wire/ipv6.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "wire/icmp.h"

static uint8_t pkt[2048];
static uint32_t pkt_len;

/* A packet from 2001:db8::1 to 2001:db8::2 whose payload is @bytes. */
static void make(uint8_t next_header, const void *bytes, size_t len)
{
	struct ipv6_out o = {
		.payload_len = (uint16_t)len, .hop_limit = 64, .next_header = next_header};

	ipaddr_parse("2001:db8::1", &o.src);
	ipaddr_parse("2001:db8::2", &o.dst);
	ipv6_build(pkt, &o);
	memcpy(pkt + 40, bytes, len);
	pkt_len = 40 + (uint32_t)len;
}

#define MAKE(nh, s) make(nh, s, sizeof(s) - 1)

static enum ipv6_verdict verdict(void)
{
	struct ipv6_info in;

	return ipv6_parse(pkt, pkt_len, &in);
}

static void a_header_is_read_as_built(void **state)
{
	struct ipv6_out o = {.flow_label = 0xfabcde,
			     .payload_len = 4,
			     .tclass = 0xb9,
			     .hop_limit = 255,
			     .next_header = 17};
	uint8_t p[50] = {0};
	struct ipv6_info in;

	(void)state;
	ipaddr_parse("fe80::1", &o.src);
	ipaddr_parse("ff02::1", &o.dst);
	assert_int_equal(ipv6_build(p, &o), 40);
	assert_memory_equal(p, "\x6b\x9a\xbc\xde\x00\x04\x11\xff\xfe\x80", 10);
	assert_int_equal(ipv6_parse(p, 50, &in), IPV6_OK);
	assert_int_equal(in.flow_label, 0xabcde);
	assert_int_equal(in.tclass, 0xb9);
	assert_int_equal(in.payload_len, 4);
	assert_true(ipaddr_eq(&in.dst, &o.dst));
}

static void each_fault_has_its_verdict(void **state)
{
	(void)state;
	MAKE(6, "12345678");
	assert_int_equal(verdict(), IPV6_OK);
	pkt_len--;
	assert_int_equal(verdict(), IPV6_TRUNC);
	pkt_len = 39;
	assert_int_equal(verdict(), IPV6_HDR_ERR);
	MAKE(6, "12345678");
	pkt[0] = 0x45;
	assert_int_equal(verdict(), IPV6_HDR_ERR);
	MAKE(6, "12345678");
	pkt[8] = 0xff; /* multicast source */
	assert_int_equal(verdict(), IPV6_HDR_ERR);
	MAKE(6, "12345678");
	memcpy(pkt + 24, "\xff\x01", 2); /* interface-local group */
	assert_int_equal(verdict(), IPV6_DROP);
	pkt[25] = 0;
	assert_int_equal(verdict(), IPV6_DROP);
	pkt[25] = 2;
	assert_int_equal(verdict(), IPV6_OK);
	MAKE(6, "12345678");
	memcpy(pkt + 24, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16); /* mapped */
	assert_int_equal(verdict(), IPV6_DROP);
}

static void the_chain_leads_to_the_upper_layer(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(0, "\x3c\x00\x05\x02\x00\x01\x01\x00" /* hop-by-hop: router alert 1, PadN */
		"\x2b\x00\x01\x04\0\0\0\0"         /* destination options: PadN */
		"\x2c\x00\x00\x00\0\0\0\0"         /* routing, nothing left */
		"\x06\x00\x00\x00\x12\x34\x56\x78"
		"tcp"); /* atomic fragment */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER);
	assert_int_equal(w.next_header, 6);
	assert_int_equal(w.offset, 72);
	assert_int_equal(w.nh_off, 64);
	assert_true(w.has_router_alert && w.router_alert == 1);
	assert_true(w.has_frag && !w.has_more_frags);
	assert_int_equal(w.frag_id, 0x12345678);
	assert_int_equal(w.frag_nh_off, 56);
	MAKE(59, "");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_NONE);
	MAKE(200, "");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER);
	assert_int_equal(w.nh_off, 6);
}

static void unknown_options_act_by_their_top_bits(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(60, "\x06\x00\x1e\x04\0\0\0\0");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER);
	pkt[42] = 0x5e;
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	pkt[42] = 0x9e;
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_OPTION);
	assert_int_equal(w.err_ptr, 42);
	pkt[24] = 0xff; /* 10: also for multicast */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_true(w.is_err_for_mcast);
	pkt[42] = 0xde; /* 11: not for multicast */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	pkt[24] = 0x20;
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_false(w.is_err_for_mcast);
}

static void too_many_options_or_too_much_padding_drop(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(60, "\x06\x01\x01\x05\0\0\0\0\0\x1e\x03\0\0\0\0\0"); /* 7 pad, option, 2 pad */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER);
	MAKE(60, "\x06\x01\x01\x05\0\0\0\0\0\0\x1e\x02\0\0\0\0"); /* 8 pad in two pieces */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	MAKE(60, "\x06\x02\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x01\x04\0\0\0\0");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER); /* eight options */
	MAKE(60, "\x06\x02\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x01\x02\0\0");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP); /* nine */
	MAKE(60, "\x06\x00\x01\x04\0\0\x01\0");                        /* padding must be zeros */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	MAKE(60, "\x06\x00\x1e\x05\0\0\0\0"); /* option reaches beyond its header */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
}

static void header_faults_point_at_the_field(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(60, "\x00\x00\x01\x04\0\0\0\0\x06\x00\x01\x04\0\0\0\0"); /* hop-by-hop is not first */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_NEXT_HEADER);
	assert_int_equal(w.err_ptr, 40);
	MAKE(43, "\x06\x00\x00\x01\0\0\0\0"); /* routing with a segment left */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_HEADER);
	assert_int_equal(w.err_ptr, 42); /* the routing type */
	for (uint8_t type = 3; type <= 4; type++) {
		pkt[42] = type; /* RPL and segment routing are off */
		assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	}
	MAKE(44, "\x11\x00\x00\x01\0\0\0\x01"
		 "123456789"); /* more fragments, 7 bytes */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_ptr, 4);
	MAKE(44, "\x06\x00\xff\xf8\0\0\0\x01"
		 "12345678"); /* ends at 65536 */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_HEADER);
	assert_int_equal(w.err_ptr, 42);
	MAKE(44, "\x06\x00\xff\xf8\0\0\0\x01"
		 "1234567"); /* ends at 65535 */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_FRAGMENT);
}

static void headers_beyond_the_packet_are_truncation(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(60, "\x06\x01\x01\x04\0\0\0\0\0\0\0\0\0\0\0");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_TRUNC);
	MAKE(44, "\x06\x00\x00\x01\0\0\0");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_TRUNC);
}

static void a_fragment_stops_the_walk(void **state)
{
	struct ipv6_walk w;
	uint8_t hdr[8];

	(void)state;
	ipv6_frag_build(hdr, 17, 1448, true, 7);
	assert_memory_equal(hdr, "\x11\x00\x05\xa9\0\0\0\x07", 8);
	make(44, hdr, 8);
	memset(pkt + 48, 0, 16);
	assert_int_equal(ipv6_walk(pkt, 64, &w), IPV6_WALK_FRAGMENT);
	assert_int_equal(w.next_header, 17);
	assert_int_equal(w.offset, 48);
	assert_int_equal(w.frag_hdr_off, 40);
	assert_int_equal(w.frag_nh_off, 6);
	assert_int_equal(w.frag_off_bytes, 1448);
	assert_true(w.has_more_frags);
	assert_int_equal(ipv6_walk(pkt, 48, &w), IPV6_WALK_DROP); /* a fragment of nothing */
}

static void a_first_fragment_needs_its_whole_header_chain(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(44, "\x06\x00\x00\x01\0\0\0\x01"
		 "0123456789abcdef"); /* 16 bytes of TCP */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_FIRST_FRAG);
	assert_int_equal(w.err_ptr, 0);
	MAKE(44, "\x06\x00\x00\x01\0\0\0\x01"
		 "0123456789abcdef01234567");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_FRAGMENT);
	MAKE(44, "\x3c\x00\x00\x01\0\0\0\x01"
		 "\x11\x01\x01\x04\0\0\0\0"); /* options cut */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	MAKE(44, "\x3c\x00\x00\x01\0\0\0\x01"
		 "\x11\x00\x01\x04\0\0\0\0"
		 "udphead.");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_FRAGMENT);
	MAKE(44, "\x11\x00\x00\x01\0\0\0\x01"
		 "1234567"); /* goes before the multiple of 8 */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_FIRST_FRAG);
	MAKE(44, "\x11\x00\x00\x00\0\0\0\x01"
		 "1234"); /* atomic: not asked */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_UPPER);
}

/* Seen on Linux 6.18: which forms of the jumbo option are answered, and where the pointer goes. */
static void jumbo_options_are_errors(void **state)
{
	struct ipv6_walk w;

	(void)state;
	MAKE(0, "\x06\x00\xc2\x04\x00\x00\xff\xff"
		"tcp");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_HEADER);
	assert_int_equal(w.err_ptr, 44);
	MAKE(0, "\x06\x00\xc2\x04\x00\x01\x00\x00"
		"tcp");
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_HEADER);
	assert_int_equal(w.err_ptr, 42);
	MAKE(0, "\x06\x01\x00\x00\xc2\x04\x00\x01\x00\x00\x01\x04\0\0\0\0"
		"tcp"); /* misaligned */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_DROP);
	MAKE(60, "\x06\x00\xc2\x04\x00\x01\x00\x00"
		 "tcp"); /* only known hop by hop */
	assert_int_equal(ipv6_walk(pkt, pkt_len, &w), IPV6_WALK_PARAM_PROB);
	assert_int_equal(w.err_code, ICMP6_PARAM_OPTION);
}

static void quotes_are_followed_without_judgement(void **state)
{
	uint32_t off = 0;
	uint8_t proto = 0;

	(void)state;
	MAKE(43, "\x3c\x00\x00\x09\0\0\0\0"
		 "\x11\x00\x9e\x04\0\0\0\0"
		 "udp");
	assert_int_equal(ipv6_skip_ext(pkt, pkt_len, &proto, &off), 0);
	assert_int_equal(proto, 17);
	assert_int_equal(off, 56);
	assert_int_equal(ipv6_skip_ext(pkt, 55, &proto, &off), -EINVAL);
	MAKE(44, "\x06\x00\x00\x08\0\0\0\x01"
		 "1234567"); /* non-first fragment */
	assert_int_equal(ipv6_skip_ext(pkt, pkt_len, &proto, &off), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_is_read_as_built),
		cmocka_unit_test(each_fault_has_its_verdict),
		cmocka_unit_test(the_chain_leads_to_the_upper_layer),
		cmocka_unit_test(unknown_options_act_by_their_top_bits),
		cmocka_unit_test(too_many_options_or_too_much_padding_drop),
		cmocka_unit_test(header_faults_point_at_the_field),
		cmocka_unit_test(headers_beyond_the_packet_are_truncation),
		cmocka_unit_test(a_fragment_stops_the_walk),
		cmocka_unit_test(a_first_fragment_needs_its_whole_header_chain),
		cmocka_unit_test(jumbo_options_are_errors),
		cmocka_unit_test(quotes_are_followed_without_judgement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

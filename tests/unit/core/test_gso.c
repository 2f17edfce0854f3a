/* SPDX-License-Identifier: BSD-2-Clause */
/* Software segmentation and checksums: pieces against the original, sums against a naive reference. */
#include "core_test.h"

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define SEQ 0xfffffc00u /* wraps inside the packet */
#define IP_ID 65534u    /* so does the identification */

struct shape {
	bool is_v4, is_tcp;
	uint32_t payload, mss, linear; /* linear: payload bytes that lie in the head */
};

static struct skb *make_packet(struct fixture *f, struct page_frag *pf, const struct shape *sh)
{
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);
	uint32_t l4 = sh->is_tcp ? TCP_HDR_LEN + 12 : UDP_HDR_LEN, ip = sh->is_v4 ? 20 : 40;
	struct mac_addr a = {{2, 1}}, b = {{2, 2}};
	uint8_t *p;

	s->data_off = s->tail_off = (uint16_t)(SKB_HEAD_BYTES - 14 - ip - l4 - sh->linear);
	s->mac_off = s->data_off;
	s->net_off = (uint16_t)(s->mac_off + 14);
	s->th_off = (uint16_t)(s->net_off + ip);
	p = skb_put(s, 14 + ip + l4 + sh->linear);
	memset(p, 0, skb_headlen(s));
	eth_build(p, &b, &a, sh->is_v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);
	if (sh->is_v4) {
		struct ipv4_out o = {.src_be = cpu_to_be32(0x0a000001),
				     .dst_be = cpu_to_be32(0x0a000002),
				     .total_len = (uint16_t)(20 + l4 + sh->payload),
				     .id = IP_ID,
				     .ttl = 64,
				     .tos = 2,
				     .frag_be = cpu_to_be16(IPV4_DF),
				     .proto = sh->is_tcp ? IPPROTO_TCP : IPPROTO_UDP};

		assert_int_equal(ipv4_build(p + 14, &o), 20);
	} else {
		struct ipv6_out o = {.src = ipaddr_loopback_v6(),
				     .dst = ipaddr_loopback_v6(),
				     .hop_limit = 64,
				     .payload_len = (uint16_t)(l4 + sh->payload),
				     .flow_label = 0x12345,
				     .next_header = sh->is_tcp ? IPPROTO_TCP : IPPROTO_UDP};

		ipv6_build(p + 14, &o);
	}
	if (sh->is_tcp) {
		struct tcp_hdr *th = (void *)skb_transport(s);

		*th = (struct tcp_hdr){.sport_be = cpu_to_be16(1000),
				       .dport_be = cpu_to_be16(80),
				       .seq_be = cpu_to_be32(SEQ),
				       .ack_be = cpu_to_be32(77),
				       .doff_res = 8 << 4,
				       .flags = TCPH_ACK | TCPH_PSH | TCPH_FIN | TCPH_CWR | TCPH_URG,
				       .window_be = cpu_to_be16(500),
				       .urg_be = cpu_to_be16(9)};
		memset(th + 1, 1, 12); /* NOPs */
		s->gso_type = sh->is_v4 ? GSO_TCPV4 : GSO_TCPV6;
		s->csum_offset = TCP_CSUM_OFF;
	} else {
		udp_build(skb_transport(s), 1000, 53, (uint16_t)(8 + sh->payload));
		s->gso_type = GSO_UDP_L4;
		s->csum_offset = UDP_CSUM_OFF;
	}
	for (uint32_t i = 0; i < sh->linear; i++)
		p[14 + ip + l4 + i] = pattern(i);
	put_pattern(f->st, s, pf, sh->linear, sh->payload - sh->linear);
	s->csum = CSUM_PARTIAL;
	s->csum_start = s->th_off;
	s->gso_size = (uint16_t)sh->mss;
	s->gso_segs = (uint16_t)div_up_u64(sh->payload, sh->mss);
	return s;
}

/* Sum over pseudo header and transport as the RFCs write it; 0xffff: the checksum in it is right. */
static uint16_t l4_sum(const struct skb *s, const struct shape *sh)
{
	uint8_t buf[70000];
	uint32_t off = s->th_off - s->data_off, len = s->len - off, alen = sh->is_v4 ? 8 : 32;
	const uint8_t *addrs = skb_network(s) + (sh->is_v4 ? 12 : 8);
	uint32_t sum = (sh->is_tcp ? 6 : 17) + (len & 0xffff) + (len >> 16);

	assert_int_equal(skb_copy_bits(s, off, buf, len), 0);
	return naive_sum(buf, len, naive_sum(addrs, alen, sum));
}

static void check_piece(struct skb *s, const struct shape *sh, uint32_t k, uint32_t num,
			const struct skb *orig)
{
	uint32_t len = k + 1 < num ? sh->mss : sh->payload - k * sh->mss;
	uint32_t hdr = s->len - len, ip_len = s->len - 14;

	assert_null(skb_check(s));
	assert_int_equal(s->csum, CSUM_PARTIAL);
	assert_pattern(s, hdr, k * sh->mss, len);
	assert_memory_equal(skb_data(s), skb_data(orig), 14);
	if (sh->is_v4) {
		struct ipv4_info in;

		assert_int_equal(ipv4_parse(skb_network(s), ip_len, &in),
				 IPV4_OK); /* its checksum too */
		assert_int_equal(in.total_len, ip_len);
		assert_int_equal(in.id, (uint16_t)(IP_ID + k));
		assert_true(in.has_df);
		assert_int_equal(in.tos, 2);
	} else {
		struct ipv6_info in;

		assert_int_equal(ipv6_parse(skb_network(s), ip_len, &in), IPV6_OK);
		assert_int_equal(in.payload_len, ip_len - 40);
		assert_int_equal(in.flow_label, 0x12345);
	}
	if (sh->is_tcp) {
		const struct tcp_hdr *th = (const void *)skb_transport(s);
		uint8_t want = TCPH_ACK | TCPH_URG;

		want |= k == 0 ? TCPH_CWR : 0;
		want |= k + 1 == num ? TCPH_PSH | TCPH_FIN : 0;
		assert_int_equal(be32_to_cpu(th->seq_be), SEQ + k * sh->mss);
		assert_int_equal(th->flags, want);
		assert_int_equal(be16_to_cpu(th->urg_be), 9);
	} else {
		assert_int_equal(get_be16(skb_transport(s) + 4), 8 + len);
	}
	assert_int_equal(skb_checksum_help(s), 0);
	assert_int_equal(l4_sum(s, sh), 0xffff);
}

static void pieces_carry_the_payload_once_with_right_headers_and_sums(void **state)
{
	static const struct shape shapes[] = {
		{true, true, 5000, 1448, 0},  {true, true, 4344, 1448, 0},
		{true, true, 40000, 1447, 0}, {true, true, 100, 1448, 0},
		{false, true, 5000, 1428, 0}, {false, true, 40001, 999, 0},
		{true, false, 5000, 1000, 0}, {false, false, 4999, 1000, 0},
		{true, true, 3000, 700, 60},  {true, false, 1000, 30, 90},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct shape *sh = &shapes[i];
		struct page_frag pf = {0};
		struct skb *s = make_packet(f, &pf, sh), *list;
		uint32_t num = (uint32_t)div_up_u64(sh->payload, sh->mss), regions, k = 0;

		regions = page_pool_in_use(f->pools->pages);
		assert_int_equal(skb_gso_segment(f->st, s, &list), num);
		assert_int_equal(page_pool_in_use(f->pools->pages), regions); /* shared, not copied */
		while (list) {
			struct skb *next = list->next;

			check_piece(list, sh, k++, num, s);
			skb_free(f->st, list);
			list = next;
		}
		assert_int_equal(k, num);
		skb_free(f->st, s);
		page_frag_release(f->pools->pages, &pf);
	}
	assert_nothing_held(f);
}

static void a_segmentation_without_memory_makes_nothing(void **state)
{
	struct shape sh = {true, true, 5000, 1000, 0};
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = make_packet(f, &pf, &sh), *list = NULL;

	for (int n = 1; n <= 5; n++) {
		f->arena->fail_after = n;
		assert_int_equal(skb_gso_segment(f->st, s, &list), -ENOMEM);
		assert_null(list);
		assert_int_equal(pool_in_use(&f->pools->skb), 1);
	}
	f->arena->fail_after = 0;
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void a_description_that_does_not_fit_the_packet_is_refused(void **state)
{
	struct shape sh = {true, true, 3000, 1000, 0};
	struct fixture *f = *state;
	struct page_frag pf = {0};
	struct skb *s = make_packet(f, &pf, &sh), *list = NULL;
	struct skb saved;

	memcpy(&saved, s, sizeof(saved));
	s->gso_type = GSO_TCPV6;
	assert_int_equal(skb_gso_segment(f->st, s, &list), -EINVAL);
	s->gso_type = 3;
	assert_int_equal(skb_gso_segment(f->st, s, &list), -EINVAL);
	s->gso_type = GSO_TCPV4;
	s->th_off = s->net_off;
	assert_int_equal(skb_gso_segment(f->st, s, &list), -EINVAL);
	s->th_off = SKB_HEAD_BYTES - 4;
	assert_int_equal(skb_gso_segment(f->st, s, &list), -EINVAL);
	s->th_off = saved.th_off;
	skb_transport(s)[12] = 0xf0; /* options beyond the head */
	assert_int_equal(skb_gso_segment(f->st, s, &list), -EINVAL);
	s->csum_start = 10;
	assert_int_equal(skb_checksum_help(s), -EINVAL);
	skb_free(f->st, s);
	page_frag_release(f->pools->pages, &pf);
	assert_nothing_held(f);
}

static void a_udp_sum_of_zero_is_sent_as_ffff(void **state)
{
	struct fixture *f = *state;
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);
	uint8_t *p = skb_put(s, 10);

	/* words 0001 .. that add up to ffff: the checksum would be 0 */
	memset(p, 0, 10);
	put_be16(p, 0x1234);
	put_be16(p + 2, 0xedcb);
	s->csum = CSUM_PARTIAL;
	s->csum_start = s->data_off;
	s->csum_offset = UDP_CSUM_OFF;
	assert_int_equal(skb_checksum_help(s), 0);
	assert_int_equal(get_be16(p + 6), 0xffff);
	skb_free(f->st, s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(pieces_carry_the_payload_once_with_right_headers_and_sums),
		T(a_segmentation_without_memory_makes_nothing),
		T(a_description_that_does_not_fit_the_packet_is_refused),
		T(a_udp_sum_of_zero_is_sent_as_ffff),
	};

	return cmocka_run_group_tests_name("gso", tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Merging of received segments: the table of R01 as measured on a live kernel, and its conditions. */
struct stack;
struct skb;
static void note_l3(struct stack *st, struct skb *skb);
#define T_L3_RCV note_l3
#include "../core/core_test.h"

#include "core/sweep.h"
#include "pump/gro.h"
#include "pump/pump.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#define SEQ0 0xffffff00u /* the flow wraps */

/* What went up: payload lengths in order, P and F marks, "(bad)" for a wrong checksum. */
struct seen {
	char text[512];
	uint32_t bytes;
	struct skb *last;
};
static _Thread_local struct seen *seen;

static bool csum_is_right(const struct skb *s)
{
	uint8_t buf[2000];
	uint32_t len = s->len - (s->th_off - s->data_off);

	if (s->csum == CSUM_UNNECESSARY)
		return true;
	assert_int_equal(skb_copy_bits(s, s->th_off - s->data_off, buf, len), 0);
	return naive_sum(buf, len, naive_sum(skb_network(s) + 12, 8, 6 + len)) == 0xffff;
}

static void note_l3(struct stack *st, struct skb *s)
{
	const struct tcp_hdr *th;
	char one[40];
	uint32_t payload;

	assert_null(skb_check(s));
	assert_int_equal(s->owner, SKB_IN_TRANSIT);
	assert_int_equal(s->net_off, s->data_off);
	if (s->protocol == ETH_TYPE_IPV4) {
		struct ipv4_info in;

		assert_int_equal(ipv4_parse(skb_data(s), s->len, &in), IPV4_OK);
		assert_int_equal(in.total_len, s->len);
		s->th_off = (uint16_t)(s->data_off + in.hdr_len);
	} else {
		struct ipv6_info in;

		assert_int_equal(ipv6_parse(skb_data(s), s->len, &in), IPV6_OK);
		assert_int_equal(in.payload_len + 40, s->len);
		s->th_off = (uint16_t)(s->data_off + 40);
	}
	th = (const void *)skb_transport(s);
	payload = s->len - (s->th_off - s->data_off) - tcp_hdr_len(th);
	if (s->gso_size)
		assert_int_equal(s->gso_segs, div_up_u64(payload, s->gso_size));
	/* the bytes are those of the stream */
	if (payload)
		assert_pattern(s, s->len - payload, be32_to_cpu(th->seq_be) - SEQ0, payload);
	snprintf(one, sizeof(one), "%s%u%s%s%s", seen->text[0] ? " " : "", payload,
		 th->flags & TCPH_PSH ? "P" : "", th->flags & TCPH_FIN ? "F" : "",
		 csum_is_right(s) ? "" : "(bad)");
	assert_true(strlen(seen->text) + strlen(one) < sizeof(seen->text));
	strcat(seen->text, one);
	seen->bytes += payload;
	skb_free(st, s);
}

/* One segment to be sent; zero fields take the usual value. */
struct in {
	uint32_t off, len; /* place in the stream, payload */
	uint8_t flags;     /* besides ACK */
	uint16_t window;
	uint32_t ack, ts;
	uint8_t tos, ttl;
	uint16_t id; /* 0: off / 10, see has_id */
	bool has_id, no_df, is_bad, has_opts, is_v6, is_gso;
	uint16_t sport;
	uint32_t flow_label;
};

static uint32_t tcp_image(uint8_t *p, const struct in *in)
{
	struct tcp_hdr *th = (void *)p;

	*th = (struct tcp_hdr){.sport_be = cpu_to_be16(in->sport ? in->sport : 1000),
			       .dport_be = cpu_to_be16(80),
			       .seq_be = cpu_to_be32(SEQ0 + in->off),
			       .ack_be = cpu_to_be32(in->ack),
			       .doff_res = 8 << 4,
			       .flags = TCPH_ACK | in->flags,
			       .window_be = cpu_to_be16(in->window ? in->window : 500)};
	put_be32(p + 20, 0x0101080a);
	put_be32(p + 24, in->ts);
	put_be32(p + 28, 0);
	for (uint32_t i = 0; i < in->len; i++)
		p[32 + i] = pattern(in->off + i);
	return 32 + in->len;
}

static uint32_t ip_image(uint8_t *p, const struct in *in, uint32_t l4_len, uint32_t seq_no)
{
	if (in->is_v6) {
		struct ipv6_out o = {.src = ipaddr_loopback_v6(),
				     .dst = ipaddr_loopback_v6(),
				     .hop_limit = in->ttl ? in->ttl : 64,
				     .payload_len = (uint16_t)l4_len,
				     .next_header = IPPROTO_TCP,
				     .tclass = in->tos,
				     .flow_label = in->flow_label};

		return (uint32_t)ipv6_build(p, &o);
	}
	struct ipv4_out o = {.src_be = cpu_to_be32(0x0a000001),
			     .dst_be = cpu_to_be32(0x0a000002),
			     .total_len = (uint16_t)(20 + l4_len + (in->has_opts ? 4 : 0)),
			     .id = in->has_id ? in->id : (uint16_t)(100 + seq_no),
			     .tos = in->tos,
			     .ttl = in->ttl ? in->ttl : 64,
			     .frag_be = in->no_df ? 0 : cpu_to_be16(IPV4_DF),
			     .proto = IPPROTO_TCP,
			     .opt = (const uint8_t *)"\1\1\1",
			     .opt_len = in->has_opts ? 3 : 0};

	return (uint32_t)ipv4_build(p, &o);
}

static struct skb *make_frame(struct netdev *dev, const struct in *in, uint32_t seq_no)
{
	uint8_t l4[2100], frame[2200];
	uint32_t l4_len = tcp_image(l4, in), ip_len;
	struct mac_addr from = {{2, 9}}, to;
	struct ipaddr src = ipaddr_loopback_v6(), dst = src;
	struct skb *s;
	uint16_t c;

	memcpy(&to, dev->mac, 6);
	if (!in->is_v6) {
		src = ipaddr_from_v4(cpu_to_be32(0x0a000001));
		dst = ipaddr_from_v4(cpu_to_be32(0x0a000002));
	}
	c = csum_fold(csum_partial(l4, l4_len, csum_pseudo(&src, &dst, IPPROTO_TCP, l4_len)));
	if (in->is_bad)
		c ^= 0x0101;
	memcpy(l4 + TCP_CSUM_OFF, &c, 2);
	eth_build(frame, &to, &from, in->is_v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	ip_len = ip_image(frame + 14, in, l4_len, seq_no);
	memcpy(frame + 14 + ip_len, l4, l4_len);
	s = netdev_rx_alloc(dev, 14 + ip_len + l4_len);
	assert_non_null(s);
	assert_int_equal(skb_store_bits(s, 0, frame, 14 + ip_len + l4_len), 0);
	if (in->is_gso) {
		s->gso_size = 500;
		s->gso_segs = 2;
	}
	return s;
}

static struct netdev *test_dev(struct fixture *f)
{
	struct netdev *dev = netdev_by_name(f->st, "t0");

	if (dev)
		return dev;
	assert_int_equal(netdev_alloc(f->st, "t0", DEV_NONE, &dev), 0);
	memcpy(dev->mac, "\2\1\1\1\1\1", 6);
	dev->flags = NETDEV_UP;
	dev->features = NETDEV_F_GRO;
	assert_int_equal(pump_init(f->st), 0);
	return dev;
}

/* All frames arrive in one poll round. */
static void expect(struct fixture *f, const struct in *in, uint32_t num, const char *want)
{
	struct netdev *dev = test_dev(f);
	struct seen now = {.text = ""};

	seen = &now;
	for (uint32_t i = 0; i < num; i++)
		netif_rx(dev, make_frame(dev, &in[i], i));
	pump_run(f->st);
	assert_string_equal(now.text, want);
	page_frag_release(f->pools->pages, &dev->rx_frag);
	assert_nothing_held(f);
}
#define EXPECT(f, want, ...)                             \
	do {                                             \
		const struct in rows[] = {__VA_ARGS__};  \
		expect(f, rows, ARRAY_SIZE(rows), want); \
	} while (0)

#define K(n) .off = (n)*1000, .len = 1000

static void rows_of_the_live_table(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "5000", {K(0)}, {K(1)}, {K(2)}, {K(3)}, {K(4)});
	EXPECT(f, "3000P 2000", {K(0)}, {K(1)}, {K(2), .flags = TCPH_PSH}, {K(3)}, {K(4)});
	EXPECT(f, "1000P 4000", {K(0), .flags = TCPH_PSH}, {K(1)}, {K(2)}, {K(3)}, {K(4)});
	EXPECT(f, "5000F", {K(0)}, {K(1)}, {K(2)}, {K(3)}, {K(4), .flags = TCPH_FIN});
	EXPECT(f, "2900 2000", {K(0)}, {K(1)}, {.off = 2000, .len = 900},
	       {.off = 2900, .len = 1000}, {.off = 3900, .len = 1000});
	EXPECT(f, "2000 2200 1000", {K(0)}, {K(1)}, {.off = 2000, .len = 1200},
	       {.off = 3200, .len = 1000}, {.off = 4200, .len = 1000});
	EXPECT(f, "2000 2000", {K(0)}, {K(1)}, {K(3), .has_id = true, .id = 103},
	       {K(4), .has_id = true, .id = 104});
	EXPECT(f, "1000 1000 1000 1000", {K(0)}, {K(2)}, {K(1)}, {K(3)});
	EXPECT(f, "1000(bad) 2000 2000", {K(0)}, {K(1)}, {K(2), .is_bad = true}, {K(3)}, {K(4)});
}

static void a_change_that_lasts_starts_a_new_packet(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "2000 3000", {K(0)}, {K(1)}, {K(2), .window = 9}, {K(3), .window = 9},
	       {K(4), .window = 9});
	EXPECT(f, "2000 3000", {K(0)}, {K(1)}, {K(2), .ack = 9}, {K(3), .ack = 9}, {K(4), .ack = 9});
	EXPECT(f, "2000 3000", {K(0)}, {K(1)}, {K(2), .ts = 9}, {K(3), .ts = 9}, {K(4), .ts = 9});
}

static void a_change_on_the_third_alone_makes_three_packets(void **state)
{
	static const struct in odd[] = {
		{K(2), .flags = TCPH_ECE}, {K(2), .flags = TCPH_CWR}, {K(2), .flags = TCPH_URG},
		{K(2), .tos = 3},          {K(2), .ttl = 63},         {K(2), .no_df = true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		EXPECT(f, "2000 1000 2000", {K(0)}, {K(1)}, odd[i], {K(3)}, {K(4)});
}

static void pure_acks_syns_and_cut_packets_are_never_merged(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "0 0 0", {.len = 0}, {.len = 0}, {.len = 0});
	EXPECT(f, "2000 0 1000", {K(0)}, {K(1)}, {.off = 2000, .len = 0}, {K(2)});
	EXPECT(f, "1000 1000", {K(0), .flags = TCPH_SYN}, {K(1)});
	EXPECT(f, "1000 1000", {K(0), .has_opts = true}, {K(1), .has_opts = true});
	EXPECT(f, "1000 1000 1000", {K(0)}, {K(1), .is_gso = true}, {K(2)});
}

static void identifications_grow_by_one_or_stand_still_with_df(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "3000", {K(0), .has_id = true}, {K(1), .has_id = true}, {K(2), .has_id = true});
	EXPECT(f, "1000 1000", {K(0), .has_id = true, .no_df = true},
	       {K(1), .has_id = true, .no_df = true});
	EXPECT(f, "1000 1000", {K(0), .has_id = true, .id = 5}, {K(1), .has_id = true, .id = 7});
	/* A flow that grew does not stand still later, nor the other way round. */
	EXPECT(f, "2000 1000", {K(0), .has_id = true, .id = 5}, {K(1), .has_id = true, .id = 6},
	       {K(2), .has_id = true, .id = 5});
	EXPECT(f, "2000 1000", {K(0), .has_id = true, .id = 5}, {K(1), .has_id = true, .id = 5},
	       {K(2), .has_id = true, .id = 7});
	EXPECT(f, "2000", {K(0), .has_id = true, .id = 65535}, {K(1), .has_id = true, .id = 0});
}

static void ipv6_segments_merge_when_class_and_label_agree(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "3000", {K(0), .is_v6 = true}, {K(1), .is_v6 = true}, {K(2), .is_v6 = true});
	EXPECT(f, "1000 1000", {K(0), .is_v6 = true}, {K(1), .is_v6 = true, .tos = 3});
	EXPECT(f, "1000 1000", {K(0), .is_v6 = true}, {K(1), .is_v6 = true, .flow_label = 3});
	EXPECT(f, "1000 1000", {K(0), .is_v6 = true}, {K(1), .is_v6 = true, .ttl = 3});
	EXPECT(f, "1000(bad) 2000", {K(0), .is_v6 = true}, {K(1), .is_v6 = true},
	       {K(2), .is_v6 = true, .is_bad = true});
}

static void flows_side_by_side_do_not_disturb_each_other(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, "2000 2000", {K(0), .has_id = true, .id = 1},
	       {K(0), .sport = 7, .has_id = true, .id = 1}, {K(1), .has_id = true, .id = 2},
	       {K(1), .sport = 7, .has_id = true, .id = 2});
}

static void a_poll_round_of_64_ends_a_packet(void **state)
{
	struct fixture *f = *state;
	struct in in[100];

	for (uint32_t i = 0; i < 70; i++)
		in[i] = (struct in){K(i)};
	expect(f, in, 70, "64000 6000"); /* measured on a live kernel */
	for (uint32_t i = 0; i < 100; i++)
		in[i] = (struct in){.off = i * 100, .len = 100};
	expect(f, in, 100, "6400 3600");
}

static void many_flows_overflow_the_buckets_without_loss(void **state)
{
	struct fixture *f = *state;
	struct in in[60];
	struct netdev *dev = test_dev(f);
	struct seen now = {.text = ""};

	/* 60 flows in 8 buckets of 8: some overflow, none is lost. */
	seen = &now;
	for (uint32_t i = 0; i < ARRAY_SIZE(in); i++) {
		in[i] = (struct in){.off = 0, .len = 300, .sport = (uint16_t)(1 + i)};
		netif_rx(dev, make_frame(dev, &in[i], i));
	}
	pump_run(f->st);
	assert_int_equal(now.bytes, 300 * ARRAY_SIZE(in));
	page_frag_release(f->pools->pages, &dev->rx_frag);
	assert_nothing_held(f);
}

static void a_merged_packet_of_full_segments_needs_few_fragments_and_no_copy(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = test_dev(f);
	struct gro_table *g = f->st->pump->gro;
	struct in warm = {.off = 50000, .len = 1000};
	struct seen now = {.text = ""};
	struct skb *frames[20];

	seen = &now;
	netif_rx(dev, make_frame(dev, &warm, 0)); /* tells the device how long headers are */
	pump_run(f->st);
	for (uint32_t i = 0; i < 20; i++) {
		struct in in = {K(i)};

		frames[i] = make_frame(dev, &in, i);
		assert_int_equal(skb_headlen(frames[i]), 14 + 20 + 32);
		frames[i]->dev = dev;
		frames[i]->mac_off = frames[i]->data_off;
		frames[i]->protocol = ETH_TYPE_IPV4;
		skb_pull(frames[i], 14);
		frames[i]->net_off = frames[i]->data_off;
		gro_receive(f->st, g, frames[i]);
	}
	for (uint32_t b = 0; b < GRO_BUCKETS; b++) {
		if (!g->buckets[b].num)
			continue;
		assert_int_equal(g->buckets[b].held[0].skb->len, 20 * 1000 + 52);
		assert_true(g->buckets[b].held[0].skb->nr_frags <= 2); /* payloads lie side by side */
	}
	gro_flush(f->st, g);
	assert_string_equal(now.text, "1000 20000");
	page_frag_release(f->pools->pages, &dev->rx_frag);
	assert_nothing_held(f);
}

static void frames_for_others_and_broken_ones_stop_at_the_link(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = test_dev(f);
	struct in in = {K(0)};
	struct seen now = {.text = ""};
	struct skb *s = make_frame(dev, &in, 0);
	uint8_t other = 0x44;

	seen = &now;
	assert_int_equal(skb_store_bits(s, 1, &other, 1), 0);
	netif_rx(dev, s);
	s = netdev_rx_alloc(dev, 13);
	netif_rx(dev, s);
	pump_run(f->st);
	assert_string_equal(now.text, "");
	assert_int_equal(mib_get(f->st, NaruMalformedFrames), 1); /* the other host's is not counted */
	page_frag_release(f->pools->pages, &dev->rx_frag);
	assert_nothing_held(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(rows_of_the_live_table),
		T(a_change_that_lasts_starts_a_new_packet),
		T(a_change_on_the_third_alone_makes_three_packets),
		T(pure_acks_syns_and_cut_packets_are_never_merged),
		T(identifications_grow_by_one_or_stand_still_with_df),
		T(ipv6_segments_merge_when_class_and_label_agree),
		T(flows_side_by_side_do_not_disturb_each_other),
		T(a_poll_round_of_64_ends_a_packet),
		T(many_flows_overflow_the_buckets_without_loss),
		T(a_merged_packet_of_full_segments_needs_few_fragments_and_no_copy),
		T(frames_for_others_and_broken_ones_stop_at_the_link),
	};

	return cmocka_run_group_tests_name("gro", tests, NULL, NULL);
}

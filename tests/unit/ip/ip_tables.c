/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables and helpers for tests that link ip/ without the ranks above it. */
#include "ip_test.h"

#include <string.h>
#include <unistd.h>

#include "qdisc/qdisc.h"
#include "wire/udp.h"

struct ip_capture cap;
const struct mac_addr our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 7}};

/* ---- the device whose other end is the test ---- */

static void note(struct stack *st, const struct skb *skb, struct seen *s)
{
	s->at_ns = stack_now_ns(st);
	s->len = skb->len;
	s->gso_size = skb->gso_size;
	s->pkt_type = skb->pkt_type;
	s->ip_proto = skb->ip_proto;
	s->tos = skb->tos;
	if (skb_copy_bits(skb, 0, s->bytes, min_u32(skb->len, sizeof(s->bytes))))
		s->len = 0;
}

static enum xmit sink_xmit(struct netdev *dev, struct skb *skb)
{
	if (cap.num_sent < TEST_MAX_SENT)
		note(dev->stack, skb, &cap.sent[cap.num_sent++]);
	skb_free(dev->stack, skb);
	return XMIT_OK;
}

static const struct dev_ops sink_dev_ops = {.name = "sink", .xmit = sink_xmit};

/* ---- the transports ---- */

static void test_l4_rcv(struct stack *st, struct skb *skb)
{
	uint8_t b;

	note(st, skb, &cap.up);
	cap.up_len = skb->len;
	cap.up_sum = 0;
	for (uint32_t i = 8; i < skb->len; i++) {
		if (!skb_copy_bits(skb, i, &b, 1))
			cap.up_sum += (uint64_t)b * (i + 1);
	}
	cap.num_up++;
	skb_free(st, skb);
}

static void test_l4_err(struct stack *st, const struct icmp_err *err)
{
	(void)st;
	cap.err = *err;
	memcpy(cap.err_quote, err->quote, min_u32(err->quote_len, sizeof(cap.err_quote)));
	cap.num_err++;
}

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];
const timer_fn timer_tab[TIMER_KIND_NUM] = {
	[TIMER_NEIGH] = neigh_timer, [TIMER_NEIGH_GC] = neigh_gc_timer, [TIMER_FRAG] = frag_timer,
	[TIMER_IP_DAD] = dad_timer,  [TIMER_IP_RS] = rs_timer,
};
const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM] = {[HRTIMER_WIRE] = wire_deliver};
const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM];
const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {
	[DEV_LOOPBACK] = &loopback_dev_ops,
	[DEV_WIRE] = &wire_dev_ops,
	[DEV_TAP] = &sink_dev_ops,
};
const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM];
const struct proto_ops *const proto_ops_tab[PROTO_NUM];
const struct up_calls up_tab = {
	.l3_rcv = ip_rcv_frame,
	.l4_rcv = test_l4_rcv,
	.l4_err = test_l4_err,
	.neigh_put = neigh_put,
};

/* ---- fixture ---- */

struct ipaddr ip(const char *text)
{
	struct ipaddr a;

	if (ipaddr_parse(text, &a))
		BUG_ON(true);
	return a;
}

uint32_t ip_be(const char *text)
{
	struct ipaddr a = ip(text);

	return ipaddr_v4_be(&a);
}

static struct netdev *add_sink(struct stack *st, bool is_tun)
{
	struct netdev *dev;

	assert_int_equal(netdev_alloc(st, is_tun ? "tun0" : "eth0", DEV_TAP, &dev), 0);
	dev->mtu = 1500;
	dev->qdisc_id = QDISC_NOQUEUE;
	dev->features = NETDEV_F_SG | NETDEV_F_CSUM;
	if (is_tun)
		dev->flags |= NETDEV_NOARP;
	else
		memcpy(dev->mac, our_mac.b, 6);
	dev_up(dev);
	assert_int_equal(ip_dev_up(dev), 0);
	return dev;
}

static int set_up(void **state, bool is_tun)
{
	struct arena_config cfg = {.size = 128u << 20, .layout_hash = 1};
	struct ip_fixture *f = calloc(1, sizeof(*f));
	struct ipaddr a4 = ip("192.168.0.1"), a6 = ip("fd00::1");
	struct ipaddr any4 = IPADDR_ANY_V4, any6 = IPADDR_ANY_V6, gw4 = ip("192.168.0.2"),
		      gw6 = ip("fd00::2");
	int fd = -1;

	memset(&cap, 0, sizeof(cap));
	assert_int_equal(arena_create(&cfg, &f->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(f->arena, CLOCK_KIND_VIRTUAL, TEST_START_NS, &f->pools),
			 0);
	f->st = stack_alloc(f->pools, TEST_HZ, 1);
	assert_non_null(f->st);
	f->st->sysctl.accept_ra = 0; /* no solicitations among what the tests look at */
	assert_int_equal(pump_init(f->st), 0);
	assert_int_equal(ip_init(f->st), 0);
	assert_int_equal(loopback_create(f->st, &f->lo), 0);
	assert_int_equal(ip_dev_up(f->lo), 0);
	f->eth = add_sink(f->st, is_tun);
	assert_int_equal(ip_addr_add(f->eth, &a4, 96 + 24, true), 0);
	assert_int_equal(ip_addr_add(f->eth, &a6, 64, true), 0);
	assert_int_equal(ip_route_add(f->st, &any4, 96, &gw4, f->eth, NULL), 0);
	assert_int_equal(ip_route_add(f->st, &any6, 0, &gw6, f->eth, NULL), 0);
	run_for(f, 2 * NS_PER_S); /* duplicate address detection of the link-local address */
	mark(f);
	*state = f;
	return 0;
}

int ip_set_up(void **state)
{
	return set_up(state, false);
}
int ip_set_up_tun(void **state)
{
	return set_up(state, true);
}

/* Nothing may be left of packets, payload, routes, neighbours or reassembly. */
int ip_tear_down(void **state)
{
	struct ip_fixture *f = *state;

	page_frag_release(f->pools->pages, &f->pf);
	ip_done(f->st);
	pump_done(f->st);
	netdev_remove(f->eth);
	netdev_remove(f->lo);
	assert_int_equal(pool_in_use(&f->pools->skb), 0);
	assert_int_equal(page_pool_in_use(f->pools->pages), 0);
	assert_int_equal(pool_in_use(&f->pools->dst), 0);
	assert_int_equal(pool_in_use(&f->pools->neigh), 0);
	assert_int_equal(pool_in_use(&f->pools->fragq), 0);
	arena_unmap(f->arena);
	free(f);
	return 0;
}

void run_for(struct ip_fixture *f, uint64_t ns)
{
	uint64_t until = stack_now_ns(f->st) + ns, next;

	for (;;) {
		pump_run(f->st);
		next = timers_next_ns(&f->st->timers);
		if (next > until)
			break;
		clock_advance_to(&f->pools->clock, max_u64(next, stack_now_ns(f->st)));
	}
	clock_advance_to(&f->pools->clock, until);
	pump_run(f->st);
}

void inject(struct ip_fixture *f, const void *frame, uint32_t len)
{
	struct skb *skb = netdev_rx_alloc(f->eth, len);

	assert_non_null(skb);
	assert_int_equal(skb_store_bits(skb, 0, frame, len), 0);
	netif_rx(f->eth, skb);
	pump_run(f->st);
}

void inject_ip(struct ip_fixture *f, const void *packet, uint32_t len)
{
	uint8_t frame[9100];
	const uint8_t *p = packet;

	if (f->eth->flags & NETDEV_NOARP) {
		inject(f, packet, len);
		return;
	}
	eth_build(frame, &our_mac, &peer_mac, p[0] >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4);
	memcpy(frame + ETH_HDR_LEN, packet, len);
	inject(f, frame, len + ETH_HDR_LEN);
}

const uint8_t *ip_of(struct ip_fixture *f, const struct seen *s)
{
	return s->bytes + (f->eth->flags & NETDEV_NOARP ? 0 : ETH_HDR_LEN);
}

uint64_t ip_count(struct ip_fixture *f, enum mib_id id)
{
	return mib_get(f->st, id) - f->before.v[id];
}

void mark(struct ip_fixture *f)
{
	for (uint32_t i = 0; i < MIB_NUM; i++)
		f->before.v[i] = mib_get(f->st, i);
	cap.num_sent = cap.num_up = cap.num_err = 0;
}

/* ---- packets ---- */

uint32_t make_v4(uint8_t *out, const struct v4_spec *s, const void *payload, uint32_t len)
{
	uint32_t hdr_len = IPV4_HDR_LEN + s->opt_len;
	struct ipv4_hdr *h = (struct ipv4_hdr *)out;

	memset(out, 0, hdr_len);
	h->ver_ihl = s->ver_ihl ? s->ver_ihl : (uint8_t)(0x40 | hdr_len / 4);
	h->tos = s->tos;
	h->total_len_be = cpu_to_be16(s->total_len ? s->total_len : (uint16_t)(hdr_len + len));
	h->id_be = cpu_to_be16(s->id);
	h->frag_be =
		cpu_to_be16((uint16_t)(s->off / 8 | (s->mf ? 0x2000 : 0) | (s->df ? 0x4000 : 0)));
	h->ttl = s->ttl ? s->ttl : 64;
	h->proto = s->proto;
	h->src_be = ip_be(s->src);
	h->dst_be = ip_be(s->dst);
	if (s->opt_len)
		memcpy(out + IPV4_HDR_LEN, s->opt, s->opt_len);
	ipv4_set_csum(out, (uint8_t)hdr_len);
	if (s->has_bad_csum)
		h->csum ^= 0x5555;
	memcpy(out + hdr_len, payload, len);
	return hdr_len + len;
}

uint32_t make_v6(uint8_t *out, const char *src, const char *dst, uint8_t nh, const void *payload,
		 uint32_t len)
{
	struct ipv6_out h = {
		.src = ip(src),
		.dst = ip(dst),
		.payload_len = (uint16_t)len,
		.hop_limit = 64,
		.next_header = nh,
	};

	ipv6_build(out, &h);
	memcpy(out + IPV6_HDR_LEN, payload, len);
	return IPV6_HDR_LEN + len;
}

uint32_t make_udp(uint8_t *out, const char *src, const char *dst, uint16_t sport, uint16_t dport,
		  const void *data, uint32_t len)
{
	struct ipaddr s = ip(src), d = ip(dst);
	uint16_t c;

	udp_build(out, sport, dport, (uint16_t)(UDP_HDR_LEN + len));
	memcpy(out + UDP_HDR_LEN, data, len);
	c = csum_fold_udp(
		csum_partial(out, UDP_HDR_LEN + len, csum_pseudo(&s, &d, 17, UDP_HDR_LEN + len)));
	memcpy(out + UDP_CSUM_OFF, &c, 2);
	return UDP_HDR_LEN + len;
}

void arp_from_peer(struct ip_fixture *f, uint16_t op, const char *spa, const char *tpa,
		   const struct mac_addr *sha, bool is_broadcast)
{
	struct arp_msg m = {.op = op, .sha = *sha, .spa_be = ip_be(spa), .tpa_be = ip_be(tpa)};
	struct mac_addr bcast = mac_broadcast();
	uint8_t frame[ETH_HDR_LEN + ARP_PKT_LEN];

	if (op == ARP_OP_REPLY)
		m.tha = our_mac;
	eth_build(frame, is_broadcast ? &bcast : &our_mac, sha, ETH_TYPE_ARP);
	arp_build(frame + ETH_HDR_LEN, &m);
	inject(f, frame, sizeof(frame));
}

struct skb *out_skb(struct ip_fixture *f, uint32_t len)
{
	struct skb *skb = skb_alloc(f->st, POOL_NORMAL);
	uint8_t hdr[UDP_HDR_LEN] = {0x10, 0, 0x20, 0};
	uint8_t *body = calloc(1, len + 1);

	assert_non_null(skb);
	memcpy(skb_put(skb, sizeof(hdr)), hdr, sizeof(hdr));
	for (uint32_t i = 0; i < len; i++)
		body[i] = (uint8_t)(i * 7);
	if (len > sizeof(hdr))
		assert_true(skb_append_copy(f->st, skb, &f->pf, body, len - (uint32_t)sizeof(hdr)));
	free(body);
	return skb;
}

enum neigh_state state_of_neigh(struct ip_fixture *f, const char *addr, struct mac_addr *ret_mac)
{
	struct ipaddr a = ip(addr);
	struct neigh *n = neigh_lookup(f->eth, &a, false);
	uint64_t link;

	if (!n)
		return NEIGH_NONE;
	link = atomic_load(&n->link);
	if (ret_mac)
		*ret_mac = neigh_link_mac(link);
	neigh_put(n);
	return neigh_link_state(link);
}

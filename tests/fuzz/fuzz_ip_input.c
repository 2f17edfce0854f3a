/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of any content into a live stack without transports: nothing crashes, nothing leaks. */
/*
 * How it works: the input is a list of records {control, length (2 bytes), frame}. Control bits choose
 * the device, prepend an Ethernet header for us, set a destination of ours and right checksums (so that
 * the deeper layers are reached), let time pass, or make the stack send first. At the end every packet,
 * region, route, neighbour and reassembly queue must be back in its pool.
 */
#include <string.h>
#include <unistd.h>

#include "core/stack.h"
#include "core/tables.h"
#include "dev/dev.h"
#include "fuzz_check.h"
#include "ip/ip_int.h"
#include "pump/pump.h"

#define ARENA_BYTES (16u << 20) /* small: allocations fail too */
#define FRAME_MAX 4096u
#define STEP_NS (100 * NS_PER_MS)

#define CTL_TUN 0x01
#define CTL_ETH 0x02
#define CTL_SUMS 0x04
#define CTL_DST 0x08
#define CTL_TIME 0x10
#define CTL_SEND 0x20
#define CTL_SAME_SRC 0x40

static enum xmit sink_xmit(struct netdev *dev, struct skb *skb)
{
	FUZZ_CHECK(skb->len <= dev->mtu + ETH_HDR_LEN || skb_is_gso(skb));
	skb_free(dev->stack, skb);
	return XMIT_OK;
}

static void up_rcv(struct stack *st, struct skb *skb)
{
	struct ipaddr s, d;

	FUZZ_CHECK(skb->net_off < skb->data_off && skb->th_off == skb->data_off);
	ip_skb_saddr(skb, &s);
	ip_skb_daddr(skb, &d);
	FUZZ_CHECK(ipaddr_is_v4(&s) == ipaddr_is_v4(&d));
	if (skb->len && skb->ip_proto == 17)
		icmp_send(st, skb, ipaddr_is_v4(&s) ? 3 : 1, ipaddr_is_v4(&s) ? 3 : 4, 0);
	skb_free(st, skb);
}

static void up_err(struct stack *st, const struct icmp_err *err)
{
	volatile uint8_t sum = 0;

	(void)st;
	FUZZ_CHECK(err->quote_len >= 8 && err->error);
	for (uint32_t i = 0; i < err->quote_len; i++)
		sum ^= err->quote[i]; /* all of it must be readable */
	for (uint32_t i = 0; i < err->ip_len; i++)
		sum ^= err->ip[i];
	(void)sum;
}

static const struct dev_ops sink_dev_ops = {.name = "sink", .xmit = sink_xmit};
const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];
const timer_fn timer_tab[TIMER_KIND_NUM] = {
	[TIMER_NEIGH] = neigh_timer, [TIMER_NEIGH_GC] = neigh_gc_timer, [TIMER_FRAG] = frag_timer,
	[TIMER_IP_DAD] = dad_timer,  [TIMER_IP_RS] = rs_timer,
};
const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM];
const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM];
const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {
	[DEV_LOOPBACK] = &loopback_dev_ops,
	[DEV_TAP] = &sink_dev_ops,
};
const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM];
const struct proto_ops *const proto_ops_tab[PROTO_NUM];
const struct up_calls up_tab = {
	.l3_rcv = ip_rcv_frame,
	.l4_rcv = up_rcv,
	.l4_err = up_err,
	.neigh_put = neigh_put,
};

struct world {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *st;
	struct netdev *lo, *eth, *tun;
};

static struct ipaddr addr_of(const char *text)
{
	struct ipaddr a;

	FUZZ_CHECK(ipaddr_parse(text, &a) == 0);
	return a;
}

static struct netdev *add_dev(struct world *w, const char *name, bool is_tun, const char *a4,
			      const char *a6)
{
	struct ipaddr a = addr_of(a4), b = addr_of(a6);
	struct netdev *dev;

	FUZZ_CHECK(netdev_alloc(w->st, name, DEV_TAP, &dev) == 0);
	dev->mtu = 1500;
	dev->qdisc_id = QDISC_NOQUEUE;
	if (is_tun)
		dev->flags |= NETDEV_NOARP;
	dev->mac[0] = 2;
	dev->mac[5] = 1;
	dev_up(dev);
	FUZZ_CHECK(ip_dev_up(dev) == 0);
	FUZZ_CHECK(ip_addr_add(dev, &a, 96 + 24, true) == 0);
	FUZZ_CHECK(ip_addr_add(dev, &b, 64, true) == 0);
	return dev;
}

static void begin(struct world *w)
{
	struct arena_config cfg = {.size = ARENA_BYTES, .layout_hash = 1};
	struct ipaddr any = IPADDR_ANY_V4, gw = addr_of("192.168.0.2");
	int fd = -1;

	FUZZ_CHECK(arena_create(&cfg, &w->arena, &fd) == 0);
	close(fd);
	FUZZ_CHECK(arena_pools_create(w->arena, CLOCK_KIND_VIRTUAL, 100 * NS_PER_S, &w->pools) == 0);
	w->st = stack_alloc(w->pools, 250, 1);
	FUZZ_CHECK(w->st && pump_init(w->st) == 0 && ip_init(w->st) == 0);
	FUZZ_CHECK(loopback_create(w->st, &w->lo) == 0 && ip_dev_up(w->lo) == 0);
	w->eth = add_dev(w, "eth0", false, "192.168.0.1", "fd00::1");
	w->tun = add_dev(w, "tun0", true, "10.0.0.1", "fd01::1");
	FUZZ_CHECK(ip_route_add(w->st, &any, 96, &gw, w->eth, NULL) == 0);
}

static void end(struct world *w)
{
	ip_done(w->st);
	pump_done(w->st);
	netdev_remove(w->eth);
	netdev_remove(w->tun);
	netdev_remove(w->lo);
	FUZZ_CHECK(pool_in_use(&w->pools->skb) == 0);
	FUZZ_CHECK(page_pool_in_use(w->pools->pages) == 0);
	FUZZ_CHECK(pool_in_use(&w->pools->dst) == 0);
	FUZZ_CHECK(pool_in_use(&w->pools->neigh) == 0);
	FUZZ_CHECK(pool_in_use(&w->pools->fragq) == 0);
	arena_unmap(w->arena);
}

/* Right destination, right sums: reach what lies behind the first checks. */
static void mend(uint8_t *p, uint32_t len, uint8_t ctl, bool is_tun)
{
	struct ipaddr s = addr_of("192.168.0.9"), d = addr_of(is_tun ? "10.0.0.1" : "192.168.0.1");
	struct ipaddr s6 = addr_of("fd00::9"), d6 = addr_of(is_tun ? "fd01::1" : "fd00::1");
	uint32_t hl;

	if (len >= 20 && p[0] >> 4 == 4) {
		hl = (p[0] & 15u) * 4;
		if (ctl & CTL_DST)
			memcpy(p + 16, &d.w[3], 4);
		if (ctl & CTL_SAME_SRC)
			memcpy(p + 12, &s.w[3], 4);
		if (!(ctl & CTL_SUMS) || hl < 20 || hl > len)
			return;
		put_be16(p + 2, (uint16_t)len);
		if (p[9] == IPPROTO_ICMP && len - hl >= 8)
			icmp4_set_csum(p + hl, len - hl);
		ipv4_set_csum(p, (uint8_t)hl);
	} else if (len >= 40 && p[0] >> 4 == 6) {
		if (ctl & CTL_DST)
			memcpy(p + 24, d6.b, 16);
		if (ctl & CTL_SAME_SRC)
			memcpy(p + 8, s6.b, 16);
		if (!(ctl & CTL_SUMS))
			return;
		put_be16(p + 4, (uint16_t)(len - 40));
		s6 = ipaddr_from_v6(p + 8);
		d6 = ipaddr_from_v6(p + 24);
		if (p[6] == IPPROTO_ICMPV6 && len >= 48)
			icmp6_set_csum(&s6, &d6, p + 40, len - 40);
	}
}

static void let_time_pass(struct world *w, uint64_t ns)
{
	uint64_t until = stack_now_ns(w->st) + ns, next;

	while ((next = timers_next_ns(&w->st->timers)) <= until) {
		clock_advance_to(&w->pools->clock, max_u64(next, stack_now_ns(w->st)));
		pump_run(w->st);
	}
	clock_advance_to(&w->pools->clock, until);
	pump_run(w->st);
}

static void send_some(struct world *w, const uint8_t *p, uint32_t len)
{
	struct ip_tx tx = {.proto = 17, .ttl = -1, .allow_frag = true, .pmtudisc = 1};
	struct skb *skb = ip_msg_alloc(w->st, p, len);

	if (!skb)
		return;
	tx.daddr = addr_of(len & 1 ? "192.168.0.7" : "fd00::7");
	tx.daddr.b[15] = (uint8_t)len;
	ip_send(w->st, skb, &tx);
}

static void one_frame(struct world *w, uint8_t ctl, const uint8_t *data, uint32_t len)
{
	struct netdev *dev = ctl & CTL_TUN ? w->tun : w->eth;
	uint8_t buf[FRAME_MAX + ETH_HDR_LEN];
	uint32_t off = 0;
	struct skb *skb;

	if (!len)
		return;
	if ((ctl & CTL_ETH) && dev == w->eth) {
		struct mac_addr from = {{2, 0, 0, 0, 0, 9}}, to = {{2, 0, 0, 0, 0, 1}};
		uint8_t v = data[0] >> 4;

		if (v == 6 && len > 24 && data[24] == 0xff)
			to = (struct mac_addr){{0x33, 0x33, 0, 0, 0, 1}};
		eth_build(buf, &to, &from,
			  v == 6   ? ETH_TYPE_IPV6
			  : v == 4 ? ETH_TYPE_IPV4
				   : ETH_TYPE_ARP);
		off = ETH_HDR_LEN;
	}
	memcpy(buf + off, data, len);
	mend(buf + off, len, ctl, dev == w->tun);
	skb = netdev_rx_alloc(dev, len + off);
	if (!skb)
		return;
	FUZZ_CHECK(skb_store_bits(skb, 0, buf, len + off) == 0);
	netif_rx(dev, skb);
	pump_run(w->st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w;
	size_t at = 0;

	begin(&w);
	while (len - at >= 3) {
		uint8_t ctl = data[at];
		uint32_t n = get_be16(data + at + 1) % FRAME_MAX;

		at += 3;
		n = n < len - at ? n : (uint32_t)(len - at);
		if (ctl & CTL_SEND)
			send_some(&w, data + at, n);
		else
			one_frame(&w, ctl, data + at, n);
		if (ctl & CTL_TIME)
			let_time_pass(&w, (n & 63) * STEP_NS);
		at += n;
	}
	pump_run(w.st);
	end(&w);
	return 0;
}

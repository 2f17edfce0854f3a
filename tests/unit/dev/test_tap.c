/* SPDX-License-Identifier: BSD-2-Clause */
/* TUN/TAP against the kernel, in a network namespace of our own; frames are written by hand. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/proc.h"
#include "core/sweep.h"
#include "dev_test.h"
#include "wire/vnet.h"

#define KERNEL_ADDR 0x0a000001u /* 10.0.0.1 */
#define OUR_ADDR 0x0a000002u
#define UDP_SEGMENT_OPT 103
#define WAIT_MS 2000

struct tap_env {
	struct dev_fixture *f;
	struct netdev *dev;
	int fd;
	struct mac_addr kernel_mac, our_mac;
	struct page_frag pf;
};

static void set_ioctl(int s, unsigned long req, void *arg)
{
	assert_int_equal(ioctl(s, req, arg), 0);
}

static void put_addr(struct sockaddr *sa, uint32_t addr)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr)};

	memcpy(sa, &in, sizeof(in));
}

/* Give the kernel's side an address and bring it up. */
static void bring_up(struct tap_env *e, const char *name, bool is_tap)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = {0};

	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	put_addr(&ifr.ifr_addr, KERNEL_ADDR);
	set_ioctl(s, SIOCSIFADDR, &ifr);
	put_addr(&ifr.ifr_addr, 0xffffff00);
	set_ioctl(s, SIOCSIFNETMASK, &ifr);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	set_ioctl(s, SIOCSIFFLAGS, &ifr);
	if (is_tap) {
		struct arpreq arp = {.arp_flags = ATF_COM | ATF_PERM};

		set_ioctl(s, SIOCGIFHWADDR, &ifr);
		memcpy(&e->kernel_mac, ifr.ifr_hwaddr.sa_data, 6);
		put_addr(&arp.arp_pa, OUR_ADDR);
		memcpy(arp.arp_ha.sa_data, e->dev->mac, 6);
		memcpy(arp.arp_dev, name, IFNAMSIZ);
		set_ioctl(s, SIOCSARP, &arp);
	}
	close(s);
}

static struct tap_env open_env(void **state, bool is_tap)
{
	struct tap_env e = {.f = *state};
	char name[IFNAMSIZ] = "nt%d";

	e.fd = tap_open(name, is_tap);
	assert_true(e.fd >= 0);
	assert_string_not_equal(name, "nt%d");
	assert_int_equal(tap_create(e.f->a, "eth0", e.fd, is_tap, 1500, &e.dev), 0);
	dev_up(e.dev);
	memcpy(&e.our_mac, e.dev->mac, 6);
	bring_up(&e, name, is_tap);
	return e;
}

static void close_env(struct tap_env *e)
{
	skb_queue_purge(e->f->a, &e->f->a->rxq);
	netdev_remove(e->dev);
	page_frag_release(e->f->pools->pages, &e->pf);
	close(e->fd);
}

static int poll_dev(struct tap_env *e)
{
	return dev_ops_tab[DEV_TAP]->poll(e->dev, 64);
}

/* The next received frame with this ethertype and, for IPv4, this protocol; others (IPv6 chatter) are dropped. */
static struct skb *next_frame(struct tap_env *e, uint16_t type, uint8_t proto)
{
	struct pollfd p = {.fd = e->fd, .events = POLLIN};

	for (;;) {
		struct skb *skb = take(e->f->a);
		uint8_t h[34];

		if (skb && !skb_copy_bits(skb, 0, h, sizeof(h)) && get_be16(h + 12) == type &&
		    (type != ETH_TYPE_IPV4 || h[23] == proto))
			return skb;
		skb_free(e->f->a, skb);
		if (!skb && !poll_dev(e) && poll(&p, 1, WAIT_MS) <= 0)
			return NULL;
	}
}

static struct skb *from_bytes(struct stack *st, const void *bytes, uint32_t len)
{
	struct skb *skb = skb_alloc(st, POOL_NORMAL);

	assert_non_null(skb);
	skb->data_off = skb->tail_off = 32;
	memcpy(skb_put(skb, len), bytes, len);
	return skb;
}

static void send_bytes(struct tap_env *e, const void *bytes, uint32_t len)
{
	assert_int_equal(dev_hard_start_xmit(e->dev, from_bytes(e->f->a, bytes, len)), XMIT_OK);
}

static int kernel_socket(int type, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(KERNEL_ADDR)};
	struct timeval tv = {.tv_sec = 2};
	int s = socket(AF_INET, type, 0), on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(bind(s, (struct sockaddr *)&in, sizeof(in)), 0);
	return s;
}

static struct sockaddr_in our_port(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(OUR_ADDR)};
}

static void the_kernel_answers_arp_and_ping(void **state)
{
	struct tap_env e = open_env(state, true);
	uint8_t arp[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,  0, 0, 0, 0, 0, 8, 6, /* broadcast, ARP */
		0,    1,    8,    0,    6,    4,    0,  1,                   /* request */
		0,    0,    0,    0,    0,    0,    10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};
	uint8_t ping[42] = {0,  0, 0,  0, 0, 0, 0,    0,    0, 0,    0,    0,  8, 0, 0x45,
			    0,  0, 28, 0, 0, 0, 0,    64,   1, 0x66, 0xdf, 10, 0, 0, 2,
			    10, 0, 0,  1, 8, 0, 0xf7, 0xf7, 0, 7,    0,    1}; /* echo, id 7, number 1 */
	uint8_t got[42];
	struct skb *skb;

	memcpy(arp + 6, &e.our_mac, 6);
	memcpy(arp + 22, &e.our_mac, 6);
	send_bytes(&e, arp, sizeof(arp));
	skb = next_frame(&e, ETH_TYPE_ARP, 0);
	assert_non_null(skb);
	assert_int_equal(skb_copy_bits(skb, 0, got, sizeof(got)), 0);
	assert_int_equal(got[21], 2); /* reply */
	assert_memory_equal(got + 22, &e.kernel_mac, 6);
	assert_memory_equal(got + 28, "\x0a\x00\x00\x01", 4);
	assert_memory_equal(got, &e.our_mac, 6);
	skb_free(e.f->a, skb);
	memcpy(ping, &e.kernel_mac, 6);
	memcpy(ping + 6, &e.our_mac, 6);
	send_bytes(&e, ping, sizeof(ping));
	skb = next_frame(&e, ETH_TYPE_IPV4, IPPROTO_ICMP);
	assert_non_null(skb);
	assert_int_equal(skb_copy_bits(skb, 0, got, sizeof(got)), 0);
	assert_memory_equal(got + 34, "\x00\x00\xff\xf7\x00\x07\x00\x01", 8); /* echo reply */
	skb_free(e.f->a, skb);
	close_env(&e);
}

static void a_64k_frame_for_udp_reaches_the_kernel_as_datagrams(void **state)
{
	struct tap_env e = open_env(state, true);
	int s = kernel_socket(SOCK_DGRAM, 7000);
	struct skb *skb;
	uint8_t buf[2000];

	if (!(e.dev->features & NETDEV_F_USO)) {
		close(s);
		close_env(&e);
		skip();
	}
	skb = make_frame(e.f->a, &e.pf,
			 &(struct frame_spec){.src = e.our_mac,
					      .dst = e.kernel_mac,
					      .src_be = htonl(OUR_ADDR),
					      .dst_be = htonl(KERNEL_ADDR),
					      .sport = 7001,
					      .dport = 7000,
					      .payload = 46 * 1400,
					      .gso_size = 1400,
					      .fill = 3});
	assert_int_equal(dev_hard_start_xmit(e.dev, skb), XMIT_OK);
	for (uint32_t i = 0; i < 46; i++) {
		assert_int_equal(recv(s, buf, sizeof(buf), 0), 1400);
		for (uint32_t k = 0; k < 1400; k++)
			assert_int_equal(buf[k], (uint8_t)(3 + i * 1400 + k));
	}
	close(s);
	close_env(&e);
}

static void a_64k_frame_from_the_kernel_arrives_in_place(void **state)
{
	struct tap_env e = open_env(state, true);
	int s = kernel_socket(SOCK_DGRAM, 7000), gso = 1400;
	struct sockaddr_in to = our_port(7001);
	static uint8_t buf[46 * 1400];
	struct skb *skb;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(9 + i);
	assert_int_equal(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT_OPT, &gso, sizeof(gso)), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(sendto(s, buf, sizeof(buf), 0, (struct sockaddr *)&to, sizeof(to)),
				 sizeof(buf));
		skb = next_frame(&e, ETH_TYPE_IPV4, IPPROTO_UDP);
		assert_non_null(skb);
		assert_int_equal(skb->len, TEST_HDR_BYTES + sizeof(buf));
		assert_int_equal(skb->gso_type, GSO_UDP_L4);
		assert_int_equal(skb->gso_size, 1400);
		assert_int_equal(skb->gso_segs, 46);
		assert_int_equal(skb->csum, CSUM_UNNECESSARY);
		assert_int_equal(skb_headlen(skb), TEST_HDR_BYTES);
		assert_true(payload_is(skb, 9));
		skb->csum = CSUM_PARTIAL; /* its place is still on record: finished, it is right */
		assert_int_equal(skb_checksum_help(skb), 0);
		assert_true(udp_sum_is_right(skb));
		skb_free(e.f->a, skb);
	}
	close(s);
	close_env(&e);
}

/* One TCP segment without options. */
static struct skb *tcp_segment(struct tap_env *e, uint32_t seq, uint32_t ack, uint8_t flags,
			       uint32_t payload, uint16_t gso)
{
	struct frame_spec fs = {.src = e->our_mac,
				.dst = e->kernel_mac,
				.src_be = htonl(OUR_ADDR),
				.dst_be = htonl(KERNEL_ADDR),
				.payload = payload,
				.has_partial_csum = true};
	struct skb *skb = make_frame(e->f->a, &e->pf, &fs);
	struct ipaddr src = ipaddr_from_v4(fs.src_be), dst = ipaddr_from_v4(fs.dst_be);
	uint8_t *ip = skb_network(skb), *th = skb_transport(skb);
	uint16_t sum;

	skb_put(skb, 20 - UDP_HDR_LEN);
	memset(th, 0, 20);
	put_be16(th, 5000);
	put_be16(th + 2, 8000);
	put_be32(th + 4, seq);
	put_be32(th + 8, ack);
	th[12] = 5 << 4;
	th[13] = flags;
	put_be16(th + 14, 65535);
	sum = csum_fold_partial(csum_pseudo(&src, &dst, IPPROTO_TCP, 20 + payload));
	memcpy(th + 16, &sum, sizeof(sum));
	skb->csum_offset = 16;
	put_be16(ip + 2, (uint16_t)(40 + payload));
	ip[9] = IPPROTO_TCP;
	ipv4_set_csum(ip, IPV4_HDR_LEN);
	if (gso) {
		skb->gso_type = GSO_TCPV4;
		skb->gso_size = gso;
		skb->gso_segs = (uint16_t)((payload + gso - 1) / gso);
	}
	return skb;
}

static void big_tcp_frames_pass_both_ways(void **state)
{
	enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
	struct tap_env e = open_env(state, true);
	int ls = kernel_socket(SOCK_STREAM, 8000), s;
	static uint8_t buf[44 * 1460];
	uint32_t their_seq, got = 0;
	struct skb *skb;

	assert_int_equal(listen(ls, 1), 0);
	assert_int_equal(dev_hard_start_xmit(e.dev, tcp_segment(&e, 1000, 0, SYN, 0, 0)), XMIT_OK);
	skb = next_frame(&e, ETH_TYPE_IPV4, IPPROTO_TCP);
	assert_non_null(skb);
	assert_int_equal(skb_data(skb)[47], SYN | ACK);
	their_seq = get_be32(skb_data(skb) + 38) + 1;
	skb_free(e.f->a, skb);
	assert_int_equal(dev_hard_start_xmit(e.dev, tcp_segment(&e, 1001, their_seq, ACK, 0, 0)),
			 XMIT_OK);
	s = accept(ls, NULL, NULL);
	assert_true(s >= 0);
	/* no MSS option: 536 bytes. 64 240 is the kernel's initial window */
	assert_int_equal(dev_hard_start_xmit(e.dev, tcp_segment(&e, 1001, their_seq, ACK | PSH,
								sizeof(buf), 1460)),
			 XMIT_OK);
	assert_int_equal(recv(s, buf, sizeof(buf), MSG_WAITALL), sizeof(buf));
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], (uint8_t)i);
	assert_int_equal(send(s, buf, 5360, 0), 5360);
	do { /* ACKs first */
		skb = next_frame(&e, ETH_TYPE_IPV4, IPPROTO_TCP);
		assert_non_null(skb);
		got = skb->len - 54;
		if (!got)
			skb_free(e.f->a, skb);
	} while (!got);
	assert_true(got > 536);
	assert_int_equal(skb->gso_type, GSO_TCPV4);
	assert_int_equal(skb->gso_size, 536);
	assert_int_equal(skb->gso_segs, (got + 535) / 536);
	assert_int_equal(skb_headlen(skb), 54);
	skb_free(e.f->a, skb);
	dev_hard_start_xmit(e.dev, tcp_segment(&e, 1001 + sizeof(buf), their_seq, RST | ACK, 0, 0));
	close(s);
	close(ls);
	close_env(&e);
}

static void waiting_frames_do_not_waste_space(void **state)
{
	struct tap_env e = open_env(state, true);
	int s = kernel_socket(SOCK_DGRAM, 7000);
	struct sockaddr_in to = our_port(7001);
	uint8_t buf[1000] = {0};

	for (int i = 0; i < 100; i++)
		assert_int_equal(sendto(s, buf, 100, 0, (struct sockaddr *)&to, sizeof(to)), 100);
	while (poll_dev(&e))
		;
	assert_true(e.f->a->rxq.len >= 100);
	assert_true(page_pool_in_use(e.f->pools->pages) <= 3);
	skb_queue_purge(e.f->a, &e.f->a->rxq);
	for (int i = 0; i < 300; i++) {
		for (int k = 0; k < 1000; k++)
			buf[k] = (uint8_t)(i + k);
		assert_int_equal(sendto(s, buf, 1000, 0, (struct sockaddr *)&to, sizeof(to)), 1000);
		poll_dev(&e);
	}
	/* 300 frames of 1042 bytes on 64-byte steps are 10 regions; three are posted */
	assert_true(e.f->a->rxq.len >= 300);
	assert_true(page_pool_in_use(e.f->pools->pages) <= 13);
	for (int i = 0; i < 300; i++) { /* and none lies on another */
		struct skb *skb = next_frame(&e, ETH_TYPE_IPV4, IPPROTO_UDP);

		assert_non_null(skb);
		assert_true(payload_is(skb, (uint8_t)i));
		skb_free(e.f->a, skb);
	}
	close(s);
	close_env(&e);
}

static void a_tun_passes_packets_without_link_header(void **state)
{
	struct tap_env e = open_env(state, false);
	uint8_t ping[28] = {0x45, 0, 0,  28, 0, 0, 0, 0, 64,   1,    0x66, 0xdf, 10, 0,
			    0,    2, 10, 0,  0, 1, 8, 0, 0xf7, 0xf7, 0,    7,    0,  1};
	struct pollfd p = {.fd = e.fd, .events = POLLIN};
	struct skb *skb = NULL;

	assert_true(e.dev->flags & NETDEV_NOARP);
	send_bytes(&e, ping, sizeof(ping));
	while (poll(&p, 1, WAIT_MS) > 0 && poll_dev(&e)) {
		skb = take(e.f->a);
		if (skb && skb->protocol == ETH_TYPE_IPV4)
			break;
		skb_free(e.f->a, skb);
		skb = NULL;
	}
	assert_non_null(skb);
	assert_int_equal(skb->len, 28);
	assert_int_equal(skb_data(skb)[20], 0); /* echo reply */
	skb_free(e.f->a, skb);
	close_env(&e);
}

static void a_process_without_the_descriptor_leaves_the_frame_to_another(void **state)
{
	struct tap_env e = open_env(state, true);
	struct skb *skb = make_frame(e.f->a, &e.pf, &(struct frame_spec){.payload = 10});

	assert_int_equal(proc_fd_set(e.dev, -1), 0);
	assert_int_equal(dev_hard_start_xmit(e.dev, skb), XMIT_BUSY);
	assert_int_equal(atomic_load(&e.dev->is_tx_stopped), 1);
	assert_int_equal(mib_get(e.f->a, NaruDevNoFd), 1);
	assert_int_equal(atomic_load(&e.f->a->pump_work), 1);
	assert_false(dev_tx_flush(e.dev));
	assert_int_equal(atomic_load(&e.dev->is_tx_stopped), 1);
	assert_int_equal(proc_fd_set(e.dev, e.fd), 0);
	assert_true(dev_tx_flush(e.dev));
	assert_int_equal(atomic_load(&e.dev->is_tx_stopped), 0);
	assert_int_equal(dev_hard_start_xmit(e.dev, skb), XMIT_OK);
	close_env(&e);
}

/* virtio 1.2 section 5.1.6: what the kernel is told about a packet it has to cut. */
static void the_header_in_front_describes_the_packet(void **state)
{
	static const uint8_t big[10] = {1, 5, 42, 0, 0x78, 5, 34, 0, 6, 0};
	static const uint8_t plain[10] = {0};
	struct tap_env e = open_env(state, true);
	struct frame_spec fs = {.payload = 2900, .gso_size = 1400};
	uint8_t buf[3000];
	int sp[2];

	e.dev->features |= NETDEV_F_USO; /* also where the kernel has none: it is not asked */
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, sp), 0);
	assert_int_equal(proc_fd_set(e.dev, sp[0]), 0);
	assert_int_equal(dev_hard_start_xmit(e.dev, make_frame(e.f->a, &e.pf, &fs)), XMIT_OK);
	assert_int_equal(recv(sp[1], buf, sizeof(buf), 0), 10 + 42 + 2900);
	assert_memory_equal(buf, big, 10);
	fs = (struct frame_spec){.payload = 100};
	assert_int_equal(dev_hard_start_xmit(e.dev, make_frame(e.f->a, &e.pf, &fs)), XMIT_OK);
	assert_int_equal(recv(sp[1], buf, sizeof(buf), 0), 10 + 42 + 100);
	assert_memory_equal(buf, plain, 10);
	close(sp[0]);
	close(sp[1]);
	close_env(&e);
}

/* A datagram socket in the tap's place says what no kernel would. */
static void descriptions_that_do_not_fit_the_frame_are_counted_and_dropped(void **state)
{
	static const struct {
		uint8_t hdr[10];
		uint32_t frame;
	} bad[] = {
		{{0}, 0},                                           /* header only */
		{{1, 0, 0, 0, 0, 0, 200, 0, 6, 0}, 100},            /* sum behind the end */
		{{1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 2000}, /* wraps */
		{{1, 0, 0, 0, 0, 0, 0, 2, 16, 0}, 2000},      /* inside, but no header lies there */
		{{1, 1, 0, 0, 0, 0, 34, 0, 16, 0}, 2000},     /* GSO size 0 */
		{{1, 3, 0, 0, 100, 0, 34, 0, 6, 0}, 2000},    /* UDP fragmentation */
		{{1, 0x7f, 0, 0, 100, 0, 34, 0, 6, 0}, 2000}, /* unknown type */
		{{1, 1, 0, 0, 100, 0, 34, 0, 16, 0}, 54},     /* GSO without payload */
	};
	struct tap_env e = open_env(state, true);
	uint8_t buf[3000] = {0};
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sp), 0);
	assert_int_equal(proc_fd_set(e.dev, sp[0]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(buf, 0, sizeof(buf));
		memcpy(buf, bad[i].hdr, 10);
		put_be16(buf + 10 + 12, ETH_TYPE_IPV4);
		buf[10 + 14] = 0x45;
		buf[10 + 23] = IPPROTO_TCP;
		buf[10 + 46] = 0x50;
		assert_int_equal(write(sp[1], buf, 10 + bad[i].frame), 10 + bad[i].frame);
		assert_int_equal(poll_dev(&e), 1);
		assert_int_equal(mib_get(e.f->a, NaruMalformedFrames), i + 1);
		assert_null(take(e.f->a));
	}
	close(sp[0]);
	close(sp[1]);
	close_env(&e);
}

static void without_memory_frames_are_read_and_dropped(void **state)
{
	struct tap_env e = open_env(state, true);
	uint8_t buf[110] = {0};
	int sp[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, sp), 0);
	assert_int_equal(proc_fd_set(e.dev, sp[0]), 0);
	for (int i = 1; i <= 5; i++) {
		assert_int_equal(write(sp[1], buf, sizeof(buf)), sizeof(buf));
		e.f->arena->fail_after = i;
		assert_int_equal(poll_dev(&e), 1);
		e.f->arena->fail_after = 0;
		assert_int_equal(poll_dev(&e), 0);
		skb_queue_purge(e.f->a, &e.f->a->rxq);
	}
	assert_true(atomic_load(&e.dev->stats.rx_dropped) > 0);
	close(sp[0]);
	close(sp[1]);
	close_env(&e);
}

static void a_recount_of_pages_leaves_the_posted_space_alone(void **state)
{
	struct tap_env e = open_env(state, true);
	int s = kernel_socket(SOCK_DGRAM, 7000);
	struct sockaddr_in to = our_port(7001);
	uint8_t buf[1000] = {0};
	uint32_t in_use;

	assert_int_equal(sendto(s, buf, sizeof(buf), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(buf));
	while (poll_dev(&e))
		;
	in_use = page_pool_in_use(e.f->pools->pages);
	assert_int_equal(in_use, 3);
	assert_int_equal(pages_recount(e.f->pools, NULL, 0), 0);
	assert_int_equal(page_pool_in_use(e.f->pools->pages), in_use);
	close(s);
	close_env(&e);
}

static void a_descriptor_that_is_no_tap_is_refused(void **state)
{
	struct dev_fixture *f = *state;
	struct netdev *dev;
	char name[IFNAMSIZ] = "nt%d";
	int null = open("/dev/null", O_RDWR), fd = tap_open(name, false);

	assert_true(tap_create(f->a, "eth0", null, true, 1500, &dev) < 0);
	assert_int_equal(tap_create(f->a, "eth0", fd, true, 1500, &dev), -EINVAL); /* a TUN */
	assert_int_equal(tap_create(f->a, "eth0", fd, false, 65536, &dev), -EINVAL);
	assert_null(netdev_by_name(f->a, "eth0"));
	close(null);
	close(fd);
}

#define TAP_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TAP_TEST(the_kernel_answers_arp_and_ping),
		TAP_TEST(a_64k_frame_for_udp_reaches_the_kernel_as_datagrams),
		TAP_TEST(a_64k_frame_from_the_kernel_arrives_in_place),
		TAP_TEST(big_tcp_frames_pass_both_ways),
		TAP_TEST(waiting_frames_do_not_waste_space),
		TAP_TEST(a_tun_passes_packets_without_link_header),
		TAP_TEST(a_process_without_the_descriptor_leaves_the_frame_to_another),
		TAP_TEST(the_header_in_front_describes_the_packet),
		TAP_TEST(descriptions_that_do_not_fit_the_frame_are_counted_and_dropped),
		TAP_TEST(without_memory_frames_are_read_and_dropped),
		TAP_TEST(a_recount_of_pages_leaves_the_posted_space_alone),
		TAP_TEST(a_descriptor_that_is_no_tap_is_refused),
	};
	char name[IFNAMSIZ] = "nt%d";
	int fd;

	if (unshare(CLONE_NEWNET)) {
		printf("skipped: no permission for a network namespace\n");
		return TEST_SKIP;
	}
	fd = tap_open(name, true);
	if (fd < 0) {
		printf("skipped: no permission for a TAP device\n");
		return TEST_SKIP;
	}
	close(fd);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

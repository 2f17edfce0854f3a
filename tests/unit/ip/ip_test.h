/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of ip/ share: a stack with a device whose other end is the test, packets, time. */
#ifndef NARU_TESTS_IP_TEST_H
#define NARU_TESTS_IP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/sock.h"
#include "dev/dev.h"
#include "ip/ip_int.h"
#include "pump/pump.h"
#include "wire/arp.h"

#define TEST_START_NS (100 * NS_PER_S)
#define TEST_HZ 250u
#define TEST_MAX_SENT 512u

/* One packet the stack put on the link, or gave to a transport, as contiguous bytes. */
struct seen {
	uint64_t at_ns;
	uint32_t len;
	uint8_t bytes[9100];
	uint8_t pkt_type, ip_proto, tos;
	uint16_t gso_size;
};

struct ip_fixture {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *st;
	struct netdev *eth, *lo;
	struct page_frag pf;
	struct mib before;
};

/* Written by the tables of ip_tables.c; one test program is one thread. */
struct ip_capture {
	struct seen sent[TEST_MAX_SENT];
	uint32_t num_sent;
	struct seen up; /* last packet given to a transport */
	uint32_t num_up;
	uint32_t up_len;
	uint64_t up_sum;
	struct icmp_err err;
	uint8_t err_quote[64];
	uint32_t num_err;
};
extern struct ip_capture cap;

/* MACs and addresses of the tests: we are .1 (MAC 02:..:01), the peer is .2 or .7 (02:..:07). */
extern const struct mac_addr our_mac, peer_mac;
struct ipaddr ip(const char *text);
uint32_t ip_be(const char *text);

int ip_set_up(void **state);
int ip_set_up_tun(void **state);
int ip_tear_down(void **state);
/** run_for() - let virtual time pass, firing everything that is due. */
void run_for(struct ip_fixture *f, uint64_t ns);
/** inject() - a frame arrives from the link (IP packet on a TUN); processed at once. */
void inject(struct ip_fixture *f, const void *frame, uint32_t len);
/** inject_ip() - wrap an IP packet in a frame from peer_mac to us where the device has frames. */
void inject_ip(struct ip_fixture *f, const void *packet, uint32_t len);
/** ip_of() - IP packet inside a captured frame (Ethernet header skipped when the device has one). */
const uint8_t *ip_of(struct ip_fixture *f, const struct seen *s);
uint64_t ip_count(struct ip_fixture *f, enum mib_id id);
/** mark() - start counting afresh: forget what was sent and all counters so far. */
void mark(struct ip_fixture *f);

struct v4_spec {
	const char *src, *dst;
	uint8_t proto, ttl, tos;
	uint16_t id, off;
	bool mf, df, has_bad_csum;
	uint8_t ver_ihl;    /* 0: right */
	uint16_t total_len; /* 0: right */
	const uint8_t *opt;
	uint8_t opt_len;
};
/** make_v4()/make_v6() - packet bytes at @out; return its length. */
uint32_t make_v4(uint8_t *out, const struct v4_spec *s, const void *payload, uint32_t len);
uint32_t make_v6(uint8_t *out, const char *src, const char *dst, uint8_t nh, const void *payload,
		 uint32_t len);
/** make_udp() - datagram with checksum; returns its length. */
uint32_t make_udp(uint8_t *out, const char *src, const char *dst, uint16_t sport, uint16_t dport,
		  const void *data, uint32_t len);
/** resolve_peer() - the peer answers for @addr: the neighbour becomes reachable. */
void arp_from_peer(struct ip_fixture *f, uint16_t op, const char *spa, const char *tpa,
		   const struct mac_addr *sha, bool is_broadcast);
/** out_skb() - transport packet of @len bytes ready for ip_send(). */
struct skb *out_skb(struct ip_fixture *f, uint32_t len);
enum neigh_state state_of_neigh(struct ip_fixture *f, const char *addr, struct mac_addr *ret_mac);

#endif

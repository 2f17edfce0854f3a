/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving datagrams: checks, queues, reading (R59, R60; what the kernel answers). */
#include "udp_test.h"

#include <pthread.h>
#include <sched.h>

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/udp.h"

#define OPT_PEEK_OFF 42

/* ---- packets made by hand, arriving by the loopback device ---- */

struct made {
	const char *dst;
	uint16_t dport;
	uint32_t payload;  /* bytes */
	uint32_t extra;    /* bytes behind the datagram inside the IP packet */
	int32_t len_field; /* -1: right */
	bool has_bad_csum, no_csum;
	uint16_t gso_size;
};

static void inject(struct fixture *f, const struct made *p)
{
	struct stack *st = (struct stack *)f->a;
	struct ipaddr src = ipaddr_loopback_v4(), dst;
	uint32_t len = UDP_HDR_LEN + p->payload;
	struct skb *s = skb_alloc(st, POOL_NORMAL);
	struct page_frag pf = {0};
	struct ipv4_out ip = {.ttl = 64, .proto = IPPROTO_UDP};
	struct udp_hdr *h;

	assert_non_null(s);
	assert_int_equal(ipaddr_parse(p->dst, &dst), 0);
	ip.src_be = ipaddr_v4_be(&src);
	ip.dst_be = ipaddr_v4_be(&dst);
	ip.total_len = (uint16_t)(20 + len + p->extra);
	ipv4_build(skb_put(s, 20), &ip);
	h = (struct udp_hdr *)skb_put(s, UDP_HDR_LEN);
	udp_build((uint8_t *)h, 4000, p->dport,
		  p->len_field >= 0 ? (uint16_t)p->len_field : (uint16_t)len);
	if (p->payload + p->extra)
		assert_true(skb_append_copy(st, s, &pf, f->buf, p->payload + p->extra));
	page_frag_release(st->pools->pages, &pf);
	s->protocol = ETH_TYPE_IPV4;
	if (p->gso_size) {
		s->csum = CSUM_PARTIAL;
		s->csum_start = (uint16_t)(s->data_off + 20);
		s->csum_offset = UDP_CSUM_OFF;
		s->gso_type = GSO_UDP_L4;
		s->gso_size = p->gso_size;
		s->gso_segs = (uint16_t)((p->payload + p->gso_size - 1) / p->gso_size);
		h->csum = 1;
	} else if (!p->no_csum) {
		h->csum = csum_fold_udp(
			skb_csum(s, 20, len, csum_pseudo(&src, &dst, IPPROTO_UDP, len)));
		if (p->has_bad_csum)
			h->csum ^= 0x0101;
	}
	netif_rx(netdev_by_name(st, "lo"), s);
	naru_poll_stack(f->a);
}

static void the_length_field_trims_or_refuses(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000);

	inject(f,
	       &(struct made){
		       .dst = "127.0.0.1", .dport = 5000, .payload = 10, .extra = 5, .len_field = -1});
	assert_int_equal(get(f, f->a, r, 0), 10);
	inject(f, &(struct made){.dst = "127.0.0.1", .dport = 5000, .payload = 10, .len_field = 19});
	inject(f, &(struct made){.dst = "127.0.0.1", .dport = 5000, .payload = 10, .len_field = 7});
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	assert_int_equal(mib(f->a, UdpInErrors), 2);
	assert_int_equal(mib(f->a, UdpInCsumErrors), 0);
	assert_int_equal(mib(f->a, UdpInDatagrams), 1);
}

static void a_wrong_checksum_is_dropped_and_an_absent_one_accepted(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000);
	struct made p = {.dst = "127.0.0.1", .dport = 5000, .payload = 11, .len_field = -1};

	inject(f, &p);
	assert_int_equal(get(f, f->a, r, 0), 11);
	p.has_bad_csum = true;
	inject(f, &p);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	assert_int_equal(mib(f->a, UdpInErrors), 1);
	assert_int_equal(mib(f->a, UdpInCsumErrors), 1);
	p.no_csum = true;
	inject(f, &p);
	assert_int_equal(get(f, f->a, r, 0), 11);
	/* a wrong checksum does not even tell that nobody listens */
	p = (struct made){.dst = "127.0.0.1",
			  .dport = 5001,
			  .payload = 11,
			  .len_field = -1,
			  .has_bad_csum = true};
	inject(f, &p);
	assert_int_equal(mib(f->a, UdpNoPorts), 0);
	assert_int_equal(mib(f->a, IcmpOutDestUnreachs), 0);
}

static void several_datagrams_in_one_packet_are_taken_apart(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000);

	inject(f, &(struct made){.dst = "127.0.0.1",
				 .dport = 5000,
				 .payload = 350,
				 .len_field = -1,
				 .gso_size = 100});
	for (int i = 0; i < 4; i++)
		assert_int_equal(get(f, f->a, r, 0), i < 3 ? 100 : 50);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
}

static void a_group_datagram_goes_to_every_matching_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = v4("0.0.0.0", 5000);
	struct made p = {.dst = "224.0.0.1", .dport = 5000, .payload = 300, .len_field = -1};
	int r[3], other;

	for (int i = 0; i < 3; i++) {
		r[i] = udp4(f->a);
		assert_int_equal(set_int(f->a, r[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
		assert_int_equal(naru_bind(f->a, r[i], (struct sockaddr *)&a, sizeof(a)), 0);
	}
	other = bound4(f->a, "0.0.0.0", 5001);
	inject(f, &p);
	for (int i = 0; i < 3; i++)
		assert_int_equal(get(f, f->a, r[i], 0), 300);
	assert_errno(get(f, f->a, other, 0), EAGAIN);
	p.dport = 5002; /* nobody: silence */
	inject(f, &p);
	assert_int_equal(mib(f->a, UdpIgnoredMulti), 1);
	assert_int_equal(mib(f->a, UdpNoPorts), 0);
	assert_int_equal(mib(f->a, IcmpOutMsgs), 0);
}

static void join(struct fixture *f, int s, const char *group)
{
	struct ip_mreqn req = {.imr_ifindex = 2}; /* eth0 */

	assert_int_equal(inet_pton(AF_INET, group, &req.imr_multiaddr), 1);
	assert_int_equal(naru_setsockopt(f->b, s, SOL_IP, IP_ADD_MEMBERSHIP, &req, sizeof(req)), 0);
}

static void group_datagrams_need_membership_of_the_host_or_of_the_socket(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = v4("0.0.0.0", 5000);
	int s = udp4(f->a), r[2];

	for (int i = 0; i < 2; i++) {
		r[i] = udp4(f->b);
		assert_int_equal(set_int(f->b, r[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
		assert_int_equal(naru_bind(f->b, r[i], (struct sockaddr *)&a, sizeof(a)), 0);
	}
	assert_int_equal(send4(f->a, s, "1", 1, 0, "239.1.1.1", 5000), 1);
	naru_run_for(f->a, NS_PER_S);
	assert_errno(get(f, f->b, r[0], 0), EAGAIN);
	join(f, r[0], "239.1.1.1");
	assert_int_equal(send4(f->a, s, "2", 1, 0, "239.1.1.1", 5000), 1);
	naru_run_for(f->a, NS_PER_S);
	assert_int_equal(get(f, f->b, r[0], 0), 1);
	assert_int_equal(get(f, f->b, r[1], 0), 1); /* IP_MULTICAST_ALL */
	assert_int_equal(set_int(f->b, r[1], SOL_IP, IP_MULTICAST_ALL, 0), 0);
	assert_int_equal(send4(f->a, s, "3", 1, 0, "239.1.1.1", 5000), 1);
	naru_run_for(f->a, NS_PER_S);
	assert_int_equal(get(f, f->b, r[0], 0), 1);
	assert_errno(get(f, f->b, r[1], 0), EAGAIN);
	/* the membership ends with its socket */
	assert_int_equal(naru_close(f->b, r[0]), 0);
	assert_int_equal(set_int(f->b, r[1], SOL_IP, IP_MULTICAST_ALL, 1), 0);
	assert_int_equal(send4(f->a, s, "4", 1, 0, "239.1.1.1", 5000), 1);
	naru_run_for(f->a, NS_PER_S);
	assert_errno(get(f, f->b, r[1], 0), EAGAIN);
}

/* ---- reading ---- */

static void one_read_takes_one_datagram_and_discards_the_rest(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);
	struct sockaddr_in from;
	struct iovec v = {f->buf, 4};
	struct msghdr m = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1};

	send4(f->a, s, "0123456789", 10, 0, "127.0.0.1", 5000);
	assert_int_equal(naru_recvmsg(f->a, r, &m, 0), 4);
	assert_int_equal(m.msg_flags, MSG_TRUNC);
	assert_int_equal(m.msg_namelen, sizeof(from));
	assert_int_equal(ntohs(from.sin_port), port_of(f->a, s));
	send4(f->a, s, "0123456789", 10, 0, "127.0.0.1", 5000);
	assert_int_equal(naru_recv(f->a, r, f->buf, 4, MSG_TRUNC), 10);
	send4(f->a, s, "", 0, 0, "127.0.0.1", 5000);
	assert_int_equal(get(f, f->a, r, 0), 0);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	send4(f->a, s, "abcdef", 6, 0, "127.0.0.1", 5000);
	assert_int_equal(naru_recv(f->a, r, f->buf, 100, MSG_WAITALL), 6);
}

static void the_peek_offset_runs_over_datagrams(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	send4(f->a, s, "abcdef", 6, 0, "127.0.0.1", 5000);
	send4(f->a, s, "gh", 2, 0, "127.0.0.1", 5000);
	assert_int_equal(set_int(f->a, r, SOL_SOCKET, OPT_PEEK_OFF, 2), 0);
	assert_int_equal(naru_recv(f->a, r, f->buf, 2, MSG_PEEK), 2);
	assert_memory_equal(f->buf, "cd", 2);
	assert_int_equal(naru_recv(f->a, r, f->buf, 10, MSG_PEEK), 2);
	assert_memory_equal(f->buf, "ef", 2);
	assert_int_equal(naru_recv(f->a, r, f->buf, 10, MSG_PEEK), 2);
	assert_memory_equal(f->buf, "gh", 2);
	assert_errno(get(f, f->a, r, MSG_PEEK), EAGAIN);
	assert_int_equal(get(f, f->a, r, 0), 6);
	assert_errno(get(f, f->a, r, MSG_PEEK), EAGAIN); /* 8 - 6: behind the second */
}

static void siocinq_is_the_length_of_the_first_datagram(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a), n = -1;

	send4(f->a, s, "abc", 3, 0, "127.0.0.1", 5000);
	send4(f->a, s, "defgh", 5, 0, "127.0.0.1", 5000);
	assert_int_equal(naru_ioctl(f->a, r, FIONREAD, &n), 0);
	assert_int_equal(n, 3);
}

/* 100 datagrams into 10000 bytes: 12 fit, whether of 100 bytes or of none (R59.4). */
static void the_receive_buffer_counts_packets_not_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t control[64] __attribute__((aligned(8)));
	struct iovec v = {f->buf, 200};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a), n;
	uint32_t drops;

	assert_int_equal(set_int(f->a, r, SOL_SOCKET, SO_RCVBUF, 5000), 0);
	assert_int_equal(set_int(f->a, r, SOL_SOCKET, SO_RXQ_OVFL, 1), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(send4(f->a, s, f->buf, 100, 0, "127.0.0.1", 5000), 100);
	assert_int_equal(naru_recvmsg(f->a, r, &m, 0), 100);
	assert_null(CMSG_FIRSTHDR(&m)); /* nothing had been lost when it came */
	for (n = 1; get(f, f->a, r, 0) == 100; n++)
		;
	assert_int_equal(n, 12);
	assert_int_equal(mib(f->a, UdpRcvbufErrors), 88);
	assert_int_equal(mib(f->a, UdpInErrors), 88);
	assert_int_equal(mib(f->a, UdpInDatagrams), 12);
	send4(f->a, s, "last", 4, 0, "127.0.0.1", 5000);
	m.msg_controllen = sizeof(control);
	assert_int_equal(naru_recvmsg(f->a, r, &m, 0), 4);
	assert_non_null(CMSG_FIRSTHDR(&m));
	assert_int_equal(CMSG_FIRSTHDR(&m)->cmsg_type, SO_RXQ_OVFL);
	memcpy(&drops, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(drops));
	assert_int_equal(drops, 88);
	for (int i = 0; i < 100; i++)
		send4(f->a, s, "", 0, 0, "127.0.0.1", 5000);
	for (n = 0; get(f, f->a, r, 0) == 0; n++)
		;
	assert_int_equal(n, 12);
}

/* R36.1: 1400 bytes cost 2304. */
static void a_larger_datagram_costs_its_buffer(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a), n;

	assert_int_equal(set_int(f->a, r, SOL_SOCKET, SO_RCVBUF, 5000), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(send4(f->a, s, f->buf, 1400, 0, "127.0.0.1", 5000), 1400);
	for (n = 0; get(f, f->a, r, 0) == 1400; n++)
		;
	assert_int_equal(n, 10000 / 2304);
}

static void a_connected_socket_hears_only_its_peer(void **state)
{
	struct fixture *f = *state;
	int peer = bound4(f->a, "127.0.0.1", 6000), other = bound4(f->a, "127.0.0.1", 6001);
	int x = bound4(f->a, "127.0.0.1", 5000);

	send4(f->a, other, "before", 6, 0, "127.0.0.1", 5000);
	assert_int_equal(connect4(f->a, x, "127.0.0.1", 6000), 0);
	assert_int_equal(get(f, f->a, x, 0), 6);
	send4(f->a, other, "x", 1, 0, "127.0.0.1", 5000);
	assert_errno(get(f, f->a, x, 0), EAGAIN);
	assert_int_equal(mib(f->a, UdpNoPorts), 1);
	assert_int_equal(mib(f->a, IcmpOutDestUnreachs), 1);
	send4(f->a, peer, "y", 1, 0, "127.0.0.1", 5000);
	assert_int_equal(get(f, f->a, x, 0), 1);
}

static void disconnecting_gives_back_what_connecting_chose(void **state)
{
	struct fixture *f = *state;
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int s = udp4(f->a);

	assert_int_equal(connect4(f->a, s, "10.0.0.2", 53), 0);
	assert_int_equal(naru_getsockname(f->a, s, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(a.sin_addr.s_addr, inet_addr("10.0.0.1"));
	assert_int_equal(naru_connect(f->a, s, &none, sizeof(none)), 0);
	assert_int_equal(naru_getsockname(f->a, s, (struct sockaddr *)&a, &len), 0);
	assert_int_equal(a.sin_addr.s_addr, 0);
	assert_int_equal(a.sin_port, 0);
	assert_errno(naru_getpeername(f->a, s, (struct sockaddr *)&a, &len), ENOTCONN);
	assert_errno(naru_send(f->a, s, "x", 1, 0), EDESTADDRREQ);
}

static void a_dual_stack_socket_names_ipv4_peers_as_mapped(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 any = v6("::", 5000), from, mapped = v6("::ffff:127.0.0.1", 0);
	socklen_t len = sizeof(from);
	int r = naru_socket(f->a, AF_INET6, SOCK_DGRAM, 0), s = bound4(f->a, "127.0.0.1", 6000);

	assert_int_equal(naru_bind(f->a, r, (struct sockaddr *)&any, sizeof(any)), 0);
	send4(f->a, s, "4", 1, 0, "127.0.0.1", 5000);
	assert_int_equal(
		naru_recvfrom(f->a, r, f->buf, 9, MSG_DONTWAIT, (struct sockaddr *)&from, &len), 1);
	assert_int_equal(len, sizeof(from));
	assert_memory_equal(&from.sin6_addr, &mapped.sin6_addr, 16);
	/* and back, as IPv4 */
	assert_int_equal(naru_sendto(f->a, r, "back", 4, 0, (struct sockaddr *)&from, len), 4);
	assert_int_equal(get(f, f->a, s, 0), 4);
	assert_int_equal(mib(f->a, UdpOutDatagrams), 2);
	assert_int_equal(mib(f->a, Udp6OutDatagrams), 0);
}

static void a_shut_reader_gets_zero(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000);
	struct pollfd p = {.fd = r, .events = POLLIN | POLLRDHUP};

	assert_int_equal(connect4(f->a, r, "127.0.0.1", 6000), 0);
	assert_int_equal(naru_shutdown(f->a, r, SHUT_RD), 0);
	assert_int_equal(naru_recv(f->a, r, f->buf, 10, 0), 0);
	assert_int_equal(naru_poll(f->a, &p, 1, 0), 1);
	assert_int_equal(p.revents, POLLIN | POLLRDHUP);
}

static void a_read_with_a_time_limit_ends_at_it(void **state)
{
	struct fixture *f = *state;
	struct timeval tv = {.tv_usec = 100000};
	uint64_t start;
	int r = bound4(f->a, "127.0.0.1", 5000);

	assert_int_equal(naru_setsockopt(f->a, r, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	start = naru_now_ns(f->a);
	assert_errno(naru_recv(f->a, r, f->buf, 10, 0), EAGAIN);
	assert_in_range(naru_now_ns(f->a) - start, 100 * NS_PER_MS, 101 * NS_PER_MS);
}

/* ---- several readers: one gets the error, the others EAGAIN although blocking ---- */

#define READERS 4

struct reader {
	pthread_t thread;
	naru_stack *st;
	int s, err;
};

static void *read_blocking(void *arg)
{
	struct reader *r = arg;
	uint8_t b;

	r->err = naru_recv(r->st, r->s, &b, 1, 0) < 0 ? errno : 0;
	return NULL;
}

static struct sock *only_socket(naru_world *w)
{
	uint32_t idx = 0;

	return pool_next_live(&w->pools->udp_sock, &idx);
}

static void one_error_ends_every_blocked_read(void **state)
{
	struct naru_world_config wc = {.memory_bytes = 64u << 20};
	struct reader r[READERS];
	int s, refused = 0, again = 0;
	naru_world *w;
	naru_stack *st;

	(void)state;
	assert_int_equal(naru_world_new(&wc, &w), 0);
	assert_int_equal(naru_stack_new(w, NULL, &st), 0);
	s = udp4(st);
	assert_int_equal(connect4(st, s, "127.0.0.1", 1), 0);
	for (int i = 0; i < READERS; i++) {
		r[i] = (struct reader){.st = st, .s = s};
		assert_int_equal(pthread_create(&r[i].thread, NULL, read_blocking, &r[i]), 0);
	}
	while (atomic_load(&only_socket(w)->wq.num_waiters) != READERS)
		sched_yield();
	assert_int_equal(naru_send(st, s, "x", 1, 0), 1);
	for (int i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(r[i].thread, NULL), 0);
		refused += r[i].err == ECONNREFUSED;
		again += r[i].err == EAGAIN;
	}
	assert_int_equal(refused, 1);
	assert_int_equal(again, READERS - 1);
	naru_stack_free(st);
	naru_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_length_field_trims_or_refuses),
		T(a_wrong_checksum_is_dropped_and_an_absent_one_accepted),
		T(several_datagrams_in_one_packet_are_taken_apart),
		T(a_group_datagram_goes_to_every_matching_socket),
		T(group_datagrams_need_membership_of_the_host_or_of_the_socket),
		T(one_read_takes_one_datagram_and_discards_the_rest),
		T(the_peek_offset_runs_over_datagrams),
		T(siocinq_is_the_length_of_the_first_datagram),
		T(the_receive_buffer_counts_packets_not_bytes),
		T(a_larger_datagram_costs_its_buffer),
		T(a_connected_socket_hears_only_its_peer),
		T(disconnecting_gives_back_what_connecting_chose),
		T(a_dual_stack_socket_names_ipv4_peers_as_mapped),
		T(a_shut_reader_gets_zero),
		T(a_read_with_a_time_limit_ends_at_it),
		cmocka_unit_test(one_error_ends_every_blocked_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

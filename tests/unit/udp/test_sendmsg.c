/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending datagrams: gates, corking, errors (T68-T71; what the kernel answers). */
#include "udp_test.h"

static void without_a_destination_it_is_edestaddrreq_and_a_port_all_the_same(void **state)
{
	struct fixture *f = *state;
	int s = udp4(f->a);

	assert_errno(naru_send(f->a, s, "x", 1, 0), EDESTADDRREQ);
	assert_int_not_equal(port_of(f->a, s), 0);
}

static void a_datagram_has_at_most_65507_bytes(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	assert_errno(send4(f->a, s, f->buf, 65536, 0, "127.0.0.1", 5000), EMSGSIZE);
	assert_errno(send4(f->a, s, f->buf, 65508, 0, "127.0.0.1", 5000), EMSGSIZE);
	assert_int_equal(send4(f->a, s, f->buf, 65507, 0, "127.0.0.1", 5000), 65507);
	assert_int_equal(get(f, f->a, r, 0), 65507);
}

static void names_are_checked_in_the_kernels_order(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in a = v4("127.0.0.1", 5000);
	struct sockaddr *sa = (struct sockaddr *)&a;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	assert_errno(naru_sendto(f->a, s, "x", 1, MSG_OOB, sa, sizeof(a)), EOPNOTSUPP);
	assert_errno(naru_sendto(f->a, s, "x", 1, 0, sa, 8), EINVAL);
	a.sin_family = AF_UNIX;
	assert_errno(naru_sendto(f->a, s, "x", 1, 0, sa, sizeof(a)), EAFNOSUPPORT);
	a.sin_family = AF_UNSPEC;
	assert_int_equal(naru_sendto(f->a, s, "x", 1, 0, sa, sizeof(a)), 1);
	assert_int_equal(get(f, f->a, r, 0), 1);
	assert_errno(send4(f->a, s, "x", 1, 0, "127.0.0.1", 0), EINVAL);
	assert_errno(send4(f->a, s, "x", 1, 0, "192.0.2.9", 9), ENETUNREACH);
	assert_errno(send4(f->a, s, "x", 1, 0, "10.0.0.255", 9), EACCES);
}

static void refusal_is_told_once_to_a_connected_sender(void **state)
{
	struct fixture *f = *state;
	int s = udp4(f->a);

	assert_int_equal(connect4(f->a, s, "127.0.0.1", 1), 0);
	assert_int_equal(naru_send(f->a, s, "x", 1, 0), 1);
	assert_errno(naru_send(f->a, s, "x", 1, 0), ECONNREFUSED);
	assert_int_equal(naru_send(f->a, s, "x", 1, 0), 1);
	assert_errno(get(f, f->a, s, 0), ECONNREFUSED);
	assert_errno(get(f, f->a, s, 0), EAGAIN);
}

static void refusal_reaches_an_unconnected_sender_only_with_recverr(void **state)
{
	struct fixture *f = *state;
	uint8_t control[256] __attribute__((aligned(8)));
	struct sockaddr_in name;
	struct iovec v = {f->buf, 100};
	struct msghdr m = {.msg_name = &name,
			   .msg_namelen = sizeof(name),
			   .msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = sizeof(control)};
	const struct sock_extended_err *ee;
	struct cmsghdr *c;
	int s = udp4(f->a);

	assert_int_equal(send4(f->a, s, "a", 1, 0, "127.0.0.1", 1), 1);
	assert_int_equal(send4(f->a, s, "a", 1, 0, "127.0.0.1", 1), 1);
	assert_int_equal(set_int(f->a, s, SOL_IP, IP_RECVERR, 1), 0);
	assert_int_equal(send4(f->a, s, "a", 1, 0, "127.0.0.1", 1), 1);
	assert_errno(send4(f->a, s, "a", 1, 0, "127.0.0.1", 1), ECONNREFUSED);
	assert_int_equal(naru_recvmsg(f->a, s, &m, MSG_ERRQUEUE), 1);
	assert_int_equal(f->buf[0], 'a');
	assert_int_equal(ntohs(name.sin_port), 1);
	assert_true(m.msg_flags & MSG_ERRQUEUE);
	c = CMSG_FIRSTHDR(&m);
	assert_non_null(c);
	assert_int_equal(c->cmsg_type, IP_RECVERR);
	ee = (const struct sock_extended_err *)CMSG_DATA(c);
	assert_int_equal(ee->ee_errno, ECONNREFUSED);
	assert_int_equal(ee->ee_origin, SO_EE_ORIGIN_ICMP);
	assert_int_equal(ee->ee_type, 3);
	assert_int_equal(ee->ee_code, 3);
}

static void cork_joins_pieces_into_one_datagram(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	assert_int_equal(connect4(f->a, s, "127.0.0.1", 5000), 0);
	assert_int_equal(set_int(f->a, s, UDP_LEVEL, OPT_UDP_CORK, 1), 0);
	assert_int_equal(naru_send(f->a, s, f->buf, 100, 0), 100);
	assert_int_equal(naru_send(f->a, s, f->buf + 100, 200, 0), 200);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	assert_int_equal(set_int(f->a, s, UDP_LEVEL, OPT_UDP_CORK, 0), 0);
	assert_int_equal(get(f, f->a, r, 0), 300);
	for (uint32_t i = 0; i < 300; i++)
		assert_int_equal(f->buf[i], (uint8_t)(i * 7 + (i >> 8)));
}

static void msg_more_waits_for_a_send_without_it(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), other = bound4(f->a, "127.0.0.1", 5001);
	int s = udp4(f->a);

	/* where the first piece went decides for all */
	assert_int_equal(send4(f->a, s, "0123456789", 10, MSG_MORE, "127.0.0.1", 5000), 10);
	assert_int_equal(send4(f->a, s, "0123456789012345678901234", 25, 0, "127.0.0.1", 5001), 25);
	assert_int_equal(get(f, f->a, r, 0), 35);
	assert_errno(get(f, f->a, other, 0), EAGAIN);
	/* an empty first piece is a datagram too */
	assert_int_equal(send4(f->a, s, "", 0, MSG_MORE, "127.0.0.1", 5000), 0);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	assert_int_equal(send4(f->a, s, "x", 1, 0, "127.0.0.1", 5000), 1);
	assert_int_equal(get(f, f->a, r, 0), 1);
}

static void a_corked_datagram_that_grows_too_long_is_thrown_away(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	assert_int_equal(connect4(f->a, s, "127.0.0.1", 5000), 0);
	assert_int_equal(set_int(f->a, s, UDP_LEVEL, OPT_UDP_CORK, 1), 0);
	assert_int_equal(naru_send(f->a, s, f->buf, 60000, 0), 60000);
	assert_errno(naru_send(f->a, s, f->buf, 6000, 0), EMSGSIZE);
	assert_int_equal(set_int(f->a, s, UDP_LEVEL, OPT_UDP_CORK, 0), 0);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
}

static void a_closed_socket_takes_its_corked_datagram_along(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->a, "127.0.0.1", 5000), s = udp4(f->a);

	assert_int_equal(send4(f->a, s, f->buf, 4000, MSG_MORE, "127.0.0.1", 5000), 4000);
	assert_int_equal(naru_close(f->a, s), 0);
	assert_errno(get(f, f->a, r, 0), EAGAIN);
	/* tear_down() finds nothing left */
}

static void what_exceeds_the_mtu_is_fragmented_unless_df_is_demanded(void **state)
{
	struct fixture *f = *state;
	uint8_t control[256] __attribute__((aligned(8)));
	struct msghdr m = {.msg_control = control, .msg_controllen = sizeof(control)};
	const struct sock_extended_err *ee;
	int r = bound4(f->b, "10.0.0.2", 5000), s = udp4(f->a);

	assert_int_equal(send4(f->a, s, f->buf, 20000, 0, "10.0.0.2", 5000), 20000);
	naru_run_for(f->a, NS_PER_S);
	memset(f->buf, 0, 20000);
	assert_int_equal(get(f, f->b, r, 0), 20000);
	for (uint32_t i = 0; i < 20000; i++)
		assert_int_equal(f->buf[i], (uint8_t)(i * 7 + (i >> 8)));
	assert_int_equal(set_int(f->a, s, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	assert_int_equal(send4(f->a, s, f->buf, WIRE_MTU - 28, 0, "10.0.0.2", 5000), WIRE_MTU - 28);
	assert_errno(send4(f->a, s, f->buf, WIRE_MTU - 27, 0, "10.0.0.2", 5000), EMSGSIZE);
	/* with IP_RECVERR the limit is told */
	assert_int_equal(set_int(f->a, s, SOL_IP, IP_RECVERR, 1), 0);
	assert_errno(send4(f->a, s, f->buf, WIRE_MTU - 27, 0, "10.0.0.2", 5000), EMSGSIZE);
	assert_int_equal(naru_recvmsg(f->a, s, &m, MSG_ERRQUEUE), 0);
	assert_non_null(CMSG_FIRSTHDR(&m));
	ee = (const struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&m));
	assert_int_equal(ee->ee_origin, SO_EE_ORIGIN_LOCAL);
	assert_int_equal(ee->ee_errno, EMSGSIZE);
	assert_int_equal(ee->ee_info, WIRE_MTU);
}

static void ipv6_carries_65527_bytes_in_fragments(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 to = v6("fd00::2", 5000);
	int r = naru_socket(f->b, AF_INET6, SOCK_DGRAM, 0);
	int s = naru_socket(f->a, AF_INET6, SOCK_DGRAM, 0);

	assert_int_equal(naru_bind(f->b, r, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_errno(naru_sendto(f->a, s, f->buf, 65528, 0, (struct sockaddr *)&to, sizeof(to)),
		     EMSGSIZE);
	assert_int_equal(naru_sendto(f->a, s, f->buf, 65527, 0, (struct sockaddr *)&to, sizeof(to)),
			 65527);
	naru_run_for(f->a, 2 * NS_PER_S);
	assert_int_equal(get(f, f->b, r, 0), 65527);
}

static void ipv6_dontfrag_refuses_what_exceeds_the_mtu(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in6 to = v6("fd00::2", 5000);
	struct sockaddr *sa = (struct sockaddr *)&to;
	int s = naru_socket(f->a, AF_INET6, SOCK_DGRAM, 0);

	assert_int_equal(set_int(f->a, s, SOL_IPV6, IPV6_DONTFRAG, 1), 0);
	assert_int_equal(naru_sendto(f->a, s, f->buf, WIRE_MTU - 48, 0, sa, sizeof(to)),
			 WIRE_MTU - 48);
	assert_errno(naru_sendto(f->a, s, f->buf, WIRE_MTU - 47, 0, sa, sizeof(to)), EMSGSIZE);
}

/* Nobody answers for 10.0.0.9: datagrams wait for the neighbour and stay charged. */
static void a_full_send_buffer_is_eagain_and_not_writable_from_half_on(void **state)
{
	struct fixture *f = *state;
	int s = udp4(f->a), n = 0;
	struct pollfd p = {.fd = s, .events = POLLOUT};

	assert_int_equal(set_int(f->a, s, SOL_SOCKET, SO_SNDBUF, 5000), 0); /* 10000 */
	while (send4(f->a, s, "x", 1, 0, "10.0.0.9", 9) == 1 && ++n < 100)
		assert_int_equal(naru_poll(f->a, &p, 1, 0), n * 832 < 5000);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(n, 10000 / 832 + 1); /* below the limit one more is let in */
	assert_int_equal(mib(f->a, UdpSndbufErrors), 1);
	naru_run_for(f->a, 10 * NS_PER_S); /* the neighbour is given up */
	assert_int_equal(naru_poll(f->a, &p, 1, 0), 1);
	assert_int_equal(p.revents, POLLOUT);
}

static void fill_buffer(struct fixture *f, int s)
{
	assert_int_equal(set_int(f->a, s, SOL_SOCKET, SO_SNDBUF, 5000), 0);
	while (send4(f->a, s, "x", 1, 0, "10.0.0.9", 9) == 1)
		;
	assert_int_equal(errno, EAGAIN);
}

/* The neighbour is given up after three questions, one a second. */
static void a_blocked_send_and_a_poll_go_on_when_room_comes(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in to = v4("10.0.0.9", 9);
	int s = udp4(f->a);
	struct pollfd p = {.fd = s, .events = POLLOUT};
	uint64_t start = naru_now_ns(f->a);

	assert_int_equal(set_int(f->a, s, SOL_SOCKET, SO_SNDBUF, 5000), 0);
	for (int i = 0; i < 7; i++) /* more than half, less than full */
		assert_int_equal(send4(f->a, s, "x", 1, 0, "10.0.0.9", 9), 1);
	assert_int_equal(naru_poll(f->a, &p, 1, 60000), 1);
	assert_in_range(naru_now_ns(f->a) - start, 2 * NS_PER_S, 4 * NS_PER_S);
	fill_buffer(f, s);
	start = naru_now_ns(f->a);
	assert_int_equal(naru_sendto(f->a, s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_in_range(naru_now_ns(f->a) - start, 2 * NS_PER_S, 4 * NS_PER_S);
}

/* IP identification of the oldest datagram that waits at b's only socket. */
static int next_id(struct fixture *f, int r)
{
	uint32_t idx = 0;
	struct sock *sk;
	int id;

	naru_run_for(f->a, NS_PER_S);
	while ((sk = pool_next_live(&f->w->pools->udp_sock, &idx)))
		if (sk->stack == (struct stack *)f->b)
			break;
	assert_non_null(skb_peek(&sk->receive_queue));
	id = get_be16(skb_network(skb_peek(&sk->receive_queue)) + 4);
	assert_int_equal(get(f, f->b, r, 0), 1);
	return id;
}

static void connected_sockets_count_identifications_and_strict_df_has_none(void **state)
{
	struct fixture *f = *state;
	int r = bound4(f->b, "10.0.0.2", 5000), s = udp4(f->a), first;

	assert_int_equal(set_int(f->a, s, SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(send4(f->a, s, "x", 1, 0, "10.0.0.2", 5000), 1);
		assert_int_equal(next_id(f, r), 0);
	}
	assert_int_equal(connect4(f->a, s, "10.0.0.2", 5000), 0);
	assert_int_equal(naru_send(f->a, s, "x", 1, 0), 1);
	first = next_id(f, r);
	assert_int_equal(naru_send(f->a, s, "x", 1, 0), 1);
	assert_int_equal(next_id(f, r), (uint16_t)(first + 1));
}

static void control_messages_change_one_datagram(void **state)
{
	struct fixture *f = *state;
	uint8_t control[64] __attribute__((aligned(8))) = {0};
	struct sockaddr_in to = v4("127.0.0.1", 5000);
	struct iovec v = {(void *)"x", 1};
	struct msghdr m = {.msg_name = &to,
			   .msg_namelen = sizeof(to),
			   .msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = control,
			   .msg_controllen = CMSG_SPACE(sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int s = udp4(f->a), r = bound4(f->a, "127.0.0.1", 5000), val;
	/* level, type, length, value, errno: the kernel's table for UDP (T13) */
	const struct {
		int level, type, len, val, err;
	} cases[] = {
		{SOL_IP, IP_TTL, 4, 1, 0},
		{SOL_IP, IP_TTL, 4, 0, EINVAL},
		{SOL_IP, IP_TTL, 4, 256, EINVAL},
		{SOL_IP, IP_TTL, 1, 1, EINVAL},
		{SOL_IP, IP_TOS, 1, 0x10, 0},
		{SOL_IP, IP_TOS, 4, 256, EINVAL},
		{SOL_IP, 52, 4, 17, 0},
		{SOL_IP, 52, 4, 0, EINVAL},
		{SOL_IP, 99, 4, 1, EINVAL},
		{UDP_LEVEL, 99, 4, 1, EINVAL},
		{6, 1, 4, 1, 0},
		{SOL_SOCKET, 99, 4, 1, EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		c->cmsg_level = cases[i].level;
		c->cmsg_type = cases[i].type;
		c->cmsg_len = CMSG_LEN((size_t)cases[i].len);
		val = cases[i].val;
		memcpy(CMSG_DATA(c), &val, sizeof(val));
		if (cases[i].err) {
			assert_errno(naru_sendmsg(f->a, s, &m, 0), cases[i].err);
		} else {
			assert_int_equal(naru_sendmsg(f->a, s, &m, 0), 1);
			assert_int_equal(get(f, f->a, r, 0), 1);
		}
	}
}

static void a_shut_socket_is_epipe_without_a_signal(void **state)
{
	struct fixture *f = *state;
	int s = udp4(f->a);

	assert_errno(naru_shutdown(f->a, s, SHUT_WR), ENOTCONN);
	assert_errno(send4(f->a, s, "x", 1, 0, "127.0.0.1", 1), EPIPE); /* SIGPIPE would end the test */
}

static void options_have_the_kernels_ranges(void **state)
{
	struct fixture *f = *state;
	int s = udp4(f->a), v = 7;
	socklen_t len = sizeof(v);

	assert_int_equal(set_int(f->a, s, UDP_LEVEL, OPT_UDP_CORK, 5), 0);
	assert_int_equal(naru_getsockopt(f->a, s, UDP_LEVEL, OPT_UDP_CORK, &v, &len), 0);
	assert_int_equal(v, 1);
	assert_errno(naru_setsockopt(f->a, s, UDP_LEVEL, OPT_UDP_CORK, &v, 3), EINVAL);
	assert_errno(set_int(f->a, s, UDP_LEVEL, 55, 1), ENOPROTOOPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_a_destination_it_is_edestaddrreq_and_a_port_all_the_same),
		T(a_datagram_has_at_most_65507_bytes),
		T(names_are_checked_in_the_kernels_order),
		T(refusal_is_told_once_to_a_connected_sender),
		T(refusal_reaches_an_unconnected_sender_only_with_recverr),
		T(cork_joins_pieces_into_one_datagram),
		T(msg_more_waits_for_a_send_without_it),
		T(a_corked_datagram_that_grows_too_long_is_thrown_away),
		T(a_closed_socket_takes_its_corked_datagram_along),
		T(what_exceeds_the_mtu_is_fragmented_unless_df_is_demanded),
		T(ipv6_carries_65527_bytes_in_fragments),
		T(ipv6_dontfrag_refuses_what_exceeds_the_mtu),
		T(a_full_send_buffer_is_eagain_and_not_writable_from_half_on),
		T(a_blocked_send_and_a_poll_go_on_when_room_comes),
		T(connected_sockets_count_identifications_and_strict_df_has_none),
		T(control_messages_change_one_datagram),
		T(a_shut_socket_is_epipe_without_a_signal),
		T(options_have_the_kernels_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

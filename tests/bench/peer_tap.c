/* SPDX-License-Identifier: BSD-2-Clause */
/* Naru against the kernel's TCP over a TAP device: one end is Naru's, the other a kernel socket. */
/*
 * How it works
 *
 * The process goes into a namespace of its own, in which the TAP is the only way out. Naru has the
 * descriptor, the kernel the network side. One thread holds both ends: a write() to the TAP runs the
 * kernel's receive path at once. naru_side says which end of a connection is Naru's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "naru/naru.h"
#include "netns.h"
#include "workloads.h"

#define TAP_MTU 1500
#define KERNEL_ADDR "10.9.0.1"
#define NARU_ADDR "10.9.0.2"
#define BACKLOG 128

struct tap_ctx {
	naru_world *world;
	naru_stack *st;
	enum side naru_side;
	int tap_fd;
	int listener[BENCH_NUM_PORTS];
};

static int open_tap(void)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	strcpy(r.ifr_name, "tap0");
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r)) {
		fprintf(stderr, "no TAP device: %s\n", strerror(errno));
		return -1;
	}
	return fd;
}

static int open_side(struct peer *p, enum side naru_side)
{
	struct tap_ctx *t = calloc(1, sizeof(*t));

	if (!t)
		fail_hard("no memory");
	if (netns_new() < 0) {
		fprintf(stderr, "network namespaces are not allowed\n");
		return -1;
	}
	t->naru_side = naru_side;
	t->tap_fd = open_tap();
	if (t->tap_fd < 0)
		return -1;
	if (netns_shell("ip link set lo up && ip link set tap0 mtu %d txqueuelen 10000 up && ip addr add %s/24 dev tap0", TAP_MTU,
			KERNEL_ADDR))
		return -1;
	if (naru_world_new(NULL, &t->world) || naru_stack_new(t->world, NULL, &t->st) ||
	    naru_tap(t->st, "eth0", t->tap_fd, TAP_MTU) || naru_addr_add(t->st, "eth0", NARU_ADDR "/24"))
		fail_hard("no stack on the TAP");
	p->ctx = t;
	return 0;
}

static int open_send(struct peer *p) { return open_side(p, SIDE_CLIENT); }
static int open_recv(struct peer *p) { return open_side(p, SIDE_SERVER); }

static void tap_poll(struct peer *p) { naru_poll_stack(((struct tap_ctx *)p->ctx)->st); }

static struct sockaddr_in server_name(const struct tap_ctx *t, unsigned int port_idx)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(BENCH_PORT + port_idx)) };

	inet_pton(AF_INET, t->naru_side == SIDE_SERVER ? NARU_ADDR : KERNEL_ADDR, &a.sin_addr);
	return a;
}

static int kernel_socket(void)
{
	int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s >= 0)
		netns_use_cubic(s);
	return s;
}

static int tap_listen(struct peer *p, unsigned int port_idx)
{
	struct tap_ctx *t = p->ctx;
	struct sockaddr_in name = server_name(t, port_idx);
	const struct sockaddr *a = (struct sockaddr *)&name;
	int s;

	if (t->naru_side == SIDE_SERVER) {
		s = naru_socket(t->st, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		t->listener[port_idx] = s;
		return s < 0 || naru_bind(t->st, s, a, sizeof(name)) || naru_listen(t->st, s, BACKLOG) ? -1 : 0;
	}
	s = kernel_socket();
	t->listener[port_idx] = s;
	return s < 0 || bind(s, a, sizeof(name)) || listen(s, BACKLOG) ? -1 : 0;
}

static int tap_connect(struct peer *p, unsigned int port_idx)
{
	struct tap_ctx *t = p->ctx;
	struct sockaddr_in name = server_name(t, port_idx);
	const struct sockaddr *a = (struct sockaddr *)&name;
	int s, err;

	if (t->naru_side == SIDE_CLIENT) {
		s = naru_socket(t->st, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		err = s < 0 ? -1 : naru_connect(t->st, s, a, sizeof(name));
	} else {
		s = kernel_socket();
		err = s < 0 ? -1 : connect(s, a, sizeof(name));
	}
	return err && errno != EINPROGRESS ? -1 : s;
}

static int tap_accept(struct peer *p, unsigned int port_idx)
{
	struct tap_ctx *t = p->ctx;
	int l = t->listener[port_idx];

	if (t->naru_side == SIDE_SERVER)
		return naru_accept4(t->st, l, NULL, NULL, SOCK_NONBLOCK);
	return accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static ssize_t tap_send(struct peer *p, enum side side, int h, const void *buf, size_t len)
{
	struct tap_ctx *t = p->ctx;

	if (side == t->naru_side)
		return naru_send(t->st, h, buf, len, MSG_NOSIGNAL);
	return send(h, buf, len, MSG_NOSIGNAL);
}

static ssize_t tap_recv(struct peer *p, enum side side, int h, void *buf, size_t len)
{
	struct tap_ctx *t = p->ctx;

	if (side == t->naru_side)
		return naru_recv(t->st, h, buf, len, 0);
	return recv(h, buf, len, 0);
}

static void tap_set_nodelay(struct peer *p, enum side side, int h)
{
	struct tap_ctx *t = p->ctx;
	int one = 1, err;

	if (side == t->naru_side)
		err = naru_setsockopt(t->st, h, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	else
		err = setsockopt(h, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (err)
		fail_hard("TCP_NODELAY");
}

static void tap_set_blocking(struct peer *p, enum side side, int h)
{
	(void)p;
	(void)side;
	(void)h;
	fail_hard("both ends are in one thread: nobody may sleep");
}

static void tap_close(struct peer *p, enum side side, int h)
{
	struct tap_ctx *t = p->ctx;

	if (side == t->naru_side)
		naru_close(t->st, h);
	else
		close(h);
}

#define TAP_CALLS                                                                                                \
	.poll = tap_poll, .listen = tap_listen, .connect = tap_connect, .accept = tap_accept, .send = tap_send,  \
	.recv = tap_recv, .set_nodelay = tap_set_nodelay, .set_blocking = tap_set_blocking, .close = tap_close

const struct peer_ops naru_tap_send_peer_ops = { .name = "naru-tap-send", .open = open_send, TAP_CALLS };
const struct peer_ops naru_tap_recv_peer_ops = { .name = "naru-tap-recv", .open = open_recv, TAP_CALLS };

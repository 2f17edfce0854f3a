/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's TCP as a measured stack: loopback, or two namespaces joined by a veth pair. */
/*
 * How it works
 *
 * A socket belongs to the namespace in which it was made; so client and server sockets are made in
 * theirs and used from anywhere. Where namespaces are not allowed, plain loopback still can be measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns.h"
#include "workloads.h"

#define BACKLOG 4096
#define FILES_WANTED 40000

struct kernel_ctx {
	int ns[2]; /* by side; -1: the one we are in */
	char server[INET_ADDRSTRLEN];
	int listener[BENCH_NUM_PORTS];
};

static void raise_file_limit(void)
{
	struct rlimit r = { FILES_WANTED, FILES_WANTED };

	if (setrlimit(RLIMIT_NOFILE, &r) && !getrlimit(RLIMIT_NOFILE, &r)) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static struct kernel_ctx *new_ctx(struct peer *p, const char *server)
{
	struct kernel_ctx *k = calloc(1, sizeof(*k));

	if (!k)
		fail_hard("no memory");
	k->ns[SIDE_CLIENT] = k->ns[SIDE_SERVER] = -1;
	snprintf(k->server, sizeof(k->server), "%s", server);
	raise_file_limit();
	p->ctx = k;
	p->is_kernel_memory = true;
	return k;
}

static int open_lo(struct peer *p)
{
	new_ctx(p, "127.0.0.1");
	if (netns_new() < 0)
		return 0; /* the loopback that is there */
	return netns_shell("ip link set lo up") ? -1 : 0;
}

static int open_lo_1500(struct peer *p)
{
	new_ctx(p, "127.0.0.1");
	if (netns_new() < 0) {
		fprintf(stderr, "network namespaces are not allowed\n");
		return -1;
	}
	if (netns_shell("ip link set lo mtu 1500 up") || netns_offloads_off("lo")) {
		fprintf(stderr, "offloads of loopback cannot be switched off\n");
		return -1;
	}
	return 0;
}

static int open_veth(struct peer *p)
{
	struct kernel_ctx *k = new_ctx(p, "10.9.0.2");

	k->ns[SIDE_CLIENT] = netns_new();
	k->ns[SIDE_SERVER] = netns_new();
	if (k->ns[SIDE_CLIENT] < 0 || k->ns[SIDE_SERVER] < 0) {
		fprintf(stderr, "network namespaces are not allowed\n");
		return -1;
	}
	netns_enter(k->ns[SIDE_CLIENT]);
	if (netns_shell("ip link add v0 type veth peer name v1 && ip link set v1 netns /proc/%d/fd/%d && ip link set lo up && "
			"ip addr add 10.9.0.1/24 dev v0 && ip link set v0 up", getpid(), k->ns[SIDE_SERVER])) {
		fprintf(stderr, "no veth pair\n");
		return -1;
	}
	netns_enter(k->ns[SIDE_SERVER]);
	if (netns_shell("ip link set lo up && ip addr add 10.9.0.2/24 dev v1 && ip link set v1 up"))
		return -1;
	return 0;
}

static int new_socket(struct kernel_ctx *k, enum side side)
{
	int s;

	if (k->ns[side] >= 0)
		netns_enter(k->ns[side]);
	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s >= 0)
		netns_use_cubic(s);
	return s;
}

static struct sockaddr_in server_name(const struct kernel_ctx *k, unsigned int port_idx)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(BENCH_PORT + port_idx)) };

	inet_pton(AF_INET, k->server, &a.sin_addr);
	return a;
}

static void kernel_poll(struct peer *p) { (void)p; }

static int kernel_listen(struct peer *p, unsigned int port_idx)
{
	struct kernel_ctx *k = p->ctx;
	struct sockaddr_in a = server_name(k, port_idx);
	int s = new_socket(k, SIDE_SERVER), one = 1;

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		return -1;
	k->listener[port_idx] = s;
	return bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, BACKLOG) ? -1 : 0;
}

static int kernel_connect(struct peer *p, unsigned int port_idx)
{
	struct kernel_ctx *k = p->ctx;
	struct sockaddr_in a = server_name(k, port_idx);
	int s = new_socket(k, SIDE_CLIENT);

	if (s < 0)
		return -1;
	return connect(s, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS ? -1 : s;
}

static int kernel_accept(struct peer *p, unsigned int port_idx)
{
	struct kernel_ctx *k = p->ctx;

	return accept4(k->listener[port_idx], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static ssize_t kernel_send(struct peer *p, enum side side, int h, const void *buf, size_t len)
{
	(void)p;
	(void)side;
	return send(h, buf, len, MSG_NOSIGNAL);
}

static ssize_t kernel_recv(struct peer *p, enum side side, int h, void *buf, size_t len)
{
	(void)p;
	(void)side;
	return recv(h, buf, len, 0);
}

static void kernel_set_nodelay(struct peer *p, enum side side, int h)
{
	int one = 1;

	(void)p;
	(void)side;
	if (setsockopt(h, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		fail_hard("TCP_NODELAY");
}

static void kernel_set_blocking(struct peer *p, enum side side, int h)
{
	(void)p;
	(void)side;
	if (fcntl(h, F_SETFL, 0))
		fail_hard("F_SETFL");
}

static void kernel_close(struct peer *p, enum side side, int h)
{
	(void)p;
	(void)side;
	close(h);
}

#define KERNEL_CALLS                                                                                             \
	.poll = kernel_poll, .listen = kernel_listen, .connect = kernel_connect, .accept = kernel_accept,        \
	.send = kernel_send, .recv = kernel_recv, .set_nodelay = kernel_set_nodelay,                             \
	.set_blocking = kernel_set_blocking, .close = kernel_close

const struct peer_ops kernel_lo_peer_ops = { .name = "kernel-lo", .open = open_lo, KERNEL_CALLS };
const struct peer_ops kernel_lo_1500_peer_ops = { .name = "kernel-lo-1500", .open = open_lo_1500, KERNEL_CALLS };
const struct peer_ops kernel_veth_peer_ops = { .name = "kernel-veth", .open = open_veth, KERNEL_CALLS };

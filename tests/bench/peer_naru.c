/* SPDX-License-Identifier: BSD-2-Clause */
/* Naru as a measured stack: two stacks over a wire in memory, or one with itself over loopback. */
/*
 * How it works: only the public interface is used. A connection's two ends live in st[0] and st[1], which
 * are the same stack on loopback. A call on one stack lets that stack's pump run; poll() gives the other
 * one its turn as well.
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

#include "naru/naru.h"
#include "workloads.h"

#define BACKLOG 4096
#define WORLD_BYTES (4ull << 30) /* room for the connections of W10; pages come when touched */

struct naru_ctx {
	naru_world *world;
	naru_stack *st[2]; /* by side */
	char server[INET_ADDRSTRLEN];
	int listener[BENCH_NUM_PORTS];
};

static struct naru_ctx *new_ctx(struct peer *p, bool is_shared, const char *server)
{
	struct naru_world_config cfg = { .memory_bytes = WORLD_BYTES, .is_shared = is_shared };
	struct naru_ctx *n = calloc(1, sizeof(*n));

	if (!n || naru_world_new(&cfg, &n->world) || naru_stack_new(n->world, NULL, &n->st[0]))
		fail_hard("no world");
	snprintf(n->server, sizeof(n->server), "%s", server);
	p->ctx = n;
	return n;
}

static int open_wire(struct peer *p, bool has_gso)
{
	struct naru_wire_config wire = { .mtu = 1500, .has_gso = has_gso };
	struct naru_ctx *n = new_ctx(p, false, "10.9.0.2");

	if (naru_stack_new(n->world, NULL, &n->st[1]) || naru_wire(n->st[0], "eth0", n->st[1], "eth0", &wire) ||
	    naru_addr_add(n->st[0], "eth0", "10.9.0.1/24") || naru_addr_add(n->st[1], "eth0", "10.9.0.2/24"))
		fail_hard("no wire");
	return 0;
}

static int open_wire_gso(struct peer *p) { return open_wire(p, true); }
static int open_wire_1500(struct peer *p) { return open_wire(p, false); }

static int open_lo(struct peer *p)
{
	struct naru_ctx *n = new_ctx(p, false, "127.0.0.1");

	n->st[1] = n->st[0];
	return 0;
}

static int open_shared_lo(struct peer *p)
{
	struct naru_ctx *n = new_ctx(p, true, "127.0.0.1");

	n->st[1] = n->st[0];
	return 0;
}

static void wire_poll(struct peer *p)
{
	struct naru_ctx *n = p->ctx;

	naru_poll_stack(n->st[1]);
	naru_poll_stack(n->st[0]);
}

static void lo_poll(struct peer *p)
{
	struct naru_ctx *n = p->ctx;

	naru_poll_stack(n->st[0]);
}

static struct sockaddr_in server_name(const struct naru_ctx *n, unsigned int port_idx)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(BENCH_PORT + port_idx)) };

	inet_pton(AF_INET, n->server, &a.sin_addr);
	return a;
}

static int naru_peer_listen(struct peer *p, unsigned int port_idx)
{
	struct naru_ctx *n = p->ctx;
	struct sockaddr_in a = server_name(n, port_idx);
	naru_stack *st = n->st[SIDE_SERVER];
	int s = naru_socket(st, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	n->listener[port_idx] = s;
	if (s < 0)
		return -1;
	return naru_bind(st, s, (struct sockaddr *)&a, sizeof(a)) || naru_listen(st, s, BACKLOG) ? -1 : 0;
}

static int naru_peer_connect(struct peer *p, unsigned int port_idx)
{
	struct naru_ctx *n = p->ctx;
	struct sockaddr_in a = server_name(n, port_idx);
	naru_stack *st = n->st[SIDE_CLIENT];
	int s = naru_socket(st, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (s < 0)
		return -1;
	return naru_connect(st, s, (struct sockaddr *)&a, sizeof(a)) && errno != EINPROGRESS ? -1 : s;
}

static int naru_peer_accept(struct peer *p, unsigned int port_idx)
{
	struct naru_ctx *n = p->ctx;

	return naru_accept4(n->st[SIDE_SERVER], n->listener[port_idx], NULL, NULL, SOCK_NONBLOCK);
}

static ssize_t naru_peer_send(struct peer *p, enum side side, int h, const void *buf, size_t len)
{
	return naru_send(((struct naru_ctx *)p->ctx)->st[side], h, buf, len, MSG_NOSIGNAL);
}

static ssize_t naru_peer_recv(struct peer *p, enum side side, int h, void *buf, size_t len)
{
	return naru_recv(((struct naru_ctx *)p->ctx)->st[side], h, buf, len, 0);
}

static void naru_peer_set_nodelay(struct peer *p, enum side side, int h)
{
	int one = 1;

	if (naru_setsockopt(((struct naru_ctx *)p->ctx)->st[side], h, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		fail_hard("TCP_NODELAY");
}

static void naru_peer_set_blocking(struct peer *p, enum side side, int h)
{
	if (naru_fcntl(((struct naru_ctx *)p->ctx)->st[side], h, F_SETFL, 0))
		fail_hard("F_SETFL");
}

static void naru_peer_close(struct peer *p, enum side side, int h)
{
	naru_close(((struct naru_ctx *)p->ctx)->st[side], h);
}

#define NARU_CALLS                                                                                               \
	.listen = naru_peer_listen, .connect = naru_peer_connect, .accept = naru_peer_accept,                    \
	.send = naru_peer_send, .recv = naru_peer_recv, .set_nodelay = naru_peer_set_nodelay,                    \
	.set_blocking = naru_peer_set_blocking, .close = naru_peer_close

const struct peer_ops naru_wire_peer_ops = {
	.name = "naru-wire", .open = open_wire_gso, .poll = wire_poll, NARU_CALLS
};
const struct peer_ops naru_wire_1500_peer_ops = {
	.name = "naru-wire-1500", .open = open_wire_1500, .poll = wire_poll, NARU_CALLS
};
const struct peer_ops naru_lo_peer_ops = { .name = "naru-lo", .open = open_lo, .poll = lo_poll, NARU_CALLS };
const struct peer_ops naru_shared_lo_peer_ops = {
	.name = "naru-shared-lo", .open = open_shared_lo, .poll = lo_poll, NARU_CALLS
};

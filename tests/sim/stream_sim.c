/* SPDX-License-Identifier: BSD-2-Clause */
/* One seeded simulation: two stacks over a wire in virtual time, two byte streams, one end. */
/*
 * How it works
 *
 * A plan is drawn from the seed. Byte n of a direction is a function of (seed, direction, n), so the
 * receiver checks every byte without keeping a copy. Both ends are driven from one loop: write what
 * fits, read what is there, let the world take one step. When both streams ended and both sockets are
 * closed, the clock runs past TIME-WAIT; then no socket, packet, region or request may be left.
 */
#define _GNU_SOURCE
#include "stream_sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/world.h"
#include "core/netdev.h"
#include "dev/dev.h"
#include "naru/naru.h"
#include "tcp/base/base.h"

#define SIM_MEMORY (96u << 20)
#define SIM_VIRTUAL_LIMIT_NS (7200 * NS_PER_S) /* no plan needs longer; a stall would */
#define SIM_MAX_STEPS 20000000u
#define SIM_PORT 5001
/* <netinet/tcp.h> cannot be read beside our own state names */
#define OPT_TCP_NODELAY 1
#define OPT_TCP_CORK 3
#define SIM_END_NS (300 * NS_PER_S) /* TIME-WAIT 60 s, FIN-WAIT-2 60 s, orphans' last retries */

enum close_order { CLOSE_CLIENT_FIRST, CLOSE_SERVER_FIRST, CLOSE_BOTH, SHUT_CLIENT, SHUT_BOTH, CLOSE_ORDERS };

struct plan {
	struct naru_wire_config wire;
	uint64_t total[2];	/* bytes client sends, server sends */
	uint32_t max_write[2], max_read[2];
	int sndbuf[2], rcvbuf[2]; /* 0: leave */
	bool nodelay[2], cork[2];
	uint32_t idle_pct[2];	/* share of turns in which an end does nothing */
	enum close_order order;
	bool is_v6;
	uint32_t hz;
	bool no_sack, no_ts, no_wscale;
	bool reno;
};

struct end {
	int s;
	uint64_t sent, got, total_out, total_in;
	bool has_shut, saw_eof, is_closed;
};

struct sim {
	uint64_t seed, rnd;
	struct plan plan;
	naru_world *w;
	naru_stack *st[2];
	int listener;
	struct end end[2];
	uint8_t buf[65536];
};

static uint64_t next_rnd(struct sim *s)
{
	uint64_t z = s->rnd += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static uint32_t below(struct sim *s, uint32_t n) { return (uint32_t)(next_rnd(s) % n); }
static bool one_in(struct sim *s, uint32_t n) { return below(s, n) == 0; }

static uint8_t pattern(uint64_t seed, int dir, uint64_t n)
{
	uint64_t x = (n >> 3) * 0x9e3779b97f4a7c15ull + seed * 2 + (uint64_t)dir;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ull;
	return (uint8_t)(x >> (8 * (n & 7)));
}

static uint64_t log_size(struct sim *s, uint32_t max_log2) { return next_rnd(s) & ((2ull << below(s, max_log2)) - 1); }

/* ---- the plan ---- */

static void draw_impair(struct sim *s, struct naru_impair *im)
{
	static const uint32_t losses[] = { 0, 0, 0, 1000, 10000, 30000, 80000 };
	static const uint64_t delays_us[] = { 0, 50, 1000, 5000, 20000, 50000, 100000 };

	im->delay_ns = delays_us[below(s, 7)] * NS_PER_US;
	im->jitter_ns = one_in(s, 3) ? im->delay_ns / 4 : 0;
	im->loss_ppm = losses[below(s, 7)];
	im->duplicate_ppm = one_in(s, 4) ? 20000 : 0;
	im->corrupt_ppm = one_in(s, 6) ? 2000 : 0;
	if (one_in(s, 3)) {
		im->reorder_ppm = 50000;
		im->reorder_ns = im->delay_ns / 2 + 100000;
	}
	if (one_in(s, 3)) {
		im->rate_bps = 1000000ull << below(s, 10);
		im->queue_frames = 20 + below(s, 500);
	}
	if (one_in(s, 5))
		im->ecn_mark_frames = 10;
}

static void draw_plan(struct sim *s)
{
	struct plan *p = &s->plan;

	memset(p, 0, sizeof(*p));
	p->wire.seed = next_rnd(s);
	p->wire.mtu = one_in(s, 4) ? 576 + below(s, 8000) : 1500;
	p->is_v6 = one_in(s, 2);
	if (p->is_v6 && p->wire.mtu < 1280)
		p->wire.mtu = 1280;
	p->wire.has_gso = one_in(s, 2);
	draw_impair(s, &p->wire.ab);
	draw_impair(s, &p->wire.ba);
	for (int i = 0; i < 2; i++) {
		p->total[i] = log_size(s, 19);
		p->max_write[i] = 1 + (uint32_t)log_size(s, 15);
		p->max_read[i] = 1 + (uint32_t)log_size(s, 15);
		p->sndbuf[i] = one_in(s, 4) ? 2048 << below(s, 6) : 0;
		p->rcvbuf[i] = one_in(s, 4) ? 2048 << below(s, 6) : 0;
		p->nodelay[i] = one_in(s, 2);
		p->cork[i] = one_in(s, 8);
		p->idle_pct[i] = one_in(s, 3) ? below(s, 90) : 0;
		/* a million one-byte reads show nothing more than a thousand */
		p->max_write[i] = (uint32_t)max_u64(p->max_write[i], p->total[i] / 5000);
	}
	p->max_read[0] = (uint32_t)max_u64(p->max_read[0], p->total[1] / 5000);
	p->max_read[1] = (uint32_t)max_u64(p->max_read[1], p->total[0] / 5000);
	p->order = below(s, CLOSE_ORDERS);
	p->hz = one_in(s, 4) ? 250 : 1000;
	p->no_sack = one_in(s, 8);
	p->no_ts = one_in(s, 6);
	p->no_wscale = one_in(s, 8);
	p->reno = one_in(s, 3);
}

/* What both stacks say about it: counters that moved, connections that live. */
static void print_state(struct sim *s, int i)
{
	struct stack *st = (struct stack *)s->st[i];
	struct tcp_sock *tp;
	uint32_t idx = 0;

	if (!st)
		return;
	printf("  %s at %.3f s:", i ? "server" : "client", (double)stack_now_ns(st) * 1e-9);
	for (unsigned int k = TcpActiveOpens; k < MIB_NUM; k++)
		if (mib_get(st, (enum mib_id)k))
			printf(" %s %llu", mib_name((enum mib_id)k), (unsigned long long)mib_get(st, (enum mib_id)k));
	printf("\n");
	while ((tp = pool_next_live(&st->pools->tcp_sock, &idx)))
		if (tp->sk.stack == st)
			printf("    state %u una %u nxt %u end %u wnd %u cwnd %u out %u sacked %u lost %u retrans %u timer %u backoff %u rcv_nxt %u rcv_wnd %u rmem %d/%d ofo %d\n",
			       tp->sk.state, tp->snd_una - tp->snt_isn, tp->snd_nxt - tp->snt_isn, tp->write_seq - tp->snt_isn, tp->snd_wnd,
			       tp->snd_cwnd, tp->packets_out, tp->sacked_out, tp->lost_out, tp->retrans_out, tp->write_timer_kind, tp->backoff,
			       tp->rcv_nxt - tp->rcv_isn, tp->rcv_wnd, tp->sk.rmem_alloc, tp->sk.rcvbuf, tp->ofo.node != NULL);
}

static int fail(struct sim *s, const char *what)
{
	const struct plan *p = &s->plan;

	printf("seed %llu: %s (errno %s)\n", (unsigned long long)s->seed, what, strerror(errno));
	printf("  v%d mtu %u gso %d totals %llu %llu; client sent %llu got %llu, server sent %llu got %llu; order %d\n", p->is_v6 ? 6 : 4,
	       p->wire.mtu, p->wire.has_gso, (unsigned long long)p->total[0], (unsigned long long)p->total[1],
	       (unsigned long long)s->end[0].sent, (unsigned long long)s->end[0].got, (unsigned long long)s->end[1].sent,
	       (unsigned long long)s->end[1].got, (int)p->order);
	for (int i = 0; i < 2; i++)
		print_state(s, i);
	return -1;
}

/* ---- set-up ---- */

static int configure(struct sim *s, int i)
{
	const struct plan *p = &s->plan;
	/* A closed socket gives up after 8 retries (C11): a plan with a slow reader takes longer. */
	int err = naru_sysctl_set(s->st[i], "net.ipv4.tcp_orphan_retries", "100");

	/* Three lost solicitations end a connect() with EHOSTUNREACH (R08.2): not what is looked at here. */
	err |= naru_sysctl_set(s->st[i], "net.ipv4.neigh.default.mcast_solicit", "30");

	if (p->no_sack)
		err |= naru_sysctl_set(s->st[i], "net.ipv4.tcp_sack", "0");
	if (p->no_ts)
		err |= naru_sysctl_set(s->st[i], "net.ipv4.tcp_timestamps", "0");
	if (p->no_wscale)
		err |= naru_sysctl_set(s->st[i], "net.ipv4.tcp_window_scaling", "0");
	if (p->reno)
		err |= naru_sysctl_set(s->st[i], "net.ipv4.tcp_congestion_control", "reno");
	if (p->wire.ab.ecn_mark_frames)
		err |= naru_sysctl_set(s->st[i], "net.ipv4.tcp_ecn", "1");
	err |= naru_addr_add(s->st[i], "eth0", i ? "10.0.0.2/24" : "10.0.0.1/24");
	err |= naru_addr_add(s->st[i], "eth0", i ? "fd00::2/64" : "fd00::1/64");
	return err;
}

static int set_up_world(struct sim *s)
{
	struct naru_world_config wc = { .memory_bytes = SIM_MEMORY, .is_virtual = true, .seed = s->seed + 1 };
	struct naru_stack_config sc = { .hz = s->plan.hz, .ehash_buckets = 64 };

	if (naru_world_new(&wc, &s->w))
		return fail(s, "naru_world_new");
	for (int i = 0; i < 2; i++)
		if (naru_stack_new(s->w, &sc, &s->st[i]))
			return fail(s, "naru_stack_new");
	if (naru_wire(s->st[0], "eth0", s->st[1], "eth0", &s->plan.wire))
		return fail(s, "naru_wire");
	return configure(s, 0) || configure(s, 1) ? fail(s, "configuration") : 0;
}

static socklen_t server_name(const struct sim *s, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(*ss));
	if (s->plan.is_v6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)ss;

		a->sin6_family = AF_INET6;
		a->sin6_port = htons(SIM_PORT);
		inet_pton(AF_INET6, "fd00::2", &a->sin6_addr);
		return sizeof(*a);
	}
	struct sockaddr_in *a = (struct sockaddr_in *)ss;

	a->sin_family = AF_INET;
	a->sin_port = htons(SIM_PORT);
	inet_pton(AF_INET, "10.0.0.2", &a->sin_addr);
	return sizeof(*a);
}

static void set_options(struct sim *s, int i, int fd)
{
	const struct plan *p = &s->plan;
	int one = 1;

	if (p->sndbuf[i])
		naru_setsockopt(s->st[i], fd, SOL_SOCKET, SO_SNDBUF, &p->sndbuf[i], sizeof(int));
	if (p->rcvbuf[i])
		naru_setsockopt(s->st[i], fd, SOL_SOCKET, SO_RCVBUF, &p->rcvbuf[i], sizeof(int));
	if (p->nodelay[i])
		naru_setsockopt(s->st[i], fd, IPPROTO_TCP, OPT_TCP_NODELAY, &one, sizeof(one));
	if (p->cork[i])
		naru_setsockopt(s->st[i], fd, IPPROTO_TCP, OPT_TCP_CORK, &one, sizeof(one));
}

static int connect_both(struct sim *s)
{
	int fam = s->plan.is_v6 ? AF_INET6 : AF_INET;
	struct sockaddr_storage ss;
	socklen_t len = server_name(s, &ss);

	s->listener = naru_socket(s->st[1], fam, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->listener < 0)
		return fail(s, "listener");
	set_options(s, 1, s->listener);
	if (naru_bind(s->st[1], s->listener, (void *)&ss, len) || naru_listen(s->st[1], s->listener, 5))
		return fail(s, "bind and listen");
	s->end[0].s = naru_socket(s->st[0], fam, SOCK_STREAM | SOCK_NONBLOCK, 0);
	set_options(s, 0, s->end[0].s);
	if (naru_connect(s->st[0], s->end[0].s, (void *)&ss, len) && errno != EINPROGRESS)
		return fail(s, "connect");
	for (unsigned int i = 0; i < SIM_MAX_STEPS; i++) {
		s->end[1].s = naru_accept4(s->st[1], s->listener, NULL, NULL, SOCK_NONBLOCK);
		if (s->end[1].s >= 0)
			return 0;
		if (errno != EAGAIN)
			return fail(s, "accept");
		if (!naru_step(s->st[0], 200 * NS_PER_S))
			break;
	}
	return fail(s, "no connection");
}

/* ---- the streams ---- */

static int write_some(struct sim *s, int i)
{
	struct end *e = &s->end[i];
	uint64_t left = e->total_out - e->sent;
	uint32_t n = 1 + below(s, s->plan.max_write[i]);
	ssize_t r;

	if (!left || e->has_shut)
		return 0;
	if (n > sizeof(s->buf))
		n = sizeof(s->buf);
	if (n > left)
		n = (uint32_t)left;
	for (uint32_t k = 0; k < n; k++)
		s->buf[k] = pattern(s->seed, i, e->sent + k);
	r = naru_send(s->st[i], e->s, s->buf, n, one_in(s, 20) && left > n ? MSG_MORE : 0);
	if (r < 0)
		return errno == EAGAIN ? 0 : fail(s, i ? "server send" : "client send");
	e->sent += (uint64_t)r;
	return 0;
}

static int read_some(struct sim *s, int i)
{
	struct end *e = &s->end[i];
	uint32_t n = 1 + below(s, s->plan.max_read[i]);
	ssize_t r;

	if (e->saw_eof)
		return 0;
	if (n > sizeof(s->buf))
		n = sizeof(s->buf);
	r = naru_recv(s->st[i], e->s, s->buf, n, 0);
	if (r < 0)
		return errno == EAGAIN ? 0 : fail(s, i ? "server recv" : "client recv");
	if (r == 0)
		e->saw_eof = true;
	for (ssize_t k = 0; k < r; k++)
		if (s->buf[k] != pattern(s->seed, !i, e->got + (uint64_t)k))
			return fail(s, "a wrong byte");
	e->got += (uint64_t)r;
	return 0;
}

/* May end @i stop sending now? Follows the close order. */
static bool may_shut(const struct sim *s, int i)
{
	const struct end *e = &s->end[i], *o = &s->end[!i];

	if (e->has_shut || e->sent < e->total_out)
		return false;
	switch (s->plan.order) {
	case CLOSE_CLIENT_FIRST:
	case SHUT_CLIENT:
		return i == 0 || e->saw_eof;
	case CLOSE_SERVER_FIRST:
		return i == 1 || e->saw_eof;
	default:
		return e->got == e->total_in || o->has_shut;
	}
}

static int close_some(struct sim *s, int i)
{
	struct end *e = &s->end[i];

	if (may_shut(s, i)) {
		if (naru_shutdown(s->st[i], e->s, SHUT_WR))
			return fail(s, "shutdown");
		e->has_shut = true;
	}
	if (e->has_shut && e->saw_eof) {
		if (e->got != e->total_in)
			return fail(s, "end of file too early");
		naru_close(s->st[i], e->s);
		e->is_closed = true;
	}
	return 0;
}

static int check_socks(struct sim *s)
{
	struct arena_pools *pools = ((struct stack *)s->st[0])->pools;
	struct tcp_sock *tp;
	uint32_t idx = 0;

	while ((tp = pool_next_live(&pools->tcp_sock, &idx)))
		if (tp->sk.state != TCP_CLOSE && tp->sk.state != TCP_LISTEN && tcp_check_invariants(tp))
			return fail(s, "an invariant of the connection is broken");
	return 0;
}

static int turn(struct sim *s, int i)
{
	struct end *e = &s->end[i];

	if (e->is_closed || below(s, 100) < s->plan.idle_pct[i])
		return 0;
	return write_some(s, i) || read_some(s, i) || close_some(s, i);
}

static int run_streams(struct sim *s)
{
	uint64_t start = naru_now_ns(s->st[0]);

	for (unsigned int k = 0; k < SIM_MAX_STEPS; k++) {
		if (s->end[0].is_closed && s->end[1].is_closed)
			return 0;
		for (int i = 0; i < 2; i++)
			if (turn(s, i))
				return -1;
		if (k % 64 == 0 && check_socks(s))
			return -1;
		naru_step(s->st[0], 10 * NS_PER_MS);
		if (naru_now_ns(s->st[0]) - start > SIM_VIRTUAL_LIMIT_NS)
			return fail(s, "stalled");
	}
	return fail(s, "too many steps");
}

/* ---- the end ---- */

struct leak {
	char text[256];
	size_t len;
};

static void note_pool(const char *name, uint32_t in_use, void *arg)
{
	static const char *const may_live[] = { "dst", "neigh", "pages" };
	struct leak *l = arg;

	for (size_t i = 0; i < ARRAY_SIZE(may_live); i++)
		if (!strcmp(name, may_live[i]))
			return; /* caches of the stack; looked at once it has ended */
	if (in_use && l->len < sizeof(l->text) - 40)
		l->len += (size_t)snprintf(l->text + l->len, 40, " %s %u", name, in_use);
}

static void note_any_pool(const char *name, uint32_t in_use, void *arg)
{
	struct leak *l = arg;

	if (in_use && l->len < sizeof(l->text) - 40)
		l->len += (size_t)snprintf(l->text + l->len, 40, " %s %u", name, in_use);
}

static int check_empty(struct sim *s)
{
	struct arena_pools *pools = s->w->pools;
	struct leak l = { .len = 0 };

	naru_close(s->st[1], s->listener);
	naru_run_for(s->st[0], SIM_END_NS);
	world_each_pool(pools, note_pool, &l);
	if (l.len) {
		printf("left behind while the stacks live:%s\n", l.text);
		return fail(s, "pools are not empty");
	}
	return 0;
}

static int check_all_gone(struct sim *s)
{
	struct leak l = { .len = 0 };

	for (int i = 0; i < 2; i++)
		naru_stack_free(s->st[i]);
	world_each_pool(s->w->pools, note_any_pool, &l);
	if (l.len) {
		printf("left behind after the stacks ended:%s\n", l.text);
		return fail(s, "pools are not empty");
	}
	return 0;
}

static void fill_result(struct sim *s, struct sim_result *ret)
{
	uint64_t a = 0, b = 0;

	naru_counter(s->st[0], "TcpRetransSegs", &a);
	naru_counter(s->st[1], "TcpRetransSegs", &b);
	ret->retrans = a + b;
	ret->bytes[0] = s->end[0].got;
	ret->bytes[1] = s->end[1].got;
	ret->digest = wire_digest(netdev_by_name((struct stack *)s->st[0], "eth0"));
	ret->virtual_ns = naru_now_ns(s->st[0]);
}

int stream_sim_run(uint64_t seed, int is_verbose, struct sim_result *ret)
{
	struct sim *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -1;
	s->seed = s->rnd = seed;
	draw_plan(s);
	for (int i = 0; i < 2; i++) {
		s->end[i].total_out = s->plan.total[i];
		s->end[i].total_in = s->plan.total[!i];
	}
	if (is_verbose)
		printf("seed %llu: v%d mtu %u gso %d %llu/%llu bytes\n", (unsigned long long)seed, s->plan.is_v6 ? 6 : 4, s->plan.wire.mtu,
		       s->plan.wire.has_gso, (unsigned long long)s->plan.total[0], (unsigned long long)s->plan.total[1]);
	err = set_up_world(s) || connect_both(s) || run_streams(s) || check_empty(s);
	if (!err) {
		fill_result(s, ret);
		err = check_all_gone(s);
	}
	naru_world_free(s->w);
	free(s);
	return err ? -1 : 0;
}

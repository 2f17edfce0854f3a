/* SPDX-License-Identifier: BSD-2-Clause */
/* The workloads with both ends in one thread: bulk, ping-pong, small sends, connections, memory, scale. */
/*
 * How it works
 *
 * Nothing sleeps: the thread writes at one end, lets the peer poll, reads at the other. Processor time of
 * the process is therefore the cost of sender and receiver together, kernel included. Every workload runs
 * a part of itself before the clock starts, so that windows, caches and pools have grown. The bytes of
 * that warm-up are compared; later ones are only counted. Round trips are timed in groups of GROUP: a
 * reading of the clock costs a tenth of one.
 */
#define _GNU_SOURCE
#include "workloads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUF_BYTES (1u << 20)
#define WARM_BYTES (64u << 20) /* of bulk: windows are open and pools are touched after it */
#define GROUP 16	       /* round trips between two readings of the clock */
#define STALL_S 10.0	       /* nothing moved for so long: the stack hangs */
#define REQUEST_BYTES 64
#define CONNS_PER_PORT 10000 /* below half of the ephemeral ports: further ones are found by a long search */

struct buffers {
	unsigned char out[BUF_BYTES], in[BUF_BYTES];
};

/* ---- time and errors ---- */

static double seconds_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double wall_now(void) { return seconds_of(CLOCK_MONOTONIC); }
double cpu_now(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

void fail_hard(const char *fmt, ...)
{
	int err = errno;
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (errno: %s)\n", strerror(err));
	exit(1);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median_of(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare_doubles);
	return v[n / 2];
}

/* Ends the program when a loop goes round without progress for STALL_S; looks at the clock now and then. */
struct watchdog {
	const char *what;
	double since;
	unsigned int idle;
};

static void watch(struct watchdog *d, bool has_moved)
{
	if (has_moved) {
		d->idle = 0;
		return;
	}
	if (++d->idle % 4096)
		return;
	if (d->idle == 4096)
		d->since = wall_now();
	else if (wall_now() - d->since > STALL_S)
		fail_hard("%s: nothing moved for %.0f s", d->what, STALL_S);
}

static struct buffers *new_buffers(void)
{
	struct buffers *b = malloc(sizeof(*b));

	if (!b)
		fail_hard("no memory");
	for (size_t i = 0; i < BUF_BYTES; i++) {
		b->out[i] = (unsigned char)(i * 7 + (i >> 8));
		b->in[i] = 0;
	}
	return b;
}

/* ---- connections ---- */

struct conn_pair make_pair(struct peer *p, unsigned int port_idx, bool is_nodelay)
{
	struct watchdog dog = { .what = "connect" };
	struct conn_pair c;

	c.h[SIDE_CLIENT] = p->ops->connect(p, port_idx);
	if (c.h[SIDE_CLIENT] < 0)
		fail_hard("connect");
	for (;;) {
		p->ops->poll(p);
		c.h[SIDE_SERVER] = p->ops->accept(p, port_idx);
		if (c.h[SIDE_SERVER] >= 0)
			break;
		if (errno != EAGAIN)
			fail_hard("accept");
		watch(&dog, false);
	}
	for (int i = 0; is_nodelay && i < 2; i++)
		p->ops->set_nodelay(p, (enum side)i, c.h[i]);
	return c;
}

static void listen_at(struct peer *p, unsigned int num_ports)
{
	if (num_ports > BENCH_NUM_PORTS)
		fail_hard("more connections than %d ports take", BENCH_NUM_PORTS);
	for (unsigned int i = 0; i < num_ports; i++)
		if (p->ops->listen(p, i))
			fail_hard("listen");
}

/* @size bytes from side @from to the other; they are at hand when this returns. */
static void carry(struct peer *p, const struct conn_pair *c, enum side from, struct buffers *b, size_t size)
{
	struct watchdog dog = { .what = "a message" };
	enum side to = from == SIDE_CLIENT ? SIDE_SERVER : SIDE_CLIENT;
	size_t got = 0, sent = 0;
	ssize_t k;

	while (sent < size) {
		k = p->ops->send(p, from, c->h[from], b->out + sent, size - sent);
		if (k > 0)
			sent += (size_t)k;
		else if (k == 0 || errno != EAGAIN)
			fail_hard("send");
		else
			p->ops->poll(p);
		watch(&dog, k > 0);
	}
	while (got < size) {
		p->ops->poll(p);
		k = p->ops->recv(p, to, c->h[to], b->in + got, size - got);
		if (k > 0)
			got += (size_t)k;
		else if (k == 0 || errno != EAGAIN)
			fail_hard("recv");
		watch(&dog, k > 0);
	}
}

/* ---- W1, W6, W7 ---- */

struct stream {
	struct conn_pair c;
	size_t chunk;
	uint64_t sent, got;
	bool is_checked;
};

static void check_bytes(const struct stream *s, const struct buffers *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b->in[i] != b->out[(s->got + i) % s->chunk])
			fail_hard("wrong byte at %llu", (unsigned long long)(s->got + i));
}

/* Until @until bytes came out: a write of what is left of a chunk, then everything that can be read. */
static void stream_to(struct peer *p, struct stream *s, struct buffers *b, uint64_t until)
{
	struct watchdog dog = { .what = "bulk" };

	while (s->got < until) {
		uint64_t before = s->got + s->sent;
		size_t off = s->sent % s->chunk;
		ssize_t k;

		if (s->sent < until) {
			k = p->ops->send(p, SIDE_CLIENT, s->c.h[SIDE_CLIENT], b->out + off, s->chunk - off);
			if (k > 0)
				s->sent += (uint64_t)k;
			else if (k == 0 || errno != EAGAIN)
				fail_hard("send");
		}
		p->ops->poll(p);
		while ((k = p->ops->recv(p, SIDE_SERVER, s->c.h[SIDE_SERVER], b->in, s->chunk)) > 0) {
			if (s->is_checked)
				check_bytes(s, b, (size_t)k);
			s->got += (uint64_t)k;
		}
		if (k == 0 || errno != EAGAIN)
			fail_hard("recv after %llu bytes", (unsigned long long)s->got);
		watch(&dog, s->got + s->sent != before);
	}
}

double bulk(struct peer *p, uint64_t n, size_t chunk)
{
	struct buffers *b = new_buffers();
	struct stream s = { .chunk = chunk, .is_checked = true };
	uint64_t warm = n / 4 < WARM_BYTES ? n / 4 : WARM_BYTES, done;
	double t0, used;

	listen_at(p, 1);
	s.c = make_pair(p, 0, false);
	stream_to(p, &s, b, warm);
	s.is_checked = false;
	done = s.got;
	t0 = cpu_now();
	stream_to(p, &s, b, n);
	used = cpu_now() - t0;
	free(b);
	return used / ((double)(s.got - done) * 1e-9);
}

/* ---- W2, W9, W10 ---- */

static double round_trips(struct peer *p, const struct conn_pair *c, uint64_t n, size_t size)
{
	struct buffers *b = new_buffers();
	uint64_t groups = n / GROUP + 1;
	double *us = malloc(groups * sizeof(*us)), m;

	if (!us)
		fail_hard("no memory");
	for (uint64_t i = 0; i < n / 10 + GROUP; i++) {
		carry(p, c, SIDE_CLIENT, b, size);
		carry(p, c, SIDE_SERVER, b, size);
	}
	if (memcmp(b->in, b->out, size))
		fail_hard("wrong bytes came back");
	for (uint64_t g = 0; g < groups; g++) {
		double t0 = wall_now();

		for (int i = 0; i < GROUP; i++) {
			carry(p, c, SIDE_CLIENT, b, size);
			carry(p, c, SIDE_SERVER, b, size);
		}
		us[g] = (wall_now() - t0) * 1e6 / GROUP;
	}
	m = median_of(us, groups);
	free(us);
	free(b);
	return m;
}

double ping_pong(struct peer *p, uint64_t n, size_t size)
{
	struct conn_pair c;

	listen_at(p, 1);
	c = make_pair(p, 0, true);
	return round_trips(p, &c, n, size);
}

double scaled_ping_pong(struct peer *p, uint64_t n, uint64_t num_idle)
{
	struct conn_pair c;

	listen_at(p, (unsigned int)(num_idle / CONNS_PER_PORT) + 1);
	for (uint64_t i = 0; i < num_idle; i++)
		make_pair(p, (unsigned int)(i / CONNS_PER_PORT), true);
	c = make_pair(p, 0, true);
	return round_trips(p, &c, n, REQUEST_BYTES);
}

/* ---- W3 ---- */

static void sends_to(struct peer *p, struct stream *s, struct buffers *b, uint64_t until, unsigned int batch)
{
	struct watchdog dog = { .what = "small sends" };

	while (s->got < until) {
		uint64_t before = s->got + s->sent;
		ssize_t k;

		for (unsigned int i = 0; i < batch && s->sent < until; i++) {
			k = p->ops->send(p, SIDE_CLIENT, s->c.h[SIDE_CLIENT], b->out, s->chunk);
			if (k != (ssize_t)s->chunk)
				break;
			s->sent += (uint64_t)k;
		}
		p->ops->poll(p);
		while ((k = p->ops->recv(p, SIDE_SERVER, s->c.h[SIDE_SERVER], b->in, 65536)) > 0)
			s->got += (uint64_t)k;
		if (k == 0 || errno != EAGAIN)
			fail_hard("recv after %llu bytes", (unsigned long long)s->got);
		watch(&dog, s->got + s->sent != before);
	}
}

double small_sends(struct peer *p, uint64_t n, size_t size, unsigned int batch)
{
	struct buffers *b = new_buffers();
	struct stream s = { .chunk = size };
	uint64_t warm = n / 10;
	double t0, used;

	listen_at(p, 1);
	s.c = make_pair(p, 0, true);
	sends_to(p, &s, b, warm * size, batch);
	t0 = cpu_now();
	sends_to(p, &s, b, (warm + n) * size, batch);
	used = cpu_now() - t0;
	free(b);
	return used * 1e6 / (double)n;
}

/* ---- W4 ---- */

static void one_connection(struct peer *p, unsigned int port_idx, struct buffers *b)
{
	struct conn_pair c = make_pair(p, port_idx, true);
	struct watchdog dog = { .what = "end of file" };
	ssize_t k;

	carry(p, &c, SIDE_CLIENT, b, REQUEST_BYTES);
	carry(p, &c, SIDE_SERVER, b, REQUEST_BYTES);
	p->ops->close(p, SIDE_CLIENT, c.h[SIDE_CLIENT]);
	for (;;) {
		p->ops->poll(p);
		k = p->ops->recv(p, SIDE_SERVER, c.h[SIDE_SERVER], b->in, REQUEST_BYTES);
		if (k == 0)
			break;
		if (k > 0 || errno != EAGAIN)
			fail_hard("recv instead of end of file");
		watch(&dog, false);
	}
	p->ops->close(p, SIDE_SERVER, c.h[SIDE_SERVER]);
	p->ops->poll(p);
}

double connections(struct peer *p, uint64_t n)
{
	struct buffers *b = new_buffers();
	double t0, used;

	listen_at(p, BENCH_NUM_PORTS);
	for (uint64_t i = 0; i < n / 10; i++)
		one_connection(p, i % BENCH_NUM_PORTS, b);
	t0 = cpu_now();
	for (uint64_t i = 0; i < n; i++)
		one_connection(p, i % BENCH_NUM_PORTS, b);
	used = cpu_now() - t0;
	free(b);
	return used * 1e6 / (double)n;
}

/* ---- W5 ---- */

static double resident_bytes(void)
{
	long all, resident;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%ld %ld", &all, &resident) != 2)
		fail_hard("/proc/self/statm");
	fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double slab_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Slab: %ld", &kb) == 1)
			break;
	if (kb < 0)
		fail_hard("/proc/meminfo");
	fclose(f);
	return (double)kb * 1024;
}

static double memory_now(const struct peer *p) { return p->is_kernel_memory ? slab_bytes() : resident_bytes(); }

double idle_memory(struct peer *p, uint64_t n)
{
	struct buffers *b = new_buffers();
	double before, grown;

	listen_at(p, (unsigned int)(n / CONNS_PER_PORT) + 1);
	before = memory_now(p);
	for (uint64_t i = 0; i < n; i++) {
		struct conn_pair c = make_pair(p, (unsigned int)(i / CONNS_PER_PORT), true);

		carry(p, &c, SIDE_CLIENT, b, 1);
		carry(p, &c, SIDE_SERVER, b, 1);
	}
	p->ops->poll(p);
	grown = memory_now(p) - before;
	free(b);
	return grown / (2.0 * (double)n);
}

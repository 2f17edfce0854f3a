/* SPDX-License-Identifier: BSD-2-Clause */
/* The workloads with the two ends in two processes on two cores. */
/*
 * How it works
 *
 * The connection is made before the fork: both processes have both ends, the parent uses the client's,
 * the child the server's. The child leaves the processor time it used in memory they share. Kernel
 * descriptors and Naru's handles in a shared world pass through a fork alike.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workloads.h"

#define MESSAGE_MAX 65536
#define WARM_TRIPS 200

struct pair_shared {
	double child_cpu;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail_hard("only one processor");
}

static struct pair_shared *new_shared(void)
{
	struct pair_shared *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		fail_hard("mmap");
	return m;
}

static struct conn_pair connect_pair(struct peer *p, bool is_spinning, bool is_nodelay)
{
	struct conn_pair c;

	if (p->ops->listen(p, 0))
		fail_hard("listen");
	c = make_pair(p, 0, is_nodelay);
	for (int i = 0; !is_spinning && i < 2; i++)
		p->ops->set_blocking(p, (enum side)i, c.h[i]);
	return c;
}

static void take(struct peer *p, enum side side, int h, void *buf, size_t size)
{
	size_t got = 0;

	while (got < size) {
		ssize_t k = p->ops->recv(p, side, h, (char *)buf + got, size - got);

		if (k > 0) {
			got += (size_t)k;
			continue;
		}
		if (k == 0 || errno != EAGAIN)
			fail_hard("recv");
		p->ops->poll(p);
	}
}

static void give(struct peer *p, enum side side, int h, const void *buf, size_t size)
{
	if (p->ops->send(p, side, h, buf, size) != (ssize_t)size)
		fail_hard("send");
}

static void wait_for(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child || status)
		fail_hard("the child failed, status %#x", (unsigned int)status);
}

double pair_ping_pong(struct peer *p, uint64_t n, size_t size, bool is_spinning)
{
	struct conn_pair c = connect_pair(p, is_spinning, true);
	char *buf = calloc(1, MESSAGE_MAX);
	double *us = malloc(n * sizeof(*us)), m;
	pid_t child = fork();

	if (!buf || !us || child < 0)
		fail_hard("no memory");
	pin(child == 0);
	if (child == 0) {
		for (uint64_t i = 0; i < n + WARM_TRIPS; i++) {
			take(p, SIDE_SERVER, c.h[SIDE_SERVER], buf, size);
			give(p, SIDE_SERVER, c.h[SIDE_SERVER], buf, size);
		}
		_exit(0);
	}
	for (uint64_t i = 0; i < n + WARM_TRIPS; i++) {
		double t0 = wall_now();

		give(p, SIDE_CLIENT, c.h[SIDE_CLIENT], buf, size);
		take(p, SIDE_CLIENT, c.h[SIDE_CLIENT], buf, size);
		if (i >= WARM_TRIPS)
			us[i - WARM_TRIPS] = (wall_now() - t0) * 1e6;
	}
	wait_for(child);
	m = median_of(us, n);
	free(us);
	free(buf);
	return m;
}

static void receive_all(struct peer *p, int h, char *buf, uint64_t n)
{
	uint64_t got = 0;

	while (got < n) {
		ssize_t k = p->ops->recv(p, SIDE_SERVER, h, buf, MESSAGE_MAX);

		if (k <= 0)
			fail_hard("recv");
		got += (uint64_t)k;
	}
	give(p, SIDE_SERVER, h, "", 1);
}

double pair_bulk(struct peer *p, uint64_t n, size_t chunk)
{
	struct conn_pair c = connect_pair(p, false, false);
	struct pair_shared *shared = new_shared();
	char *buf = calloc(1, MESSAGE_MAX);
	uint64_t left = n;
	double t0, used;
	pid_t child = fork();

	if (!buf || child < 0 || chunk > MESSAGE_MAX)
		fail_hard("no memory");
	pin(child == 0);
	t0 = cpu_now();
	if (child == 0) {
		receive_all(p, c.h[SIDE_SERVER], buf, n);
		shared->child_cpu = cpu_now() - t0;
		_exit(0);
	}
	while (left) {
		ssize_t k = p->ops->send(p, SIDE_CLIENT, c.h[SIDE_CLIENT], buf, left < chunk ? left : chunk);

		if (k <= 0)
			fail_hard("send");
		left -= (uint64_t)k;
	}
	take(p, SIDE_CLIENT, c.h[SIDE_CLIENT], buf, 1);
	used = cpu_now() - t0;
	wait_for(child);
	used += shared->child_cpu;
	munmap(shared, sizeof(*shared));
	free(buf);
	return used / ((double)n * 1e-9);
}

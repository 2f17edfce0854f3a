/* SPDX-License-Identifier: BSD-2-Clause */
/* One run of one workload on one stack, in a process of its own: prints one number. */
/*
 * usage: bench_run PEER WORKLOAD N [SIZE]
 *
 * Exit status 77: the peer cannot be had here, the reason is on stderr. bench.py runs this for the two
 * sides of a row in turn and makes the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workloads.h"

#define BATCH 64 /* small sends in a row */

static const struct peer_ops *const peers[] = {
	&kernel_lo_peer_ops, &kernel_lo_1500_peer_ops, &kernel_veth_peer_ops,
	&naru_wire_peer_ops, &naru_wire_1500_peer_ops, &naru_lo_peer_ops,
	&naru_shared_lo_peer_ops, &naru_tap_send_peer_ops, &naru_tap_recv_peer_ops,
};

static double run_bulk(struct peer *p, uint64_t n, size_t size) { return bulk(p, n, size); }
static double run_ping(struct peer *p, uint64_t n, size_t size) { return ping_pong(p, n, size); }
static double run_sends(struct peer *p, uint64_t n, size_t size) { return small_sends(p, n, size, BATCH); }
static double run_connections(struct peer *p, uint64_t n, size_t size)
{
	(void)size;
	return connections(p, n);
}
static double run_memory(struct peer *p, uint64_t n, size_t size)
{
	(void)size;
	return idle_memory(p, n);
}
static double run_scale(struct peer *p, uint64_t n, size_t size) { return scaled_ping_pong(p, n, size); }
static double run_pair_ping(struct peer *p, uint64_t n, size_t size) { return pair_ping_pong(p, n, size, false); }
static double run_pair_spin(struct peer *p, uint64_t n, size_t size) { return pair_ping_pong(p, n, size, true); }
static double run_pair_bulk(struct peer *p, uint64_t n, size_t size) { return pair_bulk(p, n, size); }

static const struct workload {
	const char *name;
	double (*run)(struct peer *p, uint64_t n, size_t size);
	size_t size; /* when none is given: bytes a message; for scale: idle connections */
} workloads[] = {
	{ "bulk", run_bulk, 65536 },
	{ "ping", run_ping, 64 },
	{ "sends", run_sends, 64 },
	{ "connections", run_connections, 0 },
	{ "memory", run_memory, 0 },
	{ "scale", run_scale, 1000 },
	{ "pair-ping", run_pair_ping, 64 },
	{ "pair-spin", run_pair_spin, 64 },
	{ "pair-bulk", run_pair_bulk, 65536 },
};

static const struct peer_ops *find_peer(const char *name)
{
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		if (!strcmp(peers[i]->name, name))
			return peers[i];
	return NULL;
}

static const struct workload *find_workload(const char *name)
{
	for (size_t i = 0; i < sizeof(workloads) / sizeof(workloads[0]); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct peer p = { .ops = argc > 3 ? find_peer(argv[1]) : NULL };
	const struct workload *w = argc > 3 ? find_workload(argv[2]) : NULL;
	uint64_t n;
	size_t size;

	if (!p.ops || !w) {
		fprintf(stderr, "usage: bench_run PEER WORKLOAD N [SIZE]\n");
		return 2;
	}
	n = strtoull(argv[3], NULL, 0);
	size = argc > 4 ? strtoul(argv[4], NULL, 0) : w->size;
	if (p.ops->open(&p))
		return BENCH_EXIT_SKIP;
	printf("%.6g\n", w->run(&p, n, size));
	return 0;
}

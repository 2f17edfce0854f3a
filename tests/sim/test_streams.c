/* SPDX-License-Identifier: BSD-2-Clause */
/* Seeded two-stack simulations: equal streams, empty pools, and the same wire for the same seed. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stream_sim.h"

#define DEFAULT_SEEDS 60
#define TWICE_EVERY 10 /* every n-th seed is run twice and its wire compared */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : DEFAULT_SEEDS;
	unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 0) : 1;
	int is_verbose = argc > 3;
	unsigned long bad = 0;
	unsigned long long bytes = 0, retrans = 0;
	double t0 = seconds(), virt = 0;

	for (unsigned long seed = first; seed < first + n; seed++) {
		struct sim_result r, again;

		if (stream_sim_run(seed, is_verbose, &r)) {
			bad++;
			continue;
		}
		bytes += r.bytes[0] + r.bytes[1];
		retrans += r.retrans;
		virt += (double)r.virtual_ns * 1e-9;
		if (seed % TWICE_EVERY)
			continue;
		if (stream_sim_run(seed, 0, &again) || again.digest != r.digest) {
			printf("seed %lu: the second run put other bytes on the wire\n", seed);
			bad++;
		}
	}
	printf("%lu simulations, %llu bytes, %llu retransmitted segments, %.0f s of virtual time in %.1f s\n", n, bytes, retrans, virt,
	       seconds() - t0);
	printf("%lu passed, %lu failed\n", n - bad, bad);
	return bad != 0;
}

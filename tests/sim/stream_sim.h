/* SPDX-License-Identifier: BSD-2-Clause */
/* One seeded simulation: two stacks over a wire in virtual time, two byte streams, one end. */
#ifndef NARU_TESTS_SIM_STREAM_SIM_H
#define NARU_TESTS_SIM_STREAM_SIM_H

#include <stdint.h>

struct sim_result {
	uint64_t digest;     /* of every frame on the wire, with its time */
	uint64_t bytes[2];   /* delivered by client, by server */
	uint64_t virtual_ns; /* from connect to the last empty pool */
	uint64_t retrans;    /* RetransSegs of both */
};

/**
 * stream_sim_run() - everything follows from @seed: sizes, windows, options, impairments, family, close order
 * @is_verbose: say on stdout what is run
 * Return: 0; -1 after printing what went wrong and the seed
 */
int stream_sim_run(uint64_t seed, int is_verbose, struct sim_result *ret);

#endif

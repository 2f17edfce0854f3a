/* SPDX-License-Identifier: BSD-2-Clause */
/* CUBIC's private state, shared by the curve (cubic.c) and the early end of slow start (hystart.c). */
#ifndef NARU_TCP_CC_CUBIC_INT_H
#define NARU_TCP_CC_CUBIC_INT_H

#include "tcp/cc/cong.h"

struct cubic {
	/* curve; windows in packets, times in ticks */
	uint64_t epoch_tick, last_tick;
	uint32_t wmax; /* window of the last reduction; 0 none */
	uint32_t origin, last_cwnd;
	uint32_t k;     /* 1/1024 s from the epoch to the plateau */
	uint32_t w;     /* packets delivered per packet of growth */
	uint32_t acked; /* delivered since the Reno estimate last grew */
	uint32_t reno_cwnd;
	uint32_t delay_min_us; /* 0: no sample */
	/* HyStart */
	uint32_t round_end_seq, round_min_us, num_samples;
	uint64_t round_start_us, last_close_us;
	bool has_epoch, has_found;
};

/** cubic_root() - floor of the cube root (C03.6). */
uint32_t cubic_root(uint64_t a);
/** cubic_hystart_start_round() - C04.1; also at connection start and after a timeout. */
void cubic_hystart_start_round(struct tcp_cong *c, struct cubic *q);
/** cubic_hystart_sample() - C04.2-5: one round-trip sample in slow start; may set ssthresh to cwnd. */
void cubic_hystart_sample(struct tcp_cong *c, struct cubic *q, uint32_t rtt_us);

#endif

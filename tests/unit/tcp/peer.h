/* SPDX-License-Identifier: BSD-2-Clause */
/* An established connection by hand, whose peer is the test: what tests of tcp/ack and the timers share. */
#ifndef NARU_TESTS_UNIT_TCP_PEER_H
#define NARU_TESTS_UNIT_TCP_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pump/pump.h"
#include "tcp/ack/ack_int.h"
#include "tcp/base/info.h"
#include "tcp/conn/expire_int.h"

#define ISS 0xffffe000u /* the numbers wrap on the way */
#define SENT_MAX 4096

struct sent {
	uint64_t at_ns;
	uint32_t seq, len; /* relative to ISS */
	uint8_t flags;
};

/* What the device saw; one test program is one thread. */
struct capture {
	struct sent p[SENT_MAX];
	int num, taken;
};
extern struct capture cap;

struct world {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *st;
	struct tcp_sock *tp;
};

struct conn_spec {
	char cong[16];
	int mss, sack, ts, ecn, rtt_us, first_tsval, window, wscale;
};

/* A stack with one device, cut to packets of @gso_segs at most. */
void world_new(struct world *w, uint32_t gso_segs);
/* Virtual time runs to @until_ns, or to the first packet when @to_packet. */
void run(struct world *w, uint64_t until_ns, bool to_packet);
void wait_us(struct world *w, int us);
void connect_passively(struct world *w, const struct conn_spec *c);
/* Records of at most @record bytes (0: one MSS) are queued and pushed. */
void step_write(struct world *w, int delay_us, int bytes, uint32_t record);
/* @line: "ack DELAY_US ACK WINDOW E|- SACKS|- TSVAL|- TSECR|-" */
void step_ack(struct world *w, const char *line);

#endif

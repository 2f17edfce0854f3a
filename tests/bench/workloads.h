/* SPDX-License-Identifier: BSD-2-Clause */
/* The measured workloads and what a measured stack has to offer: struct peer_ops. */
#ifndef NARU_TESTS_BENCH_WORKLOADS_H
#define NARU_TESTS_BENCH_WORKLOADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_PORT 6000     /* first listening port */
#define BENCH_NUM_PORTS 16  /* W4 goes round them: each keeps its own TIME-WAIT connections */
#define BENCH_EXIT_SKIP 77

/* Which end of a connection: the one that connects, or the one that accepts. */
enum side { SIDE_CLIENT = 0, SIDE_SERVER = 1 };

struct peer;

/*
 * Two ends and the link between them. Handles are small numbers of the peer's own (>= 0). Sockets do
 * not block until set_blocking(). Calls that may fail return -1 and set errno.
 */
struct peer_ops {
	const char *name;
	/** open() - bring up both ends and the link; 0, or -1 after saying why on stderr. */
	int (*open)(struct peer *p);
	/** poll() - let time and frames pass where nobody else does it; never sleeps. */
	void (*poll)(struct peer *p);
	/** listen() - at BENCH_PORT + @port_idx; 0 or -1. */
	int (*listen)(struct peer *p, unsigned int port_idx);
	/** connect() - begin to connect; handle or -1. */
	int (*connect)(struct peer *p, unsigned int port_idx);
	/** accept() - handle; -1 with EAGAIN: none yet. */
	int (*accept)(struct peer *p, unsigned int port_idx);
	ssize_t (*send)(struct peer *p, enum side side, int h, const void *buf, size_t len);
	ssize_t (*recv)(struct peer *p, enum side side, int h, void *buf, size_t len);
	void (*set_nodelay)(struct peer *p, enum side side, int h);
	void (*set_blocking)(struct peer *p, enum side side, int h);
	void (*close)(struct peer *p, enum side side, int h);
};

struct peer {
	const struct peer_ops *ops;
	void *ctx; /* of the peer; set by open() */
	bool is_kernel_memory; /* W5: ask the slab allocator, not this process */
};

extern const struct peer_ops kernel_lo_peer_ops;      /* loopback with all offloads */
extern const struct peer_ops kernel_lo_1500_peer_ops; /* loopback, MTU 1500, no offloads */
extern const struct peer_ops kernel_veth_peer_ops;    /* two namespaces */
extern const struct peer_ops naru_wire_peer_ops;      /* two stacks, frames up to 64 KiB */
extern const struct peer_ops naru_wire_1500_peer_ops; /* two stacks, MTU 1500, checksums in software */
extern const struct peer_ops naru_lo_peer_ops;	      /* one stack with itself */
extern const struct peer_ops naru_shared_lo_peer_ops; /* the same, in memory that processes share */
extern const struct peer_ops naru_tap_send_peer_ops;  /* Naru connects to the kernel */
extern const struct peer_ops naru_tap_recv_peer_ops;  /* the kernel connects to Naru */

/*
 * Each workload brings its connection up on an open peer, runs @n operations and returns its figure;
 * a stack that does not get on, or delivers a wrong byte, ends the program with a message.
 */

/** bulk() - @n bytes in @chunk-byte writes, one thread. Return: CPU seconds for 10^9 bytes, both ends. */
double bulk(struct peer *p, uint64_t n, size_t chunk);
/** ping_pong() - @n round trips of @size bytes. Return: median in microseconds of wall time. */
double ping_pong(struct peer *p, uint64_t n, size_t size);
/** small_sends() - @n sends of @size bytes without Nagle, @batch in a row. Return: CPU microseconds a send, both ends. */
double small_sends(struct peer *p, uint64_t n, size_t size, unsigned int batch);
/** connections() - @n times connect, 64 bytes each way, close; TIME-WAIT is kept. Return: CPU microseconds each. */
double connections(struct peer *p, uint64_t n);
/** idle_memory() - @n connections that carried a byte each way. Return: bytes of memory for one end. */
double idle_memory(struct peer *p, uint64_t n);
/** scaled_ping_pong() - ping_pong() of 64 bytes beside @num_idle established connections. */
double scaled_ping_pong(struct peer *p, uint64_t n, uint64_t num_idle);

/** pair_ping_pong() - as ping_pong(), the ends in two processes on two cores; @is_spinning: nobody sleeps. */
double pair_ping_pong(struct peer *p, uint64_t n, size_t size, bool is_spinning);
/** pair_bulk() - as bulk(), the ends in two processes on two cores. */
double pair_bulk(struct peer *p, uint64_t n, size_t chunk);

struct conn_pair {
	int h[2]; /* by enum side */
};
/** make_pair() - one established connection to BENCH_PORT + @port_idx, without Nagle if @is_nodelay. */
struct conn_pair make_pair(struct peer *p, unsigned int port_idx, bool is_nodelay);
/** wall_now()/cpu_now() - seconds: of CLOCK_MONOTONIC, of processor time this process used. */
double wall_now(void);
double cpu_now(void);
/** fail_hard() - end the program with a message (printf format); errno is appended. */
void fail_hard(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
/** median_of() - of @n values, which are sorted. */
double median_of(double *v, size_t n);

#endif

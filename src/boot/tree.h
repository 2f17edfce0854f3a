/* SPDX-License-Identifier: BSD-2-Clause */
/* A tree of processes on one stack: what the supervisor and the shim agree on. */
#ifndef NARU_BOOT_TREE_H
#define NARU_BOOT_TREE_H

#include "api/file.h"
#include "boot/world.h"

#define TREE_MAX_PROCS 4096u
#define TREE_SUPERVISOR_SLOT 1u
#define TREE_FD_MIN 900 /* descriptors of ours stand above the ones programs count from */

/* Environment of every program of the tree: descriptor numbers, decimal. */
#define TREE_ENV_ARENA "NARU_FD_ARENA"
#define TREE_ENV_CONTROL "NARU_FD_CONTROL"
#define TREE_ENV_KICK "NARU_FD_KICK"
#define TREE_ENV_DEVICE "NARU_FD_DEVICE"
#define TREE_ENV_CAPTURE "NARU_FD_CAPTURE"
#define TREE_ENV_SLOT "NARU_SLOT" /* "slot:pid" of the process that called exec */

struct tree_proc {
	_Atomic uint32_t pid;	   /* 0: free slot. Written by who claims or frees it */
	_Atomic uint32_t has_left; /* it ended of its own accord: its sockets close as usual */
	uint16_t parent;	   /* slot */
};

/* In the arena: roots[ARENA_ROOT_SUPERVISOR]. Written before the first program starts, except procs. */
struct tree {
	struct stack *stack;
	struct netdev *dev;	/* the one with a descriptor; NULL: loopback only */
	struct netdev *capture; /* decorator around it; NULL: none */
	struct tree_proc procs[TREE_MAX_PROCS];
};

enum tree_msg_kind {
	TREE_HELLO = 1,	   /* a process joined; descriptor: its pidfd */
	TREE_WATCH_FILE,   /* object: file handle; descriptor: far end of its placeholder */
	TREE_WATCH_EPOLL,  /* object: epoll handle; descriptor: event descriptor of its sleepers */
	TREE_FORGET_EPOLL, /* object: epoll handle */
};

/* One packet on the control socket; at most one descriptor rides on it. */
struct tree_msg {
	uint32_t kind; /* enum tree_msg_kind */
	uint32_t slot; /* of the sender */
	uint64_t object; /* pool handle */
};

/** tree_create() - the supervisor's: makes the process table of @w and takes slot TREE_SUPERVISOR_SLOT. -ENOMEM. */
int tree_create(struct naru_world *w, struct stack *st, struct tree **ret) MUST_CHECK;
/** tree_of() - the tree of an attached world, NULL when it has none. */
struct tree *tree_of(const struct naru_world *w);
/** tree_join() - claim a slot for this process and make it its own. Return: slot, -EAGAIN when all are taken. */
int tree_join(struct tree *t, uint32_t pid, uint16_t parent) MUST_CHECK;
/** tree_reserve() - before fork: a slot for the child, named as ours, so that the child is known from its first moment. */
int tree_reserve(struct tree *t, uint16_t parent);
/** tree_join_reserved() - the child takes it; false when @slot is not one. */
bool tree_join_reserved(struct tree *t, int slot, uint32_t pid) MUST_CHECK;
/** tree_child_of() - a process whose parent is @slot, 0: none. */
uint16_t tree_child_of(const struct tree *t, uint16_t slot);
/** tree_rejoin() - after exec: take up @slot again. Return: false when it is not this process's. */
bool tree_rejoin(struct tree *t, uint16_t slot, uint32_t pid) MUST_CHECK;
/** tree_kick_fd() - event descriptor for the driver of the tree, registered for this process; fd or -errno. */
int tree_kick_fd(struct tree *t);
/** tree_use_fds() - a program's descriptors: kick, device and capture (-1: none). */
int tree_use_fds(struct tree *t, int kick, int device, int capture);
/**
 * tree_add_device() - the tree's way out, up: TAP or stream descriptor, optionally behind a capture file
 * @capture_fd: -1: none. Return: 0 or what creating and starting it answered.
 */
int tree_add_device(struct tree *t, const char *name, int fd, bool is_stream, uint32_t mtu, int capture_fd) MUST_CHECK;
/** tree_step() - the supervisor drives: one pump_step() up to @span_ns from now, then kicks sleepers outside. */
void tree_step(struct tree *t, uint64_t span_ns);
/** tree_sweep() - process @slot is gone: what it held in its hands returns, the slot stays claimed. Packets freed. */
uint32_t tree_sweep(struct tree *t, uint16_t slot);
/** tree_free_slot() - nothing names the dead process any more. */
void tree_free_slot(struct tree *t, uint16_t slot);
/** tree_close_file() - close() as a program means it: linger waits, then work left over is done. */
int tree_close_file(struct file *f);
/** tree_run_pending() - before a caller sleeps: work that waits for the pump is done here and now. */
void tree_run_pending(struct stack *st);
/** tree_drop_file() - the supervisor closes for a program that ended: never waits. @is_reset: it was killed: the
 *  peer gets a reset, and references of its calls are void; no other process has the file. */
void tree_drop_file(struct file *f, bool is_reset);
/** tree_num_busy() - connections nobody owns that still have something to send or to finish. */
uint32_t tree_num_busy(const struct tree *t);

#endif

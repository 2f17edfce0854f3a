/* SPDX-License-Identifier: BSD-2-Clause */
/* An in-memory wire: its two directions, and what may happen to one frame on it. */
#ifndef NARU_DEV_WIRE_INT_H
#define NARU_DEV_WIRE_INT_H

#include "base/rbtree.h"
#include "dev/dev_int.h"

/* What direction-private scratch a frame carries in skb->cb while it is SKB_IN_WIRE. */
struct wire_cb {
	uint64_t deliver_ns; /* key of the set */
	uint64_t order;      /* ties are delivered in sending order */
	uint64_t start_ns;   /* its first bit leaves */
	bool is_lost;        /* takes its time like the others and then vanishes */
	bool is_waiting;     /* in wire_dir.waiting */
};

/* The line of one direction; all times stack time in ns. */
struct wire_line {
	struct wire_impair im;
	uint64_t busy_until_ns; /* the last bit of the last frame leaves */
	uint64_t rate_rem;      /* fraction of a ns of the last transmission, in 1/rate_bps */
	uint64_t last_ns;       /* latest delivery of a frame that keeps its place */
};

/* What will happen to one frame. */
struct wire_fate {
	uint64_t start_ns, deliver_ns;
	bool is_lost, is_corrupt, is_duplicate;
};

/**
 * wire_line_decide() - times and trouble of one frame, and advance the line
 * @bytes: on the wire; @now_ns: when it is handed over
 *
 * Draws from @rng only for impairments that are set, in the order loss, corruption, duplication, jitter,
 * reordering. Transmission takes exactly bytes * 8 / rate; fractions of a ns carry over while the line
 * stays busy. Without reordering no frame is delivered before an earlier one.
 */
void wire_line_decide(struct wire_line *ln, struct rng *rng, uint32_t bytes, uint64_t now_ns,
		      struct wire_fate *ret);

struct wire;

/* Frames on their way to one end; wire.lock. */
struct wire_dir {
	struct wire *wire;
	struct netdev *to; /* receiving end; NULL: gone */
	struct wire_line line;
	bool is_perfect; /* nothing is set in line.im */
	uint32_t num;    /* in set */
	uint64_t order;
	struct rb_root set;       /* skb->rb by (deliver_ns, order) */
	struct skb_queue waiting; /* those whose first bit has not left, by ->next; also in set */
	uint64_t armed_ns;        /* what timer is set to; UINT64_MAX: not set */
	struct hrtimer timer;     /* HRTIMER_WIRE, of to->stack, at the first delivery */
};

struct wire {
	struct lock lock; /* LOCK_WIRE */
	struct rng rng;
	struct page_frag frag; /* private copies of frames */
	bool has_digest;
	uint8_t num_ends;
	uint64_t digest, num_frames;
	struct wire_dir dir[2]; /* [0]: a to b, [1]: b to a */
};

/** wire_log_frame() - count a delivered frame and fold it into the digest; wire.lock held */
void wire_log_frame(struct wire *w, const struct wire_dir *d, const struct skb *skb, uint64_t ns);

#endif

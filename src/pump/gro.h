/* SPDX-License-Identifier: BSD-2-Clause */
/* Merging received TCP segments of one flow before the stack sees them (R01). */
#ifndef NARU_PUMP_GRO_H
#define NARU_PUMP_GRO_H

#include "core/skb.h"

#define GRO_BUCKETS 8u       /* R01.6 */
#define GRO_BUCKET_PKTS 8u   /* held in each */
#define GRO_MAX_BYTES 65536u /* merged IP packet stays below */

/* One packet that waits for its continuation. */
struct gro_held {
	struct skb *skb;
	uint32_t next_seq; /* first byte behind it */
	uint16_t mss;      /* payload of its first segment */
	uint16_t num;      /* segments merged */
	uint16_t first_id; /* IPv4 identification of the first */
	uint8_t id_mode;   /* enum gro_id_mode */
};

struct gro_bucket {
	struct gro_held held[GRO_BUCKET_PKTS]; /* oldest first */
	uint32_t num;
};

struct gro_table {
	struct gro_bucket buckets[GRO_BUCKETS];
};

/**
 * gro_receive() - one frame with its link header pulled: merge it, hold it, or pass it up
 * @skb: net_off at the network header, which is where data is; CONSUMED. Merged packets go to up_tab.l3_rcv:
 *       headers of the first, lengths of all, gso_size = wire size, gso_segs = count, CSUM_UNNECESSARY.
 * Context: LOCK_PUMP.
 */
void gro_receive(struct stack *st, struct gro_table *g, struct skb *skb);
/** gro_flush() - pass everything held up. */
void gro_flush(struct stack *st, struct gro_table *g);

#endif

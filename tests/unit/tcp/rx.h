/* SPDX-License-Identifier: BSD-2-Clause */
/* Received segments for the hand-made connection of fixture.h, as tcp_rcv() hands them on. */
#ifndef NARU_TESTS_TCP_RX_H
#define NARU_TESTS_TCP_RX_H

#include "fixture.h"

#include "tcp/in/in_int.h"

#define RX_HDRS 40u /* IPv4 and TCP without options */

/* A segment with @len zero bytes; acknowledges everything sent, window 64240. */
static inline struct skb *rx_segment(struct fx *f, uint8_t flags, uint32_t seq, uint32_t len)
{
	struct skb *s = netdev_rx_alloc(f->lo, RX_HDRS + len);
	struct tcp_hdr th = { .doff_res = 5 << 4, .flags = flags, .window_be = cpu_to_be16(64240) };
	struct tcp_skb_cb *cb;

	assert_non_null(s);
	th.seq_be = cpu_to_be32(seq);
	th.ack_be = cpu_to_be32(f->tp->snd_nxt);
	assert_int_equal(skb_store_bits(s, 20, &th, sizeof(th)), 0);
	s->net_off = s->data_off;
	s->th_off = s->data_off + 20;
	skb_pull(s, RX_HDRS);
	cb = tcp_cb(s);
	memset(cb, 0, sizeof(*cb));
	cb->seq = seq;
	cb->end_seq = seq + len + !!(flags & TCPH_SYN) + !!(flags & TCPH_FIN);
	cb->ack_seq = f->tp->snd_nxt;
	cb->flags = flags;
	cb->pcount = 1;
	cb->gso_size = (uint16_t)len;
	return s;
}

/* Payload straight to the queues, without ACK processing or answer. */
static inline void rx_data(struct fx *f, uint32_t seq, uint32_t end)
{
	tcp_data_queue(f->tp, rx_segment(f, TCPH_ACK, seq, end - seq));
}

static inline void rx_whole(struct fx *f, uint8_t flags, uint32_t seq, uint32_t end)
{
	tcp_rcv_established(f->tp, rx_segment(f, flags, seq, end - seq));
}

/* Expect: the list of blocks, most recent first; ends with 0. */
#define rx_expect_sacks(f, ...)                                                         \
	do {                                                                            \
		const uint32_t want_[] = { __VA_ARGS__ };                               \
		assert_int_equal((f)->tp->rx.num_sacks, ARRAY_SIZE(want_) / 2);         \
		for (unsigned int i_ = 0; i_ < (f)->tp->rx.num_sacks; i_++) {           \
			assert_int_equal((f)->tp->selective_acks[i_].start, want_[2 * i_]); \
			assert_int_equal((f)->tp->selective_acks[i_].end, want_[2 * i_ + 1]); \
		}                                                                       \
	} while (0)
#define rx_expect_dsack(f, s_, e_)                                                      \
	do {                                                                            \
		assert_true((f)->tp->rx.dsack_pending);                                 \
		assert_int_equal((f)->tp->duplicate_sack.start, s_);                    \
		assert_int_equal((f)->tp->duplicate_sack.end, e_);                      \
	} while (0)

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control modules: they see struct tcp_cong (statistics and time), never the connection.
 * One C file per module, one line in the table below's definition (boot/tables.c).
 */
#ifndef NARU_TCP_CC_CONG_H
#define NARU_TCP_CC_CONG_H

#include "tcp/base/tcp_sock.h"

enum cong_id { CONG_RENO = 0, CONG_CUBIC, CONG_NUM };

enum cong_event { CONG_EV_TX_START, CONG_EV_CWND_RESTART, CONG_EV_COMPLETE_CWR, CONG_EV_LOSS, CONG_EV_ECN_NO_CE, CONG_EV_ECN_IS_CE };

struct cong_ack { uint32_t pkts_acked; int32_t rtt_us; uint32_t in_flight; };

/* The narrow view: a module may read all and change cwnd, ssthresh, cwnd_cnt, pacing through it. */
struct tcp_cong {
	uint32_t *snd_cwnd, *snd_ssthresh, *snd_cwnd_cnt;
	uint32_t snd_cwnd_clamp, prior_cwnd, mss, srtt8_us, snd_una, snd_nxt, packets_out, in_flight, delivered, lost, gso_max_size;
	bool is_cwnd_limited, is_paced;
	uint8_t ca_state;
	uint64_t now_ns, tick_ns, lsndtime_ns, pacing_Bps;
	uint32_t hz;
	struct stack *stack;	/* counters (HyStart) */
	void *priv;		/* TCP_CONG_PRIV_BYTES */
};

struct cong_ops {
	char name[16];
	uint32_t priv_bytes;
	bool needs_ecn, is_non_restricted;
	/* every hook: sock lock held; may not sleep; absent hooks are NULL and handled by the wrappers */
	void (*init)(struct tcp_cong *c);
	uint32_t (*ssthresh)(struct tcp_cong *c);		       /* required */
	void (*cong_avoid)(struct tcp_cong *c, uint32_t ack, uint32_t acked); /* required unless cong_control */
	uint32_t (*undo_cwnd)(struct tcp_cong *c);		       /* required */
	void (*set_state)(struct tcp_cong *c, enum tcp_ca_state fresh);
	void (*cwnd_event)(struct tcp_cong *c, enum cong_event ev);
	void (*pkts_acked)(struct tcp_cong *c, const struct cong_ack *sample);
	uint32_t (*min_tso_segs)(struct tcp_cong *c);
	void (*cong_control)(struct tcp_cong *c, const struct tcp_rate_sample *rs);
	uint32_t sndbuf_factor;	/* 2 unless set */
};
extern const struct cong_ops *const cong_ops_tab[CONG_NUM];

/** tcp_slow_start()/tcp_cong_avoid_ai()/tcp_reno_*: shared arithmetic (C02). */
uint32_t tcp_slow_start(struct tcp_cong *c, uint32_t acked);
void tcp_cong_avoid_ai(struct tcp_cong *c, uint32_t w, uint32_t acked);
uint32_t tcp_reno_undo_cwnd(struct tcp_cong *c);

/* wrappers used by the other wings */
void tcp_init_congestion_control(struct tcp_sock *tp);
int tcp_set_congestion_control(struct tcp_sock *tp, const char *name);
int tcp_cong_find(const char *name); /* id or -ENOENT */
uint32_t tcp_ca_ssthresh(struct tcp_sock *tp);
void tcp_ca_cong_avoid(struct tcp_sock *tp, uint32_t ack, uint32_t acked);
uint32_t tcp_ca_undo_cwnd(struct tcp_sock *tp);
void tcp_set_ca_state(struct tcp_sock *tp, enum tcp_ca_state s);
void tcp_ca_event(struct tcp_sock *tp, enum cong_event ev);
void tcp_ca_pkts_acked(struct tcp_sock *tp, const struct cong_ack *sample);
bool tcp_ca_has_cong_control(const struct tcp_sock *tp);
void tcp_ca_cong_control(struct tcp_sock *tp, const struct tcp_rate_sample *rs);
uint32_t tcp_ca_min_tso(struct tcp_sock *tp, uint32_t def);
bool tcp_is_cwnd_limited(const struct tcp_sock *tp); /* T59.R2 */
/* cwr.c: the start of every reduction but Loss; transmit (local congestion) and ack (ECE, loss) begin one */
/** tcp_init_cwnd_reduction() - T77.5: HIGH = NXT, PRR counters 0, PRIORCWND, SSTHRESH = cc's, CWR flag queued. */
void tcp_init_cwnd_reduction(struct tcp_sock *tp);
/** tcp_enter_cwr() - T77.7: nothing when the state is CWR or worse already. */
void tcp_enter_cwr(struct tcp_sock *tp);
extern const struct cong_ops reno_cong_ops, cubic_cong_ops;

#endif

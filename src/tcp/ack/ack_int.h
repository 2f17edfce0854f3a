/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of tcp/ack tell each other while one acknowledgement is worked off. */
#ifndef NARU_TCP_ACK_ACK_INT_H
#define NARU_TCP_ACK_ACK_INT_H

#include "tcp/ack/ack.h"
#include "tcp/base/base.h"
#include "tcp/cc/cong.h"
#include "wire/seq.h"

/* What to send when the state machine is done (T72.11). */
enum rexmit { REXMIT_NONE = 0, REXMIT_LOST, REXMIT_NEW_DATA };

#define NO_RTT (-1) /* us */

/* Facts about one ACK, on the stack of tcp_ack(). */
struct ack_ctx {
	/* before it was worked off */
	uint32_t prior_una, prior_packets, prior_delivered, prior_lost;
	uint32_t prior_fack; /* first sequence number behind the highest SACKed record */
	/* the segment */
	uint32_t ack, seq, num_dupack;
	bool has_payload; /* payload, SYN or FIN */
	bool is_ece;      /* ECN echo on an ECN connection */
	/* what it did */
	bool una_advanced, window_updated;
	bool data_acked, syn_acked;
	bool data_sacked;     /* at least one record newly SACKed */
	bool retrans_acked;   /* covered a record that was sent twice: no RTT from it (Karn) */
	bool orig_sack_acked; /* a never-resent record below high_seq was delivered (F-RTO) */
	bool has_dsack, is_tlp_dsack;
	bool lost_retrans;     /* a retransmission was found lost */
	bool is_reneging;      /* the head is SACKed although UNA reached it */
	bool is_maybe_delayed; /* T74.2 */
	bool want_timer;       /* rearm RTO or TLP at the end */
	uint64_t first_sack_ns,
		last_sack_ns; /* send times of newly SACKed, never-resent records; 0 none */
	enum rexmit rexmit;
	struct tcp_rate_sample rs;
};

/** ack_is_dup() - nothing was delivered, sent or changed by it. */
static inline bool ack_is_dup(const struct ack_ctx *x)
{
	return !x->una_advanced && !x->data_acked && !x->syn_acked && !x->data_sacked &&
	       !x->has_payload && !x->window_updated;
}
static inline bool tcp_is_reducing(const struct tcp_sock *tp)
{
	return tp->ca_state == TCP_CA_CWR || tp->ca_state == TCP_CA_Recovery;
}
static inline uint32_t tcp_left_out(const struct tcp_sock *tp)
{
	return tp->sacked_out + tp->lost_out;
}
/** tcp_highest_sack_seq() - first sequence number behind the highest SACKed record; UNA: nothing SACKed. */
static inline uint32_t tcp_highest_sack_seq(const struct tcp_sock *tp)
{
	if (!tp->sacked_out)
		return tp->snd_una;
	return tp->highest_sack ? tcp_cb(tp->highest_sack)->seq : tp->snd_nxt;
}
/** tcp_kept_ssthresh() - what an undo goes back to: SSTHRESH, or 3/4 of the window if larger. */
static inline uint32_t tcp_kept_ssthresh(const struct tcp_sock *tp)
{
	if (tcp_is_reducing(tp))
		return tp->snd_ssthresh;
	return max_u32(tp->snd_ssthresh, (tp->snd_cwnd >> 1) + (tp->snd_cwnd >> 2));
}

/* ---- rtt_sample.c ---- */
/** tcp_ack_rtt() - T74.1-3: choose the sample; true when the estimator moved. Times in us, NO_RTT: none. */
bool tcp_ack_rtt(struct tcp_sock *tp, struct ack_ctx *x, int64_t seq_rtt_us, int64_t sack_rtt_us,
		 int64_t ca_rtt_us);

/* ---- clean.c (T73) ---- */
void tcp_clean_rtx_queue(struct tcp_sock *tp, struct ack_ctx *x);
void tcp_count_delivered(struct tcp_sock *tp, uint32_t packets, bool is_ece);

/* ---- sack.c (T75), dsack.c ---- */
void tcp_sack_tag(struct tcp_sock *tp, const struct tcp_sack_block *wire, int num, struct ack_ctx *x);
/** tcp_dsack_check() - T75.2: is the first block a D-SACK; counts it. */
bool tcp_dsack_check(struct tcp_sock *tp, const struct tcp_sack_block *wire, int num,
		     struct ack_ctx *x);
/** tcp_check_reordering() - T75.5: @low_seq came after what is SACKed above. @by_ts: seen by timestamps. */
void tcp_check_reordering(struct tcp_sock *tp, uint32_t low_seq, bool by_ts);
/* reno_sack.c, no SACK: duplicate ACKs counted as if SACKed (T75.6) */
void tcp_reno_add(struct tcp_sock *tp, uint32_t num_dupack, bool is_ece);
void tcp_reno_remove(struct tcp_sock *tp, uint32_t acked, bool is_ece);
void tcp_reno_limit(struct tcp_sock *tp, uint32_t addend);
void tcp_reno_mark_lost(struct tcp_sock *tp, bool una_advanced);

/* ---- rack.c (T76) ---- */
void tcp_rack_advance(struct tcp_sock *tp, uint8_t sacked, uint32_t end_seq, uint64_t xmit_ns);
void tcp_rack_update_window(struct tcp_sock *tp, const struct tcp_rate_sample *rs);
/** tcp_rack_left_us() - until @skb counts as lost with reordering window @window_us; <= 0: now. */
int64_t tcp_rack_left_us(const struct tcp_sock *tp, const struct skb *skb, uint32_t window_us);
uint32_t tcp_rack_window_us(const struct tcp_sock *tp);
/** tcp_identify_loss() - RACK, or the no-SACK rule T76.6. */
void tcp_identify_loss(struct tcp_sock *tp, struct ack_ctx *x);

/* ---- recovery.c (T77) ---- */
void tcp_ca_state_machine(struct tcp_sock *tp, struct ack_ctx *x);
void tcp_end_reduction(struct tcp_sock *tp);
void tcp_keep_open(struct tcp_sock *tp);
/** tcp_has_open_retrans() - a retransmission is unresolved. */
bool tcp_has_open_retrans(const struct tcp_sock *tp);

/* ---- undo.c (T79) ---- */
void tcp_undo_init(struct tcp_sock *tp);
bool tcp_undo_recovery(struct tcp_sock *tp);
bool tcp_undo_dsack(struct tcp_sock *tp);
bool tcp_undo_loss(struct tcp_sock *tp, bool by_frto);
bool tcp_undo_partial(struct tcp_sock *tp, const struct ack_ctx *x);

/* ---- loss.c (T80) ---- */
void tcp_ack_in_loss(struct tcp_sock *tp, struct ack_ctx *x);

/* ---- tlp.c (T82.2) ---- */
void tcp_tlp_ack(struct tcp_sock *tp, const struct ack_ctx *x);

/* ---- mtu.c (T36.8) ---- */
void tcp_mtu_probe_success(struct tcp_sock *tp);
void tcp_mtu_probe_fail(struct tcp_sock *tp);

/* ---- prr.c (T78) ---- */
/* The numbers of one PRR step. */
struct prr {
	uint32_t ssthresh, prior_cwnd, delivered, out, in_flight;
};
/** tcp_prr_sndcnt() - packets this ACK lets out. @p->delivered already holds @newly. */
uint32_t tcp_prr_sndcnt(const struct prr *p, uint32_t newly, bool may_add_one);

#endif

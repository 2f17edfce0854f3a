/* SPDX-License-Identifier: BSD-2-Clause */
/* State of one TCP connection, grouped by who uses it; names of the RFCs and of Linux's tcp_info. */
#ifndef NARU_TCP_BASE_TCP_SOCK_H
#define NARU_TCP_BASE_TCP_SOCK_H

#include "core/sock.h"
#include "wire/tcp.h"

#define TCP_INIT_CWND 10u
#define TCP_MSS_DEFAULT 536u
#define TCP_INFINITE_SSTHRESH 0x7fffffffu
#define TCP_RTO_INIT_NS (1000 * NS_PER_MS)
#define TCP_RTO_FALLBACK_NS (3000 * NS_PER_MS) /* after a handshake without sample (C08.5) */
#define TCP_DELACK_MIN_NS (40 * NS_PER_MS)
#define TCP_DELACK_MAX_NS (200 * NS_PER_MS)
#define TCP_ATO_MIN_NS (40 * NS_PER_MS)
#define TCP_MAX_QUICKACKS 16u
#define TCP_TIMEWAIT_NS (60 * NS_PER_S)
#define TCP_MAX_WSCALE 14u
#define TCP_NUM_SACKS 4u
#define TCP_CONG_PRIV_BYTES 128

/* NAG: nonagle bits (T0.2) */
#define TCP_NAGLE_OFF 1u
#define TCP_NAGLE_CORK 2u
#define TCP_NAGLE_PUSH 4u

enum tcp_ca_state { TCP_CA_Open = 0, TCP_CA_Disorder, TCP_CA_CWR, TCP_CA_Recovery, TCP_CA_Loss };

/* What the one retransmission-class timer is armed for (T60.4). */
enum tcp_write_timer { TCP_TIME_NONE = 0, TCP_TIME_RETRANS, TCP_TIME_LOSS_PROBE, TCP_TIME_REO, TCP_TIME_PROBE0 };

/* cb.sacked: loss state of one record (T0.3) */
#define TCPCB_SACKED_ACKED 0x01u
#define TCPCB_SACKED_RETRANS 0x02u
#define TCPCB_LOST 0x04u
#define TCPCB_TAGBITS 0x07u
#define TCPCB_REPAIRED 0x10u
#define TCPCB_EVER_RETRANS 0x80u
#define TCPCB_RETRANS (TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED)

/* In skb->cb while TCP holds the packet. */
struct tcp_skb_cb {
	uint32_t seq;	  /* first byte */
	uint32_t end_seq; /* seq + payload + SYN + FIN */
	uint32_t ack_seq; /* rx: acknowledgement number */
	uint16_t pcount;  /* tx: packets of gso_size; 0: not computed. rx: wire segments (GRO), at least 1 */
	uint16_t gso_size;
	uint8_t flags;	  /* TCPH_* */
	uint8_t sacked;	  /* TCPCB_* */
	uint8_t ds;	  /* rx: DS field */
	bool is_eor;	  /* tx: no byte may be appended (MSG_EOR) */
	bool is_app_limited;
	bool has_tstamp;  /* rx: SO_TIMESTAMP wanted */
	uint16_t opt_len; /* rx: option bytes; they start 20 bytes behind th_off */
	/* tx: delivery-rate snapshot (C07.2) */
	uint32_t tx_delivered, tx_delivered_ce;
	uint64_t tx_first_ns, tx_delivered_ns;
};
_Static_assert(sizeof(struct tcp_skb_cb) <= SKB_CB_BYTES, "tcp_skb_cb must fit skb->cb");
static inline struct tcp_skb_cb *tcp_cb(const struct skb *skb) { return (struct tcp_skb_cb *)skb->cb; }

/* Options of the segment being received, and what was negotiated. */
struct tcp_rx_opts {
	uint32_t ts_recent;	  /* TSREC */
	uint64_t ts_recent_wall_s; /* second at which it was stored; 0 none (TSREC_T) */
	uint32_t rcv_tsval, rcv_tsecr; /* of the present segment */
	bool saw_tstamp;	  /* the present segment has one */
	bool tstamp_ok, sack_ok, wscale_ok, ecn_ok; /* negotiated */
	bool dsack_pending;	  /* duplicate_sack[] is to be sent */
	uint8_t snd_wscale, rcv_wscale;
	uint8_t num_sacks;
	uint16_t user_mss, mss_clamp; /* TCP_MAXSEG; peer's MSS limited by it */
};

struct minmax_sample { uint64_t t; uint32_t v; };
/* Windowed minimum or maximum over three candidates. */
struct minmax { struct minmax_sample s[3]; };

/* RACK (T76) */
struct tcp_rack {
	uint64_t mstamp_ns;	/* send time of the latest-sent delivered record */
	uint32_t rtt_us;
	uint32_t end_seq;
	uint32_t last_delivered;
	uint8_t reo_wnd_steps, reo_wnd_persist;
	bool dsack_seen, advanced;
};

/* One delivery-rate sample, filled while an ACK is processed (T83, C07). */
struct tcp_rate_sample {
	uint64_t prior_mstamp_ns; /* 0: invalid */
	uint32_t prior_delivered, prior_delivered_ce;
	int32_t delivered, delivered_ce;
	int64_t interval_us, snd_interval_us, rcv_interval_us;
	int64_t rtt_us;		/* -1 none */
	int32_t losses;
	uint32_t acked_sacked, prior_in_flight, last_end_seq;
	bool is_app_limited, is_retrans, is_ack_delayed, is_ece;
};

struct tcp_sock {
	struct sock sk;

	/* ---- send, hot ---- */
	uint32_t snd_una, snd_nxt, write_seq, pushed_seq; /* UNA NXT WEND PUSHED */
	uint32_t snd_wnd, max_window, snd_wl1;
	uint32_t snd_up, snd_sml;
	uint32_t packets_out, sacked_out, lost_out, retrans_out; /* OUT SACKED LOST RETR, in packets */
	uint32_t snd_cwnd, snd_ssthresh, snd_cwnd_cnt, snd_cwnd_clamp;
	uint32_t mss_cache;	/* payload bytes, fixed header part taken off */
	uint16_t tcp_header_len; /* 20 + negotiated fixed options (12 with timestamps) */
	uint16_t gso_segs;	/* cached size goal in segments (T23.4) */
	uint8_t nonagle;	/* NAG */
	uint8_t ca_state;
	uint8_t write_timer_kind; /* enum tcp_write_timer */
	uint8_t ecn_flags;	/* TCP_ECN_* */
	_Atomic uint32_t tsq_throttled; /* T47: sending waits for a completion; set under the lock, cleared by it */
	uint64_t now_ns;	/* CLK: refreshed by tcp_mstamp_refresh() at each entry */
	uint64_t wstamp_ns;	/* WSTAMP */
	struct skb_queue write_queue; /* not yet sent; first is the send head */
	struct skb_queue rtx_queue;   /* sent, ordered by seq */
	struct list tsorted;	/* rtx records by last transmit time */
	struct skb *highest_sack;    /* newest record SACKed plus one, as a hint; NULL: none */
	struct skb *retransmit_hint; /* first record that may need retransmission; NULL: start of rtx_queue */

	/* ---- RTT and timers ---- */
	uint32_t srtt8_us, mdev4_us, mdev_max4_us, rttvar_us, rtt_seq;
	struct minmax rtt_min;	/* MINRTT, us; window tcp_min_rtt_wlen */
	uint64_t rto_ns, rto_min_ns, rto_max_ns, delack_max_ns;
	uint8_t backoff, retransmits, probes_out, keepalive_probes_sent, syn_retries;
	uint64_t retrans_stamp_ns; /* first retransmission of the episode; 0 none */
	uint64_t probes_stamp_ns;
	uint64_t write_timeout_ns; /* when the write timer is really due; the wheel may fire earlier */
	uint64_t delack_timeout_ns;
	struct timer write_timer, delack_timer, keepalive_timer;
	struct hrtimer pacing_timer, compack_timer;
	uint32_t user_timeout_ms;
	uint32_t keepalive_time_s, keepalive_intvl_s; /* 0: sysctl */
	uint8_t keepalive_probes;

	/* ---- recovery ---- */
	uint32_t high_seq, prior_cwnd, prior_ssthresh, undo_marker;
	int32_t undo_retrans;
	uint32_t prr_delivered, prr_out;
	uint32_t tlp_high_seq;
	bool tlp_retrans, frto, frto_maybe_lost, is_cwnd_limited, is_sack_reneg, prev_ca_is_ecn, rate_app_limited, fackets_reo_seen;
	uint32_t reordering, reord_seen;
	uint32_t max_packets_out, cwnd_usage_seq, snd_cwnd_used; /* T59 */
	uint64_t snd_cwnd_stamp_ns, lsndtime_ns;
	struct tcp_rack rack;
	uint32_t delivered, delivered_ce, lost, app_limited;
	uint64_t first_tx_ns, delivered_ns;
	uint32_t rate_delivered; uint64_t rate_interval_us;
	uint32_t total_retrans, dsack_dups, bytes_acked_hi;
	uint64_t bytes_acked, bytes_sent, bytes_retrans, bytes_received;
	uint32_t data_segs_out, data_segs_in, segs_out, segs_in, rcv_ooopack, timeout_rehash;
	uint16_t total_rto, total_rto_recoveries; /* timeouts; episodes of them */
	uint32_t total_rto_time_ms; /* time spent in finished episodes */
	uint64_t rto_stamp_ns;	/* first timeout of the present episode, 0 none */
	uint32_t mtu_probe_size, mtu_probe_start, mtu_probe_end, mtu_search_low, mtu_search_high;
	bool mtu_probe_enabled;
	uint64_t mtu_probe_stamp_ns;
	uint32_t pmtu_cookie;	/* MTU for which mss_cache was computed */
	uint64_t chrono_start_ns, chrono_stat_ns[3];
	uint8_t chrono_type;	/* enum tcp_chrono */

	/* ---- receive ---- */
	uint32_t rcv_nxt, rcv_wup, copied_seq, rcv_wnd; /* RNXT RWUP CPY RWND */
	uint32_t rcv_ssthresh, window_clamp;	/* SSTH CLAMP */
	uint32_t urg_seq; uint16_t urg_data;	/* TCP_URG_* | byte */
	struct tcp_rx_opts rx;
	struct rb_root ofo;	/* skb->rb by seq */
	struct skb *ofo_last;
	struct tcp_sack_block selective_acks[TCP_NUM_SACKS], duplicate_sack, recv_sack_cache[TCP_NUM_SACKS];
	uint16_t advmss, rcv_mss; /* rcv_mss: EMSS */
	uint16_t rcv_mss_candidate;
	uint8_t scaling_ratio;	/* RATIO */
	uint8_t ack_pending;	/* TCP_ACK_* */
	uint8_t quick, pingpong, compressed_ack, dup_ack_counter;
	uint8_t ack_retry;	/* failed attempts to allocate an ACK in a row (T97.5) */
	uint64_t ato_ns, lrcvtime_ns, last_oow_ack_ns, rcv_tstamp_ns; /* rcv_tstamp: last ACK received */
	uint32_t compressed_ack_rcv_nxt;
	uint32_t rcv_rtt_us8, rcv_rtt_seq; uint64_t rcv_rtt_ns; uint32_t rcv_rtt_last_tsecr;
	uint32_t rcvq_space, rcvq_seq; uint64_t rcvq_ns; /* DRS */
	bool is_rcv_slow_wnd;

	/* ---- life ---- */
	uint32_t snt_isn, rcv_isn, ts_offset; /* ts_offset in ms ticks */
	uint64_t syn_stamp_ns;	/* first SYN */
	uint32_t first_syn_tsval; /* undo of a SYN retransmission */
	int32_t linger2_s;	/* 0 sysctl, -1: at once */
	uint8_t defer_accept;
	bool is_connecting;	/* connect() has not reported the outcome yet (T92.6) */
	bool is_associated;	/* connect() or accept() succeeded, and no disconnect since */
	bool is_in_backlog;	/* backlog packets are being worked off: ACKs wait for the release (R44.8) */
	bool is_orphan_done;	/* the orphan's own reference is dropped */
	bool repair, is_passive, is_syn_data, recvmsg_inq, thin_lto, save_syn, is_deferred_connect, is_writer_waiting, is_fin_queued, is_time_wait_due;
	uint8_t repair_queue;
	uint32_t notsent_lowat, tx_delay_us;
	uint32_t icmp_mtu;	/* MTU of the last "too big", until it is worked off */
	uint64_t orphan_deadline_ns;

	/* ---- listener ---- */
	struct list accept_queue;  /* children by accept_node, completion order */
	struct list accept_node;   /* as a child waiting for accept() */
	struct list req_list;	   /* struct tcp_req */
	uint32_t ack_backlog, max_ack_backlog, num_reqs, num_young_reqs;
	struct sock *listener;	   /* of an unaccepted child: one reference */
	uint64_t syncookie_last_ns;
	bool syn_flood_warned;

	/* ---- congestion control ---- */
	uint8_t cong_id;	/* cong_ops_tab[] */
	bool cong_initialized;
	uint64_t cong_priv[TCP_CONG_PRIV_BYTES / 8];
};

static inline struct tcp_sock *tcp_sk(const struct sock *sk) { return (struct tcp_sock *)sk; }

enum tcp_chrono { TCP_CHRONO_NONE = 0, TCP_CHRONO_BUSY, TCP_CHRONO_RWND_LIMITED, TCP_CHRONO_SNDBUF_LIMITED };

/* tp->ack_pending (spec 0.2 of rx-path) */
#define TCP_ACK_SCHED 0x01u
#define TCP_ACK_TIMER 0x02u
#define TCP_ACK_PUSHED 0x04u
#define TCP_ACK_PUSHED2 0x08u
#define TCP_ACK_NOW 0x10u
#define TCP_ACK_NOMEM 0x20u

#define TCP_ECN_OK 0x01u
#define TCP_ECN_QUEUE_CWR 0x02u
#define TCP_ECN_DEMAND_CWR 0x04u
#define TCP_ECN_SEEN 0x08u

#define TCP_URG_VALID 0x0100u
#define TCP_URG_NOTYET 0x0200u
#define TCP_URG_READ 0x0400u

/* Half-open connection of a listener (R15-R22). Lives in the established table and in req_list. */
struct tcp_req {
	struct conn conn;
	struct sock *listener;	/* one reference */
	struct list node;	/* listener->req_list; listener lock */
	struct timer timer;	/* TIMER_TCP_REQ */
	struct dst *dst;
	uint64_t synack_ns;	/* first SYN-ACK sent */
	uint64_t expires_ns, timeout_ns, last_oow_ns;
	uint32_t rcv_isn, snt_isn, rcv_nxt, snt_wnd, rcv_wnd, window_clamp;
	uint32_t ts_recent, ts_offset, snt_tsval_first, snt_tsval_last;
	uint32_t mark, tos_in, ifindex;
	uint16_t mss;
	uint8_t snd_wscale, rcv_wscale, num_timeout, num_retrans;
	bool tstamp_ok, sack_ok, wscale_ok, ecn_ok, is_acked, is_cookie;
};

/* TIME-WAIT and FIN-WAIT-2 mini socket (R51). */
struct tcp_tw {
	struct conn conn;
	struct hnode bind_node;
	struct bind_bucket *bucket;
	struct timer timer;	/* TIMER_TCP_TW */
	uint64_t last_oow_ns, ts_recent_wall_s, entered_ns;
	uint32_t rcv_nxt, snd_nxt, rcv_wnd, ts_recent, ts_offset, mark, flowlabel;
	_Atomic uint8_t is_killed; /* somebody has unhashed it already */
	uint8_t substate;	/* TCP_FIN_WAIT2 or TCP_TIME_WAIT */
	uint8_t rcv_wscale, tos;
	bool tstamp_ok;
};

/* Per stack: stack->tcp. */
struct tcp_stack {
	struct siphash_key isn_key, ts_key, cookie_key[2];
	_Atomic uint32_t challenge_count; _Atomic uint64_t challenge_second;
	_Atomic int64_t pages;	/* protocol memory, 4096-byte units (T89.3) */
	uint8_t default_cong_id;
};

/** tcp_mstamp_refresh() - one clock read per entry (T35.R1). */
static inline void tcp_mstamp_refresh(struct tcp_sock *tp) { tp->now_ns = stack_now_ns(tp->sk.stack); }
static inline uint32_t tcp_packets_in_flight(const struct tcp_sock *tp)
{
	return tp->packets_out - (tp->sacked_out + tp->lost_out) + tp->retrans_out;
}
static inline uint32_t tcp_wnd_end(const struct tcp_sock *tp) { return tp->snd_una + tp->snd_wnd; }
static inline bool tcp_in_slow_start(const struct tcp_sock *tp) { return tp->snd_cwnd < tp->snd_ssthresh; }
static inline bool tcp_is_sack(const struct tcp_sock *tp) { return tp->rx.sack_ok; }
static inline bool tcp_urg_mode(const struct tcp_sock *tp) { return tp->snd_una != tp->snd_up; }
static inline bool tcp_rtx_and_write_queues_empty(const struct tcp_sock *tp)
{
	return !tp->rtx_queue.first && tp->write_seq == tp->snd_nxt;
}
/** tcp_time_stamp() - value for the timestamp option at @ns (R25.2). */
static inline uint32_t tcp_time_stamp(const struct tcp_sock *tp, uint64_t ns) { return (uint32_t)(ns / NS_PER_MS) + tp->ts_offset; }
/** tcp_receive_window() - WINLEFT: bytes still offered to the peer. */
static inline uint32_t tcp_receive_window(const struct tcp_sock *tp)
{
	int32_t win = (int32_t)(tp->rcv_wup + tp->rcv_wnd - tp->rcv_nxt);
	return win < 0 ? 0 : (uint32_t)win;
}
static inline uint64_t tcp_tick_ns(const struct tcp_sock *tp) { return tp->sk.stack->timers.tick_ns; }
/** tcp_ns_to_ticks_up() - ticks, rounded up, as Linux's timer rules count (T0.2 TQ). */
static inline uint64_t tcp_ns_to_ticks_up(const struct tcp_sock *tp, uint64_t ns) { return div_up_u64(ns, tcp_tick_ns(tp)); }

#endif

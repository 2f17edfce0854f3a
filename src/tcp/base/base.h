/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/base: the state's own pure rules. Sends nothing, calls no other wing. The sock lock is held. */
#ifndef NARU_TCP_BASE_BASE_H
#define NARU_TCP_BASE_BASE_H

#include "tcp/base/tcp_sock.h"

struct tcp_info_full; /* tcp/base/info.h */

/* ---- mem.c: protocol memory (T89) ---- */
/** tcp_wmem_schedule() - may @bytes more be charged? Reserves pages into forward_alloc. (T89.3-5) */
bool tcp_wmem_schedule(struct tcp_sock *tp, uint32_t bytes) MUST_CHECK;
/** tcp_wmem_force() - charge without asking (first record, splits, FIN). */
void tcp_wmem_force(struct tcp_sock *tp, uint32_t bytes);
bool tcp_rmem_schedule(struct tcp_sock *tp, uint32_t bytes) MUST_CHECK;
/** tcp_wmem_queued_add()/sub() - WQ and forward_alloc together. */
void tcp_wmem_queued_add(struct tcp_sock *tp, uint32_t bytes);
void tcp_wmem_queued_sub(struct tcp_sock *tp, uint32_t bytes);
void tcp_mem_uncharge_rx(struct tcp_sock *tp, uint32_t bytes);
/** tcp_mem_reclaim() - give back whole unused pages (T89.7). */
void tcp_mem_reclaim(struct tcp_sock *tp);
bool tcp_under_memory_pressure(const struct tcp_sock *tp);
void tcp_enter_memory_pressure(struct stack *st);
/** tcp_stream_moderate_sndbuf() - T89.6 */
void tcp_stream_moderate_sndbuf(struct tcp_sock *tp);
/** tcp_stream_memory_free() - T25.1 test; tcp_stream_is_writeable() - T88.3 (poll, wake). */
bool tcp_stream_memory_free(const struct tcp_sock *tp);
bool tcp_stream_is_writeable(const struct tcp_sock *tp);
uint32_t tcp_notsent_lowat(const struct tcp_sock *tp);

/* ---- rtxq.c: records and the two queues (T0.3, T41, T46) ---- */
struct skb *tcp_send_head(const struct tcp_sock *tp);
/** tcp_stream_alloc_skb() - empty record; @force for the first (T25.3). NULL: no memory. */
struct skb *tcp_stream_alloc_skb(struct tcp_sock *tp, bool force);
/** tcp_skb_entail() - T25.4: append the empty record to the write queue. */
void tcp_skb_entail(struct tcp_sock *tp, struct skb *skb);
/** tcp_remove_empty_skb() - T31.R7 */
void tcp_remove_empty_skb(struct tcp_sock *tp);
void tcp_wmem_free_skb(struct tcp_sock *tp, struct skb *skb);
void tcp_set_skb_tso_segs(struct skb *skb, uint32_t mss);
/** tcp_fragment() - T46: split @skb (in @q: write or rtx queue) at @len. 0, -ENOMEM, -EINVAL. */
int tcp_fragment(struct tcp_sock *tp, struct skb_queue *q, struct skb *skb, uint32_t len, uint32_t mss) MUST_CHECK;
/** tcp_adjust_pcount() - @decr packets fewer (negative: more) in a sent record: OUT, SACKED, LOST, RETR. */
void tcp_adjust_pcount(struct tcp_sock *tp, const struct skb *skb, int decr);
/** tcp_skb_can_merge() - may payload of @from, which follows, go to the end of @to (T41). */
bool tcp_skb_can_merge(const struct skb *to, const struct skb *from);
/** tcp_skb_merge_marks() - flags, EOR mark and timestamp request of the used up @from pass to @to. */
void tcp_skb_merge_marks(struct skb *to, const struct skb *from);
/** tcp_skb_shift() - move up to @len payload bytes between neighbours of @q; 0: fragments would not fit. */
uint32_t tcp_skb_shift(struct tcp_sock *tp, struct skb_queue *q, struct skb *to, struct skb *from, uint32_t len);
/** tcp_trim_head() - drop acknowledged bytes from a record's front: sequence, charge and pcount follow. */
int tcp_trim_head(struct tcp_sock *tp, struct skb *skb, uint32_t len);
/** tcp_grow_skb() - T41 */
void tcp_grow_skb(struct tcp_sock *tp, struct skb *skb, uint32_t missing_bytes);
/** tcp_rtx_insert() - move the record from write to rtx queue (tail). */
void tcp_rtx_queue_add(struct tcp_sock *tp, struct skb *skb);
/** tcp_rtx_queue_unlink_and_free() - an acknowledged or joined record goes; the hints move off it. */
void tcp_rtx_queue_unlink_and_free(struct tcp_sock *tp, struct skb *skb);
void tcp_write_queue_purge(struct tcp_sock *tp);
void tcp_highest_sack_reset(struct tcp_sock *tp);
/** tcp_chrono_start/stop() - T58 */
void tcp_chrono_start(struct tcp_sock *tp, enum tcp_chrono type);
void tcp_chrono_stop(struct tcp_sock *tp, enum tcp_chrono type);

/* ---- mss.c (T23) ---- */
uint32_t tcp_mtu_to_mss(const struct tcp_sock *tp, uint32_t pmtu);
uint32_t tcp_mss_to_mtu(const struct tcp_sock *tp, uint32_t mss);
/** tcp_sync_mss() - recompute mss_cache for a path MTU (T23.2). */
uint32_t tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu);
/** tcp_current_mss() - with the options a data segment would carry now (T23.3). */
uint32_t tcp_current_mss(struct tcp_sock *tp);
/** tcp_send_mss() - current MSS and *ret_goal (T23.4). */
uint32_t tcp_send_mss(struct tcp_sock *tp, uint32_t *ret_goal, int flags);
void tcp_mtup_init(struct tcp_sock *tp);
uint32_t tcp_bound_to_half_wnd(const struct tcp_sock *tp, uint32_t bytes);
/** tcp_established_options_len() - option bytes of an ordinary segment now, SACK blocks included. */
uint32_t tcp_established_options_len(const struct tcp_sock *tp);
/** tcp_gso_max_bytes() - payload one record may carry at most (T23.4). */
uint32_t tcp_gso_max_bytes(const struct tcp_sock *tp);

/* ---- window.c (T51, R36-R39) ---- */
uint32_t tcp_win_from_space(const struct tcp_sock *tp, uint32_t space);
uint32_t tcp_space_from_win(const struct tcp_sock *tp, uint32_t win);
/** tcp_space() - usable receive space now; tcp_full_space() - with an empty queue. */
uint32_t tcp_space(const struct tcp_sock *tp);
uint32_t tcp_full_space(const struct tcp_sock *tp);
/** __tcp_select_window() - R38.1-3; tcp_select_window() - what goes on the wire, with side effects (R38.4-5). */
uint32_t tcp_compute_window(struct tcp_sock *tp);
uint16_t tcp_select_window(struct tcp_sock *tp);
/** tcp_select_initial_window() - R37. @mss: MSS_adv (12 less with timestamps). */
void tcp_select_initial_window(const struct stack *st, uint32_t space, uint32_t mss, bool wscale_ok, uint32_t init_rcv_wnd_segs,
			       uint32_t *window_clamp, uint32_t *ret_rcv_wnd, uint8_t *ret_wscale);
/** tcp_acceptable_seq() - sequence for control segments (T51). */
uint32_t tcp_acceptable_seq(const struct tcp_sock *tp);

/* ---- pacing.c (T37, T39, T55, T85.1) ---- */
void tcp_update_pacing_rate(struct tcp_sock *tp);
uint32_t tcp_tso_autosize(const struct tcp_sock *tp, uint32_t mss, uint32_t min_tso);
/** tcp_update_skb_after_send() - T55: stamp, move in tsorted, advance WSTAMP. */
void tcp_update_skb_after_send(struct tcp_sock *tp, struct skb *skb, uint64_t prior_wstamp_ns);
/** tcp_pacing_delay_ns() - how long until WSTAMP; 0: may send. */
uint64_t tcp_pacing_delay_ns(const struct tcp_sock *tp);

/* ---- rtt.c (T74, C08) ---- */
/** tcp_rtt_estimator() - one sample of @rtt_us into SRTT8, MDEV, RTTVAR. */
void tcp_rtt_estimator(struct tcp_sock *tp, uint32_t rtt_us);
/** tcp_set_rto() - RTO in whole ticks from the estimator (C08.3). */
void tcp_set_rto(struct tcp_sock *tp);
uint32_t tcp_min_rtt_us(const struct tcp_sock *tp); /* UINT32_MAX: none */
/** tcp_rto_min_us() - lower bound of RTTVAR: the socket's, or the route's when locked (T74.7). */
uint32_t tcp_rto_min_us(const struct tcp_sock *tp);
void tcp_update_rtt_min(struct tcp_sock *tp, uint32_t rtt_us);
/** tcp_init_rtt() - new connection: no estimate, RTO 1 s, no MINRTT. */
void tcp_init_rtt(struct tcp_sock *tp);
/** tcp_rtt_fallback() - established without any sample: RTO 3 s (C08.5). */
void tcp_rtt_fallback(struct tcp_sock *tp);
uint32_t minmax_running_min(struct minmax *m, uint64_t win, uint64_t t, uint32_t v);
uint32_t minmax_running_max(struct minmax *m, uint64_t win, uint64_t t, uint32_t v);
uint32_t minmax_reset(struct minmax *m, uint64_t t, uint32_t v);

/* ---- rate.c (T19, T83) ---- */
void tcp_rate_skb_sent(struct tcp_sock *tp, struct skb *skb);
void tcp_rate_skb_delivered(struct tcp_sock *tp, struct skb *skb, struct tcp_rate_sample *rs);
void tcp_rate_gen(struct tcp_sock *tp, uint32_t delivered, uint32_t lost, bool is_sack_reneg, struct tcp_rate_sample *rs);
void tcp_rate_check_app_limited(struct tcp_sock *tp);

/* ---- info.c ---- */
/** tcp_get_info() - struct tcp_info, every field with Linux's meaning. */
void tcp_get_info(struct tcp_sock *tp, struct tcp_info_full *ret);

/* ---- state.c ---- */
/** tcp_set_state() - CurrEstab, EstabResets (from ESTABLISHED/CLOSE-WAIT to CLOSE), unhash at CLOSE. */
void tcp_set_state(struct tcp_sock *tp, enum sock_state s);
uint32_t tcp_secure_isn(struct stack *st, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport, uint16_t dport);
uint32_t tcp_secure_ts_offset(struct stack *st, const struct ipaddr *saddr, const struct ipaddr *daddr, uint16_t sport, uint16_t dport);

/* ---- ecn.c (T52, R47) pure parts are inline in tcp/out and tcp/in ---- */

/* ---- checker (decision 8): 0 or the number of broken invariants; counts NaruCheckerFailures ---- */
int tcp_check_invariants(const struct tcp_sock *tp);

#endif

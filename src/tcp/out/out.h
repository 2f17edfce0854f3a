/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/out: from the write queue to IP. The sock lock is held in every call. */
#ifndef NARU_TCP_OUT_OUT_H
#define NARU_TCP_OUT_OUT_H

#include "tcp/base/tcp_sock.h"

/* push.c */
void tcp_push(struct tcp_sock *tp, int flags, uint32_t mss_now, uint8_t nonagle, uint32_t size_goal);	/* T33 */
void tcp_mark_push(struct tcp_sock *tp, struct skb *skb);
bool tcp_forced_push(const struct tcp_sock *tp);
void __tcp_push_pending_frames(struct tcp_sock *tp, uint32_t mss_now, uint8_t nonagle);		/* T34.1-3 */
void tcp_push_pending_frames(struct tcp_sock *tp);						/* T34.4 */
void tcp_push_one(struct tcp_sock *tp, uint32_t mss_now);					/* T34.5 */
/* write_xmit.c */
bool tcp_write_xmit(struct tcp_sock *tp, uint32_t mss_now, uint8_t nonagle, int push_one);	/* T35 */
void tcp_cwnd_validate(struct tcp_sock *tp, bool is_cwnd_limited);				/* T59 */
void tcp_slow_start_after_idle_check(struct tcp_sock *tp);					/* T85.2 */
/* transmit.c: 0, or a verdict as T49.9 says (negative errno, 1 dropped) */
int tcp_transmit_skb(struct tcp_sock *tp, struct skb *skb, bool clone_it);			/* T49 */
/* control.c: segments without data */
void tcp_send_ack(struct tcp_sock *tp);								/* T97.5 */
void tcp_send_fin(struct tcp_sock *tp);								/* T94.2 */
void tcp_send_active_reset(struct tcp_sock *tp);						/* T94.9 */
int tcp_send_syn(struct tcp_sock *tp);			/* first SYN: builds the record, T92.5 */
int tcp_send_synack(struct tcp_sock *tp);		/* simultaneous open: SYN record resent as SYN-ACK (R24) */
int tcp_xmit_probe_skb(struct tcp_sock *tp, bool urgent);					/* T86.2 */
int tcp_write_wakeup(struct tcp_sock *tp);							/* T86.2 */
void tcp_send_window_probe(struct tcp_sock *tp);						/* T86.8 */
/* reply.c: segments that answer without a full socket */
struct tcp_reply { struct ipaddr saddr, daddr; uint16_t sport, dport; uint32_t seq, ack, tsval, tsecr, flowlabel, mark, oif; uint16_t window; uint8_t flags, tos; bool has_ts; };
void tcp_send_reply(struct stack *st, const struct tcp_reply *r);
/** tcp_send_reset_for() - R13: RST for a segment nobody owns (transport header at th_off). */
void tcp_send_reset_for(struct stack *st, struct skb *skb);
/** tcp_send_req_synack() - SYN-ACK of a request (T50 SYN-ACK column, T62.6 id 0 with DF). */
int tcp_send_req_synack(struct stack *st, struct tcp_req *req, struct sock *listener);
/* retransmit.c */
int tcp_retransmit_skb(struct tcp_sock *tp, struct skb *skb, uint32_t segs);			/* T81.2 */
void tcp_xmit_retransmit_queue(struct tcp_sock *tp);						/* T81.1 */
void tcp_send_loss_probe(struct tcp_sock *tp);							/* T82.1 */
/* timer.c: arming only; what happens at expiry is tcp/conn/expire.c */
void tcp_reset_xmit_timer(struct tcp_sock *tp, enum tcp_write_timer what, uint64_t when_ns_from_now);
void tcp_clear_xmit_timer(struct tcp_sock *tp);
void tcp_rearm_rto(struct tcp_sock *tp);							/* T74.9 */
bool tcp_schedule_loss_probe(struct tcp_sock *tp, bool advancing_rto);				/* T60.2-3 */
void tcp_check_probe_timer(struct tcp_sock *tp);						/* T61 */
uint64_t tcp_probe0_when_ns(const struct tcp_sock *tp);
void tcp_reset_delack_timer(struct tcp_sock *tp, uint64_t when_abs_ns);
void tcp_reset_keepalive_timer(struct tcp_sock *tp, uint64_t from_now_ns);
void tcp_delete_keepalive_timer(struct tcp_sock *tp);
void tcp_clear_timers(struct tcp_sock *tp);	/* all of them, references dropped */
/* tsq.c */
bool tcp_small_queue_check(struct tcp_sock *tp, const struct skb *skb, unsigned int factor);	/* T47 */
void tcp_wfree(struct stack *st, struct skb *skb);	/* skb_dtor_tab: data packets, T47.4 */
void tcp_ack_wfree(struct stack *st, struct skb *skb);	/* pure ACKs: never resume */
void tcp_tsq_handler(struct tcp_sock *tp);		/* T47.5 */
void tcp_pacing_timer(struct stack *st, struct hrtimer *t);
/* done.c: the end of a connection, as far as out/ and lower know it */
void tcp_done(struct tcp_sock *tp);			/* timers stopped, to CLOSE, unhashed, woken; orphan: last ref dropped */
void tcp_abort(struct tcp_sock *tp, int err);		/* T87.5: error stored, queues purged, tcp_done(); TCPAbortOnTimeout by caller */
/** tcp_tso_segs() - T37: packets per record at most, with the congestion control's minimum. */
uint32_t tcp_tso_segs(struct tcp_sock *tp, uint32_t mss);
/* wspace.c */
/** tcp_sndbuf_expand() - T88.5: SNDBUF for the present CWND; never smaller. */
void tcp_sndbuf_expand(struct tcp_sock *tp);
void tcp_check_space(struct tcp_sock *tp);							/* T88.1-2 */
void tcp_write_space(struct sock *sk);

#endif

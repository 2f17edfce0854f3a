/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls inside tcp/conn. */
#ifndef NARU_TCP_CONN_CONN_INT_H
#define NARU_TCP_CONN_CONN_INT_H

#include "l4/l4.h"
#include "tcp/conn/conn.h"
#include "tcp/out/out.h"
#include "wire/be.h"

static inline const struct tcp_hdr *tcp_hdr_of(const struct skb *skb) { return (const void *)skb_transport(skb); }
static inline const uint8_t *tcp_opts_of(const struct skb *skb) { return skb_transport(skb) + TCP_HDR_LEN; }
static inline uint32_t tcp_window_of(const struct skb *skb) { return be16_to_cpu(tcp_hdr_of(skb)->window_be); }
static inline uint64_t stack_tick_at(const struct stack *st, uint64_t ns) { return div_up_u64(ns, st->timers.tick_ns); }
/* A SYN that reopens a TIME-WAIT tuple brings the new connection's ISN along (R51.5); 0: none. */
static inline uint32_t *tcp_tw_isn(struct skb *skb) { return &tcp_cb(skb)->tx_delivered; }

/* demux.c */
/** tcp_skb_tuple() - whose segment: addresses from the network header; ours first. */
void tcp_skb_tuple(const struct skb *skb, struct l4_tuple *ret);
/** tcp_do_rcv() - one segment for a locked socket, by state. CONSUMES. */
void tcp_do_rcv(struct tcp_sock *tp, struct skb *skb);
/** tcp_deliver() - a segment for @sk: now when its lock is free, else to its backlog (R14). CONSUMES. */
void tcp_deliver(struct sock *sk, struct skb *skb);

/* state_process.c */
/** tcp_rcv_state_process() - every state but ESTABLISHED and LISTEN (R23, R24, R48-R50). CONSUMES. */
void tcp_rcv_state_process(struct tcp_sock *tp, struct skb *skb);
/* connect.c */
/** tcp_rcv_synsent() - R23, R24.1. CONSUMES. */
void tcp_rcv_synsent(struct tcp_sock *tp, struct skb *skb);
/** tcp_enter_established() - what both sides set up when the handshake is done; state is set already. */
void tcp_enter_established(struct tcp_sock *tp);

/* listen.c: the listener is locked */
/** tcp_listen_rcv() - a segment for a listener or one of its requests (R15). CONSUMES. */
void tcp_listen_rcv(struct tcp_sock *lsk, struct skb *skb);
/** tcp_listen_stop() - R20.4: requests vanish, unaccepted children are reset. State is CLOSE already. */
void tcp_listen_stop(struct tcp_sock *lsk);
static inline bool tcp_accept_queue_is_full(const struct tcp_sock *lsk) { return lsk->ack_backlog > lsk->max_ack_backlog; }
static inline bool tcp_syn_queue_is_full(const struct tcp_sock *lsk) { return lsk->num_reqs > lsk->max_ack_backlog; }

/* req.c: the listener is locked unless said otherwise */
/* What a SYN (or a cookie) says about the connection to be. */
struct tcp_syn_info {
	struct l4_tuple t;
	uint16_t mss;
	uint8_t snd_wscale;
	bool tstamp_ok, sack_ok, wscale_ok, ecn_ok;
	uint32_t ts_val, ts_ecr;
};
/** tcp_syn_parse() - options of a SYN under this listener's rules (R12, R16.6). */
void tcp_syn_parse(const struct tcp_sock *lsk, const struct skb *skb, struct tcp_syn_info *ret);
/** tcp_req_new() - request with route, window and negotiated options; not hashed; one reference. NULL: no memory or route. */
struct tcp_req *tcp_req_new(struct tcp_sock *lsk, const struct tcp_syn_info *si, const struct skb *syn);
/** tcp_req_add() - into the tables, timer started. -EADDRNOTAVAIL: somebody has the tuple. Takes over the reference on success. */
int tcp_req_add(struct tcp_sock *lsk, struct tcp_req *req) MUST_CHECK;
/** tcp_req_rcv() - R18: a segment for a half-open connection. CONSUMES. */
void tcp_req_rcv(struct tcp_sock *lsk, struct tcp_req *req, struct skb *skb);
/** tcp_req_drop() - out of all tables; its references go. */
void tcp_req_drop(struct tcp_sock *lsk, struct tcp_req *req);
/** tcp_req_put() - any thread. */
void tcp_req_put(struct tcp_req *req);
/** tcp_synack_retries() - allowed SYN-ACK timeouts of a listener (R17.1). */
uint32_t tcp_synack_retries(const struct tcp_sock *lsk);
/** tcp_req_send_ack() - R18.3: plain ACK in the name of the request. */
void tcp_req_send_ack(const struct tcp_req *req);

/* child.c */
/**
 * tcp_create_child() - R20: a SYN-RECEIVED socket for a finished handshake; listener locked
 * @old: what stands in the established table for the tuple, to be replaced; NULL (cookies): inserted
 * Return: the child, locked, in the accept queue, with the queue's reference; NULL: no memory, no port, tuple gone.
 */
struct tcp_sock *tcp_create_child(struct tcp_sock *lsk, struct tcp_req *req, struct conn *old, struct skb *skb);
/** tcp_child_process() - the segment that completed the handshake; releases the child, wakes the listener. CONSUMES. */
void tcp_child_process(struct tcp_sock *lsk, struct tcp_sock *child, struct skb *skb);

/* syncookie.c */
uint32_t tcp_cookie_make(struct stack *st, const struct l4_tuple *t, uint32_t peer_isn, uint16_t *mss);
/** tcp_cookie_check() - R22.3: MSS the cookie stands for; 0: wrong or too old. */
uint16_t tcp_cookie_check(struct stack *st, const struct l4_tuple *t, uint32_t peer_isn, uint32_t cookie);
/** tcp_cookie_tsval() - timestamp that carries the options (R22.2). */
uint32_t tcp_cookie_tsval(uint32_t now_ms, const struct tcp_req *req);
/** tcp_cookie_decode_ts() - options from the echo minus offset; false: an option we have switched off. */
bool tcp_cookie_decode_ts(const struct stack *st, uint32_t bits, struct tcp_syn_info *ret);
/** tcp_cookie_rcv() - R22.3-4: an ACK that meets no request. CONSUMES. */
void tcp_cookie_rcv(struct tcp_sock *lsk, const struct l4_tuple *t, struct skb *skb);

/* timewait.c */
enum tcp_tw_verdict { TCP_TW_DONE, TCP_TW_ACK, TCP_TW_RST, TCP_TW_SYN };
/** tcp_tw_judge() - R51.2-5: what a segment does to a TIME-WAIT object; *ret_isn for TCP_TW_SYN. Pump only. */
enum tcp_tw_verdict tcp_tw_judge(struct tcp_tw *tw, const struct skb *skb, uint32_t *ret_isn);
void tcp_tw_send_ack(const struct tcp_tw *tw);
/** tcp_tw_kill() - end of the object: out of the tables, timer's reference dropped. Any thread; once. */
void tcp_tw_kill(struct tcp_tw *tw);
void tcp_tw_put(struct tcp_tw *tw);
/** tcp_tw_may_recycle() - R51.6, T10.R5: asked by l4 with the stripe held; @arg is struct tcp_sock of the newcomer. */
bool tcp_tw_may_recycle(struct conn *c, void *arg);

/* stack.c */
/** tcp_reset_numbers() - all per-connection state as in a new socket; options of the program stay. */
void tcp_reset_numbers(struct tcp_sock *tp);
/* close.c */
/** tcp_fin_time_ns() - how long FIN-WAIT-2 may last for an orphan (R50.4, C11.5). */
uint64_t tcp_fin_time_ns(const struct tcp_sock *tp);
/* err.c */
/** tcp_mtu_reduced() - T96.2: the route's MTU shrank. */
void tcp_mtu_reduced(struct tcp_sock *tp);

#endif

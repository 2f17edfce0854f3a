/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/conn: life of a connection. */
#ifndef NARU_TCP_CONN_CONN_H
#define NARU_TCP_CONN_CONN_H

#include "core/proto.h"
#include "core/tables.h"
#include "tcp/base/tcp_sock.h"

int tcp_stack_init(struct stack *st) MUST_CHECK;
/** tcp_stack_done() - ends orphans and TIME-WAIT objects silently; all files of the stack are closed already. */
void tcp_stack_done(struct stack *st);
struct sock *tcp_create(struct stack *st, int family, int type);
void tcp_free(struct sock *sk);
/** tcp_rcv() - from l4: one TCP segment; data at the TCP header. R11, R10, R13, R14. CONSUMES. */
void tcp_rcv(struct stack *st, struct skb *skb);
void tcp_err(struct stack *st, const struct icmp_err *err);	/* R06 */
void tcp_backlog_rcv(struct sock *sk, struct skb *skb);		/* proto_ops: state dispatch */
void tcp_release_cb(struct sock *sk, uint32_t deferred);	/* T11.3 */
int tcp_connect(struct sock *sk, const struct inet_addr *to, int64_t timeo_ns);		/* T92 */
int tcp_disconnect(struct sock *sk);
int tcp_listen(struct sock *sk, int backlog);
int tcp_accept(struct sock *sk, int64_t timeo_ns, struct sock **ret);
int tcp_shutdown(struct sock *sk, uint8_t mask);
void tcp_close(struct sock *sk, int64_t linger_ns);		/* T94.4 */
void tcp_reset_broken(struct sock *sk);
/** tcp_wait_connect() - T20 for the send calls; lock held, may sleep. */
int tcp_wait_connect(struct tcp_sock *tp, int64_t *timeo_ns);
/**
 * tcp_wait() - a call waits for its socket; the lock is dropped and retaken, *timeo_ns shrinks
 * @ticket: from waitq_begin(&sk->wq), taken before the condition was tested; waitq_end() is done here, always
 * Return: 0 (test again), -EAGAIN (time is over), -EINTR (finite limit) or -ERESTARTSYS (none) after a signal
 */
int tcp_wait(struct tcp_sock *tp, uint32_t ticket, int64_t *timeo_ns);
/* finished handshake, both sides */
void tcp_finish_connect(struct tcp_sock *tp, struct skb *skb);
void tcp_time_wait(struct tcp_sock *tp, enum sock_state substate, uint64_t timeo_ns);	/* R51 */
/** tcp_req_free()/tcp_tw_free() - the last reference of a request or TIME-WAIT object is gone (l4_conn_free_tab). */
void tcp_req_free(struct conn *c);
void tcp_tw_free(struct conn *c);
/* timer_tab */
void tcp_write_timer(struct stack *st, struct timer *t);
void tcp_delack_timer(struct stack *st, struct timer *t);
void tcp_keepalive_timer(struct stack *st, struct timer *t);
void tcp_req_timer(struct stack *st, struct timer *t);
void tcp_tw_timer(struct stack *st, struct timer *t);
/** tcp_write_timer_handler() - expire.c: RTO, TLP, REO, PROBE0 by tp->write_timer_kind; lock held. */
void tcp_write_timer_handler(struct tcp_sock *tp);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* When a connection is given up: between expire.c, keepalive.c and giveup.c. The sock lock is held. */
#ifndef NARU_TCP_CONN_EXPIRE_INT_H
#define NARU_TCP_CONN_EXPIRE_INT_H

#include "tcp/conn/conn_int.h"

/** tcp_model_timeout_ns() - C11.2: what @n retransmissions would take with doubling from @base_ns up to @max_ns. */
uint64_t tcp_model_timeout_ns(uint32_t n, uint64_t base_ns, uint64_t max_ns);
/** tcp_write_err() - the connection timed out: stored soft error or ETIMEDOUT. */
void tcp_write_err(struct tcp_sock *tp);
/** tcp_give_up_rto() - before a retransmission (C11.1-3, T87): true when the connection was ended. */
bool tcp_give_up_rto(struct tcp_sock *tp);
/** tcp_give_up_probe() - before a window probe (T86.7): true when the connection was ended. */
bool tcp_give_up_probe(struct tcp_sock *tp);
/** tcp_give_up_closed_window() - C11.6: RTO while the window is 0; true when the connection was ended. */
bool tcp_give_up_closed_window(struct tcp_sock *tp);
/** tcp_clamp_to_user_timeout() - C11.3: @when_ns, but not past the end of the user timeout since @since_ns. */
uint64_t tcp_clamp_to_user_timeout(const struct tcp_sock *tp, uint64_t when_ns, uint64_t since_ns);

#endif

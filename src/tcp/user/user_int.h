/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls inside tcp/user. The sock lock is held. */
#ifndef NARU_TCP_USER_USER_INT_H
#define NARU_TCP_USER_USER_INT_H

#include "tcp/user/user.h"

/** tcp_inq() - bytes a read would find, up to the urgent mark (SIOCINQ, R54.3). */
uint32_t tcp_inq(const struct tcp_sock *tp);

#endif

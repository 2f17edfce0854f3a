/* SPDX-License-Identifier: BSD-2-Clause */
/* The calls beside send, receive and options, as api/ makes them on a socket. */
#ifndef NARU_SOCKET_CALL_H
#define NARU_SOCKET_CALL_H

#include "core/proto.h"

/** sock_file_released() - the last descriptor is gone: linger rules, close, drop the file's reference. */
void sock_file_released(struct sock *sk);
int sock_create(struct stack *st, int family, int type, int protocol, struct sock **ret) MUST_CHECK;
int sock_bind(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len);
int sock_connect(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len, bool is_nonblock);
int sock_listen(struct sock *sk, int backlog);
int sock_accept(struct sock *sk, bool is_nonblock, struct sock **ret);
int sock_shutdown(struct sock *sk, int how);
int sock_getname(struct sock *sk, bool is_peer, struct sockaddr_storage *ret, socklen_t *ret_len);
/** sock_poll() - readiness mask; the lock is held. */
uint32_t sock_poll(struct sock *sk) MUST_HOLD(*sk);
int sock_ioctl(struct sock *sk, unsigned long req, int *val);

#endif

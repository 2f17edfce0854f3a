/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/user: what the program asks for. */
#ifndef NARU_TCP_USER_USER_H
#define NARU_TCP_USER_USER_H

#include "core/proto.h"
#include "tcp/base/tcp_sock.h"

ssize_t tcp_sendmsg(struct sock *sk, struct msg *m);		/* T11 */
ssize_t tcp_recvmsg(struct sock *sk, struct msg *m);		/* R53 */
uint32_t tcp_poll(struct sock *sk);				/* R56, T88.4 */
int tcp_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len);
int tcp_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len);
int tcp_ioctl(struct sock *sk, unsigned long req, int *val);	/* SIOCINQ SIOCOUTQ SIOCOUTQNSD SIOCATMARK */
extern const struct proto_ops tcp_proto_ops;

#endif

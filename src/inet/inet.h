/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet families: creation, names, and the common preamble of every call (stage 3). */
#ifndef NARU_INET_INET_H
#define NARU_INET_INET_H

#include "core/proto.h"

/**
 * inet_create() - a socket of AF_INET or AF_INET6
 * Return: 0 and a socket with one reference; -EAFNOSUPPORT, -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EINVAL, -ENOBUFS
 */
int inet_create(struct stack *st, int family, int type, int protocol, struct sock **ret) MUST_CHECK;
/** inet_bind() - -EINVAL (bound already, short), -EAFNOSUPPORT, -EADDRNOTAVAIL, -EADDRINUSE. Takes the lock. */
int inet_bind(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len);
/**
 * inet_connect() - T92.1, T92.6; AF_UNSPEC disconnects
 * @is_nonblock: O_NONBLOCK of the file; else SO_SNDTIMEO bounds the handshake
 */
int inet_connect(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len, bool is_nonblock);
int inet_listen(struct sock *sk, int backlog);
int inet_accept(struct sock *sk, bool is_nonblock, struct sock **ret);
/** inet_shutdown() - @how SHUT_RD/WR/RDWR; -EINVAL, -ENOTCONN (T94.1). */
int inet_shutdown(struct sock *sk, int how);
/** inet_getname() - ours, or the peer's (-ENOTCONN). Writes the name and its length. */
int inet_getname(struct sock *sk, bool is_peer, struct sockaddr_storage *ret, socklen_t *ret_len);
/**
 * inet_sendmsg() - T08: prepare (any failure there is -EAGAIN), then the protocol's sendmsg
 * Next: tcp_sendmsg() or udp_sendmsg()
 */
ssize_t inet_sendmsg(struct sock *sk, struct msg *m);
/** inet_send_prepare() - T09: flow record, autobind where the protocol permits it. */
int inet_send_prepare(struct sock *sk);
ssize_t inet_recvmsg(struct sock *sk, struct msg *m);
uint32_t inet_poll(struct sock *sk);
int inet_ioctl(struct sock *sk, unsigned long req, int *val);
int inet_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len);
int inet_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len);
/** inet_release() - the file is gone: linger rules, then the protocol's close. */
void inet_release(struct sock *sk);

#endif

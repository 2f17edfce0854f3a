/* SPDX-License-Identifier: BSD-2-Clause */
/* The family-independent socket: send with the security hook (stage 2), receive, SOL_SOCKET options. */
#ifndef NARU_SOCKET_SOCKET_H
#define NARU_SOCKET_SOCKET_H

#include "core/proto.h"

/**
 * __sock_sendmsg() - stage 2: ask the security hook, then send (T06)
 * Return: bytes, or negative errno; the hook's errno comes back verbatim and nothing was consumed.
 * Next:   sock_sendmsg_nosec()
 */
ssize_t __sock_sendmsg(struct sock *sk, struct msg *m);
/** sock_sendmsg_nosec() - T07: to the family, trace of the result. Next: inet_sendmsg(). */
ssize_t sock_sendmsg_nosec(struct sock *sk, struct msg *m);
ssize_t sock_recvmsg(struct sock *sk, struct msg *m);
/** security_socket_sendmsg() - the pluggable policy: 0 or negative errno. Default: allow. */
int security_socket_sendmsg(struct sock *sk, const struct msg *m, size_t size);

/**
 * sock_setsockopt()/sock_getsockopt() - any level; SOL_SOCKET here, others go to inet/
 * @val: our copy of the program's bytes (getsockopt: our buffer of *len bytes, *len out: used)
 */
int sock_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len);
int sock_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls on a socket object: family dispatch. Naru has the Internet families only. */
#include "socket/call.h"

#include "inet/inet.h"

void sock_file_released(struct sock *sk) { inet_release(sk); }

int sock_create(struct stack *st, int family, int type, int protocol, struct sock **ret)
{
	return inet_create(st, family, type, protocol, ret);
}

int sock_bind(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len) { return inet_bind(sk, ss, len); }

int sock_connect(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len, bool is_nonblock)
{
	return inet_connect(sk, ss, len, is_nonblock);
}

int sock_listen(struct sock *sk, int backlog) { return inet_listen(sk, backlog); }

int sock_accept(struct sock *sk, bool is_nonblock, struct sock **ret) { return inet_accept(sk, is_nonblock, ret); }

int sock_shutdown(struct sock *sk, int how) { return inet_shutdown(sk, how); }

int sock_getname(struct sock *sk, bool is_peer, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	return inet_getname(sk, is_peer, ret, ret_len);
}

uint32_t sock_poll(struct sock *sk) { return inet_poll(sk); }

int sock_ioctl(struct sock *sk, unsigned long req, int *val) { return inet_ioctl(sk, req, val); }

/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet families: creating, naming and ending sockets of both transports. */
/*
 * How it works
 *
 * A program's sockaddr becomes a struct inet_addr here and nowhere else: both families end in one
 * address type (IPv4 as v4-mapped), so the transports never look at a sockaddr. An AF_INET6 socket
 * whose peer is v4-mapped takes the IPv4 path (R61).
 *
 * Locks: each entry takes the socket lock itself, except where proto_ops says otherwise.
 */
#include "inet/inet.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "l4/l4.h"

/* ---- addresses ---- */

static int check_family(const struct sock *sk, const struct sockaddr_storage *ss, socklen_t len)
{
	socklen_t need = sk->family == AF_INET6 ? 24 : sizeof(struct sockaddr_in);

	if (len < need)
		return -EINVAL;
	return ss->ss_family == sk->family ? 0 : -EAFNOSUPPORT;
}

static int parse_name(const struct sockaddr_storage *ss, socklen_t len, struct inet_addr *ret)
{
	struct inet_addr a = { .family = ss->ss_family };
	int err = ipaddr_from_sockaddr(ss, len, &a.addr, &a.port, &a.scope_id);

	if (!err)
		*ret = a;
	return err;
}

static struct ipaddr family_any(const struct sock *sk)
{
	return sk->family == AF_INET6 ? ipaddr_any_v6() : ipaddr_any_v4();
}

/* ---- create ---- */

int inet_create(struct stack *st, int family, int type, int protocol, struct sock **ret)
{
	enum proto_id id;
	struct sock *sk;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (protocol < 0 || protocol >= 256)
		return -EINVAL;
	if (type == SOCK_STREAM)
		id = PROTO_TCP;
	else if (type == SOCK_DGRAM)
		id = PROTO_UDP;
	else
		return -ESOCKTNOSUPPORT;
	if (protocol && protocol != (id == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP))
		return -EPROTONOSUPPORT;
	sk = proto_ops_tab[id]->create(st, family, type);
	if (!sk)
		return -ENOBUFS;
	sk->is_v4_path = family == AF_INET;
	sk->saddr = sk->daddr = sk->rcv_saddr = family_any(sk);
	if (family == AF_INET6 && st->sysctl.bindv6only)
		sk->flags |= SK_V6ONLY;
	*ret = sk;
	return 0;
}

/* ---- bind ---- */

static int check_bind_addr(struct sock *sk, const struct inet_addr *a)
{
	enum dst_type t;

	if (sk->family == AF_INET6 && ipaddr_is_v4(&a->addr) && (sk->flags & SK_V6ONLY))
		return -EINVAL;
	if (ipaddr_is_any(&a->addr))
		return 0;
	if (sk->family == AF_INET6 && ipaddr_needs_scope(&a->addr) && !a->scope_id && !sk->bound_ifindex)
		return -EINVAL;
	t = l4_addr_type(sk->stack, &a->addr);
	if (t == DST_LOCAL || ((t == DST_MULTICAST || t == DST_BROADCAST) && sk->type == SOCK_DGRAM))
		return 0;
	if ((sk->flags & (SK_FREEBIND | SK_TRANSPARENT)) || sk->stack->sysctl.ip_nonlocal_bind)
		return 0;
	return -EADDRNOTAVAIL;
}

static int do_bind(struct sock *sk, const struct inet_addr *a)
{
	int err = 0;

	/* A TCP port that was given back is still shown, but no longer owned. */
	if (sk->state != TCP_CLOSE || (sk->type == SOCK_STREAM ? sk->bucket != NULL : sk->sport != 0))
		return -EINVAL;
	sk->rcv_saddr = sk->saddr = a->addr;
	if (sk->family == AF_INET6 && ipaddr_is_v4(&a->addr))
		sk->is_v4_path = true;
	if (a->scope_id && ipaddr_needs_scope(&a->addr))
		sk->bound_ifindex = a->scope_id;
	if (a->port || !(sk->flags & SK_BIND_ADDRESS_NO_PORT))
		err = sock_ops(sk)->get_port(sk, a->port);
	if (err) {
		sk->rcv_saddr = sk->saddr = family_any(sk);
		sk->is_v4_path = sk->family == AF_INET;
		return err;
	}
	if (!ipaddr_is_any(&a->addr))
		sk->flags |= SK_BINDADDR_LOCK;
	if (a->port)
		sk->flags |= SK_BINDPORT_LOCK;
	return 0;
}

int inet_bind(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len)
{
	struct inet_addr a;
	int err;

	if (len >= sizeof(sa_family_t) && sk->family == AF_INET && ss->ss_family == AF_UNSPEC &&
	    len >= sizeof(struct sockaddr_in)) {
		/* AF_UNSPEC is taken for AF_INET when the address is the wildcard */
		struct sockaddr_storage as_inet = *ss;

		as_inet.ss_family = AF_INET;
		err = parse_name(&as_inet, len, &a);
		if (!err && !ipaddr_is_any(&a.addr))
			err = -EAFNOSUPPORT;
	} else {
		err = check_family(sk, ss, len);
		if (!err)
			err = parse_name(ss, len, &a);
	}
	if (!err)
		err = check_bind_addr(sk, &a);
	if (err)
		return err;
	sock_lock(sk);
	err = do_bind(sk, &a);
	sock_release(sk);
	return err;
}

/* ---- connect ---- */

static int connect_name(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len, struct inet_addr *ret)
{
	int err;

	if (ss->ss_family == AF_INET && sk->family == AF_INET6)
		return -EAFNOSUPPORT;
	err = check_family(sk, ss, len);
	if (!err)
		err = parse_name(ss, len, ret);
	if (err)
		return err;
	if (sk->family == AF_INET6) {
		if (ipaddr_is_any(&ret->addr)) /* connecting to :: means ::1, as Linux does */
			ret->addr = ipaddr_is_v4(&ret->addr) ? ipaddr_loopback_v4() : ipaddr_loopback_v6();
		if (ipaddr_is_v4(&ret->addr) && (sk->flags & SK_V6ONLY))
			return -ENETUNREACH;
	}
	return 0;
}

int inet_connect(struct sock *sk, const struct sockaddr_storage *ss, socklen_t len, bool is_nonblock)
{
	struct inet_addr to;
	int err;

	if (len < sizeof(sa_family_t))
		return -EINVAL;
	sock_lock(sk);
	if (ss->ss_family == AF_UNSPEC) {
		err = sock_ops(sk)->disconnect(sk);
	} else {
		err = connect_name(sk, ss, len, &to);
		if (!err)
			err = sock_ops(sk)->connect(sk, &to, is_nonblock ? 0 : sk->sndtimeo_ns);
	}
	sock_release(sk);
	return err;
}

/* ---- listen, accept, shutdown ---- */

int inet_listen(struct sock *sk, int backlog)
{
	int err = -EOPNOTSUPP;

	if (!sock_ops(sk)->listen)
		return err;
	sock_lock(sk);
	err = sock_ops(sk)->listen(sk, backlog);
	sock_release(sk);
	return err;
}

int inet_accept(struct sock *sk, bool is_nonblock, struct sock **ret)
{
	if (!sock_ops(sk)->accept)
		return -EOPNOTSUPP;
	return sock_ops(sk)->accept(sk, is_nonblock ? 0 : sk->rcvtimeo_ns, ret);
}

int inet_shutdown(struct sock *sk, int how)
{
	int err;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	sock_lock(sk);
	err = sock_ops(sk)->shutdown(sk, (uint8_t)(how + 1));
	sock_release(sk);
	return err;
}

/* ---- names ---- */

int inet_getname(struct sock *sk, bool is_peer, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct ipaddr a;
	uint16_t port;
	int err = 0;

	sock_lock(sk);
	if (is_peer) {
		if (!sk->dport || ((TCPF(sk->state) & (TCPF(TCP_CLOSE) | TCPF(TCP_SYN_SENT))) && sk->type == SOCK_STREAM))
			err = -ENOTCONN;
		a = sk->daddr;
		port = sk->dport;
	} else {
		a = ipaddr_is_any(&sk->saddr) ? sk->rcv_saddr : sk->saddr;
		port = sk->sport;
	}
	if (!err) {
		memset(ret, 0, sizeof(*ret));
		*ret_len = ipaddr_to_sockaddr(sk->family, &a, port, sk->bound_ifindex, ret);
	}
	sock_release(sk);
	return err;
}

/* ---- the rest goes to the transport ---- */

ssize_t inet_recvmsg(struct sock *sk, struct msg *m) { return sock_ops(sk)->recvmsg(sk, m); }

uint32_t inet_poll(struct sock *sk) { return sock_ops(sk)->poll(sk); }

int inet_ioctl(struct sock *sk, unsigned long req, int *val)
{
	int err;

	sock_lock(sk);
	err = sock_ops(sk)->ioctl(sk, req, val);
	sock_release(sk);
	return err;
}

int inet_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len)
{
	int err;

	sock_lock(sk);
	if (level == SOL_IP || level == SOL_IPV6)
		err = l4_ip_setsockopt(sk, level, opt, val, len);
	else
		err = sock_ops(sk)->setsockopt(sk, level, opt, val, len);
	sock_release(sk);
	return err;
}

int inet_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len)
{
	int err;

	sock_lock(sk);
	if (level == SOL_IP || level == SOL_IPV6)
		err = l4_ip_getsockopt(sk, level, opt, val, len);
	else
		err = sock_ops(sk)->getsockopt(sk, level, opt, val, len);
	sock_release(sk);
	return err;
}

void inet_release(struct sock *sk)
{
	int64_t linger_ns = 0;

	if (sk->flags & SK_LINGER)
		linger_ns = (int64_t)sk->linger_s * (int64_t)NS_PER_S;
	sock_ops(sk)->close(sk, linger_ns);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_IP and SOL_IPV6: which level serves a call, and what both levels share (T95). */
/*
 * How it works: an AF_INET socket has no IPv6 level; an AF_INET6 socket has both. Switches that nobody but
 * the receiving side reads are bits by option number (sk->inet.bools4, bools6); everything that steers
 * packets has its own field in struct inet_opts or a flag in sk->flags.
 *
 * Locks: the sock lock is held.
 */
#include "l4/l4_int.h"

#include <errno.h>
#include <netinet/in.h>

#include "core/netdev.h"

void l4_set_bool4(struct sock *sk, int opt, bool on)
{
	uint64_t bit = 1ull << opt;

	sk->inet.bools4 = on ? sk->inet.bools4 | bit : sk->inet.bools4 & ~bit;
}

void l4_set_bool6(struct sock *sk, int opt, bool on)
{
	uint64_t *word = &sk->inet.bools6[opt >> 6], bit = 1ull << (opt & 63);

	*word = on ? *word | bit : *word & ~bit;
}

void l4_set_flag(struct sock *sk, uint32_t flag, bool on)
{
	sk->flags = on ? sk->flags | flag : sk->flags & ~flag;
}

void l4_set_recverr(struct sock *sk, uint32_t flag, bool on)
{
	struct skb *s;

	l4_set_flag(sk, flag, on);
	while (!on && (s = sock_dequeue_err_skb(sk)))
		skb_free(sk->stack, s);
}

int l4_get_bytes(void *val, socklen_t *len, const void *from, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	memcpy(val, from, *len);
	return 0;
}

/* The value is an interface index in network order. */
int l4_set_unicast_if(struct sock *sk, const void *val, socklen_t len)
{
	uint32_t ifindex;

	if (len != sizeof(ifindex))
		return -EINVAL;
	ifindex = get_be32(val);
	if (ifindex && !netdev_by_index(sk->stack, ifindex))
		return -EADDRNOTAVAIL;
	if (ifindex && sk->bound_ifindex && sk->bound_ifindex != ifindex)
		return -EINVAL;
	sk->inet.uc_ifindex = ifindex;
	return 0;
}

int l4_ip_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len)
{
	if (level == SOL_IP)
		return l4_set_ip4(sk, opt, val, len);
	return sk->family == AF_INET6 ? l4_set_ip6(sk, opt, val, len) : -ENOPROTOOPT;
}

int l4_ip_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len)
{
	if (level == SOL_IP)
		return l4_get_ip4(sk, opt, val, len);
	return sk->family == AF_INET6 ? l4_get_ip6(sk, opt, val, len) : -EOPNOTSUPP;
}

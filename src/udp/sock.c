/* SPDX-License-Identifier: BSD-2-Clause */
/* Life of a UDP socket: made, named, connected, waited for, closed. */
/*
 * How it works
 *
 * Connecting only remembers a peer and a route; the table finds the socket by it from then on.
 * Whatever changes the addresses tells the table (l4_udp_rehash). A socket that is closed leaves
 * the table first; what is on its way to it is dropped by the SK_DEAD test in input.c.
 *
 * Locks: udp_close() takes the sock lock; create and free need none; the others are called with it.
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "core/sweep.h"
#include "pump/pump.h"

#define SOCK_SHARE_BYTES 16384u /* of the arena for one socket and its buffers */
#define POOL_SIZE(t) ((uint32_t)align_up_u64(sizeof(t), CACHE_LINE))
#define IN_BITS (EPOLLIN | EPOLLRDNORM)
#define OUT_BITS (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)

/* ---- the stack's part ---- */

int udp_stack_init(struct stack *st)
{
	struct arena_pools *p = st->pools;

	if (p->udp_sock.arena) /* once per arena: its stacks share the pool */
		return 0;
	return pool_init(&p->udp_sock, p->arena, "udp_sock", OBJ_UDP_SOCK, POOL_SIZE(struct udp_sock),
			 arena_quota(p->arena, SOCK_SHARE_BYTES, 512, 1u << 20), 0);
}

void udp_stack_done(struct stack *st)
{
	(void)st; /* the pool belongs to the arena */
}

/* ---- create, free ---- */

static struct sock *udp_create(struct stack *st, int family, int type)
{
	struct udp_sock *us = pool_zalloc(&st->pools->udp_sock, POOL_NORMAL);

	if (!us)
		return NULL;
	sock_init(&us->sk, st, PROTO_UDP, family, type);
	return &us->sk;
}

static void udp_free(struct sock *sk)
{
	struct stack *st = sk->stack;

	if (sk->sport)
		l4_put_port(sk);
	sock_done(sk);
	pool_free(&st->pools->udp_sock, udp_sk(sk));
}

/* ---- waiting ---- */

int udp_wait(struct sock *sk, uint32_t ticket, int64_t *timeo_ns)
{
	struct stack *st = sk->stack;
	bool is_forever = *timeo_ns == SOCK_TIMEO_FOREVER;
	uint64_t start_ns = stack_now_ns(st), deadline_ns;
	int err;

	if (!*timeo_ns) {
		waitq_end(&sk->wq);
		return -EAGAIN;
	}
	deadline_ns = is_forever ? UINT64_MAX : start_ns + (uint64_t)*timeo_ns;
	sock_release(sk);
	err = pump_sleep(st, &sk->wq, ticket, deadline_ns);
	waitq_end(&sk->wq);
	sock_lock(sk);
	if (!is_forever) {
		uint64_t slept_ns = stack_now_ns(st) - start_ns;

		*timeo_ns = slept_ns >= (uint64_t)*timeo_ns ? 0 : *timeo_ns - (int64_t)slept_ns;
	}
	switch (err) {
	case -ETIMEDOUT:
		*timeo_ns = 0;
		return 0; /* the caller looks once more, then finds no time left */
	case -EDEADLK: /* virtual time in which nothing can happen any more */ return -EAGAIN;
	case -EINTR: return is_forever ? -ERESTARTSYS : -EINTR;
	default: return 0;
	}
}

bool udp_is_writeable(const struct sock *sk)
{
	return atomic_load(&((struct sock *)sk)->wmem_alloc) <
	       atomic_load_explicit(&sk->sndbuf, memory_order_relaxed) / 2;
}

/* A packet was freed: without the sock lock, in anybody's context. */
static void udp_write_space(struct sock *sk)
{
	struct udp_sock *us = udp_sk(sk);

	if (!atomic_load(&us->wants_space) || !udp_is_writeable(sk))
		return;
	atomic_store(&us->wants_space, 0);
	sock_wake(sk, OUT_BITS);
}

static uint32_t udp_poll(struct sock *sk)
{
	uint32_t mask = 0;

	if (atomic_load(&sk->err) || skb_peek(&sk->error_queue))
		mask |= EPOLLERR;
	if (sk->shutdown & RCV_SHUTDOWN)
		mask |= IN_BITS | EPOLLRDHUP;
	if (sk->shutdown == SHUTDOWN_MASK)
		mask |= EPOLLHUP;
	if (skb_peek(&sk->receive_queue))
		mask |= IN_BITS;
	if (udp_is_writeable(sk))
		return mask | OUT_BITS;
	atomic_store(&udp_sk(sk)->wants_space, 1);
	return udp_is_writeable(sk) ? mask | OUT_BITS : mask; /* room may have come meanwhile */
}

/* ---- names ---- */

static struct ipaddr family_any(const struct sock *sk)
{
	return sk->family == AF_INET6 ? IPADDR_ANY_V6 : IPADDR_ANY_V4;
}

static int udp_get_port(struct sock *sk, uint16_t port)
{
	enum dst_type t;
	int err = l4_udp_get_port(sk, port);

	if (err || ipaddr_is_any(&sk->saddr))
		return err;
	/* A group or broadcast address is listened to, never sent from. */
	t = l4_addr_type(sk->stack, &sk->saddr);
	if (t == DST_MULTICAST || t == DST_BROADCAST)
		sk->saddr = family_any(sk);
	return 0;
}

static int connect_route(struct sock *sk, const struct inet_addr *to, struct flow *fl,
			 struct dst **ret)
{
	int err;

	*fl = (struct flow){
		.saddr = sk->saddr,
		.daddr = to->addr,
		.sport = sk->sport,
		.dport = to->port,
		.oif = sk->bound_ifindex,
		.mark = sk->mark,
		.proto = IPPROTO_UDP,
		.tos = ipaddr_is_v4(&to->addr) ? sk->inet.tos : sk->inet.tclass,
	};
	if (ipaddr_is_any(&fl->daddr))
		fl->daddr = ipaddr_is_v4(&fl->daddr) ? ipaddr_loopback_v4() : ipaddr_loopback_v6();
	if (ipaddr_is_multicast(&fl->daddr)) {
		if (!fl->oif)
			fl->oif = sk->inet.mc_ifindex;
		if (ipaddr_is_any(&fl->saddr) && !ipaddr_is_any(&sk->inet.mc_saddr))
			fl->saddr = sk->inet.mc_saddr;
	} else if (!fl->oif) {
		fl->oif = sk->inet.uc_ifindex;
	}
	if (ipaddr_is_any(&fl->saddr))
		fl->saddr = ipaddr_is_v4(&fl->daddr) ? IPADDR_ANY_V4 : IPADDR_ANY_V6;
	else if (ipaddr_is_v4(&fl->saddr) != ipaddr_is_v4(&fl->daddr))
		return -ENETUNREACH; /* bound to an address of the other family */
	if (ipaddr_needs_scope(&fl->daddr)) {
		if (to->scope_id && fl->oif && fl->oif != to->scope_id)
			return -EINVAL;
		if (to->scope_id)
			fl->oif = to->scope_id;
		if (!fl->oif)
			return -EINVAL;
	}
	err = ip_route_output(sk->stack, fl, ret);
	if (!err && (*ret)->type == DST_BROADCAST && !(sk->flags & SK_BROADCAST)) {
		dst_put(*ret);
		return -EACCES;
	}
	return err;
}

static int udp_connect(struct sock *sk, const struct inet_addr *to, int64_t timeo_ns)
{
	struct flow fl;
	struct dst *d;
	int err;

	(void)timeo_ns; /* nothing to wait for */
	if (!sk->sport && udp_get_port(sk, 0))
		return -EAGAIN; /* T10.R3 */
	err = connect_route(sk, to, &fl, &d);
	if (err)
		return err;
	if (ipaddr_is_any(&sk->saddr))
		sk->saddr = fl.saddr;
	if (ipaddr_is_any(&sk->rcv_saddr))
		sk->rcv_saddr = fl.saddr;
	sk->daddr = fl.daddr;
	sk->dport = to->port;
	if (ipaddr_needs_scope(&fl.daddr))
		sk->bound_ifindex = fl.oif;
	sk->is_v4_path = ipaddr_is_v4(&fl.daddr);
	sk->ip_id = (uint16_t)stack_rand_u32(sk->stack);
	sk->hash_val = l4_tuple_hash(sk->stack, &sk->saddr, sk->sport, &sk->daddr, sk->dport);
	atomic_store(&sk->state, TCP_ESTABLISHED);
	sock_set_dst(sk, d);
	l4_udp_rehash(sk);
	return 0;
}

static int udp_disconnect(struct sock *sk)
{
	atomic_store(&sk->state, TCP_CLOSE);
	sk->daddr = family_any(sk);
	sk->dport = 0;
	sk->bound_ifindex = 0;
	if (!(sk->flags & SK_BINDADDR_LOCK))
		sk->rcv_saddr = sk->saddr = family_any(sk);
	sk->is_v4_path = sk->family == AF_INET || ipaddr_is_v4(&sk->rcv_saddr);
	sock_set_dst(sk, NULL);
	if (!sk->sport)
		return 0;
	if (sk->flags & SK_BINDPORT_LOCK) {
		l4_udp_rehash(sk);
	} else {
		l4_put_port(sk);
		sk->sport = 0;
	}
	return 0;
}

/* An unconnected socket is refused, but shut all the same. */
static int udp_shutdown(struct sock *sk, uint8_t mask)
{
	sk->shutdown |= mask;
	sock_wake(sk, IN_BITS | OUT_BITS | EPOLLRDHUP | EPOLLHUP);
	return sk->state == TCP_CLOSE ? -ENOTCONN : 0;
}

/* ---- the end ---- */

static void udp_close(struct sock *sk, int64_t linger_ns)
{
	(void)linger_ns;
	sock_lock(sk);
	sk->flags |= SK_DEAD;
	sk->shutdown = SHUTDOWN_MASK;
	udp_flush_pending(sk);
	l4_mc_leave_all(sk);
	if (sk->sport) {
		l4_put_port(sk);
		sk->sport = 0;
	}
	atomic_store(&sk->state, TCP_CLOSE);
	skb_queue_purge(sk->stack, &sk->receive_queue);
	sock_release(sk);
	sock_put(sk); /* the file's */
}

/* The holder of the lock died: queues cannot be trusted, addresses can. */
static COLD void udp_reset_broken(struct sock *sk)
{
	struct udp_sock *us = udp_sk(sk);

	mib_inc(sk->stack, NaruLocksRecovered);
	(void)skb_sweep_sock(sk);
	us->pending = NULL;
	us->cork.dst = NULL; /* whose reference it was cannot be told: one route may stay */
	atomic_store(&sk->err, ECONNRESET);
	atomic_fetch_add(&us->num_errors, 1);
	sock_wake(sk, IN_BITS | OUT_BITS | EPOLLERR);
}

/* UDP defers nothing. */
static void udp_release_cb(struct sock *sk, uint32_t deferred)
{
	(void)sk;
	(void)deferred;
}

const struct proto_ops udp_proto_ops = {
	.name = "UDP",
	.create = udp_create,
	.free = udp_free,
	.close = udp_close,
	.connect = udp_connect,
	.disconnect = udp_disconnect,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.shutdown = udp_shutdown,
	.poll = udp_poll,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.ioctl = udp_ioctl,
	.get_port = udp_get_port,
	.backlog_rcv = udp_backlog_rcv,
	.release_cb = udp_release_cb,
	.write_space = udp_write_space,
	.reset_broken = udp_reset_broken,
	.has_autobind = true,
};

/* SPDX-License-Identifier: BSD-2-Clause */
/* What every socket does: lock and backlog, references, wake-ups, charging of packets. */
/*
 * How it works: one mutex is held for the whole of a call. The pump never waits for it: a packet for a
 * held socket goes to the backlog, work for it to the deferred bits. The holder works both off before
 * it lets go, and looks once more afterwards. Nothing is lost because each side first leaves its
 * note and then tests the other's: the giver stores the packet, then tries the lock; the holder unlocks,
 * then looks at the notes. One of the two sees the other (both steps are sequentially consistent).
 *
 * 1. backlog_truesize is 0 exactly when the backlog is empty; it is cleared only when a drain found
 *    nothing more, so that packets arriving during a drain count against the limit.
 * 2. A packet taken from the pump while the backlog is not empty goes behind it: order of arrival.
 * 3. A lock whose holder died is taken with was_abandoned set: the socket is reset, not repaired.
 */
#include "core/sock.h"

#include <netinet/in.h>
#include <sys/epoll.h>

#include "base/san.h"
#include "core/errq.h"
#include "core/netdev.h"
#include "core/proto.h"
#include "core/tables.h"
#include "core/trace_ids.h"

/* ---- life ---- */

static void init_options(struct sock *sk, struct stack *st, enum proto_id proto)
{
	const struct sysctls *sy = &st->sysctl;

	sk->sndbuf = (int32_t)(proto == PROTO_TCP ? sy->tcp_wmem[1] : sy->wmem_default);
	sk->rcvbuf = (int32_t)(proto == PROTO_TCP ? sy->tcp_rmem[1] : sy->rmem_default);
	sk->rcvlowat = 1;
	sk->sndtimeo_ns = SOCK_TIMEO_FOREVER;
	sk->rcvtimeo_ns = SOCK_TIMEO_FOREVER;
	sk->max_pacing_Bps = UINT64_MAX;
	sk->pacing_Bps = UINT64_MAX;
	sk->pacing_shift = 10;
	sk->gso_max_size = NETDEV_GSO_MAX_DEFAULT;
	sk->gso_max_segs = 65535;
	sk->peek_off = -1;
	if (sy->bindv6only)
		sk->flags |= SK_V6ONLY;
	sk->inet = (struct inet_opts){
		.ttl = -1,
		.hop_limit = -1,
		.pmtudisc = IP_PMTUDISC_WANT,
		.pmtudisc6 = IPV6_PMTUDISC_WANT,
		.mc_ttl = 1,
		.mc_hops = 1,
		.mc_loop = true,
		.mc_all = true,
	};
	if (sy->ip_no_pmtu_disc)
		sk->inet.pmtudisc = IP_PMTUDISC_DONT;
}

void sock_init(struct sock *sk, struct stack *st, enum proto_id proto, int family, int type)
{
	struct obj obj = sk->obj;
	bool shared = st->is_shared;

	memset(sk, 0, sizeof(*sk));
	sk->obj = obj;
	sk->stack = st;
	sk->proto = (uint8_t)proto;
	sk->family = (uint16_t)family;
	sk->type = (uint8_t)type;
	sk->is_v4_path = family == AF_INET;
	sk->saddr = family == AF_INET ? IPADDR_ANY_V4 : IPADDR_ANY_V6;
	sk->daddr = sk->saddr;
	sk->rcv_saddr = sk->saddr;
	atomic_init(&sk->state, TCP_CLOSE);
	atomic_init(&sk->refs, 1);
	lock_init(&sk->lock, LOCK_SOCK, shared);
	lock_init(&sk->backlog_lock, LOCK_BACKLOG, shared);
	lock_init(&sk->err_lock, LOCK_RXQ, shared);
	list_init(&sk->poll_items);
	init_options(sk, st, proto);
}

void sock_done(struct sock *sk)
{
	struct stack *st = sk->stack;

	skb_queue_purge(st, &sk->receive_queue);
	skb_queue_purge(st, &sk->error_queue);
	skb_queue_purge(st, &sk->backlog);
	atomic_store(&sk->backlog_truesize, 0);
	dst_put(sk->dst);
	sk->dst = NULL;
	page_frag_release(st->pools->pages, &sk->page_frag);
	lock_done(&sk->err_lock);
	lock_done(&sk->backlog_lock);
	lock_done(&sk->lock);
}

void sock_get(struct sock *sk)
{
	count_add_u32(&sk->refs, 1);
}

void sock_put(struct sock *sk)
{
	if (count_add_u32(&sk->refs, -1u) == 1)
		up_tab.sock_free(sk);
}

/* ---- lock and backlog ---- */

/* The last holder died half-way: take over only to reset. */
static COLD void take_over_broken(struct sock *sk)
{
	sk->lock.was_abandoned = 0;
	sk->flags |= SK_BROKEN;
	sock_ops(sk)->reset_broken(sk);
}

void sock_lock(struct sock *sk)
{
	lock_take(&sk->lock);
	if (unlikely(sk->lock.was_abandoned))
		take_over_broken(sk);
}

bool sock_trylock(struct sock *sk)
{
	if (!lock_try(&sk->lock))
		return false;
	if (unlikely(sk->lock.was_abandoned))
		take_over_broken(sk);
	return true;
}

static void backlog_lock_take(struct sock *sk)
{
	lock_take(&sk->backlog_lock);
	if (unlikely(sk->backlog_lock.was_abandoned)) {
		/* Links cannot be trusted; the packets are found by a sweep of the pool. */
		sk->backlog_lock.was_abandoned = 0;
		skb_queue_init(&sk->backlog);
		atomic_store(&sk->backlog_truesize, 0);
	}
}

/* The whole list, or an empty one: then nothing is waiting and the charge is cleared. */
static struct skb *backlog_take_all(struct sock *sk)
{
	struct skb *first;

	backlog_lock_take(sk);
	first = sk->backlog.first;
	if (!first)
		atomic_store(&sk->backlog_truesize, 0);
	skb_queue_init(&sk->backlog);
	lock_drop(&sk->backlog_lock);
	return first;
}

static bool work_off_backlog(struct sock *sk)
{
	const struct proto_ops *ops = sock_ops(sk);
	bool did = false;
	struct skb *s;

	if (!atomic_load(&sk->backlog_truesize))
		return false;
	while ((s = backlog_take_all(sk))) {
		while (s) {
			struct skb *next = s->next;

			s->next = s->prev = NULL;
			s->sk = NULL;
			skb_owner_move(s, SKB_IN_TRANSIT);
			ops->backlog_rcv(sk, s);
			s = next;
		}
		did = true;
	}
	return did;
}

static bool has_notes(const struct sock *sk)
{
	return atomic_load(&((struct sock *)sk)->backlog_truesize) ||
	       atomic_load(&((struct sock *)sk)->deferred);
}

/* Order what we stored before what we are about to look at. */
static inline void full_fence(struct sock *sk)
{
#if SAN_THREAD
	atomic_fetch_add(&sk->deferred, 0); /* TSan does not know fences */
#else
	(void)sk;
	full_barrier();
#endif
}

void sock_release(struct sock *sk)
{
	do {
		uint32_t bits;

		work_off_backlog(sk);
		bits = atomic_load(&sk->deferred) ? atomic_exchange(&sk->deferred, 0) : 0;
		if (bits)
			sock_ops(sk)->release_cb(sk, bits);
		lock_drop(&sk->lock);
		full_fence(sk);
	} while (unlikely(has_notes(sk)) && sock_trylock(sk));
}

bool sock_flush_backlog(struct sock *sk)
{
	return work_off_backlog(sk);
}

void sock_defer(struct sock *sk, uint32_t bits)
{
	atomic_fetch_or(&sk->deferred, bits);
	full_fence(sk);
	if (sock_trylock(sk))
		sock_release(sk);
}

static bool backlog_add(struct sock *sk, struct skb *skb, uint64_t limit)
{
	backlog_lock_take(sk);
	if (atomic_load(&sk->backlog_truesize) > limit) {
		lock_drop(&sk->backlog_lock);
		return false;
	}
	skb->sk = sk; /* for a sweep; no reference, the socket owns its backlog */
	skb_queue_tail(&sk->backlog, skb, SKB_IN_BACKLOG);
	atomic_fetch_add(&sk->backlog_truesize, max_u32(skb->truesize, 1));
	lock_drop(&sk->backlog_lock);
	stack_trace_ev(sk->stack, TR_SOCK_BACKLOG, TR_INSTANT, trace_obj(sk->stack, sk, skb),
		       atomic_load(&sk->backlog_truesize), limit, 0);
	return true;
}

bool sock_receive_skb(struct sock *sk, struct skb *skb, uint64_t limit)
{
	if (sock_trylock(sk)) {
		work_off_backlog(sk); /* somebody may just have left */
		sock_ops(sk)->backlog_rcv(sk, skb);
		sock_release(sk);
		return true;
	}
	if (!backlog_add(sk, skb, limit)) {
		atomic_fetch_add(&sk->drops, 1);
		skb_free(sk->stack, skb);
		return false;
	}
	full_fence(sk);
	if (sock_trylock(sk))
		sock_release(sk);
	return true;
}

/* ---- errors and wake-ups ---- */

int sock_error(struct sock *sk)
{
	if (likely(!atomic_load_explicit(&sk->err, memory_order_relaxed)))
		return 0;
	return -atomic_exchange(&sk->err, 0);
}

void sock_report_error(struct sock *sk, int err)
{
	atomic_store(&sk->err, err);
	sock_wake(sk, EPOLLERR);
}

/* A stale answer only costs the lock: who adds an item tests readiness afterwards. */
static SAN_NO_THREAD bool has_poll_items(const struct sock *sk)
{
	return __atomic_load_n(&sk->poll_items.next, __ATOMIC_RELAXED) != &sk->poll_items;
}

void sock_wake(struct sock *sk, uint32_t events)
{
	stack_trace_ev(sk->stack, TR_SOCK_WAKE, TR_INSTANT, trace_obj(sk->stack, sk, NULL), events,
		       0, 0);
	waitq_wake(&sk->wq, INT32_MAX);
	if (has_poll_items(sk)) {
		errq_lock_take(sk);
		up_tab.sock_ready(sk, events);
		lock_drop(&sk->err_lock);
	}
	/* A caller who drives the pump sleeps on the driver's queue, not on this socket's. */
	if (!sk->stack->is_driven)
		pools_wake_driver(sk->stack->pools);
}

/* ---- route ---- */

void sock_set_dst(struct sock *sk, struct dst *d)
{
	struct dst *old = sk->dst;

	sk->dst = d;
	if (d) {
		sk->route_caps = d->dev->features;
		sk->gso_max_size = d->dev->gso_max_size;
		sk->gso_max_segs = d->dev->gso_max_segs;
	}
	if (old)
		dst_put(old);
}

struct dst *sock_dst(struct sock *sk)
{
	if (likely(dst_is_valid(sk->dst)))
		return sk->dst;
	if (sk->dst)
		sock_set_dst(sk, NULL);
	return NULL;
}

/* ---- charging ---- */

void skb_set_owner_w(struct skb *skb, struct sock *sk, enum skb_dtor dtor)
{
	DEBUG_CHECK(skb->dtor == SKB_DTOR_NONE);
	sock_get(sk);
	skb->sk = sk;
	skb->dtor = (uint8_t)dtor;
	count_add_s32(&sk->wmem_alloc, (int32_t)skb->truesize);
}

void sock_wfree(struct stack *st, struct skb *skb)
{
	struct sock *sk = skb->sk;
	const struct proto_ops *ops = sock_ops(sk);

	(void)st;
	/* Release order: who sees the room also sees what the packet did before. */
	count_add_s32(&sk->wmem_alloc, -(int32_t)skb->truesize);
	if (ops->write_space)
		ops->write_space(sk);
	sock_put(sk);
}

void skb_set_owner_r(struct skb *skb, struct sock *sk)
{
	DEBUG_CHECK(skb->dtor == SKB_DTOR_NONE);
	skb->sk = sk;
	skb->dtor = SKB_DTOR_SOCK_RFREE;
	count_add_s32(&sk->rmem_alloc, (int32_t)skb->truesize);
}

void sock_rfree(struct stack *st, struct skb *skb)
{
	(void)st;
	count_add_s32(&skb->sk->rmem_alloc, -(int32_t)skb->truesize);
}

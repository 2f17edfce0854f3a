/* SPDX-License-Identifier: BSD-2-Clause */
/* Protocol memory of a connection: reserved pages, pressure, room for writers (T89). */
/*
 * How it works: a socket reserves whole pages of 4096 bytes from its stack's count and hands them
 * out by the byte (forward_alloc). What the queues hold is wmem_queued; reserving and queueing are
 * two steps, so that a refused reservation leaves the queues alone.
 *
 * 1. forward_alloc never goes below 0: who queues has reserved, or forced, before.
 * 2. One spare page stays with the socket; more goes back (a small send and its acknowledgement
 *    then cost no access to the shared count).
 * 3. Forcing is for what must not fail: the first record of an idle connection, splits, FIN.
 */
#include "tcp/base/base.h"

#define MEM_PAGE_BYTES 4096u
#define SPARE_PAGES 1u        /* kept by a socket in use */
#define SNDBUF_MIN_BYTES 4608 /* T89.6 */

/* Indices of sysctl tcp_mem (pages). */
enum { MEM_LOW = 0, MEM_PRESSURE, MEM_HIGH };

bool tcp_under_memory_pressure(const struct tcp_sock *tp)
{
	return atomic_load_explicit(&tp->sk.stack->tcp_pressure, memory_order_relaxed) != 0;
}

void tcp_enter_memory_pressure(struct stack *st)
{
	uint32_t none = 0, now_ms = (uint32_t)(stack_now_ns(st) / NS_PER_MS);

	if (atomic_load_explicit(&st->tcp_pressure, memory_order_relaxed))
		return;
	if (atomic_compare_exchange_strong(&st->tcp_pressure, &none, now_ms ? now_ms : 1))
		mib_inc(st, TcpExtTCPMemoryPressures);
}

static void leave_memory_pressure(struct stack *st)
{
	uint32_t since_ms;

	if (!atomic_load_explicit(&st->tcp_pressure, memory_order_relaxed))
		return;
	since_ms = atomic_exchange(&st->tcp_pressure, 0);
	if (since_ms)
		mib_add(st, TcpExtTCPMemoryPressuresChrono,
			(uint32_t)(stack_now_ns(st) / NS_PER_MS) - since_ms);
}

static uint64_t take_pages(struct stack *st, uint64_t pages)
{
	return atomic_fetch_add_explicit(&st->tcp_memory_pages, pages, memory_order_relaxed) + pages;
}

static void return_pages(struct tcp_sock *tp, uint64_t pages)
{
	struct stack *st = tp->sk.stack;
	uint64_t left =
		atomic_fetch_sub_explicit(&st->tcp_memory_pages, pages, memory_order_relaxed) - pages;

	if (left < (uint64_t)st->sysctl.tcp_mem[MEM_LOW])
		leave_memory_pressure(st);
}

/* Pages this connection uses, queues and reserve together. */
static uint64_t pages_of(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->sk;
	int64_t bytes = (int64_t)sk->wmem_queued + atomic_load(&((struct sock *)sk)->rmem_alloc) +
			sk->forward_alloc;

	return bytes > 0 ? div_up_u64((uint64_t)bytes, MEM_PAGE_BYTES) : 0;
}

/* T89.3-4: may the stack's count stand at @total with this socket's share in it? */
static bool total_is_allowed(struct tcp_sock *tp, uint64_t total, bool is_guaranteed)
{
	struct stack *st = tp->sk.stack;
	const int64_t *limit = st->sysctl.tcp_mem;

	if (likely(total <= (uint64_t)limit[MEM_LOW])) {
		leave_memory_pressure(st);
		return true;
	}
	if (total > (uint64_t)limit[MEM_PRESSURE])
		tcp_enter_memory_pressure(st);
	if (total > (uint64_t)limit[MEM_HIGH])
		return false;
	if (is_guaranteed || !tcp_under_memory_pressure(tp))
		return true;
	return (uint64_t)limit[MEM_HIGH] > atomic_load(&st->num_tcp_socks) * pages_of(tp);
}

void tcp_stream_moderate_sndbuf(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	int32_t v;

	if (sk->flags & SK_SNDBUF_LOCK)
		return;
	v = sk->wmem_queued / 2 < sk->sndbuf ? sk->wmem_queued / 2 : sk->sndbuf;
	sk->sndbuf = v > SNDBUF_MIN_BYTES ? v : SNDBUF_MIN_BYTES;
}

static uint64_t pages_missing(const struct tcp_sock *tp, uint32_t bytes)
{
	return div_up_u64(bytes - (uint32_t)tp->sk.forward_alloc, MEM_PAGE_BYTES);
}

static COLD bool wmem_refused(struct tcp_sock *tp, uint32_t bytes)
{
	tcp_stream_moderate_sndbuf(tp);
	/* The writer will sleep on SNDBUF; failing here would only hide that (T89.5). */
	return (int64_t)tp->sk.wmem_queued + bytes >= tp->sk.sndbuf;
}

bool tcp_wmem_schedule(struct tcp_sock *tp, uint32_t bytes)
{
	struct sock *sk = &tp->sk;
	uint64_t pages;

	if (likely(bytes <= (uint32_t)sk->forward_alloc))
		return true;
	pages = pages_missing(tp, bytes);
	if (unlikely(!total_is_allowed(tp, take_pages(sk->stack, pages),
				       sk->wmem_queued < sk->stack->sysctl.tcp_wmem[0])) &&
	    !wmem_refused(tp, bytes)) {
		return_pages(tp, pages);
		return false;
	}
	sk->forward_alloc += (int32_t)(pages * MEM_PAGE_BYTES);
	return true;
}

void tcp_wmem_force(struct tcp_sock *tp, uint32_t bytes)
{
	struct sock *sk = &tp->sk;
	uint64_t pages;

	if (bytes <= (uint32_t)sk->forward_alloc)
		return;
	pages = pages_missing(tp, bytes);
	if (take_pages(sk->stack, pages) > (uint64_t)sk->stack->sysctl.tcp_mem[MEM_PRESSURE])
		tcp_enter_memory_pressure(sk->stack);
	sk->forward_alloc += (int32_t)(pages * MEM_PAGE_BYTES);
}

bool tcp_rmem_schedule(struct tcp_sock *tp, uint32_t bytes)
{
	struct sock *sk = &tp->sk;
	uint64_t pages;

	if (likely(bytes <= (uint32_t)sk->forward_alloc))
		return true;
	pages = pages_missing(tp, bytes);
	if (unlikely(!total_is_allowed(tp, take_pages(sk->stack, pages),
				       atomic_load(&sk->rmem_alloc) < sk->stack->sysctl.tcp_rmem[0]))) {
		return_pages(tp, pages);
		return false;
	}
	sk->forward_alloc += (int32_t)(pages * MEM_PAGE_BYTES);
	return true;
}

static void reclaim(struct tcp_sock *tp, uint32_t keep_pages)
{
	struct sock *sk = &tp->sk;
	uint32_t pages = (uint32_t)sk->forward_alloc / MEM_PAGE_BYTES;

	if (likely(sk->forward_alloc < (int32_t)MEM_PAGE_BYTES || pages <= keep_pages))
		return;
	pages -= keep_pages;
	sk->forward_alloc -= (int32_t)(pages * MEM_PAGE_BYTES);
	return_pages(tp, pages);
}

void tcp_mem_reclaim(struct tcp_sock *tp)
{
	reclaim(tp, 0);
}

void tcp_wmem_queued_add(struct tcp_sock *tp, uint32_t bytes)
{
	tp->sk.wmem_queued += (int32_t)bytes;
	tp->sk.forward_alloc -= (int32_t)bytes;
}

void tcp_wmem_queued_sub(struct tcp_sock *tp, uint32_t bytes)
{
	tp->sk.wmem_queued -= (int32_t)bytes;
	tp->sk.forward_alloc += (int32_t)bytes;
	reclaim(tp, SPARE_PAGES);
}

void tcp_mem_uncharge_rx(struct tcp_sock *tp, uint32_t bytes)
{
	tp->sk.forward_alloc += (int32_t)bytes;
	reclaim(tp, SPARE_PAGES);
}

/* ---- room for a writer ---- */

uint32_t tcp_notsent_lowat(const struct tcp_sock *tp)
{
	return tp->notsent_lowat ? tp->notsent_lowat
				 : (uint32_t)tp->sk.stack->sysctl.tcp_notsent_lowat;
}

bool tcp_stream_memory_free(const struct tcp_sock *tp)
{
	uint32_t unsent = tp->write_seq - tp->snd_nxt;

	return tp->sk.wmem_queued < tp->sk.sndbuf && unsent < tcp_notsent_lowat(tp);
}

bool tcp_stream_is_writeable(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->sk;
	uint64_t unsent = tp->write_seq - tp->snd_nxt;

	return sk->sndbuf - sk->wmem_queued >= sk->wmem_queued / 2 &&
	       sk->wmem_queued < sk->sndbuf && 2 * unsent < tcp_notsent_lowat(tp);
}

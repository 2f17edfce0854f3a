/* SPDX-License-Identifier: BSD-2-Clause */
/* Room for writers: growth of the send buffer and the wake-up (T88). */
/*
 * How it works: a writer or poller that found no room sets NOSPACE. After each acknowledgement and
 * each transmission the space check looks at it; the flag keeps the check free of cost for
 * everybody else.
 */
#include "tcp/out/out_int.h"

#include <sys/epoll.h>

#define SKB_HEADER_ROOM 256u /* G15: room for headers in front of one segment */
#define SKB_SHARED_INFO 320u
#define SKB_RECORD_BYTES 256u
#define SNDBUF_CWND_FACTOR 2u /* of modules that do not ask for more (T88.5) */

/* Memory one full segment costs. */
static uint32_t segment_charge(const struct tcp_sock *tp)
{
	uint32_t payload = max_u32(tp->rx.mss_clamp, tp->mss_cache), size = 1;

	while (size < payload + SKB_HEADER_ROOM + SKB_SHARED_INFO)
		size <<= 1;
	return size + SKB_RECORD_BYTES;
}

void tcp_sndbuf_expand(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;
	uint64_t segs = max_u32(max_u32(TCP_INIT_CWND, tp->snd_cwnd), tp->reordering + 1);
	uint64_t want = SNDBUF_CWND_FACTOR * segs * segment_charge(tp);

	want = min_u64(want, (uint64_t)sk->stack->sysctl.tcp_wmem[2]);
	if (want > (uint64_t)sk->sndbuf)
		sk->sndbuf = (int32_t)want;
}

static bool should_expand(const struct tcp_sock *tp)
{
	const struct stack *st = tp->sk.stack;

	return !(tp->sk.flags & SK_SNDBUF_LOCK) && !tcp_under_memory_pressure(tp) &&
	       atomic_load(&((struct stack *)st)->tcp_memory_pages) <
		       (uint64_t)st->sysctl.tcp_mem[0] &&
	       tcp_packets_in_flight(tp) < tp->snd_cwnd;
}

void tcp_write_space(struct sock *sk)
{
	if (!tcp_stream_is_writeable(tcp_sk(sk)))
		return;
	sk->flags &= ~SK_NOSPACE;
	sock_wake(sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
}

void tcp_check_space(struct tcp_sock *tp)
{
	if (likely(!(tp->sk.flags & SK_NOSPACE)))
		return;
	if (should_expand(tp)) {
		tcp_sndbuf_expand(tp);
		tp->snd_cwnd_stamp_ns = tp->now_ns;
	}
	tcp_write_space(&tp->sk);
	if (!(tp->sk.flags & SK_NOSPACE))
		tcp_chrono_stop(tp, TCP_CHRONO_SNDBUF_LIMITED);
}

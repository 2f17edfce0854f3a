/* SPDX-License-Identifier: BSD-2-Clause */
/* One hand-made connection over loopback; what it sends is read from the receive queue. */
#ifndef NARU_TESTS_TCP_FIXTURE_H
#define NARU_TESTS_TCP_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "core/netdev.h"
#include "core/stack.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "pump/pump.h"
#include "tcp/base/base.h"
#include "tcp/cc/cong.h"
#include "tcp/out/out.h"
#include "tcp/user/user.h"
#include "wire/ipv4.h"
#include "wire/seq.h"

#define FX_START_NS (1000 * NS_PER_S)

struct fx {
	struct arena *arena;
	struct arena_pools *pools;
	struct stack *st;
	struct netdev *lo;
	struct tcp_sock *tp;
	uint8_t buf[65536];
};

/* One packet as it left. */
struct fx_pkt {
	uint32_t seq, ack, len, gso_size, gso_segs;
	uint16_t window, urg;
	uint8_t flags, tos;
	uint8_t opts[40];
	uint32_t opt_len;
};

static inline void fx_now_us(struct fx *f, uint64_t us)
{
	clock_advance_to(&f->pools->clock, FX_START_NS + us * 1000);
	f->tp->now_ns = FX_START_NS + us * 1000;
}

static inline void fx_fill_sock(struct fx *f, uint32_t mss, uint32_t wnd)
{
	struct tcp_sock *tp = f->tp;

	tp->sk.state = TCP_ESTABLISHED;
	tp->sk.saddr = tp->sk.daddr = tp->sk.rcv_saddr = ipaddr_loopback_v4();
	tp->sk.sport = 1000;
	tp->sk.dport = 2000;
	tp->sk.sndbuf = 4000000;
	list_init(&tp->tsorted);
	list_init(&tp->accept_queue);
	timer_init(&tp->write_timer, TIMER_TCP_WRITE);
	timer_init(&tp->delack_timer, TIMER_TCP_DELACK);
	timer_init(&tp->keepalive_timer, TIMER_TCP_KEEPALIVE);
	hrtimer_init(&tp->pacing_timer, HRTIMER_TCP_PACING);
	hrtimer_init(&tp->compack_timer, HRTIMER_TCP_COMPACK);
	tp->now_ns = FX_START_NS;
	tcp_init_rtt(tp);
	tp->tcp_header_len = 20;
	tp->rx.mss_clamp = (uint16_t)mss;
	tp->rx.sack_ok = true;
	tp->snd_una = tp->snd_nxt = tp->write_seq = tp->pushed_seq = tp->snd_up = tp->snd_sml = 1;
	tp->snd_wnd = tp->max_window = wnd;
	tp->snd_cwnd = 10;
	tp->snd_cwnd_clamp = UINT32_MAX;
	tp->snd_ssthresh = TCP_INFINITE_SSTHRESH;
	tp->reordering = 3;
	tp->rto_ns = 220 * NS_PER_MS;
	tp->rto_min_ns = 200 * NS_PER_MS;
	tp->rto_max_ns = 120 * NS_PER_S;
	tp->cong_id = CONG_RENO;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = 1;
	tp->rcv_wnd = tp->window_clamp = tp->rcv_ssthresh = 64240;
	tp->scaling_ratio = 128;
	tp->rcv_mss = TCP_MSS_DEFAULT;
	tp->advmss = 1460;
}

static inline void fx_rtt_us(struct fx *f, uint32_t us)
{
	f->tp->srtt8_us = us * 8;
	tcp_update_rtt_min(f->tp, us);
	tcp_update_pacing_rate(f->tp);
}

static inline void fx_open(struct fx *f, uint32_t hz, uint32_t mss, uint32_t wnd)
{
	struct arena_config ac = {.size = 64u << 20};
	int err, fd;

	memset(f, 0, sizeof(*f));
	err = arena_create(&ac, &f->arena, &fd);
	assert_int_equal(err, 0);
	err = arena_pools_create(f->arena, CLOCK_KIND_VIRTUAL, FX_START_NS, &f->pools);
	assert_int_equal(err, 0);
	f->st = stack_alloc(f->pools, hz, 1);
	assert_non_null(f->st);
	err = pump_init(f->st);
	assert_int_equal(err, 0);
	err = ip_init(f->st);
	assert_int_equal(err, 0);
	err = loopback_create(f->st, &f->lo);
	assert_int_equal(err, 0);
	err = ip_dev_up(f->lo);
	assert_int_equal(err, 0);
	err = pool_init(&f->pools->tcp_sock, f->arena, "tcp_sock", OBJ_TCP_SOCK,
			sizeof(struct tcp_sock), 16, 0);
	assert_int_equal(err, 0);
	f->tp = pool_zalloc(&f->pools->tcp_sock, POOL_NORMAL);
	assert_non_null(f->tp);
	sock_init(&f->tp->sk, f->st, PROTO_TCP, AF_INET, SOCK_STREAM);
	fx_fill_sock(f, mss, wnd);
	assert_non_null(ip_sk_route(&f->tp->sk, &err));
	tcp_sync_mss(f->tp, dst_mtu(f->tp->sk.dst));
}

static inline void fx_close(struct fx *f)
{
	arena_unmap(f->arena);
}

/* No segmentation offload, as "gso_max_segs 1" on a device. */
static inline void fx_no_gso(struct fx *f)
{
	f->lo->gso_max_segs = 1;
	f->tp->sk.gso_max_segs = 1;
	f->tp->gso_segs = 0;
}

/* The next packet sent; false: none. */
static inline bool fx_next(struct fx *f, struct fx_pkt *p)
{
	const struct ipv4_hdr *ih;
	const struct tcp_hdr *th;
	struct skb *s;

	memset(p, 0, sizeof(*p));
	lock_take(&f->st->rxq_lock);
	s = skb_dequeue(&f->st->rxq);
	lock_drop(&f->st->rxq_lock);
	if (!s)
		return false;
	ih = (const struct ipv4_hdr *)skb_data(s);
	th = (const struct tcp_hdr *)(skb_data(s) + 20);
	*p = (struct fx_pkt){
		.seq = be32_to_cpu(th->seq_be),
		.ack = be32_to_cpu(th->ack_be),
		.len = s->len - 20 - tcp_hdr_len(th),
		.gso_size = s->gso_size,
		.gso_segs = s->gso_segs,
		.window = be16_to_cpu(th->window_be),
		.urg = be16_to_cpu(th->urg_be),
		.flags = th->flags,
		.tos = ih->tos,
		.opt_len = tcp_hdr_len(th) - 20,
	};
	memcpy(p->opts, tcp_hdr_opts(th), p->opt_len);
	skb_free(f->st, s);
	return true;
}

/* Expect: next packet is seq:seq+len with these flags. */
#define fx_expect(f, s_, l_, fl_)                \
	do {                                     \
		struct fx_pkt p_;                \
		assert_true(fx_next(f, &p_));    \
		assert_int_equal(p_.seq, s_);    \
		assert_int_equal(p_.len, l_);    \
		assert_int_equal(p_.flags, fl_); \
	} while (0)
#define fx_expect_none(f)                      \
	do {                                   \
		struct fx_pkt p_;              \
		assert_false(fx_next(f, &p_)); \
	} while (0)
#define FX_CHECK(f) assert_int_equal(tcp_check_invariants((f)->tp), 0)

static inline ssize_t fx_send(struct fx *f, size_t len, int flags)
{
	struct iovec v = {f->buf, len};
	struct msg m = {.iter = {.iov = &v, .nr = 1, .count = len, .is_kernel = true},
			.flags = flags | MSG_DONTWAIT};

	return tcp_sendmsg(&f->tp->sk, &m);
}

/* A cumulative acknowledgement, by hand: whole records only. */
static inline void fx_ack(struct fx *f, uint32_t ack)
{
	struct tcp_sock *tp = f->tp;
	struct skb *s;

	while ((s = tp->rtx_queue.first) && !seq_after(tcp_cb(s)->end_seq, ack)) {
		tp->packets_out -= tcp_cb(s)->pcount;
		tcp_rtx_queue_unlink_and_free(tp, s);
	}
	if (!seq_after(tp->snd_up, ack)) /* T73.5 */
		tp->snd_up = ack;
	tp->snd_una = ack;
	if (!tp->rtx_queue.first)
		tcp_chrono_stop(tp, TCP_CHRONO_BUSY);
	tcp_rearm_rto(tp);
}

static inline uint64_t fx_mib(struct fx *f, enum mib_id id)
{
	return mib_get(f->st, id);
}

#endif

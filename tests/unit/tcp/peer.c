/* SPDX-License-Identifier: BSD-2-Clause */
/* The hand-made connection of peer.h: tables, stack, socket, writes and acknowledgements. */
/*
 * How it works: the device is the test, everything else above it - IP, output, acknowledgement side, timers - is
 * the real code in virtual time. The socket is filled in as a passive open would leave it. After each ACK the
 * queues are compared with the counters.
 */
#include "peer.h"

#include <unistd.h>

#include "core/proto.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "l4/l4.h"
#include "qdisc/qdisc.h"
#include "tcp/in/in.h"

#define RCV_NXT 1u
#define HZ 250u
#define START_NS (1000 * NS_PER_S + 1234567) /* not on a tick */

struct capture cap;

/* ---- tables: this program has no ranks above tcp ---- */

static enum xmit sink_xmit(struct netdev *dev, struct skb *skb)
{
	uint8_t b[128] = {0};
	uint32_t ihl, hdr;
	const struct tcp_hdr *th;

	(void)!skb_copy_bits(skb, 0, b, min_u32(skb->len, sizeof(b)));
	ihl = (b[0] & 15u) * 4;
	th = (const void *)(b + ihl);
	hdr = tcp_hdr_len(th);
	if (b[9] == 6 && cap.num < SENT_MAX)
		cap.p[cap.num++] =
			(struct sent){stack_now_ns(dev->stack), be32_to_cpu(th->seq_be) - ISS,
				      skb->len - ihl - hdr, th->flags};
	skb_free(dev->stack, skb);
	return XMIT_OK;
}

static void test_release_cb(struct sock *sk, uint32_t deferred)
{
	tcp_mstamp_refresh(tcp_sk(sk));
	if (deferred & SOCK_DEFER_TSQ)
		tcp_tsq_handler(tcp_sk(sk));
	if (deferred & SOCK_DEFER_WRITE_TIMER)
		tcp_write_timer_handler(tcp_sk(sk));
}
static void test_sock_free(struct sock *sk)
{
	(void)sk;
}
static void test_reset_broken(struct sock *sk)
{
	(void)sk;
}
static void test_ready(struct sock *sk, uint32_t events)
{
	(void)sk;
	(void)events;
}
static void test_l4_rcv(struct stack *st, struct skb *skb)
{
	skb_free(st, skb);
}
static void test_l4_err(struct stack *st, const struct icmp_err *err)
{
	(void)st;
	(void)err;
}

static const struct dev_ops sink_dev_ops = {.name = "sink", .xmit = sink_xmit};
static const struct proto_ops test_tcp_ops = {
	.name = "tcp",
	.free = test_sock_free,
	.release_cb = test_release_cb,
	.reset_broken = test_reset_broken,
};
const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];
const timer_fn timer_tab[TIMER_KIND_NUM] = {
	[TIMER_TCP_WRITE] = tcp_write_timer,
	[TIMER_TCP_KEEPALIVE] = tcp_keepalive_timer,
	[TIMER_NEIGH] = neigh_timer,
	[TIMER_NEIGH_GC] = neigh_gc_timer,
	[TIMER_FRAG] = frag_timer,
	[TIMER_IP_DAD] = dad_timer,
	[TIMER_IP_RS] = rs_timer,
};
const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM] = {[HRTIMER_TCP_PACING] = tcp_pacing_timer};
const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM] = {
	[SKB_DTOR_SOCK_WFREE] = sock_wfree,
	[SKB_DTOR_TCP_WFREE] = tcp_wfree,
	[SKB_DTOR_TCP_ACK_WFREE] = tcp_ack_wfree,
	[SKB_DTOR_SOCK_RFREE] = sock_rfree,
};
const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {[DEV_TAP] = &sink_dev_ops};
const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM];
const struct proto_ops *const proto_ops_tab[PROTO_NUM] = {[PROTO_TCP] = &test_tcp_ops};
const struct cong_ops *const cong_ops_tab[CONG_NUM] = {
	[CONG_RENO] = &reno_cong_ops, [CONG_CUBIC] = &cubic_cong_ops};
const struct l4_proto l4_proto_tab[PROTO_NUM];
const l4_conn_free_fn l4_conn_free_tab[OBJ_TYPE_NUM];
const struct up_calls up_tab = {
	.l3_rcv = ip_rcv_frame,
	.l4_rcv = test_l4_rcv,
	.l4_err = test_l4_err,
	.neigh_put = neigh_put,
	.sock_ready = test_ready,
	.sock_free = test_sock_free,
};

/* ---- the stack and its one connection ---- */

static struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_int_equal(ipaddr_parse(text, &a), 0);
	return a;
}

void world_new(struct world *w, uint32_t gso_segs)
{
	struct arena_config cfg = {.size = 64u << 20, .layout_hash = 1};
	struct ipaddr us = addr("192.168.0.1"), gw = addr("192.168.0.2"), any = IPADDR_ANY_V4;
	struct netdev *dev;
	int fd;

	assert_int_equal(arena_create(&cfg, &w->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(w->arena, CLOCK_KIND_VIRTUAL, START_NS, &w->pools), 0);
	if (!w->pools->tcp_sock.obj_size)
		assert_int_equal(pool_init(&w->pools->tcp_sock, w->arena, "tcp_sock", OBJ_TCP_SOCK,
					   sizeof(struct tcp_sock), 16, 0),
				 0);
	w->st = stack_alloc(w->pools, HZ, 1);
	assert_non_null(w->st);
	assert_int_equal(pump_init(w->st), 0);
	assert_int_equal(ip_init(w->st), 0);
	assert_int_equal(l4_init(w->st, 64), 0);
	w->st->tcp = arena_alloc(w->arena, sizeof(struct tcp_stack));
	assert_int_equal(netdev_alloc(w->st, "tun0", DEV_TAP, &dev), 0);
	dev->mtu = 1500;
	dev->qdisc_id = QDISC_NOQUEUE;
	dev->flags |= NETDEV_NOARP;
	dev->features = NETDEV_F_SG | NETDEV_F_CSUM;
	dev->gso_max_segs = gso_segs;
	dev_up(dev);
	assert_int_equal(ip_dev_up(dev), 0);
	assert_int_equal(ip_addr_add(dev, &us, 96 + 24, true), 0);
	assert_int_equal(ip_route_add(w->st, &any, 96, &gw, dev, NULL), 0);
	cap.num = cap.taken = 0;
}

void run(struct world *w, uint64_t until_ns, bool to_packet)
{
	for (;;) {
		uint64_t next;

		pump_run(w->st);
		if (to_packet && cap.num > cap.taken)
			return;
		next = timers_next_ns(&w->st->timers);
		if (next > until_ns)
			break;
		clock_advance_to(&w->pools->clock, max_u64(next, stack_now_ns(w->st)));
	}
	clock_advance_to(&w->pools->clock, until_ns);
	pump_run(w->st);
}

void wait_us(struct world *w, int us)
{
	run(w, stack_now_ns(w->st) + (uint64_t)us * NS_PER_US, false);
}

static void sock_defaults(struct tcp_sock *tp)
{
	list_init(&tp->tsorted);
	timer_init(&tp->write_timer, TIMER_TCP_WRITE);
	timer_init(&tp->delack_timer, TIMER_TCP_DELACK);
	timer_init(&tp->keepalive_timer, TIMER_TCP_KEEPALIVE);
	hrtimer_init(&tp->pacing_timer, HRTIMER_TCP_PACING);
	hrtimer_init(&tp->compack_timer, HRTIMER_TCP_COMPACK);
	tp->rto_min_ns = 200 * NS_PER_MS;
	tp->rto_max_ns = 120 * NS_PER_S;
	tcp_init_rtt(tp);
	tp->reordering = (uint32_t)tp->sk.stack->sysctl.tcp_reordering;
	tp->snd_cwnd_clamp = UINT32_MAX;
	tp->app_limited = UINT32_MAX;
	tp->rack.reo_wnd_steps = 1;
	tp->undo_retrans = -1;
}

static void sock_numbers(struct tcp_sock *tp, const struct conn_spec *c)
{
	tp->rx.tstamp_ok = c->ts;
	tp->rx.sack_ok = c->sack;
	tp->rx.wscale_ok = true;
	tp->rx.snd_wscale = (uint8_t)c->wscale;
	tp->rx.mss_clamp = (uint16_t)(c->mss + (c->ts ? TCP_OPTLEN_TS : 0));
	tp->ecn_flags = c->ecn ? TCP_ECN_OK : 0;
	tp->tcp_header_len = TCP_HDR_LEN + (c->ts ? TCP_OPTLEN_TS : 0);
	tp->snd_una = tp->snd_nxt = tp->snd_sml = tp->snd_up = tp->write_seq = tp->pushed_seq =
		ISS + 1;
	tp->high_seq = tp->rtt_seq = ISS + 1;
	tp->rcv_nxt = tp->rcv_wup = tp->copied_seq = tp->snd_wl1 = RCV_NXT;
	tp->rcv_wnd = tp->window_clamp = tp->rcv_ssthresh = 65535;
	tp->scaling_ratio = 128;
	tp->rcv_mss = 536;
	tp->advmss = 1460;
	tp->snd_wnd = tp->max_window = (uint32_t)c->window << c->wscale;
	tp->mss_cache = (uint32_t)c->mss;
}

void connect_passively(struct world *w, const struct conn_spec *c)
{
	struct tcp_sock *tp = pool_zalloc(&w->pools->tcp_sock, POOL_NORMAL);
	uint64_t synack_ns = stack_now_ns(w->st);
	struct sock *sk = &tp->sk;
	int err;

	assert_non_null(tp);
	w->tp = tp;
	sock_init(sk, w->st, PROTO_TCP, AF_INET, SOCK_STREAM);
	sk->saddr = addr("192.168.0.1");
	sk->daddr = addr("192.0.2.1");
	sk->sport = 8080;
	sk->dport = 4000;
	sk->sndbuf = 4000000;
	sk->flags |= SK_SNDBUF_LOCK;
	sock_defaults(tp);
	sock_numbers(tp, c);
	tp->cong_id = (uint8_t)tcp_cong_find(c->cong);
	if (c->ts)
		tp->ts_offset = (uint32_t)c->first_tsval - (uint32_t)(synack_ns / NS_PER_MS);
	wait_us(w, c->rtt_us);
	sock_lock(sk);
	tcp_mstamp_refresh(tp);
	assert_non_null(ip_sk_route(sk, &err));
	atomic_store(&sk->state, TCP_ESTABLISHED);
	tcp_sync_mss(tp, 1500);
	tcp_synack_rtt_meas(tp, synack_ns, 0);
	tcp_init_metrics_at_establish(tp);
	tp->delivered = 1;
	tp->lsndtime_ns = tp->rcv_tstamp_ns = tp->now_ns;
	sock_release(sk);
}

/* ---- steps ---- */

static void append_record(struct tcp_sock *tp, uint32_t len, bool is_last)
{
	static const uint8_t zero[65536];
	struct skb *s;

	if (!tcp_send_head(tp))
		tcp_slow_start_after_idle_check(tp);
	s = tcp_stream_alloc_skb(tp, true);
	assert_non_null(s);
	tcp_skb_entail(tp, s);
	assert_true(skb_append_copy(tp->sk.stack, s, &tp->sk.page_frag, zero, len));
	s->truesize += len;
	tp->write_queue.truesize += len;
	tcp_wmem_force(tp, len);
	tcp_wmem_queued_add(tp, len);
	tcp_cb(s)->end_seq += len;
	tp->write_seq += len;
	if (is_last)
		tcp_cb(s)->flags |= TCPH_PSH;
}

void step_write(struct world *w, int delay_us, int bytes, uint32_t record)
{
	struct tcp_sock *tp = w->tp;
	uint32_t mss;

	wait_us(w, delay_us);
	sock_lock(&tp->sk);
	tcp_mstamp_refresh(tp);
	tcp_rate_check_app_limited(tp);
	mss = tcp_current_mss(tp);
	while (bytes > 0) {
		uint32_t len = min_u32((uint32_t)bytes, record ? record : mss);

		bytes -= (int)len;
		append_record(tp, len, !bytes);
	}
	__tcp_push_pending_frames(tp, mss, TCP_NAGLE_PUSH);
	sock_release(&tp->sk);
	pump_run(w->st);
}

static int build_options(uint8_t *out, const char *sacks, const char *tsval, const char *tsecr)
{
	struct tcp_options_out o = {0};
	unsigned int a, b;
	int used;

	if (*tsval != '-') {
		o.flags |= TCP_OPT_TS;
		o.ts_val = (uint32_t)atol(tsval);
		o.ts_ecr = (uint32_t)atol(tsecr);
	}
	for (const char *p = sacks; sscanf(p, "%u:%u%n", &a, &b, &used) == 2;
	     p += p[used] == ',' ? used + 1 : used) {
		o.flags |= TCP_OPT_SACK;
		o.sacks[o.num_sacks].start = ISS + a;
		o.sacks[o.num_sacks++].end = ISS + b;
	}
	return tcp_options_build(out, &o);
}

static struct skb *make_ack(struct world *w, uint32_t ack, int window, bool is_ece,
			    const uint8_t *opt, int opt_len)
{
	struct skb *s = skb_alloc(w->st, POOL_NORMAL);
	struct tcp_hdr *th;

	assert_non_null(s);
	th = (void *)skb_put(s, TCP_HDR_LEN + (uint32_t)opt_len);
	memset(th, 0, TCP_HDR_LEN);
	memcpy(th + 1, opt, (size_t)opt_len);
	th->seq_be = cpu_to_be32(RCV_NXT);
	th->ack_be = cpu_to_be32(ISS + ack);
	th->window_be = cpu_to_be16((uint16_t)window);
	th->doff_res = (uint8_t)((TCP_HDR_LEN + opt_len) / 4 << 4);
	th->flags = TCPH_ACK | (is_ece ? TCPH_ECE : 0);
	s->th_off = s->data_off;
	skb_pull(s, TCP_HDR_LEN + (uint32_t)opt_len);
	*tcp_cb(s) = (struct tcp_skb_cb){.seq = RCV_NXT,
					 .end_seq = RCV_NXT,
					 .ack_seq = ISS + ack,
					 .pcount = 1,
					 .flags = th->flags,
					 .opt_len = (uint16_t)opt_len};
	return s;
}

void step_ack(struct world *w, const char *line)
{
	char ece, sacks[128], tsval[16], tsecr[16];
	int delay_us, window, opt_len;
	uint8_t opt[TCP_OPT_SPACE];
	struct tcp_sock *tp = w->tp;
	struct skb *s;
	unsigned int ack;

	assert_int_equal(sscanf(line, "ack %d %u %d %c %127s %15s %15s", &delay_us, &ack, &window,
				&ece, sacks, tsval, tsecr),
			 7);
	wait_us(w, delay_us);
	opt_len = build_options(opt, sacks, tsval, tsecr);
	s = make_ack(w, ack, window, ece == 'E', opt, opt_len);
	sock_lock(&tp->sk);
	tcp_mstamp_refresh(tp);
	tcp_fast_parse_options(tp, s);
	(void)tcp_ack(tp, s, TCP_ACK_SLOWPATH);
	tcp_data_snd_check(tp);
	skb_free(w->st, s);
	assert_int_equal(tcp_check_invariants(tp), 0);
	sock_release(&tp->sk);
	pump_run(w->st);
}

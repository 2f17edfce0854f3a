/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/base on its own: splitting records, segment size, advertised window, memory, send buffer. */
#include "fixture.h"

#include <errno.h>

static struct fx f;

static int open_1460(void **state)
{
	(void)state;
	fx_open(&f, 1000, 1460, 65535);
	fx_rtt_us(&f, 20000);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

/* ---- rtxq.c ---- */

/* T46: which half keeps what; bytes stay the same. */
static void a_split_gives_the_end_marks_to_the_second_half(void **state)
{
	struct skb *a, *b;
	uint8_t out[3000];
	struct tcp_sock *tp = f.tp;

	(void)state;
	for (size_t i = 0; i < 3000; i++)
		f.buf[i] = (uint8_t)(i * 7);
	tp->snd_cwnd = 0;
	fx_send(&f, 3000, MSG_EOR);
	tcp_send_fin(tp);
	a = tp->write_queue.first;
	a->tx_flags = SKB_TX_ACK_TSTAMP;
	a->ts_key = 1000; /* byte at offset 999 */
	assert_int_equal(tcp_fragment(tp, &tp->write_queue, a, 1000, 1460), 0);
	b = a->next;
	assert_int_equal(tcp_cb(a)->flags, TCPH_ACK);
	assert_int_equal(tcp_cb(b)->flags, TCPH_ACK | TCPH_PSH | TCPH_FIN);
	assert_false(tcp_cb(a)->is_eor);
	assert_true(tcp_cb(b)->is_eor);
	assert_int_equal(tcp_cb(a)->end_seq, 1001);
	assert_int_equal(tcp_cb(b)->seq, 1001);
	assert_int_equal(tcp_cb(b)->end_seq, 3002);
	assert_int_equal(a->len, 1000);
	assert_int_equal(b->len, 2000);
	assert_int_equal(tcp_cb(b)->pcount, 2);
	assert_int_equal(a->tx_flags, SKB_TX_ACK_TSTAMP); /* its key lies before the cut */
	assert_int_equal(tcp_fragment(tp, &tp->write_queue, b, 1460, 1460), 0);
	assert_int_equal(tp->sk.wmem_queued, 3000 + 3 * 832);
	assert_int_equal(skb_copy_bits(a, 0, out, 1000), 0);
	assert_int_equal(skb_copy_bits(b, 0, out + 1000, 1460), 0);
	assert_int_equal(skb_copy_bits(b->next, 0, out + 2460, 540), 0);
	assert_memory_equal(out, f.buf, 3000);
	assert_int_equal(tcp_fragment(tp, &tp->write_queue, a, 1001, 1460), -EINVAL);
	assert_int_equal(tcp_fragment(tp, &tp->write_queue, a, 0, 1460), -EINVAL);
	tcp_reset_xmit_timer(tp, TCP_TIME_PROBE0, NS_PER_S);
	FX_CHECK(&f);
}

/* A sent record cut by another MSS: the packet counts follow (checks/pd/pmtu.pkt). */
static void a_split_of_a_sent_record_corrects_the_counts(void **state)
{
	struct tcp_sock *tp = f.tp;
	struct skb *s;

	(void)state;
	fx_send(&f, 2920, 0);
	s = tp->rtx_queue.first;
	assert_int_equal(tp->packets_out, 2);
	tcp_cb(s)->sacked = TCPCB_LOST;
	tp->lost_out = 2;
	assert_int_equal(tcp_fragment(tp, &tp->rtx_queue, s, 1460, 730), 0);
	assert_int_equal(tp->packets_out, 4);
	assert_int_equal(tp->lost_out, 4);
	assert_int_equal(tcp_cb(s->next)->sacked, TCPCB_LOST);
	assert_ptr_equal(s->tsorted.next, &s->next->tsorted);
	FX_CHECK(&f);
}

static void purging_gives_all_memory_back(void **state)
{
	struct tcp_sock *tp = f.tp;
	uint32_t before = pool_in_use(&f.pools->skb);
	struct fx_pkt p;

	(void)state;
	fx_send(&f, 60000, 0);
	while (fx_next(&f, &p))
		;
	assert_true(tp->rtx_queue.first && tp->write_queue.first);
	tcp_write_queue_purge(tp);
	tcp_mem_reclaim(tp);
	assert_int_equal(tp->sk.wmem_queued, 0);
	assert_int_equal(atomic_load(&f.st->tcp_memory_pages), 0);
	assert_int_equal(pool_in_use(&f.pools->skb), before);
	assert_true(list_is_empty(&tp->tsorted));
}

/* ---- mem.c ---- */

static void above_the_high_limit_only_a_full_buffer_is_granted(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	f.st->sysctl.tcp_mem[0] = 1;
	f.st->sysctl.tcp_mem[1] = 2;
	f.st->sysctl.tcp_mem[2] = 3;
	assert_true(tcp_wmem_schedule(tp, 4096));
	assert_false(tcp_under_memory_pressure(tp));
	tp->sk.wmem_queued = 8000;
	tp->sk.forward_alloc = 0;
	tp->sk.flags |= SK_SNDBUF_LOCK; /* the buffer cannot shrink */
	assert_false(tcp_wmem_schedule(tp, 3 * 4096));
	assert_true(tcp_under_memory_pressure(tp));
	assert_int_equal(atomic_load(&f.st->tcp_memory_pages), 1); /* the refused pages went back */
	tp->sk.flags &= ~SK_SNDBUF_LOCK;
	assert_true(tcp_wmem_schedule(tp, 3 * 4096)); /* SNDBUF 4608 now: the writer will sleep on it */
	assert_int_equal(tp->sk.sndbuf, 4608);
}

static void shrinking_stops_at_the_floor_and_at_a_lock(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->sk.wmem_queued = 100000;
	tcp_stream_moderate_sndbuf(tp);
	assert_int_equal(tp->sk.sndbuf, 50000);
	tp->sk.wmem_queued = 10;
	tcp_stream_moderate_sndbuf(tp);
	assert_int_equal(tp->sk.sndbuf, 4608);
	tp->sk.sndbuf = 9000;
	tp->sk.flags |= SK_SNDBUF_LOCK;
	tcp_stream_moderate_sndbuf(tp);
	assert_int_equal(tp->sk.sndbuf, 9000);
}

static void writable_means_a_third_is_free(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->sk.sndbuf = 9000;
	tp->sk.wmem_queued = 6000;
	assert_true(tcp_stream_is_writeable(tp));
	tp->sk.wmem_queued = 6002;
	assert_false(tcp_stream_is_writeable(tp));
	assert_true(tcp_stream_memory_free(tp));
	tp->sk.wmem_queued = 0;
	tp->notsent_lowat = 2000;
	tp->write_seq = tp->snd_nxt + 1000;
	assert_false(tcp_stream_is_writeable(tp)); /* 2 * 1000 is not below 2000 */
	assert_true(tcp_stream_memory_free(tp));
}

/* G15 */
static void the_send_buffer_follows_the_window(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->sk.sndbuf = 16384;
	tcp_sndbuf_expand(tp);
	assert_int_equal(tp->sk.sndbuf, 46080);
	tp->snd_cwnd = 80;
	tcp_sndbuf_expand(tp);
	assert_int_equal(tp->sk.sndbuf, 368640);
	tp->snd_cwnd = 5000;
	tcp_sndbuf_expand(tp);
	assert_int_equal(tp->sk.sndbuf, 4194304);
	tp->snd_cwnd = 10;
	tp->rx.mss_clamp = 65483;
	tp->sk.sndbuf = 16384;
	tcp_sndbuf_expand(tp);
	assert_int_equal(tp->sk.sndbuf, 2626560);
}

/* ---- mss.c ---- */

static void the_mss_is_bounded_by_half_the_window(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->rx.mss_clamp = 65483;
	tp->max_window = 65483; /* loopback: MTU 65536 */
	assert_int_equal(tcp_sync_mss(tp, 65536), 32741);
	tp->max_window = 300; /* not halved at or below 536 */
	tp->rx.mss_clamp = 1000;
	assert_int_equal(tcp_sync_mss(tp, 1500), 300);
	tp->max_window = 0; /* not known yet: no bound */
	assert_int_equal(tcp_sync_mss(tp, 1500), 1000);
	tp->rx.mss_clamp = 1460;
	tp->rx.tstamp_ok = true;
	tp->tcp_header_len = 32;
	assert_int_equal(tcp_sync_mss(tp, 1500), 1448);
	assert_int_equal(tcp_sync_mss(tp, 60), 36); /* 48 less the timestamps */
}

/* checks/pd/sackmss.pkt: 988 -> 976 */
static void a_pending_sack_block_costs_payload(void **state)
{
	struct tcp_sock *tp = f.tp;
	uint32_t goal;

	(void)state;
	tp->rx.mss_clamp = 1000;
	tp->rx.tstamp_ok = true;
	tp->tcp_header_len = 32;
	tcp_sync_mss(tp, 65536);
	assert_int_equal(tcp_current_mss(tp), 988);
	tp->rx.num_sacks = 1;
	assert_int_equal(tcp_current_mss(tp), 976);
	tp->rx.dsack_pending = true;
	assert_int_equal(tcp_current_mss(tp), 968);
	tp->rx.num_sacks = 4; /* three fit beside timestamps */
	assert_int_equal(tcp_current_mss(tp), 960);
	assert_int_equal(tcp_send_mss(tp, &goal, MSG_OOB), 960);
	assert_int_equal(goal, 960);
}

/* ---- window.c: values of R37 ---- */

static void initial_windows_are_whole_segments(void **state)
{
	static const struct {
		uint32_t space, mss, clamp, wnd;
		uint8_t scale;
	} t[] = {
		{65536, 1460, 0, 64240, 10},   {65536, 1448, 0, 65160, 10},
		{5000, 1460, 5000, 4380, 0},   {20000, 1460, 20000, 18980, 0},
		{65536, 1460, 10000, 8760, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		uint32_t clamp = t[i].clamp, wnd;
		uint8_t scale;

		tcp_select_initial_window(f.st, t[i].space, t[i].mss, true, 0, &clamp, &wnd, &scale);
		assert_int_equal(wnd, t[i].wnd);
		assert_int_equal(scale, t[i].scale);
	}
}

static void an_offered_window_is_not_taken_back(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->rx.wscale_ok = true;
	tp->rx.rcv_wscale = 10;
	tp->sk.rcvbuf = 131072;
	tp->window_clamp = 65536;
	tp->rcv_ssthresh = 65000;
	tp->rcv_wnd = 0;
	assert_int_equal(tcp_select_window(tp), 64); /* rounded up to the unit */
	assert_int_equal(tp->rcv_wnd, 65536);
	atomic_store(&tp->sk.rmem_alloc, 130000); /* nothing free any more */
	tp->rcv_nxt += 1000;
	assert_int_equal(tcp_select_window(tp), 64); /* 64536 offered, rounded up */
	assert_int_equal(fx_mib(&f, TcpExtTCPWantZeroWindowAdv), 1);
	tp->rcv_nxt += 65536;
	assert_int_equal(tcp_select_window(tp), 0);
	assert_int_equal(fx_mib(&f, TcpExtTCPToZeroWindowAdv), 1);
	atomic_store(&tp->sk.rmem_alloc, 0);
	assert_true(tcp_select_window(tp) > 0);
	assert_int_equal(fx_mib(&f, TcpExtTCPFromZeroWindowAdv), 2); /* the first call opened it, too */
}

static void without_scaling_the_window_keeps_still(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->rcv_mss = 1000;
	tp->sk.rcvbuf = 20000;
	tp->window_clamp = tp->rcv_ssthresh = 10000;
	tp->rcv_wnd = 9500;
	assert_int_equal(tcp_compute_window(tp), 9500); /* within one segment below free space */
	tp->rcv_wnd = 4000;
	assert_int_equal(tcp_compute_window(tp), 10000);
	atomic_store(&tp->sk.rmem_alloc, 3000);
	tp->rcv_wnd = 9500;
	assert_int_equal(tcp_compute_window(tp), 8000); /* 8500 free */
}

static void control_segments_stay_inside_the_window(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->snd_nxt = 5000;
	tp->snd_una = 1000;
	tp->snd_wnd = 4000;
	assert_int_equal(tcp_acceptable_seq(tp), 5000);
	tp->snd_wnd = 3000;
	assert_int_equal(tcp_acceptable_seq(tp), 4000);
	tp->rx.wscale_ok = true;
	tp->rx.rcv_wscale = 10;
	assert_int_equal(tcp_acceptable_seq(tp), 5000); /* less than one unit beyond */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_1460, close_all)
	const struct CMUnitTest tests[] = {
		T(a_split_gives_the_end_marks_to_the_second_half),
		T(a_split_of_a_sent_record_corrects_the_counts),
		T(purging_gives_all_memory_back),
		T(above_the_high_limit_only_a_full_buffer_is_granted),
		T(shrinking_stops_at_the_floor_and_at_a_lock),
		T(writable_means_a_third_is_free),
		T(the_send_buffer_follows_the_window),
		T(the_mss_is_bounded_by_half_the_window),
		T(a_pending_sack_block_costs_payload),
		T(initial_windows_are_whole_segments),
		T(an_offered_window_is_not_taken_back),
		T(without_scaling_the_window_keeps_still),
		T(control_segments_stay_inside_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

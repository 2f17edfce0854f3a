/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp_sendmsg() down to the packets: the worked examples of the specification, Appendix G. */
#include "fixture.h"

#include <errno.h>

static struct fx f;

#define P (TCPH_PSH | TCPH_ACK)
#define A TCPH_ACK
#define WND (257u << 7) /* the window of most check scripts: 32896 */

static int open_1000(void **state)
{
	(void)state;
	fx_open(&f, 1000, 1000, WND);
	fx_rtt_us(&f, 20000);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

/* G1, checks/pd/partial.pkt */
static void sndbuf_is_tested_before_a_record_and_the_last_packet_has_no_psh(void **state)
{
	(void)state;
	fx_no_gso(&f);
	f.tp->sk.sndbuf = 4608;
	f.tp->sk.flags |= SK_SNDBUF_LOCK;
	assert_int_equal(fx_send(&f, 20000, 0), 3000);
	fx_expect(&f, 1, 1000, A);
	fx_expect(&f, 1001, 1000, A);
	fx_expect(&f, 2001, 1000, A);
	fx_expect_none(&f);
	assert_int_equal(f.tp->sk.wmem_queued, 3 * 1832);
	assert_int_equal(fx_send(&f, 20000, 0), -EAGAIN);
	FX_CHECK(&f);
}

/* G2, checks/pd/lowat.pkt */
static void notsent_lowat_stops_at_two_unsent_records(void **state)
{
	(void)state;
	fx_no_gso(&f);
	f.tp->notsent_lowat = 2000;
	assert_int_equal(fx_send(&f, 50000, 0), 12000);
	for (uint32_t i = 0; i < 10; i++)
		fx_expect(&f, 1 + i * 1000, 1000, A);
	fx_expect_none(&f);
	assert_int_equal(fx_send(&f, 50000, 0), -EAGAIN);
	assert_int_equal(f.tp->packets_out, 10);
	FX_CHECK(&f);
}

/* G3, checks/pd/strict.pkt and tso_psh.pkt */
static void twenty_ms_send_two_packets_a_record(void **state)
{
	(void)state;
	assert_int_equal(f.tp->sk.pacing_Bps, 1000000);
	assert_int_equal(fx_send(&f, 5000, 0), 5000);
	fx_expect(&f, 1, 2000, P);
	fx_expect(&f, 2001, 2000, P);
	fx_expect(&f, 4001, 1000, P);
	fx_expect_none(&f);
	assert_int_equal(fx_mib(&f, TcpExtTCPOrigDataSent), 5);
	assert_int_equal(fx_mib(&f, TcpOutSegs), 5);
	FX_CHECK(&f);
}

static void msg_more_marks_only_the_record_of_two(void **state)
{
	(void)state;
	assert_int_equal(fx_send(&f, 3000, MSG_MORE), 3000);
	fx_expect(&f, 1, 2000, P);
	fx_expect(&f, 2001, 1000, A);
	fx_expect_none(&f);
}

/* G4, checks/pd/strict2.pkt */
static void a_short_rtt_sends_half_the_window_at_once(void **state)
{
	(void)state;
	fx_rtt_us(&f, 200);
	assert_int_equal(fx_send(&f, 10000, 0), 10000);
	fx_expect(&f, 1, 5000, P);
	fx_expect(&f, 5001, 5000, P);
	fx_expect_none(&f);
}

/* G5, checks/pd/nagle.pkt */
static void nagle_and_minshall(void **state)
{
	(void)state;
	assert_int_equal(fx_send(&f, 100, 0), 100);
	fx_expect(&f, 1, 100, P);
	fx_send(&f, 100, 0);
	fx_send(&f, 100, 0);
	fx_expect_none(&f);
	fx_send(&f, 900, 0);
	fx_expect(&f, 101, 1000, A);
	fx_expect_none(&f);
	fx_ack(&f, 101);
	tcp_push_pending_frames(f.tp);
	fx_expect(&f, 1101, 100, P);
	fx_expect_none(&f);
	FX_CHECK(&f);
}

/* G6, checks/pd/forced.pkt */
static void half_the_largest_window_forces_a_push(void **state)
{
	(void)state;
	fx_no_gso(&f);
	assert_int_equal(fx_send(&f, 20000, MSG_MORE), 20000);
	for (uint32_t i = 0; i < 10; i++)
		fx_expect(&f, 1 + i * 1000, 1000, A);
	fx_expect_none(&f);
	f.tp->snd_cwnd = 20;
	fx_ack(&f, 10001);
	tcp_push_pending_frames(f.tp);
	for (uint32_t s = 10001; s < 20001; s += 1000)
		fx_expect(&f, s, 1000, s == 16001 ? P : A);
	fx_expect_none(&f);
	FX_CHECK(&f);
}

/* checks/pd/psh_tail.pkt */
static void only_the_tail_of_a_send_is_pushed(void **state)
{
	(void)state;
	fx_no_gso(&f);
	fx_send(&f, 2500, 0);
	fx_expect(&f, 1, 1000, A);
	fx_expect(&f, 1001, 1000, A);
	fx_expect(&f, 2001, 500, P);
}

/* G12, checks/pd/oob.pkt */
static void urgent_data_goes_one_mss_at_a_time(void **state)
{
	static const uint32_t want[][3] = {{2, 1000, 2500}, {1002, 1000, 1500}, {2002, 500, 500}};
	struct fx_pkt p;

	(void)state;
	assert_int_equal(fx_send(&f, 1, MSG_OOB), 1);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, P | TCPH_URG);
	assert_int_equal(p.urg, 1);
	fx_ack(&f, 2);
	assert_int_equal(fx_send(&f, 2500, MSG_OOB), 2500);
	for (int i = 0; i < 3; i++) {
		assert_true(fx_next(&f, &p));
		assert_int_equal(p.seq, want[i][0]);
		assert_int_equal(p.len, want[i][1]);
		assert_int_equal(p.urg, want[i][2]);
		assert_int_equal(p.flags, A | TCPH_URG | (i == 2 ? TCPH_PSH : 0));
	}
	fx_expect_none(&f);
}

/* checks/pd/eor.pkt */
static void an_eor_mark_keeps_records_apart(void **state)
{
	(void)state;
	f.tp->nonagle = TCP_NAGLE_CORK;
	fx_send(&f, 100, MSG_EOR);
	fx_expect_none(&f);
	fx_send(&f, 100, 0); /* a record of its own: the first is no longer the last and goes */
	fx_expect(&f, 1, 100, P);
	f.tp->nonagle = 0;
	tcp_push_pending_frames(f.tp);
	fx_expect_none(&f); /* Nagle: a small one is out */
	fx_ack(&f, 101);
	tcp_push_pending_frames(f.tp);
	fx_expect(&f, 101, 100, P);
}

/* checks/pd/win1500.pkt, shrink.pkt */
static void a_small_window_is_filled_exactly(void **state)
{
	(void)state;
	f.tp->snd_wnd = 1500;
	fx_send(&f, 3000, 0);
	fx_expect(&f, 1, 1500, P);
	fx_expect_none(&f);
}

/* G9 second half, checks/pd/shrink.pkt */
static void a_window_below_the_packet_waits_for_the_probe(void **state)
{
	(void)state;
	fx_send(&f, 1000, 0);
	fx_expect(&f, 1, 1000, P);
	fx_ack(&f, 1001);
	f.tp->snd_wnd = 300;
	fx_send(&f, 1000, 0);
	fx_expect_none(&f);
	assert_int_equal(f.tp->write_timer_kind, TCP_TIME_PROBE0);
	assert_int_equal(f.tp->write_timeout_ns - f.tp->now_ns, 220 * NS_PER_MS);
	assert_int_equal(tcp_write_wakeup(f.tp), 0);
	fx_expect(&f, 1001, 300, P);
	fx_ack(&f, 1301);
	f.tp->snd_wnd = 20000;
	tcp_push_pending_frames(f.tp);
	fx_expect(&f, 1301, 700, P);
	FX_CHECK(&f);
}

/* G9 first half, checks/pd/win0.pkt */
static void a_zero_window_is_probed_below_una(void **state)
{
	(void)state;
	f.tp->snd_wnd = 0;
	fx_send(&f, 1000, 0);
	fx_expect_none(&f);
	assert_int_equal(tcp_write_wakeup(f.tp), 0);
	fx_expect(&f, 0, 0, A);
	assert_int_equal(fx_mib(&f, TcpExtTCPWinProbe), 1);
	f.tp->backoff = 1;
	assert_int_equal(tcp_probe0_when_ns(f.tp), 440 * NS_PER_MS);
	f.tp->backoff = 2;
	assert_int_equal(tcp_probe0_when_ns(f.tp), 880 * NS_PER_MS);
	f.tp->backoff = 200;
	assert_int_equal(tcp_probe0_when_ns(f.tp), 120 * NS_PER_S);
	f.tp->snd_wnd = 5000;
	tcp_push_pending_frames(f.tp);
	fx_expect(&f, 1, 1000, P);
}

/* T41: CWND 20 with 6000 and 16000 bytes queued sends 10000 and 10000 */
static void a_record_grows_from_its_follower(void **state)
{
	(void)state;
	fx_rtt_us(&f, 200);
	f.tp->snd_cwnd = 0;
	f.tp->max_window = 12000; /* size goal 6000 */
	fx_send(&f, 6000, 0);
	tcp_cb(f.tp->write_queue.last)->is_eor = true;
	f.tp->max_window = 32000; /* 16000 */
	fx_send(&f, 16000, 0);
	tcp_cb(f.tp->write_queue.first)->is_eor = false;
	assert_int_equal(f.tp->write_queue.len, 2);
	fx_expect_none(&f);
	f.tp->snd_cwnd = 20;
	tcp_push_pending_frames(f.tp);
	fx_expect(&f, 1, 10000, P);
	fx_expect(&f, 10001, 10000, P);
	fx_expect_none(&f);
	FX_CHECK(&f);
}

static void a_writer_gets_epipe_and_sigpipe_after_shutdown(void **state)
{
	struct iovec v = {f.buf, 0};
	struct msg m = {.iter = {.iov = &v, .nr = 1, .is_kernel = true}};

	(void)state;
	f.tp->sk.shutdown = SEND_SHUTDOWN;
	assert_int_equal(tcp_sendmsg(&f.tp->sk, &m), -EPIPE); /* even with no bytes */
	assert_true(m.want_sigpipe);
	m = (struct msg){.iter = {.iov = &v, .nr = 1, .is_kernel = true}, .flags = MSG_NOSIGNAL};
	assert_int_equal(tcp_sendmsg(&f.tp->sk, &m), -EPIPE);
	assert_false(m.want_sigpipe);
	atomic_store(&f.tp->sk.err, ECONNRESET); /* the stored error first, without a signal */
	m.flags = 0;
	assert_int_equal(tcp_sendmsg(&f.tp->sk, &m), -ECONNRESET);
	assert_false(m.want_sigpipe);
}

static void a_fault_discards_the_whole_chunk(void **state)
{
	/* the second half cannot be read (a cursor that promises more than it has) */
	struct iovec v = {f.buf, 1000};
	struct msg m = {.iter = {.iov = &v, .nr = 1, .count = 2000, .is_kernel = true},
			.flags = MSG_DONTWAIT};

	(void)state;
	assert_int_equal(tcp_sendmsg(&f.tp->sk, &m), -EFAULT);
	fx_expect_none(&f);
	assert_int_equal(f.tp->write_seq, 1);
	assert_int_equal(f.tp->sk.wmem_queued, 0);
	FX_CHECK(&f);
}

static void autocork_waits_while_a_packet_is_below(void **state)
{
	(void)state;
	f.tp->nonagle = TCP_NAGLE_OFF;
	fx_send(&f, 1000, 0);
	fx_expect(&f, 1, 1000, P);
	atomic_fetch_add(&f.tp->sk.wmem_alloc, 1832); /* as if it still were in a queue */
	fx_send(&f, 100, 0);
	fx_send(&f, 100, 0);
	fx_send(&f, 100, 0);
	fx_expect_none(&f);
	assert_int_equal(fx_mib(&f, TcpExtTCPAutoCorking), 1);
	atomic_fetch_sub(&f.tp->sk.wmem_alloc, 1832);
	tcp_tsq_handler(f.tp);
	fx_expect(&f, 1001, 300, P);
	FX_CHECK(&f);
}

/* Their completion would not push: acknowledgements below are no reason to wait. */
static void pure_acks_below_do_not_cork(void **state)
{
	struct skb *held[4];

	(void)state;
	f.tp->nonagle = TCP_NAGLE_OFF;
	fx_send(&f, 1000, 0);
	fx_expect(&f, 1, 1000, P);
	for (int i = 0; i < 4; i++) { /* as in a queue, with the charge of tcp_send_ack() */
		held[i] = skb_alloc(f.st, POOL_NORMAL);
		held[i]->truesize = 2;
		skb_set_owner_w(held[i], &f.tp->sk, SKB_DTOR_TCP_ACK_WFREE);
	}
	fx_send(&f, 100, 0);
	fx_expect(&f, 1001, 100, P);
	for (int i = 0; i < 4; i++)
		skb_free(f.st, held[i]);
}

/* The corked tail leaves with FIN on it: checks/pd/fintail.pkt; alone: finsep.pkt */
static void fin_rides_on_the_tail(void **state)
{
	(void)state;
	f.tp->nonagle = TCP_NAGLE_CORK;
	fx_send(&f, 300, 0);
	fx_expect_none(&f);
	tcp_send_fin(f.tp);
	fx_expect(&f, 1, 300, P | TCPH_FIN);
	FX_CHECK(&f);
	fx_ack(&f, 302);
	assert_int_equal(f.tp->write_seq, 302);
}

static void fin_alone_is_an_empty_record(void **state)
{
	(void)state;
	fx_send(&f, 300, 0);
	fx_expect(&f, 1, 300, P);
	tcp_send_fin(f.tp);
	fx_expect(&f, 301, 0, A | TCPH_FIN);
	assert_int_equal(f.tp->packets_out, 2);
	assert_int_equal(f.tp->snd_nxt, 302);
	FX_CHECK(&f);
}

/* G11, checks/pd/pacing.pkt */
static void pacing_begins_after_ten_packets(void **state)
{
	(void)state;
	f.tp->sk.max_pacing_Bps = 100000;
	f.tp->sk.pacing_status = SK_PACING_NEEDED;
	tcp_update_pacing_rate(f.tp);
	fx_send(&f, 10000, 0);
	for (uint32_t s = 1; s < 10001; s += 2000)
		fx_expect(&f, s, 2000, P);
	/* the tenth packet was in the last record: 2000 bytes at 100 000 B/s */
	assert_int_equal(f.tp->wstamp_ns - f.tp->now_ns, 20 * NS_PER_MS);
	fx_now_us(&f, 20000);
	fx_ack(&f, 10001);
	fx_send(&f, 6000, 0);
	fx_expect(&f, 10001, 2000, P);
	fx_expect_none(&f);
	assert_true(f.tp->pacing_timer.is_armed);
	assert_int_equal(f.tp->pacing_timer.expires_ns, FX_START_NS + 40 * NS_PER_MS);
	fx_now_us(&f, 40000);
	tcp_tsq_handler(f.tp);
	fx_expect(&f, 12001, 2000, P);
	fx_expect_none(&f);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_1000, close_all)
	const struct CMUnitTest tests[] = {
		T(sndbuf_is_tested_before_a_record_and_the_last_packet_has_no_psh),
		T(notsent_lowat_stops_at_two_unsent_records),
		T(twenty_ms_send_two_packets_a_record),
		T(msg_more_marks_only_the_record_of_two),
		T(a_short_rtt_sends_half_the_window_at_once),
		T(nagle_and_minshall),
		T(half_the_largest_window_forces_a_push),
		T(only_the_tail_of_a_send_is_pushed),
		T(urgent_data_goes_one_mss_at_a_time),
		T(an_eor_mark_keeps_records_apart),
		T(a_small_window_is_filled_exactly),
		T(a_window_below_the_packet_waits_for_the_probe),
		T(a_zero_window_is_probed_below_una),
		T(a_record_grows_from_its_follower),
		T(a_writer_gets_epipe_and_sigpipe_after_shutdown),
		T(a_fault_discards_the_whole_chunk),
		T(autocork_waits_while_a_packet_is_below),
		T(pure_acks_below_do_not_cork),
		T(fin_rides_on_the_tail),
		T(fin_alone_is_an_empty_record),
		T(pacing_begins_after_ten_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp/out below the engine: headers, options, ECN, control segments, retransmission, timers. */
#include "fixture.h"

#include <errno.h>

#include "wire/eth.h"

static struct fx f;

#define P (TCPH_PSH | TCPH_ACK)
#define A TCPH_ACK

static int open_1000(void **state)
{
	(void)state;
	fx_open(&f, 250, 1000, 257u << 7);
	fx_rtt_us(&f, 20000);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	fx_close(&f);
	return 0;
}

static void mark_lost(struct skb *s)
{
	tcp_cb(s)->sacked |= TCPCB_LOST;
	f.tp->lost_out += tcp_cb(s)->pcount;
}

/* ---- header ---- */

static void timestamps_and_sack_blocks_are_laid_out_as_on_the_wire(void **state)
{
	static const uint8_t want[] = {1, 1, 8, 10, 0,    0x0f, 0x42, 0x40 + 5, 0,    0,   0,
				       9, 1, 1, 5,  18,   0,    0,    0,        1,    0,   0,
				       0, 2, 0, 0,  0x03, 0xe9, 0,    0,        0x07, 0xd1};
	struct fx_pkt p;

	(void)state;
	f.tp->rx.tstamp_ok = true;
	f.tp->tcp_header_len = 32;
	f.tp->ts_offset = 5; /* on top of 1000 s in ms */
	f.tp->rx.ts_recent = 9;
	f.tp->rx.num_sacks = 1;
	f.tp->selective_acks[0] = (struct tcp_sack_block){1001, 2001};
	f.tp->duplicate_sack = (struct tcp_sack_block){1, 2};
	f.tp->rx.dsack_pending = true;
	tcp_send_ack(f.tp);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.opt_len, sizeof(want));
	assert_memory_equal(p.opts, want, sizeof(want));
	assert_false(f.tp->rx.dsack_pending);
	tcp_send_ack(f.tp); /* the D-SACK is said once */
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.opt_len, 12 + 4 + 8);
	f.tp->rx.num_sacks = 0;
	fx_send(&f, 10, 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.opt_len, 12);
	assert_memory_equal(p.opts, want, 12);
}

static void any_segment_is_the_owed_acknowledgement(void **state)
{
	(void)state;
	f.tp->quick = 2;
	f.tp->ato_ns = 80 * NS_PER_MS;
	f.tp->ack_pending = TCP_ACK_SCHED;
	f.tp->compressed_ack = 3;
	fx_send(&f, 10, 0);
	assert_int_equal(f.tp->ack_pending, 0);
	assert_int_equal(f.tp->quick, 1);
	assert_int_equal(f.tp->ato_ns, 80 * NS_PER_MS);
	assert_int_equal(fx_mib(&f, TcpExtTCPAckCompressed), 3);
	f.tp->ack_pending = TCP_ACK_SCHED;
	tcp_send_ack(f.tp); /* the last credit: the interval starts over */
	assert_int_equal(f.tp->quick, 0);
	assert_int_equal(f.tp->ato_ns, 40 * NS_PER_MS);
}

/* checks/pd/ecn.pkt */
static void only_new_data_is_ecn_capable_and_cwr_is_said_once(void **state)
{
	struct fx_pkt p;

	(void)state;
	f.tp->ecn_flags = TCP_ECN_OK | TCP_ECN_QUEUE_CWR;
	tcp_send_ack(f.tp);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.tos & 3, 0);
	fx_send(&f, 3000, 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.tos & 3, 2);
	assert_int_equal(p.flags, P | TCPH_CWR);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, P);
	assert_int_equal(p.tos & 3, 2);
	mark_lost(f.tp->rtx_queue.first);
	assert_int_equal(tcp_retransmit_skb(f.tp, f.tp->rtx_queue.first, 2), 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.tos & 3, 0);
	f.tp->ecn_flags |= TCP_ECN_DEMAND_CWR;
	tcp_send_ack(f.tp);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, A | TCPH_ECE);
}

static void a_syn_is_a_record_with_its_options(void **state)
{
	struct tcp_sock *tp = f.tp;
	struct fx_pkt p;

	(void)state;
	tp->sk.state = TCP_SYN_SENT;
	tp->rx.rcv_wscale = 10;
	tp->rcv_nxt = 0;
	assert_int_equal(tcp_send_syn(tp), 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, TCPH_SYN);
	assert_int_equal(p.ack, 0);
	assert_int_equal(p.window, 64240); /* unscaled */
	assert_int_equal(p.opt_len, 20);
	assert_memory_equal(p.opts, "\x02\x04\x05\xb4\x04\x02\x08\x0a", 8); /* mss 1460, sackOK, TS */
	assert_memory_equal(p.opts + 16, "\x01\x03\x03\x0a", 4);
	assert_int_equal(tp->snd_nxt, 2);
	assert_int_equal(tp->packets_out, 1);
	assert_int_equal(tp->write_timer_kind, TCP_TIME_RETRANS);
	assert_int_equal(fx_mib(&f, TcpActiveOpens), 1);
	assert_int_equal(fx_mib(&f, TcpOutSegs), 1);
	/* simultaneous open: the same sequence as SYN-ACK, with what the peer offered */
	tp->rcv_nxt = 77;
	tp->rx.sack_ok = true;
	assert_int_equal(tcp_send_synack(tp), 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, TCPH_SYN | TCPH_ACK);
	assert_int_equal(p.seq, 1);
	assert_int_equal(p.ack, 77);
	assert_int_equal(p.opt_len, 8);
	assert_memory_equal(p.opts, "\x02\x04\x05\xb4\x01\x01\x04\x02", 8);
}

static void a_retransmitted_syn_gives_up_ecn(void **state)
{
	struct fx_pkt p;

	(void)state;
	f.st->sysctl.tcp_ecn = 1;
	f.tp->sk.state = TCP_SYN_SENT;
	assert_int_equal(tcp_send_syn(f.tp), 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, TCPH_SYN | TCPH_ECE | TCPH_CWR);
	assert_int_equal(tcp_retransmit_skb(f.tp, f.tp->rtx_queue.first, 1), 0);
	assert_true(fx_next(&f, &p));
	assert_int_equal(p.flags, TCPH_SYN);
	assert_int_equal(fx_mib(&f, TcpExtTCPSynRetrans), 1);
	assert_int_equal(fx_mib(&f, TcpOutSegs), 1); /* a retransmission is not in OutSegs */
	assert_int_equal(fx_mib(&f, TcpRetransSegs), 1);
}

/* R13 table */
static void nobodys_segments_get_a_reset(void **state)
{
	static const struct {
		uint8_t in, out;
		uint32_t seq, ack;
	} t[] = {
		{TCPH_ACK, TCPH_RST, 4711, 0},
		{TCPH_SYN, TCPH_RST | TCPH_ACK, 0, 101},
		{TCPH_FIN, TCPH_RST | TCPH_ACK, 0, 101},
	};
	struct fx_pkt p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(t) + 1; i++) {
		struct skb *s = skb_alloc(f.st, POOL_NORMAL);
		struct ipv4_hdr *ih = (struct ipv4_hdr *)skb_put(s, 20);
		struct tcp_hdr *th = (struct tcp_hdr *)skb_put(s, 20);

		memset(ih, 0, 40);
		ih->src_be = ih->dst_be = cpu_to_be32(0x7f000001);
		th->sport_be = cpu_to_be16(5);
		th->dport_be = cpu_to_be16(6);
		s->net_off = s->data_off;
		s->th_off = s->data_off + 20;
		s->protocol = ETH_TYPE_IPV4;
		s->tos = 0x13;
		*tcp_cb(s) = (struct tcp_skb_cb){.seq = 100,
						 .end_seq = 101,
						 .ack_seq = 4711,
						 .flags = i < ARRAY_SIZE(t) ? t[i].in
									    : TCPH_RST | TCPH_ACK};
		tcp_send_reset_for(f.st, s);
		skb_free(f.st, s);
		if (i == ARRAY_SIZE(t)) { /* never in answer to a reset */
			fx_expect_none(&f);
			break;
		}
		assert_true(fx_next(&f, &p));
		assert_int_equal(p.flags, t[i].out);
		assert_int_equal(p.seq, t[i].seq);
		assert_int_equal(p.ack, t[i].ack);
		assert_int_equal(p.window, 0);
		assert_int_equal(p.opt_len, 0);
		assert_int_equal(p.tos, 0x10);
	}
	assert_int_equal(fx_mib(&f, TcpOutRsts), 3);
}

static void an_active_reset_acknowledges(void **state)
{
	(void)state;
	fx_send(&f, 10, 0);
	fx_expect(&f, 1, 10, P);
	tcp_send_active_reset(f.tp);
	fx_expect(&f, 11, 0, TCPH_RST | A);
	assert_int_equal(fx_mib(&f, TcpOutRsts), 1);
}

/* ---- retransmission ---- */

static void send_three_small(void)
{
	f.tp->nonagle = TCP_NAGLE_OFF;
	for (uint32_t i = 0; i < 3; i++) {
		fx_send(&f, 100, 0);
		fx_expect(&f, 1 + i * 100, 100, P);
	}
}

/* checks/pd/collapse.pkt */
static void small_records_are_joined_when_sent_again(void **state)
{
	(void)state;
	send_three_small();
	mark_lost(f.tp->rtx_queue.first);
	assert_int_equal(tcp_retransmit_skb(f.tp, f.tp->rtx_queue.first, 1), 0);
	fx_expect(&f, 1, 300, P);
	assert_int_equal(f.tp->packets_out, 1);
	assert_int_equal(f.tp->retrans_out, 1);
	assert_int_equal(f.tp->rtx_queue.len, 1);
	FX_CHECK(&f);
}

static void joining_stops_at_sacked_records_eor_and_the_sysctl(void **state)
{
	(void)state;
	send_three_small();
	tcp_cb(f.tp->rtx_queue.first->next)->is_eor = true;
	assert_int_equal(tcp_retransmit_skb(f.tp, f.tp->rtx_queue.first, 1), 0);
	fx_expect(&f, 1, 200, P);
	f.st->sysctl.tcp_retrans_collapse = 0;
	tcp_cb(f.tp->rtx_queue.first)->is_eor = false;
	assert_int_equal(tcp_retransmit_skb(f.tp, f.tp->rtx_queue.first, 1), 0);
	fx_expect(&f, 1, 200, P);
}

static void a_record_still_below_is_not_sent_again(void **state)
{
	struct skb *head, *c;

	(void)state;
	fx_send(&f, 1000, 0);
	fx_expect(&f, 1, 1000, P);
	head = f.tp->rtx_queue.first;
	c = skb_clone(f.st, head, POOL_NORMAL);
	assert_int_equal(tcp_retransmit_skb(f.tp, head, 1), -EBUSY);
	assert_int_equal(fx_mib(&f, TcpExtTCPSpuriousRtxHostQueues), 1);
	assert_int_equal(fx_mib(&f, TcpExtTCPRetransFail), 0);
	assert_int_equal(atomic_load(&f.tp->tsq_throttled), 1); /* its completion resumes us */
	fx_expect_none(&f);
	skb_free(f.st, c);
}

static void a_closed_window_lets_only_the_head_go(void **state)
{
	struct skb *head;

	(void)state;
	fx_no_gso(&f);
	fx_send(&f, 2000, 0);
	fx_expect(&f, 1, 1000, A);
	fx_expect(&f, 1001, 1000, P);
	f.tp->snd_wnd = 0;
	head = f.tp->rtx_queue.first;
	assert_int_equal(tcp_retransmit_skb(f.tp, head->next, 1), -EAGAIN);
	assert_int_equal(tcp_retransmit_skb(f.tp, head, 1), 0);
	fx_expect(&f, 1, 1000, A);
}

static void lost_records_go_out_oldest_first_as_cwnd_allows(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	fx_no_gso(&f);
	fx_send(&f, 6000, 0);
	for (uint32_t i = 0; i < 6; i++) {
		struct fx_pkt p;

		assert_true(fx_next(&f, &p));
	}
	for (struct skb *s = tp->rtx_queue.first; s; s = s->next)
		if (tcp_cb(s)->seq != 1001)
			mark_lost(s);
	tcp_cb(tp->rtx_queue.first->next)->sacked = TCPCB_SACKED_ACKED;
	tp->sacked_out = 1;
	tp->ca_state = TCP_CA_Recovery;
	tp->snd_cwnd = 2;
	tcp_xmit_retransmit_queue(tp);
	fx_expect(&f, 1, 1000, A);
	fx_expect(&f, 2001, 1000, A);
	fx_expect_none(&f);
	assert_int_equal(tp->prr_out, 2);
	assert_int_equal(tp->retrans_out, 2);
	assert_int_equal(fx_mib(&f, TcpExtTCPFastRetrans), 2);
	assert_int_equal(tp->write_timer_kind, TCP_TIME_RETRANS);
	tp->snd_cwnd = 4;
	tcp_xmit_retransmit_queue(tp);
	fx_expect(&f, 3001, 1000, A);
	fx_expect(&f, 4001, 1000, A);
	fx_expect_none(&f);
	FX_CHECK(&f);
}

/* ---- timers, HZ 250 ---- */

/* G8, checks/pd/tlp2.pkt, tlp1.pkt */
static void the_loss_probe_waits_two_rtts_or_the_rto(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	fx_send(&f, 1000, 0);
	assert_int_equal(tp->write_timer_kind, TCP_TIME_LOSS_PROBE);
	assert_int_equal(tp->write_timeout_ns - tp->now_ns, 220 * NS_PER_MS); /* bounded by the RTO */
	fx_send(&f, 1000, 0);
	assert_int_equal(tp->packets_out, 2);
	assert_int_equal(tp->write_timeout_ns - tp->now_ns, 44 * NS_PER_MS); /* 42 in whole ticks */
	assert_int_equal(tp->write_timer.expires * 4 * NS_PER_MS, tp->write_timeout_ns);
	tp->rx.sack_ok = false;
	tcp_rearm_rto(tp); /* what is left of the head's RTO */
	assert_int_equal(tp->write_timer_kind, TCP_TIME_RETRANS);
	fx_now_us(&f, 100000);
	assert_false(tcp_schedule_loss_probe(tp, false));
	tp->write_timer_kind = TCP_TIME_LOSS_PROBE;
	tcp_rearm_rto(tp);
	assert_int_equal(tp->write_timeout_ns, FX_START_NS + 220 * NS_PER_MS);
}

static void a_later_timeout_leaves_the_wheel_alone(void **state)
{
	struct tcp_sock *tp = f.tp;
	uint32_t refs = atomic_load(&tp->sk.refs);
	uint64_t tick;

	(void)state;
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, 40 * NS_PER_MS);
	tick = tp->write_timer.expires;
	assert_int_equal(atomic_load(&tp->sk.refs), refs + 1);
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, 400 * NS_PER_MS);
	assert_int_equal(tp->write_timer.expires, tick);
	tcp_reset_xmit_timer(tp, TCP_TIME_LOSS_PROBE, 8 * NS_PER_MS);
	assert_int_equal(tp->write_timer.expires, tick - 8);
	assert_int_equal(atomic_load(&tp->sk.refs), refs + 1);
	tcp_clear_timers(tp);
	assert_int_equal(atomic_load(&tp->sk.refs), refs);
	assert_false(timer_is_armed(&tp->write_timer));
}

/* checks/pd/tlpnew.pkt: the congestion window is set aside for one packet */
static void the_loss_probe_prefers_new_data(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	fx_no_gso(&f);
	fx_send(&f, 11000, 0);
	for (uint32_t i = 0; i < 10; i++)
		fx_expect(&f, 1 + i * 1000, 1000, A);
	fx_expect_none(&f);
	tcp_send_loss_probe(tp);
	fx_expect(&f, 10001, 1000, P);
	assert_int_equal(tp->tlp_high_seq, 11001);
	assert_false(tp->tlp_retrans);
	assert_int_equal(fx_mib(&f, TcpExtTCPLossProbes), 1);
	assert_int_equal(tp->write_timer_kind, TCP_TIME_RETRANS);
	tcp_send_loss_probe(tp); /* one unresolved probe at a time */
	fx_expect_none(&f);
}

static void the_loss_probe_resends_the_last_packet_of_the_tail(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	fx_rtt_us(&f, 200);
	fx_send(&f, 4500, 0);
	fx_expect(&f, 1, 4500, P);
	tcp_send_loss_probe(tp);
	fx_expect(&f, 4001, 500, P);
	assert_true(tp->tlp_retrans);
	assert_int_equal(tp->retrans_out, 0);
	assert_int_equal(tp->packets_out, 5);
	FX_CHECK(&f);
}

/* ---- small queues ---- */

static void two_records_below_stop_the_third(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->sk.pacing_Bps = 1000;
	fx_no_gso(&f);
	tp->nonagle = TCP_NAGLE_OFF;
	fx_send(&f, 1000, 0);
	fx_send(&f, 1000, 0);
	fx_expect(&f, 1, 1000, P);
	fx_expect(&f, 1001, 1000, P);
	atomic_fetch_add(&tp->sk.wmem_alloc, 2 * 1832); /* as if both still were below */
	fx_send(&f, 1000, 0);
	fx_expect_none(&f);
	assert_int_equal(atomic_load(&tp->tsq_throttled), 1);
	atomic_fetch_sub(&tp->sk.wmem_alloc, 2 * 1832);
	tcp_tsq_handler(tp);
	fx_expect(&f, 2001, 1000, P);
}

/* ---- window validation ---- */

/* checks/pd/idle.pkt, idle2.pkt: RTO 220 ms */
static void an_idle_connection_halves_cwnd_per_rto(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->lsndtime_ns = FX_START_NS;
	tp->snd_cwnd = 40;
	fx_now_us(&f, 300000);
	tcp_slow_start_after_idle_check(tp);
	assert_int_equal(tp->snd_cwnd, 20);
	assert_int_equal(tp->snd_ssthresh, TCP_INFINITE_SSTHRESH);
	tp->snd_ssthresh = 8;
	tp->lsndtime_ns = tp->now_ns;
	fx_now_us(&f, 800000);
	tcp_slow_start_after_idle_check(tp);
	assert_int_equal(tp->snd_cwnd, 10);
	assert_int_equal(tp->snd_ssthresh, 15);
	fx_now_us(&f, 1000000);
	tp->packets_out = 1; /* not idle */
	tp->snd_cwnd = 40;
	tcp_slow_start_after_idle_check(tp);
	assert_int_equal(tp->snd_cwnd, 40);
	tp->packets_out = 0;
}

/* checks/pd/appdecay.pkt: CWND 20, an RTO without an ACK: (20 + 10) / 2 */
static void an_unused_window_decays_after_an_rto(void **state)
{
	struct tcp_sock *tp = f.tp;

	(void)state;
	tp->snd_cwnd = 20;
	tp->snd_ssthresh = 10; /* not in slow start */
	tp->snd_cwnd_stamp_ns = FX_START_NS;
	fx_now_us(&f, 150000);
	fx_send(&f, 1000, 0);
	assert_int_equal(tp->snd_cwnd, 20);
	fx_now_us(&f, 250000);
	fx_send(&f, 1000, 0);
	assert_int_equal(tp->snd_cwnd, 15);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_1000, close_all)
	const struct CMUnitTest tests[] = {
		T(timestamps_and_sack_blocks_are_laid_out_as_on_the_wire),
		T(any_segment_is_the_owed_acknowledgement),
		T(only_new_data_is_ecn_capable_and_cwr_is_said_once),
		T(a_syn_is_a_record_with_its_options),
		T(a_retransmitted_syn_gives_up_ecn),
		T(nobodys_segments_get_a_reset),
		T(an_active_reset_acknowledges),
		T(small_records_are_joined_when_sent_again),
		T(joining_stops_at_sacked_records_eor_and_the_sysctl),
		T(a_record_still_below_is_not_sent_again),
		T(a_closed_window_lets_only_the_head_go),
		T(lost_records_go_out_oldest_first_as_cwnd_allows),
		T(the_loss_probe_waits_two_rtts_or_the_rto),
		T(a_later_timeout_leaves_the_wheel_alone),
		T(the_loss_probe_prefers_new_data),
		T(the_loss_probe_resends_the_last_packet_of_the_tail),
		T(two_records_below_stop_the_third),
		T(an_idle_connection_halves_cwnd_per_rto),
		T(an_unused_window_decays_after_an_rto),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

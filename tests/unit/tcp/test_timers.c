/* SPDX-License-Identifier: BSD-2-Clause */
/* Timers and limits of a connection, PRR's worked example, and ACKs nobody should send. */
/*
 * How it works: nominal times are those of spec C11 for a round trip of 20.3 ms at HZ 250 (RTO 224 ms); the
 * recorded ones are later by what the kernel's timer wheel adds. Random ACKs, valid and not, must leave queues
 * and counters in agreement whatever they say.
 */
#include "peer.h"

/* Appendix G10: SSTHRESH 5 of 10, twelve packets out, one lost, one SACK per ACK from the third on. */
static void prr_of_the_worked_example(void **state)
{
	static const uint32_t n[] = {1, 0, 1, 0, 1, 0, 0, 1}, cwnd[] = {9, 8, 8, 7, 7, 6, 5, 5};
	uint32_t in_flight = 8, out = 0, got;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(n); i++) {
		struct prr p = {.ssthresh = 5,
				.prior_cwnd = 10,
				.delivered = i + 1,
				.out = out,
				.in_flight = in_flight};

		got = tcp_prr_sndcnt(&p, 1, false);
		assert_int_equal(got, n[i]);
		assert_int_equal(in_flight + got, cwnd[i]);
		out += got;
		in_flight += got - 1; /* the next SACK takes one off */
	}
}

/* C11.2, G14, and the SYN rows of C11 */
static void give_up_times_follow_the_model(void **state)
{
	const uint64_t ms = NS_PER_MS, s = NS_PER_S;

	(void)state;
	assert_int_equal(tcp_model_timeout_ns(15, 200 * ms, 120 * s), 924600 * ms);
	assert_int_equal(tcp_model_timeout_ns(3, 200 * ms, 120 * s), 3 * s);
	assert_int_equal(tcp_model_timeout_ns(6, 200 * ms, 120 * s), 25400 * ms);
	assert_int_equal(tcp_model_timeout_ns(8, 200 * ms, s), 7400 * ms);
	assert_int_equal(tcp_model_timeout_ns(6, s, 120 * s), 127 * s);
	assert_int_equal(tcp_model_timeout_ns(6, s, 3 * s), 18 * s);
	assert_int_equal(tcp_model_timeout_ns(1, s, 120 * s), 3 * s);
}

/* A connection of 20.3 ms round trip (RTO 224 ms); @window 0: closed from the start. */
static void start_20ms(struct world *w, int window)
{
	struct conn_spec c = {
		.cong = "reno", .mss = 1000, .sack = 1, .rtt_us = 20300, .window = window, .wscale = 10};

	world_new(w, 1);
	connect_passively(w, &c);
	if (!window)
		w->tp->snd_wnd = 0;
}

/* Runs until the socket has an error; ms since @since_ns. */
static long run_to_error(struct world *w, uint64_t since_ns, int want_err)
{
	for (int i = 0; i < 100000 && !atomic_load(&w->tp->sk.err); i++)
		wait_us(w, 4000);
	assert_int_equal(atomic_load(&w->tp->sk.err), want_err);
	assert_int_equal(w->tp->sk.state, TCP_CLOSE);
	return (long)((stack_now_ns(w->st) - since_ns) / NS_PER_MS);
}

static void expect_sent_ms(uint64_t since_ns, const int *ms, int n)
{
	assert_int_equal(cap.num, n);
	for (int i = 0; i < n; i++) /* the handshake's sample and the tick shift them a little */
		assert_in_range((cap.p[i].at_ns - since_ns) / NS_PER_MS,
				ms[i] - (ms[i] ? 5 * i : 0), ms[i] + 12);
}

/* C11 "data retries2 3": the tail probe, then doubling; the clock starts with the first timeout. */
static void data_gives_up_after_the_model_time(void **state)
{
	static const int ms[] = {0, 224, 448, 896, 1792};
	struct world w = {0};
	uint64_t t0;

	(void)state;
	start_20ms(&w, 60);
	w.st->sysctl.tcp_retries2 = 3;
	t0 = stack_now_ns(w.st);
	step_write(&w, 0, 1000, 0);
	assert_in_range(run_to_error(&w, t0, ETIMEDOUT), 3560, 3720);
	expect_sent_ms(t0, ms, 5);
	assert_int_equal(mib_get(w.st, TcpExtTCPAbortOnTimeout), 1);
	assert_int_equal(mib_get(w.st, TcpExtTCPTimeouts), 4);
	arena_unmap(w.arena);
}

/* C11 "user timeout 700": counted from the first timeout's retransmission, the last timer is cut to it. */
static void user_timeout_counts_from_the_first_retransmission(void **state)
{
	struct world w = {0};
	uint64_t t0;

	(void)state;
	start_20ms(&w, 60);
	w.tp->user_timeout_ms = 700;
	t0 = stack_now_ns(w.st);
	step_write(&w, 0, 1000, 0);
	assert_in_range(run_to_error(&w, t0, ETIMEDOUT), 1140, 1170);
	arena_unmap(w.arena);
}

/* C11 "zero window, retries2 4": one below the window, four times without an answer. */
static void window_probes_back_off_and_give_up(void **state)
{
	static const int ms[] = {224, 672, 1568, 3360};
	struct world w = {0};
	uint64_t t0;

	(void)state;
	start_20ms(&w, 0);
	w.st->sysctl.tcp_retries2 = 4;
	t0 = stack_now_ns(w.st);
	step_write(&w, 0, 1000, 0);
	assert_in_range(run_to_error(&w, t0, ETIMEDOUT), 6900, 7130);
	expect_sent_ms(t0, ms, 4);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(cap.p[i].seq, 0);
		assert_int_equal(cap.p[i].len, 0);
	}
	assert_int_equal(mib_get(w.st, TcpExtTCPWinProbe), 4);
	arena_unmap(w.arena);
}

/* C11.6: the head goes out again and again in Loss, not counted as timeouts, until 2 RTOmax without any ACK. */
static void window_closed_over_data_in_flight(void **state)
{
	static const int ms[] = {0, 0, 224, 672, 1568, 3360};
	struct tcp_info_full i;
	struct world w = {0};
	uint64_t t0;

	(void)state;
	start_20ms(&w, 60);
	w.tp->rto_max_ns = 2 * NS_PER_S;
	t0 = stack_now_ns(w.st);
	step_write(&w, 0, 2000, 0);
	step_ack(&w, "ack 0 1 0 - - - -");
	wait_us(&w, 4000000);
	expect_sent_ms(t0, ms, 6);
	assert_int_equal(cap.p[5].seq, 1);
	tcp_get_info(w.tp, &i);
	assert_int_equal(i.ca_state, TCP_CA_Loss);
	assert_int_equal(i.snd_cwnd, 1);
	assert_int_equal(i.retransmits, 0);
	assert_int_equal(mib_get(w.st, TcpExtTCPTimeouts), 0);
	assert_in_range(run_to_error(&w, t0, ETIMEDOUT), 5340, 5500);
	arena_unmap(w.arena);
}

/* C11 "thin": timeouts 1-6 keep the RTO. */
static void thin_streams_double_from_the_seventh_timeout(void **state)
{
	struct world w = {0};
	uint64_t gap[9];

	(void)state;
	start_20ms(&w, 60);
	w.tp->thin_lto = true;
	step_write(&w, 0, 1000, 0);
	while (cap.num < 10)
		wait_us(&w, 4000);
	for (int i = 0; i < 9; i++)
		gap[i] = (cap.p[i + 1].at_ns - cap.p[i].at_ns) / NS_PER_MS;
	for (int i = 1; i < 8; i++)
		assert_in_range(gap[i], 216, 232);
	assert_in_range(gap[8], 440, 456);
	arena_unmap(w.arena);
}

/* C11 keepalive rows: idle 3, interval 2; sends and the end in ms after the last segment. */
static void keepalive_probes_then_resets(void **state)
{
	static const struct {
		int count, user_timeout_ms, num_probes, end_ms;
	} rows[] = {{3, 0, 3, 9000}, {9, 6000, 2, 7000}, {2, 12000, 5, 13000}};

	(void)state;
	for (unsigned int r = 0; r < ARRAY_SIZE(rows); r++) {
		struct world w = {0};
		uint64_t t0;

		start_20ms(&w, 60);
		w.tp->sk.flags |= SK_KEEPOPEN;
		w.tp->keepalive_time_s = 3;
		w.tp->keepalive_intvl_s = 2;
		w.tp->keepalive_probes = (uint8_t)rows[r].count;
		w.tp->user_timeout_ms = (uint32_t)rows[r].user_timeout_ms;
		t0 = stack_now_ns(w.st);
		tcp_reset_keepalive_timer(w.tp, 3 * NS_PER_S);
		assert_in_range(run_to_error(&w, t0, ETIMEDOUT), rows[r].end_ms, rows[r].end_ms + 20);
		assert_int_equal(cap.num, rows[r].num_probes + 1);
		for (int i = 0; i < rows[r].num_probes; i++) {
			assert_int_equal(cap.p[i].seq, 0);
			assert_int_equal((cap.p[i].at_ns - t0) / NS_PER_S, 3 + 2 * i);
		}
		assert_int_equal(cap.p[cap.num - 1].flags & TCPH_RST, TCPH_RST);
		assert_int_equal(mib_get(w.st, TcpExtTCPKeepAlive), rows[r].num_probes);
		arena_unmap(w.arena);
	}
}

/* R31, T72.2-3: below what was ever acknowledged, or never sent; one answer per 500 ms. */
static void impossible_acks_are_challenged_twice_a_second(void **state)
{
	struct world w = {0};

	(void)state;
	start_20ms(&w, 60);
	step_ack(&w, "ack 0 5001 60 - - - -");
	step_ack(&w, "ack 100000 5001 60 - - - -");
	assert_int_equal(mib_get(w.st, TcpExtTCPChallengeACK), 1);
	assert_int_equal(mib_get(w.st, TcpExtTCPACKSkippedChallenge), 1);
	step_ack(&w, "ack 401000 4294900000 60 - - - -");
	assert_int_equal(mib_get(w.st, TcpExtTCPChallengeACK), 2);
	assert_int_equal(cap.num, 2);
	arena_unmap(w.arena);
}

/* T75.1: blocks from nowhere change nothing. */
static void hostile_sack_blocks_are_ignored(void **state)
{
	static const char *const lines[] = {
		"ack 1000 1 60 - 5001:4001 - -",
		"ack 1000 1 60 - 9001:99001 - -",
		"ack 1000 1 60 - 20001:21001 - -",
		"ack 1000 1 60 - 1:5001 - -",
		"ack 1000 1 60 - 0:4294967295 - -",
		"ack 1000 1 60 - 3001:3001 - -",
		"ack 1000 1 60 - 4294967000:0,2001:3001 - -",
	};
	struct world w = {0};

	(void)state;
	start_20ms(&w, 60);
	step_write(&w, 0, 10000, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(lines); i++)
		step_ack(&w, lines[i]);
	assert_int_equal(w.tp->sacked_out, 1); /* 2001:3001 was real */
	assert_int_equal(w.tp->packets_out, 10);
	assert_int_equal(w.tp->snd_una, ISS + 1);
	arena_unmap(w.arena);
}

/* ---- any ACK at all ---- */

#define RANDOM_SEEDS 150
#define RANDOM_STEPS 300

static unsigned int rnd(unsigned int *seed, unsigned int n)
{
	return (unsigned int)rand_r(seed) % n;
}

/* Mostly between UNA and NXT, mostly where a packet begins; now and then far off. */
static uint32_t random_seq(const struct tcp_sock *tp, unsigned int *seed)
{
	uint32_t una = tp->snd_una - ISS, out = tp->snd_nxt - tp->snd_una;
	uint32_t x = una + rnd(seed, out + 1);

	if (rnd(seed, 4))
		x = 1 + (x - 1) / tp->mss_cache * tp->mss_cache;
	return rnd(seed, 50) ? x : x + rnd(seed, 20000) - 10000;
}

static void random_ack(struct world *w, unsigned int *seed)
{
	uint32_t ack = rnd(seed, 3) ? w->tp->snd_una - ISS : random_seq(w->tp, seed);
	char sacks[100] = "-", line[200];
	int n = w->tp->rx.sack_ok ? (int)rnd(seed, 5) : 0, len = 0;

	for (int i = 0; i < n; i++) {
		uint32_t a = random_seq(w->tp, seed), b = random_seq(w->tp, seed);

		if (a > b && rnd(seed, 20)) {
			uint32_t t = a;

			a = b;
			b = t;
		}
		len += snprintf(sacks + len, sizeof(sacks) - (size_t)len, "%s%u:%u", i ? "," : "",
				a, b);
	}
	snprintf(line, sizeof(line), "ack %u %u %u %c %s - -", rnd(seed, 30000), ack,
		 rnd(seed, 10) ? 1 + rnd(seed, 600) : rnd(seed, 3), rnd(seed, 20) ? '-' : 'E', sacks);
	step_ack(w, line);
}

static void random_connection(unsigned int seed)
{
	struct conn_spec c = {.mss = rnd(&seed, 2) ? 1000 : 1460,
			      .sack = rnd(&seed, 4) != 0,
			      .ecn = !rnd(&seed, 3),
			      .rtt_us = 1000 + (int)rnd(&seed, 100000),
			      .window = 1 + (int)rnd(&seed, 600),
			      .wscale = 10};
	struct world w = {0};

	strcpy(c.cong, rnd(&seed, 2) ? "cubic" : "reno");
	world_new(&w, 1 + rnd(&seed, 40));
	w.st->sysctl.tcp_frto = rnd(&seed, 3) ? 2 : 0;
	w.st->sysctl.tcp_recovery = rnd(&seed, 3) ? 1 : 1 + 2 * (int)rnd(&seed, 4);
	connect_passively(&w, &c);
	for (int i = 0; i < RANDOM_STEPS && w.tp->sk.state == TCP_ESTABLISHED; i++) {
		unsigned int what = rnd(&seed, 10);

		cap.num = cap.taken = 0;
		if (what < 2 && w.tp->sk.wmem_queued < 3000000)
			step_write(&w, 0, 1 + (int)rnd(&seed, 60000), 1 + rnd(&seed, 60000));
		else if (what < 3)
			wait_us(&w, (int)rnd(&seed, 600) * 1000);
		else
			random_ack(&w, &seed);
		if (w.tp->sk.state == TCP_ESTABLISHED) {
			assert_int_equal(tcp_check_invariants(w.tp), 0);
			assert_true((int32_t)tcp_packets_in_flight(w.tp) >= 0);
			assert_in_range(w.tp->snd_cwnd, 1, 1000000);
		}
	}
	arena_unmap(w.arena);
}

static void random_acks_leave_queues_and_counts_in_agreement(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= RANDOM_SEEDS; seed++)
		random_connection(seed);
}

int main(void)
{
	const struct CMUnitTest rules[] = {
		cmocka_unit_test(prr_of_the_worked_example),
		cmocka_unit_test(give_up_times_follow_the_model),
		cmocka_unit_test(data_gives_up_after_the_model_time),
		cmocka_unit_test(user_timeout_counts_from_the_first_retransmission),
		cmocka_unit_test(window_probes_back_off_and_give_up),
		cmocka_unit_test(window_closed_over_data_in_flight),
		cmocka_unit_test(thin_streams_double_from_the_seventh_timeout),
		cmocka_unit_test(keepalive_probes_then_resets),
		cmocka_unit_test(impossible_acks_are_challenged_twice_a_second),
		cmocka_unit_test(hostile_sack_blocks_are_ignored),
		cmocka_unit_test(random_acks_leave_queues_and_counts_in_agreement),
	};

	return cmocka_run_group_tests(rules, NULL, NULL);
}

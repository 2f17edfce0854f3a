/* SPDX-License-Identifier: BSD-2-Clause */
/* Reno, CUBIC and HyStart against windows recorded from a live kernel, ACK by ACK. */
/*
 * How it works: a bulk sender is imitated around the module's hooks: every ACK of a vector is handed to it at
 * the recorded time with the recorded number of packets; the recorded "unacked" tells what the sender had
 * out afterwards, and with it when each packet left. The window must be the recorded one after each ACK.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tcp/ack/ack_int.h"
#include "tcp/cc/cubic_int.h"
#include "vectors.h"

#define MSS 1000u
#define PACKETS_MAX 40000
#define HZ 250u

struct replay {
	const struct cong_ops *ops;
	const struct vector *t;
	struct tcp_cong c;
	uint32_t cwnd, ssthresh, cnt;
	uint64_t priv[TCP_CONG_PRIV_BYTES / 8];
	int64_t sent_us[PACKETS_MAX]; /* -1: sent more than once */
	int64_t last_send_us;
	uint32_t una, nxt; /* in packets */
	uint32_t sacked, out;
	bool in_recovery;
	int64_t srtt_us;
};

static void set_clock(struct replay *r, int64_t time_us)
{
	r->c.now_ns = (uint64_t)(time_us + r->t->phase_us) * 1000;
	r->c.lsndtime_ns = (uint64_t)(r->last_send_us + r->t->phase_us) * 1000;
	r->c.snd_una = 1 + r->una * MSS;
	r->c.snd_nxt = 1 + r->nxt * MSS;
}

static void send_up_to(struct replay *r, uint32_t nxt, int64_t time_us)
{
	if (nxt <= r->nxt)
		return;
	assert_true(nxt < PACKETS_MAX);
	if (r->nxt == r->una && r->ops->cwnd_event) {
		set_clock(r, time_us);
		r->ops->cwnd_event(&r->c, CONG_EV_TX_START);
	}
	while (r->nxt < nxt)
		r->sent_us[r->nxt++] = time_us;
	r->last_send_us = time_us;
}

/* The newest packet below @end that was sent once gives the sample; @start: first one it may be. */
static void give_sample(struct replay *r, uint32_t start, uint32_t end, int64_t time_us)
{
	struct cong_ack a = {.pkts_acked = end - start, .rtt_us = -1};

	for (uint32_t i = start; i < end; i++)
		if (r->sent_us[i] < 0)
			return;
	if (end > start)
		a.rtt_us = (int32_t)(time_us - r->sent_us[end - 1]);
	if (r->ops->pkts_acked)
		r->ops->pkts_acked(&r->c, &a);
}

/* Where the recording shows when the sender woke after idling: from the estimator, SRTT += (R - SRTT)/8. */
static int64_t idle_restart_us(const struct replay *r, int row)
{
	int64_t sample = 8 * vector_at(r->t, row, "rtt") - 7 * r->srtt_us;

	return vector_at(r->t, row, "time_us") - sample;
}

static void enter_recovery(struct replay *r, uint32_t sacked)
{
	struct prr p;

	r->ssthresh = r->ops->ssthresh(&r->c);
	r->cnt = 0;
	if (r->ops->set_state)
		r->ops->set_state(&r->c, TCP_CA_Recovery);
	p = (struct prr){.ssthresh = r->ssthresh,
			 .prior_cwnd = r->cwnd,
			 .delivered = sacked,
			 .in_flight = r->nxt - r->una - sacked - 1};
	r->cwnd = p.in_flight + tcp_prr_sndcnt(&p, sacked, false);
	r->sacked = sacked;
	r->sent_us[r->una] = -1;
	r->in_recovery = true;
}

static void one_ack(struct replay *r, int row)
{
	int64_t time_us = vector_at(r->t, row, "time_us"), sack = vector_at(r->t, row, "sack");
	uint32_t ack = (uint32_t)((vector_at(r->t, row, "ack") - 1) / MSS), old = r->una;
	uint32_t acked = ack - old;

	if (r->nxt == r->una)
		send_up_to(r, ack + 1, idle_restart_us(r, row));
	r->una = ack;
	set_clock(r, time_us);
	r->c.pacing_Bps = MSS * r->cwnd * 2000000ull / (uint64_t)r->srtt_us;
	if (sack != VECTOR_NONE) {
		uint32_t n = (uint32_t)sack / MSS;

		give_sample(r, r->una + 1, r->una + 1 + n, time_us);
		enter_recovery(r, n);
	} else {
		give_sample(r, old, ack, time_us);
		if (r->in_recovery) {
			acked -= r->sacked;
			r->cwnd = r->ssthresh;
			r->in_recovery = false;
			if (r->ops->set_state)
				r->ops->set_state(&r->c, TCP_CA_Open);
		}
		r->ops->cong_avoid(&r->c, r->c.snd_una, acked);
	}
	r->srtt_us = vector_at(r->t, row, "rtt");
	send_up_to(r, r->una + (uint32_t)vector_at(r->t, row, "unacked"), time_us);
}

static struct replay *start(const struct cong_ops *ops, const struct vector *t, int64_t d0_us,
			    int64_t handshake_us)
{
	struct replay *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->ops = ops;
	r->t = t;
	r->cwnd = 10;
	r->ssthresh = TCP_INFINITE_SSTHRESH;
	r->srtt_us = handshake_us;
	r->c = (struct tcp_cong){
		.snd_cwnd = &r->cwnd,
		.snd_ssthresh = &r->ssthresh,
		.snd_cwnd_cnt = &r->cnt,
		.snd_cwnd_clamp = UINT32_MAX,
		.mss = MSS,
		.gso_max_size = 65536,
		.is_cwnd_limited = true,
		.tick_ns = 1000000000 / HZ,
		.hz = HZ,
		.stack = calloc(1, sizeof(struct stack)),
		.priv = r->priv,
	};
	set_clock(r, vector_at(t, 0, "time_us") - d0_us);
	if (ops->init)
		ops->init(&r->c);
	send_up_to(r, 10, vector_at(t, 0, "time_us") - d0_us);
	return r;
}

/* A first flight nobody answers: probe, timeout, everything acknowledged by the first row. */
static void time_out(struct replay *r)
{
	r->ssthresh = r->ops->ssthresh(&r->c);
	if (r->ops->set_state)
		r->ops->set_state(&r->c, TCP_CA_Loss);
	r->cwnd = 1;
	r->cnt = 0;
	send_up_to(r, 11, r->last_send_us + 200000);
	for (uint32_t i = 0; i < 11; i++)
		r->sent_us[i] = -1;
}

static void finish(struct replay *r)
{
	free(r->c.stack);
	free(r);
}

/* Rows the recording's own model missed sit at the edge of a tick; no more than those may differ. */
static void replay(const struct cong_ops *ops, const char *file, int d0_ms, int handshake_ms,
		   bool has_timeout)
{
	struct vector *t = vector_load(file);
	struct replay *r;
	int64_t misses = 0;

	assert_non_null(t);
	r = start(ops, t, d0_ms * 1000, handshake_ms * 1000);
	if (has_timeout)
		time_out(r);
	for (int row = 0; row < t->num_rows; row++) {
		int64_t cwnd = vector_at(t, row, "cwnd");

		one_ack(r, row);
		if (vector_at(t, row, "ssthresh") != r->ssthresh)
			fail_msg("%s row %d: ssthresh %u, recorded %ld", file, row, r->ssthresh,
				 vector_at(t, row, "ssthresh"));
		if (cwnd != r->cwnd) {
			misses++;
			print_message("%s row %d: cwnd %u, recorded %ld\n", file, row, r->cwnd, cwnd);
		}
	}
	if (misses > t->compared - t->matched)
		fail_msg("%s: %ld rows differ, %ld may", file, misses, t->compared - t->matched);
	finish(r);
	free(t);
}

static void reno_slow_start_then_loss_then_additive_increase(void **s)
{
	(void)s;
	replay(&reno_cong_ops, "reno_ss_loss_ca.tsv", 50, 100, false);
}
static void reno_clears_its_counter_at_each_of_three_losses(void **s)
{
	(void)s;
	replay(&reno_cong_ops, "reno_two_losses.tsv", 25, 50, false);
}
static void reno_grows_by_one_per_window_of_single_acks(void **s)
{
	(void)s;
	replay(&reno_cong_ops, "reno_per_packet.tsv", 15, 30, false);
}
static void reno_slow_starts_after_a_timeout(void **s)
{
	(void)s;
	replay(&reno_cong_ops, "reno_after_rto.tsv", 700, 100, true);
}
static void cubic_follows_its_curve_after_a_loss(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_ss_loss_ca.tsv", 50, 100, false);
}
static void cubic_converges_fast_when_it_did_not_regain_its_maximum(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_two_losses.tsv", 25, 50, false);
}
static void cubic_computes_the_curve_at_most_once_per_tick(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_per_packet.tsv", 15, 30, false);
}
static void cubic_is_concave_then_convex(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_long.tsv", 100, 200, false);
}
static void cubic_keeps_up_with_reno_on_short_paths(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_friendly.tsv", 4, 8, false);
}
static void cubic_moves_its_epoch_over_an_idle_time(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_idle_shift.tsv", 25, 50, false);
}
static void cubic_forgets_everything_at_a_timeout(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_after_rto.tsv", 700, 100, true);
}
static void hystart_leaves_slow_start_when_delay_rises(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_hystart_delay.tsv", 60, 60, false);
}
static void hystart_leaves_slow_start_on_a_long_ack_train(void **s)
{
	(void)s;
	replay(&cubic_cong_ops, "cubic_hystart_train.tsv", 60, 60, false);
}

/* C03.6: exact floors; factor 2^40/410. */
static void cubic_root_is_the_exact_floor(void **s)
{
	static const uint32_t gap_k[][2] = {{1, 1389},  {2, 1750},  {5, 2375},   {10, 2993},
					    {24, 4007}, {50, 5118}, {100, 6448}, {1000, 13893}};

	(void)s;
	for (unsigned int i = 0; i < ARRAY_SIZE(gap_k); i++)
		assert_int_equal(cubic_root(2681735677ull * gap_k[i][0]), gap_k[i][1]);
	assert_int_equal(cubic_root(0), 0);
	assert_int_equal(cubic_root(7), 1);
	assert_int_equal(cubic_root(8), 2);
	assert_int_equal(cubic_root(UINT64_MAX), 2642245);
}

/* Appendix G17 */
static void cubic_takes_three_tenths_off_and_remembers_less_the_second_time(void **s)
{
	uint64_t priv[TCP_CONG_PRIV_BYTES / 8] = {0};
	uint32_t cwnd = 100, ssthresh = TCP_INFINITE_SSTHRESH, cnt = 0;
	struct tcp_cong c = {
		.snd_cwnd = &cwnd, .snd_ssthresh = &ssthresh, .snd_cwnd_cnt = &cnt, .priv = priv};
	const struct cubic *q = (const void *)priv;

	(void)s;
	assert_int_equal(cubic_cong_ops.ssthresh(&c), 70);
	assert_int_equal(q->wmax, 100);
	cwnd = 80;
	assert_int_equal(cubic_cong_ops.ssthresh(&c), 56);
	assert_int_equal(q->wmax, 68);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reno_slow_start_then_loss_then_additive_increase),
		cmocka_unit_test(reno_clears_its_counter_at_each_of_three_losses),
		cmocka_unit_test(reno_grows_by_one_per_window_of_single_acks),
		cmocka_unit_test(reno_slow_starts_after_a_timeout),
		cmocka_unit_test(cubic_follows_its_curve_after_a_loss),
		cmocka_unit_test(cubic_converges_fast_when_it_did_not_regain_its_maximum),
		cmocka_unit_test(cubic_computes_the_curve_at_most_once_per_tick),
		cmocka_unit_test(cubic_is_concave_then_convex),
		cmocka_unit_test(cubic_keeps_up_with_reno_on_short_paths),
		cmocka_unit_test(cubic_moves_its_epoch_over_an_idle_time),
		cmocka_unit_test(cubic_forgets_everything_at_a_timeout),
		cmocka_unit_test(hystart_leaves_slow_start_when_delay_rises),
		cmocka_unit_test(hystart_leaves_slow_start_on_a_long_ack_train),
		cmocka_unit_test(cubic_root_is_the_exact_floor),
		cmocka_unit_test(cubic_takes_three_tenths_off_and_remembers_less_the_second_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

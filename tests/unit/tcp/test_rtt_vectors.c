/* SPDX-License-Identifier: BSD-2-Clause */
/* The RTT estimator, RTO, MINRTT and delivery rate against a live kernel's TCP_INFO. */
/*
 * How it works: the recordings show SRTT in whole us (an eighth is hidden) and the deviation in quarters, but not
 * the sample itself to the us. So all estimator states that the rows so far allow are carried along; every
 * row must be explained - srtt, rttvar, rto, min_rtt at once - by some sample near the recorded time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tcp/base/base.h"
#include "vectors.h"

#define HZ 250u
#define STATES_MAX 20000
#define SAMPLE_SLACK_US 1500 /* the recorder's own delay between event and reading */

struct fixture {
	struct arena_pools pools;
	struct stack st;
	struct tcp_sock tp;
};

static struct fixture *fixture_new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->st.pools = &f->pools;
	f->st.timers.tick_ns = NS_PER_S / HZ;
	f->st.timers.hz = HZ;
	f->st.sysctl.tcp_min_rtt_wlen = 300;
	f->tp.sk.stack = &f->st;
	f->tp.rto_min_ns = 200 * NS_PER_MS;
	f->tp.rto_max_ns = 120 * NS_PER_S;
	f->tp.mss_cache = 1000;
	tcp_init_rtt(&f->tp);
	return f;
}

/* What the estimator holds. */
struct est {
	uint32_t srtt8, mdev4, mdev_max4, rttvar, min_rtt, rtt_seq;
};

static struct est est_of(const struct tcp_sock *tp)
{
	return (struct est){tp->srtt8_us,  tp->mdev4_us,       tp->mdev_max4_us,
			    tp->rttvar_us, tcp_min_rtt_us(tp), tp->rtt_seq};
}

static void est_load(struct tcp_sock *tp, const struct est *e)
{
	tp->srtt8_us = e->srtt8;
	tp->mdev4_us = e->mdev4;
	tp->mdev_max4_us = e->mdev_max4;
	tp->rttvar_us = e->rttvar;
	tp->rtt_seq = e->rtt_seq;
	minmax_reset(&tp->rtt_min, tp->now_ns, e->min_rtt);
}

static void feed(struct tcp_sock *tp, uint32_t rtt_us)
{
	tcp_update_rtt_min(tp, rtt_us);
	tcp_rtt_estimator(tp, rtt_us);
	tcp_set_rto(tp);
}

struct row {
	int64_t rtt, rttvar, rto, min_rtt; /* min_rtt VECTOR_NONE: not compared */
};

static bool explains(const struct tcp_sock *tp, const struct row *w)
{
	return tp->srtt8_us >> 3 == w->rtt && tp->mdev4_us >> 2 == w->rttvar &&
	       (int64_t)(tp->rto_ns / NS_PER_US) == w->rto &&
	       (w->min_rtt == VECTOR_NONE || tcp_min_rtt_us(tp) == w->min_rtt);
}

struct search {
	struct est *now, *next;
	int n, n_next;
};

static void keep(struct search *s, const struct est *e)
{
	for (int i = 0; i < s->n_next; i++)
		if (!memcmp(&s->next[i], e, sizeof(*e)))
			return;
	assert_true(s->n_next < STATES_MAX);
	s->next[s->n_next++] = *e;
}

/* All samples that take state @e to the shown srtt. */
static void step(struct search *s, struct tcp_sock *tp, const struct est *e, const struct row *w,
		 int64_t near_us)
{
	int64_t low = 8 * w->rtt - e->srtt8 + (e->srtt8 >> 3);

	for (int64_t r = low; r < low + 8; r++) {
		struct est after;

		if (r < 1 || (near_us && llabs(r - near_us) > SAMPLE_SLACK_US))
			continue;
		est_load(tp, e);
		feed(tp, (uint32_t)r);
		after = est_of(tp);
		if (w->min_rtt == VECTOR_NONE)
			after.min_rtt = 0;
		if (explains(tp, w))
			keep(s, &after);
	}
}

static void handshake_states(struct search *s, struct tcp_sock *tp, int64_t nominal_us)
{
	for (int64_t r = nominal_us; r < nominal_us + SAMPLE_SLACK_US; r++) {
		struct est e;

		tcp_init_rtt(tp);
		feed(tp, (uint32_t)r);
		e = est_of(tp);
		keep(s, &e);
	}
}

/* States that show what this row shows without a sample. */
static void keep_unchanged(struct search *s, const struct row *w)
{
	for (int k = 0; k < s->n; k++) {
		const struct est *e = &s->now[k];

		if (e->srtt8 >> 3 == w->rtt && e->mdev4 >> 2 == w->rttvar &&
		    (w->min_rtt == VECTOR_NONE || e->min_rtt == w->min_rtt))
			keep(s, e);
	}
}

static void advance(struct search *s)
{
	struct est *t = s->now;

	s->now = s->next;
	s->next = t;
	s->n = s->n_next;
	s->n_next = 0;
}

static void replay(const char *file, int64_t handshake_us, bool one_per_round)
{
	struct vector *t = vector_load(file);
	struct fixture *f = fixture_new();
	struct search s = {calloc(STATES_MAX, sizeof(struct est)),
			   calloc(STATES_MAX, sizeof(struct est)), 0, 0};
	uint32_t nxt = one_per_round ? 1001 : 10001;
	int64_t shown_rtt = 0, shown_var = 0;

	assert_non_null(t);
	f->tp.snd_una = f->tp.snd_nxt = 1;
	handshake_states(&s, &f->tp, handshake_us);
	advance(&s);
	for (int i = 0; i < t->num_rows; i++) {
		struct row w = {vector_at(t, i, "rtt"), vector_at(t, i, "rttvar"),
				vector_at(t, i, "rto"),
				one_per_round ? vector_at(t, i, "min_rtt") : VECTOR_NONE};
		/* with several packets in a flight MINRTT takes the newest, the estimator the oldest one */
		int64_t near = one_per_round && i
				       ? vector_at(t, i, "time_us") - vector_at(t, i - 1, "time_us")
				       : 0;
		uint32_t ack = (uint32_t)vector_at(t, i, "ack");

		f->tp.now_ns = (uint64_t)vector_at(t, i, "time_us") * NS_PER_US;
		f->tp.snd_una = ack;
		f->tp.snd_nxt = nxt;
		nxt = one_per_round ? ack + 1000 : ack + 1000 * (uint32_t)vector_at(t, i, "unacked");
		if ((w.rtt == shown_rtt && w.rttvar == shown_var) || (!i && w.rto >= 2 * 224000)) {
			keep_unchanged(&s, &w); /* only resent data was covered: no sample (Karn) */
			advance(&s);
			shown_rtt = w.rtt;
			shown_var = w.rttvar;
			continue;
		}
		for (int k = 0; k < s.n; k++)
			step(&s, &f->tp, &s.now[k], &w, near);
		if (!s.n_next)
			fail_msg("%s row %d: no sample explains it (%d states before)", file, i, s.n);
		advance(&s);
		shown_rtt = w.rtt;
		shown_var = w.rttvar;
	}
	free(s.now);
	free(s.next);
	free(f);
	free(t);
}

static void rtt_constant(void **s)
{
	(void)s;
	replay("rtt_const.tsv", 20000, true);
}
static void rtt_rises_in_one_step(void **s)
{
	(void)s;
	replay("rtt_step_up.tsv", 20000, true);
}
static void rtt_falls_in_one_step_and_the_rto_does_not_jump(void **s)
{
	(void)s;
	replay("rtt_step_down.tsv", 20000, true);
}
static void rtt_jitters(void **s)
{
	(void)s;
	replay("rtt_jitter.tsv", 20000, true);
}
static void retransmitted_data_gives_no_sample(void **s)
{
	(void)s;
	replay("rtt_large.tsv", 20000, true);
}
static void rttvar_falls_once_per_round_of_several_acks(void **s)
{
	(void)s;
	replay("rtt_bulk.tsv", 50000, false);
}

/* Appendix G7, whole ticks of 4 ms on top. */
static void rto_of_the_worked_example(void **s)
{
	static const uint32_t ms[] = {20, 30, 100, 100, 20, 20};
	static const uint32_t rto_us[] = {220000, 221250, 231100, 239700, 237200, 235100};
	struct fixture *f = fixture_new();

	(void)s;
	for (unsigned int i = 0; i < ARRAY_SIZE(ms); i++) {
		f->tp.snd_una = f->tp.snd_nxt = 1 + 1000 * i;
		feed(&f->tp, ms[i] * 1000);
		assert_in_range((uint64_t)(f->tp.srtt8_us >> 3) + f->tp.rttvar_us, rto_us[i] - 60,
				rto_us[i] + 60);
		assert_int_equal(f->tp.rto_ns % (4 * NS_PER_MS), 0);
		assert_in_range(f->tp.rto_ns / NS_PER_US, rto_us[i] - 60, rto_us[i] + 4000);
	}
	free(f);
}

static void route_locked_rto_min_replaces_the_sockets(void **s)
{
	struct fixture *f = fixture_new();
	struct dst d = {.metrics = {.rto_min_us = 20000, .is_rto_min_locked = true}};

	(void)s;
	f->tp.sk.dst = &d;
	feed(&f->tp, 1000);
	assert_int_equal(f->tp.rto_ns, 24 * NS_PER_MS); /* 1 ms + 20 ms, up to ticks of 4 ms */
	free(f);
}

/* C08.7: kept for the window, then replaced. */
static void min_rtt_expires_with_its_window(void **s)
{
	struct fixture *f = fixture_new();

	(void)s;
	f->st.sysctl.tcp_min_rtt_wlen = 1;
	tcp_update_rtt_min(&f->tp, 20300);
	for (f->tp.now_ns = 0; f->tp.now_ns <= NS_PER_S; f->tp.now_ns += 50 * NS_PER_MS) {
		tcp_update_rtt_min(&f->tp, 40200);
		assert_int_equal(tcp_min_rtt_us(&f->tp), 20300);
	}
	f->tp.now_ns = NS_PER_S + 70 * NS_PER_MS;
	tcp_update_rtt_min(&f->tp, 40200);
	assert_int_equal(tcp_min_rtt_us(&f->tp), 40200);
	free(f);
}

static void windowed_maximum_falls_back_to_younger_candidates(void **s)
{
	struct minmax m;

	(void)s;
	minmax_reset(&m, 0, 100);
	assert_int_equal(minmax_running_max(&m, 10, 4, 80), 100);
	assert_int_equal(minmax_running_max(&m, 10, 8, 60), 100);
	assert_int_equal(minmax_running_max(&m, 10, 11, 10), 80);
	assert_int_equal(minmax_running_max(&m, 10, 15, 10), 60);
	assert_int_equal(minmax_running_max(&m, 10, 16, 70), 70);
}

/* T85.1; SRTT is recorded to the us, its hidden eighth leaves 1 in 50,000. */
static void pacing_rate_of_every_recorded_ack(void **s)
{
	struct vector *t = vector_load("pacing_rate.tsv");
	struct fixture *f = fixture_new();
	int misses = 0;

	(void)s;
	assert_non_null(t);
	f->st.sysctl.tcp_pacing_ss_ratio = 200;
	f->st.sysctl.tcp_pacing_ca_ratio = 120;
	f->tp.sk.max_pacing_Bps = UINT64_MAX;
	for (int i = 0; i < t->num_rows; i++) {
		int64_t rate = vector_at(t, i, "pacing_rate");

		f->tp.snd_cwnd = (uint32_t)vector_at(t, i, "cwnd");
		f->tp.snd_ssthresh = (uint32_t)vector_at(t, i, "ssthresh");
		f->tp.packets_out = (uint32_t)vector_at(t, i, "unacked");
		f->tp.srtt8_us = 8 * (uint32_t)vector_at(t, i, "rtt") + 4;
		tcp_update_pacing_rate(&f->tp);
		misses += llabs((int64_t)f->tp.sk.pacing_Bps - rate) > rate / 50000 + 2;
	}
	assert_true(misses <= 1); /* Recovery's entry: recorded after the ACK's own sends */
	free(f);
	free(t);
}

/* A round of the recorded bulk flow: delivered and the application-limited bit are exact, the rate within 2 %. */
static void delivery_rate_of_a_bulk_flow(void **s)
{
	struct vector *t = vector_load("rate_bulk.tsv");
	struct fixture *f = fixture_new();
	struct tcp_sock *tp = &f->tp;
	struct skb *rec = calloc(400, sizeof(*rec));
	uint32_t una = 0, nxt = 0;

	(void)s;
	assert_non_null(t);
	tp->delivered = 1;
	tp->app_limited = UINT32_MAX;
	for (int i = -1; i < t->num_rows; i++) {
		int64_t time_us =
			i < 0 ? vector_at(t, 0, "time_us") - 53000 : vector_at(t, i, "time_us");
		uint32_t ack = i < 0 ? 0 : (uint32_t)(vector_at(t, i, "ack") - 1) / 1000;
		uint32_t end = i < 0 ? 10 : ack + (uint32_t)vector_at(t, i, "unacked");
		struct tcp_rate_sample rs = {.prior_mstamp_ns = 0};

		tp->now_ns = (uint64_t)time_us * NS_PER_US;
		if (i >= 0) {
			uint32_t n = ack - una;

			for (; una < ack; una++)
				tcp_rate_skb_delivered(tp, &rec[una], &rs);
			tp->packets_out -= n;
			tp->delivered += n;
			minmax_reset(&tp->rtt_min, tp->now_ns, (uint32_t)vector_at(t, i, "min_rtt"));
			tcp_rate_gen(tp, n, 0, false, &rs);
			assert_int_equal(tp->delivered, vector_at(t, i, "delivered"));
			assert_int_equal(tp->rate_app_limited, vector_at(t, i, "app_limited"));
			if (i > 0) {
				int64_t rate = vector_at(t, i, "delivery_rate");

				assert_in_range(tp->rate_delivered * 1000000000ull /
							tp->rate_interval_us,
						rate * 98 / 100, rate * 102 / 100);
			}
		}
		for (; nxt < end; nxt++) {
			rec[nxt].tstamp_ns = tp->now_ns;
			tcp_cb(&rec[nxt])->end_seq = 1 + 1000 * (nxt + 1);
			tcp_rate_skb_sent(tp, &rec[nxt]);
			tp->packets_out++;
		}
	}
	free(rec);
	free(f);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rtt_constant),
		cmocka_unit_test(rtt_rises_in_one_step),
		cmocka_unit_test(rtt_falls_in_one_step_and_the_rto_does_not_jump),
		cmocka_unit_test(rtt_jitters),
		cmocka_unit_test(retransmitted_data_gives_no_sample),
		cmocka_unit_test(rttvar_falls_once_per_round_of_several_acks),
		cmocka_unit_test(rto_of_the_worked_example),
		cmocka_unit_test(route_locked_rto_min_replaces_the_sockets),
		cmocka_unit_test(min_rtt_expires_with_its_window),
		cmocka_unit_test(windowed_maximum_falls_back_to_younger_candidates),
		cmocka_unit_test(pacing_rate_of_every_recorded_ack),
		cmocka_unit_test(delivery_rate_of_a_bulk_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

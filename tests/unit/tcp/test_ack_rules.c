/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss detection, recovery, undo, TLP and F-RTO: exchanges with a live kernel, repeated ACK by ACK. */
/*
 * How it works: tests/vectors/ack_rules.txt holds the exchanges. After every step the packets sent and the counts
 * TCP_INFO shows must be the kernel's, and the queues must agree with the counters. The kernel's timer wheel
 * fires late by up to an eighth of the delay; ours is exact, so a packet sent by a timer may be that much
 * earlier than recorded.
 */
#include "peer.h"
#include "vectors.h"

#define CASES_MAX 100
#define LATENESS_US 41000 /* C11 at these delays: 8 ticks, and the recorder's own */

/* ---- steps ---- */

static void step_sent(struct world *w, int line_no, int min_us, int max_us, const struct sent *want,
		      bool want_cwr)
{
	uint64_t base_ns = stack_now_ns(w->st);
	const struct sent *got;
	int64_t us;

	if (cap.taken == cap.num)
		run(w, base_ns + (uint64_t)max_us * NS_PER_US, true);
	if (cap.taken == cap.num)
		fail_msg("line %d: nothing was sent, %u(%u) is due", line_no, want->seq, want->len);
	got = &cap.p[cap.taken++];
	us = (int64_t)(got->at_ns - base_ns) / 1000;
	if (got->seq != want->seq || got->len != want->len || want_cwr != !!(got->flags & TCPH_CWR))
		fail_msg("line %d: sent %u(%u) flags %x, not %u(%u)", line_no, got->seq, got->len,
			 got->flags, want->seq, want->len);
	if (us > max_us || us < min_us - LATENESS_US)
		fail_msg("line %d: sent after %ld us, not %d..%d", line_no, us, min_us, max_us);
}

static void step_info(struct world *w, int line_no, const long *want)
{
	struct tcp_info_full i;
	long got[8];

	if (cap.taken != cap.num)
		fail_msg("line %d: %u(%u) was sent too", line_no, cap.p[cap.taken].seq,
			 cap.p[cap.taken].len);
	tcp_get_info(w->tp, &i);
	memcpy(got,
	       (long[8]){i.ca_state, i.snd_cwnd, i.snd_ssthresh, i.unacked, i.sacked, i.lost,
			 i.retrans, i.reordering},
	       sizeof(got));
	for (int k = 0; k < 8; k++)
		if (got[k] != want[k])
			fail_msg("line %d: (%ld %ld %ld %ld %ld %ld %ld %ld), field %d should be %ld",
				 line_no, got[0], got[1], got[2], got[3], got[4], got[5], got[6],
				 got[7], k + 1, want[k]);
}

static void set_sysctl(struct world *w, const char *line)
{
	char name[64], key[80], value[16];

	assert_int_equal(sscanf(line, "set %63s %15s", name, value), 2);
	snprintf(key, sizeof(key), "net.ipv4.%s", name);
	assert_int_equal(sysctl_set(&w->st->sysctl, key, value), 0);
}

static void step(struct world *w, int line_no, const char *line)
{
	struct conn_spec c;
	struct sent s = {0};
	int a, b;
	char cwr;
	long v[8];

	if (!strncmp(line, "set ", 4))
		set_sysctl(w, line);
	else if (!strncmp(line, "ack ", 4))
		step_ack(w, line);
	else if (sscanf(line, "conn %15s %d %d %d %d %d %d %d %d", c.cong, &c.mss, &c.sack, &c.ts,
			&c.ecn, &c.rtt_us, &c.first_tsval, &c.window, &c.wscale) == 9)
		connect_passively(w, &c);
	else if (sscanf(line, "write %d %d", &a, &b) == 2)
		step_write(w, a, b, 0);
	else if (sscanf(line, "sent %d %d %u %u %c", &a, &b, &s.seq, &s.len, &cwr) == 5)
		step_sent(w, line_no, a, b, &s, cwr == 'W');
	else if (sscanf(line, "info %ld %ld %ld %ld %ld %ld %ld %ld", v, v + 1, v + 2, v + 3, v + 4,
			v + 5, v + 6, v + 7) == 8)
		step_info(w, line_no, v);
	else
		fail_msg("line %d is not understood: %s", line_no, line);
}

/* ---- cases of the file ---- */

struct rule_case {
	char name[80];
	long offset;
	int line_no;
};

static FILE *open_rules(void)
{
	return vector_open("ack_rules.txt");
}

static void run_case(void **state)
{
	const struct rule_case *c = *state;
	FILE *f = open_rules();
	struct world w = {0};
	char line[256];
	int n = c->line_no;

	assert_non_null(f);
	assert_int_equal(fseek(f, c->offset, SEEK_SET), 0);
	world_new(&w, 1);
	while (fgets(line, sizeof(line), f) && line[0] != '\n') {
		line[strcspn(line, "\n")] = 0;
		step(&w, ++n, line);
	}
	fclose(f);
	arena_unmap(w.arena);
}

static int find_cases(struct rule_case *cases, FILE *f)
{
	char line[256];
	int n = 0;

	for (int no = 1; n < CASES_MAX && fgets(line, sizeof(line), f); no++) {
		if (sscanf(line, "case %79s", cases[n].name) != 1 || line[0] == '#')
			continue;
		cases[n].offset = ftell(f);
		cases[n++].line_no = no;
	}
	return n;
}

int main(void)
{
	static struct rule_case cases[CASES_MAX];
	static struct CMUnitTest tests[CASES_MAX];
	FILE *f = open_rules();
	int n;

	if (!f) {
		printf("tests/vectors/ack_rules.txt is not there\n");
		return 1;
	}
	n = find_cases(cases, f);
	fclose(f);
	for (int i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){cases[i].name, run_case, NULL, NULL, &cases[i]};
	return n ? _cmocka_run_group_tests("ack_rules", tests, (size_t)n, NULL, NULL) : 1;
}

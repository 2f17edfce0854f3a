/* SPDX-License-Identifier: BSD-2-Clause */
/* Windowed minimum and maximum that remember three candidates. */
/*
 * How it works
 *
 * The samples form a short queue: s[0] is the answer, each later entry is younger and worse. A new sample
 * removes the entries it beats from the back. A worse sample joins as the next candidate only when it is at
 * least a quarter of the window younger than the one before it, so that the three spread over the window.
 * An unused place repeats the one before it.
 */
#include "tcp/base/base.h"

static bool beats(bool is_max, uint32_t a, uint32_t b)
{
	return is_max ? a >= b : a <= b;
}

static bool same(const struct minmax_sample *a, const struct minmax_sample *b)
{
	return a->t == b->t && a->v == b->v;
}

static unsigned int num_candidates(const struct minmax *m)
{
	if (same(&m->s[0], &m->s[1]))
		return 1;
	return same(&m->s[1], &m->s[2]) ? 2 : 3;
}

static uint32_t running(struct minmax *m, bool is_max, uint64_t win, uint64_t t, uint32_t v)
{
	const struct minmax_sample fresh = {.t = t, .v = v};
	unsigned int n = num_candidates(m);
	bool has_expired = false;

	if (t - m->s[2].t > win || beats(is_max, v, m->s[0].v))
		return minmax_reset(m, t, v);
	while (n > 1 && beats(is_max, v, m->s[n - 1].v))
		n--;
	while (n > 1 && t - m->s[0].t > win) {
		m->s[0] = m->s[1];
		m->s[1] = m->s[2];
		n--;
		has_expired = true;
	}
	if (n == 1 && t - m->s[0].t > win)
		return minmax_reset(m, t, v);
	if (n < 3 && (has_expired || n < num_candidates(m) || t - m->s[n - 1].t > win / 4))
		m->s[n++] = fresh;
	for (; n < 3; n++)
		m->s[n] = m->s[n - 1];
	return m->s[0].v;
}

uint32_t minmax_reset(struct minmax *m, uint64_t t, uint32_t v)
{
	for (int i = 0; i < 3; i++) {
		m->s[i].t = t;
		m->s[i].v = v;
	}
	return v;
}

uint32_t minmax_running_min(struct minmax *m, uint64_t win, uint64_t t, uint32_t v)
{
	return running(m, false, win, t, v);
}

uint32_t minmax_running_max(struct minmax *m, uint64_t win, uint64_t t, uint32_t v)
{
	return running(m, true, win, t, v);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer wheel and the high-resolution timers of one stack. */
/*
 * How it works: six levels of 64 slots. A slot of level L stands for 64^L ticks. A timer goes to the
 * level of the highest 6-bit digit in which its tick differs from now_tick, into the slot that digit
 * names: it comes down one or more levels when the wheel reaches that slot, and stands in level 0
 * when its tick is at hand. The top level is a ring of the 63 slots ahead; what lies beyond waits in
 * the farthest and is placed again when that one is reached.
 *
 * Invariants: (1) in levels 0-4 occupied slots lie at or after now_tick's own digit (only level 0 uses
 * the digit itself: that is "due"); (2) a lower level's timers all come before a higher one's;
 * (3) a chain keeps arming order, so equal ticks (within the ring) fire in arming order; overdue
 * ones are sorted in front of it. By (2) the next stop is the first occupied slot of the lowest occupied level: a jump
 * over hours costs what is armed, not what has passed.
 *
 * next_ns is a lower bound that arming lowers and popping raises; cancelling leaves it. first_tick
 * remembers the exact earliest tick until that timer goes.
 */
#include "base/timer.h"

#include <string.h>

#define SLOT_BITS 6u
#define TOP (WHEEL_LEVELS - 1)
#define TOP_SHIFT (TOP * SLOT_BITS)
#define TICK_NONE UINT64_MAX
#define TICK_UNKNOWN (UINT64_MAX - 1)
#define TICK_MAX (UINT64_MAX - 2)

static_assert(WHEEL_SLOTS == 1 << SLOT_BITS, "a slot is a digit");

void timers_init(struct timers *ts, uint32_t hz, uint64_t now_ns, bool shared)
{
	memset(ts, 0, sizeof(*ts));
	lock_init(&ts->lock, LOCK_TIMERS, shared);
	ts->hz = hz;
	ts->tick_ns = NS_PER_S / hz;
	ts->now_tick = timers_ns_to_tick(ts, now_ns);
	ts->first_tick = TICK_NONE;
	atomic_init(&ts->next_ns, UINT64_MAX);
}

static uint64_t tick_to_ns(const struct timers *ts, uint64_t tick)
{
	uint64_t ns;

	return __builtin_mul_overflow(tick, ts->tick_ns, &ns) ? UINT64_MAX - 1 : ns;
}

static void set_next_ns(struct timers *ts, uint64_t ns)
{
	atomic_store_explicit(&ts->next_ns, ns, memory_order_relaxed);
}

static void lower_next_ns(struct timers *ts, uint64_t ns)
{
	if (ns < atomic_load_explicit(&ts->next_ns, memory_order_relaxed))
		set_next_ns(ts, ns);
}

/* ---- where a timer stands ---- */

/* @expires is at or after now_tick. */
static void choose_slot(const struct timers *ts, uint64_t expires, uint8_t *level, uint8_t *slot)
{
	uint64_t differs = expires ^ ts->now_tick;

	if (unlikely(differs >> TOP_SHIFT)) {
		uint64_t here = ts->now_tick >> TOP_SHIFT;
		uint64_t ahead = min_u64((expires >> TOP_SHIFT) - here, WHEEL_SLOTS - 1);

		*level = TOP;
		*slot = (uint8_t)((here + ahead) % WHEEL_SLOTS);
		return;
	}
	*level = differs ? (uint8_t)((63 - __builtin_clzll(differs)) / SLOT_BITS) : 0;
	*slot = (uint8_t)(expires >> (*level * SLOT_BITS) & (WHEEL_SLOTS - 1));
}

static void set_pprev(struct timer *t, struct timer **pprev)
{
	__atomic_store_n(&t->pprev, pprev, __ATOMIC_RELAXED); /* timer_is_armed() takes no lock */
}

static void link_at(struct timers *ts, struct timer *t, struct timer **where)
{
	t->next = *where;
	if (t->next)
		set_pprev(t->next, &t->next);
	else
		ts->tails[t->level][t->slot] = &t->next;
	*where = t;
	set_pprev(t, where);
}

static void place(struct timers *ts, struct timer *t)
{
	struct timer **where;
	uint64_t bit;

	choose_slot(ts, max_u64(t->expires, ts->now_tick), &t->level, &t->slot);
	bit = 1ull << t->slot;
	where = &ts->slots[t->level][t->slot];
	if (!(ts->occupied[t->level] & bit)) {
		ts->occupied[t->level] |= bit;
		*where = NULL;
	} else if (likely(t->expires >= ts->now_tick)) {
		where = ts->tails[t->level][t->slot];
	} else {
		while (*where && (*where)->expires <= t->expires)
			where = &(*where)->next;
	}
	link_at(ts, t, where);
}

static void unlink_timer(struct timers *ts, struct timer *t)
{
	*t->pprev = t->next;
	if (t->next)
		set_pprev(t->next, t->pprev);
	else
		ts->tails[t->level][t->slot] = t->pprev;
	if (!ts->slots[t->level][t->slot])
		ts->occupied[t->level] &= ~(1ull << t->slot);
	set_pprev(t, NULL);
	if (t->expires <= ts->first_tick)
		ts->first_tick = TICK_UNKNOWN;
}

/* ---- where the wheel goes next ---- */

/* First occupied slot. Return: the tick at which it starts, TICK_NONE when the wheel is empty. */
static uint64_t next_stop(const struct timers *ts, unsigned *level, unsigned *slot)
{
	uint64_t here = ts->now_tick >> TOP_SHIFT;
	unsigned turn = here % WHEEL_SLOTS;
	uint64_t ring;

	for (unsigned l = 0; l < TOP; l++) {
		unsigned shift = (l + 1) * SLOT_BITS;

		if (!ts->occupied[l])
			continue;
		*level = l;
		*slot = (unsigned)__builtin_ctzll(ts->occupied[l]);
		return ts->now_tick >> shift << shift | (uint64_t)*slot << (shift - SLOT_BITS);
	}
	ring = ts->occupied[TOP];
	if (!ring)
		return TICK_NONE;
	ring = ring >> turn | ring << ((WHEEL_SLOTS - turn) % WHEEL_SLOTS);
	*level = TOP;
	*slot = (turn + (unsigned)__builtin_ctzll(ring)) % WHEEL_SLOTS;
	return (here + (unsigned)__builtin_ctzll(ring)) << TOP_SHIFT;
}

/* The wheel stands at the start of this slot: spread it over the lower levels, keeping order. */
static void cascade(struct timers *ts, unsigned level, unsigned slot)
{
	struct timer *t = ts->slots[level][slot];

	ts->slots[level][slot] = NULL;
	ts->occupied[level] &= ~(1ull << slot);
	while (t) {
		struct timer *next = t->next;

		place(ts, t);
		t = next;
	}
}

static uint64_t earliest_of_chain(const struct timer *t)
{
	uint64_t best = TICK_NONE;

	for (; t; t = t->next)
		best = min_u64(best, t->expires);
	return best;
}

/*
 * Exact. A slot of the top ring may hold timers far beyond it; then the next occupied slot can have
 * an earlier one, so look on until a slot starts after the best seen.
 */
static uint64_t earliest_tick(struct timers *ts)
{
	unsigned level, slot;
	uint64_t turn = ts->now_tick >> TOP_SHIFT, best;

	if (ts->first_tick != TICK_UNKNOWN)
		return ts->first_tick;
	best = next_stop(ts, &level, &slot);
	if (best != TICK_NONE && level < TOP) {
		best = earliest_of_chain(ts->slots[level][slot]);
	} else if (best != TICK_NONE) {
		best = TICK_NONE;
		for (unsigned i = 1; i < WHEEL_SLOTS && (turn + i) << TOP_SHIFT <= best; i++) {
			slot = (turn + i) % WHEEL_SLOTS;
			if (ts->occupied[TOP] >> slot & 1)
				best = min_u64(best, earliest_of_chain(ts->slots[TOP][slot]));
		}
	}
	ts->first_tick = best;
	return best;
}

/* ---- arming ---- */

bool timer_arm(struct timers *ts, struct timer *t, uint64_t expires)
{
	bool is_fresh;

	expires = min_u64(expires, TICK_MAX);
	lock_take(&ts->lock);
	is_fresh = !t->pprev;
	if (is_fresh)
		ts->num_armed++;
	else
		unlink_timer(ts, t);
	t->expires = expires;
	place(ts, t);
	if (!(ts->first_tick == TICK_UNKNOWN) && expires < ts->first_tick)
		ts->first_tick = expires;
	lower_next_ns(ts, tick_to_ns(ts, expires));
	lock_drop(&ts->lock);
	return is_fresh;
}

bool timer_cancel(struct timers *ts, struct timer *t)
{
	bool was_armed;

	lock_take(&ts->lock);
	was_armed = t->pprev != NULL;
	if (was_armed) {
		unlink_timer(ts, t);
		ts->num_armed--;
	}
	lock_drop(&ts->lock);
	return was_armed;
}

/* ---- expiry ---- */

static uint64_t hr_first_ns(const struct timers *ts)
{
	struct rb_node *n = rb_first(&ts->hr);

	return n ? container_of(n, struct hrtimer, node)->expires_ns : UINT64_MAX;
}

struct timer *timer_pop_expired(struct timers *ts, uint64_t now_tick)
{
	struct timer *t = NULL;
	unsigned level, slot;
	uint64_t stop;

	lock_take(&ts->lock);
	while ((stop = next_stop(ts, &level, &slot)) <= now_tick && stop != TICK_NONE) {
		ts->now_tick = max_u64(ts->now_tick, stop);
		if (level) {
			cascade(ts, level, slot);
			continue;
		}
		t = ts->slots[0][slot];
		unlink_timer(ts, t);
		ts->num_armed--;
		break;
	}
	if (!t) {
		ts->now_tick = max_u64(ts->now_tick, now_tick);
		set_next_ns(ts, min_u64(stop == TICK_NONE ? UINT64_MAX : tick_to_ns(ts, stop),
					hr_first_ns(ts)));
	}
	lock_drop(&ts->lock);
	return t;
}

/* ---- high resolution ---- */

static void hr_insert(struct timers *ts, struct hrtimer *t)
{
	struct rb_node **link = &ts->hr.node, *parent = NULL;

	while (*link) {
		parent = *link;
		/* equal times: the one armed earlier (lower order) stays in front */
		link = t->expires_ns < container_of(parent, struct hrtimer, node)->expires_ns
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert_at(&ts->hr, &t->node, parent, link);
}

bool hrtimer_arm(struct timers *ts, struct hrtimer *t, uint64_t expires_ns)
{
	bool is_fresh;

	lock_take(&ts->lock);
	is_fresh = !t->is_armed;
	if (!is_fresh)
		rb_erase(&ts->hr, &t->node);
	t->expires_ns = expires_ns;
	t->order = ts->hr_order++;
	t->is_armed = true;
	hr_insert(ts, t);
	lower_next_ns(ts, expires_ns);
	lock_drop(&ts->lock);
	return is_fresh;
}

bool hrtimer_cancel(struct timers *ts, struct hrtimer *t)
{
	bool was_armed;

	lock_take(&ts->lock);
	was_armed = t->is_armed;
	if (was_armed) {
		rb_erase(&ts->hr, &t->node);
		t->is_armed = false;
	}
	lock_drop(&ts->lock);
	return was_armed;
}

struct hrtimer *hrtimer_pop_expired(struct timers *ts, uint64_t now_ns)
{
	struct hrtimer *t = NULL;
	struct rb_node *n;

	lock_take(&ts->lock);
	n = rb_first(&ts->hr);
	if (n && container_of(n, struct hrtimer, node)->expires_ns <= now_ns) {
		t = container_of(n, struct hrtimer, node);
		rb_erase(&ts->hr, n);
		t->is_armed = false;
	}
	lock_drop(&ts->lock);
	return t;
}

uint64_t timers_next_ns(struct timers *ts)
{
	uint64_t tick, ns;

	lock_take(&ts->lock);
	tick = earliest_tick(ts);
	ns = min_u64(tick == TICK_NONE ? UINT64_MAX : tick_to_ns(ts, tick), hr_first_ns(ts));
	set_next_ns(ts, ns);
	lock_drop(&ts->lock);
	return ns;
}

void timers_reset(struct timers *ts)
{
	memset(ts->occupied, 0, sizeof(ts->occupied));
	memset(ts->slots, 0, sizeof(ts->slots));
	ts->hr.node = NULL;
	ts->num_armed = 0;
	ts->first_tick = TICK_NONE;
	set_next_ns(ts, UINT64_MAX);
}

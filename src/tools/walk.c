/* SPDX-License-Identifier: BSD-2-Clause */
/* Printing what a stack saw: the walk of one send() as a tree, and counters that moved. */
/*
 * How it works: the stages emit begin and end records of fixed size into the stack's ring. A walk is
 * everything one thread emitted between the begin and the end of its __sys_sendto; the depth of the tree
 * is the number of stages that are open. The pump's work on the way out of the call belongs to it.
 */
#include "tools/walk.h"

#include <inttypes.h>

#include "core/trace_ids.h"

#define WALK_LINES_MAX 60 /* a longer walk is cut: the rest repeats for every packet */

void walk_start(struct stack *st)
{
	st->trace.keeps_first = true;
	atomic_store(&st->trace.is_on, 1);
}

/* Does the send that begins at record @n reach a device before it ends? */
static bool reaches_device(const struct trace_ring *r, uint64_t n, uint64_t head, uint32_t tid)
{
	struct trace_rec rec;

	for (uint64_t i = n + 1; i < head; i++) {
		if (!trace_read(r, i, &rec) || rec.tid != tid)
			continue;
		if (rec.id == TR_SYS_SENDTO)
			return false;
		if (rec.id == TR_DEV_HARD_START_XMIT)
			return true;
	}
	return false;
}

static bool find_walk(const struct trace_ring *r, uint64_t head, uint64_t *ret_n, struct trace_rec *ret)
{
	for (uint64_t n = 0; n < head; n++)
		if (trace_read(r, n, ret) && ret->id == TR_SYS_SENDTO && ret->phase == TR_BEGIN &&
		    reaches_device(r, n, head, ret->tid)) {
			*ret_n = n;
			return true;
		}
	return false;
}

static void print_line(FILE *out, const struct trace_rec *rec, const struct trace_rec *first, int depth, uint64_t dur_ns)
{
	fprintf(out, "  %8" PRIu64 " ns  ", rec->ns - first->ns);
	for (int i = 0; i < depth; i++)
		fputs("  ", out);
	fprintf(out, "%s", trace_name(rec->id));
	if (dur_ns)
		fprintf(out, "  [%" PRIu64 " ns]", dur_ns);
	if (rec->a)
		fprintf(out, "  %" PRIu64, rec->a);
	fputc('\n', out);
}

/* Time until the matching end record; 0 when it is not in the ring. */
static uint64_t duration(const struct trace_ring *r, uint64_t n, uint64_t head, const struct trace_rec *b)
{
	struct trace_rec e;
	int open = 1;

	for (uint64_t i = n + 1; i < head; i++) {
		if (!trace_read(r, i, &e) || e.tid != b->tid || e.id != b->id)
			continue;
		open += e.phase == TR_BEGIN ? 1 : e.phase == TR_END ? -1 : 0;
		if (!open)
			return e.ns - b->ns;
	}
	return 0;
}

bool walk_print(struct stack *st, FILE *out)
{
	struct trace_ring *r = &st->trace;
	uint64_t head = min_u64(atomic_load(&r->head), (uint64_t)r->mask + 1), n;
	struct trace_rec first, rec;
	int depth = 0, lines = 0;

	if (!find_walk(r, head, &n, &first))
		return false;
	fprintf(out, "The first send() that reached the device: %" PRIu64 " bytes\n", first.a);
	for (uint64_t i = n; i < head && lines < WALK_LINES_MAX; i++) {
		if (!trace_read(r, i, &rec) || rec.tid != first.tid)
			continue;
		if (rec.phase == TR_END) {
			depth -= depth > 0;
			if (rec.id == TR_SYS_SENDTO)
				break;
			continue;
		}
		print_line(out, &rec, &first, depth, rec.phase == TR_BEGIN ? duration(r, i, head, &rec) : 0);
		lines++;
		depth += rec.phase == TR_BEGIN;
	}
	return true;
}

void walk_print_counters(struct stack *st, FILE *out)
{
	int col = 0;

	for (unsigned int i = 0; i < MIB_NUM; i++) {
		uint64_t v = mib_get(st, (enum mib_id)i);

		if (!v)
			continue;
		fprintf(out, "  %-28s %-12" PRIu64 "%s", mib_name((enum mib_id)i), v, col ? "\n" : "");
		col = !col;
	}
	if (col)
		fputc('\n', out);
}

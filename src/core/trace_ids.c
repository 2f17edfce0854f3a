/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the trace points, and emission. */
/* How it works: tables made from core/trace.def; stack_trace_emit() adds the time. */
#include "core/trace_ids.h"

#include <string.h>

static const struct {
	const char *name, *help;
} points[TR_NUM] = {
#define TRACE(id, name, help) [TR_##id] = {name, help},
#include "core/trace.def"
#undef TRACE
};

const char *trace_name(uint16_t id)
{
	return id < TR_NUM ? points[id].name : NULL;
}

const char *trace_help(uint16_t id)
{
	return id < TR_NUM ? points[id].help : NULL;
}

uint16_t trace_find(const char *name)
{
	for (uint16_t i = 1; i < TR_NUM; i++)
		if (!strcmp(points[i].name, name))
			return i;
	return TR_NONE;
}

void stack_trace_emit(struct stack *st, uint16_t id, uint8_t phase, uint64_t obj, uint64_t a,
		      uint64_t b, uint64_t c)
{
	trace_emit(&st->trace, stack_now_ns(st), id, phase, obj, a, b, c);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Trace points by name, and the one inline that emits them. */
#ifndef NARU_CORE_TRACE_IDS_H
#define NARU_CORE_TRACE_IDS_H

#include "base/trace.h"
#include "core/stack.h"

enum trace_id {
	TR_NONE = 0,
#define TRACE(id, name, help) TR_##id,
#include "core/trace.def"
#undef TRACE
	TR_NUM
};

/* 'B' and 'E' bracket a stage; 'I' stands alone. */
enum trace_phase { TR_BEGIN = 'B', TR_END = 'E', TR_INSTANT = 'I' };

/** trace_name() - printed name of a trace point; NULL when unknown. */
const char *trace_name(uint16_t id);
/** trace_help() - what a, b, c mean. */
const char *trace_help(uint16_t id);
/** trace_find() - id of a name, 0 when unknown. */
uint16_t trace_find(const char *name);

/* Emission, kept out of line: reads the clock. */
void stack_trace_emit(struct stack *st, uint16_t id, uint8_t phase, uint64_t obj, uint64_t a, uint64_t b, uint64_t c);
/**
 * stack_trace_ev() - one record when tracing is on; off: one predictable branch. @obj: trace_obj().
 * A macro, so that nothing of its arguments is computed while tracing is off.
 */
#define stack_trace_ev(st, id, phase, obj, a, b, c)                                                \
	do {                                                                                       \
		if (trace_is_on(&(st)->trace))                                                     \
			stack_trace_emit(st, (uint16_t)(id), (uint8_t)(phase), obj, a, b, c);      \
	} while (0)
/** trace_obj() - what a record is about: socket and packet by their place in the arena; NULL: none. */
static inline uint64_t trace_obj(const struct stack *st, const void *sk, const void *skb)
{
	uint64_t base = st->pools->arena->base;
	uint64_t s = sk ? ((uint64_t)(uintptr_t)sk - base) / 64 + 1 : 0;
	uint64_t p = skb ? ((uint64_t)(uintptr_t)skb - base) / 64 + 1 : 0;

	return (p << 32) | (uint32_t)s;
}

#endif

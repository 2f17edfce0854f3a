/* SPDX-License-Identifier: BSD-2-Clause */
/* Zerocopy notification: who still uses the pages a program passed with MSG_ZEROCOPY (T90). */
#ifndef NARU_CORE_UBUF_H
#define NARU_CORE_UBUF_H

#include <stdatomic.h>

#include "base/pool.h"

struct sock;
struct stack;

/* One send call, or several whose ids follow each other. The last reference posts the notification. */
struct ubuf {
	struct obj obj;
	_Atomic uint32_t refs;
	_Atomic uint32_t is_copied; /* some byte was copied after all: code 1 (T67.2, T90.2) */
	struct sock *sk;            /* one reference; NULL: nobody is told */
	uint32_t id;                /* first id */
	uint32_t num;               /* ids covered; 0: the call failed, nothing is told */
	uint32_t bytes;             /* payload covered */
};

/** ubuf_alloc() - one reference, one id; takes a reference on @sk. NULL: no memory. */
struct ubuf *ubuf_alloc(struct sock *sk, uint32_t id);
static inline void ubuf_get(struct ubuf *u)
{
	atomic_fetch_add_explicit(&u->refs, 1, memory_order_relaxed);
}
/** ubuf_put() - drop one reference; the last one queues the notification of T90.2 and frees @u. NULL is fine.
 *  Context: any lock below LOCK_RXQ. */
void ubuf_put(struct stack *st, struct ubuf *u);
/** ubuf_abort() - the call that made it failed: drop the reference, tell nobody when it was its only id. */
void ubuf_abort(struct stack *st, struct ubuf *u);

#endif

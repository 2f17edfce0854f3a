/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files of a stack: what a handle names. A call in progress keeps its file alive. */
#ifndef NARU_API_FILE_H
#define NARU_API_FILE_H

#include <stdatomic.h>

#include "core/sock.h"

struct epoll;

enum file_kind { FILE_SOCK = 1, FILE_EPOLL };

struct file {
	struct obj obj;
	uint32_t pool_link;	   /* the pool's while the file is free */
	_Atomic uint32_t refs;	   /* 1 for being open, 1 for each call in progress; 0 also while it is free: lookups read it */
	_Atomic uint32_t is_open;
	_Atomic uint32_t is_nonblock; /* O_NONBLOCK, shared by all descriptors of the file */
	uint8_t kind;		   /* enum file_kind */
	struct stack *stack;
	struct sock *sk;	   /* one reference */
	struct epoll *ep;
	uint64_t kernel_ino;	   /* shim: identity of the placeholder descriptor; 0: none */
	_Atomic uint32_t is_registered; /* shim: the supervisor watches the placeholder */
	uint16_t owner_proc;	   /* shim: process that made it */
};

static_assert(offsetof(struct file, refs) == POOL_KEPT_OFFSET, "stale handles read it in free files");

/** file_open() - a file for @sk (takes over its reference) or @ep. NULL: no memory (reference stays). */
struct file *file_open(struct stack *st, struct sock *sk, struct epoll *ep);
/** file_reserve() - room for a file that file_fill() opens or file_unreserve() gives back. NULL: no memory. */
struct file *file_reserve(struct stack *st);
void file_unreserve(struct file *f);
/** file_fill() - open a reserved file: for @sk (takes over its reference) or @ep. */
void file_fill(struct file *f, struct sock *sk, struct epoll *ep);
/** file_lookup() - by handle, with a reference; NULL: not open in this stack. */
struct file *file_lookup(struct stack *st, int handle);
int file_handle(const struct file *f);
/** file_put() - the last reference releases the socket (linger rules) or the epoll object. */
void file_put(struct file *f);
/** file_close() - the handle dies now. 0 or -EBADF. */
int file_close(struct file *f);

#endif

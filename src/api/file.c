/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files: handles are pool indices; references keep a file alive through calls in progress. */
/*
 * How it works
 *
 * A handle is the index of the file object in its pool. Looking one up raises the count only from a
 * value above zero (a free file keeps 0 there), then checks that the object is an open file of this stack;
 * otherwise it is let go again. As in the kernel, closing while another thread is
 * blocked in a call leaves that call blocked; the socket is released when the call returns.
 */
#include "api/file.h"

#include <errno.h>
#include <string.h>

#include "api/epoll.h"
#include "base/proc.h"
#include "socket/call.h"

struct file *file_reserve(struct stack *st)
{
	struct file *f = pool_alloc(&st->pools->file, POOL_NORMAL);

	if (!f)
		return NULL;
	/* refs is 0 already, and a stale handle may be reading it */
	memset((char *)f + POOL_KEPT_OFFSET + sizeof(f->refs), 0, sizeof(*f) - POOL_KEPT_OFFSET - sizeof(f->refs));
	f->stack = st;
	return f;
}

void file_unreserve(struct file *f) { pool_free(&f->stack->pools->file, f); }

void file_fill(struct file *f, struct sock *sk, struct epoll *ep)
{
	f->kind = sk ? FILE_SOCK : FILE_EPOLL;
	f->sk = sk;
	f->ep = ep;
	f->owner_proc = proc_slot();
	if (sk)
		sk->file_handle = pool_handle(&f->stack->pools->file, f);
	f->obj.owner_proc = 0;
	f->is_open = 1;
	atomic_store_explicit(&f->refs, 1, memory_order_release);
}

struct file *file_open(struct stack *st, struct sock *sk, struct epoll *ep)
{
	struct file *f = file_reserve(st);

	if (f)
		file_fill(f, sk, ep);
	return f;
}

int file_handle(const struct file *f) { return (int)pool_index(&f->stack->pools->file, f); }

struct file *file_lookup(struct stack *st, int handle)
{
	struct file *f = handle < 0 ? NULL : pool_at(&st->pools->file, (uint32_t)handle);
	uint32_t refs;

	if (!f)
		return NULL;
	refs = atomic_load_explicit(&f->refs, memory_order_relaxed);
	if (likely(refs && proc_is_alone())) {
		count_add_u32(&f->refs, 1);
	} else {
		do {
			if (!refs)
				return NULL;
		} while (!atomic_compare_exchange_weak(&f->refs, &refs, refs + 1));
	}
	if (likely(f->is_open && f->stack == st))
		return f;
	file_put(f);
	return NULL;
}

void file_put(struct file *f)
{
	struct arena_pools *pools = f->stack->pools;

	if (count_add_u32(&f->refs, -1u) != 1)
		return;
	if (f->sk) {
		epoll_forget_sock(f->sk);
		sock_file_released(f->sk);
	}
	if (f->ep)
		epoll_free(f->ep);
	pool_free(&pools->file, f);
}

int file_close(struct file *f)
{
	uint32_t was_open = 1;

	if (!atomic_compare_exchange_strong(&f->is_open, &was_open, 0))
		return -EBADF;
	file_put(f);
	return 0;
}

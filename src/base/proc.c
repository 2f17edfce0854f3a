/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-process state: descriptors of arena objects, the process slot, thread ids. */
/*
 * How it works: a small open-addressed table keyed by arena address. Slots are claimed by exchanging
 * the key, never unclaimed while readers may pass: a forgotten slot keeps a mark so that longer
 * probes do not stop there. Readers take no lock. Two threads must not set the same key at once.
 * These variables are the process's own by intent: fork copies them, exec drops them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/proc.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY_FREE 0ull
#define KEY_FORGOTTEN 1ull

struct proc_fd {
	_Atomic uint64_t key;
	_Atomic int fd;
};

bool proc_is_sharing;
static struct proc_fd proc_fds[PROC_MAX_FDS];
static _Atomic uint16_t proc_slot_no;
static _Thread_local uint32_t proc_tid_cache;
static pthread_once_t proc_tid_once = PTHREAD_ONCE_INIT;

static struct proc_fd *probe(uint64_t key, unsigned i)
{
	uint64_t h = (key >> 4) * 0x9e3779b97f4a7c15ull;

	return &proc_fds[((h >> 32) + i) % PROC_MAX_FDS];
}

static struct proc_fd *find(uint64_t key)
{
	for (unsigned i = 0; i < PROC_MAX_FDS; i++) {
		struct proc_fd *e = probe(key, i);
		uint64_t k = atomic_load_explicit(&e->key, memory_order_acquire);

		if (k == key)
			return e;
		if (k == KEY_FREE)
			return NULL;
	}
	return NULL;
}

static struct proc_fd *claim(uint64_t key)
{
	for (unsigned i = 0; i < PROC_MAX_FDS; i++) {
		struct proc_fd *e = probe(key, i);
		uint64_t k = atomic_load_explicit(&e->key, memory_order_acquire);

		if ((k == KEY_FREE || k == KEY_FORGOTTEN) &&
		    atomic_compare_exchange_strong(&e->key, &k, key))
			return e;
	}
	return NULL;
}

int proc_fd_set(const void *key, int fd)
{
	uint64_t k = (uint64_t)(uintptr_t)key;
	struct proc_fd *e = find(k);

	if (fd < 0) {
		if (e) {
			atomic_store(&e->fd, 0);
			atomic_store(&e->key, KEY_FORGOTTEN);
		}
		return 0;
	}
	if (!e)
		e = claim(k);
	if (!e)
		return -ENFILE;
	atomic_store(&e->fd, fd + 1); /* 0: none yet */
	return 0;
}

int proc_fd_get(const void *key)
{
	struct proc_fd *e = find((uint64_t)(uintptr_t)key);

	return e ? atomic_load(&e->fd) - 1 : -1;
}

void proc_note_sharing(void)
{
	__atomic_store_n(&proc_is_sharing, true, __ATOMIC_SEQ_CST);
}

uint16_t proc_slot(void)
{
	return atomic_load_explicit(&proc_slot_no, memory_order_relaxed);
}

void proc_set_slot(uint16_t slot)
{
	atomic_store(&proc_slot_no, slot);
}

static void forget_tid(void)
{
	proc_tid_cache = 0;
}

static void watch_fork(void)
{
	pthread_atfork(NULL, NULL, forget_tid);
}

uint32_t proc_tid(void)
{
	if (unlikely(!proc_tid_cache)) {
		pthread_once(&proc_tid_once, watch_fork);
		proc_tid_cache = (uint32_t)syscall(SYS_gettid);
	}
	return proc_tid_cache;
}

bool proc_kick(const void *key)
{
	uint64_t one = 1;
	int fd = proc_fd_get(key);

	return fd >= 0 && write(fd, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

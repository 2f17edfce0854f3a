/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: one region that holds everything several processes share, at one address. */
#ifndef NARU_BASE_ARENA_H
#define NARU_BASE_ARENA_H

#include "base/cc.h"
#include "base/lock.h"

#define ARENA_MAGIC 0x3175726161726e01ull
#define ARENA_CHUNK_BYTES 65536u	/* unit in which pools and page regions grow */
#define ARENA_DEFAULT_BYTES (1ull << 30) /* sparse: pages come when touched */
#define ARENA_MIN_BYTES (4ull << 20)
#define ARENA_MAX_BYTES (64ull << 30) /* free lists name 16-byte units with 32 bits */
#define ARENA_BASE_DEFAULT 0x200000000000ull /* plain, ASan, UBSan, valgrind */
#define ARENA_BASE_TSAN 0x566000000000ull    /* TSan and MSan builds */
#define ARENA_NUM_ROOTS 16

struct arena {
	uint64_t magic;
	uint64_t layout_hash;	/* of the structs in the arena: attach refuses another build */
	uint64_t base;		/* address at which every process maps it */
	uint64_t size;		/* hard cap, bytes */
	bool is_shared;		/* several processes may attach */
	struct lock lock;	/* chunk allocator */
	uint64_t brk;		/* offset of the first byte above the chunks handed out so far */
	uint64_t top;		/* offset of the lowest permanent block; they grow down from size */
	uint64_t free_sized;	/* offset of the first list of returned permanent blocks, 0 none */
	uint32_t free_chunks;	/* list of returned chunks: index+1 of the first, 0 none */
	uint64_t chunks_in_use;
	int64_t fail_after;	/* tests: the n-th allocation from now fails (1: the next); <= 0: never */
	uint64_t num_allocs;	/* pool and chunk allocations ever tried */
	void *roots[ARENA_NUM_ROOTS]; /* entry points, by enum arena_root in core/ids.h */
};

struct arena_config {
	uint64_t size;	    /* bytes, 0: ARENA_DEFAULT_BYTES */
	uint64_t base;	    /* 0: pick (environment is not consulted); several arenas need several bases */
	uint64_t layout_hash;
	bool is_shared;
};

/**
 * arena_create() - new memfd, mapped at its base
 * @ret_fd: the memfd (owned by the caller; needed only to let others attach)
 * Return: 0; -ENOMEM, -EEXIST (address taken and base was given), -EINVAL (size)
 * With base 0 the default is tried first, then addresses spaced by size above it.
 */
int arena_create(const struct arena_config *cfg, struct arena **ret, int *ret_fd) MUST_CHECK;
/** arena_attach() - map an existing arena. -EPROTO: not an arena or another layout hash. */
int arena_attach(int fd, uint64_t layout_hash, struct arena **ret) MUST_CHECK;
/** arena_unmap() - remove the mapping from this process. */
void arena_unmap(struct arena *a);

/** arena_chunk_alloc() - 64 KiB, aligned to 64 KiB, contents undefined. NULL at the cap. */
void *arena_chunk_alloc(struct arena *a);
/** arena_chunk_alloc_locked() - the same for a caller that holds a->lock. */
void *arena_chunk_alloc_locked(struct arena *a) MUST_HOLD(a->lock);
void arena_chunk_free(struct arena *a, void *chunk);
/**
 * arena_alloc() - permanent zeroed block (tables), 64-byte aligned; NULL at the cap.
 * arena_free_sized() gives it back to a per-size list for the next block of that size.
 */
void *arena_alloc(struct arena *a, size_t size);
void arena_free_sized(struct arena *a, void *p, size_t size);
/** arena_should_fail_slow() - the injector is armed: count down, true for the chosen one. */
bool arena_should_fail_slow(struct arena *a);
/**
 * arena_should_fail() - count one allocation; the fault injector's answer for it
 * num_allocs is exact for one thread; several threads may lose counts to each other.
 */
static inline bool arena_should_fail(struct arena *a)
{
	uint64_t n = __atomic_load_n(&a->num_allocs, __ATOMIC_RELAXED);

	__atomic_store_n(&a->num_allocs, n + 1, __ATOMIC_RELAXED);
	if (likely(__atomic_load_n(&a->fail_after, __ATOMIC_RELAXED) <= 0))
		return false;
	return arena_should_fail_slow(a);
}
static inline bool arena_contains(const struct arena *a, const void *p)
{
	return (uint64_t)(uintptr_t)p - a->base < a->size;
}

#endif

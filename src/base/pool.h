/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed object pools with quotas and a reserve; every object starts with struct obj. */
#ifndef NARU_BASE_POOL_H
#define NARU_BASE_POOL_H

#include <stdatomic.h>

#include "base/arena.h"

/* First member of every pooled object. */
struct obj {
	uint8_t type;	     /* enum obj_type in core/ids.h */
	uint8_t is_live;     /* 1 between pool_alloc() and pool_free() */
	uint16_t owner_proc; /* process slot that holds it in transit; 0: linked somewhere */
	uint32_t gen;	     /* grows at each free: handles of dead objects do not resolve */
};

struct pool {
	struct arena *arena;
	_Atomic uint64_t free_head; /* tag << 32 | place of the first free object, 16-byte units */
	_Atomic uint32_t in_use;
	_Atomic uint32_t peak;
	uint32_t obj_size;	/* bytes, multiple of 64 for types above 64 bytes, else of 16 */
	uint32_t per_chunk;
	uint32_t quota;		/* most objects alive at once */
	uint32_t reserve;	/* of these, only POOL_RESERVE allocations may use the last ones */
	_Atomic uint32_t num_chunks;
	uint32_t max_chunks;
	uint64_t *chunks;	/* addresses of the pool's chunks, in the arena */
	uint8_t type;
	char name[15];
	_Atomic uint64_t fails;	/* refused allocations */
	uint32_t size_inv;	/* 2^32 / obj_size, rounded up: offset -> number in the chunk */
	uint64_t per_chunk_inv; /* 2^64 / per_chunk, rounded up: index -> chunk */
};

/*
 * The four bytes at this offset of an object belong to its owner even while it is free: the pool neither
 * writes nor (ASan) forbids them. A new chunk has 0 there. pool_zalloc() clears them like the rest.
 */
#define POOL_KEPT_OFFSET 12u

enum pool_flags { POOL_NORMAL = 0, POOL_RESERVE = 1 };

#define POOL_CHUNK_HEAD_BYTES 64u /* in front of the first object of a chunk */
#define POOL_MAX_OBJ_BYTES (ARENA_CHUNK_BYTES - POOL_CHUNK_HEAD_BYTES)

/**
 * pool_init() - @p lies in the arena; obj_size sizeof(struct obj) + 8 .. POOL_MAX_OBJ_BYTES
 * Return: 0; -ENOMEM; -EINVAL (obj_size, or quota 0, or reserve above quota)
 */
int pool_init(struct pool *p, struct arena *a, const char *name, uint8_t type, uint32_t obj_size,
	      uint32_t quota, uint32_t reserve) MUST_CHECK;
/**
 * pool_alloc() - an object with obj set and the rest NOT cleared (pool_zalloc clears)
 * An object that never lived before is all zero behind obj. obj.owner_proc is proc_slot().
 * Return: NULL when quota, reserve rule, arena cap or the fault injector says so. Never sleeps.
 * Of a process killed inside, at most one object stays lost (and counted in in_use).
 */
void *pool_alloc(struct pool *p, enum pool_flags flags);
void *pool_zalloc(struct pool *p, enum pool_flags flags);
/** pool_free() - NULL is fine; a double free or a foreign object aborts. */
void pool_free(struct pool *p, void *o);
static inline uint32_t pool_in_use(const struct pool *p)
{
	return atomic_load_explicit(&((struct pool *)p)->in_use, memory_order_relaxed);
}
/** pool_index()/pool_at() - stable small number of an object; pool_at() NULL when out of range. */
uint32_t pool_index(const struct pool *p, const void *o);
void *pool_at(const struct pool *p, uint32_t idx);
/** pool_handle()/pool_resolve() - name that survives the object: gen<<32|idx; NULL when dead. */
uint64_t pool_handle(const struct pool *p, const void *o);
void *pool_resolve(const struct pool *p, uint64_t handle);
/** pool_next_live() - iterate: start with *idx = 0; NULL at the end. For sweeps and checkers. */
void *pool_next_live(const struct pool *p, uint32_t *idx);

#endif

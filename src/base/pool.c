/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed object pools: lock-free on the fast path, growing by arena chunks. */
/*
 * How it works: free objects form one stack. Its head holds the place of the first object (distance
 * from the arena's base in 16-byte units, so neither push nor pop divides) and a tag that every pop
 * changes; the word behind struct obj holds the place of the next one. A slow popper may read that
 * word after a faster one took the object; the tag makes its exchange fail and the value is thrown
 * away. Object memory is never given back, so the read itself is harmless.
 *
 * Chunks carry their number in a 64-byte head; an object's number follows from its address.
 *
 * A process that runs one thread on an arena of its own uses the same instructions without the bus
 * lock: still whole against signal handlers, and several times cheaper.
 *
 * Order against kill: in_use is raised before the pop and lowered after the push, an object is off
 * the stack before it is live and dead before it is on it. What a killed process held in between
 * stays lost and counted; nothing is handed out twice.
 */
#include "base/pool.h"

#include <errno.h>
#include <string.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define HAVE_SINGLE_THREADED 1
#endif

#include "base/proc.h"
#include "base/san.h"

#define PLACE_SHIFT 4u

/* First bytes of each chunk. */
struct chunk_head {
	uint32_t number;
	uint32_t pool_type;
};

/* What a free object looks like. */
struct free_obj {
	struct obj obj;
	uint32_t next; /* place of the next free object, 0 none */
	uint32_t kept; /* the owner's, POOL_KEPT_OFFSET */
};

static_assert(sizeof(struct obj) == 8, "handles and free lists rely on it");
static_assert(offsetof(struct free_obj, kept) == POOL_KEPT_OFFSET, "outside of what the pool writes");
static_assert(sizeof(struct chunk_head) <= POOL_CHUNK_HEAD_BYTES, "head fits");

static uint32_t place_of(const struct pool *p, const void *o)
{
	return (uint32_t)(((uint64_t)(uintptr_t)o - (uint64_t)(uintptr_t)p->arena) >> PLACE_SHIFT);
}

static struct free_obj *at_place(const struct pool *p, uint32_t place)
{
	return (struct free_obj *)((char *)p->arena + ((uint64_t)place << PLACE_SHIFT));
}

/* Several processes read another's objects' headers: plain words, accessed whole. */
static bool is_live(const struct obj *o)
{
	return __atomic_load_n(&o->is_live, __ATOMIC_RELAXED);
}
static uint32_t gen_of(const struct obj *o)
{
	return __atomic_load_n(&o->gen, __ATOMIC_RELAXED);
}

/* No other thread or process can touch the pool between two of our instructions. */
static inline bool is_alone(const struct pool *p)
{
#if defined(HAVE_SINGLE_THREADED) && defined(__x86_64__) && !SAN_THREAD
	return __libc_single_threaded && !p->arena->is_shared;
#else
	(void)p;
	return false;
#endif
}

static inline bool cas_head(_Atomic uint64_t *head, uint64_t *old, uint64_t fresh, bool alone)
{
#ifdef __x86_64__
	if (alone) {
		bool ok;

		__asm__ volatile("cmpxchgq %3, %1"
				 : "+a"(*old), "+m"(*head), "=@ccz"(ok)
				 : "r"(fresh)
				 : "memory");
		return ok;
	}
#endif
	(void)alone;
	return atomic_compare_exchange_weak_explicit(head, old, fresh, memory_order_acq_rel,
						     memory_order_acquire);
}

/* Return: the value before. */
static inline uint32_t add_in_use(struct pool *p, uint32_t d, bool alone)
{
#ifdef __x86_64__
	if (alone) {
		uint32_t old = d;

		__asm__ volatile("xaddl %0, %1" : "+r"(old), "+m"(p->in_use) : : "memory");
		return old;
	}
#endif
	(void)alone;
	return atomic_fetch_add_explicit(&p->in_use, d, memory_order_relaxed);
}

SAN_NO_THREAD static uint32_t next_of(const struct free_obj *f)
{
	return *(const volatile uint32_t *)&f->next;
}

static struct obj *pop(struct pool *p, bool alone)
{
	uint64_t head = atomic_load_explicit(&p->free_head, memory_order_acquire);

	while ((uint32_t)head) {
		struct free_obj *f = at_place(p, (uint32_t)head);
		uint64_t tag = (head >> 32) + 1;

		if (likely(cas_head(&p->free_head, &head, tag << 32 | next_of(f), alone)))
			return &f->obj;
	}
	return NULL;
}

/* Put the chain @first .. @last on the stack. */
static void push(struct pool *p, uint32_t first, struct free_obj *last, bool alone)
{
	uint64_t head = atomic_load_explicit(&p->free_head, memory_order_relaxed);

	do {
		__atomic_store_n(&last->next, (uint32_t)head, __ATOMIC_RELAXED);
	} while (!cas_head(&p->free_head, &head, (head >> 32) << 32 | first, alone));
}

static void *nth_obj(const struct pool *p, uint64_t chunk, uint32_t i)
{
	return (char *)(uintptr_t)chunk + POOL_CHUNK_HEAD_BYTES + (size_t)i * p->obj_size;
}

static void poison_body(const struct pool *p, void *o)
{
	/* The shadow belongs to one process: shared arenas must not use it. */
	if (!p->arena->is_shared)
		san_poison((char *)o + sizeof(struct free_obj),
			   p->obj_size - sizeof(struct free_obj));
}

static void unpoison_body(const struct pool *p, void *o)
{
	san_unpoison((char *)o + sizeof(struct free_obj), p->obj_size - sizeof(struct free_obj));
}

/* Turn a fresh chunk into a chain of free objects, then publish chunk and chain. */
static void carve(struct pool *p, void *chunk, uint32_t number)
{
	struct chunk_head *head = chunk;
	struct free_obj *f = NULL;

	memset(chunk, 0, ARENA_CHUNK_BYTES);
	head->number = number;
	head->pool_type = p->type;
	for (uint32_t i = 0; i < p->per_chunk; i++) {
		f = nth_obj(p, (uint64_t)(uintptr_t)chunk, i);
		f->obj.type = p->type;
		f->obj.gen = 1;
		if (i + 1 < p->per_chunk)
			f->next = place_of(p, (char *)f + p->obj_size);
		poison_body(p, f);
	}
	p->chunks[number] = (uint64_t)(uintptr_t)chunk;
	atomic_store_explicit(&p->num_chunks, number + 1, memory_order_release);
	push(p, place_of(p, nth_obj(p, (uint64_t)(uintptr_t)chunk, 0)), f, false);
}

/* Return: false when the arena or the pool is at its cap. */
static COLD bool grow(struct pool *p)
{
	bool is_grown = true;
	uint32_t n;
	void *chunk;

	lock_take(&p->arena->lock);
	n = atomic_load_explicit(&p->num_chunks, memory_order_relaxed);
	if (!(uint32_t)atomic_load_explicit(&p->free_head, memory_order_relaxed)) {
		chunk = n < p->max_chunks ? arena_chunk_alloc_locked(p->arena) : NULL;
		is_grown = chunk != NULL;
		if (chunk)
			carve(p, chunk, n);
	}
	lock_drop(&p->arena->lock);
	return is_grown;
}

int pool_init(struct pool *p, struct arena *a, const char *name, uint8_t type, uint32_t obj_size,
	      uint32_t quota, uint32_t reserve)
{
	if (obj_size < sizeof(struct free_obj) || obj_size > POOL_MAX_OBJ_BYTES || !quota ||
	    reserve > quota)
		return -EINVAL;
	memset(p, 0, sizeof(*p));
	p->obj_size = (uint32_t)align_up_u64(obj_size, obj_size > 64 ? 64 : 16);
	p->per_chunk = POOL_MAX_OBJ_BYTES / p->obj_size;
	p->size_inv = (uint32_t)(0x100000000ull / p->obj_size) + 1;
	p->per_chunk_inv = UINT64_MAX / p->per_chunk + 1;
	p->quota = quota;
	p->reserve = reserve;
	/* One more than the quota needs: a chunk lost to a killed process must not eat into it. */
	p->max_chunks = (uint32_t)div_up_u64(quota, p->per_chunk) + 1;
	p->type = type;
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->chunks = arena_alloc(a, (size_t)p->max_chunks * sizeof(p->chunks[0]));
	if (!p->chunks)
		return -ENOMEM;
	p->arena = a; /* last: who finds it set finds a pool that works */
	return 0;
}

static COLD void *refuse(struct pool *p)
{
	atomic_fetch_add_explicit(&p->fails, 1, memory_order_relaxed);
	return NULL;
}

static COLD void raise_peak(struct pool *p, uint32_t n)
{
	uint32_t peak = atomic_load_explicit(&p->peak, memory_order_relaxed);

	while (peak < n && !atomic_compare_exchange_weak_explicit(
				   &p->peak, &peak, n, memory_order_relaxed, memory_order_relaxed))
		;
}

void *pool_alloc(struct pool *p, enum pool_flags flags)
{
	uint32_t limit = flags & POOL_RESERVE ? p->quota : p->quota - p->reserve;
	bool alone = is_alone(p);
	struct obj *o;
	uint32_t n;

	if (unlikely(arena_should_fail(p->arena)))
		return refuse(p);
	n = add_in_use(p, 1, alone);
	if (unlikely(n >= limit))
		goto out_count;
	while (unlikely(!(o = pop(p, alone))))
		if (!grow(p))
			goto out_count;
	if (unlikely(n >= atomic_load_explicit(&p->peak, memory_order_relaxed)))
		raise_peak(p, n + 1);
	if (SAN_ADDRESS)
		unpoison_body(p, o);
	__atomic_store_n(&o->owner_proc, proc_slot(), __ATOMIC_RELAXED);
	__atomic_store_n(&o->is_live, 1, __ATOMIC_RELEASE);
	return o;

out_count:
	add_in_use(p, (uint32_t)-1, alone);
	return refuse(p);
}

void *pool_zalloc(struct pool *p, enum pool_flags flags)
{
	char *o = pool_alloc(p, flags);

	if (likely(o))
		memset(o + sizeof(struct obj), 0, p->obj_size - sizeof(struct obj));
	return o;
}

void pool_free(struct pool *p, void *object)
{
	struct obj *o = object;
	bool alone = is_alone(p);

	if (!o)
		return;
	BUG_ON(!is_live(o));
	BUG_ON(o->type != p->type);
	__atomic_store_n(&o->gen, o->gen + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&o->owner_proc, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&o->is_live, 0, __ATOMIC_RELEASE);
	if (SAN_ADDRESS)
		poison_body(p, o);
	push(p, place_of(p, o), (struct free_obj *)o, alone);
	add_in_use(p, (uint32_t)-1, alone);
}

uint32_t pool_index(const struct pool *p, const void *o)
{
	uint64_t off = (uint64_t)(uintptr_t)o % ARENA_CHUNK_BYTES;
	const struct chunk_head *head = (const void *)((const char *)o - off);

	/* Exact: off < 2^16, so the rounding of size_inv adds less than 1 / obj_size. */
	return head->number * p->per_chunk +
	       (uint32_t)((off - POOL_CHUNK_HEAD_BYTES) * p->size_inv >> 32);
}

void *pool_at(const struct pool *p, uint32_t idx)
{
	uint32_t chunk = idx;

	if (likely(p->per_chunk > 1))
		chunk = (uint32_t)((unsigned __int128)idx * p->per_chunk_inv >> 64);
	if (chunk >= atomic_load_explicit(&((struct pool *)p)->num_chunks, memory_order_acquire))
		return NULL;
	return nth_obj(p, p->chunks[chunk], idx - chunk * p->per_chunk);
}

uint64_t pool_handle(const struct pool *p, const void *o)
{
	return (uint64_t)gen_of(o) << 32 | pool_index(p, o);
}

void *pool_resolve(const struct pool *p, uint64_t handle)
{
	struct obj *o = pool_at(p, (uint32_t)handle);

	if (!o || !is_live(o) || gen_of(o) != (uint32_t)(handle >> 32))
		return NULL;
	return o;
}

void *pool_next_live(const struct pool *p, uint32_t *idx)
{
	struct obj *o;

	while ((o = pool_at(p, *idx))) {
		(*idx)++;
		if (is_live(o))
			return o;
	}
	return NULL;
}

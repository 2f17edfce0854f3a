/* SPDX-License-Identifier: BSD-2-Clause */
/* Page regions with counted references, and the bump allocator over them. */
/*
 * How it works: descriptors live in a pool; region i owns half (i % 2) of data chunk i / 2 for ever.
 * The chunk is fetched when the first of the two is used for the first time and stays.
 *
 * Whoever stores a pointer into a region holds a reference. Only the owner of a page_frag hands out
 * bytes, so a region whose one reference is the owner's is free to be used from its start again.
 */
#include "base/pagefrag.h"

#include <errno.h>

#include "base/san.h"

#define REGIONS_PER_CHUNK (ARENA_CHUNK_BYTES / PAGE_REGION_BYTES)

struct page_pool {
	struct arena *arena;
	uint64_t *data_chunks; /* addresses, by region index / REGIONS_PER_CHUNK; under arena->lock */
	uint32_t num_data_chunks;
	struct pool regions;
};

int page_pool_create(struct arena *a, uint32_t max_regions, struct page_pool **ret)
{
	struct page_pool *pp = arena_alloc(a, sizeof(*pp));
	int err;

	if (!pp)
		return -ENOMEM;
	pp->arena = a;
	err = pool_init(&pp->regions, a, "page_region", OBJ_TYPE_REGION, sizeof(struct page_region),
			max_regions, 0);
	if (err)
		goto out_pool;
	pp->num_data_chunks = (uint32_t)div_up_u64(
		(uint64_t)pp->regions.max_chunks * pp->regions.per_chunk, REGIONS_PER_CHUNK);
	pp->data_chunks = arena_alloc(a, pp->num_data_chunks * sizeof(uint64_t));
	if (!pp->data_chunks)
		goto out_chunks;
	*ret = pp;
	return 0;

out_chunks:
	err = -ENOMEM;
	arena_free_sized(a, pp->regions.chunks, pp->regions.max_chunks * sizeof(uint64_t));
out_pool:
	arena_free_sized(a, pp, sizeof(*pp));
	return err;
}

uint32_t page_pool_in_use(const struct page_pool *pp)
{
	return pool_in_use(&pp->regions);
}

uint32_t page_pool_capacity(const struct page_pool *pp)
{
	return pp->regions.quota;
}

uint32_t page_region_index(const struct page_pool *pp, const struct page_region *r)
{
	return pool_index(&pp->regions, r);
}

/* Give @r its data for the first time. Return: false at the arena's cap. */
static COLD bool attach_data(struct page_pool *pp, struct page_region *r)
{
	uint32_t idx = page_region_index(pp, r);
	uint64_t *chunk = &pp->data_chunks[idx / REGIONS_PER_CHUNK];

	lock_take(&pp->arena->lock);
	if (!*chunk)
		*chunk = (uint64_t)(uintptr_t)arena_chunk_alloc_locked(pp->arena);
	lock_drop(&pp->arena->lock);
	if (!*chunk)
		return false;
	r->data = (uint8_t *)(uintptr_t)*chunk + idx % REGIONS_PER_CHUNK * PAGE_REGION_BYTES;
	r->size = PAGE_REGION_BYTES;
	return true;
}

struct page_region *page_region_alloc(struct page_pool *pp)
{
	struct page_region *r = pool_alloc(&pp->regions, POOL_NORMAL);

	if (!r)
		return NULL;
	if (unlikely(!r->data) && !attach_data(pp, r)) {
		pool_free(&pp->regions, r);
		return NULL;
	}
	san_unpoison(r->data, PAGE_REGION_BYTES);
	atomic_store_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

static void region_free(struct page_pool *pp, struct page_region *r)
{
	if (!pp->arena->is_shared)
		san_poison(r->data, PAGE_REGION_BYTES);
	pool_free(&pp->regions, r);
}

void page_region_put(struct page_pool *pp, struct page_region *r)
{
	uint32_t old = count_add_u32(&r->refs, -1u);

	BUG_ON(old == 0);
	if (old == 1)
		region_free(pp, r);
}

bool page_frag_refill(struct page_pool *pp, struct page_frag *pf, uint32_t min)
{
	struct page_region *fresh;

	DEBUG_CHECK(min <= PAGE_REGION_BYTES);
	if (likely(pf->region)) {
		if (likely(pf->region->size - pf->off >= min))
			return true;
		/* Acquire: whoever dropped the last slice is done reading it. */
		if (atomic_load_explicit(&pf->region->refs, memory_order_acquire) == 1) {
			pf->off = 0;
			return true;
		}
	}
	fresh = page_region_alloc(pp);
	if (!fresh)
		return false;
	page_frag_release(pp, pf);
	pf->region = fresh;
	return true;
}

void page_frag_release(struct page_pool *pp, struct page_frag *pf)
{
	struct page_region *old = pf->region;

	pf->region = NULL;
	pf->off = 0;
	if (old)
		page_region_put(pp, old);
}

void page_pool_sweep(struct page_pool *pp, const uint32_t *refs_by_index, uint32_t num)
{
	struct page_region *r;
	uint32_t next = 0;

	while ((r = pool_next_live(&pp->regions, &next))) {
		uint32_t idx = page_region_index(pp, r);
		uint32_t refs = idx < num ? refs_by_index[idx] : 0;

		atomic_store_explicit(&r->refs, refs, memory_order_relaxed);
		if (!refs)
			region_free(pp, r);
	}
}

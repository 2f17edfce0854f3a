/* SPDX-License-Identifier: BSD-2-Clause */
/* Page-fragment regions: 32 KiB blocks of payload, counted references, handed out in slices. */
#ifndef NARU_BASE_PAGEFRAG_H
#define NARU_BASE_PAGEFRAG_H

#include "base/atomic.h"
#include "base/pool.h"

#define OBJ_TYPE_REGION 2 /* enum obj_type OBJ_REGION (core/ids.h, a rank above) */
#define PAGE_REGION_BYTES 32768u /* T26: fragment region of 8 pages */

/* Descriptor of one region; its data stays attached while the descriptor sits in the pool. */
struct page_region {
	struct obj obj;
	_Atomic uint32_t refs;
	uint32_t size;	 /* PAGE_REGION_BYTES */
	uint8_t *data;	 /* in the arena */
};

/* A bump allocator over one region: one per sending socket, one per receiving device. */
struct page_frag {
	struct page_region *region; /* NULL: none yet; holds one reference */
	uint32_t off;		    /* first unused byte */
};

struct page_pool; /* descriptors plus data chunks of one arena */

int page_pool_create(struct arena *a, uint32_t max_regions, struct page_pool **ret) MUST_CHECK;
uint32_t page_pool_in_use(const struct page_pool *pp);

/** page_region_alloc() - one region with one reference; NULL when none. */
struct page_region *page_region_alloc(struct page_pool *pp);
static inline void page_region_get(struct page_region *r)
{
	count_add_u32(&r->refs, 1);
}
/** page_region_put() - drop one reference, the last one returns the region to @pp. */
void page_region_put(struct page_pool *pp, struct page_region *r);

/**
 * page_frag_refill() - make sure at least @min bytes are free at pf->off
 * A region nobody else references is rewound to its start (T26.1). @min <= PAGE_REGION_BYTES.
 * Return: true; false when no region could be had (pf unchanged).
 */
bool page_frag_refill(struct page_pool *pp, struct page_frag *pf, uint32_t min) MUST_CHECK;
/** page_frag_release() - drop the allocator's own reference. */
void page_frag_release(struct page_pool *pp, struct page_frag *pf);
/** page_pool_sweep() - recovery: set each region's count to @refs_of(region); frees those at 0. */
void page_pool_sweep(struct page_pool *pp, const uint32_t *refs_by_index, uint32_t num);
uint32_t page_region_index(const struct page_pool *pp, const struct page_region *r);
uint32_t page_pool_capacity(const struct page_pool *pp);

#endif

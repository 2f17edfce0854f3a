/* SPDX-License-Identifier: BSD-2-Clause */
/* The arena: creation, attach, and the two allocators everything else is cut from. */
/*
 * How it works
 *
 *   base                     brk                        top                     size
 *   | struct arena | chunks -> |        untouched        | <- permanent blocks |
 *
 * Chunks (64 KiB) grow up, permanent blocks grow down; the file is sparse, so the gap costs nothing.
 * Returned chunks form one list through their first word. Returned permanent blocks form one list
 * per size: the first block of each size links the sizes, the others hang off it.
 *
 * Invariants: (1) every list or border changes by ONE store of an aligned word, made after the block
 * is ready. A process killed between two stores loses at most the block it was moving; nothing is
 * ever handed out twice. (2) lock is held for every change. (3) a block given out by arena_alloc()
 * is zero: fresh file pages are, recycled blocks are cleared.
 *
 * The memfd is sealed against resizing, so no process can make the others fault.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/san.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17 */
#endif

#define BASE_TRIES 1024
#define BLOCK_ALIGN 64u

/*
 * TSan and MSan leave only some 128 GiB above ARENA_BASE_TSAN usable: arenas stand closer there.
 */
#if SAN_THREAD || SAN_MEMORY
#define BASE_FIRST ARENA_BASE_TSAN
#define BASE_STEP (64ull << 20)
#else
#define BASE_FIRST ARENA_BASE_DEFAULT
#define BASE_STEP (4ull << 30)
#endif

/* Head of a returned permanent block. */
struct free_block {
	uint64_t size;
	uint64_t next_size; /* offset of the first block of another size; used in the first only */
	uint64_t next_same; /* offset of the next block of this size */
};

/* Publish a word of the allocator: never moved before the stores that prepare the block. */
static void set_u64(uint64_t *p, uint64_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static void set_u32(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static void *at(struct arena *a, uint64_t off)
{
	return (char *)a + off;
}
static uint64_t offset_of(struct arena *a, const void *p)
{
	return (uint64_t)((const char *)p - (char *)a);
}

static uint64_t first_chunk_off(void)
{
	return align_up_u64(sizeof(struct arena), ARENA_CHUNK_BYTES);
}

/* Map exactly at @base, never over something else. Return: 0, -EEXIST, -ENOMEM. */
static int map_at(int fd, uint64_t base, uint64_t size)
{
	void *want = (void *)(uintptr_t)base;
	void *p = mmap(want, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);

	if (p == MAP_FAILED)
		return errno == EEXIST || errno == EINVAL ? -EEXIST : -ENOMEM;
	if (p == want)
		return 0;
	munmap(p, size); /* an old kernel took the address for a hint */
	return -EEXIST;
}

static int map_somewhere(int fd, uint64_t size, uint64_t *ret_base)
{
	uint64_t step = align_up_u64(size, BASE_STEP);
	uint64_t base = BASE_FIRST;

	for (int i = 0; i < BASE_TRIES; i++, base += step) {
		int err = map_at(fd, base, size);

		if (err == -EEXIST)
			continue;
		if (!err)
			*ret_base = base;
		return err;
	}
	return -ENOMEM;
}

static int make_memfd(uint64_t size)
{
	int fd = memfd_create("naru-arena", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd < 0)
		fd = memfd_create("naru-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -ENOMEM;
	if (ftruncate(fd, (off_t)size) < 0) {
		close(fd);
		return -ENOMEM;
	}
	/* Hardening only: without it a process could still shrink the file under the others. */
	(void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	return fd;
}

static void fill_header(struct arena *a, const struct arena_config *cfg, uint64_t base, uint64_t size)
{
	a->layout_hash = cfg->layout_hash;
	a->base = base;
	a->size = size;
	a->is_shared = cfg->is_shared;
	lock_init(&a->lock, LOCK_ARENA, cfg->is_shared);
	a->brk = first_chunk_off();
	a->top = size;
	a->fail_after = -1;
	set_u64(&a->magic, ARENA_MAGIC); /* last: now it may be attached */
}

int arena_create(const struct arena_config *cfg, struct arena **ret, int *ret_fd)
{
	uint64_t size = cfg->size ? cfg->size : ARENA_DEFAULT_BYTES;
	uint64_t base = cfg->base;
	int fd, err;

	if (size < ARENA_MIN_BYTES || size > ARENA_MAX_BYTES || base % ARENA_CHUNK_BYTES)
		return -EINVAL;
	size = align_up_u64(size, ARENA_CHUNK_BYTES);
	fd = make_memfd(size);
	if (fd < 0)
		return fd;
	if (cfg->is_shared)
		proc_note_sharing();
	err = base ? map_at(fd, base, size) : map_somewhere(fd, size, &base);
	if (err) {
		close(fd);
		return err;
	}
	*ret = (struct arena *)(uintptr_t)base;
	fill_header(*ret, cfg, base, size);
	if (ret_fd)
		*ret_fd = fd;
	else
		close(fd);
	return 0;
}

/* The file's own claims, before it is mapped where it says. */
static bool header_is_sane(const struct arena *h, uint64_t file_size)
{
	return h->magic == ARENA_MAGIC && h->size >= ARENA_MIN_BYTES && h->size <= ARENA_MAX_BYTES &&
	       h->size == file_size && h->base != 0 && h->base % ARENA_CHUNK_BYTES == 0;
}

int arena_attach(int fd, uint64_t layout_hash, struct arena **ret)
{
	struct arena h;
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (pread(fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		return -EPROTO;
	if (!header_is_sane(&h, (uint64_t)st.st_size) || h.layout_hash != layout_hash)
		return -EPROTO;
	proc_note_sharing();
	err = map_at(fd, h.base, h.size);
	if (err)
		return err;
	*ret = (struct arena *)(uintptr_t)h.base;
	return 0;
}

void arena_unmap(struct arena *a)
{
	uint64_t size = a->size;

	san_unpoison(at(a, first_chunk_off()), a->brk - first_chunk_off());
	munmap(a, size);
}

/* The list keeps index+1 of the next chunk in the first word of each. */
static void *chunk_pop(struct arena *a)
{
	uint64_t off = (uint64_t)(a->free_chunks - 1) * ARENA_CHUNK_BYTES;
	uint32_t *c = at(a, off);

	BUG_ON(off < first_chunk_off() || off >= a->brk);
	set_u32(&a->free_chunks, *c);
	return c;
}

void *arena_chunk_alloc_locked(struct arena *a)
{
	void *c;

	if (arena_should_fail(a))
		return NULL;
	if (a->free_chunks) {
		c = chunk_pop(a);
	} else {
		if (a->top - a->brk < ARENA_CHUNK_BYTES)
			return NULL;
		c = at(a, a->brk);
		set_u64(&a->brk, a->brk + ARENA_CHUNK_BYTES);
	}
	a->chunks_in_use++;
	return c;
}

void *arena_chunk_alloc(struct arena *a)
{
	void *c;

	lock_take(&a->lock);
	c = arena_chunk_alloc_locked(a);
	lock_drop(&a->lock);
	return c;
}

void arena_chunk_free(struct arena *a, void *chunk)
{
	uint64_t off = offset_of(a, chunk);

	if (!chunk)
		return;
	BUG_ON(off % ARENA_CHUNK_BYTES);
	san_unpoison(chunk, ARENA_CHUNK_BYTES);
	lock_take(&a->lock);
	BUG_ON(off < first_chunk_off() || off >= a->brk);
	*(uint32_t *)chunk = a->free_chunks;
	set_u32(&a->free_chunks, (uint32_t)(off / ARENA_CHUNK_BYTES) + 1);
	a->chunks_in_use--;
	lock_drop(&a->lock);
}

/* Place of the offset that names the first block of @size (0 there: none of that size). */
static uint64_t *find_size(struct arena *a, uint64_t size)
{
	uint64_t *link = &a->free_sized;

	while (*link) {
		struct free_block *b = at(a, *link);

		if (b->size == size)
			break;
		link = &b->next_size;
	}
	return link;
}

static struct free_block *block_pop(struct arena *a, uint64_t size)
{
	uint64_t *link = find_size(a, size);
	struct free_block *first, *b;

	if (!*link)
		return NULL;
	first = at(a, *link);
	if (!first->next_same) {
		set_u64(link, first->next_size);
		return first;
	}
	b = at(a, first->next_same);
	set_u64(&first->next_same, b->next_same);
	return b;
}

static void block_push(struct arena *a, struct free_block *b, uint64_t size)
{
	uint64_t *link = find_size(a, size);

	b->size = size;
	b->next_size = 0;
	b->next_same = 0;
	if (*link) {
		struct free_block *first = at(a, *link);

		b->next_same = first->next_same;
		link = &first->next_same;
	}
	set_u64(link, offset_of(a, b));
}

void *arena_alloc(struct arena *a, size_t size)
{
	void *p;

	if (size > a->size)
		return NULL;
	size = align_up_u64(size ? size : 1, BLOCK_ALIGN);
	lock_take(&a->lock);
	if (arena_should_fail(a)) {
		lock_drop(&a->lock);
		return NULL;
	}
	p = block_pop(a, size);
	if (!p && a->top - a->brk >= size) {
		set_u64(&a->top, a->top - size);
		p = at(a, a->top);
		lock_drop(&a->lock);
		return p; /* never used: zero */
	}
	lock_drop(&a->lock);
	if (p)
		memset(p, 0, size);
	return p;
}

void arena_free_sized(struct arena *a, void *p, size_t size)
{
	if (!p)
		return;
	size = align_up_u64(size ? size : 1, BLOCK_ALIGN);
	lock_take(&a->lock);
	BUG_ON(offset_of(a, p) < a->top || offset_of(a, p) + size > a->size);
	block_push(a, p, size);
	lock_drop(&a->lock);
}

COLD bool arena_should_fail_slow(struct arena *a)
{
	return __atomic_sub_fetch(&a->fail_after, 1, __ATOMIC_RELAXED) == 0;
}

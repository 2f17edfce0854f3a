/* SPDX-License-Identifier: BSD-2-Clause */
/* Making worlds and stacks: what the library, the tools and the tests build on. */
#ifndef NARU_BOOT_WORLD_H
#define NARU_BOOT_WORLD_H

#include "core/stack.h"
#include "naru/naru.h"

/* A world as this process sees it (not in the arena). */
struct naru_world {
	struct arena *arena;
	struct arena_pools *pools;
	int memfd;	 /* -1 after it was closed */
	uint64_t seed;	 /* of the next stack */
};

/** layout_hash() - changes when a struct in the arena changes its size: attach refuses another build. */
uint64_t layout_hash(void);
/** world_attach() - join a shared world through its memfd. -EPROTO: another build. */
int world_attach(int memfd, naru_world **ret) MUST_CHECK;
/** world_objects_in_use() - live sockets, packets, regions, requests ... by pool name, for leak checks.
 *  @fn is called for each pool with its number of live objects. */
void world_each_pool(const struct arena_pools *pools, void (*fn)(const char *name, uint32_t in_use, void *arg), void *arg);
/** stack_new()/stack_end() - as naru_stack_new()/naru_stack_free() with internal types. */
int stack_new(struct arena_pools *pools, const struct naru_stack_config *cfg, uint64_t seed, struct stack **ret) MUST_CHECK;
void stack_end(struct stack *st);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Worlds and stacks: creation in order of rank, end in the opposite order. */
/*
 * How it works
 *
 * naru_world_new() maps an arena and makes its pools; naru_stack_new() allocates a stack and lets each
 * rank add its part (pump, ip, l4, tcp, udp), then brings the loopback device up. Ending a stack closes
 * its files, then its devices and parts. Nothing here is on a packet's way.
 */
#define _GNU_SOURCE
#include "boot/world.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "api/epoll.h"
#include "api/file.h"
#include "base/ucopy.h"
#include "core/netdev.h"
#include "core/sweep.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "l4/l4.h"
#include "pump/pump.h"
#include "tcp/conn/conn.h"
#include "udp/udp.h"

#define STACK_DEFAULT_HZ 1000u
#define STACK_MAX_HZ 10000u
#define VIRTUAL_START_NS (1000 * NS_PER_S) /* virtual time does not begin at 0: 0 means "never" in places */
#define EHASH_BYTES_PER_BUCKET 16384u	   /* of arena, when the caller did not choose */
#define END_ROUNDS 8			   /* pump rounds that let closing sockets say their last word */

uint64_t layout_hash(void)
{
	const size_t sizes[] = {
		sizeof(struct skb),    sizeof(struct stack), sizeof(struct tcp_sock), sizeof(struct tcp_req),
		sizeof(struct tcp_tw), sizeof(struct file),  sizeof(struct epoll),    sizeof(struct epitem),
		sizeof(struct netdev), sizeof(struct dst),   sizeof(struct arena_pools), MIB_NUM,
		offsetof(struct stack, mib), offsetof(struct tcp_sock, rx), offsetof(struct skb, frags),
	};
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		h = (h ^ sizes[i]) * 0x100000001b3ull;
	return h;
}

/* ---- worlds ---- */

static int api_pools_init(struct arena_pools *p, struct arena *a)
{
	uint32_t files = arena_quota(a, 8192, 1024, 4u << 20);
	int err = pool_init(&p->file, a, "file", OBJ_FILE, sizeof(struct file), files, 0);

	if (!err)
		err = pool_init(&p->epoll, a, "epoll", OBJ_EPOLL, sizeof(struct epoll), files / 4, 0);
	if (!err)
		err = pool_init(&p->epitem, a, "epitem", OBJ_EPITEM, sizeof(struct epitem), files, 0);
	return err;
}

static int world_fill(naru_world *w, const struct naru_world_config *cfg)
{
	struct arena_config ac = {
		.size = cfg->memory_bytes, .base = cfg->base, .layout_hash = layout_hash(), .is_shared = cfg->is_shared,
	};
	int err = arena_create(&ac, &w->arena, &w->memfd);

	if (err)
		return err;
	err = arena_pools_create(w->arena, cfg->is_virtual ? CLOCK_KIND_VIRTUAL : CLOCK_KIND_REAL,
				 cfg->is_virtual ? VIRTUAL_START_NS : 0, &w->pools);
	if (!err)
		err = api_pools_init(w->pools, w->arena);
	if (err) {
		arena_unmap(w->arena);
		close(w->memfd);
	}
	return err;
}

int naru_world_new(const struct naru_world_config *cfg, naru_world **ret)
{
	static const struct naru_world_config defaults;
	naru_world *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	if (!cfg)
		cfg = &defaults;
	err = ucopy_init();
	if (!err)
		err = world_fill(w, cfg);
	if (err) {
		free(w);
		return err;
	}
	w->seed = cfg->seed ? cfg->seed : cfg->is_virtual ? 1 : 0;
	*ret = w;
	return 0;
}

int world_attach(int memfd, naru_world **ret)
{
	naru_world *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	err = ucopy_init();
	if (!err)
		err = arena_attach(memfd, layout_hash(), &w->arena);
	if (err) {
		free(w);
		return err;
	}
	w->pools = w->arena->roots[ARENA_ROOT_POOLS];
	w->memfd = memfd;
	*ret = w;
	return 0;
}

void naru_world_free(naru_world *w)
{
	if (!w)
		return;
	arena_unmap(w->arena);
	if (w->memfd >= 0)
		close(w->memfd);
	free(w);
}

void world_each_pool(const struct arena_pools *p, void (*fn)(const char *name, uint32_t in_use, void *arg), void *arg)
{
	const struct pool *pools[] = {
		&p->skb, &p->dst, &p->neigh, &p->fragq, &p->tcp_sock, &p->udp_sock, &p->tcp_req,
		&p->tcp_tw, &p->bind_bucket, &p->file, &p->epoll, &p->epitem, &p->ubuf,
	};

	for (size_t i = 0; i < ARRAY_SIZE(pools); i++)
		fn(pools[i]->name, pool_in_use(pools[i]), arg);
	fn("pages", page_pool_in_use(p->pages), arg);
}

/* ---- stacks ---- */

static uint32_t pick_ehash(const struct stack *st, const struct naru_stack_config *cfg)
{
	uint32_t want = cfg->ehash_buckets, n = 64;

	if (!want)
		want = arena_quota(st->pools->arena, EHASH_BYTES_PER_BUCKET, 256, L4_EHASH_BUCKETS);
	while (n < want && n < 1u << 24)
		n *= 2;
	return n;
}

static int parts_init(struct stack *st, const struct naru_stack_config *cfg)
{
	struct netdev *lo;
	int err = pump_init(st);

	if (!err)
		err = ip_init(st);
	if (!err)
		err = l4_init(st, pick_ehash(st, cfg));
	if (!err)
		err = tcp_stack_init(st);
	if (!err)
		err = udp_stack_init(st);
	if (!err)
		err = loopback_create(st, &lo);
	if (!err)
		err = ip_dev_up(lo);
	return err;
}

int stack_new(struct arena_pools *pools, const struct naru_stack_config *cfg, uint64_t seed, struct stack **ret)
{
	uint32_t hz = cfg->hz ? cfg->hz : STACK_DEFAULT_HZ;
	struct stack *st;
	int err;

	if (hz > STACK_MAX_HZ || NS_PER_S % hz)
		return -EINVAL;
	st = stack_alloc(pools, hz, seed);
	if (!st)
		return -ENOMEM;
	err = parts_init(st, cfg);
	if (err) {
		stack_end(st);
		return err;
	}
	*ret = st;
	return 0;
}

static void close_files(struct stack *st)
{
	struct file *f;
	uint32_t idx = 0;

	while ((f = pool_next_live(&st->pools->file, &idx)))
		if (f->stack == st && f->is_open)
			file_close(f);
	for (int i = 0; i < END_ROUNDS; i++)
		pump_run(st);
}

void stack_end(struct stack *st)
{
	if (st->pump)
		close_files(st);
	if (st->tcp)
		tcp_stack_done(st);
	if (st->udp)
		udp_stack_done(st);
	for (uint32_t i = STACK_MAX_DEVS; i-- > 0;)
		if (st->devs[i])
			netdev_remove(st->devs[i]);
	/* The last packets hold sockets, and those hold ports. */
	if (st->ip)
		ip_drop_waiting(st);
	if (st->pump)
		pump_drop_socks(st);
	if (st->l4)
		l4_done(st);
	if (st->ip)
		ip_done(st);
	if (st->pump)
		pump_done(st);
	stack_free(st);
}

int naru_stack_new(naru_world *w, const struct naru_stack_config *cfg, naru_stack **ret)
{
	static const struct naru_stack_config defaults;
	struct stack *st;
	int err = stack_new(w->pools, cfg ? cfg : &defaults, w->seed, &st);

	if (err)
		return err;
	if (w->seed)
		w->seed++;
	*ret = (naru_stack *)st;
	return 0;
}

void naru_stack_free(naru_stack *st)
{
	if (st)
		stack_end((struct stack *)st);
}

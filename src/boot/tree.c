/* SPDX-License-Identifier: BSD-2-Clause */
/* Process table of a shared world, and the steps supervisor and shim take on it. */
/*
 * How it works: a process claims a slot by exchanging its pid into a free one; the slot's number is what
 * packets and files in its hands are marked with. Only the supervisor frees slots, after it has seen the
 * process gone and has swept what carried the number.
 */
#define _GNU_SOURCE
#include "boot/tree.h"

#include <errno.h>

#include "api/epoll.h"
#include "base/proc.h"
#include "core/netdev.h"
#include "core/sock.h"
#include "core/sweep.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "pump/pump.h"
#include "qdisc/qdisc.h"

int tree_create(struct naru_world *w, struct stack *st, struct tree **ret)
{
	struct tree *t = arena_alloc(w->arena, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->stack = st;
	t->procs[0].pid = UINT32_MAX; /* slot 0 means none */
	t->procs[TREE_SUPERVISOR_SLOT].pid = UINT32_MAX;
	proc_set_slot(TREE_SUPERVISOR_SLOT);
	w->arena->roots[ARENA_ROOT_SUPERVISOR] = t;
	*ret = t;
	return 0;
}

struct tree *tree_of(const struct naru_world *w) { return w->arena->roots[ARENA_ROOT_SUPERVISOR]; }

#define PID_RESERVED (UINT32_MAX - 1)

static int claim_slot(struct tree *t, uint32_t pid, uint16_t parent)
{
	for (uint32_t i = TREE_SUPERVISOR_SLOT + 1; i < TREE_MAX_PROCS; i++) {
		struct tree_proc *p = &t->procs[i];
		uint32_t free_slot = 0;

		if (atomic_load(&p->pid) || !atomic_compare_exchange_strong(&p->pid, &free_slot, pid))
			continue;
		p->parent = parent;
		p->has_left = 0;
		return (int)i;
	}
	return -EAGAIN;
}

int tree_join(struct tree *t, uint32_t pid, uint16_t parent)
{
	int slot = claim_slot(t, pid, parent);

	if (slot > 0)
		proc_set_slot((uint16_t)slot);
	return slot;
}

int tree_reserve(struct tree *t, uint16_t parent) { return claim_slot(t, PID_RESERVED, parent); }

bool tree_join_reserved(struct tree *t, int slot, uint32_t pid)
{
	if (slot <= 0)
		return false;
	atomic_store(&t->procs[slot].pid, pid);
	proc_set_slot((uint16_t)slot);
	return true;
}

uint16_t tree_child_of(const struct tree *t, uint16_t slot)
{
	for (uint32_t i = TREE_SUPERVISOR_SLOT + 1; i < TREE_MAX_PROCS; i++)
		if (t->procs[i].pid && t->procs[i].parent == slot)
			return (uint16_t)i;
	return 0;
}

bool tree_rejoin(struct tree *t, uint16_t slot, uint32_t pid)
{
	if (slot <= TREE_SUPERVISOR_SLOT || slot >= TREE_MAX_PROCS || t->procs[slot].pid != pid)
		return false;
	t->procs[slot].has_left = 0;
	proc_set_slot(slot);
	return true;
}

int tree_kick_fd(struct tree *t) { return pump_kick_fd_open(t->stack->pools); }

int tree_use_fds(struct tree *t, int kick, int device, int capture)
{
	int err = proc_fd_set(t->stack->pools, kick);

	if (!err && t->dev)
		err = proc_fd_set(t->dev, device);
	if (!err && t->capture)
		err = proc_fd_set(t->capture, capture);
	return err;
}

int tree_add_device(struct tree *t, const char *name, int fd, bool is_stream, uint32_t mtu, int capture_fd)
{
	struct netdev *dev;
	int err = is_stream ? stream_create(t->stack, name, fd, mtu, &dev) : tap_create(t->stack, name, fd, true, mtu, &dev);

	if (err)
		return err;
	t->dev = dev;
	if (capture_fd >= 0) {
		err = capture_wrap(dev, capture_fd, 0, &t->capture);
		if (err)
			return err;
		dev = t->capture;
	}
	err = qdisc_attach(dev, QDISC_PFIFO_FAST);
	if (err)
		return err;
	dev_up(dev);
	return ip_dev_up(dev);
}

void tree_step(struct tree *t, uint64_t span_ns)
{
	pump_step(t->stack, stack_now_ns(t->stack) + span_ns);
	epoll_kick_pending(t->stack->pools);
}

uint32_t tree_sweep(struct tree *t, uint16_t slot)
{
	pump_forget_proc(t->stack->pools, slot);
	return skb_sweep_proc(t->stack->pools, slot);
}

void tree_free_slot(struct tree *t, uint16_t slot)
{
	t->procs[slot].has_left = 0;
	t->procs[slot].parent = 0;
	atomic_store(&t->procs[slot].pid, 0);
}

int tree_close_file(struct file *f)
{
	struct stack *st = f->stack;
	int err = file_close(f);

	pump_kick_here(st);
	return err;
}

void tree_run_pending(struct stack *st) { pump_kick_here(st); }

void tree_drop_file(struct file *f, bool is_reset)
{
	struct sock *sk = f->sk;

	if (sk) {
		sock_lock(sk);
		if (is_reset) {
			sk->flags |= SK_LINGER;
			sk->linger_s = 0;
		} else if (sk->linger_s > 0) {
			sk->flags &= ~SK_LINGER;
		}
		sock_release(sk);
	}
	if (is_reset)
		atomic_store(&f->refs, 1); /* calls of the dead process never give theirs back */
	tree_close_file(f);
}

uint32_t tree_num_busy(const struct tree *t) { return atomic_load(&((struct tree *)t)->stack->num_orphans); }

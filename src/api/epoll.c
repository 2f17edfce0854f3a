/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll: interest list, ready list, level and edge triggering, one-shot, exclusive. */
/*
 * How it works
 *
 * A registration (epitem) hangs on two lists: the epoll object's items and the socket's poll_items.
 * When a socket's readiness changes, sock_wake() calls epoll_sock_ready() with err_lock held: each
 * item whose interest matches goes to its object's ready list and one waiter is woken. Collecting asks
 * the socket again, so an item that is no longer ready produces nothing. A level-triggered item that
 * produced an event goes back to the ready list; an edge-triggered one waits for the next change.
 *
 * Lock order: ep->lock, sock lock, sk->err_lock (it guards poll_items), ep->ready_lock. A socket that goes
 * away cannot take ep->lock while its items are locked, so epoll_forget_sock() names the object under
 * err_lock and removes under ep->lock.
 * poll() uses a private epoll object that lives for one call.
 */
#include "api/epoll.h"

#include <errno.h>
#include <string.h>

#include "base/proc.h"
#include "core/errq.h"
#include "pump/pump.h"
#include "socket/call.h"

#define EP_ALWAYS (EPOLLERR | EPOLLHUP)
#define EP_PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP)
#define EP_EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)

struct epoll *epoll_new(struct stack *st)
{
	struct epoll *ep = pool_zalloc(&st->pools->epoll, POOL_NORMAL);

	if (!ep)
		return NULL;
	ep->stack = st;
	ep->refs = 1;
	lock_init(&ep->lock, LOCK_EPOLL, st->is_shared);
	lock_init(&ep->ready_lock, LOCK_EPREADY, st->is_shared);
	list_init(&ep->items);
	list_init(&ep->ready);
	ep->obj.owner_proc = 0;
	return ep;
}

static void ep_put(struct epoll *ep)
{
	if (atomic_fetch_sub(&ep->refs, 1) != 1)
		return;
	lock_done(&ep->lock);
	lock_done(&ep->ready_lock);
	pool_free(&ep->stack->pools->epoll, ep);
}

/* ---- ready list ---- */

static void ready_add(struct epoll *ep, struct epitem *it)
{
	lock_take(&ep->ready_lock);
	if (!it->is_ready) {
		it->is_ready = 1;
		list_add_tail(&it->ready_node, &ep->ready);
	}
	lock_drop(&ep->ready_lock);
}

static void ready_del(struct epoll *ep, struct epitem *it)
{
	lock_take(&ep->ready_lock);
	if (it->is_ready) {
		it->is_ready = 0;
		list_del(&it->ready_node);
	}
	lock_drop(&ep->ready_lock);
}

static struct epitem *ready_pop(struct epoll *ep)
{
	struct epitem *it = NULL;

	lock_take(&ep->ready_lock);
	if (!list_is_empty(&ep->ready)) {
		it = list_entry(ep->ready.next, struct epitem, ready_node);
		it->is_ready = 0;
		list_del(&it->ready_node);
	}
	lock_drop(&ep->ready_lock);
	return it;
}

bool epoll_has_ready(struct epoll *ep)
{
	bool has;

	lock_take(&ep->ready_lock);
	has = !list_is_empty(&ep->ready);
	lock_drop(&ep->ready_lock);
	return has;
}

static void ep_wake(struct epoll *ep)
{
	waitq_wake(&ep->wq, ep->is_poll ? INT32_MAX : 1);
	if (atomic_load(&ep->num_outside) && !atomic_exchange(&ep->is_kicked, 1) && !proc_kick(ep))
		stack_pump_kick(ep->stack); /* the supervisor has the descriptor */
}

void epoll_sock_ready(struct sock *sk, uint32_t events)
{
	bool did_exclusive = false;

	list_for_each(n, &sk->poll_items) {
		struct epitem *it = list_entry(n, struct epitem, sk_node);
		uint32_t wanted = it->events & ~EP_PRIVATE;

		if (!wanted || !(events & (wanted | EP_ALWAYS)))
			continue;
		ready_add(it->ep, it);
		if (it->events & EPOLLEXCLUSIVE) {
			if (did_exclusive)
				continue;
			did_exclusive = true;
		}
		ep_wake(it->ep);
	}
}

void epoll_kick_pending(struct arena_pools *pools)
{
	uint32_t idx = 0;
	struct epoll *ep;

	while ((ep = pool_next_live(&pools->epoll, &idx)))
		if (atomic_load(&ep->num_outside) && atomic_load(&ep->is_kicked))
			proc_kick(ep);
}

/* ---- interest list; ep->lock held ---- */

static struct epitem *find_item(struct epoll *ep, const struct sock *sk, int handle)
{
	list_for_each(n, &ep->items) {
		struct epitem *it = list_entry(n, struct epitem, ep_node);

		if (it->sk == sk && it->handle == handle)
			return it;
	}
	return NULL;
}

/* Queue the item if the socket is ready now. Sock lock held. */
static void arm_item(struct epitem *it)
{
	if (sock_poll(it->sk) & ((it->events & ~EP_PRIVATE) | EP_ALWAYS)) {
		ready_add(it->ep, it);
		ep_wake(it->ep);
	}
}

static struct epitem *add_item(struct epoll *ep, struct sock *sk, int handle, uint32_t events, uint64_t data)
{
	struct epitem *it = pool_zalloc(&ep->stack->pools->epitem, POOL_NORMAL);

	if (!it)
		return NULL;
	it->ep = ep;
	it->sk = sk;
	it->handle = handle;
	it->events = events;
	it->data = data;
	it->obj.owner_proc = 0;
	list_add_tail(&it->ep_node, &ep->items);
	errq_lock_take(sk);
	list_add_tail(&it->sk_node, &sk->poll_items);
	lock_drop(&sk->err_lock);
	sock_lock(sk);
	arm_item(it);
	sock_release(sk);
	return it;
}

static void remove_item(struct epoll *ep, struct epitem *it)
{
	errq_lock_take(it->sk);
	list_del(&it->sk_node);
	lock_drop(&it->sk->err_lock);
	ready_del(ep, it);
	list_del(&it->ep_node);
	pool_free(&ep->stack->pools->epitem, it);
}

static int modify_item(struct epitem *it, const struct epoll_event *ev)
{
	if ((it->events & EPOLLEXCLUSIVE) || (ev->events & EPOLLEXCLUSIVE))
		return -EINVAL;
	sock_lock(it->sk);
	it->events = ev->events | EP_ALWAYS;
	it->data = ev->data.u64;
	arm_item(it);
	sock_release(it->sk);
	return 0;
}

int epoll_ctl_file(struct epoll *ep, int op, struct file *f, int handle, const struct epoll_event *ev)
{
	struct epitem *it;
	int err = 0;

	if (f->kind != FILE_SOCK)
		return f->ep == ep ? -EINVAL : -EPERM;
	if (op == EPOLL_CTL_ADD && (ev->events & EPOLLEXCLUSIVE) && (ev->events & ~EP_EXCLUSIVE_OK))
		return -EINVAL;
	lock_take(&ep->lock);
	it = find_item(ep, f->sk, handle);
	switch (op) {
	case EPOLL_CTL_ADD:
		if (it)
			err = -EEXIST;
		else if (!add_item(ep, f->sk, handle, ev->events | EP_ALWAYS, ev->data.u64))
			err = -ENOMEM;
		break;
	case EPOLL_CTL_MOD:
		err = it ? modify_item(it, ev) : -ENOENT;
		break;
	case EPOLL_CTL_DEL:
		if (it)
			remove_item(ep, it);
		else
			err = -ENOENT;
		break;
	default:
		err = -EINVAL;
	}
	lock_drop(&ep->lock);
	return err;
}

void epoll_free(struct epoll *ep)
{
	lock_take(&ep->lock);
	while (!list_is_empty(&ep->items))
		remove_item(ep, list_entry(ep->items.next, struct epitem, ep_node));
	lock_drop(&ep->lock);
	ep_put(ep);
}

static void forget_in(struct epoll *ep, struct sock *sk)
{
	lock_take(&ep->lock);
	list_for_each_safe(n, next, &ep->items) {
		struct epitem *it = list_entry(n, struct epitem, ep_node);

		if (it->sk == sk)
			remove_item(ep, it);
	}
	lock_drop(&ep->lock);
}

void epoll_forget_sock(struct sock *sk)
{
	for (;;) {
		struct epoll *ep = NULL;

		errq_lock_take(sk);
		if (!list_is_empty(&sk->poll_items)) {
			ep = list_entry(sk->poll_items.next, struct epitem, sk_node)->ep;
			atomic_fetch_add(&ep->refs, 1);
		}
		lock_drop(&sk->err_lock);
		if (!ep)
			return;
		forget_in(ep, sk);
		ep_put(ep);
	}
}

/* ---- collecting and waiting ---- */

static uint32_t item_events(struct epitem *it)
{
	uint32_t mask = 0;

	sock_lock(it->sk);
	if (it->events & ~EP_PRIVATE)
		mask = sock_poll(it->sk) & it->events & ~EP_PRIVATE;
	if (mask) {
		if (it->events & EPOLLONESHOT)
			it->events &= EP_PRIVATE;
		else if (!(it->events & EPOLLET))
			ready_add(it->ep, it);
	}
	sock_release(it->sk);
	return mask;
}

int epoll_collect(struct epoll *ep, struct epoll_event *evs, int max)
{
	struct epitem *first_again = NULL, *it;
	int n = 0;

	lock_take(&ep->lock);
	while (n < max && (it = ready_pop(ep))) {
		uint32_t mask;

		if (it == first_again) { /* once round: level-triggered items went to the tail */
			ready_add(ep, it);
			break;
		}
		mask = item_events(it);
		if (!mask)
			continue;
		if (!first_again && !(it->events & (EPOLLET | EPOLLONESHOT)))
			first_again = it;
		evs[n].events = mask;
		evs[n].data.u64 = it->data;
		n++;
	}
	lock_drop(&ep->lock);
	return n;
}

int epoll_wait_ns(struct epoll *ep, struct epoll_event *evs, int max, uint64_t deadline_ns)
{
	struct stack *st = ep->stack;

	for (;;) {
		uint32_t ticket = waitq_begin(&ep->wq);
		int n = epoll_collect(ep, evs, max), err;

		if (n || stack_now_ns(st) >= deadline_ns) {
			waitq_end(&ep->wq);
			return n;
		}
		err = pump_sleep(st, &ep->wq, ticket, deadline_ns);
		waitq_end(&ep->wq);
		if (err == -EINTR)
			return err;
		if (err == -ETIMEDOUT || err == -EDEADLK)
			return epoll_collect(ep, evs, max);
	}
}

/* ---- poll() ---- */

static int poll_scan(struct file **files, struct pollfd *fds, uint32_t n)
{
	int ready = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct file *f = files[i];
		uint32_t mask;

		if (fds[i].fd < 0) {
			fds[i].revents = 0;
			continue;
		}
		if (!f) {
			mask = POLLNVAL;
		} else if (f->kind == FILE_EPOLL) {
			mask = epoll_has_ready(f->ep) ? EPOLLIN | EPOLLRDNORM : 0;
			mask &= (uint32_t)(uint16_t)fds[i].events;
		} else {
			sock_lock(f->sk);
			mask = sock_poll(f->sk) & ((uint32_t)(uint16_t)fds[i].events | EP_ALWAYS);
			sock_release(f->sk);
		}
		fds[i].revents = (short)mask;
		ready += mask != 0;
	}
	return ready;
}

static int poll_wait(struct stack *st, struct file **files, struct pollfd *fds, uint32_t n, uint64_t deadline_ns)
{
	struct epoll *ep = epoll_new(st);
	int ready = 0, err = 0;

	if (!ep)
		return -ENOMEM;
	ep->is_poll = true;
	lock_take(&ep->lock);
	for (uint32_t i = 0; i < n && !err; i++)
		if (files[i] && files[i]->kind == FILE_SOCK && fds[i].fd >= 0 &&
		    !add_item(ep, files[i]->sk, (int)i, (uint32_t)(uint16_t)fds[i].events | EP_ALWAYS, i))
			err = -ENOMEM;
	lock_drop(&ep->lock);
	while (!err) {
		uint32_t ticket = waitq_begin(&ep->wq);

		ready = poll_scan(files, fds, n);
		if (!ready && stack_now_ns(st) < deadline_ns)
			err = pump_sleep(st, &ep->wq, ticket, deadline_ns);
		else
			err = -ETIMEDOUT;
		waitq_end(&ep->wq);
	}
	if (err == -ETIMEDOUT || err == -EDEADLK)
		err = ready ? ready : poll_scan(files, fds, n);
	epoll_free(ep);
	return err;
}

int poll_files(struct stack *st, struct file **files, struct pollfd *fds, uint32_t n, uint64_t deadline_ns)
{
	int ready = poll_scan(files, fds, n);

	if (ready || stack_now_ns(st) >= deadline_ns)
		return ready;
	pump_kick_here(st);
	return poll_wait(st, files, fds, n, deadline_ns);
}

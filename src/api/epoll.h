/* SPDX-License-Identifier: BSD-2-Clause */
/* epoll and poll over sockets: interest lists, ready lists, waiting. */
#ifndef NARU_API_EPOLL_H
#define NARU_API_EPOLL_H

#include <poll.h>
#include <sys/epoll.h>

#include "api/file.h"

/* One registration of a socket with an epoll object (or with one poll() call). */
struct epitem {
	struct obj obj;
	struct list ep_node;	/* ep->items; ep->lock */
	struct list sk_node;	/* sk->poll_items; sk->err_lock */
	struct list ready_node;	/* ep->ready; ep->ready_lock */
	struct epoll *ep;
	struct sock *sk;
	int handle;		/* as the program named the file */
	_Atomic uint32_t events; /* wanted; only private bits after a one-shot fired */
	uint64_t data;
	_Atomic uint32_t is_ready;
};

struct epoll {
	struct obj obj;
	struct stack *stack;
	_Atomic uint32_t refs;
	struct lock lock;	/* LOCK_EPOLL: items */
	struct list items;
	struct lock ready_lock;	/* LOCK_EPREADY */
	struct list ready;
	struct waitq wq;
	bool is_poll;		/* made for one poll() call */
	_Atomic uint32_t num_outside; /* sleepers in the kernel (mixed sets): kicked through a descriptor */
	_Atomic uint32_t is_kicked;
};

struct epoll *epoll_new(struct stack *st);
void epoll_free(struct epoll *ep);
/** epoll_ctl_file() - EPOLL_CTL_ADD/MOD/DEL; -EEXIST, -ENOENT, -EINVAL, -ENOSPC. */
int epoll_ctl_file(struct epoll *ep, int op, struct file *f, int handle, const struct epoll_event *ev);
/** epoll_collect() - move up to @max ready events out, without sleeping; count. */
int epoll_collect(struct epoll *ep, struct epoll_event *evs, int max);
/** epoll_wait_ns() - events, or 0 at the deadline (absolute ns), -EINTR. */
int epoll_wait_ns(struct epoll *ep, struct epoll_event *evs, int max, uint64_t deadline_ns);
/** epoll_forget_sock() - the file is released: leave every interest list. */
void epoll_forget_sock(struct sock *sk);
/** epoll_sock_ready() - up_tab.sock_ready: queue the items, wake the waiters. sk->err_lock held. */
void epoll_sock_ready(struct sock *sk, uint32_t events);
/** poll_files() - poll() over files; entries with NULL files get POLLNVAL when fd >= 0. */
int poll_files(struct stack *st, struct file **files, struct pollfd *fds, uint32_t n, uint64_t deadline_ns);
/** epoll_kick_pending() - supervisor: kick the outside sleepers of every marked object. */
void epoll_kick_pending(struct arena_pools *pools);
/** epoll_has_ready() - anything on the ready list (it may turn out not to be ready any more). */
bool epoll_has_ready(struct epoll *ep);

#endif

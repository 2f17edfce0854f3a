/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the shim share: libc's functions, the descriptor table, the way to the supervisor. */
#ifndef NARU_PRELOAD_SHIM_H
#define NARU_PRELOAD_SHIM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FILE_OFFSET_BITS /* libc's headers would rename the functions defined here; off_t has 64 bits anyway */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "api/api.h"
#include "boot/tree.h"

/* A function that stands in front of libc's. */
#define SHIM_EXPORT __attribute__((visibility("default")))
#define SHIM_MAX_FDS (1u << 20) /* the kernel's usual hard limit; higher descriptors are the kernel's alone */

enum fd_kind { FD_KERNEL = 0, FD_NARU, FD_EPOLL, FD_OWN };

struct shim_ep;

/* One descriptor of this process. Written under shim.lock, read without. */
struct fd_entry {
	_Atomic(void *) obj;  /* struct file (arena) or struct shim_ep */
	_Atomic uint32_t gen; /* file->obj.gen when it was entered */
	_Atomic uint8_t kind; /* enum fd_kind */
	bool has_dups;	      /* another descriptor of this process may name the same object */
};

struct real_calls {
#define REAL_FN(ret, name, args) ret(*name) args;
#include "preload/real.def"
#undef REAL_FN
};

struct shim {
	_Atomic int is_real_ready;
	_Atomic int is_on; /* joined a tree: internet sockets are Naru's */
	struct real_calls real;
	naru_world *world;
	struct tree *tree;
	struct stack *stack;
	int fd_arena, fd_control, fd_kick, fd_device, fd_capture;
	int fd_base;	   /* what placeholders of unshared sockets are duplicates of; -1: none yet */
	int fd_base_peer;
	pthread_mutex_t lock;  /* descriptor table; never held while sleeping */
	_Atomic int max_fd;	   /* highest descriptor ever entered */
	pthread_key_t thread_key;
	int child_slot; /* reserved for the child of the fork() in progress (under lock) */
	struct shim_ep *free_eps; /* under lock */
	struct sigaction program_segv, program_bus; /* what the program asked for */
	char preload[4096];	  /* LD_PRELOAD as we were started */
	struct fd_entry tab[SHIM_MAX_FDS];
};
extern struct shim shim;

/** shim_real_init() - find libc's functions; any number of times. */
void shim_real_init(void);
#define REAL(name) (likely(atomic_load_explicit(&shim.is_real_ready, memory_order_acquire)) ? (void)0 : shim_real_init(), shim.real.name)

/** shim_init() - join the tree named in the environment, once. Without one every call is libc's. */
void shim_init(void);
/** shim_is_on() - is this process part of a tree; joins it on the first call. */
bool shim_is_on(void);
/** shim_tell() - one packet to the supervisor; @fd -1: none. 0 or -errno. */
int shim_tell(enum tree_msg_kind kind, uint64_t object, int fd);
/** shim_own_fd() - move @fd up, close on exec, and keep the program from closing it. New number or -errno. */
int shim_own_fd(int fd);
void shim_disown_fd(int fd);

static inline struct fd_entry *fd_entry(int fd)
{
	return (unsigned int)fd < SHIM_MAX_FDS ? &shim.tab[fd] : NULL;
}
static inline enum fd_kind fd_kind(int fd)
{
	return (unsigned int)fd < SHIM_MAX_FDS ?
		(enum fd_kind)atomic_load_explicit(&shim.tab[fd].kind, memory_order_acquire) : FD_KERNEL;
}
/** fd_get_slow() - the file of an entry, with a reference; NULL when it is gone. */
struct file *fd_get_slow(struct fd_entry *e);
/** fd_get() - Naru's file behind @fd with a reference (file_put()), NULL: the kernel's business. */
static inline struct file *fd_get(int fd)
{
	return likely(fd_kind(fd) != FD_NARU) ? NULL : fd_get_slow(&shim.tab[fd]);
}
/** fd_done() - end of a call: drop the reference, negative errno to -1 and errno. */
static inline ssize_t fd_done(struct file *f, ssize_t n)
{
	if (f)
		file_put(f);
	if (likely(n >= 0))
		return n;
	errno = (int)-n;
	return -1;
}
/** fd_placeholder() - a descriptor that will stand for a socket; @flags SOCK_CLOEXEC. fd or -errno. */
int fd_placeholder(int flags);
/** fd_install() - @fd, a placeholder, names @f from now on (takes over its openness). */
void fd_install(int fd, struct file *f);
/** fd_close() - close() of any descriptor that is not the kernel's alone. 0 or -1 with errno. */
int fd_close(int fd);
/** fd_copy() - @to was made by duplicating @from. */
void fd_copy(int from, int to);
/** fd_replace() - dup2()/dup3() in one step with the table. As dup3(); @flags -1: dup2(). */
int fd_replace(int from, int to, int flags);
/** fd_share_all() - other processes may get copies: give every socket a placeholder of its own that the supervisor
 *  watches. @inherited: only those that stay open on exec. */
void fd_share_all(bool inherited);
/** fd_share() - the same for one descriptor. */
void fd_share(int fd);
/** fd_adopt() - enter @fd if it is a socket of the tree (after exec, or received). Return: it was one. */
bool fd_adopt(int fd);
/** fd_adopt_all() - after exec: find the sockets among the open descriptors. */
void fd_adopt_all(void);
/** fd_close_lost() - after exec: sockets of this process that were closed on the way. */
void fd_close_lost(void);

/** ep_of() - state of an epoll descriptor, with a reference (ep_put()), NULL: none. */
struct shim_ep *ep_of(int fd);
void ep_put(struct shim_ep *e);
/** ep_install() - a new epoll descriptor. ep_has_sockets(): anything of Naru's in it. */
void ep_install(int fd);
struct epoll *ep_naru(struct shim_ep *e);
/** ep_get_ref() - one more descriptor for the same object. */
void ep_get_ref(struct shim_ep *e);

/** wait_poll() - poll() over any mix; absolute deadline in ns (UINT64_MAX none). Count or negative errno. */
int wait_poll(struct pollfd *fds, nfds_t n, uint64_t deadline_ns, const sigset_t *mask);
/** wait_after_fork() - child: the waiting state of this thread was the parent's. */
void wait_after_fork(void);
void wait_thread_end(void *state);
/** deadline_after() - absolute ns; NULL: UINT64_MAX. -EINVAL through @ret_err for a bad one. */
uint64_t deadline_after(const struct timespec *ts, int *ret_err);
/** fault_init() - the program's own SIGSEGV and SIGBUS handlers stand behind ours from now on. */
void fault_init(void);

#endif

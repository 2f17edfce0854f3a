/* SPDX-License-Identifier: BSD-2-Clause */
/* The supervisor: drives the stack and clears up after processes. */
/*
 * How it works
 *
 * Two threads. One drives the stack (device, timers). The other, here, waits for packets on the control
 * socket, for processes to end (pidfds), for placeholders to hang up, and for signals.
 *
 * A socket ends when the last copy of its placeholder is closed: the far end here hangs up. One that never
 * left its process ends with the process. Who leaves by exit() closes as on Linux; who is killed loses its
 * sockets with a reset. The kernel closes descriptors before it reports the death, so a hang-up that no
 * close() announced waits a moment for the news about its owner.
 *
 * When the last process has ended, connections that still have something to say get a while to say it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/epoll.h"
#include "base/proc.h"
#include "tools/tools.h"

#define STEP_NS (1 * NS_PER_S)
#define NEWS_WAIT_NS (20 * NS_PER_MS) /* between a hang-up and the report of a death */
#define LAST_WORDS_NS (10 * NS_PER_S) /* for connections after the last process */
#define LAST_WORDS_STEP_US 2000
#define EVENTS_AT_ONCE 64
#define MSGS_AT_ONCE 64

enum watch_kind { WATCH_FREE = 0, WATCH_CONTROL, WATCH_SIGNALS, WATCH_PROC, WATCH_FILE, WATCH_EPOLL };

struct watch {
	uint8_t kind;	   /* enum watch_kind */
	bool is_hung_up;   /* file: nobody has it any more; waiting for news until deadline_ns */
	uint16_t slot;	   /* process */
	int fd;
	uint64_t object;   /* pool handle of the file or epoll object */
	uint64_t deadline_ns;
	uint32_t next_free;
};

struct supervisor {
	struct tree *tree;
	struct stack *stack;
	struct watch *watches; /* by number; [0] unused */
	uint32_t num, first_free, num_hung_up;
	int epfd, control, signals;
	pid_t program;
	int status;	     /* wait status of the program */
	bool is_tree_ended;
	bool was_greeted; /* a process with the shim came */
	_Atomic bool is_done; /* the driver leaves */
	pthread_t driver;
};

static struct pool *file_pool(struct supervisor *sv) { return &sv->stack->pools->file; }
static struct pool *epoll_pool(struct supervisor *sv) { return &sv->stack->pools->epoll; }

/* ---- watches ---- */

static uint32_t watch_slot(struct supervisor *sv)
{
	uint32_t i = sv->first_free;

	if (i) {
		sv->first_free = sv->watches[i].next_free;
		return i;
	}
	if ((sv->num & (sv->num - 1)) == 0) { /* full at each power of two */
		struct watch *w = realloc(sv->watches, 2 * (size_t)sv->num * sizeof(*w));

		if (!w)
			return 0;
		sv->watches = w;
	}
	return sv->num++;
}

/* Takes @fd over. */
static struct watch *watch_add(struct supervisor *sv, enum watch_kind kind, int fd, uint16_t slot, uint64_t object)
{
	struct epoll_event ev = { .events = kind == WATCH_FILE ? 0 : EPOLLIN };
	uint32_t i = watch_slot(sv);
	struct watch *w = &sv->watches[i];

	if (!i) {
		close(fd);
		return NULL;
	}
	*w = (struct watch){ .kind = (uint8_t)kind, .fd = fd, .slot = slot, .object = object };
	ev.data.u32 = i;
	if (kind != WATCH_EPOLL && epoll_ctl(sv->epfd, EPOLL_CTL_ADD, fd, &ev))
		say("epoll: %s", strerror(errno));
	return w;
}

static void watch_remove(struct supervisor *sv, struct watch *w)
{
	close(w->fd);
	sv->num_hung_up -= w->is_hung_up;
	*w = (struct watch){ .next_free = sv->first_free };
	sv->first_free = (uint32_t)(w - sv->watches);
}

/* ---- files ---- */

static void end_file(struct supervisor *sv, struct watch *w, bool is_reset)
{
	struct file *f = pool_resolve(file_pool(sv), w->object);

	if (f && f->is_open)
		tree_drop_file(f, is_reset);
	watch_remove(sv, w);
}

/* The last copy is gone. */
static void on_hang_up(struct supervisor *sv, struct watch *w)
{
	struct file *f = pool_resolve(file_pool(sv), w->object);
	bool is_announced = !f || f->is_registered != 1 || !f->owner_proc;

	if (is_announced || sv->tree->procs[f->owner_proc].has_left) {
		end_file(sv, w, false);
		return;
	}
	epoll_ctl(sv->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->is_hung_up = true;
	w->deadline_ns = stack_now_ns(sv->stack) + NEWS_WAIT_NS;
	sv->num_hung_up++;
}

/* No news: the owner lives, the descriptor was closed by exec. */
static void end_hung_up(struct supervisor *sv, bool all)
{
	uint64_t now = stack_now_ns(sv->stack);

	for (uint32_t i = 1; i < sv->num && sv->num_hung_up; i++) {
		struct watch *w = &sv->watches[i];

		if (w->is_hung_up && (all || w->deadline_ns <= now))
			end_file(sv, w, false);
	}
}

static bool has_hung_up(const struct watch *w)
{
	struct pollfd p = { .fd = w->fd };

	return w->is_hung_up || (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP));
}

/* ---- epoll objects ---- */

static void forget_epoll(struct supervisor *sv, struct watch *w, bool is_owner_dead)
{
	struct epoll *ep = pool_resolve(epoll_pool(sv), w->object);

	proc_fd_set(pool_at(epoll_pool(sv), (uint32_t)w->object), -1);
	if (ep && is_owner_dead)
		epoll_free(ep);
	watch_remove(sv, w);
}

static void forget_epoll_named(struct supervisor *sv, uint64_t object)
{
	for (uint32_t i = 1; i < sv->num; i++)
		if (sv->watches[i].kind == WATCH_EPOLL && sv->watches[i].object == object)
			forget_epoll(sv, &sv->watches[i], false);
}

/* ---- processes ---- */

static void proc_ended(struct supervisor *sv, uint16_t slot)
{
	bool is_killed = !sv->tree->procs[slot].has_left;
	uint16_t heir = tree_child_of(sv->tree, slot); /* goes on using the epoll objects it inherited */
	uint32_t idx = 0;
	struct file *f;

	tree_sweep(sv->tree, slot);
	for (uint32_t i = 1; i < sv->num; i++) {
		struct watch *w = &sv->watches[i];

		if (w->kind == WATCH_EPOLL && w->slot == slot && heir) {
			w->slot = heir;
		} else if (w->kind == WATCH_EPOLL && w->slot == slot) {
			forget_epoll(sv, w, true);
		} else if (w->kind == WATCH_FILE) {
			f = pool_resolve(file_pool(sv), w->object);
			if (f && f->owner_proc == slot && f->is_registered == 1 && has_hung_up(w))
				end_file(sv, w, is_killed);
		}
	}
	while ((f = pool_next_live(file_pool(sv), &idx))) {
		if (f->obj.owner_proc == slot && !f->is_open && !f->refs)
			file_unreserve(f); /* it died in accept() */
		else if (f->owner_proc != slot)
			continue;
		else if (!f->is_registered && f->is_open)
			tree_drop_file(f, is_killed);
		else
			f->owner_proc = 0; /* lives on in others */
	}
	tree_free_slot(sv->tree, slot);
}

static void reap(struct supervisor *sv)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == sv->program)
			sv->status = status;
	if (pid < 0 && errno == ECHILD)
		sv->is_tree_ended = true;
}

static void on_signal(struct supervisor *sv)
{
	struct signalfd_siginfo si;

	while (read(sv->signals, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		if (si.ssi_signo == SIGCHLD)
			reap(sv);
		else if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGHUP)
			kill(sv->program, (int)si.ssi_signo);
		/* SIGINT and SIGQUIT of a terminal reach the program too: it decides. */
	}
}

/* ---- the control socket ---- */

/* Return: 1 a packet, 0 none now, -1 the last sender is gone. */
static int receive(struct supervisor *sv, struct tree_msg *msg, int *ret_fd)
{
	struct iovec iov = { msg, sizeof(*msg) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf, .msg_controllen = sizeof(control.buf) };
	ssize_t n = recvmsg(sv->control, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	*ret_fd = -1;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (!n)
		return -1;
	c = CMSG_FIRSTHDR(&h);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(c), sizeof(*ret_fd));
	if (n != (ssize_t)sizeof(*msg) || msg->slot <= TREE_SUPERVISOR_SLOT || msg->slot >= TREE_MAX_PROCS)
		msg->kind = 0;
	return 1;
}

static bool is_watched(struct supervisor *sv, enum watch_kind kind, uint16_t slot)
{
	for (uint32_t i = 1; i < sv->num; i++)
		if (sv->watches[i].kind == kind && sv->watches[i].slot == slot)
			return true;
	return false;
}

static void watch_epoll(struct supervisor *sv, const struct tree_msg *msg, int fd)
{
	struct epoll *ep = pool_resolve(epoll_pool(sv), msg->object);

	if (!ep || !watch_add(sv, WATCH_EPOLL, fd, (uint16_t)msg->slot, msg->object))
		return;
	proc_fd_set(ep, fd);
	if (atomic_load(&ep->is_kicked)) /* it was made ready before we knew */
		proc_kick(ep);
}

static void on_message(struct supervisor *sv, const struct tree_msg *msg, int fd)
{
	uint16_t slot = (uint16_t)msg->slot;

	sv->was_greeted |= msg->kind == TREE_HELLO;
	if (msg->kind == TREE_FORGET_EPOLL)
		forget_epoll_named(sv, msg->object);
	if (msg->kind == TREE_HELLO && fd < 0)
		proc_ended(sv, slot); /* gone before it could make its pidfd */
	if (fd < 0)
		return;
	if (msg->kind == TREE_HELLO && !is_watched(sv, WATCH_PROC, slot))
		watch_add(sv, WATCH_PROC, fd, slot, 0);
	else if (msg->kind == TREE_WATCH_FILE)
		watch_add(sv, WATCH_FILE, fd, slot, msg->object);
	else if (msg->kind == TREE_WATCH_EPOLL)
		watch_epoll(sv, msg, fd);
	else
		close(fd);
}

static void on_control(struct supervisor *sv, uint32_t i)
{
	struct tree_msg msg;
	int fd, got = 0;

	for (int n = 0; n < MSGS_AT_ONCE && (got = receive(sv, &msg, &fd)) > 0; n++)
		on_message(sv, &msg, fd);
	if (got < 0)
		watch_remove(sv, &sv->watches[i]); /* the array may have moved meanwhile */
}

/* ---- the loop ---- */

static void on_event(struct supervisor *sv, uint32_t i)
{
	struct watch *w = &sv->watches[i];
	uint16_t slot = w->slot;

	switch (w->kind) {
	case WATCH_CONTROL: on_control(sv, i); return;
	case WATCH_SIGNALS: on_signal(sv); return;
	case WATCH_FILE:
		if (!w->is_hung_up)
			on_hang_up(sv, w);
		return;
	case WATCH_PROC:
		watch_remove(sv, w);
		proc_ended(sv, slot);
		return;
	default: return;
	}
}

/* Return: something happened. */
static bool serve_once(struct supervisor *sv, int timeout_ms)
{
	struct epoll_event evs[EVENTS_AT_ONCE];
	int n = epoll_wait(sv->epfd, evs, EVENTS_AT_ONCE, timeout_ms);

	/* Messages first: what they name may have ended in the same moment. */
	for (int i = 0; i < n; i++)
		if (sv->watches[evs[i].data.u32].kind == WATCH_CONTROL)
			on_event(sv, evs[i].data.u32);
	for (int i = 0; i < n; i++)
		if (sv->watches[evs[i].data.u32].kind != WATCH_CONTROL)
			on_event(sv, evs[i].data.u32);
	end_hung_up(sv, false);
	return n > 0;
}

static void *drive(void *arg)
{
	struct supervisor *sv = arg;

	while (!atomic_load(&sv->is_done))
		tree_step(sv->tree, STEP_NS);
	return NULL;
}

static void last_words(struct supervisor *sv)
{
	uint64_t end = stack_now_ns(sv->stack) + LAST_WORDS_NS;
	struct file *f;
	uint32_t idx = 0;

	while (serve_once(sv, 0))
		;
	end_hung_up(sv, true);
	while ((f = pool_next_live(file_pool(sv), &idx)))
		if (f->is_open)
			tree_drop_file(f, false);
	while (tree_num_busy(sv->tree) && stack_now_ns(sv->stack) < end)
		usleep(LAST_WORDS_STEP_US);
}

static bool start_up(struct supervisor *sv, const struct start *s)
{
	const int mine[] = { SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT };
	int pair[2];
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++)
		sigaddset(&set, mine[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	sv->epfd = epoll_create1(EPOLL_CLOEXEC);
	sv->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	sv->watches = calloc(2, sizeof(*sv->watches));
	sv->num = 1;
	if (sv->epfd < 0 || sv->signals < 0 || !sv->watches || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		say("%s", strerror(errno));
		return false;
	}
	sv->control = pair[0];
	if (!watch_add(sv, WATCH_CONTROL, pair[0], 0, 0) || !watch_add(sv, WATCH_SIGNALS, sv->signals, 0, 0))
		return false;
	sv->program = program_start(s, pair[1]);
	close(pair[1]);
	return sv->program > 0;
}

int supervise(const struct start *s)
{
	struct supervisor sv = { .tree = s->tree, .stack = s->tree->stack };
	uint64_t one = 1;

	if (!start_up(&sv, s) || pthread_create(&sv.driver, NULL, drive, &sv))
		return 125;
	while (!sv.is_tree_ended)
		serve_once(&sv, sv.num_hung_up ? (int)(NEWS_WAIT_NS / NS_PER_MS) : -1);
	last_words(&sv);
	if (!sv.was_greeted && WIFEXITED(sv.status) && WEXITSTATUS(sv.status) < 125)
		say("%s did not take part: it is statically linked or set-user-ID, and used the kernel's network", s->argv[0]);
	atomic_store(&sv.is_done, true);
	if (write(s->fd_kick, &one, sizeof(one)) == (ssize_t)sizeof(one))
		pthread_join(sv.driver, NULL);
	return WIFEXITED(sv.status) ? WEXITSTATUS(sv.status) : 128 + WTERMSIG(sv.status);
}

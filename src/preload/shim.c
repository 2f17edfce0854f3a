/* SPDX-License-Identifier: BSD-2-Clause */
/* Joining the tree of processes: environment, arena, slot, fork, the way to the supervisor. */
/*
 * How it works: `naru run` leaves descriptor numbers in the environment. The first need (or the loader's
 * constructor) maps the arena, claims a slot and says hello with a pidfd, by which the supervisor sees this
 * process end. A child of fork() does the same with the mappings it inherited; a program started by exec()
 * takes up its slot again and finds its sockets among the open descriptors.
 *
 * Without the environment, or when the descriptors in it are gone, every call is libc's; the second case is
 * told on stderr, since the program would otherwise talk through another stack unnoticed.
 */
#include "preload/shim.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"

static pthread_once_t init_once = PTHREAD_ONCE_INIT;

/* ---- descriptors of our own ---- */

static void mark_own(int fd, bool is_own)
{
	struct fd_entry *e = fd_entry(fd);

	if (!e)
		return;
	atomic_store(&e->kind, is_own ? FD_OWN : FD_KERNEL);
	if (is_own && fd > atomic_load(&shim.max_fd))
		atomic_store(&shim.max_fd, fd);
}

int shim_own_fd(int fd)
{
	int high = REAL(fcntl)(fd, F_DUPFD_CLOEXEC, TREE_FD_MIN);

	if (high < 0) /* a low limit: stay where we are */
		high = fd;
	else
		REAL(close)(fd);
	mark_own(high, true);
	return high;
}

void shim_disown_fd(int fd)
{
	mark_own(fd, false);
	REAL(close)(fd);
}

/* ---- the supervisor ---- */

int shim_tell(enum tree_msg_kind kind, uint64_t object, int fd)
{
	struct tree_msg msg = { .kind = kind, .slot = proc_slot(), .object = object };
	struct iovec iov = { &msg, sizeof(msg) };
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		struct cmsghdr *c;

		h.msg_control = control.buf;
		h.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	do {
		n = REAL(sendmsg)(shim.fd_control, &h, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void say_hello(void)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	shim_tell(TREE_HELLO, (uint64_t)getpid(), fd);
	if (fd >= 0)
		REAL(close)(fd);
}

/* ---- joining ---- */

static int env_fd(const char *name)
{
	const char *s = getenv(name);
	int fd = s && *s ? atoi(s) : -1;

	return fd >= 0 && REAL(fcntl)(fd, F_GETFD) >= 0 ? fd : -1;
}

static bool take_slot(void)
{
	const char *s = getenv(TREE_ENV_SLOT);
	unsigned int slot, pid;

	if (s && sscanf(s, "%u:%u", &slot, &pid) == 2 && pid == (unsigned int)getpid() && slot < TREE_MAX_PROCS &&
	    tree_rejoin(shim.tree, (uint16_t)slot, pid))
		return true;
	return tree_join(shim.tree, (uint32_t)getpid(), 0) > 0;
}

static void before_fork(void)
{
	fd_share_all(false);
	pthread_mutex_lock(&shim.lock);
	shim.child_slot = tree_reserve(shim.tree, proc_slot());
}

static void after_fork_parent(void) { pthread_mutex_unlock(&shim.lock); }

static void after_fork_child(void)
{
	bool has_joined = tree_join_reserved(shim.tree, shim.child_slot, (uint32_t)getpid());

	pthread_mutex_unlock(&shim.lock);
	wait_after_fork();
	if (has_joined)
		say_hello();
	else
		atomic_store(&shim.is_on, 0);
}

static const char *join(void)
{
	const int *own[] = { &shim.fd_arena, &shim.fd_control, &shim.fd_kick, &shim.fd_device, &shim.fd_capture };

	shim.fd_arena = env_fd(TREE_ENV_ARENA);
	shim.fd_control = env_fd(TREE_ENV_CONTROL);
	shim.fd_kick = env_fd(TREE_ENV_KICK);
	shim.fd_device = env_fd(TREE_ENV_DEVICE);
	shim.fd_capture = env_fd(TREE_ENV_CAPTURE);
	if (shim.fd_arena < 0 || shim.fd_control < 0 || shim.fd_kick < 0)
		return "its descriptors were closed before it started";
	fault_init();
	if (world_attach(shim.fd_arena, &shim.world))
		return "the shared memory cannot be mapped, or belongs to another version of naru";
	shim.tree = tree_of(shim.world);
	if (!shim.tree || tree_use_fds(shim.tree, shim.fd_kick, shim.fd_device, shim.fd_capture))
		return "there is no stack in the shared memory";
	shim.stack = shim.tree->stack;
	if (!take_slot())
		return "too many processes run on this stack";
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		mark_own(*own[i], *own[i] >= 0);
	return NULL;
}

static void keep_preload(void)
{
	const char *s = getenv("LD_PRELOAD");

	if (s && strlen(s) < sizeof(shim.preload))
		strcpy(shim.preload, s);
}

static void init(void)
{
	const char *why;

	if (!atomic_load(&shim.is_real_ready))
		shim_real_init();
	if (!getenv(TREE_ENV_ARENA))
		return;
	keep_preload();
	why = join();
	if (why) {
		fprintf(stderr, "naru: %s uses the kernel's network: %s\n", program_invocation_short_name, why);
		return;
	}
	pthread_key_create(&shim.thread_key, wait_thread_end);
	fd_adopt_all();
	fd_close_lost();
	say_hello();
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
	atomic_store(&shim.is_on, 1);
}

void shim_init(void) { pthread_once(&init_once, init); }

bool shim_is_on(void)
{
	if (unlikely(!atomic_load_explicit(&shim.is_on, memory_order_acquire)))
		shim_init();
	return shim.is_on;
}

__attribute__((constructor)) static void on_load(void) { shim_init(); }

__attribute__((destructor)) static void on_exit_call(void)
{
	if (shim.is_on)
		shim.tree->procs[proc_slot()].has_left = 1;
}

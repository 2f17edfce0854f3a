/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that make and replace processes, and raw system calls. */
/*
 * How it works: whoever starts another program passes our environment on, even when the caller built a
 * new one, and shares the sockets that stay open. vfork() is fork(): its child would otherwise work in
 * our memory while it moves descriptors about. syscall() with the number of a call we stand in front of
 * becomes that call.
 */
#include "preload/shim.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"

#define NUM_ENV 7 /* variables of ours */
#define ENV_VALUE_BYTES 64

struct env {
	char own[NUM_ENV][ENV_VALUE_BYTES];
	char *preload;
	char **list; /* allocated: other variables of the caller, ours, NULL */
};

static bool is_own_var(const char *s)
{
	static const char *const names[] = {
		TREE_ENV_ARENA, TREE_ENV_CONTROL, TREE_ENV_KICK, TREE_ENV_DEVICE, TREE_ENV_CAPTURE, TREE_ENV_SLOT,
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(names[i]);

		if (!strncmp(s, names[i], len) && s[len] == '=')
			return true;
	}
	return false;
}

/* The caller's LD_PRELOAD with ours in it. Allocated, or NULL. */
static char *merge_preload(const char *theirs)
{
	size_t size = strlen(shim.preload) + (theirs ? strlen(theirs) : 0) + sizeof("LD_PRELOAD=:");
	char *s = malloc(size);

	if (!s)
		return NULL;
	if (!theirs || !*theirs)
		snprintf(s, size, "LD_PRELOAD=%s", shim.preload);
	else if (strstr(theirs, "libnaru-preload"))
		snprintf(s, size, "LD_PRELOAD=%s", theirs);
	else
		snprintf(s, size, "LD_PRELOAD=%s:%s", shim.preload, theirs);
	return s;
}

static void write_own_vars(struct env *e, size_t *n)
{
	const struct { const char *name; int fd; } fds[] = {
		{ TREE_ENV_ARENA, shim.fd_arena },   { TREE_ENV_CONTROL, shim.fd_control },
		{ TREE_ENV_KICK, shim.fd_kick },     { TREE_ENV_DEVICE, shim.fd_device },
		{ TREE_ENV_CAPTURE, shim.fd_capture },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(e->own[i], ENV_VALUE_BYTES, "%s=%d", fds[i].name, fds[i].fd);
		e->list[(*n)++] = e->own[i];
	}
	snprintf(e->own[ARRAY_SIZE(fds)], ENV_VALUE_BYTES, "%s=%u:%u", TREE_ENV_SLOT, proc_slot(), (unsigned int)getpid());
	e->list[(*n)++] = e->own[ARRAY_SIZE(fds)];
}

/* What the new program gets instead of @from; @from itself when it cannot be built or we are not on. */
static char *const *env_build(struct env *e, char *const *from)
{
	const char *theirs = NULL;
	size_t n = 0, num = 0;

	e->list = NULL;
	e->preload = NULL;
	if (!shim.is_on)
		return from;
	while (from && from[num])
		num++;
	e->list = malloc((num + NUM_ENV + 2) * sizeof(*e->list));
	if (!e->list)
		return from;
	for (size_t i = 0; i < num; i++) {
		if (!strncmp(from[i], "LD_PRELOAD=", 11))
			theirs = from[i] + 11;
		else if (!is_own_var(from[i]))
			e->list[n++] = from[i];
	}
	e->preload = merge_preload(theirs);
	if (e->preload)
		e->list[n++] = e->preload;
	write_own_vars(e, &n);
	e->list[n] = NULL;
	return e->list;
}

static void env_free(struct env *e)
{
	int saved = errno;

	free(e->preload);
	free(e->list);
	errno = saved;
}

/* ---- exec ---- */

SHIM_EXPORT int execve(const char *path, char *const *argv, char *const *envp)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(true);
	ret = REAL(execve)(path, argv, env_build(&e, envp));
	env_free(&e);
	return ret;
}

SHIM_EXPORT int execvpe(const char *file, char *const *argv, char *const *envp)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(true);
	ret = REAL(execvpe)(file, argv, env_build(&e, envp));
	env_free(&e);
	return ret;
}

SHIM_EXPORT int fexecve(int fd, char *const *argv, char *const *envp)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(true);
	ret = REAL(fexecve)(fd, argv, env_build(&e, envp));
	env_free(&e);
	return ret;
}

SHIM_EXPORT int execveat(int fd, const char *path, char *const *argv, char *const *envp, int flags)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(true);
	ret = REAL(execveat)(fd, path, argv, env_build(&e, envp), flags);
	env_free(&e);
	return ret;
}

SHIM_EXPORT int execv(const char *path, char *const *argv) { return execve(path, argv, environ); }
SHIM_EXPORT int execvp(const char *file, char *const *argv) { return execvpe(file, argv, environ); }

/* The arguments of execl*() as a vector on the caller's stack. */
static size_t count_args(va_list ap)
{
	size_t n = 1;

	while (va_arg(ap, const char *))
		n++;
	return n;
}

#define COLLECT_ARGS(argv, first, ap)                                                              \
	(argv)[0] = (char *)(uintptr_t)(first);                                                    \
	for (size_t i = 1; i < sizeof(argv) / sizeof(*(argv)); i++)                                \
		(argv)[i] = va_arg(ap, char *)

#define LIST_TO_VECTOR(argv, first)                                                                \
	va_list ap;                                                                                \
	size_t num;                                                                                \
	va_start(ap, first);                                                                       \
	num = count_args(ap);                                                                      \
	va_end(ap);                                                                                \
	char *argv[num + 1];                                                                       \
	va_start(ap, first);                                                                       \
	COLLECT_ARGS(argv, first, ap)

SHIM_EXPORT int execl(const char *path, const char *arg, ...)
{
	LIST_TO_VECTOR(argv, arg);
	va_end(ap);
	return execve(path, argv, environ);
}

SHIM_EXPORT int execlp(const char *file, const char *arg, ...)
{
	LIST_TO_VECTOR(argv, arg);
	va_end(ap);
	return execvpe(file, argv, environ);
}

SHIM_EXPORT int execle(const char *path, const char *arg, ...)
{
	char *const *envp;

	LIST_TO_VECTOR(argv, arg);
	envp = va_arg(ap, char *const *);
	va_end(ap);
	return execve(path, argv, envp);
}

/* ---- new processes ---- */

/* No second name for the child's half: fork() with all its handlers, also ours. */
SHIM_EXPORT pid_t vfork(void) { return fork(); }

SHIM_EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			    char *const *argv, char *const *envp)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(false);
	ret = REAL(posix_spawn)(pid, path, actions, attr, argv, env_build(&e, envp));
	env_free(&e);
	return ret;
}

SHIM_EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,
			     char *const *argv, char *const *envp)
{
	struct env e;
	int ret;

	if (shim.is_on)
		fd_share_all(false);
	ret = REAL(posix_spawnp)(pid, file, actions, attr, argv, env_build(&e, envp));
	env_free(&e);
	return ret;
}

SHIM_EXPORT int system(const char *command)
{
	if (shim.is_on)
		fd_share_all(true);
	return REAL(system)(command);
}

SHIM_EXPORT FILE *popen(const char *command, const char *mode)
{
	if (shim.is_on)
		fd_share_all(true);
	return REAL(popen)(command, mode);
}

/* ---- the end ---- */

static _Noreturn void leave(int status)
{
	if (shim.is_on)
		shim.tree->procs[proc_slot()].has_left = 1;
	REAL(_exit)(status);
	for (;;)
		; /* not reached */
}

SHIM_EXPORT _Noreturn void _exit(int status) { leave(status); }
SHIM_EXPORT _Noreturn void _Exit(int status) { leave(status); }

/* ---- syscall() ---- */

static long raw_syscall(long nr, const long *a)
{
	register long r10 __asm__("r10") = a[3];
	register long r8 __asm__("r8") = a[4];
	register long r9 __asm__("r9") = a[5];
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	if ((unsigned long)ret <= -4096ul)
		return ret;
	errno = (int)-ret;
	return -1;
}

#define P(i) ((void *)a[i])
#define I(i) ((int)a[i])

/* Calls on descriptors. Return: it was one of them. */
static bool fd_syscall(long nr, const long *a, long *ret)
{
	switch (nr) {
	case SYS_close: *ret = close(I(0)); return true;
	case SYS_close_range: *ret = close_range((unsigned int)a[0], (unsigned int)a[1], I(2)); return true;
	case SYS_dup: *ret = dup(I(0)); return true;
	case SYS_dup2: *ret = dup2(I(0), I(1)); return true;
	case SYS_dup3: *ret = dup3(I(0), I(1), I(2)); return true;
	case SYS_fcntl: *ret = fcntl(I(0), I(1), a[2]); return true;
	case SYS_ioctl: *ret = ioctl(I(0), (unsigned long)a[1], a[2]); return true;
	case SYS_read: *ret = read(I(0), P(1), (size_t)a[2]); return true;
	case SYS_write: *ret = write(I(0), P(1), (size_t)a[2]); return true;
	case SYS_readv: *ret = readv(I(0), P(1), I(2)); return true;
	case SYS_writev: *ret = writev(I(0), P(1), I(2)); return true;
	case SYS_poll: *ret = poll(P(0), (nfds_t)a[1], I(2)); return true;
	case SYS_epoll_ctl: *ret = epoll_ctl(I(0), I(1), I(2), P(3)); return true;
	case SYS_epoll_wait: *ret = epoll_wait(I(0), P(1), I(2), I(3)); return true;
	default: return false;
	}
}

static bool sock_syscall(long nr, const long *a, long *ret)
{
	switch (nr) {
	case SYS_socket: *ret = socket(I(0), I(1), I(2)); return true;
	case SYS_bind: *ret = bind(I(0), P(1), (socklen_t)a[2]); return true;
	case SYS_connect: *ret = connect(I(0), P(1), (socklen_t)a[2]); return true;
	case SYS_listen: *ret = listen(I(0), I(1)); return true;
	case SYS_accept: *ret = accept(I(0), P(1), P(2)); return true;
	case SYS_accept4: *ret = accept4(I(0), P(1), P(2), I(3)); return true;
	case SYS_shutdown: *ret = shutdown(I(0), I(1)); return true;
	case SYS_getsockname: *ret = getsockname(I(0), P(1), P(2)); return true;
	case SYS_getpeername: *ret = getpeername(I(0), P(1), P(2)); return true;
	case SYS_getsockopt: *ret = getsockopt(I(0), I(1), I(2), P(3), P(4)); return true;
	case SYS_setsockopt: *ret = setsockopt(I(0), I(1), I(2), P(3), (socklen_t)a[4]); return true;
	case SYS_sendto: *ret = sendto(I(0), P(1), (size_t)a[2], I(3), P(4), (socklen_t)a[5]); return true;
	case SYS_sendmsg: *ret = sendmsg(I(0), P(1), I(2)); return true;
	case SYS_sendmmsg: *ret = sendmmsg(I(0), P(1), (unsigned int)a[2], I(3)); return true;
	case SYS_recvfrom: *ret = recvfrom(I(0), P(1), (size_t)a[2], I(3), P(4), P(5)); return true;
	case SYS_recvmsg: *ret = recvmsg(I(0), P(1), I(2)); return true;
	case SYS_recvmmsg: *ret = recvmmsg(I(0), P(1), (unsigned int)a[2], I(3), P(4)); return true;
	default: return false;
	}
}

SHIM_EXPORT long syscall(long nr, ...)
{
	long a[6], ret;
	va_list ap;

	va_start(ap, nr);
	for (size_t i = 0; i < ARRAY_SIZE(a); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (nr != SYS_futex && shim.is_on && (fd_syscall(nr, a, &ret) || sock_syscall(nr, a, &ret)))
		return ret;
	return raw_syscall(nr, a);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Starting the program: descriptors to high numbers, environment, exec. */
/*
 * How it works: the child moves what it is to inherit above the numbers programs count from, without
 * close-on-exec, names them in the environment, puts the shim in front in LD_PRELOAD and becomes the program.
 * The shim stands beside this program in a build tree, in NARU_LIBDIR when installed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/tools.h"

#define SHIM_NAME "libnaru-preload.so"
#define FD_ROOM 64 /* descriptors the shim needs above TREE_FD_MIN */

/* Allocated path of the shim or NULL. */
static char *find_shim(void)
{
	char exe[PATH_MAX], path[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n > 0) {
		exe[n] = 0;
		snprintf(path, sizeof(path), "%s/../preload/" SHIM_NAME, dirname(exe));
		if (!access(path, R_OK))
			return realpath(path, NULL);
	}
	return realpath(NARU_LIBDIR "/" SHIM_NAME, NULL);
}

static bool set_preload(void)
{
	const char *old = getenv("LD_PRELOAD");
	char *shim = find_shim(), *all;

	if (!shim) {
		say(SHIM_NAME " is neither beside naru nor in " NARU_LIBDIR "; install naru, or run it from its build folder");
		return false;
	}
	if (!old || !*old)
		return !setenv("LD_PRELOAD", shim, 1);
	return asprintf(&all, "%s:%s", shim, old) > 0 && !setenv("LD_PRELOAD", all, 1);
}

/* The soft limit must leave room for our descriptors. */
static bool make_room(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return false;
	if (rl.rlim_cur >= TREE_FD_MIN + FD_ROOM)
		return true;
	rl.rlim_cur = rl.rlim_max < 1024 ? rl.rlim_max : 1024;
	return rl.rlim_cur >= TREE_FD_MIN + FD_ROOM && !setrlimit(RLIMIT_NOFILE, &rl);
}

static bool hand_over(const char *name, int fd)
{
	char text[16];
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD, TREE_FD_MIN);

	if (fd >= 0 && high < 0)
		return false;
	snprintf(text, sizeof(text), "%d", high);
	return !setenv(name, text, 1);
}

static _Noreturn void become(const struct start *s, int control)
{
	if (!make_room()) {
		say("too few descriptors are allowed; try: ulimit -n 4096");
		_exit(125);
	}
	if (!set_preload() || !hand_over(TREE_ENV_ARENA, s->fd_arena) || !hand_over(TREE_ENV_CONTROL, control) ||
	    !hand_over(TREE_ENV_KICK, s->fd_kick) || !hand_over(TREE_ENV_DEVICE, s->fd_device) ||
	    !hand_over(TREE_ENV_CAPTURE, s->fd_capture))
		_exit(125);
	execvp(s->argv[0], s->argv);
	say("%s: %s", s->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

pid_t program_start(const struct start *s, int control)
{
	sigset_t none;
	pid_t pid = fork();

	if (pid < 0)
		say("fork: %s", strerror(errno));
	if (pid)
		return pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	become(s, control);
}

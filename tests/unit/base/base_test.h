/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of base/ share: cmocka, arenas, child processes. */
#ifndef NARU_TESTS_BASE_TEST_H
#define NARU_TESTS_BASE_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/san.h"

/* Sanitizers slow a test down; what is proved does not grow with the count. */
#define ROUNDS(n) (SAN_ADDRESS || SAN_THREAD || SAN_MEMORY ? (n) / 10 : (n))

static inline struct arena *new_arena(uint64_t size, bool shared, int *fd)
{
	struct arena_config cfg = {.size = size, .layout_hash = 42, .is_shared = shared};
	struct arena *a = NULL;

	assert_int_equal(arena_create(&cfg, &a, fd), 0);
	return a;
}

/* Run @fn in a child. Return: its wait status. */
static inline int in_child(void (*fn)(void *), void *arg)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit none = {0, 0};

		setrlimit(RLIMIT_CORE, &none);
		fn(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Start @fn in a child, kill it somewhere in the middle. */
static inline void kill_in_the_middle(void (*fn)(void *), void *arg, unsigned delay_us)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(0);
	}
	assert_true(pid > 0);
	usleep(delay_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static inline bool died_of(int status, int sig)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static inline bool went_well(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static inline uint64_t next_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9e3779b97f4a7c15ull); /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

#endif

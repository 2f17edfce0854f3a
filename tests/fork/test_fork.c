/* SPDX-License-Identifier: BSD-2-Clause */
/* A child of fork() uses its parent's socket, and dies while it holds the socket's lock. */
/*
 * How it works: the world is shared (its locks are process-shared and robust). The child finds the arena at
 * the same address; the parent runs the peer's side. For the sudden death the child takes the socket's
 * lock itself, says so through a pipe and waits for SIGKILL: the kernel then marks the lock's owner dead.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/file.h"
#include "boot/world.h"
#include "naru/naru.h"

#define PORT 4000
#define BYTES 300000u
#define HANG_S 60
#define WAIT_MS 3000

struct fix {
	naru_world *w;
	naru_stack *st[2];
	int listener, s[2];
};

static void make_stacks(struct fix *f)
{
	struct naru_world_config wc = { .memory_bytes = 64u << 20, .is_shared = true, .seed = 5 };

	assert_int_equal(naru_world_new(&wc, &f->w), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(naru_stack_new(f->w, NULL, &f->st[i]), 0);
	assert_int_equal(naru_wire(f->st[0], "eth0", f->st[1], "eth0", NULL), 0);
	assert_int_equal(naru_addr_add(f->st[0], "eth0", "10.0.0.1/24"), 0);
	assert_int_equal(naru_addr_add(f->st[1], "eth0", "10.0.0.2/24"), 0);
}

static void connect_both(struct fix *f)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	inet_pton(AF_INET, "10.0.0.2", &a.sin_addr);
	f->listener = naru_socket(f->st[1], AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_bind(f->st[1], f->listener, (void *)&a, sizeof(a)), 0);
	assert_int_equal(naru_listen(f->st[1], f->listener, 8), 0);
	f->s[0] = naru_socket(f->st[0], AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_connect(f->st[0], f->s[0], (void *)&a, sizeof(a)), 0);
	f->s[1] = naru_accept(f->st[1], f->listener, NULL, NULL);
	assert_true(f->s[1] >= 0);
}

static void set_up(struct fix *f)
{
	alarm(HANG_S);
	make_stacks(f);
	connect_both(f);
}

static void note_pool(const char *name, uint32_t in_use, void *arg)
{
	if (in_use)
		print_message("left behind: %s %u\n", name, in_use);
	*(uint32_t *)arg += in_use;
}

static void end(struct fix *f)
{
	uint32_t live = 0;

	for (int i = 0; i < 2; i++)
		naru_stack_free(f->st[i]);
	world_each_pool(f->w->pools, note_pool, &live);
	assert_int_equal(live, 0);
	naru_world_free(f->w);
}

static uint8_t pattern(uint32_t n) { return (uint8_t)(n * 11 + (n >> 8)); }

/* In the child: no cmocka there, only an exit code. */
static int send_pattern(struct fix *f)
{
	uint8_t buf[5000];
	uint32_t sent = 0;

	while (sent < BYTES) {
		uint32_t n = BYTES - sent < sizeof(buf) ? BYTES - sent : (uint32_t)sizeof(buf);
		ssize_t r;

		for (uint32_t k = 0; k < n; k++)
			buf[k] = pattern(sent + k);
		r = naru_send(f->st[0], f->s[0], buf, n, 0);
		if (r <= 0)
			return 1;
		sent += (uint32_t)r;
	}
	return naru_shutdown(f->st[0], f->s[0], SHUT_WR) ? 2 : 0;
}

static void a_child_sends_over_a_socket_its_parent_made(void **state)
{
	struct fix f;
	uint8_t buf[7000];
	uint32_t got = 0;
	int status;
	ssize_t r;
	pid_t pid;

	(void)state;
	set_up(&f);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(send_pattern(&f));
	while ((r = naru_recv(f.st[1], f.s[1], buf, sizeof(buf), 0)) > 0) {
		for (ssize_t k = 0; k < r; k++)
			assert_int_equal(buf[k], pattern(got + (uint32_t)k));
		got += (uint32_t)r;
	}
	assert_int_equal(r, 0);
	assert_int_equal(got, BYTES);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	end(&f);
}

/* Fork a child that dies by SIGKILL at a moment when it holds the lock of a socket. */
static void kill_lock_holder(naru_stack *st, int s)
{
	int pipefd[2], status;
	char c;
	pid_t pid;

	assert_int_equal(pipe(pipefd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct file *file = file_lookup((struct stack *)st, s);

		sock_lock(file->sk);
		if (write(pipefd[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipefd[0], &c, 1), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(pipefd[0]);
	close(pipefd[1]);
	/* the supervisor's part: a call of the dead process held the file */
	file_put(pool_at(&((struct stack *)st)->pools->file, (uint32_t)s));
}

static ssize_t peer_reads(struct fix *f)
{
	struct pollfd p = { .fd = f->s[1], .events = POLLIN };
	uint8_t buf[100];

	assert_int_equal(naru_poll(f->st[1], &p, 1, WAIT_MS), 1);
	return naru_recv(f->st[1], f->s[1], buf, sizeof(buf), 0);
}

static void a_socket_whose_lock_holder_was_killed_is_reset(void **state)
{
	struct fix f;
	uint64_t recovered = 0;
	char c = 'x';

	(void)state;
	set_up(&f);
	kill_lock_holder(f.st[0], f.s[0]);
	assert_int_equal(naru_send(f.st[0], f.s[0], &c, 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(naru_send(f.st[0], f.s[0], &c, 1, MSG_NOSIGNAL), -1);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(peer_reads(&f), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(naru_counter(f.st[0], "NaruLocksRecovered", &recovered), 0);
	assert_int_equal(recovered, 1);
	assert_int_equal(naru_close(f.st[0], f.s[0]), 0);
	assert_int_equal(naru_close(f.st[1], f.s[1]), 0);
	end(&f);
}

/* Data was in every queue: sent and not acknowledged, received and not read, waiting in the backlog. */
static void what_a_broken_socket_held_is_given_back(void **state)
{
	static uint8_t buf[100000];
	struct fix f;

	(void)state;
	set_up(&f);
	while (naru_send(f.st[0], f.s[0], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	while (naru_send(f.st[1], f.s[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	kill_lock_holder(f.st[0], f.s[0]);
	naru_run_for(f.st[0], 300 * NS_PER_MS); /* timers find the lock */
	while (naru_recv(f.st[1], f.s[1], buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(naru_close(f.st[0], f.s[0]), 0);
	assert_int_equal(naru_close(f.st[1], f.s[1]), 0);
	end(&f);
}

/* A listener's holder dies: who waits in its queue is reset, the port is free again. */
static void a_broken_listener_resets_its_children_and_frees_its_port(void **state)
{
	struct fix f;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	int waiting;
	char c;

	(void)state;
	set_up(&f);
	inet_pton(AF_INET, "10.0.0.2", &a.sin_addr);
	waiting = naru_socket(f.st[0], AF_INET, SOCK_STREAM, 0);
	assert_int_equal(naru_connect(f.st[0], waiting, (void *)&a, sizeof(a)), 0);
	naru_run_for(f.st[0], 10 * NS_PER_MS); /* the handshake's last ACK */
	kill_lock_holder(f.st[1], f.listener);
	assert_int_equal(naru_accept4(f.st[1], f.listener, NULL, NULL, SOCK_NONBLOCK), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(naru_recv(f.st[0], waiting, &c, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	assert_int_equal(naru_send(f.st[0], f.s[0], "y", 1, 0), 1); /* an accepted connection is not touched */
	assert_int_equal(naru_recv(f.st[1], f.s[1], &c, 1, 0), 1);
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_sends_over_a_socket_its_parent_made),
		cmocka_unit_test(a_socket_whose_lock_holder_was_killed_is_reset),
		cmocka_unit_test(what_a_broken_socket_held_is_given_back),
		cmocka_unit_test(a_broken_listener_resets_its_children_and_frees_its_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

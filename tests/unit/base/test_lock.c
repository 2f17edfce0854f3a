/* SPDX-License-Identifier: BSD-2-Clause */
/* Locks across processes and deaths, ranks, wait queues. */
#include "base_test.h"

#include <pthread.h>

#include "base/clock.h"

struct world {
	struct lock sock, ports;
	struct waitq q;
	_Atomic uint32_t stage;
	uint32_t counter;
	uint32_t recovered; /* class whose handler ran, and with the lock held */
};

static void recover_sock(struct lock *l)
{
	struct world *w = container_of(l, struct world, sock);

	BUG_ON(!lock_is_held_by_me(l));
	w->recovered++;
	w->counter = 1000;
}

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM] = {[LOCK_SOCK] = recover_sock};

static struct arena *arena;
static struct world *w;

static int make_world(void **state)
{
	(void)state;
	arena = new_arena(ARENA_MIN_BYTES, true, NULL);
	w = arena_alloc(arena, sizeof(*w));
	lock_init(&w->sock, LOCK_SOCK, true);
	lock_init(&w->ports, LOCK_PORTS, true);
	return 0;
}

static int drop_world(void **state)
{
	(void)state;
	arena_unmap(arena);
	return 0;
}

static void take_and_wait_for_death(void *arg)
{
	lock_take(arg);
	w->counter = 5; /* half an update */
	atomic_store(&w->stage, 1);
	for (;;)
		pause();
}

static void kill_holder_of(struct lock *l)
{
	pid_t pid = fork();

	if (pid == 0)
		take_and_wait_for_death(l);
	while (!atomic_load(&w->stage))
		usleep(100);
	assert_false(lock_try(l));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void the_next_taker_gets_a_dead_holders_lock_and_repairs(void **state)
{
	(void)state;
	kill_holder_of(&w->sock);
	lock_take(&w->sock);
	assert_int_equal(w->recovered, 1);
	assert_int_equal(w->counter, 1000);
	assert_int_equal(w->sock.was_abandoned, 1);
	w->sock.was_abandoned = 0;
	lock_drop(&w->sock);
	lock_take(&w->sock); /* an ordinary lock again */
	assert_int_equal(w->recovered, 1);
	assert_int_equal(w->sock.was_abandoned, 0);
	lock_drop(&w->sock);
}

static void trying_a_dead_holders_lock_repairs_too(void **state)
{
	(void)state;
	kill_holder_of(&w->sock);
	assert_true(lock_try(&w->sock));
	assert_int_equal(w->recovered, 1);
	lock_drop(&w->sock);
}

static void a_class_without_handler_is_only_marked(void **state)
{
	(void)state;
	kill_holder_of(&w->ports);
	lock_take(&w->ports);
	assert_int_equal(w->ports.was_abandoned, 1);
	assert_int_equal(w->recovered, 0);
	lock_drop(&w->ports);
}

static void count_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		lock_take(&w->sock);
		w->counter++;
		lock_drop(&w->sock);
	}
}

static void processes_exclude_each_other(void **state)
{
	pid_t pid = fork();

	(void)state;
	count_up(NULL);
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(w->counter, 40000);
}

static void *count_up_thread(void *l)
{
	for (int i = 0; i < 20000; i++) {
		lock_take(l);
		w->counter++;
		lock_drop(l);
	}
	return NULL;
}

static void threads_exclude_each_other_with_a_private_lock(void **state)
{
	struct lock l;
	pthread_t t[4];

	(void)state;
	lock_init(&l, LOCK_DEV, false);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, count_up_thread, &l), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(w->counter, 80000);
	lock_done(&l);
}

#if NARU_DEBUG

static void take_in_the_wrong_order(void *arg)
{
	(void)arg;
	lock_take(&w->ports);
	lock_take(&w->sock);
}

static void take_twice(void *arg)
{
	struct lock other;

	(void)arg;
	lock_init(&other, LOCK_SOCK, false);
	lock_take(&w->sock);
	lock_take(&other); /* another lock of the same class */
}

static void drop_what_is_not_held(void *arg)
{
	(void)arg;
	lock_drop(&w->sock);
}

static void a_wrong_order_aborts(void **state)
{
	(void)state;
	assert_true(died_of(in_child(take_in_the_wrong_order, NULL), SIGABRT));
	assert_true(died_of(in_child(take_twice, NULL), SIGABRT));
	assert_true(died_of(in_child(drop_what_is_not_held, NULL), SIGABRT));
}

static void a_thread_knows_what_it_holds(void **state)
{
	(void)state;
	assert_false(lock_thread_holds_any());
	lock_take(&w->sock);
	lock_take(&w->ports);
	assert_true(lock_is_held_by_me(&w->sock));
	lock_drop(&w->sock); /* not the last taken */
	assert_false(lock_is_held_by_me(&w->sock));
	assert_true(lock_is_held_by_me(&w->ports));
	assert_true(lock_try(&w->sock)); /* trying is free of ranks */
	lock_drop(&w->sock);
	lock_drop(&w->ports);
	assert_false(lock_thread_holds_any());
}

#endif

static void wait_for_stage(uint32_t stage)
{
	for (;;) {
		uint32_t ticket = waitq_begin(&w->q);
		bool is_there = atomic_load(&w->stage) >= stage;

		if (!is_there)
			waitq_sleep(&w->q, ticket, UINT64_MAX);
		waitq_end(&w->q);
		if (is_there)
			return;
	}
}

static void play_ping_pong(uint32_t first)
{
	for (uint32_t i = 0; i < 2000; i++) {
		wait_for_stage(2 * i + first);
		atomic_fetch_add(&w->stage, 1);
		waitq_wake(&w->q, INT32_MAX);
	}
}

static void no_wake_up_is_lost_between_two_processes(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		play_ping_pong(1);
		_exit(0);
	}
	play_ping_pong(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(atomic_load(&w->stage), 4000);
	assert_int_equal(atomic_load(&w->q.num_waiters), 0);
}

static void a_sleep_ends_at_its_deadline_and_at_a_stale_ticket(void **state)
{
	struct clock c;
	uint32_t ticket = waitq_begin(&w->q);
	uint64_t deadline;

	(void)state;
	clock_init(&c, CLOCK_KIND_REAL, 0, 0);
	deadline = clock_now_ns(&c) + 20 * NS_PER_MS;
	assert_int_equal(waitq_sleep(&w->q, ticket, deadline), -ETIMEDOUT);
	assert_true(clock_now_ns(&c) >= deadline);
	assert_int_equal(waitq_sleep(&w->q, ticket, 0), -ETIMEDOUT);
	waitq_wake(&w->q, 1);
	assert_int_equal(waitq_sleep(&w->q, ticket, UINT64_MAX), 0);
	waitq_end(&w->q);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void a_signal_interrupts_a_sleep(void **state)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	uint32_t ticket = waitq_begin(&w->q);

	(void)state;
	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	assert_int_equal(waitq_sleep(&w->q, ticket, UINT64_MAX), -EINTR);
	waitq_end(&w->q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, make_world, drop_world)
		T(the_next_taker_gets_a_dead_holders_lock_and_repairs),
		T(trying_a_dead_holders_lock_repairs_too),
		T(a_class_without_handler_is_only_marked),
		T(processes_exclude_each_other),
		T(threads_exclude_each_other_with_a_private_lock),
#if NARU_DEBUG
		T(a_wrong_order_aborts),
		T(a_thread_knows_what_it_holds),
#endif
		T(no_wake_up_is_lost_between_two_processes),
		T(a_sleep_ends_at_its_deadline_and_at_a_stale_ticket),
		T(a_signal_interrupts_a_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The soft interrupt and sleeping: time, timers, deferred sockets, kicks between threads. */
#define _GNU_SOURCE
#include <stdatomic.h>
struct stack;
struct skb;
struct sock;
struct timer;
struct proto_ops;
struct dev_ops;
static void note_l3(struct stack *st, struct skb *skb);
static void note_timer(struct stack *st, struct timer *t);
static void test_sock_free(struct sock *sk);
extern const struct proto_ops test_proto;
extern const struct dev_ops test_dev_ops;
#define T_L3_RCV note_l3
#define T_TIMER note_timer
#define T_PROTO (&test_proto)
#define T_SOCK_FREE test_sock_free
#define T_DEV (&test_dev_ops)
#include "../core/core_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#include "base/proc.h"
#include "core/sweep.h"
#include "pump/pump.h"

/* What the ranks above would do. */
struct log {
	_Atomic uint32_t frames, timers, resumes, polls;
	uint64_t timer_ns[16];
	uint32_t timer_stack[16];
	struct sock *wake; /* by the timer */
};
static struct log *g_log(void)
{
	static struct log l; /* one test at a time */

	return &l;
}

static void note_l3(struct stack *st, struct skb *skb)
{
	atomic_fetch_add(&g_log()->frames, 1);
	skb_free(st, skb);
}

static void note_timer(struct stack *st, struct timer *t)
{
	struct log *l = g_log();
	uint32_t n = atomic_load(&l->timers); /* the pump's holder alone counts */

	(void)t;
	if (n < 16) {
		l->timer_ns[n] = stack_now_ns(st);
		l->timer_stack[n] = st->id;
	}
	atomic_store(&l->timers, n + 1);
	if (l->wake)
		sock_wake(l->wake, EPOLLIN);
}

static void note_release(struct sock *sk, uint32_t bits)
{
	(void)sk;
	if (bits & SOCK_DEFER_TSQ)
		atomic_fetch_add(&g_log()->resumes, 1);
}

static void test_sock_free(struct sock *sk)
{
	sock_done(sk);
}
const struct proto_ops test_proto = {.name = "test", .release_cb = note_release};

static int test_poll(struct netdev *dev, int budget)
{
	char c;
	int n = 0;

	while (n < budget && read(proc_fd_get(dev), &c, 1) == 1)
		n++;
	atomic_fetch_add(&g_log()->polls, (uint32_t)n);
	return n;
}
static int test_fd(struct netdev *dev)
{
	return proc_fd_get(dev);
}
const struct dev_ops test_dev_ops = {.name = "test", .poll = test_poll, .fd = test_fd};

static int set_up_pump(void **state)
{
	struct fixture *f;

	memset(g_log(), 0, sizeof(struct log));
	set_up(state);
	f = *state;
	return pump_init(f->st);
}

static int set_up_pump_real(void **state)
{
	struct fixture *f;

	memset(g_log(), 0, sizeof(struct log));
	set_up_real(state);
	f = *state;
	return pump_init(f->st);
}

static struct sock *new_sock(struct fixture *f)
{
	struct sock *sk = arena_alloc(f->arena, sizeof(*sk));

	sock_init(sk, f->st, PROTO_UDP, AF_INET, SOCK_DGRAM);
	return sk;
}

static struct timer *arm_at(struct stack *st, uint64_t ns)
{
	struct timer *t = arena_alloc(st->pools->arena, sizeof(*t));

	timer_init(t, TIMER_TCP_WRITE);
	timer_arm(&st->timers, t, timers_ns_to_tick(&st->timers, ns));
	return t;
}

static void a_step_moves_the_clock_to_the_next_event_of_any_stack(void **state)
{
	struct fixture *f = *state;
	struct stack *b = stack_alloc(f->pools, 1000, 2);
	struct log *l = g_log();
	uint64_t t0 = TEST_START_NS, ms = NS_PER_MS;

	assert_int_equal(pump_init(b), 0);
	arm_at(b, t0 + 5 * ms);
	arm_at(f->st, t0 + 9 * ms);
	arm_at(b, t0 + 9 * ms);
	assert_int_equal(pump_next_event_ns(f->pools), t0 + 5 * ms);
	assert_true(pump_step(f->st, t0 + 100 * ms));
	assert_int_equal(stack_now_ns(b), t0 + 5 * ms);
	assert_int_equal(l->timers, 1);
	assert_true(pump_step(f->st, t0 + 7 * ms)); /* not past the limit */
	assert_int_equal(stack_now_ns(b), t0 + 7 * ms);
	assert_false(pump_step(f->st, t0 + 7 * ms));
	assert_true(pump_step(f->st, UINT64_MAX));
	assert_int_equal(l->timers, 3);
	assert_int_equal(l->timer_stack[1], f->st->id); /* same time: order of ids */
	assert_int_equal(l->timer_stack[2], b->id);
	assert_int_equal(l->timer_ns[2], t0 + 9 * ms);
	assert_false(pump_step(f->st, UINT64_MAX)); /* nothing can ever come */
}

static void a_cancelled_timer_does_not_make_time_stand_still(void **state)
{
	struct fixture *f = *state;
	struct timer *t = arm_at(f->st, TEST_START_NS + NS_PER_MS);

	arm_at(f->st, TEST_START_NS + NS_PER_S);
	assert_true(timer_cancel(&f->st->timers, t));
	for (int i = 0; i < 3 && pump_step(f->st, UINT64_MAX); i++)
		;
	assert_int_equal(g_log()->timers, 1);
	assert_int_equal(stack_now_ns(f->st), TEST_START_NS + NS_PER_S);
}

static void a_sleep_ends_by_wake_by_limit_or_because_nothing_can_come(void **state)
{
	struct fixture *f = *state;
	struct sock *sk = new_sock(f);
	uint32_t ticket;

	ticket = waitq_begin(&sk->wq);
	assert_int_equal(pump_sleep(f->st, &sk->wq, ticket, UINT64_MAX), -EDEADLK);
	assert_int_equal(pump_sleep(f->st, &sk->wq, ticket, TEST_START_NS + 30), -ETIMEDOUT);
	assert_int_equal(stack_now_ns(f->st), TEST_START_NS + 30);
	g_log()->wake = sk;
	arm_at(f->st, TEST_START_NS + NS_PER_S);
	assert_int_equal(pump_sleep(f->st, &sk->wq, ticket, UINT64_MAX), 0);
	assert_int_equal(stack_now_ns(f->st), TEST_START_NS + NS_PER_S);
	waitq_end(&sk->wq);
}

static void a_socket_queued_twice_resumes_once(void **state)
{
	struct fixture *f = *state;
	struct sock *sk = new_sock(f), *other = new_sock(f);

	pump_queue_tsq(sk);
	pump_queue_tsq(other);
	pump_queue_tsq(sk);
	assert_int_equal(atomic_load(&sk->refs), 2);
	pump_kick_here(f->st);
	assert_int_equal(g_log()->resumes, 2);
	assert_int_equal(atomic_load(&sk->refs), 1);
	pump_queue_tsq(sk);
	pump_kick_here(f->st);
	assert_int_equal(g_log()->resumes, 3);
}

/* ---- real clock ---- */

struct sleeper {
	struct fixture *f;
	struct sock *sk;
	uint64_t limit_ns, took_ns;
	_Atomic uint32_t is_ready; /* the condition it waits for */
	int result;
};

static void *sleep_on_sock(void *arg)
{
	struct sleeper *s = arg;
	uint64_t from = stack_now_ns(s->f->st);

	s->result = 0;
	while (!s->result) {
		uint32_t ticket = waitq_begin(&s->sk->wq);

		if (atomic_load(&s->is_ready)) {
			waitq_end(&s->sk->wq);
			break;
		}
		s->result = pump_sleep(s->f->st, &s->sk->wq, ticket, from + s->limit_ns);
		waitq_end(&s->sk->wq);
	}
	s->took_ns = stack_now_ns(s->f->st) - from;
	return NULL;
}

static void nap(long ms)
{
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

static void sleepers_of_several_threads_are_woken_by_another(void **state)
{
	struct fixture *f = *state;
	struct sleeper s[3];
	pthread_t th[3];

	for (int i = 0; i < 3; i++) {
		s[i] = (struct sleeper){.f = f, .sk = new_sock(f), .limit_ns = 20 * NS_PER_S};
		pthread_create(&th[i], NULL, sleep_on_sock, &s[i]);
	}
	nap(50); /* one drives, the others sleep */
	for (int i = 0; i < 3; i++) {
		atomic_store(&s[i].is_ready, 1);
		sock_wake(s[i].sk, EPOLLIN);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(th[i], NULL);
		assert_int_equal(s[i].result, 0);
		assert_in_range(s[i].took_ns, 40 * NS_PER_MS,
				500 * NS_PER_MS * (SAN_THREAD ? 10 : 1));
	}
}

/* The driver's own wait ends; the one beside it must see the next timer without delay. */
static void who_stands_by_follows_a_driver_that_leaves(void **state)
{
	struct fixture *f = *state;
	struct sleeper s[2];
	pthread_t th[2];

	for (int i = 0; i < 2; i++) {
		s[i] = (struct sleeper){.f = f, .sk = new_sock(f), .limit_ns = 20 * NS_PER_S};
		pthread_create(&th[i], NULL, sleep_on_sock, &s[i]);
		nap(20);
	}
	atomic_store(&s[0].is_ready, 1);
	sock_wake(s[0].sk, EPOLLIN);
	pthread_join(th[0], NULL);
	nap(20);
	assert_true(atomic_load(&f->pools->driver)); /* the other drives now */
	assert_true(atomic_load(&f->pools->driver_until_ns));
	atomic_store(&s[1].is_ready, 1);
	sock_wake(s[1].sk, EPOLLIN);
	pthread_join(th[1], NULL);
	assert_int_equal(s[1].result, 0);
	assert_int_equal(atomic_load(&f->pools->driver), 0);
	assert_int_equal(atomic_load(&f->pools->standby), 0);
}

static void a_timer_armed_meanwhile_is_not_slept_over(void **state)
{
	struct fixture *f = *state;
	struct sleeper s = {.f = f, .sk = new_sock(f), .limit_ns = 20 * NS_PER_S};
	uint64_t due;
	pthread_t th;

	arm_at(f->st, stack_now_ns(f->st) + 10 * NS_PER_S);
	pthread_create(&th, NULL, sleep_on_sock, &s);
	nap(30);
	due = stack_now_ns(f->st) + 20 * NS_PER_MS;
	arm_at(f->st, due);
	pump_kick_here(f->st); /* the end of this thread's call */
	while (!atomic_load(&g_log()->timers) && stack_now_ns(f->st) < due + 5 * NS_PER_S)
		nap(1);
	assert_in_range(g_log()->timer_ns[0], due - NS_PER_MS,
			due + 300 * NS_PER_MS * (SAN_THREAD ? 10 : 1));
	atomic_store(&s.is_ready, 1);
	sock_wake(s.sk, EPOLLIN);
	pthread_join(th, NULL);
}

static void a_sleep_keeps_its_limit(void **state)
{
	struct fixture *f = *state;
	struct sleeper s = {.f = f, .sk = new_sock(f), .limit_ns = 30 * NS_PER_MS};

	sleep_on_sock(&s);
	assert_int_equal(s.result, -ETIMEDOUT);
	assert_in_range(s.took_ns, 30 * NS_PER_MS, 2 * NS_PER_S);
}

static void ignore_signal(int sig)
{
	(void)sig;
}

static void a_signal_ends_a_sleep(void **state)
{
	struct fixture *f = *state;
	struct sleeper s = {.f = f, .sk = new_sock(f), .limit_ns = 20 * NS_PER_S};
	struct sigaction sa = {.sa_handler = ignore_signal};
	pthread_t th;

	sigaction(SIGUSR1, &sa, NULL);
	pthread_create(&th, NULL, sleep_on_sock, &s);
	nap(30);
	pthread_kill(th, SIGUSR1);
	pthread_join(th, NULL);
	assert_int_equal(s.result, -EINTR);
}

static void a_driver_in_poll_wakes_for_its_device_and_for_others(void **state)
{
	struct fixture *f = *state;
	struct sleeper s = {.f = f, .sk = new_sock(f), .limit_ns = 20 * NS_PER_S};
	struct netdev *dev;
	int p[2], kick;
	pthread_t th;

	assert_int_equal(pipe2(p, O_NONBLOCK), 0);
	assert_int_equal(netdev_alloc(f->st, "t0", DEV_TAP, &dev), 0);
	dev->flags = NETDEV_UP;
	assert_int_equal(proc_fd_set(dev, p[0]), 0);
	kick = pump_kick_fd_open(f->pools);
	assert_true(kick >= 0);
	pthread_create(&th, NULL, sleep_on_sock, &s);
	nap(30);
	assert_int_equal(write(p[1], "x", 1), 1);
	for (int i = 0; i < 2000 && !atomic_load(&g_log()->polls); i++)
		nap(1);
	assert_int_equal(g_log()->polls, 1);
	nap(30);
	atomic_store(&s.is_ready, 1);
	sock_wake(s.sk, EPOLLIN);
	pthread_join(th, NULL);
	assert_int_equal(s.result, 0);
	assert_in_range(s.took_ns, 50 * NS_PER_MS, 5 * NS_PER_S);
	proc_fd_set(dev, -1);
	proc_fd_set(f->pools, -1);
	close(kick);
	close(p[0]);
	close(p[1]);
}

struct giver {
	struct fixture *f;
	struct netdev *dev;
	uint32_t num;
};

static void *give_frames(void *arg)
{
	struct giver *g = arg;

	for (uint32_t i = 0; i < g->num; i++) {
		struct skb *s;

		while (!(s = skb_alloc(g->f->st, POOL_NORMAL)))
			pump_kick_here(g->f->st);
		memset(skb_put(s, 20), 0x45, 20);
		netif_rx(g->dev, s);
		pump_kick_here(g->f->st);
	}
	return NULL;
}

/* The pump's holder looks again after it has let go: no frame waits for the next call. */
static void no_frame_is_left_when_the_last_thread_returns(void **state)
{
	struct fixture *f = *state;
	struct giver g = {.f = f, .num = SAN_THREAD || SAN_ADDRESS ? 3000 : 50000};
	pthread_t th[4];

	assert_int_equal(netdev_alloc(f->st, "t0", DEV_NONE, &g.dev), 0);
	g.dev->flags = NETDEV_UP | NETDEV_NOARP;
	for (int i = 0; i < 4; i++)
		pthread_create(&th[i], NULL, give_frames, &g);
	for (int i = 0; i < 4; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(g_log()->frames, 4 * g.num);
	assert_nothing_held(f);
}

static int set_up_pump_shared(void **state)
{
	struct arena_config cfg = {.size = 64u << 20, .layout_hash = 1, .is_shared = true};
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = -1;

	memset(g_log(), 0, sizeof(struct log));
	assert_int_equal(arena_create(&cfg, &f->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(f->arena, CLOCK_KIND_VIRTUAL, TEST_START_NS, &f->pools),
			 0);
	f->st = stack_alloc(f->pools, 1000, 1);
	*state = f;
	return pump_init(f->st);
}

static void the_frames_of_a_killed_pump_are_dropped_and_it_goes_on(void **state)
{
	struct fixture *f = *state;
	struct giver g = {.f = f, .num = 5};
	pid_t pid;

	assert_int_equal(netdev_alloc(f->st, "t0", DEV_NONE, &g.dev), 0);
	g.dev->flags = NETDEV_UP | NETDEV_NOARP;
	pid = fork();
	if (pid == 0) {
		proc_set_slot(9);
		lock_take(&f->st->pump->lock);
		give_frames(&g); /* they wait: the pump is taken */
		netif_rx_take_all(f->st, &f->st->pump->batch);
		skb_dequeue(&f->st->pump->batch); /* one in its hands */
		netif_rx(g.dev, skb_dequeue(&f->st->pump->batch));
		lock_take(&f->st->rxq_lock);
		f->st->rxq.first = (void *)1; /* half an update */
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	pump_run(f->st);
	assert_int_equal(g_log()->frames, 0);
	assert_int_equal(skb_sweep_proc(f->pools, 9), 1);
	assert_int_equal(pool_in_use(&f->pools->skb), 0);
	give_frames(&g);
	assert_int_equal(g_log()->frames, 5);
	assert_nothing_held(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up_pump, tear_down)
#define R(name) cmocka_unit_test_setup_teardown(name, set_up_pump_real, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_step_moves_the_clock_to_the_next_event_of_any_stack),
		T(a_cancelled_timer_does_not_make_time_stand_still),
		T(a_sleep_ends_by_wake_by_limit_or_because_nothing_can_come),
		T(a_socket_queued_twice_resumes_once),
		R(sleepers_of_several_threads_are_woken_by_another),
		R(who_stands_by_follows_a_driver_that_leaves),
		R(a_timer_armed_meanwhile_is_not_slept_over),
		R(a_sleep_keeps_its_limit),
		R(a_signal_ends_a_sleep),
		R(a_driver_in_poll_wakes_for_its_device_and_for_others),
		R(no_frame_is_left_when_the_last_thread_returns),
		cmocka_unit_test_setup_teardown(the_frames_of_a_killed_pump_are_dropped_and_it_goes_on,
						set_up_pump_shared, tear_down),
	};

	return cmocka_run_group_tests_name("pump", tests, NULL, NULL);
}

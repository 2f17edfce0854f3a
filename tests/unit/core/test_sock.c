/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket lock, its backlog and deferred work; charging; a holder that dies. */
#define _GNU_SOURCE
#include <stdatomic.h>
#include "core/proto.h"
extern const struct proto_ops test_proto;
static void test_sock_free(struct sock *sk);
#define T_PROTO (&test_proto)
#define T_SOCK_FREE test_sock_free
#include "core_test.h"

#include <pthread.h>
#include <sys/wait.h>

#include "core/errq.h"
#include "core/sweep.h"
#include "core/ubuf.h"

/* What the fake protocol saw; private fields are touched only with the lock held. */
struct test_sock {
	struct sock sk;
	uint32_t seen;        /* packets */
	uint32_t last_of[16]; /* last number of each sender */
	uint32_t out_of_order;
	uint32_t defer_runs, defer_bits;
	uint32_t resets, write_spaces;
	bool is_freed;
};

static void note_rcv(struct sock *sk, struct skb *skb)
{
	struct test_sock *t = (struct test_sock *)sk;
	uint32_t who = skb->mark >> 24, num = skb->mark & 0xffffff;

	t->seen++;
	if (num != t->last_of[who] + 1)
		t->out_of_order++;
	t->last_of[who] = num;
	skb_free(sk->stack, skb);
}

static void note_release(struct sock *sk, uint32_t bits)
{
	((struct test_sock *)sk)->defer_runs++;
	((struct test_sock *)sk)->defer_bits |= bits;
}

static void note_reset(struct sock *sk)
{
	((struct test_sock *)sk)->resets++;
	skb_sweep_sock(sk);
}

static void note_space(struct sock *sk)
{
	((struct test_sock *)sk)->write_spaces++;
}

const struct proto_ops test_proto = {
	.name = "test",
	.backlog_rcv = note_rcv,
	.release_cb = note_release,
	.reset_broken = note_reset,
	.write_space = note_space,
};

static void test_sock_free(struct sock *sk)
{
	sock_done(sk);
	((struct test_sock *)sk)->is_freed = true;
}

static struct test_sock *new_sock(struct fixture *f)
{
	struct test_sock *t = arena_alloc(f->arena, sizeof(*t));

	sock_init(&t->sk, f->st, PROTO_UDP, AF_INET, SOCK_DGRAM);
	return t;
}

static struct skb *numbered(struct fixture *f, uint32_t who, uint32_t num)
{
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);

	if (s)
		s->mark = who << 24 | num;
	return s;
}

static void a_packet_for_a_free_socket_is_worked_off_at_once(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);

	assert_true(sock_receive_skb(&t->sk, numbered(f, 0, 1), 1000));
	assert_int_equal(t->seen, 1);
	sock_put(&t->sk);
	assert_true(t->is_freed);
	assert_nothing_held(f);
}

struct giver {
	struct fixture *f;
	struct test_sock *t;
	uint32_t who, num, given;
};

static void *give_while_held(void *arg)
{
	struct giver *g = arg;

	for (uint32_t i = 1; i <= g->num; i++) {
		struct skb *s = numbered(g->f, g->who, i);

		g->given += sock_receive_skb(&g->t->sk, s, 2 * SKB_TRUESIZE);
	}
	return NULL;
}

static void packets_that_meet_a_held_socket_wait_in_order_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	struct giver g = {.f = f, .t = t, .num = 5};
	pthread_t th;

	sock_lock(&t->sk);
	pthread_create(&th, NULL, give_while_held, &g);
	pthread_join(th, NULL);
	/* Tested before adding: the third one still goes in. */
	assert_int_equal(g.given, 3);
	assert_int_equal(atomic_load(&t->sk.drops), 2);
	assert_int_equal(t->seen, 0);
	assert_null(skb_queue_check(&t->sk.backlog, SKB_IN_BACKLOG));
	sock_release(&t->sk);
	assert_int_equal(t->seen, 3);
	assert_int_equal(t->out_of_order, 0);
	assert_int_equal(atomic_load(&t->sk.backlog_truesize), 0);
	sock_put(&t->sk);
	assert_nothing_held(f);
}

static void *defer_some(void *arg)
{
	sock_defer(arg, SOCK_DEFER_TSQ);
	sock_defer(arg, SOCK_DEFER_ACK);
	return NULL;
}

static void deferred_work_runs_when_the_holder_lets_go(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	pthread_t th;

	sock_lock(&t->sk);
	pthread_create(&th, NULL, defer_some, &t->sk);
	pthread_join(th, NULL);
	assert_int_equal(t->defer_runs, 0);
	sock_release(&t->sk);
	assert_int_equal(t->defer_runs, 1);
	assert_int_equal(t->defer_bits, SOCK_DEFER_TSQ | SOCK_DEFER_ACK);
	sock_defer(&t->sk, SOCK_DEFER_MTU); /* nobody holds it */
	assert_int_equal(t->defer_runs, 2);
	sock_put(&t->sk);
}

#define STRESS_THREADS 4
#define STRESS_PACKETS (SAN_THREAD || SAN_ADDRESS ? 4000u : 40000u)

static void *stress_give(void *arg)
{
	struct giver *g = arg;

	for (uint32_t i = 1; i <= g->num; i++) {
		struct skb *s;

		while (!(s = numbered(g->f, g->who, i)))
			sched_yield();
		g->given += sock_receive_skb(&g->t->sk, s, UINT64_MAX);
		if (i % 64 == 0)
			sock_defer(&g->t->sk, SOCK_DEFER_TSQ);
	}
	return NULL;
}

static void *stress_hold(void *arg)
{
	struct giver *g = arg;

	for (uint32_t i = 0; i < g->num; i++) {
		sock_lock(&g->t->sk);
		if (i % 3 == 0)
			sock_flush_backlog(&g->t->sk);
		sock_release(&g->t->sk);
	}
	return NULL;
}

/* No packet is lost and none waits for a holder that has gone, however the threads interleave. */
static void no_packet_is_lost_between_givers_and_holders(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	struct giver g[STRESS_THREADS + 1];
	pthread_t th[STRESS_THREADS + 1];

	for (uint32_t i = 0; i <= STRESS_THREADS; i++) {
		g[i] = (struct giver){.f = f, .t = t, .who = i, .num = STRESS_PACKETS};
		pthread_create(&th[i], NULL, i < STRESS_THREADS ? stress_give : stress_hold, &g[i]);
	}
	for (uint32_t i = 0; i <= STRESS_THREADS; i++)
		pthread_join(th[i], NULL);
	assert_int_equal(t->seen, STRESS_THREADS * STRESS_PACKETS); /* without another release */
	assert_int_equal(t->out_of_order, 0);
	assert_int_equal(atomic_load(&t->sk.deferred), 0);
	assert_int_equal(atomic_load(&t->sk.backlog_truesize), 0);
	sock_put(&t->sk);
	assert_nothing_held(f);
}

static void a_packet_below_holds_its_socket_and_its_charge(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	struct skb *s = skb_alloc(f->st, POOL_NORMAL), *r = skb_alloc(f->st, POOL_NORMAL);

	skb_set_owner_w(s, &t->sk, SKB_DTOR_SOCK_WFREE);
	skb_set_owner_r(r, &t->sk);
	assert_int_equal(atomic_load(&t->sk.wmem_alloc), SKB_TRUESIZE);
	assert_int_equal(atomic_load(&t->sk.rmem_alloc), SKB_TRUESIZE);
	skb_free(f->st, r);
	assert_int_equal(atomic_load(&t->sk.rmem_alloc), 0);
	sock_put(&t->sk); /* the program closed it */
	assert_false(t->is_freed);
	skb_free(f->st, s);
	assert_int_equal(t->write_spaces, 1);
	assert_true(t->is_freed);
	assert_nothing_held(f);
}

static void zerocopy_notices_whose_ids_follow_each_other_become_one(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	struct ubuf *u[4];
	struct skb *s, *c, *e;

	for (uint32_t i = 0; i < 4; i++)
		u[i] = ubuf_alloc(&t->sk, i);
	s = skb_alloc(f->st, POOL_NORMAL);
	s->ubuf = u[0];
	c = skb_clone(f->st, s, POOL_NORMAL);
	skb_free(f->st, s);
	assert_null(skb_peek(&t->sk.error_queue)); /* T90.1: the clone still uses it */
	skb_free(f->st, c);
	ubuf_put(f->st, u[1]);
	ubuf_abort(f->st, u[2]); /* its call failed: nobody is told */
	atomic_store(&u[3]->is_copied, 1);
	ubuf_put(f->st, u[3]);
	e = sock_dequeue_err_skb(&t->sk);
	assert_int_equal(errq_cb(e)->ee_origin, 5); /* T90.2 */
	assert_int_equal(errq_cb(e)->ee_info, 0);
	assert_int_equal(errq_cb(e)->ee_data, 1);
	assert_int_equal(errq_cb(e)->ee_code, 0);
	skb_free(f->st, e);
	e = sock_dequeue_err_skb(&t->sk);
	assert_int_equal(errq_cb(e)->ee_info, 3);
	assert_int_equal(errq_cb(e)->ee_data, 3);
	assert_int_equal(errq_cb(e)->ee_code, 1); /* copied */
	skb_free(f->st, e);
	sock_put(&t->sk);
	assert_true(t->is_freed);
	assert_int_equal(pool_in_use(&f->pools->ubuf), 0);
	assert_nothing_held(f);
}

static int set_up_shared(void **state)
{
	struct arena_config cfg = {.size = 64u << 20, .layout_hash = 1, .is_shared = true};
	struct fixture *f = calloc(1, sizeof(*f));
	int fd = -1;

	assert_int_equal(arena_create(&cfg, &f->arena, &fd), 0);
	close(fd);
	assert_int_equal(arena_pools_create(f->arena, CLOCK_KIND_VIRTUAL, TEST_START_NS, &f->pools),
			 0);
	f->st = stack_alloc(f->pools, 1000, 1);
	*state = f;
	return 0;
}

static void a_socket_whose_holder_was_killed_is_reset_and_its_queues_are_swept(void **state)
{
	struct fixture *f = *state;
	struct test_sock *t = new_sock(f);
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);
	pid_t pid;
	int st;

	skb_set_owner_r(s, &t->sk);
	skb_queue_tail(&t->sk.receive_queue, s, SKB_IN_RCVQ);
	pid = fork();
	if (pid == 0) {
		sock_lock(&t->sk);
		t->sk.receive_queue.first = (void *)1; /* half an update */
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &st, 0), pid);
	sock_lock(&t->sk);
	assert_int_equal(t->resets, 1);
	assert_true(t->sk.flags & SK_BROKEN);
	assert_null(t->sk.receive_queue.first);
	assert_int_equal(atomic_load(&t->sk.rmem_alloc), 0);
	sock_release(&t->sk);
	sock_lock(&t->sk); /* once */
	assert_int_equal(t->resets, 1);
	sock_release(&t->sk);
	sock_put(&t->sk);
	assert_nothing_held(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_packet_for_a_free_socket_is_worked_off_at_once),
		T(packets_that_meet_a_held_socket_wait_in_order_up_to_the_limit),
		T(deferred_work_runs_when_the_holder_lets_go),
		T(no_packet_is_lost_between_givers_and_holders),
		T(a_packet_below_holds_its_socket_and_its_charge),
		T(zerocopy_notices_whose_ids_follow_each_other_become_one),
		cmocka_unit_test_setup_teardown(
			a_socket_whose_holder_was_killed_is_reset_and_its_queues_are_swept,
			set_up_shared, tear_down),
	};

	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}

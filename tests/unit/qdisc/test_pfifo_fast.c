/* SPDX-License-Identifier: BSD-2-Clause */
/* dev_queue_xmit() and pfifo_fast: bands, limits, bypass, a device that is full for a while. */
#define _GNU_SOURCE
struct dev_ops;
extern const struct dev_ops test_dev_ops;
#define T_DEV (&test_dev_ops)
#include "../core/core_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/proc.h"

/* What the device got, and how many frames it takes before it is full. */
struct test_dev {
	uint32_t mark[512];
	_Atomic uint32_t num;
	uint32_t room;
};

static enum xmit test_xmit(struct netdev *dev, struct skb *skb)
{
	struct test_dev *t = dev->priv;
	uint32_t n = atomic_load(&t->num);

	if (n >= t->room)
		return XMIT_BUSY;
	if (n < ARRAY_SIZE(t->mark))
		t->mark[n] = skb->mark;
	atomic_store(&t->num, n + 1);
	skb_free(dev->stack, skb);
	return XMIT_OK;
}

const struct dev_ops test_dev_ops = {.name = "test", .xmit = test_xmit};

static struct netdev *new_dev(struct fixture *f, enum qdisc_kind kind)
{
	struct netdev *dev;

	assert_int_equal(netdev_alloc(f->st, "t0", DEV_TAP, &dev), 0);
	dev->priv = arena_alloc(f->arena, sizeof(struct test_dev));
	((struct test_dev *)dev->priv)->room = UINT32_MAX;
	dev->flags = NETDEV_UP;
	dev->features = NETDEV_F_SG | NETDEV_F_CSUM;
	assert_int_equal(qdisc_attach(dev, kind), 0);
	return dev;
}

static enum xmit send_prio(struct fixture *f, struct netdev *dev, uint32_t mark, uint32_t prio)
{
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);

	memset(skb_put(s, 60), 0, 60);
	s->mark = mark;
	s->priority = prio;
	s->dev = dev;
	return dev_queue_xmit(s);
}

static void priorities_map_to_the_bands_of_linux(void **state)
{
	static const uint8_t want[16] = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}; /* T65 */

	(void)state;
	for (uint32_t i = 0; i < 16; i++) {
		assert_int_equal(qdisc_prio_band(i), want[i]);
		assert_int_equal(qdisc_prio_band(i + 16), want[i]); /* low four bits */
	}
}

static void an_empty_queue_is_passed_by(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_PFIFO_FAST);
	struct test_dev *t = dev->priv;

	assert_int_equal(send_prio(f, dev, 1, 0), XMIT_OK);
	assert_int_equal(t->num, 1);
	assert_int_equal(dev->qdisc->len, 0);
	assert_nothing_held(f);
}

static void what_waits_leaves_by_band_and_then_by_arrival(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_PFIFO_FAST);
	struct test_dev *t = dev->priv;
	static const uint32_t want[] = {1, 5, 6, 3, 7, 2, 4};

	t->room = 0;
	send_prio(f, dev, 1, 2); /* refused by the device: stays first */
	send_prio(f, dev, 2, 2);
	send_prio(f, dev, 3, 0);
	send_prio(f, dev, 4, 1);
	send_prio(f, dev, 5, 6);
	send_prio(f, dev, 6, 7);
	send_prio(f, dev, 7, 4);
	assert_int_equal(t->num, 0);
	assert_int_equal(dev->qdisc->len, 7);
	assert_true(dev->is_tx_stopped);
	t->room = UINT32_MAX;
	qdisc_pump(f->st);
	assert_int_equal(t->num, 7);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(t->mark[i], want[i]);
	assert_int_equal(dev->qdisc->len, 0);
	assert_nothing_held(f);
}

static void each_band_holds_tx_queue_len_packets(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev;
	struct test_dev *t;

	dev = new_dev(f, QDISC_NOQUEUE);
	dev->tx_queue_len = 3;
	assert_int_equal(qdisc_attach(dev, QDISC_PFIFO_FAST), 0);
	t = dev->priv;
	t->room = 0;
	send_prio(f, dev, 9, 0); /* parked, in no band */
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(send_prio(f, dev, i, 0), XMIT_OK);
	assert_int_equal(send_prio(f, dev, 3, 0), XMIT_DROP);
	assert_int_equal(send_prio(f, dev, 4, 6), XMIT_OK); /* another band has room */
	assert_int_equal(dev->qdisc->drops, 1);
	assert_int_equal(qdisc_attach(dev, QDISC_NOQUEUE), 0); /* drops what waits */
	assert_nothing_held(f);
}

static void a_run_stops_after_64_and_leaves_the_rest_to_the_pump(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_PFIFO_FAST);
	struct test_dev *t = dev->priv;

	t->room = 0;
	for (uint32_t i = 0; i < 100; i++)
		send_prio(f, dev, i, 0);
	t->room = UINT32_MAX;
	atomic_store(&dev->is_tx_stopped, 0);
	atomic_store(&f->st->pump_work, 0);
	qdisc_run(dev->qdisc);
	assert_int_equal(t->num, 64); /* T64.4 */
	assert_int_equal(atomic_load(&f->st->pump_work), 1);
	qdisc_pump(f->st);
	assert_int_equal(t->num, 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(t->mark[i], i);
	assert_nothing_held(f);
}

static void a_device_that_is_down_refuses_and_one_without_queue_drops(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_NOQUEUE);
	struct test_dev *t = dev->priv;

	assert_int_equal(send_prio(f, dev, 1, 0), XMIT_OK);
	t->room = 0;
	assert_int_equal(send_prio(f, dev, 1, 0), XMIT_DROP);
	assert_int_equal(atomic_load(&dev->stats.tx_dropped), 1);
	dev->flags = 0;
	assert_int_equal(send_prio(f, dev, 1, 0), XMIT_DOWN);
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

static void a_queue_whose_holder_was_killed_starts_empty(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_PFIFO_FAST);
	struct test_dev *t = dev->priv;
	pid_t pid;

	t->room = 0;
	for (uint32_t i = 0; i < 5; i++)
		send_prio(f, dev, i, 0);
	pid = fork();
	if (pid == 0) {
		proc_set_slot(9);
		lock_take(&dev->qdisc->lock);
		memset(dev->qdisc->priv, 0x41, 16); /* half an update */
		atomic_store(&dev->qdisc->is_running, 9u << 16 | QDISC_RUNNING);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	t->room = UINT32_MAX;
	atomic_store(&dev->is_tx_stopped, 0);
	qdisc_forget_proc(f->st, 9);
	assert_int_equal(send_prio(f, dev, 77, 0), XMIT_OK);
	assert_int_equal(send_prio(f, dev, 78, 0), XMIT_OK);
	assert_int_equal(t->num, 2);
	assert_int_equal(t->mark[0], 77);
	assert_int_equal(dev->qdisc->len, 0);
	assert_nothing_held(f);
}

struct sender {
	struct fixture *f;
	struct netdev *dev;
	uint32_t num;
};

static void *send_many(void *arg)
{
	struct sender *s = arg;

	for (uint32_t i = 0; i < s->num; i++)
		while (send_prio(s->f, s->dev, i, i % 8) == XMIT_DROP)
			qdisc_pump(s->f->st);
	return NULL;
}

/* Whoever drains sees what others left meanwhile: nothing stays behind but for the quota. */
static void threads_that_send_at_once_leave_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f, QDISC_PFIFO_FAST);
	struct test_dev *t = dev->priv;
	struct sender s = {f, dev, SAN_THREAD || SAN_ADDRESS ? 3000 : 30000};
	pthread_t th[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&th[i], NULL, send_many, &s);
	for (int i = 0; i < 3; i++)
		pthread_join(th[i], NULL);
	if (atomic_load(&f->st->pump_work))
		qdisc_pump(f->st);
	assert_int_equal(dev->qdisc->len, 0);
	assert_int_equal(t->num, 3 * s.num);
	assert_nothing_held(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(priorities_map_to_the_bands_of_linux),
		T(an_empty_queue_is_passed_by),
		T(what_waits_leaves_by_band_and_then_by_arrival),
		T(each_band_holds_tx_queue_len_packets),
		T(a_run_stops_after_64_and_leaves_the_rest_to_the_pump),
		T(a_device_that_is_down_refuses_and_one_without_queue_drops),
		cmocka_unit_test_setup_teardown(a_queue_whose_holder_was_killed_starts_empty,
						set_up_shared, tear_down),
		T(threads_that_send_at_once_leave_nothing_behind),
	};

	return cmocka_run_group_tests_name("pfifo_fast", tests, NULL, NULL);
}

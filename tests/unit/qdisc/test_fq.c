/* SPDX-License-Identifier: BSD-2-Clause */
/* fq: departure times, fairness, limits, rates (T66). */
struct dev_ops;
extern const struct dev_ops test_dev_ops;
#define T_DEV (&test_dev_ops)
#include "../core/core_test.h"

#include "pump/pump.h"

struct test_dev {
	uint32_t mark[4096];
	uint64_t at_ns[4096];
	uint32_t num;
	struct page_frag pf;
};

static enum xmit test_xmit(struct netdev *dev, struct skb *skb)
{
	struct test_dev *t = dev->priv;

	t->mark[t->num % 4096] = skb->mark;
	t->at_ns[t->num++ % 4096] = stack_now_ns(dev->stack);
	skb_free(dev->stack, skb);
	return XMIT_OK;
}

const struct dev_ops test_dev_ops = {.name = "test", .xmit = test_xmit};

static struct netdev *new_dev(struct fixture *f)
{
	struct netdev *dev;

	assert_int_equal(netdev_alloc(f->st, "t0", DEV_TAP, &dev), 0);
	dev->priv = arena_alloc(f->arena, sizeof(struct test_dev));
	dev->flags = NETDEV_UP;
	dev->features = NETDEV_F_SG | NETDEV_F_CSUM;
	assert_int_equal(qdisc_attach(dev, QDISC_FQ), 0);
	assert_int_equal(pump_init(f->st), 0);
	return dev;
}

/* @flow: packet hash; @edt_ns: 0 none. */
static enum xmit send_one(struct fixture *f, struct netdev *dev, uint32_t mark, uint32_t flow,
			  uint64_t edt_ns, uint32_t len, struct sock *sk)
{
	static const uint8_t zeros[9000];
	struct test_dev *t = dev->priv;
	struct skb *s = skb_alloc(f->st, POOL_NORMAL);

	assert_true(skb_append_copy(f->st, s, &t->pf, zeros, len));
	s->mark = mark;
	s->hash = flow;
	s->tstamp_ns = edt_ns;
	s->dev = dev;
	s->sk = sk; /* no dtor: the tests' sockets are not counted */
	return dev_queue_xmit(s);
}

static void assert_all_gone(struct fixture *f, struct netdev *dev)
{
	page_frag_release(f->pools->pages, &((struct test_dev *)dev->priv)->pf);
	assert_nothing_held(f);
}

static void run_until(struct fixture *f, uint64_t ns)
{
	while (pump_step(f->st, ns))
		;
	assert_int_equal(stack_now_ns(f->st), ns);
}

static void a_packet_leaves_exactly_at_its_departure_time(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	uint64_t now = TEST_START_NS;

	send_one(f, dev, 1, 1, now, 1000, NULL);
	assert_int_equal(t->num, 1); /* due: at once */
	send_one(f, dev, 2, 1, now + 1500123, 1000, NULL);
	send_one(f, dev, 3, 2, now + 700001, 1000, NULL);
	send_one(f, dev, 4, 1, now + 3000000, 1000, NULL);
	assert_int_equal(t->num, 1);
	run_until(f, now + 5000000);
	assert_int_equal(t->num, 4);
	assert_int_equal(t->mark[1], 3);
	assert_int_equal(t->at_ns[1], now + 700001);
	assert_int_equal(t->mark[2], 2);
	assert_int_equal(t->at_ns[2], now + 1500123);
	assert_int_equal(t->at_ns[3], now + 3000000);
	assert_all_gone(f, dev);
}

static void an_earlier_time_behind_a_later_one_overtakes_it_in_its_flow(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	uint64_t now = TEST_START_NS;

	send_one(f, dev, 1, 1, now + 2000, 100, NULL);
	send_one(f, dev, 2, 1, now + 3000, 100, NULL);
	send_one(f, dev, 3, 1, now + 2500, 100, NULL);
	send_one(f, dev, 4, 1, now + 2500, 100, NULL);
	run_until(f, now + 10000);
	assert_int_equal(t->mark[0], 1);
	assert_int_equal(t->mark[1], 3);
	assert_int_equal(t->mark[2], 4);
	assert_int_equal(t->mark[3], 2);
}

static void beyond_the_horizon_of_ten_seconds_is_dropped(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	uint64_t now = TEST_START_NS;

	assert_int_equal(send_one(f, dev, 1, 1, now + 10 * NS_PER_S, 100, NULL), XMIT_OK);
	assert_int_equal(send_one(f, dev, 1, 1, now + 10 * NS_PER_S + 1, 100, NULL), XMIT_DROP);
	assert_int_equal(qdisc_attach(dev, QDISC_NOQUEUE), 0);
	assert_all_gone(f, dev);
}

static void a_flow_holds_100_packets_and_a_band_10000(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	uint64_t later = TEST_START_NS + NS_PER_S;

	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(send_one(f, dev, i, 1, later, 10, NULL), XMIT_OK);
	assert_int_equal(send_one(f, dev, 0, 1, later, 10, NULL), XMIT_DROP);
	for (uint32_t i = 100; i < 10000; i++)
		assert_int_equal(send_one(f, dev, i, 1 + i / 100, later, 10, NULL), XMIT_OK);
	assert_int_equal(send_one(f, dev, 0, 500, later, 10, NULL), XMIT_DROP);
	assert_int_equal(dev->qdisc->drops, 2);
	assert_int_equal(dev->qdisc->len, 10000);
	assert_int_equal(qdisc_attach(dev, QDISC_NOQUEUE), 0);
	assert_all_gone(f, dev);
}

static void flows_share_by_bytes_not_by_packets(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	uint32_t big = 0, small = 0;

	/* The device is "slow": everything waits, then 4 runs of 64 packets leave. */
	atomic_store(&dev->qdisc->is_running, QDISC_RUNNING);
	send_one(f, dev, 0, 9, 0, 10, NULL); /* keeps the short way closed */
	for (uint32_t i = 0; i < 9; i++)
		send_one(f, dev, 0, 9, 0, 10, NULL);
	for (uint32_t i = 0; i < 100; i++) {
		send_one(f, dev, 1, 1, 0, 1500, NULL);
		send_one(f, dev, 2, 2, 0, 500, NULL);
	}
	atomic_store(&dev->qdisc->is_running, 0);
	for (uint32_t i = 0; i < 2; i++)
		qdisc_run(dev->qdisc);
	for (uint32_t i = 0; i < t->num; i++) {
		big += t->mark[i] == 1;
		small += t->mark[i] == 2;
	}
	/* Bytes differ by no more than one initial quantum and one packet. */
	assert_true(big * 1500 <= small * 500 + 10 * 1500 + 1500);
	assert_true(small * 500 <= big * 1500 + 10 * 1500 + 1500);
	assert_true(small > big);
	while (dev->qdisc->len)
		qdisc_run(dev->qdisc);
	assert_int_equal(t->num, 210);
	assert_all_gone(f, dev);
}

static struct sock *new_sock(struct fixture *f)
{
	struct sock *sk = arena_alloc(f->arena, sizeof(*sk));

	sock_init(sk, f->st, PROTO_UDP, AF_INET, SOCK_DGRAM);
	return sk;
}

static void a_socket_seen_here_is_paced_by_the_queue(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct sock *sk = new_sock(f);

	assert_int_equal(sk->pacing_status, SK_PACING_NONE);
	send_one(f, dev, 1, 0, 0, 100, sk);
	assert_int_equal(sk->pacing_status, SK_PACING_FQ);
}

static void packets_without_a_time_keep_their_sockets_rate(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	struct sock *sk = new_sock(f);

	sk->max_pacing_Bps = 50000; /* below 550 kbit/s: packet by packet */
	for (uint32_t i = 0; i < 11; i++)
		send_one(f, dev, i, 0, 0, 1000, sk);
	run_until(f, TEST_START_NS + NS_PER_S);
	assert_int_equal(t->num, 11);
	for (uint32_t i = 0; i < 11; i++)
		assert_int_equal(t->at_ns[i],
				 TEST_START_NS + i * 20 * NS_PER_MS); /* 1000 B at 50 kB/s */
}

static void a_fast_rate_is_kept_on_average(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	struct sock *sk = new_sock(f);

	sk->max_pacing_Bps = 1000000;
	for (uint32_t i = 0; i < 100; i++)
		send_one(f, dev, i, 0, 0, 1000, sk);
	run_until(f, TEST_START_NS + NS_PER_S);
	assert_int_equal(t->num, 100);
	/* 100 kB at 1 MB/s: 100 ms, but for the group that opens and the one that ends. */
	assert_in_range(t->at_ns[99] - t->at_ns[0], 94 * NS_PER_MS, 100 * NS_PER_MS);
}

static void a_gap_is_never_longer_than_a_second(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	struct sock *sk = new_sock(f);

	sk->max_pacing_Bps = 10; /* 1000 B would take 100 s */
	for (uint32_t i = 0; i < 3; i++)
		send_one(f, dev, i, 0, 0, 1000, sk);
	run_until(f, TEST_START_NS + 5 * NS_PER_S);
	assert_int_equal(t->num, 3);
	assert_int_equal(t->at_ns[2] - t->at_ns[0], 2 * NS_PER_S);
}

static void more_flows_than_places_still_all_leave(void **state)
{
	struct fixture *f = *state;
	struct netdev *dev = new_dev(f);
	struct test_dev *t = dev->priv;
	struct sock **sk = calloc(3000, sizeof(*sk));

	for (uint32_t i = 0; i < 3000; i++) {
		sk[i] = arena_alloc(f->arena, sizeof(**sk));
		sk[i]->max_pacing_Bps = UINT64_MAX;
		send_one(f, dev, i, 0, TEST_START_NS + 1000 + i, 10, sk[i]);
	}
	run_until(f, TEST_START_NS + NS_PER_S);
	assert_int_equal(t->num, 3000);
	free(sk);
	assert_all_gone(f, dev);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_packet_leaves_exactly_at_its_departure_time),
		T(an_earlier_time_behind_a_later_one_overtakes_it_in_its_flow),
		T(beyond_the_horizon_of_ten_seconds_is_dropped),
		T(a_flow_holds_100_packets_and_a_band_10000),
		T(flows_share_by_bytes_not_by_packets),
		T(a_socket_seen_here_is_paced_by_the_queue),
		T(packets_without_a_time_keep_their_sockets_rate),
		T(a_fast_rate_is_kept_on_average),
		T(a_gap_is_never_longer_than_a_second),
		T(more_flows_than_places_still_all_leave),
	};

	return cmocka_run_group_tests_name("fq", tests, NULL, NULL);
}

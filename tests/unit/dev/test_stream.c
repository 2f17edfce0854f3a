/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames over a stream socket: boundaries survive any reads and writes. */
#include <sys/socket.h>

#include "dev_test.h"

struct conn {
	struct netdev *dev;
	int peer;
	int fd;
	struct page_frag pf;
};

static struct conn make_conn(struct dev_fixture *f, int sndbuf)
{
	struct conn c = {0};
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	if (sndbuf)
		assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf)),
				 0);
	assert_int_equal(stream_create(f->a, "str0", fds[0], 9000, &c.dev), 0);
	dev_up(c.dev);
	c.fd = fds[0];
	c.peer = fds[1];
	return c;
}

static void done_conn(struct dev_fixture *f, struct conn *c)
{
	netdev_remove(c->dev);
	close(c->fd);
	if (c->peer >= 0)
		close(c->peer);
	page_frag_release(f->pools->pages, &c->pf);
}

static int poll_dev(struct conn *c)
{
	return dev_ops_tab[DEV_STREAM]->poll(c->dev, 64);
}

/* What a peer would send: length, then a frame; payload bytes are (fill + i). */
static size_t record_of(struct dev_fixture *f, struct conn *c, uint32_t payload, uint8_t fill,
			uint8_t *out)
{
	struct skb *skb =
		make_frame(f->a, &c->pf, &(struct frame_spec){.payload = payload, .fill = fill});
	size_t len = skb->len;

	put_be32(out, (uint32_t)len);
	assert_int_equal(skb_copy_bits(skb, 0, out + 4, skb->len), 0);
	skb_free(f->a, skb);
	return len + 4;
}

static void expect_frame(struct dev_fixture *f, uint32_t payload, uint8_t fill)
{
	struct skb *skb = take(f->a);

	assert_non_null(skb);
	assert_int_equal(skb->len, TEST_HDR_BYTES + payload);
	assert_true(payload_is(skb, fill));
	assert_true(udp_sum_is_right(skb));
	if (payload > 1000) /* headers, and nothing else, are linear */
		assert_int_equal(skb_headlen(skb), TEST_HDR_BYTES);
	skb_free(f->a, skb);
}

static void frames_dribbling_in_byte_by_byte_arrive_whole(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);
	uint8_t buf[4096];
	size_t len = record_of(f, &c, 100, 1, buf);

	len += record_of(f, &c, 1500, 2, buf + len);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(write(c.peer, buf + i, 1), 1);
		assert_int_equal(poll_dev(&c), i == 4 + TEST_HDR_BYTES + 99 || i == len - 1);
	}
	expect_frame(f, 100, 1);
	expect_frame(f, 1500, 2);
	done_conn(f, &c);
}

static void many_frames_in_one_read_are_cut_apart(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);
	static uint8_t buf[64 * 1100];
	size_t len = 0;

	for (int i = 0; i < 60; i++)
		len += record_of(f, &c, 1000, (uint8_t)i, buf + len);
	assert_int_equal(write(c.peer, buf, len), len);
	assert_int_equal(poll_dev(&c), 60);
	for (int i = 0; i < 60; i++)
		expect_frame(f, 1000, (uint8_t)i);
	assert_int_equal(poll_dev(&c), 0);
	done_conn(f, &c);
}

static void the_budget_is_kept_and_the_rest_comes_without_new_input(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);
	uint8_t buf[1024];
	size_t len = 0;

	for (int i = 0; i < 6; i++)
		len += record_of(f, &c, 50, (uint8_t)i, buf + len);
	assert_int_equal(write(c.peer, buf, len), len);
	assert_int_equal(dev_ops_tab[DEV_STREAM]->poll(c.dev, 4), 4);
	assert_int_equal(dev_ops_tab[DEV_STREAM]->poll(c.dev, 4), 2);
	for (int i = 0; i < 6; i++)
		expect_frame(f, 50, (uint8_t)i);
	done_conn(f, &c);
}

/* Read up to @max bytes the device wrote to @got. Return: how many. */
static size_t read_peer(struct conn *c, uint8_t *got, size_t max)
{
	ssize_t n = recv(c->peer, got, max, MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static void a_socket_that_fills_up_in_a_frame_gets_the_rest_later(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c =
		make_conn(f, 4608); /* the least Linux allows: a frame of 8042 bytes never fits */
	static uint8_t got[100 * 8100], want[8100];
	size_t len = 0, n;

	for (int i = 0; i < 100; i++) {
		struct skb *skb = make_frame(
			f->a, &c.pf, &(struct frame_spec){.payload = 8000, .fill = (uint8_t)i});

		while (dev_hard_start_xmit(c.dev, skb) == XMIT_BUSY) {
			assert_int_equal(atomic_load(&c.dev->is_tx_stopped), 1);
			n = read_peer(&c, got + len, 777);
			assert_int_not_equal(n, 0);
			len += n;
		}
	}
	while (!dev_tx_flush(c.dev))
		len += read_peer(&c, got + len, 777);
	while ((n = read_peer(&c, got + len, sizeof(got) - len)))
		len += n;
	n = record_of(f, &c, 8000, 0, want);
	assert_int_equal(len, 100 * n);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(record_of(f, &c, 8000, (uint8_t)i, want), n);
		assert_memory_equal(got + (size_t)i * n, want, n);
	}
	done_conn(f, &c);
}

static void a_length_no_frame_has_ends_the_device(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);
	uint8_t buf[512];
	size_t len = record_of(f, &c, 100, 1, buf);

	put_be32(buf + len, 65550);
	assert_int_equal(write(c.peer, buf, len + 4), len + 4);
	assert_int_equal(poll_dev(&c), 1);
	expect_frame(f, 100, 1);
	assert_int_equal(atomic_load(&c.dev->stats.rx_errors), 1);
	assert_int_equal(dev_ops_tab[DEV_STREAM]->fd(c.dev), -1);
	assert_int_equal(write(c.peer, buf, len), len);
	assert_int_equal(poll_dev(&c), 0);
	done_conn(f, &c);
}

static void the_largest_length_is_accepted_and_a_runt_is_dropped(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);
	static uint8_t buf[4 + 65549 + 4 + 13];
	size_t done = 0;
	int num = 0;

	put_be32(buf, 65549);
	put_be32(buf + 4 + 65549, 13);
	while (done < sizeof(buf)) {
		ssize_t n = send(c.peer, buf + done, sizeof(buf) - done, MSG_DONTWAIT);

		done += n > 0 ? (size_t)n : 0;
		num += poll_dev(&c);
	}
	num += poll_dev(&c);
	assert_int_equal(num, 2);
	assert_int_equal(f->a->rxq.len, 1);
	assert_int_equal(f->a->rxq.first->len, 65549);
	assert_int_equal(mib_get(f->a, NaruMalformedFrames), 1);
	skb_queue_purge(f->a, &f->a->rxq);
	done_conn(f, &c);
}

static void a_peer_that_hangs_up_ends_the_device_without_a_signal(void **state)
{
	struct dev_fixture *f = *state;
	struct conn c = make_conn(f, 0);

	close(c.peer);
	c.peer = -1;
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			dev_hard_start_xmit(c.dev, make_frame(f->a, &c.pf,
							      &(struct frame_spec){.payload = 9})),
			XMIT_OK);
	assert_int_equal(atomic_load(&c.dev->stats.tx_dropped), 2);
	assert_int_equal(poll_dev(&c), 0);
	assert_int_equal(atomic_load(&c.dev->stats.rx_errors), 1);
	done_conn(f, &c);
}

#define STREAM_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(frames_dribbling_in_byte_by_byte_arrive_whole),
		STREAM_TEST(many_frames_in_one_read_are_cut_apart),
		STREAM_TEST(the_budget_is_kept_and_the_rest_comes_without_new_input),
		STREAM_TEST(a_socket_that_fills_up_in_a_frame_gets_the_rest_later),
		STREAM_TEST(a_length_no_frame_has_ends_the_device),
		STREAM_TEST(the_largest_length_is_accepted_and_a_runt_is_dropped),
		STREAM_TEST(a_peer_that_hangs_up_ends_the_device_without_a_signal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

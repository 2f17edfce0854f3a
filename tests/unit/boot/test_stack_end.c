/* SPDX-License-Identifier: BSD-2-Clause */
/* A stack that ends in the middle of its work gives everything back. */
/*
 * How it works: connections in all states, datagrams and fragments are left behind, packets are on their
 * way over a slow wire; then both stacks end, in either order, and the pools are looked at.
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
#include <stdlib.h>
#include <string.h>

#include "boot/world.h"
#include "naru/naru.h"

#define DELAY_NS (50 * NS_PER_MS)
#define PORT 4000
#define BULK_BYTES 40000

struct fix {
	naru_world *w;
	naru_stack *st[2];
	int listener;
	unsigned int num_made;
};

static void set_up(struct fix *f)
{
	struct naru_world_config wc = { .memory_bytes = 48u << 20, .is_virtual = true, .seed = 5 };
	struct naru_wire_config wire = { .seed = 3, .ab.delay_ns = DELAY_NS, .ba.delay_ns = DELAY_NS };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	assert_int_equal(naru_world_new(&wc, &f->w), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(naru_stack_new(f->w, NULL, &f->st[i]), 0);
	assert_int_equal(naru_wire(f->st[0], "eth0", f->st[1], "eth0", &wire), 0);
	assert_int_equal(naru_addr_add(f->st[0], "eth0", "10.0.0.1/24"), 0);
	assert_int_equal(naru_addr_add(f->st[1], "eth0", "10.0.0.2/24"), 0);
	f->listener = naru_socket(f->st[1], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(naru_bind(f->st[1], f->listener, (void *)&a, sizeof(a)), 0);
	assert_int_equal(naru_listen(f->st[1], f->listener, 8), 0);
}

static void note_pool(const char *name, uint32_t in_use, void *arg)
{
	if (in_use)
		print_message("left behind: %s %u\n", name, in_use);
	*(uint32_t *)arg += in_use;
}

static void end(struct fix *f, int first)
{
	uint32_t live = 0;

	naru_stack_free(f->st[first]);
	naru_stack_free(f->st[!first]);
	world_each_pool(f->w->pools, note_pool, &live);
	assert_int_equal(live, 0);
	naru_world_free(f->w);
}

static int start_connect(struct fix *f, const char *to)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr_in any = { .sin_family = AF_INET };
	int s = naru_socket(f->st[0], AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (f->num_made++ % 2) /* a socket that was bound keeps its port to its very end */
		assert_int_equal(naru_bind(f->st[0], s, (void *)&any, sizeof(any)), 0);
	inet_pton(AF_INET, to, &a.sin_addr);
	assert_true(naru_connect(f->st[0], s, (void *)&a, sizeof(a)) < 0 && errno == EINPROGRESS);
	return s;
}

static int accept_now(struct fix *f)
{
	int s = naru_accept4(f->st[1], f->listener, NULL, NULL, SOCK_NONBLOCK);

	assert_true(s >= 0);
	return s;
}

static void send_bulk(struct fix *f, int s)
{
	static uint8_t buf[BULK_BYTES];

	assert_true(naru_send(f->st[0], s, buf, sizeof(buf), 0) > 0);
}

/* Everything at once, then the end after @wait_ns. */
static void leave_all_behind(uint64_t wait_ns, int first)
{
	struct fix f = { .num_made = 0 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	static uint8_t dgram[4000];
	int c[5], s[5], u;

	set_up(&f);
	for (int i = 0; i < 5; i++)
		c[i] = start_connect(&f, "10.0.0.2");
	naru_run_for(f.st[0], 6 * DELAY_NS);
	for (int i = 0; i < 4; i++) /* the fifth stays in the accept queue */
		s[i] = accept_now(&f);
	naru_close(f.st[0], c[0]); /* becomes TIME-WAIT or FIN-WAIT-2 */
	naru_close(f.st[1], s[1]);
	send_bulk(&f, c[2]);
	naru_close(f.st[0], c[2]); /* an orphan with data in flight */
	send_bulk(&f, c[3]);
	naru_run_for(f.st[0], wait_ns);
	naru_close(f.st[1], s[0]);
	send_bulk(&f, c[3]);
	start_connect(&f, "10.0.0.2"); /* half open, or SYN on its way */
	start_connect(&f, "10.0.0.77"); /* waits for a neighbour */
	u = naru_socket(f.st[0], AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, "10.0.0.2", &a.sin_addr);
	assert_int_equal(naru_sendto(f.st[0], u, dgram, sizeof(dgram), 0, (void *)&a, sizeof(a)), sizeof(dgram));
	assert_int_equal(naru_sendto(f.st[0], u, dgram, 10, MSG_MORE, (void *)&a, sizeof(a)), 10); /* corked */
	naru_run_for(f.st[0], wait_ns);
	end(&f, first);
}

static void nothing_stays_whenever_and_in_whatever_order_stacks_end(void **state)
{
	(void)state;
	for (int ms = 0; ms < 400; ms += 10)
		leave_all_behind((uint64_t)ms * NS_PER_MS, ms / 10 % 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stays_whenever_and_in_whatever_order_stacks_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

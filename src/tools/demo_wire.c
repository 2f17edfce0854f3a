/* SPDX-License-Identifier: BSD-2-Clause */
/* The demo without any privilege: two Naru stacks, one wire, one process. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "naru/naru.h"
#include "tools/demo.h"
#include "tools/walk.h"

#define IO_BYTES 65536
#define PORT 8080
#define PROGRESS_COLUMNS 50

struct pair {
	naru_world *w;
	naru_stack *a, *b;
	int sa, sb;
};

static int open_pair(struct pair *p, int capture_fd)
{
	struct naru_wire_config wire = { .has_gso = true };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr = { htonl(0x0a4d0001) } };
	int l, err = naru_world_new(NULL, &p->w);

	if (!err)
		err = naru_stack_new(p->w, NULL, &p->a);
	if (!err)
		err = naru_stack_new(p->w, NULL, &p->b);
	if (!err)
		err = naru_wire(p->a, "eth0", p->b, "eth0", &wire);
	if (!err)
		err = naru_capture(p->a, "eth0", capture_fd);
	if (!err)
		err = naru_addr_add(p->a, "eth0", "10.77.0.2/24");
	if (!err)
		err = naru_addr_add(p->b, "eth0", "10.77.0.1/24");
	if (err)
		return err;
	walk_start((struct stack *)p->a);
	l = naru_socket(p->b, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	p->sa = naru_socket(p->a, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (l < 0 || p->sa < 0 || naru_bind(p->b, l, (void *)&to, sizeof(to)) || naru_listen(p->b, l, 1))
		return -errno;
	if (naru_connect(p->a, p->sa, (void *)&to, sizeof(to)) && errno != EINPROGRESS)
		return -errno;
	for (int i = 0; i < 1000; i++) {
		naru_poll_stack(p->a);
		naru_poll_stack(p->b);
		p->sb = naru_accept4(p->b, l, NULL, NULL, SOCK_NONBLOCK);
		if (p->sb >= 0)
			return 0;
		naru_step(p->a, 1000000);
	}
	return -ETIMEDOUT;
}

static void progress(uint64_t done, uint64_t all)
{
	int n = (int)(done * PROGRESS_COLUMNS / all);

	printf("\r  [");
	for (int i = 0; i < PROGRESS_COLUMNS; i++)
		putchar(i < n ? '#' : ' ');
	printf("] %3d%%", (int)(done * 100 / all));
	fflush(stdout);
}

/* Move the file from one socket to the other; compare hashes of both ends. */
static int transfer(naru_stack *from, int fs, naru_stack *to, int ts, uint64_t bytes, const char *what)
{
	uint8_t *out = malloc(IO_BYTES), *in = malloc(IO_BYTES), sum[2][DEMO_HASH_BYTES];
	crypto_hash_sha256_state h[2];
	uint64_t sent = 0, got = 0, shown = 0;
	size_t have = 0, off = 0;
	int err = out && in ? 0 : -ENOMEM;

	printf("%s: %llu MiB\n", what, (unsigned long long)(bytes >> 20));
	crypto_hash_sha256_init(&h[0]);
	crypto_hash_sha256_init(&h[1]);
	while (!err && got < bytes) {
		ssize_t n;

		if (off == have && sent < bytes) {
			have = bytes - sent < IO_BYTES ? (size_t)(bytes - sent) : IO_BYTES;
			off = 0;
			demo_fill(out, have, sent);
			crypto_hash_sha256_update(&h[0], out, have);
			sent += have;
		}
		n = off < have ? naru_send(from, fs, out + off, have - off, 0) : 0;
		if (n > 0)
			off += (size_t)n;
		else if (n < 0 && errno != EAGAIN)
			err = -errno;
		naru_poll_stack(from);
		naru_poll_stack(to);
		while (!err && (n = naru_recv(to, ts, in, IO_BYTES, 0)) > 0) {
			crypto_hash_sha256_update(&h[1], in, (unsigned long long)n);
			got += (uint64_t)n;
		}
		if (got - shown > bytes / PROGRESS_COLUMNS || got == bytes)
			progress(shown = got, bytes);
	}
	putchar('\n');
	crypto_hash_sha256_final(&h[0], sum[0]);
	crypto_hash_sha256_final(&h[1], sum[1]);
	free(out);
	free(in);
	if (!err && sodium_memcmp(sum[0], sum[1], DEMO_HASH_BYTES))
		err = -EBADMSG;
	return err;
}

int demo_wire(uint64_t bytes)
{
	char capture[] = "/tmp/naru-demo-XXXXXX.pcapng";
	int fd = mkstemps(capture, 7), err;
	struct pair p = { .sa = -1 };

	err = fd < 0 ? -errno : open_pair(&p, fd);
	if (!err)
		err = transfer(p.a, p.sa, p.b, p.sb, bytes, "Up");
	if (!err)
		err = transfer(p.b, p.sb, p.a, p.sa, bytes, "Down");
	if (!err) {
		printf("Checksums are equal on both ends.\n\n");
		walk_print((struct stack *)p.a, stdout);
		printf("\nCounters that moved:\n");
		walk_print_counters((struct stack *)p.a, stdout);
		printf("\nThe capture: %s\n", capture);
	}
	naru_world_free(p.w);
	if (fd >= 0)
		close(fd);
	if (err) {
		fprintf(stderr, "demo: failed: %s\n", strerror(-err));
		return 1;
	}
	printf("demo: OK\n");
	return 0;
}

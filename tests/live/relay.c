/* SPDX-License-Identifier: BSD-2-Clause */
/* A bad line between two TAPs: loses, reorders and delays what it carries. */
/*
 * How it works: relay TAP1 TAP2 [loss=PERCENT] [reorder=PERCENT] [delay_ms=N] [seed=N] [gso=1]
 *
 * Makes both TAPs with a virtio-net header, says "ready" and passes frames with their header from each to the
 * other.  A frame waits delay_ms in a heap; a reordered one up to REORDER_MAX_MS longer, so that later ones
 * overtake it.  Without gso=1 the kernel cuts and checksums before we see a frame, so that segments are lost, not
 * trains of them.  SIGTERM ends it; it prints what it did.  The same seed makes the same decisions for the
 * same order of frames.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX (65536 + 64) /* with headers */
#define HELD_MAX 32768	       /* frames under way; more are lost, as in a router */
#define REORDER_MAX_MS 5
#define MS 1000000ull

struct frame {
	uint64_t due_ns, order; /* order: frames of the same moment keep theirs */
	size_t len;
	int to;
	uint8_t bytes[];
};

struct relay {
	int fds[2];
	uint64_t loss_ppm, reorder_ppm, delay_ns, random;
	uint64_t num_frames[2], num_lost[2], num_reordered[2], order;
	struct frame *held[HELD_MAX]; /* binary heap, the next one first */
	size_t num_held;
};

static volatile sig_atomic_t is_ended;

static void on_term(int sig)
{
	(void)sig;
	is_ended = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

static uint64_t next_random(struct relay *r)
{
	uint64_t z = r->random += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool happens(struct relay *r, uint64_t ppm) { return next_random(r) % 1000000 < ppm; }

/* ---- the heap ---- */

static bool is_before(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void hold(struct relay *r, struct frame *f)
{
	size_t i = r->num_held++;

	for (; i && is_before(f, r->held[(i - 1) / 2]); i = (i - 1) / 2)
		r->held[i] = r->held[(i - 1) / 2];
	r->held[i] = f;
}

static struct frame *take_first(struct relay *r)
{
	struct frame *first = r->held[0], *last = r->held[--r->num_held];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < r->num_held) {
		if (child + 1 < r->num_held && is_before(r->held[child + 1], r->held[child]))
			child++;
		if (!is_before(r->held[child], last))
			break;
		r->held[i] = r->held[child];
		i = child;
	}
	r->held[i] = last;
	return first;
}

/* ---- frames ---- */

static void accept_frame(struct relay *r, int from, const uint8_t *bytes, size_t len)
{
	bool is_lost = happens(r, r->loss_ppm), is_reordered = happens(r, r->reorder_ppm);
	uint64_t extra_ns = next_random(r) % (REORDER_MAX_MS * MS);
	struct frame *f;

	r->num_frames[from]++;
	if (is_lost || r->num_held == HELD_MAX || !(f = malloc(sizeof(*f) + len))) {
		r->num_lost[from]++;
		return;
	}
	r->num_reordered[from] += is_reordered;
	f->due_ns = now_ns() + r->delay_ns + (is_reordered ? extra_ns : 0);
	f->order = r->order++;
	f->to = !from;
	f->len = len;
	memcpy(f->bytes, bytes, len);
	hold(r, f);
}

static void read_frames(struct relay *r, int from)
{
	static uint8_t bytes[FRAME_MAX];
	ssize_t n;

	while ((n = read(r->fds[from], bytes, sizeof(bytes))) > 0)
		accept_frame(r, from, bytes, (size_t)n);
}

static void write_due(struct relay *r)
{
	uint64_t now = now_ns();

	while (r->num_held && r->held[0]->due_ns <= now) {
		struct frame *f = take_first(r);

		if (write(r->fds[f->to], f->bytes, f->len) < 0)
			r->num_lost[!f->to]++;
		free(f);
	}
}

static void carry(struct relay *r)
{
	while (!is_ended) {
		struct pollfd p[2] = { { .fd = r->fds[0], .events = POLLIN }, { .fd = r->fds[1], .events = POLLIN } };
		uint64_t now = now_ns(), ns = 1000 * MS;
		struct timespec ts;

		if (r->num_held)
			ns = r->held[0]->due_ns > now ? r->held[0]->due_ns - now : 0;
		ts = (struct timespec){ (time_t)(ns / (1000 * MS)), (long)(ns % (1000 * MS)) };
		if (ppoll(p, 2, &ts, NULL) < 0 && errno != EINTR)
			return;
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				read_frames(r, i);
		write_due(r);
	}
}

/* ---- start ---- */

static int open_tap(const char *name, bool with_gso)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETOFFLOAD, with_gso ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0)) {
		fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static uint64_t number(int argc, char **argv, const char *name, uint64_t factor)
{
	size_t len = strlen(name);

	for (int i = 3; i < argc; i++)
		if (!strncmp(argv[i], name, len) && argv[i][len] == '=')
			return (uint64_t)(strtod(argv[i] + len + 1, NULL) * (double)factor);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction on = { .sa_handler = on_term };
	static struct relay r;
	bool with_gso;

	if (argc < 3) {
		fprintf(stderr, "usage: relay TAP1 TAP2 [loss=PERCENT] [reorder=PERCENT] [delay_ms=N] [seed=N] [gso=1]\n");
		return 64;
	}
	r.loss_ppm = number(argc, argv, "loss", 10000);
	r.reorder_ppm = number(argc, argv, "reorder", 10000);
	r.delay_ns = number(argc, argv, "delay_ms", MS);
	r.random = number(argc, argv, "seed", 1);
	with_gso = number(argc, argv, "gso", 1);
	sigaction(SIGTERM, &on, NULL);
	for (int i = 0; i < 2; i++)
		r.fds[i] = open_tap(argv[1 + i], with_gso);
	printf("ready\n");
	fflush(stdout);
	carry(&r);
	for (int i = 0; i < 2; i++)
		printf("from %s: %llu frames, %llu lost, %llu reordered\n", argv[1 + i], (unsigned long long)r.num_frames[i],
		       (unsigned long long)r.num_lost[i], (unsigned long long)r.num_reordered[i]);
	return 0;
}

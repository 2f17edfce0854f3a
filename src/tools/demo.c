/* SPDX-License-Identifier: BSD-2-Clause */
/* naru demo: an unmodified curl over Naru to the kernel's TCP, in a namespace of the demo's own. */
/*
 * How it works
 *
 * The demo moves itself into a fresh network namespace (with a user namespace where it is not root),
 * starts a server on the kernel's sockets, and runs `naru run -- curl` twice: up and down. Hashes of what
 * was sent and what arrived are compared on both sides. Without the right to make a namespace and a TAP
 * it does the same between two Naru stacks over a wire and says so.
 */
#define _GNU_SOURCE
#include "tools/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEMO_BYTES (256ull << 20)
#define DEMO_PORT 7777 /* no protocol that a dissector would look for in the file */
#define IO_BYTES 262144

struct demo {
	char dir[64];		/* the demo's files */
	uint8_t want[DEMO_HASH_BYTES];
	uint64_t bytes;
	pid_t server;
	int hash_fd;		/* the server writes what it received */
};

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int bring_lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* A network namespace of our own in which we may make a TAP. */
static int enter_namespace(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	char map[64];
	int fd;

	if (unshare(CLONE_NEWNET)) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
			return -errno;
		write_text("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", gid);
		write_text("/proc/self/gid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", uid);
		write_text("/proc/self/uid_map", map);
	}
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return bring_lo_up();
}

static int start_server(struct demo *d)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(DEMO_PORT) };
	int one = 1, p[2], fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) || bind(fd, (void *)&a, sizeof(a)) ||
	    listen(fd, 8) || pipe2(p, O_CLOEXEC))
		return -errno;
	d->server = fork();
	if (d->server < 0)
		return -errno;
	if (!d->server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		demo_server(fd, p[1], d->bytes);
	}
	close(fd);
	close(p[1]);
	d->hash_fd = p[0];
	return 0;
}

static int hash_file(const char *path, uint8_t sum[DEMO_HASH_BYTES])
{
	crypto_hash_sha256_state h;
	uint8_t *buf = malloc(IO_BYTES);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	crypto_hash_sha256_init(&h);
	while (fd >= 0 && buf && (n = read(fd, buf, IO_BYTES)) > 0)
		crypto_hash_sha256_update(&h, buf, (unsigned long long)n);
	crypto_hash_sha256_final(&h, sum);
	free(buf);
	if (fd >= 0)
		close(fd);
	return n ? -EIO : 0;
}

static int make_file(struct demo *d, char *path, size_t size)
{
	uint8_t *buf = malloc(IO_BYTES);
	int fd, err = 0;

	snprintf(path, size, "%s/sent", d->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (uint64_t off = 0; !err && off < d->bytes; off += IO_BYTES) {
		demo_fill(buf, IO_BYTES, off);
		if (fd < 0 || write(fd, buf, IO_BYTES) != IO_BYTES)
			err = -EIO;
	}
	if (fd >= 0)
		close(fd);
	free(buf);
	return err ? err : hash_file(path, d->want);
}

static void print_hash(const char *who, const uint8_t sum[DEMO_HASH_BYTES])
{
	char hex[2 * DEMO_HASH_BYTES + 1];

	printf("  %-28s %s\n", who, sodium_bin2hex(hex, sizeof(hex), sum, DEMO_HASH_BYTES));
}

/* Run ourselves with @args; 0 when it ended with status 0. */
static int run_self(char *const args[])
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execv("/proc/self/exe", args);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static int upload(struct demo *d, char *sent, char *capture)
{
	char url[64];
	uint8_t got[DEMO_HASH_BYTES];
	char *args[] = { "naru", "run", "--walk", "--counters", "--capture", capture, "--", "curl", "-#", "-f", "-o", "/dev/null",
			 "-T", sent, url, NULL };

	snprintf(url, sizeof(url), "http://10.77.0.1:%d/file", DEMO_PORT);
	printf("\nUp: curl, unmodified, sends %llu MiB through Naru to the kernel's TCP.\n", (unsigned long long)(d->bytes >> 20));
	fflush(stdout);
	if (run_self(args))
		return -EIO;
	if (read(d->hash_fd, got, sizeof(got)) != (ssize_t)sizeof(got))
		return -EIO;
	print_hash("SHA-256 sent over Naru", d->want);
	print_hash("SHA-256 at the kernel's end", got);
	return sodium_memcmp(got, d->want, sizeof(got)) ? -EBADMSG : 0;
}

static int download(struct demo *d)
{
	char url[64], path[96];
	uint8_t got[DEMO_HASH_BYTES];
	char *args[] = { "naru", "run", "--", "curl", "-#", "-f", "-o", path, url, NULL };

	snprintf(url, sizeof(url), "http://10.77.0.1:%d/file", DEMO_PORT);
	snprintf(path, sizeof(path), "%s/received", d->dir);
	printf("\nDown: the same file back.\n");
	fflush(stdout);
	if (run_self(args) || hash_file(path, got))
		return -EIO;
	print_hash("SHA-256 from the kernel", d->want);
	print_hash("SHA-256 received over Naru", got);
	unlink(path);
	return sodium_memcmp(got, d->want, sizeof(got)) ? -EBADMSG : 0;
}

static int demo_live(struct demo *d)
{
	char sent[96], capture[96];
	int err;

	snprintf(d->dir, sizeof(d->dir), "/tmp/naru-demo-XXXXXX");
	if (!mkdtemp(d->dir))
		return -errno;
	snprintf(capture, sizeof(capture), "%s/upload.pcapng", d->dir);
	err = start_server(d);
	if (!err)
		err = make_file(d, sent, sizeof(sent));
	if (!err)
		err = upload(d, sent, capture);
	if (!err)
		err = download(d);
	if (d->server > 0) {
		kill(d->server, SIGKILL);
		waitpid(d->server, NULL, 0);
	}
	unlink(sent);
	if (!err)
		printf("\nThe capture of the upload: %s\n", capture);
	return err;
}

static bool has_curl(void) { return !access("/usr/bin/curl", X_OK) || !access("/bin/curl", X_OK) || !access("/usr/local/bin/curl", X_OK); }

int cmd_demo(int argc, char **argv)
{
	struct demo d = { .bytes = DEMO_BYTES };
	int err;

	(void)argv;
	if (argc > 1) {
		fprintf(stderr, "naru demo takes no arguments.\n");
		return 2;
	}
	if (sodium_init() < 0)
		return 1;
	err = has_curl() ? enter_namespace() : -ENOENT;
	if (err) {
		printf("No TAP device for the kernel's side here (%s): two Naru stacks over a wire instead.\n",
		       err == -ENOENT ? "curl or /dev/net/tun is missing" : strerror(-err));
		return demo_wire(d.bytes);
	}
	err = demo_live(&d);
	if (err) {
		fprintf(stderr, "demo: failed: %s\n", strerror(-err));
		return 1;
	}
	printf("demo: OK\n");
	return 0;
}

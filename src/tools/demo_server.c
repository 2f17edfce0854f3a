/* SPDX-License-Identifier: BSD-2-Clause */
/* The demo's peer: a small HTTP server on the kernel's TCP. */
/*
 * How it works: one connection at a time; PUT takes a body and writes its SHA-256 to a pipe, GET sends
 * the demo's file. Enough of HTTP/1.1 for curl: Content-Length and Expect: 100-continue.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/demo.h"

#define HEAD_MAX 8192
#define IO_BYTES 262144

void demo_fill(uint8_t *buf, size_t len, uint64_t off)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = ((off + i) >> 3) * 0x9e3779b97f4a7c15ull;

		buf[i] = (uint8_t)(x >> (8 * ((off + i) & 7)));
	}
}

static int send_all(int fd, const void *buf, size_t len)
{
	while (len) {
		ssize_t n = send(fd, buf, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		buf = (const char *)buf + n;
		len -= (size_t)n;
	}
	return 0;
}

/* Read up to the empty line. Return: bytes of head, *ret_have: bytes read in all; -1 at the end. */
static ssize_t read_head(int fd, char *buf, size_t *ret_have)
{
	size_t have = 0;
	char *end;

	while (have < HEAD_MAX) {
		ssize_t n = recv(fd, buf + have, HEAD_MAX - have, 0);

		if (n <= 0)
			return -1;
		have += (size_t)n;
		buf[have] = 0;
		end = strstr(buf, "\r\n\r\n");
		if (end) {
			*ret_have = have;
			return end + 4 - buf;
		}
	}
	return -1;
}

static void take_put(int fd, const char *head, const uint8_t *rest, size_t rest_len, int hash_fd, uint8_t *buf)
{
	const char *cl = strcasestr(head, "Content-Length:");
	uint64_t left = cl ? strtoull(cl + 15, NULL, 10) : 0;
	crypto_hash_sha256_state h;
	uint8_t sum[DEMO_HASH_BYTES];

	if (strcasestr(head, "100-continue"))
		send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	crypto_hash_sha256_init(&h);
	crypto_hash_sha256_update(&h, rest, rest_len);
	left -= rest_len < left ? rest_len : left;
	while (left) {
		ssize_t n = recv(fd, buf, left < IO_BYTES ? left : IO_BYTES, 0);

		if (n <= 0)
			return;
		crypto_hash_sha256_update(&h, buf, (unsigned long long)n);
		left -= (uint64_t)n;
	}
	crypto_hash_sha256_final(&h, sum);
	if (write(hash_fd, sum, sizeof(sum)) != (ssize_t)sizeof(sum))
		return;
	send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
}

static void give_file(int fd, uint64_t bytes, uint8_t *buf)
{
	char head[128];
	int n = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", (unsigned long long)bytes);

	if (send_all(fd, head, (size_t)n))
		return;
	for (uint64_t off = 0; off < bytes;) {
		size_t len = bytes - off < IO_BYTES ? (size_t)(bytes - off) : IO_BYTES;

		demo_fill(buf, len, off);
		if (send_all(fd, buf, len))
			return;
		off += len;
	}
}

void demo_server(int listen_fd, int hash_fd, uint64_t bytes)
{
	char *head = malloc(HEAD_MAX + 1);
	uint8_t *buf = malloc(IO_BYTES);

	while (head && buf) {
		int fd = accept(listen_fd, NULL, NULL);
		size_t have;
		ssize_t n;

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			break;
		if (fd < 0)
			continue;
		n = read_head(fd, head, &have);
		if (n > 0 && !strncmp(head, "PUT ", 4)) {
			uint8_t *rest = (uint8_t *)head + n;
			size_t rest_len = have - (size_t)n;

			take_put(fd, head, rest, rest_len, hash_fd, buf);
		} else if (n > 0) {
			give_file(fd, bytes, buf);
		}
		close(fd);
	}
	_exit(1);
}

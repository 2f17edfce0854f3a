/* SPDX-License-Identifier: BSD-2-Clause */
/* Network namespaces for the kernel's side of a benchmark. */
#define _GNU_SOURCE
#include "netns.h"

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "workloads.h"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: not set to '%s'\n", path, text);
	close(fd);
}

/* An ordinary user becomes root of a user namespace, in which a network namespace is his. */
static int unshare_as_user(void)
{
	unsigned int uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -1;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	return 0;
}

int netns_new(void)
{
	if (unshare(CLONE_NEWNET) && unshare_as_user())
		return -1;
	write_file("/proc/sys/net/ipv4/ip_local_port_range", "10000 65535");
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

void netns_enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		fail_hard("setns");
}

int netns_shell(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return system(line);
}

void netns_use_cubic(int sock)
{
	if (setsockopt(sock, IPPROTO_TCP, TCP_CONGESTION, "cubic", strlen("cubic")))
		fail_hard("the kernel has no cubic");
}

int netns_offloads_off(const char *dev)
{
	static const unsigned int commands[] = { ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct ethtool_value v = { .cmd = commands[i], .data = 0 };
		struct ifreq r = { .ifr_data = (char *)&v };

		strncpy(r.ifr_name, dev, sizeof(r.ifr_name) - 1);
		if (ioctl(fd, SIOCETHTOOL, &r))
			err = -1;
	}
	close(fd);
	return err;
}

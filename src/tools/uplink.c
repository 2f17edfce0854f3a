/* SPDX-License-Identifier: BSD-2-Clause */
/* The way out of a stack: a TAP here, a TAP in a namespace of our own, or passt. */
/*
 * How it works: the first of these that this user may have. A TAP in a namespace reaches only what runs in
 * that namespace, so passt, which needs no rights, is preferred to it for getting out; but a TAP is faster
 * and takes large packets whole, so it comes first wherever it is allowed in the current namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dev/dev.h"
#include "tools/tools.h"

#define DEFAULT_NETS 256 /* 10.77.0.0/24 .. 10.77.255.0/24: one for each `naru run` here */

struct ipaddr uplink_gateway(const struct uplink_addr *a)
{
	struct ipaddr gw = ipaddr_mask(&a->addr, a->plen128);

	gw.b[15] |= 1;
	if (!memcmp(gw.b, a->addr.b, sizeof(gw.b)))
		gw.b[15] ^= 3;
	return gw;
}

static void add_default(struct uplink *u, const char *fmt, unsigned int net)
{
	struct uplink_addr *a = &u->addrs[u->num_addrs++];
	char text[64];

	snprintf(text, sizeof(text), fmt, net);
	BUG_ON(ipaddr_parse_prefix(text, &a->addr, &a->plen128) != 0);
}

/* The first network of ours that no other interface here uses. */
static void pick_addrs(struct uplink *u)
{
	if (u->num_addrs)
		return;
	for (unsigned int net = 0; net < DEFAULT_NETS; net++) {
		struct ipaddr gw;

		u->num_addrs = 0;
		add_default(u, "10.77.%u.2/24", net);
		gw = uplink_gateway(&u->addrs[0]);
		if (hostif_has_addr(&gw))
			continue;
		add_default(u, "fd77:0:0:%x::2/64", net);
		return;
	}
}

/* ---- TAP ---- */

static int configure_tap(struct uplink *u)
{
	struct uplink_addr peers[UPLINK_MAX_ADDRS];
	int err;

	pick_addrs(u);
	for (unsigned int i = 0; i < u->num_addrs; i++)
		peers[i] = (struct uplink_addr){ uplink_gateway(&u->addrs[i]), u->addrs[i].plen128 };
	err = hostif_up(u->ifname, peers, u->num_addrs, u->mtu);
	if (err)
		say("the kernel's side of %s cannot be set up: %s", u->ifname, strerror(-err));
	return err;
}

/* 0, or why not (nothing said yet except by configure_tap). */
static int try_tap(struct uplink *u)
{
	bool is_there = if_nametoindex(u->ifname) != 0;
	int fd = tap_open(u->ifname, true), err;

	if (fd < 0)
		return fd;
	err = is_there ? 0 : configure_tap(u); /* a device made beforehand is its maker's business */
	if (err) {
		close(fd);
		return err;
	}
	pick_addrs(u);
	u->fd = fd;
	return 0;
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Same ids inside as outside, so that files and $HOME stay the user's. */
static int enter_namespaces(void)
{
	char uid[64], gid[64];

	snprintf(uid, sizeof(uid), "%u %u 1", geteuid(), geteuid());
	snprintf(gid, sizeof(gid), "%u %u 1", getegid(), getegid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -errno;
	write_file("/proc/self/setgroups", "deny");
	if (!write_file("/proc/self/uid_map", uid) || !write_file("/proc/self/gid_map", gid))
		return -EPERM;
	return hostif_lo_up();
}

/* ---- passt ---- */

static _Noreturn void exec_passt(const struct uplink *u, int fd)
{
	char fd_text[16], addr[64], gw_text[64], plen[16];
	struct ipaddr gw = uplink_gateway(&u->addrs[0]);

	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	snprintf(plen, sizeof(plen), "%u", uplink_plen(&u->addrs[0]));
	ipaddr_format(&u->addrs[0].addr, addr, sizeof(addr));
	ipaddr_format(&gw, gw_text, sizeof(gw_text));
	fcntl(fd, F_SETFD, 0);
	execlp("passt", "passt", "--quiet", "--fd", fd_text, "--address", addr, "--netmask", plen, "--gateway", gw_text,
	       "--ipv4-only", (char *)NULL);
	_exit(127);
}

/* passt goes into the background by itself when it is ready. */
static int try_passt(struct uplink *u)
{
	int sv[2], status = 0;
	pid_t pid;

	pick_addrs(u);
	if (u->num_addrs > 1 && !ipaddr_is_v4(&u->addrs[1].addr))
		u->num_addrs = 1;
	if (!ipaddr_is_v4(&u->addrs[0].addr))
		return -EAFNOSUPPORT;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		return -errno;
	pid = fork();
	if (!pid)
		exec_passt(u, sv[1]);
	close(sv[1]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		close(sv[0]);
		return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EIO;
	}
	u->fd = sv[0];
	u->is_stream = true;
	return 0;
}

static int open_passt(struct uplink *u)
{
	int err = try_passt(u);

	if (err == -ENOENT)
		say("passt is not installed; install the package passt, or use --uplink tap");
	else if (err == -EAFNOSUPPORT)
		say("--uplink passt wants an IPv4 address first");
	else if (err)
		say("passt did not start; run passt --foreground to see why");
	return err ? -1 : 0;
}

/* ---- choosing ---- */

static int open_tap(struct uplink *u)
{
	int err = try_tap(u);

	if (err == -EPERM && !enter_namespaces())
		err = try_tap(u);
	if (!err)
		return 0;
	if (err == -EACCES)
		say("/dev/net/tun may not be opened; as root: chmod 666 /dev/net/tun, or use --uplink passt");
	else if (err == -ENOENT || err == -ENODEV)
		say("there is no /dev/net/tun here; as root: modprobe tun, or use --uplink passt");
	else
		say("TAP device %s: %s", u->ifname, strerror(-err));
	return -1;
}

static int open_best(struct uplink *u)
{
	if (!try_tap(u) || !try_passt(u))
		return 0;
	if (!enter_namespaces() && !try_tap(u))
		return 0;
	say("no way out: a TAP needs root or a writable /dev/net/tun, and passt is not installed or did not start.\n"
	    "      Do one of: install the package passt; chmod 666 /dev/net/tun as root; run naru as root;\n"
	    "      or use --uplink none for a stack without a way out.");
	return -1;
}

int uplink_open(struct uplink *u)
{
	u->fd = -1;
	if (!u->ifname[0])
		strcpy(u->ifname, "naru%d");
	switch (u->kind) {
	case UPLINK_NONE:
		return 0;
	case UPLINK_TAP:
		return open_tap(u);
	case UPLINK_PASST:
		return open_passt(u);
	default:
		return open_best(u);
	}
}

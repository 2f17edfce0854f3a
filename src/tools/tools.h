/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool's parts: subcommands, the uplink to the world outside, the supervisor. */
#ifndef NARU_TOOLS_TOOLS_H
#define NARU_TOOLS_TOOLS_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "boot/tree.h"
#include "wire/ipaddr.h"

/** cmd_run() - `naru run`; @argv[0] is the subcommand. Return: exit status. */
int cmd_run(int argc, char **argv);

/** say() - one line on stderr, "naru: " in front, printf-like. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

enum uplink_kind { UPLINK_AUTO = 0, UPLINK_TAP, UPLINK_PASST, UPLINK_NONE };

#define UPLINK_MAX_ADDRS 16
struct uplink_addr {
	struct ipaddr addr;
	unsigned int plen128; /* of the address as 128 bits: 96 more than written for IPv4 */
};

/* How Naru's device meets the outside. */
struct uplink {
	enum uplink_kind kind;
	char ifname[IFNAMSIZ]; /* TAP: wanted name or pattern; afterwards the real one */
	struct uplink_addr addrs[UPLINK_MAX_ADDRS]; /* Naru's side; defaults are filled in when none are given */
	unsigned int num_addrs;
	uint32_t mtu;
	int fd;		/* open device */
	bool is_stream; /* framing of passt instead of a TAP */
};
/**
 * uplink_open() - open the device and set up the kernel's side of it; says what is wrong itself
 * May move this process into namespaces of its own. Return: 0 or -1.
 */
int uplink_open(struct uplink *u);
/** uplink_plen() - prefix length as written. */
static inline unsigned int uplink_plen(const struct uplink_addr *a) { return a->plen128 - (ipaddr_is_v4(&a->addr) ? 96 : 0); }
/** uplink_gateway() - the other side's address in the network of @a: its first, or second if @a is the first. */
struct ipaddr uplink_gateway(const struct uplink_addr *a);

/** hostif_up() - give the kernel's interface @ifname addresses, MTU and a long queue, and set it up. 0 or -errno. */
int hostif_up(const char *ifname, const struct uplink_addr *addrs, unsigned int num, uint32_t mtu);
/** hostif_lo_up() - in a new namespace: loopback of the kernel's. */
int hostif_lo_up(void);
/** hostif_has_addr() - does an interface here have this address. */
bool hostif_has_addr(const struct ipaddr *a);

/* What the supervisor needs to start the program. */
struct start {
	char *const *argv; /* program and arguments */
	struct tree *tree;
	int fd_arena, fd_kick, fd_device, fd_capture; /* -1: none */
};
/** supervise() - start the program on the tree, serve it until all its processes ended. Its exit status. */
int supervise(const struct start *s);
/** program_start() - fork and exec with the shim; @control: the program's end. pid or -1 (said why). */
pid_t program_start(const struct start *s, int control);

#endif

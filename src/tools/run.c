/* SPDX-License-Identifier: BSD-2-Clause */
/* `naru run`: options, the stack and its device, then the supervisor. */
/*
 * How it works: options are collected first, then uplink, world, device, addresses, routes and sysctls in
 * this order; the first thing that fails says why and ends the run before the program is started.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "naru/version.h"
#include "tools/tools.h"
#include "tools/walk.h"

#define MAX_ROUTES 64
#define MAX_SYSCTLS 64
#define DEVICE_NAME "eth0"
#define DEFAULT_MTU 1500u
#define EXIT_OURS 125 /* as env, nohup and timeout: the tool failed, not the program */

enum { OPT_UPLINK = 1000, OPT_CAPTURE, OPT_MEM, OPT_SYSCTL, OPT_MTU, OPT_WALK, OPT_COUNTERS, OPT_POOLS };

struct run_options {
	struct uplink up;
	const char *routes[MAX_ROUTES]; /* "PREFIX" "via" "GATEWAY" as written */
	unsigned int num_routes;
	char *sysctls[MAX_SYSCTLS];
	unsigned int num_sysctls;
	size_t mem_bytes;
	const char *capture;
	bool wants_walk, wants_counters, wants_pools;
	char **program;
};

static const struct argp_option options[] = {
	{ "addr", 'a', "A/LEN", 0, "address of the stack, instead of 10.77.0.2/24 and fd77::2/64; may be repeated", 0 },
	{ "route", 'r', "\"R via G\"", 0, "route; without any the other side of the uplink is the default gateway", 0 },
	{ "sysctl", OPT_SYSCTL, "NAME=VALUE", 0, "as on Linux: net.ipv4.tcp_congestion_control=reno; may be repeated", 0 },
	{ "uplink", OPT_UPLINK, "KIND", 0, "tap, tap:NAME, passt or none; without: the best that is allowed", 0 },
	{ "mtu", OPT_MTU, "BYTES", 0, "of the uplink; 1500", 0 },
	{ "mem", OPT_MEM, "SIZE", 0, "most memory of the stack, with K, M or G; 1G", 0 },
	{ "capture", OPT_CAPTURE, "FILE", 0, "write every frame to FILE (pcapng)", 0 },
	{ "walk", OPT_WALK, NULL, 0, "at the end show the first send() stage by stage, with times", 0 },
	{ "counters", OPT_COUNTERS, NULL, 0, "at the end show the counters that moved, as nstat names them", 0 },
	{ "pools", OPT_POOLS, NULL, 0, "at the end show what is still allocated, object by object", 0 },
	{ 0 },
};

/* ---- reading options ---- */

static void add_addr(struct argp_state *state, struct uplink *u, const char *arg)
{
	struct uplink_addr *a;

	if (u->num_addrs == UPLINK_MAX_ADDRS)
		argp_error(state, "too many addresses");
	a = &u->addrs[u->num_addrs++];
	if (ipaddr_parse_prefix(arg, &a->addr, &a->plen128))
		argp_error(state, "--addr %s: write it like 10.77.0.2/24 or fd77::2/64", arg);
}

static void set_uplink(struct argp_state *state, struct uplink *u, const char *arg)
{
	if (!strncmp(arg, "tap:", 4) && arg[4] && strnlen(arg, 4 + sizeof(u->ifname)) < 4 + sizeof(u->ifname)) {
		u->kind = UPLINK_TAP;
		strcpy(u->ifname, arg + 4);
	} else if (!strcmp(arg, "tap")) {
		u->kind = UPLINK_TAP;
	} else if (!strcmp(arg, "passt")) {
		u->kind = UPLINK_PASST;
	} else if (!strcmp(arg, "none")) {
		u->kind = UPLINK_NONE;
	} else {
		argp_error(state, "--uplink %s: it is tap, tap:NAME, passt or none", arg);
	}
}

static size_t parse_size(struct argp_state *state, const char *arg)
{
	char *end;
	unsigned long long v = strtoull(arg, &end, 10);
	unsigned int shift = *end == 'G' ? 30 : *end == 'M' ? 20 : *end == 'K' ? 10 : 0;

	if (end == arg || !v || (shift ? end[1] : end[0]) || v > SIZE_MAX >> shift)
		argp_error(state, "--mem %s: write it like 512M or 2G", arg);
	if (v << shift < ARENA_MIN_BYTES || v << shift > ARENA_MAX_BYTES)
		argp_error(state, "--mem %s: 4M to 64G", arg);
	return (size_t)v << shift;
}

static void add_sysctl(struct argp_state *state, struct run_options *o, char *arg)
{
	if (!strchr(arg, '='))
		argp_error(state, "--sysctl %s: write it like net.ipv4.tcp_sack=1", arg);
	if (o->num_sysctls == MAX_SYSCTLS)
		argp_error(state, "too many sysctls");
	o->sysctls[o->num_sysctls++] = arg;
}

static void set_mtu(struct argp_state *state, struct uplink *u, const char *arg)
{
	char *end;
	unsigned long v = strtoul(arg, &end, 10);

	if (*end || v < 576 || v > 65521)
		argp_error(state, "--mtu %s: 576 to 65521", arg);
	u->mtu = (uint32_t)v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case 'a': add_addr(state, &o->up, arg); return 0;
	case 'r':
		if (o->num_routes == MAX_ROUTES)
			argp_error(state, "too many routes");
		o->routes[o->num_routes++] = arg;
		return 0;
	case OPT_SYSCTL: add_sysctl(state, o, arg); return 0;
	case OPT_UPLINK: set_uplink(state, &o->up, arg); return 0;
	case OPT_MTU: set_mtu(state, &o->up, arg); return 0;
	case OPT_MEM: o->mem_bytes = parse_size(state, arg); return 0;
	case OPT_CAPTURE: o->capture = arg; return 0;
	case OPT_WALK: o->wants_walk = true; return 0;
	case OPT_COUNTERS: o->wants_counters = true; return 0;
	case OPT_POOLS: o->wants_pools = true; return 0;
	case ARGP_KEY_ARG:
		o->program = &state->argv[state->next - 1];
		state->next = state->argc;
		return 0;
	case ARGP_KEY_NO_ARGS: argp_error(state, "which program? naru run [OPTION...] -- PROGRAM [ARGUMENT...]"); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* ---- the stack ---- */

static int add_route(naru_stack *st, const char *text)
{
	char prefix[80], gw[80];
	int num = sscanf(text, "%79s via %79s", prefix, gw), err;

	if (num < 1 || (num == 1 && strchr(text, ' '))) {
		say("--route \"%s\": write it like \"0.0.0.0/0 via 10.77.0.1\"", text);
		return -1;
	}
	if (!strcmp(prefix, "default"))
		strcpy(prefix, num == 2 && strchr(gw, ':') ? "::/0" : "0.0.0.0/0");
	err = naru_route_add(st, prefix, num == 2 ? gw : NULL, num == 2 ? NULL : DEVICE_NAME);
	if (err)
		say("--route \"%s\": %s", text, strerror(-err));
	return err;
}

static int add_default_routes(naru_stack *st, const struct uplink *u)
{
	bool has[2] = { false, false };

	for (unsigned int i = 0; i < u->num_addrs; i++) {
		bool is_v4 = ipaddr_is_v4(&u->addrs[i].addr);
		struct ipaddr gw = uplink_gateway(&u->addrs[i]);
		char text[64];
		int err;

		if (has[is_v4])
			continue;
		has[is_v4] = true;
		ipaddr_format(&gw, text, sizeof(text));
		err = naru_route_add(st, is_v4 ? "0.0.0.0/0" : "::/0", text, DEVICE_NAME);
		if (err) {
			say("default route via %s: %s", text, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int add_addrs(naru_stack *st, const struct uplink *u)
{
	for (unsigned int i = 0; i < u->num_addrs; i++) {
		char text[64], full[80];
		int err;

		ipaddr_format(&u->addrs[i].addr, text, sizeof(text));
		snprintf(full, sizeof(full), "%s/%u", text, uplink_plen(&u->addrs[i]));
		err = naru_addr_add(st, DEVICE_NAME, full);
		if (err) {
			say("address %s: %s", full, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int set_sysctls(naru_stack *st, const struct run_options *o)
{
	for (unsigned int i = 0; i < o->num_sysctls; i++) {
		char *eq = strchr(o->sysctls[i], '=');
		int err;

		*eq = 0;
		err = naru_sysctl_set(st, o->sysctls[i], eq + 1);
		if (err) {
			say("--sysctl %s: %s", o->sysctls[i],
			    err == -ENOENT ? "there is no such setting" : "not a value it can have");
			return err;
		}
	}
	return 0;
}

static int configure(struct tree *t, const struct run_options *o)
{
	naru_stack *st = (naru_stack *)t->stack;
	int err = set_sysctls(st, o);

	if (err || o->up.fd < 0)
		return err;
	err = add_addrs(st, &o->up);
	if (!err && !o->num_routes)
		err = add_default_routes(st, &o->up);
	for (unsigned int i = 0; i < o->num_routes && !err; i++)
		err = add_route(st, o->routes[i]);
	return err;
}

static int open_capture(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		say("--capture %s: %s", path, strerror(errno));
	return fd;
}

static int make_tree(const struct run_options *o, struct start *s)
{
	struct naru_world_config wc = { .memory_bytes = o->mem_bytes, .is_shared = true };
	naru_stack *st;
	naru_world *w;
	int err = naru_world_new(&wc, &w);

	if (!err)
		err = naru_stack_new(w, NULL, &st);
	if (!err)
		err = tree_create(w, (struct stack *)st, &s->tree);
	if (!err) {
		((struct stack *)st)->is_driven = true;
		s->fd_kick = tree_kick_fd(s->tree);
		err = s->fd_kick < 0 ? s->fd_kick : 0;
	}
	if (!err && o->up.fd >= 0)
		err = tree_add_device(s->tree, DEVICE_NAME, o->up.fd, o->up.is_stream, o->up.mtu, s->fd_capture);
	if (err) {
		say("the stack cannot be made: %s", strerror(-err));
		return err;
	}
	s->fd_arena = w->memfd;
	return 0;
}

static void print_pool(const char *name, uint32_t in_use, void *out) { fprintf(out, "  %-16s %u\n", name, in_use); }

/* What was asked for at the end, on stderr: the program's output stays its own. */
static void report(struct stack *st, const struct run_options *o)
{
	if (o->wants_walk && !walk_print(st, stderr))
		say("no send() reached the device");
	if (o->wants_counters) {
		fprintf(stderr, "Counters that moved:\n");
		walk_print_counters(st, stderr);
	}
	if (o->wants_pools) {
		fprintf(stderr, "Objects in use:\n");
		world_each_pool(st->pools, print_pool, stderr);
	}
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = {
		options, parse, "-- PROGRAM [ARGUMENT...]",
		"Run PROGRAM with all it starts on a network stack of its own.\v"
		"Names are looked up by the system's resolver, through the kernel's network; everything PROGRAM "
		"sends and receives on its internet sockets goes through Naru. The exit status is PROGRAM's; "
		"125: naru failed, 126 and 127: PROGRAM could not be started, 128+N: killed by signal N.",
		NULL, NULL, NULL,
	};
	struct run_options o = { .up = { .mtu = DEFAULT_MTU, .fd = -1 } };
	struct start s = { .fd_capture = -1, .fd_device = -1 };
	char name[] = "naru run";
	int status;

	argv[0] = name;
	argp_err_exit_status = EXIT_OURS;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
	s.argv = o.program;
	if (o.capture && (s.fd_capture = open_capture(o.capture)) < 0)
		return EXIT_OURS;
	if (uplink_open(&o.up))
		return EXIT_OURS;
	s.fd_device = o.up.fd;
	if (make_tree(&o, &s) || configure(s.tree, &o))
		return EXIT_OURS;
	if (o.wants_walk)
		walk_start(s.tree->stack);
	status = supervise(&s);
	report(s.tree->stack, &o);
	return status;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration calls of the library: addresses, routes, sysctls, counters, devices, time. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "base/proc.h"
#include "boot/world.h"
#include "core/netdev.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "pump/pump.h"
#include "qdisc/qdisc.h"

static struct stack *stack_of(naru_stack *st) { return (struct stack *)st; }

static int bring_up(struct netdev *dev, enum qdisc_kind q)
{
	int err = qdisc_attach(dev, q);

	if (err)
		return err;
	dev_up(dev);
	return ip_dev_up(dev);
}

int naru_addr_add(naru_stack *st, const char *dev, const char *addr_len)
{
	struct netdev *d = netdev_by_name(stack_of(st), dev);
	unsigned int plen;
	struct ipaddr a;

	if (!d)
		return -ENODEV;
	if (ipaddr_parse_prefix(addr_len, &a, &plen))
		return -EINVAL;
	return ip_addr_add(d, &a, (uint8_t)plen, true);
}

int naru_route_add(naru_stack *st, const char *prefix, const char *gateway, const char *dev)
{
	struct netdev *d = dev ? netdev_by_name(stack_of(st), dev) : NULL;
	struct ipaddr dst, gw;
	unsigned int plen;

	if (dev && !d)
		return -ENODEV;
	if (ipaddr_parse_prefix(prefix, &dst, &plen) || (gateway && ipaddr_parse(gateway, &gw)))
		return -EINVAL;
	dst = ipaddr_mask(&dst, plen);
	return ip_route_add(stack_of(st), &dst, (uint8_t)plen, gateway ? &gw : NULL, d, NULL);
}

int naru_sysctl_set(naru_stack *st, const char *name, const char *value) { return sysctl_set(&stack_of(st)->sysctl, name, value); }

int naru_sysctl_get(naru_stack *st, const char *name, char *buf, size_t size)
{
	return sysctl_get(&stack_of(st)->sysctl, name, buf, size);
}

int naru_counter(naru_stack *st, const char *name, uint64_t *ret)
{
	int id = mib_find(name);

	if (id < 0)
		return -ENOENT;
	*ret = mib_get(stack_of(st), (enum mib_id)id);
	return 0;
}

const char *naru_counter_name(unsigned int idx) { return idx < MIB_NUM ? mib_name((enum mib_id)idx) : NULL; }

static void copy_impair(struct wire_impair *to, const struct naru_impair *from)
{
	*to = (struct wire_impair){
		.rate_bps = from->rate_bps, .delay_ns = from->delay_ns, .jitter_ns = from->jitter_ns,
		.reorder_ns = from->reorder_ns, .loss_ppm = from->loss_ppm, .reorder_ppm = from->reorder_ppm,
		.duplicate_ppm = from->duplicate_ppm, .corrupt_ppm = from->corrupt_ppm,
		.queue_frames = from->queue_frames, .ecn_mark_frames = from->ecn_mark_frames,
	};
}

int naru_wire(naru_stack *a, const char *dev_a, naru_stack *b, const char *dev_b, const struct naru_wire_config *cfg)
{
	static const struct naru_wire_config defaults;
	struct wire_config wc = { 0 };
	struct netdev *da, *db;
	int err;

	if (!cfg)
		cfg = &defaults;
	wc.seed = cfg->seed;
	wc.mtu = cfg->mtu;
	wc.has_gso = cfg->has_gso;
	copy_impair(&wc.ab, &cfg->ab);
	copy_impair(&wc.ba, &cfg->ba);
	err = wire_create(stack_of(a), dev_a, stack_of(b), dev_b, &wc, &da, &db);
	if (!err)
		err = bring_up(da, QDISC_NOQUEUE);
	if (!err)
		err = bring_up(db, QDISC_NOQUEUE);
	return err;
}

int naru_tap(naru_stack *st, const char *dev, int fd, uint32_t mtu)
{
	struct netdev *d;
	int err = tap_create(stack_of(st), dev, fd, true, mtu, &d);

	if (err)
		return err;
	err = proc_fd_set(d, fd);
	return err ? err : bring_up(d, QDISC_PFIFO_FAST);
}

int naru_stream(naru_stack *st, const char *dev, int fd, uint32_t mtu)
{
	struct netdev *d;
	int err = stream_create(stack_of(st), dev, fd, mtu, &d);

	if (err)
		return err;
	err = proc_fd_set(d, fd);
	return err ? err : bring_up(d, QDISC_PFIFO_FAST);
}

int naru_capture(naru_stack *st, const char *dev, int fd)
{
	struct netdev *d = netdev_by_name(stack_of(st), dev), *cap;

	return d ? capture_wrap(d, fd, 0, &cap) : -ENODEV;
}

uint64_t naru_now_ns(naru_stack *st) { return stack_now_ns(stack_of(st)); }

void naru_poll_stack(naru_stack *st)
{
	pump_poll_devices(stack_of(st));
	pump_run(stack_of(st));
}

bool naru_step(naru_stack *st, uint64_t timeout_ns)
{
	uint64_t now = stack_now_ns(stack_of(st));

	return pump_step(stack_of(st), timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns);
}

void naru_run_for(naru_stack *st, uint64_t span_ns)
{
	uint64_t deadline = stack_now_ns(stack_of(st)) + span_ns;

	while (pump_step(stack_of(st), deadline))
		;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Multicast membership of devices; when and how it is reported: igmp.c. */
/*
 * How it works: a counted list of groups per device, under LOCK_IP. The first user of a group makes a
 * report leave, the last one a leave message, so that switches forward the right frames. All-hosts
 * (224.0.0.1) and all-nodes (ff02::1) are always members and never reported.
 */
#include "ip/ip_int.h"

#include <errno.h>

static bool is_all_nodes(const struct ipaddr *a)
{
	struct ipaddr all6 = {.b = {0xff, 0x02, [15] = 1}};

	return ipaddr_is_v4(a) ? a->w[3] == cpu_to_be32(0xe0000001) : ipaddr_eq(a, &all6);
}

/* LOCK_IP held. */
static struct mc_group *find(struct ip_dev *id, const struct ipaddr *group)
{
	for (uint32_t i = 0; i < IP_MAX_GROUPS; i++) {
		if (id->groups[i].users && ipaddr_eq(&id->groups[i].addr, group))
			return &id->groups[i];
	}
	return NULL;
}

bool mc_is_member(struct netdev *dev, const struct ipaddr *group)
{
	struct stack *st = dev->stack;
	bool is_loop = dev->flags & NETDEV_LOOPBACK, is_member;

	if (is_all_nodes(group))
		return true;
	lock_take(&st->ip->lock);
	is_member = find(ip_dev_of(dev), group);
	/* copies for ourselves come by the loopback device */
	for (uint32_t i = 0; i < STACK_MAX_DEVS && is_loop && !is_member; i++)
		is_member = st->devs[i] && find(&st->ip->devs[i], group);
	lock_drop(&st->ip->lock);
	return is_member;
}

static int add_user(struct ip_dev *id, const struct ipaddr *group, bool *ret_first)
{
	struct mc_group *g = find(id, group);

	if (g) {
		if (g->users == UINT32_MAX)
			return -ENOBUFS;
		g->users++;
		return 0;
	}
	for (uint32_t i = 0; i < IP_MAX_GROUPS; i++) {
		if (!id->groups[i].users) {
			id->groups[i] = (struct mc_group){.addr = *group, .users = 1};
			*ret_first = true;
			return 0;
		}
	}
	return -ENOBUFS;
}

static void report(struct netdev *dev, const struct ipaddr *group, bool is_join)
{
	if (!ip_dev_has_neighs(dev) || !ip_dev_is_up(dev) || is_all_nodes(group))
		return;
	if (ipaddr_is_v4(group))
		igmp_report(dev, group, is_join);
	else
		mld_report(dev, group, is_join);
}

int ip_mc_join(struct netdev *dev, const struct ipaddr *group)
{
	struct ip_stack *ip = dev->stack->ip;
	bool is_first = false;
	int err;

	if (!ipaddr_is_multicast(group))
		return -EINVAL;
	lock_take(&ip->lock);
	err = add_user(ip_dev_of(dev), group, &is_first);
	lock_drop(&ip->lock);
	if (is_first)
		report(dev, group, true);
	return err;
}

void mc_report_all(struct netdev *dev)
{
	struct ip_stack *ip = dev->stack->ip;
	struct ip_dev *id = ip_dev_of(dev);
	struct ipaddr groups[IP_MAX_GROUPS];
	uint32_t num = 0;

	lock_take(&ip->lock);
	for (uint32_t i = 0; i < IP_MAX_GROUPS; i++) {
		if (id->groups[i].users)
			groups[num++] = id->groups[i].addr;
	}
	lock_drop(&ip->lock);
	for (uint32_t i = 0; i < num; i++)
		report(dev, &groups[i], true);
}

int ip_mc_leave(struct netdev *dev, const struct ipaddr *group)
{
	struct ip_stack *ip = dev->stack->ip;
	struct mc_group *g;
	bool is_last = false;

	lock_take(&ip->lock);
	g = find(ip_dev_of(dev), group);
	if (g)
		is_last = --g->users == 0;
	lock_drop(&ip->lock);
	if (is_last)
		report(dev, group, false);
	return g ? 0 : -EADDRNOTAVAIL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel's side of a TAP: addresses, MTU, queue length, up. */
/*
 * How it works: MTU and flags by ioctl. Addresses by rtnetlink, since only that can add an IPv6 address that
 * works at once (no duplicate address detection: the other side is ours), and the queue length too, which
 * the ioctl refuses to the root of a user namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tools/tools.h"

#define HOST_QUEUE_PACKETS 10000 /* the kernel drops without back-pressure when this is full */

struct request {
	struct nlmsghdr h;
	union {
		struct ifaddrmsg ifa;
		struct ifinfomsg ifi;
	};
	char attrs[64];
};

static void add_attr(struct request *r, uint16_t type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), data, len);
	r->h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r->h.nlmsg_len) + RTA_SPACE(len));
}

static int ask(int nl, const struct request *r)
{
	struct { struct nlmsghdr h; struct nlmsgerr e; char rest[512]; } answer;

	if (send(nl, r, r->h.nlmsg_len, 0) < 0 || recv(nl, &answer, sizeof(answer), 0) < 0)
		return -errno;
	return answer.h.nlmsg_type == NLMSG_ERROR ? answer.e.error : 0;
}

static int add_addr(int nl, unsigned int ifindex, const struct uplink_addr *a)
{
	bool is_v4 = ipaddr_is_v4(&a->addr);
	struct request r = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.ifa)), .nlmsg_type = RTM_NEWADDR,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.ifa = { .ifa_family = is_v4 ? AF_INET : AF_INET6, .ifa_prefixlen = (uint8_t)uplink_plen(a),
			 .ifa_flags = is_v4 ? 0 : IFA_F_NODAD, .ifa_index = ifindex },
	};
	const uint8_t *bytes = a->addr.b + (is_v4 ? 12 : 0);

	add_attr(&r, IFA_LOCAL, bytes, is_v4 ? 4 : 16);
	add_attr(&r, IFA_ADDRESS, bytes, is_v4 ? 4 : 16);
	return ask(nl, &r);
}

static int set_queue(int nl, unsigned int ifindex, uint32_t packets)
{
	struct request r = {
		.h = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.ifi)), .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.ifi = { .ifi_index = (int)ifindex },
	};

	add_attr(&r, IFLA_TXQLEN, &packets, sizeof(packets));
	return ask(nl, &r);
}

static int add_addrs(const char *ifname, const struct uplink_addr *addrs, unsigned int num)
{
	unsigned int ifindex = if_nametoindex(ifname);
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), err;

	if (nl < 0)
		return -errno;
	err = set_queue(nl, ifindex, HOST_QUEUE_PACKETS);
	for (unsigned int i = 0; i < num && !err; i++)
		err = add_addr(nl, ifindex, &addrs[i]);
	close(nl);
	return err;
}

static int set_up(const char *ifname, uint32_t mtu)
{
	struct ifreq ifr = { 0 }; /* MTU 0: leave it */
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (s < 0)
		return -errno;
	memcpy(ifr.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	ifr.ifr_mtu = (int)mtu;
	if (mtu && ioctl(s, SIOCSIFMTU, &ifr))
		err = -errno;
	if (!err && ioctl(s, SIOCGIFFLAGS, &ifr))
		err = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (!err && ioctl(s, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(s);
	return err;
}

int hostif_up(const char *ifname, const struct uplink_addr *addrs, unsigned int num, uint32_t mtu)
{
	int err = set_up(ifname, mtu);

	return err ? err : add_addrs(ifname, addrs, num);
}

int hostif_lo_up(void) { return set_up("lo", 0); }

bool hostif_has_addr(const struct ipaddr *a)
{
	struct ifaddrs *list, *i;
	bool has = false;

	if (getifaddrs(&list))
		return false;
	for (i = list; i && !has; i = i->ifa_next) {
		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET && ipaddr_is_v4(a))
			has = !memcmp(&((struct sockaddr_in *)(void *)i->ifa_addr)->sin_addr, a->b + 12, 4);
		else if (i->ifa_addr->sa_family == AF_INET6)
			has = !memcmp(&((struct sockaddr_in6 *)(void *)i->ifa_addr)->sin6_addr, a->b, 16);
	}
	freeifaddrs(list);
	return has;
}

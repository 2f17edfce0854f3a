/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level UDP and the ioctls (T69.4, T95, R60). */
/*
 * How it works: UDP_CORK and the two IPv6 checksum switches. Segmentation offload towards the
 * program (UDP_SEGMENT, UDP_GRO) and encapsulation are not offered: ENOPROTOOPT.
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux's numbers (linux/udp.h); its header cannot live beside netinet/udp.h. */
#define OPT_CORK 1
#define OPT_NO_CHECK6_TX 101
#define OPT_NO_CHECK6_RX 102
#define LEVEL_UDP 17

static bool *flag_of(struct udp_sock *us, int opt)
{
	switch (opt) {
	case OPT_CORK: return &us->is_corked;
	case OPT_NO_CHECK6_TX: return &us->no_check6_tx;
	case OPT_NO_CHECK6_RX: return &us->no_check6_rx;
	default: return NULL;
	}
}

int udp_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len)
{
	struct udp_sock *us = udp_sk(sk);
	bool *flag;
	int v;

	if (level != LEVEL_UDP)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	flag = flag_of(us, opt);
	if (!flag)
		return -ENOPROTOOPT;
	*flag = v != 0;
	if (opt == OPT_CORK && !us->is_corked && us->pending)
		(void)udp_push_pending(sk); /* the option is set whatever happens to the datagram */
	return 0;
}

int udp_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len)
{
	const bool *flag = level == LEVEL_UDP ? flag_of(udp_sk(sk), opt) : NULL;
	int v;

	if (!flag)
		return -ENOPROTOOPT;
	v = *flag;
	if (*len > sizeof(v))
		*len = sizeof(v);
	memcpy(val, &v, *len);
	return 0;
}

int udp_ioctl(struct sock *sk, unsigned long req, int *val)
{
	switch (req) {
	case SIOCINQ: *val = udp_first_len(sk); return 0;
	case SIOCOUTQ: *val = atomic_load(&sk->wmem_alloc); return 0;
	default: return -ENOTTY;
	}
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Control messages of a send call (T13). */
/*
 * How it works: the buffer is our copy of what the program passed, so nothing moves underneath;
 * every length in it is still the program's word. A header is read only when it lies inside the
 * buffer whole, and its length may claim neither less than itself nor more than what is left.
 */
#include "core/cmsg.h"

#include <errno.h>
#include <linux/net_tstamp.h>
#include <string.h>

#ifndef SCM_TS_OPT_ID
#define SCM_TS_OPT_ID 81
#endif
#ifndef SCM_DEVMEM_DMABUF
#define SCM_DEVMEM_DMABUF 79
#endif
#define SO_TIMESTAMPING_OLD_NR 37
#define SO_TIMESTAMPING_NEW_NR 65
#define SO_TXTIME_NR 61
#define SCM_RIGHTS_NR 1
#define SCM_CREDENTIALS_NR 2
#define PRIORITY_FREE_MAX 6u /* above needs a capability */
#define TSFLAG_TX_COMPLETION 0x40000u

/* What a call may ask for by itself (T13 table). */
#define TSFLAGS_PER_CALL                                                                           \
	(SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | \
	 SOF_TIMESTAMPING_TX_ACK | TSFLAG_TX_COMPLETION)

/* CAP_NET_RAW or CAP_NET_ADMIN in the stack's namespace: its owner's root has them. */
static bool is_net_capable(const struct sock *sk)
{
	return sk->uid == 0;
}

int cmsg_next(const struct msg *m, size_t *pos, struct cmsg_item *ret)
{
	size_t left = m->controllen - *pos;
	struct cmsghdr h;

	if (*pos > m->controllen || left < sizeof(h))
		return 0;
	memcpy(&h, (const uint8_t *)m->control + *pos, sizeof(h));
	if (h.cmsg_len < sizeof(h) || h.cmsg_len > left)
		return -EINVAL;
	ret->level = h.cmsg_level;
	ret->type = h.cmsg_type;
	ret->data = (const uint8_t *)m->control + *pos + CMSG_LEN(0);
	ret->len = h.cmsg_len - CMSG_LEN(0);
	*pos += CMSG_ALIGN(h.cmsg_len);
	return 1;
}

/* The 4-byte value of an item; -EINVAL when it has another size. */
static int get_u32(const struct cmsg_item *c, uint32_t *ret)
{
	if (c->len != sizeof(*ret))
		return -EINVAL;
	memcpy(ret, c->data, sizeof(*ret));
	return 0;
}

static int set_mark(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck)
{
	if (!is_net_capable(sk)) /* before the length */
		return -EPERM;
	if (get_u32(c, &ck->mark))
		return -EINVAL;
	ck->seen |= SOCK_CMSG_SEEN_MARK;
	return 0;
}

static int set_tsflags(const struct cmsg_item *c, struct sockcm *ck)
{
	uint32_t v;

	if (get_u32(c, &v) || (v & ~TSFLAGS_PER_CALL))
		return -EINVAL;
	ck->tsflags = (ck->tsflags & ~TSFLAGS_PER_CALL) | v;
	return 0;
}

static int set_txtime(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck)
{
	if (!(sk->flags & SK_TXTIME) || c->len != sizeof(ck->txtime_ns))
		return -EINVAL;
	memcpy(&ck->txtime_ns, c->data, sizeof(ck->txtime_ns));
	ck->seen |= SOCK_CMSG_SEEN_TXTIME;
	return 0;
}

static int set_ts_opt_id(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck)
{
	if (sk->proto == PROTO_TCP || !(sk->tsflags & SOF_TIMESTAMPING_OPT_ID) ||
	    get_u32(c, &ck->ts_opt_id))
		return -EINVAL;
	ck->seen |= SOCK_CMSG_SEEN_TS_OPT_ID;
	return 0;
}

static int set_priority(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck)
{
	uint32_t v;

	if (get_u32(c, &v))
		return -EINVAL;
	if (v > PRIORITY_FREE_MAX && !is_net_capable(sk))
		return -EPERM;
	ck->priority = v;
	ck->seen |= SOCK_CMSG_SEEN_PRIORITY;
	return 0;
}

int sock_cmsg_one(const struct sock *sk, const struct cmsg_item *c, struct sockcm *ck)
{
	switch (c->type) {
	case SO_MARK: return set_mark(sk, c, ck);
	case SO_TIMESTAMPING_OLD_NR:
	case SO_TIMESTAMPING_NEW_NR: return set_tsflags(c, ck);
	case SO_TXTIME_NR: return set_txtime(sk, c, ck);
	case SCM_TS_OPT_ID: return set_ts_opt_id(sk, c, ck);
	case SO_PRIORITY: return set_priority(sk, c, ck);
	case SCM_DEVMEM_DMABUF: return get_u32(c, &ck->dmabuf_id);
	case SCM_RIGHTS_NR: /* no meaning on an internet socket */
	case SCM_CREDENTIALS_NR: return 0;
	default: return -EINVAL;
	}
}

int sock_cmsg_send(struct sock *sk, struct msg *m, struct sockcm *ck)
{
	struct cmsg_item item;
	size_t pos = 0;
	int more, err;

	while ((more = cmsg_next(m, &pos, &item)) > 0) {
		if (item.level != SOL_SOCKET)
			continue;
		err = sock_cmsg_one(sk, &item, ck);
		if (err)
			return err;
	}
	return more;
}

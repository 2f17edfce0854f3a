/* SPDX-License-Identifier: BSD-2-Clause */
/* SOL_SOCKET options: ranges, errno and effects of Linux (T95, R58; oracle of the live kernel). */
/*
 * How it works
 *
 * One function per kind of value: flags of sk->flags through a small table, integers with a rule of
 * their own through a switch, structures by themselves. What Naru does not offer gets ENOPROTOOPT, or
 * what the kernel says for a socket of this kind; nothing is accepted and ignored.
 *
 * Locks: the socket lock is taken here for everything that changes state.
 */
#include "socket/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

#include "core/netdev.h"
#include "inet/inet.h"

/* Numbers newer than the system's headers. */
#define OPT_TIMESTAMP_NEW 63
#define OPT_TIMESTAMPNS_NEW 64
#define OPT_RCVTIMEO_NEW 66
#define OPT_SNDTIMEO_NEW 67
#define OPT_BUF_LOCK 72
#define OPT_RESERVE_MEM 73

#define SOCK_MIN_SNDBUF 4608 /* bytes: floor of SO_SNDBUF after doubling (T89.1) */
#define SOCK_MIN_RCVBUF 2304 /* bytes: floor of SO_RCVBUF after doubling (R36.4) */

struct flag_opt {
	int opt;
	uint32_t flag;
};

static const struct flag_opt flag_opts[] = {
	{ SO_REUSEADDR, SK_REUSEADDR }, { SO_REUSEPORT, SK_REUSEPORT }, { SO_DONTROUTE, SK_DONTROUTE },
	{ SO_BROADCAST, SK_BROADCAST }, { SO_OOBINLINE, SK_OOBINLINE }, { SO_NO_CHECK, SK_NO_CHECK },
	{ SO_RXQ_OVFL, SK_RXQ_OVFL },
};

static const struct flag_opt *find_flag(int opt)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_opts); i++)
		if (flag_opts[i].opt == opt)
			return &flag_opts[i];
	return NULL;
}

/* ---- set: one kind of value each ---- */

static void set_flag(struct sock *sk, uint32_t flag, bool on)
{
	if (on)
		sk->flags |= flag;
	else
		sk->flags &= ~flag;
}

static void set_sndbuf(struct sock *sk, int64_t val, bool is_forced)
{
	int64_t max = sk->stack->sysctl.wmem_max;

	if (val < 0)
		val = is_forced ? 0 : UINT32_MAX; /* T89.1: seen as unsigned by the plain option */
	if (!is_forced && val > max)
		val = max;
	if (val > INT_MAX / 2)
		val = INT_MAX / 2;
	sk->sndbuf = (int32_t)(val * 2 < SOCK_MIN_SNDBUF ? SOCK_MIN_SNDBUF : val * 2);
	sk->flags |= SK_SNDBUF_LOCK;
	if (sock_ops(sk)->write_space)
		sock_ops(sk)->write_space(sk);
}

static void set_rcvbuf(struct sock *sk, int64_t val, bool is_forced)
{
	int64_t max = sk->stack->sysctl.rmem_max;

	if (val < 0)
		val = is_forced ? 0 : UINT32_MAX;
	if (!is_forced && val > max)
		val = max;
	if (val > INT_MAX / 2)
		val = INT_MAX / 2;
	sk->rcvbuf = (int32_t)(val * 2 < SOCK_MIN_RCVBUF ? SOCK_MIN_RCVBUF : val * 2);
	sk->flags |= SK_RCVBUF_LOCK;
}

static int set_timeo(struct sock *sk, int64_t *field, const void *val, socklen_t len)
{
	uint64_t tick_ns = sk->stack->timers.tick_ns;
	struct timeval tv;
	uint64_t ns;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0) {
		*field = 0; /* T18.2: never block */
		return 0;
	}
	if (!tv.tv_sec && !tv.tv_usec) {
		*field = SOCK_TIMEO_FOREVER;
		return 0;
	}
	if ((uint64_t)tv.tv_sec >= INT64_MAX / NS_PER_S - 1) {
		*field = SOCK_TIMEO_FOREVER;
		return 0;
	}
	ns = (uint64_t)tv.tv_sec * NS_PER_S + (uint64_t)tv.tv_usec * NS_PER_US;
	*field = (int64_t)(div_up_u64(ns, tick_ns) * tick_ns);
	return 0;
}

static int set_linger(struct sock *sk, const void *val, socklen_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	set_flag(sk, SK_LINGER, l.l_onoff != 0);
	if (l.l_onoff)
		sk->linger_s = l.l_linger < 0 ? INT_MAX : l.l_linger;
	return 0;
}

static int set_rcvlowat(struct sock *sk, int val)
{
	int64_t cap;

	if (val < 0)
		val = INT_MAX;
	sk->rcvlowat = val ? val : 1;
	if (sk->proto != PROTO_TCP)
		return 0;
	cap = (sk->flags & SK_RCVBUF_LOCK ? sk->rcvbuf : sk->stack->sysctl.tcp_rmem[2]) / 2;
	if (sk->rcvlowat > cap)
		sk->rcvlowat = (int32_t)cap;
	if (!(sk->flags & SK_RCVBUF_LOCK) && (int64_t)sk->rcvlowat * 2 > sk->rcvbuf)
		sk->rcvbuf = sk->rcvlowat * 2;
	sock_wake(sk, EPOLLIN);
	return 0;
}

static int set_pacing_rate(struct sock *sk, const void *val, socklen_t len)
{
	uint64_t rate;
	uint32_t rate32;

	if (len == sizeof(rate)) {
		memcpy(&rate, val, sizeof(rate));
	} else {
		memcpy(&rate32, val, sizeof(rate32));
		rate = rate32 == UINT32_MAX ? UINT64_MAX : rate32;
	}
	if (rate != UINT64_MAX && sk->pacing_status == SK_PACING_NONE)
		sk->pacing_status = SK_PACING_NEEDED;
	sk->max_pacing_Bps = rate;
	sk->pacing_Bps = min_u64(sk->pacing_Bps, rate);
	return 0;
}

static int bind_to_ifindex(struct sock *sk, uint32_t ifindex)
{
	sk->bound_ifindex = ifindex;
	sock_set_dst(sk, NULL);
	return 0;
}

static int set_bindtodevice(struct sock *sk, const char *val, socklen_t len)
{
	char name[NETDEV_NAME_BYTES] = "";
	struct netdev *dev;

	if (len > sizeof(name) - 1)
		len = sizeof(name) - 1;
	memcpy(name, val, len);
	if (!name[0])
		return bind_to_ifindex(sk, 0);
	dev = netdev_by_name(sk->stack, name);
	return dev ? bind_to_ifindex(sk, dev->ifindex) : -ENODEV;
}

static int set_peek_off(struct sock *sk, int val)
{
	sk->peek_off = val < 0 ? -1 : val;
	return 0;
}

/* Integers with a rule of their own. */
static int set_int(struct sock *sk, int opt, int val)
{
	switch (opt) {
	case SO_DEBUG:
		return val ? -EACCES : 0;
	case SO_BSDCOMPAT:
		return 0; /* no effect on Linux either; reads 0 */
	case SO_SNDBUF:
		set_sndbuf(sk, val, false);
		return 0;
	case SO_SNDBUFFORCE:
		set_sndbuf(sk, val, true);
		return 0;
	case SO_RCVBUF:
		set_rcvbuf(sk, val, false);
		return 0;
	case SO_RCVBUFFORCE:
		set_rcvbuf(sk, val, true);
		return 0;
	case SO_KEEPALIVE:
		set_flag(sk, SK_KEEPOPEN, val != 0);
		return sk->proto == PROTO_TCP ? sock_ops(sk)->setsockopt(sk, SOL_SOCKET, SO_KEEPALIVE, &val, sizeof(val)) : 0;
	case SO_PRIORITY:
		sk->priority = (uint32_t)val;
		return 0;
	case SO_RCVLOWAT:
		return set_rcvlowat(sk, val);
	case SO_MARK:
		if (sk->mark != (uint32_t)val)
			sock_set_dst(sk, NULL);
		sk->mark = (uint32_t)val;
		return 0;
	case SO_TIMESTAMP:
	case OPT_TIMESTAMP_NEW:
		sk->flags &= ~(SK_TIMESTAMP | SK_TIMESTAMPNS);
		set_flag(sk, SK_TIMESTAMP, val != 0);
		return 0;
	case SO_TIMESTAMPNS:
	case OPT_TIMESTAMPNS_NEW:
		sk->flags &= ~(SK_TIMESTAMP | SK_TIMESTAMPNS);
		set_flag(sk, SK_TIMESTAMPNS, val != 0);
		return 0;
	case SO_PEEK_OFF:
		return set_peek_off(sk, val);
	case SO_INCOMING_CPU:
		sk->incoming_cpu = (uint32_t)val;
		return 0;
	case SO_BINDTOIFINDEX:
		return val < 0 ? -EINVAL : bind_to_ifindex(sk, (uint32_t)val);
	case OPT_BUF_LOCK:
		if (val & ~3)
			return -EINVAL;
		set_flag(sk, SK_SNDBUF_LOCK, val & 1);
		set_flag(sk, SK_RCVBUF_LOCK, val & 2);
		return 0;
	case OPT_RESERVE_MEM:
		return val < 0 ? -EINVAL : -EOPNOTSUPP; /* without a memory cgroup (T95) */
	case SO_PASSCRED:
	case SO_PASSSEC:
		return -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT;
	}
}

static int set_socket_level(struct sock *sk, int opt, const void *val, socklen_t len)
{
	const struct flag_opt *f = find_flag(opt);
	int v;

	if (opt == SO_BINDTODEVICE)
		return set_bindtodevice(sk, val, len);
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (f) {
		set_flag(sk, f->flag, v != 0);
		return 0;
	}
	switch (opt) {
	case SO_LINGER:
		return set_linger(sk, val, len);
	case SO_RCVTIMEO:
	case OPT_RCVTIMEO_NEW:
		return set_timeo(sk, &sk->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO:
	case OPT_SNDTIMEO_NEW:
		return set_timeo(sk, &sk->sndtimeo_ns, val, len);
	case SO_MAX_PACING_RATE:
		return set_pacing_rate(sk, val, len);
	default:
		return set_int(sk, opt, v);
	}
}

int sock_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len)
{
	int err;

	if (level != SOL_SOCKET)
		return inet_setsockopt(sk, level, opt, val, len);
	sock_lock(sk);
	err = set_socket_level(sk, opt, val, len);
	sock_release(sk);
	return err;
}

/* ---- get ---- */

static int put_bytes(void *val, socklen_t *len, const void *src, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	memcpy(val, src, *len);
	return 0;
}

static int put_int(void *val, socklen_t *len, int v) { return put_bytes(val, len, &v, sizeof(v)); }

static int get_timeo(int64_t ns, void *val, socklen_t *len)
{
	struct timeval tv = { 0, 0 };

	if (ns != SOCK_TIMEO_FOREVER) {
		tv.tv_sec = (time_t)((uint64_t)ns / NS_PER_S);
		tv.tv_usec = (suseconds_t)((uint64_t)ns % NS_PER_S / NS_PER_US);
	}
	return put_bytes(val, len, &tv, sizeof(tv));
}

/* Pending error first, then the soft one; each is cleared by reading (R06.5). */
static int get_error(struct sock *sk)
{
	int err = -sock_error(sk);

	if (!err) {
		err = sk->err_soft;
		sk->err_soft = 0;
	}
	return err;
}

static int get_meminfo(struct sock *sk, void *val, socklen_t *len)
{
	uint32_t mi[9] = {
		(uint32_t)sk->rmem_alloc, (uint32_t)sk->rcvbuf, (uint32_t)sk->wmem_alloc, (uint32_t)sk->sndbuf,
		(uint32_t)sk->forward_alloc, (uint32_t)sk->wmem_queued, 0, sk->backlog_truesize, sk->drops,
	};

	return put_bytes(val, len, mi, sizeof(mi));
}

static int get_pacing_rate(struct sock *sk, void *val, socklen_t *len)
{
	uint64_t rate = sk->max_pacing_Bps;

	if (*len >= sizeof(rate))
		return put_bytes(val, len, &rate, sizeof(rate));
	return put_int(val, len, rate > UINT32_MAX ? -1 : (int)(uint32_t)rate);
}

static int get_bindtodevice(struct sock *sk, void *val, socklen_t *len)
{
	struct netdev *dev = sk->bound_ifindex ? netdev_by_index(sk->stack, sk->bound_ifindex) : NULL;

	if (!dev) {
		*len = 0;
		return 0;
	}
	if (*len < NETDEV_NAME_BYTES)
		return -EINVAL;
	return put_bytes(val, len, dev->name, strlen(dev->name) + 1);
}

static int get_socket_level(struct sock *sk, int opt, void *val, socklen_t *len)
{
	const struct flag_opt *f = find_flag(opt);

	if (f)
		return put_int(val, len, (sk->flags & f->flag) != 0);
	switch (opt) {
	case SO_DEBUG:
	case SO_BSDCOMPAT:
		return put_int(val, len, 0);
	case SO_SNDLOWAT:
		return put_int(val, len, 1);
	case SO_TYPE:
		return put_int(val, len, sk->type);
	case SO_PROTOCOL:
		return put_int(val, len, sk->proto == PROTO_TCP ? IPPROTO_TCP : IPPROTO_UDP);
	case SO_DOMAIN:
		return put_int(val, len, sk->family);
	case SO_ERROR:
		return put_int(val, len, get_error(sk));
	case SO_SNDBUF:
		return put_int(val, len, sk->sndbuf);
	case SO_RCVBUF:
		return put_int(val, len, sk->rcvbuf);
	case SO_KEEPALIVE:
		return put_int(val, len, (sk->flags & SK_KEEPOPEN) != 0);
	case SO_PRIORITY:
		return put_int(val, len, (int)sk->priority);
	case SO_LINGER: {
		struct linger l = { .l_onoff = (sk->flags & SK_LINGER) != 0, .l_linger = sk->linger_s };

		return put_bytes(val, len, &l, sizeof(l));
	}
	case SO_RCVLOWAT:
		return put_int(val, len, sk->rcvlowat);
	case SO_RCVTIMEO:
	case OPT_RCVTIMEO_NEW:
		return get_timeo(sk->rcvtimeo_ns, val, len);
	case SO_SNDTIMEO:
	case OPT_SNDTIMEO_NEW:
		return get_timeo(sk->sndtimeo_ns, val, len);
	case SO_ACCEPTCONN:
		return put_int(val, len, sk->state == TCP_LISTEN);
	case SO_MARK:
		return put_int(val, len, (int)sk->mark);
	case SO_TIMESTAMP:
	case OPT_TIMESTAMP_NEW:
		return put_int(val, len, (sk->flags & SK_TIMESTAMP) != 0);
	case SO_TIMESTAMPNS:
	case OPT_TIMESTAMPNS_NEW:
		return put_int(val, len, (sk->flags & SK_TIMESTAMPNS) != 0);
	case SO_PEEK_OFF:
		return put_int(val, len, sk->peek_off);
	case SO_MAX_PACING_RATE:
		return get_pacing_rate(sk, val, len);
	case SO_INCOMING_CPU:
		return put_int(val, len, (int)sk->incoming_cpu);
	case SO_COOKIE:
		if (*len < sizeof(sk->cookie))
			return -EINVAL;
		return put_bytes(val, len, &sk->cookie, sizeof(sk->cookie));
	case SO_MEMINFO:
		return get_meminfo(sk, val, len);
	case SO_BINDTODEVICE:
		return get_bindtodevice(sk, val, len);
	case SO_BINDTOIFINDEX:
		return put_int(val, len, (int)sk->bound_ifindex);
	case OPT_BUF_LOCK:
		return put_int(val, len, (sk->flags & SK_SNDBUF_LOCK ? 1 : 0) | (sk->flags & SK_RCVBUF_LOCK ? 2 : 0));
	case SO_PASSCRED:
	case SO_PASSSEC:
		return -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT;
	}
}

int sock_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len)
{
	int err;

	if (level != SOL_SOCKET)
		return inet_getsockopt(sk, level, opt, val, len);
	sock_lock(sk);
	err = get_socket_level(sk, opt, val, len);
	sock_release(sk);
	return err;
}

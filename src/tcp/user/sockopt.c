/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level TCP: ranges, errno and effects (T95, R39.4, R43.5, R21.1). */
/*
 * How it works: options that are plain integers go through two switches, set and get, each case a line or
 * a small function. What Naru does not offer is ENOPROTOOPT; nothing is accepted and ignored but
 * TCP_THIN_DUPACK, which has no effect on Linux either.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tcp/base/base.h"
#include "tcp/base/info.h"
#include "tcp/cc/cong.h"
#include "tcp/in/in.h"
#include "tcp/out/out.h"
#include "tcp/user/user_int.h"

/* Linux's numbers; system headers may be older. */
enum {
	OPT_NODELAY = 1, OPT_MAXSEG, OPT_CORK, OPT_KEEPIDLE, OPT_KEEPINTVL, OPT_KEEPCNT, OPT_SYNCNT, OPT_LINGER2,
	OPT_DEFER_ACCEPT, OPT_WINDOW_CLAMP, OPT_INFO, OPT_QUICKACK, OPT_CONGESTION, OPT_THIN_LINEAR_TIMEOUTS = 16,
	OPT_THIN_DUPACK = 17, OPT_USER_TIMEOUT = 18, OPT_NOTSENT_LOWAT = 25, OPT_INQ = 36, OPT_TX_DELAY = 37,
	OPT_RTO_MAX_MS = 44, OPT_RTO_MIN_US = 45, OPT_DELACK_MAX_US = 46,
};

#define MAXSEG_MIN 88
#define MAXSEG_MAX 32767
#define KEEP_MAX_S 32767
#define RETRIES_MAX 127
#define LINGER2_MAX_S 120
#define WINDOW_CLAMP_MIN 1152u
#define DEFER_MAX_TIMEOUTS 255
#define TX_DELAY_MAX_US ((1 << 28) - 1)
#define RTO_MAX_MIN_MS 1000
#define RTO_MAX_MAX_MS 120000
#define RTO_MIN_MAX_US 200000
#define SYNACK_RTO_MAX_S 120

/* ---- R21.1: seconds and numbers of SYN-ACK timeouts ---- */

static uint8_t seconds_to_timeouts(int seconds)
{
	int n = 0, period = 0, step = 1;

	while (seconds > period && n < DEFER_MAX_TIMEOUTS) {
		period += step;
		n++;
		step = step * 2 > SYNACK_RTO_MAX_S ? SYNACK_RTO_MAX_S : step * 2;
	}
	return (uint8_t)n;
}

static int timeouts_to_seconds(uint8_t n)
{
	int period = 0, step = 1;

	while (n--) {
		period += step;
		step = step * 2 > SYNACK_RTO_MAX_S ? SYNACK_RTO_MAX_S : step * 2;
	}
	return period;
}

/* ---- set ---- */

static bool is_alive(const struct sock *sk)
{
	return !(TCPF(sk->state) & (TCPF(TCP_CLOSE) | TCPF(TCP_LISTEN)));
}

static uint64_t keepidle_ns(const struct tcp_sock *tp)
{
	return (tp->keepalive_time_s ? tp->keepalive_time_s : (uint64_t)tp->sk.stack->sysctl.tcp_keepalive_time) * NS_PER_S;
}

static void set_keepalive(struct tcp_sock *tp, bool on)
{
	if (!is_alive(&tp->sk))
		return;
	if (!on)
		tcp_delete_keepalive_timer(tp);
	else if (!timer_is_armed(&tp->keepalive_timer))
		tcp_reset_keepalive_timer(tp, keepidle_ns(tp));
}

static int set_keepidle(struct tcp_sock *tp, int val)
{
	uint64_t idle, last = max_u64(tp->lrcvtime_ns, tp->rcv_tstamp_ns);

	if (val < 1 || val > KEEP_MAX_S)
		return -EINVAL;
	tp->keepalive_time_s = (uint32_t)val;
	if (!(tp->sk.flags & SK_KEEPOPEN) || !is_alive(&tp->sk))
		return 0;
	idle = tp->now_ns - min_u64(last, tp->now_ns);
	tcp_reset_keepalive_timer(tp, keepidle_ns(tp) > idle ? keepidle_ns(tp) - idle : 0);
	return 0;
}

static void set_nodelay(struct tcp_sock *tp, bool on)
{
	if (!on) {
		tp->nonagle &= (uint8_t)~TCP_NAGLE_OFF;
		return;
	}
	tp->nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
	if (is_alive(&tp->sk))
		tcp_push_pending_frames(tp);
}

static void set_cork(struct tcp_sock *tp, bool on)
{
	if (on) {
		tp->nonagle |= TCP_NAGLE_CORK;
		return;
	}
	tp->nonagle &= (uint8_t)~TCP_NAGLE_CORK;
	if (tp->nonagle & TCP_NAGLE_OFF)
		tp->nonagle |= TCP_NAGLE_PUSH;
	if (is_alive(&tp->sk))
		tcp_push_pending_frames(tp);
}

static int set_window_clamp(struct tcp_sock *tp, int val)
{
	uint32_t old = tp->window_clamp;

	if (!val) {
		if (tp->sk.state != TCP_CLOSE)
			return -EINVAL;
		tp->window_clamp = 0;
		return 0;
	}
	tp->window_clamp = max_u32((uint32_t)val, WINDOW_CLAMP_MIN);
	if (tp->window_clamp < old)
		tp->rcv_ssthresh = min_u32(tp->rcv_ssthresh, tp->window_clamp);
	else if (tp->window_clamp > old)
		tp->rcv_ssthresh = max_u32(tp->rcv_ssthresh, min_u32(tp->rcv_wnd, tp->window_clamp));
	return 0;
}

/* R43.5 */
static void set_quickack(struct tcp_sock *tp, int val)
{
	uint8_t interactive = (uint8_t)tp->sk.stack->sysctl.tcp_pingpong_thresh;

	if (!val) {
		tp->pingpong = interactive;
		return;
	}
	tp->pingpong = 0;
	if (!(TCPF(tp->sk.state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))) || !(tp->ack_pending & TCP_ACK_SCHED))
		return;
	tp->ack_pending |= TCP_ACK_PUSHED;
	tcp_cleanup_rbuf(tp, 1);
	if (!(val & 1))
		tp->pingpong = interactive;
}

/* A delay added to every packet is part of the round trip from now on. */
static int set_tx_delay(struct tcp_sock *tp, int val)
{
	int64_t srtt8;

	if (val < 0 || val > TX_DELAY_MAX_US)
		return -EINVAL;
	srtt8 = tp->srtt8_us + ((int64_t)val - tp->tx_delay_us) * 8;
	if (tp->sk.state == TCP_ESTABLISHED && tp->srtt8_us && srtt8 > 0 && srtt8 < UINT32_MAX) {
		tp->srtt8_us = (uint32_t)srtt8;
		tcp_set_rto(tp);
	}
	tp->tx_delay_us = (uint32_t)val;
	return 0;
}

static int set_ns_from_us(const struct tcp_sock *tp, uint64_t *field, int val)
{
	if (val < (int)(2 * tcp_tick_ns(tp) / NS_PER_US) || val > RTO_MIN_MAX_US)
		return -EINVAL;
	*field = (uint64_t)val * NS_PER_US;
	return 0;
}

static int in_range(int val, int lo, int hi) { return val < lo || val > hi ? -EINVAL : 0; }

static int set_flag01(bool *field, int val)
{
	if (in_range(val, 0, 1))
		return -EINVAL;
	*field = val;
	return 0;
}

static int set_count(uint8_t *field, int val)
{
	if (in_range(val, 1, RETRIES_MAX))
		return -EINVAL;
	*field = (uint8_t)val;
	return 0;
}

static int set_int(struct tcp_sock *tp, int opt, int val)
{
	bool ignored;

	switch (opt) {
	case OPT_NODELAY:
		set_nodelay(tp, val != 0);
		return 0;
	case OPT_MAXSEG:
		if (val && in_range(val, MAXSEG_MIN, MAXSEG_MAX))
			return -EINVAL;
		tp->rx.user_mss = (uint16_t)val;
		return 0;
	case OPT_CORK:
		set_cork(tp, val != 0);
		return 0;
	case OPT_KEEPIDLE:
		return set_keepidle(tp, val);
	case OPT_KEEPINTVL:
		if (in_range(val, 1, KEEP_MAX_S))
			return -EINVAL;
		tp->keepalive_intvl_s = (uint32_t)val;
		return 0;
	case OPT_KEEPCNT:
		return set_count(&tp->keepalive_probes, val);
	case OPT_SYNCNT:
		return set_count(&tp->syn_retries, val);
	case OPT_LINGER2:
		tp->linger2_s = val < 0 ? -1 : val > LINGER2_MAX_S ? LINGER2_MAX_S : val;
		return 0;
	case OPT_DEFER_ACCEPT:
		tp->defer_accept = seconds_to_timeouts(val);
		return 0;
	case OPT_WINDOW_CLAMP:
		return set_window_clamp(tp, val);
	case OPT_QUICKACK:
		set_quickack(tp, val);
		return 0;
	case OPT_THIN_LINEAR_TIMEOUTS:
		return set_flag01(&tp->thin_lto, val);
	case OPT_THIN_DUPACK:
		return set_flag01(&ignored, val);
	case OPT_USER_TIMEOUT:
		if (val < 0)
			return -EINVAL;
		tp->user_timeout_ms = (uint32_t)val;
		return 0;
	case OPT_NOTSENT_LOWAT:
		tp->notsent_lowat = (uint32_t)val;
		tcp_write_space(&tp->sk);
		return 0;
	case OPT_INQ:
		return set_flag01(&tp->recvmsg_inq, val);
	case OPT_TX_DELAY:
		return set_tx_delay(tp, val);
	case OPT_RTO_MAX_MS:
		if (in_range(val, RTO_MAX_MIN_MS, RTO_MAX_MAX_MS))
			return -EINVAL;
		tp->rto_max_ns = (uint64_t)val * NS_PER_MS;
		return 0;
	case OPT_RTO_MIN_US:
		return set_ns_from_us(tp, &tp->rto_min_ns, val);
	case OPT_DELACK_MAX_US:
		return set_ns_from_us(tp, &tp->delack_max_ns, val);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_congestion(struct tcp_sock *tp, const void *val, socklen_t len)
{
	char name[16] = "";

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, len < sizeof(name) - 1 ? len : sizeof(name) - 1);
	return tcp_set_congestion_control(tp, name);
}

int tcp_setsockopt(struct sock *sk, int level, int opt, const void *val, socklen_t len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	int v;

	tcp_mstamp_refresh(tp);
	if (level == IPPROTO_TCP && opt == OPT_CONGESTION)
		return set_congestion(tp, val, len);
	if (level != IPPROTO_TCP && level != SOL_SOCKET)
		return -ENOPROTOOPT;
	if (len < sizeof(int))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (level == IPPROTO_TCP)
		return set_int(tp, opt, v);
	if (opt != SO_KEEPALIVE)
		return -ENOPROTOOPT;
	set_keepalive(tp, v != 0);
	return 0;
}

/* ---- get ---- */

static int put(void *val, socklen_t *len, const void *from, size_t size)
{
	if (*len > size)
		*len = (socklen_t)size;
	memcpy(val, from, *len);
	return 0;
}

static int get_maxseg(const struct tcp_sock *tp)
{
	return tp->rx.user_mss && !is_alive(&tp->sk) ? tp->rx.user_mss : (int)tp->mss_cache;
}

static int or_default(uint32_t own, int64_t sysctl) { return own ? (int)own : (int)sysctl; }

static int get_int(const struct tcp_sock *tp, int opt, int *ret)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;

	switch (opt) {
	case OPT_NODELAY:
		*ret = (tp->nonagle & TCP_NAGLE_OFF) != 0;
		return 0;
	case OPT_MAXSEG:
		*ret = get_maxseg(tp);
		return 0;
	case OPT_CORK:
		*ret = (tp->nonagle & TCP_NAGLE_CORK) != 0;
		return 0;
	case OPT_KEEPIDLE:
		*ret = or_default(tp->keepalive_time_s, sy->tcp_keepalive_time);
		return 0;
	case OPT_KEEPINTVL:
		*ret = or_default(tp->keepalive_intvl_s, sy->tcp_keepalive_intvl);
		return 0;
	case OPT_KEEPCNT:
		*ret = or_default(tp->keepalive_probes, sy->tcp_keepalive_probes);
		return 0;
	case OPT_SYNCNT:
		*ret = or_default(tp->syn_retries, sy->tcp_syn_retries);
		return 0;
	case OPT_LINGER2:
		*ret = tp->linger2_s < 0 ? -1 : or_default((uint32_t)tp->linger2_s, sy->tcp_fin_timeout);
		return 0;
	case OPT_DEFER_ACCEPT:
		*ret = timeouts_to_seconds(tp->defer_accept);
		return 0;
	case OPT_WINDOW_CLAMP:
		*ret = (int)tp->window_clamp;
		return 0;
	case OPT_QUICKACK:
		*ret = (int64_t)tp->pingpong < sy->tcp_pingpong_thresh;
		return 0;
	case OPT_THIN_LINEAR_TIMEOUTS:
		*ret = tp->thin_lto;
		return 0;
	case OPT_THIN_DUPACK:
		*ret = 0;
		return 0;
	case OPT_USER_TIMEOUT:
		*ret = (int)tp->user_timeout_ms;
		return 0;
	case OPT_NOTSENT_LOWAT:
		*ret = (int)tp->notsent_lowat;
		return 0;
	case OPT_INQ:
		*ret = tp->recvmsg_inq;
		return 0;
	case OPT_TX_DELAY:
		*ret = (int)tp->tx_delay_us;
		return 0;
	case OPT_RTO_MAX_MS:
		*ret = (int)(tp->rto_max_ns / NS_PER_MS);
		return 0;
	case OPT_RTO_MIN_US:
		*ret = (int)(tp->rto_min_ns / NS_PER_US);
		return 0;
	case OPT_DELACK_MAX_US:
		*ret = (int)(tp->delack_max_ns / NS_PER_US);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tcp_getsockopt(struct sock *sk, int level, int opt, void *val, socklen_t *len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct tcp_info_full info;
	int err, v;

	if (level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	tcp_mstamp_refresh(tp);
	if (opt == OPT_INFO) {
		tcp_get_info(tp, &info);
		return put(val, len, &info, sizeof(info));
	}
	if (opt == OPT_CONGESTION) {
		char name[16] = "";

		memcpy(name, cong_ops_tab[tp->cong_id]->name, sizeof(name));
		return put(val, len, name, sizeof(name));
	}
	err = get_int(tp, opt, &v);
	return err ? err : put(val, len, &v, sizeof(v));
}

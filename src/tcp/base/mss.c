/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment size: payload bytes per packet now, and bytes per record (T23). */
/*
 * How it works: mss_cache is what fits beside the fixed part of the header (tcp_header_len: 20
 * bytes and the options every segment of this connection carries). Options that come and go (SACK
 * blocks) are taken off when asked. mss_cache is computed again only when the route's MTU or
 * max_window changes.
 */
#include "tcp/base/base.h"

#include "core/netdev.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define GSO_HEADER_ROOM 256u    /* T23.4: reserved header space of a large packet */
#define MSS_PLUS_HEADER_MIN 68u /* T23.2: RFC 791 minimum, the floor of the half-window bound */

static uint32_t ip_hdr_bytes(const struct tcp_sock *tp)
{
	return (tp->sk.is_v4_path ? IPV4_HDR_LEN + tp->sk.inet.opt_len : IPV6_HDR_LEN);
}

uint32_t tcp_mtu_to_mss(const struct tcp_sock *tp, uint32_t pmtu)
{
	uint32_t fixed = (tp->sk.is_v4_path ? IPV4_HDR_LEN : IPV6_HDR_LEN) + TCP_HDR_LEN;
	uint32_t opts = tp->sk.is_v4_path ? tp->sk.inet.opt_len : 0;
	uint32_t floor = (uint32_t)tp->sk.stack->sysctl.tcp_min_snd_mss;
	uint32_t m = pmtu > fixed ? pmtu - fixed : 0;

	m = min_u32(m, tp->rx.mss_clamp);
	m = m > opts ? m - opts : 0;
	m = max_u32(m, floor);
	return m - (tp->tcp_header_len - TCP_HDR_LEN);
}

uint32_t tcp_mss_to_mtu(const struct tcp_sock *tp, uint32_t mss)
{
	return mss + tp->tcp_header_len + ip_hdr_bytes(tp);
}

uint32_t tcp_bound_to_half_wnd(const struct tcp_sock *tp, uint32_t bytes)
{
	uint32_t cutoff = tp->max_window > TCP_MSS_DEFAULT ? tp->max_window / 2 : tp->max_window;

	if (!cutoff || bytes <= cutoff)
		return bytes;
	return max_u32(cutoff, MSS_PLUS_HEADER_MIN - tp->tcp_header_len);
}

uint32_t tcp_sync_mss(struct tcp_sock *tp, uint32_t pmtu)
{
	uint32_t mss;

	if (tp->mtu_search_high > pmtu)
		tp->mtu_search_high = pmtu;
	mss = tcp_bound_to_half_wnd(tp, tcp_mtu_to_mss(tp, pmtu));
	tp->pmtu_cookie = pmtu;
	if (tp->mtu_probe_enabled)
		mss = min_u32(mss, tcp_mtu_to_mss(tp, tp->mtu_search_low));
	tp->mss_cache = mss;
	return mss;
}

uint32_t tcp_established_options_len(const struct tcp_sock *tp)
{
	uint32_t len = tp->rx.tstamp_ok ? TCP_OPTLEN_TS : 0;
	uint32_t blocks = tp->rx.num_sacks + (uint32_t)tp->rx.dsack_pending;

	if (unlikely(blocks)) {
		blocks = min_u32(blocks, tcp_options_sack_room(len));
		if (blocks)
			len += TCP_OPTLEN_SACK_BASE + blocks * TCP_OPTLEN_SACK_BLOCK;
	}
	return len;
}

uint32_t tcp_current_mss(struct tcp_sock *tp)
{
	uint32_t mss = tp->mss_cache, hdr;

	if (tp->sk.dst) {
		uint32_t mtu = dst_mtu(tp->sk.dst);

		if (unlikely(mtu != tp->pmtu_cookie))
			mss = tcp_sync_mss(tp, mtu);
	}
	hdr = TCP_HDR_LEN + tcp_established_options_len(tp);
	return mss + tp->tcp_header_len - hdr;
}

uint32_t tcp_gso_max_bytes(const struct tcp_sock *tp)
{
	uint32_t max = tp->sk.gso_max_size ? tp->sk.gso_max_size : NETDEV_GSO_MAX_DEFAULT;

	return max > GSO_HEADER_ROOM + 1 ? max - (GSO_HEADER_ROOM + 1) : 0;
}

uint32_t tcp_send_mss(struct tcp_sock *tp, uint32_t *ret_goal, int flags)
{
	uint32_t mss = tcp_current_mss(tp), goal, max, segs_max;

	if (unlikely(flags & MSG_OOB)) {
		*ret_goal = mss;
		return mss;
	}
	max = tcp_bound_to_half_wnd(tp, tcp_gso_max_bytes(tp));
	goal = tp->gso_segs * mss;
	if (unlikely(max < goal || max >= goal + mss)) {
		segs_max = tp->sk.gso_max_segs ? tp->sk.gso_max_segs : UINT16_MAX;
		tp->gso_segs = (uint16_t)min_u32(max / mss, min_u32(segs_max, UINT16_MAX));
		goal = tp->gso_segs * mss;
	}
	*ret_goal = max_u32(goal, mss);
	return mss;
}

void tcp_mtup_init(struct tcp_sock *tp)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;

	tp->mtu_probe_enabled = sy->tcp_mtu_probing > 1;
	tp->mtu_search_high = tp->rx.mss_clamp + TCP_HDR_LEN + ip_hdr_bytes(tp);
	tp->mtu_search_low = tcp_mss_to_mtu(tp, (uint32_t)sy->tcp_base_mss);
	tp->mtu_probe_size = 0;
	if (tp->mtu_probe_enabled)
		tp->mtu_probe_stamp_ns = tp->now_ns;
}

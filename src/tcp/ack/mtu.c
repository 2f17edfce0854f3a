/* SPDX-License-Identifier: BSD-2-Clause */
/* The outcome of a path MTU probe, as acknowledgements tell it. */
/*
 * How it works
 *
 * A probe is one packet larger than the path is known to carry. If it is acknowledged the path carries it: the
 * MSS grows and the window, counted in packets, shrinks in the same proportion. If exactly it is lost, the search
 * continues below it. RFC 4821, rule T36.8.
 */
#include "tcp/ack/ack_int.h"

void tcp_mtu_probe_success(struct tcp_sock *tp)
{
	uint64_t scaled = (uint64_t)tp->snd_cwnd * tcp_mss_to_mtu(tp, tp->mss_cache);

	tp->prior_ssthresh = tcp_kept_ssthresh(tp);
	tp->snd_cwnd = max_u32((uint32_t)(scaled / tp->mtu_probe_size), 1);
	tp->snd_cwnd_cnt = 0;
	tp->snd_cwnd_stamp_ns = tp->now_ns;
	tp->snd_ssthresh = tcp_kept_ssthresh(tp);
	tp->mtu_search_low = tp->mtu_probe_size;
	tp->mtu_probe_size = 0;
	tcp_sync_mss(tp, tp->pmtu_cookie);
	mib_inc(tp->sk.stack, TcpExtTCPMTUPSuccess);
}

void tcp_mtu_probe_fail(struct tcp_sock *tp)
{
	tp->mtu_search_high = tp->mtu_probe_size - 1;
	tp->mtu_probe_size = 0;
	mib_inc(tp->sk.stack, TcpExtTCPMTUPFail);
}

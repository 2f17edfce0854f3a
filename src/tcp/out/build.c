/* SPDX-License-Identifier: BSD-2-Clause */
/* Which options a segment of a socket carries, and the checksum's start (T50, T54.1). */
/*
 * How it works: the bytes and their order are wire/tcp.h's; here the negotiated state is put into
 * its terms. Segments without SACK blocks do not come here: transmit.c writes their timestamps
 * itself.
 */
#include "tcp/out/out_int.h"

#include "core/netdev.h"
#include "ip/ip.h"
#include "wire/csum.h"
#include "wire/ipv4.h"

/* MSS we tell the peer: the route's, and not above TCP_MAXSEG. */
static uint16_t advertised_mss(struct tcp_sock *tp)
{
	uint32_t mss = tp->advmss;

	if (tp->sk.dst)
		mss = min_u32(mss, ip_dst_advmss(tp->sk.stack, tp->sk.dst, tp->sk.is_v4_path));
	if (tp->rx.user_mss)
		mss = min_u32(mss, tp->rx.user_mss);
	return (uint16_t)mss;
}

void tcp_syn_options(struct tcp_sock *tp, const struct skb *skb, struct tcp_options_out *ret)
{
	const struct sysctls *sy = &tp->sk.stack->sysctl;
	bool is_reply = tcp_cb(skb)->flags & TCPH_ACK; /* simultaneous open: what the peer's SYN had */
	struct tcp_options_out o = {.flags = TCP_OPT_MSS, .mss = advertised_mss(tp)};

	if (is_reply ? tp->rx.tstamp_ok : sy->tcp_timestamps != 0) {
		o.flags |= TCP_OPT_TS;
		o.ts_val = tcp_time_stamp(tp, skb->tstamp_ns);
		o.ts_ecr = tp->rx.ts_recent;
	}
	if (is_reply ? tp->rx.sack_ok : sy->tcp_sack != 0)
		o.flags |= TCP_OPT_SACK_PERM;
	if (is_reply ? tp->rx.wscale_ok : sy->tcp_window_scaling != 0) {
		o.flags |= TCP_OPT_WSCALE;
		o.wscale = tp->rx.rcv_wscale;
	}
	*ret = o;
}

void tcp_established_options(struct tcp_sock *tp, const struct skb *skb, struct tcp_options_out *ret)
{
	struct tcp_options_out o = {0};
	uint8_t n = 0;

	if (tp->rx.tstamp_ok) {
		o.flags |= TCP_OPT_TS;
		o.ts_val = tcp_time_stamp(tp, skb->tstamp_ns);
		o.ts_ecr = tp->rx.ts_recent;
	}
	if (tp->rx.dsack_pending) {
		o.sacks[n++] = tp->duplicate_sack;
		tp->rx.dsack_pending = false;
	}
	for (uint8_t i = 0; i < tp->rx.num_sacks && n < TCP_MAX_SACK_BLOCKS; i++)
		o.sacks[n++] = tp->selective_acks[i];
	if (n)
		o.flags |= TCP_OPT_SACK;
	o.num_sacks = n;
	*ret = o;
}

void tcp_finish_header(struct skb *skb, const struct ipaddr *saddr, const struct ipaddr *daddr)
{
	struct tcp_hdr *th = (struct tcp_hdr *)skb_data(skb);

	skb->th_off = skb->data_off;
	th->csum = csum_fold_partial(csum_pseudo(saddr, daddr, IPPROTO_TCP, skb->len));
	skb->csum = CSUM_PARTIAL;
	skb->csum_start = skb->data_off;
	skb->csum_offset = TCP_CSUM_OFF;
}

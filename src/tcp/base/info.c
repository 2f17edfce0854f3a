/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP_INFO: the state of a connection as ss and programs read it. */
/*
 * How it works
 *
 * One copy out of struct tcp_sock under the sock lock; nothing is changed. A listener answers with its queue
 * in place of packets. Running clocks (busy, window-limited, buffer-limited) include the present stretch.
 */
#include "tcp/base/info.h"

#include <string.h>

#include "tcp/base/base.h"
#include "wire/seq.h"

static uint32_t ms_since(const struct tcp_sock *tp, uint64_t then_ns)
{
	uint64_t now = stack_now_ns(tp->sk.stack);

	return (uint32_t)((now - min_u64(then_ns, now)) / NS_PER_MS);
}

static uint8_t options_of(const struct tcp_sock *tp)
{
	uint8_t o = 0;

	if (tp->rx.tstamp_ok)
		o |= INFO_OPT_TIMESTAMPS;
	if (tp->rx.sack_ok)
		o |= INFO_OPT_SACK;
	if (tp->rx.wscale_ok)
		o |= INFO_OPT_WSCALE;
	if (tp->ecn_flags & TCP_ECN_OK)
		o |= INFO_OPT_ECN;
	if (tp->ecn_flags & TCP_ECN_SEEN)
		o |= INFO_OPT_ECN_SEEN;
	if (tp->is_syn_data)
		o |= INFO_OPT_SYN_DATA;
	return o;
}

/* T58: chrono[type - 1] in us with the running stretch. */
static void chrono_us(const struct tcp_sock *tp, uint64_t us[3])
{
	uint64_t tick = tcp_tick_ns(tp), now = stack_now_ns(tp->sk.stack);

	for (int i = 0; i < 3; i++) {
		uint64_t ns = tp->chrono_stat_ns[i];

		if (tp->chrono_type == i + 1)
			ns += (now / tick - min_u64(tp->chrono_start_ns, now) / tick) * tick;
		us[i] = ns / NS_PER_US;
	}
}

static uint64_t delivery_rate_Bps(const struct tcp_sock *tp)
{
	if (!tp->rate_delivered || !tp->rate_interval_us)
		return 0;
	return (uint64_t)tp->rate_delivered * tp->mss_cache * 1000000u / tp->rate_interval_us;
}

static void fill_sender(const struct tcp_sock *tp, struct tcp_info_full *i)
{
	uint64_t chrono[3];

	i->retransmits = tp->retransmits;
	i->probes = tp->probes_out ? tp->probes_out : tp->keepalive_probes_sent;
	i->backoff = tp->backoff;
	i->rate_flags = tp->rate_app_limited;
	i->rto = (uint32_t)(tp->rto_ns / NS_PER_US);
	i->snd_mss = tp->mss_cache;
	i->unacked = tp->packets_out;
	i->sacked = tp->sacked_out;
	i->lost = tp->lost_out;
	i->retrans = tp->retrans_out;
	i->last_data_sent_ms = ms_since(tp, tp->lsndtime_ns);
	i->pmtu = tp->pmtu_cookie;
	i->rtt = tp->srtt8_us >> 3;
	i->rttvar = tp->mdev4_us >> 2;
	i->snd_ssthresh = tp->snd_ssthresh;
	i->total_retrans = tp->total_retrans;
	i->bytes_acked = tp->bytes_acked;
	i->segs_out = tp->segs_out;
	i->notsent_bytes = (uint32_t)max_s64(seq_diff(tp->write_seq, tp->snd_nxt), 0);
	i->min_rtt = tcp_min_rtt_us(tp);
	i->data_segs_out = tp->data_segs_out;
	i->delivery_rate = delivery_rate_Bps(tp);
	chrono_us(tp, chrono);
	i->busy_time = chrono[0] + chrono[1] + chrono[2];
	i->rwnd_limited = chrono[TCP_CHRONO_RWND_LIMITED - 1];
	i->sndbuf_limited = chrono[TCP_CHRONO_SNDBUF_LIMITED - 1];
	i->delivered = tp->delivered;
	i->delivered_ce = tp->delivered_ce;
	i->bytes_sent = tp->bytes_sent;
	i->bytes_retrans = tp->bytes_retrans;
	i->dsack_dups = tp->dsack_dups;
	i->snd_wnd = tp->snd_wnd;
	i->rehash = tp->timeout_rehash;
	i->total_rto = tp->total_rto;
	i->total_rto_recoveries = tp->total_rto_recoveries;
	i->total_rto_time_ms = tp->total_rto_time_ms;
	if (tp->rto_stamp_ns)
		i->total_rto_time_ms += ms_since(tp, tp->rto_stamp_ns);
}

static void fill_receiver(const struct tcp_sock *tp, struct tcp_info_full *i)
{
	i->ato = (uint32_t)(tp->ato_ns / NS_PER_US);
	i->rcv_mss = tp->rcv_mss;
	i->last_data_recv_ms = ms_since(tp, tp->lrcvtime_ns);
	i->last_ack_recv_ms = ms_since(tp, tp->rcv_tstamp_ns);
	i->rcv_ssthresh = tp->rcv_ssthresh;
	i->advmss = tp->advmss;
	i->rcv_rtt = tp->rcv_rtt_us8 >> 3;
	i->rcv_space = tp->rcvq_space;
	i->bytes_received = tp->bytes_received;
	i->segs_in = tp->segs_in;
	i->data_segs_in = tp->data_segs_in;
	i->rcv_ooopack = tp->rcv_ooopack;
	i->rcv_wnd = tp->rcv_wnd;
}

void tcp_get_info(struct tcp_sock *tp, struct tcp_info_full *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->state = atomic_load_explicit(&tp->sk.state, memory_order_relaxed);
	ret->pacing_rate = tp->sk.pacing_Bps;
	ret->max_pacing_rate = tp->sk.max_pacing_Bps;
	ret->reordering = tp->reordering;
	ret->snd_cwnd = tp->snd_cwnd;
	if (ret->state == TCP_LISTEN) {
		ret->unacked = tp->ack_backlog;
		ret->sacked = tp->max_ack_backlog;
		return;
	}
	ret->ca_state = tp->ca_state;
	ret->options = options_of(tp);
	if (tp->rx.wscale_ok)
		ret->wscales = (uint8_t)(tp->rx.snd_wscale | tp->rx.rcv_wscale << 4);
	ret->reord_seen = tp->reord_seen;
	fill_sender(tp, ret);
	fill_receiver(tp, ret);
}

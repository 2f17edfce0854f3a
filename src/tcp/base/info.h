/* SPDX-License-Identifier: BSD-2-Clause */
/* The TCP_INFO answer in Linux 6.18's layout; system headers may be older and end earlier. */
#ifndef NARU_TCP_BASE_INFO_H
#define NARU_TCP_BASE_INFO_H

#include <assert.h>
#include <stdint.h>

/* tcpi_options */
#define INFO_OPT_TIMESTAMPS 0x01
#define INFO_OPT_SACK 0x02
#define INFO_OPT_WSCALE 0x04
#define INFO_OPT_ECN 0x08
#define INFO_OPT_ECN_SEEN 0x10
#define INFO_OPT_SYN_DATA 0x20

/* Times in us unless named _ms; a time "since" something is in ms. */
struct tcp_info_full {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscales;    /* the peer's in the low four bits, ours above */
	uint8_t rate_flags; /* bit 0: delivery rate is application-limited; 1-2: Fast Open failure */
	uint32_t rto, ato, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_recv_ms, last_ack_recv_ms;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt, rcv_space, total_retrans;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
	uint16_t total_rto, total_rto_recoveries;
	uint32_t total_rto_time_ms;
	uint32_t received_ce, delivered_e1_bytes, delivered_e0_bytes, delivered_ce_bytes;
	uint32_t received_e1_bytes, received_e0_bytes, received_ce_bytes; /* AccECN: not spoken, 0 */
	uint16_t accecn_fail_mode, accecn_opt_seen;
};
static_assert(sizeof(struct tcp_info_full) == 280, "struct tcp_info of Linux 6.18");

#endif

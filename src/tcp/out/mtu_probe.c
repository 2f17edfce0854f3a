/* SPDX-License-Identifier: BSD-2-Clause */
/* Packetization-layer path MTU discovery: one oversized packet of real data (T36; RFC 4821). */
/*
 * How it works: between the largest size known to work and the smallest known or believed not to,
 * the middle is tried. The probe is a record of its own, made of payload moved from the front of
 * the write queue, so that its loss costs nothing but itself. The verdict comes with
 * acknowledgements (tcp/ack).
 */
#include "tcp/out/out_int.h"

#include "core/netdev.h"
#include "wire/seq.h"

#define PROBE_CWND_MIN 11u /* T36.1 */

static bool may_probe(const struct tcp_sock *tp)
{
	return !tp->mtu_probe_size && tp->ca_state == TCP_CA_Open &&
	       tp->snd_cwnd >= PROBE_CWND_MIN && !tp->rx.num_sacks && !tp->rx.dsack_pending;
}

/* T36.3: from time to time look again whether the path has grown. */
static void restart_search(struct tcp_sock *tp)
{
	uint64_t interval_ns = (uint64_t)tp->sk.stack->sysctl.tcp_probe_interval * NS_PER_S;

	if (tp->now_ns - tp->mtu_probe_stamp_ns < interval_ns)
		return;
	tp->mtu_probe_size = 0;
	tp->mtu_search_high = tp->rx.mss_clamp + tcp_mss_to_mtu(tp, 0);
	tp->mtu_search_low = tcp_mss_to_mtu(tp, tcp_current_mss(tp));
	tp->mtu_probe_stamp_ns = tp->now_ns;
}

/* Can @size bytes from the front become one record? Moving must not fail half-way. */
static bool can_merge_front(const struct tcp_sock *tp, uint32_t size)
{
	unsigned int frags = 0;

	for (const struct skb *skb = tp->write_queue.first; skb; skb = skb->next) {
		if (skb->ubuf || skb->tx_flags)
			return false;
		for (unsigned int i = 0; i < skb->nr_frags && size; i++) {
			frags++;
			size -= min_u32(size, skb->frags[i].len);
		}
		if (!size)
			return frags <= SKB_MAX_FRAGS;
		if (tcp_cb(skb)->is_eor)
			return false;
	}
	return false;
}

/* Move @size bytes from the records behind @probe into it. */
static void fill_probe(struct tcp_sock *tp, struct skb *probe, uint32_t size)
{
	while (probe->len < size) {
		struct skb *from = probe->next;

		if (!tcp_skb_shift(tp, &tp->write_queue, probe, from, size - probe->len))
			BUG_ON(true); /* fragments were counted */
		if (from->len)
			continue;
		tcp_cb(probe)->end_seq = tcp_cb(from)->end_seq;
		tcp_skb_merge_marks(probe, from);
		skb_unlink(&tp->write_queue, from);
		tcp_wmem_free_skb(tp, from);
	}
}

static struct skb *make_probe(struct tcp_sock *tp, uint32_t size)
{
	struct skb *probe;

	if (!can_merge_front(tp, size))
		return NULL;
	probe = tcp_stream_alloc_skb(tp, false);
	if (!probe)
		return NULL;
	tcp_cb(probe)->seq = tcp_cb(probe)->end_seq = tcp_cb(tp->write_queue.first)->seq;
	tcp_cb(probe)->flags = TCPH_ACK;
	skb_queue_head(&tp->write_queue, probe, SKB_IN_WRITEQ);
	tcp_wmem_queued_add(tp, probe->truesize);
	fill_probe(tp, probe, size);
	tcp_set_skb_tso_segs(probe, size);
	return probe;
}

static enum mtu_probe_verdict send_probe(struct tcp_sock *tp, uint32_t size)
{
	struct skb *probe = make_probe(tp, size);

	if (!probe || tcp_transmit_skb(tp, probe, true))
		return MTU_PROBE_NONE;
	tp->snd_cwnd--;
	tcp_event_new_data_sent(tp, probe);
	tp->mtu_probe_size = tcp_mss_to_mtu(tp, probe->len);
	tp->mtu_probe_start = tcp_cb(probe)->seq;
	tp->mtu_probe_end = tcp_cb(probe)->end_seq;
	return MTU_PROBE_SENT;
}

enum mtu_probe_verdict tcp_mtu_probe(struct tcp_sock *tp)
{
	uint32_t threshold = (uint32_t)tp->sk.stack->sysctl.tcp_probe_threshold;
	uint32_t size, span, in_flight, unsent = tp->write_seq - tp->snd_nxt;
	uint64_t needed;

	if (!may_probe(tp))
		return MTU_PROBE_NONE;
	size = tcp_mtu_to_mss(tp, (tp->mtu_search_high + tp->mtu_search_low) / 2);
	span = tp->mtu_search_high - tp->mtu_search_low;
	needed = size + (uint64_t)(tp->reordering + 1) * tp->mss_cache;
	if (size > tcp_mtu_to_mss(tp, tp->mtu_search_high) || span < threshold) {
		restart_search(tp);
		return MTU_PROBE_NONE;
	}
	if (unsent < needed || tp->snd_wnd < needed)
		return MTU_PROBE_NONE;
	if (seq_after(tp->snd_nxt + (uint32_t)needed, tcp_wnd_end(tp)))
		return MTU_PROBE_WAIT;
	in_flight = tcp_packets_in_flight(tp);
	if (in_flight + 2 > tp->snd_cwnd)
		return in_flight ? MTU_PROBE_WAIT : MTU_PROBE_NONE;
	return send_probe(tp, size);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 6: one segment gets its header and is handed to IP (T49, T51-T55). */
/*
 * How it works: a record is cloned (payload shared, header private) and the clone goes down; the
 * record stays for retransmission. What the header says about us (window, acknowledgement, CWR) is
 * read here and nowhere earlier, so every segment carries the present state.
 *
 * Order: departure time, clone, options and header, side effects of the ACK flag and of payload,
 * counters, IP; after success the record's place in the time order, pacing and rate snapshot.
 *
 * Absent: choice of the path (IP), checksum over the payload (device or software below).
 */
#include "tcp/out/out_int.h"

#include <errno.h>

#include "core/trace_ids.h"
#include "ip/ip.h"
#include "tcp/cc/cong.h"
#include "tcp/out/decide.h"
#include "wire/seq.h"

#define IP_ECN_MASK 3u
#define IP_ECT0 2u
#define TS_OPT_ALIGNED 0x0101080au /* NOP NOP 8 10 */
#define WINDOW_FIELD_MAX 65535u

/* T52.2-4: codepoint of the packet and ECE/CWR of the header. */
static COLD uint8_t ecn_mark(struct tcp_sock *tp, struct skb *c, const struct tcp_skb_cb *cb,
			     uint8_t flags)
{
	struct inet_opts *o = &tp->sk.inet;
	bool is_new_data = c->len && !seq_before(cb->seq, tp->snd_nxt);
	uint8_t ect = is_new_data ? IP_ECT0 : 0;

	o->tos = (uint8_t)((o->tos & ~IP_ECN_MASK) | ect);
	o->tclass = (uint8_t)((o->tclass & ~IP_ECN_MASK) | ect);
	if (is_new_data && (tp->ecn_flags & TCP_ECN_QUEUE_CWR)) {
		tp->ecn_flags &= (uint8_t)~TCP_ECN_QUEUE_CWR;
		flags |= TCPH_CWR;
		c->gso_type |= GSO_ECN;
	}
	if (tp->ecn_flags & TCP_ECN_DEMAND_CWR)
		flags |= TCPH_ECE;
	return flags;
}

/* Room for and content of the options in front of the payload; returns the header. */
static struct tcp_hdr *push_header(struct tcp_sock *tp, struct skb *c, const struct tcp_skb_cb *cb)
{
	struct tcp_options_out o;
	struct tcp_hdr *th;
	uint32_t opt_len;

	if (likely(!(cb->flags & TCPH_SYN) && !tp->rx.num_sacks && !tp->rx.dsack_pending)) {
		opt_len = tp->rx.tstamp_ok ? TCP_OPTLEN_TS : 0;
		th = (struct tcp_hdr *)skb_push(c, TCP_HDR_LEN + opt_len);
		if (opt_len) {
			uint8_t *w = (uint8_t *)th + TCP_HDR_LEN;

			put_be32(w, TS_OPT_ALIGNED);
			put_be32(w + 4, tcp_time_stamp(tp, c->tstamp_ns));
			put_be32(w + 8, tp->rx.ts_recent);
		}
	} else {
		if (cb->flags & TCPH_SYN)
			tcp_syn_options(tp, c, &o);
		else
			tcp_established_options(tp, c, &o);
		opt_len = (uint32_t)tcp_options_len(&o);
		th = (struct tcp_hdr *)skb_push(c, TCP_HDR_LEN + opt_len);
		tcp_options_build((uint8_t *)th + TCP_HDR_LEN, &o);
	}
	th->doff_res = (uint8_t)((TCP_HDR_LEN + opt_len) / 4 << 4);
	return th;
}

static void fill_header(struct tcp_sock *tp, struct skb *c, const struct tcp_skb_cb *cb)
{
	struct sock *sk = &tp->sk;
	uint8_t flags = cb->flags;
	uint16_t window, urg = 0;
	struct tcp_hdr *th;

	if (unlikely(tp->ecn_flags & TCP_ECN_OK) && !(flags & TCPH_SYN))
		flags = ecn_mark(tp, c, cb, flags);
	if (cb->pcount > 1) {
		flags |= TCPH_PSH;
		c->gso_size = cb->gso_size;
		c->gso_type |= sk->is_v4_path ? GSO_TCPV4 : GSO_TCPV6;
	}
	c->gso_segs = cb->pcount ? cb->pcount : 1;
	th = push_header(tp, c, cb);
	window = unlikely(flags & TCPH_SYN) ? (uint16_t)min_u32(tp->rcv_wnd, WINDOW_FIELD_MAX)
					    : tcp_select_window(tp);
	if (unlikely(tcp_urg_mode(tp)) && decide_urgent(cb->seq, tp->snd_up, tp->snd_nxt, &urg))
		flags |= TCPH_URG;
	th->sport_be = cpu_to_be16(sk->sport);
	th->dport_be = cpu_to_be16(sk->dport);
	th->seq_be = cpu_to_be32(cb->seq);
	th->ack_be = flags & TCPH_ACK ? cpu_to_be32(tp->rcv_nxt) : 0;
	th->flags = flags;
	th->window_be = cpu_to_be16(window);
	th->urg_be = cpu_to_be16(urg);
	tcp_finish_header(c, &sk->saddr, &sk->daddr);
}

/* T49.6: this segment is the acknowledgement that was owed. */
static void event_ack_sent(struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;

	if (unlikely(tp->compressed_ack)) {
		mib_add(st, TcpExtTCPAckCompressed, tp->compressed_ack);
		tp->compressed_ack = 0;
		if (tp->compack_timer.is_armed && hrtimer_cancel(&st->timers, &tp->compack_timer))
			sock_put(&tp->sk);
	}
	if (tp->quick && (tp->ack_pending & TCP_ACK_SCHED) && !--tp->quick)
		tp->ato_ns = TCP_ATO_MIN_NS;
	tp->ack_pending = 0;
	tp->ack_retry = 0;
}

/* T49.7 */
static void event_data_sent(struct tcp_sock *tp, const struct tcp_skb_cb *cb, uint32_t payload)
{
	if (!tcp_packets_in_flight(tp))
		tcp_ca_event(tp, CONG_EV_TX_START);
	tp->lsndtime_ns = tp->now_ns;
	if (tp->now_ns - tp->lrcvtime_ns < tp->ato_ns && tp->pingpong < UINT8_MAX)
		tp->pingpong++;
	tp->data_segs_out += cb->pcount;
	tp->bytes_sent += payload;
}

/* T49.9: what the queue below said, as 0, 1 (dropped) or a negative errno. */
static COLD int local_verdict(struct tcp_sock *tp, enum xmit v)
{
	if (v < 0)
		return xmit_to_errno(v);
	tcp_enter_cwr(tp);
	return v == XMIT_CN ? 0 : 1;
}

int tcp_transmit_skb(struct tcp_sock *tp, struct skb *skb, bool clone_it)
{
	struct sock *sk = &tp->sk;
	struct stack *st = sk->stack;
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint64_t prior_wstamp_ns = tp->wstamp_ns;
	uint32_t payload = skb->len, segs = cb->pcount ? cb->pcount : 1;
	struct skb *c = skb;
	enum xmit v;

	tp->wstamp_ns = max_u64(tp->wstamp_ns, tp->now_ns);
	skb->tstamp_ns = tp->wstamp_ns;
	if (clone_it) {
		c = skb_clone(st, skb, POOL_NORMAL);
		if (unlikely(!c))
			return -ENOBUFS;
	}
	stack_trace_ev(st, TR_TCP_TRANSMIT_SKB, TR_BEGIN, trace_obj(st, tp, c), cb->seq, payload,
		       cb->flags);
	c->hash = sk->hash_val;
	c->ooo_okay = !tp->rtx_queue.first ||
		      !atomic_load_explicit(&sk->wmem_alloc, memory_order_relaxed);
	fill_header(tp, c, cb);
	if (unlikely(tp->tx_delay_us))
		c->tstamp_ns += tp->tx_delay_us * NS_PER_US;
	skb_set_owner_w(c, sk, c->is_ack ? SKB_DTOR_TCP_ACK_WFREE : SKB_DTOR_TCP_WFREE);
	if (likely(cb->flags & TCPH_ACK))
		event_ack_sent(tp);
	if (payload)
		event_data_sent(tp, cb, payload);
	if (seq_after(cb->end_seq, tp->snd_nxt) || cb->seq == cb->end_seq)
		mib_add(st, TcpOutSegs, segs);
	tp->segs_out += segs;
	v = ip_queue_xmit(sk, c); /* without a clone, cb is gone from here on */
	stack_trace_ev(st, TR_TCP_TRANSMIT_SKB, TR_END, trace_obj(st, tp, NULL), 0, payload, 0);
	if (unlikely(v != XMIT_OK)) {
		int err = local_verdict(tp, v);

		if (err)
			return err;
	}
	if (clone_it) {
		tcp_update_skb_after_send(tp, skb, prior_wstamp_ns);
		tcp_rate_skb_sent(tp, skb);
	}
	return 0;
}

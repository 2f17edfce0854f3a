/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments without data: ACK, FIN, RST, SYN, probes (T86.2, T92.5, T94.2, T94.9, T97.5, R24). */
/*
 * How it works: SYN and FIN take a sequence number, so they are records in the queues and are
 * retransmitted. ACK, RST and probes are made for one transmission. All of them may use the pool's
 * reserve: a connection must be able to acknowledge and to end when memory is short.
 */
#include "tcp/out/out_int.h"

#include <errno.h>

#include "tcp/cc/cong.h"
#include "wire/seq.h"

#define ACK_RETRY_SHIFT_MAX 8u
/* Next to nothing: its completion resumes nobody, so it must not hold data back (autocork, T47). */
#define PURE_ACK_TRUESIZE 2u

/* A segment without payload; @seq is not taken from the stream. */
static struct skb *alloc_control(struct tcp_sock *tp, uint32_t seq, uint8_t flags)
{
	struct skb *skb = skb_alloc(tp->sk.stack, POOL_RESERVE);
	struct tcp_skb_cb *cb;

	if (unlikely(!skb))
		return NULL;
	cb = tcp_cb(skb);
	cb->seq = cb->end_seq = seq;
	cb->flags = flags;
	cb->pcount = 1;
	return skb;
}

/* A record that occupies one sequence number behind everything queued. */
static struct skb *alloc_seq_record(struct tcp_sock *tp, uint8_t flags)
{
	struct skb *skb = alloc_control(tp, tp->write_seq, flags);

	if (unlikely(!skb))
		return NULL;
	list_init(&skb->tsorted);
	skb->sk = &tp->sk;
	tcp_cb(skb)->end_seq++;
	tp->write_seq++;
	tcp_wmem_force(tp, skb->truesize);
	tcp_wmem_queued_add(tp, skb->truesize);
	return skb;
}

/* ---- ACK ---- */

static COLD void retry_ack_later(struct tcp_sock *tp)
{
	uint64_t delay_ns = min_u64(TCP_DELACK_MAX_NS << tp->ack_retry, tp->rto_max_ns);

	if (tp->ack_retry < ACK_RETRY_SHIFT_MAX)
		tp->ack_retry++;
	tp->ato_ns = TCP_ATO_MIN_NS;
	tcp_reset_delack_timer(tp, tp->now_ns + delay_ns);
}

void tcp_send_ack(struct tcp_sock *tp)
{
	struct skb *skb;

	if (tp->sk.state == TCP_CLOSE)
		return;
	skb = alloc_control(tp, tcp_acceptable_seq(tp), TCPH_ACK);
	if (unlikely(!skb)) {
		retry_ack_later(tp);
		return;
	}
	skb->is_ack = true;
	skb->truesize = PURE_ACK_TRUESIZE;
	tcp_transmit_skb(tp, skb, false);
}

/* ---- FIN ---- */

static void add_fin(struct tcp_sock *tp, struct skb *skb)
{
	tcp_cb(skb)->flags |= TCPH_FIN;
	tcp_cb(skb)->end_seq++;
	tp->write_seq++;
}

/* T94.2: no packet of its own: the FIN goes out with the retransmission of the last sent record. */
static COLD void fin_on_sent_record(struct tcp_sock *tp)
{
	if (!tp->rtx_queue.last)
		return;
	add_fin(tp, tp->rtx_queue.last);
	tp->snd_nxt++;
}

void tcp_send_fin(struct tcp_sock *tp)
{
	struct skb *skb = tp->write_queue.last;

	if (skb) {
		add_fin(tp, skb);
	} else if (unlikely(tcp_under_memory_pressure(tp) && tp->rtx_queue.last)) {
		fin_on_sent_record(tp);
		return;
	} else {
		skb = alloc_seq_record(tp, TCPH_ACK | TCPH_FIN);
		if (unlikely(!skb)) {
			fin_on_sent_record(tp);
			return;
		}
		skb_queue_tail(&tp->write_queue, skb, SKB_IN_WRITEQ);
	}
	__tcp_push_pending_frames(tp, tcp_current_mss(tp), TCP_NAGLE_OFF);
}

/* ---- RST ---- */

void tcp_send_active_reset(struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;
	struct skb *skb;

	mib_inc(st, TcpOutRsts);
	tcp_mstamp_refresh(tp);
	skb = alloc_control(tp, tcp_acceptable_seq(tp), TCPH_ACK | TCPH_RST);
	if (unlikely(!skb) || tcp_transmit_skb(tp, skb, false))
		mib_inc(st, TcpExtTCPAbortFailed);
}

/* ---- SYN ---- */

int tcp_send_syn(struct tcp_sock *tp)
{
	struct stack *st = tp->sk.stack;
	uint8_t flags = TCPH_SYN;
	struct skb *skb;
	int err;

	if (st->sysctl.tcp_ecn == 1 || cong_ops_tab[tp->cong_id]->needs_ecn) {
		flags |= TCPH_ECE | TCPH_CWR;
		tp->ecn_flags = TCP_ECN_OK; /* asked for; the SYN-ACK decides */
	}
	skb = alloc_seq_record(tp, flags);
	if (unlikely(!skb))
		return -ENOBUFS;
	skb_queue_tail(&tp->rtx_queue, skb, SKB_IN_RTXQ);
	tp->highest_sack = skb;
	tp->packets_out++;
	tp->syn_stamp_ns = tp->now_ns;
	tp->retrans_stamp_ns = tp->now_ns;
	tp->first_syn_tsval = tcp_time_stamp(tp, tp->now_ns);
	err = tcp_transmit_skb(tp, skb, true);
	if (err == -ECONNREFUSED)
		return err;
	/* Set after the first transmission, so that it counts as new. */
	tp->snd_nxt = tp->write_seq;
	tp->pushed_seq = tp->write_seq;
	mib_inc(st, TcpActiveOpens);
	tcp_reset_xmit_timer(tp, TCP_TIME_RETRANS, tp->rto_ns);
	return 0;
}

int tcp_send_synack(struct tcp_sock *tp)
{
	struct skb *skb = tp->rtx_queue.first;

	if (!skb || !(tcp_cb(skb)->flags & TCPH_SYN))
		return -EINVAL;
	if (!(tcp_cb(skb)->flags & TCPH_ACK)) {
		tcp_cb(skb)->flags = TCPH_SYN | TCPH_ACK;
		if (tp->ecn_flags & TCP_ECN_OK)
			tcp_cb(skb)->flags |= TCPH_ECE;
	}
	return tcp_transmit_skb(tp, skb, true);
}

/* ---- probes ---- */

int tcp_xmit_probe_skb(struct tcp_sock *tp, bool urgent)
{
	struct skb *skb = alloc_control(tp, tp->snd_una - !urgent, TCPH_ACK);

	return likely(skb) ? tcp_transmit_skb(tp, skb, false) : -ENOBUFS;
}

/* T86.2: the head begins inside the window: send what fits, with PSH. */
static int send_partial_head(struct tcp_sock *tp, struct skb *skb)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t room = tcp_wnd_end(tp) - cb->seq, mss = tcp_current_mss(tp);
	uint32_t needs = cb->end_seq - cb->seq;
	int err;

	if (seq_before(tp->pushed_seq, cb->end_seq))
		tp->pushed_seq = cb->end_seq;
	if (room < needs || skb->len > mss) {
		room = min_u32(min_u32(room, mss), skb->len);
		cb->flags |= TCPH_PSH;
		if (tcp_fragment(tp, &tp->write_queue, skb, room, mss))
			return -ENOMEM;
	} else if (!cb->pcount) {
		tcp_set_skb_tso_segs(skb, mss);
	}
	cb->flags |= TCPH_PSH;
	err = tcp_transmit_skb(tp, skb, true);
	if (!err)
		tcp_event_new_data_sent(tp, skb);
	return err;
}

/* The urgent byte lies within reach of a pointer from UNA. */
static bool has_urgent_ahead(const struct tcp_sock *tp)
{
	return tp->snd_up - (tp->snd_una + 1) <= 0xffff - 1;
}

int tcp_write_wakeup(struct tcp_sock *tp)
{
	struct skb *skb = tp->write_queue.first;

	if (tp->sk.state == TCP_CLOSE)
		return -EPIPE;
	if (skb && seq_before(tcp_cb(skb)->seq, tcp_wnd_end(tp)))
		return send_partial_head(tp, skb);
	mib_inc(tp->sk.stack, TcpExtTCPWinProbe);
	if (has_urgent_ahead(tp))
		tcp_xmit_probe_skb(tp, true);
	return tcp_xmit_probe_skb(tp, false);
}

void tcp_send_window_probe(struct tcp_sock *tp)
{
	if (tp->sk.state != TCP_ESTABLISHED)
		return;
	tp->snd_wl1 = tp->rcv_nxt - 1; /* the answer's window is to be taken */
	tcp_mstamp_refresh(tp);
	mib_inc(tp->sk.stack, TcpExtTCPWinProbe);
	tcp_xmit_probe_skb(tp, false);
}

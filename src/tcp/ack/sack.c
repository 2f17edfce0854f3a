/* SPDX-License-Identifier: BSD-2-Clause */
/* The scoreboard: which sent records the peer already holds. */
/*
 * How it works
 *
 * The blocks of an ACK are checked, sorted, and compared with those of the ACK before (recv_sack_cache): only
 * sequence space that is newly covered is walked, from the record that holds its start. A record counts as
 * delivered when it is covered whole; a multi-packet record is split at packet boundaries so that its covered
 * packets count. Each newly covered record feeds RACK, the delivery rate, the RTT and the reordering degree.
 *
 * 1. sacked_out is the sum of pcount over records marked SACKED_ACKED.
 * 2. highest_sack is the record behind the highest marked one; NULL: that is the end of the queue.
 * 3. Marked records are not in tsorted.
 * Absent: merging of neighbouring marked records. RFC 2018, 6675, rules T75.
 */
#include "tcp/ack/ack_int.h"

#include <string.h>

void tcp_check_reordering(struct tcp_sock *tp, uint32_t low_seq, bool by_ts)
{
	uint32_t fack = tcp_highest_sack_seq(tp), mss = max_u32(tp->mss_cache, 1);
	uint32_t cap = (uint32_t)tp->sk.stack->sysctl.tcp_max_reordering;
	uint32_t distance = fack - low_seq;

	if (!seq_before(low_seq, fack))
		return;
	if (distance > (uint64_t)tp->reordering * mss)
		tp->reordering = min_u32((uint32_t)div_up_u64(distance, mss), cap);
	tp->reord_seen++;
	mib_inc(tp->sk.stack, by_ts ? TcpExtTCPTSReorder : TcpExtTCPSACKReorder);
}

/* T75.1 */
static bool block_is_valid(const struct tcp_sock *tp, const struct tcp_sack_block *b, bool is_dsack)
{
	if (!seq_before(b->start, b->end) || seq_after(b->end, tp->snd_nxt))
		return false;
	if (seq_after(b->start, tp->snd_una))
		return true;
	if (!is_dsack || !tp->undo_marker || seq_after(b->end, tp->snd_una))
		return false;
	if (!seq_after(b->end, tp->undo_marker))
		return false;
	return b->end - b->start <= tp->max_window;
}

static void count_invalid(struct tcp_sock *tp, const struct tcp_sack_block *b, bool is_dsack,
			  uint32_t ack)
{
	enum mib_id id = TcpExtTCPSACKDiscard;

	if (is_dsack)
		id = tp->undo_marker ? TcpExtTCPDSACKIgnoredOld : TcpExtTCPDSACKIgnoredNoUndo;
	else if (ack != tp->snd_una && !seq_after(b->end, tp->snd_una))
		return; /* an ACK that was overtaken */
	mib_inc(tp->sk.stack, id);
}

/* Record that holds @seq, or the first one behind it; found from the nearer known end. */
static struct skb *find_record(const struct tcp_sock *tp, uint32_t seq)
{
	struct skb *skb = tp->rtx_queue.first;

	if (tp->sacked_out && tp->highest_sack) {
		uint32_t top = tcp_cb(tp->highest_sack)->seq;
		uint32_t from_top = top - seq, from_una = seq - tp->snd_una;

		if (seq_after_eq(seq, top) || from_top < from_una)
			skb = tp->highest_sack;
	} else if (tp->sacked_out && tp->rtx_queue.last) {
		skb = tp->rtx_queue.last;
	}
	while (skb && skb->prev && seq_after(tcp_cb(skb)->seq, seq))
		skb = skb->prev;
	while (skb && seq_before_eq(tcp_cb(skb)->end_seq, seq))
		skb = skb->next;
	return skb;
}

/* Is @skb covered by @b? A partly covered one is split; then the answer is for its first part. */
static bool is_covered(struct tcp_sock *tp, struct skb *skb, const struct tcp_sack_block *b)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);
	uint32_t mss = cb->gso_size, len;
	bool is_front = seq_before_eq(b->start, cb->seq);

	if (is_front && seq_after_eq(b->end, cb->end_seq))
		return true;
	if (cb->pcount <= 1 || !mss)
		return false;
	if (is_front)
		len = (b->end - cb->seq) / mss * mss;
	else
		len = (uint32_t)div_up_u64(b->start - cb->seq, mss) * mss;
	if (!len || len >= skb->len)
		return false;
	return tcp_fragment(tp, &tp->rtx_queue, skb, len, mss) == 0 && is_front;
}

static void note_first_delivery(const struct tcp_sock *tp, const struct skb *skb, struct ack_ctx *x,
				uint32_t *low_seq)
{
	const struct tcp_skb_cb *cb = tcp_cb(skb);

	if (seq_before(cb->seq, x->prior_fack) && seq_before(cb->seq, *low_seq))
		*low_seq = cb->seq;
	if (!seq_after(cb->end_seq, tp->high_seq))
		x->orig_sack_acked = true;
	if (!x->first_sack_ns)
		x->first_sack_ns = skb->tstamp_ns;
	x->last_sack_ns = skb->tstamp_ns;
}

static void tag_record(struct tcp_sock *tp, struct skb *skb, struct ack_ctx *x, uint32_t *low_seq)
{
	struct tcp_skb_cb *cb = tcp_cb(skb);

	tcp_rack_advance(tp, cb->sacked, cb->end_seq, skb->tstamp_ns);
	if (!(cb->sacked & TCPCB_RETRANS))
		note_first_delivery(tp, skb, x, low_seq);
	if (cb->sacked & TCPCB_LOST) {
		tp->lost_out -= cb->pcount;
		if (cb->sacked & TCPCB_SACKED_RETRANS)
			tp->retrans_out -= cb->pcount;
		cb->sacked &= (uint8_t) ~(TCPCB_LOST | TCPCB_SACKED_RETRANS);
	} /* resent but no longer thought lost: the second copy is still under way */
	if (!tp->sacked_out || seq_after_eq(cb->seq, tcp_highest_sack_seq(tp)))
		tp->highest_sack = skb->next;
	cb->sacked |= TCPCB_SACKED_ACKED;
	tp->sacked_out += cb->pcount;
	x->data_sacked = true;
	tcp_count_delivered(tp, cb->pcount, x->is_ece);
	tcp_rate_skb_delivered(tp, skb, &x->rs);
	list_del(&skb->tsorted);
}

/* Records of [from, to) against the whole block @b. */
static void tag_range(struct tcp_sock *tp, const struct tcp_sack_block *b, uint32_t from,
		      uint32_t to, struct ack_ctx *x, uint32_t *low_seq)
{
	struct skb *skb = find_record(tp, seq_max(from, tp->snd_una));

	for (; skb && seq_before(tcp_cb(skb)->seq, to); skb = skb->next) {
		if (tcp_cb(skb)->sacked & TCPCB_SACKED_ACKED)
			continue;
		if (is_covered(tp, skb, b) && seq_after(tcp_cb(skb)->end_seq, tp->snd_una))
			tag_record(tp, skb, x, low_seq);
	}
}

/* What of @b the last ACK did not cover. */
static void tag_block(struct tcp_sock *tp, const struct tcp_sack_block *b, struct ack_ctx *x,
		      uint32_t *low_seq)
{
	uint32_t cur = b->start;

	for (unsigned int i = 0; i < TCP_NUM_SACKS && seq_before(cur, b->end); i++) {
		const struct tcp_sack_block *old = &tp->recv_sack_cache[i];

		if (old->start == old->end || !seq_after(old->end, cur))
			continue;
		if (!seq_before(old->start, b->end))
			break;
		if (seq_after(old->start, cur))
			tag_range(tp, b, cur, old->start, x, low_seq);
		cur = old->end;
	}
	if (seq_before(cur, b->end))
		tag_range(tp, b, cur, b->end, x, low_seq);
}

static void insert_sorted(struct tcp_sack_block *list, int n, const struct tcp_sack_block *b)
{
	while (n > 0 && seq_after(list[n - 1].start, b->start)) {
		list[n] = list[n - 1];
		n--;
	}
	list[n] = *b;
}

void tcp_sack_tag(struct tcp_sock *tp, const struct tcp_sack_block *wire, int num, struct ack_ctx *x)
{
	struct tcp_sack_block blocks[TCP_NUM_SACKS] = {{0, 0}};
	uint32_t low_seq = tp->snd_nxt;
	bool is_dsack = tcp_dsack_check(tp, wire, num, x);
	int n = 0;

	for (int i = 0; i < num && i < (int)TCP_NUM_SACKS; i++) {
		bool dup = i == 0 && is_dsack;

		if (!block_is_valid(tp, &wire[i], dup))
			count_invalid(tp, &wire[i], dup, x->ack);
		else if (!dup)
			insert_sorted(blocks, n++, &wire[i]);
	}
	if (!tp->rtx_queue.first)
		return;
	for (int i = 0; i < n; i++)
		tag_block(tp, &blocks[i], x, &low_seq);
	memcpy(tp->recv_sack_cache, blocks, sizeof(blocks));
	if (seq_before(low_seq, x->prior_fack))
		tcp_check_reordering(tp, low_seq, false);
}

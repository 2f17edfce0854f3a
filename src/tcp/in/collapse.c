/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying small neighbouring segments into full buffers when receive memory runs out (R41.2-3). */
/*
 * How it works
 *
 * A run of contiguous records whose memory is mostly overhead is copied into one fresh record of page
 * fragments. SYN and FIN records stay as they are. The copy is charged before the old records are freed,
 * so that a failed allocation leaves the queue whole.
 */
#include "tcp/base/base.h"
#include "tcp/in/in_int.h"
#include "wire/seq.h"

#define RUN_BYTES_MAX 16384u /* payload of one collapsed record: half a page region */
#define RUN_SKBS_MAX 64u

struct run {
	struct skb *skb[RUN_SKBS_MAX];
	uint32_t num, bytes, truesize;
};

static bool is_collapsible(const struct tcp_sock *tp, const struct skb *s)
{
	return !(tcp_cb(s)->flags & (TCPH_SYN | TCPH_FIN)) && s->len && s->len < RUN_BYTES_MAX / 2 &&
	       !seq_before(tcp_cb(s)->seq, tp->copied_seq);
}

/* It costs more than the window took it for: copying pays. */
static bool is_bloated(const struct tcp_sock *tp, const struct skb *s)
{
	return tcp_win_from_space(tp, s->truesize) > s->len;
}

/* Collect the records that follow @s without gap or overlap; @is_ofo tells which queue. */
static void collect_run(const struct tcp_sock *tp, struct skb *s, bool is_ofo, struct run *ret)
{
	ret->num = ret->bytes = ret->truesize = 0;
	if (!is_bloated(tp, s))
		return;
	while (s && ret->num < RUN_SKBS_MAX && is_collapsible(tp, s) && ret->bytes + s->len <= RUN_BYTES_MAX) {
		if (ret->num && tcp_cb(ret->skb[ret->num - 1])->end_seq != tcp_cb(s)->seq)
			break;
		ret->skb[ret->num++] = s;
		ret->bytes += s->len;
		ret->truesize += s->truesize;
		s = is_ofo ? tcp_ofo_entry(rb_next(&s->rb)) : s->next;
	}
}

static struct skb *copy_run(struct tcp_sock *tp, const struct run *r)
{
	struct stack *st = tp->sk.stack;
	struct skb *to = skb_alloc(st, POOL_NORMAL);
	uint8_t buf[2048];

	if (!to)
		return NULL;
	for (uint32_t i = 0; i < r->num; i++) {
		for (uint32_t off = 0; off < r->skb[i]->len;) {
			uint32_t n = min_u32(r->skb[i]->len - off, sizeof(buf));

			if (skb_copy_bits(r->skb[i], off, buf, n) ||
			    !skb_append_copy(st, to, &tp->sk.page_frag, buf, n)) {
				skb_free(st, to);
				return NULL;
			}
			off += n;
		}
	}
	to->truesize = SKB_TRUESIZE + r->bytes;
	to->tstamp_ns = r->skb[r->num - 1]->tstamp_ns;
	*tcp_cb(to) = *tcp_cb(r->skb[0]);
	tcp_cb(to)->end_seq = tcp_cb(r->skb[r->num - 1])->end_seq;
	tcp_cb(to)->flags |= tcp_cb(r->skb[r->num - 1])->flags & TCPH_PSH;
	return to;
}

static void free_run(struct tcp_sock *tp, struct run *r, bool is_ofo)
{
	for (uint32_t i = 0; i < r->num; i++) {
		if (is_ofo)
			tcp_ofo_unlink(tp, r->skb[i]);
		else
			skb_unlink(&tp->sk.receive_queue, r->skb[i]);
		tcp_rx_free(tp, r->skb[i]);
		mib_inc(tp->sk.stack, TcpExtTCPRcvCollapsed);
	}
}

/* Replace the run by its copy. Return: the copy, or NULL when nothing was gained. */
static struct skb *collapse_run(struct tcp_sock *tp, struct run *r, bool is_ofo)
{
	struct skb *to;

	if (r->num < 2 || SKB_TRUESIZE + r->bytes >= r->truesize)
		return NULL;
	to = copy_run(tp, r);
	if (!to)
		return NULL;
	tcp_wmem_force(tp, to->truesize); /* less than what goes at once */
	tcp_rx_charge(tp, to);
	if (is_ofo) {
		rb_replace(&tp->ofo, &r->skb[0]->rb, &to->rb);
		skb_owner_move(to, SKB_IN_OFO);
		skb_owner_move(r->skb[0], SKB_IN_TRANSIT);
		if (tp->ofo_last == r->skb[0])
			tp->ofo_last = to;
		tcp_rx_free(tp, r->skb[0]);
		mib_inc(tp->sk.stack, TcpExtTCPRcvCollapsed);
		r->skb[0] = r->skb[--r->num];
	} else {
		skb_queue_after(&tp->sk.receive_queue, r->skb[r->num - 1], to, SKB_IN_RCVQ);
	}
	free_run(tp, r, is_ofo);
	return to;
}

static void collapse_queue(struct tcp_sock *tp, bool is_ofo)
{
	struct skb *s = is_ofo ? tcp_ofo_entry(rb_first(&tp->ofo)) : skb_peek(&tp->sk.receive_queue);
	struct run r;

	while (s && tp->sk.rmem_alloc > tp->sk.rcvbuf) {
		struct skb *to;

		collect_run(tp, s, is_ofo, &r);
		to = collapse_run(tp, &r, is_ofo);
		if (to)
			s = to;
		else if (r.num)
			s = r.skb[r.num - 1];
		s = is_ofo ? tcp_ofo_entry(rb_next(&s->rb)) : s->next;
	}
}

void tcp_collapse_queues(struct tcp_sock *tp)
{
	collapse_queue(tp, true);
	collapse_queue(tp, false);
}

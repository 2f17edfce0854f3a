/* SPDX-License-Identifier: BSD-2-Clause */
/* Stage 4: from the program's message into the write queue, sending as it fills (T11-T32). */
/*
 * How it works: after the gates (T12.R1) the copy loop runs: find the tail record or make one,
 * copy a chunk into the socket's page fragment, commit it, push when a record is full. Each step
 * says how to go on (enum step); the loop is the only place that knows the order.
 *
 * 1. A byte is committed (WEND, end of the record) only after it was copied whole: a fault in the
 *    middle of a chunk leaves queue and cursor as they were.
 * 2. Partial wins: once a byte was committed the call returns the count; the error comes with the
 *    next call.
 * 3. The sock lock is held throughout, except while waiting for room or for the handshake.
 *
 * Absent: MSG_ZEROCOPY (without SO_ZEROCOPY it means nothing, T14.2), repair. MSG_FASTOPEN is
 * answered as by a host whose client side is switched off (T17.1).
 */
#include "tcp/user/user.h"

#include <errno.h>
#include <linux/net_tstamp.h>

#include "core/cmsg.h"
#include "core/trace_ids.h"
#include "tcp/base/base.h"
#include "tcp/conn/conn.h"
#include "tcp/out/out.h"

#define FRAG_MIN_BYTES 32u        /* T26.1 */
#define FLUSH_BACKLOG_RECORDS 16u /* T25.2 */
#define NOMEM_WAIT_TICKS_MIN 2u   /* T30.4 */

#define TSFLAGS_RECORD                                                                             \
	(SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED | \
	 SOF_TIMESTAMPING_TX_ACK)

/* How the copy loop goes on. */
enum step {
	STEP_DONE = 0,   /* as wanted */
	STEP_NEW_RECORD, /* this record takes nothing more */
	STEP_WAIT,       /* no room or no memory */
	STEP_RESTART,    /* the backlog was worked off: MSS and errors may have changed */
	STEP_FAULT,      /* the program's memory cannot be read */
};

/* One call. */
struct send {
	struct tcp_sock *tp;
	struct msg *m;
	int64_t timeo_ns;
	size_t total;           /* bytes committed */
	uint32_t mss, goal;     /* payload bytes per packet, per record */
	uint32_t fresh_records; /* since the backlog was last looked at */
	uint32_t tsflags;       /* SO_TIMESTAMPING of this call */
};

/* ---- T25: a new record ---- */

static enum step add_record(struct send *s, struct skb **ret)
{
	struct tcp_sock *tp = s->tp;
	struct skb *skb;

	if (!tcp_stream_memory_free(tp))
		return STEP_WAIT;
	if (unlikely(s->fresh_records >= FLUSH_BACKLOG_RECORDS)) {
		s->fresh_records = 0;
		if (sock_flush_backlog(&tp->sk))
			return STEP_RESTART;
	}
	skb = tcp_stream_alloc_skb(tp, tcp_rtx_and_write_queues_empty(tp));
	if (unlikely(!skb))
		return STEP_WAIT;
	s->fresh_records++;
	tcp_skb_entail(tp, skb);
	tcp_slow_start_after_idle_check(tp);
	*ret = skb;
	return STEP_DONE;
}

/* T24: the tail may grow when it is below the goal and has no EOR mark. */
static struct skb *open_tail(const struct send *s)
{
	struct skb *tail = s->tp->write_queue.last;

	return tail && tail->len < s->goal && !tcp_cb(tail)->is_eor ? tail : NULL;
}

/* ---- T26: copy ---- */

static bool continues_last_frag(const struct skb *skb, const struct page_frag *pf)
{
	const struct frag *f = skb->nr_frags ? &skb->frags[skb->nr_frags - 1] : NULL;

	return f && f->region == pf->region && f->off + f->len == pf->off;
}

/* T26.5: how much of @want may be charged; 0: none. */
static uint32_t reserve(struct tcp_sock *tp, uint32_t want)
{
	int64_t left;

	if (likely(tcp_wmem_schedule(tp, want)))
		return want;
	left = tp->sk.stack->sysctl.tcp_wmem[0] - tp->sk.wmem_queued;
	if (left > 0)
		tcp_wmem_force(tp, (uint32_t)min_s64(left, want));
	return min_u32(want, (uint32_t)tp->sk.forward_alloc);
}

/* @n bytes at pf->off now belong to the record. */
static void attach(struct tcp_sock *tp, struct skb *skb, struct page_frag *pf, uint32_t n,
		   bool is_joined)
{
	if (is_joined) {
		skb->frags[skb->nr_frags - 1].len += n;
	} else {
		page_region_get(pf->region);
		skb->frags[skb->nr_frags++] = (struct frag){pf->region, pf->off, n};
	}
	pf->off += n;
	skb->len += n;
	skb->data_len += n;
	skb->truesize += n;
	tp->write_queue.truesize += n;
	tcp_wmem_queued_add(tp, n);
}

/* Up to @want bytes of the message to the end of @skb; *ret_n how many. */
static enum step copy_chunk(struct send *s, struct skb *skb, uint32_t want, uint32_t *ret_n)
{
	struct tcp_sock *tp = s->tp;
	struct page_frag *pf = &tp->sk.page_frag;
	bool is_joined;

	if (unlikely(!page_frag_refill(tp->sk.stack->pools->pages, pf, FRAG_MIN_BYTES))) {
		tcp_enter_memory_pressure(tp->sk.stack);
		tcp_stream_moderate_sndbuf(tp);
		return STEP_WAIT;
	}
	is_joined = continues_last_frag(skb, pf);
	if (!is_joined && skb->nr_frags >= tp->sk.stack->sysctl.max_skb_frags) {
		tcp_mark_push(tp, skb);
		return STEP_NEW_RECORD;
	}
	want = min_u32(want, pf->region->size - pf->off);
	want = reserve(tp, want);
	if (unlikely(!want))
		return STEP_WAIT;
	if (unlikely(iter_copy_from(&s->m->iter, pf->region->data + pf->off, want)))
		return STEP_FAULT;
	attach(tp, skb, pf, want, is_joined);
	*ret_n = want;
	return STEP_DONE;
}

/* ---- T29: commit, push early ---- */

static void push_early(struct send *s, struct skb *skb)
{
	struct tcp_sock *tp = s->tp;

	tcp_mstamp_refresh(tp); /* copying took its time */
	if (tcp_forced_push(tp)) {
		tcp_mark_push(tp, skb);
		__tcp_push_pending_frames(tp, s->mss, TCP_NAGLE_PUSH);
	} else if (skb == tcp_send_head(tp)) {
		tcp_push_one(tp, s->mss);
	}
}

static void commit(struct send *s, struct skb *skb, uint32_t n)
{
	struct tcp_sock *tp = s->tp;
	struct tcp_skb_cb *cb = tcp_cb(skb);

	if (!s->total)
		cb->flags &= (uint8_t)~TCPH_PSH;
	tp->write_seq += n;
	cb->end_seq += n;
	cb->pcount = 0;
	s->total += n;
	if (!s->m->iter.count) {
		if (unlikely(s->m->flags & MSG_EOR))
			cb->is_eor = true;
		return;
	}
	if (skb->len >= s->goal && !(s->m->flags & MSG_OOB))
		push_early(s, skb);
}

/* One turn of the loop: at most one chunk. */
static enum step send_some(struct send *s)
{
	struct skb *skb = open_tail(s);
	uint32_t room, n = 0;
	enum step step;

	if (!skb) {
		step = add_record(s, &skb);
		if (step != STEP_DONE)
			return step;
	}
	for (;;) {
		room = s->goal - skb->len;
		step = copy_chunk(s, skb, (uint32_t)min_u64(room, s->m->iter.count), &n);
		if (likely(step != STEP_NEW_RECORD))
			break;
		step = add_record(s, &skb);
		if (step != STEP_DONE)
			return step;
	}
	if (likely(step == STEP_DONE))
		commit(s, skb, n);
	return step;
}

/* ---- T30: wait for room ---- */

/* Only an allocation failed: wait a short random time, nobody will wake us. */
static int wait_for_memory(struct send *s)
{
	struct tcp_sock *tp = s->tp;
	struct stack *st = tp->sk.stack;
	uint64_t span = st->timers.hz / 5 + 1,
		 ticks = NOMEM_WAIT_TICKS_MIN + stack_rand_below(st, (uint32_t)span);
	int64_t nap_ns = min_s64((int64_t)(ticks * tcp_tick_ns(tp)), s->timeo_ns), left_ns = nap_ns;
	int err = tcp_wait(tp, waitq_begin(&tp->sk.wq), &left_ns);

	if (s->timeo_ns != SOCK_TIMEO_FOREVER)
		s->timeo_ns -= nap_ns - left_ns;
	return err == -EAGAIN && s->timeo_ns > 0 ? 0 : err;
}

static bool is_send_dead(const struct tcp_sock *tp)
{
	return atomic_load_explicit(&((struct tcp_sock *)tp)->sk.err, memory_order_relaxed) ||
	       (tp->sk.shutdown & SEND_SHUTDOWN);
}

static int wait_until_free(struct send *s)
{
	struct tcp_sock *tp = s->tp;
	struct stack *st = tp->sk.stack;
	uint32_t ticket;
	int err;

	if (tcp_stream_memory_free(tp) && s->timeo_ns)
		return is_send_dead(tp) ? -EPIPE : wait_for_memory(s);
	stack_trace_ev(st, TR_TCP_SEND_WAIT, TR_BEGIN, trace_obj(st, tp, NULL),
		       (uint64_t)tp->sk.wmem_queued, (uint64_t)tp->sk.sndbuf, (uint64_t)s->timeo_ns);
	for (;;) {
		if (is_send_dead(tp)) {
			err = -EPIPE;
			break;
		}
		if (!s->timeo_ns) {
			err = -EAGAIN;
			break;
		}
		tp->sk.flags |= SK_NOSPACE;
		ticket = waitq_begin(&tp->sk.wq);
		err = tcp_wait(tp, ticket, &s->timeo_ns);
		if (err == -EAGAIN)
			s->timeo_ns = 0;
		else if (err)
			break;
		if (tcp_stream_memory_free(tp)) {
			err = 0;
			break;
		}
	}
	stack_trace_ev(st, TR_TCP_SEND_WAIT, TR_END, trace_obj(st, tp, NULL),
		       (uint64_t)tp->sk.wmem_queued, (uint64_t)tp->sk.sndbuf, (uint64_t)s->timeo_ns);
	return err;
}

static int wait_for_space(struct send *s)
{
	struct tcp_sock *tp = s->tp;
	int err;

	tp->sk.flags |= SK_NOSPACE;
	tcp_remove_empty_skb(tp);
	if (s->total)
		tcp_push(tp, s->m->flags & ~MSG_MORE, s->mss, TCP_NAGLE_PUSH, s->goal);
	err = wait_until_free(s);
	tcp_mstamp_refresh(tp);
	if (!err)
		s->mss = tcp_send_mss(tp, &s->goal, s->m->flags);
	return err;
}

/* ---- T32, T31: exits ---- */

/* T32: the last record of this call, unsent or sent, gets the request and the number of its last byte. */
static void request_timestamp(struct tcp_sock *tp, uint32_t tsflags)
{
	struct skb *skb = tp->write_queue.last ? tp->write_queue.last : tp->rtx_queue.last;

	if (!skb || !(tsflags & TSFLAGS_RECORD))
		return;
	if (tsflags & SOF_TIMESTAMPING_TX_SOFTWARE)
		skb->tx_flags |= SKB_TX_SW_TSTAMP;
	if (tsflags & SOF_TIMESTAMPING_TX_SCHED)
		skb->tx_flags |= SKB_TX_SCHED_TSTAMP;
	if (tsflags & SOF_TIMESTAMPING_TX_ACK)
		skb->tx_flags |= SKB_TX_ACK_TSTAMP;
	skb->ts_key = tcp_cb(skb)->seq + skb->len - 1;
}

static ssize_t finish_sent(struct send *s)
{
	struct tcp_sock *tp = s->tp;

	if (!s->total)
		return 0;
	if (unlikely(s->tsflags))
		request_timestamp(tp, s->tsflags);
	tcp_push(tp, s->m->flags, s->mss, tp->nonagle, s->goal);
	return (ssize_t)s->total;
}

/* T31.R5-R6: nothing was sent: what the caller sees. */
static COLD ssize_t finish_error(struct send *s, int err)
{
	struct tcp_sock *tp = s->tp;
	int pending;

	if (err == -EPIPE) {
		pending = sock_error(&tp->sk);
		if (pending)
			err = pending;
		if (err == -EPIPE && !(s->m->flags & MSG_NOSIGNAL))
			s->m->want_sigpipe = true;
	}
	if (err == -EAGAIN && tcp_rtx_and_write_queues_empty(tp)) {
		tcp_write_space(&tp->sk);
		tcp_chrono_stop(tp, TCP_CHRONO_SNDBUF_LIMITED);
	}
	return err;
}

static COLD ssize_t finish_partial(struct send *s, int err)
{
	tcp_remove_empty_skb(s->tp);
	return s->total ? finish_sent(s) : finish_error(s, err);
}

/* ---- T12 ---- */

/* Gate 1. -EINVAL for device memory comes at once (*ret_gate4), everything else only as gate 9. */
static COLD int read_control(struct send *s, int *ret_gate4)
{
	struct sockcm ck = {.tsflags = s->tsflags};
	int err = sock_cmsg_send(&s->tp->sk, s->m, &ck);

	*ret_gate4 = !err && ck.dmabuf_id ? -EINVAL : 0; /* no zerocopy, no device memory (T15.1) */
	s->tsflags = ck.tsflags;
	return err;
}

/* Gates 1 to 9. */
static int pass_gates(struct send *s)
{
	struct tcp_sock *tp = s->tp;
	struct sock *sk = &tp->sk;
	int cmsg_err = 0, err = 0;

	if (unlikely(s->m->controllen))
		cmsg_err = read_control(s, &err);
	if (unlikely(err))
		return err;
	if (unlikely(s->m->flags & MSG_FASTOPEN))
		return -EOPNOTSUPP;
	s->timeo_ns = s->m->flags & MSG_DONTWAIT ? 0 : sk->sndtimeo_ns;
	tcp_rate_check_app_limited(tp);
	if (unlikely(!(TCPF(sk->state) & (TCPF(TCP_ESTABLISHED) | TCPF(TCP_CLOSE_WAIT))))) {
		err = tcp_wait_connect(tp, &s->timeo_ns);
		if (err)
			return err;
		tcp_mstamp_refresh(tp);
	}
	return cmsg_err;
}

static ssize_t tcp_sendmsg_locked(struct tcp_sock *tp, struct msg *m)
{
	struct send s = {.tp = tp, .m = m, .tsflags = tp->sk.tsflags};
	int err = pass_gates(&s);

	if (unlikely(err))
		return finish_error(&s, err);
restart:
	s.mss = tcp_send_mss(tp, &s.goal, m->flags);
	if (unlikely(is_send_dead(tp)))
		return finish_partial(&s, -EPIPE);
	while (m->iter.count) {
		switch (send_some(&s)) {
		case STEP_DONE:
		case STEP_NEW_RECORD: break;
		case STEP_RESTART: goto restart;
		case STEP_FAULT: return finish_partial(&s, -EFAULT);
		case STEP_WAIT:
			err = wait_for_space(&s);
			if (err)
				return finish_partial(&s, err);
			if (unlikely(is_send_dead(tp)))
				return finish_partial(&s, -EPIPE);
			break;
		}
	}
	return finish_sent(&s);
}

ssize_t tcp_sendmsg(struct sock *sk, struct msg *m)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct stack *st = sk->stack;
	ssize_t ret;

	stack_trace_ev(st, TR_TCP_SENDMSG, TR_BEGIN, trace_obj(st, tp, NULL), m->iter.count, (uint32_t)m->flags, 0);
	sock_lock(sk);
	tcp_mstamp_refresh(tp);
	stack_trace_ev(st, TR_TCP_SENDMSG_LOCKED, TR_BEGIN, trace_obj(st, tp, NULL), m->iter.count,
		       tp->write_seq - tp->snd_nxt, 0);
	ret = tcp_sendmsg_locked(tp, m);
	stack_trace_ev(st, TR_TCP_SENDMSG_LOCKED, TR_END, trace_obj(st, tp, NULL), m->iter.count,
		       tp->write_seq - tp->snd_nxt, (uint64_t)ret);
	sock_release(sk);
	stack_trace_ev(st, TR_TCP_SENDMSG, TR_END, trace_obj(st, tp, NULL), 0, 0, (uint64_t)ret);
	return ret;
}

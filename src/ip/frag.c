/* SPDX-License-Identifier: BSD-2-Clause */
/* Reassembly queues, for both families: keys, memory, overlap, time (R03, R04.5). */
/*
 * How it works
 *
 * A queue keeps its fragments as runs: chains of packets that lie directly behind each other. Runs
 * hang in a tree by offset and merge when a gap closes, so a fragment costs O(log runs) however many
 * there are, and "wholly inside what we have" is a comparison with one run. A fragment that touches
 * existing bytes in any other way condemns the whole queue (RFC 5722, and Linux for IPv4 too).
 *
 * Memory: each queue and each packet is charged; above the family's high threshold new fragments are
 * refused, nothing old is evicted (R03.10). Only the pump comes here, so no lock is needed.
 */
#include "ip/ip_int.h"

#include <errno.h>

#define FRAGQ_CHARGE 256u /* bytes charged for an empty queue: its record with table overhead */
#define ECN_NOT_ECT 0x1u  /* bits of ecn_seen: 1 << field */
#define ECN_ECT1 0x2u
#define ECN_ECT0 0x4u
#define ECN_CE 0x8u

static struct frag_table *table_of(struct stack *st, bool is_v6)
{
	return is_v6 ? &st->ip->frag6 : &st->ip->frag4;
}

static struct hnode **bucket_of(struct stack *st, const struct frag_key *k)
{
	struct {
		struct ipaddr s, d;
		uint32_t id, ifindex, proto;
	} __attribute__((packed)) key = {k->src, k->dst, k->id, k->ifindex, k->proto};

	return &table_of(st, k->is_v6)->buckets[siphash(&st->secret, &key, sizeof(key)) % IP_FRAG_BUCKETS];
}

static bool key_eq(const struct frag_key *a, const struct frag_key *b)
{
	return a->id == b->id && a->proto == b->proto && a->ifindex == b->ifindex &&
	       ipaddr_eq(&a->src, &b->src) && ipaddr_eq(&a->dst, &b->dst);
}

static uint64_t high_thresh(const struct stack *st, bool is_v6)
{
	return (uint64_t)(is_v6 ? st->sysctl.ip6frag_high_thresh : st->sysctl.ipfrag_high_thresh);
}

static struct fragq *make(struct stack *st, const struct frag_key *key, struct hnode **bucket)
{
	uint64_t s = (uint64_t)(key->is_v6 ? st->sysctl.ip6frag_time : st->sysctl.ipfrag_time);
	struct timers *ts = &st->timers;
	struct fragq *q = pool_zalloc(&st->pools->fragq, POOL_NORMAL);

	if (!q)
		return NULL;
	q->obj.owner_proc = 0;
	q->stack = st;
	q->key = *key;
	q->mem = FRAGQ_CHARGE;
	table_of(st, key->is_v6)->mem += q->mem;
	table_of(st, key->is_v6)->num_queues++;
	hnode_add(&q->hash, bucket);
	timer_init(&q->timer, TIMER_FRAG);
	timer_arm(ts, &q->timer,
		  timers_ns_to_tick(ts, stack_now_ns(st)) + ip_ticks_of_ms(st, s * 1000));
	return q;
}

struct fragq *fragq_find(struct stack *st, const struct frag_key *key)
{
	struct hnode **bucket = bucket_of(st, key);

	/* also fragments of queues that exist are refused: they only make it worse */
	if (table_of(st, key->is_v6)->mem > high_thresh(st, key->is_v6))
		return NULL;
	for (struct hnode *h = *bucket; h; h = h->next) {
		struct fragq *q = container_of(h, struct fragq, hash);

		if (key_eq(&q->key, key))
			return q;
	}
	return make(st, key, bucket);
}

/* ---- runs ---- */

static struct skb *run_of(struct rb_node *n)
{
	return n ? container_of(n, struct skb, rb) : NULL;
}

/* Last run that starts at or before @off; also where a new one would be linked. */
static struct skb *find_run(struct fragq *q, uint32_t off, struct rb_node **ret_parent,
			    struct rb_node ***ret_link)
{
	struct rb_node *parent = NULL, **link = &q->runs.node;
	struct skb *at_or_before = NULL;

	while (*link) {
		struct skb *s = run_of(*link);

		parent = *link;
		if (frag_cb(s)->off <= off) {
			at_or_before = s;
			link = &parent->right;
		} else {
			link = &parent->left;
		}
	}
	*ret_parent = parent;
	*ret_link = link;
	return at_or_before;
}

/* Make @b, directly behind @a, part of it. */
static void join(struct fragq *q, struct skb *a, struct skb *b)
{
	rb_erase(&q->runs, &b->rb);
	frag_cb(a)->run_last->next = b;
	frag_cb(a)->run_last = frag_cb(b)->run_last;
	frag_cb(a)->run_end = frag_cb(b)->run_end;
}

static void take(struct fragq *q, struct skb *skb)
{
	skb->next = NULL;
	skb_owner_move(skb, SKB_IN_FRAGQ);
	q->meat += skb->len;
	q->mem += skb->truesize;
	table_of(q->stack, q->key.is_v6)->mem += skb->truesize;
}

static enum frag_verdict place(struct fragq *q, struct skb *skb)
{
	struct frag_cb *cb = frag_cb(skb);
	struct rb_node *parent, **link;
	struct skb *before = find_run(q, cb->off, &parent, &link), *after;

	if (before && frag_cb(before)->run_end > cb->off)
		return cb->end <= frag_cb(before)->run_end ? FRAG_DUP : FRAG_OVERLAP;
	after = run_of(before ? rb_next(&before->rb) : rb_first(&q->runs));
	if (after && frag_cb(after)->off < cb->end)
		return FRAG_OVERLAP;
	take(q, skb);
	cb->run_last = skb;
	cb->run_end = cb->end;
	if (before && frag_cb(before)->run_end == cb->off) {
		frag_cb(before)->run_last->next = skb;
		frag_cb(before)->run_last = skb;
		frag_cb(before)->run_end = cb->end;
		skb = before;
	} else {
		rb_insert_at(&q->runs, &skb->rb, parent, link);
	}
	if (after && frag_cb(after)->off == frag_cb(skb)->run_end)
		join(q, skb, after);
	return FRAG_KEPT;
}

/* Highest byte held so far. */
static uint32_t held_end(const struct fragq *q)
{
	struct skb *last = run_of(rb_last(&q->runs));

	return last ? frag_cb(last)->run_end : 0;
}

enum frag_verdict fragq_add(struct fragq *q, struct skb *skb, bool is_last)
{
	struct frag_cb *cb = frag_cb(skb);
	enum frag_verdict v;

	if (is_last && (cb->end < held_end(q) || (q->has_last && cb->end != q->total)))
		return FRAG_BAD_END;
	if (!is_last && q->has_last && cb->end > q->total)
		return FRAG_BAD_END;
	v = place(q, skb);
	if (v != FRAG_KEPT)
		return v;
	if (is_last) {
		q->has_last = true;
		q->total = cb->end;
	}
	return q->has_last && q->meat == q->total ? FRAG_COMPLETE : FRAG_KEPT;
}

struct skb *fragq_first(struct fragq *q)
{
	struct skb *s = run_of(rb_first(&q->runs));

	return s && frag_cb(s)->off == 0 ? s : NULL;
}

int fragq_ecn(const struct fragq *q)
{
	uint8_t e = q->ecn_seen;

	if ((e & ECN_NOT_ECT) && (e & (ECN_CE | ECN_ECT0 | ECN_ECT1)))
		return -EINVAL;
	if (e & ECN_CE)
		return 3;
	if (e & ECN_ECT0)
		return 2;
	return e & ECN_ECT1 ? 1 : 0;
}

void fragq_kill(struct fragq *q)
{
	struct stack *st = q->stack;
	struct frag_table *t = table_of(st, q->key.is_v6);
	struct skb *run, *s, *next;

	timer_cancel(&st->timers, &q->timer);
	hnode_del(&q->hash);
	while ((run = run_of(rb_first(&q->runs)))) {
		rb_erase(&q->runs, &run->rb);
		for (s = run; s; s = next) {
			next = s->next;
			s->next = NULL;
			skb_owner_move(s, SKB_IN_TRANSIT);
			skb_free(st, s);
		}
	}
	t->mem -= q->mem;
	t->num_queues--;
	pool_free(&st->pools->fragq, q);
}

struct skb *fragq_build(struct fragq *q, uint32_t hdr_len)
{
	struct stack *st = q->stack;
	uint8_t *p = st->ip->scratch;
	struct skb *first = fragq_first(q), *out;
	uint32_t at = hdr_len;

	if (!first || hdr_len + q->total > IP_SCRATCH_BYTES)
		return NULL;
	memcpy(p, skb_network(first), hdr_len);
	for (struct skb *s = first; s; s = s->next) {
		if (skb_copy_bits(s, 0, p + at, s->len))
			return NULL;
		at += s->len;
	}
	out = netdev_rx_alloc(q->dev, at);
	if (!out)
		return NULL;
	if (skb_store_bits(out, 0, p, at) || !skb_may_pull(st, out, hdr_len)) {
		skb_free(st, out);
		return NULL;
	}
	out->net_off = out->data_off;
	out->protocol = first->protocol;
	out->pkt_type = first->pkt_type;
	out->tstamp_ns = first->tstamp_ns;
	return out;
}

void frag_timer(struct stack *st, struct timer *t)
{
	struct fragq *q = container_of(t, struct fragq, timer);

	(void)st;
	if (q->key.is_v6)
		frag6_expire(q);
	else
		frag4_expire(q);
	fragq_kill(q);
}

void frag_done(struct stack *st)
{
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		struct frag_table *t = table_of(st, is_v6);

		for (uint32_t i = 0; i < IP_FRAG_BUCKETS; i++) {
			while (t->buckets[i])
				fragq_kill(container_of(t->buckets[i], struct fragq, hash));
		}
	}
}

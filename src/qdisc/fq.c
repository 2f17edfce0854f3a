/* SPDX-License-Identifier: BSD-2-Clause */
/* fq: one queue for each flow, fair turns, and departure times kept to the nanosecond (T66). */
/*
 * How it works: a flow is a socket, or a hash of the packet when it has none. Each of three priority
 * bands has a list of new flows, served first, and of old ones. A flow in turn sends as long as it has
 * credit; then it gets a quantum and goes to the end of the old list. A flow whose first packet is not
 * due sits in a tree by time instead; the watchdog runs the queue when the first of them is due. An
 * empty flow stays known for a while, so that a socket that pauses keeps its credit.
 *
 * When nothing is queued by flows and the packet is due, it takes the short way through `direct`.
 *
 * 1. A flow is in exactly one place: where says in which.
 * 2. A flow's packets are in order of departure time; equal times keep their order of arrival.
 * 3. num_flow_pkts counts what lies in flows; q->len also what lies in direct or was refused.
 */
#include <errno.h>

#include "base/rng.h"
#include "core/sock.h"
#include "qdisc/qdisc.h"

#define NUM_BANDS 3
#define BUCKETS 1024u     /* T66.1 */
#define FLOWS_MAX 2048u   /* then idle ones are forgotten; then flows share */
#define ORPHAN_MASK 1023u /* packets without socket: so many flows */
#define BAND_LIMIT 10000u /* packets (T66.2) */
#define FLOW_LIMIT 100u
#define HORIZON_NS (10 * NS_PER_S)
#define IDLE_REFILL_NS (40 * NS_PER_MS) /* T66.3 */
#define WATCHDOG_SLACK_NS (10 * NS_PER_US)
#define LOW_RATE_BPS 68750u /* bytes/s = 550 kbit/s (T66.4) */
#define GAP_MAX_NS NS_PER_S
#define DIRECT_MAX 8u /* T66.6 */

enum flow_place { FLOW_UNUSED = 0, FLOW_IDLE, FLOW_NEW, FLOW_OLD, FLOW_THROTTLED };

struct fq_flow {
	struct hnode hash; /* by key */
	struct list link;  /* in a band's list, or in fq.unused/fq.idle */
	struct rb_node rb; /* while throttled, by next_ns */
	uint64_t key;
	uint64_t next_ns; /* nothing leaves before */
	uint64_t idle_since_ns;
	struct skb_queue pkts;
	int32_t credit;   /* bytes it may still send in this turn */
	uint32_t unpaced; /* bytes sent since the last gap, for packets without departure time */
	uint8_t where;    /* enum flow_place */
	uint8_t band;
};

struct fq_band {
	struct list new_flows, old_flows;
	int32_t credit;
	uint32_t num_pkts;
};

struct fq {
	struct fq_band bands[NUM_BANDS];
	uint8_t band;                      /* whose turn it is */
	uint32_t quantum, initial_quantum; /* bytes */
	uint32_t num_flow_pkts, num_throttled;
	uint64_t armed_ns; /* when the watchdog fires; 0: not armed */
	struct rb_root throttled;
	struct skb_queue direct;
	struct list unused, idle; /* idle: longest first */
	struct hnode *buckets[BUCKETS];
	struct fq_flow flows[FLOWS_MAX];
};

static const int32_t band_weight[NUM_BANDS] = {589824, 196608, 65536};

/* ---- flows ---- */

static int fq_init(struct qdisc *q, struct netdev *dev)
{
	struct fq *fq = q->priv;

	for (int i = 0; i < NUM_BANDS; i++) {
		list_init(&fq->bands[i].new_flows);
		list_init(&fq->bands[i].old_flows);
		fq->bands[i].credit = band_weight[i];
	}
	fq->quantum = 2 * dev->mtu;
	fq->initial_quantum = 10 * dev->mtu;
	list_init(&fq->unused);
	list_init(&fq->idle);
	for (unsigned int i = 0; i < FLOWS_MAX; i++)
		list_add_tail(&fq->flows[i].link, &fq->unused);
	return 0;
}

/* A socket is told apart from a later one at its place by the generation. */
static uint64_t flow_key(const struct skb *skb)
{
	const struct sock *sk = skb->sk;

	if (sk)
		return (uint64_t)(uintptr_t)sk ^ (uint64_t)sk->obj.gen << 48;
	return (skb->hash & ORPHAN_MASK) << 1 | 1; /* odd: no object's address */
}

static struct fq_flow *find_flow(struct fq *fq, uint64_t key)
{
	for (struct hnode *n = fq->buckets[hash_mix(key) % BUCKETS]; n; n = n->next) {
		struct fq_flow *f = container_of(n, struct fq_flow, hash);

		if (f->key == key)
			return f;
	}
	return NULL;
}

static struct fq_flow *make_flow(struct fq *fq, uint64_t key)
{
	struct list *l = list_is_empty(&fq->unused) ? &fq->idle : &fq->unused;
	struct fq_flow *f;

	if (list_is_empty(l)) /* all busy: share one */
		return &fq->flows[hash_mix(key) % FLOWS_MAX];
	f = list_entry(l->next, struct fq_flow, link);
	list_del(&f->link);
	hnode_del(&f->hash);
	memset(f, 0, sizeof(*f));
	f->key = key;
	f->credit = (int32_t)fq->initial_quantum;
	f->where = FLOW_IDLE;
	list_add_tail(&f->link, &fq->idle);
	hnode_add(&f->hash, &fq->buckets[hash_mix(key) % BUCKETS]);
	return f;
}

static struct fq_flow *classify(struct fq *fq, struct skb *skb)
{
	uint64_t key = flow_key(skb);
	struct fq_flow *f = find_flow(fq, key);

	return f ? f : make_flow(fq, key);
}

static void flow_to_list(struct fq_flow *f, struct list *l, enum flow_place where)
{
	list_add_tail(&f->link, l);
	f->where = (uint8_t)where;
}

/* An idle flow got a packet: it takes part again, first among the new ones. */
static void flow_activate(struct fq *fq, struct fq_flow *f, const struct skb *skb, uint64_t now_ns)
{
	if (f->where != FLOW_IDLE)
		return;
	list_del(&f->link);
	if (now_ns > f->idle_since_ns + IDLE_REFILL_NS && f->credit < (int32_t)fq->quantum)
		f->credit = (int32_t)fq->quantum;
	f->band = (uint8_t)qdisc_prio_band(skb->priority);
	flow_to_list(f, &fq->bands[f->band].new_flows, FLOW_NEW);
}

static void throttle(struct fq *fq, struct fq_flow *f)
{
	struct rb_node **link = &fq->throttled.node, *parent = NULL;

	list_del(&f->link);
	while (*link) {
		const struct fq_flow *o = container_of(*link, struct fq_flow, rb);

		parent = *link;
		link = f->next_ns >= o->next_ns ? &parent->right : &parent->left;
	}
	rb_insert_at(&fq->throttled, &f->rb, parent, link);
	f->where = FLOW_THROTTLED;
	fq->num_throttled++;
}

static struct fq_flow *first_throttled(const struct fq *fq)
{
	struct rb_node *n = rb_first(&fq->throttled);

	return n ? container_of(n, struct fq_flow, rb) : NULL;
}

static void unthrottle_due(struct fq *fq, uint64_t now_ns)
{
	struct fq_flow *f;

	while ((f = first_throttled(fq)) && f->next_ns <= now_ns) {
		rb_erase(&fq->throttled, &f->rb);
		fq->num_throttled--;
		flow_to_list(f, &fq->bands[f->band].old_flows, FLOW_OLD);
	}
}

/* ---- enqueue ---- */

static enum xmit refuse(struct qdisc *q, struct skb *skb)
{
	q->drops++;
	skb_free(q->dev->stack, skb);
	return XMIT_DROP;
}

/* Departure times mostly grow, so the place is near the end. */
static void flow_insert(struct fq_flow *f, struct skb *skb)
{
	struct skb *pos = f->pkts.last;

	while (pos && pos->tstamp_ns > skb->tstamp_ns)
		pos = pos->prev;
	if (pos)
		skb_queue_after(&f->pkts, pos, skb, SKB_IN_QDISC);
	else
		skb_queue_head(&f->pkts, skb, SKB_IN_QDISC);
}

static void mark_paced(struct sock *sk)
{
	if (__atomic_load_n(&sk->pacing_status, __ATOMIC_RELAXED) != SK_PACING_FQ)
		__atomic_store_n(&sk->pacing_status, SK_PACING_FQ, __ATOMIC_RELAXED);
}

static bool may_go_direct(const struct fq *fq, const struct skb *skb, uint64_t now_ns)
{
	/* A packet without departure time may have to be paced by its socket's rate. */
	return !fq->num_flow_pkts && fq->direct.len < DIRECT_MAX && skb->tstamp_ns <= now_ns &&
	       (skb->tstamp_ns || !skb->sk || skb->sk->max_pacing_Bps == UINT64_MAX);
}

static enum xmit fq_enqueue(struct qdisc *q, struct skb *skb, uint64_t now_ns)
{
	struct fq *fq = q->priv;
	struct fq_flow *f;
	struct fq_band *b;

	if (skb->tstamp_ns > now_ns + HORIZON_NS)
		return refuse(q, skb);
	if (skb->sk)
		mark_paced(skb->sk);
	if (may_go_direct(fq, skb, now_ns)) {
		skb_queue_tail(&fq->direct, skb, SKB_IN_QDISC);
		atomic_fetch_add(&q->len, 1);
		return XMIT_OK;
	}
	f = classify(fq, skb);
	b = &fq->bands[f->where == FLOW_IDLE ? qdisc_prio_band(skb->priority) : f->band];
	if (f->pkts.len >= FLOW_LIMIT || b->num_pkts >= BAND_LIMIT)
		return refuse(q, skb);
	flow_activate(fq, f, skb, now_ns);
	flow_insert(f, skb);
	b->num_pkts++;
	fq->num_flow_pkts++;
	atomic_fetch_add(&q->len, 1);
	return XMIT_OK;
}

/* ---- dequeue ---- */

static bool band_has_flows(const struct fq_band *b)
{
	return !list_is_empty(&b->new_flows) || !list_is_empty(&b->old_flows);
}

/* The band whose turn it is: bands share bytes by weight, empty ones pass. */
static struct fq_band *pick_band(struct fq *fq)
{
	for (int i = 0; i < NUM_BANDS * 2; i++) {
		struct fq_band *b = &fq->bands[fq->band];

		if (band_has_flows(b) && b->credit > 0)
			return b;
		if (b->credit <= 0)
			b->credit += band_weight[fq->band];
		fq->band = (uint8_t)((fq->band + 1) % NUM_BANDS);
	}
	for (int i = 0; i < NUM_BANDS; i++) /* a jumbo packet left a deep debt */
		if (band_has_flows(&fq->bands[i]))
			return &fq->bands[i];
	return NULL;
}

static void flow_goes_idle(struct fq *fq, struct fq_band *b, struct fq_flow *f, uint64_t now_ns)
{
	/* From the new list once more through the old one: else a flow of single packets is always new. */
	bool was_new = f->where == FLOW_NEW;

	list_del(&f->link);
	if (was_new && !list_is_empty(&b->old_flows)) {
		flow_to_list(f, &b->old_flows, FLOW_OLD);
		return;
	}
	f->idle_since_ns = now_ns;
	flow_to_list(f, &fq->idle, FLOW_IDLE);
}

/* T66.4: when a packet without departure time leaves, when may the next one of its flow. */
static void pace_by_rate(const struct fq *fq, struct fq_flow *f, const struct skb *skb,
			 uint64_t now_ns)
{
	uint64_t rate, gap, idle;

	if (skb->tstamp_ns || !skb->sk)
		return;
	rate = min_u64(skb->sk->max_pacing_Bps, skb->sk->pacing_Bps);
	if (rate == UINT64_MAX || !rate)
		return;
	/* Fast flows leave in small groups, slow ones packet by packet. */
	f->unpaced += skb->len;
	if (rate > LOW_RATE_BPS && f->unpaced < fq->quantum)
		return;
	gap = min_u64((uint64_t)f->unpaced * NS_PER_S / rate, GAP_MAX_NS);
	idle = f->next_ns && now_ns > f->next_ns ? now_ns - f->next_ns : 0;
	gap -= min_u64(gap / 2, idle);
	f->next_ns = now_ns + gap;
	f->unpaced = 0;
}

static struct skb *flow_send(struct fq *fq, struct fq_band *b, struct fq_flow *f, uint64_t now_ns)
{
	struct skb *s = skb_dequeue(&f->pkts);

	f->credit -= (int32_t)s->len;
	b->credit -= (int32_t)s->len;
	b->num_pkts--;
	fq->num_flow_pkts--;
	pace_by_rate(fq, f, s, now_ns);
	return s;
}

/* Arm for the first flow that waits for its time. */
static void arm_watchdog(struct qdisc *q, struct fq *fq, uint64_t now_ns)
{
	const struct fq_flow *f = first_throttled(fq);
	struct timers *ts = &q->dev->stack->timers;

	atomic_store(&q->is_throttled, f != NULL);
	if (!f)
		return;
	/* Armed already, for this time or little later. */
	if (fq->armed_ns > now_ns && fq->armed_ns >= f->next_ns &&
	    fq->armed_ns - f->next_ns <= WATCHDOG_SLACK_NS)
		return;
	q->overlimits++;
	fq->armed_ns = f->next_ns;
	hrtimer_arm(ts, &q->watchdog, f->next_ns);
}

static struct skb *fq_dequeue(struct qdisc *q, uint64_t now_ns)
{
	struct fq *fq = q->priv;
	struct fq_band *b;

	if (fq->direct.first)
		return skb_dequeue(&fq->direct);
	if (!fq->num_flow_pkts && !fq->num_throttled)
		return NULL;
	unthrottle_due(fq, now_ns);
	while ((b = pick_band(fq))) {
		struct list *l = list_is_empty(&b->new_flows) ? &b->old_flows : &b->new_flows;
		struct fq_flow *f = list_entry(l->next, struct fq_flow, link);

		if (f->credit <= 0) {
			f->credit += (int32_t)fq->quantum;
			list_del(&f->link);
			flow_to_list(f, &b->old_flows, FLOW_OLD);
			continue;
		}
		if (!f->pkts.first) {
			flow_goes_idle(fq, b, f, now_ns);
			continue;
		}
		f->next_ns = max_u64(f->next_ns, f->pkts.first->tstamp_ns);
		if (f->next_ns > now_ns) {
			throttle(fq, f);
			continue;
		}
		return flow_send(fq, b, f, now_ns);
	}
	arm_watchdog(q, fq, now_ns);
	return NULL;
}

static void fq_purge(struct qdisc *q)
{
	struct fq *fq = q->priv;

	skb_queue_purge(q->dev->stack, &fq->direct);
	for (unsigned int i = 0; i < FLOWS_MAX; i++)
		skb_queue_purge(q->dev->stack, &fq->flows[i].pkts);
}

const struct qdisc_ops fq_qdisc_ops = {
	.name = "fq",
	.priv_bytes = sizeof(struct fq),
	.init = fq_init,
	.enqueue = fq_enqueue,
	.dequeue = fq_dequeue,
	.requeue = qdisc_hold,
	.can_bypass = false,
	.purge = fq_purge,
};

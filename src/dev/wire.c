/* SPDX-License-Identifier: BSD-2-Clause */
/* A wire in memory between two stacks of one arena: perfect, or slow, late, lossy and disorderly. */
/*
 * How it works
 *
 * A frame handed to one end is the very packet the other end receives: no byte is copied. Charge and
 * route of the sending stack are dropped, the receiver's charge is that of a frame of this length
 * (R36.1). On a perfect direction it goes straight into the peer's receive queue. Otherwise it waits in
 * a set ordered by delivery time, and a timer of the receiving stack fetches what is due.
 *
 * 1. wire.lock covers both directions, the generator and the digest. Frames are passed on after it was
 *    dropped: the receiving side may have decorators that write files.
 * 2. A direction is perfect only while its set is empty, so a change of impairments keeps the order.
 * 3. Every random draw comes from wire.rng in the order of hand-overs: the same seed and the same frames
 *    give the same bytes at the same times.
 * 4. wire_dir.waiting lists frames whose first bit has not left: its length is what queue_frames limits
 *    and ecn_mark_frames is compared with.
 * 5. Payload is shared with the sender; only a copy is ever damaged.
 */
#include "dev/wire_int.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define WIRE_MTU_DEFAULT 1500u
#define WIRE_MTU_MAX (65535u - ETH_HDR_LEN)
#define WIRE_UDP_HDR_LEN 8u
#define WIRE_FEATURES_GSO \
	(NETDEV_F_SG | NETDEV_F_CSUM | NETDEV_F_TSO4 | NETDEV_F_TSO6 | NETDEV_F_USO | NETDEV_F_GRO)
#define WIRE_FEATURES (NETDEV_F_SG | NETDEV_F_GRO)

static_assert(sizeof(struct wire_cb) <= SKB_CB_BYTES, "wire scratch fits");

static struct wire_cb *cb_of(struct skb *skb)
{
	return (struct wire_cb *)skb->cb;
}
static struct skb *skb_of(struct rb_node *n)
{
	return container_of(n, struct skb, rb);
}
static struct wire *wire_of(struct netdev *end)
{
	return end->priv;
}

/* The direction in which @end sends. */
static struct wire_dir *out_of(struct netdev *end)
{
	struct wire *w = wire_of(end);

	return w->dir[1].to == end ? &w->dir[0] : &w->dir[1];
}

static void count_lost(struct stack *st, struct skb *skb)
{
	mib_inc(st, NaruWireLost);
	skb_free(st, skb);
}

/* ---- the set of one direction ---- */

static void set_insert(struct wire_dir *d, struct skb *skb, uint64_t deliver_ns)
{
	struct wire_cb *cb = cb_of(skb);
	struct rb_node **link = &d->set.node, *parent = NULL;

	cb->deliver_ns = deliver_ns;
	cb->order = d->order++;
	while (*link) {
		parent = *link;
		link = deliver_ns < cb_of(skb_of(parent))->deliver_ns ? &parent->left
								      : &parent->right;
	}
	rb_insert_at(&d->set, &skb->rb, parent, link);
	d->num++;
}

static void set_remove(struct wire_dir *d, struct skb *skb)
{
	if (cb_of(skb)->is_waiting) {
		skb_unlink(&d->waiting, skb);
		cb_of(skb)->is_waiting = false;
	} else {
		skb_owner_move(skb, SKB_IN_TRANSIT);
	}
	rb_erase(&d->set, &skb->rb);
	d->num--;
}

/* Those whose first bit has left no longer wait. */
static void retire_waiting(struct wire_dir *d, uint64_t now_ns)
{
	struct skb *skb;

	while ((skb = skb_peek(&d->waiting)) && cb_of(skb)->start_ns <= now_ns) {
		skb_unlink(&d->waiting, skb);
		skb_owner_move(skb, SKB_IN_WIRE);
		cb_of(skb)->is_waiting = false;
	}
}

static void arm(struct wire_dir *d)
{
	struct rb_node *first = rb_first(&d->set);
	struct stack *st;
	uint64_t due_ns;

	if (!first || !d->to)
		return;
	st = d->to->stack;
	due_ns = cb_of(skb_of(first))->deliver_ns;
	if (d->armed_ns == due_ns)
		return;
	d->armed_ns = due_ns;
	hrtimer_arm(&st->timers, &d->timer, due_ns);
	if (!clock_is_virtual(&st->pools->clock))
		stack_pump_kick(st);
}

/* A holder that died inside leaves sets nobody trusts: what was on its way is lost. */
static void wire_lock_take(struct wire *w)
{
	lock_take(&w->lock);
	if (likely(!w->lock.was_abandoned))
		return;
	w->lock.was_abandoned = 0;
	for (int i = 0; i < 2; i++) {
		struct wire_dir *d = &w->dir[i];

		d->set.node = NULL;
		d->num = 0;
		skb_queue_init(&d->waiting);
		d->armed_ns = UINT64_MAX;
		if (d->to)
			dev_sweep(d->to, SKB_IN_WIRE);
	}
}

/* ---- sending ---- */

/* Bytes the line carries: a packet still to be cut repeats its headers. */
static uint32_t line_bytes(const struct skb *skb)
{
	uint32_t hdr;

	if (!skb_is_gso(skb) || skb->gso_segs < 2 || skb->th_off < skb->data_off)
		return skb->len;
	hdr = skb->th_off - skb->data_off;
	if (skb->gso_type == GSO_UDP_L4)
		hdr += WIRE_UDP_HDR_LEN;
	else if (skb->th_off + TCP_HDR_LEN <= skb->tail_off)
		hdr += (uint32_t)(skb_transport(skb)[12] >> 4) * 4;
	return skb->len + hdr * (skb->gso_segs - 1u);
}

static void put_on_line(struct wire_dir *d, struct skb *skb, const struct wire_fate *fate,
			uint64_t now_ns)
{
	struct wire_cb *cb = cb_of(skb);

	cb->start_ns = fate->start_ns;
	cb->is_lost = fate->is_lost;
	cb->is_waiting = fate->start_ns > now_ns;
	if (cb->is_waiting)
		skb_queue_tail(&d->waiting, skb, SKB_IN_WIRE);
	else
		skb_owner_move(skb, SKB_IN_WIRE);
	set_insert(d, skb, fate->deliver_ns);
}

static void send_impaired(struct stack *st, struct wire_dir *d, struct skb *skb, uint64_t now_ns)
{
	const struct wire_impair *im = &d->line.im;
	struct wire *w = d->wire;
	struct skb *copy = NULL;
	struct wire_fate fate;

	retire_waiting(d, now_ns);
	if (im->queue_frames && d->waiting.len >= im->queue_frames) {
		count_lost(st, skb);
		return;
	}
	if (im->ecn_mark_frames && d->waiting.len > im->ecn_mark_frames)
		dev_mark_ce(skb, true);
	wire_line_decide(&d->line, &w->rng, line_bytes(skb), now_ns, &fate);
	if (fate.is_duplicate)
		copy = dev_copy_skb(st, skb, &w->frag);
	if (fate.is_corrupt)
		skb = dev_corrupt_skb(st, skb, &w->frag, &w->rng);
	if (skb)
		put_on_line(d, skb, &fate, now_ns);
	else
		mib_inc(st, NaruWireLost);
	if (copy) {
		fate.start_ns = now_ns; /* comes into being on the way: it never waits for the line */
		put_on_line(d, copy, &fate, now_ns);
	}
	arm(d);
}

static enum xmit wire_xmit(struct netdev *dev, struct skb *skb)
{
	struct wire *w = wire_of(dev);
	struct wire_dir *d = out_of(dev);
	struct stack *st = dev->stack;
	struct netdev *to = NULL;
	bool is_taken = false;

	if (skb->len < ETH_HDR_LEN || (!skb_is_gso(skb) && skb->len > dev->mtu + ETH_HDR_LEN)) {
		skb_free(st, skb);
		return XMIT_DROP;
	}
	dev_leave_stack(st, skb);
	skb->dev = dev; /* by which dev_sweep() finds it */
	skb->hash = skb->mark = skb->priority = 0;
	skb->truesize = netdev_rx_truesize(skb->len);
	wire_lock_take(w);
	if (d->to && !(d->is_perfect && !d->num)) {
		send_impaired(st, d, skb, stack_now_ns(st));
		is_taken = true;
	} else if (d->to) {
		to = d->to;
		wire_log_frame(w, d, skb, w->has_digest ? stack_now_ns(st) : 0);
	}
	lock_drop(&w->lock);
	if (likely(to))
		dev_rx(to, skb);
	else if (!is_taken)
		count_lost(st, skb);
	return XMIT_OK;
}

/* ---- receiving ---- */

void wire_deliver(struct stack *st, struct hrtimer *t)
{
	struct wire_dir *d = container_of(t, struct wire_dir, timer);
	struct wire *w = d->wire;
	struct skb_queue due = {0};
	uint64_t now_ns = stack_now_ns(st);
	struct rb_node *n;
	struct netdev *to;
	struct skb *skb;

	wire_lock_take(w);
	to = d->to;
	d->armed_ns = UINT64_MAX;
	retire_waiting(d, now_ns);
	while ((n = rb_first(&d->set)) && cb_of(skb_of(n))->deliver_ns <= now_ns) {
		skb = skb_of(n);
		set_remove(d, skb);
		if (cb_of(skb)->is_lost || !to) {
			count_lost(st, skb);
			continue;
		}
		wire_log_frame(w, d, skb, cb_of(skb)->deliver_ns);
		skb_queue_tail(&due, skb, SKB_IN_WIRE);
	}
	arm(d);
	lock_drop(&w->lock);
	while ((skb = skb_dequeue(&due)))
		dev_rx(to, skb);
}

void wire_log_frame(struct wire *w, const struct wire_dir *d, const struct skb *skb, uint64_t ns)
{
	struct siphash_key key = {0};
	uint8_t buf[512];
	uint64_t head[4] = {w->digest, (uint64_t)(d - w->dir), ns, skb->len};

	w->num_frames++;
	if (!w->has_digest)
		return;
	w->digest = siphash(&key, head, sizeof(head));
	for (uint32_t off = 0; off < skb->len; off += sizeof(buf)) {
		uint32_t n = min_u32(skb->len - off, sizeof(buf));

		if (skb_copy_bits(skb, off, buf, n))
			return;
		memcpy(key.k, &w->digest, sizeof(w->digest));
		w->digest = siphash(&key, buf, n);
	}
}

uint32_t wire_in_flight(struct netdev *end)
{
	struct wire *w = wire_of(end);
	uint32_t num;

	wire_lock_take(w);
	num = w->dir[0].num + w->dir[1].num;
	lock_drop(&w->lock);
	return num;
}

static uint64_t read_u64(struct wire *w, const uint64_t *v)
{
	uint64_t now;

	wire_lock_take(w);
	now = *v;
	lock_drop(&w->lock);
	return now;
}

uint64_t wire_digest(struct netdev *end)
{
	return read_u64(wire_of(end), &wire_of(end)->digest);
}
uint64_t wire_num_frames(struct netdev *end)
{
	return read_u64(wire_of(end), &wire_of(end)->num_frames);
}

/* ---- life ---- */

static bool is_zero(const struct wire_impair *im)
{
	return !(im->rate_bps | im->delay_ns | im->jitter_ns | im->loss_ppm | im->reorder_ppm |
		 im->duplicate_ppm | im->corrupt_ppm);
}

void wire_set_impair(struct netdev *end, int direction, const struct wire_impair *im)
{
	struct wire *w = wire_of(end);
	struct wire_dir *d = &w->dir[direction != 0];

	wire_lock_take(w);
	d->line.im = *im;
	d->line.rate_rem = 0;
	d->is_perfect = is_zero(im);
	lock_drop(&w->lock);
}

static void join(struct wire *w, int direction, struct netdev *to, const struct wire_impair *im)
{
	struct wire_dir *d = &w->dir[direction];

	d->wire = w;
	d->to = to;
	d->line.im = *im;
	d->is_perfect = is_zero(im);
	d->armed_ns = UINT64_MAX;
	hrtimer_init(&d->timer, HRTIMER_WIRE);
}

static void set_up_end(struct netdev *dev, struct wire *w, const struct wire_config *cfg,
		       const uint8_t mac[6])
{
	static const uint8_t none[6];

	dev->priv = w;
	dev->mtu = cfg->mtu ? cfg->mtu : WIRE_MTU_DEFAULT;
	dev->features = cfg->has_gso ? WIRE_FEATURES_GSO : WIRE_FEATURES;
	dev->gso_max_size = NETDEV_GSO_MAX_DEFAULT;
	dev->gso_max_segs = UINT16_MAX;
	if (memcmp(mac, none, sizeof(none))) {
		memcpy(dev->mac, mac, sizeof(dev->mac));
	} else {
		rng_bytes(&w->rng, dev->mac, sizeof(dev->mac));
		dev->mac[0] = (uint8_t)((dev->mac[0] & 0xfc) | 2);
	}
}

int wire_create(struct stack *a, const char *name_a, struct stack *b, const char *name_b,
		const struct wire_config *cfg, struct netdev **ret_a, struct netdev **ret_b)
{
	struct arena *arena = a->pools->arena;
	struct netdev *end_a, *end_b;
	struct wire *w;
	int err;

	if (cfg->mtu && (cfg->mtu < IPV4_MIN_MTU || cfg->mtu > WIRE_MTU_MAX))
		return -EINVAL;
	err = dev_create(a, name_a, DEV_WIRE, sizeof(*w), &end_a);
	if (err)
		return err;
	err = netdev_alloc(b, name_b, DEV_WIRE, &end_b);
	w = end_a->priv;
	if (err) {
		end_a->priv = NULL;
		arena_free_sized(arena, w, sizeof(*w));
		netdev_remove(end_a);
		return err;
	}
	lock_init(&w->lock, LOCK_WIRE, a->is_shared || b->is_shared);
	rng_seed(&w->rng, cfg->seed);
	w->has_digest = cfg->has_digest;
	w->num_ends = 2;
	set_up_end(end_a, w, cfg, cfg->mac_a);
	set_up_end(end_b, w, cfg, cfg->mac_b);
	join(w, 0, end_b, &cfg->ab);
	join(w, 1, end_a, &cfg->ba);
	*ret_a = end_a;
	*ret_b = end_b;
	return 0;
}

static void purge(struct stack *st, struct wire_dir *d)
{
	struct rb_node *n;

	if (d->to)
		hrtimer_cancel(&d->to->stack->timers, &d->timer);
	while ((n = rb_first(&d->set))) {
		struct skb *skb = skb_of(n);

		set_remove(d, skb);
		skb_free(st, skb);
	}
}

/* The first end to go takes the frames with it; the other one keeps talking to nobody. */
static void wire_close(struct netdev *dev)
{
	struct wire *w = wire_of(dev);
	struct stack *st = dev->stack;
	struct wire_dir *in;
	bool is_last;

	if (!w)
		return;
	in = out_of(dev) == &w->dir[0] ? &w->dir[1] : &w->dir[0];
	wire_lock_take(w);
	purge(st, &w->dir[0]);
	purge(st, &w->dir[1]);
	in->to = NULL;
	is_last = --w->num_ends == 0;
	lock_drop(&w->lock);
	dev->priv = NULL;
	if (!is_last)
		return;
	page_frag_release(st->pools->pages, &w->frag);
	lock_done(&w->lock);
	arena_free_sized(st->pools->arena, w, sizeof(*w));
}

/* One of the ends answers for what belongs to both: a as long as it is there. */
static struct page_region *wire_region(struct netdev *dev, unsigned int idx)
{
	struct wire *w = wire_of(dev);

	if (idx || (w->dir[1].to && w->dir[1].to != dev))
		return NULL;
	return w->frag.region;
}

const struct dev_ops wire_dev_ops = {
	.name = "wire",
	.xmit = wire_xmit,
	.region = wire_region,
	.close = wire_close,
};

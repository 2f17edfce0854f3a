/* SPDX-License-Identifier: BSD-2-Clause */
/* The soft interrupt: works off received frames, due timers, deferred sockets and stopped queues. */
/*
 * How it works: whoever finds work tries the pump lock; who fails leaves, because the holder looks
 * at pump_work again after dropping the lock. One round takes all frames that wait, gives each to GRO or
 * to IP, runs the timers that are due, resumes sockets whose small-queue limit was lifted, and drains
 * queues. Rounds are bounded: an endless flood leaves pump_work set and returns.
 *
 * 1. Lock order: LOCK_PUMP is the lowest; sockets are only tried, never waited for.
 * 2. Giver: stores the work, sets pump_work, tries the lock. Holder: clears pump_work, takes the work,
 *    drops the lock, reads pump_work. Nothing is lost between them.
 * 3. The clock is read once for each round.
 */
#include "pump/pump.h"

#include <errno.h>

#include "base/san.h"
#include "core/sock.h"
#include "core/sweep.h"
#include "core/tables.h"
#include "core/trace_ids.h"
#include "pump/gro.h"
#include "qdisc/qdisc.h"
#include "wire/eth.h"

#define ROUNDS_MAX 32         /* rounds of one pump_run() */
#define TIMERS_PER_ROUND 4096 /* then frames get their turn */
#define PUMP_LOCK(p) (&(p)->lock)

int pump_init(struct stack *st)
{
	struct arena *a = st->pools->arena;
	struct pump *p = arena_alloc(a, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->gro = arena_alloc(a, sizeof(*p->gro));
	if (!p->gro) {
		arena_free_sized(a, p, sizeof(*p));
		return -ENOMEM;
	}
	lock_init(&p->lock, LOCK_PUMP, st->is_shared);
	lock_init(&p->tsq_lock, LOCK_RXQ, st->is_shared);
	st->pump = p;
	return 0;
}

static struct sock *take_tsq(struct pump *p);

void pump_drop_socks(struct stack *st)
{
	struct sock *sk = take_tsq(st->pump);

	while (sk) {
		struct sock *next = sk->tsq_next;

		sock_put(sk);
		sk = next;
	}
}

void pump_done(struct stack *st)
{
	struct arena *a = st->pools->arena;
	struct pump *p = st->pump;

	skb_sweep_rxq(st); /* waiting frames, the batch, and what GRO holds */
	lock_done(&p->tsq_lock);
	lock_done(&p->lock);
	arena_free_sized(a, p->gro, sizeof(*p->gro));
	arena_free_sized(a, p, sizeof(*p));
	st->pump = NULL;
}

void pump_recover(struct stack *st)
{
	struct pump *p = st->pump;

	skb_queue_init(&p->batch);
	memset(p->gro, 0, sizeof(*p->gro));
	skb_sweep_rxq(st);
	mib_inc(st, NaruLocksRecovered);
}

static bool pump_try(struct stack *st)
{
	struct pump *p = st->pump;

	if (!lock_try(PUMP_LOCK(p)))
		return false;
	if (unlikely(p->lock.was_abandoned)) {
		p->lock.was_abandoned = 0;
		pump_recover(st);
	}
	return true;
}

/* ---- deferred sockets (T47.4) ---- */

static void tsq_lock_take(struct pump *p)
{
	lock_take(&p->tsq_lock);
	if (unlikely(p->tsq_lock.was_abandoned)) {
		/* Sockets of a broken list keep their reference; they resume by their timers. */
		p->tsq_lock.was_abandoned = 0;
		p->tsq_first = NULL;
	}
}

void pump_queue_tsq(struct sock *sk)
{
	struct stack *st = sk->stack;
	struct pump *p = st->pump;

	if (atomic_exchange(&sk->is_tsq_queued, 1))
		return;
	sock_get(sk);
	tsq_lock_take(p);
	sk->tsq_next = p->tsq_first;
	p->tsq_first = sk;
	lock_drop(&p->tsq_lock);
	atomic_store(&st->pump_work, 1);
	if (!st->is_driven)
		pools_wake_driver(st->pools);
}

/* All of them, in order of arrival. */
static struct sock *take_tsq(struct pump *p)
{
	struct sock *sk, *first = NULL;

	tsq_lock_take(p);
	sk = p->tsq_first;
	p->tsq_first = NULL;
	lock_drop(&p->tsq_lock);
	while (sk) {
		struct sock *next = sk->tsq_next;

		sk->tsq_next = first;
		first = sk;
		sk = next;
	}
	return first;
}

static uint32_t run_tsq(struct pump *p)
{
	struct sock *sk = take_tsq(p);
	uint32_t num = 0;

	while (sk) {
		struct sock *next = sk->tsq_next;

		sk->tsq_next = NULL;
		atomic_store(&sk->is_tsq_queued, 0);
		sock_defer(sk, SOCK_DEFER_TSQ);
		sock_put(sk);
		sk = next;
		num++;
	}
	return num;
}

/* ---- frames ---- */

static COLD void drop_malformed(struct stack *st, struct netdev *dev, struct skb *skb)
{
	mib_inc(st, NaruMalformedFrames);
	atomic_fetch_add_explicit(&dev->stats.rx_errors, 1, memory_order_relaxed);
	skb_free(st, skb);
}

/* Read and pull the Ethernet header. False: the frame is not for us or none at all; freed. */
static bool pull_ethernet(struct stack *st, struct netdev *dev, struct skb *skb)
{
	const struct eth_hdr *eh;

	if (!skb_may_pull(st, skb, ETH_HDR_LEN)) {
		drop_malformed(st, dev, skb);
		return false;
	}
	eh = (const void *)skb_data(skb);
	skb->protocol = be16_to_cpu(eh->type_be);
	if (skb->protocol < ETH_TYPE_MIN) {
		drop_malformed(st, dev, skb);
		return false;
	}
	if (mac_is_broadcast(&eh->dst))
		skb->pkt_type = PKT_BROADCAST;
	else if (mac_is_multicast(&eh->dst))
		skb->pkt_type = PKT_MULTICAST;
	else
		skb->pkt_type = memcmp(&eh->dst, dev->mac, ETH_ADDR_LEN) ? PKT_OTHERHOST : PKT_HOST;
	if (skb->pkt_type == PKT_OTHERHOST) {
		skb_free(st, skb); /* uncounted: R02 (a) */
		return false;
	}
	skb_pull(skb, ETH_HDR_LEN);
	return true;
}

static bool pull_link_header(struct stack *st, struct netdev *dev, struct skb *skb)
{
	skb->mac_off = skb->data_off;
	if (!(dev->flags & NETDEV_NOARP)) {
		if (!pull_ethernet(st, dev, skb))
			return false;
	} else {
		skb->pkt_type = PKT_HOST;
		if (!skb_may_pull(st, skb, 1)) {
			drop_malformed(st, dev, skb);
			return false;
		}
		if (!skb->protocol)
			skb->protocol = skb_data(skb)[0] >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4;
	}
	skb->net_off = skb->data_off;
	return true;
}

static uint32_t run_frames(struct stack *st, uint64_t now_ns)
{
	struct pump *p = st->pump;
	bool may_merge; /* a single frame has nothing to merge with */
	struct skb *skb;
	uint32_t num = 0;

	netif_rx_take_all(st, &p->batch);
	may_merge = p->batch.len > 1;
	while ((skb = skb_dequeue(&p->batch))) {
		struct netdev *dev = skb->dev;

		if (pull_link_header(st, dev, skb)) {
			skb->tstamp_ns = now_ns;
			if (may_merge && dev->features & NETDEV_F_GRO)
				gro_receive(st, p->gro, skb);
			else
				up_tab.l3_rcv(st, skb);
		}
		if (++num % PUMP_RX_BUDGET == 0)
			gro_flush(st, p->gro);
	}
	if (may_merge)
		gro_flush(st, p->gro);
	return num;
}

/* ---- timers ---- */

static uint32_t run_timers(struct stack *st, uint64_t now_ns)
{
	struct timers *ts = &st->timers;
	uint64_t tick = timers_ns_to_tick(ts, now_ns);
	uint32_t num = 0;
	struct hrtimer *h;
	struct timer *t;

	if (!timers_any_due(ts, now_ns))
		return 0;
	while (num < TIMERS_PER_ROUND && (h = hrtimer_pop_expired(ts, now_ns))) {
		hrtimer_tab[h->kind](st, h);
		num++;
	}
	while (num < TIMERS_PER_ROUND && (t = timer_pop_expired(ts, tick))) {
		timer_tab[t->kind](st, t);
		num++;
	}
	if (num == TIMERS_PER_ROUND)
		atomic_store(&st->pump_work, 1);
	if (!num)
		timers_next_ns(ts); /* the bound was left by a cancelled timer: make it exact */
	return num;
}

/* ---- rounds ---- */

/* Read what the devices have; the pump is ours. */
static int poll_devices(struct stack *st)
{
	int num = 0;

	for (uint32_t i = 0; i < st->num_devs; i++) {
		struct netdev *dev = st->devs[i];
		const struct dev_ops *ops = dev ? dev_ops_tab[dev->ops_id] : NULL;

		if (ops && ops->poll && (dev->flags & NETDEV_UP))
			num += ops->poll(dev, PUMP_RX_BUDGET);
	}
	return num;
}

/* Return: the time of the round. */
static uint64_t pump_round(struct stack *st)
{
	uint64_t now_ns = stack_now_ns(st);
	uint32_t frames = 0, timers, socks = 0;

	/* An acknowledgement that waits in a device must come before the timer it stops. */
	if (timers_any_due(&st->timers, now_ns))
		poll_devices(st);

	/* The exchange also makes what the giver stored before visible here. */
	if (atomic_exchange(&st->pump_work, 0)) {
		frames = run_frames(st, now_ns);
		socks = run_tsq(st->pump);
	}
	timers = run_timers(st, now_ns);
	qdisc_pump(st);
	stack_trace_ev(st, TR_PUMP, TR_INSTANT, 0, frames, timers, socks);
	return now_ns;
}

static inline void full_fence(struct stack *st)
{
#if SAN_THREAD
	atomic_fetch_add(&st->pump_work, 0); /* TSan does not know fences */
#else
	(void)st;
	full_barrier();
#endif
}

static bool has_work(struct stack *st, uint64_t now_ns)
{
	return atomic_load(&st->pump_work) || timers_any_due(&st->timers, now_ns);
}

/* Nothing to do, seen without the lock: whoever brings work after this look calls the pump himself. */
static bool is_idle(struct stack *st)
{
	uint64_t next_ns = atomic_load_explicit(&st->timers.next_ns, memory_order_relaxed);

	return !atomic_load(&st->pump_work) && !clock_is_past(&st->pools->clock, next_ns) && qdisc_is_idle(st);
}

void pump_run(struct stack *st)
{
	uint64_t now_ns;
	int rounds = 0;

	if (is_idle(st))
		return;
	do {
		if (!pump_try(st))
			return;
		do {
			now_ns = pump_round(st);
		} while (++rounds < ROUNDS_MAX && has_work(st, now_ns));
		lock_drop(PUMP_LOCK(st->pump));
		full_fence(st);
	} while (unlikely(atomic_load(&st->pump_work)) && rounds < ROUNDS_MAX);
	if (unlikely(rounds >= ROUNDS_MAX) && atomic_load(&st->pump_work))
		pools_wake_driver(st->pools); /* the flood goes on: somebody else's turn */
}

static bool has_polled_device(const struct stack *st)
{
	for (uint32_t i = 0; i < st->num_devs; i++)
		if (st->devs[i] && dev_ops_tab[st->devs[i]->ops_id]->poll)
			return true;
	return false;
}

int pump_poll_devices(struct stack *st)
{
	int num;

	if (!has_polled_device(st) || !pump_try(st))
		return 0;
	num = poll_devices(st);
	lock_drop(PUMP_LOCK(st->pump));
	return num;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Private state of ip/ and the calls between its files. */
#ifndef NARU_IP_IP_INT_H
#define NARU_IP_IP_INT_H

#include "base/list.h"
#include "base/rbtree.h"
#include "core/skb.h"
#include "core/stack.h"
#include "core/tables.h"
#include "ip/ip.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/icmp.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/nd.h"

/* ---- limits; each bounds a loop or a table ---- */
#define IP_MAX_ADDRS 64u      /* addresses of a stack: scanned linearly on a cache miss */
#define IP_MAX_ROUTES 256u    /* routes of a stack: scanned linearly on a cache miss */
#define IP_MAX_GROUPS 64u     /* memberships of one device; solicited-node groups count */
#define IP_DST_SETS 512u      /* route cache: sets ... */
#define IP_DST_WAYS 4u        /* ... and ways: 2048 destinations remembered */
#define IP_DST_IDLE_MAX 256u  /* fewer remembered destinations need no housekeeping */
#define IP_NEIGH_BUCKETS 256u /* chains stay short below gc_thresh3 (1024) */
#define IP_FRAG_BUCKETS 64u
#define IP_ICMP_PEERS 256u              /* destinations whose ICMP allowance is remembered */
#define IP_ID_COUNTERS 256u             /* identification counters shared by destinations (T70.4) */
#define IP_SCRATCH_BYTES (65536u + 64u) /* one whole IP packet: 40 + 65535, rounded */

struct ifaddr {
	struct timer dad; /* TIMER_IP_DAD */
	struct ipaddr addr;
	struct stack *stack;
	struct netdev *dev;                          /* NULL: slot is free */
	uint64_t valid_until_ns, preferred_until_ns; /* UINT64_MAX: for ever */
	uint8_t plen128;
	uint8_t dad_left; /* NS still to send */
	bool is_tentative;
	bool is_dad_failed; /* a duplicate: kept, never used */
	bool is_from_ra;
	uint8_t nonce[6];
};

struct route {
	struct ipaddr prefix, gateway;
	struct netdev *dev;
	uint64_t expires_ns; /* UINT64_MAX: never */
	struct dst_metrics metrics;
	uint32_t metric; /* smaller is preferred among equal prefixes */
	uint8_t plen128;
	bool has_gateway;
	bool is_auto; /* came with an address */
	bool is_from_ra;
};

struct mc_group {
	struct ipaddr addr;
	uint32_t users; /* 0: slot is free */
};

/* What ip/ keeps of one device. */
struct ip_dev {
	struct timer rs; /* TIMER_IP_RS */
	struct netdev *dev;
	uint8_t rs_left;
	bool is_up;
	uint8_t hop_limit6;                  /* from router advertisements, 0: none */
	uint32_t mtu6;                       /* from router advertisements, 0: none */
	uint32_t reachable_ms6, retrans_ms6; /* from router advertisements, 0: none */
	uint64_t igmp2_until_ns; /* a version 2 querier was heard: report in its language */
	struct mc_group groups[IP_MAX_GROUPS];
};

/* One slot of the route cache; holds one reference. */
struct dst_slot {
	struct dst *dst;
	uint32_t oif;
	uint32_t last_used;
};

/* Token bucket of one ICMP destination (R05.4). */
struct icmp_peer {
	struct ipaddr addr;
	uint64_t last_ns, tokens_ns;
};

struct frag_table {
	struct hnode *buckets[IP_FRAG_BUCKETS];
	uint64_t mem; /* charge of everything held, bytes */
	uint32_t num_queues;
};

struct ip_stack {
	struct stack *stack;
	struct lock lock;        /* LOCK_IP: addrs, routes, cache, groups, icmp */
	struct lock neigh_lock;  /* LOCK_NEIGH: neighbour table and entries */
	struct ifaddr *addrs;    /* [IP_MAX_ADDRS] */
	uint32_t num_addr_slots; /* slots that were ever used */
	struct route *routes;    /* [IP_MAX_ROUTES], most specific first */
	uint32_t num_routes;
	_Atomic uint32_t addr_gen; /* grows with each change of addresses */
	struct dst_slot *cache;    /* [IP_DST_SETS * IP_DST_WAYS] */
	uint32_t cache_clock;
	uint32_t num_cached;                /* slots in use */
	struct ip_dev devs[STACK_MAX_DEVS]; /* by ifindex - 1 */
	/* neighbours */
	struct hnode *neigh_buckets[IP_NEIGH_BUCKETS];
	uint32_t num_neighs;
	struct timer neigh_gc; /* TIMER_NEIGH_GC */
	/* output */
	_Atomic uint32_t ids[IP_ID_COUNTERS];
	/* ICMP limits */
	struct icmp_peer peers[IP_ICMP_PEERS];
	uint64_t icmp_refill_ns;
	uint32_t icmp_credit;
	/* pump only: no lock */
	struct frag_table frag4, frag6;
	uint32_t frag_seen[IP_ICMP_PEERS]; /* IPv4 fragments by hash of their source (R03.11) */
	uint8_t *scratch;                  /* IP_SCRATCH_BYTES */
	struct {
		struct ipaddr addr;
		uint32_t gen;    /* of addr_gen; 0: empty */
	} rx_last, rx_last_from; /* last destination that was ours, last source that was not */
};

static inline struct ip_dev *ip_dev_of(const struct netdev *dev)
{
	return &dev->stack->ip->devs[dev->ifindex - 1];
}
static inline bool ip_dev_has_neighs(const struct netdev *dev)
{
	return !(dev->flags & (NETDEV_NOARP | NETDEV_LOOPBACK));
}
static inline bool ip_dev_is_up(const struct netdev *dev)
{
	return __atomic_load_n(&dev->flags, __ATOMIC_RELAXED) & NETDEV_UP;
}
static inline uint64_t ip_ticks_of_ms(const struct stack *st, uint64_t ms)
{
	return div_up_u64(ms * NS_PER_MS, st->timers.tick_ns);
}

/* ---- addr.c ---- */
/** ip_addr_find() - the address entry @a on @dev (NULL: any device); NULL: none. LOCK_IP held. */
struct ifaddr *ip_addr_find(struct ip_stack *ip, const struct ipaddr *a, const struct netdev *dev);
/** ip_addr_is_ours() - local on any interface and usable, 127/8 and ::1 included. LOCK_IP held. */
bool ip_addr_is_ours(struct ip_stack *ip, const struct ipaddr *a);
/** ip_addr_rx_is_ours() - as above for received packets: remembers the last answer. Pump only. */
bool ip_addr_rx_is_ours(struct stack *st, const struct ipaddr *a);
/** ip_addr_rx_is_spoofed() - a received packet claims to come from us. Pump only. */
bool ip_addr_rx_is_spoofed(struct stack *st, const struct ipaddr *src);
/** ip_addr_is_on_dev() - usable address of this very device. Takes LOCK_IP. */
bool ip_addr_is_on_dev(struct netdev *dev, const struct ipaddr *a);
/** ip_addr_broadcast_dev() - device of which @a is a directed broadcast address; LOCK_IP held. */
struct netdev *ip_addr_broadcast_dev(struct ip_stack *ip, const struct ipaddr *a);
/** ip_addr_source() - source address for packets to @to by @dev; any when there is none.
 *  @nexthop prefers the address of its subnet (IPv4). LOCK_IP held. RFC 6724 rules 1-3, 5, 6, 8. */
struct ipaddr ip_addr_source(struct stack *st, struct netdev *dev, const struct ipaddr *to,
			     const struct ipaddr *nexthop, uint64_t now_ns);
/** ip_addr_source_any() - as ip_addr_source(), takes LOCK_IP itself. */
struct ipaddr ip_addr_source_any(struct netdev *dev, const struct ipaddr *to);
/** ip_addr_same_subnet() - is @a inside a prefix of @dev's addresses. Takes LOCK_IP. */
bool ip_addr_same_subnet(struct netdev *dev, const struct ipaddr *a);
/** ip_addr_auto() - address from an RA prefix (RFC 4862 5.5.3): create or prolong. */
void ip_addr_auto(struct netdev *dev, const struct nd_prefix *p, uint64_t now_ns);
/** ip_addr_dad_conflict() - somebody else has @a: give up a tentative address. */
void ip_addr_dad_conflict(struct netdev *dev, const struct ipaddr *a);
/** ip_addr_is_own_nonce() - our own DAD solicitation came back (RFC 7527). */
bool ip_addr_is_own_nonce(struct netdev *dev, const struct ipaddr *a, const uint8_t nonce[6]);
/** ip_addr_expire() - drop addresses whose lifetime is over. Takes LOCK_IP. */
void ip_addr_expire(struct stack *st, uint64_t now_ns);

/* ---- route.c, dstcache.c, fib.c ---- */
/** fib_lookup() - most specific usable route; @oif 0: any. LOCK_IP held. */
struct route *fib_lookup(struct ip_stack *ip, const struct ipaddr *a, uint32_t oif, uint64_t now_ns);
/** fib_insert() - copy @r into the table. LOCK_IP held. -EEXIST, -ENOSPC */
int fib_insert(struct ip_stack *ip, const struct route *r) MUST_CHECK;
/** fib_remove() - first route of this prefix (@dev NULL: any; @is_auto kind). LOCK_IP held. */
int fib_remove(struct ip_stack *ip, const struct ipaddr *prefix, uint8_t plen128,
	       const struct netdev *dev, bool is_auto);
/** fib_set_ra() - create, prolong or (@expires_ns 0) remove a route of a router advertisement. */
void fib_set_ra(struct netdev *dev, const struct ipaddr *prefix, uint8_t plen128,
		const struct ipaddr *gateway, uint64_t expires_ns);
/** fib_expire() - drop routes whose time is over. Takes LOCK_IP. */
void fib_expire(struct stack *st, uint64_t now_ns);
/** dst_cache_flush() - something changed: all cached routes are looked up again. LOCK_IP held. */
void dst_cache_flush(struct ip_stack *ip);
/** dst_cache_find() - live entry; NULL: none. No reference added. LOCK_IP held. */
struct dst *dst_cache_find(struct stack *st, const struct ipaddr *daddr, uint32_t oif);
/** dst_cache_add() - takes one reference of its own; inherits a path MTU. LOCK_IP held. */
void dst_cache_add(struct stack *st, struct dst *d, uint32_t oif);
/** dst_cache_shrink() - forget entries nobody else uses (with a learned MTU too if @all). */
void dst_cache_shrink(struct stack *st, bool all, uint64_t now_ns);

/* ---- neigh.c ---- */
enum neigh_state {
	NEIGH_NONE = 0,
	NEIGH_INCOMPLETE,
	NEIGH_REACHABLE,
	NEIGH_STALE,
	NEIGH_DELAY,
	NEIGH_PROBE,
	NEIGH_FAILED,
};

struct neigh {
	struct obj obj;
	struct hnode hash; /* LOCK_NEIGH; the table holds one reference */
	struct stack *stack;
	struct netdev *dev;
	struct ipaddr addr;
	_Atomic uint64_t link; /* MAC in bits 0-47, enum neigh_state in 48-55: read without lock */
	_Atomic uint32_t refs; /* table, armed timer, routes, functions */
	_Atomic uint32_t is_confirmed; /* upper layers saw progress since the timer was armed */
	struct timer timer;            /* TIMER_NEIGH */
	uint64_t updated_ns;           /* last change of the MAC (locktime, gc) */
	struct skb_queue queue;        /* packets waiting for the MAC; LOCK_NEIGH */
	uint8_t probes;                /* solicitations sent in this state */
	bool is_router;
};

#define NEIGH_STATE_SHIFT 48
static inline uint64_t neigh_link_make(const struct mac_addr *mac, enum neigh_state s)
{
	uint64_t v = 0;

	memcpy(&v, mac->b, ETH_ADDR_LEN);
	return v | (uint64_t)s << NEIGH_STATE_SHIFT;
}
static inline enum neigh_state neigh_link_state(uint64_t link)
{
	return (enum neigh_state)(link >> NEIGH_STATE_SHIFT);
}
static inline struct mac_addr neigh_link_mac(uint64_t link)
{
	struct mac_addr m;

	memcpy(m.b, &link, ETH_ADDR_LEN);
	return m;
}
static inline bool neigh_state_is_usable(enum neigh_state s)
{
	return s >= NEIGH_REACHABLE && s <= NEIGH_PROBE;
}

#define NEIGH_UPD_OVERRIDE 0x01u /* may replace another MAC */
#define NEIGH_UPD_LOCKTIME \
	0x02u /* another MAC within locktime of the last one is ignored (R07.4) */

/** neigh_lookup() - referenced entry; @create: made when absent. NULL: none, or the table is full. */
struct neigh *neigh_lookup(struct netdev *dev, const struct ipaddr *a, bool create);
/** neigh_update() - news about a neighbour; sends what waited for it. @mac NULL: keep. No lock held. */
void neigh_update(struct neigh *n, const struct mac_addr *mac, enum neigh_state to, uint32_t flags);
/** neigh_resolve() - slow path of output: queue, solicit or send. CONSUMES. No lock held. */
enum xmit neigh_resolve(struct neigh *n, struct skb *skb);

/* ---- neigh_gc.c ---- */
void neigh_init(struct stack *st);
void neigh_done(struct stack *st);
/** ip_gc_arm() - there may be something to collect: run neigh_gc_timer() within GC_INTERVAL_S. */
void ip_gc_arm(struct stack *st);
/** neigh_shrink() - remove idle entries older than @age_ns; LOCK_NEIGH held, nothing is sent. */
void neigh_shrink(struct stack *st, uint64_t age_ns, uint64_t now_ns);
/** neigh_unhash() - take out of the table and drop the table's reference. LOCK_NEIGH held. */
void neigh_unhash(struct neigh *n);

/* ---- neigh_output.c ---- */
/** neigh_output() - stage 8 for a routed packet: link header, queue. CONSUMES. Next: dev_queue_xmit() */
enum xmit neigh_output(struct dst *d, struct skb *skb);
/** neigh_xmit() - as neigh_output() without a route. CONSUMES. */
enum xmit neigh_xmit(struct netdev *dev, const struct ipaddr *nexthop, struct skb *skb);
/** link_xmit() - prepend the Ethernet header (not on NOARP devices) and send. CONSUMES. */
enum xmit link_xmit(struct netdev *dev, struct skb *skb, const struct mac_addr *to);

/* ---- arp.c, nd.c ---- */
void arp_rcv(struct stack *st, struct skb *skb);
/** arp_solicit() - ask for @target; @to NULL: broadcast. @src: preferred sender address or any. */
void arp_solicit(struct netdev *dev, const struct ipaddr *target, const struct ipaddr *src,
		 const struct mac_addr *to);
/** nd_rcv() - NS, NA, RS, RA whose ICMPv6 checksum is right; bytes at @p. */
void nd_rcv(struct netdev *dev, const struct ipaddr *src, const struct ipaddr *dst,
	    uint8_t hop_limit, const uint8_t *p, uint32_t len);
void nd_solicit(struct netdev *dev, const struct ipaddr *target, const struct ipaddr *src,
		const struct mac_addr *to);
/** nd_send_dad() - neighbour solicitation from :: for an address of ours. */
void nd_send_dad(struct netdev *dev, const struct ipaddr *target, const uint8_t nonce[6]);
/** nd_send() - one ND message by @dev. @to NULL: by destination address. */
void nd_send(struct netdev *dev, const struct ipaddr *src, const struct ipaddr *dst,
	     const struct nd_msg *msg, const struct mac_addr *to);

/* ---- ra.c ---- */
void ra_rcv(struct netdev *dev, const struct ipaddr *src, const struct nd_msg *msg);
/** rs_start() - begin asking for routers after a random delay. */
void rs_start(struct netdev *dev);

/* ---- mc.c, igmp.c ---- */
/** mc_is_member() - does @dev accept packets to @group. Takes LOCK_IP. */
bool mc_is_member(struct netdev *dev, const struct ipaddr *group);
/** mc_report_all() - the link came up: report what was joined before. */
void mc_report_all(struct netdev *dev);
void igmp_rcv(struct stack *st, struct skb *skb);
void mld_rcv(struct netdev *dev, const uint8_t *p, uint32_t len);
/** igmp_report()/mld_report() - tell the link that @group is (no longer) wanted. */
void igmp_report(struct netdev *dev, const struct ipaddr *group, bool is_join);
void mld_report(struct netdev *dev, const struct ipaddr *group, bool is_join);

/* ---- input ---- */
void ipv4_rcv(struct stack *st, struct skb *skb);
void ipv6_rcv(struct stack *st, struct skb *skb);
/** icmp_rcv()/icmp6_rcv() - data at the ICMP header. CONSUME. */
void icmp_rcv(struct stack *st, struct skb *skb);
void icmp6_rcv(struct stack *st, struct skb *skb);
/** ip_ecn_count() - In*ECT*, InCE counters of one received packet. */
void ip_ecn_count(struct stack *st, uint8_t tos, bool is_v6, uint32_t segs);

/* ---- frag.c, frag4.c, frag6.c: pump only ---- */
struct frag_key {
	struct ipaddr src, dst;
	uint32_t id;
	uint32_t ifindex; /* IPv6 link-local only, else 0 */
	uint8_t proto;    /* IPv4 only */
	bool is_v6;
};

struct fragq {
	struct obj obj;
	struct hnode hash;
	struct stack *stack;
	struct frag_key key;
	struct timer timer;  /* TIMER_FRAG */
	struct rb_root runs; /* runs of adjacent fragments by offset; each named by its first skb */
	struct netdev *dev;  /* of the first fragment, else of the last seen */
	uint32_t meat;       /* payload bytes held */
	uint32_t total;      /* payload bytes of the datagram once the end is known */
	uint32_t mem;        /* charge */
	uint32_t rid;        /* fragments seen from this source (R03.11) */
	uint8_t ecn_seen;    /* bit per ECN field value */
	bool has_last;
	bool is_df; /* every fragment so far had DF */
};

/* Scratch of a fragment in a queue: skb->cb. Data is at the fragment's payload. */
struct frag_cb {
	uint32_t off, end;    /* payload bytes of the datagram */
	uint32_t run_end;     /* first of a run only */
	uint16_t hdr_len;     /* bytes from net_off to the payload */
	uint16_t nh_off;      /* IPv6: where the next-header byte to patch lies, from net_off */
	uint8_t nh;           /* IPv6: next header behind the fragment header */
	struct skb *run_last; /* first of a run only */
};
static inline struct frag_cb *frag_cb(struct skb *s)
{
	return (struct frag_cb *)s->cb;
}

enum frag_verdict {
	FRAG_KEPT = 0,
	FRAG_DUP,
	FRAG_REFUSED,
	FRAG_OVERLAP,
	FRAG_BAD_END,
	FRAG_COMPLETE
};

/** fragq_find() - queue of @key, made when absent and memory allows; NULL: refused. */
struct fragq *fragq_find(struct stack *st, const struct frag_key *key);
/**
 * fragq_add() - put one fragment (cb off/end filled, data at payload) into the queue
 * KEPT and COMPLETE take @skb over; in the other cases it stays the caller's.
 * OVERLAP and BAD_END: the caller discards the queue (R03.4, R03.5).
 */
enum frag_verdict fragq_add(struct fragq *q, struct skb *skb, bool is_last) MUST_CHECK;
/** fragq_first() - fragment with offset 0; NULL: not held. */
struct skb *fragq_first(struct fragq *q);
/** fragq_kill() - unhash, stop the timer, free everything. */
void fragq_kill(struct fragq *q);
/** fragq_build() - header bytes of the first fragment and all payload as one packet; NULL: no memory.
 *  Its net_off and data are at the header; @hdr_len bytes of header. The queue is unchanged. */
struct skb *fragq_build(struct fragq *q, uint32_t hdr_len);
/** fragq_ecn() - DS-field ECN bits of the result; -EINVAL for a forbidden mix (R03.6). */
int fragq_ecn(const struct fragq *q);
/** frag4_rcv()/frag6_rcv() - a whole packet, data at the network header, or NULL. CONSUME. */
struct skb *frag4_rcv(struct stack *st, struct skb *skb, const struct ipv4_info *in);
struct skb *frag6_rcv(struct stack *st, struct skb *skb, const struct ipv6_info *in,
		      const struct ipv6_walk *w);
/** frag4_expire()/frag6_expire() - counters and ICMP of a queue whose time is over. */
void frag4_expire(struct fragq *q);
void frag6_expire(struct fragq *q);
void frag_done(struct stack *st);

/* ---- icmp_limit.c ---- */
/** icmp_allowed() - may an ICMP message of this kind leave to @to by @d; counts refusals (R05.4). */
bool icmp_allowed(struct stack *st, const struct dst *d, const struct ipaddr *to, uint8_t type,
		  uint8_t code);

/* ---- out.c, fragment.c ---- */
/** ip_room() - make sure @n bytes of headroom are there, moving the linear part if needed. */
bool ip_room(struct skb *skb, uint32_t n) MUST_CHECK;
/** ip_msg_alloc() - packet with a copy of @len bytes and room for IP and link headers; NULL: none. */
struct skb *ip_msg_alloc(struct stack *st, const void *data, uint32_t len);
/** ip_output() - a finished IP packet: MTU, fragments, neighbour. CONSUMES. */
enum xmit ip_output(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu, bool has_df);
/** ip_fragment() - cut a finished packet (header at data) for @mtu and send the pieces. CONSUMES. */
enum xmit ip_fragment(struct stack *st, struct dst *d, struct skb *skb, uint32_t mtu);
/** ip_frag_options() - turn options that later fragments do not carry into padding. */
void ip_frag_options(uint8_t *opt, uint32_t len);

#endif

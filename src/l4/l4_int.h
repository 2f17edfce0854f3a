/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside l4/: the tables of one stack and the rules several files share. */
#ifndef NARU_L4_L4_INT_H
#define NARU_L4_L4_INT_H

#include <sys/socket.h>

#include "core/sock.h"
#include "core/stack.h"
#include "l4/l4.h"

#define L4_PORT_CHAINS 1024u	/* chains of buckets, listeners and UDP sockets; power of two */
#define L4_PERTURB_MAX 65536u	/* T10.R2 */

#define L4_MAX_MEMBERS 256u	/* multicast memberships of all sockets of a stack */
#define L4_SOCK_MEMBERS 20u	/* of one socket (Linux: igmp_max_memberships) */

/* One socket's membership of a group on a device. */
struct mc_member {
	struct sock *sk;	/* NULL: unused; no reference, the socket leaves before it is freed */
	struct ipaddr group;
	uint32_t ifindex;
};

struct ehash_stripe {
	struct lock lock;	/* LOCK_EHASH */
	struct l4_stack *l4;
	struct conn *leaving;	/* being unhashed: a recovery leaves it out */
};

struct l4_stack {
	struct stack *stack;
	struct hnode **ehash;	/* chains; stripe = the low bits of the chain's number */
	uint32_t num_chains;	/* power of two, at least L4_EHASH_LOCKS */
	uint32_t *perturb;	/* what connect() added to each of its counters; LOCK_PORTS */
	uint32_t num_perturb;
	struct ehash_stripe stripes[L4_EHASH_LOCKS];
	struct lock ports_lock;	/* LOCK_PORTS: everything below */
	struct hnode *leaving;	/* being unlinked: a recovery leaves it out */
	struct hnode *buckets[L4_PORT_CHAINS];	 /* struct bind_bucket.node */
	struct hnode *listeners[L4_PORT_CHAINS]; /* struct sock.hash */
	struct hnode *udp[L4_PORT_CHAINS];	 /* struct sock.hash, newest first */
	struct mc_member members[L4_MAX_MEMBERS];
};

/* What a socket and a TIME-WAIT object have in common as owners of a port. */
struct bound {
	struct conn conn;
	struct hnode bind_node;
	struct bind_bucket *bucket;
};
_Static_assert(offsetof(struct bound, bind_node) == offsetof(struct sock, bind_node), "owner of a port");
_Static_assert(offsetof(struct bound, bucket) == offsetof(struct sock, bucket), "owner of a port");

static inline uint32_t l4_port_chain(uint16_t port) { return port & (L4_PORT_CHAINS - 1); }
static inline struct sock *l4_hash_sock(struct hnode *n) { return container_of(n, struct sock, hash); }
/** l4_get_live() - take a reference unless the last one is gone; the table's lock keeps the object. */
bool l4_get_live(struct conn *c);
/** l4_bind_flags_of() - BIND_* from a socket's options. */
uint8_t l4_bind_flags_of(const struct sock *sk);

/* ports.c */
/** l4_addr_overlap() - could both receive the same packet: wildcards, dual stack (R10.4). */
bool l4_addr_overlap(const struct ipaddr *a, bool is_a_v6only, const struct ipaddr *b, bool is_b_v6only);
/** l4_port_range() - first and last port a socket may be given (T10.R1, R4). */
void l4_port_range(const struct sock *sk, uint32_t *ret_low, uint32_t *ret_high);
/** l4_unlink() - take a node out of a ports chain so that a recovery knows; LOCK_PORTS. */
void l4_unlink(struct l4_stack *l4, struct hnode *n);

/* bind.c: LOCK_PORTS held */
struct bind_bucket *l4_bucket_find(struct l4_stack *l4, uint16_t port);
struct bind_bucket *l4_bucket_new(struct l4_stack *l4, uint16_t port);
void l4_bucket_join(struct bind_bucket *b, struct bound *owner, uint8_t flags);
void l4_bucket_leave(struct l4_stack *l4, struct bound *owner);

/* ip_options.c */
static inline bool l4_bool4(const struct sock *sk, int opt) { return sk->inet.bools4 >> opt & 1; }
static inline bool l4_bool6(const struct sock *sk, int opt) { return sk->inet.bools6[opt >> 6] >> (opt & 63) & 1; }
void l4_set_bool4(struct sock *sk, int opt, bool on);
void l4_set_bool6(struct sock *sk, int opt, bool on);
void l4_set_flag(struct sock *sk, uint32_t flag, bool on);
/** l4_set_recverr() - switch error queueing; off empties the queue (FINDINGS 19 of the oracle). */
void l4_set_recverr(struct sock *sk, uint32_t flag, bool on);
/** l4_is_net_admin() - CAP_NET_RAW/ADMIN in the stack's namespace. */
static inline bool l4_is_net_admin(const struct sock *sk) { return sk->uid == 0; }
/** l4_is_bound() - it owns a port (Linux: inet_num). */
static inline bool l4_is_bound(const struct sock *sk) { return sk->type == SOCK_STREAM ? sk->bucket != NULL : sk->sport != 0; }
/** l4_get_bytes() - value of @size bytes for a getsockopt buffer; cut to it. */
int l4_get_bytes(void *val, socklen_t *len, const void *from, size_t size);
int l4_set_unicast_if(struct sock *sk, const void *val, socklen_t len);
/* opt4.c, opt6.c: one level each; opt6.c serves AF_INET6 sockets only */
int l4_set_ip4(struct sock *sk, int opt, const void *val, socklen_t len);
int l4_get_ip4(struct sock *sk, int opt, void *val, socklen_t *len);
int l4_set_ip6(struct sock *sk, int opt, const void *val, socklen_t len);
int l4_get_ip6(struct sock *sk, int opt, void *val, socklen_t *len);
/* mcast.c: membership by a socket; errno of the options */
int l4_mc4_membership(struct sock *sk, bool is_join, const void *val, socklen_t len);
int l4_mc6_membership(struct sock *sk, bool is_join, const void *val, socklen_t len);
int l4_mc_group_req(struct sock *sk, int family, bool is_join, const void *val, socklen_t len);
int l4_mc4_set_if(struct sock *sk, const void *val, socklen_t len);
/** l4_mc_wants() - would the socket take a multicast packet (R59.5); LOCK_PORTS held. */
bool l4_mc_wants(const struct sock *sk, const struct l4_tuple *t);

/* listen.c: how well a socket fits a packet (R10.2, R10.5); -1: not at all */
#define L4_SCORE_NONE (-1)
int l4_score(const struct sock *sk, const struct l4_tuple *t);
/** l4_pick_group() - member of a REUSEPORT group by the packet's hash; @first is one of them; LOCK_PORTS. */
struct sock *l4_pick_group(struct hnode *chain, struct sock *first, const struct l4_tuple *t, int score);

#endif

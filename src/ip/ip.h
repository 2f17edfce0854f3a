/* SPDX-License-Identifier: BSD-2-Clause */
/* IP as other folders call it: addresses, routes, output for sockets and for replies. */
#ifndef NARU_IP_IP_H
#define NARU_IP_IP_H

#include "core/dst.h"
#include "core/netdev.h"
#include "core/sock.h"

/* What a route lookup knows about the packets to come. */
struct flow {
	struct ipaddr saddr, daddr; /* saddr any: choose */
	uint16_t sport, dport;
	uint32_t oif;		    /* 0: any device */
	uint32_t mark;
	uint8_t tos, proto;
};

int ip_init(struct stack *st) MUST_CHECK;
void ip_done(struct stack *st);
/** ip_drop_waiting() - end of a stack: frees the packets that wait for a neighbour; they hold sockets and routes. */
void ip_drop_waiting(struct stack *st);

/* ---- configuration (LOCK_IP inside) ---- */
/** ip_addr_add() - local address; adds the local and the on-link route. IPv6 link: DAD unless loopback/NOARP or @no_dad. */
int ip_addr_add(struct netdev *dev, const struct ipaddr *addr, uint8_t plen128, bool no_dad) MUST_CHECK;
int ip_addr_del(struct netdev *dev, const struct ipaddr *addr);
/** ip_route_add() - @gateway NULL: on link. @dev NULL: the gateway's. @metrics NULL: none.
 *  -EEXIST, -ENETUNREACH (gateway not on link), -ENODEV (neither gateway nor device). */
int ip_route_add(struct stack *st, const struct ipaddr *dst, uint8_t plen128, const struct ipaddr *gateway,
		 struct netdev *dev, const struct dst_metrics *metrics) MUST_CHECK;
int ip_route_del(struct stack *st, const struct ipaddr *dst, uint8_t plen128);
/** ip_dev_up() - link is up: link-local address (IPv6), router solicitation. */
int ip_dev_up(struct netdev *dev) MUST_CHECK;
/** ip_addr_is_local() - one of ours, on any interface; *ret_tentative when DAD still runs. */
bool ip_addr_is_local(struct stack *st, const struct ipaddr *a, bool *ret_tentative);
/** ip_addr_type() - for bind(): DST_LOCAL, DST_BROADCAST, DST_MULTICAST, DST_UNICAST (not ours). */
enum dst_type ip_addr_type(struct stack *st, const struct ipaddr *a);
struct ip_addr_info { struct ipaddr addr; uint8_t plen128; uint32_t ifindex; };
/** ip_addr_at() - iterate addresses: -ENOENT past the end. */
int ip_addr_at(struct stack *st, uint32_t idx, struct ip_addr_info *ret);

/* ---- routes ---- */
/**
 * ip_route_output() - route for outgoing packets; chooses fl->saddr when any
 * Return: 0 and a referenced route; -ENETUNREACH (counts OutNoRoutes), -EHOSTUNREACH, -EINVAL
 */
int ip_route_output(struct stack *st, struct flow *fl, struct dst **ret) MUST_CHECK;
/** ip_sk_route() - cached or fresh route of a connected socket; NULL with *ret_err. Reference stays with the socket. */
struct dst *ip_sk_route(struct sock *sk, int *ret_err);
/** ip_dst_advmss() - MSS to advertise: route metric, else device MTU - 40/60, at least min_adv_mss. */
uint32_t ip_dst_advmss(struct stack *st, const struct dst *d, bool is_v4);
/** ip_update_pmtu() - learn a path MTU (R05.7, T96.2); true when it became smaller. */
bool ip_update_pmtu(struct dst *d, uint32_t mtu);
/** ip_dst_for() - route towards @daddr as packets from @saddr take it; referenced, NULL: none. For path MTU. */
struct dst *ip_dst_for(struct stack *st, const struct ipaddr *daddr, const struct ipaddr *saddr);
/** ip_confirm_neigh() - upper layers saw progress: the next hop is reachable (R08.3). */
void ip_confirm_neigh(struct dst *d);

/* ---- output ---- */
/**
 * ip_queue_xmit() - stage 7 for sockets, both families (chosen by sk->is_v4_path)
 * @skb: transport packet with IP header room in front; CONSUMED in every case. The two ECN bits of skb->tos are
 *       or-ed into the socket's TOS; skb->hash (0: sk->hash_val) decides the automatic flow label.
 * Return: XMIT_OK, XMIT_CN, XMIT_DROP, XMIT_NOROUTE, XMIT_TOOBIG, XMIT_DOWN
 */
enum xmit ip_queue_xmit(struct sock *sk, struct skb *skb);

/* A packet without (or not only by) a socket's settings: RST, SYN-ACK, TIME-WAIT ACK, UDP, ICMP. */
struct ip_tx {
	struct ipaddr saddr, daddr;
	uint8_t proto, tos;
	int16_t ttl;		/* -1: default / route */
	uint8_t pmtudisc;	/* decides DF */
	bool is_id_zero;	/* id 0 with DF (SYN-ACK, RST) */
	bool is_id_fixed;	/* use id below and add gso_segs */
	bool want_df;		/* DF regardless of pmtudisc */
	bool allow_frag;	/* may be fragmented here */
	uint16_t id;
	uint32_t flowlabel, mark, priority, oif;
	struct dst *dst;	/* referenced route, stays the caller's; NULL: looked up */
	const uint8_t *opt;	/* IPv4 options */
	uint8_t opt_len;
	bool mc_loop;		/* multicast: a copy for ourselves when the device is a member */
};
/** ip_send() - header, route if needed, MTU check, fragments, neighbour, device. CONSUMES @skb. */
enum xmit ip_send(struct stack *st, struct skb *skb, const struct ip_tx *tx);
/** ip_flowlabel() - auto flow label of a flow (R61); 0 when off. */
uint32_t ip_flowlabel(struct stack *st, uint32_t flow_hash);
/** xmit_to_errno() - verdict to errno for callers that need one. */
int xmit_to_errno(enum xmit x);

/* ---- input ---- */
/** ip_skb_saddr()/ip_skb_daddr() - addresses of a received packet, read at net_off (IPv4 as v4-mapped). */
void ip_skb_saddr(const struct skb *skb, struct ipaddr *ret);
void ip_skb_daddr(const struct skb *skb, struct ipaddr *ret);
/** ip_rcv_frame() - up_tab.l3_rcv: ARP, IPv4, IPv6 by skb->protocol. CONSUMES. */
void ip_rcv_frame(struct stack *st, struct skb *skb);
/** icmp_send() - an ICMP/ICMPv6 error about @skb (network header at net_off); rate limited (R02.2, R05.4).
 *  @info: MTU (3/4, 2/0) or pointer (12, 4), host order. @skb stays the caller's. */
void icmp_send(struct stack *st, struct skb *skb, uint8_t type, uint8_t code, uint32_t info);

/* ---- timers (timer_tab) ---- */
struct timer;
void neigh_timer(struct stack *st, struct timer *t);
void neigh_gc_timer(struct stack *st, struct timer *t);
void frag_timer(struct stack *st, struct timer *t);
void dad_timer(struct stack *st, struct timer *t);
void rs_timer(struct stack *st, struct timer *t);
void neigh_put(struct neigh *n);
/** ip_recover()/neigh_recover() - lock_recover_tab: the holder of LOCK_IP/LOCK_NEIGH died inside. */
void ip_recover(struct lock *l);
void neigh_recover(struct lock *l);

/* multicast membership of a device (IGMP/MLD reports are sent; R59.5) */
int ip_mc_join(struct netdev *dev, const struct ipaddr *group);
int ip_mc_leave(struct netdev *dev, const struct ipaddr *group);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What the device files share among themselves. */
#ifndef NARU_DEV_DEV_INT_H
#define NARU_DEV_DEV_INT_H

#include "core/stack.h"
#include "core/ubuf.h"
#include "dev/dev.h"

#define DEV_FRAME_MAX (65535u + 14u) /* largest IP packet and a link header */

/**
 * dev_create() - a netdev with a zeroed private block
 * Return: 0, or netdev_alloc()'s error, -ENOMEM
 */
int dev_create(struct stack *st, const char *name, enum dev_kind kind, size_t priv_bytes,
	       struct netdev **ret) MUST_CHECK;
/** dev_free_priv() - ops->close helper: give the private block back. */
void dev_free_priv(struct netdev *dev, size_t priv_bytes);
/** dev_pick_mac() - random, unicast, locally administered. */
void dev_pick_mac(struct stack *st, uint8_t mac[6]);

/**
 * dev_rx() - one received frame, seen by every decorator, then netif_rx()
 * @dev: the device that read it; @skb CONSUMED
 * A checksum that is only a pseudo-header sum counts as verified from here on.
 */
void dev_rx(struct netdev *dev, struct skb *skb);
/** dev_top() - the outermost decorator: the device the stack knows. */
struct netdev *dev_top(struct netdev *dev);
/** dev_leave_stack() - sending is over for this packet: charge, route and per-stack marks go. */
void dev_leave_stack(struct stack *st, struct skb *skb);
/* T67.2: loopback, wire and TAP give up the pages by copying; the notification says so. */
static inline void dev_note_copied(struct skb *skb)
{
	if (unlikely(skb->ubuf))
		atomic_store_explicit(&skb->ubuf->is_copied, 1, memory_order_relaxed);
}
/** dev_headers_len() - bytes of link, network and transport header that lie in @p, at most @len */
uint32_t dev_headers_len(const uint8_t *p, uint32_t len, bool has_eth);
/** dev_ip_ethertype() - of a packet without link header, from its version field; 0: neither IPv4 nor IPv6 */
uint16_t dev_ip_ethertype(uint8_t first_byte);

/** dev_sweep() - free every packet of @dev that is in @owner's hands: a lock holder died and links are lost */
void dev_sweep(struct netdev *dev, enum skb_owner owner);

/* ---- decorate.c ---- */

/** dev_wrap() - a decorator of @kind around @lower, in its place; -EBUSY, -ENOMEM */
int dev_wrap(struct netdev *lower, enum dev_kind kind, size_t priv_bytes,
	     struct netdev **ret) MUST_CHECK;
/** dev_unwrap() - ops->close of decorators: close and free what is underneath, then the private block. */
void dev_unwrap(struct netdev *dev, size_t priv_bytes);
/** dev_unwrap_keep() - undo dev_wrap(): the device underneath is the stack's again. Frees @dev. */
void dev_unwrap_keep(struct netdev *dev, size_t priv_bytes);
enum xmit dev_lower_xmit(struct netdev *dev, struct skb *skb);
bool dev_lower_flush(struct netdev *dev);
int dev_lower_poll(struct netdev *dev, int budget);
int dev_lower_fd(struct netdev *dev);

/* ---- mangle.c ---- */

/**
 * dev_copy_skb() - a packet of its own: same bytes, same header offsets, no shared payload
 * @pf: where the payload copy comes from; the caller's lock protects it
 * Return: NULL without memory
 */
struct skb *dev_copy_skb(struct stack *st, const struct skb *skb, struct page_frag *pf);
/**
 * dev_final_csum() - what the checksum field will hold once CSUM_PARTIAL is finished
 * @ret_off: place of the field in the frame
 * Return: false when nothing is to be finished (or the description does not fit the frame)
 */
bool dev_final_csum(const struct skb *skb, uint32_t *ret_off, uint16_t *ret_csum);
/**
 * dev_corrupt_skb() - the frame with its checksum finished and one bit flipped, in memory of its own
 * @skb: CONSUMED. Return: NULL without memory (the frame is lost)
 */
struct skb *dev_corrupt_skb(struct stack *st, struct skb *skb, struct page_frag *pf, struct rng *rng);
/** dev_mark_ce() - set CE on an ECT IPv4/IPv6 packet in a private head. false: not ECT, unchanged */
bool dev_mark_ce(struct skb *skb, bool has_eth);

#endif

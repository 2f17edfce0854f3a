/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bad path does to one frame: private copies, flipped bits, congestion marks. */
/*
 * How it works
 *
 * A frame on its way shares its payload with the sender's retransmit queue. Whoever changes a payload
 * byte first makes the frame a copy of its own; header bytes are private already. A frame whose
 * checksum the receiver would not look at (CSUM_PARTIAL) gets it finished before a bit is flipped,
 * else nobody could notice the damage.
 *
 * RFC 3168 section 5 (ECT, CE), RFC 1624 (checksum after a change).
 */
#include "dev/dev_int.h"

#include <string.h>

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define UDP_CSUM_OFFSET 6 /* a UDP checksum of 0 would mean "none" */
#define ECN_MASK 3
#define ECN_CE 3

static void copy_description(struct skb *to, const struct skb *from)
{
	to->dev = from->dev;
	to->mac_off = from->mac_off;
	to->net_off = from->net_off;
	to->th_off = from->th_off;
	to->protocol = from->protocol;
	to->csum = from->csum;
	to->csum_start = from->csum_start;
	to->csum_offset = from->csum_offset;
	to->gso_size = from->gso_size;
	to->gso_segs = from->gso_segs;
	to->gso_type = from->gso_type;
	to->pkt_type = from->pkt_type;
}

struct skb *dev_copy_skb(struct stack *st, const struct skb *skb, struct page_frag *pf)
{
	struct skb *copy = skb_alloc(st, POOL_NORMAL);
	uint32_t headlen = skb_headlen(skb);

	if (!copy)
		return NULL;
	copy->data_off = copy->tail_off = skb->data_off;
	memcpy(skb_put(copy, headlen), skb_data(skb), headlen);
	copy_description(copy, skb);
	for (int i = 0; i < skb->nr_frags; i++) {
		const struct frag *f = &skb->frags[i];

		if (!skb_append_copy(st, copy, pf, f->region->data + f->off, f->len)) {
			skb_free(st, copy);
			return NULL;
		}
	}
	copy->truesize = netdev_rx_truesize(copy->len);
	return copy;
}

bool dev_final_csum(const struct skb *skb, uint32_t *ret_off, uint16_t *ret_csum)
{
	uint32_t start = (uint32_t)skb->csum_start - skb->data_off;
	uint32_t sum;

	if (skb->csum != CSUM_PARTIAL || skb->csum_start < skb->data_off ||
	    start + skb->csum_offset + 2 > skb->len)
		return false;
	sum = skb_csum(skb, start, skb->len - start, 0);
	*ret_off = start + skb->csum_offset;
	*ret_csum = skb->csum_offset == UDP_CSUM_OFFSET ? csum_fold_udp(sum) : csum_fold(sum);
	return true;
}

struct skb *dev_corrupt_skb(struct stack *st, struct skb *skb, struct page_frag *pf, struct rng *rng)
{
	struct skb *copy = dev_copy_skb(st, skb, pf);
	uint32_t bit = rng_below(rng, skb->len * 8), off;
	uint16_t csum;
	uint8_t byte;

	skb_free(st, skb);
	if (!copy)
		return NULL;
	if (dev_final_csum(copy, &off, &csum) && skb_store_bits(copy, off, &csum, sizeof(csum)))
		goto out_free;
	copy->csum = CSUM_NONE;
	if (skb_copy_bits(copy, bit / 8, &byte, 1))
		goto out_free;
	byte = (uint8_t)(byte ^ (1u << (bit % 8)));
	if (skb_store_bits(copy, bit / 8, &byte, 1))
		goto out_free;
	return copy;
out_free:
	skb_free(st, copy);
	return NULL;
}

static bool is_ect(uint8_t ds_field)
{
	return (ds_field & ECN_MASK) == 1 || (ds_field & ECN_MASK) == 2;
}

static bool mark_v4(uint8_t *ip)
{
	uint16_t from, to, csum;

	if (!is_ect(ip[1]))
		return false;
	memcpy(&from, ip, sizeof(from));
	ip[1] |= ECN_CE;
	memcpy(&to, ip, sizeof(to));
	memcpy(&csum, ip + 10, sizeof(csum));
	csum = csum_replace16(csum, from, to);
	memcpy(ip + 10, &csum, sizeof(csum));
	return true;
}

/* The traffic class lies across the first two bytes; its ECN bits are bits 4 and 5 of the second. */
static bool mark_v6(uint8_t *ip)
{
	if (!is_ect(ip[1] >> 4))
		return false;
	ip[1] |= ECN_CE << 4;
	return true;
}

bool dev_mark_ce(struct skb *skb, bool has_eth)
{
	uint32_t off = has_eth ? ETH_HDR_LEN : 0;
	uint8_t *p = skb_data(skb);
	uint16_t type;

	if (skb_headlen(skb) < off + IPV4_HDR_LEN)
		return false;
	type = has_eth ? get_be16(p + 12) : dev_ip_ethertype(p[0]);
	if (type == ETH_TYPE_IPV4)
		return mark_v4(p + off);
	return type == ETH_TYPE_IPV6 && mark_v6(p + off);
}

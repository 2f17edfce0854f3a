/* SPDX-License-Identifier: BSD-2-Clause */
/* TUN/TAP: receive frames into shared page regions without copying their payload. */
/*
 * How it works
 *
 * Three page regions are posted as one run of space: the unused rest of the first and two whole ones
 * take the largest frame in one readv(). A frame uses what it needs, its payload is referenced where it
 * lies, and the next frame is read right behind it; a region that nobody else references is used from
 * its start again. So a 64 KiB frame costs no copy and a small one no region.
 *
 * Headers are copied to the linear part, up to the end of the transport header: merging and parsing
 * find payload in fragments only. A frame that fits the linear part is copied whole and uses no space.
 *
 * The kernel's virtio-net header is checked by vnet_parse(); a NEEDS_CSUM frame comes from this very
 * machine, its checksum counts as verified and its place is kept for who wants to finish it.
 * Without memory a frame is read and dropped, so that a readable descriptor never spins the pump.
 */
#include "dev/tap_int.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/proc.h"
#include "wire/eth.h"

#define RX_HEAD_OFF 18u /* an IP header behind an Ethernet header is 32-byte aligned in head[] */
#define RX_HEAD_ROOM (SKB_HEAD_BYTES - RX_HEAD_OFF)
#define RX_ALIGN 64u
#define RX_DISCARD_BYTES 512

static_assert(PAGE_REGION_BYTES * (TAP_REGIONS - 1) + TAP_REST_MIN >= DEV_FRAME_MAX,
	      "the largest frame fits");

static void count_drop(struct netdev *dev, enum mib_id why)
{
	mib_inc(dev->stack, why);
	atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
}

void tap_rx_release(struct netdev *dev)
{
	struct tap *t = dev->priv;

	for (int i = 0; i < TAP_REGIONS; i++) {
		if (t->rx[i])
			page_region_put(dev->stack->pools->pages, t->rx[i]);
		t->rx[i] = NULL;
	}
	t->rx_off = 0;
}

static void drop_first_region(struct netdev *dev, struct tap *t)
{
	page_region_put(dev->stack->pools->pages, t->rx[0]);
	memmove(t->rx, t->rx + 1, sizeof(t->rx[0]) * (TAP_REGIONS - 1));
	t->rx[TAP_REGIONS - 1] = NULL;
	t->rx_off = 0;
}

/* Return: true when space for the largest frame is posted. */
static bool post_space(struct netdev *dev, struct tap *t)
{
	if (t->rx[0] && atomic_load_explicit(&t->rx[0]->refs, memory_order_acquire) == 1)
		t->rx_off = 0;
	if (t->rx[0] && t->rx[0]->size - t->rx_off < TAP_REST_MIN)
		drop_first_region(dev, t);
	for (int i = 0; i < TAP_REGIONS; i++) {
		if (!t->rx[i])
			t->rx[i] = page_region_alloc(dev->stack->pools->pages);
		if (!t->rx[i])
			return false;
	}
	return true;
}

static ssize_t read_frame(const struct tap *t, int fd, uint8_t *vnet)
{
	struct iovec iov[TAP_REGIONS + 1] = {{vnet, t->vnet_len}};
	ssize_t n;

	for (int i = 0; i < TAP_REGIONS; i++) {
		uint32_t off = i ? 0 : t->rx_off;

		iov[i + 1] = (struct iovec){t->rx[i]->data + off, t->rx[i]->size - off};
	}
	do {
		n = readv(fd, iov, TAP_REGIONS + 1);
	} while (n < 0 && errno == EINTR);
	return n;
}

/* Return: true when there was a frame to throw away. */
static bool discard_frame(struct netdev *dev, int fd)
{
	uint8_t buf[RX_DISCARD_BYTES];

	if (read(fd, buf, sizeof(buf)) <= 0)
		return false;
	count_drop(dev, NaruNoMemDrops);
	return true;
}

/* Copy @len bytes of the frame just read to @to. */
static void peek_frame(const struct tap *t, uint8_t *to, uint32_t len)
{
	uint32_t off = t->rx_off;

	for (int i = 0; len; i++, off = 0) {
		uint32_t n = min_u32(len, t->rx[i]->size - off);

		memcpy(to, t->rx[i]->data + off, n);
		to += n;
		len -= n;
	}
}

/* Reference the bytes of the frame behind its first @skip; the space is used up. */
static void take_payload(struct netdev *dev, struct tap *t, struct skb *skb, uint32_t skip,
			 uint32_t len)
{
	while (len) {
		struct page_region *r = t->rx[0];
		uint32_t n = min_u32(len, r->size - t->rx_off);
		uint32_t skipped = min_u32(skip, n);

		if (n > skipped) {
			page_region_get(r);
			/* at most one fragment a region */
			BUG_ON(!skb_add_frag(dev->stack, skb, r, t->rx_off + skipped, n - skipped));
		}
		skip -= skipped;
		len -= n;
		t->rx_off = (uint32_t)align_up_u64(t->rx_off + n, RX_ALIGN);
		if (t->rx_off >= r->size)
			drop_first_region(dev, t);
	}
}

static uint16_t count_segments(uint32_t payload, uint16_t gso_size)
{
	return (uint16_t)min_u32(payload ? (payload + gso_size - 1) / gso_size : 1, UINT16_MAX);
}

/* Return: 0; -EINVAL when checksum or headers lie where they cannot. */
static int describe_frame(struct skb *skb, const struct vnet_info *in, uint32_t headers)
{
	if (in->needs_csum) {
		if (in->csum_start + in->csum_offset + 2u > skb_headlen(skb))
			return -EINVAL;
		skb->csum = CSUM_PARTIAL;
		skb->csum_start = (uint16_t)(skb->data_off + in->csum_start);
		skb->csum_offset = in->csum_offset;
	} else if (in->is_data_valid) {
		skb->csum = CSUM_UNNECESSARY;
	}
	if (in->gso_type == VNET_GSO_NONE)
		return 0;
	if (skb->len <= headers)
		return -EINVAL;
	skb->gso_type = (uint8_t)(in->gso_type | (in->has_ecn ? GSO_ECN : 0));
	skb->gso_size = in->gso_size;
	skb->gso_segs = count_segments(skb->len - headers, in->gso_size);
	return 0;
}

static int build_frame(struct netdev *dev, struct tap *t, struct skb *skb,
		       const struct vnet_info *in, uint32_t len)
{
	uint32_t linear = min_u32(len, RX_HEAD_ROOM), headers;

	skb->data_off = skb->tail_off = RX_HEAD_OFF;
	peek_frame(t, skb_data(skb), linear);
	headers = dev_headers_len(skb_data(skb), linear, t->is_tap);
	if (len > RX_HEAD_ROOM) {
		linear = headers;
		if (in->needs_csum)
			linear = max_u32(linear, min_u32(in->csum_start + in->csum_offset + 2u,
							 RX_HEAD_ROOM));
	}
	skb_put(skb, linear);
	if (len > linear)
		take_payload(dev, t, skb, linear, len);
	skb->truesize = netdev_rx_truesize(len);
	if (!t->is_tap) {
		skb->protocol = dev_ip_ethertype(skb_data(skb)[0]);
		if (!skb->protocol)
			return -EINVAL;
	}
	return describe_frame(skb, in, headers);
}

/* Return: true when a frame was read, good or bad. */
static bool receive_one(struct netdev *dev, struct tap *t, int fd)
{
	struct stack *st = dev->stack;
	struct vnet_info in = {0};
	uint8_t vnet[VNET_HDR_LEN_MAX];
	struct skb *skb;
	ssize_t n;

	if (!post_space(dev, t))
		return discard_frame(dev, fd);
	n = read_frame(t, fd, vnet);
	if (n <= 0)
		return false;
	if (n <= t->vnet_len || (t->vnet_len && vnet_parse(vnet, (size_t)n, t->vnet_len, &in))) {
		count_drop(dev, NaruMalformedFrames);
		return true;
	}
	skb = skb_alloc(st, POOL_NORMAL);
	if (!skb) {
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		return true;
	}
	if (build_frame(dev, t, skb, &in, (uint32_t)n - t->vnet_len)) {
		count_drop(dev, NaruMalformedFrames);
		skb_free(st, skb);
		return true;
	}
	dev_rx(dev, skb);
	return true;
}

int tap_poll(struct netdev *dev, int budget)
{
	struct tap *t = dev->priv;
	int fd = proc_fd_get(dev), n = 0;

	if (fd < 0)
		return 0;
	while (n < budget && n < TAP_BUDGET && receive_one(dev, t, fd))
		n++;
	return n;
}

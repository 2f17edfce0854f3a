/* SPDX-License-Identifier: BSD-2-Clause */
/* Decorator that writes every frame, both ways, to a pcapng file. */
/*
 * How it works
 *
 * One write() to an O_APPEND descriptor per frame, so several processes with copies of the descriptor
 * write one file whose blocks stay whole. A packet the device would have cut or summed is written as it
 * was handed over, with its checksum finished in the copy: a reader sees no error that is not there.
 *
 * Sending is covered by xmit_lock and receiving by the pump, so each direction has its own buffers in the
 * arena. A failed or short write ends the capture, since the file may end in half a block; traffic goes
 * on. A process without the descriptor writes nothing. A cut frame keeps its true length.
 */
#include "dev/dev_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "wire/pcapng.h"

#define CAPTURE_BLOCK_EXTRA 128u /* header, options and padding of an enhanced packet block */
#define CAPTURE_HEAD_BYTES 512u  /* section header and interface description */

struct capture_buf {
	uint8_t frame[DEV_FRAME_MAX + 1];
	uint8_t block[DEV_FRAME_MAX + CAPTURE_BLOCK_EXTRA];
};

struct capture {
	uint32_t snaplen; /* bytes kept, 1 .. DEV_FRAME_MAX */
	_Atomic uint32_t is_ended;
	const struct skb *refused; /* written already, but the device was busy; device lock */
	struct capture_buf tx, rx;
};

/* Return: 0, or why the file cannot be written any more. */
static int write_whole(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	do {
		n = write(fd, p, len);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -ENOSPC;
}

static void finish_csum(uint8_t *frame, uint32_t cap_len, const struct skb *skb)
{
	uint32_t off;
	uint16_t csum;

	if (!dev_final_csum(skb, &off, &csum))
		return;
	for (uint32_t i = 0; i < sizeof(csum) && off + i < cap_len; i++)
		frame[off + i] = ((const uint8_t *)&csum)[i];
}

/* Build the block of one frame. Return: its bytes, 0: nothing is to be written. */
static size_t build_block(struct netdev *dev, struct capture_buf *b, const struct skb *skb,
			  uint8_t direction)
{
	struct capture *c = dev->priv;
	struct pcapng_epb e = {.orig_len = skb->len, .data = b->frame, .direction = direction};
	int n;

	if (proc_fd_get(dev) < 0 || atomic_load_explicit(&c->is_ended, memory_order_relaxed))
		return 0;
	e.cap_len = min_u32(skb->len, c->snaplen);
	if (skb_copy_bits(skb, 0, b->frame, e.cap_len))
		return 0;
	finish_csum(b->frame, e.cap_len, skb);
	e.ts_ns = clock_wall_ns(&dev->stack->pools->clock);
	n = pcapng_epb(b->block, sizeof(b->block), &e);
	return n > 0 ? (size_t)n : 0;
}

static void write_block(struct netdev *dev, const struct capture_buf *b, size_t len)
{
	struct capture *c = dev->priv;

	if (len && write_whole(proc_fd_get(dev), b->block, len))
		atomic_store_explicit(&c->is_ended, 1, memory_order_relaxed);
}

/*
 * Written before the device has it: an answer must not stand in the file before its question. A refused
 * frame comes again and is known by its packet.
 */
static enum xmit capture_xmit(struct netdev *dev, struct skb *skb)
{
	struct capture *c = dev->priv;
	enum xmit v;

	if (!(dev->flags & NETDEV_LOOPBACK) && c->refused != skb)
		write_block(dev, &c->tx, build_block(dev, &c->tx, skb, PCAPNG_DIR_OUT));
	v = dev_lower_xmit(dev, skb);
	c->refused = v == XMIT_BUSY ? skb : NULL;
	return v;
}

static struct skb *capture_rx(struct netdev *dev, struct skb *skb)
{
	struct capture *c = dev->priv;

	write_block(dev, &c->rx, build_block(dev, &c->rx, skb, PCAPNG_DIR_IN));
	return skb;
}

static void capture_close(struct netdev *dev)
{
	proc_fd_set(dev, -1);
	dev_unwrap(dev, sizeof(struct capture));
}

static int write_headers(const struct netdev *lower, int fd, uint32_t snaplen)
{
	uint8_t buf[CAPTURE_HEAD_BYTES];
	uint16_t linktype =
		lower->flags & NETDEV_NOARP ? PCAPNG_LINKTYPE_RAW : PCAPNG_LINKTYPE_ETHERNET;
	int flags = fcntl(fd, F_GETFL), shb, idb;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_APPEND))
		return -errno;
	shb = pcapng_shb(buf, sizeof(buf), "naru");
	if (shb < 0)
		return shb;
	idb = pcapng_idb(buf + shb, sizeof(buf) - (size_t)shb, linktype, snaplen, lower->name);
	return idb < 0 ? idb : write_whole(fd, buf, (size_t)(shb + idb));
}

int capture_wrap(struct netdev *lower, int fd, uint32_t snaplen, struct netdev **ret)
{
	struct netdev *dev;
	struct capture *c;
	int err;

	if (lower->qdisc || lower->upper)
		return -EBUSY;
	err = write_headers(lower, fd, snaplen);
	if (!err)
		err = dev_wrap(lower, DEV_CAPTURE, sizeof(*c), &dev);
	if (err)
		return err;
	c = dev->priv;
	c->snaplen = snaplen ? min_u32(snaplen, DEV_FRAME_MAX) : DEV_FRAME_MAX;
	err = proc_fd_set(dev, fd);
	if (err) {
		dev_unwrap_keep(dev, sizeof(*c));
		return err;
	}
	*ret = dev;
	return 0;
}

const struct dev_ops capture_dev_ops = {
	.name = "capture",
	.xmit = capture_xmit,
	.flush = dev_lower_flush,
	.poll = dev_lower_poll,
	.fd = dev_lower_fd,
	.rx = capture_rx,
	.close = capture_close,
};

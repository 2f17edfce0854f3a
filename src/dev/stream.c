/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames over a stream socket, as QEMU's stream netdev and passt speak: 32-bit big-endian length, frame. */
/*
 * How it works
 *
 * A stream keeps no boundaries: a read may end, and a write may stop, anywhere. Received bytes collect in
 * a buffer in the arena and are cut into frames; whichever process polls next goes on where the last one
 * stopped. The part of a frame that did not fit into the socket is kept and goes out before anything else
 * (flush); until then the device is stopped.
 *
 * 1. rx[rx_from, rx_to) is unread; a frame's four length bytes lie at rx_from. Pump only.
 * 2. tx[tx_from, tx_to) is the unsent rest of one frame. xmit_lock.
 * 3. is_writing survives only a writer that died: nobody knows how much of its frame went out.
 * 4. A length above the largest frame or EOF, or 3, ends the device: the boundary is lost for good.
 *
 * No offloads: frames fit the MTU and their checksums are complete.
 */
#include "dev/dev_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/proc.h"
#include "wire/eth.h"

#define STREAM_LEN_BYTES 4u
#define STREAM_RECORD_MAX (STREAM_LEN_BYTES + DEV_FRAME_MAX)
#define STREAM_RX_BYTES (2u * 65536u + 64u) /* a partial record and room to read many behind it */
#define STREAM_BUDGET 64
#define STREAM_IOV_MAX (SKB_MAX_FRAGS + 2)

static_assert(STREAM_RX_BYTES >= 2 * STREAM_RECORD_MAX - 64,
	      "a record always fits behind a partial one");

struct stream {
	_Atomic uint32_t is_ended;
	uint32_t rx_from, rx_to;
	uint32_t tx_from, tx_to;
	bool is_writing; /* what the socket took is not on record yet */
	uint8_t rx[STREAM_RX_BYTES];
	uint8_t tx[STREAM_RECORD_MAX];
};

static void end_device(struct netdev *dev, struct stream *s)
{
	if (!atomic_exchange(&s->is_ended, 1))
		atomic_fetch_add_explicit(&dev->stats.rx_errors, 1, memory_order_relaxed);
}

static bool is_ended(const struct stream *s)
{
	return atomic_load_explicit(&((struct stream *)s)->is_ended, memory_order_relaxed);
}

/* ---- sending ---- */

/* Return: bytes taken (0: full), -1: the connection is gone. */
static ssize_t write_some(int fd, struct iovec *iov, int n)
{
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = (size_t)n};
	ssize_t written;

	do {
		written = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (written < 0 && errno == EINTR);
	if (written < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return 0;
	return written;
}

static bool stream_flush(struct netdev *dev)
{
	struct stream *s = dev->priv;
	int fd = proc_fd_get(dev);
	ssize_t n;

	if (unlikely(s->is_writing))
		end_device(dev, s);
	if (likely(s->tx_from == s->tx_to) || is_ended(s))
		return true;
	if (fd < 0) {
		stack_pump_kick(dev->stack);
		return false;
	}
	s->is_writing = true;
	n = write_some(fd, &(struct iovec){s->tx + s->tx_from, s->tx_to - s->tx_from}, 1);
	if (n < 0) {
		end_device(dev, s);
		return true;
	}
	s->tx_from += (uint32_t)n;
	s->is_writing = false;
	return s->tx_from == s->tx_to;
}

/* Keep what the socket did not take: record offset @done to its end. */
static void keep_rest(struct stream *s, const struct skb *skb, const uint8_t *len_be, uint32_t done)
{
	uint32_t skip = done > STREAM_LEN_BYTES ? done - STREAM_LEN_BYTES : 0;

	s->tx_from = s->tx_to = 0;
	for (; done < STREAM_LEN_BYTES; done++)
		s->tx[s->tx_to++] = len_be[done];
	BUG_ON(skb_copy_bits(skb, skip, s->tx + s->tx_to, skb->len - skip));
	s->tx_to += skb->len - skip;
}

static enum xmit stream_xmit(struct netdev *dev, struct skb *skb)
{
	struct stream *s = dev->priv;
	int fd = proc_fd_get(dev), n;
	struct iovec iov[STREAM_IOV_MAX];
	uint8_t len_be[STREAM_LEN_BYTES];
	ssize_t written;

	if (unlikely(fd < 0)) {
		mib_inc(dev->stack, NaruDevNoFd);
		stack_pump_kick(dev->stack);
		return XMIT_BUSY;
	}
	n = skb_iov(skb, iov + 1, STREAM_IOV_MAX - 1);
	if (n < 0 || skb->len > dev->mtu + ETH_HDR_LEN || is_ended(s))
		goto out_drop;
	put_be32(len_be, skb->len);
	iov[0] = (struct iovec){len_be, sizeof(len_be)};
	s->is_writing = true;
	written = write_some(fd, iov, n + 1);
	if (written == 0) {
		s->is_writing = false;
		return XMIT_BUSY;
	}
	if (written < 0) {
		end_device(dev, s);
		goto out_drop;
	}
	if ((uint32_t)written < skb->len + STREAM_LEN_BYTES)
		keep_rest(s, skb, len_be, (uint32_t)written);
	s->is_writing = false;
	skb_free(dev->stack, skb);
	return XMIT_OK;
out_drop:
	skb_free(dev->stack, skb);
	return XMIT_DROP;
}

/* ---- receiving ---- */

static void receive_frame(struct netdev *dev, const uint8_t *frame, uint32_t len)
{
	struct skb *skb = NULL;

	dev->rx_hdr_len = (uint16_t)dev_headers_len(frame, len, true);
	if (len >= ETH_HDR_LEN)
		skb = netdev_rx_alloc(dev, len);
	if (!skb || skb_store_bits(skb, 0, frame, len)) {
		mib_inc(dev->stack, len >= ETH_HDR_LEN ? NaruNoMemDrops : NaruMalformedFrames);
		atomic_fetch_add_explicit(&dev->stats.rx_dropped, 1, memory_order_relaxed);
		skb_free(dev->stack, skb);
		return;
	}
	dev_rx(dev, skb);
}

/* Return: frames found, at most @budget. */
static int cut_frames(struct netdev *dev, struct stream *s, int budget)
{
	int n = 0;

	while (n < budget && s->rx_to - s->rx_from >= STREAM_LEN_BYTES) {
		uint32_t len = get_be32(s->rx + s->rx_from);

		if (len > DEV_FRAME_MAX) {
			end_device(dev, s);
			break;
		}
		if (s->rx_to - s->rx_from < STREAM_LEN_BYTES + len)
			break;
		receive_frame(dev, s->rx + s->rx_from + STREAM_LEN_BYTES, len);
		s->rx_from += STREAM_LEN_BYTES + len;
		n++;
	}
	if (s->rx_from == s->rx_to)
		s->rx_from = s->rx_to = 0;
	return n;
}

/* Return: true when something was read. */
static bool read_more(struct netdev *dev, struct stream *s, int fd)
{
	ssize_t n;

	if (s->rx_from && STREAM_RX_BYTES - s->rx_to < STREAM_RECORD_MAX) {
		memmove(s->rx, s->rx + s->rx_from, s->rx_to - s->rx_from);
		s->rx_to -= s->rx_from;
		s->rx_from = 0;
	}
	if (s->rx_to == STREAM_RX_BYTES)
		return false;
	do {
		n = recv(fd, s->rx + s->rx_to, STREAM_RX_BYTES - s->rx_to, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		end_device(dev, s);
	if (n <= 0)
		return false;
	s->rx_to += (uint32_t)n;
	return true;
}

static int stream_poll(struct netdev *dev, int budget)
{
	struct stream *s = dev->priv;
	int fd = proc_fd_get(dev), n;

	if (fd < 0)
		return 0;
	if (budget > STREAM_BUDGET)
		budget = STREAM_BUDGET;
	n = cut_frames(dev, s, budget);
	while (n < budget && !is_ended(s) && read_more(dev, s, fd))
		n += cut_frames(dev, s, budget - n);
	return n;
}

/* An ended device stays readable for ever: nobody should sleep on it. */
static int stream_fd(struct netdev *dev)
{
	return is_ended(dev->priv) ? -1 : proc_fd_get(dev);
}

static void stream_close(struct netdev *dev)
{
	if (!dev->priv)
		return;
	proc_fd_set(dev, -1);
	dev_free_priv(dev, sizeof(struct stream));
}

int stream_create(struct stack *st, const char *name, int fd, uint32_t mtu, struct netdev **ret)
{
	int type = 0, flags = fcntl(fd, F_GETFL), err;
	socklen_t type_len = sizeof(type);
	struct netdev *dev;

	if (flags < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len))
		return -errno;
	if (type != SOCK_STREAM)
		return -EINVAL;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	err = dev_create(st, name, DEV_STREAM, sizeof(struct stream), &dev);
	if (err)
		return err;
	dev->features = NETDEV_F_SG | NETDEV_F_GRO;
	dev_pick_mac(st, dev->mac);
	err = dev_set_mtu(dev, mtu);
	if (!err)
		err = proc_fd_set(dev, fd);
	if (err) {
		netdev_remove(dev);
		return err;
	}
	*ret = dev;
	return 0;
}

const struct dev_ops stream_dev_ops = {
	.name = "stream",
	.xmit = stream_xmit,
	.flush = stream_flush,
	.poll = stream_poll,
	.fd = stream_fd,
	.close = stream_close,
};

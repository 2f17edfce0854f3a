/* SPDX-License-Identifier: BSD-2-Clause */
/* TUN/TAP: open, adopt, send. */
/*
 * How it works
 *
 * One writev() per frame: virtio-net header, linear part, fragments; the kernel copies, so the packet is
 * freed and its charge released at once (T67.3). With the header the kernel finishes checksums and cuts
 * TCP packets for us; UDP packets too if it knows TUN_F_USO. What it hands to us is set the same way.
 *
 * A process of the tree that holds no descriptor says XMIT_BUSY and wakes the supervisor, which has one.
 * Setting up the kernel's side (address, MTU, queue length, up) is the tool's business.
 */
#include "dev/tap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/proc.h"
#include "wire/eth.h"
#include "wire/tcp.h"

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TAP_UDP_HDR_LEN 8u
#define TAP_IOV_MAX (SKB_MAX_FRAGS + 2) /* header, linear part, fragments */
#define TAP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
#define TAP_OFFLOADS_USO (TUN_F_USO4 | TUN_F_USO6) /* the kernel takes both or none */

static uint16_t headers_len(const struct skb *skb)
{
	uint32_t len = (uint32_t)skb->csum_start - skb->data_off;

	if (skb->gso_type == GSO_UDP_L4)
		len += TAP_UDP_HDR_LEN;
	else if (skb->csum_start + TCP_HDR_LEN <= skb->tail_off)
		len += (uint32_t)(skb->head[skb->csum_start + 12] >> 4) * 4;
	return (uint16_t)min_u32(len, skb->len);
}

/* Return: bytes of header, or -EINVAL when the packet's description does not fit it. */
static int describe(const struct tap *t, const struct skb *skb, uint8_t *out)
{
	struct vnet_info in = {0};

	if (!t->vnet_len)
		return skb->csum == CSUM_PARTIAL || skb_is_gso(skb) ? -EINVAL : 0;
	if (skb->csum == CSUM_PARTIAL) {
		if (skb->csum_start < skb->data_off)
			return -EINVAL;
		in.needs_csum = true;
		in.csum_start = (uint16_t)(skb->csum_start - skb->data_off);
		in.csum_offset = skb->csum_offset;
	}
	if (skb_is_gso(skb)) {
		in.gso_type = skb->gso_type & (uint8_t)~GSO_ECN;
		in.has_ecn = skb->gso_type & GSO_ECN;
		in.gso_size = skb->gso_size;
		in.hdr_len = headers_len(skb);
	}
	return vnet_build(out, t->vnet_len, &in, skb->len);
}

static enum xmit tap_xmit(struct netdev *dev, struct skb *skb)
{
	struct tap *t = dev->priv;
	int fd = proc_fd_get(dev), hdr_len, n;
	uint8_t hdr[VNET_HDR_LEN_MAX];
	struct iovec iov[TAP_IOV_MAX];
	ssize_t written;

	if (unlikely(fd < 0)) {
		mib_inc(dev->stack, NaruDevNoFd);
		stack_pump_kick(dev->stack);
		return XMIT_BUSY;
	}
	hdr_len = describe(t, skb, hdr);
	if (hdr_len < 0)
		goto out_drop;
	iov[0] = (struct iovec){hdr, (size_t)hdr_len};
	n = skb_iov(skb, iov + 1, TAP_IOV_MAX - 1);
	if (n < 0)
		goto out_drop;
	do {
		written = writev(fd, iov, n + 1);
	} while (written < 0 && errno == EINTR);
	if (written < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return XMIT_BUSY;
	if (written < 0)
		goto out_drop;
	dev_note_copied(skb);
	skb_free(dev->stack, skb);
	return XMIT_OK;
out_drop:
	skb_free(dev->stack, skb);
	return XMIT_DROP;
}

static int tap_fd(struct netdev *dev)
{
	return proc_fd_get(dev);
}

/* The posted regions come first, without gaps. */
static struct page_region *tap_region(struct netdev *dev, unsigned int idx)
{
	const struct tap *t = dev->priv;

	return idx < TAP_REGIONS ? t->rx[idx] : NULL;
}

static void tap_close(struct netdev *dev)
{
	if (!dev->priv)
		return;
	tap_rx_release(dev);
	proc_fd_set(dev, -1);
	dev_free_priv(dev, sizeof(struct tap));
}

/* Return: what the device may be given, as NETDEV_F_x. */
static uint32_t set_offloads(int fd)
{
	if (!ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TAP_OFFLOADS | TAP_OFFLOADS_USO)))
		return NETDEV_F_CSUM | NETDEV_F_TSO4 | NETDEV_F_TSO6 | NETDEV_F_USO;
	if (!ioctl(fd, TUNSETOFFLOAD, (unsigned long)TAP_OFFLOADS))
		return NETDEV_F_CSUM | NETDEV_F_TSO4 | NETDEV_F_TSO6;
	return ioctl(fd, TUNSETOFFLOAD, 0ul) ? 0 : NETDEV_F_CSUM;
}

/* The header size outlives a detach, so it is always set. */
static int set_up_fd(int fd, bool is_tap, uint32_t *ret_vnet_len, uint32_t *ret_features)
{
	struct ifreq ifr = {0};
	int size = VNET_HDR_LEN, flags, is_le = 1;

	if (ioctl(fd, TUNGETIFF, &ifr))
		return -errno;
	if (!(ifr.ifr_flags & IFF_NO_PI) || !(ifr.ifr_flags & (is_tap ? IFF_TAP : IFF_TUN)))
		return -EINVAL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	*ret_vnet_len = 0;
	*ret_features = NETDEV_F_SG | NETDEV_F_GRO;
	if (!(ifr.ifr_flags & IFF_VNET_HDR))
		return 0;
	if (ioctl(fd, TUNSETVNETHDRSZ, &size) || ioctl(fd, TUNSETVNETLE, &is_le))
		return -errno;
	*ret_vnet_len = VNET_HDR_LEN;
	*ret_features |= set_offloads(fd);
	return 0;
}

int tap_create(struct stack *st, const char *name, int fd, bool is_tap, uint32_t mtu,
	       struct netdev **ret)
{
	uint32_t vnet_len, features;
	struct netdev *dev;
	struct tap *t;
	int err = set_up_fd(fd, is_tap, &vnet_len, &features);

	if (err)
		return err;
	err = dev_create(st, name, DEV_TAP, sizeof(*t), &dev);
	if (err)
		return err;
	t = dev->priv;
	t->is_tap = is_tap;
	t->vnet_len = vnet_len;
	dev->features = features;
	dev->gso_max_size = NETDEV_GSO_MAX_DEFAULT;
	dev->gso_max_segs = UINT16_MAX;
	if (is_tap)
		dev_pick_mac(st, dev->mac);
	else
		dev->flags |= NETDEV_NOARP;
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

int tap_open(char *ifname, bool is_tap)
{
	struct ifreq ifr = {0};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), err;

	if (fd < 0)
		return -errno;
	ifr.ifr_flags = (short)((is_tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR);
	memcpy(ifr.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(ifname, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

const struct dev_ops tap_dev_ops = {
	.name = "tap",
	.xmit = tap_xmit,
	.poll = tap_poll,
	.fd = tap_fd,
	.region = tap_region,
	.close = tap_close,
};

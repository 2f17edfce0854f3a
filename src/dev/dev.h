/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices as boot/ and tools create them. All frames carry Ethernet headers except on NOARP devices. */
#ifndef NARU_DEV_DEV_H
#define NARU_DEV_DEV_H

#include "core/netdev.h"
#include "core/tables.h"

/** loopback_create() - "lo", MTU 65536, all offloads, NOARP; up. */
int loopback_create(struct stack *st, struct netdev **ret) MUST_CHECK;

/* One direction of a wire. All zero: a perfect wire without delay. */
struct wire_impair {
	uint64_t rate_bps;	/* bits/s, 0: no limit */
	uint64_t delay_ns;
	uint64_t jitter_ns;	/* uniform 0..jitter added; order kept unless reorder */
	uint32_t loss_ppm, reorder_ppm, duplicate_ppm, corrupt_ppm; /* per frame, out of 10^6 */
	uint64_t reorder_ns;	/* extra delay of a reordered frame */
	uint32_t queue_frames;	/* limit of frames waiting for the rate; 0: none */
	uint32_t ecn_mark_frames; /* CE on ECT packets when more wait; 0: never */
};

struct wire_config {
	uint64_t seed;
	uint32_t mtu;		/* 1500 when 0 */
	bool has_digest;	/* keep wire_digest(): hashes every byte */
	bool has_gso;		/* frames up to 64 KiB pass whole (TSO/CSUM features on) */
	struct wire_impair ab, ba;
	uint8_t mac_a[6], mac_b[6]; /* zero: chosen */
};
/** wire_create() - two devices, one in each stack (same arena), joined. Both down. -EINVAL (mtu), -ENOMEM,
 *  or netdev_alloc()'s error. */
int wire_create(struct stack *a, const char *name_a, struct stack *b, const char *name_b, const struct wire_config *cfg,
		struct netdev **ret_a, struct netdev **ret_b) MUST_CHECK;
/** wire_set_impair() - change one direction (0: a to b, 1: b to a) while running. */
void wire_set_impair(struct netdev *end, int direction, const struct wire_impair *im);
/** wire_deliver() - hrtimer_tab[HRTIMER_WIRE]. */
void wire_deliver(struct stack *st, struct hrtimer *t);
/** wire_in_flight() - frames inside (tests: must be 0 at the end). */
uint32_t wire_in_flight(struct netdev *end);
/**
 * wire_digest() - running hash over direction, delivery time (ns), length and bytes of every frame delivered
 * on this wire; 0 before the first one and without has_digest. The same seed and calls give the same value.
 */
uint64_t wire_digest(struct netdev *end);
/** wire_num_frames() - frames delivered so far, both directions, duplicates included. */
uint64_t wire_num_frames(struct netdev *end);

/**
 * tap_create() - adopt an open TAP (is_tap) or TUN descriptor: sets vnet header size, offloads, O_NONBLOCK
 * The descriptor stays the caller's. It is registered for this process; others call proc_fd_set(dev, fd).
 * Return: 0, -EINVAL (not a TUN/TAP of that kind, or it has packet information), -ENOMEM, ioctl errors
 */
int tap_create(struct stack *st, const char *name, int fd, bool is_tap, uint32_t mtu, struct netdev **ret) MUST_CHECK;
/** tap_open() - open /dev/net/tun, TUNSETIFF @ifname (may contain %d; the chosen name is written back, 16 bytes).
 *  Close-on-exec. fd or -errno. */
int tap_open(char *ifname, bool is_tap);
/** stream_create() - QEMU/passt framing (32-bit big-endian length + frame) over a connected stream socket.
 *  @fd is made non-blocking and registered for this process. A frame longer than 65549 bytes announced by the
 *  peer ends the device (rx_errors); EOF likewise. */
int stream_create(struct stack *st, const char *name, int fd, uint32_t mtu, struct netdev **ret) MUST_CHECK;

/*
 * Decorators take the place of @lower in its stack: same name, same ifindex, and they own it from then on. They are
 * put on before the device gets a queue, addresses or routes (-EBUSY when it has a queue already).
 */

/**
 * capture_wrap() - pcapng of every frame both ways to @fd
 * @fd:      file or pipe; set to O_APPEND, so that every process that registers its own copy with
 *           proc_fd_set(capture device, fd) can write; the headers are written now. Registered for this process.
 * @snaplen: bytes kept of a frame, 0: all
 * A cut frame keeps its length; a packet whose checksum the device finishes is written with it finished.
 * On loopback only the received copy is written. A failed write ends the capture, not the traffic.
 * Return: 0, -EBUSY, -ENOMEM, or the error of the first write
 */
int capture_wrap(struct netdev *lower, int fd, uint32_t snaplen, struct netdev **ret) MUST_CHECK;
struct fault_config { uint32_t tx_drop_nth, rx_drop_nth, tx_busy_nth; uint64_t seed; uint32_t rx_corrupt_ppm; };
/** fault_wrap() - planted trouble for tests: every n-th frame (0: never), counted per direction from 1. */
int fault_wrap(struct netdev *lower, const struct fault_config *cfg, struct netdev **ret) MUST_CHECK;

/** dev_up() - the device and what it decorates may send and receive from now on. */
void dev_up(struct netdev *dev);
/** dev_set_mtu() - bytes of an IP packet: 68 .. 65521 (65535 without link header, 65536 on loopback); -EINVAL. */
int dev_set_mtu(struct netdev *dev, uint32_t mtu) MUST_CHECK;

/**
 * dev_hard_start_xmit() - stage 10: software GSO and checksum where the device lacks them, then ops->xmit
 * @skb: frame with its link header (NOARP: without). CONSUMED except on XMIT_BUSY.
 *
 * Takes xmit_lock. Whatever cannot be prepared is dropped silently and counted in tx_dropped (T64.6). When a
 * device fills up in the middle of a cut packet the rest waits in dev->tx_pending and the packet counts as
 * taken; its charge rides on the last piece.
 *
 * Return: XMIT_OK, XMIT_DOWN, XMIT_BUSY (is_tx_stopped is set)
 */
enum xmit dev_hard_start_xmit(struct netdev *dev, struct skb *skb);
/**
 * dev_tx_flush() - send what an earlier full device left behind (tx_pending, half-written frames)
 * Takes xmit_lock. The pump calls it for a stopped device before its queue runs again.
 * Return: true when nothing is left; is_tx_stopped says the same. false in a process without the device's
 *         descriptor: nothing was tried.
 */
bool dev_tx_flush(struct netdev *dev);

extern const struct dev_ops loopback_dev_ops, wire_dev_ops, tap_dev_ops, stream_dev_ops, capture_dev_ops, fault_dev_ops;

#endif

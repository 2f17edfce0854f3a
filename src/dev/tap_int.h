/* SPDX-License-Identifier: BSD-2-Clause */
/* State of a TUN/TAP device, shared by its two halves. */
#ifndef NARU_DEV_TAP_INT_H
#define NARU_DEV_TAP_INT_H

#include "dev/dev_int.h"
#include "wire/vnet.h"

#define TAP_BUDGET 64 /* frames per poll */
#define TAP_REGIONS \
	3 /* any rest of the first of at least TAP_REST_MIN bytes and two more hold a frame */
#define TAP_REST_MIN 64u

struct tap {
	uint32_t vnet_len; /* bytes of virtio-net header before each frame; 0: none */
	bool is_tap;
	uint32_t rx_off;                     /* first unused byte of rx[0]; pump only, like rx */
	struct page_region *rx[TAP_REGIONS]; /* posted receive space; one reference each */
};

/** tap_poll() - dev_ops.poll: up to @budget frames, at most TAP_BUDGET */
int tap_poll(struct netdev *dev, int budget);
/** tap_rx_release() - give the posted receive space back */
void tap_rx_release(struct netdev *dev);

#endif

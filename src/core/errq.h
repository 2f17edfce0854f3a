/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries of a socket's error queue: ICMP errors, transmit timestamps, zerocopy notifications. */
#ifndef NARU_CORE_ERRQ_H
#define NARU_CORE_ERRQ_H

#include "core/skb.h"
#include "wire/ipaddr.h"

struct sock;

/* Linux's numbers (linux/errqueue.h) */
#define ERRQ_ORIGIN_LOCAL 1u
#define ERRQ_ORIGIN_ICMP 2u
#define ERRQ_ORIGIN_ICMP6 3u
#define ERRQ_ORIGIN_TIMESTAMPING 4u
#define ERRQ_ORIGIN_ZEROCOPY 5u
#define ERRQ_CODE_ZEROCOPY_COPIED 1u

/* Lies in skb->cb while a packet is in an error queue; the payload is what recvmsg() returns as data. */
struct errq_cb {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code;
	bool has_stamp; /* skb->tstamp_ns holds wall-clock ns to be reported (T91.2) */
	uint32_t ee_info, ee_data;
	struct ipaddr offender; /* any: none */
	struct ipaddr addr;     /* destination of the packet that failed; any: none */
	uint16_t port;          /* host order */
	bool has_addr;          /* addr and port are reported as msg_name */
	uint32_t ifindex;       /* of the device (OPT_CMSG); 0 none */
};
_Static_assert(sizeof(struct errq_cb) <= SKB_CB_BYTES, "errq_cb must fit skb->cb");
static inline struct errq_cb *errq_cb(const struct skb *s)
{
	return (struct errq_cb *)s->cb;
}

/** errq_lock_take() - sk->err_lock, for the error queue and poll_items; repairs the queue when a holder died. */
void errq_lock_take(struct sock *sk);

/* T91.1: the point of the path a transmit timestamp was taken at; ee_info. */
enum tstamp_event { TSTAMP_SND = 0, TSTAMP_SCHED = 1, TSTAMP_ACK = 2 };

/**
 * skb_tstamp_tx() - T91: report one transmit timestamp if the packet asked for it
 * @skb: packet on its way with its headers (SCHED, SND), or the record (ACK); skb->sk is told (@sk when
 *       the record has none). Not consumed. With OPT_ID the key is reported: skb->ts_key for UDP; for TCP
 *       ts_key is the sequence number of the last byte and sk->tskey the base it is counted from (T91.4).
 * Does nothing when skb->tx_flags lacks the event. Context: any lock below LOCK_RXQ.
 */
void skb_tstamp_tx(struct stack *st, struct skb *skb, struct sock *sk, enum tstamp_event ev);
/** skb_tx_event_flag() - bit of tx_flags for an event. */
static inline uint8_t skb_tx_event_flag(enum tstamp_event ev)
{
	return ev == TSTAMP_SND     ? SKB_TX_SW_TSTAMP
	       : ev == TSTAMP_SCHED ? SKB_TX_SCHED_TSTAMP
				    : SKB_TX_ACK_TSTAMP;
}

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be sent now: the tests of the transmission engine as pure functions of plain numbers. */
#ifndef NARU_TCP_OUT_DECIDE_H
#define NARU_TCP_OUT_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

/* The part of the Nagle state that the tests look at (T43). */
struct decide_nagle {
	uint8_t mode;         /* TCP_NAGLE_* of this push */
	uint32_t packets_out; /* OUT */
	uint32_t snd_una, snd_nxt, snd_sml;
};

/**
 * decide_cwnd_quota() - T40: packets one record may carry
 * @in_flight, @cwnd: packets
 *
 * Return: 0 when the window is full; else at most half of it, at least 1
 */
uint32_t decide_cwnd_quota(uint32_t in_flight, uint32_t cwnd);

/** decide_fits_window() - T42.2: does the first packet of [seq, end_seq) end at or before @wnd_end. */
bool decide_fits_window(uint32_t seq, uint32_t end_seq, uint32_t len, uint32_t mss, uint32_t wnd_end);

/** decide_nagle_holds() - T43.3-6: must a packet wait; @is_partial: shorter than the MSS. */
bool decide_nagle_holds(const struct decide_nagle *n, bool is_partial);

/* Inputs of the deferral test (T44); bytes and packets as named, times in ns. */
struct decide_defer {
	bool is_recovering; /* CA state Recovery or Loss */
	bool is_last;       /* no record behind this one */
	bool has_end_mark;  /* FIN or EOR: nothing will be added */
	bool has_rtx;       /* retransmit queue is not empty */
	uint32_t len;       /* payload bytes of the record */
	uint32_t mss;
	uint32_t max_segs;
	uint32_t wnd_room;        /* WNDEND - seq, bytes */
	uint32_t cwnd, in_flight; /* packets */
	uint32_t snd_wnd;         /* WND, bytes */
	uint32_t win_divisor;     /* sysctl tcp_tso_win_divisor */
	uint32_t srtt8_us;
	uint64_t now_ns, wstamp_ns;
	uint64_t head_sent_ns; /* send time of the oldest outstanding record */
};

enum defer_verdict {
	DEFER_NO = 0,       /* send now */
	DEFER_WAIT,         /* wait; neither window is to blame */
	DEFER_CWND_LIMITED, /* wait, the congestion window is smaller than the record */
	DEFER_RWND_LIMITED, /* wait, the peer's window is smaller than the record */
};

/** decide_defer() - T44: hold a record of several packets a moment, a larger one can go very soon. */
enum defer_verdict decide_defer(const struct decide_defer *d);

/**
 * decide_split_point() - T45: bytes of a record of several packets that may go now
 * @len: payload; @window: WNDEND - seq; @quota: packets; @is_last: no record behind it
 * @nagle: decides about a partial last packet
 *
 * Return: bytes, 0 when the Nagle test holds all there is
 */
uint32_t decide_split_point(uint32_t len, uint32_t window, uint32_t mss, uint32_t quota,
			    bool is_last, const struct decide_nagle *nagle);

/**
 * decide_urgent() - T53: urgent field of a segment that starts at @seq
 * @snd_up: sequence after the urgent byte; @snd_nxt: next new sequence
 *
 * Return: true and the pointer when URG is set
 */
bool decide_urgent(uint32_t seq, uint32_t snd_up, uint32_t snd_nxt, uint16_t *ret_ptr);

#endif

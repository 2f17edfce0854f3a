/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP input: echo and timestamp replies, errors mapped to errno and handed to the transports. */
/*
 * How it works
 *
 * Data is at the ICMP header. The checksum covers the whole message; of its content at most the
 * first ICMP_PARSE_BYTES are looked at. An echo request is turned round in place: the packet that came
 * is the packet that goes, with two bytes changed. Errors become a struct icmp_err by the table of
 * R06; whether the quote belongs to a socket is for the transport to find out.
 */
#include "ip/ip_int.h"

#include <errno.h>
#include <netinet/in.h>

#define ICMP_PARSE_BYTES 640u /* an error packet has 576 (R02.2), options of the quote included */
#define TIMESTAMP_BYTES 20u   /* header and three times */
#define MS_PER_DAY (24u * 3600 * 1000)

/* R06: one row per code of destination unreachable. */
struct errno_row {
	uint8_t err;
	bool is_hard;
};
static const struct errno_row unreach_tab[ICMP4_UNREACH_MAX_CODE + 1] = {
	[ICMP4_UNREACH_NET] = {ENETUNREACH, false},
	[ICMP4_UNREACH_HOST] = {EHOSTUNREACH, false},
	[ICMP4_UNREACH_PROTO] = {ENOPROTOOPT, true},
	[ICMP4_UNREACH_PORT] = {ECONNREFUSED, true},
	[ICMP4_UNREACH_FRAG_NEEDED] = {EMSGSIZE, true},
	[ICMP4_UNREACH_SRC_ROUTE] = {EOPNOTSUPP, false},
	[ICMP4_UNREACH_NET_UNKNOWN] = {ENETUNREACH, true},
	[ICMP4_UNREACH_HOST_UNKNOWN] = {EHOSTDOWN, true},
	[ICMP4_UNREACH_ISOLATED] = {ENONET, true},
	[ICMP4_UNREACH_NET_PROHIB] = {ENETUNREACH, true},
	[ICMP4_UNREACH_HOST_PROHIB] = {EHOSTUNREACH, true},
	[ICMP4_UNREACH_TOS_NET] = {ENETUNREACH, false},
	[ICMP4_UNREACH_TOS_HOST] = {EHOSTUNREACH, false},
	[ICMP4_UNREACH_FILTER] = {EHOSTUNREACH, true},
	[ICMP4_UNREACH_PREC_VIOLATION] = {EHOSTUNREACH, true},
	[ICMP4_UNREACH_PREC_CUTOFF] = {EHOSTUNREACH, true},
};

/* False: this error concerns nobody. */
static bool map_error(uint8_t type, uint8_t code, struct icmp_err *err)
{
	switch (type) {
	case ICMP4_TYPE_UNREACH:
		if (code > ICMP4_UNREACH_MAX_CODE)
			return false;
		err->error = unreach_tab[code].err;
		err->is_hard = unreach_tab[code].is_hard;
		return true;
	case ICMP4_TYPE_TIME_EXCEEDED: err->error = EHOSTUNREACH; return code == ICMP_TIMEX_TTL;
	case ICMP4_TYPE_PARAM_PROB:
		err->error = EPROTO;
		err->is_hard = true;
		return true;
	default: return false; /* source quench, redirect */
	}
}

static void rcv_error(struct stack *st, struct skb *skb, const struct icmp_msg *m)
{
	struct icmp_err err = {.type = m->type, .code = m->code, .ttl = skb->ttl};
	struct icmp_quote q;

	if (icmp4_quote_parse(m, &q)) {
		mib_inc(st, IcmpInErrors);
		return;
	}
	if (!map_error(m->type, m->code, &err) || q.is_fragment)
		return;
	if (q.proto != IPPROTO_TCP && q.proto != IPPROTO_UDP)
		return;
	if (ip_addr_type(st, &q.dst) == DST_BROADCAST)
		return; /* R05.5 */
	if (m->type == ICMP4_TYPE_UNREACH && m->code == ICMP4_UNREACH_FRAG_NEEDED)
		err.info = m->mtu;
	else if (m->type == ICMP4_TYPE_PARAM_PROB)
		err.info = m->pointer;
	err.saddr = q.src;
	err.daddr = q.dst;
	ip_skb_saddr(skb, &err.offender);
	err.quote = q.l4;
	err.quote_len = q.l4_len;
	err.ip = m->body;
	err.ip_len = m->body_len;
	err.proto = q.proto;
	up_tab.l4_err(st, &err);
}

/* ---- replies ---- */

/* Send the packet back to where it came from. CONSUMES. */
static void reply(struct stack *st, struct skb *skb, uint8_t tos)
{
	struct ip_tx tx = {.proto = IPPROTO_ICMP, .tos = tos, .ttl = -1, .allow_frag = true};
	struct ipaddr was_to;
	bool is_tentative;

	ip_skb_saddr(skb, &tx.daddr);
	ip_skb_daddr(skb, &was_to);
	tx.saddr = ip_addr_is_local(st, &was_to, &is_tentative) ? was_to : IPADDR_ANY_V4;
	skb->csum = CSUM_NONE;
	skb->gso_size = skb->gso_segs = 0;
	skb->truesize = max_u32(skb->truesize, SKB_TRUESIZE);
	mib_inc(st, IcmpOutMsgs);
	mib_inc(st, IcmpOutEchoReps); /* R05.3: also for timestamps */
	ip_send(st, skb, &tx);
}

/* Change the type in place; the checksum follows. */
static void set_type(struct skb *skb, uint8_t type)
{
	struct icmp_hdr *h = (struct icmp_hdr *)skb_data(skb);
	uint16_t from, to;

	memcpy(&from, h, sizeof(from));
	h->type = type;
	h->code = 0;
	memcpy(&to, h, sizeof(to));
	h->csum = csum_replace16(h->csum, from, to);
}

static bool is_for_group(struct stack *st, const struct skb *skb)
{
	struct ipaddr d;
	enum dst_type t;

	ip_skb_daddr(skb, &d);
	t = ip_addr_type(st, &d);
	return t == DST_BROADCAST || t == DST_MULTICAST;
}

/* Answers to a broadcast would be a weapon (R05.2). True: CONSUMED. */
static bool rcv_echo(struct stack *st, struct skb *skb)
{
	if (st->sysctl.icmp_echo_ignore_broadcasts && is_for_group(st, skb)) {
		mib_inc(st, IcmpInErrors);
		return false;
	}
	if (st->sysctl.icmp_echo_ignore_all)
		return false;
	set_type(skb, ICMP4_TYPE_ECHO_REPLY);
	reply(st, skb, skb->tos);
	return true;
}

static void rcv_timestamp(struct stack *st, struct skb *skb)
{
	uint8_t msg[TIMESTAMP_BYTES];
	uint32_t ms = (uint32_t)(clock_wall_ns(&st->pools->clock) / NS_PER_MS % MS_PER_DAY);
	struct ip_tx tx = {.proto = IPPROTO_ICMP, .tos = skb->tos, .ttl = -1};
	struct skb *out;

	if (is_for_group(st, skb) || skb_copy_bits(skb, 0, msg, sizeof(msg))) {
		mib_inc(st, IcmpInErrors);
		return;
	}
	msg[0] = ICMP4_TYPE_TIMESTAMP_REPLY;
	msg[1] = 0;
	put_be32(msg + 12, ms);
	put_be32(msg + 16, ms);
	icmp4_set_csum(msg, sizeof(msg));
	out = ip_msg_alloc(st, msg, sizeof(msg));
	if (!out)
		return;
	ip_skb_saddr(skb, &tx.daddr);
	ip_skb_daddr(skb, &tx.saddr);
	mib_inc(st, IcmpOutMsgs);
	mib_inc(st, IcmpOutEchoReps);
	ip_send(st, out, &tx);
}

/* ---- entry ---- */

static void count_in(struct stack *st, uint8_t type)
{
	static const uint16_t id_tab[ICMP4_TYPE_MAX + 1] = {
		[ICMP4_TYPE_ECHO_REPLY] = IcmpInEchoReps,
		[ICMP4_TYPE_UNREACH] = IcmpInDestUnreachs,
		[ICMP4_TYPE_SOURCE_QUENCH] = IcmpInSrcQuenchs,
		[ICMP4_TYPE_REDIRECT] = IcmpInRedirects,
		[ICMP4_TYPE_ECHO] = IcmpInEchos,
		[ICMP4_TYPE_TIME_EXCEEDED] = IcmpInTimeExcds,
		[ICMP4_TYPE_PARAM_PROB] = IcmpInParmProbs,
		[ICMP4_TYPE_TIMESTAMP] = IcmpInTimestamps,
		[ICMP4_TYPE_TIMESTAMP_REPLY] = IcmpInTimestampReps,
		[ICMP4_TYPE_MASK_REQUEST] = IcmpInAddrMasks,
		[ICMP4_TYPE_MASK_REPLY] = IcmpInAddrMaskReps,
	};

	if (type > ICMP4_TYPE_MAX)
		mib_inc(st, IcmpInErrors);
	else if (id_tab[type])
		mib_inc(st, id_tab[type]);
}

/* True: CONSUMED. */
static bool dispatch(struct stack *st, struct skb *skb)
{
	uint8_t buf[ICMP_PARSE_BYTES];
	uint32_t len = min_u32(skb->len, sizeof(buf));
	struct icmp_msg m;

	if (skb_copy_bits(skb, 0, buf, len) || icmp4_parse(buf, len, &m)) {
		mib_inc(st, IcmpInErrors);
		return false;
	}
	count_in(st, m.type);
	if (m.type == ICMP4_TYPE_ECHO)
		return rcv_echo(st, skb);
	if (m.type == ICMP4_TYPE_TIMESTAMP)
		rcv_timestamp(st, skb);
	else if (icmp4_type_is_error(m.type) && m.type != ICMP4_TYPE_REDIRECT)
		rcv_error(st, skb, &m);
	return false;
}

void icmp_rcv(struct stack *st, struct skb *skb)
{
	mib_inc(st, IcmpInMsgs);
	if (skb->len < ICMP_HDR_LEN || !skb_may_pull(st, skb, ICMP_HDR_LEN)) {
		mib_inc(st, IcmpInErrors);
	} else if (csum_fold(skb_csum(skb, 0, skb->len, 0)) != 0) {
		mib_inc(st, IcmpInErrors);
		mib_inc(st, IcmpInCsumErrors);
	} else if (dispatch(st, skb)) {
		return;
	}
	skb_free(st, skb);
}

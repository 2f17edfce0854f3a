/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP header and options (RFC 9293, 7323, 2018, 7413; rules R11, R12, T50). */
#ifndef NARU_WIRE_TCP_H
#define NARU_WIRE_TCP_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/be.h"

#define TCP_HDR_LEN 20
#define TCP_HDR_MAX 60
#define TCP_OPT_SPACE 40 /* bytes of options at most */
#define TCP_CSUM_OFF 16

#define TCPH_FIN 0x01
#define TCPH_SYN 0x02
#define TCPH_RST 0x04
#define TCPH_PSH 0x08
#define TCPH_ACK 0x10
#define TCPH_URG 0x20
#define TCPH_ECE 0x40
#define TCPH_CWR 0x80

struct tcp_hdr {
	uint16_t sport_be;
	uint16_t dport_be;
	uint32_t seq_be;
	uint32_t ack_be;
	uint8_t doff_res; /* data offset in words << 4, reserved bits below (lowest: AE) */
	uint8_t flags;    /* TCPH_x */
	uint16_t window_be;
	uint16_t csum; /* as stored: csum_fold() result */
	uint16_t urg_be;
} __attribute__((packed, may_alias));
static_assert(sizeof(struct tcp_hdr) == TCP_HDR_LEN, "TCP header layout");

/* Header length in bytes that the data offset claims: 0 .. 60, unchecked. */
static inline unsigned int tcp_hdr_len(const struct tcp_hdr *h)
{
	return (h->doff_res >> 4) * 4u;
}

static inline const uint8_t *tcp_hdr_opts(const struct tcp_hdr *h)
{
	return (const uint8_t *)h + TCP_HDR_LEN;
}

enum tcp_hdr_verdict {
	TCP_HDR_OK = 0,
	TCP_HDR_DOFF_SMALL, /* data offset < 5: TcpInErrs */
	TCP_HDR_TRUNC,      /* header or data offset beyond the packet: dropped, no counter */
};

/**
 * tcp_hdr_parse() - R11.2
 * @p, @len: TCP segment as delimited by IP, any alignment
 *
 * Return: TCP_HDR_OK means tcp_hdr_len() is 20 .. min(60, @len)
 */
static inline enum tcp_hdr_verdict tcp_hdr_parse(const void *p, uint32_t len)
{
	const struct tcp_hdr *h = p;

	if (len < TCP_HDR_LEN)
		return TCP_HDR_TRUNC;
	if (tcp_hdr_len(h) < TCP_HDR_LEN)
		return TCP_HDR_DOFF_SMALL;
	return tcp_hdr_len(h) > len ? TCP_HDR_TRUNC : TCP_HDR_OK;
}

/* Option kinds (IANA) */
#define TCP_KIND_EOL 0
#define TCP_KIND_NOP 1
#define TCP_KIND_MSS 2
#define TCP_KIND_WSCALE 3
#define TCP_KIND_SACK_PERM 4
#define TCP_KIND_SACK 5
#define TCP_KIND_TS 8
#define TCP_KIND_MD5 19
#define TCP_KIND_AO 29
#define TCP_KIND_FASTOPEN 34
#define TCP_KIND_EXP 254
#define TCP_FASTOPEN_MAGIC 0xf989 /* RFC 7413 section 4.1.1, experimental kind */

/* Bits of tcp_options.flags and tcp_options_out.flags */
#define TCP_OPT_MSS 0x001
#define TCP_OPT_WSCALE 0x002
#define TCP_OPT_SACK_PERM 0x004
#define TCP_OPT_TS 0x008
#define TCP_OPT_SACK 0x010
#define TCP_OPT_FASTOPEN 0x020     /* a cookie option of either kind; cookie_len 0 = request */
#define TCP_OPT_FASTOPEN_EXP 0x040 /* parse only: set together with FASTOPEN if it was kind 254 */
#define TCP_OPT_MD5 0x080
#define TCP_OPT_AO 0x100        /* parse only: kind 29 was present */
#define TCP_OPT_MALFORMED 0x200 /* parse only: the list ended at a bad length */

#define TCP_MAX_WSCALE_SHIFT 14 /* RFC 7323 section 2.3 */
#define TCP_MAX_SACK_BLOCKS 4
#define TCP_COOKIE_MIN 4
#define TCP_COOKIE_MAX 16
#define TCP_MD5_LEN 16

/* Bytes each option takes in a segment with its padding */
#define TCP_OPTLEN_MSS 4
#define TCP_OPTLEN_TS 12
#define TCP_OPTLEN_SACK_PERM 4
#define TCP_OPTLEN_WSCALE 4
#define TCP_OPTLEN_SACK_BASE 4
#define TCP_OPTLEN_SACK_BLOCK 8
#define TCP_OPTLEN_MD5 20

struct tcp_sack_block {
	uint32_t start; /* host order; first sequence number held */
	uint32_t end;   /* first sequence number not held */
};

struct tcp_options {
	uint16_t flags;     /* TCP_OPT_x of what was found; fields without their bit are 0 */
	uint16_t mss;       /* never 0 if TCP_OPT_MSS */
	uint8_t wscale;     /* 0 .. 14 */
	uint8_t num_sacks;  /* 1 .. 4 if TCP_OPT_SACK */
	uint8_t cookie_len; /* 0, or 4 .. 16 and even */
	uint32_t ts_val;
	uint32_t ts_ecr;
	struct tcp_sack_block sacks[TCP_MAX_SACK_BLOCKS]; /* as received: not yet validated */
	uint8_t cookie[TCP_COOKIE_MAX];
	const uint8_t *md5; /* 16 bytes inside the parsed buffer, or NULL */
};

/**
 * tcp_options_parse() - read an option list (R12)
 * @opt, @len: bytes after the 20-byte header; @len 0 .. 40 (a larger value reads 40 bytes)
 * @is_syn:    MSS, window scale, SACK-permitted and Fast Open count only in SYN segments
 *
 * Stops at EOL and at a bad length (keeping what came before, TCP_OPT_MALFORMED set). A wrong
 * length of a known kind skips that option. The last of several equal options wins. Never fails.
 */
void tcp_options_parse(const uint8_t *opt, int len, bool is_syn, struct tcp_options *ret_opts);

/**
 * tcp_options_parse_aligned_ts() - fast path R12.9: exactly NOP NOP 8 10 val ecr and nothing else
 *
 * Return: true with both outputs written; false: use tcp_options_parse()
 */
static inline bool tcp_options_parse_aligned_ts(const uint8_t *opt, int len, uint32_t *ret_val,
						uint32_t *ret_ecr)
{
	if (len != TCP_OPTLEN_TS || get_be32(opt) != 0x0101080a)
		return false;
	*ret_val = get_be32(opt + 4);
	*ret_ecr = get_be32(opt + 8);
	return true;
}

/**
 * tcp_options_build_ts() - fast path of an ordinary segment: timestamps alone, as T50 writes them
 * @out: room for TCP_OPTLEN_TS bytes
 *
 * Return: TCP_OPTLEN_TS
 */
static inline int tcp_options_build_ts(uint8_t *out, uint32_t val, uint32_t ecr)
{
	put_be32(out, 0x0101080a);
	put_be32(out + 4, val);
	put_be32(out + 8, ecr);
	return TCP_OPTLEN_TS;
}

struct tcp_options_out {
	uint16_t flags; /* TCP_OPT_MSS|WSCALE|SACK_PERM|TS|SACK|FASTOPEN|MD5 to write */
	uint16_t mss;
	uint8_t wscale;
	uint8_t num_sacks;  /* wanted; as many as fit are written */
	uint8_t cookie_len; /* 0 = request, else 4 .. 16, even */
	bool cookie_exp;    /* write kind 254 with the magic number instead of kind 34 */
	uint32_t ts_val;
	uint32_t ts_ecr;
	struct tcp_sack_block sacks[TCP_MAX_SACK_BLOCKS]; /* D-SACK first, if any */
	const uint8_t *cookie;
	uint8_t *ret_md5; /* set by tcp_options_build(): 16 zero bytes to fill, or NULL */
};

/* SACK blocks that still fit after @used bytes of other options: 0 .. 4. */
static inline unsigned int tcp_options_sack_room(unsigned int used)
{
	unsigned int n;

	if (used + TCP_OPTLEN_SACK_BASE + TCP_OPTLEN_SACK_BLOCK > TCP_OPT_SPACE)
		return 0;
	n = (TCP_OPT_SPACE - used - TCP_OPTLEN_SACK_BASE) / TCP_OPTLEN_SACK_BLOCK;
	return n > TCP_MAX_SACK_BLOCKS ? TCP_MAX_SACK_BLOCKS : n;
}

/**
 * tcp_options_len() - bytes tcp_options_build() would write for @o
 *
 * Room goes in wire order (T50): MD5, MSS, timestamps, SACK-permitted, window scale, SACK, cookie.
 * What does not fit in 40 bytes is left out.
 *
 * Return: 0 .. 40, a multiple of 4
 */
int tcp_options_len(const struct tcp_options_out *o);

/** tcp_options_cookie_fits() - would the Fast Open option of @o be written */
bool tcp_options_cookie_fits(const struct tcp_options_out *o);

/** tcp_options_sacks_written() - how many of @o->num_sacks blocks would be written */
unsigned int tcp_options_sacks_written(const struct tcp_options_out *o);

/**
 * tcp_options_build() - write the options in the exact order and alignment of T50
 * @out: room for tcp_options_len(@o) bytes
 * @o:   only ret_md5 is changed
 *
 * Return: bytes written, equal to tcp_options_len(@o)
 */
int tcp_options_build(uint8_t *out, struct tcp_options_out *o);

#endif

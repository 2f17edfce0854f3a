/* SPDX-License-Identifier: BSD-2-Clause */
/* Builders of pcapng blocks into the caller's buffer (draft-ietf-opsawg-pcapng). */
#ifndef NARU_WIRE_PCAPNG_H
#define NARU_WIRE_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

#define PCAPNG_LINKTYPE_ETHERNET 1
#define PCAPNG_LINKTYPE_RAW 101 /* starts with the IPv4 or IPv6 header */

/* epb_flags option, direction bits */
#define PCAPNG_DIR_UNKNOWN 0
#define PCAPNG_DIR_IN 1
#define PCAPNG_DIR_OUT 2

#define PCAPNG_COMMENT_MAX 1024 /* bytes; longer comments are cut */

/**
 * pcapng_shb() - section header: first block of a file, host byte order
 * @app: name for shb_userappl, or NULL
 *
 * Return: bytes written (multiple of 4); -ENOSPC if @cap is too small (nothing written)
 */
int pcapng_shb(uint8_t *out, size_t cap, const char *app);

/**
 * pcapng_idb() - interface description with nanosecond timestamps; interfaces count from 0
 * @snaplen: bytes, 0 = no limit
 * @name:    if_name, or NULL
 *
 * Return: as pcapng_shb()
 */
int pcapng_idb(uint8_t *out, size_t cap, uint16_t linktype, uint32_t snaplen, const char *name);

struct pcapng_epb {
	uint32_t if_id;
	uint32_t cap_len;     /* bytes at data */
	uint32_t orig_len;    /* bytes on the wire, >= cap_len */
	uint32_t comment_len; /* bytes of UTF-8 at comment; 0 = no comment */
	uint64_t ts_ns;       /* since 1970 */
	const uint8_t *data;
	const char *comment;
	uint8_t direction; /* PCAPNG_DIR_x; UNKNOWN writes no option */
};

/** pcapng_epb_len() - bytes pcapng_epb() needs for @e */
size_t pcapng_epb_len(const struct pcapng_epb *e);

/**
 * pcapng_epb() - enhanced packet block
 *
 * Return: pcapng_epb_len(@e); -ENOSPC if @cap is too small (nothing written)
 */
int pcapng_epb(uint8_t *out, size_t cap, const struct pcapng_epb *e);

#endif

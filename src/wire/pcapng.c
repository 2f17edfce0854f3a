/* SPDX-License-Identifier: BSD-2-Clause */
/* pcapng blocks: section header, interface description, enhanced packet. */
/*
 * How it works
 *
 * A block is type, total length, body, options, total length again, in the byte order of the
 * writing machine, padded to four bytes. Each builder computes the exact length first and writes
 * only if it fits, so a capture file never ends in half a block because of a small buffer.
 *
 * draft-ietf-opsawg-pcapng sections 3.1, 3.5, 4.1, 4.2, 4.3.
 */
#include "wire/pcapng.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define BLOCK_SHB 0x0a0d0d0au
#define BLOCK_IDB 1u
#define BLOCK_EPB 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define OPT_END 0
#define OPT_COMMENT 1
#define OPT_SHB_USERAPPL 4
#define OPT_IF_NAME 2
#define OPT_IF_TSRESOL 9
#define OPT_EPB_FLAGS 2
#define TSRESOL_NS 9 /* 10^-9 s */

#define BLOCK_FRAME_BYTES 12 /* type and the two lengths */
#define OPT_HDR_BYTES 4
#define SHB_BODY_BYTES 16
#define IDB_BODY_BYTES 8
#define EPB_BODY_BYTES 20
#define NAME_MAX_BYTES 256

static size_t pad4(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static size_t opt_len(size_t value_len)
{
	return OPT_HDR_BYTES + pad4(value_len);
}

static uint8_t *put16(uint8_t *w, uint16_t v)
{
	memcpy(w, &v, sizeof(v));
	return w + sizeof(v);
}

static uint8_t *put32(uint8_t *w, uint32_t v)
{
	memcpy(w, &v, sizeof(v));
	return w + sizeof(v);
}

static uint8_t *put_padded(uint8_t *w, const void *data, size_t len)
{
	if (len)
		memcpy(w, data, len);
	memset(w + len, 0, pad4(len) - len);
	return w + pad4(len);
}

static uint8_t *put_opt(uint8_t *w, uint16_t code, const void *value, size_t len)
{
	w = put16(w, code);
	w = put16(w, (uint16_t)len);
	return put_padded(w, value, len);
}

static size_t name_len(const char *name)
{
	return name ? strnlen(name, NAME_MAX_BYTES) : 0;
}

int pcapng_shb(uint8_t *out, size_t cap, const char *app)
{
	size_t app_len = name_len(app);
	size_t total = BLOCK_FRAME_BYTES + SHB_BODY_BYTES;
	uint8_t *w = out;

	if (app_len)
		total += opt_len(app_len) + opt_len(0);
	if (total > cap)
		return -ENOSPC;
	w = put32(w, BLOCK_SHB);
	w = put32(w, (uint32_t)total);
	w = put32(w, BYTE_ORDER_MAGIC);
	w = put16(w, 1); /* version 1.0 */
	w = put16(w, 0);
	w = put32(w, 0xffffffff); /* section length: not known */
	w = put32(w, 0xffffffff);
	if (app_len) {
		w = put_opt(w, OPT_SHB_USERAPPL, app, app_len);
		w = put_opt(w, OPT_END, NULL, 0);
	}
	put32(w, (uint32_t)total);
	return (int)total;
}

int pcapng_idb(uint8_t *out, size_t cap, uint16_t linktype, uint32_t snaplen, const char *name)
{
	static const uint8_t tsresol = TSRESOL_NS;
	size_t if_len = name_len(name);
	size_t total = BLOCK_FRAME_BYTES + IDB_BODY_BYTES + opt_len(1) + opt_len(0);
	uint8_t *w = out;

	if (if_len)
		total += opt_len(if_len);
	if (total > cap)
		return -ENOSPC;
	w = put32(w, BLOCK_IDB);
	w = put32(w, (uint32_t)total);
	w = put16(w, linktype);
	w = put16(w, 0);
	w = put32(w, snaplen);
	if (if_len)
		w = put_opt(w, OPT_IF_NAME, name, if_len);
	w = put_opt(w, OPT_IF_TSRESOL, &tsresol, 1);
	w = put_opt(w, OPT_END, NULL, 0);
	put32(w, (uint32_t)total);
	return (int)total;
}

static size_t comment_len(const struct pcapng_epb *e)
{
	return e->comment_len < PCAPNG_COMMENT_MAX ? e->comment_len : PCAPNG_COMMENT_MAX;
}

size_t pcapng_epb_len(const struct pcapng_epb *e)
{
	size_t total = BLOCK_FRAME_BYTES + EPB_BODY_BYTES + pad4(e->cap_len);

	if (comment_len(e))
		total += opt_len(comment_len(e));
	if (e->direction)
		total += opt_len(4);
	if (comment_len(e) || e->direction)
		total += opt_len(0);
	return total;
}

int pcapng_epb(uint8_t *out, size_t cap, const struct pcapng_epb *e)
{
	size_t total = pcapng_epb_len(e);
	uint32_t flags = e->direction;
	uint8_t *w = out;

	if (total > cap || total > INT_MAX)
		return -ENOSPC;
	w = put32(w, BLOCK_EPB);
	w = put32(w, (uint32_t)total);
	w = put32(w, e->if_id);
	w = put32(w, (uint32_t)(e->ts_ns >> 32));
	w = put32(w, (uint32_t)e->ts_ns);
	w = put32(w, e->cap_len);
	w = put32(w, e->orig_len);
	w = put_padded(w, e->data, e->cap_len);
	if (comment_len(e))
		w = put_opt(w, OPT_COMMENT, e->comment, comment_len(e));
	if (e->direction)
		w = put_opt(w, OPT_EPB_FLAGS, &flags, sizeof(flags));
	if (comment_len(e) || e->direction)
		w = put_opt(w, OPT_END, NULL, 0);
	put32(w, (uint32_t)total);
	return (int)total;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Payload of a packet: copy, sum, cut, shift, append. */
/*
 * How it works: packet offset 0 is the first linear byte; after the linear part come the fragments in
 * order. Payload regions are shared between packets by reference, so nothing here writes to a fragment
 * except skb_store_bits() and the append to space that was just taken from a page_frag.
 *
 * Fragments never have length 0. Adjacent fragments of one region are merged where they meet.
 */
#include <errno.h>
#include <sys/uio.h>

#include "base/ucopy.h"
#include "core/skb.h"
#include "core/stack.h"
#include "wire/csum.h"

static uint8_t *frag_bytes(const struct frag *f)
{
	return f->region->data + f->off;
}

/* Part of one packet that lies contiguous in memory. */
struct piece {
	uint8_t *p;
	uint32_t len;
};

/* The @idx-th contiguous part (0: linear) cut to [off, off+len); *pos: packet offset of the part's start. */
static bool piece_at(const struct skb *s, unsigned int idx, uint32_t off, uint32_t len,
		     uint32_t *pos, struct piece *ret)
{
	uint8_t *p = idx ? frag_bytes(&s->frags[idx - 1]) : skb_data(s);
	uint32_t plen = idx ? s->frags[idx - 1].len : skb_headlen(s);
	uint32_t start = *pos, end = start + plen;
	uint32_t from = max_u32(off, start), to = min_u32(off + len, end);

	*pos = end;
	if (from >= to)
		return false;
	ret->p = p + (from - start);
	ret->len = to - from;
	return true;
}

static bool range_ok(const struct skb *s, uint32_t off, uint32_t len)
{
	return off <= s->len && len <= s->len - off;
}

int skb_copy_bits(const struct skb *s, uint32_t off, void *to, uint32_t len)
{
	uint8_t *out = to;
	uint32_t pos = 0;
	struct piece p;

	if (!range_ok(s, off, len))
		return -EFAULT;
	for (unsigned int i = 0; i <= s->nr_frags && pos < off + len; i++) {
		if (!piece_at(s, i, off, len, &pos, &p))
			continue;
		memcpy(out, p.p, p.len);
		out += p.len;
	}
	return 0;
}

int skb_copy_to_user(const struct skb *s, uint32_t off, void *user_to, uint32_t len)
{
	uint8_t *out = user_to;
	uint32_t pos = 0;
	struct piece p;

	if (!range_ok(s, off, len) || !user_range_ok(user_to, len))
		return -EFAULT;
	for (unsigned int i = 0; i <= s->nr_frags && pos < off + len; i++) {
		if (!piece_at(s, i, off, len, &pos, &p))
			continue;
		if (ucopy_to_user(out, p.p, p.len))
			return -EFAULT;
		out += p.len;
	}
	return 0;
}

int skb_store_bits(struct skb *s, uint32_t off, const void *from, uint32_t len)
{
	const uint8_t *in = from;
	uint32_t pos = 0;
	struct piece p;

	if (!range_ok(s, off, len))
		return -EFAULT;
	for (unsigned int i = 0; i <= s->nr_frags && pos < off + len; i++) {
		if (!piece_at(s, i, off, len, &pos, &p))
			continue;
		memcpy(p.p, in, p.len);
		in += p.len;
	}
	return 0;
}

uint32_t skb_csum(const struct skb *s, uint32_t off, uint32_t len, uint32_t sum)
{
	uint32_t pos = 0, done = 0;
	struct piece p;

	if (!range_ok(s, off, len))
		return sum;
	for (unsigned int i = 0; i <= s->nr_frags && pos < off + len; i++) {
		if (!piece_at(s, i, off, len, &pos, &p))
			continue;
		sum = csum_block_add(sum, csum_partial(p.p, p.len, 0), done);
		done += p.len;
	}
	return sum;
}

int skb_iov(const struct skb *s, struct iovec *iov, int max)
{
	int n = 0;

	if (max < (skb_headlen(s) != 0) + s->nr_frags)
		return -EMSGSIZE;
	if (skb_headlen(s))
		iov[n++] = (struct iovec){skb_data(s), skb_headlen(s)};
	for (unsigned int i = 0; i < s->nr_frags; i++)
		iov[n++] = (struct iovec){frag_bytes(&s->frags[i]), s->frags[i].len};
	return n;
}

/* ---- fragments ---- */

static bool frag_continues(const struct frag *f, const struct page_region *r, uint32_t off)
{
	return f->region == r && f->off + f->len == off;
}

bool skb_add_frag(struct stack *st, struct skb *s, struct page_region *r, uint32_t off, uint32_t len)
{
	struct frag *last = s->nr_frags ? &s->frags[s->nr_frags - 1] : NULL;

	if (last && frag_continues(last, r, off)) {
		last->len += len;
		page_region_put(st->pools->pages, r);
	} else {
		if (s->nr_frags == SKB_MAX_FRAGS)
			return false;
		s->frags[s->nr_frags++] = (struct frag){r, off, len};
	}
	s->len += len;
	s->data_len += len;
	return true;
}

/* Forget the first @n fragments; their references were dropped or moved. */
static void frags_remove_front(struct skb *s, unsigned int n)
{
	if (!n)
		return;
	s->nr_frags -= n;
	memmove(s->frags, s->frags + n, s->nr_frags * sizeof(s->frags[0]));
}

/* Drop @n payload bytes from the front of the fragments. */
static void frags_trim_head(struct stack *st, struct skb *s, uint32_t n)
{
	unsigned int gone = 0;

	s->len -= n;
	s->data_len -= n;
	while (n && n >= s->frags[gone].len) {
		n -= s->frags[gone].len;
		page_region_put(st->pools->pages, s->frags[gone].region);
		gone++;
	}
	if (n) {
		s->frags[gone].off += n;
		s->frags[gone].len -= n;
	}
	frags_remove_front(s, gone);
}

bool skb_may_pull(struct stack *st, struct skb *s, uint32_t n)
{
	uint32_t need;

	if (likely(n <= skb_headlen(s)))
		return true;
	if (n > s->len)
		return false;
	need = n - skb_headlen(s);
	if (need > skb_tailroom(s))
		return false;
	if (skb_copy_bits(s, skb_headlen(s), s->head + s->tail_off, need))
		return false;
	frags_trim_head(st, s, need);
	s->tail_off += need;
	s->len += need; /* frags_trim_head() took it off */
	return true;
}

void skb_trim_head(struct stack *st, struct skb *s, uint32_t n)
{
	uint32_t linear = min_u32(n, skb_headlen(s));

	BUG_ON(n > s->len);
	skb_pull(s, linear);
	if (n > linear)
		frags_trim_head(st, s, n - linear);
}

void skb_trim_tail(struct stack *st, struct skb *s, uint32_t len)
{
	uint32_t headlen = skb_headlen(s), keep;

	if (len >= s->len)
		return;
	if (len < headlen)
		s->tail_off = (uint16_t)(s->data_off + len);
	keep = len > headlen ? len - headlen : 0;
	s->len = len;
	s->data_len = keep;
	for (unsigned int i = 0; i < s->nr_frags; i++) {
		struct frag *f = &s->frags[i];

		if (keep >= f->len) {
			keep -= f->len;
			continue;
		}
		if (keep) {
			f->len = keep;
			keep = 0;
			continue;
		}
		for (unsigned int k = i; k < s->nr_frags; k++)
			page_region_put(st->pools->pages, s->frags[k].region);
		s->nr_frags = (uint8_t)i;
		return;
	}
}

void skb_split(struct stack *st, struct skb *s, struct skb *to, uint32_t len)
{
	uint32_t headlen = skb_headlen(s), pos;
	unsigned int i = 0;

	(void)st;
	DEBUG_CHECK(to->len == 0 && len <= s->len);
	if (len < headlen) {
		memcpy(skb_put(to, headlen - len), skb_data(s) + len, headlen - len);
		s->tail_off = (uint16_t)(s->data_off + len);
	}
	pos = len > headlen ? len - headlen : 0; /* payload that stays in fragments */
	while (i < s->nr_frags && pos >= s->frags[i].len)
		pos -= s->frags[i++].len;
	for (unsigned int k = i; k < s->nr_frags; k++)
		to->frags[to->nr_frags++] = s->frags[k];
	if (pos) { /* the cut goes through fragment i: both keep a reference */
		page_region_get(s->frags[i].region);
		s->frags[i].len = pos;
		to->frags[0].off += pos;
		to->frags[0].len -= pos;
		i++;
	}
	s->nr_frags = (uint8_t)i;
	to->data_len = s->data_len - (len > headlen ? len - headlen : 0);
	to->len = s->len - len;
	s->data_len -= to->data_len;
	s->len = len;
}

uint32_t skb_shift(struct stack *st, struct skb *to, struct skb *from, uint32_t len)
{
	unsigned int need = 0;
	uint32_t left, moved = 0;

	len = min_u32(len, from->data_len);
	if (!len || skb_headlen(from))
		return 0;
	left = len;
	for (unsigned int i = 0; left; i++) {
		const struct frag *f = &from->frags[i];

		if (i || !to->nr_frags ||
		    !frag_continues(&to->frags[to->nr_frags - 1], f->region, f->off))
			need++;
		left -= min_u32(left, f->len);
	}
	if (to->nr_frags + need > SKB_MAX_FRAGS)
		return 0;
	for (unsigned int i = 0; moved < len; i++) {
		const struct frag *f = &from->frags[i];
		uint32_t n = min_u32(len - moved, f->len);

		page_region_get(f->region);
		if (!skb_add_frag(st, to, f->region, f->off, n))
			BUG_ON(true); /* counted above; adjacent ones only need less */
		moved += n;
	}
	frags_trim_head(st, from, len);
	return len;
}

bool skb_append_copy(struct stack *st, struct skb *s, struct page_frag *pf, const void *data,
		     uint32_t len)
{
	const uint8_t *in = data;
	uint32_t old_len = s->len;

	while (len) {
		uint32_t n;

		if (!page_frag_refill(st->pools->pages, pf, 1))
			goto out_trim;
		n = min_u32(len, pf->region->size - pf->off);
		memcpy(pf->region->data + pf->off, in, n);
		page_region_get(pf->region);
		if (!skb_add_frag(st, s, pf->region, pf->off, n)) {
			page_region_put(st->pools->pages, pf->region);
			goto out_trim;
		}
		pf->off += n;
		in += n;
		len -= n;
	}
	return true;

out_trim:
	skb_trim_tail(st, s, old_len);
	return false;
}

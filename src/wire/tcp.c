/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP options: reading any list, writing ours. */
/*
 * How it works
 *
 * Reading is one bounded walk over at most 40 bytes. Whether an option may be used (negotiated,
 * enabled) is the caller's business; here only "well-formed, and allowed in this kind of segment".
 *
 * Writing goes through a plan: which groups fit, in wire order, each padded to four bytes (T50).
 * Length queries and the writer use the same plan, so they cannot disagree.
 *
 * RFC 9293 section 3.1, RFC 7323, RFC 2018, RFC 2385, RFC 7413; rules R12, T50, T93.1.
 */
#include "wire/tcp.h"

#define TS_OPT_BYTES 10
#define MD5_OPT_BYTES 18
#define EXP_MAGIC_BYTES 2

static void take_cookie(const uint8_t *bytes, int len, uint16_t flags, struct tcp_options *o)
{
	bool is_size_ok = len == 0 || (len >= TCP_COOKIE_MIN && len <= TCP_COOKIE_MAX);

	if (!is_size_ok || (len & 1))
		return;
	o->flags = (uint16_t)((o->flags & ~TCP_OPT_FASTOPEN_EXP) | flags);
	o->cookie_len = (uint8_t)len;
	memset(o->cookie, 0, sizeof(o->cookie));
	memcpy(o->cookie, bytes, (size_t)len);
}

static void take_sacks(const uint8_t *data, int len, struct tcp_options *o)
{
	int n = len / TCP_OPTLEN_SACK_BLOCK;

	if (n < 1 || n > TCP_MAX_SACK_BLOCKS || len % TCP_OPTLEN_SACK_BLOCK)
		return;
	o->flags |= TCP_OPT_SACK;
	memset(o->sacks, 0, sizeof(o->sacks));
	o->num_sacks = (uint8_t)n;
	for (int i = 0; i < n; i++, data += TCP_OPTLEN_SACK_BLOCK) {
		o->sacks[i].start = get_be32(data);
		o->sacks[i].end = get_be32(data + 4);
	}
}

/* Options that count only in a SYN; @data is @len bytes after kind and length. */
static void take_syn_option(uint8_t kind, const uint8_t *data, int len, struct tcp_options *o)
{
	switch (kind) {
	case TCP_KIND_MSS:
		if (len != 2 || get_be16(data) == 0)
			return;
		o->mss = get_be16(data);
		o->flags |= TCP_OPT_MSS;
		break;
	case TCP_KIND_WSCALE:
		if (len != 1)
			return;
		o->wscale = data[0] > TCP_MAX_WSCALE_SHIFT ? TCP_MAX_WSCALE_SHIFT : data[0];
		o->flags |= TCP_OPT_WSCALE;
		break;
	case TCP_KIND_SACK_PERM:
		if (len == 0)
			o->flags |= TCP_OPT_SACK_PERM;
		break;
	case TCP_KIND_FASTOPEN: take_cookie(data, len, TCP_OPT_FASTOPEN, o); break;
	case TCP_KIND_EXP:
		if (len >= EXP_MAGIC_BYTES && get_be16(data) == TCP_FASTOPEN_MAGIC)
			take_cookie(data + EXP_MAGIC_BYTES, len - EXP_MAGIC_BYTES,
				    TCP_OPT_FASTOPEN | TCP_OPT_FASTOPEN_EXP, o);
		break;
	}
}

static void take_option(uint8_t kind, const uint8_t *data, int len, bool is_syn,
			struct tcp_options *o)
{
	switch (kind) {
	case TCP_KIND_TS:
		if (len != TS_OPT_BYTES - 2)
			return;
		o->ts_val = get_be32(data);
		o->ts_ecr = get_be32(data + 4);
		o->flags |= TCP_OPT_TS;
		break;
	case TCP_KIND_SACK: take_sacks(data, len, o); break;
	case TCP_KIND_MD5:
		if (len != TCP_MD5_LEN)
			return;
		o->md5 = data;
		o->flags |= TCP_OPT_MD5;
		break;
	case TCP_KIND_AO: o->flags |= TCP_OPT_AO; break;
	default:
		if (is_syn)
			take_syn_option(kind, data, len, o);
	}
}

void tcp_options_parse(const uint8_t *opt, int len, bool is_syn, struct tcp_options *ret_opts)
{
	struct tcp_options o = {0};
	int at = 0;

	if (len > TCP_OPT_SPACE)
		len = TCP_OPT_SPACE;
	while (at < len && opt[at] != TCP_KIND_EOL) {
		int opt_len;

		if (opt[at] == TCP_KIND_NOP) {
			at++;
			continue;
		}
		opt_len = len - at < 2 ? 0 : opt[at + 1];
		if (opt_len < 2 || opt_len > len - at) {
			o.flags |= TCP_OPT_MALFORMED;
			break;
		}
		take_option(opt[at], opt + at + 2, opt_len - 2, is_syn, &o);
		at += opt_len;
	}
	*ret_opts = o;
}

/* What is written; every length is a multiple of four, 0 = left out. */
struct plan {
	uint8_t md5, mss, ts, sack_perm, wscale, sack, cookie;
	uint8_t num_sacks;
	int total;
};

/* Reserve @need bytes if the flag is set and they fit. */
static uint8_t reserve(struct plan *p, bool is_wanted, unsigned int need)
{
	if (!is_wanted || (unsigned int)p->total + need > TCP_OPT_SPACE)
		return 0;
	p->total += (int)need;
	return (uint8_t)need;
}

static unsigned int cookie_opt_bytes(const struct tcp_options_out *o)
{
	return 2u + (o->cookie_exp ? EXP_MAGIC_BYTES : 0) + o->cookie_len;
}

static struct plan plan_options(const struct tcp_options_out *o)
{
	struct plan p = {0};
	unsigned int room;

	p.md5 = reserve(&p, o->flags & TCP_OPT_MD5, TCP_OPTLEN_MD5);
	p.mss = reserve(&p, o->flags & TCP_OPT_MSS, TCP_OPTLEN_MSS);
	p.ts = reserve(&p, o->flags & TCP_OPT_TS, TCP_OPTLEN_TS);
	/* SACK-permitted takes the two padding bytes of the timestamps when both are sent. */
	p.sack_perm = reserve(&p, (o->flags & TCP_OPT_SACK_PERM) && !p.ts, TCP_OPTLEN_SACK_PERM);
	p.wscale = reserve(&p, o->flags & TCP_OPT_WSCALE, TCP_OPTLEN_WSCALE);
	if ((o->flags & TCP_OPT_SACK) && o->num_sacks) {
		room = tcp_options_sack_room((unsigned int)p.total);
		p.num_sacks = o->num_sacks < room ? o->num_sacks : (uint8_t)room;
		p.sack = reserve(&p, p.num_sacks > 0,
				 TCP_OPTLEN_SACK_BASE + p.num_sacks * TCP_OPTLEN_SACK_BLOCK);
	}
	p.cookie = reserve(&p, (o->flags & TCP_OPT_FASTOPEN) && o->cookie_len <= TCP_COOKIE_MAX,
			   (cookie_opt_bytes(o) + 3) & ~3u);
	return p;
}

int tcp_options_len(const struct tcp_options_out *o)
{
	return plan_options(o).total;
}

bool tcp_options_cookie_fits(const struct tcp_options_out *o)
{
	return plan_options(o).cookie > 0;
}

unsigned int tcp_options_sacks_written(const struct tcp_options_out *o)
{
	return plan_options(o).num_sacks;
}

static uint8_t *put4(uint8_t *w, uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	w[0] = a;
	w[1] = b;
	w[2] = c;
	w[3] = d;
	return w + 4;
}

static uint8_t *write_ts(uint8_t *w, const struct tcp_options_out *o)
{
	if (o->flags & TCP_OPT_SACK_PERM)
		w = put4(w, TCP_KIND_SACK_PERM, 2, TCP_KIND_TS, TS_OPT_BYTES);
	else
		w = put4(w, TCP_KIND_NOP, TCP_KIND_NOP, TCP_KIND_TS, TS_OPT_BYTES);
	put_be32(w, o->ts_val);
	put_be32(w + 4, o->ts_ecr);
	return w + 8;
}

static uint8_t *write_sacks(uint8_t *w, const struct tcp_options_out *o, uint8_t num)
{
	w = put4(w, TCP_KIND_NOP, TCP_KIND_NOP, TCP_KIND_SACK,
		 (uint8_t)(2 + num * TCP_OPTLEN_SACK_BLOCK));
	for (int i = 0; i < num; i++, w += TCP_OPTLEN_SACK_BLOCK) {
		put_be32(w, o->sacks[i].start);
		put_be32(w + 4, o->sacks[i].end);
	}
	return w;
}

static uint8_t *write_cookie(uint8_t *w, const struct tcp_options_out *o, uint8_t room)
{
	unsigned int opt_bytes = cookie_opt_bytes(o), at = 2;

	w[0] = o->cookie_exp ? TCP_KIND_EXP : TCP_KIND_FASTOPEN;
	w[1] = (uint8_t)opt_bytes;
	if (o->cookie_exp) {
		put_be16(w + 2, TCP_FASTOPEN_MAGIC);
		at += EXP_MAGIC_BYTES;
	}
	if (o->cookie_len)
		memcpy(w + at, o->cookie, o->cookie_len);
	memset(w + opt_bytes, TCP_KIND_NOP, room - opt_bytes);
	return w + room;
}

int tcp_options_build(uint8_t *out, struct tcp_options_out *o)
{
	const struct plan p = plan_options(o);
	uint8_t *w = out;

	o->ret_md5 = NULL;
	if (p.md5) {
		w = put4(w, TCP_KIND_NOP, TCP_KIND_NOP, TCP_KIND_MD5, MD5_OPT_BYTES);
		memset(w, 0, TCP_MD5_LEN);
		o->ret_md5 = w;
		w += TCP_MD5_LEN;
	}
	if (p.mss)
		w = put4(w, TCP_KIND_MSS, 4, (uint8_t)(o->mss >> 8), (uint8_t)o->mss);
	if (p.ts)
		w = write_ts(w, o);
	if (p.sack_perm)
		w = put4(w, TCP_KIND_NOP, TCP_KIND_NOP, TCP_KIND_SACK_PERM, 2);
	if (p.wscale)
		w = put4(w, TCP_KIND_NOP, TCP_KIND_WSCALE, 3, o->wscale);
	if (p.sack)
		w = write_sacks(w, o, p.num_sacks);
	if (p.cookie)
		write_cookie(w, o, p.cookie);
	return p.total;
}

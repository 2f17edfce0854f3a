/* SPDX-License-Identifier: BSD-2-Clause */
/* Text forms, prefixes and sockaddr conversion of struct ipaddr. */
/*
 * How it works
 *
 * Numbers are read by the C library's inet_pton(), which is strict and has no state; text is
 * written here because RFC 5952 leaves one right spelling and the library has another one for
 * addresses such as ::1.2.3.4. A prefix length always counts from the first of the 128 bits.
 *
 * RFC 4291 (addresses), RFC 5952 (text), RFC 3493 (sockaddr_in6).
 */
#include "wire/ipaddr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

/* sockaddr_in6 without sin6_scope_id, as programs of RFC 2133 times pass it */
#define SIN6_LEN_MIN 24

bool ipaddr_prefix_match(const struct ipaddr *a, const struct ipaddr *b, unsigned int plen128)
{
	struct ipaddr ma = ipaddr_mask(a, plen128), mb = ipaddr_mask(b, plen128);

	return ipaddr_eq(&ma, &mb);
}

/* Mask of the first @bits bits of a 64-bit word, network order. */
static uint64_t mask64_be(unsigned int bits)
{
	if (bits == 0)
		return 0;
	return bits >= 64 ? ~0ull : cpu_to_be64(~0ull << (64 - bits));
}

struct ipaddr ipaddr_mask(const struct ipaddr *a, unsigned int plen128)
{
	struct ipaddr m = *a;

	m.q[0] &= mask64_be(plen128);
	m.q[1] &= mask64_be(plen128 > 64 ? plen128 - 64 : 0);
	return m;
}

struct ipaddr ipaddr_solicited_node(const struct ipaddr *a)
{
	return (struct ipaddr){
		.b = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a->b[13], a->b[14], a->b[15]}};
}

static char *put_dec(char *p, unsigned int v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *put_hex(char *p, unsigned int v)
{
	static const char digits[] = "0123456789abcdef";
	int shift = v >= 0x1000 ? 12 : v >= 0x100 ? 8 : v >= 0x10 ? 4 : 0;

	for (; shift >= 0; shift -= 4)
		*p++ = digits[(v >> shift) & 15];
	return p;
}

static char *format_v4(const uint8_t *b, char *p)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			*p++ = '.';
		p = put_dec(p, b[i]);
	}
	return p;
}

/* RFC 5952 section 4.2: the first of the longest runs of two or more zero groups becomes "::". */
static int longest_zero_run(const uint8_t *b, int *ret_len)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8;) {
		int n = 0;

		while (i + n < 8 && get_be16(b + 2 * (i + n)) == 0)
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
		i += n + 1;
	}
	*ret_len = best_len;
	return best;
}

static char *format_v6(const uint8_t *b, char *p)
{
	int run_len, run = longest_zero_run(b, &run_len);

	for (int i = 0; i < 8; i++) {
		if (i == run) {
			*p++ = ':';
			*p++ = ':';
			i += run_len - 1;
			continue;
		}
		if (i && i != run + run_len)
			*p++ = ':';
		else if (i && run < 0)
			*p++ = ':';
		p = put_hex(p, get_be16(b + 2 * i));
	}
	return p;
}

char *ipaddr_format(const struct ipaddr *a, char *out, size_t size)
{
	char text[IPADDR_STR_MAX];
	char *end = ipaddr_is_v4(a) ? format_v4(a->b + 12, text) : format_v6(a->b, text);
	size_t len = (size_t)(end - text);

	if (size == 0)
		return out;
	if (len >= size)
		len = 0;
	memcpy(out, text, len);
	out[len] = 0;
	return out;
}

int ipaddr_parse(const char *text, struct ipaddr *ret_addr)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1)
		*ret_addr = ipaddr_from_v4(v4.s_addr);
	else if (inet_pton(AF_INET6, text, &v6) == 1)
		*ret_addr = ipaddr_from_v6(&v6);
	else
		return -EINVAL;
	return 0;
}

/* One to three decimal digits, nothing else, at most @max. */
static int parse_plen(const char *text, unsigned int max, unsigned int *ret_plen)
{
	unsigned int v = 0;
	int n = 0;

	for (; text[n] >= '0' && text[n] <= '9' && n < 3; n++)
		v = v * 10 + (unsigned int)(text[n] - '0');
	if (n == 0 || text[n] || v > max)
		return -EINVAL;
	*ret_plen = v;
	return 0;
}

int ipaddr_parse_prefix(const char *text, struct ipaddr *ret_addr, unsigned int *ret_plen128)
{
	const char *slash = strchr(text, '/');
	size_t addr_len = slash ? (size_t)(slash - text) : strlen(text);
	bool is_dotted = !memchr(text, ':', addr_len);
	unsigned int plen = is_dotted ? 32 : 128;
	char addr_text[IPADDR_STR_MAX];
	struct ipaddr addr;

	if (addr_len >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, addr_len);
	addr_text[addr_len] = 0;
	if (ipaddr_parse(addr_text, &addr) || (slash && parse_plen(slash + 1, plen, &plen)))
		return -EINVAL;
	*ret_addr = addr;
	*ret_plen128 = plen + (is_dotted ? IPADDR_V4_PLEN_BASE : 0);
	return 0;
}

static int from_sockaddr_v6(const struct sockaddr_storage *ss, socklen_t len,
			    struct ipaddr *ret_addr, uint16_t *ret_port, uint32_t *ret_scope_id)
{
	struct sockaddr_in6 sin6 = {0};

	if (len < SIN6_LEN_MIN)
		return -EINVAL;
	memcpy(&sin6, ss, len < sizeof(sin6) ? SIN6_LEN_MIN : sizeof(sin6));
	*ret_addr = ipaddr_from_v6(&sin6.sin6_addr);
	*ret_port = be16_to_cpu(sin6.sin6_port);
	if (ret_scope_id)
		*ret_scope_id = sin6.sin6_scope_id;
	return 0;
}

int ipaddr_from_sockaddr(const struct sockaddr_storage *ss, socklen_t len, struct ipaddr *ret_addr,
			 uint16_t *ret_port, uint32_t *ret_scope_id)
{
	struct sockaddr_in sin;
	sa_family_t family;

	if (len < sizeof(family))
		return -EINVAL;
	memcpy(&family, ss, sizeof(family));
	if (family == AF_INET6)
		return from_sockaddr_v6(ss, len, ret_addr, ret_port, ret_scope_id);
	if (family != AF_INET)
		return -EAFNOSUPPORT;
	if (len < sizeof(sin))
		return -EINVAL;
	memcpy(&sin, ss, sizeof(sin));
	*ret_addr = ipaddr_from_v4(sin.sin_addr.s_addr);
	*ret_port = be16_to_cpu(sin.sin_port);
	if (ret_scope_id)
		*ret_scope_id = 0;
	return 0;
}

socklen_t ipaddr_to_sockaddr(int family, const struct ipaddr *a, uint16_t port, uint32_t scope,
			     struct sockaddr_storage *ret_ss)
{
	if (family == AF_INET6) {
		struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = cpu_to_be16(port)};

		memcpy(&sin6.sin6_addr, a->b, sizeof(a->b));
		if (ipaddr_needs_scope(a))
			sin6.sin6_scope_id = scope;
		memcpy(ret_ss, &sin6, sizeof(sin6));
		return sizeof(sin6);
	}
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = cpu_to_be16(port)};

	sin.sin_addr.s_addr = ipaddr_v4_be(a);
	memcpy(ret_ss, &sin, sizeof(sin));
	return sizeof(sin);
}

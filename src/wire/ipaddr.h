/* SPDX-License-Identifier: BSD-2-Clause */
/* One address type for IPv6 and IPv4 (as ::ffff:a.b.c.d), always in network order. */
#ifndef NARU_WIRE_IPADDR_H
#define NARU_WIRE_IPADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/be.h"

struct ipaddr {
	union {
		uint8_t b[16];
		uint32_t w[4]; /* network order words */
		uint64_t q[2];
	};
};

#define IPADDR_STR_MAX 46      /* bytes, longest text form with the terminating 0 */
#define IPADDR_V4_PLEN_BASE 96 /* plen128 of an IPv4 prefix of length 0 */

/* Build from an IPv4 address in network order. */
static inline struct ipaddr ipaddr_from_v4(uint32_t be)
{
	struct ipaddr a;

	a.q[0] = 0;
	a.w[2] = cpu_to_be32(0xffff);
	a.w[3] = be;
	return a;
}

/* Build from 16 bytes in network order at any alignment. */
static inline struct ipaddr ipaddr_from_v6(const void *b16)
{
	struct ipaddr a;

	memcpy(a.b, b16, sizeof(a.b));
	return a;
}

static inline struct ipaddr ipaddr_any_v4(void)
{
	return ipaddr_from_v4(0);
}

static inline struct ipaddr ipaddr_any_v6(void)
{
	return (struct ipaddr){.q = {0, 0}};
}
#define IPADDR_ANY_V4 ipaddr_any_v4()
#define IPADDR_ANY_V6 ipaddr_any_v6()

/* 127.0.0.1 and ::1 */
static inline struct ipaddr ipaddr_loopback_v4(void)
{
	return ipaddr_from_v4(cpu_to_be32(0x7f000001));
}

static inline struct ipaddr ipaddr_loopback_v6(void)
{
	return (struct ipaddr){.w = {0, 0, 0, cpu_to_be32(1)}};
}

/* True for a v4-mapped address, including mapped 0.0.0.0. */
static inline bool ipaddr_is_v4(const struct ipaddr *a)
{
	return a->q[0] == 0 && a->w[2] == cpu_to_be32(0xffff);
}

/* The IPv4 part in network order; meaningful only if ipaddr_is_v4(). */
static inline uint32_t ipaddr_v4_be(const struct ipaddr *a)
{
	return a->w[3];
}

static inline bool ipaddr_eq(const struct ipaddr *a, const struct ipaddr *b)
{
	return ((a->q[0] ^ b->q[0]) | (a->q[1] ^ b->q[1])) == 0;
}

/* 0.0.0.0 (mapped) or :: */
static inline bool ipaddr_is_any(const struct ipaddr *a)
{
	return a->q[0] == 0 && a->w[3] == 0 && (a->w[2] == 0 || a->w[2] == cpu_to_be32(0xffff));
}

/* 127/8 or ::1 */
static inline bool ipaddr_is_loopback(const struct ipaddr *a)
{
	if (ipaddr_is_v4(a))
		return a->b[12] == 127;
	return a->q[0] == 0 && a->q[1] == cpu_to_be64(1);
}

/* 224/4 or ff00::/8 */
static inline bool ipaddr_is_multicast(const struct ipaddr *a)
{
	if (ipaddr_is_v4(a))
		return (a->b[12] & 0xf0) == 0xe0;
	return a->b[0] == 0xff;
}

/* fe80::/10 or 169.254/16. Only the IPv6 kind needs a scope id: see ipaddr_needs_scope(). */
static inline bool ipaddr_is_linklocal(const struct ipaddr *a)
{
	if (ipaddr_is_v4(a))
		return a->b[12] == 169 && a->b[13] == 254;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* True if the address is ambiguous without an interface: fe80::/10, ff01::/16, ff02::/16 forms. */
static inline bool ipaddr_needs_scope(const struct ipaddr *a)
{
	if (a->b[0] == 0xff)
		return (a->b[1] & 0x0f) == 1 || (a->b[1] & 0x0f) == 2;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80;
}

/* 255.255.255.255 */
static inline bool ipaddr_is_v4_broadcast(const struct ipaddr *a)
{
	return ipaddr_is_v4(a) && a->w[3] == 0xffffffffu;
}

/**
 * ipaddr_prefix_match() - do the first @plen128 bits agree
 * @plen128: 0..128; larger values count as 128. An IPv4 /n is 96 + n.
 */
bool ipaddr_prefix_match(const struct ipaddr *a, const struct ipaddr *b, unsigned int plen128);

/**
 * ipaddr_mask() - @a with all bits after the first @plen128 cleared
 * @plen128: 0..128; larger values count as 128
 */
struct ipaddr ipaddr_mask(const struct ipaddr *a, unsigned int plen128);

/** ipaddr_solicited_node() - ff02::1:ffXX:XXXX for an IPv6 address (RFC 4291 section 2.7.1) */
struct ipaddr ipaddr_solicited_node(const struct ipaddr *a);

/**
 * ipaddr_format() - text form: dotted for IPv4, RFC 5952 for IPv6
 * @out:  receives at most @size bytes with the terminating 0; IPADDR_STR_MAX always fits
 *
 * Return: @out; an empty string if @size is too small (nothing at all is written for @size 0)
 */
char *ipaddr_format(const struct ipaddr *a, char *out, size_t size);

/**
 * ipaddr_parse() - read a dotted IPv4 or an IPv6 literal, no scope, no surrounding space
 *
 * IPv4 must be four decimal numbers 0..255 (as inet_pton).
 *
 * Return: 0; -EINVAL with @ret_addr unchanged
 */
int ipaddr_parse(const char *text, struct ipaddr *ret_addr);

/**
 * ipaddr_parse_prefix() - read "address/length"; without "/length" the prefix is the whole address
 * @ret_plen128: 0..128; for IPv4 96 + length
 *
 * The host bits of the address are kept: the same function serves "10.0.0.2/24" of an interface.
 *
 * Return: 0; -EINVAL with the outputs unchanged
 */
int ipaddr_parse_prefix(const char *text, struct ipaddr *ret_addr, unsigned int *ret_plen128);

/**
 * ipaddr_from_sockaddr() - split a sockaddr that a program passed
 * @ss, @len:           copy of the program's bytes; only the first @len bytes are read
 * @ret_port:           host order
 * @ret_scope_id:       sin6_scope_id, 0 for AF_INET; may be NULL
 *
 * AF_INET needs at least 16 bytes, AF_INET6 at least 24 (RFC 2133 form, scope 0), 28 with scope.
 *
 * Return: 0; -EINVAL if too short; -EAFNOSUPPORT for another family. Outputs unchanged on error.
 */
int ipaddr_from_sockaddr(const struct sockaddr_storage *ss, socklen_t len, struct ipaddr *ret_addr,
			 uint16_t *ret_port, uint32_t *ret_scope_id);

/**
 * ipaddr_to_sockaddr() - build the sockaddr a program sees
 * @family: AF_INET (uses the last four bytes of @a) or AF_INET6 (IPv4 appears as ::ffff:a.b.c.d)
 * @port:   host order
 * @scope:  stored only for AF_INET6 addresses for which ipaddr_needs_scope() holds
 *
 * Return: length of the address written to @ret_ss (16 or 28)
 */
socklen_t ipaddr_to_sockaddr(int family, const struct ipaddr *a, uint16_t port, uint32_t scope,
			     struct sockaddr_storage *ret_ss);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Ethernet header input and the text form of MAC addresses. */
/*
 * How it works
 *
 * Only Ethernet II frames are taken; a length instead of a type (802.3) means a protocol this stack
 * does not speak. VLAN tags are not interpreted: their type is simply not IP.
 *
 * RFC 894, RFC 2464.
 */
#include "wire/eth.h"

#include <errno.h>

int eth_parse(const void *frame, size_t len, struct mac_addr *ret_dst, struct mac_addr *ret_src,
	      uint16_t *ret_type)
{
	const uint8_t *p = frame;

	if (len < ETH_HDR_LEN || get_be16(p + 12) < ETH_TYPE_MIN)
		return -EINVAL;
	memcpy(ret_dst->b, p, ETH_ADDR_LEN);
	memcpy(ret_src->b, p + 6, ETH_ADDR_LEN);
	*ret_type = get_be16(p + 12);
	return 0;
}

char *mac_format(const struct mac_addr *m, char *out)
{
	static const char digits[] = "0123456789abcdef";
	char *p = out;

	for (int i = 0; i < ETH_ADDR_LEN; i++) {
		if (i)
			*p++ = ':';
		*p++ = digits[m->b[i] >> 4];
		*p++ = digits[m->b[i] & 15];
	}
	*p = 0;
	return out;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, struct mac_addr *ret_mac)
{
	struct mac_addr m;

	for (int i = 0; i < ETH_ADDR_LEN; i++, text += 3) {
		int hi = hex_digit(text[0]);
		int lo = hi < 0 ? -1 : hex_digit(text[1]);

		if (lo < 0 || text[2] != (i == ETH_ADDR_LEN - 1 ? 0 : ':'))
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret_mac = m;
	return 0;
}

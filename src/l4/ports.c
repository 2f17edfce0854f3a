/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules about ports that TCP and UDP share: ranges, overlapping addresses, unlinking. */
#include "l4/l4_int.h"

#define PORT_MAX 65535u

bool l4_addr_overlap(const struct ipaddr *a, bool is_a_v6only, const struct ipaddr *b, bool is_b_v6only)
{
	bool is_a4 = ipaddr_is_v4(a), is_b4 = ipaddr_is_v4(b);

	if (is_a4 == is_b4)
		return ipaddr_is_any(a) || ipaddr_is_any(b) || ipaddr_eq(a, b);
	/* Across the families only a dual-stack wildcard reaches: :: takes IPv4 as well. */
	return is_a4 ? ipaddr_is_any(b) && !is_b_v6only : ipaddr_is_any(a) && !is_a_v6only;
}

void l4_port_range(const struct sock *sk, uint32_t *ret_low, uint32_t *ret_high)
{
	const int64_t *range = sk->stack->sysctl.ip_local_port_range;
	uint32_t low = (uint32_t)range[0], high = min_u32((uint32_t)range[1], PORT_MAX);
	uint32_t own_low = sk->inet.local_port_range & 0xffff, own_high = sk->inet.local_port_range >> 16;

	if (own_low >= low && own_low <= high)
		low = own_low;
	if (own_high >= low && own_high <= high)
		high = own_high;
	*ret_low = low;
	*ret_high = max_u32(high, low);
}

void l4_unlink(struct l4_stack *l4, struct hnode *n)
{
	l4->leaving = n;
	atomic_signal_fence(memory_order_seq_cst);
	hnode_del(n);
	atomic_signal_fence(memory_order_seq_cst);
	l4->leaving = NULL;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* From IP to the transports: packets and ICMP errors by protocol number. */
/*
 * How it works: ip/ answers unknown protocols itself (R02), so here only TCP and UDP arrive; anything else
 * is dropped.
 */
#include "l4/l4.h"

#include <netinet/in.h>

static const struct l4_proto *proto_of(uint8_t ip_proto)
{
	switch (ip_proto) {
	case IPPROTO_TCP:
		return &l4_proto_tab[PROTO_TCP];
	case IPPROTO_UDP:
		return &l4_proto_tab[PROTO_UDP];
	default:
		return NULL;
	}
}

void l4_rcv(struct stack *st, struct skb *skb)
{
	const struct l4_proto *p = proto_of(skb->ip_proto);

	if (likely(p))
		p->rcv(st, skb);
	else
		skb_free(st, skb);
}

void l4_err(struct stack *st, const struct icmp_err *err)
{
	const struct l4_proto *p = proto_of(err->proto);

	if (p)
		p->err(st, err);
}

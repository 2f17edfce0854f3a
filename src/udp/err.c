/* SPDX-License-Identifier: BSD-2-Clause */
/* ICMP errors about our datagrams, and errors of our own making (R06, T71.2, T69.2). */
/*
 * How it works: the quoted ports name the socket. Who asked for errors gets each one, queued and
 * pending; others only hard ones, and only when connected, because nobody else could say which
 * datagram it was about. Packets that were too big teach the route first.
 *
 * Locks: none: flags are read as they are, err is atomic, the error queue has a lock of its own.
 */
#include "udp/udp_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "core/errq.h"
#include "wire/icmp.h"

static uint32_t flags_of(const struct sock *sk)
{
	return __atomic_load_n(&sk->flags, __ATOMIC_RELAXED);
}

bool udp_wants_errors(const struct sock *sk, bool is_v4)
{
	return flags_of(sk) & (is_v4 ? SK_RECVERR : SK_RECVERR6);
}

static bool is_too_big(const struct icmp_err *e)
{
	return e->is_v6 ? e->type == ICMP6_TYPE_TOO_BIG
			: e->type == ICMP4_TYPE_UNREACH && e->code == ICMP4_UNREACH_FRAG_NEEDED;
}

/* INTERFACE and OMIT do not believe path MTUs. */
static bool learns_mtu(uint8_t pmtudisc)
{
	return pmtudisc != IP_PMTUDISC_INTERFACE && pmtudisc != IP_PMTUDISC_OMIT;
}

/* Return: the error is told to the program. */
static bool handle_too_big(struct stack *st, const struct sock *sk, const struct icmp_err *e)
{
	uint8_t pmtudisc = e->is_v6 ? sk->inet.pmtudisc6 : sk->inet.pmtudisc;
	struct dst *d;

	if (learns_mtu(pmtudisc)) {
		d = ip_dst_for(st, &e->daddr, &e->saddr);
		if (d) {
			ip_update_pmtu(d, e->info);
			dst_put(d);
		}
	} else if (e->is_v6) {
		return false;
	}
	return e->is_v6 || pmtudisc != IP_PMTUDISC_DONT;
}

static void err_for_sock(struct stack *st, struct sock *sk, const struct icmp_err *e)
{
	if (is_too_big(e) && !handle_too_big(st, sk, e))
		return;
	if (!e->error)
		return;
	if (udp_wants_errors(sk, !e->is_v6))
		l4_icmp_error_queue(sk, e, get_be16(e->quote + 2));
	else if (!e->is_hard || sk->state != TCP_ESTABLISHED)
		return;
	atomic_store(&sk->err, e->error);
	atomic_fetch_add(&udp_sk(sk)->num_errors,
			 1); /* after err: who sees it knows that err was there */
	sock_wake(sk, EPOLLERR);
}

void udp_err(struct stack *st, const struct icmp_err *e)
{
	struct l4_tuple t = {.saddr = e->saddr, .daddr = e->daddr};
	struct sock *sk;

	if (e->quote_len < UDP_HDR_LEN)
		return;
	t.sport = get_be16(e->quote);
	t.dport = get_be16(e->quote + 2);
	sk = l4_udp_lookup(st, &t);
	if (!sk) {
		mib_inc(st, e->is_v6 ? Icmp6InErrors : IcmpInErrors);
		return;
	}
	err_for_sock(st, sk, e);
	sock_put(sk);
}

void udp_local_error(struct sock *sk, const struct udp_flow *f, uint32_t mtu)
{
	struct errq_cb *cb;
	struct skb *skb;

	if (!udp_wants_errors(sk, udp_flow_is_v4(f)))
		return;
	skb = skb_alloc(sk->stack, POOL_NORMAL);
	if (!skb)
		return;
	cb = errq_cb(skb);
	memset(cb, 0, sizeof(*cb));
	cb->ee_errno = EMSGSIZE;
	cb->ee_origin = ERRQ_ORIGIN_LOCAL;
	cb->ee_info = mtu;
	cb->addr = f->daddr;
	cb->port = f->dport;
	cb->has_addr = true;
	if (sock_queue_err_skb(sk, skb))
		skb_free(sk->stack, skb);
}

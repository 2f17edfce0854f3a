/* SPDX-License-Identifier: BSD-2-Clause */
/* Error queue of a socket as programs see it: ICMP errors in, recvmsg(MSG_ERRQUEUE) out (R06.4, R53.5). */
/*
 * How it works: an entry is a packet whose payload is what failed (or was stamped) and whose cb tells why.
 * Reading one that came from ICMP also takes the pending error along, or leaves the next entry's in its place.
 *
 * Locks: err_lock of the socket inside; the sock lock need not be held.
 */
#include "l4/l4_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>

#include "core/errq.h"
#include "wire/tcp.h"

#define CM_TIMESTAMPING 37 /* SCM_TIMESTAMPING */
#define UDP_QUOTE_HDR 8u

/* Layouts of linux/errqueue.h, which cannot be included beside libc's time headers. */
struct ext_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};
struct ext_err4 { struct ext_err ee; struct sockaddr_in offender; };
struct ext_err6 { struct ext_err ee; struct sockaddr_in6 offender; };

static bool is_icmp(const struct skb *s)
{
	return errq_cb(s)->ee_origin == ERRQ_ORIGIN_ICMP || errq_cb(s)->ee_origin == ERRQ_ORIGIN_ICMP6;
}

/* ---- out ---- */

static int copy_payload(const struct skb *s, struct msg *m, size_t len)
{
	struct iovec iov[SKB_MAX_FRAGS + 1];
	int num = skb_iov(s, iov, SKB_MAX_FRAGS + 1), err = 0;

	for (int i = 0; i < num && len && !err; i++) {
		size_t part = iov[i].iov_len < len ? iov[i].iov_len : len;

		err = iter_copy_to(&m->iter, iov[i].iov_base, part);
		len -= part;
	}
	return num < 0 ? num : err;
}

static void put_stamp(const struct skb *s, struct msg *m)
{
	struct timespec all[3] = { { .tv_sec = (time_t)(s->tstamp_ns / NS_PER_S), .tv_nsec = (long)(s->tstamp_ns % NS_PER_S) } };

	cmsg_put(m, SOL_SOCKET, CM_TIMESTAMPING, all, sizeof(all));
}

static void put_ext_err(const struct sock *sk, const struct skb *s, struct msg *m)
{
	const struct errq_cb *cb = errq_cb(s);
	struct ext_err ee = { .ee_errno = cb->ee_errno, .ee_origin = cb->ee_origin, .ee_type = cb->ee_type,
			      .ee_code = cb->ee_code, .ee_info = cb->ee_info, .ee_data = cb->ee_data };
	struct sockaddr_storage ss;
	struct ext_err4 e4 = { .ee = ee };
	struct ext_err6 e6 = { .ee = ee };

	memset(&ss, 0, sizeof(ss));
	if (!ipaddr_is_any(&cb->offender))
		(void)ipaddr_to_sockaddr(sk->family, &cb->offender, 0, cb->ifindex, &ss);
	if (sk->family == AF_INET) {
		memcpy(&e4.offender, &ss, sizeof(e4.offender));
		cmsg_put(m, SOL_IP, IP_RECVERR, &e4, sizeof(e4));
	} else {
		memcpy(&e6.offender, &ss, sizeof(e6.offender));
		cmsg_put(m, SOL_IPV6, IPV6_RECVERR, &e6, sizeof(e6));
	}
}

/* SO_ERROR follows the queue: the next ICMP entry's errno, or nothing. */
static void follow_queue(struct sock *sk, bool was_icmp)
{
	struct skb *next;
	int32_t err = 0;
	bool has_next;

	errq_lock_take(sk);
	next = skb_peek(&sk->error_queue);
	has_next = next != NULL;
	if (next && is_icmp(next))
		err = (int32_t)errq_cb(next)->ee_errno;
	lock_drop(&sk->err_lock);
	if (err || was_icmp)
		atomic_store(&sk->err, err);
	if (has_next)
		sock_wake(sk, EPOLLERR);
}

ssize_t l4_recv_err(struct sock *sk, struct msg *m)
{
	struct skb *s = sock_dequeue_err_skb(sk);
	const struct errq_cb *cb;
	size_t len;
	int err;

	m->namelen = 0;
	if (!s)
		return -EAGAIN;
	follow_queue(sk, is_icmp(s));
	cb = errq_cb(s);
	len = s->len;
	if (len > m->iter.count) {
		m->out_flags |= MSG_TRUNC;
		len = m->iter.count;
	}
	err = copy_payload(s, m, len);
	if (!err) {
		if (cb->has_stamp)
			put_stamp(s, m);
		if (cb->has_addr)
			m->namelen = ipaddr_to_sockaddr(sk->family, &cb->addr, cb->port, cb->ifindex, &m->name);
		put_ext_err(sk, s, m);
		m->out_flags |= MSG_ERRQUEUE;
	}
	skb_free(sk->stack, s);
	return err ? err : (ssize_t)len;
}

/* ---- in ---- */

void l4_icmp_error_queue(struct sock *sk, const struct icmp_err *err, uint16_t dport)
{
	uint32_t hdr = err->proto == IPPROTO_TCP ? TCP_HDR_LEN : UDP_QUOTE_HDR;
	struct stack *st = sk->stack;
	struct page_frag pf;
	struct errq_cb *cb;
	struct skb *s = skb_alloc(st, POOL_NORMAL);
	bool ok;

	if (!s)
		return;
	memset(&pf, 0, sizeof(pf));
	ok = err->quote_len <= hdr || skb_append_copy(st, s, &pf, err->quote + hdr, err->quote_len - hdr);
	page_frag_release(st->pools->pages, &pf);
	cb = errq_cb(s);
	*cb = (struct errq_cb){
		.ee_errno = (uint32_t)err->error,
		.ee_origin = err->is_v6 ? ERRQ_ORIGIN_ICMP6 : ERRQ_ORIGIN_ICMP,
		.ee_type = err->type,
		.ee_code = err->code,
		.ee_info = err->info,
		.offender = err->offender,
		.addr = err->daddr,
		.port = dport,
		.has_addr = true,
		.ifindex = sk->bound_ifindex,
	};
	if (!ok || sock_queue_err_skb(sk, s)) {
		atomic_fetch_add(&sk->drops, 1);
		skb_free(st, s);
	}
}

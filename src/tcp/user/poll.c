/* SPDX-License-Identifier: BSD-2-Clause */
/* Readiness of a TCP socket, and the small questions of ioctl() (R56, T88.4, T95). */
/*
 * How it works: a writer who is told "not now" leaves NOSPACE behind; the test is repeated afterwards, so
 * that room that appeared in between is not missed by an edge-triggered poller.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "tcp/base/base.h"
#include "tcp/user/user_int.h"
#include "wire/seq.h"

#define IN_BITS (EPOLLIN | EPOLLRDNORM)
#define OUT_BITS (EPOLLOUT | EPOLLWRNORM)

uint32_t tcp_inq(const struct tcp_sock *tp)
{
	const struct sock *sk = &tp->sk;
	uint32_t n;

	if (TCPF(sk->state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV)))
		return 0;
	if (tp->urg_data && !(sk->flags & SK_OOBINLINE) && !seq_before(tp->urg_seq, tp->copied_seq) &&
	    seq_before(tp->urg_seq, tp->rcv_nxt))
		return tp->urg_seq - tp->copied_seq;
	n = tp->rcv_nxt - tp->copied_seq;
	return n && (sk->flags & SK_DONE) ? n - 1 : n; /* the FIN takes a number but is no byte */
}

static bool is_readable(const struct tcp_sock *tp, int32_t target)
{
	int32_t avail = (int32_t)(tp->rcv_nxt - tp->copied_seq);

	if (avail <= 0)
		return false;
	return avail >= target || tp->sk.rmem_alloc > tp->sk.rcvbuf || tcp_receive_window(tp) <= tp->rcv_mss;
}

static uint32_t poll_write(struct tcp_sock *tp)
{
	struct sock *sk = &tp->sk;

	if (sk->shutdown & SEND_SHUTDOWN)
		return OUT_BITS;
	if (tcp_stream_is_writeable(tp))
		return OUT_BITS;
	sk->flags |= SK_NOSPACE;
	return tcp_stream_is_writeable(tp) ? OUT_BITS : 0;
}

uint32_t tcp_poll(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);
	uint32_t mask = 0;

	if (sk->state == TCP_LISTEN)
		return list_is_empty(&tp->accept_queue) ? 0 : IN_BITS;
	if (sk->shutdown == SHUTDOWN_MASK || sk->state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (sk->shutdown & RCV_SHUTDOWN)
		mask |= IN_BITS | EPOLLRDHUP;
	if (sk->state != TCP_SYN_SENT && sk->state != TCP_SYN_RECV) {
		int32_t target = sk->rcvlowat;

		if (tp->urg_data && tp->urg_seq == tp->copied_seq && !(sk->flags & SK_OOBINLINE))
			target++;
		if (is_readable(tp, target))
			mask |= IN_BITS;
		mask |= poll_write(tp);
		if (tp->urg_data & TCP_URG_VALID)
			mask |= EPOLLPRI;
	}
	if (atomic_load(&sk->err) || skb_peek(&sk->error_queue))
		mask |= EPOLLERR;
	return mask;
}

static bool is_in_syn_state(const struct sock *sk)
{
	return TCPF(sk->state) & (TCPF(TCP_SYN_SENT) | TCPF(TCP_SYN_RECV));
}

int tcp_ioctl(struct sock *sk, unsigned long req, int *val)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	int v;

	switch (req) {
	case SIOCATMARK:
		*val = tp->urg_data && tp->urg_seq == tp->copied_seq;
		return 0;
	case SIOCINQ:
		v = (int)tcp_inq(tp);
		break;
	case SIOCOUTQ:
		v = is_in_syn_state(sk) ? 0 : (int)(tp->write_seq - tp->snd_una);
		break;
	case SIOCOUTQNSD:
		v = is_in_syn_state(sk) ? 0 : (int)(tp->write_seq - tp->snd_nxt);
		break;
	default:
		return -ENOTTY;
	}
	if (sk->state == TCP_LISTEN)
		return -EINVAL;
	*val = v;
	return 0;
}

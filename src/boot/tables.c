/* SPDX-License-Identifier: BSD-2-Clause */
/* Every upward call of the stack: the tables that lower ranks read and only this file defines. */
#include "core/tables.h"

#include "api/epoll.h"
#include "core/proto.h"
#include "dev/dev.h"
#include "ip/ip.h"
#include "l4/l4.h"
#include "pump/pump.h"
#include "qdisc/qdisc.h"
#include "tcp/cc/cong.h"
#include "tcp/conn/conn.h"
#include "tcp/in/in.h"
#include "tcp/out/out.h"
#include "tcp/user/user.h"
#include "udp/udp.h"

const timer_fn timer_tab[TIMER_KIND_NUM] = {
	[TIMER_TCP_WRITE] = tcp_write_timer,
	[TIMER_TCP_DELACK] = tcp_delack_timer,
	[TIMER_TCP_KEEPALIVE] = tcp_keepalive_timer,
	[TIMER_TCP_REQ] = tcp_req_timer,
	[TIMER_TCP_TW] = tcp_tw_timer,
	[TIMER_NEIGH] = neigh_timer,
	[TIMER_NEIGH_GC] = neigh_gc_timer,
	[TIMER_FRAG] = frag_timer,
	[TIMER_IP_DAD] = dad_timer,
	[TIMER_IP_RS] = rs_timer,
};

const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM] = {
	[HRTIMER_TCP_PACING] = tcp_pacing_timer,
	[HRTIMER_TCP_COMPACK] = tcp_compack_timer,
	[HRTIMER_WIRE] = wire_deliver,
	[HRTIMER_QDISC] = qdisc_watchdog,
};

const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM] = {
	[SKB_DTOR_SOCK_WFREE] = sock_wfree,
	[SKB_DTOR_TCP_WFREE] = tcp_wfree,
	[SKB_DTOR_TCP_ACK_WFREE] = tcp_ack_wfree,
	[SKB_DTOR_SOCK_RFREE] = sock_rfree,
};

const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {
	[DEV_LOOPBACK] = &loopback_dev_ops,
	[DEV_WIRE] = &wire_dev_ops,
	[DEV_TAP] = &tap_dev_ops,
	[DEV_STREAM] = &stream_dev_ops,
	[DEV_CAPTURE] = &capture_dev_ops,
	[DEV_FAULT] = &fault_dev_ops,
};

const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM] = {
	[QDISC_PFIFO_FAST] = &pfifo_fast_qdisc_ops,
	[QDISC_FQ] = &fq_qdisc_ops,
};

const struct proto_ops *const proto_ops_tab[PROTO_NUM] = {
	[PROTO_TCP] = &tcp_proto_ops,
	[PROTO_UDP] = &udp_proto_ops,
};

const struct l4_proto l4_proto_tab[PROTO_NUM] = {
	[PROTO_TCP] = { .rcv = tcp_rcv, .err = tcp_err },
	[PROTO_UDP] = { .rcv = udp_rcv, .err = udp_err },
};

const l4_conn_free_fn l4_conn_free_tab[OBJ_TYPE_NUM] = {
	[OBJ_TCP_REQ] = tcp_req_free,
	[OBJ_TCP_TW] = tcp_tw_free,
};

const struct cong_ops *const cong_ops_tab[CONG_NUM] = {
	[CONG_RENO] = &reno_cong_ops,
	[CONG_CUBIC] = &cubic_cong_ops,
};

static void sock_free(struct sock *sk) { sock_ops(sk)->free(sk); }

const struct up_calls up_tab = {
	.l3_rcv = ip_rcv_frame,
	.l4_rcv = l4_rcv,
	.l4_err = l4_err,
	.neigh_put = neigh_put,
	.sock_ready = epoll_sock_ready,
	.sock_free = sock_free,
};

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM] = {
	[LOCK_PORTS] = l4_ports_recover,
	[LOCK_EHASH] = l4_ehash_recover,
	[LOCK_QDISC] = qdisc_recover,
	[LOCK_IP] = ip_recover,
	[LOCK_NEIGH] = neigh_recover,
};

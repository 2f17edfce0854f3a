/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP as the socket layer sees it. */
#include "l4/l4.h"
#include "tcp/conn/conn.h"
#include "tcp/out/out.h"
#include "tcp/user/user.h"

const struct proto_ops tcp_proto_ops = {
	.name = "TCP",
	.create = tcp_create,
	.free = tcp_free,
	.close = tcp_close,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.ioctl = tcp_ioctl,
	.get_port = l4_tcp_get_port,
	.backlog_rcv = tcp_backlog_rcv,
	.release_cb = tcp_release_cb,
	.write_space = tcp_write_space,
	.reset_broken = tcp_reset_broken,
	.has_autobind = false,
};

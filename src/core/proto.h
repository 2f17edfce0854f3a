/* SPDX-License-Identifier: BSD-2-Clause */
/* What a transport implements; inet/ and socket/ call it by sk->proto. */
#ifndef NARU_CORE_PROTO_H
#define NARU_CORE_PROTO_H

#include <sys/socket.h>

#include "core/ids.h"
#include "core/msg.h"
#include "core/sock.h"

/* A wait without time limit was interrupted: the edge turns it into EINTR or starts again (T18.4). */
#define ERESTARTSYS 512

/* A destination or source as the family layer understood it. */
struct inet_addr {
	struct ipaddr addr;
	uint16_t port;	    /* host order */
	uint32_t scope_id;
	uint16_t family;    /* as given: AF_INET, AF_INET6, AF_UNSPEC */
};

/* A signal came while a call without time limit waited: the api edge restarts it or reports EINTR (T18.4). */
#define ERESTARTSYS 512

struct proto_ops {
	const char *name;
	/** create() - new socket object of this protocol, refs 1; NULL: no memory. */
	struct sock *(*create)(struct stack *st, int family, int type);
	/** free() - give the object back; refs are 0. */
	void (*free)(struct sock *sk);
	/** close() - the file is gone (T94.4): takes and drops the lock, drops the file's reference. */
	void (*close)(struct sock *sk, int64_t linger_ns);
	/** connect() - lock held; may sleep for the handshake with @timeo_ns (0: non-blocking). */
	int (*connect)(struct sock *sk, const struct inet_addr *to, int64_t timeo_ns);
	/** disconnect(), listen(), shutdown() - lock held; disconnect() is connect(AF_UNSPEC). */
	int (*disconnect)(struct sock *sk);
	int (*listen)(struct sock *sk, int backlog);
	/** accept() - a child with a reference, or error; lock NOT held. */
	int (*accept)(struct sock *sk, int64_t timeo_ns, struct sock **ret);
	/** sendmsg()/recvmsg() - lock NOT held; bytes or negative errno. */
	ssize_t (*sendmsg)(struct sock *sk, struct msg *m);
	ssize_t (*recvmsg)(struct sock *sk, struct msg *m);
	int (*shutdown)(struct sock *sk, uint8_t mask);
	/** poll() - readiness mask (EPOLL*), lock held; arms NOSPACE when not writable (T88.4). */
	uint32_t (*poll)(struct sock *sk);
	/** setsockopt/getsockopt - levels of the transport itself; lock held; value is our copy. */
	int (*setsockopt)(struct sock *sk, int level, int opt, const void *val, socklen_t len);
	int (*getsockopt)(struct sock *sk, int level, int opt, void *val, socklen_t *len);
	int (*ioctl)(struct sock *sk, unsigned long req, int *val);
	/** get_port() - bind to @port (0: choose, T10). LOCK_PORTS is taken inside; sock lock held. */
	int (*get_port)(struct sock *sk, uint16_t port);
	/** backlog_rcv() - one packet with the sock lock held (from the pump or the backlog). CONSUMES. */
	void (*backlog_rcv)(struct sock *sk, struct skb *skb);
	/** release_cb() - deferred bits with the lock held, before it is dropped. */
	void (*release_cb)(struct sock *sk, uint32_t deferred);
	/** write_space() - a transmitted packet was freed and room may have appeared (UDP). */
	void (*write_space)(struct sock *sk);
	/** reset_broken() - the lock's holder died: purge by sweep, send a reset, state CLOSE; lock held. */
	void (*reset_broken)(struct sock *sk);
	bool has_autobind; /* T09.4: UDP yes, TCP no */
};

static inline const struct proto_ops *sock_ops(const struct sock *sk);
extern const struct proto_ops *const proto_ops_tab[PROTO_NUM];
static inline const struct proto_ops *sock_ops(const struct sock *sk) { return proto_ops_tab[sk->proto]; }

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Naru: Linux's TCP transmit path in user space. The public library.
 *
 * A world is one region of memory with its own clock; it holds stacks (network namespaces of their
 * own) joined by devices. Socket calls have the semantics and the errno of their Linux namesakes; they
 * return -1 and set errno. Configuration calls return 0 or a negative errno.
 *
 * Threads: every call may be made from any thread. Memory: nothing returned must be freed by the
 * caller unless it says so.
 */
#ifndef NARU_NARU_H
#define NARU_NARU_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NARU_API __attribute__((visibility("default")))

struct mmsghdr;
struct timespec;

typedef struct naru_world naru_world;
typedef struct naru_stack naru_stack;

/* ---- worlds and stacks ---- */

struct naru_world_config {
	size_t memory_bytes; /* hard cap of everything in the world; 0: 1 GiB (pages come when touched) */
	bool is_virtual;     /* virtual time: runs as fast as the processor, deterministic */
	bool is_shared;	     /* other processes may join (naru run) */
	uint64_t seed;	     /* randomness of all stacks; 0 with real time: from the system */
	uint64_t base;	     /* mapping address; 0: chosen */
};

/** naru_world_new() - @cfg NULL: defaults. Return: 0, -ENOMEM, -EINVAL, -EEXIST. */
NARU_API int naru_world_new(const struct naru_world_config *cfg, naru_world **ret);
/** naru_world_free() - all stacks end without a word to their peers; all memory goes. */
NARU_API void naru_world_free(naru_world *w);

struct naru_stack_config {
	uint32_t hz;		 /* timer ticks a second: 1000 when 0; 250 to compare with such kernels */
	uint32_t ehash_buckets;	 /* established table, power of two; 0: chosen from the memory */
};
/** naru_stack_new() - a stack with its loopback device up (127.0.0.1, ::1). @cfg NULL: defaults. */
NARU_API int naru_stack_new(naru_world *w, const struct naru_stack_config *cfg, naru_stack **ret);
/** naru_stack_free() - closes every socket, frees every packet of the stack. */
NARU_API void naru_stack_free(naru_stack *st);

/* ---- configuration ---- */

/** naru_addr_add() - "10.0.0.1/24" or "fd00::1/64" on device @dev. -EINVAL, -ENODEV, -EEXIST. */
NARU_API int naru_addr_add(naru_stack *st, const char *dev, const char *addr_len);
/** naru_route_add() - "0.0.0.0/0" via "10.0.0.2" (NULL: on link of @dev; @dev NULL: found by gateway). */
NARU_API int naru_route_add(naru_stack *st, const char *prefix, const char *gateway, const char *dev);
/** naru_sysctl_set()/get() - Linux's names: "net.ipv4.tcp_sack", "1". -ENOENT, -EINVAL. */
NARU_API int naru_sysctl_set(naru_stack *st, const char *name, const char *value);
NARU_API int naru_sysctl_get(naru_stack *st, const char *name, char *buf, size_t size);
/** naru_counter() - a MIB counter as nstat names it ("TcpExtTCPAutoCorking"). -ENOENT. */
NARU_API int naru_counter(naru_stack *st, const char *name, uint64_t *ret);
/** naru_counter_name() - iterate: NULL past the end. */
NARU_API const char *naru_counter_name(unsigned int idx);

/* One direction of a wire; all zero: perfect. ppm: out of a million frames. */
struct naru_impair {
	uint64_t rate_bps, delay_ns, jitter_ns, reorder_ns;
	uint32_t loss_ppm, reorder_ppm, duplicate_ppm, corrupt_ppm;
	uint32_t queue_frames, ecn_mark_frames;
};
struct naru_wire_config {
	uint64_t seed;
	uint32_t mtu;	 /* 0: 1500 */
	bool has_gso;	 /* frames up to 64 KiB pass whole */
	struct naru_impair ab, ba;
};
/** naru_wire() - join two stacks of one world: device @dev_a in @a, @dev_b in @b, both up. */
NARU_API int naru_wire(naru_stack *a, const char *dev_a, naru_stack *b, const char *dev_b, const struct naru_wire_config *cfg);
/** naru_tap() - adopt an open TAP descriptor (IFF_TAP|IFF_NO_PI|IFF_VNET_HDR), which stays the caller's. */
NARU_API int naru_tap(naru_stack *st, const char *dev, int fd, uint32_t mtu);
/** naru_stream() - adopt a connected stream socket that speaks QEMU's/passt's framing. */
NARU_API int naru_stream(naru_stack *st, const char *dev, int fd, uint32_t mtu);
/** naru_capture() - write every frame of @dev to @fd as pcapng. */
NARU_API int naru_capture(naru_stack *st, const char *dev, int fd);

/* ---- time and progress ---- */

/** naru_now_ns() - the world's monotonic clock. */
NARU_API uint64_t naru_now_ns(naru_stack *st);
/** naru_poll_stack() - do what is pending now (frames, timers); never sleeps. */
NARU_API void naru_poll_stack(naru_stack *st);
/**
 * naru_step() - drive the stack until something happens or until @timeout_ns from now (virtual time: the clock is moved)
 * Return: true when something happened before the deadline.
 */
NARU_API bool naru_step(naru_stack *st, uint64_t timeout_ns);
/** naru_run_for() - drive for a whole span of time. */
NARU_API void naru_run_for(naru_stack *st, uint64_t span_ns);

/* ---- sockets: semantics and errno of the calls without the prefix ---- */

NARU_API int naru_socket(naru_stack *st, int domain, int type, int protocol);
NARU_API int naru_bind(naru_stack *st, int s, const struct sockaddr *addr, socklen_t len);
NARU_API int naru_connect(naru_stack *st, int s, const struct sockaddr *addr, socklen_t len);
NARU_API int naru_listen(naru_stack *st, int s, int backlog);
NARU_API int naru_accept(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len);
NARU_API int naru_accept4(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len, int flags);
NARU_API ssize_t naru_send(naru_stack *st, int s, const void *buf, size_t len, int flags);
NARU_API ssize_t naru_sendto(naru_stack *st, int s, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t alen);
NARU_API ssize_t naru_sendmsg(naru_stack *st, int s, const struct msghdr *msg, int flags);
NARU_API int naru_sendmmsg(naru_stack *st, int s, struct mmsghdr *vec, unsigned int n, int flags);
NARU_API ssize_t naru_write(naru_stack *st, int s, const void *buf, size_t len);
NARU_API ssize_t naru_writev(naru_stack *st, int s, const struct iovec *iov, int n);
NARU_API ssize_t naru_recv(naru_stack *st, int s, void *buf, size_t len, int flags);
NARU_API ssize_t naru_recvfrom(naru_stack *st, int s, void *buf, size_t len, int flags, struct sockaddr *addr, socklen_t *alen);
NARU_API ssize_t naru_recvmsg(naru_stack *st, int s, struct msghdr *msg, int flags);
NARU_API int naru_recvmmsg(naru_stack *st, int s, struct mmsghdr *vec, unsigned int n, int flags, struct timespec *timeout);
NARU_API ssize_t naru_read(naru_stack *st, int s, void *buf, size_t len);
NARU_API ssize_t naru_readv(naru_stack *st, int s, const struct iovec *iov, int n);
NARU_API int naru_shutdown(naru_stack *st, int s, int how);
NARU_API int naru_close(naru_stack *st, int s);
NARU_API int naru_getsockname(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len);
NARU_API int naru_getpeername(naru_stack *st, int s, struct sockaddr *addr, socklen_t *len);
NARU_API int naru_getsockopt(naru_stack *st, int s, int level, int opt, void *val, socklen_t *len);
NARU_API int naru_setsockopt(naru_stack *st, int s, int level, int opt, const void *val, socklen_t len);
NARU_API int naru_ioctl(naru_stack *st, int s, unsigned long req, void *arg);
/** naru_fcntl() - F_GETFL, F_SETFL (O_NONBLOCK), F_GETFD, F_SETFD. */
NARU_API int naru_fcntl(naru_stack *st, int s, int cmd, long arg);
NARU_API int naru_poll(naru_stack *st, struct pollfd *fds, nfds_t n, int timeout_ms);
NARU_API int naru_epoll_create1(naru_stack *st, int flags);
NARU_API int naru_epoll_ctl(naru_stack *st, int ep, int op, int s, struct epoll_event *ev);
NARU_API int naru_epoll_wait(naru_stack *st, int ep, struct epoll_event *evs, int max, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif

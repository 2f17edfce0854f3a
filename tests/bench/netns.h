/* SPDX-License-Identifier: BSD-2-Clause */
/* Network namespaces for the kernel's side of a benchmark. */
#ifndef NARU_TESTS_BENCH_NETNS_H
#define NARU_TESTS_BENCH_NETNS_H

#include <stdbool.h>

/**
 * netns_new() - move this process into a fresh network namespace with a wide port range
 * An ordinary user gets a user namespace around it. Return: a descriptor of the namespace; -1: not allowed.
 */
int netns_new(void);
/** netns_enter() - go to a namespace by its descriptor; ends the program when that fails. */
void netns_enter(int ns);
/** netns_shell() - run a command line (printf format), in the present namespace. Return: its exit status. */
int netns_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** netns_use_cubic() - congestion control of a kernel socket (accepted ones take over the listener's); ends the program. */
void netns_use_cubic(int sock);
/** netns_offloads_off() - no TSO, GSO, GRO at a device of the present namespace. 0 or -1. */
int netns_offloads_off(const char *dev);

#endif

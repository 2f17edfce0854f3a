/* SPDX-License-Identifier: BSD-2-Clause */
/* naru demo: an unmodified program over Naru to the kernel's TCP, or two Naru stacks. */
#ifndef NARU_TOOLS_DEMO_H
#define NARU_TOOLS_DEMO_H

#include <stddef.h>
#include <stdint.h>

/** cmd_demo() - the subcommand. Return: exit status. */
int cmd_demo(int argc, char **argv);

#define DEMO_HASH_BYTES 32 /* SHA-256 */
/** demo_server() - HTTP/1.1 PUT and GET on kernel sockets, in this process, until killed; the hash of the last
 *  body received goes to @hash_fd. Never returns. */
void demo_server(int listen_fd, int hash_fd, uint64_t bytes);
/** demo_fill() - byte @off.. of the demo's file. */
void demo_fill(uint8_t *buf, size_t len, uint64_t off);
/** demo_wire() - the same between two Naru stacks in this process. Return: exit status. */
int demo_wire(uint64_t bytes);

#endif

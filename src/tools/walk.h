/* SPDX-License-Identifier: BSD-2-Clause */
/* Printing what a stack saw: the walk of one send() as a tree, and counters that moved. */
#ifndef NARU_TOOLS_WALK_H
#define NARU_TOOLS_WALK_H

#include <stdio.h>

#include "core/stack.h"

/** walk_start() - trace until the ring is full: its first records stay. */
void walk_start(struct stack *st);
/**
 * walk_print() - the first send() in the ring that put a packet on a device, with times from its entry
 * Return: false when the ring holds none (nothing was printed).
 */
bool walk_print(struct stack *st, FILE *out);
/** walk_print_counters() - every counter that is not 0, in columns. */
void walk_print_counters(struct stack *st, FILE *out);

#endif

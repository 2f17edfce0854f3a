/* SPDX-License-Identifier: BSD-2-Clause */
/* What belongs to one process and cannot live in the arena: descriptors by arena object. */
#ifndef NARU_BASE_PROC_H
#define NARU_BASE_PROC_H

#include "base/cc.h"

#define PROC_MAX_FDS 256

/* A shared arena is or was mapped here: other processes may touch our memory. Read by proc_is_alone(). */
extern bool proc_is_sharing;
/** proc_note_sharing() - called before a shared arena is mapped. */
void proc_note_sharing(void);

/** proc_fd_set() - remember this process's descriptor for an arena object (-1 forgets). */
int proc_fd_set(const void *key, int fd);
/** proc_fd_get() - descriptor for @key in this process, -1 when it has none. */
int proc_fd_get(const void *key);
/** proc_slot()/proc_set_slot() - this process's slot in the arena's process table; 0: none. */
uint16_t proc_slot(void);
/** proc_tid() - kernel id of the calling thread; no system call after the first time. */
uint32_t proc_tid(void);
void proc_set_slot(uint16_t slot);

/**
 * proc_kick() - make a sleeper outside (in the kernel, on an eventfd) look again
 * Return: false when this process has no descriptor for @key.
 */
bool proc_kick(const void *key);

#endif

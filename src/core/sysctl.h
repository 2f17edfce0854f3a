/* SPDX-License-Identifier: BSD-2-Clause */
/* Sysctls of one stack: Linux's names, Linux's defaults (6.18), Linux's ranges. */
#ifndef NARU_CORE_SYSCTL_H
#define NARU_CORE_SYSCTL_H

#include "base/cc.h"

struct sysctls {
#define SYSCTL_INT(field, path, def, min, max) int64_t field;
#define SYSCTL_VEC(field, path, n, a, b, c, min, max) int64_t field[n];
#define SYSCTL_STR(field, path, def) char field[16];
#include "core/sysctl.def"
#undef SYSCTL_INT
#undef SYSCTL_VEC
#undef SYSCTL_STR
};

void sysctl_init(struct sysctls *s);
/**
 * sysctl_set() - write by name, "net.ipv4.tcp_sack" (or with slashes), value as text
 * Return: 0, -ENOENT unknown name, -EINVAL not a number or outside Linux's range (unchanged)
 */
int sysctl_set(struct sysctls *s, const char *name, const char *value) MUST_CHECK;
/** sysctl_get() - text of the value into @buf. Return: length or -ENOENT / -ENOSPC. */
int sysctl_get(const struct sysctls *s, const char *name, char *buf, size_t size);
/** sysctl_name_at() - iterate names: NULL past the end. */
const char *sysctl_name_at(unsigned int idx);

#endif

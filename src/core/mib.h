/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters under Linux's MIB names: enum value and printed name are the same word. */
#ifndef NARU_CORE_MIB_H
#define NARU_CORE_MIB_H

#include <stdatomic.h>

#include "base/cc.h"

enum mib_id {
#define MIB(group, name) group##name,
#include "core/mib.def"
#undef MIB
	MIB_NUM
};

struct mib {
	_Atomic uint64_t v[MIB_NUM];
};

/** mib_name() - name as nstat prints it, e.g. "TcpExtTCPAutoCorking". */
const char *mib_name(enum mib_id id);
/** mib_find() - id of a name, -1 when unknown. */
int mib_find(const char *name);

#endif

/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the counters. */
/* How it works: one table made from core/mib.def; a search is linear, only tools do it. */
#include "core/mib.h"

#include <string.h>

static const char *const names[MIB_NUM] = {
#define MIB(group, name) [group##name] = #group #name,
#include "core/mib.def"
#undef MIB
};

const char *mib_name(enum mib_id id)
{
	return (unsigned int)id < MIB_NUM ? names[id] : NULL;
}

int mib_find(const char *name)
{
	for (int i = 0; i < MIB_NUM; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

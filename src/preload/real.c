/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding libc's functions behind ours. */
/*
 * How it works: the next definition of each name in search order, looked up once. Threads that come at the
 * same time write the same values. A name this libc lacks stays NULL; callers of those test it.
 */
#include "preload/shim.h"

#include <dlfcn.h>
#include <string.h>

struct shim shim = {
	.fd_arena = -1, .fd_control = -1, .fd_kick = -1, .fd_device = -1, .fd_capture = -1,
	.fd_base = -1, .fd_base_peer = -1, .lock = PTHREAD_MUTEX_INITIALIZER,
};

static void find(void *slot, const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);

	memcpy(slot, &fn, sizeof(fn));
}

void shim_real_init(void)
{
#define REAL_FN(ret, name, args) find(&shim.real.name, #name);
#include "preload/real.def"
#undef REAL_FN
	atomic_store_explicit(&shim.is_real_ready, 1, memory_order_release);
}

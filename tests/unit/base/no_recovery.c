/* SPDX-License-Identifier: BSD-2-Clause */
/* A recovery table without handlers, for tests that link base/ alone. */
#include "base/lock.h"

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];

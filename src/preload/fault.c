/* SPDX-License-Identifier: BSD-2-Clause */
/* The program's SIGSEGV and SIGBUS handlers behind the one that catches bad user pointers. */
/*
 * How it works: base/ucopy.c owns the two signals and passes on what is not its own to the handler that was
 * there before: pass_on() here, which plays the part of the kernel for the handler the program set. The
 * program sees what it set, and never ours.
 */
#include "preload/shim.h"

#include <string.h>
#include <unistd.h>

static struct sigaction *program_action(int sig)
{
	return sig == SIGSEGV ? &shim.program_segv : sig == SIGBUS ? &shim.program_bus : NULL;
}

/* As the kernel would without us: back to the default, then the same fault or signal again. */
static void die_of(int sig, const siginfo_t *info)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	REAL(sigaction)(sig, &dfl, NULL);
	if (info->si_code <= 0)
		raise(sig);
}

static void pass_on(int sig, siginfo_t *info, void *context)
{
	struct sigaction act = *program_action(sig);
	sigset_t mask = act.sa_mask, old;

	if (!(act.sa_flags & SA_SIGINFO) && (act.sa_handler == SIG_DFL || act.sa_handler == SIG_IGN)) {
		if (act.sa_handler == SIG_DFL || info->si_code > 0)
			die_of(sig, info);
		return;
	}
	if (act.sa_flags & SA_RESETHAND)
		memset(program_action(sig), 0, sizeof(act));
	if (!(act.sa_flags & SA_NODEFER))
		sigaddset(&mask, sig);
	pthread_sigmask(SIG_BLOCK, &mask, &old);
	if (act.sa_flags & SA_SIGINFO)
		act.sa_sigaction(sig, info, context);
	else
		act.sa_handler(sig);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void put_behind(int sig)
{
	struct sigaction ours = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	REAL(sigaction)(sig, &ours, program_action(sig));
}

void fault_init(void)
{
	put_behind(SIGSEGV);
	put_behind(SIGBUS);
}

SHIM_EXPORT int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct sigaction *mine = shim.is_on ? program_action(sig) : NULL, was;

	if (!mine)
		return REAL(sigaction)(sig, act, old);
	was = *mine;
	if (act)
		*mine = *act;
	if (old)
		*old = was;
	return 0;
}

SHIM_EXPORT sighandler_t signal(int sig, sighandler_t handler)
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;

	sigemptyset(&act.sa_mask);
	sigaddset(&act.sa_mask, sig);
	return sigaction(sig, &act, &old) < 0 ? SIG_ERR : old.sa_handler;
}

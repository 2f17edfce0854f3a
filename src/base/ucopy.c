/* SPDX-License-Identifier: BSD-2-Clause */
/* Fault-tolerant copies between us and the program (x86-64). */
/*
 * How it works: one assembly routine does all copies. Every instruction in it that touches memory
 * lies in one of a few ranges; the SIGSEGV/SIGBUS handler looks at RIP only, and if RIP is in a range
 * it sets RIP to that range's fixup. The fast ranges go on with a copy byte by byte from the last
 * known progress, the byte range returns what is left: the answer is exact to the byte.
 *
 * Progress is ONE register: rdx counts from -len up to 0 and is added to the two END pointers in rdi
 * and rsi (never changed); in the string range it is rcx, counting down. So a machine that shows a
 * somewhat stale register (valgrind does) only makes the byte copy repeat a few bytes.
 *
 * Faults elsewhere go to the handler that was installed before ours. prev_segv and prev_bus belong
 * to the process by nature: they name its code.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/ucopy.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/san.h"
#include "base/ucopy_int.h"

#define AVX_MIN_BYTES 64u
#define AVX_MAX_BYTES (24u << 10) /* beyond: rep movsb is as fast or faster (Zen 5; measured) */

#ifndef __x86_64__
#error "ucopy.c: add the copy routine and the context fixup of this architecture"
#endif

/*
 * size_t naru_ucopy(void *dst: rdi, const void *src: rsi, size_t len: rdx) -> bytes left: rax
 *
 * Sizes below 16: two overlapping words. To 2 KiB: 16 bytes a time, the last 16 overlapping; above:
 * rep movsb. The areas never overlap, so a byte may be copied twice.
 *
 * naru_ucopy_avx: the same for 64 bytes and more on machines with AVX2. Above 128 bytes the last 128
 * are loaded first and stored last; between them 128 a time to 32-byte aligned places.
 */
__asm__(".text\n"
	".p2align 6\n"
	".hidden naru_ucopy\n.globl naru_ucopy\n.type naru_ucopy, @function\n"
	"naru_ucopy:\n"
	".cfi_startproc\n"
	"	cmpq $16, %rdx\n"
	"	jb .Lsmall\n"
	"	cmpq $2048, %rdx\n"
	"	jae .Lstring\n"
	"	addq %rdx, %rdi\n"
	"	addq %rdx, %rsi\n"
	"	negq %rdx\n"
	"naru_ucopy_fast:\n"
	"	cmpq $-32, %rdx\n"
	"	jge .Lpair\n"
	".Lloop:\n"
	"	movups (%rsi,%rdx), %xmm0\n"
	"	movups 16(%rsi,%rdx), %xmm1\n"
	"	movups %xmm0, (%rdi,%rdx)\n"
	"	movups %xmm1, 16(%rdi,%rdx)\n"
	"	addq $32, %rdx\n"
	"	cmpq $-32, %rdx\n"
	"	jl .Lloop\n"
	/* 1 .. 32 bytes are left and at least 16 are behind or ahead of here */
	"	cmpq $-16, %rdx\n"
	"	jge .Ltail\n"
	".Lpair:\n"
	"	movups (%rsi,%rdx), %xmm0\n"
	"	movups -16(%rsi), %xmm1\n"
	"	movups %xmm0, (%rdi,%rdx)\n"
	"	movups %xmm1, -16(%rdi)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".Ltail:\n"
	"	movups -16(%rsi), %xmm1\n"
	"	movups %xmm1, -16(%rdi)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".Lsmall:\n"
	"	addq %rdx, %rdi\n"
	"	addq %rdx, %rsi\n"
	"	negq %rdx\n"
	"	cmpq $-8, %rdx\n"
	"	jg .Lbelow8\n"
	"	movq (%rsi,%rdx), %rax\n"
	"	movq -8(%rsi), %rcx\n"
	"	movq %rax, (%rdi,%rdx)\n"
	"	movq %rcx, -8(%rdi)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".Lbelow8:\n"
	"	cmpq $-4, %rdx\n"
	"	jg naru_ucopy_bytes\n"
	"	movl (%rsi,%rdx), %eax\n"
	"	movl -4(%rsi), %ecx\n"
	"	movl %eax, (%rdi,%rdx)\n"
	"	movl %ecx, -4(%rdi)\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"naru_ucopy_fast_end:\n"
	/* rdi, rsi: ends; rdx: minus what is left */
	"naru_ucopy_bytes:\n"
	"	testq %rdx, %rdx\n"
	"	jz .Ldone_bytes\n"
	".Lbyte:\n"
	"	movzbl (%rsi,%rdx), %eax\n"
	"	movb %al, (%rdi,%rdx)\n"
	"	incq %rdx\n"
	"	jnz .Lbyte\n"
	".Ldone_bytes:\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"naru_ucopy_bytes_end:\n"
	"naru_ucopy_bytes_fixup:\n"
	"	movq %rdx, %rax\n"
	"	negq %rax\n"
	"	ret\n"
	".Lstring:\n"
	"	leaq (%rdi,%rdx), %r8\n"
	"	leaq (%rsi,%rdx), %r9\n"
	"	movq %rdx, %rcx\n"
	"naru_ucopy_string:\n"
	"	rep movsb\n"
	"naru_ucopy_string_end:\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"naru_ucopy_string_fixup:\n"
	/* rdx is still len; an emulated rep may count a byte before it moves it: take one back */
	"	incq %rcx\n"
	"	cmpq %rdx, %rcx\n"
	"	cmovaq %rdx, %rcx\n"
	"	movq %r8, %rdi\n"
	"	movq %r9, %rsi\n"
	"	movq %rcx, %rdx\n"
	"	negq %rdx\n"
	"	jmp naru_ucopy_bytes\n"
	".cfi_endproc\n"
	".size naru_ucopy, . - naru_ucopy\n"
	".p2align 6\n"
	".hidden naru_ucopy_avx\n.globl naru_ucopy_avx\n.type naru_ucopy_avx, @function\n"
	"naru_ucopy_avx:\n"
	".cfi_startproc\n"
	"	addq %rdx, %rdi\n"
	"	addq %rdx, %rsi\n"
	"	negq %rdx\n"
	"	cmpq $-128, %rdx\n"
	"	jl .Lavx_long\n"
	"naru_ucopy_wide:\n"
	"	vmovdqu (%rsi,%rdx), %ymm0\n"
	"	vmovdqu 32(%rsi,%rdx), %ymm1\n"
	"	vmovdqu -64(%rsi), %ymm2\n"
	"	vmovdqu -32(%rsi), %ymm3\n"
	"	vmovdqu %ymm0, (%rdi,%rdx)\n"
	"	vmovdqu %ymm1, 32(%rdi,%rdx)\n"
	"	vmovdqu %ymm2, -64(%rdi)\n"
	"	vmovdqu %ymm3, -32(%rdi)\n"
	"	vzeroupper\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	".Lavx_long:\n"
	"	vmovdqu -128(%rsi), %ymm4\n"
	"	vmovdqu -96(%rsi), %ymm5\n"
	"	vmovdqu -64(%rsi), %ymm6\n"
	"	vmovdqu -32(%rsi), %ymm7\n"
	"	vmovdqu (%rsi,%rdx), %ymm0\n"
	"	vmovdqu %ymm0, (%rdi,%rdx)\n"
	"	leaq (%rdi,%rdx), %rcx\n"
	"	andq $-32, %rcx\n"
	"	addq $32, %rcx\n"
	"	subq %rdi, %rcx\n"
	"	movq %rcx, %rdx\n"
	"	cmpq $-128, %rdx\n"
	"	jge .Lavx_tail\n"
	"	.p2align 4\n"
	".Lavx_loop:\n"
	"	vmovdqu (%rsi,%rdx), %ymm0\n"
	"	vmovdqu 32(%rsi,%rdx), %ymm1\n"
	"	vmovdqu 64(%rsi,%rdx), %ymm2\n"
	"	vmovdqu 96(%rsi,%rdx), %ymm3\n"
	"	vmovdqa %ymm0, (%rdi,%rdx)\n"
	"	vmovdqa %ymm1, 32(%rdi,%rdx)\n"
	"	vmovdqa %ymm2, 64(%rdi,%rdx)\n"
	"	vmovdqa %ymm3, 96(%rdi,%rdx)\n"
	"	subq $-128, %rdx\n"
	"	cmpq $-128, %rdx\n"
	"	jl .Lavx_loop\n"
	".Lavx_tail:\n"
	"	vmovdqu %ymm4, -128(%rdi)\n"
	"	vmovdqu %ymm5, -96(%rdi)\n"
	"	vmovdqu %ymm6, -64(%rdi)\n"
	"	vmovdqu %ymm7, -32(%rdi)\n"
	"	vzeroupper\n"
	"	xorl %eax, %eax\n"
	"	ret\n"
	"naru_ucopy_wide_end:\n"
	"naru_ucopy_wide_fixup:\n"
	"	vzeroupper\n"
	"	jmp naru_ucopy_bytes\n"
	".cfi_endproc\n"
	".size naru_ucopy_avx, . - naru_ucopy_avx\n");

static struct sigaction prev_segv, prev_bus;
static pthread_mutex_t ucopy_install_mutex = PTHREAD_MUTEX_INITIALIZER;

static bool is_between(uint64_t rip, const char *from, const char *to)
{
	return rip >= (uint64_t)(uintptr_t)from && rip < (uint64_t)(uintptr_t)to;
}

static const char *fixup_for(uint64_t rip)
{
	if (is_between(rip, naru_ucopy_fast, naru_ucopy_fast_end))
		return naru_ucopy_bytes;
	if (is_between(rip, naru_ucopy_bytes, naru_ucopy_bytes_end))
		return naru_ucopy_bytes_fixup;
	if (is_between(rip, naru_ucopy_wide, naru_ucopy_wide_end))
		return naru_ucopy_wide_fixup;
	if (is_between(rip, naru_ucopy_string, naru_ucopy_string_end))
		return naru_ucopy_string_fixup;
	return NULL;
}

bool ucopy_handle_fault(int sig, void *ucontext)
{
	greg_t *rip = &((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RIP];
	const char *fixup;

	if (sig != SIGSEGV && sig != SIGBUS)
		return false;
	fixup = fixup_for((uint64_t)*rip);
	if (!fixup)
		return false;
	*rip = (greg_t)(uintptr_t)fixup;
	return true;
}

/* As if ours had never been there: the default action comes when the instruction faults again. */
static void default_action(int sig, const siginfo_t *info)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};

	sigaction(sig, &dfl, NULL);
	if (info->si_code <= 0)
		raise(sig); /* sent by someone: returning would not bring it again */
}

static void on_fault(int sig, siginfo_t *info, void *ucontext)
{
	struct sigaction *stored = sig == SIGSEGV ? &prev_segv : &prev_bus;
	const struct sigaction copy_of_prev = *stored, *prev = &copy_of_prev;
	int saved_errno = errno;
	sigset_t block;

	if (ucopy_handle_fault(sig, ucontext))
		return;
	if (!(prev->sa_flags & SA_SIGINFO) &&
	    (prev->sa_handler == SIG_DFL || prev->sa_handler == SIG_IGN)) {
		if (prev->sa_handler == SIG_DFL || info->si_code > 0)
			default_action(sig, info);
		errno = saved_errno;
		return;
	}
	if (prev->sa_flags & SA_RESETHAND) {
		stored->sa_flags = 0;
		stored->sa_handler = SIG_DFL;
	}
	block = prev->sa_mask;
	if (!(prev->sa_flags & SA_NODEFER))
		sigaddset(&block, sig);
	pthread_sigmask(SIG_BLOCK, &block, NULL);
	if (prev->sa_flags & SA_SIGINFO)
		prev->sa_sigaction(sig, info, ucontext);
	else
		prev->sa_handler(sig);
	errno = saved_errno;
}

/* Put ours in front of whatever stands there now, unless that is ours already. */
static int install(int sig, struct sigaction *prev)
{
	struct sigaction ours = {.sa_sigaction = on_fault,
				 .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
	struct sigaction now;

	if (sigaction(sig, NULL, &now) < 0)
		return -errno;
	if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault)
		return 0;
	*prev = now; /* before ours stands: a fault may come at once */
	return sigaction(sig, &ours, NULL) < 0 ? -errno : 0;
}

int ucopy_init(void)
{
	int err;

	pthread_mutex_lock(&ucopy_install_mutex);
	err = install(SIGSEGV, &prev_segv);
	if (!err)
		err = install(SIGBUS, &prev_bus);
	pthread_mutex_unlock(&ucopy_install_mutex);
	return err;
}

static inline size_t copy(void *dst, const void *src, size_t len)
{
	if (len >= AVX_MIN_BYTES && len < AVX_MAX_BYTES && __builtin_cpu_supports("avx2"))
		return naru_ucopy_avx(dst, src, len);
	return naru_ucopy(dst, src, len);
}

size_t ucopy_from_user(void *dst, const void *user_src, size_t len)
{
	size_t left;

	if (unlikely(!user_range_ok(user_src, len)))
		return len;
	left = copy(dst, user_src, len);
	san_written(dst, len - left);
	return left;
}

size_t ucopy_to_user(void *user_dst, const void *src, size_t len)
{
	size_t left;

	if (unlikely(!user_range_ok(user_dst, len)))
		return len;
	left = copy(user_dst, src, len);
	san_written(user_dst, len - left);
	return left;
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies across the border of what is mapped, and faults that are not ours. */
#include "base_test.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "base/ucopy.h"

#define PAGE 4096u
#define MAX_LEN 5000u

/* Pages that can be touched, up to a border behind which nothing can. */
struct border {
	uint8_t *map;
	uint8_t *end; /* first bad byte */
};

static struct border make_border(int bad_prot)
{
	struct border b;

	b.map = mmap(NULL, 48 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(b.map, MAP_FAILED);
	b.end = b.map + 32 * PAGE;
	assert_int_equal(mprotect(b.end, 16 * PAGE, bad_prot), 0);
	return b;
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 31 + i / 256 + 1);
}

/* cmocka puts its own handlers in before each test. */
static void init(void **state)
{
	(void)state;
	assert_int_equal(ucopy_init(), 0);
	assert_int_equal(ucopy_init(), 0); /* twice is as good as once */
}

/* Lengths around every border of the routine's cases. */
static const size_t lens[] = {0,    1,    2,    3,    4,     5,     7,     8,    9,   15,   16,
			      17,   31,   32,   33,   47,    48,    63,    64,   65,  127,  128,
			      129,  160,  161,  255,  256,   257,   300,   511,  512, 1023, 2047,
			      2048, 2049, 4096, 8191, 24575, 24576, 24577, 65536};

static void good_memory_is_copied_whole_and_nothing_beside_it(void **state)
{
	uint8_t *src = malloc(65536 + 128), *dst = malloc(65536 + 128);

	init(state);
	fill(src, 65536 + 128);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++)
		for (unsigned off = 0; off < 64; off += 1 + 3 * (lens[i] > 300)) {
			size_t n = lens[i];

			memset(dst, 0, n + 128);
			assert_int_equal(ucopy_from_user(dst + off, src + (off * 7) % 61, n), 0);
			assert_memory_equal(dst + off, src + (off * 7) % 61, n);
			assert_true(off == 0 || dst[off - 1] == 0);
			assert_int_equal(dst[off + n], 0);
			memset(dst, 0, n + 128);
			assert_int_equal(ucopy_to_user(dst + off, src, n), 0);
			assert_memory_equal(dst + off, src, n);
			assert_int_equal(dst[off + n], 0);
		}
	free(src);
	free(dst);
}

static void check_read_to(struct border *b, uint8_t *dst, size_t good, size_t n)
{
	size_t left, can = min_u64(good, n);

	memset(dst - 1, 0, n + 2);
	left = ucopy_from_user(dst, b->end - good, n);
	assert_int_equal(left, n - can);
	assert_memory_equal(dst, b->end - good, can);
	assert_int_equal(dst[can], 0);
	assert_int_equal(dst[-1], 0);
}

static void reading_stops_exactly_at_the_border(void **state)
{
	struct border b = make_border(PROT_NONE);
	uint8_t *dst = malloc(65536 + 64);

	init(state);
	fill(b.map, 32 * PAGE);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++) {
		for (size_t bad = 0; bad <= lens[i]; bad += 1 + lens[i] / 70)
			check_read_to(&b, dst + 1 + bad % 33, lens[i] - bad, lens[i]);
		check_read_to(&b, dst + 1, 0, lens[i]);
	}
	free(dst);
	munmap(b.map, 48 * PAGE);
}

static void check_write_to(struct border *b, const uint8_t *src, size_t good, size_t n)
{
	size_t left;

	memset(b->end - good - 1, 0, good + 1);
	left = ucopy_to_user(b->end - good, src, n);
	assert_int_equal(left, n - good);
	assert_memory_equal(b->end - good, src, good);
	assert_int_equal(b->end[-(ptrdiff_t)good - 1], 0);
}

static void writing_stops_exactly_at_the_border(void **state)
{
	struct border b = make_border(PROT_READ);
	uint8_t *src = malloc(65536 + 64);

	init(state);
	fill(src, 65536 + 64);
	for (unsigned i = 0; i < ARRAY_SIZE(lens); i++)
		for (size_t bad = 0; bad <= lens[i]; bad += 1 + lens[i] / 70)
			check_write_to(&b, src + bad % 33, lens[i] - bad, lens[i]);
	free(src);
	munmap(b.map, 48 * PAGE);
}

static void bytes_before_a_hole_in_the_middle_arrive(void **state)
{
	struct border b = make_border(PROT_NONE);
	uint8_t dst[3 * PAGE];

	init(state);
	fill(b.map, 32 * PAGE);
	assert_int_equal(mprotect(b.map + PAGE, PAGE, PROT_NONE), 0);
	assert_int_equal(ucopy_from_user(dst, b.map, 3 * PAGE), 2 * PAGE);
	assert_memory_equal(dst, b.map, PAGE);
	munmap(b.map, 48 * PAGE);
}

static void a_file_cut_short_is_a_fault_too(void **state)
{
	int fd = memfd_create("short", 0);
	uint8_t *map, dst[2 * PAGE];

	init(state);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_int_equal(ucopy_from_user(dst, map, 2 * PAGE), PAGE); /* SIGBUS */
	munmap(map, 2 * PAGE);
	close(fd);
}

static void addresses_no_program_owns_are_refused_untouched(void **state)
{
	uint8_t x[64] = {0};

	init(state);
	assert_int_equal(ucopy_from_user(x, NULL, 64), 64);
	assert_int_equal(ucopy_from_user(x, (void *)0x10, 3), 3);
	assert_int_equal(ucopy_from_user(x, (void *)UINTPTR_MAX, 1), 1);
	assert_int_equal(ucopy_from_user(x, (void *)0xffff800000000000ull, 64), 64);
	assert_int_equal(ucopy_from_user(x, (void *)0x800000000000ull, 20), 20); /* not canonical */
	assert_int_equal(ucopy_to_user((void *)(USER_ADDR_END - 1), x, 2), 2);
	assert_int_equal(ucopy_to_user(x, x + 32, SIZE_MAX), SIZE_MAX);
	assert_int_equal(ucopy_from_user(x, NULL, 0), 0);
	assert_true(user_range_ok((void *)USER_ADDR_END, 0));
	assert_false(user_range_ok((void *)USER_ADDR_END, 1));
}

static void touch_null(void *arg)
{
	(void)arg;
	__asm__ volatile("movb $1, (%0)" : : "r"(8ull) : "memory");
}

static void send_to_self(void *arg)
{
	(void)arg;
	kill(getpid(), SIGSEGV);
	for (int i = 0; i < 100; i++)
		usleep(1000);
}

static void exit_5(int sig, siginfo_t *info, void *uc)
{
	sigset_t blocked;

	(void)uc;
	if (sig != SIGSEGV || info->si_addr != (void *)8)
		_exit(6);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	if (!sigismember(&blocked, SIGSEGV) || !sigismember(&blocked, SIGUSR1))
		_exit(7); /* what it asked for when it was installed */
	_exit(5);
}

static void exit_3_after_a_bad_copy(int sig)
{
	uint8_t x[100];

	_exit(sig == SIGSEGV && ucopy_from_user(x, (void *)16, 100) == 100 ? 3 : 4);
}

static void fault_with_a_handler_that_copies(void *arg)
{
	struct sigaction sa = {.sa_handler = exit_3_after_a_bad_copy, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &sa, NULL);
	if (ucopy_init())
		_exit(8);
	touch_null(arg);
}

static void fault_with_a_handler_of_its_own(void *arg)
{
	struct sigaction sa = {.sa_sigaction = exit_5, .sa_flags = SA_SIGINFO};
	uint8_t x[8];

	sigaddset(&sa.sa_mask, SIGUSR1);
	sigaction(SIGSEGV, &sa, NULL);
	if (ucopy_init() || ucopy_from_user(x, (void *)16, 8) != 8)
		_exit(8);
	touch_null(arg);
}

static void return_once(int sig)
{
	(void)sig;
}

static void fault_with_a_handler_for_one_time(void *arg)
{
	struct sigaction sa = {.sa_handler = return_once, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGSEGV, &sa, NULL);
	if (ucopy_init())
		_exit(8);
	touch_null(arg); /* the handler returns, the fault comes again */
}

static void fault_by_default(void *arg)
{
	signal(SIGSEGV, SIG_DFL);
	if (ucopy_init())
		_exit(8);
	touch_null(arg);
}

static void segv_by_kill(void *arg)
{
	signal(SIGSEGV, SIG_DFL);
	if (ucopy_init())
		_exit(8);
	send_to_self(arg);
}

static void ignored_segv_by_kill(void *arg)
{
	signal(SIGSEGV, SIG_IGN);
	if (ucopy_init())
		_exit(8);
	send_to_self(arg);
	_exit(9);
}

static void a_fault_that_is_not_ours_goes_where_it_went_before(void **state)
{
	(void)state;
	assert_int_equal(WEXITSTATUS(in_child(fault_with_a_handler_of_its_own, NULL)), 5);
	if (!SAN_THREAD) /* its runtime blocks every signal inside every handler */
		assert_int_equal(WEXITSTATUS(in_child(fault_with_a_handler_that_copies, NULL)), 3);
	assert_true(died_of(in_child(fault_with_a_handler_for_one_time, NULL), SIGSEGV));
	assert_true(died_of(in_child(fault_by_default, NULL), SIGSEGV));
	assert_true(died_of(in_child(segv_by_kill, NULL), SIGSEGV));
	assert_int_equal(WEXITSTATUS(in_child(ignored_segv_by_kill, NULL)), 9);
}

static void many_faults_leave_no_trace(void **state)
{
	struct border b = make_border(PROT_NONE);
	uint8_t dst[MAX_LEN];
	sigset_t now;

	init(state);
	for (int i = 0; i < ROUNDS(20000); i++)
		assert_int_equal(ucopy_from_user(dst, b.end - 1, 1 + (size_t)i % MAX_LEN),
				 (size_t)i % MAX_LEN);
	assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &now), 0);
	assert_int_equal(sigismember(&now, SIGSEGV), 0);
	munmap(b.map, 48 * PAGE);
}

/* Valgrind cannot grow the stack while it delivers a signal. */
static void grow_stack(void)
{
	volatile uint8_t deep[256 * 1024];

	for (size_t i = 0; i < sizeof(deep); i += PAGE)
		deep[i] = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_that_is_not_ours_goes_where_it_went_before),
		cmocka_unit_test(good_memory_is_copied_whole_and_nothing_beside_it),
		cmocka_unit_test(reading_stops_exactly_at_the_border),
		cmocka_unit_test(writing_stops_exactly_at_the_border),
		cmocka_unit_test(bytes_before_a_hole_in_the_middle_arrive),
		cmocka_unit_test(a_file_cut_short_is_a_fault_too),
		cmocka_unit_test(addresses_no_program_owns_are_refused_untouched),
		cmocka_unit_test(many_faults_leave_no_trace),
	};

	grow_stack();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

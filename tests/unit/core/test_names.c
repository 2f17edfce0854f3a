/* SPDX-License-Identifier: BSD-2-Clause */
/* Sysctls, counters, trace points by name; the cursor over a program's memory; control messages. */
#include "core_test.h"

#include <netinet/in.h>
#include <sys/mman.h>

#include "base/ucopy.h"
#include "core/msg.h"
#include "core/trace_ids.h"

static void sysctls_have_linux_defaults_and_ranges(void **state)
{
	static const struct {
		const char *name, *value;
		int result;
	} rows[] = {
		{"net.ipv4.tcp_sack", "0", 0},
		{"net/ipv4/tcp_sack", " 1\n", 0},
		{"net.ipv4.tcp_ecn", "3", -EINVAL},
		{"net.ipv4.tcp_ecn", "", -EINVAL},
		{"net.ipv4.tcp_ecn", "1x", -EINVAL},
		{"net.ipv4.tcp_ecn", "1 1", -EINVAL},
		{"net.ipv4.tcp_wmem", "0 1 1", -EINVAL},
		{"net.ipv4.tcp_wmem", "8192", 0}, /* the rest stays */
		{"net.ipv4.ip_local_port_range", "5000 4000", -EINVAL},
		{"net.ipv4.tcp_congestion_control", "a_name_that_is_too_long", -EINVAL},
		{"net.ipv4.nothing", "1", -ENOENT},
	};
	struct sysctls s;
	char buf[64];

	(void)state;
	sysctl_init(&s);
	assert_int_equal(sysctl_get(&s, "net.ipv4.tcp_wmem", buf, sizeof(buf)), 18);
	assert_string_equal(buf, "4096\t16384\t4194304");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(sysctl_set(&s, rows[i].name, rows[i].value), rows[i].result);
	sysctl_get(&s, "net.ipv4.tcp_wmem", buf, sizeof(buf));
	assert_string_equal(buf, "8192\t16384\t4194304");
	assert_int_equal(s.tcp_ecn, 2);
	sysctl_get(&s, "net.ipv4.tcp_congestion_control", buf, sizeof(buf));
	assert_string_equal(buf, "cubic");
	assert_int_equal(sysctl_get(&s, "net.ipv4.tcp_wmem", buf, 5), -ENOSPC);
	for (unsigned int i = 0; sysctl_name_at(i); i++)
		assert_true(sysctl_get(&s, sysctl_name_at(i), buf, sizeof(buf)) > 0);
}

static void counters_and_trace_points_are_found_by_their_names(void **state)
{
	(void)state;
	assert_string_equal(mib_name(TcpExtTCPAutoCorking), "TcpExtTCPAutoCorking");
	assert_int_equal(mib_find("TcpRetransSegs"), TcpRetransSegs);
	assert_int_equal(mib_find("TcpNothing"), -1);
	assert_int_equal(trace_find("tcp_write_xmit"), TR_TCP_WRITE_XMIT);
	assert_int_equal(trace_find("nothing"), TR_NONE);
	for (uint16_t i = 1; i < TR_NUM; i++)
		assert_int_equal(trace_find(trace_name(i)), i); /* no name twice */
}

static void a_trace_record_is_written_only_when_tracing_is_on(void **state)
{
	struct fixture *f = *state;
	struct trace_rec r;

	stack_trace_ev(f->st, TR_TCP_PUSH, TR_BEGIN, 7, 1, 2, 3);
	assert_false(trace_read(&f->st->trace, 0, &r));
	atomic_store(&f->st->trace.is_on, 1);
	stack_trace_ev(f->st, TR_TCP_PUSH, TR_END, 7, 1, 2, 3);
	assert_true(trace_read(&f->st->trace, 0, &r));
	assert_int_equal(r.ns, TEST_START_NS);
	assert_int_equal(r.id, TR_TCP_PUSH);
	assert_int_equal(r.phase, 'E');
	assert_int_equal(r.c, 3);
}

static void the_cursor_moves_only_when_every_byte_was_read(void **state)
{
	char a[] = "abc", b[] = "defgh", out[9] = "";
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov[4] = {{a, 3}, {NULL, 0}, {b, 5}, {page + 4090, 10}};
	struct iov_iter it = {.iov = iov, .nr = 4, .count = 18};

	(void)state;
	assert_int_equal(ucopy_init(), 0);
	mprotect(page + 4096, 4096, PROT_NONE);
	assert_int_equal(iter_copy_from(&it, out, 2), 0);
	assert_int_equal(iter_copy_from(&it, out + 2, 5), 0);
	assert_memory_equal(out, "abcdefg", 7);
	assert_int_equal(it.count, 11);
	assert_int_equal(iter_copy_from(&it, out, 8), -EFAULT); /* h, 6 good bytes, then the hole */
	assert_int_equal(it.count, 11);
	assert_int_equal(iter_copy_from(&it, out, 1), 0);
	assert_int_equal(out[0], 'h');
	assert_int_equal(iter_copy_to(&it, "123456", 6), 0);
	assert_memory_equal(page + 4090, "123456", 6);
	assert_int_equal(iter_copy_to(&it, "7", 1), -EFAULT);
	assert_int_equal(iter_copy_to(&it, "1234567", 7), -EFAULT);
	assert_int_equal(it.count, 4);
	munmap(page, 8192);
}

static void a_control_message_without_room_is_cut_and_says_so(void **state)
{
	char buf[64];
	int v = 5;
	struct msg m = {.control = buf, .controllen = 60};
	struct cmsghdr h;

	(void)state;
	cmsg_put(&m, SOL_IP, IP_TTL, &v, 4);
	assert_int_equal(m.control_used, CMSG_SPACE(4));
	cmsg_put(&m, SOL_IP, IP_TOS, &v, 4);
	assert_int_equal(m.control_used, 2 * CMSG_SPACE(4));
	assert_int_equal(m.out_flags, 0);
	cmsg_put(&m, SOL_IP, IP_TOS, &v, 4); /* 12 bytes left */
	assert_int_equal(m.out_flags, MSG_CTRUNC);
	assert_int_equal(m.control_used, 48);
	memcpy(&h, buf, sizeof(h));
	assert_int_equal(h.cmsg_len, 20);
	m = (struct msg){.control = buf, .controllen = 18};
	cmsg_put(&m, SOL_IP, IP_TTL, &v, 4);
	memcpy(&h, buf, sizeof(h));
	assert_int_equal(h.cmsg_len, 18);
	assert_int_equal(m.control_used, 18);
	assert_int_equal(m.out_flags, MSG_CTRUNC);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(sysctls_have_linux_defaults_and_ranges),
		T(counters_and_trace_points_are_found_by_their_names),
		T(a_trace_record_is_written_only_when_tracing_is_on),
		T(the_cursor_moves_only_when_every_byte_was_read),
		T(a_control_message_without_room_is_cut_and_says_so),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}

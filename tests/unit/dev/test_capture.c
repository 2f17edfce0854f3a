/* SPDX-License-Identifier: BSD-2-Clause */
/* Captured frames as tshark reads them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/proc.h"
#include "dev_test.h"

#define MAX_ROWS 300

/* One row of tshark's output. */
struct row {
	uint32_t frame_len, cap_len, csum_status, direction;
	char time[32];
};

struct file {
	char path[32];
	int fd;
};

static struct file new_file(void)
{
	struct file c = {.path = "/tmp/naru-capture-XXXXXX"};

	c.fd = mkstemp(c.path);
	assert_true(c.fd >= 0);
	return c;
}

/* checksum status: 1 good, 0 bad, 2 unverified, as Wireshark numbers them */
static int tshark_rows(const char *path, struct row *rows)
{
	char cmd[512];
	int n = 0;
	FILE *p;

	snprintf(cmd, sizeof(cmd),
		 "tshark -r %s -o udp.check_checksum:TRUE -T fields -e frame.len -e frame.cap_len -e udp.checksum.status "
		 "-e frame.packet_flags_direction -e frame.time_epoch -E separator=' ' 2>/dev/null",
		 path);
	p = popen(cmd, "r");
	assert_non_null(p);
	while (n < MAX_ROWS &&
	       fscanf(p, "%u %u %u %i %31s", &rows[n].frame_len, &rows[n].cap_len,
		      &rows[n].csum_status, (int *)&rows[n].direction, rows[n].time) == 5)
		n++;
	assert_int_equal(pclose(p), 0);
	return n;
}

static void done_file(struct file *c)
{
	close(c->fd);
	unlink(c->path);
}

static struct netdev *captured_wire(struct dev_fixture *f, struct file *c, uint32_t snaplen,
				    struct netdev **ret_b)
{
	struct wire_config cfg = {.seed = 1, .has_gso = true};
	struct netdev *a, *top;

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &cfg, &a, ret_b), 0);
	assert_int_equal(capture_wrap(a, c->fd, snaplen, &top), 0);
	assert_true(fcntl(c->fd, F_GETFL) & O_APPEND);
	dev_up(top);
	dev_up(*ret_b);
	return top;
}

static void frames_of_both_directions_are_read_back_with_good_checksums(void **state)
{
	struct dev_fixture *f = *state;
	struct file c = new_file();
	struct page_frag pf = {0};
	struct row rows[MAX_ROWS];
	struct netdev *a, *b;

	a = captured_wire(f, &c, 0, &b);
	assert_int_equal(
		dev_hard_start_xmit(a, make_frame(f->a, &pf, &(struct frame_spec){.payload = 60})),
		0);
	clock_advance_to(&f->pools->clock, TEST_START_NS + 123456789);
	assert_int_equal(
		dev_hard_start_xmit(b, make_frame(f->b, &pf, &(struct frame_spec){.payload = 61})),
		0);
	/* left to the device: the checksum in the file is complete, for the one-byte-odd length too */
	assert_int_equal(
		dev_hard_start_xmit(a, make_frame(f->a, &pf,
						  &(struct frame_spec){.payload = 1001,
								       .has_partial_csum = true})),
		0);
	assert_int_equal(f->b->rxq.last->csum, CSUM_UNNECESSARY);
	assert_int_equal(tshark_rows(c.path, rows), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rows[i].csum_status, 1);
	assert_int_equal(rows[0].frame_len, 102);
	assert_int_equal(rows[1].frame_len, 103);
	assert_int_equal(rows[2].frame_len, 1043);
	assert_int_equal(rows[0].direction, 2); /* outbound */
	assert_int_equal(rows[1].direction, 1);
	assert_string_equal(rows[0].time, "10.000000000");
	assert_string_equal(rows[1].time, "10.123456789");
	page_frag_release(f->pools->pages, &pf);
	done_file(&c);
}

static void a_packet_still_to_be_cut_is_written_whole_and_summed(void **state)
{
	struct dev_fixture *f = *state;
	struct file c = new_file();
	struct page_frag pf = {0};
	struct row rows[MAX_ROWS];
	struct netdev *a, *b;
	struct skb *skb =
		make_frame(f->a, &pf, &(struct frame_spec){.payload = 64001, .gso_size = 1400});

	a = captured_wire(f, &c, 0, &b);
	assert_int_equal(dev_hard_start_xmit(a, skb), 0);
	assert_int_equal(tshark_rows(c.path, rows), 1);
	assert_int_equal(rows[0].frame_len, 64001 + TEST_HDR_BYTES);
	assert_int_equal(rows[0].csum_status, 1);
	page_frag_release(f->pools->pages, &pf);
	done_file(&c);
}

static void a_cut_frame_keeps_its_length(void **state)
{
	struct dev_fixture *f = *state;
	struct file c = new_file();
	struct page_frag pf = {0};
	struct row rows[MAX_ROWS];
	struct netdev *a, *b;

	a = captured_wire(f, &c, 70, &b);
	assert_int_equal(
		dev_hard_start_xmit(a, make_frame(f->a, &pf, &(struct frame_spec){.payload = 900})),
		0);
	assert_int_equal(tshark_rows(c.path, rows), 1);
	assert_int_equal(rows[0].frame_len, 942);
	assert_int_equal(rows[0].cap_len, 70);
	page_frag_release(f->pools->pages, &pf);
	done_file(&c);
}

static void a_device_without_link_header_is_captured_as_raw_ip(void **state)
{
	struct dev_fixture *f = *state;
	struct file c = new_file();
	struct page_frag pf = {0};
	struct row rows[MAX_ROWS];
	struct netdev *lo, *top;
	struct skb *skb = make_frame(f->a, &pf,
				     &(struct frame_spec){.payload = 100, .has_partial_csum = true});

	skb_pull(skb, ETH_HDR_LEN);
	assert_int_equal(loopback_create(f->a, &lo), 0);
	assert_int_equal(capture_wrap(lo, c.fd, 0, &top), 0);
	dev_up(top);
	assert_int_equal(dev_hard_start_xmit(top, skb), 0);
	assert_int_equal(tshark_rows(c.path, rows), 1); /* once, not once each way */
	assert_int_equal(rows[0].frame_len, 128);
	assert_int_equal(rows[0].csum_status, 1);
	page_frag_release(f->pools->pages, &pf);
	done_file(&c);
}

static void two_processes_write_one_file(void **state)
{
	struct dev_fixture *f = *state;
	struct file c = new_file();
	struct page_frag here = {0}, there = {0};
	struct row rows[MAX_ROWS];
	struct netdev *a, *b;
	int status;
	pid_t pid;

	a = captured_wire(f, &c, 0, &b);
	pid = fork(); /* the child shares the arena and has a descriptor of its own */
	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			dev_hard_start_xmit(b, make_frame(f->b, &there,
							  &(struct frame_spec){.payload = 701}));
		page_frag_release(f->pools->pages, &there);
		_exit(0);
	}
	for (int i = 0; i < 100; i++)
		dev_hard_start_xmit(a, make_frame(f->a, &here, &(struct frame_spec){.payload = 801}));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	page_frag_release(f->pools->pages, &here);
	assert_int_equal(tshark_rows(c.path, rows), 200);
	for (int i = 0; i < 200; i++)
		assert_true(rows[i].csum_status == 1 &&
			    rows[i].frame_len ==
				    TEST_HDR_BYTES + (rows[i].direction == 2 ? 801 : 701));
	done_file(&c);
}

static void a_refused_frame_is_written_once(void **state)
{
	struct dev_fixture *f = *state;
	struct wire_config cfg = {.seed = 1};
	struct file c = new_file();
	struct page_frag pf = {0};
	struct row rows[MAX_ROWS];
	struct netdev *a, *b, *busy, *top;
	struct skb *skb;

	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &cfg, &a, &b), 0);
	assert_int_equal(fault_wrap(a, &(struct fault_config){.tx_busy_nth = 2}, &busy), 0);
	assert_int_equal(capture_wrap(busy, c.fd, 0, &top), 0);
	dev_up(top);
	dev_up(b);
	for (int i = 0; i < 2; i++) {
		skb = make_frame(f->a, &pf, &(struct frame_spec){.payload = 60});
		if (dev_hard_start_xmit(top, skb) == XMIT_BUSY)
			assert_int_equal(dev_hard_start_xmit(top, skb), XMIT_OK);
	}
	assert_int_equal(tshark_rows(c.path, rows), 2);
	page_frag_release(f->pools->pages, &pf);
	done_file(&c);
}

static void a_full_disk_ends_the_capture_not_the_traffic(void **state)
{
	struct dev_fixture *f = *state;
	struct wire_config cfg = {.seed = 1};
	struct page_frag pf = {0};
	struct netdev *a, *b, *top;
	struct file c = new_file();
	int full = open("/dev/full", O_WRONLY);

	assert_true(full >= 0);
	assert_int_equal(wire_create(f->a, "eth0", f->b, "eth0", &cfg, &a, &b), 0);
	assert_int_equal(capture_wrap(a, full, 0, &top), -ENOSPC);
	assert_ptr_equal(netdev_by_name(f->a, "eth0"), a);
	assert_int_equal(capture_wrap(a, c.fd, 0, &top), 0);
	assert_int_equal(proc_fd_set(top, full), 0);
	dev_up(top);
	dev_up(b);
	assert_int_equal(
		dev_hard_start_xmit(top, make_frame(f->a, &pf, &(struct frame_spec){.payload = 60})),
		0);
	assert_int_equal(f->b->rxq.len, 1);
	page_frag_release(f->pools->pages, &pf);
	close(full);
	done_file(&c);
}

#define CAPTURE_TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAPTURE_TEST(frames_of_both_directions_are_read_back_with_good_checksums),
		CAPTURE_TEST(a_packet_still_to_be_cut_is_written_whole_and_summed),
		CAPTURE_TEST(a_cut_frame_keeps_its_length),
		CAPTURE_TEST(a_device_without_link_header_is_captured_as_raw_ip),
		cmocka_unit_test_setup_teardown(two_processes_write_one_file, set_up_shared,
						tear_down),
		CAPTURE_TEST(a_refused_frame_is_written_once),
		CAPTURE_TEST(a_full_disk_ends_the_capture_not_the_traffic),
	};

	if (system("tshark --version >/dev/null 2>&1")) {
		printf("skipped: tshark is not installed\n");
		return TEST_SKIP;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

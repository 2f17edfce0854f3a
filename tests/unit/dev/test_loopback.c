/* SPDX-License-Identifier: BSD-2-Clause */
/* Loopback: what goes down comes up. */
#include "dev_test.h"

static struct skb *ip_packet(struct stack *st, struct page_frag *pf, const struct frame_spec *fs)
{
	struct skb *skb = make_frame(st, pf, fs);

	skb_pull(skb, ETH_HDR_LEN);
	return skb;
}

static void a_packet_comes_back_and_its_charge_ends_at_hand_over(void **state)
{
	struct dev_fixture *f = *state;
	struct page_frag pf = {0};
	struct netdev *lo;
	uint64_t charge = 0;
	struct skb *skb;

	assert_int_equal(loopback_create(f->a, &lo), 0);
	assert_int_equal(lo->mtu, 65536);
	skb = ip_packet(f->a, &pf, &(struct frame_spec){.payload = 100, .fill = 3});
	test_charge(skb, &charge);
	assert_int_equal(dev_hard_start_xmit(lo, skb), XMIT_OK);
	assert_int_equal(charge, 0);
	skb = take(f->a);
	assert_non_null(skb);
	assert_ptr_equal(skb->dev, lo);
	assert_int_equal(skb->pkt_type, PKT_HOST);
	assert_int_equal(skb->protocol, ETH_TYPE_IPV4);
	assert_int_equal(skb->len, IPV4_HDR_LEN + UDP_HDR_LEN + 100);
	skb_free(f->a, skb);
	assert_null(take(f->a));
	page_frag_release(f->pools->pages, &pf);
}

static void a_big_packet_passes_whole_with_its_unfinished_checksum_trusted(void **state)
{
	struct dev_fixture *f = *state;
	struct page_frag pf = {0};
	struct netdev *lo;
	struct skb *skb;

	assert_int_equal(loopback_create(f->a, &lo), 0);
	skb = ip_packet(f->a, &pf, &(struct frame_spec){.payload = 60000, .gso_size = 1400});
	assert_int_equal(dev_hard_start_xmit(lo, skb), XMIT_OK);
	skb = take(f->a);
	assert_non_null(skb);
	assert_int_equal(skb->csum, CSUM_UNNECESSARY);
	assert_int_equal(skb->gso_size, 1400);
	assert_int_equal(skb->gso_segs, 43);
	assert_int_equal(skb->len, 60000 + IPV4_HDR_LEN + UDP_HDR_LEN);
	skb_free(f->a, skb);
	page_frag_release(f->pools->pages, &pf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_packet_comes_back_and_its_charge_ends_at_hand_over,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_big_packet_passes_whole_with_its_unfinished_checksum_trusted, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

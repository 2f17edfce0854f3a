/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes: longest prefix, source choice (RFC 6724), cache, path MTU (R05.7, T96.2), errors (T92.1). */
#include "ip_test.h"

#include <errno.h>
#include <string.h>

static struct dst *route(struct ip_fixture *f, const char *to, struct ipaddr *ret_src)
{
	struct flow fl = {.daddr = ip(to)};
	struct dst *d;

	if (ip_route_output(f->st, &fl, &d))
		return NULL;
	if (ret_src)
		*ret_src = fl.saddr;
	return d;
}

static void expect_gateway(struct ip_fixture *f, const char *to, const char *gw)
{
	struct dst *d = route(f, to, NULL);
	struct ipaddr g = ip(gw);

	assert_non_null(d);
	assert_true(ipaddr_eq(&d->gateway, &g));
	dst_put(d);
}

static void the_longest_prefix_wins(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr n8 = ip("10.0.0.0"), n16 = ip("10.1.0.0"), host = ip("10.1.2.3");
	struct ipaddr g1 = ip("192.168.0.11"), g2 = ip("192.168.0.12"), g3 = ip("192.168.0.13"),
		      far = ip("172.16.0.1");

	assert_int_equal(ip_route_add(f->st, &n8, 96 + 8, &g1, f->eth, NULL), 0);
	assert_int_equal(ip_route_add(f->st, &host, 128, &g3, f->eth, NULL), 0);
	assert_int_equal(ip_route_add(f->st, &n16, 96 + 16, &g2, f->eth, NULL), 0);
	assert_int_equal(ip_route_add(f->st, &n16, 96 + 16, &g1, f->eth, NULL), -EEXIST);
	assert_int_equal(ip_route_add(f->st, &n16, 96 + 17, &far, f->eth, NULL), -ENETUNREACH);
	expect_gateway(f, "10.9.9.9", "192.168.0.11");
	expect_gateway(f, "10.1.9.9", "192.168.0.12");
	expect_gateway(f, "10.1.2.3", "192.168.0.13");
	expect_gateway(f, "8.8.8.8", "192.168.0.2");
	expect_gateway(f, "192.168.0.99", "192.168.0.99");
	expect_gateway(f, "2001:db8::1", "fd00::2");
	assert_int_equal(ip_route_del(f->st, &n16, 96 + 16), 0);
	expect_gateway(f, "10.1.9.9", "192.168.0.11");
}

static void no_route_is_enetunreach_and_counted(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr any4 = IPADDR_ANY_V4, any6 = IPADDR_ANY_V6;
	struct flow fl = {.daddr = ip("8.8.8.8"), .saddr = any4};
	struct dst *d;

	assert_int_equal(ip_route_del(f->st, &any4, 96), 0);
	assert_int_equal(ip_route_del(f->st, &any6, 0), 0);
	assert_int_equal(ip_route_output(f->st, &fl, &d), -ENETUNREACH);
	assert_int_equal(ip_count(f, IpOutNoRoutes), 1);
	fl = (struct flow){.daddr = ip("2001:db8::1")};
	assert_int_equal(ip_route_output(f->st, &fl, &d), -ENETUNREACH);
	assert_int_equal(ip_count(f, Ip6OutNoRoutes), 1);
	/* a source that is not ours */
	fl = (struct flow){.daddr = ip("192.168.0.9"), .saddr = ip("10.9.9.9")};
	assert_int_equal(ip_route_output(f->st, &fl, &d), -EINVAL);
}

static void our_addresses_lead_to_the_loopback_device(void **state)
{
	struct ip_fixture *f = *state;
	static const char *const rows[][2] = {
		{"192.168.0.1", "192.168.0.1"},
		{"127.0.0.1", "127.0.0.1"},
		{"127.1.2.3", "127.0.0.1"},
		{"fd00::1", "fd00::1"},
		{"::1", "::1"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ipaddr src = IPADDR_ANY_V6, want = ip(rows[i][1]);
		struct dst *d = route(f, rows[i][0], &src);

		assert_non_null(d);
		assert_ptr_equal(d->dev, f->lo);
		assert_int_equal(d->type, DST_LOCAL);
		assert_true(ipaddr_eq(&src, &want));
		dst_put(d);
	}
}

static void kinds_of_addresses(void **state)
{
	struct ip_fixture *f = *state;
	static const struct {
		const char *a;
		enum dst_type t;
	} rows[] = {
		{"192.168.0.1", DST_LOCAL},
		{"192.168.0.255", DST_BROADCAST},
		{"255.255.255.255", DST_BROADCAST},
		{"224.1.1.1", DST_MULTICAST},
		{"192.168.0.2", DST_UNICAST},
		{"ff02::1", DST_MULTICAST},
		{"fd00::1", DST_LOCAL},
		{"127.5.5.5", DST_LOCAL},
		{"fd00::2", DST_UNICAST},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ipaddr a = ip(rows[i].a);

		assert_int_equal(ip_addr_type(f->st, &a), rows[i].t);
	}
}

static void sources_follow_subnet_and_rfc_6724(void **state)
{
	struct ip_fixture *f = *state;
	struct ipaddr a4 = ip("10.5.0.1"), g6 = ip("2001:db8:1::1"), src = IPADDR_ANY_V6, want;
	static const char *const rows[][2] = {
		{"10.5.0.9", "10.5.0.1"},       {"192.168.0.9", "192.168.0.1"},
		{"8.8.8.8", "192.168.0.1"},     {"2001:db8:1::9", "2001:db8:1::1"},
		{"2a00::1", "2001:db8:1::1"},   /* rule 6: label 1 */
		{"fd00:7::1", "fd00::1"},       /* rule 6: label 13 */
		{"fe80::9", "fe80::ff:fe00:1"}, /* rule 2: scope */
	};

	assert_int_equal(ip_addr_add(f->eth, &a4, 96 + 16, true), 0);
	assert_int_equal(ip_addr_add(f->eth, &g6, 64, true), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dst *d = route(f, rows[i][0], &src);

		assert_non_null(d);
		want = ip(rows[i][1]);
		assert_true(ipaddr_eq(&src, &want));
		dst_put(d);
	}
}

static void a_cached_route_dies_with_any_change(void **state)
{
	struct ip_fixture *f = *state;
	struct dst *d = route(f, "8.8.8.8", NULL), *again = route(f, "8.8.8.8", NULL);
	struct ipaddr a = ip("10.7.0.1"), gw = ip("192.168.0.3"), n = ip("8.8.8.0");

	assert_ptr_equal(d, again);
	dst_put(again);
	assert_int_equal(ip_addr_add(f->eth, &a, 96 + 24, true), 0);
	assert_false(dst_is_valid(d));
	dst_put(d);
	d = route(f, "8.8.8.8", NULL);
	assert_true(dst_is_valid(d));
	assert_int_equal(ip_route_add(f->st, &n, 96 + 24, &gw, f->eth, NULL), 0);
	assert_false(dst_is_valid(d));
	dst_put(d);
	expect_gateway(f, "8.8.8.8", "192.168.0.3");
}

static void path_mtu_is_shared_lowered_only_and_expires(void **state)
{
	struct ip_fixture *f = *state;
	struct dst *d = route(f, "8.8.8.8", NULL), *other;
	struct ipaddr dst = ip("8.8.8.8"), src = ip("192.168.0.1"), a = ip("10.7.0.1");

	assert_int_equal(dst_mtu(d), 1500);
	assert_true(ip_update_pmtu(d, 840));
	other = ip_dst_for(f->st, &dst, &src);
	assert_int_equal(dst_mtu(other), 840);
	dst_put(other);
	assert_false(ip_update_pmtu(d, 1000));
	assert_int_equal(dst_mtu(d), 840);
	assert_true(ip_update_pmtu(d, 300));
	assert_int_equal(dst_mtu(d), 552); /* min_pmtu */
	assert_true(atomic_load(&d->is_pmtu_locked));
	/* a change of addresses does not lose it */
	assert_int_equal(ip_addr_add(f->eth, &a, 96 + 24, true), 0);
	dst_put(d);
	d = route(f, "8.8.8.8", NULL);
	assert_int_equal(dst_mtu(d), 552);
	run_for(f, 599 * NS_PER_S);
	assert_int_equal(dst_mtu(d), 552);
	run_for(f, 2 * NS_PER_S);
	assert_int_equal(dst_mtu(d), 1500);
	dst_put(d);
	d = route(f, "2001:db8::1", NULL);
	assert_false(ip_update_pmtu(d, 1000)); /* below 1280: ignored */
	assert_int_equal(dst_mtu(d), 1500);
	assert_true(ip_update_pmtu(d, 1280));
	dst_put(d);
}

static void advertised_mss_follows_metric_or_device(void **state)
{
	struct ip_fixture *f = *state;
	struct dst_metrics m = {.advmss = 700};
	struct ipaddr n = ip("10.1.0.0");
	struct dst *d = route(f, "8.8.8.8", NULL);

	assert_int_equal(ip_dst_advmss(f->st, d, true), 1460);
	f->eth->mtu = 100;
	assert_int_equal(ip_dst_advmss(f->st, d, true), 256);
	f->eth->mtu = 1500;
	dst_put(d);
	d = route(f, "127.0.0.1", NULL);
	assert_int_equal(ip_dst_advmss(f->st, d, true), 65495); /* as on Linux's lo */
	dst_put(d);
	d = route(f, "::1", NULL);
	assert_int_equal(ip_dst_advmss(f->st, d, false), 65476);
	dst_put(d);
	assert_int_equal(ip_route_add(f->st, &n, 96 + 16, NULL, f->eth, &m), 0);
	d = route(f, "10.1.0.1", NULL);
	assert_int_equal(ip_dst_advmss(f->st, d, true), 700);
	dst_put(d);
}

static void a_flood_of_destinations_stays_bounded(void **state)
{
	struct ip_fixture *f = *state;
	struct dst *kept = route(f, "8.8.8.8", NULL);
	char a[32];

	for (int i = 0; i < 6000; i++) {
		struct dst *d;

		snprintf(a, sizeof(a), "9.%d.%d.1", i / 250, i % 250);
		d = route(f, a, NULL);
		assert_non_null(d);
		dst_put(d);
	}
	assert_in_range(pool_in_use(&f->pools->dst), 1, IP_DST_SETS * IP_DST_WAYS + 1);
	assert_true(dst_is_valid(kept));
	dst_put(kept);
	run_for(f, 31 * NS_PER_S);
	assert_in_range(pool_in_use(&f->pools->dst), 0, 10);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, ip_set_up, ip_tear_down)
	const struct CMUnitTest tests[] = {
		T(the_longest_prefix_wins),
		T(no_route_is_enetunreach_and_counted),
		T(our_addresses_lead_to_the_loopback_device),
		T(kinds_of_addresses),
		T(sources_follow_subnet_and_rfc_6724),
		T(a_cached_route_dies_with_any_change),
		T(path_mtu_is_shared_lowered_only_and_expires),
		T(advertised_mss_follows_metric_or_device),
		T(a_flood_of_destinations_stays_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

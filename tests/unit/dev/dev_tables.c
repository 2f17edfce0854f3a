/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables for tests that link dev/ without the ranks above it. */
#include "core/stack.h"
#include "core/tables.h"
#include "dev/dev.h"
#include "dev_test.h"

static void test_wfree(struct stack *st, struct skb *skb)
{
	(void)st;
	*test_charge_of(skb) -= skb->truesize;
}

const lock_recover_fn lock_recover_tab[LOCK_CLASS_NUM];
const timer_fn timer_tab[TIMER_KIND_NUM];
const hrtimer_fn hrtimer_tab[HRTIMER_KIND_NUM] = {[HRTIMER_WIRE] = wire_deliver};
const skb_dtor_fn skb_dtor_tab[SKB_DTOR_NUM] = {[SKB_DTOR_SOCK_WFREE] = test_wfree};
const struct dev_ops *const dev_ops_tab[DEV_KIND_NUM] = {
	[DEV_LOOPBACK] = &loopback_dev_ops, [DEV_WIRE] = &wire_dev_ops,
	[DEV_TAP] = &tap_dev_ops,           [DEV_STREAM] = &stream_dev_ops,
	[DEV_CAPTURE] = &capture_dev_ops,   [DEV_FAULT] = &fault_dev_ops,
};
const struct qdisc_ops *const qdisc_ops_tab[QDISC_KIND_NUM];
const struct proto_ops *const proto_ops_tab[PROTO_NUM];
const struct up_calls up_tab;

/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive balanced tree: ordered queues (out-of-order data, high-resolution timers). */
#ifndef NARU_BASE_RBTREE_H
#define NARU_BASE_RBTREE_H

#include "base/cc.h"

struct rb_node {
	struct rb_node *parent, *left, *right;
	uint32_t color;
};

struct rb_root {
	struct rb_node *node;
};

/**
 * rb_insert_at() - link @n where a search ended, then rebalance
 * @parent: node under which it goes (NULL: the tree is empty); @link: &root->node, &parent->left or
 *          &parent->right
 */
void rb_insert_at(struct rb_root *root, struct rb_node *n, struct rb_node *parent, struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *n);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);
/** rb_replace() - @fresh takes the place of @old (same key). */
void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *fresh);

#endif

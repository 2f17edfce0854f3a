/* SPDX-License-Identifier: BSD-2-Clause */
/* Red-black tree with intrusive nodes. */
/*
 * How it works: (1) a red node has no red child; (2) every way from a node down to an empty place
 * crosses the same number of black nodes. An empty place counts as black. Insertion puts a red leaf
 * and repairs (1) upwards; erasure of a black node leaves one side short by one black node and
 * repairs (2) upwards. Both sides are handled by one text: child(n, side) and side ^ 1.
 */
#include "base/rbtree.h"

enum { RED = 0, BLACK = 1 };
enum side { LEFT = 0, RIGHT = 1 };

static struct rb_node **child(struct rb_node *n, int side)
{
	return side == LEFT ? &n->left : &n->right;
}

static bool is_red(const struct rb_node *n)
{
	return n && n->color == RED;
}
static int side_of(const struct rb_node *n, struct rb_node *parent)
{
	return parent->right == n ? RIGHT : LEFT;
}

/* Let @fresh (may be NULL) hang where @old hangs. */
static void put_in_place(struct rb_root *root, struct rb_node *old, struct rb_node *fresh)
{
	struct rb_node *p = old->parent;

	if (!p)
		root->node = fresh;
	else
		*child(p, side_of(old, p)) = fresh;
	if (fresh)
		fresh->parent = p;
}

/* @n goes down to @side; its child of the other side takes its place. */
static void rotate(struct rb_root *root, struct rb_node *n, int side)
{
	struct rb_node *up = *child(n, side ^ 1);
	struct rb_node *middle = *child(up, side);

	put_in_place(root, n, up);
	*child(up, side) = n;
	n->parent = up;
	*child(n, side ^ 1) = middle;
	if (middle)
		middle->parent = n;
}

/* @n is red; its parent may be red too. */
static void fix_red_red(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *p;

	while ((p = n->parent) && p->color == RED) {
		struct rb_node *grand = p->parent; /* exists: the root is black */
		int side = side_of(p, grand);
		struct rb_node *uncle = *child(grand, side ^ 1);

		if (is_red(uncle)) {
			p->color = uncle->color = BLACK;
			grand->color = RED;
			n = grand;
			continue;
		}
		if (side_of(n, p) != side) {
			rotate(root, p, side);
			p = n;
		}
		p->color = BLACK;
		grand->color = RED;
		rotate(root, grand, side ^ 1);
		break;
	}
	root->node->color = BLACK;
}

void rb_insert_at(struct rb_root *root, struct rb_node *n, struct rb_node *parent,
		  struct rb_node **link)
{
	n->parent = parent;
	n->left = n->right = NULL;
	n->color = RED;
	*link = n;
	fix_red_red(root, n);
}

/* Below @p on @side (node @n, may be NULL) every way lacks one black node. */
static void fix_short(struct rb_root *root, struct rb_node *n, struct rb_node *p, int side)
{
	while (p && !is_red(n)) {
		struct rb_node *sib = *child(p, side ^ 1); /* exists: its side has more black */

		if (sib->color == RED) {
			sib->color = BLACK;
			p->color = RED;
			rotate(root, p, side);
			sib = *child(p, side ^ 1);
		}
		if (!is_red(sib->left) && !is_red(sib->right)) {
			sib->color = RED;
			n = p;
			p = n->parent;
			if (p)
				side = side_of(n, p);
			continue;
		}
		if (!is_red(*child(sib, side ^ 1))) {
			(*child(sib, side))->color = BLACK;
			sib->color = RED;
			rotate(root, sib, side ^ 1);
			sib = *child(p, side ^ 1);
		}
		sib->color = p->color;
		p->color = BLACK;
		(*child(sib, side ^ 1))->color = BLACK;
		rotate(root, p, side);
		return;
	}
	if (n)
		n->color = BLACK;
}

/* Exchange the places and colours of @n and its successor @s, which has no left child. */
static void swap_with_successor(struct rb_root *root, struct rb_node *n, struct rb_node *s)
{
	struct rb_node old_n = *n, old_s = *s;

	put_in_place(root, n, s);
	s->color = old_n.color;
	s->left = old_n.left;
	s->left->parent = s;
	if (old_s.parent == n) {
		s->right = n;
		n->parent = s;
	} else {
		s->right = old_n.right;
		s->right->parent = s;
		old_s.parent->left = n;
		n->parent = old_s.parent;
	}
	n->color = old_s.color;
	n->left = NULL;
	n->right = old_s.right;
	if (n->right)
		n->right->parent = n;
}

void rb_erase(struct rb_root *root, struct rb_node *n)
{
	struct rb_node *p, *only;
	int side = LEFT;

	if (n->left && n->right)
		swap_with_successor(root, n, rb_next(n));
	p = n->parent;
	if (p)
		side = side_of(n, p);
	only = n->left ? n->left : n->right;
	put_in_place(root, n, only);
	if (n->color == BLACK)
		fix_short(root, only, p, side);
}

static struct rb_node *outermost(struct rb_node *n, int side)
{
	while (n && *child(n, side))
		n = *child(n, side);
	return n;
}

static struct rb_node *neighbour(struct rb_node *n, int side)
{
	if (*child(n, side))
		return outermost(*child(n, side), side ^ 1);
	while (n->parent && side_of(n, n->parent) == side)
		n = n->parent;
	return n->parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->node, LEFT);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->node, RIGHT);
}

struct rb_node *rb_next(const struct rb_node *n)
{
	return neighbour((struct rb_node *)n, RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	return neighbour((struct rb_node *)n, LEFT);
}

void rb_replace(struct rb_root *root, struct rb_node *old, struct rb_node *fresh)
{
	*fresh = *old;
	put_in_place(root, old, fresh);
	if (fresh->left)
		fresh->left->parent = fresh;
	if (fresh->right)
		fresh->right->parent = fresh;
}

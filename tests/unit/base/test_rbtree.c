/* SPDX-License-Identifier: BSD-2-Clause */
/* The balanced tree against an array of flags, with its invariants checked after each change. */
#include "base_test.h"

#include "base/rbtree.h"

#define NUM 300

struct item {
	struct rb_node node;
	int key;
};

static struct item items[NUM];
static bool is_in[NUM];

static int key_of(const struct rb_node *n)
{
	return container_of(n, struct item, node)->key;
}

static void insert(struct rb_root *root, struct item *x)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = x->key < key_of(parent) ? &parent->left : &parent->right;
	}
	rb_insert_at(root, &x->node, parent, link);
}

/* Return: black nodes on every way down from @n. Checks colours, links and order. */
static int check_below(const struct rb_node *n, const struct rb_node *parent, int min, int max)
{
	int left, right;

	if (!n)
		return 1;
	assert_ptr_equal(n->parent, parent);
	assert_in_range(key_of(n), min, max);
	if (n->color == 0)
		assert_true(parent && parent->color == 1); /* no red under red, root black */
	left = check_below(n->left, n, min, key_of(n));
	right = check_below(n->right, n, key_of(n), max);
	assert_int_equal(left, right);
	return left + (n->color == 1);
}

static void check_walks(const struct rb_root *root)
{
	const struct rb_node *n = rb_first(root);
	int last = -1;

	for (int i = 0; i < NUM; i++) {
		if (!is_in[i])
			continue;
		assert_non_null(n);
		assert_int_equal(key_of(n), i);
		n = rb_next(n);
		last = i;
	}
	assert_null(n);
	n = rb_last(root);
	for (int i = last; i >= 0; i--) {
		if (!is_in[i])
			continue;
		assert_int_equal(key_of(n), i);
		n = rb_prev(n);
	}
	assert_null(n);
}

static void it_stays_sorted_and_balanced_through_random_changes(void **state)
{
	struct rb_root root = {NULL};
	uint64_t seed = 3;

	(void)state;
	memset(is_in, 0, sizeof(is_in));
	for (int i = 0; i < ROUNDS(20000); i++) {
		/* phases that mostly fill and mostly empty it */
		unsigned k = (unsigned)(next_random(&seed) % NUM);
		bool want = next_random(&seed) % 10 < (i / 1000 % 2 ? 2 : 8);

		if (want && !is_in[k]) {
			items[k].key = (int)k;
			insert(&root, &items[k]);
		} else if (!want && is_in[k]) {
			rb_erase(&root, &items[k].node);
		} else {
			continue;
		}
		is_in[k] = want;
		check_below(root.node, NULL, 0, NUM);
		if (i % 16 == 0)
			check_walks(&root);
	}
}

static void equal_keys_keep_their_order_of_insertion(void **state)
{
	struct rb_root root = {NULL};
	struct item x[50];
	const struct rb_node *n;

	(void)state;
	for (int i = 0; i < 50; i++) {
		x[i].key = i % 2;
		insert(&root, &x[i]);
	}
	n = rb_first(&root);
	for (int i = 0; i < 50; i++, n = rb_next(n))
		assert_ptr_equal(n, &x[i < 25 ? 2 * i : 2 * (i - 25) + 1].node);
}

static void a_replacement_takes_the_place(void **state)
{
	struct rb_root root = {NULL};
	struct item fresh;

	(void)state;
	memset(is_in, 0, sizeof(is_in));
	for (int i = 0; i < 50; i++) {
		items[i].key = i;
		insert(&root, &items[i]);
		is_in[i] = true;
	}
	for (int i = 0; i < 50; i++) {
		fresh.key = i;
		rb_replace(&root, &items[i].node, &fresh.node);
		memset(&items[i].node, 0xee, sizeof(items[i].node));
		check_below(root.node, NULL, 0, NUM);
		check_walks(&root);
		rb_replace(&root, &fresh.node, &items[i].node);
	}
}

static void an_empty_tree_has_no_ends(void **state)
{
	struct rb_root root = {NULL};

	(void)state;
	assert_null(rb_first(&root));
	assert_null(rb_last(&root));
	insert(&root, &items[0]);
	rb_erase(&root, &items[0].node);
	assert_null(root.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_stays_sorted_and_balanced_through_random_changes),
		cmocka_unit_test(equal_keys_keep_their_order_of_insertion),
		cmocka_unit_test(a_replacement_takes_the_place),
		cmocka_unit_test(an_empty_tree_has_no_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-2-Clause */
/* Intrusive lists: circular doubly linked (list) and hash chain (hnode). */
#ifndef NARU_BASE_LIST_H
#define NARU_BASE_LIST_H

#include "base/cc.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_is_empty(const struct list *l) { return l->next == l; }
static inline void list_insert(struct list *n, struct list *prev, struct list *next)
{
	n->next = next;
	n->prev = prev;
	next->prev = n;
	prev->next = n;
}
static inline void list_add_tail(struct list *n, struct list *head) { list_insert(n, head->prev, head); }
static inline void list_add_head(struct list *n, struct list *head) { list_insert(n, head, head->next); }
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = n;
}
#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each(p, head) for (struct list *p = (head)->next; p != (head); p = p->next)
#define list_for_each_safe(p, n, head)                                                             \
	for (struct list *p = (head)->next, *n = p->next; p != (head); p = n, n = p->next)

/* Hash chain: the head is one pointer. pprev NULL: not on any chain. */
struct hnode {
	struct hnode *next, **pprev;
};

static inline void hnode_init(struct hnode *n) { n->pprev = NULL; }
static inline bool hnode_is_hashed(const struct hnode *n) { return n->pprev != NULL; }
static inline void hnode_add(struct hnode *n, struct hnode **head)
{
	n->next = *head;
	if (*head)
		(*head)->pprev = &n->next;
	n->pprev = head;
	*head = n;
}
static inline void hnode_del(struct hnode *n)
{
	if (!n->pprev)
		return;
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
	n->pprev = NULL;
}

#endif

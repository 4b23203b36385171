/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

/*
 * An intrusive, circular, doubly linked list. The head is a node of its own; a node that is in no
 * list points at itself, so that list_remove() may be called twice and list_is_linked() answers.
 */

#include "base/mem.h"
#include <stdbool.h>

struct list {
    struct list *prev;
    struct list *next;
};

static inline void list_init(struct list *node)
{
    node->prev = node;
    node->next = node;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
    return node->next != node;
}

/* Links `node`, which is in no list, behind `where`. With the head: at the front. */
static inline void list_add_after(struct list *where, struct list *node)
{
    node->prev = where;
    node->next = where->next;
    where->next->prev = node;
    where->next = node;
}

static inline void list_add_front(struct list *head, struct list *node)
{
    list_add_after(head, node);
}

static inline void list_add_back(struct list *head, struct list *node)
{
    list_add_after(head->prev, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves all of `from` to the back of `to`; `from` is empty afterwards. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

/* The first entry, or NULL where the list is empty. */
#define LIST_FIRST(head, type, member) \
    (list_is_empty(head) ? (type *)0 : LIST_ENTRY((head)->next, type, member))

/* Visits each node; `node` may be removed in the body. */
#define LIST_EACH(node, head)                                                         \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head); \
         node = node##_next, node##_next = node->next)

#endif

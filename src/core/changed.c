/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which values that only a restart changes differ between two snapshots: the rows of both are
 * walked side by side. Objects of a list are paired by their names.
 */

#include "core/module.h"
#include <assert.h>
#include <string.h>

struct walk {
    struct conf_diag *diag;
    size_t n_changes;
};

static const void *member_of(const void *self, const struct conf_word *word)
{
    return (const char *)self + word->offset;
}

static bool same_addr(const struct conf_addr *a, const struct conf_addr *b)
{
    if (a->addr.len == 0 || b->addr.len == 0)
        return a->addr.len == b->addr.len && a->port == b->port && slice_equal(a->host, b->host);
    return addr_equal(&a->addr, &b->addr);
}

static bool same_value(enum conf_type type, const void *a, const void *b)
{
    switch (type) {
    case CONF_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case CONF_CHOICE:
        return *(const int *)a == *(const int *)b;
    case CONF_INT:
    case CONF_COUNT:
    case CONF_STATUS:
    case CONF_TIME:
    case CONF_PERIOD:
    case CONF_SIZE:
    case CONF_PERCENT:
        return *(const int64_t *)a == *(const int64_t *)b;
    case CONF_NAME:
    case CONF_STRING:
    case CONF_PATH:
        return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
    case CONF_ADDR:
    case CONF_ENDPOINT:
    case CONF_IP:
        return same_addr(a, b);
    case CONF_NET: {
        const struct addr_net *x = a, *y = b;
        return x->n_bits == y->n_bits && addr_equal(&x->base, &y->base);
    }
    case CONF_IP_IN: {
        const struct conf_ip_in *x = a, *y = b;
        return x->n_bits == y->n_bits && addr_equal(&x->ip.addr, &y->ip.addr);
    }
    case CONF_INTS:
    case CONF_STATUSES:
    case CONF_TIMES: {
        const struct conf_range *x = a, *y = b;
        return x->low == y->low && x->high == y->high;
    }
    case CONF_RATE: {
        const struct conf_rate *x = a, *y = b;
        return x->count == y->count && x->per_ms == y->per_ms;
    }
    case CONF_REF:
        return slice_equal(((const struct conf_ref *)a)->name, ((const struct conf_ref *)b)->name);
    case CONF_BLOCK:
    case CONF_CUSTOM:
    case CONF_N_TYPES:
        break; /* no value of its own */
    }
    return true;
}

/* A word that is gone has the place of what it stood in, as far as that is still there. */
static void tell(struct walk *walk, const struct conf_word *word, const struct conf_object *after)
{
    static const char hint[] = "put the former value back, or stop weir and start it again";
    assert(after);
    bool is_there = after->stmt && after->stmt->parent;
    walk->n_changes++;
    if (conf_is_set(after, word->name))
        conf_error(walk->diag, conf_where(after, word->name), hint,
                   "a changed \"%s\" takes effect only at a start", word->name);
    else
        conf_error(walk->diag, is_there ? after->at : (struct conf_at){0}, hint,
                   "\"%s\" is no longer in the file, which takes effect only at a start",
                   word->name);
}

static void walk_block(struct walk *walk, const struct conf_block *block, const void *before,
                       const void *after, bool is_restart);

static const struct conf_object *find_by_name(const struct conf_list *list, struct slice name)
{
    for (size_t i = 0; i < list->n_items; i++) {
        const struct conf_object *object = list->items[i];
        if (slice_equal(object->name, name))
            return object;
    }
    return NULL;
}

static void walk_list(struct walk *walk, const struct conf_word *word,
                      const struct conf_list *before, const struct conf_list *after,
                      const struct conf_object *outer, bool is_restart)
{
    if (is_restart && before->n_items != after->n_items) {
        tell(walk, word, outer);
        return;
    }
    for (size_t i = 0; i < after->n_items; i++) {
        const struct conf_object *object = after->items[i];
        const struct conf_object *former = find_by_name(before, object->name);
        if (former)
            walk_block(walk, word->block, former, object, is_restart);
        else if (is_restart)
            tell(walk, word, object);
    }
}

static void walk_inner(struct walk *walk, const struct conf_word *word, const void *before,
                       const void *after, bool is_restart)
{
    const void *from = member_of(before, word), *to = member_of(after, word);
    if (word->flags & CONF_REPEAT) {
        walk_list(walk, word, from, to, after, is_restart);
        return;
    }
    if (!(word->flags & CONF_EMBED)) {
        from = *(const void *const *)from;
        to = *(const void *const *)to;
    }
    if (from && to)
        walk_block(walk, word->block, from, to, is_restart);
    else if (is_restart && (from || to))
        tell(walk, word, after);
}

static void walk_words(struct walk *walk, const struct conf_word *words, const void *before,
                       const void *after, bool is_restart)
{
    for (const struct conf_word *word = words; word && word->name; word++) {
        bool is_fixed = is_restart || word->apply == CONF_RESTART;
        if (word->flags & CONF_PLANNED)
            continue;
        if (word->type == CONF_BLOCK)
            walk_inner(walk, word, before, after, is_fixed);
        else if (is_fixed && !(word->flags & CONF_REPEAT) &&
                 !same_value(word->type, member_of(before, word), member_of(after, word)))
            tell(walk, word, after);
    }
}

static void walk_block(struct walk *walk, const struct conf_block *block, const void *before,
                       const void *after, bool is_restart)
{
    walk_words(walk, block->args, before, after, is_restart);
    walk_words(walk, block->words, before, after, is_restart);
}

size_t snapshot_restart_changes(const struct snapshot *before, const struct snapshot *after,
                                struct conf_diag *diag)
{
    struct walk walk = {.diag = diag};
    for (size_t i = 0; i < after->table->n_items; i++)
        walk_words(&walk, after->table->items[i]->words, before->conf[i], after->conf[i], false);
    return walk.n_changes;
}

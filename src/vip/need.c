/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `needs`, and whether what it names can be.
 */

#include "vip/need.h"

#include "base/mem.h"
#include "conf/unit.h"
#include "core/board.h"
#include "pool/pool.h"

static const struct conf_word need_args[] = {
    {.name = "FACT",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct need_conf, fact),
     .doc = "the fact, as `weir facts` shows it: listen:shop, pool:web, process:edge"},
    {0},
};

static const struct conf_word need_words[] = {
    {.name = "lowers",
     .type = CONF_INT,
     .offset = offsetof(struct need_conf, lowers),
     .fallback = "50",
     .min = 1,
     .max = LACK_MAX,
     .doc = "by how much the priority falls while the fact is not fine"},
    {0},
};

const struct conf_block need_block = {
    .size = sizeof(struct need_conf),
    .args = need_args,
    .words = need_words,
};

/* ---- what the file has ---- */

/* Listens stand on a higher floor, so that their statements are looked for. */
static bool has_listen(const struct snapshot *snap, struct slice name)
{
    for (size_t i = 0; i < snap->root->n_children; i++) {
        const struct conf_stmt *stmt = snap->root->children[i];
        if (stmt->n_tokens >= 2 && slice_is(stmt->tokens[0].text, "listen") &&
            slice_equal(stmt->tokens[1].text, name))
            return true;
    }
    return false;
}

static bool has_member(const struct snapshot *snap, struct slice label)
{
    struct slice name = label;
    const struct pool *pool = pool_find(snap, slice_cut(&name, '/'));
    for (uint32_t i = 0; pool && i < pool->n_members; i++) {
        if (slice_equal(pool->members[i]->name, name))
            return true;
    }
    return false;
}

static bool has_process(const struct snapshot *snap, struct slice kind)
{
    const char *kinds[BOARD_SEGMENTS_MAX];
    size_t n = module_processes(snap->table, kinds, BOARD_SEGMENTS_MAX);
    for (size_t i = 1; i < n; i++) { /* the first is the supervisor, which has no such fact */
        if (slice_is(kind, kinds[i]))
            return snapshot_needs(snap, kinds[i]);
    }
    return false;
}

/* ---- one ---- */

static int check_fact(const struct snapshot *snap, const struct need_conf *need,
                      struct conf_load *load)
{
    struct conf_at at = conf_where(&need->object, "FACT");
    struct slice rest = need->fact, kind = slice_cut(&rest, ':');
    struct conf_quote quote;
    conf_quote(need->fact, &quote);
    if (!rest.ptr || rest.len == 0 || need->fact.len >= FACT_NAME_MAX ||
        !module_fact_kind(snap->table, need->fact.ptr))
        return conf_error(load->diag, at, "needs listen:NAME, pool:NAME, process:KIND",
                          "there can be no fact \"%s\"", quote.text);
    if (slice_is(kind, "pool")) {
        const struct conf_ref ref = {.name = rest, .at = at};
        return pool_resolve(snap, &ref, load) ? 0 : -1;
    }
    if (slice_is(kind, "listen") && !has_listen(snap, rest))
        return conf_error(load->diag, at, NULL, "there is no listen \"%.*s\"", SLICE_ARG(rest));
    if (slice_is(kind, "member") && !has_member(snap, rest))
        return conf_error(load->diag, at, "member:POOL/NAME", "there is no member \"%.*s\"",
                          SLICE_ARG(rest));
    if (slice_is(kind, "process") && !has_process(snap, rest))
        return conf_error(load->diag, at, NULL, "with this file no process \"%.*s\" runs",
                          SLICE_ARG(rest));
    return 0;
}

int needs_check(const struct snapshot *snap, const struct conf_list *needs, struct slice vip,
                struct conf_load *load)
{
    int result = 0;
    for (size_t i = 0; i < needs->n_items; i++) {
        const struct need_conf *need = needs->items[i];
        struct conf_at at = conf_where(&need->object, "FACT");
        struct slice rest = need->fact;
        if (slice_is(slice_cut(&rest, ':'), "vip") && slice_equal(rest, vip))
            result = conf_error(load->diag, at, NULL, "a vip cannot need itself");
        else if (check_fact(snap, need, load) < 0)
            result = -1;
        for (size_t k = 0; k < i; k++) {
            if (slice_equal(((const struct need_conf *)needs->items[k])->fact, need->fact))
                result = conf_error(load->diag, at, NULL, "it is needed already");
        }
    }
    return result;
}

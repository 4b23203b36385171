/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding what is meant.
 */

#include "admin/find.h"

#include "admin/floating.h"
#include "base/mem.h"
#include "conf/unit.h"
#include "core/settings.h"
#include <stdio.h>

enum { FAR = 3 }; /* edits that make another name of it */

typedef bool visit_fn(void *ctx, const struct member *member);

/* Until visit() says that it is enough. */
static void visit_all(const struct snapshot *snap, visit_fn *visit, void *ctx)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    for (uint32_t i = 0; i < conf->n_pools; i++) {
        for (uint32_t j = 0; j < conf->pools[i]->n_members; j++) {
            if (visit(ctx, conf->pools[i]->members[j]))
                return;
        }
    }
}

/* ---- by name ---- */

struct search {
    struct slice text;
    bool is_label; /* text is POOL/NAME */
    const struct member *found, *second;
    const struct member *near;
    unsigned distance; /* of near; below it is nearer */
};

static bool visit_match(void *ctx, const struct member *member)
{
    struct search *search = ctx;
    struct slice name = search->is_label ? slice_from(member->label) : member->name;
    if (!slice_equal(name, search->text))
        return false;
    search->second = search->found ? member : NULL;
    search->found = search->found ? search->found : member;
    return search->second != NULL;
}

static bool visit_near(void *ctx, const struct member *member)
{
    struct search *search = ctx;
    struct slice name = search->is_label ? slice_from(member->label) : member->name;
    unsigned distance = slice_distance(name, search->text);
    if (distance < search->distance) {
        search->distance = distance;
        search->near = member;
    }
    return false;
}

static enum find_result tell_missing(const struct snapshot *snap, struct search *search,
                                     struct err *err)
{
    struct conf_quote quote;
    conf_quote(search->text, &quote);
    const struct pool *pool = pool_find(snap, search->text);
    if (pool && pool->n_members) {
        err_set(err, "\"%s\" is a pool; say which member, as in member:%s", quote.text,
                pool->members[0]->label);
        return FIND_NOTHING;
    }
    search->distance = search->text.len < 4 ? FAR - 1 : FAR;
    visit_all(snap, visit_near, search);
    if (search->near)
        err_set(err, "there is no member \"%s\"; did you mean member:%s?", quote.text,
                search->near->label);
    else
        err_set(err, "there is no member \"%s\"; `weir status` shows them", quote.text);
    return FIND_NOTHING;
}

static enum find_result find_named(const struct snapshot *snap, struct slice text,
                                   const struct member **ret_member, struct err *err)
{
    struct search search = {.text = text, .is_label = slice_find(text, '/') < text.len};
    visit_all(snap, visit_match, &search);
    if (!search.found)
        return tell_missing(snap, &search, err);
    if (search.second) {
        err_set(err, "\"%.*s\" may be member:%s or member:%s; say which", SLICE_ARG(search.text),
                search.found->label, search.second->label);
        return FIND_NOTHING;
    }
    *ret_member = search.found;
    return FIND_OK;
}

/* ---- kinds ---- */

static const char *const other_kinds[] = {"listen", "pool", "dns", "queue"};

enum find_result find_member(const struct snapshot *snap, struct slice text,
                             const struct member **ret_member, struct err *err)
{
    struct slice rest = text, kind = slice_cut(&rest, ':');
    if (!rest.ptr)
        return find_named(snap, text, ret_member, err);
    if (slice_is(kind, "member"))
        return find_named(snap, rest, ret_member, err);
    struct conf_quote quote;
    conf_quote(text, &quote);
    if (slice_is(kind, "vip") || slice_is(kind, "node")) {
        err_set(err, "%s: a %.*s may drain, nothing else is done with it", quote.text,
                SLICE_ARG(kind));
        return FIND_OTHER;
    }
    for (size_t i = 0; i < ARRAY_LEN(other_kinds); i++) {
        if (!slice_is(kind, other_kinds[i]))
            continue;
        err_set(err,
                "%s: it is done with members of pools, as in member:POOL/NAME; with a %s there is "
                "nothing to do",
                quote.text, other_kinds[i]);
        return FIND_OTHER;
    }
    err_set(err, "%s: nothing is called so; a member is member:POOL/NAME", quote.text);
    return FIND_NOTHING;
}

/* ---- what may drain ---- */

static void set_thing(struct find_thing *thing, enum forced_kind kind, const char *prefix,
                      struct slice name)
{
    *thing = (struct find_thing){.kind = kind};
    snprintf(thing->label, sizeof(thing->label), "%s%.*s", prefix, SLICE_ARG(name));
}

static enum find_result find_vip(const struct snapshot *snap, struct slice name,
                                 struct find_thing *ret_thing, struct err *err)
{
    struct conf_quote quote;
    struct slice near = {0};
    unsigned distance = name.len < 4 ? FAR - 1 : FAR;
    if (floating_has(snap, name)) {
        set_thing(ret_thing, FORCED_VIP, "vip:", name);
        return FIND_OK;
    }
    const struct floating_names vips = floating_names(snap);
    for (uint32_t i = 0; i < vips.n; i++) {
        unsigned now = slice_distance(vips.items[i], name);
        near = now < distance ? vips.items[i] : near;
        distance = now < distance ? now : distance;
    }
    conf_quote(name, &quote);
    if (near.len)
        err_set(err, "there is no vip \"%s\"; did you mean vip:%.*s?", quote.text, SLICE_ARG(near));
    else
        err_set(err, "there is no vip \"%s\"; `weir facts` shows them", quote.text);
    return FIND_NOTHING;
}

static enum find_result find_node(const struct snapshot *snap, struct slice name,
                                  struct find_thing *ret_thing, struct err *err)
{
    struct conf_quote quote;
    conf_quote(name, &quote);
    if (name.len && slice_is(name, snap->node)) {
        set_thing(ret_thing, FORCED_NODE, "node:", name);
        return FIND_OK;
    }
    if (!snap->node[0]) {
        err_set(err, "the file has no nodes; drain its vips one by one");
        return FIND_NOTHING;
    }
    const struct nodes_conf *nodes = settings_of(snap)->nodes;
    for (size_t i = 0; nodes && i < nodes->list.n_items; i++) {
        if (!slice_equal(((const struct node_conf *)nodes->list.items[i])->name, name))
            continue;
        err_set(err, "node:%s is another machine, and drains there; this is node:%s", quote.text,
                snap->node);
        return FIND_OTHER;
    }
    err_set(err, "there is no node \"%s\"; this is node:%s", quote.text, snap->node);
    return FIND_NOTHING;
}

/* Without a kind, and no member: a vip or this node of exactly that name. */
static bool find_plain(const struct snapshot *snap, struct slice text, struct find_thing *ret_thing)
{
    if (floating_has(snap, text))
        set_thing(ret_thing, FORCED_VIP, "vip:", text);
    else if (text.len && slice_is(text, snap->node))
        set_thing(ret_thing, FORCED_NODE, "node:", text);
    else
        return false;
    return true;
}

enum find_result find_thing(const struct snapshot *snap, struct slice text, bool is_move,
                            struct find_thing *ret_thing, struct err *err)
{
    struct slice name = text, kind = slice_cut(&name, ':');
    const struct member *member;
    if (is_move && name.ptr && slice_is(kind, "vip"))
        return find_vip(snap, name, ret_thing, err);
    if (is_move && name.ptr && slice_is(kind, "node"))
        return find_node(snap, name, ret_thing, err);
    enum find_result result = find_member(snap, text, &member, err);
    if (result == FIND_OK) {
        set_thing(ret_thing, FORCED_MEMBER, "", slice_from(member->label));
        ret_thing->member = member;
    } else if (is_move && find_plain(snap, text, ret_thing)) {
        return FIND_OK;
    }
    return result;
}

/* ---- pools ---- */

const struct pool *find_pool(const struct snapshot *snap, struct slice name, struct err *err)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    const struct pool *found = pool_find(snap, name), *near = NULL;
    unsigned distance = name.len < 4 ? FAR - 1 : FAR;
    struct conf_quote quote;
    for (uint32_t i = 0; i < conf->n_pools && !found; i++) {
        unsigned now = slice_distance(conf->pools[i]->name, name);
        near = now < distance ? conf->pools[i] : near;
        distance = now < distance ? now : distance;
    }
    conf_quote(name, &quote);
    if (!found && near)
        err_set(err, "there is no pool \"%s\"; did you mean \"%.*s\"?", quote.text,
                SLICE_ARG(near->name));
    else if (!found)
        err_set(err, "there is no pool \"%s\"; `weir status` shows them", quote.text);
    return found;
}

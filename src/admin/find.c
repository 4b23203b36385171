/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Finding the member that is meant.
 */

#include "admin/find.h"

#include "base/mem.h"
#include "conf/unit.h"

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

static const char *const other_kinds[] = {"node", "listen", "vip", "pool", "dns", "queue"};

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
    for (size_t i = 0; i < ARRAY_LEN(other_kinds); i++) {
        if (!slice_is(kind, other_kinds[i]))
            continue;
        err_set(err,
                "%s: this weir does it with members of pools only, as in member:POOL/NAME; with "
                "a %s there is nothing to do",
                quote.text, other_kinds[i]);
        return FIND_OTHER;
    }
    err_set(err, "%s: nothing is called so; a member is member:POOL/NAME", quote.text);
    return FIND_NOTHING;
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

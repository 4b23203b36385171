/* SPDX-License-Identifier: Apache-2.0 */

/*
 * TLS to the members of pools: the words' checks, the files, the contexts.
 */

#include "pool/pool_tls.h"

#include "base/mem.h"
#include <assert.h>

struct pool_tls {
    uint32_t n_pools;
    struct tls_client *unverified; /* for tls checks of pools in the clear; NULL: there are none */
    struct tls_client *clients[];  /* by the pool's index; NULL: in the clear */
};

/* ---- configuration ---- */

/* Who speaks to members. */
const char *const pool_tls_kinds[] = {"edge", "health", NULL};

static int check_name(const struct pool *pool, const struct member *member, struct conf_load *load)
{
    if (!pool->tls->verify || pool_tls_name(member).len)
        return 0;
    return conf_error(
        load->diag, member->endpoint.at, "tls name HOST in the pool, or tls verify off",
        "member %.*s has no name that its certificate could bear", SLICE_ARG(member->name));
}

int pool_tls_check(struct pool *pool, struct conf_load *load)
{
    if (!pool->tls)
        return 0;
    int result = tls_client_check(pool->tls, pool->fact, load);
    for (uint32_t m = 0; m < pool->n_members; m++) {
        if (check_name(pool, pool->members[m], load) < 0)
            result = -1;
    }
    return result;
}

int pool_tls_files(const struct snapshot *snap, file_want_fn *want, void *ctx)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        if (conf->pools[p]->tls && tls_client_files(conf->pools[p]->tls, want, ctx) < 0)
            return -1;
    }
    return 0;
}

int pool_tls_check_files(const struct snapshot *snap, const struct conf_bundle *files,
                         struct conf_diag *diag)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    int result = 0;
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        if (conf->pools[p]->tls && tls_client_inspect(conf->pools[p]->tls, files, diag) < 0)
            result = -1;
    }
    return result;
}

struct slice pool_tls_name(const struct member *member)
{
    struct slice name = member->pool->tls ? member->pool->tls->name : SLICE("");
    return name.len ? name : member->endpoint.host;
}

/* ---- a snapshot's ---- */

static bool wants_unverified(const struct pool_conf *conf)
{
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        const struct pool *pool = conf->pools[p];
        if (!pool->tls && pool->check && pool->check->kind == CHECK_TLS)
            return true;
    }
    return false;
}

static int make_unverified(struct pool_tls *tls, struct err *err)
{
    static const struct tls_client_conf believes_all = {.verify = 0};
    const struct tls_client_options options = {.conf = &believes_all};
    tls->unverified = tls_client_create(&options, err);
    return tls->unverified ? 0 : -1;
}

struct pool_tls *pool_tls_create(const struct snapshot *snap,
                                 struct slice (*bytes)(void *bytes_ctx, const char *name),
                                 void *bytes_ctx, struct err *err)
{
    const struct pool_conf *conf = pool_conf_of(snap);
    size_t size = sizeof(struct pool_tls) + conf->n_pools * sizeof(struct tls_client *);
    struct pool_tls *tls = mem_alloc(size);
    memset(tls, 0, size);
    tls->n_pools = conf->n_pools;
    if (wants_unverified(conf) && make_unverified(tls, err) < 0) {
        pool_tls_destroy(&tls);
        return NULL;
    }
    for (uint32_t p = 0; p < conf->n_pools; p++) {
        const struct tls_client_options options = {
            .conf = conf->pools[p]->tls, .bytes = bytes, .bytes_ctx = bytes_ctx};
        if (!options.conf)
            continue;
        tls->clients[p] = tls_client_create(&options, err);
        if (!tls->clients[p]) {
            (void)err_prefix(err, "%s", conf->pools[p]->fact);
            pool_tls_destroy(&tls);
            return NULL;
        }
    }
    return tls;
}

void pool_tls_destroy(struct pool_tls **tls)
{
    struct pool_tls *old = *tls;
    *tls = NULL;
    if (!old)
        return;
    for (uint32_t p = 0; p < old->n_pools; p++)
        tls_client_destroy(&old->clients[p]);
    tls_client_destroy(&old->unverified);
    mem_free(old);
}

const struct tls_client *pool_tls_of(const struct pool_tls *tls, const struct pool *pool)
{
    assert(!tls || pool->index < tls->n_pools);
    return tls ? tls->clients[pool->index] : NULL;
}

const struct tls_client *pool_tls_of_check(const struct pool_tls *tls, const struct pool *pool)
{
    const struct tls_client *own = pool_tls_of(tls, pool);
    if (pool->check->is_plain)
        return NULL;
    return !own && tls && pool->check->kind == CHECK_TLS ? tls->unverified : own;
}

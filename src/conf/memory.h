/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_MEMORY_H
#define CONF_MEMORY_H

/*
 * A configuration that is one text in memory: a struct conf_host that reads it whatever the path,
 * finds no files by a pattern and knows no environment. For tests, which so read what a user would
 * write without a disk. The text is borrowed and must outlive what is read from it.
 */

#include "conf/tree.h"

static inline int conf_memory_read(void *ctx, struct slice path, struct arena *arena,
                                   struct slice *ret_bytes, struct err *err)
{
    (void)path;
    (void)err;
    *ret_bytes = arena_dup(arena, slice_from(ctx));
    return 0;
}

static inline int conf_memory_glob(void *ctx, struct slice pattern, struct arena *arena,
                                   struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    (void)ctx;
    (void)pattern;
    (void)arena;
    (void)err;
    *ret_paths = NULL;
    *ret_n = 0;
    return 0;
}

static inline const char *conf_memory_env(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
    return NULL;
}

static inline struct conf_host conf_memory_host(char *text)
{
    return (struct conf_host){
        .ctx = text, .read = conf_memory_read, .glob = conf_memory_glob, .env = conf_memory_env};
}

#endif

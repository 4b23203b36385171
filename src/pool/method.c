/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of `balance` and `queue`.
 */

#include "pool/method.h"

#include "base/mem.h"
#include "pool/token.h"

/* ---- balance ---- */

static const struct conf_choice methods[] = {
    {.name = "round-robin",
     .value = POOL_ROUND_ROBIN,
     .doc = "one after the other, smoothly by weight"},
    {.name = "least-load",
     .value = POOL_LEAST_LOAD,
     .doc = "of two drawn by weight the one with fewer requests in flight for its weight"},
    {.name = "latency",
     .value = POOL_LATENCY,
     .doc = "of two drawn by weight the one that answers sooner, by what it has in flight"},
    {.name = "random", .value = POOL_RANDOM, .doc = "any, by weight"},
    {.name = "first", .value = POOL_FIRST, .doc = "the first in the file that has room"},
    {.name = "hash",
     .value = POOL_HASH,
     .doc = "the same one for the same source, header, cookie, path or query"},
    {0},
};

static const struct conf_word balance_args[] = {
    {.name = "METHOD",
     .type = CONF_CHOICE,
     .offset = offsetof(struct balance_conf, method),
     .fallback = "round-robin",
     .choices = methods,
     .doc = "who takes the next request"},
    {0},
};

static const struct conf_word balance_words[] = {
    {.name = "source",
     .type = CONF_FLAG,
     .offset = offsetof(struct balance_conf, by_source),
     .doc = "hash: by the client's address"},
    {.name = "header",
     .type = CONF_STRING,
     .offset = offsetof(struct balance_conf, header),
     .doc = "hash: by the value of this field"},
    {.name = "cookie",
     .type = CONF_STRING,
     .offset = offsetof(struct balance_conf, cookie),
     .doc = "hash: by the value of this cookie"},
    {.name = "path",
     .type = CONF_FLAG,
     .offset = offsetof(struct balance_conf, by_path),
     .doc = "hash: by the path, without the query"},
    {.name = "query",
     .type = CONF_STRING,
     .offset = offsetof(struct balance_conf, query),
     .doc = "hash: by the value of this parameter of the query"},
    {.name = "bound",
     .type = CONF_PERCENT,
     .offset = offsetof(struct balance_conf, bound),
     .min = 101,
     .max = 10000,
     .doc = "hash: of its share of what is in flight a member takes so much; then the next one"},
    {0},
};

static const struct {
    const char *word;
    enum pool_key key;
} keys[] = {
    {"source", POOL_KEY_SOURCE}, {"header", POOL_KEY_HEADER}, {"cookie", POOL_KEY_COOKIE},
    {"path", POOL_KEY_PATH},     {"query", POOL_KEY_QUERY},
};

static int check_key_name(struct conf_load *load, const struct balance_conf *balance,
                          const char *word)
{
    bool is_fine =
        balance->key == POOL_KEY_QUERY ? balance->key_name.len > 0 : is_token(balance->key_name);
    if (is_fine)
        return 0;
    return conf_error(load->diag, conf_where(&balance->object, word), NULL,
                      "\"%.*s\" is no name of a %s", SLICE_ARG(balance->key_name), word);
}

static int refuse_hash_words(struct conf_load *load, const struct balance_conf *balance)
{
    int rc = 0;
    for (size_t i = 0; balance_words[i].name; i++) {
        const char *word = balance_words[i].name;
        if (conf_is_set(&balance->object, word))
            rc = conf_error(load->diag, conf_where(&balance->object, word), "balance hash",
                            "only hash goes by a part of the request, so this has no %s", word);
    }
    return rc;
}

static int balance_finish(struct conf_load *load, void *self)
{
    struct balance_conf *balance = self;
    const char *word = NULL;
    if (balance->method != POOL_HASH)
        return refuse_hash_words(load, balance);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (!conf_is_set(&balance->object, keys[i].word))
            continue;
        if (word)
            return conf_error(load->diag, conf_where(&balance->object, keys[i].word), NULL,
                              "hash goes by one part of the request: %s or %s", word, keys[i].word);
        word = keys[i].word;
        balance->key = keys[i].key;
    }
    if (!word)
        return conf_error(load->diag, balance->object.at, "balance hash source",
                          "hash has no part of the request to go by: source, header NAME, "
                          "cookie NAME, path or query NAME");
    if (balance->key == POOL_KEY_SOURCE || balance->key == POOL_KEY_PATH)
        return 0;
    balance->key_name = balance->key == POOL_KEY_HEADER   ? balance->header
                        : balance->key == POOL_KEY_COOKIE ? balance->cookie
                                                          : balance->query;
    return check_key_name(load, balance, word);
}

const struct conf_block balance_block = {
    .size = sizeof(struct balance_conf),
    .args = balance_args,
    .words = balance_words,
    .finish = balance_finish,
};

/* ---- queue ---- */

static const struct conf_word queue_args[] = {
    {.name = "N",
     .type = CONF_INT,
     .offset = offsetof(struct pool_queue_conf, max),
     .fallback = "1000",
     .min = 0,
     .max = 1000000,
     .doc = "requests at most, in all loops together; 0: nobody waits"},
    {0},
};

static const struct conf_word queue_words[] = {
    {.name = "timeout",
     .type = CONF_TIME,
     .offset = offsetof(struct pool_queue_conf, timeout_ms),
     .fallback = "5s",
     .min = 10,
     .max = 3600000,
     .doc = "how long one waits at most; then 503"},
    {0},
};

const struct conf_block queue_block = {
    .size = sizeof(struct pool_queue_conf),
    .args = queue_args,
    .words = queue_words,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a file says of a queue's deliveries, as a deliverer keeps it.
 */

#include "queue/deliver.h"

#include "base/mem.h"
#include "core/secret.h"
#include <assert.h>

void deliver_rule_deinit(struct deliver_rule *rule)
{
    mem_free(rule->queue);
    mem_free(rule->pool);
    mem_free(rule->node);
    mem_free(rule->path);
    mem_free(rule->host);
    mem_free(rule->type);
    mem_free(rule->pool_fact);
    mem_free(rule->open_fact);
    tls_wipe(rule->key, sizeof(rule->key));
}

static char *dup(struct slice text)
{
    char *copy = mem_alloc(text.len + 1);
    slice_copy(text, copy, text.len + 1);
    return copy;
}

/* The secret was checked by the supervisor. */
static void derive_key(const struct hall *hall, struct deliver_rule *rule)
{
    struct secrets secrets;
    struct err err = ERR_NONE;
    struct text purpose = TEXT_NONE;
    int result = secrets_parse(process_blob(hall->process, BLOB_SECRET), &secrets, &err);
    assert(result == 0);
    text_printf(&purpose, "webhook %s", rule->queue);
    tls_derive_key(secrets.items[0], text_cstr(&purpose), rule->key);
    text_deinit(&purpose);
}

void deliver_rule_init(const struct hall *hall, const struct queue_conf *queue,
                       struct deliver_rule *rule)
{
    const struct deliver_conf *conf = queue->deliver;
    struct text path = TEXT_NONE;
    *rule = (struct deliver_rule){
        .queue = dup(queue->name),
        .pool = dup(conf->pool_ref.name),
        .node = mem_strdup(hall->snap->node),
        .path = dup(conf->path),
        .host = dup(conf->host),
        .type = dup(conf->type),
        .pool_fact = mem_strdup(conf->pool_fact),
        .open_fact = conf->open_fact ? mem_strdup(conf->open_fact) : NULL,
        .concurrency = queue->concurrency > 0 ? (uint32_t)queue->concurrency : DELIVER_CONCURRENCY,
        .timeout_ms = (uint32_t)conf->timeout_ms,
        .response_bytes = (size_t)conf->response_bytes,
        .retry_after_ms = (uint64_t)conf->retry_after_ms,
        .hold_ms = (uint64_t)conf->hold_ms,
        .is_signed = conf->is_signed,
    };
    /* By the descriptor: the folders above may be closed to this user, or the path too long. */
    text_printf(&path, "unix:/proc/self/fd/%d/" DELIVER_SOCKET, hall->process->state_fd);
    int result = addr_parse(text_slice(&path), &rule->addr, NULL);
    assert(result == 0);
    text_deinit(&path);
    if (rule->is_signed)
        derive_key(hall, rule);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `callback` and `failure-callback`, and what they say together.
 */

#include "queue/conf.h"

#include "base/mem.h"

static const struct conf_word callback_args[] = {
    {.name = "queue",
     .type = CONF_REF,
     .offset = offsetof(struct queue_callback_conf, queue_ref),
     .doc = "which has a `deliver`: there the request goes, to its `path` or where the job asks by "
            "Weir-Callback and Weir-Failure-Callback, below that path"},
    {0},
};

static const struct conf_word callback_words[] = {
    {.name = "body",
     .type = CONF_SIZE,
     .offset = offsetof(struct queue_callback_conf, body_bytes),
     .fallback = "16k",
     .min = 0,
     .max = CALLBACK_BODY_MAX,
     .doc = "bytes of the answer to the job, or of its result, that are told along; of a longer "
            "one only the length is"},
    {0},
};

const struct conf_block queue_callback_block = {
    .size = sizeof(struct queue_callback_conf),
    .args = callback_args,
    .words = callback_words,
};

static const struct queue_conf *queue_at(const struct queue_module_conf *conf, size_t i)
{
    return conf->queue_list.items[i];
}

/* ---- check ----------------------------------------------------------------------------------- */

static int find_queue(const struct queue_module_conf *conf, struct queue_callback_conf *callback,
                      struct conf_load *load)
{
    const struct conf_ref *ref = &callback->queue_ref;
    callback->queue = queue_conf_find(conf, ref->name);
    if (!callback->queue)
        return conf_error(load->diag, ref->at, "queue hooks { deliver pool NAME }",
                          "there is no queue \"%.*s\"", SLICE_ARG(ref->name));
    if (callback->queue->deliver)
        return 0;
    return conf_error(load->diag, ref->at, "queue hooks { deliver pool NAME }",
                      "queue %.*s has no `deliver`: nobody would hear of it", SLICE_ARG(ref->name));
}

/* Do the callbacks of `from` come to `to`, however far? `is_seen` has a place for each queue. */
static bool leads_to(const struct queue_module_conf *conf, const struct queue_conf *from,
                     const struct queue_conf *to, bool *is_seen)
{
    for (int end = 0; end < CALLBACK_N_ENDS; end++) {
        const struct queue_conf *next = from->callbacks[end] ? from->callbacks[end]->queue : NULL;
        if (next == to)
            return true;
        size_t at = 0;
        while (next && queue_at(conf, at) != next)
            at++;
        if (!next || is_seen[at])
            continue;
        is_seen[at] = true;
        if (leads_to(conf, next, to, is_seen))
            return true;
    }
    return false;
}

/* Told at the first queue of a circle. */
static int check_circles(const struct queue_module_conf *conf, struct conf_load *load)
{
    size_t n = conf->queue_list.n_items;
    for (size_t i = 0; i < n; i++) {
        const struct queue_conf *queue = queue_at(conf, i);
        bool *is_seen = MEM_NEW_ARRAY(bool, n);
        bool is_circle = leads_to(conf, queue, queue, is_seen);
        mem_free(is_seen);
        if (!is_circle)
            continue;
        bool is_failure = !queue->callbacks[CALLBACK_DONE];
        const char *word = is_failure ? "failure-callback" : "callback";
        return conf_error(load->diag, conf_where(&queue->object, word), NULL,
                          "the callbacks of queue %.*s come back to it, and would never end",
                          SLICE_ARG(queue->name));
    }
    return 0;
}

int callbacks_check(const struct queue_module_conf *conf, struct conf_load *load)
{
    int result = 0;
    for (size_t i = 0; i < conf->queue_list.n_items; i++)
        for (int end = 0; end < CALLBACK_N_ENDS; end++) {
            struct queue_callback_conf *callback = queue_at(conf, i)->callbacks[end];
            if (callback && find_queue(conf, callback, load) < 0)
                result = -1;
        }
    return result < 0 ? -1 : check_circles(conf, load);
}

/* ---- rules ----------------------------------------------------------------------------------- */

void callback_rule_init(const struct queue_callback_conf *conf, struct callback_rule *ret_rule)
{
    const struct deliver_conf *deliver = conf->queue->deliver;
    *ret_rule = (struct callback_rule){.queue = slice_dup(conf->queue->name),
                                       .path = slice_dup(deliver->path),
                                       .host = slice_dup(deliver->host),
                                       .body_max = (size_t)conf->body_bytes};
}

void callback_rule_deinit(struct callback_rule *rule)
{
    mem_free(rule->queue);
    mem_free(rule->path);
    mem_free(rule->host);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A reload, in two phases over all processes: the supervisor reads, checks and binds; every process
 * that runs prepares; when all are ready, all commit. One that refuses, dies or is too slow, and
 * nothing has changed. A process that is dead meanwhile takes no part: its next life gets what is
 * in force then.
 *
 *     prepare -> all ready -> commit -> all loops of all have gone over -> the answer
 *
 * So what comes behind the answer meets the new configuration everywhere. A process that does not
 * go over within reload-timeout keeps nobody waiting: the answer names it.
 */

#include "base/mem.h"
#include "super/internal.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void reload_answer_all(struct super *super, bool is_ok, struct slice text)
{
    for (size_t i = 0; i < super->n_requesters; i++)
        super_answer(super, &super->requesters[i], is_ok, text);
    super->n_requesters = 0;
}

static void begin(struct super *super);

/* The reload is over; one that was asked for meanwhile begins. */
static void end(struct super *super)
{
    loop_timer_clear(super->loop, &super->reload_limit);
    text_deinit(&super->reloaded);
    super->state = SUPER_SERVING;
    sockets_sweep(super);
    reload_resume(super);
}

void reload_resume(struct super *super)
{
    if (!super->is_reload_due)
        return;
    super->is_reload_due = false;
    memcpy(super->requesters, super->later, super->n_later * sizeof(super->later[0]));
    super->n_requesters = super->n_later;
    super->n_later = 0;
    begin(super);
}

/* --- nothing has changed ---------------------------------------------------------------------- */

static void refuse(struct super *super, struct slice why)
{
    log_write(super->log, LOG_LEVEL_ERROR, "reload refused, nothing has changed:");
    /* A quoted line of the file and the mark below it stay under each other. */
    for (struct slice rest = why; rest.ptr && rest.len > 0;) {
        struct slice line = slice_cut(&rest, '\n');
        log_write(super->log, LOG_LEVEL_ERROR, "  %.*s", SLICE_ARG(line));
    }
    reload_answer_all(super, false, why);
    notify_ready(super);
}

static void give_up(struct super *super, const char *why)
{
    struct super_config *coming = super->coming;
    uint64_t generation = coming->generation;
    refuse(super, slice_from(why));
    super->coming = NULL;
    for (size_t i = 0; i < super->n_children; i++) {
        struct child *child = &super->children[i];
        if (child->asked == generation || child->prepared == generation)
            child_abort(child);
    }
    config_destroy(&coming);
    end(super);
}

/* The mistakes in the coming configuration, as `weir check` prints them. */
static void give_up_by_diag(struct super *super)
{
    struct text why = TEXT_NONE;
    conf_diag_print(super->coming->diag, &why);
    give_up(super, text_cstr(&why));
    text_deinit(&why);
}

void reload_on_refused(struct super *super, struct child *child, struct slice why)
{
    char text[CONTROL_TEXT_MAX];
    snprintf(text, sizeof(text), "%s refused: %.*s", child->kind, SLICE_ARG(why));
    child->asked = 0;
    give_up(super, text);
}

void reload_on_death(struct super *super, struct child *child, const char *how)
{
    char text[256];
    snprintf(text, sizeof(text), "%s %s while it prepared the new configuration", child->kind, how);
    give_up(super, text);
}

/* --- all have gone over ----------------------------------------------------------------------- */

static bool is_on_its_way(const struct super *super, const struct child *child)
{
    return child->state == CHILD_SERVING && child->committed == super->config->generation &&
           child->switched != child->committed;
}

static void answer(struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (is_on_its_way(super, child))
            text_printf(&super->reloaded, "\n%s has not gone over to it yet", child->kind);
    }
    reload_answer_all(super, true, text_slice(&super->reloaded));
    notify_ready(super);
    end(super);
}

void reload_on_progress(struct super *super)
{
    if (super->state != SUPER_RELOADING || super->coming)
        return;
    for (size_t i = 0; i < super->n_children; i++) {
        if (is_on_its_way(super, &super->children[i]))
            return;
    }
    answer(super);
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    struct super *super = CONTAINER_OF(timer, struct super, reload_limit);
    struct text why = TEXT_NONE;
    (void)loop;
    if (!super->coming) {
        if (super->state == SUPER_RELOADING)
            answer(super);
        return;
    }
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (child_runs(child) && child->asked != 0)
            text_printf(&why, "%s%s", why.len ? ", " : "", child->kind);
    }
    text_printf(&why, " did not prepare the new configuration within reload-timeout");
    give_up(super, text_cstr(&why));
    text_deinit(&why);
}

/* --- all are ready ---------------------------------------------------------------------------- */

static bool takes_part(const struct super *super, const struct child *child)
{
    return (child->state == CHILD_STARTING || child->state == CHILD_SERVING) &&
           snapshot_needs(super->coming->snap, child->kind);
}

static bool are_all_ready(const struct super *super)
{
    for (size_t i = 0; i < super->n_children; i++) {
        const struct child *child = &super->children[i];
        if (takes_part(super, child) && child->prepared != super->coming->generation)
            return false;
    }
    return true;
}

static void commit_child(struct super *super, struct child *child)
{
    bool is_needed = snapshot_needs(super->config->snap, child->kind);
    if (is_needed && child->prepared == super->config->generation)
        child_commit(child);
    else if (is_needed && child->state == CHILD_OFF)
        child_start(child, super->config); /* it was about to end when this reload began */
    else if (!is_needed && child->state != CHILD_OFF && child->state != CHILD_STOPPING &&
             child->state != CHILD_DRAINING)
        child_drain(child, super_settings(super)->stop_timeout_ms);
}

static void commit(struct super *super)
{
    struct text *text = &super->reloaded;
    struct super_config *former = super->config;
    super->config = super->coming;
    super->coming = NULL;
    for (size_t i = 0; i < super->n_children; i++)
        commit_child(super, &super->children[i]);
    config_destroy(&former);
    const struct settings *settings = super_settings(super);
    log_set_level(super->log, (enum log_level)settings->log.level);
    log_drain_set_format(super->drain, (enum log_format)settings->log.format);
    text_printf(text, "generation %" PRIu64 " is in force", super->config->generation);
    log_write(super->log, LOG_LEVEL_INFO, "reload: %s", text_cstr(text));
    if (super->config->diag->n_items) { /* warnings, and no mistakes */
        text_append_char(text, '\n');
        conf_diag_print(super->config->diag, text);
    }
    reload_on_progress(super);
}

void reload_on_ready(struct super *super, struct child *child)
{
    (void)child;
    if (super->coming && are_all_ready(super))
        commit(super);
}

/* --- the first phase -------------------------------------------------------------------------- */

static void prepare_all(struct super *super)
{
    for (size_t i = 0; i < super->n_children && super->coming; i++) {
        struct child *child = &super->children[i];
        if (!snapshot_needs(super->coming->snap, child->kind))
            continue;
        if (child->state == CHILD_SERVING && child->asked == 0 && child->prepared == 0)
            child_prepare(child, super->coming);
        else if (child->state == CHILD_OFF)
            child_start(child, super->coming);
    }
}

/* What the coming configuration leaves behind, which is no reason to refuse it. */
static void tell_left(const struct super *super)
{
    const struct module_table *table = super->table;
    for (size_t i = 0; i < table->n_items; i++)
        if (table->items[i]->leaves)
            table->items[i]->leaves(super->config->snap, super->coming->snap, super->board,
                                    super->coming->diag);
}

static void begin(struct super *super)
{
    super->state = SUPER_RELOADING;
    notify_reloading();
    loop_timer_init(&super->reload_limit, on_limit);
    int result = config_load(super, &super->coming);
    if (result == 0)
        result =
            snapshot_restart_changes(super->config->snap, super->coming->snap, super->coming->diag)
                ? -1
                : 0;
    if (result == 0)
        tell_left(super);
    if (result == 0)
        result = sockets_bind(super, super->coming);
    if (result < 0) {
        give_up_by_diag(super);
        return;
    }
    loop_timer_set(super->loop, &super->reload_limit,
                   loop_clock_ns() +
                       (uint64_t)super_settings(super)->reload_timeout_ms * NS_PER_MS);
    config_log(super, super->coming);
    prepare_all(super);
    if (super->coming && are_all_ready(super))
        commit(super);
}

void reload_request(struct super *super, const struct requester *who)
{
    struct requester *list = super->requesters;
    size_t *n = &super->n_requesters;
    bool is_busy = super->state == SUPER_RELOADING || super->state == SUPER_STARTING ||
                   super->state == SUPER_UPGRADING;
    if (super->state == SUPER_STOPPING) {
        if (who)
            super_answer(super, who, false, SLICE("weir is stopping"));
        return;
    }
    if (is_busy) {
        list = super->later;
        n = &super->n_later;
    }
    if (who && *n == REQUESTERS_MAX) {
        super_answer(super, who, false, SLICE("too many reloads are asked for at once"));
        return;
    }
    if (who)
        list[(*n)++] = *who;
    if (is_busy)
        super->is_reload_due = true;
    else
        begin(super);
}

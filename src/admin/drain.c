/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drains of members: how far each is, and when it is over.
 */

#include "admin/operate.h"
#include "admin/tallies.h"
#include "conf/unit.h"
#include "core/process.h"
#include <inttypes.h>
#include <stdio.h>

enum {
    NS_PER_MS = 1000000,
    MS_PER_S = 1000,
    DNS_PATIENCE_MS = 2000, /* for the death of the DNS process and its next start */
    CALM_LOOKS = 2, /* a request may be between the fact and the count while the first one looks */
};

/* ---- looking ---- */

static void count(const struct operate *operate, const struct forced_entry *entry,
                  struct drain_progress *progress)
{
    struct arena arena;
    struct tallies tallies;
    arena_init(&arena);
    tallies_init(&tallies, operate->process->board, operate->process->table, &arena);
    const struct tally *tally = tallies_find(&tallies, "member", entry->label);
    uint64_t used_s = tally ? tally_value(tally, "session_used_seconds", NULL) : 0;
    progress->n_in_flight = tally ? tally_value(tally, "in_flight", NULL) : 0;
    progress->has_sessions = used_s != 0;
    progress->sessions_ms = used_s * 1000;
    tallies_deinit(&tallies);
    arena_deinit(&arena);
}

/*
 * What DNS has told others of the member. A DNS process that is silent for good answers nobody any
 * more; what it has told last runs out.
 */
void drain_look_at_dns(const struct operate *operate, const char *label,
                       struct drain_progress *progress)
{
    const struct board *board = operate->process->board;
    char name[FACT_NAME_MAX];
    struct fact fact;
    snprintf(name, sizeof(name), "answer:%s", label);
    struct fact_ref ref = board_find(board, name);
    if (!ref.is_set || !board_read(board, ref, &fact) || !(fact.value >= 0))
        return;
    if (fact.state == FACT_DRAINING) {
        progress->dns_until_ms = (uint64_t)fact.value * MS_PER_S;
        return;
    }
    uint64_t now_ns = loop_now_ns(operate->process->loops[0]);
    uint64_t silence_ms = board_silence(board, ref.segment, now_ns) / NS_PER_MS;
    progress->is_answered = silence_ms <= DNS_PATIENCE_MS + (uint64_t)fact.value * MS_PER_S;
}

struct drain_progress drain_look(const struct operate *operate, const struct forced_entry *entry)
{
    struct drain_progress progress = {
        .is_draining = entry->state == FACT_DRAINING,
        .is_drained = entry->state == FACT_DRAINING && entry->drained_ms != 0,
        .idle_ms = entry->idle_ms,
        .since_ms = entry->state_since_ms,
        .drained_ms = entry->drained_ms,
    };
    if (progress.is_draining) {
        count(operate, entry, &progress);
        drain_look_at_dns(operate, entry->label, &progress);
    }
    return progress;
}

/* Has health turned the member, so that edges give it nothing new? */
static bool is_turned(const struct operate *operate, const struct forced_entry *entry)
{
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "member:%s", entry->label);
    struct fact_ref ref = board_find(operate->process->board, name);
    enum fact_state state = ref.is_set ? board_peek(operate->process->board, ref) : FACT_NONE;
    return state == FACT_DRAINING || state == FACT_DOWN;
}

static uint64_t unused_ms(const struct operate *operate, const struct drain_progress *progress)
{
    uint64_t now_ms = operate_now_ms(operate);
    return now_ms > progress->sessions_ms ? now_ms - progress->sessions_ms : 0;
}

static bool is_calm(const struct operate *operate, const struct drain_progress *progress)
{
    return progress->n_in_flight == 0 && !progress->is_answered &&
           progress->dns_until_ms <= operate_now_ms(operate) &&
           (!progress->has_sessions || unused_ms(operate, progress) >= progress->idle_ms);
}

/* ---- saying ---- */

void drain_describe_dns(const struct operate *operate, const struct drain_progress *progress,
                        struct text *out)
{
    uint64_t now_ms = operate_now_ms(operate);
    if (progress->is_answered)
        text_printf(out, ", DNS still answers it");
    else if (progress->dns_until_ms > now_ms)
        text_printf(out, ", out of DNS, where its address may be remembered for %" PRIu64 " s",
                    (progress->dns_until_ms - now_ms + MS_PER_S - 1) / MS_PER_S);
}

void drain_describe(const struct operate *operate, const struct drain_progress *progress,
                    struct text *out)
{
    if (progress->is_drained) {
        text_printf(out, "nothing is in flight; its server may be switched off");
        return;
    }
    text_printf(out, "%" PRIu64 " in flight", progress->n_in_flight);
    drain_describe_dns(operate, progress, out);
    if (!progress->has_sessions)
        return;
    text_printf(out, ", a session used %" PRIu64 " s ago; ends after ",
                unused_ms(operate, progress) / 1000);
    conf_unit_show_time(out, (int64_t)progress->idle_ms);
    text_printf(out, " without one");
}

static void state_progress(struct operate *operate, const struct forced_entry *entry,
                           const struct drain_progress *progress)
{
    char name[FACT_NAME_MAX];
    struct text reason = TEXT_NONE;
    snprintf(name, sizeof(name), "drain:member/%s", entry->label);
    drain_describe(operate, progress, &reason);
    uint64_t since_ms = progress->is_drained ? progress->drained_ms : progress->since_ms;
    (void)board_state(operate->process->board, name,
                      progress->is_drained ? FACT_DRAINED : FACT_DRAINING,
                      (double)progress->n_in_flight, text_cstr(&reason), since_ms * NS_PER_MS);
    text_deinit(&reason);
}

void drain_state(struct operate *operate, const struct forced_entry *entry)
{
    struct drain_progress progress = drain_look(operate, entry);
    char name[FACT_NAME_MAX];
    snprintf(name, sizeof(name), "drain:member/%s", entry->label);
    if (progress.is_draining)
        state_progress(operate, entry, &progress);
    else
        board_remove(operate->process->board, name, loop_wall_ns(operate->process->loops[0]));
}

/* ---- the end of one ---- */

static void finish(struct operate *operate, const struct forced_entry *entry)
{
    struct log *log = process_log(operate->process->loops[0]);
    struct forced_entry done = *entry;
    struct err err = ERR_NONE;
    done.drained_ms = operate_now_ms(operate);
    done.n_calm = 0;
    if (operate_change(operate, &done, &err) < 0)
        log_write(log, LOG_LEVEL_ERROR, "the end of the drain of member:%s is not kept yet: %s",
                  done.label, err.text);
    else
        log_write(log, LOG_LEVEL_INFO, "member:%s is drained: its server may be switched off",
                  done.label);
}

static void look(struct operate *operate, struct forced_entry *entry)
{
    struct drain_progress progress = drain_look(operate, entry);
    bool is_over = is_turned(operate, entry) && is_calm(operate, &progress);
    entry->n_calm = is_over ? entry->n_calm + 1 : 0;
    if (entry->n_calm >= CALM_LOOKS)
        finish(operate, entry);
    else
        state_progress(operate, entry, &progress);
}

void drain_look_all(struct operate *operate)
{
    uint32_t cursor = 0;
    if (!operate->snap)
        return;
    for (struct forced_entry *entry; (entry = forced_next(&operate->forced, &cursor)) != NULL;) {
        if (entry->state != FACT_DRAINING)
            continue;
        if (forced_kind_of(slice_from(entry->label), NULL) != FORCED_MEMBER)
            drain_move_look(operate, entry);
        else if (entry->drained_ms == 0)
            look(operate, entry);
    }
}

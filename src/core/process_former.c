/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A process whose place another build has taken, while it finishes what it has. Its supervisor may
 * be of that other build and reads none of its messages; so it sends reports, packets of text whose
 * format both builds know (docs/formats/upgrade.md):
 *
 *     {"weir-former": 1, "is_drained": false, "slabs": [...]}
 *
 * with the counts of its own segment, in full, that have changed since they were last told. What
 * did not get through is told again.
 */

#include "base/hash.h"
#include "base/mem.h"
#include "core/export.h"
#include "core/process_life.h"
#include <stdio.h>
#include <string.h>

enum {
    REPORT_EVERY_MS = 250,
    REPORT_BYTES = 32 * 1024, /* a packet is closed behind the slab that passes this */
    LAST_WAIT_MS = 1000,
    NS_PER_MS = 1000000,
    SLABS_MAX = 4096,
};

/* One packet in the making. */
struct report {
    struct process_life *life;
    struct text text;
    struct json json;
    int wait_ms;
    uint64_t first; /* the places in the segment that it tells of */
    size_t n_slabs;
    bool is_failed;
};

static void report_begin(struct report *report, uint64_t first)
{
    text_clear(&report->text);
    report->first = first;
    report->n_slabs = 0;
    json_init(&report->json, &report->text);
    json_object_begin(&report->json);
    json_key(&report->json, "weir-former");
    json_int(&report->json, 1);
    json_key(&report->json, "is_drained");
    json_bool(&report->json, report->life->state == PROCESS_DRAINED);
    json_key(&report->json, "slabs");
    json_array_begin(&report->json);
}

/* Sends it; of a packet that did not get through, nothing counts as told. */
static void report_send(struct report *report, uint64_t end)
{
    struct process_former *former = &report->life->former;
    json_array_end(&report->json);
    json_object_end(&report->json);
    json_finish(&report->json);
    if (control_send_bytes(CONTROL_FD, text_slice(&report->text), report->wait_ms, NULL) == 0)
        return;
    report->is_failed = true;
    for (uint64_t i = report->first; i < end && i < SLABS_MAX; i++)
        former->told[i] = 0;
}

/* Have these counts changed since they were told? */
static bool is_news(struct process_former *former, uint64_t place, const struct export_slab *slab)
{
    static const struct hash_key key = {UINT64_C(0x666f726d6572), UINT64_C(0x7265706f7274)};
    const char *bytes = (const char *)slab->words;
    uint64_t now = hash_bytes(&key, slice_make(bytes, slab->table->n_words * sizeof(uint64_t)));
    now ^= hash_bytes(&key, slice_from(slab->view.object)); /* the place may be another's by now */
    now = now ? now : 1;
    if (place >= SLABS_MAX)
        return true;
    bool is_same = former->told[place] == now;
    former->told[place] = now;
    return !is_same;
}

static void report_all(struct process_life *life, int wait_ms)
{
    const struct process *process = &life->process;
    size_t own = (size_t)board_segment(process->board, process->kind);
    uint64_t *words = MEM_NEW_ARRAY(uint64_t, EXPORT_WORDS_MAX);
    struct report report = {.life = life, .text = TEXT_NONE, .wait_ms = wait_ms};
    struct export_slab slab = {.words = words};
    uint64_t cursor = 0;
    report_begin(&report, 0);
    while (!report.is_failed && export_next(process->board, own, process->table, &cursor, &slab)) {
        if (!is_news(&life->former, cursor - 1, &slab))
            continue;
        export_slab(&report.json, &slab, true);
        report.n_slabs++;
        if (report.text.len < REPORT_BYTES)
            continue;
        report_send(&report, cursor);
        report_begin(&report, cursor);
    }
    if (!report.is_failed)
        report_send(&report, cursor);
    text_deinit(&report.text);
    mem_free(words);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct process_life *life = CONTAINER_OF(timer, struct process_life, former.timer);
    report_all(life, 0);
    loop_timer_set(loop, timer, loop_now_ns(loop) + (uint64_t)REPORT_EVERY_MS * NS_PER_MS);
}

void process_former_begin(struct process_life *life)
{
    if (life->former.told)
        return;
    life->former.told = MEM_NEW_ARRAY(uint64_t, SLABS_MAX);
    snprintf(life->title, life->title_bytes, "weir: former %s", life->process.kind);
    loop_timer_init(&life->former.timer, on_timer);
    process_former_tell(life);
}

void process_former_tell(struct process_life *life)
{
    struct loop *loop = life->process.loops[0];
    loop_timer_set(loop, &life->former.timer, loop_now_ns(loop));
}

/* What is told now is all that there will be: each count, told before or not. */
void process_former_end(struct process_life *life)
{
    loop_timer_clear(life->process.loops[0], &life->former.timer);
    report_all(life, LAST_WAIT_MS);
    mem_free(life->former.told);
    life->former.told = NULL;
}

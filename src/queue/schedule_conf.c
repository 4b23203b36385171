/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The word `schedule` of a queue, and the files of its time zones.
 */

#include "queue/conf.h"

#include "base/hash.h"
#include "queue/schedule.h"

enum { ZONE_BYTES_MAX = 64 << 10, ZONE_NAME_MAX = 64, MS_PER_S = 1000 };

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define SECOND      INT64_C(1000)

static const struct conf_choice overlaps[] = {
    {.name = "skip",
     .value = SCHEDULE_CONF_SKIP,
     .doc = "a job is left out while the one before is still to be done"},
    {.name = "allow", .value = SCHEDULE_CONF_ALLOW, .doc = "each is put"},
    {0},
};

static const struct conf_choice misses[] = {
    {.name = "once",
     .value = SCHEDULE_CONF_ONCE,
     .doc = "one job is put, however many times went by"},
    {.name = "skip", .value = SCHEDULE_CONF_NONE, .doc = "none is"},
    {0},
};

static const struct conf_word schedule_args[] = {
    {.name = "when",
     .type = CONF_STRING,
     .flags = CONF_SENTENCE,
     .offset = offsetof(struct schedule_conf, when),
     .doc =
         "minute, hour, day, month and weekday as cron has them (\"30 2 * * mon-fri\"), @hourly, "
         "@daily, @weekly, @monthly, @yearly, or \"every 5m\", at the multiples since 1970"},
    {0},
};

static const struct conf_word schedule_words[] = {
    {.name = "zone",
     .type = CONF_STRING,
     .offset = offsetof(struct schedule_conf, zone),
     .doc = "the time zone of the five fields, a name below " ZONE_FOLDER
            " (Europe/Berlin); without it, UTC. What a clock that is put forward leaves out is "
            "done once, right after; what comes twice when it is put back, once, but where the "
            "hour is a star"},
    {.name = "body",
     .type = CONF_STRING,
     .offset = offsetof(struct schedule_conf, body),
     .doc = "the body of the job; without it, an empty one"},
    {.name = "overlap",
     .type = CONF_CHOICE,
     .offset = offsetof(struct schedule_conf, overlap),
     .fallback = "skip",
     .choices = overlaps,
     .doc = "while the job before waits, is with a worker, or is to be tried again"},
    {.name = "missed",
     .type = CONF_CHOICE,
     .offset = offsetof(struct schedule_conf, missed),
     .fallback = "once",
     .choices = misses,
     .doc = "when times went by that nobody noticed for a minute: weir did not run, its log was "
            "full, or the clock was put forward"},
    {.name = "priority",
     .type = CONF_INT,
     .offset = offsetof(struct schedule_conf, priority),
     .fallback = "1024",
     .min = 0,
     .max = UINT32_MAX,
     .doc = "the least comes first"},
    {.name = "lease",
     .type = CONF_TIME,
     .offset = offsetof(struct schedule_conf, lease_ms),
     .fallback = "60s",
     .min = SECOND,
     .max = 366 * 24 * 3600 * SECOND,
     .doc = "how long a worker has the job"},
    {0},
};

/* A name below the folder, and none that leads out of it. */
static bool is_zone_name(struct slice name)
{
    bool is_start = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        bool is_other = (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/';
        if (is_start ? !is_letter : !is_letter && !is_other)
            return false;
        is_start = c == '/';
    }
    return !is_start && name.len <= ZONE_NAME_MAX;
}

static int schedule_finish(struct conf_load *load, void *self)
{
    struct schedule_conf *schedule = self;
    struct err err = ERR_NONE;
    if (cron_parse(schedule->when, &schedule->cron, &err) < 0)
        return conf_error(load->diag, conf_where(&schedule->object, "when"), NULL, "%s", err.text);
    if (cron_next_after(&schedule->cron, NULL, 0) < 0)
        return conf_error(load->diag, conf_where(&schedule->object, "when"), NULL,
                          "no year has such a day");
    if (!conf_is_set(&schedule->object, "zone"))
        return 0;
    if (schedule->cron.every_s > 0)
        return conf_error(load->diag, conf_where(&schedule->object, "zone"), NULL,
                          "a period is the same in all zones");
    if (!is_zone_name(schedule->zone))
        return conf_error(load->diag, conf_where(&schedule->object, "zone"), "zone Europe/Berlin",
                          "not the name of a time zone");
    return 0;
}

const struct conf_block queue_schedule_block = {
    .size = sizeof(struct schedule_conf),
    .args = schedule_args,
    .words = schedule_words,
    .finish = schedule_finish,
};

/* ---- together -------------------------------------------------------------------------------- */

/* Part of the keys of jobs that lie in logs: it stays as it is. */
static uint64_t hash_of(const struct schedule_conf *schedule, struct arena *arena)
{
    static const struct hash_key key = {0, 0};
    const char *text = arena_printf(arena, "%.*s\n%.*s\n%lld %lld\n%.*s", SLICE_ARG(schedule->when),
                                    SLICE_ARG(schedule->zone), (long long)schedule->priority,
                                    (long long)schedule->lease_ms, SLICE_ARG(schedule->body));
    return hash_sip24(&key, slice_from(text));
}

/* Is there one before it in the queue that is the same? */
static int check_twice(const struct conf_list *list, size_t index, struct conf_load *load)
{
    const struct schedule_conf *schedule = list->items[index];
    for (size_t i = 0; i < index; i++) {
        const struct schedule_conf *earlier = list->items[i];
        if (earlier->hash == schedule->hash)
            return conf_error(load->diag, schedule->object.at, NULL,
                              "the schedule on line %u puts the same job at the same times",
                              earlier->object.at.line);
    }
    return 0;
}

int schedules_check(struct queue_conf *queue, struct conf_load *load)
{
    const struct conf_list *list = &queue->schedules;
    int result = 0;
    for (size_t i = 0; i < list->n_items; i++) {
        struct schedule_conf *schedule = list->items[i];
        schedule->hash = hash_of(schedule, load->arena);
        if (schedule->zone.len > 0) {
            schedule->zone_blob = arena_printf(load->arena, "%s.zone-%zu", queue->fact, i);
            schedule->zone_path = slice_from(
                arena_printf(load->arena, ZONE_FOLDER "/%.*s", SLICE_ARG(schedule->zone)));
        }
        if (check_twice(list, i, load) < 0)
            result = -1;
    }
    return result;
}

static int check_zone(struct slice bytes, struct err *err)
{
    struct tzif zone;
    return tzif_read(bytes, &zone) < 0 ? err_set(err, "it is no file of a time zone") : 0;
}

int schedules_files(const struct queue_conf *queue, file_want_fn *want, void *ctx)
{
    for (size_t i = 0; i < queue->schedules.n_items; i++) {
        const struct schedule_conf *schedule = queue->schedules.items[i];
        const struct file_want file = {
            .name = schedule->zone_blob,
            .path = schedule->zone_path,
            .at = conf_where(&schedule->object, "zone"),
            .max_bytes = ZONE_BYTES_MAX,
            .hint = "zone Europe/Berlin; `timedatectl list-timezones` has all that tzdata brings",
            .check = check_zone,
        };
        if (schedule->zone_blob && want(ctx, &file) < 0)
            return -1;
    }
    return 0;
}

void schedule_plan(const struct queue_conf *queue, const struct schedule_conf *conf,
                   struct slice zone, struct schedule_plan *ret_plan)
{
    *ret_plan = (struct schedule_plan){
        .queue = queue->name,
        .cron = conf->cron,
        .zone = zone,
        .body = conf->body,
        .priority = (uint32_t)conf->priority,
        .ttr_s = (uint32_t)(conf->lease_ms / MS_PER_S),
        .may_overlap = conf->overlap == SCHEDULE_CONF_ALLOW,
        .may_miss = conf->missed == SCHEDULE_CONF_NONE,
        .hash = conf->hash,
    };
}

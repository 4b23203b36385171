/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Scenes: a log on the disk that forgets, with nothing left to chance but what a power cut keeps.
 */

#include "scenes.h"
#include "base/mem.h"
#include "disk.h"
#include "owner.h"
#include "wal/wal_record.h"
#include "wal/wal_repair.h"
#include "wal/wal_segment.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { CHANCES = 64 };

struct scene {
    struct sim_disk disk;
    struct owner owner;
    struct rng rng;
    struct wal_options options;
};

static void open_log(struct scene *scene)
{
    struct err err = ERR_NONE;
    owner_forget(&scene->owner);
    if (wal_open(&scene->options, &scene->owner.wal, &err) < 0)
        owner_fail(&scene->owner, "the start is refused: %s", err.text);
    else
        owner_check(&scene->owner);
}

static void settle(struct scene *scene)
{
    wal_flush(scene->owner.wal, true);
    while (wal_step(scene->owner.wal) > 0)
        owner_collect(&scene->owner);
    owner_collect(&scene->owner);
}

static void begin(struct scene *scene, uint64_t seed)
{
    memset(scene, 0, sizeof(*scene));
    sim_disk_init(&scene->disk, seed);
    rng_init(&scene->rng, seed);
    scene->options = wal_options_default();
    scene->options.disk = &scene->disk.table;
    scene->options.owner = owner_table(&scene->owner);
    scene->options.segment_bytes = 4096;
    open_log(scene);
    for (int i = 0; i < 3 && scene->owner.wal; i++)
        (void)owner_put(&scene->owner, &scene->rng);
    if (scene->owner.wal)
        settle(scene);
}

static bool end(struct scene *scene, const char *name)
{
    bool is_fine = scene->owner.failure[0] == '\0';
    if (!is_fine)
        printf("FAILED  %s: %s\n", name, scene->owner.failure);
    scene->disk.is_dead = true;
    wal_close(&scene->owner.wal);
    sim_disk_deinit(&scene->disk);
    return is_fine;
}

/* The process is gone; then, maybe, the power. */
static void stop(struct scene *scene, bool is_power)
{
    scene->disk.is_dead = true;
    wal_close(&scene->owner.wal);
    if (is_power)
        sim_disk_power_cut(&scene->disk);
    else
        sim_disk_killed(&scene->disk);
}

/*
 * A sync fails, and the kernel calls the pages clean all the same. The next life reads them, takes
 * them for durable, and the power fails: they must be on the medium by then.
 */
static bool play_failed_sync(struct scene *scene, uint64_t seed)
{
    begin(scene, seed);
    unsigned n_puts = 1 + (unsigned)(seed % 12); /* some seal a segment */
    for (unsigned i = 0; i < n_puts; i++)
        (void)owner_put(&scene->owner, &scene->rng);
    wal_flush(scene->owner.wal, true);
    scene->disk.fail_at = scene->disk.n_done + 2 + seed % 4;
    settle(scene);
    if (scene->disk.n_done < scene->disk.fail_at)
        return end(scene, "a sync that fails"); /* there were not so many */
    stop(scene, false);
    open_log(scene);
    if (scene->owner.wal) {
        settle(scene);
        scene->owner.acked_lsn = UINT64_MAX; /* what was replayed is served */
        stop(scene, true);
        open_log(scene);
    }
    return end(scene, "a sync that fails");
}

/* -1: there is none. */
static int find_file(const struct scene *scene, uint32_t segment)
{
    char name[SIM_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%08x.wal", segment);
    for (unsigned i = 0; i < scene->disk.now.n; i++) {
        if (strcmp(scene->disk.now.names[i].name, name) == 0)
            return scene->disk.now.names[i].file;
    }
    return -1;
}

static struct sim_file *file_of(struct scene *scene, uint32_t segment)
{
    int file = find_file(scene, segment);
    assert(file >= 0);
    return &scene->disk.files[file];
}

static char *tail_bytes(struct scene *scene, uint32_t segment, size_t *ret_len)
{
    struct sim_file *file = file_of(scene, segment);
    *ret_len = file->now.len;
    return file->now.bytes;
}

/*
 * Of a record that nobody was told of the header is on the disk and the payload is not. It must not
 * wait there for another payload: a start wipes it out.
 */
static bool play_half_record(struct scene *scene, uint64_t seed)
{
    size_t len = 0;
    begin(scene, seed);
    struct owner_job *job = &scene->owner.now.jobs[0];
    (void)owner_change(&scene->owner, job, false);
    uint32_t segment = job->state.segment, offset = job->state.offset;
    settle(scene);
    scene->owner.acked_lsn = 0; /* as if the sync had not come to its end */
    scene->owner.requests[scene->owner.n_requests - 1].lsn = UINT64_MAX;
    stop(scene, false);
    char *bytes = tail_bytes(scene, segment, &len);
    memset(bytes + offset + WAL_RECORD_HEADER, 0, len - offset - WAL_RECORD_HEADER);
    open_log(scene);
    static const char zeros[WAL_RECORD_HEADER];
    if (memcmp(bytes + offset, zeros, sizeof(zeros)) != 0)
        owner_fail(&scene->owner, "half a record is left behind the end");
    return end(scene, "half a record");
}

/* 0, or -1 where the power failed in it, at operation cut_at (0: it does not). */
static int repair(struct scene *scene, uint64_t cut_at)
{
    struct wal_repair how = {.disk = &scene->disk.table, .is_mending = true, .salt = 7};
    struct wal_repair_sum sum;
    struct err err = ERR_NONE;
    scene->disk.cut_at = cut_at ? scene->disk.n_done + cut_at : 0;
    int result = wal_repair(&how, &sum, &err);
    if (result < 0 && !cut_at)
        owner_fail(&scene->owner, "a repair fails: %s", err.text);
    if (cut_at)
        sim_disk_power_cut(&scene->disk);
    return result;
}

/* Jobs are taken, more than a segment holds, and no id comes again. */
static void go_on(struct scene *scene)
{
    unsigned n = 0;
    for (unsigned turns = 0; n < 50 && turns < 500; turns++) {
        n += owner_put(&scene->owner, &scene->rng) == 0;
        settle(scene);
    }
    if (n < 50)
        owner_fail(&scene->owner, "a log that was repaired takes %u records, and no more", n);
}

/*
 * Of the one file with records nothing is known any more, and the power fails at each operation of
 * the repair in turn. Whether a start comes before the next repair or behind it: what the log takes
 * then has other ids than what is lost.
 */
static bool play_lost_file(struct scene *scene, uint64_t seed)
{
    struct err err = ERR_NONE;
    begin(scene, seed);
    wal_close(&scene->owner.wal);
    struct sim_file *file = file_of(scene, 1);
    memset(file->now.bytes, 0, WAL_RECORDS_BEGIN);
    memset(file->medium.bytes, 0, WAL_RECORDS_BEGIN);
    if (seed % 2 == 0) { /* no spare is there, either */
        for (uint32_t number = 2; find_file(scene, number) >= 0; number++) {
            char name[SIM_NAME_MAX];
            (void)snprintf(name, sizeof(name), "%08x.wal", number);
            (void)scene->disk.table.unlink(&scene->disk, name);
        }
        (void)scene->disk.table.sync_dir(&scene->disk);
    }
    int result = repair(scene, 1 + seed / 4 % 12);
    if (seed / 2 % 2 == 0)
        result = repair(scene, 0);
    owner_forget(&scene->owner);
    bool is_open = wal_open(&scene->options, &scene->owner.wal, &err) == 0;
    if (!is_open && result == 0)
        owner_fail(&scene->owner, "the start is refused: %s", err.text);
    if (is_open)
        go_on(scene);
    return end(scene, "a lost file");
}

unsigned scenes_play(void)
{
    struct scene *scene = MEM_NEW(struct scene);
    unsigned n_failed = 0;
    for (uint64_t seed = 1; seed <= CHANCES; seed++) {
        n_failed += !play_failed_sync(scene, seed);
        n_failed += !play_half_record(scene, seed);
        n_failed += !play_lost_file(scene, seed);
    }
    mem_free(scene);
    return n_failed;
}

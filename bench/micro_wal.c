/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the durable log costs: nanoseconds of one core a record, best of several rounds, and how
 * many records a second become durable on the disk of a folder for so many writers that each wait
 * for their acknowledgement. Not part of the tests.
 *
 *      cc -O2 -std=gnu17 -D_GNU_SOURCE -Isrc bench/micro_wal.c build/libweir.a -o build/micro_wal
 *      build/micro_wal DIR
 */
#include "base/mem.h"
#include "wal/internal.h"
#include "wal/wal_drive.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

enum { N_ROUNDS = 9, N_RECORDS = 4096, SIZE = 4 << 20, BODY = 256, WRITERS_MAX = 200 };
#define RUN_NS UINT64_C(2000000000)
/* What the kernel takes for a request of a client and its answer, about. */
#define REQUEST_NS UINT64_C(8000)

static uint64_t cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static char image[SIZE];
static const struct wal_form form = {.number = 7, .size = SIZE, .salt = 42, .is_seeded = true};

static void write_records(void)
{
    static const char body[BODY];
    uint32_t at = WAL_RECORDS_BEGIN;
    for (uint64_t key = 0; key < N_RECORDS; key++) {
        struct wal_spot spot = wal_form_spot(&form, at);
        struct wal_header header = {.length = 32 + BODY, .type = 16, .n_head = 32, .key = key};
        wal_record_write(&spot, &header, slice_make("", 0), slice_make(body, 32),
                         slice_make(body, BODY), image + at);
        at += wal_record_bytes(header.length);
    }
}

static void scan_records(void)
{
    struct wal_scan scan = {.image = image, .form = form};
    struct wal_scan_end all = wal_scan_all(&scan);
    assert(all.n_records == N_RECORDS);
}

static void measure(const char *name, void (*run)(void))
{
    uint64_t best_ns = UINT64_MAX;
    for (int i = 0; i < N_ROUNDS; i++) {
        uint64_t begin_ns = cpu_ns();
        run();
        uint64_t took_ns = cpu_ns() - begin_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    printf("%-32s %8.1f ns\n", name, (double)best_ns / N_RECORDS);
}

/* ---- writers --------------------------------------------------------------------------------- */

/* Each appends when the former is acknowledged and its turn has come: one request after another. */
struct crowd {
    struct wal_drive *drive;
    struct wal *wal;
    unsigned n_writers;
    uint64_t lsns[WRITERS_MAX]; /* 0: it wants to append */
    unsigned next;
    uint64_t n_acked, until_ns;
    struct loop_task turn;
    bool is_turning;
};

static void spin(uint64_t ns)
{
    uint64_t until_ns = loop_clock_ns() + ns;
    while (loop_clock_ns() < until_ns)
        continue;
}

static void crowd_append(struct crowd *crowd, unsigned i)
{
    static const char body[BODY];
    struct wal_place place;
    spin(REQUEST_NS);
    struct wal_record record = {.type = WAL_TYPE_FIRST,
                                .key = 1,
                                .head = slice_make(body, 32),
                                .body = slice_make(body, BODY)};
    if (wal_drive_append(crowd->drive, &record, &place, &crowd->lsns[i], NULL) == 0)
        wal_dead(crowd->wal, place);
}

/* Some of those that want to, then the loop has its turn. */
static void crowd_on_turn(struct loop *loop, struct loop_task *task)
{
    enum { A_TURN = 8 };
    struct crowd *crowd = CONTAINER_OF(task, struct crowd, turn);
    unsigned n = 0;
    if (!crowd->drive)
        return; /* it was closed meanwhile */
    for (unsigned k = 0; k < crowd->n_writers && n < A_TURN; k++) {
        crowd->next = (crowd->next + 1) % crowd->n_writers;
        if (crowd->lsns[crowd->next] == 0) {
            crowd_append(crowd, crowd->next);
            n++;
        }
    }
    crowd->is_turning = n == A_TURN;
    if (crowd->is_turning)
        loop_post(loop, &crowd->turn, crowd_on_turn);
    if (loop_clock_ns() > crowd->until_ns)
        loop_stop(loop);
}

static struct loop *the_loop;

static void crowd_on_durable(void *ctx, uint64_t lsn)
{
    struct crowd *crowd = ctx;
    for (unsigned i = 0; i < crowd->n_writers; i++) {
        if (crowd->lsns[i] > 0 && crowd->lsns[i] <= lsn) {
            crowd->lsns[i] = 0;
            crowd->n_acked++;
        }
    }
    if (!crowd->is_turning && the_loop) {
        crowd->is_turning = true;
        loop_post(the_loop, &crowd->turn, crowd_on_turn);
    }
}

static void crowd_on_trouble(void *ctx, const struct err *err)
{
    (void)ctx;
    (void)fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static int replay(void *ctx, struct wal *wal, const struct wal_found *found, struct err *err)
{
    (void)ctx;
    (void)err;
    if (found->type == WAL_TYPE_FIRST)
        wal_dead(wal, found->place);
    return 0;
}

static bool is_live(void *ctx, const struct wal_found *found)
{
    (void)ctx;
    (void)found;
    return false;
}

static void must(int result, const struct err *err)
{
    if (result >= 0)
        return;
    (void)fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void report(struct crowd *crowd, enum wal_sync sync, uint64_t took_ns, uint64_t used_ns,
                   uint64_t n_syncs)
{
    struct wal_facts facts;
    wal_facts(crowd->wal, &facts);
    n_syncs = facts.n_syncs - n_syncs;
    printf("%-9s %3u writers %9.0f records/s  %6.1f us cpu  %5.1f a commit  commit p50 %.0f us\n",
           wal_sync_name(sync), crowd->n_writers, (double)crowd->n_acked * 1e9 / (double)took_ns,
           (double)used_ns / 1000 / (double)crowd->n_acked,
           (double)crowd->n_acked / (double)n_syncs, hist_quantile(facts.sync_us, 0.5));
}

static void run_crowd(const char *path, enum wal_sync sync, unsigned n_writers)
{
    struct crowd crowd = {.n_writers = n_writers};
    struct wal_drive_hooks hooks = {&crowd, crowd_on_durable, crowd_on_trouble};
    struct wal_options options = wal_options_default();
    struct wal_disk *disk;
    struct wal_facts facts;
    struct err err = ERR_NONE;
    must(wal_disk_create(path, &disk, &err), &err);
    options.disk = disk;
    options.sync = sync;
    options.salt = 42;
    options.owner = (struct wal_owner){.replay = replay, .is_live = is_live};
    must(loop_create(0, &the_loop, &err), &err);
    must(wal_open(&options, &crowd.wal, &err), &err);
    must(wal_drive_open(the_loop, crowd.wal, &hooks, &crowd.drive, &err), &err);
    wal_facts(crowd.wal, &facts);
    uint64_t begin_ns = loop_clock_ns(), used_ns = cpu_ns();
    crowd.until_ns = begin_ns + RUN_NS;
    crowd.is_turning = true;
    loop_post(the_loop, &crowd.turn, crowd_on_turn);
    loop_run(the_loop);
    report(&crowd, sync, loop_clock_ns() - begin_ns, cpu_ns() - used_ns, facts.n_syncs);
    struct loop *loop = the_loop;
    the_loop = NULL;
    must(wal_drive_close(&crowd.drive, UINT64_C(10000000000), &err), &err);
    loop_destroy(&loop);
    wal_close(&crowd.wal);
    wal_disk_destroy(&disk);
}

int main(int argc, char **argv)
{
    static const unsigned crowds[] = {1, 10, 50, 200};
    if (argc != 2) {
        (void)fprintf(stderr, "usage: micro_wal DIR\n");
        return 2;
    }
    measure("write a record of 288 bytes", write_records);
    measure("scan a record of 288 bytes", scan_records);
    for (enum wal_sync sync = WAL_SYNC_GROUP; sync < WAL_SYNCS; sync++) {
        for (size_t i = 0; i < ARRAY_LEN(crowds); i++)
            run_crowd(argv[1], sync, crowds[i]);
    }
    return 0;
}

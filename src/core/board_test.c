/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The board: facts, references, changes, heartbeats, who may write, readers beside a writer that
 * never rests, and writers that are killed at every instruction of every kind of write.
 */

#include "base/mem.h"
#include "base/rng.h"
#include "config.h"
#include "core/board.h"
#include "core/dying.h"
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { WRITER = 0, READER = 1, N_SEGMENTS = 2 };

static void make(struct board_fds *fds)
{
    static const char *const names[N_SEGMENTS] = {"health", "edge"};
    struct err err = ERR_NONE;
    if (board_make(names, N_SEGMENTS, fds, &err) < 0)
        fail_msg("%s", err.text);
}

static struct board *open_as(const struct board_fds *fds, int own)
{
    struct err err = ERR_NONE;
    struct board *board = NULL;
    if (board_open(fds, own, &board, &err) < 0)
        fail_msg("%s", err.text);
    return board;
}

static bool has_rung(int bell)
{
    eventfd_t n;
    return eventfd_read(bell, &n) == 0;
}

/* --- changes, collected ----------------------------------------------------------------------- */

enum { SEEN_MAX = 16 };

struct seen {
    struct board_change changes[SEEN_MAX];
    size_t n;
    size_t n_lost;
};

static void on_change(void *ctx, const struct board_change *change)
{
    struct seen *seen = ctx;
    if (seen->n < SEEN_MAX)
        seen->changes[seen->n] = *change;
    seen->n++;
}

static void on_lost(void *ctx, size_t segment)
{
    struct seen *seen = ctx;
    assert_true(segment < N_SEGMENTS);
    seen->n_lost++;
}

static struct seen look(const struct board *board, struct board_cursor *cursor)
{
    struct seen seen = {.n = 0, .n_lost = 0};
    size_t n = board_changes(board, cursor, on_change, on_lost, &seen);
    assert_int_equal(n, seen.n);
    return seen;
}

static void expect_change(const struct board_change *change, const char *name, enum fact_state from,
                          enum fact_state to, uint64_t wall_ns)
{
    assert_string_equal(change->name, name);
    assert_int_equal(change->from, from);
    assert_int_equal(change->to, to);
    assert_true(change->wall_ns == wall_ns);
    assert_true(change->ref.is_set);
    assert_int_equal(change->ref.segment, WRITER);
}

/* --- facts ------------------------------------------------------------------------------------ */

static void test_facts(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER), *reader = open_as(&fds, READER);
    struct board_cursor cursor;
    struct fact fact;
    board_cursor_init(reader, &cursor);
    assert_false(board_find(reader, "member:web/app1").is_set);
    has_rung(fds.bell[READER]); /* the start of each writer rings */

    assert_int_equal(board_state(writer, "member:web/app1", FACT_UP, 1.5, "HTTP 200", 100), 0);
    assert_true(has_rung(fds.bell[READER]));
    struct fact_ref ref = board_find(reader, "member:web/app1");
    assert_true(ref.is_set);
    assert_int_equal(ref.segment, WRITER);
    assert_int_equal(board_peek(reader, ref), FACT_UP);
    assert_true(board_read(reader, ref, &fact));
    assert_string_equal(fact.name, "member:web/app1");
    assert_string_equal(fact.reason, "HTTP 200");
    assert_int_equal(fact.state, FACT_UP);
    assert_true(fact.since_ns == 100 && fact.value == 1.5);
    struct seen seen = look(reader, &cursor);
    assert_int_equal(seen.n, 1);
    expect_change(&seen.changes[0], "member:web/app1", FACT_NONE, FACT_UP, 100);

    /* Another reason or value is no transition: since stays, nobody is woken. */
    board_state(writer, "member:web/app1", FACT_UP, 2, "HTTP 204", 200);
    assert_false(has_rung(fds.bell[READER]));
    assert_true(board_read(reader, ref, &fact));
    assert_string_equal(fact.reason, "HTTP 204");
    assert_true(fact.since_ns == 100 && fact.value == 2);
    assert_int_equal(look(reader, &cursor).n, 0);

    /* Unless the writer says that the value is news. */
    board_tell(writer, "member:web/none", 250);
    assert_false(has_rung(fds.bell[READER]));
    board_tell(writer, "member:web/app1", 250);
    assert_true(has_rung(fds.bell[READER]));
    seen = look(reader, &cursor);
    assert_int_equal(seen.n, 1);
    expect_change(&seen.changes[0], "member:web/app1", FACT_UP, FACT_UP, 250);
    assert_true(board_read(reader, ref, &fact));
    assert_true(fact.since_ns == 100 && fact.value == 2);

    board_state(writer, "member:web/app1", FACT_DOWN, 2, NULL, 300);
    board_state(writer, "member:web/app1", FACT_UP, 2, NULL, 400);
    assert_true(board_read(reader, ref, &fact));
    assert_string_equal(fact.reason, "");
    assert_true(fact.since_ns == 400);
    seen = look(reader, &cursor);
    assert_int_equal(seen.n, 2); /* no flap is missed */
    expect_change(&seen.changes[0], "member:web/app1", FACT_UP, FACT_DOWN, 300);
    expect_change(&seen.changes[1], "member:web/app1", FACT_DOWN, FACT_UP, 400);

    board_remove(writer, "member:web/none", 500);
    board_remove(writer, "member:web/app1", 500);
    seen = look(reader, &cursor);
    assert_int_equal(seen.n, 1);
    expect_change(&seen.changes[0], "member:web/app1", FACT_UP, FACT_NONE, 500);
    assert_int_equal(board_peek(reader, ref), FACT_NONE);
    assert_false(board_read(reader, ref, &fact));
    assert_false(board_find(reader, "member:web/app1").is_set);
    assert_int_equal(board_peek(reader, (struct fact_ref){.is_set = false}), FACT_NONE);
    board_close(&writer);
    board_close(&reader);
    assert_null(reader);
    board_fds_close(&fds);
}

/* A reference does not follow its slot to another fact, nor to a later fact of the same name. */
static void test_slot_reuse(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER);
    board_state(writer, "member:a", FACT_UP, 0, "", 1);
    struct fact_ref old = board_find(writer, "member:a");
    for (uint64_t life = 0; life < 20; life++) {
        struct fact fact;
        board_remove(writer, "member:a", 2);
        const char *name = life % 2 ? "member:a" : "member:b";
        board_state(writer, name, FACT_UP, 0, "", 3);
        struct fact_ref now = board_find(writer, name);
        assert_int_equal(now.slot, old.slot);
        assert_int_equal(board_peek(writer, now), FACT_UP);
        assert_int_equal(board_peek(writer, old), FACT_NONE);
        assert_false(board_read(writer, old, &fact));
        if (life == 10) { /* also across a restart of the writer */
            board_close(&writer);
            writer = open_as(&fds, WRITER);
        }
        board_remove(writer, name, 4);
        board_state(writer, "member:a", FACT_UP, 0, "", 5);
        assert_int_equal(board_peek(writer, old), FACT_NONE);
    }
    board_close(&writer);
    board_fds_close(&fds);
}

static void test_long_texts(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER);
    char name[FACT_NAME_MAX + 1], reason[300];
    struct fact fact;
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = 0;
    memset(name, 'n', sizeof(name));
    name[FACT_NAME_MAX - 1] = 0;
    assert_int_equal(board_state(writer, name, FACT_UP, 0, reason, 1), 0);
    assert_true(board_read(writer, board_find(writer, name), &fact));
    assert_string_equal(fact.name, name);
    assert_int_equal(strlen(fact.reason), FACT_REASON_MAX - 1);

    /* A name that does not fit is refused: cut, it could be that of another fact. */
    name[FACT_NAME_MAX - 1] = 'n';
    name[FACT_NAME_MAX] = 0;
    uint64_t n_refused = board_refused(writer);
    assert_int_equal(board_state(writer, name, FACT_UP, 0, "", 1), -1);
    assert_int_equal(board_refused(writer), n_refused + 1);
    assert_false(board_find(writer, name).is_set);
    board_remove(writer, name, 1);
    board_close(&writer);
    board_fds_close(&fds);
}

static void test_full_segment(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER), *reader = open_as(&fds, BOARD_NO_SEGMENT);
    struct board_cursor cursor;
    char name[32];
    board_cursor_init(reader, &cursor);
    for (unsigned i = 0; i < BOARD_FACTS_MAX; i++) {
        snprintf(name, sizeof(name), "member:m%u", i);
        assert_int_equal(board_state(writer, name, FACT_UP, i, "", i), 0);
    }
    assert_int_equal(board_refused(writer), 0);
    assert_int_equal(board_state(writer, "member:more", FACT_UP, 0, "", 1), -1);
    assert_int_equal(board_state(writer, "member:m7", FACT_DOWN, 0, "", 1), 0);
    assert_int_equal(board_refused(writer), 1);

    /*
     * The ring has gone round: the reader is told that it lost some, once, and then follows again.
     */
    struct seen seen = look(reader, &cursor);
    assert_int_equal(seen.n_lost, 1);
    assert_int_equal(seen.n, 0);
    board_remove(writer, "member:m9", 5);
    seen = look(reader, &cursor);
    assert_int_equal(seen.n_lost, 0);
    assert_int_equal(seen.n, 1);
    expect_change(&seen.changes[0], "member:m9", FACT_UP, FACT_NONE, 5);
    assert_int_equal(board_state(writer, "member:more", FACT_UP, 0, "", 1), 0);

    uint32_t at = 0, n = 0;
    for (struct fact fact; board_next(reader, WRITER, &at, &fact); n++)
        assert_true(fact.state == FACT_UP || strcmp(fact.name, "member:m7") == 0);
    assert_int_equal(n, BOARD_FACTS_MAX);
    board_close(&writer);
    board_close(&reader);
    board_fds_close(&fds);
}

/* A reader that is not overtaken sees all of them, however long it goes on. */
static void test_ring_goes_round(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER);
    struct board_cursor cursor;
    board_cursor_init(writer, &cursor);
    for (uint64_t i = 0; i < 3 * BOARD_RING; i++) {
        board_state(writer, "member:a", i % 2 ? FACT_UP : FACT_DOWN, 0, "", i);
        if (i % 10 != 9)
            continue;
        struct seen seen = look(writer, &cursor);
        assert_int_equal(seen.n, 10);
        assert_int_equal(seen.n_lost, 0);
        for (size_t k = 0; k < 10; k++)
            assert_true(seen.changes[k].wall_ns == i - 9 + k);
    }
    board_close(&writer);
    board_fds_close(&fds);
}

static bool keep_b(void *ctx, const char *name)
{
    ++*(int *)ctx;
    return strcmp(name, "member:b") == 0;
}

static void test_sweep(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER);
    int n_asked = 0;
    board_state(writer, "member:a", FACT_UP, 0, "", 1);
    board_state(writer, "member:b", FACT_UP, 0, "", 1);
    board_state(writer, "pool:web", FACT_UP, 0, "", 1);
    board_close(&writer);
    writer = open_as(&fds, WRITER); /* facts of an earlier life as well */
    board_state(writer, "member:c", FACT_UP, 0, "", 1);
    board_sweep(writer, "member:", keep_b, &n_asked, 2);
    assert_int_equal(n_asked, 3);
    assert_false(board_find(writer, "member:a").is_set);
    assert_true(board_find(writer, "member:b").is_set);
    assert_false(board_find(writer, "member:c").is_set);
    assert_true(board_find(writer, "pool:web").is_set);
    board_sweep(writer, "", NULL, NULL, 3);
    uint32_t at = 0;
    struct fact fact;
    assert_false(board_next(writer, WRITER, &at, &fact));
    board_close(&writer);
    board_fds_close(&fds);
}

/* --- segments --------------------------------------------------------------------------------- */

static void test_segments(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *board = open_as(&fds, BOARD_NO_SEGMENT);
    assert_int_equal(board_n_segments(board), N_SEGMENTS);
    assert_string_equal(board_segment_name(board, READER), "edge");
    assert_int_equal(board_segment(board, "edge"), READER);
    assert_int_equal(board_segment(board, "dns"), -1);
    assert_int_equal(board_bell(board), -1);
    assert_int_equal(board_starts(board, WRITER), 0);
    struct board *own = open_as(&fds, WRITER);
    assert_int_equal(board_bell(own), fds.bell[WRITER]);
    assert_int_equal(board_starts(board, WRITER), 1);
    board_close(&own);
    own = open_as(&fds, WRITER);
    assert_int_equal(board_starts(board, WRITER), 2);
    assert_int_equal(board_starts(board, READER), 0);
    board_close(&own);
    board_close(&board);
    board_fds_close(&fds);
}

/* What a reader holds cannot be made writable, and nobody can cut the memory under the others. */
static void test_only_the_writer_writes(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct stat status;
    assert_int_equal(fstat(fds.ro[WRITER], &status), 0);
    size_t size = (size_t)status.st_size;
    assert_ptr_equal(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fds.ro[WRITER], 0),
                     MAP_FAILED);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fds.ro[WRITER], 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    assert_int_equal(mprotect(map, size, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(munmap(map, size), 0);
    assert_int_equal(write(fds.ro[WRITER], "x", 1), -1);
    assert_int_equal(ftruncate(fds.rw[WRITER], 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fds.rw[WRITER], (off_t)size * 2), -1);
    /* The memory is sparse: an idle segment costs a few pages. */
    struct board *writer = open_as(&fds, WRITER);
    board_state(writer, "member:a", FACT_UP, 0, "", 1);
    assert_int_equal(fstat(fds.rw[WRITER], &status), 0);
    assert_true(status.st_blocks * 512 < 128 * 1024);
    board_close(&writer);
    board_fds_close(&fds);
}

static void test_foreign_memory(void **state)
{
    (void)state;
    struct board_fds fds;
    struct err err = ERR_NONE;
    struct board *board = NULL;
    make(&fds);
    assert_int_equal(pwrite(fds.rw[WRITER], "?", 1, 0), 1);
    assert_int_equal(board_open(&fds, READER, &board, &err), -1);
    assert_true(strlen(err.text) > 10);
    assert_null(board);
    close(fds.ro[WRITER]);
    fds.ro[WRITER] = -1;
    assert_int_equal(board_open(&fds, READER, &board, &err), -1);
    board_fds_close(&fds);

    /* One that is too short must not become a SIGBUS at the first read of its end. */
    make(&fds);
    int small = memfd_create("short", MFD_CLOEXEC);
    assert_int_equal(ftruncate(small, 4096), 0);
    char head[4096];
    assert_int_equal(pread(fds.rw[WRITER], head, sizeof(head), 0), sizeof(head));
    assert_int_equal(pwrite(small, head, sizeof(head), 0), sizeof(head));
    close(fds.ro[WRITER]);
    fds.ro[WRITER] = small;
    assert_int_equal(board_open(&fds, READER, &board, &err), -1);
    board_fds_close(&fds);
}

static void test_heartbeats(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER), *reader = open_as(&fds, READER);
    assert_true(board_silence(reader, WRITER, 1000) == UINT64_MAX);
    assert_true(board_last_heartbeat(reader, WRITER, 2) == 0);
    atomic_store(board_heartbeat(writer, 2), 600);
    atomic_store(board_heartbeat(writer, 0), 500);
    assert_true(board_last_heartbeat(reader, WRITER, 2) == 600);
    assert_true(board_silence(reader, WRITER, 1000) == 400);
    assert_true(board_silence(reader, WRITER, 550) ==
                0); /* stamped after the reader took the time */

    /* A new life has no heartbeat yet, so that the watchdog lets it start; but readers remember
     * when the process was last heard, or else a quick restart looked like a process that never
     * was. */
    board_close(&writer);
    writer = open_as(&fds, WRITER);
    assert_true(board_last_heartbeat(reader, WRITER, 2) == 0);
    assert_true(board_silence(reader, WRITER, 1000) == 400);
    atomic_store(board_heartbeat(writer, 0), 900);
    assert_true(board_silence(reader, WRITER, 1000) == 100);
    board_close(&writer);
    board_close(&reader);
    board_fds_close(&fds);
}

static void test_state_names(void **state)
{
    (void)state;
    for (int i = 0; i < FACT_N_STATES; i++)
        for (int k = 0; k < i; k++)
            assert_string_not_equal(fact_state_name((enum fact_state)i),
                                    fact_state_name((enum fact_state)k));
    assert_string_equal(fact_state_name(FACT_DRAINING), "draining");
}

/* --- facts that prove that they are whole ----------------------------------------------------- */

/* Every part of the fact follows from its number, so that a mixture of two shows. */
static void state_number(struct board *board, const char *name, uint64_t number)
{
    char reason[FACT_REASON_MAX];
    snprintf(reason, sizeof(reason), "%" PRIu64 " %.40s %" PRIu64 " %" PRIu64, number, name,
             number * 7919, number * 104729);
    int done = board_state(board, name, number % 2 ? FACT_UP : FACT_DOWN, (double)number, reason,
                           number * 1000);
    assert_int_equal(done, 0);
}

/* Returns the number. */
static uint64_t check_whole(const struct fact *fact)
{
    char reason[FACT_REASON_MAX];
    uint64_t number = (uint64_t)fact->value;
    snprintf(reason, sizeof(reason), "%" PRIu64 " %.40s %" PRIu64 " %" PRIu64, number, fact->name,
             number * 7919, number * 104729);
    assert_string_equal(fact->reason, reason);
    assert_int_equal(fact->state, number % 2 ? FACT_UP : FACT_DOWN);
    return number;
}

/* --- readers beside a writer ------------------------------------------------------------------ */

enum { N_NUMBERS = 60000, N_READERS = 3 };

struct reading {
    struct board *board;
    _Atomic bool *is_over;
    struct board_cursor cursor;
    uint64_t n_seen, n_lost, n_reads;
    enum fact_state last;
    pthread_t thread;
};

static void reading_on_change(void *ctx, const struct board_change *change)
{
    struct reading *reading = ctx;
    assert_true(strcmp(change->name, "member:web/a") == 0 ||
                strcmp(change->name, "member:web/other") == 0);
    if (strcmp(change->name, "member:web/a") != 0)
        return;
    /* In order, none twice and none left out, unless the reader was told that it lost some. */
    assert_true(reading->n_lost > 0 || change->from == reading->last);
    reading->last = change->to;
    reading->n_seen++;
}

static void reading_on_lost(void *ctx, size_t segment)
{
    struct reading *reading = ctx;
    assert_int_equal(segment, WRITER);
    reading->n_lost++;
}

static void *reader_main(void *arg)
{
    struct reading *reading = arg;
    uint64_t last = 0;
    struct fact fact;
    for (;;) {
        bool is_over = atomic_load(reading->is_over);
        struct fact_ref ref = board_find(reading->board, "member:web/a");
        if (board_read(reading->board, ref, &fact)) {
            uint64_t number = check_whole(&fact);
            assert_true(number >= last); /* never back in time */
            last = number;
            enum fact_state now = board_peek(reading->board, ref);
            assert_true(now == FACT_UP || now == FACT_DOWN);
            reading->n_reads++;
        }
        board_changes(reading->board, &reading->cursor, reading_on_change, reading_on_lost,
                      reading);
        if (is_over)
            return NULL;
    }
}

static void test_readers_beside_a_writer(void **state)
{
    (void)state;
    struct board_fds fds;
    make(&fds);
    struct board *writer = open_as(&fds, WRITER), *board = open_as(&fds, BOARD_NO_SEGMENT);
    _Atomic bool is_over = false;
    struct reading readings[N_READERS];
    for (size_t i = 0; i < N_READERS; i++) {
        readings[i] = (struct reading){.board = board, .is_over = &is_over, .last = FACT_NONE};
        board_cursor_init(board, &readings[i].cursor);
        assert_int_equal(pthread_create(&readings[i].thread, NULL, reader_main, &readings[i]), 0);
    }
    for (uint64_t n = 1; n <= N_NUMBERS; n++) {
        state_number(writer, "member:web/a", n);
        if (n % 64 == 0) {
            board_state(writer, "member:web/other", FACT_UP, 0, "", n);
            board_remove(writer, "member:web/other", n);
        }
    }
    atomic_store(&is_over, true);
    for (size_t i = 0; i < N_READERS; i++) {
        pthread_join(readings[i].thread, NULL);
        assert_true(readings[i].n_seen == N_NUMBERS || readings[i].n_lost > 0);
        assert_true(readings[i].n_reads > 0);
        assert_int_equal(look(board, &readings[i].cursor).n, 0);
    }
    board_close(&writer);
    board_close(&board);
    board_fds_close(&fds);
}

/* --- writers that die ------------------------------------------------------------------------- */

enum write_kind {
    WRITE_NEW,    /* a fact in a slot that was never used */
    WRITE_REUSE,  /* a fact in the slot of one that was removed */
    WRITE_CHANGE, /* another state */
    WRITE_UPDATE, /* another reason and value, the same state */
    WRITE_REMOVE,
    WRITE_HEARTBEAT,
    WRITE_N
};

#define TARGET "member:web/target"

/* A board as it is before the write that dies: some facts, one of them removed. */
struct scene {
    enum write_kind kind;
    struct board_fds fds;
    struct board *writer;
    struct board_cursor cursor; /* a reader's, of before the write */
    uint64_t before, after;     /* the number of the target; 0: no such fact */
    long n_looks;
};

static void scene_init(struct scene *scene, enum write_kind kind)
{
    *scene = (struct scene){.kind = kind};
    make(&scene->fds);
    scene->writer = open_as(&scene->fds, WRITER);
    state_number(scene->writer, "member:web/a", 11);
    if (kind == WRITE_REUSE)
        state_number(scene->writer, "member:web/gone", 3);
    if (kind == WRITE_CHANGE || kind == WRITE_UPDATE || kind == WRITE_REMOVE)
        state_number(scene->writer, TARGET, scene->before = 5);
    state_number(scene->writer, "member:web/z", 12);
    board_remove(scene->writer, "member:web/gone", 9);
    atomic_store(board_heartbeat(scene->writer, 0), 5);
    if (kind != WRITE_REMOVE)
        scene->after = kind == WRITE_UPDATE ? 7 : 6;
    if (kind == WRITE_HEARTBEAT)
        scene->before = scene->after = 0;
    board_cursor_init(scene->writer, &scene->cursor);
    has_rung(scene->fds.bell[READER]);
}

static void scene_deinit(struct scene *scene)
{
    board_close(&scene->writer);
    board_fds_close(&scene->fds);
}

/* The write itself, in the child. */
static void scene_write(void *ctx)
{
    struct scene *scene = ctx;
    if (scene->kind == WRITE_HEARTBEAT)
        atomic_store(board_heartbeat(scene->writer, 0), 6);
    else if (scene->kind == WRITE_REMOVE)
        board_remove(scene->writer, TARGET, 6000);
    else
        state_number(scene->writer, TARGET, scene->after);
}

/* The adoption itself, in the child. */
static void scene_adopt(void *ctx)
{
    const struct board_fds *fds = ctx;
    struct board *board = NULL;
    if (board_open(fds, WRITER, &board, NULL) < 0)
        _exit(1);
}

static enum fact_state state_of(uint64_t number)
{
    return number == 0 ? FACT_NONE : number % 2 ? FACT_UP : FACT_DOWN;
}

/* Checks all facts as a reader; returns the number of the target, 0 where there is none. */
static uint64_t check_facts(const struct scene *scene, const struct board *reader)
{
    uint32_t at = 0;
    uint64_t target = 0;
    unsigned n_others = 0;
    for (struct fact fact; board_next(reader, WRITER, &at, &fact);) {
        uint64_t number = check_whole(&fact);
        if (strcmp(fact.name, TARGET) == 0) {
            assert_true(number == scene->before || number == scene->after);
            assert_int_equal(target, 0); /* there is one of it */
            target = number;
            assert_true(fact.since_ns == (scene->kind == WRITE_UPDATE ? 5000 : number * 1000));
            assert_int_equal(board_peek(reader, board_find(reader, TARGET)), state_of(number));
        } else {
            assert_true(number == (strcmp(fact.name, "member:web/a") == 0 ? 11 : 12));
            n_others++;
        }
    }
    assert_int_equal(n_others, 2);
    if (target == 0) {
        assert_true(scene->before == 0 || scene->after == 0);
        assert_false(board_find(reader, TARGET).is_set);
    }
    return target;
}

/* Exactly these transitions of the target have been seen: none, or the one that was written. */
static void check_seen(const struct scene *scene, const struct seen *seen, bool is_wanted)
{
    assert_int_equal(seen->n_lost, 0);
    assert_int_equal(seen->n, is_wanted ? 1 : 0);
    if (is_wanted)
        expect_change(&seen->changes[0], TARGET, state_of(scene->before), state_of(scene->after),
                      6000);
}

/*
 * The next life writes on: the reader sees each transition once, the first from where it was left.
 */
static void check_next_life(struct board *writer, struct board *reader, struct board_cursor *cursor,
                            uint64_t target)
{
    state_number(writer, TARGET, 20);
    state_number(writer, TARGET, 21);
    struct seen seen = look(reader, cursor);
    size_t n = 0;
    if (state_of(target) != state_of(20))
        expect_change(&seen.changes[n++], TARGET, state_of(target), state_of(20), 20000);
    expect_change(&seen.changes[n++], TARGET, state_of(20), state_of(21), 21000);
    assert_int_equal(seen.n, n);
    state_number(writer, "member:web/fresh", 1);
    uint32_t at = 0, n_facts = 0;
    for (struct fact fact; board_next(reader, WRITER, &at, &fact); n_facts++)
        check_whole(&fact);
    assert_int_equal(n_facts, 4);
}

/* The writer has died: what do readers see, and what does the next life make of it? The memory
 * changes; the descriptors may be those of a copy. */
static void check_remains(const struct scene *scene, const struct board_fds *fds)
{
    struct board *reader = open_as(fds, BOARD_NO_SEGMENT);
    struct board_cursor cursor = scene->cursor;
    uint64_t target = check_facts(scene, reader);
    bool is_new = target == scene->after && scene->kind != WRITE_HEARTBEAT;
    bool is_transition = is_new && state_of(scene->before) != state_of(scene->after);
    uint64_t heartbeat = board_last_heartbeat(reader, WRITER, 0);
    assert_true(heartbeat == 5 || (heartbeat == 6 && scene->kind == WRITE_HEARTBEAT) ||
                (heartbeat == 0 && board_starts(reader, WRITER) > 0));
    struct seen early = look(reader, &cursor);
    assert_true(early.n == 0 || is_transition); /* the fact comes before the tidings */
    if (early.n > 0)
        check_seen(scene, &early, true);

    uint32_t n_starts = board_starts(reader, WRITER);
    struct board *writer = open_as(fds, WRITER);
    assert_int_equal(board_starts(reader, WRITER), n_starts + 1);
    assert_int_equal(check_facts(scene, reader), target);
    struct seen late = look(reader, &cursor);
    check_seen(scene, early.n > 0 ? &early : &late, is_transition);
    assert_int_equal(early.n + late.n, is_transition ? 1 : 0);
    if (is_transition)
        assert_true(has_rung(fds->bell[READER]));
    check_next_life(writer, reader, &cursor, target);
    board_close(&writer);
    board_close(&reader);
}

static void check_copy(const struct scene *scene, int fd)
{
    struct board_fds copy;
    make(&copy);
    dying_copy(fd, copy.rw[WRITER]);
    check_remains(scene, &copy);
    board_fds_close(&copy);
}

static void scene_look(void *ctx, long instruction)
{
    (void)instruction;
    struct scene *scene = ctx;
    scene->n_looks++;
    check_copy(scene, scene->fds.rw[WRITER]);
}

static void skip_where_not_permitted(void)
{
    const char *reason = NULL;
    if (!dying_is_permitted(&reason)) {
        print_message("%s\n", reason);
        skip();
    }
}

#ifdef WEIR_IS_SANITIZED
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

/* Every state of the memory is looked at there too; but a step is dear, and a sanitizer takes ten
 * for one, and a million to mark 2 MB as usable. */
static void skip_where_sanitized(void)
{
    if (IS_SANITIZED) {
        print_message("too many instructions in a build with sanitizers\n");
        skip();
    }
}

static void test_writer_dies_anywhere(void **state)
{
    (void)state;
    skip_where_not_permitted();
    for (enum write_kind kind = 0; kind < WRITE_N; kind++) {
        struct scene scene;
        scene_init(&scene, kind);
        long n = dying_watch(scene_write, &scene, scene.fds.rw[WRITER], scene_look, &scene);
        print_message("write %d: %ld instructions, %ld states of memory\n", (int)kind, n,
                      scene.n_looks);
        assert_true(scene.n_looks >= 2);
        scene_deinit(&scene);
    }
}

static bool is_soak(void)
{
    const char *soak = getenv("WEIR_SOAK");
    return soak && strcmp(soak, "1") == 0;
}

static uint64_t seed_of_run(void)
{
    const char *wish = getenv("WEIR_SEED");
    uint64_t seed = wish ? strtoull(wish, NULL, 10) : (uint64_t)time(NULL);
    print_message("WEIR_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/*
 * The same with real deaths: in a soak at each instruction, otherwise at some that a seed chooses.
 */
static void test_writer_is_killed(void **state)
{
    (void)state;
    skip_where_not_permitted();
    skip_where_sanitized();
    struct rng rng;
    rng_init(&rng, seed_of_run());
    for (enum write_kind kind = 0; kind < WRITE_N; kind++) {
        struct scene scene;
        scene_init(&scene, kind);
        long n_all = dying_kill(scene_write, &scene, INT32_MAX);
        scene_deinit(&scene);
        long stride = is_soak() ? 1 : n_all / 3 + 1;
        long first = is_soak() ? 0 : (long)rng_below(&rng, (uint64_t)stride);
        for (long k = first; k < n_all; k += stride) {
            scene_init(&scene, kind);
            assert_true(dying_kill(scene_write, &scene, k) <= k);
            check_remains(&scene, &scene.fds);
            scene_deinit(&scene);
        }
    }
}

/* --- adoption that dies itself ---------------------------------------------------------------- */

struct half { /* the memory of a writer that died, adopted by one that dies too */
    const struct scene *scene;
    struct board_fds fds;
    long n_looks;
};

static void half_look(void *ctx, long instruction)
{
    (void)instruction;
    struct half *half = ctx;
    half->n_looks++;
    check_copy(half->scene, half->fds.rw[WRITER]);
}

struct quarry { /* stops the first writer where its n-th change of memory was done */
    struct scene *scene;
    long n_looks;
    long wanted;
    struct board_fds *fds;
};

static void quarry_look(void *ctx, long instruction)
{
    (void)instruction;
    struct quarry *quarry = ctx;
    if (quarry->n_looks++ == quarry->wanted)
        dying_copy(quarry->scene->fds.rw[WRITER], quarry->fds->rw[WRITER]);
}

/* The first writer dies where its memory is in its wanted-th state; where it has no such state, it
 * has not died. Returns how many there were. */
static long make_half(struct scene *scene, enum write_kind kind, long wanted, struct half *ret_half)
{
    scene_init(scene, kind);
    *ret_half = (struct half){.scene = scene};
    make(&ret_half->fds);
    struct quarry quarry = {.scene = scene, .wanted = wanted, .fds = &ret_half->fds};
    dying_watch(scene_write, scene, scene->fds.rw[WRITER], quarry_look, &quarry);
    return quarry.n_looks;
}

static void half_deinit(struct half *half, struct scene *scene)
{
    board_fds_close(&half->fds);
    scene_deinit(scene);
}

static void adopt_half(enum write_kind kind, long wanted)
{
    struct scene scene;
    struct half half;
    make_half(&scene, kind, wanted, &half);
    dying_watch(scene_adopt, &half.fds, half.fds.rw[WRITER], half_look, &half);
    assert_true(half.n_looks >= 2);
    half_deinit(&half, &scene);
}

static void test_adoption_dies_anywhere(void **state)
{
    (void)state;
    skip_where_not_permitted();
    skip_where_sanitized();
    /* Fresh pages for large arrays, always: zeroing used ones is an instruction a byte here. */
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_PERTURB, 0);
    static const enum write_kind kinds[] = {WRITE_NEW, WRITE_CHANGE, WRITE_REMOVE};
    struct rng rng;
    rng_init(&rng, seed_of_run());
    size_t first_kind = is_soak() ? 0 : (size_t)rng_below(&rng, ARRAY_LEN(kinds));
    for (size_t i = first_kind; i < (is_soak() ? ARRAY_LEN(kinds) : first_kind + 1); i++) {
        struct scene scene;
        struct half half;
        long n = make_half(&scene, kinds[i], 0, &half);
        half_deinit(&half, &scene);
        /* In the second half of its states the fact is published and the ring is not done. */
        long first = is_soak() ? 0 : n / 2 + (long)rng_below(&rng, (uint64_t)(n - n / 2));
        for (long k = first; k < (is_soak() ? n : first + 1); k++)
            adopt_half(kinds[i], k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_slot_reuse),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_full_segment),
        cmocka_unit_test(test_ring_goes_round),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_only_the_writer_writes),
        cmocka_unit_test(test_foreign_memory),
        cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_state_names),
        cmocka_unit_test(test_readers_beside_a_writer),
        cmocka_unit_test(test_writer_dies_anywhere),
        cmocka_unit_test(test_writer_is_killed),
        cmocka_unit_test(test_adoption_dies_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

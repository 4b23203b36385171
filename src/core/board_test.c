/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The board: facts, references, changes, heartbeats, who may write, and readers beside a writer
 * that never rests.
 */

#include "core/board_stage.h"
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),           cmocka_unit_test(test_slot_reuse),
        cmocka_unit_test(test_long_texts),      cmocka_unit_test(test_full_segment),
        cmocka_unit_test(test_ring_goes_round), cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_segments),        cmocka_unit_test(test_only_the_writer_writes),
        cmocka_unit_test(test_foreign_memory),  cmocka_unit_test(test_heartbeats),
        cmocka_unit_test(test_state_names),     cmocka_unit_test(test_readers_beside_a_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

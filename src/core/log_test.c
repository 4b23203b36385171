/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log: lines as they come out, rings that wrap and fill, producers that die, outputs that
 * block.
 */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/text.h"
#include "core/log.h"
#include "core/log_ring.h"

/* A process's rings, a drain that writes to a pipe, and the pipe's reading end. */
struct rig {
    int memory_fd;
    int out[2];
    struct log_drain *drain;
    struct log *log;
    char got[1 << 20];
    size_t n_got;
};

static int rig_setup(void **state)
{
    struct rig *rig = MEM_NEW(struct rig);
    struct err err = ERR_NONE;
    assert_int_equal(log_memory_make(&rig->memory_fd, &err), 0);
    assert_int_equal(pipe2(rig->out, O_CLOEXEC), 0);
    assert_int_equal(log_drain_start(rig->out[1], -1, LOG_FORMAT_TEXT, &rig->drain, &err), 0);
    assert_int_equal(log_drain_add(rig->drain, "edge", rig->memory_fd, -1, &err), 0);
    assert_int_equal(
        log_open(rig->memory_fd, log_drain_bell(rig->drain), 0, LOG_LEVEL_INFO, &rig->log, &err),
        0);
    *state = rig;
    return 0;
}

static int rig_teardown(void **state)
{
    struct rig *rig = *state;
    log_close(&rig->log);
    log_drain_stop(&rig->drain, 1000);
    close(rig->memory_fd);
    close(rig->out[0]);
    close(rig->out[1]);
    mem_free(rig);
    return 0;
}

/* Ends the drain and takes all that it wrote. */
static const char *rig_read(struct rig *rig)
{
    log_drain_stop(&rig->drain, 5000);
    assert_true(fcntl(rig->out[0], F_SETFL, O_NONBLOCK) == 0);
    ssize_t n;
    while ((n = read(rig->out[0], rig->got + rig->n_got, sizeof(rig->got) - 1 - rig->n_got)) > 0)
        rig->n_got += (size_t)n;
    rig->got[rig->n_got] = 0;
    return rig->got;
}

static void test_text(void **state)
{
    struct rig *rig = *state;
    const struct log_field fields[] = {{.key = "member", .value = "web/a"},
                                       {.key = "reason", .value = "two\nlines"}};
    log_write(rig->log, LOG_LEVEL_DEBUG, "not shown");
    log_write(rig->log, LOG_LEVEL_WARN, "plain %d", 7);
    log_fields(rig->log, LOG_LEVEL_ERROR, fields, 2, "forged\n2026-01-01T00:00:00.000Z info");
    const char *got = rig_read(rig);
    assert_null(strstr(got, "not shown"));
    assert_non_null(strstr(got, "Z warn  edge     plain 7\n"));
    assert_non_null(strstr(got, "Z error edge     forged\\x0a2026-01-01T00:00:00.000Z info "
                                "member=web/a reason=two\\x0alines\n"));
}

static void test_json(void **state)
{
    struct rig *rig = *state;
    log_drain_set_format(rig->drain, LOG_FORMAT_JSON);
    const struct log_field fields[] = {{.key = "member", .value = "web/\"a\""}};
    log_fields(rig->log, LOG_LEVEL_INFO, fields, 1, "one");
    const char *got = rig_read(rig);
    assert_non_null(strstr(got, "\",\"level\":\"info\",\"process\":\"edge\",\"text\":\"one\","
                                "\"member\":\"web/\\\"a\\\"\"}\n"));
}

/* Numbers stand as numbers where they are some; a process may say what it likes. */
static void test_numbers(void **state)
{
    struct rig *rig = *state;
    static const struct {
        const char *value;
        bool is_number;
    } rows[] = {
        {"0", true},    {"12", true},   {"0.345", true},  {"1795575600", true}, {"012", false},
        {"1.", false},  {".5", false},  {"", false},      {"-1", false},        {"1e9", false},
        {"1,2", false}, {"0x1", false}, {"1.2.3", false},
    };
    log_drain_set_format(rig->drain, LOG_FORMAT_JSON);
    struct log_field fields[ARRAY_LEN(rows)];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        fields[i] = (struct log_field){.key = "#n", .value = rows[i].value};
    log_access(rig->log, fields, ARRAY_LEN(rows));
    const char *got = rig_read(rig);
    struct text want = TEXT_NONE;
    text_printf(&want, "\",\"level\":\"access\",\"process\":\"edge\"");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        text_printf(&want, rows[i].is_number ? ",\"n\":%s" : ",\"n\":\"%s\"", rows[i].value);
    text_append(&want, SLICE("}\n"));
    if (!strstr(got, text_cstr(&want)))
        fail_msg("%s", got);
    text_deinit(&want);
}

/* Whatever the level of the log; no sentence before the fields. */
static void test_access(void **state)
{
    struct rig *rig = *state;
    const struct log_field fields[] = {{.key = "path", .value = "/a\nb"},
                                       {.key = "#status", .value = "200"}};
    log_set_level(rig->log, LOG_LEVEL_ERROR);
    log_write(rig->log, LOG_LEVEL_WARN, "not shown");
    log_access(rig->log, fields, 2);
    const char *got = rig_read(rig);
    assert_null(strstr(got, "not shown"));
    assert_non_null(strstr(got, "Z access edge     path=/a\\x0ab status=200\n"));
}

static void test_long(void **state)
{
    struct rig *rig = *state;
    char text[4000];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    log_write(rig->log, LOG_LEVEL_INFO, "%s", text);
    const char *got = rig_read(rig);
    assert_non_null(strstr(got, "xxx...\n"));
    assert_true(rig->n_got < LOG_TEXT_MAX + 100);
}

/* Reads the output until the drainer has taken all that is in the ring. */
static void rig_follow(struct rig *rig, const struct log_ring *ring)
{
    assert_true(fcntl(rig->out[0], F_SETFL, O_NONBLOCK) == 0);
    for (int i = 0; i < 20000; i++) {
        ssize_t n = read(rig->out[0], rig->got + rig->n_got, sizeof(rig->got) - 1 - rig->n_got);
        rig->n_got += n > 0 ? (size_t)n : 0;
        if (atomic_load(&ring->tail) == atomic_load(&ring->head))
            return;
        poll(NULL, 0, 1);
    }
    fail_msg("the drainer has stopped");
}

/*
 * More bytes than the ring holds, in sizes that meet its end at any offset: all of them, in order.
 */
static void test_wrap(void **state)
{
    struct rig *rig = *state;
    const struct log_ring *ring =
        mmap(NULL, sizeof(*ring), PROT_READ, MAP_SHARED, rig->memory_fd, 0);
    assert_true(ring != MAP_FAILED);
    char text[200];
    memset(text, 'y', sizeof(text));
    int n_lines = 0;
    while (atomic_load(&ring->head) < 2u * LOG_RING_BYTES) {
        log_write(rig->log, LOG_LEVEL_INFO, "line %d %.*s", n_lines, n_lines % 190, text);
        if (++n_lines % 100 == 0)
            rig_follow(rig, ring);
    }
    uint64_t n_dropped = log_drain_dropped(rig->drain);
    const char *at = rig_read(rig);
    assert_int_equal(n_dropped, 0);
    for (int i = 0; i < n_lines; i++) {
        char want[32];
        snprintf(want, sizeof(want), "line %d ", i);
        at = strstr(at, want);
        assert_non_null(at);
    }
}

/* Nobody reads: the thread is never held up, and what did not fit is counted and said. */
static void test_blocked_output(void **state)
{
    struct rig *rig = *state;
    enum { LINES = 40000 };
    for (int i = 0; i < LINES; i++)
        log_write(rig->log, LOG_LEVEL_INFO, "a line that nobody reads, number %d", i);
    struct log_drain *drain = rig->drain;
    rig->drain = NULL;
    log_drain_stop(&drain, 50); /* gives up, though the pipe is full */
    assert_true(fcntl(rig->out[0], F_SETFL, O_NONBLOCK) == 0);
    ssize_t n = read(rig->out[0], rig->got, sizeof(rig->got) - 1);
    assert_true(n > 0 && n < LINES * 40);
}

static void test_dropped_is_said(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 40000; i++)
        log_write(rig->log, LOG_LEVEL_INFO, "a line for a reader that sleeps, number %d", i);
    int out = rig->out[0];
    assert_true(fcntl(out, F_SETFL, O_NONBLOCK) == 0);
    bool is_said = false;
    for (int i = 0; i < 3000 && !is_said; i++) {
        ssize_t n = read(out, rig->got, sizeof(rig->got) - 1);
        rig->got[n > 0 ? n : 0] = 0;
        is_said = strstr(rig->got, "log lines dropped: whoever reads the log is too slow") != NULL;
        if (n <= 0)
            poll(NULL, 0, 1);
    }
    assert_true(is_said);
    assert_true(log_drain_dropped(rig->drain) > 0);
}

/* A process that dies between the bytes of a record and the head leaves no half of it; its next
 * life goes on where it was. */
static void test_producer_dies(void **state)
{
    struct rig *rig = *state;
    log_write(rig->log, LOG_LEVEL_INFO, "before");
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct log_ring *ring =
            mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory_fd, 0);
        uint64_t head = atomic_load(&ring->head) % LOG_RING_BYTES;
        struct log_record half = {.size = 4096, .level = LOG_LEVEL_ERROR, .text_len = 1000};
        memcpy(ring->bytes + head, &half, sizeof(half));
        memset(ring->bytes + head + sizeof(half), 'z', 100);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    struct log *next = NULL;
    struct err err;
    assert_int_equal(
        log_open(rig->memory_fd, log_drain_bell(rig->drain), 0, LOG_LEVEL_INFO, &next, &err), 0);
    log_write(next, LOG_LEVEL_INFO, "after");
    log_close(&next);
    const char *got = rig_read(rig);
    assert_non_null(strstr(got, "before\n"));
    assert_non_null(strstr(got, "after\n"));
    assert_null(strchr(got, 'z'));
}

/* A process that has gone mad may write anything into its rings; the drainer neither reads beyond
 * them nor stops. */
static void test_scribbled_ring(void **state)
{
    struct rig *rig = *state;
    struct log_ring *ring =
        mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory_fd, 0);
    assert_true(ring != MAP_FAILED);
    const struct log_record bad[] = {
        {.size = 0, .level = LOG_LEVEL_INFO},
        {.size = 0xfffffff8, .level = LOG_LEVEL_INFO},
        {.size = 24, .level = 77},
        {.size = 24, .level = LOG_LEVEL_INFO, .text_len = 60000},
        {.size = 32, .level = LOG_LEVEL_INFO, .text_len = 8, .n_fields = 16},
        {.size = 25, .level = LOG_LEVEL_INFO},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        uint64_t head = atomic_load(&ring->head);
        memset(ring->bytes + head % LOG_RING_BYTES, 'q', 64);
        memcpy(ring->bytes + head % LOG_RING_BYTES, &bad[i], sizeof(bad[i]));
        atomic_store(&ring->head, head + 64);
        uint64_t one = 1;
        assert_int_equal(write(log_drain_bell(rig->drain), &one, sizeof(one)), sizeof(one));
        for (int wait = 0; wait < 2000 && atomic_load(&ring->tail) != head + 64; wait++)
            poll(NULL, 0, 1);
        assert_int_equal(atomic_load(&ring->tail), head + 64);
    }
    atomic_store(&ring->head, UINT64_MAX / 2);
    munmap(ring, sizeof(*ring));
    /* The next life over it. */
    struct err err = ERR_NONE;
    log_close(&rig->log);
    assert_int_equal(
        log_open(rig->memory_fd, log_drain_bell(rig->drain), 0, LOG_LEVEL_INFO, &rig->log, &err),
        0);
    log_write(rig->log, LOG_LEVEL_INFO, "still here");
    rig_read(rig);
}

/* Nor do a tail that a process has moved, at the very end of the memory, or a cut file hurt it. */
static void test_scribbled_tail(void **state)
{
    struct rig *rig = *state;
    struct log *log = NULL;
    struct err err = ERR_NONE;
    assert_int_equal(log_open(rig->memory_fd, -1, LOG_RINGS_MAX - 1, LOG_LEVEL_INFO, &log, &err),
                     0);
    log_close(&log);
    off_t last = (off_t)sizeof(struct log_ring) * (LOG_RINGS_MAX - 1);
    struct log_ring *ring =
        mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory_fd, last);
    assert_true(ring != MAP_FAILED);
    atomic_store(&ring->tail, LOG_RING_BYTES - 4);
    atomic_store(&ring->head, LOG_RING_BYTES + 64);
    assert_int_equal(ftruncate(rig->memory_fd, 0), -1);
    log_write(rig->log, LOG_LEVEL_INFO, "still here");
    for (int wait = 0; wait < 2000 && atomic_load(&ring->tail) != LOG_RING_BYTES + 64; wait++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&ring->tail), LOG_RING_BYTES + 64);
    munmap(ring, sizeof(*ring));
    assert_non_null(strstr(rig_read(rig), "still here\n"));
}

static size_t resident_pages(int fd, size_t size)
{
    size_t n_pages = size / 4096;
    unsigned char *pages = calloc(n_pages, 1);
    void *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(pages && memory != MAP_FAILED);
    assert_int_equal(mincore(memory, size, pages), 0);
    size_t n = 0;
    for (size_t i = 0; i < n_pages; i++)
        n += pages[i] & 1;
    munmap(memory, size);
    free(pages);
    return n;
}

/* The drainer looks at the rings that threads have, and gives no memory to the others. */
static void test_unopened_rings(void **state)
{
    struct rig *rig = *state;
    struct log *last = NULL;
    struct err err = ERR_NONE;
    assert_int_equal(log_open(rig->memory_fd, log_drain_bell(rig->drain), LOG_RINGS_MAX - 1,
                              LOG_LEVEL_INFO, &last, &err),
                     0);
    log_write(rig->log, LOG_LEVEL_INFO, "of the first");
    log_write(last, LOG_LEVEL_INFO, "of the last");
    log_close(&last);
    const char *lines = rig_read(rig);
    assert_non_null(strstr(lines, "of the first\n"));
    assert_non_null(strstr(lines, "of the last\n"));
    assert_int_equal(resident_pages(rig->memory_fd, sizeof(struct log_ring) * LOG_RINGS_MAX), 4);
}

/* Nor where it looks before the process has opened any. */
static void test_no_ring_yet(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_NONE;
    int fd;
    assert_int_equal(log_memory_make(&fd, &err), 0);
    assert_int_equal(log_drain_add(rig->drain, "later", fd, -1, &err), 0);
    log_write(rig->log, LOG_LEVEL_INFO, "of another");
    assert_non_null(strstr(rig_read(rig), "of another\n"));
    assert_int_equal(resident_pages(fd, sizeof(struct log_ring) * LOG_RINGS_MAX), 1);
    close(fd);
}

/* A life of an older program does not say which it has. */
static void test_rings_of_an_older_life(void **state)
{
    struct rig *rig = *state;
    struct log_ring *first =
        mmap(NULL, sizeof(*first), PROT_READ | PROT_WRITE, MAP_SHARED, rig->memory_fd, 0);
    struct log *last = NULL;
    struct err err = ERR_NONE;
    assert_int_equal(log_open(rig->memory_fd, log_drain_bell(rig->drain), LOG_RINGS_MAX - 1,
                              LOG_LEVEL_INFO, &last, &err),
                     0);
    assert_true(first != MAP_FAILED);
    for (size_t i = 0; i < LOG_OPENED_WORDS; i++)
        atomic_store(&first->opened[i], 0);
    munmap(first, sizeof(*first));
    log_write(last, LOG_LEVEL_INFO, "of the last");
    log_close(&last);
    assert_non_null(strstr(rig_read(rig), "of the last\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_text, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_json, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_numbers, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_access, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_long, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_wrap, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_blocked_output, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_dropped_is_said, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_producer_dies, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_scribbled_ring, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_scribbled_tail, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_unopened_rings, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_no_ring_yet, rig_setup, rig_teardown),
        cmocka_unit_test_setup_teardown(test_rings_of_an_older_life, rig_setup, rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

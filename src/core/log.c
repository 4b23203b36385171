/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writing end of the log: a thread appends records to its ring and rings the drainer's bell; it
 * waits for nobody.
 */

#include "core/log.h"

#include "base/json.h"
#include "base/mem.h"
#include "core/log_ring.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RECORD_ALIGN = 8, NUMBER_MARK = '#' };

struct log {
    struct log_ring *ring;
    int bell_fd;
    enum log_level level;
};

static uint64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- memory ---- */

/* Before the first record: whoever sees that sees this too. */
static int ring_note(int fd, uint32_t index, struct err *err)
{
    struct log_ring *first = mmap(NULL, sizeof(*first), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (first == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map the first log ring");
    atomic_fetch_or(&first->opened[index / 64], (uint64_t)1 << (index % 64));
    munmap(first, sizeof(*first));
    return 0;
}

int log_memory_make(int *ret_fd, struct err *err)
{
    int fd = memfd_create("weir-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make memory for the log");
    /* Sealed: a process that cut the file would take the memory from under the drainer. */
    if (ftruncate(fd, (off_t)sizeof(struct log_ring) * LOG_RINGS_MAX) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        err_set_errno(err, errno, "cannot size the log's memory");
        close(fd);
        return -1;
    }
    /* So that a drainer that looks before the process does not take it for one of an older age. */
    if (ring_note(fd, 0, err) < 0) {
        close(fd);
        return -1;
    }
    *ret_fd = fd;
    return 0;
}

int log_open(int fd, int bell_fd, uint32_t index, enum log_level level, struct log **ret_log,
             struct err *err)
{
    assert(index < LOG_RINGS_MAX);
    if (ring_note(fd, index, err) < 0)
        return -1;
    void *ring = mmap(NULL, sizeof(struct log_ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                      (off_t)sizeof(struct log_ring) * index);
    if (ring == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map log ring %u", index);
    struct log *log = MEM_NEW(struct log);
    log->ring = ring;
    /* A former life that went mad may have left any number there; the drainer skips to it. */
    uint64_t head = atomic_load(&log->ring->head);
    atomic_store(&log->ring->head, (head + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1));
    log->bell_fd = bell_fd;
    log->level = level;
    *ret_log = log;
    return 0;
}

void log_close(struct log **log)
{
    if (!*log)
        return;
    munmap((*log)->ring, sizeof(struct log_ring));
    mem_free(*log);
    *log = NULL;
}

void log_set_level(struct log *log, enum log_level level)
{
    log->level = level;
}

bool log_is_on(const struct log *log, enum log_level level)
{
    return level >= (log ? log->level : LOG_LEVEL_INFO);
}

/* ---- records ---- */

static void ring_drop(struct log_ring *ring)
{
    uint64_t n = atomic_load_explicit(&ring->n_dropped, memory_order_relaxed);
    atomic_store_explicit(&ring->n_dropped, n + 1, memory_order_relaxed);
}

/*
 * Room for a record of `size` bytes at the head, a filler before it where it would wrap; NULL:
 * full.
 */
static struct log_record *ring_reserve(struct log_ring *ring, uint32_t size, uint64_t *head)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    uint32_t at = (uint32_t)(*head % LOG_RING_BYTES);
    uint32_t rest = LOG_RING_BYTES - at;
    uint32_t need = size <= rest ? size : rest + size;
    if (LOG_RING_BYTES - (*head - tail) < need)
        return NULL;
    if (size > rest) {
        /* rest is a multiple of 8, and size and level lie in the first 8 bytes. */
        struct log_record *filler = (struct log_record *)(void *)(ring->bytes + at);
        filler->size = rest;
        filler->level = LOG_FILLER;
        *head += rest;
        at = 0;
    }
    return (struct log_record *)(void *)(ring->bytes + at);
}

static void ring_write(struct log *log, const struct log_record *header, const char *bytes,
                       uint32_t n_bytes)
{
    struct log_ring *ring = log->ring;
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct log_record *record = ring_reserve(ring, header->size, &head);
    if (!record) {
        ring_drop(ring);
        return;
    }
    *record = *header;
    memcpy(record + 1, bytes, n_bytes);
    uint64_t before = atomic_load_explicit(&ring->head, memory_order_relaxed);
    atomic_store_explicit(&ring->head, head + header->size, memory_order_release);
    /*
     * While the drainer has not taken what was there before, the bell has been rung for that, and
     * it looks once more before it sleeps. The fence, and the one before its look, keep each from
     * seeing the other's older word.
     */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&ring->tail, memory_order_relaxed) < before)
        return;
    uint64_t one = 1;
    (void)!write(log->bell_fd, &one,
                 sizeof(one)); /* full means that it has been rung often enough */
}

/* The fields behind the text: key NUL value NUL. Those that do not fit are left out. */
static uint32_t put_fields(char *bytes, uint32_t at, const struct log_field *fields,
                           size_t n_fields, uint8_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < n_fields && i < LOG_FIELDS_MAX; i++) {
        size_t key_len = strlen(fields[i].key) + 1;
        size_t value_len = strlen(fields[i].value) + 1;
        if (at + key_len + value_len > LOG_BYTES_MAX)
            break;
        memcpy(bytes + at, fields[i].key, key_len);
        memcpy(bytes + at + key_len, fields[i].value, value_len);
        at += (uint32_t)(key_len + value_len);
        (*ret_n)++;
    }
    return at;
}

static void log_direct(const struct log_record *record, const char *bytes)
{
    struct text line = TEXT_NONE;
    log_format_line(&line, LOG_FORMAT_TEXT, "weir", record, bytes, bytes + record->text_len);
    (void)!write(STDERR_FILENO, line.ptr, line.len);
    text_deinit(&line);
}

static void log_vfields(struct log *log, enum log_level level, const struct log_field *fields,
                        size_t n_fields, const char *format, va_list args)
    __attribute__((format(printf, 5, 0)));

static void log_vfields(struct log *log, enum log_level level, const struct log_field *fields,
                        size_t n_fields, const char *format, va_list args)
{
    if (!log_is_on(log, level))
        return;
    char bytes[LOG_BYTES_MAX];
    int n = vsnprintf(bytes, LOG_TEXT_MAX, format, args);
    size_t text_len = n < 0 ? 0 : (size_t)n;
    if (text_len >= LOG_TEXT_MAX) {
        text_len = LOG_TEXT_MAX - 1;
        memcpy(bytes + text_len - 3, "...", 3);
    }
    struct log_record record = {
        .level = (uint8_t)level, .text_len = (uint16_t)text_len, .wall_ns = wall_ns()};
    uint32_t end = put_fields(bytes, (uint32_t)text_len, fields, n_fields, &record.n_fields);
    record.size = (uint32_t)((sizeof(record) + end + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1u));
    if (log)
        ring_write(log, &record, bytes, end);
    else
        log_direct(&record, bytes);
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vfields(log, level, NULL, 0, format, args);
    va_end(args);
}

void log_fields(struct log *log, enum log_level level, const struct log_field *fields,
                size_t n_fields, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_vfields(log, level, fields, n_fields, format, args);
    va_end(args);
}

void log_access(struct log *log, const struct log_field *fields, size_t n_fields)
{
    log_fields(log, LOG_LEVEL_ACCESS, fields, n_fields, "%s", "");
}

/* ---- lines ---- */

static const char *const level_names[LOG_LEVEL_N] = {"debug", "info", "warn", "error", "access"};

static void put_time(struct text *out, uint64_t at_ns)
{
    time_t seconds = (time_t)(at_ns / 1000000000u);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    text_printf(out, "%s.%03uZ", text, (unsigned)(at_ns / 1000000u % 1000u));
}

/* Control bytes, and the quote and backslash that mark them, come out as \xHH: what a stranger sent
 * cannot look like a line of ours. */
static void put_escaped(struct text *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c < ' ' || c == 0x7f || c == '\\')
            text_printf(out, "\\x%02x", c);
        else
            text_append_char(out, (char)c);
    }
}

static void put_text_line(struct text *out, const char *process, const struct log_record *record,
                          const char *text, const char *fields)
{
    put_time(out, record->wall_ns);
    text_printf(out, " %-5s %-8s ", level_names[record->level], process);
    put_escaped(out, text, record->text_len);
    for (int i = 0; i < record->n_fields; i++) {
        const char *value = fields + strlen(fields) + 1;
        bool is_first = i == 0 && record->text_len == 0;
        text_printf(out, "%s%s=", is_first ? "" : " ", fields + (fields[0] == NUMBER_MARK));
        put_escaped(out, value, strlen(value));
        fields = value + strlen(value) + 1;
    }
    text_append_char(out, '\n');
}

/* What another process says is a number; JSON takes 12 and 0.345, but not 012 or 1. */
static bool is_number(const char *text)
{
    size_t n_whole = strspn(text, "0123456789");
    if (n_whole == 0 || (n_whole > 1 && text[0] == '0'))
        return false;
    if (text[n_whole] != '.')
        return text[n_whole] == '\0';
    size_t n_part = strspn(text + n_whole + 1, "0123456789");
    return n_part > 0 && text[n_whole + 1 + n_part] == '\0';
}

static void put_json_line(struct text *out, const char *process, const struct log_record *record,
                          const char *text, const char *fields)
{
    text_append(out, SLICE("{\"time\":\""));
    put_time(out, record->wall_ns);
    text_printf(out, "\",\"level\":\"%s\",\"process\":", level_names[record->level]);
    json_escape(out, slice_from(process));
    if (record->text_len > 0) {
        text_append(out, SLICE(",\"text\":"));
        json_escape(out, slice_make(text, record->text_len));
    }
    for (int i = 0; i < record->n_fields; i++) {
        const char *value = fields + strlen(fields) + 1;
        bool has_mark = fields[0] == NUMBER_MARK;
        text_append_char(out, ',');
        json_escape(out, slice_from(fields + has_mark));
        text_append_char(out, ':');
        if (has_mark && is_number(value))
            text_append(out, slice_from(value));
        else
            json_escape(out, slice_from(value));
        fields = value + strlen(value) + 1;
    }
    text_append(out, SLICE("}\n"));
}

void log_format_line(struct text *out, enum log_format format, const char *process,
                     const struct log_record *record, const char *text, const char *fields)
{
    if (format == LOG_FORMAT_JSON)
        put_json_line(out, process, record, text, fields);
    else
        put_text_line(out, process, record, text, fields);
}

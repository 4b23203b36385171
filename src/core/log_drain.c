/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The reading end of the log: a thread of the supervisor that makes lines of the records of all
 * processes and writes them, however slow the reader is, without anybody else waiting for it.
 */

#include "base/mem.h"
#include "core/log.h"
#include "core/log_ring.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum {
    SOURCES_MAX = 96,
    BATCH_BYTES = 64 * 1024,
    /* POSIX: a pipe that polls writable takes so many bytes without blocking. */
    WRITE_BYTES = 4096,
    WAIT_MS = 100,
    NAP_MS = 1, /* in which lines gather, so that many are taken by one waking */
};

struct source {
    char name[32];
    struct log_ring *rings;            /* LOG_RINGS_MAX */
    int bell_fd;                       /* -1: it rings the drain's */
    uint64_t n_dropped[LOG_RINGS_MAX]; /* as last reported */
};

struct log_drain {
    pthread_t thread;
    int out_fd;
    int bell_fd;
    bool is_own_bell;
    _Atomic int format; /* enum log_format */
    _Atomic bool must_stop;
    _Atomic uint64_t stop_deadline_ns;
    _Atomic uint64_t n_dropped;
    pthread_mutex_t mutex; /* of sources and n_sources */
    struct source sources[SOURCES_MAX];
    size_t n_sources;
    struct text lines; /* the thread's, as is the next */
    char bytes
        [LOG_BYTES_MAX]; /* of the record in hand: in shared memory they may change meanwhile */
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool must_give_up(const struct log_drain *drain)
{
    return atomic_load(&drain->must_stop) &&
           clock_ns(CLOCK_MONOTONIC) >= atomic_load(&drain->stop_deadline_ns);
}

/* Writes all lines, in pieces that do not block once the output polls writable. */
static void drain_write(struct log_drain *drain)
{
    size_t at = 0;
    while (at < drain->lines.len && !must_give_up(drain)) {
        struct pollfd out = {.fd = drain->out_fd, .events = POLLOUT};
        if (poll(&out, 1, WAIT_MS) <= 0)
            continue;
        size_t len = drain->lines.len - at;
        ssize_t n =
            write(drain->out_fd, drain->lines.ptr + at, len < WRITE_BYTES ? len : WRITE_BYTES);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            break; /* nobody reads any more; the next lines may have better luck */
        at += n > 0 ? (size_t)n : 0;
    }
    text_clear(&drain->lines);
}

static void drain_say_dropped(struct log_drain *drain, struct source *source, size_t index)
{
    uint64_t n = atomic_load_explicit(&source->rings[index].n_dropped, memory_order_relaxed);
    uint64_t n_new = n - source->n_dropped[index];
    if (n_new == 0)
        return;
    source->n_dropped[index] = n;
    atomic_fetch_add(&drain->n_dropped, n_new);
    struct text sentence = TEXT_NONE;
    text_printf(&sentence, "%llu log lines dropped: whoever reads the log is too slow",
                (unsigned long long)n_new);
    struct log_record record = {.level = LOG_LEVEL_WARN,
                                .text_len = (uint16_t)sentence.len,
                                .wall_ns = clock_ns(CLOCK_REALTIME)};
    log_format_line(&drain->lines, (enum log_format)atomic_load(&drain->format), source->name,
                    &record, sentence.ptr, "");
    text_deinit(&sentence);
}

/* Does the record lie within what the thread has published, and do its fields within the record? */
static bool record_is_sane(const struct log_record *record, uint64_t n_published)
{
    if (record->size < sizeof(uint64_t) || record->size > n_published || record->size % 8)
        return false;
    if (record->level == LOG_FILLER)
        return true;
    return record->size <= sizeof(*record) + LOG_BYTES_MAX && record->level < LOG_LEVEL_N &&
           record->size >= sizeof(*record) + record->text_len && record->n_fields <= LOG_FIELDS_MAX;
}

static bool fields_are_sane(const struct log_record *record, const char *fields, const char *end)
{
    for (int i = 0; i < 2 * record->n_fields; i++) {
        const char *nul = memchr(fields, 0, (size_t)(end - fields));
        if (!nul)
            return false;
        fields = nul + 1;
    }
    return true;
}

static void drain_record(struct log_drain *drain, const struct source *source,
                         const struct log_record *record, const char *shared)
{
    size_t n_bytes = record->size - sizeof(*record);
    memcpy(drain->bytes, shared, n_bytes);
    const char *fields = drain->bytes + record->text_len;
    if (fields_are_sane(record, fields, drain->bytes + n_bytes))
        log_format_line(&drain->lines, (enum log_format)atomic_load(&drain->format), source->name,
                        record, drain->bytes, fields);
}

/*
 * One ring, up to a batch; the supervisor does not trust what other processes may have scribbled.
 */
static bool drain_ring(struct log_drain *drain, struct source *source, size_t index)
{
    struct log_ring *ring = &source->rings[index];
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    uint64_t first = tail;
    if (head - tail > LOG_RING_BYTES || (head | tail) % 8 != 0)
        tail = head;
    while (tail != head && drain->lines.len < BATCH_BYTES) {
        const char *bytes = ring->bytes + tail % LOG_RING_BYTES;
        struct log_record record;
        memset(&record, 0, sizeof(record));
        uint64_t n_ring = LOG_RING_BYTES - tail % LOG_RING_BYTES;
        memcpy(&record, bytes, n_ring < sizeof(record) ? 8 : sizeof(record));
        uint64_t n_published = head - tail < n_ring ? head - tail : n_ring;
        if (!record_is_sane(&record, n_published)) {
            tail = head;
            break;
        }
        if (record.level != LOG_FILLER)
            drain_record(drain, source, &record, bytes + sizeof(record));
        tail += record.size;
    }
    if (tail != first)
        atomic_store_explicit(&ring->tail, tail, memory_order_release);
    drain_say_dropped(drain, source, index);
    return tail != first;
}

static bool drain_source(struct log_drain *drain, struct source *source)
{
    uint64_t opened[LOG_OPENED_WORDS], any = 0;
    for (size_t i = 0; i < LOG_OPENED_WORDS; i++) {
        opened[i] = atomic_load_explicit(&source->rings[0].opened[i], memory_order_relaxed);
        any |= opened[i];
    }
    bool was_any = false;
    for (size_t r = 0; r < LOG_RINGS_MAX; r++)
        if (!any || (opened[r / 64] >> (r % 64) & 1) != 0)
            was_any |= drain_ring(drain, source, r);
    return was_any;
}

/* One round over all rings; true when there was anything. */
static bool drain_round(struct log_drain *drain)
{
    bool was_any = false;
    atomic_thread_fence(memory_order_seq_cst); /* see ring_write() in log.c */
    pthread_mutex_lock(&drain->mutex);
    size_t n_sources = drain->n_sources;
    pthread_mutex_unlock(&drain->mutex);
    /* Sources are only ever added, and those below n_sources are complete. */
    for (size_t s = 0; s < n_sources; s++)
        was_any |= drain_source(drain, &drain->sources[s]);
    drain_write(drain);
    return was_any;
}

static void drain_ring_bell(const struct log_drain *drain)
{
    uint64_t one = 1;
    (void)!write(drain->bell_fd, &one, sizeof(one));
}

/* Until any bell rings: the drain's own, or that of a process that has one of its own. */
static void drain_wait(struct log_drain *drain)
{
    struct pollfd bells[SOURCES_MAX + 1] = {{.fd = drain->bell_fd, .events = POLLIN}};
    nfds_t n = 1;
    pthread_mutex_lock(&drain->mutex);
    for (size_t s = 0; s < drain->n_sources; s++) {
        if (drain->sources[s].bell_fd >= 0)
            bells[n++] = (struct pollfd){.fd = drain->sources[s].bell_fd, .events = POLLIN};
    }
    pthread_mutex_unlock(&drain->mutex);
    (void)poll(bells, n, -1);
    for (nfds_t i = 0; i < n; i++) {
        uint64_t count;
        if (bells[i].revents)
            (void)!read(bells[i].fd, &count, sizeof(count));
    }
}

static void *drain_main(void *ctx)
{
    struct log_drain *drain = ctx;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (;;) {
        /*
         * Asked before the round: what was written before the stop is seen by a round that begins
         * after.
         */
        bool must_stop = atomic_load(&drain->must_stop);
        bool was_any = drain_round(drain);
        if (must_stop && (!was_any || must_give_up(drain)))
            return NULL;
        if (!was_any)
            drain_wait(drain);
        else if (!must_stop)
            (void)poll(NULL, 0, NAP_MS); /* more comes, most likely, and rings no bell meanwhile */
    }
}

int log_drain_start(int out_fd, int bell_fd, enum log_format format, struct log_drain **ret_drain,
                    struct err *err)
{
    struct log_drain *drain = MEM_NEW(struct log_drain);
    drain->out_fd = out_fd;
    atomic_store(&drain->format, (int)format);
    pthread_mutex_init(&drain->mutex, NULL);
    drain->is_own_bell = bell_fd < 0;
    drain->bell_fd = bell_fd < 0 ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : bell_fd;
    int rc = drain->bell_fd < 0 ? errno : pthread_create(&drain->thread, NULL, drain_main, drain);
    if (rc != 0) {
        err_set_errno(err, rc, "cannot start the log's thread");
        if (drain->is_own_bell && drain->bell_fd >= 0)
            close(drain->bell_fd);
        mem_free(drain);
        return -1;
    }
    *ret_drain = drain;
    return 0;
}

int log_drain_add(struct log_drain *drain, const char *name, int memory_fd, int bell_fd,
                  struct err *err)
{
    size_t size = sizeof(struct log_ring) * LOG_RINGS_MAX;
    void *rings = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    if (rings == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map the log of %s", name);
    pthread_mutex_lock(&drain->mutex);
    assert(drain->n_sources < SOURCES_MAX);
    struct source *source = &drain->sources[drain->n_sources];
    slice_copy(slice_from(name), source->name, sizeof(source->name));
    source->rings = rings;
    source->bell_fd = bell_fd;
    drain->n_sources++;
    pthread_mutex_unlock(&drain->mutex);
    drain_ring_bell(drain); /* what it waits for is another set of bells now */
    return 0;
}

int log_drain_bell(const struct log_drain *drain)
{
    return drain->bell_fd;
}

void log_drain_set_format(struct log_drain *drain, enum log_format format)
{
    atomic_store(&drain->format, (int)format);
}

uint64_t log_drain_dropped(const struct log_drain *drain)
{
    return atomic_load(&drain->n_dropped);
}

void log_drain_stop(struct log_drain **drain_ptr, int max_wait_ms)
{
    struct log_drain *drain = *drain_ptr;
    *drain_ptr = NULL;
    if (!drain)
        return;
    uint64_t wait_ns = (uint64_t)max_wait_ms * 1000000u;
    atomic_store(&drain->stop_deadline_ns, clock_ns(CLOCK_MONOTONIC) + wait_ns);
    atomic_store(&drain->must_stop, true);
    drain_ring_bell(drain);
    pthread_join(drain->thread, NULL);
    for (size_t i = 0; i < drain->n_sources; i++)
        munmap(drain->sources[i].rings, sizeof(struct log_ring) * LOG_RINGS_MAX);
    if (drain->is_own_bell)
        close(drain->bell_fd);
    pthread_mutex_destroy(&drain->mutex);
    text_deinit(&drain->lines);
    mem_free(drain);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The board: making segments, mapping them, heartbeats.
 */

#include "core/board.h"

#include "base/mem.h"
#include "core/board_segment.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const state_names[FACT_N_STATES] = {
    [FACT_NONE] = "none",       [FACT_UNKNOWN] = "unknown",   [FACT_UP] = "up",
    [FACT_DOWN] = "down",       [FACT_DEGRADED] = "degraded", [FACT_DRAINING] = "draining",
    [FACT_SERVING] = "serving", [FACT_RESOLVED] = "resolved", [FACT_FAILED] = "failed",
    [FACT_DRAINED] = "drained", [FACT_ACTIVE] = "active",     [FACT_BACKUP] = "backup",
};

const char *fact_state_name(enum fact_state state)
{
    return state < FACT_N_STATES ? state_names[state] : "unknown";
}

/* ---- words ---- */

void words_store(_Atomic uint64_t *words, const void *from, size_t size)
{
    const char *bytes = from;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + at, size - at < 8 ? size - at : 8);
        atomic_store_explicit(&words[at / 8], word, memory_order_relaxed);
    }
}

void words_load(const _Atomic uint64_t *words, void *to, size_t size)
{
    char *bytes = to;
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word = atomic_load_explicit(&words[at / 8], memory_order_relaxed);
        memcpy(bytes + at, &word, size - at < 8 ? size - at : 8);
    }
}

uint64_t board_name_hash(struct slice name)
{
    /* The names are the operator's own; nobody gains by a collision, which costs one comparison. */
    static const struct hash_key key = {UINT64_C(0x6661637473), UINT64_C(0x626f617264)};
    return hash_bytes(&key, name);
}

/* ---- making ---- */

static int segment_make(const char *name, int *ret_rw, int *ret_ro, struct err *err)
{
    int rw = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (rw < 0 || ftruncate(rw, (off_t)sizeof(struct segment)) < 0 ||
        fcntl(rw, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0) {
        err_set_errno(err, errno, "cannot make the board's segment of %s", name);
        if (rw >= 0)
            close(rw);
        return -1;
    }
    /* A descriptor that was opened for reading cannot be mapped for writing, whoever holds it. */
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", rw);
    int ro = open(path, O_RDONLY | O_CLOEXEC);
    struct segment *segment =
        mmap(NULL, sizeof(*segment), PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0);
    if (ro < 0 || segment == MAP_FAILED) {
        err_set_errno(err, errno, "cannot open the board's segment of %s", name);
        close(rw);
        if (ro >= 0)
            close(ro);
        return -1;
    }
    segment->magic = SEGMENT_MAGIC;
    segment->version = SEGMENT_VERSION;
    slice_copy(slice_from(name), segment->name, sizeof(segment->name));
    munmap(segment, sizeof(*segment));
    *ret_rw = rw;
    *ret_ro = ro;
    return 0;
}

int board_make(const char *const *names, size_t n, struct board_fds *ret_fds, struct err *err)
{
    assert(n <= BOARD_SEGMENTS_MAX);
    struct board_fds fds = {.n_segments = 0};
    for (size_t i = 0; i < n; i++) {
        if (segment_make(names[i], &fds.rw[i], &fds.ro[i], err) < 0) {
            board_fds_close(&fds);
            return -1;
        }
        fds.bell[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        fds.n_segments = i + 1;
        if (fds.bell[i] < 0) {
            err_set_errno(err, errno, "cannot make the bell of %s", names[i]);
            board_fds_close(&fds);
            return -1;
        }
    }
    *ret_fds = fds;
    return 0;
}

void board_fds_close(struct board_fds *fds)
{
    for (size_t i = 0; i < fds->n_segments; i++) {
        if (fds->rw[i] >= 0)
            close(fds->rw[i]);
        if (fds->ro[i] >= 0)
            close(fds->ro[i]);
        if (fds->bell[i] >= 0)
            close(fds->bell[i]);
    }
    fds->n_segments = 0;
}

/* ---- mapping ---- */

static int segment_map(struct board *board, size_t i, int fd, bool is_own, struct err *err)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return err_set_errno(err, errno, "cannot map segment %zu of the board", i);
    if (status.st_size != (off_t)sizeof(struct segment))
        return err_set(err,
                       "segment %zu of the board has another size: "
                       "all of weir's processes must be of one build",
                       i);
    int protection = is_own ? PROT_READ | PROT_WRITE : PROT_READ;
    void *memory = mmap(NULL, sizeof(struct segment), protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map segment %zu of the board", i);
    board->segments[i] = memory;
    if (board->segments[i]->magic != SEGMENT_MAGIC ||
        board->segments[i]->version != SEGMENT_VERSION)
        return err_set(err,
                       "segment %zu of the board has another format: "
                       "all of weir's processes must be of one build",
                       i);
    return 0;
}

int board_open(const struct board_fds *fds, int own, struct board **ret_board, struct err *err)
{
    struct board *board = MEM_NEW(struct board);
    board->own = own;
    board->n_segments = fds->n_segments;
    map_init(&board->index, 1, false);
    for (size_t i = 0; i < fds->n_segments; i++) {
        bool is_own = (int)i == own;
        board->bells[i] = fds->bell[i];
        if (segment_map(board, i, is_own ? fds->rw[i] : fds->ro[i], is_own, err) < 0) {
            board_close(&board);
            return -1;
        }
    }
    if (own != BOARD_NO_SEGMENT)
        board_adopt(board);
    *ret_board = board;
    return 0;
}

void board_close(struct board **board_ptr)
{
    struct board *board = *board_ptr;
    *board_ptr = NULL;
    if (!board)
        return;
    for (size_t i = 0; i < board->n_segments; i++)
        if (board->segments[i])
            munmap(board->segments[i], sizeof(struct segment));
    map_deinit(&board->index);
    mem_free(board->free_slots);
    mem_free(board->own_facts);
    mem_free(board);
}

struct segment *board_own(const struct board *board)
{
    assert(board->own != BOARD_NO_SEGMENT);
    return board->segments[board->own];
}

size_t board_n_segments(const struct board *board)
{
    return board->n_segments;
}

const char *board_segment_name(const struct board *board, size_t segment)
{
    assert(segment < board->n_segments);
    return board->segments[segment]->name;
}

int board_segment(const struct board *board, const char *name)
{
    for (size_t i = 0; i < board->n_segments; i++)
        if (strcmp(board->segments[i]->name, name) == 0)
            return (int)i;
    return -1;
}

int board_bell(const struct board *board)
{
    return board->own == BOARD_NO_SEGMENT ? -1 : board->bells[board->own];
}

/* ---- heartbeats ---- */

uint32_t board_starts(const struct board *board, size_t segment)
{
    assert(segment < board->n_segments);
    return atomic_load(&board->segments[segment]->n_starts);
}

void board_set_starts(struct board *board, uint32_t n_starts)
{
    atomic_store(&board_own(board)->n_starts, n_starts);
}

_Atomic uint64_t *board_heartbeat(struct board *board, uint32_t loop_index)
{
    assert(loop_index < BOARD_LOOPS_MAX);
    return &board_own(board)->heartbeats[loop_index].at_ns;
}

uint64_t board_last_heartbeat(const struct board *board, size_t segment, uint32_t loop_index)
{
    assert(segment < board->n_segments && loop_index < BOARD_LOOPS_MAX);
    return atomic_load_explicit(&board->segments[segment]->heartbeats[loop_index].at_ns,
                                memory_order_relaxed);
}

uint64_t board_silence(const struct board *board, size_t segment, uint64_t now_ns)
{
    assert(segment < board->n_segments);
    uint64_t last_ns =
        atomic_load_explicit(&board->segments[segment]->heard_before_ns, memory_order_relaxed);
    for (uint32_t i = 0; i < BOARD_LOOPS_MAX; i++) {
        uint64_t at_ns = board_last_heartbeat(board, segment, i);
        last_ns = at_ns > last_ns ? at_ns : last_ns;
    }
    if (last_ns == 0)
        return UINT64_MAX;
    return now_ns > last_ns ? now_ns - last_ns : 0;
}

uint64_t board_refused(const struct board *board)
{
    return atomic_load(&board_own(board)->n_refused);
}

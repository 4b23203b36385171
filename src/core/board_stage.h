/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_BOARD_STAGE_H
#define CORE_BOARD_STAGE_H

/*
 * What the tests of the board share: a board of two segments, the changes that a reader sees, and
 * facts that prove that they are whole. Included by tests alone. What cannot be done fails the
 * test.
 *
 *     make(&fds)                  a board; the caller ends it with board_fds_close()
 *     open_as(&fds, WRITER)       a process that opens it, as the owner of a segment or of none
 *     look(board, &cursor)        the changes since the last look
 *     state_number(board, f, n)   a fact of which each part follows from n
 *     check_whole(&fact)          fails where two such are mixed; returns n
 */

#include "core/board.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include <cmocka.h>

enum { WRITER = 0, READER = 1, N_SEGMENTS = 2 };

static inline void make(struct board_fds *fds)
{
    static const char *const names[N_SEGMENTS] = {"health", "edge"};
    struct err err = ERR_NONE;
    if (board_make(names, N_SEGMENTS, fds, &err) < 0)
        fail_msg("%s", err.text);
}

static inline struct board *open_as(const struct board_fds *fds, int own)
{
    struct err err = ERR_NONE;
    struct board *board = NULL;
    if (board_open(fds, own, &board, &err) < 0)
        fail_msg("%s", err.text);
    return board;
}

static inline bool has_rung(int bell)
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

static inline void on_change(void *ctx, const struct board_change *change)
{
    struct seen *seen = ctx;
    if (seen->n < SEEN_MAX)
        seen->changes[seen->n] = *change;
    seen->n++;
}

static inline void on_lost(void *ctx, size_t segment)
{
    struct seen *seen = ctx;
    assert_true(segment < N_SEGMENTS);
    seen->n_lost++;
}

static inline struct seen look(const struct board *board, struct board_cursor *cursor)
{
    struct seen seen = {.n = 0, .n_lost = 0};
    size_t n = board_changes(board, cursor, on_change, on_lost, &seen);
    assert_int_equal(n, seen.n);
    return seen;
}

static inline void expect_change(const struct board_change *change, const char *name,
                                 enum fact_state from, enum fact_state to, uint64_t wall_ns)
{
    assert_string_equal(change->name, name);
    assert_int_equal(change->from, from);
    assert_int_equal(change->to, to);
    assert_true(change->wall_ns == wall_ns);
    assert_true(change->ref.is_set);
    assert_int_equal(change->ref.segment, WRITER);
}
/* --- facts that prove that they are whole ----------------------------------------------------- */

/* Every part of the fact follows from its number, so that a mixture of two shows. */
static inline void state_number(struct board *board, const char *name, uint64_t number)
{
    char reason[FACT_REASON_MAX];
    snprintf(reason, sizeof(reason), "%" PRIu64 " %.40s %" PRIu64 " %" PRIu64, number, name,
             number * 7919, number * 104729);
    int done = board_state(board, name, number % 2 ? FACT_UP : FACT_DOWN, (double)number, reason,
                           number * 1000);
    assert_int_equal(done, 0);
}

/* Returns the number. */
static inline uint64_t check_whole(const struct fact *fact)
{
    char reason[FACT_REASON_MAX];
    uint64_t number = (uint64_t)fact->value;
    snprintf(reason, sizeof(reason), "%" PRIu64 " %.40s %" PRIu64 " %" PRIu64, number, fact->name,
             number * 7919, number * 104729);
    assert_string_equal(fact->reason, reason);
    assert_int_equal(fact->state, number % 2 ? FACT_UP : FACT_DOWN);
    return number;
}

#endif

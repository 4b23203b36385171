/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_JOB_LIST_H
#define CLI_JOB_LIST_H

/*
 * The jobs of a queue in a state, read from the pages of `list-jobs`
 * (docs/formats/jobs-protocol.md). The server gives them in no order, so a list that was cut short
 * has any of them.
 */

#include "base/err.h"
#include "base/slice.h"
#include "cli/queue_link.h"
#include "wire/jobproto.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct job_row {
    size_t place; /* in the list, as it was read */
    uint64_t id, priority, n_attempts;
    uint64_t age_s, ttr_s, time_left_s; /* time_left_s: of a delay or a lease */
    uint64_t body_bytes;
    uint64_t created_s;    /* since 1970 UTC */
    uint64_t not_before_s; /* likewise; 0: it is not delayed */
    uint64_t expires_s;    /* likewise; 0: never */
    uint64_t attempts_max; /* 0: as the queue says */
    uint64_t result_s;     /* 0: as the queue says */
    uint64_t result_bytes;
    uint64_t counts[JOBPROTO_N_COUNTS];
    char state[16]; /* "ready", ... */
    char *key;      /* mem_alloc(); NULL: none */
    char *error;    /* mem_alloc(); "temporary", ...; NULL: it never failed */
    char *text;     /* mem_alloc(); what the worker said; NULL: nothing */
};

struct job_list {
    struct job_row *rows;
    size_t n_rows, cap_rows;
    bool is_cut; /* there are more */
};

/*
 * Appends the jobs of the queue that the connection uses, n_max or all of them. `state` is a word
 * of the protocol. The list began as a zeroed one, and is for job_list_deinit() whatever comes of
 * it. 0; 1: the server refuses, link->line says how; -1 with err.
 */
int job_list_read(struct queue_link *link, const char *state, size_t n_max, struct job_list *list,
                  struct err *err);
/* In the order of ids, each once, as it was read last. */
void job_list_sort(struct job_list *list);
void job_list_deinit(struct job_list *list);

/* A line of a page, "- {...}". 0, or -1 for one that is none; the row's texts are the caller's. */
int job_row_read(struct slice line, struct job_row *ret_row);
void job_row_deinit(struct job_row *row);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WORKER_COUNT_H
#define WORKER_COUNT_H

/*
 * What is counted, in slabs of the board (core/metric.h), by loop 0 alone: a row for each `worker`
 * of the file, which crew.c opens and closes with it; and one for the programs that other processes
 * ask for (asks.c), those of checks and vips together.
 */

#include "core/metric.h"

/* Words of the table "worker". */
enum worker_word {
    WORKER_RUNNING,     /* gauge */
    WORKER_CONCURRENCY, /* gauge */
    WORKER_STARTED,
    WORKER_DONE,
    WORKER_AGAIN,
    WORKER_BURIED,
    WORKER_BACK,
    WORKER_NOT_STARTED,
    WORKER_LATE,    /* their time was over */
    WORKER_KILLED,  /* SIGTERM was not enough */
    WORKER_OVERRUN, /* of their control group's memory */
    WORKER_UNGROUPED,
    WORKER_LOST,    /* the lease was, or the answer to how the job ended */
    WORKER_CUT,     /* results of which only the end was kept */
    WORKER_TOO_BIG, /* results that the queue did not take */
    WORKER_BACKED_OFF,
    WORKER_PROGRAMS, /* gauge: that are served */
    WORKER_RECYCLED,
    WORKER_FAULTS, /* of served programs, in what they say */
    WORKER_DISCONNECTED,
    WORKER_UNANSWERED, /* of which the queue was silent for too long */
    WORKER_WORDS
};

/* Words of the table "program". */
enum program_word {
    PROGRAM_RUNNING, /* gauge */
    PROGRAM_STARTED,
    PROGRAM_FAILED, /* could not be executed */
    PROGRAM_KILLED, /* their time was over */
    PROGRAM_TOO_MANY,
    PROGRAM_ORPHANS, /* of any program */
    PROGRAM_WORDS
};

extern const struct metric_table worker_metrics, program_metrics;

#endif

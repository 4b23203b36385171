/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of what is counted.
 */

#include "worker/count.h"

#include <stddef.h>

#define RUNNING(at)                                                                             \
    {                                                                                           \
        .name = "running", .type = METRIC_GAUGE, .word = (at), .help = "Programs that run now." \
    }
#define COUNTER(at, name_, help_)                      \
    {                                                  \
        .name = (name_), .word = (at), .help = (help_) \
    }
#define ENDED(at, how)                                                                  \
    {                                                                                   \
        .name = "jobs", .word = (at), .label = "outcome", .label_value = (how),         \
        .help = "Jobs, by what became of them: done, to be tried again, buried, given " \
                "back, lost."                                                           \
    }

static const struct metric_def worker_defs[] = {
    RUNNING(WORKER_RUNNING),
    {.name = "concurrency",
     .type = METRIC_GAUGE,
     .word = WORKER_CONCURRENCY,
     .help = "Jobs that may be done at a time now."},
    COUNTER(WORKER_STARTED, "started", "Programs that were started."),
    ENDED(WORKER_DONE, "done"),
    ENDED(WORKER_AGAIN, "again"),
    ENDED(WORKER_BURIED, "buried"),
    ENDED(WORKER_BACK, "back"),
    ENDED(WORKER_LOST, "lost"),
    COUNTER(WORKER_NOT_STARTED, "not_started", "Programs that could not be executed."),
    COUNTER(WORKER_LATE, "late", "Programs that were ended because their time was over."),
    COUNTER(WORKER_KILLED, "killed", "Programs that did not end when they were asked to."),
    COUNTER(WORKER_OVERRUN, "out_of_memory",
            "Programs that the kernel ended for the memory of their control group."),
    COUNTER(WORKER_UNGROUPED, "ungrouped",
            "Programs whose control group could not be made; rlimits alone bounded them."),
    COUNTER(WORKER_CUT, "results_cut", "Results of which only the end was kept."),
    COUNTER(WORKER_TOO_BIG, "results_refused", "Results that were too big for the queue."),
    COUNTER(WORKER_BACKED_OFF, "backoffs", "Times that no job was taken because programs failed."),
    {.name = "programs",
     .type = METRIC_GAUGE,
     .word = WORKER_PROGRAMS,
     .help = "Served programs that live now."},
    COUNTER(WORKER_RECYCLED, "recycled",
            "Served programs that were ended for their jobs or memory."),
    COUNTER(WORKER_FAULTS, "faults", "Served programs that were ended for what they answered."),
    COUNTER(WORKER_DISCONNECTED, "disconnects", "Connections to the queue that ended."),
    COUNTER(WORKER_UNANSWERED, "unanswered", "Connections on which the queue was silent too long."),
    {0},
};

const struct metric_table worker_metrics = {
    .name = "worker",
    .labels = {"worker"},
    .n_words = WORKER_WORDS,
    .defs = worker_defs,
};

static const struct metric_def program_defs[] = {
    RUNNING(PROGRAM_RUNNING),
    COUNTER(PROGRAM_STARTED, "started", "Programs that were started."),
    COUNTER(PROGRAM_FAILED, "failed", "Programs that could not be executed."),
    COUNTER(PROGRAM_KILLED, "killed", "Programs that were killed when their time was over."),
    COUNTER(PROGRAM_TOO_MANY, "refused", "Programs that were not started: too many ran."),
    COUNTER(PROGRAM_ORPHANS, "orphans",
            "Processes that a program left behind, and that were killed."),
    {0},
};

const struct metric_table program_metrics = {
    .name = "program",
    .n_words = PROGRAM_WORDS,
    .defs = program_defs,
};

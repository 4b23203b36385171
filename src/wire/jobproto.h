/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_JOBPROTO_H
#define WIRE_JOBPROTO_H

/*
 * The job protocol as a server reads it: that of beanstalkd 1.13, every command, and a few verbs of
 * weir's own (docs/formats/jobs-protocol.md, which also lists where weir is stricter). A client
 * sends lines; behind `put`, `put-result` and `finish` comes a body:
 *
 *     put 1024 0 60 5 CR LF      line: at most 224 bytes, its end included
 *     hello CR LF                body: as long as the line says, any bytes, and two more
 *
 * The reader of a connection is fed with what has come and hands out one event at a time, each of
 * which consumes bytes; nothing is copied, so the slices of an event live as long as the bytes.
 *
 *              line of put, finish, ...       all of the body, CR LF
 *     [LINE] --------------------> [BODY] -----------------------------> [LINE]
 *       |  ^                         |  jobproto_refuse(), a body too long
 *       |  | CR LF found: BAD_FORMAT v
 *       |  `------- [LONG]        [SKIP] --- all of the body thrown away: REFUSED --> [LINE]
 *       `-- 224 bytes --^
 *
 * No error ends a connection: each is a reply, in its place in the order of replies.
 */

#include "base/slice.h"
#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A unix socket in the state directory: for whoever started weir, and for its own workers. */
#define JOBS_SOCKET "jobs.sock"

enum {
    JOBPROTO_LINE_MAX = 224,       /* with its CR LF */
    JOBPROTO_TUBE_MAX = 200,       /* bytes of a tube's name */
    JOBPROTO_KEY_MAX = 128,        /* bytes of a unique key */
    JOBPROTO_BATCH_MAX = 1000,     /* jobs that one batch-reserve or list-jobs may ask for */
    JOBPROTO_BODY_LIMIT = 1 << 30, /* the most that a reader's body_max may be */
};

enum jobproto_verb {
    JOBPROTO_PUT,
    JOBPROTO_USE,
    JOBPROTO_RESERVE,
    JOBPROTO_RESERVE_TIMEOUT,
    JOBPROTO_RESERVE_JOB,
    JOBPROTO_DELETE,
    JOBPROTO_RELEASE,
    JOBPROTO_BURY,
    JOBPROTO_TOUCH,
    JOBPROTO_WATCH,
    JOBPROTO_IGNORE,
    JOBPROTO_PEEK,
    JOBPROTO_PEEK_READY,
    JOBPROTO_PEEK_DELAYED,
    JOBPROTO_PEEK_BURIED,
    JOBPROTO_KICK,
    JOBPROTO_KICK_JOB,
    JOBPROTO_STATS_JOB,
    JOBPROTO_STATS_TUBE,
    JOBPROTO_STATS,
    JOBPROTO_LIST_TUBES,
    JOBPROTO_LIST_TUBE_USED,
    JOBPROTO_LIST_TUBES_WATCHED,
    JOBPROTO_PAUSE_TUBE,
    JOBPROTO_QUIT,
    /* weir's own */
    JOBPROTO_AUTH,
    JOBPROTO_PUT_OPTS,
    JOBPROTO_BATCH_RESERVE,
    JOBPROTO_FAIL,
    JOBPROTO_PROGRESS,
    JOBPROTO_FINISH,
    JOBPROTO_LIST_JOBS,
    JOBPROTO_RESULT,
    JOBPROTO_CANCEL,
    JOBPROTO_DRAIN_TUBE, /* delay_s: 1 no new jobs, 0 again */
    JOBPROTO_PUT_ERROR,
    JOBPROTO_PUT_RESULT,
    JOBPROTO_SHOW_JOB,
    JOBPROTO_GIVE_BACK,
    JOBPROTO_BURY_JOB,
    JOBPROTO_N_VERBS,
};

/* Replies of one line that carry nothing. */
enum jobproto_reply {
    JOBPROTO_OUT_OF_MEMORY,
    JOBPROTO_INTERNAL_ERROR,
    JOBPROTO_BAD_FORMAT,
    JOBPROTO_UNKNOWN_COMMAND,
    JOBPROTO_EXPECTED_CRLF,
    JOBPROTO_JOB_TOO_BIG,
    JOBPROTO_DRAINING,
    JOBPROTO_DEADLINE_SOON,
    JOBPROTO_TIMED_OUT,
    JOBPROTO_NOT_FOUND,
    JOBPROTO_DELETED,
    JOBPROTO_RELEASED,
    JOBPROTO_BURIED,
    JOBPROTO_TOUCHED,
    JOBPROTO_KICKED,
    JOBPROTO_NOT_IGNORED,
    JOBPROTO_PAUSED,
    /* weir's own */
    JOBPROTO_AUTHORIZED,
    JOBPROTO_DENIED,
    JOBPROTO_OPTIONS,
    JOBPROTO_FINISHED,
    JOBPROTO_CHANGED,
    JOBPROTO_N_REPLIES,
};

/* How a worker says that a job failed: what becomes of it is the queue's policy. */
enum jobproto_fail {
    JOBPROTO_FAIL_TEMPORARY,
    JOBPROTO_FAIL_PERMANENT,
    JOBPROTO_FAIL_BUSY,
    JOBPROTO_FAIL_BACK, /* it did not: whoever had the job stops, and nothing is wrong with it */
    JOBPROTO_N_FAILS,
};

/* Which jobs of the tube that is used list-jobs shows. */
enum jobproto_state {
    JOBPROTO_STATE_READY,
    JOBPROTO_STATE_DELAYED,
    JOBPROTO_STATE_RESERVED,
    JOBPROTO_STATE_BURIED,
    JOBPROTO_STATE_DONE, /* its result is kept */
    JOBPROTO_N_STATES,
};

/* Why the last attempt failed that a job had elsewhere. */
enum jobproto_error {
    JOBPROTO_ERROR_TEMPORARY,
    JOBPROTO_ERROR_PERMANENT,
    JOBPROTO_ERROR_BUSY,
    JOBPROTO_ERROR_TIMEOUT,
    JOBPROTO_ERROR_LOST,
    JOBPROTO_N_ERRORS,
};

/* What happened to a job how often, in the order of the option `counts`. */
enum jobproto_count {
    JOBPROTO_RESERVES,
    JOBPROTO_TIMEOUTS,
    JOBPROTO_RELEASES,
    JOBPROTO_BURIES,
    JOBPROTO_KICKS,
    JOBPROTO_N_COUNTS,
};

/* What put-opts asks for the connection's next put. */
enum jobproto_option {
    JOBPROTO_HAS_KEY = 1 << 0,
    JOBPROTO_HAS_TTL = 1 << 1,
    JOBPROTO_HAS_ATTEMPTS = 1 << 2,
    JOBPROTO_HAS_NOT_BEFORE = 1 << 3,
    JOBPROTO_HAS_RESULT = 1 << 4,
    JOBPROTO_HAS_TRIED = 1 << 5,
    JOBPROTO_HAS_EXPIRES = 1 << 6,
    JOBPROTO_HAS_CREATED = 1 << 7,
    JOBPROTO_HAS_STATE = 1 << 8,
    JOBPROTO_HAS_COUNTS = 1 << 9,
};

struct jobproto_options {
    uint32_t has;              /* of enum jobproto_option; 0: nothing is asked */
    uint32_t ttl_s;            /* seconds after which a job that nobody has begun is dropped */
    uint32_t attempts;         /* 1..: tries before the job is dead */
    uint32_t result_s;         /* seconds for which the result is kept */
    uint32_t tried;            /* 1..UINT16_MAX: tries that it had elsewhere, and that count */
    uint64_t not_before_s;     /* seconds since 1970 UTC */
    uint64_t expires_s;        /* seconds since 1970 UTC; 0: never */
    uint32_t created_s;        /* seconds since 1970 UTC */
    enum jobproto_state state; /* JOBPROTO_STATE_BURIED, JOBPROTO_STATE_DONE */
    uint16_t counts[JOBPROTO_N_COUNTS];
    struct slice key; /* one living job a tube has it; 1..JOBPROTO_KEY_MAX visible bytes */
};

struct jobproto_command {
    enum jobproto_verb verb;
    enum jobproto_fail fail;   /* fail */
    enum jobproto_error error; /* put-error */
    enum jobproto_state state; /* list-jobs */
    uint64_t id;               /* of the job, where the verb names one */
    uint32_t priority;         /* put, release, bury; 0 is the most urgent */
    uint32_t delay_s;          /* put, release, pause-tube */
    uint32_t ttr_s;            /* put: 1.., a 0 was made 1 */
    uint32_t body_bytes;       /* put, put-result, finish: without the CR LF */
    uint32_t count;            /* kick: 0.., batch-reserve, list-jobs: 1..JOBPROTO_BATCH_MAX */
    uint32_t from;             /* list-jobs: 0, or the `next` of the former page */
    uint32_t timeout_s;        /* reserve-with-timeout, batch-reserve: 0..INT32_MAX */
    uint32_t percent;          /* progress: 0..100 */
    struct slice tube;         /* use, watch, ignore, stats-tube, pause-tube: a valid name */
    struct slice text; /* auth: the token; fail, progress, put-error: words for people, perhaps
                          empty */
    struct jobproto_options options; /* put-opts */
};

enum jobproto_event_kind {
    JOBPROTO_NOTHING, /* bytes were thrown away; go on */
    JOBPROTO_COMMAND, /* a whole line; behind those with a body its events follow */
    JOBPROTO_BODY,    /* a part of the body; is_last: it is whole and its CR LF was there */
    JOBPROTO_REFUSED, /* send `reply`; after parts of a body: forget them */
};

struct jobproto_event {
    enum jobproto_event_kind kind;
    enum jobproto_reply reply;       /* REFUSED */
    bool is_last;                    /* BODY */
    struct slice body;               /* BODY: may be empty where is_last */
    struct jobproto_command command; /* COMMAND */
};

enum jobproto_phase { JOBPROTO_IN_LINE, JOBPROTO_IN_LONG, JOBPROTO_IN_BODY, JOBPROTO_IN_SKIP };

struct jobproto_reader {
    enum jobproto_phase phase;
    enum jobproto_reply reply; /* SKIP: what follows */
    uint32_t body_max;         /* bytes */
    uint64_t left_bytes;       /* BODY: of the body; SKIP: of the body and its CR LF */
};

/* body_max_bytes: 0..JOBPROTO_BODY_LIMIT, above which a body is skipped and JOB_TOO_BIG. */
void jobproto_reader_init(struct jobproto_reader *reader, uint32_t body_max_bytes);

/*
 * Reads one event. Returns > 0: the bytes that it consumed, *ret_event is set; 0: need more.
 * `bytes` begins where the former call stopped. A part of a body is handed out as soon as it is
 * there, so that at most JOBPROTO_LINE_MAX - 1 bytes are ever left unconsumed.
 */
size_t jobproto_read(struct jobproto_reader *reader, struct slice bytes,
                     struct jobproto_event *ret_event);

/*
 * After the COMMAND of a verb with a body, or any BODY but the last: the job is not wanted (a queue
 * that is full). What is left of the body is thrown away, then comes REFUSED with this reply.
 */
void jobproto_refuse(struct jobproto_reader *reader, enum jobproto_reply reply);

/*
 * One line without its CR LF. 0 and *ret_command, or JOBPROTO_BAD_FORMAT or
 * JOBPROTO_UNKNOWN_COMMAND. Lengths of bodies are not judged here.
 */
int jobproto_parse_line(struct slice line, struct jobproto_command *ret_command);

/* The words of put-opts: 0 and *ret_options, or -1. Private to wire/jobproto*. */
int jobproto_parse_options(struct slice words, struct jobproto_options *ret_options);

/* What `more` has is added, or takes the place of what was there. */
void jobproto_add_options(struct jobproto_options *options, const struct jobproto_options *more);

/* Appends them, a space before each. Private to wire/jobproto*. */
void jobproto_write_options(struct text *out, const struct jobproto_options *options);

/* 1..JOBPROTO_TUBE_MAX of A-Z a-z 0-9 - + / ; . $ _ ( ), not beginning with a hyphen. */
bool jobproto_is_tube(struct slice name);

/* Do bytes follow its line? */
bool jobproto_has_body(enum jobproto_verb verb);

/* The verb as it is written on a line. */
const char *jobproto_verb_name(enum jobproto_verb verb);

#endif

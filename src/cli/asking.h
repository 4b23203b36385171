/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_ASKING_H
#define CLI_ASKING_H

/*
 * What the commands on the queue have in common: arguments, one connection to the queue that runs
 * here, and sentences for its answers. What returns an int here returns 0 or the exit status of the
 * program, after it has told standard error why.
 */

#include "base/err.h"
#include "base/slice.h"
#include "cli/queue_link.h"
#include "cli/remote.h"

#define ASKING_NO_BODY slice_make(NULL, 0)

/* What a command works with, from its arguments on. */
struct asking {
    const struct command_env *env;
    const char *name; /* of the command */
    struct remote_options options;
    struct queue_link link;
    struct err err;
    char not_found[160]; /* what NOT_FOUND means */
};

/* The arguments, n_min to n_max of them beside options (`known`: REMOTE_NOW); a connection; the
 * work. */
int asking_run(const struct command_env *env, int argc, char **argv, unsigned known, int n_min,
               int n_max, int (*work)(struct asking *asking));

/* Says asking->err. */
int asking_failed(struct asking *asking);
/* An answer that is no success, as a sentence. */
int asking_refused(struct asking *asking);
/* What is not there when an answer is NOT_FOUND, as a sentence written as printf does. */
__attribute__((format(printf, 2, 3))) void asking_expect(struct asking *asking, const char *format,
                                                         ...);
/* Then it is that queue, or that job. */
void asking_expect_queue(struct asking *asking, const char *name);
void asking_expect_job(struct asking *asking, uint64_t id);
/* Asks what is written as printf does, and wants an answer that begins with `good`. */
__attribute__((format(printf, 4, 5))) int asking_for(struct asking *asking, const char *good,
                                                     struct slice body, const char *format, ...);
/* Asks for the figures of a queue, which is not made by that. */
int asking_figures(struct asking *asking, const char *name);
/* The same of a job. */
int asking_job(struct asking *asking, uint64_t id);
/* The value of a name in the document that was answered, "" where it is not there. Borrowed. */
struct slice asking_value(const struct asking *asking, const char *name);
/* Is this a name that a queue may have? */
int asking_check_queue(struct asking *asking, const char *name);
/* Uses the queue of that name from now on, which makes it where there is none. */
int asking_use(struct asking *asking, const char *name);

#endif

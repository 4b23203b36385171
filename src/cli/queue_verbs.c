/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir queue: its verbs are in files of their own; here the word is found that says which.
 */

#include "cli/queue_verbs.h"

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/jobs.h"
#include <string.h>

/* The first argument that is no option; NULL: there is none. */
static const char *verb_of(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--state") == 0)
            i++; /* and its value */
        else if (argv[i][0] != '-')
            return argv[i];
    }
    return NULL;
}

static int run_queue(const struct command_env *env, int argc, char **argv)
{
    static const struct {
        const char *word;
        int (*run)(const struct command_env *env, int argc, char **argv);
    } verbs[] = {{"export", queue_export}, {"import", queue_import}, {"repair", queue_repair}};
    const char *verb = verb_of(argc, argv);
    if (!verb)
        return cli_wrong(env, argv[0], "export, import or repair is missing", "");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i].word, verb) == 0)
            return verbs[i].run(env, argc, argv);
    return cli_wrong(env, argv[0], "unknown word: ", verb);
}

const struct command command_queue = {
    .name = "queue",
    .usage = "queue export QUEUE | import [FILE] | repair [--yes] [--state DIR]",
    .doc = "prints or puts jobs as lines of JSON, takes a binlog over, mends a damaged log",
    .run = run_queue,
};

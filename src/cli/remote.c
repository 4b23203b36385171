/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands that talk to a running weir share: their options, and reading what it answers.
 */
#include "cli/remote.h"

#include "base/mem.h"
#include "cli/ask.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static int usage(const struct command *command, const char *what, const char *word)
{
    fprintf(stderr, "weir %s: %s \"%s\"\nusage: weir %s\n", command->name, what, word,
            command->usage);
    return EXIT_USAGE;
}

int remote_options(const struct command *command, int argc, char **argv, unsigned known,
                   struct remote_options *ret_options)
{
    const char *state_dir = NULL;
    *ret_options = (struct remote_options){.state_dir = NULL};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--state") == 0 && i + 1 == argc)
            return usage(command, "a directory must follow", word);
        if (strcmp(word, "--state") == 0)
            state_dir = argv[++i];
        else if (strncmp(word, "--state=", strlen("--state=")) == 0)
            state_dir = word + strlen("--state=");
        else if ((known & REMOTE_JSON) && strcmp(word, "--json") == 0)
            ret_options->is_json = true;
        else if ((known & REMOTE_NOW) && strcmp(word, "--now") == 0)
            ret_options->is_now = true;
        else if ((known & REMOTE_NO_WAIT) && strcmp(word, "--no-wait") == 0)
            ret_options->is_no_wait = true;
        else
            return usage(command, "unknown word", word);
    }
    ret_options->state_dir = ask_state_dir(state_dir);
    return 0;
}

const char *remote_text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

double remote_number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

uint64_t remote_count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

const char *remote_age(double seconds, char buf[24])
{
    static const struct {
        double below_s, unit_s;
        const char *unit;
    } rows[] = {{120, 1, "s"}, {7200, 60, "m"}, {172800, 3600, "h"}, {1e12, 86400, "d"}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(rows) && seconds >= rows[i].below_s)
        i++;
    snprintf(buf, 24, "%.0f %s", seconds > 0 ? (double)(int64_t)(seconds / rows[i].unit_s) : 0.0,
             rows[i].unit);
    return buf;
}

/* Seconds since 1970, or -1. */
static double time_of(const char *text)
{
    struct tm tm = {.tm_isdst = 0};
    unsigned ms = 0;
    int n = sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3uZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms);
    if (n < 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (double)timegm(&tm) + ms / 1000.0;
}

const char *remote_since(const char *since, const char *now, char buf[24])
{
    double from = time_of(since), to = time_of(now);
    buf[0] = '\0';
    return from < 0 || to < 0 ? buf : remote_age(to > from ? to - from : 0, buf);
}

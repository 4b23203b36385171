/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What weir's codec of the job protocol makes of streams on standard input, each with its length in
 * bytes on a line before it:
 *
 *     weir-jobproto BODY_MAX          "ok VERB" or the reply that refuses it, a line a command;
 *                                     "end" behind each stream
 */

#include "wire/jobproto.h"
#include "base/text.h"
#include "wire/jobproto_write.h"

#include <stdio.h>
#include <stdlib.h>

static void show(const struct jobproto_event *event, const char **verb)
{
    switch (event->kind) {
    case JOBPROTO_NOTHING:
        break;
    case JOBPROTO_COMMAND:
        *verb = jobproto_verb_name(event->command.verb);
        if (event->command.verb != JOBPROTO_PUT && event->command.verb != JOBPROTO_FINISH)
            printf("ok %s\n", *verb);
        break;
    case JOBPROTO_BODY:
        if (event->is_last)
            printf("ok %s\n", *verb);
        break;
    case JOBPROTO_REFUSED:
        printf("%.*s", SLICE_ARG(jobproto_reply_line(event->reply)));
        break;
    }
}

static void read_stream(struct slice rest, uint32_t body_max)
{
    struct jobproto_reader reader;
    struct jobproto_event event;
    const char *verb = "";
    size_t n;
    jobproto_reader_init(&reader, body_max);
    while ((n = jobproto_read(&reader, rest, &event)) > 0) {
        show(&event, &verb);
        rest = slice_skip(rest, n);
    }
    puts("end");
}

int main(int argc, char **argv)
{
    struct text stream = TEXT_NONE;
    char line[32];
    if (argc != 2) {
        fputs("usage: weir-jobproto BODY_MAX\n", stderr);
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        size_t n = strtoul(line, NULL, 10);
        text_clear(&stream);
        if (fread(text_reserve(&stream, n), 1, n, stdin) != n)
            return 1;
        stream.len = n;
        read_stream(text_slice(&stream), (uint32_t)strtoul(argv[1], NULL, 10));
    }
    text_deinit(&stream);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef QUEUE_API_WORD_H
#define QUEUE_API_WORD_H

/*
 * What a request of the job API asks, as words with values: in the query of its target, or as the
 * members of a JSON object, by the same rows.
 *
 *     ?priority=5&delay=10m&key=user/7        {"priority": 5, "delay": "10m", "key": "user/7"}
 *
 * A word that has no row, that comes twice or whose value does not fit is told in one sentence. No
 * system call, no clock.
 */

#include "base/err.h"
#include "base/slice.h"
#include "base/text.h"
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { API_QUEUES_MAX = 64 /* that one reserve names */ };

enum api_kind {
    API_NUMBER,  /* uint32_t; digits */
    API_SECONDS, /* uint32_t; seconds as digits, or a time as the file writes it: 90, 5m, 7d */
    API_MOMENT,  /* uint64_t of ms; seconds since 1970 UTC as digits */
    API_KEY,     /* struct slice; min..max visible ASCII characters */
    API_TEXT,    /* struct slice; any characters, cut by who keeps them */
    API_QUEUES,  /* struct api_queues; the name of a queue, may come again */
};

struct api_word {
    const char *name; /* in JSON with _ in place of -; NULL ends the rows */
    enum api_kind kind;
    size_t offset;
    uint64_t min, max; /* of numbers, seconds, and the length of a key */
};

struct api_queues {
    struct slice names[API_QUEUES_MAX];
    uint32_t n;
};

/*
 * The words of a query (without the ?), into `self`; what is not there stays as it is. Values are
 * decoded (%20, and + for a space) into `room`, where the slices of `self` then lie. 0, or -1.
 */
int api_query_read(struct slice query, const struct api_word *words, void *self, struct text *room,
                   struct err *err);

/* One value by its row, as it stands in a query or in a header field. 0, or -1 with err. */
int api_value_read(const struct api_word *word, struct slice text, void *self, struct err *err);

/* One member of an object by its row: 0, or -1 with err. 1: no row has that name. The slices lie in
 * the value. */
int api_member_read(const char *name, const json_t *value, const struct api_word *words, void *self,
                    struct err *err);

/* Decodes %XX, and + where `is_form`, to the end of `room`. 0, or -1: no such byte, or a NUL. */
int api_decode(struct slice text, bool is_form, struct text *room);

/* ---- put ------------------------------------------------------------------------------------- */

enum { API_PRIORITY = 1024, API_TTR_S = 60 /* of a job that does not say */ };

struct api_put {
    uint32_t priority, delay_s, ttr_s, ttl_s, attempts, keep_s;
    uint64_t not_before_ms;
    struct slice key;
};

#define API_PUT_NONE                                 \
    {                                                \
        .priority = API_PRIORITY, .ttr_s = API_TTR_S \
    }

extern const struct api_word api_put_words[];

#endif

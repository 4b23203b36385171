/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The words of `eject`.
 */

#include "pool/eject_conf.h"

enum { SECOND_MS = 1000, DAY_MS = 24 * 3600 * SECOND_MS };

static const struct conf_choice modes[] = {
    {.name = "on", .value = EJECT_ON, .doc = "as the words say"},
    {.name = "off", .value = EJECT_OFF, .doc = "checks alone decide"},
    {0},
};

static const struct conf_word eject_args[] = {
    {.name = "MODE",
     .type = CONF_CHOICE,
     .offset = offsetof(struct eject_conf, mode),
     .fallback = "on",
     .choices = modes,
     .doc = "whether requests that fail take a member out of its pool"},
    {0},
};

static const struct conf_word eject_words[] = {
    {.name = "failures",
     .type = CONF_INT,
     .offset = offsetof(struct eject_conf, failures),
     .fallback = "5",
     .min = 1,
     .max = 10000,
     .doc = "failures in a row that eject it: connections that are not made, or that break off "
            "before the answer"},
    {.name = "rate",
     .type = CONF_PERCENT,
     .offset = offsetof(struct eject_conf, rate_percent),
     .fallback = "50%",
     .min = 1,
     .max = 100,
     .doc = "share of failures among the requests of the last 10 s that ejects it"},
    {.name = "of",
     .type = CONF_INT,
     .offset = offsetof(struct eject_conf, rate_requests),
     .fallback = "20",
     .min = 1,
     .max = 1000000,
     .doc = "requests in 10 s below which the rate is not judged"},
    {.name = "time",
     .type = CONF_TIMES,
     .offset = offsetof(struct eject_conf, time),
     .fallback = "10s..5m",
     .min = SECOND_MS,
     .max = DAY_MS,
     .doc = "how long the first ejection lasts, and the longest: each doubles the one before, good "
            "time takes it back"},
    {.name = "at-most",
     .type = CONF_PERCENT,
     .offset = offsetof(struct eject_conf, at_most_percent),
     .fallback = "50%",
     .doc = "of the pool's members may be out, those that are down for another reason too"},
    {.name = "status",
     .type = CONF_STATUSES,
     .offset = offsetof(struct eject_conf, status),
     .doc = "answers that are failures too; without it none is"},
    {0},
};

static bool has_word(const void *self, const struct conf_word *word)
{
    (void)word;
    return ((const struct eject_conf *)self)->mode == EJECT_ON;
}

static int finish(struct conf_load *load, void *self)
{
    const struct eject_conf *conf = self;
    int result = 0;
    for (const struct conf_word *word = eject_words; word->name && conf->mode == EJECT_OFF;
         word++) {
        if (conf_is_set(&conf->object, word->name))
            result = conf_error(load->diag, conf_where(&conf->object, word->name), NULL,
                                "eject is off, so it has no %s", word->name);
    }
    return result;
}

const struct conf_block eject_block = {
    .size = sizeof(struct eject_conf),
    .args = eject_args,
    .words = eject_words,
    .finish = finish,
    .has_word = has_word,
};

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONF_SAMPLE_H
#define CONF_SAMPLE_H

/*
 * A made-up language for the tests and the fuzzer of conf/: a shop with shelves, whose rows use
 * every type and every flag, a host that answers from memory, and a comparison of two loaded
 * structs by their rows. No part of weir uses it.
 */

#include "conf/schema.h"

struct sample_item {
    struct conf_object object;
    struct slice name;
    int64_t n;
    int64_t weight;
    bool is_fragile;
};

struct sample_check {
    struct conf_object object;
    int kind;
    int64_t every_ms;
    int64_t fall;
    int64_t tilt;
};

struct sample_limits {
    struct conf_object object;
    int64_t wait_ms;
    int64_t room_bytes;
    int64_t n_finished; /* calls of finish() */
};

struct sample_retry {
    struct conf_object object;
    int64_t n;
    struct conf_range backoff;
};

struct sample_shelf {
    struct conf_object object;
    struct slice name;
    struct slice colour;
    struct conf_list items;
    struct sample_check *check;
    struct sample_limits limits;
    struct sample_retry *retry;
    struct conf_list notes; /* of struct slice */
    int64_t share;
};

struct sample_part {
    struct conf_object object;
    struct slice name;
    struct conf_addr ip;
};

struct sample_parts {
    struct conf_object object;
    struct conf_list list;
};

struct sample_log {
    struct conf_object object;
    int level;
};

struct sample_shop {
    struct conf_object object;
    bool is_quiet;
    int64_t level, loops, answer, wait_ms, room_bytes, share;
    struct slice owner, motto, home;
    int mode;
    struct conf_addr bind, peer, self;
    struct conf_list places; /* of struct conf_ip_in */
    struct conf_list trust;  /* of struct addr_net */
    struct conf_list tags;   /* of struct slice */
    struct conf_range expect, backoff, hands;
    struct conf_rate pace;
    struct conf_ref favourite;
};

struct sample_store {
    struct conf_object object;
    struct conf_list shelves;
    struct sample_parts *parts;
    struct sample_log log;
};

enum { SAMPLE_N_SECTIONS = 2, SAMPLE_FILES_MAX = 4 };

struct sample_file {
    struct slice path, bytes;
};

/* A loaded configuration and all that it stands on. */
struct sample {
    struct arena arena;
    struct conf_files files;
    struct conf_diag diag;
    struct conf_load load;
    struct conf_stmt *root;
    struct sample_shop shop;
    struct sample_store store;
    struct conf_section sections[SAMPLE_N_SECTIONS];
    int rc; /* of conf_load() */
    struct sample_file memory[SAMPLE_FILES_MAX];
    size_t n_memory;
};

/*
 * `text` holds the file "main.weir" and, behind lines "=== PATH", further ones. It outlives the
 * sample. The environment has A=alpha, ODD="x y {;$" and EMPTY.
 */
void sample_load(struct sample *sample, struct slice text);
void sample_deinit(struct sample *sample);
/* The host that sample_load() reads through; sample->memory holds the files. */
struct conf_host sample_host(struct sample *sample);
/* Cuts `text` into sample->memory, without loading. */
void sample_fill(struct sample *sample, struct slice text);

/* Are all values of the two the same? */
bool sample_equal(struct sample *a, struct sample *b);

#endif

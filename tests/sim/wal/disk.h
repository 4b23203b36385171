/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_WAL_DISK_H
#define TESTS_SIM_WAL_DISK_H

/*
 * A disk that forgets. Of each file there are two images: what a process reads, and what the medium
 * has; of the folder there are two lists of names. A write changes the first, sectors of 512 bytes
 * become dirty and reach the medium when they are synced, or one by one whenever chance will.
 * A power cut leaves each dirty sector old or new, a file as long as it was or is, and of the
 * changes to the folder that were not synced some of the first ones.
 *
 * The power is cut at an operation that is chosen by its number: it may be done in part, and
 * nothing is done after it. A sync that fails makes dirty sectors clean without writing them, as
 * kernels do. All chance comes from one seed.
 */

#include "base/rng.h"
#include "wal/wal_disk.h"
#include <stdbool.h>

enum { SIM_SECTOR = 512, SIM_FILES_MAX = 64, SIM_NAME_MAX = 16, SIM_OPS_MAX = 512 };

struct sim_image {
    char *bytes;
    size_t len;
};

struct sim_file {
    struct sim_image now, medium;
    bool *dirty; /* a sector; as many as `now` has, rounded up */
    bool is_used;
};

struct sim_name {
    char name[SIM_NAME_MAX];
    int file; /* -1: no such name */
};

struct sim_dir {
    struct sim_name names[SIM_FILES_MAX];
    unsigned n;
};

struct sim_op { /* to the folder: `to` names file, or is gone; `from` is gone */
    char from[SIM_NAME_MAX], to[SIM_NAME_MAX];
    int file;
};

struct sim_disk {
    struct wal_disk table;
    struct rng rng;
    struct sim_file files[SIM_FILES_MAX];
    struct sim_dir now, medium;
    struct sim_op ops[SIM_OPS_MAX]; /* between the two lists */
    unsigned n_ops;
    uint64_t clock_ns;
    /* What goes wrong. */
    uint64_t n_done;     /* operations that write or sync, so far */
    uint64_t cut_at;     /* the power fails in this one; 0: never */
    uint64_t fail_at;    /* this one fails with EIO; 0: none */
    uint64_t room_bytes; /* above which nothing more is allocated; 0: no limit */
    bool is_shy;         /* writes and reads are cut short at times */
    bool is_busy;        /* dirty sectors reach the medium by themselves at times */
    bool is_dead;        /* the power is off, or the process was killed */
    bool has_failed;     /* fail_at was reached */
    bool is_locked;
    bool is_verbose;
    /* Before an operation: what another thread does meanwhile. May be NULL. */
    void (*meanwhile)(void *ctx);
    void *meanwhile_ctx;
};

void sim_disk_init(struct sim_disk *disk, uint64_t seed);
void sim_disk_deinit(struct sim_disk *disk);

/* After the log was freed: the machine has lost power, or only the process is gone. */
void sim_disk_power_cut(struct sim_disk *disk);
void sim_disk_killed(struct sim_disk *disk);

/* A bit of a file of the medium and of what is read; which one, for flipping it back. */
struct sim_bit {
    int file;
    size_t at;
    unsigned bit;
};
struct sim_bit sim_disk_pick_bit(struct sim_disk *disk);
void sim_disk_flip(struct sim_disk *disk, struct sim_bit bit);
/* A copy of all files and names; deinit it. */
void sim_disk_copy(const struct sim_disk *from, struct sim_disk *to);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_INTERNAL_H
#define PEER_INTERNAL_H

/*
 * The parts of the process `peer` among themselves: one loop, which owns all of it.
 *
 *     struct peer
 *        |-- paths[]   struct peer_path: a socket, bound to this node's address in the net
 *        |-- mates[]   struct peer_mate: another node; links[] has its address on each path
 *        |-- outbox    this node's own facts
 *        '-- keys      of the configuration in force
 *
 * Rounds. A path is due each `every`; a hurried round goes over all of them. It is one number to
 * each mate, and one datagram to each mate over each path that is due.
 *
 * A reload makes the paths anew, over the same sockets where they stay, and keeps the mates that
 * stay, with all that is believed of them.
 *
 * When the process starts again, mates begin from the facts of its earlier life (mate_adopt()).
 */

#include "base/rng.h"
#include "core/loop.h"
#include "core/metric.h"
#include "core/process.h"
#include "core/secret.h"
#include "core/settings.h"
#include "limit/hush.h"
#include "peer/conf.h"
#include "peer/count.h"
#include "peer/mate.h"
#include "peer/outbox.h"
#include "peer/peer.h"
#include "tls/key.h"

enum {
    PEER_HASTE_MS = 2,   /* the least time between two rounds */
    PEER_SLEEP_MS = 250, /* shorter gaps are no sleep, however close beats are */
    PEER_MATES_MAX = NODES_MAX - 1,
};

/* The keys of the lines of the secret. */
struct peer_keys {
    struct tls_mac *macs[SECRETS_MAX];
    size_t n_macs;
    struct beat_keys keys; /* over them */
};

/* A mate over a path. */
struct peer_link {
    struct addr addr;
    struct metric_slab *slab; /* NULL: the board has no room */
    metric_word *row;         /* the slab's, or one that nobody reads */
    struct hush refusals;
    enum fact_state told; /* to the log: FACT_UP, FACT_DOWN; FACT_NONE: nothing yet */
};

struct peer_mate {
    struct peer *peer;
    struct mate mate;
    struct peer_link links[BEAT_PATHS_MAX]; /* by path */
    struct metric_slab *slab;
    metric_word *row;
    enum fact_state told; /* of peer:NODE, by this process */
    uint64_t up_ns;       /* since when it is up */
    bool has_told_file, told_other_file;
    struct hush changes;
};

struct peer_path {
    struct peer *peer;
    uint32_t index;
    const char *name, *fact; /* the snapshot's */
    int fd;                  /* core's */
    struct loop_io io;
    uint64_t period_ns, next_ns; /* when the next round over it is due */
    struct metric_slab *slab;
    metric_word *row;
    struct hush strangers, unsent;
};

struct peer {
    struct process *process;
    struct loop *loop;
    struct board *board;
    const struct snapshot *snap; /* in force */
    uint64_t own_life;
    struct rng rng;
    struct peer_keys *keys, *next_keys;
    struct outbox outbox;
    struct outbox_round *round; /* the one that is being sent */
    struct peer_mate *mates[PEER_MATES_MAX];
    uint32_t n_mates;
    struct peer_path *paths; /* n_paths */
    uint32_t n_paths;
    uint64_t period_ns; /* the least of the paths' */
    struct loop_timer timer;
    struct loop_task hurry;
    bool is_hurried, is_hurry_deferred;
    bool asks;           /* the hurried round wants an answer */
    uint64_t round_ns;   /* when the last one went out */
    uint64_t greeted_ns; /* when a round was last hurried for the sake of a proof */
    uint64_t awake_ns;   /* when it last looked, by the clock that goes on in a suspension */
    bool is_started;     /* the first configuration is in force */
    bool is_quiet;       /* another build has taken its place */
    metric_word *sink;   /* for what has no slab */
    struct metric_slab *slab;
    metric_word *row;
};

/* --- channel.c -------------------------------------------------------------------------------- */

/* Arms the socket of a path. 0, or -1 with err. */
int channel_open(struct peer_path *path, struct err *err);
void channel_close(struct peer_path *path);
void channel_timer_init(struct peer *peer);
/* The first round, or the first with a new configuration: now. */
void channel_begin(struct peer *peer);
/* No round and no datagram any more. */
void channel_end(struct peer *peer);
/* A round over all paths at the end of this turn, or PEER_HASTE_MS after the last one. */
void channel_hurry(struct peer *peer, bool asks);

/* --- publish.c -------------------------------------------------------------------------------- */

/* What is true of the mate now, as facts and log lines. */
void publish_mate(struct peer_mate *self);
/* How many nodes are heard over each path. */
void publish_paths(struct peer *peer);
/* The mate is no node of the file any more, or this process ends for good. */
void publish_gone(struct peer_mate *self);
struct inbox_calls publish_calls(struct peer_mate *mate);
/* Lines that anybody may provoke. */
void publish_refusal(struct peer_mate *mate, const struct peer_path *path,
                     enum mate_outcome outcome);
void publish_stranger(struct peer_path *path, const struct addr *from);
/* From now on mates start with what an earlier life has left. */
void publish_adopt(struct peer_mate *self);

#endif

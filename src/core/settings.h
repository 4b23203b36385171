/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_SETTINGS_H
#define CORE_SETTINGS_H

/*
 * The words at the top of the file that belong to no part but to weir itself:
 *
 *     nodes { a 10.0.0.11; b 10.0.0.12 }    which machines share this file, each with its address,
 *                                           or with several: one a net that they have in common
 *     state /var/lib/weir                   where what must survive lies
 *     state-room 64M                        less than so much free there is a full disk
 *     processes { edge auto; admin 1 }      loops, a thread each
 *     log level info format text
 *     user weir                             what root becomes
 *     secret-file /etc/weir/secret          what the keys of all nodes are derived from
 *     watchdog 5s                           a loop silent for so long is killed
 *     start-timeout 30s; reload-timeout 10s; stop-timeout 30s
 *     upgrade-timeout 60s; upgrade-drain 1h
 *     cgroup auto                           jobs have control groups where weir may make some
 *
 * They are a module like any other, the first of the table, without a process of its own: the
 * supervisor and core/snapshot.c read them.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include <stdbool.h>
#include <stdint.h>

#define SETTINGS_STATE_DEFAULT "/var/lib/weir"

enum { NODES_MAX = 16, NODE_ADDRS_MAX = 16 };

struct node_conf {
    struct conf_object object;
    struct slice name;
    struct conf_addr addr;  /* an IP address: the node's own */
    struct conf_list addrs; /* of struct conf_addr: further ones, in other nets */
};

struct processes_entry {
    struct conf_object object;
    struct slice name;
    int64_t n_loops; /* 0: one a core */
};

struct nodes_conf {
    struct conf_object object;
    struct conf_list list; /* of struct node_conf */
};

struct processes_conf {
    struct conf_object object;
    struct conf_list list; /* of struct processes_entry */
};

struct log_conf {
    struct conf_object object;
    int level;  /* enum log_level */
    int format; /* enum log_format */
};

enum settings_cgroup { SETTINGS_CGROUP_AUTO, SETTINGS_CGROUP_OFF };

struct settings {
    struct conf_object object;
    struct nodes_conf *nodes;         /* NULL: one machine without a name */
    struct processes_conf *processes; /* NULL: all auto */
    struct slice state;               /* empty: the default */
    int64_t state_room_bytes;
    struct log_conf log;
    struct slice user;        /* empty: weir where it exists, nobody otherwise */
    struct slice secret_file; /* empty: the supervisor keeps one in the state directory */
    int64_t watchdog_ms;
    int64_t start_timeout_ms;
    int64_t reload_timeout_ms;
    int64_t stop_timeout_ms;
    int64_t upgrade_timeout_ms;
    int64_t upgrade_drain_ms;
    int cgroup; /* enum settings_cgroup */
};

extern const struct module settings_module;

/* What the supervisor counts of the log, in its own segment: table and object "log". */
enum log_word { LOG_DROPPED, LOG_WORDS };

extern const struct metric_table log_metrics;

/* What it counts of upgrades: table and object "upgrade". */
enum upgrade_word { UPGRADE_DONE, UPGRADE_REFUSED, UPGRADE_CUT, UPGRADE_WORDS };

extern const struct metric_table upgrade_metrics;

/* The settings of a snapshot; NULL where the table has no such module (tests of other parts). */
const struct settings *settings_of(const struct snapshot *snap);

/* The loops of a kind of process: what `processes` says, for auto n_cores; 1 where the modules of
 * this kind are not made for more. At most BOARD_LOOPS_MAX. */
uint32_t settings_loops(const struct snapshot *snap, const char *kind, uint32_t n_cores);

#endif

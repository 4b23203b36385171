/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ADMIN_INTERNAL_H
#define ADMIN_INTERNAL_H

/*
 * What the files of admin share: its one state. admin.c makes it at the start of the process, hands
 * it to the web server as the context of every handler, and lets go of it at the stop; the handlers
 * of api.c find in it whom to ask and what may be asked. Everything in it belongs to loop 0.
 */

#include "admin/access.h"
#include "admin/operate.h"
#include "admin/rates.h"
#include "admin/runtime.h"
#include "core/process.h"
#include "web/server.h"

enum { ADMIN_SOCKETS_MAX = 2 };

struct admin {
    struct process *process;
    struct snapshot *snap; /* in force; borrowed from the process between prepare() and commit() */
    struct web_server *server;
    struct access_policy policy;
    char token[ACCESS_TOKEN_MAX + 1];      /* what policy.token points at */
    char token_next[ACCESS_TOKEN_MAX + 1]; /* made by prepare() */
    int fds[ADMIN_SOCKETS_MAX];            /* that listen now; -1 */
    struct rates *rates;
    struct loop_timer sample;
    struct metric_slab *slab;
    uint64_t n_denied;
    uint64_t n_commands, n_commands_refused; /* that change what members do */
    struct operate operate;
    struct runtime runtime;
    pid_t supervisor;
};

extern const struct web_route api_routes[];
/* {"KEY": VALUE}, and {"diagnostics": ...} beside it where there is something to say. */
void api_answer_pair(struct web_exchange *exchange, uint16_t status, const char *key,
                     struct slice value, struct slice diagnostics);
void handle_explain(struct web_exchange *exchange, void *ctx);
/* Members at run time (runtime.c). */
void handle_member_add(struct web_exchange *exchange, void *ctx);
void handle_member_remove(struct web_exchange *exchange, void *ctx);
void handle_runtime(struct web_exchange *exchange, void *ctx);
/* Commands upon members (api_operate.c). */
void handle_drain(struct web_exchange *exchange, void *ctx);
void handle_undrain(struct web_exchange *exchange, void *ctx);
void handle_force(struct web_exchange *exchange, void *ctx);
void handle_weight(struct web_exchange *exchange, void *ctx);
void handle_drains(struct web_exchange *exchange, void *ctx);
/* web_config.admit */
bool api_admit(struct web_exchange *exchange, void *ctx);
/* Brings the counters into the slab. */
void admin_count(struct admin *admin);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_HOOK_H
#define VIP_HOOK_H

/*
 * Programs that are told of a vip's state: where an address is moved by somebody else than the
 * kernel, such as the address manager of a cloud.
 *
 *     vip 203.0.113.10/32 on eth0 {
 *         no-address
 *         on active exec /etc/weir/take-address --instance i-42 { every 60s; timeout 10s }
 *         on backup exec /etc/weir/note
 *     }
 *
 * The program of a state is started when the vip comes to it and, while the state lasts, again
 * `every` after it ended well: it is to be one that may be repeated, and what somebody else has
 * undone meanwhile is done again. One that fails is repeated after 1 s, 2 s, 4 s ... 60 s. Backup
 * is every state that is not Active, also while the link is gone; a vip that ends runs nothing
 * more.
 *
 * A program runs while its state lasts and no longer: when the vip comes to another state, the one
 * that runs is killed with its process group, and only when it is reaped the next is started. To
 * let it finish first would let a program that hangs, or one that is slow to take an address which
 * another node has by now, stand in the way of the one that is right. For the same reason it should
 * ask for one thing in one request.
 *
 * worker starts it (worker/worker.h), by its own copy of the file. Its environment is PATH and
 *
 *     WEIR_VIP         the name                  WEIR_STATE       active, backup
 *     WEIR_ADDRESSES   203.0.113.10/32 ...       WEIR_REASON      why it came to that state
 *     WEIR_INTERFACE   eth0                      WEIR_NODE        the node's name, or empty
 *
 * It ends with status 0 where all is well; the first line that it prints is kept and shown.
 *
 * vip/conf.c has the words. This header has what they fill, what an ask becomes, and the pace;
 * vip/hook_runner.h asks.
 */

#include "base/arena.h"
#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include "core/program.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    HOOK_BACKOFF_MS = 1000,
    HOOK_BACKOFF_MAX_MS = 60000,
    HOOK_REASON_MAX = 160, /* bytes of WEIR_REASON, with the NUL */
};

/* --- what the words fill ---------------------------------------------------------------------- */

enum hook_state { HOOK_ACTIVE, HOOK_BACKUP, HOOK_STATES };

struct hook_conf {
    struct conf_object object;
    int state;                      /* enum hook_state */
    struct slice program;           /* absolute */
    struct conf_list argument_list; /* of struct slice */
    int64_t every_ms, timeout_ms;
};

/* At most one a state. 0, or -1 after it has told load->diag. */
int hooks_check(const struct conf_list *hooks, struct conf_load *load);
/* Of a list of struct hook_conf, or NULL. */
const struct hook_conf *hooks_find(const struct conf_list *hooks, enum hook_state state);
/* struct module's programs(), for one vip. */
int hooks_programs(const struct conf_list *hooks, program_want_fn *want, void *ctx);

const char *hook_state_name(enum hook_state state);

/* --- what an ask becomes: in worker ----------------------------------------------------------- */

/* "vip" NAME STATE REASON */
enum { HOOK_TEXTS = 4 };
#define HOOK_KIND "vip"

/* Of whom the ask is. */
struct hook_subject {
    const char *vip;
    const char *addresses; /* with their lengths, a space between two */
    const char *interface;
    const char *node;
    const struct conf_list *hooks;
};

/* Is it an ask of a hook? Then *ret_vip is whose. */
bool hook_is_ask(const struct slice *texts, size_t n_texts, struct slice *ret_vip);
/*
 * What is to be started for the ask, which is one of this vip; all of it lives in the arena and in
 * the snapshot. 0; 1: the vip has no program for that state.
 */
int hook_plan(const struct hook_subject *subject, const struct slice *texts, struct arena *arena,
              struct program_plan *ret_plan);

/* --- the pace --------------------------------------------------------------------------------- */

/* How long after its end a program is started again; n_failures in a row, the last included. */
int64_t hook_wait_ms(unsigned n_failures, int64_t every_ms);

/* "exit status 3: no such instance" */
void hook_describe(const struct program_result *result, int64_t timeout_ms, struct text *out);

static inline bool hook_is_good(const struct program_result *result)
{
    return result->outcome == PROGRAM_EXITED && result->number == 0;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is known of the other nodes, as facts and as lines of the log.
 */

#include "peer/internal.h"

#include <stdio.h>
#include <string.h>

enum { NS_PER_S = 1000000000 };

static struct log *log_of(const struct peer *peer)
{
    return process_log(peer->loop);
}

static uint64_t wall_of(const struct peer *peer)
{
    return loop_wall_ns(peer->loop);
}

/* "kind:NODE" or "at:NODE/FACT". */
static const char *name_fact(char name[FACT_NAME_MAX], const char *kind,
                             const struct peer_mate *mate, const char *separator, struct slice rest)
{
    snprintf(name, FACT_NAME_MAX, "%s:%s%s%.*s", kind, mate->mate.name, separator, SLICE_ARG(rest));
    return name;
}

/* ---- what a node says of itself ---- */

static void on_state(void *ctx, const struct beat_fact *fact, bool is_news)
{
    struct peer_mate *mate = ctx;
    struct board *board = mate->peer->board;
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
    uint64_t now_ns = wall_of(mate->peer), age_ns = (uint64_t)fact->age_s * NS_PER_S;
    uint64_t since_ns = age_ns < now_ns ? now_ns - age_ns : 0;
    name_fact(name, "at", mate, "/", fact->name);
    slice_copy(fact->reason, reason, sizeof(reason));
    enum fact_state former = FACT_NONE;
    if (is_news) {
        struct fact_ref ref = board_find(board, name);
        former = ref.is_set ? board_peek(board, ref) : FACT_NONE;
    }
    board_state(board, name, (enum fact_state)fact->state, fact->value, reason, since_ns);
    /* Where the state is another, the board has told it. */
    if (is_news && former == (enum fact_state)fact->state)
        board_tell(board, name, now_ns);
}

static void on_remove(void *ctx, const char *fact)
{
    const struct peer_mate *mate = ctx;
    char name[FACT_NAME_MAX];
    board_remove(mate->peer->board, name_fact(name, "at", mate, "/", slice_from(fact)),
                 wall_of(mate->peer));
}

struct inbox_calls publish_calls(struct peer_mate *mate)
{
    return (struct inbox_calls){.ctx = mate, .state = on_state, .remove = on_remove};
}

/* ---- the node ---- */

static void log_change(struct peer_mate *self, enum fact_state before)
{
    static const struct hush_rule rule = {.burst = 10, .every_ns = NS_PER_S};
    const struct mate *mate = &self->mate;
    char kept[64] = "";
    uint64_t n_kept;
    if (!hush_may(&self->changes, &rule, loop_now_ns(self->peer->loop), &n_kept))
        return;
    if (n_kept)
        snprintf(kept, sizeof(kept), " (%llu more changes before)", (unsigned long long)n_kept);
    enum log_level level = mate->state == FACT_UP || mate->state == before ||
                                   (before == FACT_NONE && mate->state == FACT_UNKNOWN)
                               ? LOG_LEVEL_INFO
                               : LOG_LEVEL_WARN;
    log_write(log_of(self->peer), level, "peer:%s %s: %s%s", mate->name,
              fact_state_name(mate->state), mate->reason, kept);
}

/* What the board says already, so that a start after a death logs no change where there is none. */
static enum fact_state state_on_board(const struct peer_mate *mate)
{
    char name[FACT_NAME_MAX];
    struct fact_ref ref =
        board_find(mate->peer->board, name_fact(name, "peer", mate, "", SLICE("")));
    return ref.is_set ? board_peek(mate->peer->board, ref) : FACT_NONE;
}

static void tell_state(struct peer_mate *self)
{
    const struct mate *mate = &self->mate;
    char name[FACT_NAME_MAX];
    double round_trip_s = mate->state == FACT_UP ? (double)mate->beats.round_trip_ns / 1e9 : 0;
    name_fact(name, "peer", self, "", SLICE(""));
    board_state(self->peer->board, name, mate->state, round_trip_s, mate->reason,
                wall_of(self->peer));
    if (mate->state == self->told)
        return;
    if (mate->state == FACT_UP)
        self->up_ns = loop_clock_ns();
    metric_add(self->row, PEER_NODE_CHANGES, 1);
    log_change(self, self->told);
    self->told = mate->state;
}

static void tell_file(struct peer_mate *self)
{
    const struct mate *mate = &self->mate;
    char name[FACT_NAME_MAX];
    name_fact(name, "file", self, "", SLICE(""));
    bool is_known = mate->state == FACT_UP && mate->adopted_until_ns == 0;
    if (!is_known) {
        if (mate->state != FACT_UP)
            board_remove(self->peer->board, name, wall_of(self->peer));
        self->has_told_file = self->has_told_file && mate->state == FACT_UP;
        return;
    }
    bool is_news =
        self->has_told_file ? self->told_other_file != mate->has_other_file : mate->has_other_file;
    self->has_told_file = true;
    self->told_other_file = mate->has_other_file;
    board_state(self->peer->board, name, mate->has_other_file ? FACT_DEGRADED : FACT_UP, 0,
                mate->has_other_file ? "runs another file than this node: reload the one that is "
                                       "older"
                                     : "runs the file of this node",
                wall_of(self->peer));
    if (is_news && mate->has_other_file)
        log_write(log_of(self->peer), LOG_LEVEL_WARN,
                  "peer %s runs another file than this node; reload the one that is older",
                  mate->name);
    else if (is_news)
        log_write(log_of(self->peer), LOG_LEVEL_INFO, "peer %s runs the file of this node again",
                  mate->name);
}

/* Is what the path does worth a line now? Not that it comes up with the node; that it does not,
 * when it had the time to. */
static bool is_path_news(const struct peer_mate *self, uint32_t path, bool is_live, uint64_t now_ns)
{
    enum fact_state told = self->links[path].told;
    uint64_t wait_ns = (uint64_t)PEER_PATIENCE_BEATS * self->mate.paths[path].period_ns;
    if (self->mate.state != FACT_UP || self->mate.adopted_until_ns != 0 || self->mate.n_paths == 1)
        return false;
    if (is_live)
        return told == FACT_DOWN;
    return told == FACT_UP || (told == FACT_NONE && now_ns - self->up_ns > wait_ns);
}

static void log_paths(struct peer_mate *self)
{
    static const struct hush_rule rule = {.burst = 10, .every_ns = NS_PER_S};
    uint64_t now_ns = loop_clock_ns(), n_kept;
    for (uint32_t i = 0; i < self->mate.n_paths; i++) {
        struct peer_link *link = &self->links[i];
        bool is_live = mate_path_is_live(&self->mate, i, now_ns);
        bool is_news = is_path_news(self, i, is_live, now_ns);
        if (is_live || is_news)
            link->told = is_live ? FACT_UP : FACT_DOWN;
        if (!is_news || !hush_may(&self->changes, &rule, now_ns, &n_kept))
            continue;
        log_write(log_of(self->peer), is_live ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
                  "peer %s is %s over %s", self->mate.name, is_live ? "heard again" : "not heard",
                  self->mate.paths[i].name);
    }
}

void publish_paths(struct peer *peer)
{
    uint64_t now_ns = loop_clock_ns();
    for (uint32_t i = 0; i < peer->n_paths; i++) {
        char reason[FACT_REASON_MAX];
        uint32_t n_heard = 0;
        for (uint32_t k = 0; k < peer->n_mates; k++)
            n_heard += mate_path_is_live(&peer->mates[k]->mate, i, now_ns);
        snprintf(reason, sizeof(reason), "%u of %u nodes are heard", n_heard, peer->n_mates);
        board_state(peer->board, peer->paths[i].fact,
                    n_heard == peer->n_mates ? FACT_UP
                    : n_heard > 0            ? FACT_DEGRADED
                                             : FACT_DOWN,
                    n_heard, reason, wall_of(peer));
    }
}

void publish_mate(struct peer_mate *self)
{
    struct inbox_calls calls = publish_calls(self);
    mate_judge(&self->mate, self->peer->snap->hash, loop_clock_ns());
    tell_state(self);
    tell_file(self);
    log_paths(self);
    mate_mute(&self->mate, &calls);
    metric_set(self->row, PEER_NODE_FACTS, self->mate.inbox.n_items);
    metric_set(self->row, PEER_NODE_FACTS_REFUSED, self->mate.inbox.n_refused);
}

void publish_gone(struct peer_mate *self)
{
    struct inbox_calls calls = publish_calls(self);
    char name[FACT_NAME_MAX];
    board_remove(self->peer->board, name_fact(name, "peer", self, "", SLICE("")),
                 wall_of(self->peer));
    board_remove(self->peer->board, name_fact(name, "file", self, "", SLICE("")),
                 wall_of(self->peer));
    inbox_clear(&self->mate.inbox, &calls);
}

void publish_adopt(struct peer_mate *self)
{
    const struct board *board = self->peer->board;
    size_t own = (size_t)board_segment(board, self->peer->process->kind);
    char prefix[FACT_NAME_MAX];
    struct fact fact;
    uint32_t cursor = 0;
    name_fact(prefix, "at", self, "/", SLICE(""));
    while (board_next(board, own, &cursor, &fact))
        if (slice_starts(slice_from(fact.name), slice_from(prefix)))
            inbox_adopt(&self->mate.inbox, fact.name + strlen(prefix));
    self->told = state_on_board(self);
    mate_adopt(&self->mate, self->told, loop_clock_ns());
}

/* ---- what anybody may provoke ---- */

static const struct hush_rule refusal_rule = {.burst = 3, .every_ns = 10 * (uint64_t)NS_PER_S};

static const char *refusal_text(enum mate_outcome outcome)
{
    switch (outcome) {
    case MATE_OLD:
        return "its number was there before: late, doubled or replayed";
    case MATE_PAST:
        return "it is of a life that is over: a replay";
    case MATE_MALFORMED:
        return "it is no beat, or one of another version";
    case MATE_NO_KEY:
        return "it is signed with a secret that is not here; all nodes need the same secret-file";
    case MATE_FORGED:
        return "its MAC is wrong: forged or damaged";
    case MATE_MISNAMED:
        return "it bears the name of another node";
    case MATE_REFLECTED:
        return "it is this node's own, thrown back";
    case MATE_NEWS:
    case MATE_AGAIN:
    case MATE_UNPROVEN:
    case MATE_N_OUTCOMES:
        break;
    }
    return "";
}

void publish_refusal(struct peer_mate *mate, const struct peer_path *path,
                     enum mate_outcome outcome)
{
    struct peer_link *link = &mate->links[path->index];
    char text[ADDR_TEXT_MAX];
    uint64_t n_kept;
    if (!hush_may(&link->refusals, &refusal_rule, loop_now_ns(path->peer->loop), &n_kept))
        return;
    log_write(log_of(path->peer), LOG_LEVEL_WARN,
              "peer %s: a beat from %s over %s is refused: %s (%llu more before)", mate->mate.name,
              addr_format(&link->addr, text), path->name, refusal_text(outcome),
              (unsigned long long)n_kept);
}

void publish_stranger(struct peer_path *path, const struct addr *from)
{
    char text[ADDR_TEXT_MAX];
    uint64_t n_kept;
    metric_add(path->row, PEER_PATH_STRANGERS, 1);
    if (!hush_may(&path->strangers, &refusal_rule, loop_now_ns(path->peer->loop), &n_kept))
        return;
    log_write(log_of(path->peer), LOG_LEVEL_WARN,
              "peer %s: a datagram from %s is refused: no node has this address and port "
              "(%llu more before)",
              path->name, addr_format(from, text), (unsigned long long)n_kept);
}

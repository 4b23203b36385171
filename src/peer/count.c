/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tables of what the process `peer` counts.
 */

#include "peer/count.h"

#define COUNTER(word_, name_, help_)                                              \
    {                                                                             \
        .name = (name_), .type = METRIC_COUNTER, .word = (word_), .help = (help_) \
    }
#define GAUGE(word_, name_, help_)                                              \
    {                                                                           \
        .name = (name_), .type = METRIC_GAUGE, .word = (word_), .help = (help_) \
    }
#define RECEIVED(outcome_, name_)                                                             \
    {                                                                                         \
        .name = "received", .type = METRIC_COUNTER,                                           \
        .word = (uint32_t)PEER_RECEIVED + (uint32_t)(outcome_), .label = "outcome",           \
        .label_value = (name_),                                                               \
        .help = "Datagrams from the node's address. news and again (the same round over "     \
                "another path) are believed; unproven may be a recording; the others are "    \
                "refused: old and past are replays, reflected was this node's own, forged "   \
                "has a wrong MAC, no_key another secret, misnamed the name of another node, " \
                "malformed is no beat."                                                       \
    }

static const struct metric_def peer_defs[] = {
    COUNTER(PEER_SENT, "sent", "Beats that were sent to the node."),
    COUNTER(PEER_UNSENT, "unsent", "Beats that the kernel did not take."),
    RECEIVED(MATE_NEWS, "news"),
    RECEIVED(MATE_AGAIN, "again"),
    RECEIVED(MATE_UNPROVEN, "unproven"),
    RECEIVED(MATE_OLD, "old"),
    RECEIVED(MATE_PAST, "past"),
    RECEIVED(MATE_MALFORMED, "malformed"),
    RECEIVED(MATE_NO_KEY, "no_key"),
    RECEIVED(MATE_FORGED, "forged"),
    RECEIVED(MATE_MISNAMED, "misnamed"),
    RECEIVED(MATE_REFLECTED, "reflected"),
    {.name = "round_trip_seconds",
     .type = METRIC_HISTOGRAM,
     .word = PEER_ROUND_TRIP,
     .scale = 1e-6,
     .help = "From a beat of this node to the one that has heard it, without the time in between "
             "at the other node."},
    {0},
};

const struct metric_table peer_metrics = {
    .name = "peer", .labels = {"peer", "path"}, .n_words = PEER_WORDS, .defs = peer_defs};

static const struct metric_def node_defs[] = {
    COUNTER(PEER_NODE_CHANGES, "changes", "Times that the state of peer:NODE has changed."),
    GAUGE(PEER_NODE_FACTS, "facts", "Facts that are known of the node."),
    COUNTER(PEER_NODE_FACTS_REFUSED, "facts_refused",
            "Facts in beats that were refused: more than 512, or none that a node tells."),
    {0},
};

const struct metric_table peer_node_metrics = {
    .name = "peer_node", .labels = {"peer"}, .n_words = PEER_NODE_WORDS, .defs = node_defs};

static const struct metric_def path_defs[] = {
    COUNTER(PEER_PATH_STRANGERS, "strangers",
            "Datagrams from an address that is no node's in this net."),
    COUNTER(PEER_PATH_FLUSHED, "flushed",
            "Datagrams thrown away unread, because they came while this process slept."),
    {0},
};

const struct metric_table peer_path_metrics = {
    .name = "peer_path", .labels = {"path"}, .n_words = PEER_PATH_WORDS, .defs = path_defs};

static const struct metric_def beats_defs[] = {
    COUNTER(BEATS_ROUNDS, "rounds", "Rounds of beats, each over all paths that are due."),
    COUNTER(BEATS_HURRIED, "hurried",
            "Rounds before their time: a vip has changed or asks, or a "
            "node has to be proven to."),
    COUNTER(BEATS_ANSWERS, "answers", "Rounds that another node asked for."),
    GAUGE(BEATS_FACTS, "facts", "Facts of this node that are told to the others."),
    COUNTER(BEATS_FACTS_REFUSED, "facts_refused", "Facts that are not told: more than 512."),
    COUNTER(BEATS_SLEEPS, "sleeps", "Times that this process slept longer than it is patient."),
    {0},
};

const struct metric_table beats_metrics = {
    .name = "beats", .n_words = BEATS_WORDS, .defs = beats_defs};

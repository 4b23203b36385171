/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEER_COUNT_H
#define PEER_COUNT_H

/*
 * What the process `peer` counts:
 *
 *     "peer"       a node over a path: beats sent, datagrams by what became of them, round trips
 *     "peer_node"  a node: changes of its state, facts of it that were refused
 *     "peer_path"  a path: datagrams of strangers
 *     "beats"      the whole: rounds, facts that were not told, sleeps
 */

#include "core/metric.h"
#include "peer/mate.h"

enum peer_word {
    PEER_SENT,
    PEER_UNSENT,
    PEER_RECEIVED, /* enum mate_outcome */
    PEER_ROUND_TRIP = PEER_RECEIVED + MATE_N_OUTCOMES,
    PEER_WORDS = PEER_ROUND_TRIP + METRIC_HIST_WORDS,
};

enum peer_node_word {
    PEER_NODE_CHANGES,
    PEER_NODE_FACTS,
    PEER_NODE_FACTS_REFUSED,
    PEER_NODE_WORDS
};

enum peer_path_word { PEER_PATH_STRANGERS, PEER_PATH_FLUSHED, PEER_PATH_WORDS };

enum beats_word {
    BEATS_ROUNDS,
    BEATS_HURRIED,
    BEATS_ANSWERS,
    BEATS_FACTS,
    BEATS_FACTS_REFUSED,
    BEATS_SLEEPS,
    BEATS_WORDS
};

extern const struct metric_table peer_metrics, peer_node_metrics, peer_path_metrics, beats_metrics;

#endif

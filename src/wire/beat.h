/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_BEAT_H
#define WIRE_BEAT_H

/*
 * The heartbeat between the nodes of one edge: a datagram over each path that two nodes have to
 * each other, several times a second, signed, and with a few facts of the sender in it. VRRP says
 * only "I am Active"; a beat says by a second way that a node lives, what it can serve, and which
 * file it runs.
 *
 *      0   'W' 'B' version 1                     3 bytes
 *      3   path                                  1    which of the sender's paths it was sent over
 *      4   key id                                4    that the MAC's key is known by
 *      8   life                                  8    random at each start of the sender, not 0
 *     16   number                                8    1, 2, 3 ... within a life; a round of beats,
 *                                                     one a path, has one number
 *     24   heard life, heard number             16    the newest beat of the receiver that the
 *                                                     sender has; 0, 0: none
 *     40   held                                  4    microseconds since that one came
 *     44   file hash                             8    of the configuration in force
 *     52   period                                2    milliseconds between two rounds of the sender
 *     54   turn                                  1    goes on by one, and round, when each fact of
 *                                                     the sender has been told once more
 *     55   flags                                 1    1: answer at once; others mean nothing yet
 *     56   name of the sender                   1+n   1..63 bytes behind their length
 *          facts, each:                               as many as there is room for
 *              state 1, age in seconds 4, value 8 (an IEEE double), name 1+n, reason 1+n
 *    -32   MAC                                  32    HMAC-SHA256 of all before it
 *
 * A sender with more facts than fit tells them in turns, over several rounds: a fact that was not
 * told for BEAT_TURNS_KEPT turns is no more.
 *
 * Numbers are big endian. There is no clock in it: nodes' clocks differ, and `heard` proves that a
 * beat is no recording of an earlier one (struct beat_peer). docs/formats/heartbeat.md is the
 * specification.
 *
 * Pure: the MAC comes as a function, time as a number; nothing is allocated.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BEAT_BYTES_MAX = 1200, /* fits every path's MTU in one piece */
    BEAT_NAME_MAX = 63,
    BEAT_HEAD_BYTES = 56, /* up to the sender's name */
    BEAT_MAC_BYTES = 32,
    BEAT_ID_BYTES = 4,
    BEAT_FACT_BYTES = 15, /* of a fact, without its name and reason */
    BEAT_KEYS_MAX = 4,
    BEAT_PATHS_MAX = 8,
    BEAT_TURNS_KEPT = 8,
    BEAT_ASKS = 1 << 0, /* a flag */
};

/* HMAC-SHA256 of data under the key that `key` stands for. */
typedef void beat_mac_fn(void *key, struct slice data, uint8_t ret_mac[BEAT_MAC_BYTES]);

struct beat_key {
    beat_mac_fn *mac;
    void *key; /* borrowed, handed to mac() */
    uint8_t id[BEAT_ID_BYTES];
};

/* The first key signs, all of them are believed: so a secret is changed without a silent moment. */
struct beat_keys {
    struct beat_key items[BEAT_KEYS_MAX];
    size_t n_items;
};

void beat_keys_add(struct beat_keys *keys, beat_mac_fn *mac, void *key);

struct beat {
    uint8_t path; /* below BEAT_PATHS_MAX */
    uint64_t life, number;
    uint64_t heard_life, heard_number;
    uint32_t held_us;
    uint64_t file_hash;
    uint16_t period_ms; /* not 0 */
    uint8_t turn;
    uint8_t flags;
    struct slice name;
    struct slice facts; /* for beat_next_fact() */
};

struct beat_fact {
    uint8_t state;  /* enum fact_state: its numbers are a promise to other builds */
    uint32_t age_s; /* since its last change */
    double value;
    struct slice name, reason;
};

/* --- writing ---------------------------------------------------------------------------------- */

struct beat_writer {
    uint8_t bytes[BEAT_BYTES_MAX];
    size_t len;
};

/* `facts` of the beat is not looked at. The name is 1..BEAT_NAME_MAX bytes. */
void beat_begin(struct beat_writer *writer, const struct beat *beat);
/* Name and reason are at most 255 bytes. False: there is no room, and nothing was written. */
bool beat_add_fact(struct beat_writer *writer, const struct beat_fact *fact);
/* Signs; the datagram is writer->bytes[0 .. result). */
size_t beat_finish(struct beat_writer *writer, const struct beat_keys *keys);

/* --- reading ---------------------------------------------------------------------------------- */

enum beat_result {
    BEAT_OK = 0,
    BEAT_MALFORMED, /* not of this form, or of another version */
    BEAT_NO_KEY,    /* signed with a key that is not here: the nodes' secrets differ */
    BEAT_FORGED,    /* the MAC is wrong */
};

/* Slices of *ret_beat are into the datagram; set on BEAT_OK alone. */
enum beat_result beat_read(struct slice datagram, const struct beat_keys *keys,
                           struct beat *ret_beat);
/* The next fact of *rest, which starts as beat.facts. False at the end. */
bool beat_next_fact(struct slice *rest, struct beat_fact *ret_fact);

#endif

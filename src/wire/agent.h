/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_AGENT_H
#define WIRE_AGENT_H

/*
 * What an agent says: a program beside a member that knows more of it than anybody who asks from
 * outside. Whoever connects to it gets one line and the end of the stream; the words are those of
 * HAProxy's agent-check, so that an agent serves both.
 *
 *     up 75%                   up | ready                        it serves
 *     drain                    drain                             it keeps what it has
 *     down # disk full         down | failed | stopped | maint   it does not serve
 *     50%                      0%..100%                          of its weight; it serves
 *     ------------
 *     words are separated by blanks, tabs or commas, in upper or lower case; behind # comes a text
 *     for people. The last word of each kind counts, and down before drain before up.
 */

#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

enum { AGENT_LINE_MAX = 256, AGENT_TEXT_MAX = 56, AGENT_NO_SHARE = -1 };

enum agent_state { AGENT_UP, AGENT_DRAIN, AGENT_DOWN };

struct agent_says {
    enum agent_state state;
    int32_t share;             /* 0..100 % of the weight, or AGENT_NO_SHARE: it says none */
    char text[AGENT_TEXT_MAX]; /* the line for people: cut, what cannot be printed as '?' */
};

/*
 * Reads what has come so far. Returns > 0: the bytes of the whole line; 0: need more; < 0: no agent
 * speaks like this, and ret_says->text holds what is wrong: a word that is unknown, or a line of
 * more than AGENT_LINE_MAX bytes. `is_end`: nothing more will come, what is there is the line; an
 * empty one is an error then, without a text.
 */
int agent_parse(struct slice bytes, bool is_end, struct agent_says *ret_says);

/* Copies for people: at most AGENT_TEXT_MAX - 1 bytes, what cannot be printed as '?'. */
void agent_show(struct slice bytes, char ret_text[AGENT_TEXT_MAX]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VIP_NEED_H
#define VIP_NEED_H

/*
 * The word `needs` of a vip: a fact without which this node is worth less as the owner of the
 * floating address.
 *
 *     vip 203.0.113.10/24 on eth0 {
 *         needs listen:shop                 # 50 points, unless it says otherwise
 *         needs pool:web lowers 120
 *     }
 *
 * vip/conf.c puts need_block under the word, as one that repeats, and calls needs_check(). What the
 * points do is vip/lack.h.
 */

#include "base/slice.h"
#include "conf/schema.h"
#include "core/module.h"
#include <stdint.h>

enum { LACK_MAX = 250, LACK_NEED = 50 };

struct need_conf {
    struct conf_object object;
    struct slice fact;
    int64_t lowers; /* 1..LACK_MAX; LACK_NEED */
};

extern const struct conf_block need_block;

/*
 * Are these facts that there can be? `needs` is a list of struct need_conf, `vip` the name of the
 * one that they belong to. Looks for pools, members, listens and processes in the file. 0, or -1
 * after it has told load->diag.
 */
int needs_check(const struct snapshot *snap, const struct conf_list *needs, struct slice vip,
                struct conf_load *load);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_RECORD_H
#define DNS_RECORD_H

/*
 * What a record from pools answers: facts in, data out. No clock, no sockets, no board; the glue to
 * the board is dns/record_set.h.
 *
 *     record shop A pool edges healthy fail-open below 50% then pool far healthy ttl 5s..30s
 *
 *     facts of each member (struct record_member)
 *        -> record_choose(): who of a choice is answered, and for each why (enum record_why)
 *        -> record_answer_make(): the first choice that has somebody; data, weights, TTL
 *
 * Who is answered, of the members with an address of the record's family:
 *
 *     all       every one that is not drained, forced down, or of weight 0
 *     healthy   of those the ones that are up. While none is up, those that are not judged yet: at
 *               a start nobody is, and an empty answer would be worse than one that turns out wrong
 *               a check later; but nobody is sent to one who is not judged while another is known
 *               to be well
 *
 * A member whose address is a node's own is not answered while the node drains (`weir drain
 * node:a`); one whose address floats is, for another node serves it.
 *
 * Members with `backup` are answered only where no other one is; in SRV, HTTPS and SVCB they stand
 * beside the others, with the next priority, because there the client knows what that means. With
 * `first` only the first one is left.
 *
 * Where a choice has nobody, the next one behind `then` is looked at. Where none has anybody, the
 * first one that may fail open (healthy, not fail-closed) answers all that are neither forced down
 * nor drained, of weight 0 or backup or not; else the answer is empty. `fail-open below X%` does so
 * for its own choice as soon as fewer than X % of those that are judged and do not drain are up.
 *
 * TTL (seconds). Never longer than the time in which the answer could become wrong: the least of
 * all members of the choices that were looked at, to the one that answers, in the record's range.
 * A member's time is what health says in turn:POOL/NAME: how many more results it takes to turn
 * it, times its checks' interval. It is 0 for one that is not judged yet and for a member that is a
 * listen of this node, which turns without a notice, and no bound for one that nothing turns but
 * the operator. What edges see may turn a member sooner (a nudge makes checks come closer, an
 * ejection needs none): the lower end of the range is how long such a surprise may last. A TTL that
 * the operator gave with `weir force` goes before that lower end, never above the upper.
 */

#include "base/addr.h"
#include "base/slice.h"
#include "core/board.h"
#include "dns/conf.h"
#include "pool/pool.h"
#include <stdbool.h>
#include <stdint.h>

/* ---- what is answered ---- */

/*
 * What clients of one network get. Data of a fixed size lie one behind the other; others each
 * behind their length, two bytes in network order, where offsets[i] says.
 */
struct record_variant {
    bool is_everybody; /* the last one; net means nothing then */
    struct addr_net net;
    uint32_t ttl_s;      /* of an empty answer too: its SOA's TTL is no longer than this */
    uint16_t n;          /* data; 0: there is no data of this type */
    uint16_t at_most;    /* so many of them, drawn anew for each answer; n: all */
    uint8_t rdata_bytes; /* 4 (A), 16 (AAAA), 0: any */
    bool is_shuffled;    /* in another order in each answer */
    const uint8_t *rdata;
    const uint32_t *offsets; /* n of them; NULL where rdata_bytes is set */
    /* Each next one is drawn among those that are left by these, 1..256; NULL: evenly. */
    const uint16_t *weights;
};

/* A member whose address, or name, is in an answer. */
struct record_served {
    const struct member *member;
    uint32_t ttl_s;
};

/* Immutable but for its count. */
struct record_answer {
    uint16_t type;
    uint16_t n_variants; /* at least 1: networks, the longest prefix first, then everybody's */
    const struct record_variant *variants;
    /* Loop 0's alone, and good as long as the snapshot: in any variant, once for each. */
    const struct record_served *served;
    uint32_t n_served;
    uint32_t n_refs;
};

/*
 * The variant for a client, and how many bits of its address decide so (RFC 7871 section 7.2.1;
 * 0 where the record has no networks). `from` of another family than the networks, or of none, gets
 * everybody's.
 */
const struct record_variant *record_answer_match(const struct record_answer *answer,
                                                 const struct addr *from, uint8_t *ret_scope_bits);

/* The i-th datum of a variant. */
struct slice record_variant_rdata(const struct record_variant *variant, uint16_t i);

/* ---- how it is made ---- */

#define RECORD_NO_TURN UINT32_MAX

/* A member as the board has it. */
struct record_member {
    const struct member *member;
    struct addr addr; /* in force; len 0: none */
    enum fact_state state;
    enum fact_state forced; /* by the operator: FACT_NONE, up, down (drained too), draining */
    bool is_node_drained;   /* the address is a node's own, and the node drains */
    uint32_t weight;        /* in force */
    uint32_t force_ttl_s;   /* RECORD_NO_TURN: none was given */
    uint32_t turn_s;        /* as said above; RECORD_NO_TURN: nothing turns it */
};

enum record_why {
    RECORD_OUT_UNUSED, /* another choice answers, this one was not looked at */
    RECORD_IN_UP,
    RECORD_IN_ALL,
    RECORD_IN_UNKNOWN,
    RECORD_IN_OPEN,
    RECORD_OUT_NO_ADDRESS, /* its name is not resolved yet */
    RECORD_OUT_FAMILY,     /* no address of this type */
    RECORD_OUT_DOWN,
    RECORD_OUT_UNKNOWN, /* somebody else is up */
    RECORD_OUT_DRAINING,
    RECORD_OUT_NODE, /* and no other node serves the address */
    RECORD_OUT_FORCED,
    RECORD_OUT_WEIGHT,
    RECORD_OUT_BACKUP,
    RECORD_OUT_NOT_FIRST,
    RECORD_N_WHYS
};

static inline bool record_is_in(enum record_why why)
{
    return why >= RECORD_IN_UP && why <= RECORD_IN_OPEN;
}

/* "up", "down, but too few are up: the record fails open". */
const char *record_why_text(enum record_why why);

/*
 * Who of a choice's pool is answered: members[i] and ret_whys[i] are of pool->members[i]. With
 * `is_open` nobody of any choice is up, and this one fails open. Returns how many are.
 */
uint32_t record_choose(const struct record_conf *record, const struct record_choice *choice,
                       const struct record_member *members, bool is_open,
                       enum record_why *ret_whys);

/* The facts of a pool's members, in their order. */
typedef const struct record_member *record_facts_fn(void *ctx, const struct pool *pool);

#define RECORD_NO_CHOICE UINT32_MAX

/* What a branch answers and why, for whoever makes or explains it. */
struct record_outcome {
    uint32_t choice; /* RECORD_NO_CHOICE: nobody of any */
    bool is_open;    /* nobody is up, and the choice fails open */
    uint32_t n;
    uint32_t ttl_s;
    /* What bounds it beside the record's range: the least turn_s and force_ttl_s of the members
     * that were looked at, or RECORD_NO_TURN. */
    uint32_t turn_s, force_s;
    enum record_why whys[RECORD_CHOICES_MAX][POOL_MEMBERS_MAX];
};

void record_outcome_make(const struct record_conf *record, const struct record_branch *branch,
                         record_facts_fn *facts, void *ctx, struct record_outcome *ret_outcome);

/* What the record answers now, with one reference; `zone` is its zone. */
struct record_answer *record_answer_make(const struct record_conf *record,
                                         const struct zone_conf *zone, record_facts_fn *facts,
                                         void *ctx);
struct record_answer *record_answer_ref(struct record_answer *answer);
/* The last one frees it. Sets *answer to NULL. */
void record_answer_unref(struct record_answer **answer);
/* Do both say the same to everybody? */
bool record_answer_equal(const struct record_answer *a, const struct record_answer *b);

/* ---- names of members ---- */

/*
 * SRV, HTTPS and SVCB name a host: the record's `target`, or the member's own host name, or where
 * it has an address only, MEMBER.POOL in the zone. For those last ones the zone holds an A or AAAA
 * record each: calls fn for each, and returns -1 as soon as fn does.
 */
typedef int record_target_fn(void *ctx, struct slice owner, uint16_t type, uint32_t ttl_s,
                             struct slice rdata, struct conf_at at);
int record_targets(const struct zone_conf *zone, record_target_fn *fn, void *ctx);
/* The name in wire form; 0, or -1 with a sentence where it is too long. */
int record_target(const struct record_conf *record, const struct zone_conf *zone,
                  const struct member *member, uint8_t ret_name[255], size_t *ret_len,
                  struct err *err);

#endif

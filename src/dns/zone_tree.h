/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DNS_ZONE_TREE_H
#define DNS_ZONE_TREE_H

/*
 * What a finished zone looks like in memory; for the files of dns/zone*, dns/answer* and
 * dns/explain* alone.
 *
 * A node is a name that exists: one with records, or one that only has names below it (an empty
 * non-terminal). A node, its RRsets, their data and its name lie in one block, so that a query
 * touches two places: the slot of the table and the block.
 *
 *     | struct zone_node | struct zone_rrset ... | name | data of each RRset |
 *
 *     data: | length 16 | bytes | length 16 | bytes | ...    as many as the RRset has records
 *           | path 16 | line 32 |                            where the first of them was written
 *
 * Nobody who answers reads the place; who explains an answer does.
 *
 * The table is open addressing over all zones of the set. The closest encloser of a name is found
 * by looking up its parents, the longest first; a node knows the wildcard below it, or the cut that
 * it lies below, so that nothing else is looked up. Where a zone of the set lies within another
 * one, the outer one's nodes from there on are *shadowed*: only who looks within that zone finds
 * them (DS at the cut, glue).
 *
 * A ready body is what follows the question of an answer. It was written behind the question
 * `base`; behind a longer or shorter name every compression pointer but the one to the question
 * itself moves by the difference.
 *
 *     | header | question      | answer | authority | additional |
 *     0        12              ^------------- body --------------^
 *              ^- c00c stays   ^- all others move
 *
 * A CNAME that leads to others has a second body with all of them, for who asks for another type.
 * Behind the body of a CNAME come the records of its target, owned by the name in its data, or the
 * zone's body for what is not there; then pointers into the latter's own bytes move on by those of
 * the CNAME too.
 *
 * RRsets whose data hold no name that compresses and lead to no addresses need none: their answer
 * is written from the data as fast. Signatures will stand in the body, behind the RRset that they
 * cover, made when the body is.
 */

#include "base/arena.h"
#include "base/slice.h"
#include "dns/zone.h"
#include "wire/dns.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What follows a CNAME in answers for other types. */
enum zone_way {
    ZONE_WAY_UNREADY, /* it is found when it is asked for */
    ZONE_ENDS,        /* nothing: the name in it is not in its zone, or leads back */
    ZONE_LEADS,       /* what a node of its zone has */
    ZONE_CHAINS,      /* further CNAMEs: there is a body with all of them */
};

struct zone_body {
    uint16_t n_records[DNS_N_SECTIONS]; /* [DNS_QUESTION] is 0 */
    uint16_t base_len;                  /* of the question's name that it was written behind */
    uint16_t size_bytes;
    uint16_t n_pointers;
    uint16_t rdata_at; /* a CNAME's: the data of its last record */
    union {
        const struct zone_node *target; /* ZONE_LEADS: a wildcard, where that stands for the name */
        const struct zone_body *chain;  /* ZONE_CHAINS: it LEADS or ENDS itself */
    };
    uint8_t way; /* a CNAME's: enum zone_way */
    /* Offsets of the pointers that move, from the body's start, two bytes each; then the bytes. */
    uint16_t pointers[];
};

static inline const uint8_t *zone_body_bytes(const struct zone_body *body)
{
    return (const uint8_t *)(body->pointers + body->n_pointers);
}

struct zone_rrset {
    uint16_t type;
    uint16_t n; /* records; 0: a place that a pool's record fills */
    union {
        uint32_t ttl_s;        /* n > 0 */
        uint32_t record_index; /* n == 0 */
    };
    const uint8_t *data;
    const struct zone_body *body; /* NULL: written when it is asked for */
};

enum zone_node_flag {
    ZONE_APEX = 1,
    ZONE_CUT = 2,       /* a delegation: NS, and not the apex */
    ZONE_BELOW_CUT = 4, /* glue, or never answered */
    ZONE_HAS_DNAME = 8,
    ZONE_HAS_CNAME = 16,
    ZONE_SHADOWED = 32,
    ZONE_WILDCARD = 64, /* its first label is "*" */
};

struct zone_node {
    struct zone *zone;
    union {
        const struct zone_node *wildcard; /* "*" below it, or NULL */
        const struct zone_node *cut;      /* ZONE_BELOW_CUT; ZONE_CUT: itself */
    };
    const uint8_t *name; /* letters small */
    uint8_t name_len;
    uint8_t n_labels;
    uint8_t flags;
    uint16_t n_rrsets;
    struct zone_rrset rrsets[]; /* by type, ascending */
};

struct zone {
    struct arena arena;
    struct zone_node **nodes; /* all, [0] is the apex */
    size_t n_nodes;
    const char **paths; /* of the files that its records stand in */
    size_t n_paths;
    size_t n_records;
    unsigned max_labels; /* of its names */
    bool has_inner;      /* another zone of the set lies within it */
    uint32_t serial;
    uint32_t negative_ttl_s;          /* the lesser of the SOA's TTL and its minimum, RFC 2308 */
    const struct zone_body *negative; /* the SOA in the authority section; made by the set */
};

static inline struct slice zone_node_name(const struct zone_node *node)
{
    return slice_make((const char *)node->name, node->name_len);
}

/* NULL: no such type here. */
static inline const struct zone_rrset *zone_node_find(const struct zone_node *node, uint16_t type)
{
    for (size_t i = 0; i < node->n_rrsets; i++) {
        if (node->rrsets[i].type == type)
            return &node->rrsets[i];
    }
    return NULL;
}

/* Walks an RRset's data: *cursor begins as rrset->data; n calls, each the next record's data. */
static inline struct slice zone_data_next(const uint8_t **cursor)
{
    const uint8_t *at = *cursor;
    size_t len = dns_get16(at);
    *cursor = at + 2 + len;
    return slice_make((const char *)at + 2, len);
}

enum { ZONE_PLACE_BYTES = 6 };

/* Where an RRset was written; path NULL: nobody said. It lives as long as the zone. */
struct zone_at zone_rrset_at(const struct zone *zone, const struct zone_rrset *rrset);

/* What a name leads to. */
struct zone_found {
    const struct zone_node *node; /* the name's own, or its closest encloser; NULL: not ours */
    bool is_exact;
};

/* `name` has letters made small. */
struct zone_found zone_set_find(const struct zone_set *set, struct slice name, unsigned n_labels);
/* The same within one zone, shadowed nodes too; the name lies in it. */
struct zone_found zone_set_find_in(const struct zone_set *set, const struct zone *zone,
                                   struct slice name, unsigned n_labels);
/* The zone around an apex, or NULL. */
const struct zone *zone_set_outer(const struct zone_set *set, const struct zone *zone);

#endif

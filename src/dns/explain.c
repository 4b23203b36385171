/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Why a name is answered as it is.
 */

#include "dns/explain.h"

#include "base/mem.h"
#include "dns/record_set.h"
#include "wire/dns.h"
#include "wire/dns_name.h"
#include "wire/dns_rdata.h"
#include <stdio.h>

struct question {
    uint8_t bytes[DNS_NAME_MAX];
    struct slice name; /* in bytes, letters small */
    uint16_t type;
    const struct zone_conf *zone;
};

static int read_question(const struct dns_conf *conf, struct slice text, struct question *question,
                         struct err *err)
{
    struct slice rest = text, name = slice_cut(&rest, ' ');
    size_t len;
    if (rest.ptr == NULL || dns_type_read(rest, &question->type) < 0)
        return err_set(err, "a name and a type, as in \"www.example.org A\"");
    if (dns_name_read(name, DNS_ROOT, question->bytes, &len, err) < 0)
        return -1;
    question->name = slice_make((const char *)question->bytes, len);
    dns_name_fold(question->name, question->bytes);
    question->zone = NULL;
    for (size_t i = 0; i < conf->zone_list.n_items; i++) {
        const struct zone_conf *zone = conf->zone_list.items[i];
        if (dns_name_ends(question->name, zone->origin) &&
            (!question->zone || zone->origin.len > question->zone->origin.len))
            question->zone = zone;
    }
    if (!question->zone)
        return err_set(err, "no zone holds %.*s: it is refused", SLICE_ARG(name));
    return 0;
}

/* ---- which record ---- */

static bool is_at(const struct record_conf *record, struct slice owner)
{
    return dns_name_equal(record->owner, owner);
}

static bool has_owner(const struct zone_conf *zone, struct slice owner)
{
    for (uint32_t i = 0; i < zone->n_records; i++) {
        if (is_at(zone->records[i], owner))
            return true;
    }
    return false;
}

/* The owner whose records count: the name's own, or the nearest wildcard's (RFC 4592). Its bytes
 * are written to `space`. */
static struct slice owner_of(const struct question *question, uint8_t space[DNS_NAME_MAX])
{
    struct slice above = question->name;
    if (has_owner(question->zone, question->name))
        return question->name;
    while (above.len > question->zone->origin.len) {
        above = dns_name_parent(above);
        if (above.len + 2 > DNS_NAME_MAX)
            continue;
        space[0] = 1;
        space[1] = '*';
        memcpy(space + 2, above.ptr, above.len);
        struct slice wildcard = slice_make((const char *)space, above.len + 2);
        if (has_owner(question->zone, wildcard))
            return wildcard;
    }
    return question->name;
}

static const struct record_conf *find(const struct zone_conf *zone, struct slice owner,
                                      uint16_t type)
{
    for (uint32_t i = 0; i < zone->n_records; i++) {
        if (zone->records[i]->type == type && is_at(zone->records[i], owner))
            return zone->records[i];
    }
    return NULL;
}

/* ---- saying it ---- */

static void put(struct json *json, const char *key, const char *value)
{
    json_key(json, key);
    json_cstr(json, value);
}

static void put_rdata(struct json *json, uint16_t type, struct slice rdata)
{
    struct text text = TEXT_NONE;
    dns_rdata_show(type, rdata, &text);
    json_slice(json, text_slice(&text));
    text_deinit(&text);
}

static void put_variant(struct json *json, uint16_t type, const struct record_variant *variant)
{
    json_key(json, "answer");
    json_array_begin(json);
    for (uint16_t i = 0; i < variant->n; i++)
        put_rdata(json, type, record_variant_rdata(variant, i));
    json_array_end(json);
    json_key(json, "at_most");
    json_uint(json, variant->at_most);
}

static void put_member(struct json *json, const struct board *board,
                       const struct record_member *member, enum record_why why)
{
    char addr[ADDR_TEXT_MAX];
    struct fact fact;
    struct fact_ref ref = board_find(board, member->member->fact);
    bool is_known = ref.is_set && board_read(board, ref, &fact);
    json_object_begin(json);
    put(json, "member", member->member->label);
    put(json, "address", addr_format_ip(&member->addr, addr));
    put(json, "state", fact_state_name(member->state));
    json_key(json, "weight");
    json_uint(json, member->weight);
    json_key(json, "in");
    json_bool(json, record_is_in(why));
    put(json, "why", record_why_text(why));
    put(json, "reason", is_known ? fact.reason : "not judged yet");
    if (member->turn_s != RECORD_NO_TURN) {
        json_key(json, "turn_seconds");
        json_uint(json, member->turn_s);
    }
    json_object_end(json);
}

static void put_choice(struct json *json, const struct board *board,
                       const struct record_choice *choice, const struct record_member *members,
                       const enum record_why *whys, bool is_answered)
{
    char name[64];
    slice_copy(choice->pool->name, name, sizeof(name));
    json_object_begin(json);
    put(json, "pool", name);
    put(json, "mode", choice->mode == RECORD_ALL ? "all" : "healthy");
    json_key(json, "answers");
    json_bool(json, is_answered);
    json_key(json, "members");
    json_array_begin(json);
    for (uint32_t i = 0; i < choice->pool->n_members; i++)
        put_member(json, board, &members[i], whys[i]);
    json_array_end(json);
    json_object_end(json);
}

static const struct record_branch *branch_of(const struct record_conf *record,
                                             const struct record_variant *variant)
{
    for (uint32_t i = 0; i < record->n_branches; i++) {
        const struct record_branch *branch = &record->branches[i];
        if (branch->is_everybody == variant->is_everybody &&
            (branch->is_everybody || (branch->net.n_bits == variant->net.n_bits &&
                                      addr_equal(&branch->net.base, &variant->net.base))))
            return branch;
    }
    return &record->branches[record->n_branches - 1];
}

static void put_pools(struct json *json, const struct board *board, struct record_set *set,
                      const struct record_conf *record, const struct record_branch *branch)
{
    struct record_outcome *outcome = MEM_NEW(struct record_outcome);
    record_outcome_make(record, branch, record_set_facts, set, outcome);
    json_key(json, "fails_open");
    json_bool(json, outcome->is_open);
    json_key(json, "pools");
    json_array_begin(json);
    for (uint32_t i = 0; i < branch->n_choices; i++) {
        const struct record_choice *choice = &branch->choices[i];
        put_choice(json, board, choice, record_set_facts(set, choice->pool), outcome->whys[i],
                   outcome->choice == i);
    }
    json_array_end(json);
    mem_free(outcome);
}

static void explain_pools(const struct snapshot *snap, const struct dns_conf *conf,
                          const struct board *board, const struct record_conf *record,
                          const struct addr *from, struct json *json)
{
    struct record_set *set = record_set_create(snap, conf, board);
    const struct record_answer *answer = record_set_view(set)->answers[record->index];
    uint8_t scope_bits;
    const struct record_variant *variant = record_answer_match(answer, from, &scope_bits);
    put(json, "source", "pools");
    json_key(json, "ttl");
    json_uint(json, variant->ttl_s);
    json_key(json, "scope_bits");
    json_uint(json, scope_bits);
    put_variant(json, record->type, variant);
    put_pools(json, board, set, record, branch_of(record, variant));
    record_set_destroy(&set);
}

static void explain_values(const struct question *question, struct slice owner, uint16_t type,
                           struct json *json)
{
    put(json, "source", type == question->type ? "values" : "alias");
    json_key(json, "ttl");
    json_uint(json, find(question->zone, owner, type)->ttl_max_s);
    json_key(json, "answer");
    json_array_begin(json);
    for (uint32_t i = 0; i < question->zone->n_records; i++) {
        const struct record_conf *record = question->zone->records[i];
        if (record->type != type || !is_at(record, owner))
            continue;
        for (uint32_t k = 0; k < record->n_rdatas; k++)
            put_rdata(json, type, record->rdatas[k]);
    }
    json_array_end(json);
}

static void put_question(const struct question *question, struct json *json)
{
    char name[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    dns_name_show(question->name, name);
    put(json, "name", name);
    put(json, "type", dns_type_show(question->type, type));
    dns_name_show(question->zone->origin, name);
    put(json, "zone", name);
}

static void put_place(const struct snapshot *snap, const struct record_conf *record,
                      struct json *json)
{
    struct text text = TEXT_NONE;
    put(json, "at", conf_at_format(snap->files, record->at, &text));
    text_deinit(&text);
}

int dns_explain(const struct snapshot *snap, const struct dns_conf *conf, const struct board *board,
                const struct explain_ask *ask, struct json *json, struct err *err)
{
    struct question question;
    uint8_t space[DNS_NAME_MAX];
    if (!slice_is(SLICE("dns"), ask->kind))
        return 1;
    if (read_question(conf, ask->text, &question, err) < 0)
        return -1;
    struct slice owner = owner_of(&question, space);
    const struct record_conf *record = find(question.zone, owner, question.type);
    const struct record_conf *alias = find(question.zone, owner, DNS_CNAME);
    put_question(&question, json);
    if (!record)
        record = alias;
    if (record)
        put_place(snap, record, json);
    if (record && record_is_from_pools(record))
        explain_pools(snap, conf, board, record, &ask->from, json);
    else if (record)
        explain_values(&question, owner, record->type, json);
    else
        put(json, "source", question.zone->file_list.n_items ? "file" : "none");
    return 0;
}

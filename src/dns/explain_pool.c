/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Why a record from pools answers as it does: each member in or out, and what bounds the TTL.
 */

#include "dns/explain.h"

#include "base/mem.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>

static void put_member(struct json *json, const struct board *board,
                       const struct record_member *member, enum record_why why)
{
    char addr[ADDR_TEXT_MAX];
    struct fact fact;
    struct fact_ref ref = board_find(board, member->member->fact);
    bool is_known = ref.is_set && board_read(board, ref, &fact);
    json_object_begin(json);
    explain_put(json, "member", member->member->label);
    explain_put(json, "address", addr_format_ip(&member->addr, addr));
    explain_put(json, "state", fact_state_name(member->state));
    explain_put_number(json, "weight", member->weight);
    json_key(json, "in");
    json_bool(json, record_is_in(why));
    explain_put(json, "why", record_why_text(why));
    explain_put(json, "reason", is_known ? fact.reason : "not judged yet");
    if (member->turn_s != RECORD_NO_TURN)
        explain_put_number(json, "turn_seconds", member->turn_s);
    json_object_end(json);
}

static void put_choice(struct json *json, const struct board *board,
                       const struct record_choice *choice, const struct record_member *members,
                       const enum record_why *whys, bool is_answered)
{
    json_object_begin(json);
    json_key(json, "pool");
    json_slice(json, choice->pool->name);
    explain_put(json, "mode", choice->mode == RECORD_ALL ? "all" : "healthy");
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

static void put_ttl(struct json *json, const struct record_conf *record,
                    const struct record_outcome *outcome)
{
    uint32_t min_s = record->ttl_min_s, max_s = record->ttl_max_s, turn_s = outcome->turn_s;
    struct text text = TEXT_NONE;
    explain_put_number(json, "ttl", outcome->ttl_s);
    if (outcome->force_s <= outcome->ttl_s)
        text_printf(&text, "the operator gave it with a force");
    else if (turn_s == RECORD_NO_TURN)
        text_printf(&text, "no check turns what is answered: the record's longest");
    else if (turn_s < min_s)
        text_printf(&text, "checks may turn a member in %" PRIu32 " s: the record's shortest",
                    turn_s);
    else if (turn_s > max_s)
        text_printf(&text, "checks need %" PRIu32 " s to turn a member: the record's longest",
                    turn_s);
    else
        text_printf(&text, "checks need so long to turn a member");
    explain_put(json, "ttl_why", text_cstr(&text));
    text_deinit(&text);
}

void explain_pool(const struct explain_source *source, const struct zone_rrset *rrset,
                  const struct addr *from, struct json *json)
{
    const struct record_conf *record = source->conf->pool_records[rrset->record_index];
    struct record_outcome *outcome = MEM_NEW(struct record_outcome);
    uint8_t scope_bits;
    const struct record_variant *variant =
        record_answer_match(source->view->answers[rrset->record_index], from, &scope_bits);
    const struct record_branch *branch = branch_of(record, variant);
    record_outcome_make(record, branch, record_set_facts, source->records, outcome);
    put_ttl(json, record, outcome);
    explain_put_number(json, "scope_bits", scope_bits);
    explain_put_number(json, "data", variant->n);
    explain_put_number(json, "at_most", variant->at_most);
    json_key(json, "fails_open");
    json_bool(json, outcome->is_open);
    json_key(json, "pools");
    json_array_begin(json);
    for (uint32_t i = 0; i < branch->n_choices; i++) {
        const struct record_choice *choice = &branch->choices[i];
        put_choice(json, source->board, choice, record_set_facts(source->records, choice->pool),
                   outcome->whys[i], outcome->choice == i);
    }
    json_array_end(json);
    mem_free(outcome);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A question is put to a desk of its own, and its response read again; then the steps that led to
 * it are told.
 */

#include "dns/explain.h"

#include "base/mem.h"
#include "base/text.h"
#include "conf/bundle.h"
#include "dns/answer_compose.h"
#include "dns/count.h"
#include "dns/policy.h"
#include "dns/zones.h"
#include "wire/dns_name.h"
#include "wire/dns_read.h"
#include <assert.h>
#include <stdio.h>

/* A question, what was answered, and how that came about. */
struct telling {
    const struct explain_source *source;
    struct addr from;
    struct answer_view view;
    uint8_t packet[DNS_HEADER_BYTES + DNS_QUESTION_MAX];
    struct dns_query query;
    uint8_t message[DNS_MESSAGE_MAX];
    size_t len;
    uint8_t space[DNS_MESSAGE_MAX]; /* for the answer that is traced */
    struct answer_facts facts;
    struct answer_trace trace;
    metric_word row[DNS_WORDS];
};

static int read_question(struct telling *telling, struct slice text, struct err *err)
{
    struct slice name = slice_cut(&text, ' ');
    uint8_t *at = telling->packet + DNS_HEADER_BYTES;
    uint16_t type;
    size_t len;
    if (text.ptr == NULL || dns_type_read(text, &type) < 0)
        return err_set(err, "a name and a type, as in \"www.example.org A\"");
    if (dns_name_read(name, DNS_ROOT, at, &len, err) < 0)
        return -1;
    dns_put16(telling->packet + 4, 1);
    dns_put16(at + len, type);
    dns_put16(at + len + 2, DNS_CLASS_IN);
    struct slice packet = slice_make((const char *)telling->packet, DNS_HEADER_BYTES + len + 4);
    if (dns_query_parse(packet, &telling->query) != DNS_OK)
        return err_set(err, "%.*s is no question", SLICE_ARG(text));
    return 0;
}

/* ---- asking ---- */

static void ask_desk(struct telling *telling)
{
    struct dns_desk *desk = MEM_NEW(struct dns_desk);
    size_t question = telling->query.question.len;
    desk->view = &telling->view;
    desk->row = telling->row;
    desk->edns_bytes = DNS_UDP_EDNS;
    rng_init(&desk->rng, 1);
    const struct desk_ask ask = {
        .packet = slice_make((const char *)telling->packet, DNS_HEADER_BYTES + question),
        .from = &telling->from,
        .is_tcp = true,
    };
    telling->len = desk_answer(desk, &ask, telling->message);
    assert(telling->len > 0);
    mem_free(desk);
}

/* Types that are no data are answered without a look at a zone, but for ANY (policy.c). */
static void trace(struct telling *telling)
{
    struct answer_compose *compose;
    struct dns_query *query = &telling->query;
    uint16_t type = query->type;
    if (dns_type_is_meta(type) && type != DNS_ANY)
        return;
    compose = MEM_NEW(struct answer_compose);
    compose->zones = telling->view.zones;
    compose->records = telling->view.records;
    compose->from = &telling->from;
    compose->random = 1;
    compose->facts.record_index = ANSWER_NO_RECORD;
    compose->trace = &telling->trace;
    dns_writer_init(&compose->out, telling->space, sizeof(telling->space));
    dns_write_header(&compose->out, query->id, 0);
    dns_write_question(&compose->out, query->question);
    query->type = type == DNS_ANY ? DNS_HINFO : type;
    answer_compose(compose, query);
    query->type = type;
    telling->facts = compose->facts;
    mem_free(compose);
}

/* ---- what is answered ---- */

static void put_name(struct json *json, const char *key, struct slice name)
{
    char text[DNS_NAME_TEXT_MAX];
    dns_name_show(name, text);
    explain_put(json, key, text);
}

static void put_type(struct json *json, uint16_t type)
{
    char text[DNS_TYPE_TEXT_MAX];
    explain_put(json, "type", dns_type_show(type, text));
}

static void put_record(struct json *json, struct slice message, const struct dns_record *record)
{
    uint8_t *rdata = mem_alloc(DNS_RDATA_MAX);
    struct text text = TEXT_NONE;
    int len = dns_read_rdata(message, record, rdata);
    assert(len >= 0);
    dns_rdata_show(record->type, slice_make((const char *)rdata, (size_t)len), &text);
    json_object_begin(json);
    put_name(json, "name", dns_record_name(record));
    explain_put_number(json, "ttl", record->ttl_s);
    put_type(json, record->type);
    json_key(json, "data");
    json_slice(json, text_slice(&text));
    json_object_end(json);
    text_deinit(&text);
    mem_free(rdata);
}

static void put_sections(struct json *json, struct slice message)
{
    static const char *const keys[] = {
        [DNS_ANSWER] = "answer", [DNS_AUTHORITY] = "authority", [DNS_ADDITIONAL] = "additional"};
    for (int section = DNS_ANSWER; section < DNS_N_SECTIONS; section++) {
        struct dns_reader reader;
        struct dns_record record;
        json_key(json, keys[section]);
        json_array_begin(json);
        dns_reader_init(&reader, message);
        while (dns_read_record(&reader, &record) > 0) {
            if (record.section == (enum dns_section)section)
                put_record(json, message, &record);
        }
        json_array_end(json);
    }
}

static void put_answer(const struct telling *telling, struct json *json)
{
    struct slice message = slice_make((const char *)telling->message, telling->len);
    uint16_t flags = dns_get16(telling->message + 2);
    char rcode[DNS_RCODE_TEXT_MAX];
    put_name(json, "name", slice_make(telling->query.question.ptr, telling->query.name_len));
    put_type(json, telling->query.type);
    explain_put(json, "rcode", dns_rcode_show(flags & DNS_RCODE_MASK, rcode));
    json_key(json, "is_authoritative");
    json_bool(json, flags & DNS_AA);
    explain_put_number(json, "bytes", telling->len);
    if (telling->facts.zone)
        put_name(json, "zone", zone_origin(telling->facts.zone));
    put_sections(json, message);
}

/* ---- why ---- */

static const char *const results[] = {
    [ANSWER_FOUND] = "found",     [ANSWER_ALIAS] = "alias",     [ANSWER_DNAME] = "dname",
    [ANSWER_NO_DATA] = "no-data", [ANSWER_NO_NAME] = "no-name", [ANSWER_REFERRAL] = "referral",
};

static bool is_by_wildcard(const struct answer_step *step)
{
    return !step->is_exact && (step->kind == ANSWER_FOUND || step->kind == ANSWER_ALIAS ||
                               step->kind == ANSWER_NO_DATA);
}

static void tell_types(const struct zone_node *node, struct text *out)
{
    char type[DNS_TYPE_TEXT_MAX];
    for (size_t i = 0; i < node->n_rrsets; i++)
        text_printf(out, "%s%s", i ? ", " : "", dns_type_show(node->rrsets[i].type, type));
}

static void tell_no_data(const struct answer_step *step, struct text *out)
{
    const struct zone_node *node = step->is_exact ? step->node : step->node->wildcard;
    if (node->n_rrsets == 0) {
        text_append(out, SLICE("there only because there are names below it, it has no records"));
        return;
    }
    text_append(out, SLICE("no records of this type: it has "));
    tell_types(node, out);
}

static void tell_step(const struct answer_step *step, struct text *out)
{
    switch (step->kind) {
    case ANSWER_FOUND:
        text_append(out, SLICE("records of this type"));
        break;
    case ANSWER_ALIAS:
        text_append(out, SLICE("another name for something: a CNAME"));
        break;
    case ANSWER_DNAME:
        text_append(out,
                    SLICE("not there, and what lies below the DNAME above it has other names"));
        break;
    case ANSWER_NO_DATA:
        tell_no_data(step, out);
        break;
    case ANSWER_NO_NAME:
        text_append(out, SLICE("not there, and no wildcard stands for it"));
        break;
    case ANSWER_REFERRAL:
        text_append(out, SLICE("delegated to other servers"));
        break;
    }
    if (is_by_wildcard(step))
        text_append(out, SLICE(", by the wildcard that stands for what is not there"));
}

/* Of the last step, where it is an alias that nobody followed. */
static void tell_end(enum answer_end end, struct text *out)
{
    static const char *const texts[] = {
        [ANSWER_ENDS] = "",
        [ANSWER_LEAVES] = "; where it leads is not in this zone",
        [ANSWER_LOOPS] = "; it leads back to a name that was met before",
        [ANSWER_TOO_MANY] = "; it is the last that is followed",
    };
    text_printf(out, "%s", texts[end]);
}

static void put_place(struct json *json, const struct zone *zone, const struct zone_rrset *rrset)
{
    struct zone_at at = zone_rrset_at(zone, rrset);
    struct text text = TEXT_NONE;
    if (!at.path)
        return;
    text_printf(&text, "%s:%u", at.path, at.line);
    explain_put(json, "at", text_cstr(&text));
    text_deinit(&text);
}

static void put_rrset(const struct telling *telling, const struct answer_step *step,
                      struct json *json)
{
    put_type(json, step->rrset->type);
    put_place(json, step->node->zone, step->rrset);
    if (step->rrset->n > 0) {
        explain_put_number(json, "ttl", step->rrset->ttl_s);
        explain_put(json, "ttl_why", "as it is written");
    } else {
        explain_pool(telling->source, step->rrset, &telling->from, json);
    }
}

static void put_negative(struct json *json, const struct zone *zone)
{
    explain_put_number(json, "ttl", zone->negative_ttl_s);
    explain_put(json, "ttl_why", "the lesser of the SOA's TTL and its minimum");
}

static void put_step(const struct telling *telling, unsigned i, struct json *json)
{
    const struct answer_step *step = &telling->trace.steps[i];
    struct text why = TEXT_NONE;
    tell_step(step, &why);
    if (i + 1 == telling->trace.n)
        tell_end(telling->trace.end, &why);
    json_object_begin(json);
    put_name(json, "name", slice_make((const char *)step->name, step->name_len));
    explain_put(json, "result", results[step->kind]);
    explain_put(json, "why", text_cstr(&why));
    if (step->kind == ANSWER_REFERRAL)
        put_name(json, "cut", zone_node_name(step->node->cut));
    else if (!step->is_exact)
        put_name(json, "closest", zone_node_name(step->node));
    if (is_by_wildcard(step))
        put_name(json, "wildcard", zone_node_name(step->node->wildcard));
    if (step->rrset)
        put_rrset(telling, step, json);
    else
        put_negative(json, step->node->zone);
    json_object_end(json);
    text_deinit(&why);
}

int dns_explain(const struct explain_source *source, const struct explain_ask *ask,
                struct json *json, struct err *err)
{
    struct telling *telling = MEM_NEW(struct telling);
    telling->source = source;
    telling->from = ask->from;
    telling->view =
        (struct answer_view){.zones = source->zones,
                             .records = (const struct record_answer *const *)source->view->answers};
    int result = read_question(telling, ask->text, err);
    if (result == 0) {
        ask_desk(telling);
        trace(telling);
        put_answer(telling, json);
        json_key(json, "steps");
        json_array_begin(json);
        for (unsigned i = 0; i < telling->trace.n; i++)
            put_step(telling, i, json);
        json_array_end(json);
    }
    mem_free(telling);
    return result;
}

/* ---- of a file ---- */

static struct slice bundle_bytes(void *ctx, const char *name)
{
    const struct conf_bundle *const *files = ctx;
    return conf_bundle_blob(*files, name);
}

int dns_explain_conf(const struct snapshot *snap, const struct dns_conf *conf,
                     const struct board *board, const struct explain_ask *ask, struct json *json,
                     struct err *err)
{
    const struct conf_bundle *files = ask->files;
    if (!files)
        return err_set(err, "the zone files are not at hand here");
    const struct zones_options options = {
        .snap = snap,
        .conf = conf,
        .bytes = bundle_bytes,
        .bytes_ctx = &files,
        .wall_s = 1, /* a serial that is a time: of the server that reads the zone, and none does */
    };
    struct zones *zones = zones_make(&options, NULL, err);
    if (!zones)
        return -1;
    struct record_set *records = record_set_create(snap, conf, board);
    const struct explain_source source = {
        .conf = conf,
        .board = board,
        .zones = zones->set,
        .records = records,
        .view = record_set_view(records),
    };
    int result = dns_explain(&source, ask, json, err);
    record_set_destroy(&records);
    zones_destroy(&zones);
    return result;
}

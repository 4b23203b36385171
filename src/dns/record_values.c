/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The values of records as they stand in the file: text into data.
 */

#include "dns/record_check.h"

#include "base/mem.h"
#include "wire/dns_rdata.h"

static bool is_each_quoted(const struct record_conf *record)
{
    for (uint32_t i = 0; i < record->n_values; i++) {
        if (!record->values[i].is_quoted)
            return false;
    }
    return true;
}

/* What a value means is what the file's own language says: no escape of zone files is in it. */
static struct dns_token plain_token(const struct conf_token *value, struct arena *arena)
{
    struct slice text = value->text;
    char *out = arena_alloc(arena, 2 * text.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\\' || text.ptr[i] == '"')
            out[len++] = '\\';
        out[len++] = text.ptr[i];
    }
    return (struct dns_token){.text = {out, len}, .is_quoted = value->is_quoted};
}

static int keep_rdata(const struct record_checker *checker, struct record_conf *record, int result,
                      const uint8_t *data, size_t len, struct conf_at at, const struct err *err)
{
    if (result < 0)
        return conf_error(checker->load->diag, at, NULL, "%s", err->text);
    struct slice rdata = arena_dup(checker->load->arena, slice_make((const char *)data, len));
    for (uint32_t i = 0; i < record->n_rdatas; i++) {
        if (slice_equal(record->rdatas[i], rdata))
            return conf_error(checker->load->diag, at, NULL, "the same value stands here twice");
    }
    record->rdatas[record->n_rdatas++] = rdata;
    return 0;
}

/* One record of the values from `first` on, n of them. */
static int read_tokens(const struct record_checker *checker, struct record_conf *record,
                       uint32_t first, uint32_t n)
{
    uint8_t data[DNS_RDATA_MAX];
    size_t len = 0;
    struct err err = ERR_NONE;
    struct dns_token *tokens = ARENA_NEW_ARRAY(checker->load->arena, struct dns_token, n);
    bool is_text = record->type == DNS_TXT || record->type == DNS_SPF;
    for (uint32_t i = 0; i < n; i++) {
        const struct conf_token *value = &record->values[first + i];
        tokens[i] = is_text ? plain_token(value, checker->load->arena)
                            : (struct dns_token){value->text, value->is_quoted};
    }
    int result = dns_rdata_read(record->type, tokens, n, checker->zone->origin, data, sizeof(data),
                                &len, &err);
    return keep_rdata(checker, record, result, data, len, record->values[first].at, &err);
}

/* One record of a quoted value, as a zone file has it. */
static int read_line(const struct record_checker *checker, struct record_conf *record,
                     const struct conf_token *value)
{
    uint8_t data[DNS_RDATA_MAX];
    size_t len = 0;
    struct err err = ERR_NONE;
    int result = dns_rdata_read_line(record->type, value->text, checker->zone->origin, data,
                                     sizeof(data), &len, &err);
    return keep_rdata(checker, record, result, data, len, value->at, &err);
}

int record_values_check(const struct record_checker *checker, struct record_conf *record)
{
    record->rdatas = ARENA_NEW_ARRAY(checker->load->arena, struct slice, record->n_values);
    if (record->type == DNS_SOA)
        return conf_error(checker->load->diag, record->at, "soa ns1 hostmaster",
                          "a zone has one SOA, by its word soa");
    bool is_text = record->type == DNS_TXT || record->type == DNS_SPF;
    int result = 0;
    if (is_text || (!record_is_address(record->type) && !is_each_quoted(record)))
        return read_tokens(checker, record, 0, record->n_values);
    for (uint32_t i = 0; i < record->n_values; i++) {
        int rc = record_is_address(record->type) ? read_tokens(checker, record, i, 1)
                                                 : read_line(checker, record, &record->values[i]);
        result = rc < 0 ? -1 : result;
    }
    return result;
}

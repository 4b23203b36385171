/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the records of a zone say, beside its name and the pools: owners, values, times.
 */

#include "dns/record_check.h"

#include "base/mem.h"
#include "wire/dns_name.h"

static int read_name(const struct record_checker *checker, struct slice text, struct conf_at at,
                     struct slice *ret_name)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    struct err err = ERR_NONE;
    if (dns_name_read(text, checker->zone->origin, name, &len, &err) < 0)
        return conf_error(checker->load->diag, at, NULL, "%s", err.text);
    *ret_name = arena_dup(checker->load->arena, slice_make((const char *)name, len));
    return 0;
}

static int check_owner(const struct record_checker *checker, struct record_conf *record)
{
    if (read_name(checker, record->stmt->tokens[1].text, record->at, &record->owner) < 0)
        return -1;
    if (dns_name_ends(record->owner, checker->zone->origin))
        return 0;
    return conf_error(checker->load->diag, record->at, "record www A 192.0.2.1",
                      "this name is not in zone %.*s", SLICE_ARG(checker->zone->name));
}

/* ---- pools ---- */

/* A member named by a host has the address that health finds, of whichever family that is. */
static bool fits(const struct member *member, uint16_t type)
{
    if (member->endpoint.host.len)
        return true;
    int family = addr_family(&member->endpoint.addr);
    if (type == DNS_A)
        return family == AF_INET;
    if (type == DNS_AAAA)
        return family == AF_INET6;
    return family == AF_INET || family == AF_INET6;
}

static int check_members(const struct record_checker *checker, const struct record_conf *record,
                         const struct record_choice *choice)
{
    char type[DNS_TYPE_TEXT_MAX];
    const struct pool *pool = choice->pool;
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (fits(pool->members[i], record->type))
            return 0;
    }
    return conf_error(checker->load->diag, choice->pool_ref.at, NULL,
                      "no member of pool %.*s has an address for a record of type %s",
                      SLICE_ARG(pool->name), dns_type_show(record->type, type));
}

static bool is_judged(const struct pool *pool)
{
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (pool->members[i]->listen_fact)
            return true;
    }
    return pool->check != NULL;
}

static int check_choice(const struct record_checker *checker, const struct record_conf *record,
                        struct record_choice *choice)
{
    choice->pool = pool_resolve(checker->snap, &choice->pool_ref, checker->load);
    if (!choice->pool || check_members(checker, record, choice) < 0)
        return -1;
    if (choice->mode != RECORD_HEALTHY)
        return 0;
    if (!is_judged(choice->pool))
        conf_note(checker->load->diag, choice->pool_ref.at, "check tcp every 2s",
                  "pool %.*s has no check: all its members are up unless they are forced",
                  SLICE_ARG(choice->pool->name));
    choice->pool->is_timed = true;
    return 0;
}

static int check_branches(const struct record_checker *checker, struct record_conf *record)
{
    int result = 0;
    for (uint32_t b = 0; b < record->n_branches; b++) {
        struct record_branch *branch = &record->branches[b];
        for (uint32_t i = 0; i < branch->n_choices; i++) {
            if (check_choice(checker, record, &branch->choices[i]) < 0)
                result = -1;
        }
        for (uint32_t k = 0; k < b && !branch->is_everybody; k++) {
            if (record->branches[k].net.n_bits == branch->net.n_bits &&
                addr_equal(&record->branches[k].net.base, &branch->net.base))
                result = conf_error(checker->load->diag, branch->at, NULL,
                                    "this network stands on line %u already",
                                    record->branches[k].at.line);
        }
    }
    return result;
}

static int refuse_word(const struct record_checker *checker, struct conf_at at, const char *word,
                       const char *types)
{
    return conf_error(checker->load->diag, at, NULL, "\"%s\" is a word of %s records", word, types);
}

static int check_service(const struct record_checker *checker, struct record_conf *record)
{
    bool is_svcb = record->type == DNS_SVCB || record->type == DNS_HTTPS;
    bool is_service = is_svcb || record->type == DNS_SRV;
    if (record->target.len && !is_service)
        return refuse_word(checker, record->target_at, "target", "SRV, HTTPS and SVCB");
    if (record->port && !is_service)
        return refuse_word(checker, record->port_at, "port", "SRV, HTTPS and SVCB");
    if (record->alpn_at.line && !is_svcb)
        return refuse_word(checker, record->alpn_at, "alpn", "HTTPS and SVCB");
    if (record->target.len == 0)
        return 0;
    return read_name(checker, record->target, record->target_at, &record->target_name);
}

/* RFC 9460 section 7.1: each is 1 to 255 bytes. */
static int check_alpn(const struct record_checker *checker, const struct record_conf *record)
{
    struct slice rest = record->alpn;
    if (record->alpn_at.line == 0)
        return 0;
    do {
        struct slice one = slice_cut(&rest, ',');
        if (one.len == 0 || one.len > 255)
            return conf_error(checker->load->diag, record->alpn_at, "alpn h2,http/1.1",
                              "a protocol's name has 1 to 255 bytes");
    } while (rest.ptr);
    return 0;
}

/* All choices look at no health? */
static bool is_all(const struct record_conf *record)
{
    for (uint32_t b = 0; b < record->n_branches; b++) {
        for (uint32_t i = 0; i < record->branches[b].n_choices; i++) {
            if (record->branches[b].choices[i].mode != RECORD_ALL)
                return false;
        }
    }
    return true;
}

static void default_ttl(const struct record_checker *checker, struct record_conf *record)
{
    uint32_t ttl_s = checker->zone->ttl_s;
    if (record->ttl_at.line)
        return;
    record->ttl_min_s = record->ttl_max_s = ttl_s;
    if (!record_is_from_pools(record) || is_all(record))
        return;
    if (record->ttl_max_s > RECORD_HEALTHY_TTL_MAX_S)
        record->ttl_max_s = RECORD_HEALTHY_TTL_MAX_S;
    if (record->ttl_min_s > RECORD_HEALTHY_TTL_MIN_S)
        record->ttl_min_s = RECORD_HEALTHY_TTL_MIN_S;
}

static int number(const struct record_checker *checker, struct record_conf *record)
{
    struct dns_conf *conf = checker->conf;
    if (conf->n_pool_records == POOL_RECORDS_MAX)
        return conf_error(checker->load->diag, record->at, NULL, "more than %d records from pools",
                          POOL_RECORDS_MAX);
    record->index = conf->n_pool_records;
    conf->pool_zones[conf->n_pool_records] = checker->zone;
    conf->pool_records[conf->n_pool_records++] = record;
    return 0;
}

static int check_pools(const struct record_checker *checker, struct record_conf *record)
{
    uint16_t type = record->type;
    if (!record_is_address(type) && type != DNS_SRV && type != DNS_HTTPS && type != DNS_SVCB) {
        char text[DNS_TYPE_TEXT_MAX];
        return conf_error(checker->load->diag, record->stmt->tokens[2].at, "A, AAAA, SRV, HTTPS",
                          "a pool's members make no record of type %s", dns_type_show(type, text));
    }
    if (check_branches(checker, record) < 0 || check_service(checker, record) < 0 ||
        check_alpn(checker, record) < 0)
        return -1;
    return number(checker, record);
}

/* What a pool answers cannot stand beside another record of the name and type. */
static int check_twin(const struct record_checker *checker, uint32_t index)
{
    const struct record_conf *record = checker->zone->records[index];
    for (uint32_t i = 0; i < index; i++) {
        const struct record_conf *earlier = checker->zone->records[i];
        if (earlier->owner.len == 0 || earlier->type != record->type ||
            !(record_is_from_pools(earlier) || record_is_from_pools(record)) ||
            !dns_name_equal(earlier->owner, record->owner))
            continue;
        return conf_error(checker->load->diag, record->at, NULL,
                          "line %u has this name and type already, and one of the two is made of "
                          "a pool",
                          earlier->at.line);
    }
    return 0;
}

int records_check(struct dns_conf *conf, struct zone_conf *zone, const struct snapshot *snap,
                  struct conf_load *load)
{
    const struct record_checker checker = {.conf = conf, .zone = zone, .snap = snap, .load = load};
    int result = 0;
    for (uint32_t i = 0; i < zone->n_records; i++) {
        struct record_conf *record = zone->records[i];
        default_ttl(&checker, record);
        if (check_owner(&checker, record) < 0 || check_twin(&checker, i) < 0 ||
            (record_is_from_pools(record) ? check_pools(&checker, record)
                                          : record_values_check(&checker, record)) < 0)
            result = -1;
    }
    return result;
}

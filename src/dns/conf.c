/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `dns` and `zone`, and what zones say together.
 */

#include "dns/conf.h"

#include "base/mem.h"
#include "wire/dns_name.h"
#include <inttypes.h>

enum { MS_PER_S = 1000 };

/* ---- soa and ns ---- */

static const struct conf_word soa_args[] = {
    {.name = "MNAME",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct soa_conf, mname),
     .doc = "the zone's first name server"},
    {.name = "RNAME",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct soa_conf, rname),
     .doc = "the mailbox of who answers for it, with a dot instead of @"},
    {0},
};

#define SOA_TIME(word_, field_, fallback_, doc_)                                           \
    {                                                                                      \
        .name = (word_), .type = CONF_TIME, .offset = offsetof(struct soa_conf, field_),   \
        .fallback = (fallback_), .min = 1000, .max = (int64_t)RECORD_TTL_MAX_S * MS_PER_S, \
        .doc = (doc_),                                                                     \
    }

static const struct conf_word soa_words[] = {
    {.name = "serial",
     .type = CONF_INT,
     .offset = offsetof(struct soa_conf, serial),
     .min = 0,
     .max = UINT32_MAX,
     .doc = "the zone's version; without it, the time when weir first read what the zone says now"},
    SOA_TIME("refresh", refresh_ms, "1h", "between two looks of a secondary server"),
    SOA_TIME("retry", retry_ms, "15m", "between two looks while the first server is silent"),
    SOA_TIME("expire", expire_ms, "14d", "until a secondary server gives the zone up"),
    SOA_TIME("minimum", minimum_ms, "1m", "how long others remember that a name is not there"),
    {0},
};

/* TTLs and the times of a SOA are whole seconds. */
static int check_seconds(struct conf_load *load, const struct conf_object *object, const char *word,
                         int64_t ms)
{
    if (ms % MS_PER_S == 0)
        return 0;
    return conf_error(load->diag, conf_where(object, word), NULL, "DNS counts whole seconds");
}

static int soa_finish(struct conf_load *load, void *self)
{
    const struct soa_conf *soa = self;
    if (slice_find(soa->rname, '@') < soa->rname.len)
        return conf_error(load->diag, conf_where(&soa->object, "RNAME"),
                          "soa ns1 hostmaster.example.org.",
                          "a dot takes the place of @ in a mailbox");
    return check_seconds(load, &soa->object, "refresh", soa->refresh_ms) < 0 ||
                   check_seconds(load, &soa->object, "retry", soa->retry_ms) < 0 ||
                   check_seconds(load, &soa->object, "expire", soa->expire_ms) < 0 ||
                   check_seconds(load, &soa->object, "minimum", soa->minimum_ms) < 0
               ? -1
               : 0;
}

static const struct conf_block soa_block = {
    .size = sizeof(struct soa_conf),
    .args = soa_args,
    .words = soa_words,
    .finish = soa_finish,
};

static const struct conf_word ns_args[] = {
    {.name = "NAME",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct ns_conf, name),
     .doc = "a name server of the zone"},
    {.name = "ADDRESS",
     .type = CONF_IP,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct ns_conf, addr_list),
     .doc = "its addresses, where its name is in the zone and has no record of its own"},
    {0},
};

static const struct conf_block ns_block = {
    .size = sizeof(struct ns_conf),
    .args = ns_args,
};

/* ---- zone ---- */

static int read_record(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    return record_read(load, stmt, self);
}

static const struct conf_word zone_args[] = {
    {.name = "NAME",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = offsetof(struct zone_conf, name),
     .doc = "the domain that the zone begins with"},
    {0},
};

static const struct conf_word zone_words[] = {
    {.name = "file",
     .type = CONF_PATH,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct zone_conf, file_list),
     .doc = "a zone file (RFC 1035); several are read one behind the other"},
    {.name = "soa",
     .type = CONF_BLOCK,
     .offset = offsetof(struct zone_conf, soa),
     .block = &soa_block,
     .doc = "the start of authority, where no file has it"},
    {.name = "ns",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct zone_conf, ns_list),
     .block = &ns_block,
     .doc = "a name server of the zone, where no file has it"},
    {.name = "ttl",
     .type = CONF_TIME,
     .offset = offsetof(struct zone_conf, ttl_ms),
     .fallback = "5m",
     .min = 0,
     .max = (int64_t)RECORD_TTL_MAX_S * MS_PER_S,
     .doc = "how long others remember what has no ttl of its own"},
    {.name = "record",
     .type = CONF_CUSTOM,
     .flags = CONF_REPEAT,
     .custom = read_record,
     .usage = record_usage,
     .doc = "a name's data: as they stand here, or the members of a pool that may be answered "
            "just now"},
    {0},
};

static int zone_finish(struct conf_load *load, void *self)
{
    const struct zone_conf *zone = self;
    const struct conf_object *object = &zone->object;
    if (check_seconds(load, object, "ttl", zone->ttl_ms) < 0)
        return -1;
    if (zone->file_list.n_items > ZONE_FILES_MAX)
        return conf_error(load->diag, conf_where(object, "file"), NULL, "more than %d files",
                          ZONE_FILES_MAX);
    if (zone->file_list.n_items > 0) {
        if (zone->soa || zone->ns_list.n_items)
            return conf_error(load->diag, conf_where(object, zone->soa ? "soa" : "ns"), NULL,
                              "zone %.*s has its SOA and NS records from its file",
                              SLICE_ARG(zone->name));
        return 0;
    }
    if (!zone->soa)
        return conf_error(load->diag, object->at, "soa ns1 hostmaster",
                          "zone %.*s needs a soa or a file", SLICE_ARG(zone->name));
    if (zone->ns_list.n_items == 0)
        return conf_error(load->diag, object->at, "ns ns1 192.0.2.53",
                          "zone %.*s needs a name server", SLICE_ARG(zone->name));
    return 0;
}

static const struct conf_block zone_block = {
    .size = sizeof(struct zone_conf),
    .args = zone_args,
    .words = zone_words,
    .finish = zone_finish,
};

const struct conf_word dns_words[] = {
    {.name = "dns",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct dns_conf, dns_list),
     .block = &dns_listen_block,
     .doc = "an address where zones are asked for, over UDP and TCP"},
    {.name = "zone",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct dns_conf, zone_list),
     .block = &zone_block,
     .doc = "a domain that weir answers for"},
    {0},
};

/* ---- all of them ---- */

static int zone_origin(struct zone_conf *zone, struct conf_load *load)
{
    uint8_t name[DNS_NAME_MAX];
    size_t len;
    struct err err = ERR_NONE;
    if (dns_name_read(zone->name, DNS_ROOT, name, &len, &err) < 0)
        return conf_error(load->diag, conf_where(&zone->object, "NAME"), NULL, "%s", err.text);
    dns_name_fold(slice_make((const char *)name, len), name);
    zone->origin = arena_dup(load->arena, slice_make((const char *)name, len));
    zone->ttl_s = (uint32_t)(zone->ttl_ms / MS_PER_S);
    zone->blobs = ARENA_NEW_ARRAY(load->arena, const char *, zone->file_list.n_items);
    for (size_t i = 0; i < zone->file_list.n_items; i++)
        zone->blobs[i] = arena_printf(load->arena, "zone:%.*s:%zu", SLICE_ARG(zone->name), i);
    return 0;
}

/* A map would be quicker, but the order of the list decides who is the second. */
static int check_twins(const struct dns_conf *conf, size_t index, struct conf_load *load)
{
    const struct zone_conf *zone = conf->zone_list.items[index];
    for (size_t i = 0; i < index; i++) {
        const struct zone_conf *earlier = conf->zone_list.items[i];
        if (slice_equal(earlier->origin, zone->origin))
            return conf_error(load->diag, conf_where(&zone->object, "NAME"), NULL,
                              "zone %.*s stands on line %u already", SLICE_ARG(earlier->name),
                              earlier->object.at.line);
    }
    return 0;
}

static int check_zones(struct dns_conf *conf, const struct snapshot *snap, struct conf_load *load)
{
    int result = 0;
    for (size_t i = 0; i < conf->zone_list.n_items; i++) {
        struct zone_conf *zone = conf->zone_list.items[i];
        if (i == ZONES_MAX)
            return conf_error(load->diag, zone->object.at, NULL, "more than %d zones", ZONES_MAX);
        if (zone_origin(zone, load) < 0 || check_twins(conf, i, load) < 0 ||
            records_check(conf, zone, snap, load) < 0)
            result = -1;
    }
    return result;
}

int dns_check(struct snapshot *snap, void *self, struct conf_load *load)
{
    struct dns_conf *conf = self;
    int result = 0;
    for (size_t i = 0; i < conf->dns_list.n_items; i++) {
        if (dns_listen_check(&conf->dns_list, i, load) < 0)
            result = -1;
    }
    conf->pool_records = ARENA_NEW_ARRAY(load->arena, struct record_conf *, POOL_RECORDS_MAX);
    conf->pool_zones = ARENA_NEW_ARRAY(load->arena, struct zone_conf *, POOL_RECORDS_MAX);
    if (check_zones(conf, snap, load) < 0)
        result = -1;
    if (pool_check_facts(pool_conf_of(snap), load) < 0)
        result = -1;
    if (result == 0 && conf->dns_list.n_items && conf->zone_list.n_items == 0) {
        const struct dns_listen_conf *listen = conf->dns_list.items[0];
        conf_warning(load->diag, listen->object.at, "zone example.org { file example.org.zone }",
                     "there is no zone: every question is refused");
    }
    if (result == 0 && conf->zone_list.n_items && conf->dns_list.n_items == 0) {
        const struct zone_conf *zone = conf->zone_list.items[0];
        conf_warning(load->diag, zone->object.at, "dns 0.0.0.0:53",
                     "there is no dns listener: nobody can ask for zone %.*s",
                     SLICE_ARG(zone->name));
    }
    return result;
}

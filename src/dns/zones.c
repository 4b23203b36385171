/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Zones out of a configuration, and where their serial numbers come from.
 */

#include "dns/zones.h"

#include "base/hash.h"
#include "base/mem.h"
#include "dns/record.h"
#include "wire/dns.h"
#include "wire/dns_name.h"
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A zone on its way. */
struct making {
    const struct zones_options *options;
    struct conf_diag *diag;
    struct err *err;
    bool has_failed; /* err holds a sentence */
    const struct zone_conf *zone;
    struct zone_build *build;
    uint64_t version;
};

static const struct conf_files *files_of(const struct making *making)
{
    return making->options->snap->files;
}

/* ---- mistakes ---- */

/* A record of the configuration keeps its place by the path of its file. */
static struct zone_at at_of(const struct making *making, struct conf_at at)
{
    if (at.line == 0)
        return (struct zone_at){.path = NULL};
    return (struct zone_at){files_of(making)->items[at.file].path.ptr, at.line, at.column};
}

/* The place as the configuration knows it, or false: it is in a zone file. */
static bool find_place(const struct making *making, struct zone_at at, struct conf_at *ret_at)
{
    const struct conf_files *files = files_of(making);
    for (size_t i = 0; i < files->n_items; i++) {
        if (files->items[i].path.ptr == at.path) {
            *ret_at = (struct conf_at){
                .file = (uint16_t)i, .len = 1, .line = at.line, .column = at.column};
            return true;
        }
    }
    return false;
}

static void on_report(void *ctx, enum zone_severity severity, struct zone_at at, const char *text,
                      const char *hint)
{
    struct making *making = ctx;
    struct conf_at where = making->zone->object.at;
    struct text sentence = TEXT_NONE;
    if (at.path && !find_place(making, at, &where)) {
        where = conf_where(&making->zone->object, "file");
        text_printf(&sentence, "%s:%" PRIu32 ":%" PRIu32 ": ", at.path, at.line, at.column);
    }
    text_printf(&sentence, "%s", text);
    if (making->diag && severity == ZONE_ERROR)
        conf_add_error(making->diag, where, hint, "%s", text_cstr(&sentence));
    else if (making->diag)
        conf_warning(making->diag, where, hint, "%s", text_cstr(&sentence));
    if (severity == ZONE_ERROR && making->err && !making->has_failed)
        err_set(making->err, "zone %.*s: %s", SLICE_ARG(making->zone->name), text_cstr(&sentence));
    making->has_failed |= severity == ZONE_ERROR;
    text_deinit(&sentence);
}

/* A sentence of our own about a name in the configuration. */
static int refuse(struct making *making, struct conf_at at, const char *text)
{
    on_report(making, ZONE_ERROR, at_of(making, at), text, NULL);
    return -1;
}

/* ---- records ---- */

static void note(struct making *making, struct slice bytes)
{
    static const struct hash_key key = {0x7765697220646e73, 1}; /* for good: it is compared later */
    making->version = hash_mix(making->version ^ hash_bytes(&key, bytes));
}

static int add(void *ctx, struct slice owner, uint16_t type, uint32_t ttl_s, struct slice rdata,
               struct conf_at at)
{
    struct making *making = ctx;
    uint8_t head[6];
    dns_put16(head, type);
    dns_put32(head + 2, ttl_s);
    note(making, slice_make((const char *)head, sizeof(head)));
    note(making, owner);
    note(making, rdata);
    return zone_build_add(making->build, owner, type, ttl_s, rdata, at_of(making, at));
}

static int read_name(struct making *making, struct slice text, struct conf_at at,
                     uint8_t name[DNS_NAME_MAX], struct slice *ret_name)
{
    struct err err = ERR_NONE;
    size_t len;
    if (dns_name_read(text, making->zone->origin, name, &len, &err) < 0)
        return refuse(making, at, err.text);
    *ret_name = slice_make((const char *)name, len);
    return 0;
}

static int add_address(struct making *making, struct slice owner, const struct conf_addr *addr)
{
    bool is_ipv6 = addr_family(&addr->addr) == AF_INET6;
    struct slice rdata = is_ipv6 ? slice_make((const char *)&addr->addr.in6.sin6_addr, 16)
                                 : slice_make((const char *)&addr->addr.in4.sin_addr, 4);
    return add(making, owner, is_ipv6 ? DNS_AAAA : DNS_A, making->zone->ttl_s, rdata, addr->at);
}

static int add_ns(struct making *making, const struct ns_conf *ns)
{
    uint8_t bytes[DNS_NAME_MAX];
    struct slice name;
    struct conf_at at = conf_where(&ns->object, "NAME");
    if (read_name(making, ns->name, at, bytes, &name) < 0)
        return -1;
    int rc = add(making, making->zone->origin, DNS_NS, making->zone->ttl_s, name, at);
    for (size_t i = 0; i < ns->addr_list.n_items; i++)
        if (add_address(making, name, ns->addr_list.items[i]) < 0)
            rc = -1;
    return rc;
}

static int add_record(struct making *making, const struct record_conf *record)
{
    int rc = 0;
    if (record_is_from_pools(record)) {
        note(making, record->owner);
        return zone_build_pool(making->build, record->owner, record->type, record->index,
                               at_of(making, record->at));
    }
    for (uint32_t i = 0; i < record->n_rdatas; i++)
        if (add(making, record->owner, record->type, record->ttl_min_s, record->rdatas[i],
                record->at) < 0)
            rc = -1;
    return rc;
}

/* ---- serial and SOA ---- */

static void fact_name(const struct zone_conf *zone, char text[FACT_NAME_MAX])
{
    snprintf(text, FACT_NAME_MAX, "zone:%.*s", SLICE_ARG(zone->name));
}

static const char version_mark[] = "text ";

/* What the zone's fact says of it. */
static bool read_fact(const struct making *making, uint32_t *ret_serial, uint64_t *ret_version)
{
    char name[FACT_NAME_MAX];
    struct fact fact;
    const struct board *board = making->options->board;
    fact_name(making->zone, name);
    if (!board || !board_read(board, board_find(board, name), &fact))
        return false;
    const char *mark = strstr(fact.reason, version_mark);
    if (!mark || fact.value < 0 || fact.value > UINT32_MAX)
        return false;
    *ret_serial = (uint32_t)fact.value;
    *ret_version = strtoull(mark + strlen(version_mark), NULL, 16);
    return true;
}

static uint32_t serial_of(const struct making *making, const struct soa_conf *soa)
{
    uint32_t former;
    uint64_t version;
    uint32_t now = (uint32_t)making->options->wall_s;
    if (conf_is_set(&soa->object, "serial"))
        return (uint32_t)soa->serial;
    if (!read_fact(making, &former, &version))
        return now;
    if (version == making->version)
        return former;
    return (int32_t)(now - former) > 0 ? now : former + 1; /* RFC 1982 */
}

static int add_soa(struct making *making, const struct soa_conf *soa)
{
    uint8_t rdata[2 * DNS_NAME_MAX + 20];
    uint8_t bytes[DNS_NAME_MAX];
    const struct {
        struct slice text;
        const char *word;
    } names[] = {{soa->mname, "MNAME"}, {soa->rname, "RNAME"}};
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct slice name;
        struct conf_at at = conf_where(&soa->object, names[i].word);
        if (read_name(making, names[i].text, at, bytes, &name) < 0)
            return -1;
        memcpy(rdata + len, name.ptr, name.len);
        len += name.len;
    }
    const int64_t times_ms[] = {soa->refresh_ms, soa->retry_ms, soa->expire_ms, soa->minimum_ms};
    size_t serial_at = len;
    dns_put32(rdata + serial_at, 0);
    len += 4;
    for (size_t i = 0; i < ARRAY_LEN(times_ms); i++, len += 4)
        dns_put32(rdata + len, (uint32_t)(times_ms[i] / 1000));
    note(making, slice_make((const char *)rdata, len));
    dns_put32(rdata + serial_at, serial_of(making, soa));
    return zone_build_add(making->build, making->zone->origin, DNS_SOA, making->zone->ttl_s,
                          slice_make((const char *)rdata, len), at_of(making, soa->object.at));
}

/* ---- a zone, and all of them ---- */

static int fill(struct making *making)
{
    const struct zones_options *options = making->options;
    const struct zone_conf *zone = making->zone;
    int rc = 0;
    for (size_t i = 0; i < zone->file_list.n_items; i++) {
        const struct slice *path = zone->file_list.items[i];
        struct slice bytes = options->bytes(options->bytes_ctx, zone->blobs[i]);
        if (zone_build_file(making->build, path->ptr, bytes) < 0)
            rc = -1;
    }
    for (size_t i = 0; i < zone->ns_list.n_items; i++)
        if (add_ns(making, zone->ns_list.items[i]) < 0)
            rc = -1;
    for (uint32_t i = 0; i < zone->n_records; i++)
        if (add_record(making, zone->records[i]) < 0)
            rc = -1;
    if (record_targets(zone, add, making) < 0)
        rc = -1;
    if (zone->soa && add_soa(making, zone->soa) < 0)
        rc = -1;
    return rc;
}

static struct zone *make_one(const struct zones_options *options, const struct zone_conf *conf,
                             struct conf_diag *diag, struct err *err, uint64_t *ret_version)
{
    struct making making = {.options = options, .zone = conf, .diag = diag, .err = err};
    making.build = zone_build_create(conf->origin, on_report, &making);
    int rc = fill(&making);
    struct zone *zone = zone_build_finish(&making.build);
    if (rc < 0)
        zone_destroy(&zone);
    *ret_version = conf->soa ? making.version : 0;
    return zone;
}

struct zones *zones_make(const struct zones_options *options, struct conf_diag *diag,
                         struct err *err)
{
    const struct conf_list *list = &options->conf->zone_list;
    struct zones *zones = MEM_NEW(struct zones);
    struct zone **made = MEM_NEW_ARRAY(struct zone *, list->n_items + 1);
    size_t n = 0;
    zones->versions = MEM_NEW_ARRAY(uint64_t, list->n_items + 1);
    for (size_t i = 0; i < list->n_items; i++) {
        made[n] = make_one(options, list->items[i], diag, err, &zones->versions[i]);
        if (made[n])
            n++;
        else
            err = NULL; /* it has its sentence */
    }
    if (n == list->n_items) {
        zones->set = zone_set_create(made, n, options->seed);
    } else {
        for (size_t i = 0; i < n; i++)
            zone_destroy(&made[i]);
        zones_destroy(&zones);
    }
    mem_free(made);
    return zones;
}

void zones_destroy(struct zones **zones)
{
    if (*zones) {
        zone_set_destroy(&(*zones)->set);
        mem_free((*zones)->versions);
    }
    mem_free(*zones);
    *zones = NULL;
}

static bool is_zone_of_conf(void *ctx, const char *name)
{
    const struct dns_conf *conf = ctx;
    char own[FACT_NAME_MAX];
    for (size_t i = 0; i < conf->zone_list.n_items; i++) {
        fact_name(conf->zone_list.items[i], own);
        if (strcmp(own, name) == 0)
            return true;
    }
    return false;
}

void zones_publish(const struct zones *zones, const struct dns_conf *conf, struct board *board,
                   uint64_t wall_ns)
{
    struct dns_conf borrowed = *conf;
    board_sweep(board, "zone:", is_zone_of_conf, &borrowed, wall_ns);
    for (size_t i = 0; i < conf->zone_list.n_items; i++) {
        char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
        const struct zone *zone = zone_set_zone(zones->set, i);
        fact_name(conf->zone_list.items[i], name);
        snprintf(reason, sizeof(reason), "%zu names, %zu records, %s%016" PRIx64,
                 zone_n_names(zone), zone_n_records(zone), version_mark, zones->versions[i]);
        board_state(board, name, FACT_SERVING, zone_serial(zone), reason, wall_ns);
    }
}

int zones_files(const struct dns_conf *conf, file_want_fn *want, void *ctx)
{
    for (size_t z = 0; z < conf->zone_list.n_items; z++) {
        const struct zone_conf *zone = conf->zone_list.items[z];
        for (size_t i = 0; i < zone->file_list.n_items; i++) {
            const struct slice *path = zone->file_list.items[i];
            const struct file_want file = {
                .name = zone->blobs[i],
                .path = *path,
                .at = conf_where(&zone->object, "file"),
                .max_bytes = ZONE_FILE_BYTES,
            };
            if (want(ctx, &file) < 0)
                return -1;
        }
    }
    return 0;
}

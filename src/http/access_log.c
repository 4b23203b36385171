/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Access log lines: what is kept of a request, and how it is said.
 */

#include "http/access_log.h"

#include "base/mem.h"
#include <inttypes.h>
#include <stdio.h>

const struct conf_choice access_modes[] = {
    {.name = "off", .value = ACCESS_OFF, .doc = "no lines"},
    {.name = "on", .value = ACCESS_ON, .doc = "a line a request"},
    {.name = "errors",
     .value = ACCESS_ERRORS,
     .doc = "only for 5xx, for answers that broke off, and for what weir refused"},
    {0},
};

/* ---- keeping ---- */

struct access *access_create(enum access_mode mode, struct slice listen, struct slice client,
                             uint64_t now_ns)
{
    struct access *access = MEM_NEW(struct access);
    access->mode = (uint8_t)mode;
    access->first_ns = now_ns;
    slice_copy(listen, access->listen, sizeof(access->listen));
    slice_copy(client, access->client, sizeof(access->client));
    return access;
}

void access_destroy(struct access **access)
{
    mem_free(*access);
    *access = NULL;
}

void access_head(struct access *access, const struct h1_head *head, const char *buf,
                 uint64_t now_ns)
{
    slice_copy(h1_slice(buf, head->method_text), access->method, sizeof(access->method));
    slice_copy(h1_slice(buf, head->host), access->host, sizeof(access->host));
    size_t n = slice_copy(h1_slice(buf, head->path), access->path, sizeof(access->path));
    if (head->is_query && n + 1 < sizeof(access->path)) {
        access->path[n++] = '?';
        slice_copy(h1_slice(buf, head->query), access->path + n, sizeof(access->path) - n);
    }
    if (head->head_len > 0) {
        access->head_ns = now_ns;
        access->n_in = head->head_len;
    }
}

bool access_is_wanted(const struct access *access)
{
    if (access->mode == ACCESS_ON)
        return true;
    return access->status >= 500 || access->status == 0 ||
           (access->reason && !access->is_reason_fine);
}

/* ---- saying ---- */

struct line {
    struct log_field *fields;
    size_t n_fields;
    struct access_text *text;
    size_t n_numbers;
};

static void put(struct line *line, const char *key, const char *value)
{
    if (value && value[0])
        line->fields[line->n_fields++] = (struct log_field){.key = key, .value = value};
}

static char *put_number(struct line *line, const char *key)
{
    char *number = line->text->numbers[line->n_numbers++];
    line->fields[line->n_fields++] = (struct log_field){.key = key, .value = number};
    return number;
}

static void put_count(struct line *line, const char *key, uint64_t count)
{
    snprintf(put_number(line, key), sizeof(line->text->numbers[0]), "%" PRIu64, count);
}

/* Milliseconds with a fraction; left out where it never came so far. */
static void put_time(struct line *line, const char *key, uint64_t from_ns, uint64_t to_ns)
{
    if (from_ns == 0 || to_ns == 0)
        return;
    uint64_t us = to_ns > from_ns ? (to_ns - from_ns) / 1000 : 0;
    snprintf(put_number(line, key), sizeof(line->text->numbers[0]), "%" PRIu64 ".%03u", us / 1000,
             (unsigned)(us % 1000));
}

size_t access_fields(const struct access *access, struct access_text *text,
                     struct log_field fields[ACCESS_FIELDS_MAX])
{
    struct line line = {.fields = fields, .text = text};
    put(&line, "listen", access->listen);
    put(&line, "client", access->client);
    put(&line, "method", access->method);
    put(&line, "host", access->host);
    put(&line, "path", access->path);
    if (access->status)
        put_count(&line, "#status", access->status);
    put_count(&line, "#in", access->n_in);
    put_count(&line, "#out", access->n_out);
    put(&line, "pool", access->pool);
    put(&line, "member", access->member);
    if (access->n_tries)
        put_count(&line, "#tries", access->n_tries);
    put_time(&line, "#head_ms", access->first_ns, access->head_ns);
    put_time(&line, "#queue_ms", access->head_ns, access->sent_ns);
    put_time(&line, "#connect_ms", access->sent_ns, access->stood_ns);
    put_time(&line, "#response_ms", access->stood_ns, access->answer_ns);
    put_time(&line, "#total_ms", access->first_ns, access->end_ns);
    put(&line, "reason", access->reason);
    put(&line, "route", access->route);
    put(&line, "sticky", access->sticky);
    put(&line, "queue", access->queue);
    return line.n_fields;
}

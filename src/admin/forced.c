/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The store of what is forced, and its text.
 */

#include "admin/forced.h"

#include "base/mem.h"
#include <inttypes.h>
#include <string.h>

enum {
    NAME_MAX_BYTES = 63,
    VERSION = 1,
    VERSION_WITH_TTL = 2,
    VERSION_WITH_KINDS = 3,
    NUMBERS_MAX = 3
};

#define MAGIC "weir-forced"

void forced_init(struct forced *forced)
{
    map_init(&forced->by_label, 0, false);
}

void forced_deinit(struct forced *forced)
{
    uint32_t cursor = 0;
    for (struct forced_entry *entry; (entry = forced_next(forced, &cursor)) != NULL;)
        mem_free(entry);
    map_deinit(&forced->by_label);
}

struct forced_entry *forced_find(const struct forced *forced, struct slice label)
{
    return map_get(&forced->by_label, label);
}

struct forced_entry *forced_next(const struct forced *forced, uint32_t *cursor)
{
    struct slice label;
    return map_next(&forced->by_label, cursor, &label);
}

int forced_set(struct forced *forced, const struct forced_entry *entry, struct err *err)
{
    struct slice label = slice_from(entry->label);
    struct forced_entry *known = forced_find(forced, label);
    if (forced_is_empty(entry)) {
        if (known)
            mem_free(map_remove(&forced->by_label, label));
        return 0;
    }
    if (known) {
        *known = *entry;
        return 0;
    }
    if (forced->by_label.n_live == FORCED_MAX)
        return err_set(err, "%d things are forced already, which is the limit", FORCED_MAX);
    known = MEM_NEW(struct forced_entry);
    *known = *entry;
    map_put(&forced->by_label, slice_from(known->label), known);
    return 0;
}

/* ---- labels ---- */

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

/* [A-Za-z0-9_][A-Za-z0-9_.-]* */
static bool is_name(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES || !is_alnum(name.ptr[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (!is_alnum(name.ptr[i]) && name.ptr[i] != '.' && name.ptr[i] != '-')
            return false;
    }
    return true;
}

/* Of a vip, which is an address where it has no other. */
static bool is_vip_name(struct slice name)
{
    if (name.len == 0 || name.len > NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_alnum(name.ptr[i]) && !memchr(".:-", name.ptr[i], 3))
            return false;
    }
    return true;
}

enum forced_kind forced_kind_of(struct slice label, struct slice *ret_name)
{
    struct slice rest = label, kind = slice_cut(&rest, ':'), name = label;
    if (ret_name)
        *ret_name = rest.ptr ? rest : label;
    if (rest.ptr && slice_is(kind, "vip"))
        return is_vip_name(rest) ? FORCED_VIP : FORCED_NOTHING;
    if (rest.ptr && slice_is(kind, "node"))
        return is_name(rest) ? FORCED_NODE : FORCED_NOTHING;
    struct slice pool = slice_cut(&name, '/');
    return is_name(pool) && name.ptr && is_name(name) ? FORCED_MEMBER : FORCED_NOTHING;
}

/* ---- the sum ---- */

/* FNV-1a, 64 bits. */
static uint64_t sum_of(struct slice bytes)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < bytes.len; i++)
        sum = (sum ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return sum;
}

/* ---- writing ---- */

static const struct {
    const char *word;
    enum fact_state state; /* FACT_NONE: the weight */
    size_t n_numbers;
} kinds[] = {
    {"drain", FACT_DRAINING, 3},
    {"up", FACT_UP, 1},
    {"down", FACT_DOWN, 1},
    {"weight", FACT_NONE, 2},
};

/* Behind the `up` or `down` that it belongs to, from version 2 on. */
#define TTL_WORD "ttl"

static bool has_ttl(const struct forced_entry *entry)
{
    return entry->ttl_s && (entry->state == FACT_UP || entry->state == FACT_DOWN);
}

static int version_of(const struct forced *forced)
{
    uint32_t cursor = 0;
    int version = VERSION;
    for (const struct forced_entry *entry; (entry = forced_next(forced, &cursor)) != NULL;) {
        if (forced_kind_of(slice_from(entry->label), NULL) != FORCED_MEMBER)
            return VERSION_WITH_KINDS;
        if (has_ttl(entry))
            version = VERSION_WITH_TTL;
    }
    return version;
}

static size_t encode_entry(const struct forced_entry *entry, struct text *out)
{
    size_t n_lines = 0;
    for (size_t i = 0; i < ARRAY_LEN(kinds) && entry->state != FACT_NONE; i++) {
        if (kinds[i].state != entry->state)
            continue;
        text_printf(out, "%s %s %" PRIu64, kinds[i].word, entry->label, entry->state_since_ms);
        if (entry->state == FACT_DRAINING)
            text_printf(out, " %" PRIu64 " %" PRIu64, entry->idle_ms, entry->drained_ms);
        text_append_char(out, '\n');
        n_lines++;
    }
    if (has_ttl(entry)) {
        text_printf(out, TTL_WORD " %s %" PRIu32 "\n", entry->label, entry->ttl_s);
        n_lines++;
    }
    if (!entry->has_weight)
        return n_lines;
    text_printf(out, "weight %s %" PRIu64 " %" PRIu32 "\n", entry->label, entry->weight_since_ms,
                entry->weight);
    return n_lines + 1;
}

void forced_encode(const struct forced *forced, struct text *out)
{
    size_t from = out->len, n_lines = 0;
    uint32_t cursor = 0;
    text_printf(out, MAGIC " %d\n", version_of(forced));
    for (const struct forced_entry *entry; (entry = forced_next(forced, &cursor)) != NULL;)
        n_lines += encode_entry(entry, out);
    uint64_t sum = sum_of(slice_skip(text_slice(out), from));
    text_printf(out, "end %zu %016" PRIx64 "\n", n_lines, sum);
}

/* ---- reading ---- */

static int take_state(struct forced_entry *entry, enum fact_state state, const uint64_t *numbers,
                      struct err *err)
{
    if (entry->state != FACT_NONE)
        return err_set(err, "it forces %s twice", entry->label);
    entry->state = state;
    entry->state_since_ms = numbers[0];
    entry->idle_ms = state == FACT_DRAINING ? numbers[1] : 0;
    entry->drained_ms = state == FACT_DRAINING ? numbers[2] : 0;
    return 0;
}

static int take_weight(struct forced_entry *entry, const uint64_t *numbers, struct err *err)
{
    if (entry->has_weight)
        return err_set(err, "it gives %s two weights", entry->label);
    if (numbers[1] > FORCED_WEIGHT_MAX)
        return err_set(err, "the weight of %s is above %d", entry->label, FORCED_WEIGHT_MAX);
    entry->has_weight = true;
    entry->weight_since_ms = numbers[0];
    entry->weight = (uint32_t)numbers[1];
    return 0;
}

/* Exactly n numbers, one space before each but the first. */
static int take_numbers(struct slice rest, size_t n, uint64_t *ret_numbers)
{
    for (size_t i = 0; i < n; i++) {
        if (!rest.ptr || slice_to_u64(slice_cut(&rest, ' '), &ret_numbers[i]) < 0)
            return -1;
    }
    return rest.ptr ? -1 : 0;
}

static int take_ttl(const struct forced *forced, struct slice label, struct slice rest,
                    struct err *err)
{
    struct forced_entry *entry = forced_find(forced, label);
    uint64_t ttl_s;
    if (take_numbers(rest, 1, &ttl_s) < 0 || ttl_s == 0 || ttl_s > FORCED_TTL_MAX_S)
        return err_set(err, "a line of it has no meaning");
    if (!entry || (entry->state != FACT_UP && entry->state != FACT_DOWN) || entry->ttl_s)
        return err_set(err, "a ttl of it belongs to nothing");
    entry->ttl_s = (uint32_t)ttl_s;
    return 0;
}

/* May such a line be in a text of that version? */
static bool has_meaning(struct slice label, enum fact_state state, int version)
{
    switch (forced_kind_of(label, NULL)) {
    case FORCED_MEMBER:
        return true;
    case FORCED_VIP:
    case FORCED_NODE:
        return state == FACT_DRAINING && version >= VERSION_WITH_KINDS;
    case FORCED_NOTHING:
        break;
    }
    return false;
}

static int decode_line(struct forced *forced, struct slice line, int version, struct err *err)
{
    struct slice rest = line, word = slice_cut(&rest, ' '), label = slice_cut(&rest, ' ');
    if (version >= VERSION_WITH_TTL && slice_is(word, TTL_WORD))
        return take_ttl(forced, label, rest, err);
    size_t kind = 0;
    while (kind < ARRAY_LEN(kinds) && !slice_is(word, kinds[kind].word))
        kind++;
    uint64_t numbers[NUMBERS_MAX] = {0};
    if (kind == ARRAY_LEN(kinds) || !has_meaning(label, kinds[kind].state, version) ||
        take_numbers(rest, kinds[kind].n_numbers, numbers) < 0)
        return err_set(err, "a line of it has no meaning");
    struct forced_entry entry = {.state = FACT_NONE};
    const struct forced_entry *known = forced_find(forced, label);
    if (known)
        entry = *known;
    slice_copy(label, entry.label, sizeof(entry.label));
    int result = kinds[kind].state == FACT_NONE
                     ? take_weight(&entry, numbers, err)
                     : take_state(&entry, kinds[kind].state, numbers, err);
    return result < 0 ? result : forced_set(forced, &entry, err);
}

/* The last line says how many others there are behind the first, and their sum. */
static int check_end(struct slice line, size_t n_lines, uint64_t sum, struct err *err)
{
    struct text want = TEXT_NONE;
    text_printf(&want, "end %zu %016" PRIx64, n_lines, sum);
    bool is_good = slice_equal(line, text_slice(&want));
    text_deinit(&want);
    return is_good ? 0 : err_set(err, "its count or sum is wrong: it was cut off or changed");
}

static int decode(struct forced *forced, struct slice bytes, struct err *err)
{
    struct slice rest = bytes, first = slice_cut(&rest, '\n');
    int version = VERSION_WITH_KINDS;
    if (slice_is(first, MAGIC " 1"))
        version = VERSION;
    else if (slice_is(first, MAGIC " 2"))
        version = VERSION_WITH_TTL;
    else if (!slice_is(first, MAGIC " 3"))
        return err_set(err, "it does not begin with \"" MAGIC " 1\", 2 or 3");
    for (size_t n_lines = 0; rest.ptr && rest.len; n_lines++) {
        size_t at = bytes.len - rest.len;
        struct slice line = slice_cut(&rest, '\n');
        if (slice_starts(line, SLICE("end "))) {
            if (!rest.ptr || rest.len)
                return err_set(err, "its last line is not its last");
            return check_end(line, n_lines, sum_of(slice_make(bytes.ptr, at)), err);
        }
        if (decode_line(forced, line, version, err) < 0)
            return -1;
    }
    return err_set(err, "its last line is missing: it was cut off");
}

int forced_decode(struct forced *forced, struct slice bytes, struct err *err)
{
    if (bytes.len > FORCED_BYTES_MAX)
        return err_set(err, "it is larger than %d bytes", FORCED_BYTES_MAX);
    if (decode(forced, bytes, err) == 0)
        return 0;
    forced_deinit(forced);
    forced_init(forced);
    return -1;
}

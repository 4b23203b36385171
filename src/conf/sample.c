/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The made-up language of the tests.
 */
#include "conf/sample.h"
#include "base/mem.h"
#include <string.h>

static const struct conf_word none[] = {{.name = NULL}};

/* ---- item ---- */

static const struct conf_word item_args[] = {
    {.name = "NAME", .type = CONF_NAME, .offset = offsetof(struct sample_item, name)},
    {.name = "COUNT",
     .type = CONF_INT,
     .offset = offsetof(struct sample_item, n),
     .min = -5,
     .max = 1000},
    {.name = NULL}};

static const struct conf_word item_words[] = {
    {.name = "weight",
     .type = CONF_INT,
     .offset = offsetof(struct sample_item, weight),
     .fallback = "1",
     .min = 1,
     .max = 256,
     .doc = "how much of it"},
    {.name = "fragile", .type = CONF_FLAG, .offset = offsetof(struct sample_item, is_fragile)},
    {.name = NULL}};

static const struct conf_block item_block = {
    .size = sizeof(struct sample_item), .args = item_args, .words = item_words};

/* ---- check ---- */

static const struct conf_choice check_kinds[] = {{.name = "look", .value = 1, .doc = "by eye"},
                                                 {.name = "weigh", .value = 2},
                                                 {.name = "taste", .is_planned = true},
                                                 {.name = NULL}};

static const struct conf_word check_args[] = {{.name = "kind",
                                               .type = CONF_CHOICE,
                                               .offset = offsetof(struct sample_check, kind),
                                               .choices = check_kinds},
                                              {.name = NULL}};

static const struct conf_word check_words[] = {{.name = "every",
                                                .type = CONF_TIME,
                                                .offset = offsetof(struct sample_check, every_ms),
                                                .fallback = "2s",
                                                .min = 50,
                                                .max = 3600000},
                                               {.name = "fall",
                                                .type = CONF_INT,
                                                .offset = offsetof(struct sample_check, fall),
                                                .fallback = "3",
                                                .min = 1,
                                                .max = 10},
                                               {.name = "tilt",
                                                .type = CONF_PERCENT,
                                                .offset = offsetof(struct sample_check, tilt),
                                                .fallback = "1%"},
                                               {.name = NULL}};

/* An eye sees no tilt. */
static bool check_has_word(const void *self, const struct conf_word *word)
{
    const struct sample_check *check = self;
    return check->kind != 1 || !slice_is(slice_from(word->name), "tilt");
}

static int check_finish(struct conf_load *load, void *self)
{
    const struct sample_check *check = self;
    if (check->kind != 1 || !conf_is_set(&check->object, "tilt"))
        return 0;
    return conf_error(load->diag, conf_where(&check->object, "tilt"), NULL, "nobody sees a tilt");
}

static const struct conf_block check_block = {.size = sizeof(struct sample_check),
                                              .args = check_args,
                                              .words = check_words,
                                              .finish = check_finish,
                                              .has_word = check_has_word};

/* ---- limits, retry ---- */

static int limits_finish(struct conf_load *load, void *self)
{
    struct sample_limits *limits = self;
    limits->n_finished++;
    if (limits->room_bytes < limits->wait_ms)
        return conf_error(load->diag, conf_where(&limits->object, "room"), NULL,
                          "the room is smaller than the wait");
    return 0;
}

static const struct conf_word limits_words[] = {
    {.name = "wait",
     .type = CONF_TIME,
     .offset = offsetof(struct sample_limits, wait_ms),
     .fallback = "10s"},
    {.name = "room",
     .type = CONF_SIZE,
     .offset = offsetof(struct sample_limits, room_bytes),
     .fallback = "64k",
     .min = 1024,
     .max = 1ll << 40},
    {.name = NULL}};

static const struct conf_block limits_block = {
    .size = sizeof(struct sample_limits), .words = limits_words, .finish = limits_finish};

static const struct conf_word retry_args[] = {
    {.name = "times", .type = CONF_INT, .offset = offsetof(struct sample_retry, n)},
    {.name = NULL}};

static const struct conf_word retry_words[] = {{.name = "backoff",
                                                .type = CONF_TIMES,
                                                .offset = offsetof(struct sample_retry, backoff),
                                                .fallback = "1s..1m",
                                                .min = 1,
                                                .max = 86400000},
                                               {.name = NULL}};

static const struct conf_block retry_block = {
    .size = sizeof(struct sample_retry), .args = retry_args, .words = retry_words};

/* ---- shelf ---- */

static int read_note(struct conf_load *load, const struct conf_stmt *stmt, void *self)
{
    struct sample_shelf *shelf = self;
    struct text text = TEXT_NONE;
    if (stmt->n_tokens < 2)
        return conf_error(load->diag, conf_stmt_at(stmt), "note TEXT...", "this note is empty");
    for (size_t i = 1; i < stmt->n_tokens; i++) {
        text_append(&text, stmt->tokens[i].text);
        text_append_char(&text, stmt->tokens[i].is_quoted ? '"' : ' ');
    }
    struct slice *note = ARENA_NEW(load->arena, struct slice);
    *note = arena_dup(load->arena, text_slice(&text));
    text_deinit(&text);
    struct conf_list *list = &shelf->notes;
    void **items = ARENA_NEW_ARRAY(load->arena, void *, list->n_items + 1);
    if (list->n_items)
        memcpy(items, list->items, list->n_items * sizeof(*items));
    items[list->n_items++] = note;
    list->items = items;
    return 0;
}

static const struct conf_word shelf_args[] = {
    {.name = "name", .type = CONF_NAME, .offset = offsetof(struct sample_shelf, name)},
    {.name = "colour",
     .type = CONF_STRING,
     .flags = CONF_OPTIONAL,
     .offset = offsetof(struct sample_shelf, colour)},
    {.name = NULL}};

static const struct conf_word shelf_words[] = {
    {.name = "item",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT | CONF_REQUIRED,
     .offset = offsetof(struct sample_shelf, items),
     .block = &item_block,
     .doc = "what stands on it"},
    {.name = "check",
     .type = CONF_BLOCK,
     .offset = offsetof(struct sample_shelf, check),
     .block = &check_block},
    {.name = "limits",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct sample_shelf, limits),
     .block = &limits_block},
    {.name = "retry",
     .type = CONF_BLOCK,
     .offset = offsetof(struct sample_shelf, retry),
     .block = &retry_block},
    {.name = "note",
     .type = CONF_CUSTOM,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct sample_shelf, notes),
     .custom = read_note,
     .usage = "note TEXT..."},
    {.name = "share",
     .type = CONF_PERCENT,
     .offset = offsetof(struct sample_shelf, share),
     .fallback = "100%"},
    {.name = "lamp", .type = CONF_BLOCK, .flags = CONF_PLANNED, .doc = "light"},
    {.name = NULL}};

static const struct conf_block shelf_block = {
    .size = sizeof(struct sample_shelf), .args = shelf_args, .words = shelf_words};

/* ---- parts, log ---- */

static const struct conf_word part_args[] = {
    {.name = "NAME", .type = CONF_NAME, .offset = offsetof(struct sample_part, name)},
    {.name = "IP", .type = CONF_IP, .offset = offsetof(struct sample_part, ip)},
    {.name = NULL}};

static const struct conf_block part_block = {
    .size = sizeof(struct sample_part), .args = part_args, .words = none};

static const struct conf_word parts_words[] = {{.name = "NAME",
                                                .type = CONF_BLOCK,
                                                .flags = CONF_REPEAT | CONF_ANY_NAME,
                                                .offset = offsetof(struct sample_parts, list),
                                                .block = &part_block},
                                               {.name = NULL}};

static const struct conf_block parts_block = {
    .size = sizeof(struct sample_parts), .args = none, .words = parts_words};

static const struct conf_choice levels[] = {
    {.name = "info", .value = 0}, {.name = "warn", .value = 1}, {.name = NULL}};

static const struct conf_word log_words[] = {{.name = "level",
                                              .type = CONF_CHOICE,
                                              .offset = offsetof(struct sample_log, level),
                                              .fallback = "warn",
                                              .choices = levels},
                                             {.name = NULL}};

static const struct conf_block log_block = {.size = sizeof(struct sample_log), .words = log_words};

/* ---- the top ---- */

static const struct conf_choice modes[] = {{.name = "fast", .value = 1, .doc = "in a hurry"},
                                           {.name = "safe", .value = 2, .doc = "with \"care\""},
                                           {.name = "exact", .is_planned = true},
                                           {.name = NULL}};

#define SHOP(member) offsetof(struct sample_shop, member)

static const struct conf_word shop_words[] = {
    {.name = "quiet", .type = CONF_FLAG, .offset = SHOP(is_quiet)},
    {.name = "level",
     .type = CONF_INT,
     .offset = SHOP(level),
     .fallback = "5",
     .min = 1,
     .max = 9,
     .apply = CONF_RESTART,
     .doc = ".level: from low to high"},
    {.name = "loops",
     .type = CONF_COUNT,
     .offset = SHOP(loops),
     .fallback = "auto",
     .min = 1,
     .max = 64},
    {.name = "owner", .type = CONF_NAME, .offset = SHOP(owner)},
    {.name = "motto", .type = CONF_STRING, .offset = SHOP(motto), .fallback = "all is \"well\""},
    {.name = "home", .type = CONF_PATH, .offset = SHOP(home)},
    {.name = "mode",
     .type = CONF_CHOICE,
     .offset = SHOP(mode),
     .fallback = "safe",
     .choices = modes},
    {.name = "bind", .type = CONF_ADDR, .offset = SHOP(bind)},
    {.name = "peer", .type = CONF_ENDPOINT, .offset = SHOP(peer)},
    {.name = "self", .type = CONF_IP, .offset = SHOP(self)},
    {.name = "place", .type = CONF_IP_IN, .flags = CONF_REPEAT, .offset = SHOP(places)},
    {.name = "trust", .type = CONF_NET, .flags = CONF_REPEAT, .offset = SHOP(trust)},
    {.name = "tag", .type = CONF_STRING, .flags = CONF_REPEAT, .offset = SHOP(tags)},
    {.name = "answer", .type = CONF_STATUS, .offset = SHOP(answer), .fallback = "200"},
    {.name = "expect", .type = CONF_STATUSES, .offset = SHOP(expect), .fallback = "200..399"},
    {.name = "wait",
     .type = CONF_TIME,
     .offset = SHOP(wait_ms),
     .fallback = "2s",
     .min = 10,
     .max = 3600000},
    {.name = "backoff", .type = CONF_TIMES, .offset = SHOP(backoff)},
    {.name = "hands", .type = CONF_INTS, .offset = SHOP(hands), .min = 1, .max = 99},
    {.name = "room",
     .type = CONF_SIZE,
     .offset = SHOP(room_bytes),
     .fallback = "64k",
     .min = 1024,
     .max = 1ll << 31},
    {.name = "pace", .type = CONF_RATE, .offset = SHOP(pace)},
    {.name = "share", .type = CONF_PERCENT, .offset = SHOP(share), .fallback = "50%"},
    {.name = "favourite", .type = CONF_REF, .offset = SHOP(favourite)},
    {.name = NULL}};

static const struct conf_word store_words[] = {
    {.name = "shelf",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct sample_store, shelves),
     .block = &shelf_block,
     .doc = "where things stand"},
    {.name = "parts",
     .type = CONF_BLOCK,
     .offset = offsetof(struct sample_store, parts),
     .block = &parts_block},
    {.name = "log",
     .type = CONF_BLOCK,
     .flags = CONF_EMBED,
     .offset = offsetof(struct sample_store, log),
     .block = &log_block},
    {.name = "cellar", .type = CONF_BLOCK, .flags = CONF_PLANNED, .doc = "below"},
    {.name = NULL}};

/* ---- a host in memory ---- */

static int memory_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                       struct err *err)
{
    const struct sample *sample = ctx;
    for (size_t i = 0; i < sample->n_memory; i++) {
        if (!slice_equal(sample->memory[i].path, path))
            continue;
        *ret_bytes = arena_dup(arena, sample->memory[i].bytes);
        return 0;
    }
    return err_set(err, "cannot read %.*s: there is no such file", SLICE_ARG(path));
}

/* A star at the end is all that it knows. */
static int memory_glob(void *ctx, struct slice pattern, struct arena *arena,
                       struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    const struct sample *sample = ctx;
    struct slice prefix = slice_make(pattern.ptr, slice_find(pattern, '*'));
    if (prefix.len == pattern.len)
        return err_set(err, "%.*s is no pattern", SLICE_ARG(pattern));
    *ret_paths = ARENA_NEW_ARRAY(arena, struct slice, SAMPLE_FILES_MAX);
    *ret_n = 0;
    for (size_t i = 0; i < sample->n_memory; i++)
        if (slice_starts(sample->memory[i].path, prefix))
            (*ret_paths)[(*ret_n)++] = arena_dup(arena, sample->memory[i].path);
    return 0;
}

static const char *memory_env(void *ctx, struct slice name)
{
    (void)ctx;
    if (slice_is(name, "A"))
        return "alpha";
    if (slice_is(name, "ODD"))
        return "x y {;$";
    return slice_is(name, "EMPTY") ? "" : NULL;
}

struct conf_host sample_host(struct sample *sample)
{
    return (struct conf_host){
        .ctx = sample, .read = memory_read, .glob = memory_glob, .env = memory_env};
}

void sample_fill(struct sample *sample, struct slice text)
{
    struct sample_file file = {.path = SLICE("main.weir"), .bytes = {text.ptr, 0}};
    sample->n_memory = 0;
    while (text.len && sample->n_memory < SAMPLE_FILES_MAX - 1) {
        size_t len = slice_find(text, '\n');
        struct slice line = slice_make(text.ptr, len);
        size_t step = len < text.len ? len + 1 : len;
        text = slice_skip(text, step);
        if (!slice_starts(line, SLICE("=== ")) || line.len == 4) {
            file.bytes.len += step;
            continue;
        }
        sample->memory[sample->n_memory++] = file;
        file = (struct sample_file){.path = slice_skip(line, 4), .bytes = {text.ptr, 0}};
    }
    sample->memory[sample->n_memory++] = file;
}

void sample_load(struct sample *sample, struct slice text)
{
    memset(sample, 0, sizeof(*sample));
    sample_fill(sample, text);
    arena_init(&sample->arena);
    conf_diag_init(&sample->diag, &sample->arena, &sample->files);
    sample->files.folder = SLICE("/etc");
    sample->load =
        (struct conf_load){.arena = &sample->arena, .diag = &sample->diag, .files = &sample->files};
    sample->sections[0] = (struct conf_section){"shop", shop_words, &sample->shop};
    sample->sections[1] = (struct conf_section){"store", store_words, &sample->store};
    struct conf_host host = sample_host(sample);
    sample->root =
        conf_tree_read(SLICE("main.weir"), &host, &sample->arena, &sample->files, &sample->diag);
    sample->rc = conf_load(&sample->load, sample->root, sample->sections, SAMPLE_N_SECTIONS);
}

void sample_deinit(struct sample *sample)
{
    arena_deinit(&sample->arena);
}

/* ---- comparison ---- */

static bool equal_words(const struct conf_word *words, const void *a, const void *b);

static bool equal_addr(const struct conf_addr *a, const struct conf_addr *b)
{
    if (!slice_equal(a->text, b->text) || !slice_equal(a->host, b->host) || a->port != b->port)
        return false;
    return a->addr.len == 0 || b->addr.len == 0 ? a->addr.len == b->addr.len
                                                : addr_equal(&a->addr, &b->addr);
}

static bool equal_net(const struct addr_net *a, const struct addr_net *b)
{
    return a->n_bits == b->n_bits && addr_equal(&a->base, &b->base);
}

static bool equal_value(const struct conf_word *word, const void *a, const void *b)
{
    switch (word->type) {
    case CONF_NAME:
    case CONF_STRING:
    case CONF_PATH:
    case CONF_CUSTOM:
    case CONF_REF: /* begins with its name */
        return slice_equal(*(const struct slice *)a, *(const struct slice *)b);
    case CONF_ADDR:
    case CONF_ENDPOINT:
    case CONF_IP:
        return equal_addr(a, b);
    case CONF_NET:
        return equal_net(a, b);
    case CONF_IP_IN: /* begins with its address, and that with its text */
        return equal_addr(a, b);
    case CONF_FLAG:
        return *(const bool *)a == *(const bool *)b;
    case CONF_CHOICE:
        return *(const int *)a == *(const int *)b;
    case CONF_INTS:
    case CONF_STATUSES:
    case CONF_TIMES:
    case CONF_RATE:
        return memcmp(a, b, 2 * sizeof(int64_t)) == 0;
    case CONF_INT:
    case CONF_COUNT:
    case CONF_STATUS:
    case CONF_TIME:
    case CONF_PERIOD:
    case CONF_SIZE:
    case CONF_PERCENT:
        return *(const int64_t *)a == *(const int64_t *)b;
    case CONF_BLOCK:
        return equal_words(word->block->args, a, b) && equal_words(word->block->words, a, b);
    case CONF_N_TYPES:
        break;
    }
    return false;
}

static bool equal_list(const struct conf_word *word, const struct conf_list *a,
                       const struct conf_list *b)
{
    if (a->n_items != b->n_items)
        return false;
    for (size_t i = 0; i < a->n_items; i++)
        if (!equal_value(word, a->items[i], b->items[i]))
            return false;
    return true;
}

static bool equal_row(const struct conf_word *word, const char *a, const char *b)
{
    a += word->offset;
    b += word->offset;
    if (word->flags & CONF_PLANNED)
        return true;
    if (word->flags & CONF_REPEAT)
        return equal_list(word, (const void *)a, (const void *)b);
    if (word->type == CONF_BLOCK && !(word->flags & CONF_EMBED)) {
        const void *x = *(void *const *)(const void *)a, *y = *(void *const *)(const void *)b;
        return x && y ? equal_value(word, x, y) : x == y;
    }
    return equal_value(word, a, b);
}

static bool equal_words(const struct conf_word *words, const void *a, const void *b)
{
    for (; words && words->name; words++)
        if (!equal_row(words, a, b))
            return false;
    return true;
}

bool sample_equal(struct sample *a, struct sample *b)
{
    for (size_t i = 0; i < SAMPLE_N_SECTIONS; i++)
        if (!equal_words(a->sections[i].words, a->sections[i].self, b->sections[i].self))
            return false;
    return true;
}

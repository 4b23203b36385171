/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The board by name: written and read back, what a reader does not know, what is no such document,
 * and the document of the first version.
 */

#include "base/mem.h"
#include "core/export.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { HEALTH = 1, EDGE = 2, N_SEGMENTS = 3 };

enum {
    WORD_REQUESTS,
    WORD_2XX,
    WORD_5XX,
    WORD_ACTIVE,
    WORD_LATENCY,
    WORDS = 4 + METRIC_HIST_WORDS
};

static const struct metric_def defs[] = {
    {.name = "requests", .type = METRIC_COUNTER, .word = WORD_REQUESTS, .help = "x"},
    {.name = "responses",
     .type = METRIC_COUNTER,
     .word = WORD_2XX,
     .label = "class",
     .label_value = "2xx",
     .help = "x"},
    {.name = "responses",
     .type = METRIC_COUNTER,
     .word = WORD_5XX,
     .label = "class",
     .label_value = "5xx",
     .help = "x"},
    {.name = "connections_active", .type = METRIC_GAUGE, .word = WORD_ACTIVE, .help = "x"},
    {.name = "latency", .type = METRIC_HISTOGRAM, .word = WORD_LATENCY, .help = "x"},
    {.name = NULL},
};
static const struct metric_table listens = {
    .name = "listen", .labels = {"listen"}, .n_words = WORDS, .defs = defs};
static const struct metric_table *const tables[] = {&listens, NULL};
static const struct module counting = {.name = "counting", .metrics = tables};
static const struct module *const modules[] = {&counting};
static const struct module_table table = {.items = modules, .n_items = 1};

static struct board_fds make(void)
{
    static const char *const names[N_SEGMENTS] = {"supervisor", "health", "edge"};
    struct board_fds fds;
    struct err err = ERR_NONE;
    if (board_make(names, N_SEGMENTS, &fds, &err) < 0)
        fail_msg("%s", err.text);
    return fds;
}

static struct board *open_as(const struct board_fds *fds, int own)
{
    struct board *board;
    struct err err = ERR_NONE;
    if (board_open(fds, own, &board, &err) < 0)
        fail_msg("%s", err.text);
    return board;
}

static json_t *parse(const struct text *text)
{
    json_t *root = json_loadb(text_cstr(text), text->len, 0, NULL);
    assert_non_null(root);
    return root;
}

/* --- facts ------------------------------------------------------------------------------------ */

static json_t *facts_of(const struct board *board)
{
    struct text text = TEXT_NONE;
    struct json json;
    json_init(&json, &text);
    json_object_begin(&json);
    json_key(&json, "facts");
    export_facts(&json, board);
    json_key(&json, "starts");
    export_starts(&json, board);
    json_object_end(&json);
    json_finish(&json);
    json_t *root = parse(&text);
    text_deinit(&text);
    return root;
}

static void restore(const json_t *root, const struct board_fds *fds, int n_expected)
{
    struct err err = ERR_NONE;
    int n = export_restore(json_object_get(root, "facts"), json_object_get(root, "starts"), HEALTH,
                           fds, &err);
    if (n < 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, n_expected);
}

static struct fact fact_of(const struct board *board, const char *name)
{
    struct fact fact = {.state = FACT_NONE};
    struct fact_ref ref = board_find(board, name);
    if (!ref.is_set || !board_read(board, ref, &fact))
        fail_msg("there is no %s", name);
    return fact;
}

static void test_facts_pass_over(void **state)
{
    (void)state;
    struct board_fds from = make(), to = make();
    struct board *super = open_as(&from, 0), *health = open_as(&from, HEALTH),
                 *edge = open_as(&from, EDGE);
    board_state(super, "process:edge", FACT_UP, 0, "ours alone", 5);
    board_state(health, "member:web/a", FACT_UP, 1.5, "HTTP 200", 1234567890123456789u);
    board_state(health, "member:web/b", FACT_DOWN, (double)NAN, "said \"\xff\"\n", 77);
    board_state(edge, "listen:shop", FACT_SERVING, 0, "", 1);
    json_t *root = facts_of(super);
    restore(root, &to, 3);
    struct board *reader = open_as(&to, BOARD_NO_SEGMENT);
    struct fact fact = fact_of(reader, "member:web/a");
    assert_int_equal(fact.state, FACT_UP);
    assert_true(fact.since_ns == 1234567890123456789u);
    assert_true(fact.value >= 1.5 && fact.value <= 1.5);
    assert_string_equal(fact.reason, "HTTP 200");
    fact = fact_of(reader, "member:web/b");
    assert_int_equal(fact.state, FACT_DOWN);
    assert_true(isnan(fact.value));
    assert_string_equal(fact.reason, "said \"\xef\xbf\xbd\"\n");
    assert_int_equal(board_find(reader, "listen:shop").segment, EDGE);
    assert_false(board_find(reader, "process:edge").is_set);
    /* The next to open the segment goes on where the other build stood, and is no restart. */
    struct board *next = open_as(&to, HEALTH);
    assert_int_equal(board_starts(next, HEALTH), 1);
    board_state(next, "member:web/a", FACT_UP, 1.5, "HTTP 200", 99);
    assert_true(fact_of(reader, "member:web/a").since_ns == 1234567890123456789u);
    json_decref(root);
    board_close(&super);
    board_close(&health);
    board_close(&edge);
    board_close(&reader);
    board_close(&next);
    board_fds_close(&from);
    board_fds_close(&to);
}

/* --- counts ----------------------------------------------------------------------------------- */

struct seen {
    size_t n;
    char object[FACT_NAME_MAX];
    uint64_t words[WORDS];
};

static void on_slab(void *ctx, const struct metric_table *its, const char *object,
                    const uint64_t *words)
{
    struct seen *seen = ctx;
    assert_ptr_equal(its, &listens);
    seen->n++;
    slice_copy(slice_from(object), seen->object, sizeof(seen->object));
    for (size_t i = 0; i < WORDS; i++)
        seen->words[i] += words[i];
}

static json_t *slabs_of(const struct board *board, size_t segment, bool has_gauges)
{
    uint64_t *words = MEM_NEW_ARRAY(uint64_t, EXPORT_WORDS_MAX);
    struct export_slab slab = {.words = words};
    struct text text = TEXT_NONE;
    struct json json;
    uint64_t cursor = 0;
    json_init(&json, &text);
    json_array_begin(&json);
    while (export_next(board, segment, &table, &cursor, &slab))
        export_slab(&json, &slab, has_gauges);
    json_array_end(&json);
    json_finish(&json);
    json_t *root = parse(&text);
    text_deinit(&text);
    mem_free(words);
    return root;
}

static void test_counts_pass_over(void **state)
{
    (void)state;
    struct board_fds fds = make();
    struct board *edge = open_as(&fds, EDGE);
    struct err err = ERR_NONE;
    static const struct metric_def pie_defs[] = {{.name = "slices", .help = "x"}, {.name = NULL}};
    static const struct metric_table pie = {.name = "pie", .n_words = 1, .defs = pie_defs};
    struct metric_slab *slab = metric_open(edge, &listens, "shop", 2, true);
    struct metric_slab *other = metric_open(edge, &pie, "apple", 1, true);
    for (uint32_t i = 0; i < 2; i++) {
        metric_add(metric_row(slab, i), WORD_REQUESTS, 20 + i);
        metric_add(metric_row(slab, i), WORD_5XX, 3);
        metric_add(metric_row(slab, i), WORD_ACTIVE, 1);
        metric_observe(metric_row(slab, i), WORD_LATENCY, 700 + 1000 * i);
    }
    for (int has_gauges = 0; has_gauges < 2; has_gauges++) {
        struct seen seen = {.n = 0};
        json_t *slabs = slabs_of(edge, EDGE, has_gauges);
        assert_int_equal(json_array_size(slabs), 1); /* nobody knows the pie */
        assert_int_equal(export_read_slabs(slabs, &table, on_slab, &seen, &err), 0);
        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.object, "shop");
        assert_true(seen.words[WORD_REQUESTS] == 41 && seen.words[WORD_2XX] == 0);
        assert_true(seen.words[WORD_5XX] == 6);
        assert_true(seen.words[WORD_ACTIVE] == (has_gauges ? 2 : 0));
        assert_true(seen.words[WORD_LATENCY + hist_bucket(700)] == 1);
        assert_true(seen.words[WORD_LATENCY + hist_bucket(1700)] == 1);
        assert_true(seen.words[WORD_LATENCY + HIST_BUCKETS] == 2400);
        json_decref(slabs);
    }
    metric_forget(slab);
    metric_forget(other);
    board_close(&edge);
    board_fds_close(&fds);
}

static void test_what_is_no_such_document(void **state)
{
    (void)state;
    static const char counts_missing[] = "[{\"table\":\"listen\",\"object\":\"x\","
                                         "\"words\":{\"latency\":{\"sum\":1,\"counts\":[1]}}}]";
    static const char *const cases[] = {
        "{}",
        "[1]",
        "[{\"table\":\"listen\",\"object\":\"x\"}]",
        "[{\"table\":\"listen\",\"object\":\"x\",\"words\":[]}]",
        "[{\"table\":\"listen\",\"object\":\"x\",\"words\":{\"requests\":\"1\"}}]",
        "[{\"table\":\"listen\",\"object\":\"x\",\"words\":{\"latency\":1}}]",
        "[{\"table\":\"listen\",\"object\":\"x\",\"words\":{\"latency\":{\"sum\":1}}}]",
        counts_missing,
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = {.n = 0};
        struct err err = ERR_NONE;
        json_t *root = json_loads(cases[i], 0, NULL);
        assert_non_null(root);
        if (export_read_slabs(root, &table, on_slab, &seen, &err) != -1)
            fail_msg("taken: %s", cases[i]);
        assert_true(err.text[0] != 0 && seen.n == 0);
        json_decref(root);
    }
}

/* --- the first version ------------------------------------------------------------------------ */

static void test_version_1(void **state)
{
    (void)state;
    json_t *root = json_load_file("tests/formats/upgrade-1.json", 0, NULL);
    struct board_fds fds = make();
    struct seen seen = {.n = 0};
    struct err err = ERR_NONE;
    assert_non_null(root);
    restore(root, &fds, 3); /* neither the part nor the state that this build has not */
    struct board *reader = open_as(&fds, BOARD_NO_SEGMENT);
    assert_true(fact_of(reader, "member:web/app1").since_ns == 1764150000123456789u);
    assert_string_equal(fact_of(reader, "member:web/app2").reason, "connection refused");
    assert_true(isnan(fact_of(reader, "listen:shop").value));
    assert_int_equal(board_starts(reader, EDGE), 2);
    assert_int_equal(board_starts(reader, HEALTH), 0);
    assert_int_equal(
        export_read_slabs(json_object_get(root, "slabs"), &table, on_slab, &seen, &err), 0);
    assert_true(seen.n == 1 && seen.words[WORD_REQUESTS] == 40);
    const json_t *former = json_array_get(json_object_get(root, "formers"), 0);
    assert_int_equal(
        export_read_slabs(json_object_get(former, "slabs"), &table, on_slab, &seen, &err), 0);
    assert_true(seen.words[WORD_REQUESTS] == 42 && seen.words[WORD_ACTIVE] == 1);
    assert_true(seen.words[WORD_LATENCY + HIST_BUCKETS] == 2600);
    json_decref(root);
    board_close(&reader);
    board_fds_close(&fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts_pass_over),
        cmocka_unit_test(test_counts_pass_over),
        cmocka_unit_test(test_what_is_no_such_document),
        cmocka_unit_test(test_version_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

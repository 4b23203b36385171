/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bundle: what goes in comes out, what the recorder heard is what the host says, and no byte of
 * an encoding can be wrong or missing without a refusal or a bundle that is right in itself.
 */
#include "base/mem.h"
#include "conf/bundle.h"
#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An outside whose answers change with each question. */
struct outside {
    unsigned n_reads, n_globs, n_envs;
};

static int outside_read(void *ctx, struct slice path, struct arena *arena, struct slice *ret_bytes,
                        struct err *err)
{
    struct outside *outside = ctx;
    if (slice_is(path, "missing"))
        return err_set(err, "cannot read missing");
    *ret_bytes = slice_from(arena_printf(arena, "version %u", ++outside->n_reads));
    return 0;
}

static int outside_glob(void *ctx, struct slice pattern, struct arena *arena,
                        struct slice **ret_paths, size_t *ret_n, struct err *err)
{
    struct outside *outside = ctx;
    (void)err;
    outside->n_globs++;
    *ret_n = slice_is(pattern, "none*") ? 0 : 2;
    *ret_paths = ARENA_NEW_ARRAY(arena, struct slice, 2);
    (*ret_paths)[0] = SLICE("a");
    (*ret_paths)[1] = SLICE("b c");
    return 0;
}

static const char *outside_env(void *ctx, struct slice name)
{
    struct outside *outside = ctx;
    outside->n_envs++;
    return slice_is(name, "HOME") ? "/root" : slice_is(name, "EMPTY") ? "" : NULL;
}

static void ask(const struct conf_host *host, struct arena *arena)
{
    struct slice bytes, *paths;
    size_t n_paths;
    struct err err = ERR_NONE;
    assert_int_equal(host->read(host->ctx, SLICE("main"), arena, &bytes, &err), 0);
    assert_true(slice_is(bytes, "version 1"));
    assert_int_equal(host->read(host->ctx, SLICE("missing"), arena, &bytes, &err), -1);
    assert_true(err.text[0] != '\0');
    assert_int_equal(host->glob(host->ctx, SLICE("*"), arena, &paths, &n_paths, &err), 0);
    assert_int_equal(n_paths, 2);
    assert_true(slice_is(paths[0], "a") && slice_is(paths[1], "b c"));
    assert_int_equal(host->glob(host->ctx, SLICE("none*"), arena, &paths, &n_paths, &err), 0);
    assert_int_equal(n_paths, 0);
    assert_string_equal(host->env(host->ctx, SLICE("HOME")), "/root");
    assert_string_equal(host->env(host->ctx, SLICE("EMPTY")), "");
    assert_null(host->env(host->ctx, SLICE("NOT")));
}

static void test_record(void **state)
{
    struct outside outside = {0};
    struct conf_host inner = {&outside, outside_read, outside_glob, outside_env};
    struct conf_bundle bundle, process, sent;
    struct conf_recorder recorder = {.inner = &inner, .bundle = &bundle};
    struct conf_host host = conf_recorder_host(&recorder);
    struct arena arena;
    struct text bytes = TEXT_NONE;
    (void)state;
    arena_init(&arena);
    conf_bundle_init(&bundle);
    conf_bundle_init(&process);
    conf_bundle_init(&sent);

    ask(&host, &arena);
    ask(&host, &arena); /* the second time nobody asks outside */
    assert_int_equal(outside.n_reads, 1);
    assert_int_equal(outside.n_globs, 2);

    assert_int_equal(conf_bundle_join(&process, &bundle, NULL), 0);
    assert_int_equal(
        conf_bundle_add(&process, CONF_BUNDLE_BLOB, SLICE("hosts"), slice_make("\0\1", 2), NULL),
        0);
    conf_bundle_encode(&process, &bytes);
    assert_int_equal(bytes.len, process.encoded_bytes);
    assert_int_equal(conf_bundle_decode(&sent, text_slice(&bytes), NULL), 0);
    host = conf_bundle_host(&sent);
    ask(&host, &arena);
    assert_true(slice_equal(conf_bundle_blob(&sent, "hosts"), slice_make("\0\1", 2)));
    assert_null(conf_bundle_blob(&sent, "key").ptr);

    struct slice unused, *paths;
    size_t n_paths;
    struct err err = ERR_NONE;
    assert_int_equal(host.glob(host.ctx, SLICE("other*"), &arena, &paths, &n_paths, &err), -1);
    assert_string_equal(err.text, "the bundle holds no answer for other*");
    assert_int_equal(host.read(host.ctx, SLICE("hosts"), &arena, &unused, &err), -1);
    assert_string_equal(err.text, "the bundle holds no file hosts");

    conf_bundle_deinit(&sent);
    conf_bundle_deinit(&process);
    conf_bundle_deinit(&bundle);
    text_deinit(&bytes);
    arena_deinit(&arena);
}

static void test_refusals(void **state)
{
    struct conf_bundle bundle;
    struct err err = ERR_NONE;
    static char name[CONF_BUNDLE_NAME_MAX + 1];
    static const struct {
        enum conf_bundle_kind kind;
        struct slice name, bytes;
        const char *error;
    } rows[] = {
        {CONF_BUNDLE_BLOB, SLICE_INIT(""), SLICE_INIT("x"), "bundle: \"\" cannot be a name"},
        {CONF_BUNDLE_BLOB, SLICE_INIT("a\0b"), SLICE_INIT("x"), "bundle: \"a?b\" cannot be a name"},
        {CONF_BUNDLE_BLOB, SLICE_INIT("there"), SLICE_INIT("x"), "bundle: there is there already"},
        {CONF_BUNDLE_ENV, SLICE_INIT("A"), SLICE_INIT("a\0b"),
         "bundle: the value of A holds a NUL"},
        {CONF_BUNDLE_GLOB, SLICE_INIT("*"), SLICE_INIT("a"), "bundle: * has no list of paths"},
        {CONF_BUNDLE_GLOB, SLICE_INIT("*"), SLICE_INIT("a\0\0"), "bundle: * has no list of paths"},
        {CONF_BUNDLE_FILE, {name, sizeof(name)}, SLICE_INIT(""), NULL},
    };
    (void)state;
    memset(name, 'n', sizeof(name));
    conf_bundle_init(&bundle);
    assert_int_equal(conf_bundle_add(&bundle, CONF_BUNDLE_BLOB, SLICE("there"), SLICE(""), NULL),
                     0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(conf_bundle_add(&bundle, rows[i].kind, rows[i].name, rows[i].bytes, &err),
                         -1);
        if (rows[i].error)
            assert_string_equal(err.text, rows[i].error);
    }
    assert_int_equal(bundle.n_entries, 1);
    /* Another kind is another name. */
    assert_int_equal(conf_bundle_add(&bundle, CONF_BUNDLE_FILE, SLICE("there"), SLICE(""), NULL),
                     0);
    conf_bundle_deinit(&bundle);
}

static void test_entries_max(void **state)
{
    struct conf_bundle bundle;
    struct err err = ERR_NONE;
    (void)state;
    conf_bundle_init(&bundle);
    for (unsigned i = 0; i < CONF_BUNDLE_ENTRIES_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%u", i);
        assert_int_equal(
            conf_bundle_add(&bundle, CONF_BUNDLE_BLOB, slice_from(name), SLICE(""), NULL), 0);
    }
    assert_int_equal(conf_bundle_add(&bundle, CONF_BUNDLE_BLOB, SLICE("more"), SLICE(""), &err),
                     -1);
    assert_string_equal(err.text, "bundle: more than 4096 entries");
    conf_bundle_deinit(&bundle);
}

/* The encoding cut at every byte is refused; with every bit turned round it is refused or is
 * another encoding that is right in itself. */
static void test_broken(void **state)
{
    struct conf_bundle bundle;
    struct text bytes = TEXT_NONE, again = TEXT_NONE;
    struct err err = ERR_NONE;
    (void)state;
    conf_bundle_init(&bundle);
    conf_bundle_add(&bundle, CONF_BUNDLE_FILE, SLICE("f"), SLICE("state x\n"), NULL);
    conf_bundle_add(&bundle, CONF_BUNDLE_GLOB, SLICE("*"), slice_make("a\0b\0", 4), NULL);
    conf_bundle_add(&bundle, CONF_BUNDLE_ENV, SLICE("A"), SLICE("v"), NULL);
    conf_bundle_encode(&bundle, &bytes);
    conf_bundle_deinit(&bundle);
    for (size_t len = 0; len < bytes.len; len++) {
        char *copy = slice_dup(slice_make(bytes.ptr, len));
        assert_int_equal(conf_bundle_decode(&bundle, slice_make(copy, len), &err), -1);
        assert_int_equal(bundle.n_entries, 0);
        mem_free(copy);
    }
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] ^= (char)(1 << bit % 8);
        if (conf_bundle_decode(&bundle, text_slice(&bytes), &err) == 0) {
            text_clear(&again);
            conf_bundle_encode(&bundle, &again);
            assert_true(slice_equal(text_slice(&again), text_slice(&bytes)));
        }
        conf_bundle_deinit(&bundle);
        bytes.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    text_deinit(&again);
    text_deinit(&bytes);
}

static void test_version(void **state)
{
    struct conf_bundle bundle;
    struct err err = ERR_NONE;
    (void)state;
    conf_bundle_init(&bundle);
    assert_int_equal(conf_bundle_decode(&bundle, SLICE("weirbndl\0\0\0\2\0\0\0\0"), &err), -1);
    assert_string_equal(err.text, "bundle: version 2, and this weir reads 1");
    assert_int_equal(conf_bundle_decode(&bundle, SLICE("weirbndl\0\0\0\1\0\0\0\0!"), &err), -1);
    assert_string_equal(err.text, "bundle: 1 bytes behind its end");
    assert_int_equal(conf_bundle_decode(&bundle, SLICE("hello"), &err), -1);
    assert_string_equal(err.text, "bundle: these bytes are no bundle");
    conf_bundle_deinit(&bundle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_entries_max), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_version)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

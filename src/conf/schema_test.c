/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema beside the sample language: values of every type, the grammar of sentences, defaults,
 * each mistake with its sentence and hint, the full print and the manual.
 */
#include "base/mem.h"
#include "conf/print.h"
#include "conf/sample.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sample *load(const char *text)
{
    struct sample *sample = MEM_NEW(struct sample);
    sample_load(sample, slice_from(text));
    return sample;
}

static void drop(struct sample *sample)
{
    sample_deinit(sample);
    mem_free(sample);
}

static void assert_right(const struct sample *sample)
{
    if (sample->diag.n_errors)
        print_error("%s\n", sample->diag.items[0].text);
    assert_int_equal(sample->diag.n_errors, 0);
    assert_int_equal(sample->rc, 0);
}

static void assert_slice(struct slice slice, const char *text)
{
    assert_true(slice_is(slice, text));
    assert_int_equal(slice.len ? slice.ptr[slice.len] : 0, 0);
}

static struct sample_shelf *shelf(const struct sample *sample, size_t i)
{
    assert_true(i < sample->store.shelves.n_items);
    return sample->store.shelves.items[i];
}

/* ---- values ---- */

static void test_values(void **state)
{
    struct sample *s = load("quiet; level 3; loops 4; owner a_b-c.d; motto \"two words\"\n"
                            "home conf.d/x; mode fast; bind [::1]:80; peer app.internal:8080\n"
                            "self 10.0.0.1; trust 10.0.0.0/8; trust ::/0; tag a; tag ${ODD}\n"
                            "place 10.0.0.9/8; place fe80::1/64\n"
                            "answer 204; expect 500; wait 250ms; backoff 10s..1h; room 1M\n"
                            "hands 2..8; pace 5/m; share 0%; favourite tall\n");
    char text[ADDR_TEXT_MAX];
    (void)state;
    assert_right(s);
    assert_true(s->shop.is_quiet);
    assert_int_equal(s->shop.level, 3);
    assert_int_equal(s->shop.loops, 4);
    assert_slice(s->shop.owner, "a_b-c.d");
    assert_slice(s->shop.motto, "two words");
    assert_slice(s->shop.home, "/etc/conf.d/x");
    assert_int_equal(s->shop.mode, 1);
    assert_string_equal(addr_format(&s->shop.bind.addr, text), "[::1]:80");
    assert_int_equal(s->shop.bind.port, 80);
    assert_slice(s->shop.peer.host, "app.internal");
    assert_int_equal(s->shop.peer.port, 8080);
    assert_int_equal(s->shop.peer.addr.len, 0);
    assert_slice(s->shop.peer.text, "app.internal:8080");
    assert_string_equal(addr_format_ip(&s->shop.self.addr, text), "10.0.0.1");
    assert_int_equal(s->shop.trust.n_items, 2);
    assert_int_equal(((struct addr_net *)s->shop.trust.items[0])->n_bits, 8);
    const struct conf_ip_in *place = s->shop.places.items[1];
    assert_int_equal(place->n_bits, 64);
    assert_string_equal(addr_format_ip(&place->ip.addr, text), "fe80::1");
    assert_slice(place->ip.text, "fe80::1/64");
    assert_int_equal(place->ip.at.line, 4);
    assert_int_equal(s->shop.tags.n_items, 2);
    assert_slice(*(struct slice *)s->shop.tags.items[1], "x y {;$");
    assert_int_equal(s->shop.answer, 204);
    assert_int_equal(s->shop.expect.low, 500);
    assert_int_equal(s->shop.expect.high, 500);
    assert_int_equal(s->shop.wait_ms, 250);
    assert_int_equal(s->shop.backoff.low, 10000);
    assert_int_equal(s->shop.backoff.high, 3600000);
    assert_int_equal(s->shop.hands.low, 2);
    assert_int_equal(s->shop.hands.high, 8);
    assert_int_equal(s->shop.room_bytes, 1 << 20);
    assert_int_equal(s->shop.pace.count, 5);
    assert_int_equal(s->shop.pace.per_ms, 60000);
    assert_int_equal(s->shop.share, 0);
    assert_slice(s->shop.favourite.name, "tall");
    assert_int_equal(s->shop.favourite.at.line, 6);
    drop(s);
}

static void test_fallbacks(void **state)
{
    struct sample *s = load("");
    (void)state;
    assert_right(s);
    assert_int_equal(s->shop.level, 5);
    assert_int_equal(s->shop.loops, 0);
    assert_int_equal(s->shop.owner.len, 0);
    assert_slice(s->shop.motto, "all is \"well\"");
    assert_int_equal(s->shop.mode, 2);
    assert_int_equal(s->shop.expect.low, 200);
    assert_int_equal(s->shop.expect.high, 399);
    assert_int_equal(s->store.log.level, 1);
    assert_null(s->store.log.object.stmt);
    assert_null(s->store.parts);
    assert_false(conf_is_set(&s->shop.object, "level"));
    assert_int_equal(conf_where(&s->shop.object, "level").line, 1);
    drop(s);
}

/* ---- sentences ---- */

static void test_line_and_block(void **state)
{
    static const char *const forms[] = {
        "shelf a red { item x 1 weight 2 fragile; check look every 1s fall 9; share 5% }",
        "shelf a red {\nitem x 1 { weight 2; fragile }\ncheck look { every 1s\nfall 9 }\nshare 5%}",
        "shelf a red check look every 1s fall 9 share 5% item x 1 weight 2 fragile",
        "shelf a red share 5% item x 1 fragile weight 2 check look fall 9 every 1s { }",
        "shelf a red share 5% { item x 1 fragile weight 2; check look fall 9 { every 1s } }",
    };
    struct sample *first = load(forms[0]);
    (void)state;
    assert_right(first);
    for (size_t i = 1; i < ARRAY_LEN(forms); i++) {
        struct sample *other = load(forms[i]);
        assert_right(other);
        assert_true(sample_equal(first, other));
        drop(other);
    }
    const struct sample_item *item = shelf(first, 0)->items.items[0];
    assert_int_equal(item->weight, 2);
    assert_true(item->is_fragile);
    assert_slice(item->object.name, "x");
    assert_slice(shelf(first, 0)->object.name, "a");
    assert_slice(shelf(first, 0)->colour, "red");
    assert_int_equal(shelf(first, 0)->check->fall, 9);
    drop(first);
}

/* An inner word takes what it knows; an optional value is missing where a word stands. */
static void test_inner_words(void **state)
{
    struct sample *s = load("shelf a retry 8 backoff 10s..1h share 7% item x 1\n"
                            "shelf b item x 1 note every word \"here\" item y\n"
                            "shelf c \"item\" item x 1\n"
                            "parts { a 10.0.0.1; parts ::1; \"item\" 10.0.0.2 }\n");
    (void)state;
    assert_right(s);
    assert_int_equal(shelf(s, 0)->retry->backoff.low, 10000);
    assert_int_equal(shelf(s, 0)->share, 7);
    assert_int_equal(shelf(s, 0)->colour.len, 0);
    assert_int_equal(shelf(s, 1)->notes.n_items, 1);
    assert_slice(*(struct slice *)shelf(s, 1)->notes.items[0], "every word here\"item y ");
    assert_int_equal(shelf(s, 1)->items.n_items, 1);
    assert_slice(shelf(s, 2)->colour, "item");
    assert_int_equal(s->store.parts->list.n_items, 3);
    const struct sample_part *part = s->store.parts->list.items[1];
    assert_slice(part->object.name, "parts");
    drop(s);
}

static void test_places(void **state)
{
    struct sample *s = load("shelf a {\n  check look every 1s\n  limits wait 2s\n  item x 1\n"
                            "  limits { room 2k }\n}\n");
    (void)state;
    assert_right(s);
    struct conf_at at = conf_where(&shelf(s, 0)->check->object, "every");
    assert_int_equal(at.line, 2);
    assert_int_equal(at.column, 14);
    assert_true(conf_is_set(&shelf(s, 0)->check->object, "kind"));
    assert_false(conf_is_set(&shelf(s, 0)->check->object, "fall"));
    at = conf_where(&shelf(s, 0)->check->object, "fall");
    assert_int_equal(at.line, 2);
    assert_int_equal(at.column, 3);
    assert_int_equal(conf_where(&shelf(s, 0)->limits.object, "room").line, 5);
    assert_int_equal(shelf(s, 0)->limits.wait_ms, 2000);
    assert_int_equal(shelf(s, 0)->limits.n_finished, 1);
    drop(s);
}

/* ---- defaults ---- */

static void test_defaults(void **state)
{
    struct sample *s = load("shelf a { item x 1 }\n"
                            "shelf b { item x 1; check look; limits room 2M; share 1% }\n"
                            "defaults { shelf {\n"
                            "  check weigh every 5s\n"
                            "  limits { wait 1s; room 1M }\n"
                            "  share 50%\n"
                            "  note one; note two\n"
                            "} }\n");
    (void)state;
    assert_right(s);
    assert_int_equal(shelf(s, 0)->check->kind, 2);
    assert_int_equal(shelf(s, 0)->check->every_ms, 5000);
    assert_int_equal(shelf(s, 0)->share, 50);
    assert_int_equal(shelf(s, 0)->limits.room_bytes, 1 << 20);
    assert_int_equal(shelf(s, 0)->notes.n_items, 2);
    assert_int_equal(shelf(s, 1)->check->kind, 1);
    assert_int_equal(shelf(s, 1)->check->every_ms, 2000);
    assert_int_equal(shelf(s, 1)->share, 1);
    assert_int_equal(shelf(s, 1)->limits.wait_ms, 1000);
    assert_int_equal(shelf(s, 1)->limits.room_bytes, 2 << 20);
    assert_int_equal(shelf(s, 1)->limits.n_finished, 1);
    assert_true(conf_is_set(&shelf(s, 0)->object, "share"));
    assert_int_equal(conf_where(&shelf(s, 0)->object, "share").line, 6);
    assert_int_equal(conf_where(&shelf(s, 0)->limits.object, "wait").line, 5);
    assert_true(shelf(s, 0)->check != shelf(s, 1)->check);
    drop(s);
}

/* ---- mistakes ---- */

struct row {
    const char *text, *mistakes; /* LINE:COLUMN sentence [= hint] */
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sample *s = load(rows[i].text);
        struct text out = TEXT_NONE;
        for (size_t k = 0; k < s->diag.n_items; k++) {
            const struct conf_diag_item *item = &s->diag.items[k];
            text_printf(&out, "%u:%u %s%s%s\n", item->at.line, item->at.column, item->text,
                        item->hint ? " = " : "", item->hint ? item->hint : "");
        }
        assert_string_equal(text_cstr(&out), rows[i].mistakes);
        assert_int_equal(s->rc, -1);
        text_deinit(&out);
        drop(s);
    }
}

static void test_bad_values(void **state)
{
    static const struct row rows[] = {
        {"level 10", "1:7 \"10\" is too large: at most 9\n"},
        {"level 0", "1:7 \"0\" is too small: at least 1\n"},
        {"level x", "1:7 \"x\" is not a whole number\n"},
        {"loops 0", "1:7 \"0\" is too small: at least 1\n"},
        {"loops 65", "1:7 \"65\" is too large: at most 64\n"},
        {"loops all", "1:7 \"all\" is no count: write a whole number or auto\n"},
        {"owner a/b", "1:7 \"a/b\" is not a name: letters, digits, _ . and -\n"},
        {"owner -a", "1:7 \"-a\" is not a name: it begins with a letter, a digit or _\n"},
        {"owner \"\"", "1:7 this name is empty\n"},
        {"home \"\"", "1:6 this path is empty\n"},
        {"mode slow", "1:6 \"slow\" is not known here: write one of fast, safe\n"},
        {"mode exact", "1:6 \"exact\" is not part of this weir yet\n"},
        {"bind 10.0.0.1", "1:6 \"10.0.0.1\" has no port: write 10.0.0.1:80\n"},
        {"peer app.internal", "1:6 \"app.internal\" has no port: write app.internal:80\n"},
        {"peer app:0", "1:6 \"app:0\": \"0\" is not a port: write a number from 1 to 65535\n"},
        {"peer app:99999",
         "1:6 \"app:99999\": \"99999\" is not a port: write a number from 1 to 65535\n"},
        {"place 10.0.0.9", "1:7 \"10.0.0.9\" has no length of its network: write 10.0.0.9/24\n"},
        {"place fe80::1", "1:7 \"fe80::1\" has no length of its network: write fe80::1/64\n"},
        {"place 10.0.0.9/33",
         "1:7 \"10.0.0.9/33\": \"33\" is not the length of a network: write 1 to 32\n"},
        {"place 10.0.0.9/",
         "1:7 \"10.0.0.9/\": \"\" is not the length of a network: write 1 to 32\n"},
        {"answer 20", "1:8 \"20\" is not an HTTP status: write 200, or another from 100 to 599\n"},
        {"answer 600",
         "1:8 \"600\" is not an HTTP status: write 200, or another from 100 to 599\n"},
        {"expect 399..200", "1:8 \"399..200\" runs backwards: write 200..399\n"},
        {"expect 200..",
         "1:8 \"200..\" is not an HTTP status: write 200, or another from 100 to 599\n"},
        {"wait 2", "1:6 \"2\" has no unit: write 2s, 250ms, 5m\n"},
        {"wait 1ms", "1:6 \"1ms\" is too short: at least 10ms\n"},
        {"wait 2h", "1:6 \"2h\" is too long: at most 1h\n"},
        {"backoff 1h..10s", "1:9 \"1h..10s\" runs backwards: write 10s..1h\n"},
        {"hands 8..2", "1:7 \"8..2\" runs backwards: write 2..8\n"},
        {"hands 0..2", "1:7 \"0..2\" is too small: at least 1\n"},
        {"hands 2..", "1:7 \"\" is not a whole number\n"},
        {"hands 100", "1:7 \"100\" is too large: at most 99\n"},
        {"backoff 1..10s", "1:9 \"1\" has no unit: write 2s, 250ms, 5m\n"},
        {"room 64K", "1:6 \"64K\": capital letters but for k: 64k, 256M\n"},
        {"room 1", "1:6 \"1\" is too small: at least 1k\n"},
        {"room 4G", "1:6 \"4G\" is too large: at most 2G\n"},
        {"pace 10", "1:6 \"10\" does not say how often: write 10/s, 5/m\n"},
        {"share 50", "1:7 \"50\" has no percent sign: write 50%\n"},
        {"share 101%", "1:7 \"101%\" is more than all: at most 100%\n"},
        {"share half", "1:7 \"half\" is not a percentage: write 50%\n"},
        {"favourite a/b", "1:11 \"a/b\" is not a name: letters, digits, _ . and -\n"},
        {"owner ${NOT}", "1:7 the environment variable NOT is not set\n"},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_bad_words(void **state)
{
    static const struct row rows[] = {
        {"levl 3", "1:1 unknown word \"levl\" = did you mean \"level\"?\n"},
        {"shlef a { item x 1 }", "1:1 unknown word \"shlef\" = did you mean \"shelf\"?\n"},
        {"weight 3", "1:1 unknown word \"weight\" = \"weight\" stands in item\n"},
        {"cellar { x }", "1:1 \"cellar\" is not part of this weir yet\n"},
        {"shelf a { item x 1; lamp on { x } }", "1:21 \"lamp\" is not part of this weir yet\n"},
        {"shelf a item x 1 lamp on", "1:18 \"lamp\" is not part of this weir yet\n"},
        {"shelf a { item x 1; level 3 }",
         "1:21 unknown word \"level\" in shelf = \"level\" stands at the top of the file\n"},
        {"shelf a { item x 1 wieght 2 fragile }",
         "1:20 unknown word \"wieght\" in item = did you mean \"weight\"?\n"},
        {"shelf a { item x 1; check look qqq 2 fall 11 }",
         "1:32 unknown word \"qqq\" in check = known here: every, fall, tilt\n"
         "1:43 \"11\" is too large: at most 10\n"},
        {"\"level\" 3", "1:1 a quoted word is a value, and no value stands here\n"},
        {"level", "1:1 level has no value = level N\n"},
        {"level 3 4", "1:9 4 is one word too many for level = level N\n"},
        {"level 3 wait 2s",
         "1:9 wait is one word too many for level = a newline or ; stands between two settings\n"},
        {"level 3 { }", "1:1 level takes no { } = level N\n"},
        {"quiet yes", "1:7 yes is one word too many for quiet = quiet\n"},
        {"level 3\nlevel 4",
         "2:1 level stands twice in the file = the first is at main.weir:1:1\n"},
        {"shelf a { item x 1; check look every 1s every 2s }",
         "1:41 every stands twice in check = the first is at main.weir:1:32\n"},
        {"shelf a { item x 1; check look; check weigh }",
         "1:33 check stands twice in shelf a = the first is at main.weir:1:21\n"},
        {"shelf a { item x 1; limits wait 1s; limits wait 2s }",
         "1:44 wait stands twice in limits = the first is at main.weir:1:28\n"},
        {"shelf a { item x 1; item x 2 }",
         "1:26 item x stands twice in shelf a = the first is at main.weir:1:16\n"},
        {"shelf a item x 1\nshelf a item x 1",
         "2:7 shelf a stands twice in the file = the first is at main.weir:1:7\n"},
        {"parts { a 10.0.0.1; a 10.0.0.2 }",
         "1:21 a stands twice in parts = the first is at main.weir:1:9\n"},
        {"shelf",
         "1:1 shelf has no name = shelf NAME [COLOUR]\n1:1 shelf has no item = item NAME N\n"},
        {"shelf a", "1:1 shelf a has no item = item NAME N\n"},
        {"shelf a { item x }", "1:11 item x has no count = item NAME N\n"},
        {"shelf a { item x weight 2 }", "1:11 item x has no count = item NAME N\n"},
        {"shelf a { item x 1; check }", "1:21 check has no kind = check look|weigh\n"},
        {"shelf a { item x 1; check every 2s }",
         "1:27 \"every\" is not known here: write one of look, weigh\n"
         "1:33 unknown word \"2s\" in check = known here: every, fall, tilt\n"},
        {"shelf a { item x 1; check look fall every 2s }", "1:32 fall has no value = fall N\n"},
        {"parts { a 10.0.0.1 b }", "1:20 \"b\" is one word too many for a\n"},
        {"parts { a 10.0.0.1 { } }", "1:9 a takes no { } = NAME IP\n"},
        {"shelf a { item x 1; check look tilt 2% }", "1:32 nobody sees a tilt\n"},
        {"shelf a { item x 1; note }", "1:21 this note is empty = note TEXT...\n"},
        {"shelf a { item x 1; limits { wait 1h; room 1k } }",
         "1:39 the room is smaller than the wait\n"},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_bad_defaults(void **state)
{
    static const struct row rows[] = {
        {"defaults", "1:1 defaults takes nothing but a block = defaults { pool { ... } }\n"},
        {"defaults { level 3 }", "1:12 level stands once in a file and has no defaults = write it "
                                 "at the top of the file\n"},
        {"defaults { parts { a 10.0.0.1 } }", "1:12 parts stands once in a file and has no "
                                              "defaults = write it at the top of the file\n"},
        {"defaults { shlef { } }", "1:12 unknown word \"shlef\" = did you mean \"shelf\"?\n"},
        {"defaults { cellar { } }", "1:12 \"cellar\" is not part of this weir yet\n"},
        {"defaults { shelf { share 1% }; shelf { share 2% } }",
         "1:32 defaults for shelf are given twice\n"},
        /* Told once, whoever takes it. */
        {"defaults { shelf { share 1; chekc } }\nshelf a item x 1\nshelf b item x 1",
         "1:26 \"1\" has no percent sign: write 1%\n"
         "1:29 unknown word \"chekc\" in shelf = did you mean \"check\"?\n"},
        {"defaults { shelf limits wait 1h }\nshelf a { item x 1; limits room 1k }",
         "2:28 the room is smaller than the wait\n"},
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

/* One run tells all of them. */
static void test_all_at_once(void **state)
{
    struct sample *s = load("levl 3\nwait 2\nshelf a { chekc; item x 1 weight 0 }\n"
                            "mode slow; home \"x\ncellar\n}\n");
    (void)state;
    assert_int_equal(s->diag.n_errors, 8);
    drop(s);
}

/* ---- printing ---- */

static void test_print(void **state)
{
    struct sample *s = load("motto \"a $ \\\"b\\\"\"; owner ${A}; room 65536; wait 60s; quiet\n"
                            "loops auto; place 10.0.0.9/8; trust 10.0.0.0/8; pace 10/s; tag \"\"\n"
                            "defaults { shelf { share 5%; note x \"y z\" } }\n"
                            "shelf a { item x -1; check look }\n"
                            "shelf b \"item\" { item y 2 fragile }\n"
                            "parts { a ::1 }\n");
    struct text out = TEXT_NONE;
    (void)state;
    assert_right(s);
    conf_print_full(s->sections, SAMPLE_N_SECTIONS, s->root, &out);
    assert_string_equal(text_cstr(&out), "quiet\n"
                                         "level 5\n"
                                         "loops auto\n"
                                         "owner alpha\n"
                                         "motto \"a \\$ \\\"b\\\"\"\n"
                                         "mode safe\n"
                                         "place 10.0.0.9/8\n"
                                         "trust 10.0.0.0/8\n"
                                         "tag \"\"\n"
                                         "answer 200\n"
                                         "expect 200..399\n"
                                         "wait 1m\n"
                                         "room 64k\n"
                                         "pace 10/s\n"
                                         "share 50%\n"
                                         "shelf a {\n"
                                         "    item x -1 {\n"
                                         "        weight 1\n"
                                         "    }\n"
                                         "    check look {\n"
                                         "        every 2s\n"
                                         "        fall 3\n"
                                         "    }\n"
                                         "    limits {\n"
                                         "        wait 10s\n"
                                         "        room 64k\n"
                                         "    }\n"
                                         "    note x \"y z\"\n"
                                         "    share 5%\n"
                                         "}\n"
                                         "shelf b \"item\" {\n"
                                         "    item y 2 {\n"
                                         "        weight 1\n"
                                         "        fragile\n"
                                         "    }\n"
                                         "    limits {\n"
                                         "        wait 10s\n"
                                         "        room 64k\n"
                                         "    }\n"
                                         "    note x \"y z\"\n"
                                         "    share 5%\n"
                                         "}\n"
                                         "parts {\n"
                                         "    a ::1\n"
                                         "}\n"
                                         "log {\n"
                                         "    level warn\n"
                                         "}\n");
    struct sample *again = load(text_cstr(&out));
    assert_right(again);
    assert_true(sample_equal(s, again));
    drop(again);
    drop(s);
    text_deinit(&out);
}

static void add_shown(void *ctx, const struct conf_shown *shown)
{
    struct text *out = ctx;
    text_printf(out, "%.*s=%.*s", SLICE_ARG(shown->path), SLICE_ARG(shown->value));
    if (shown->is_set)
        text_printf(out, " %u:%u", shown->at.line, shown->at.column);
    text_append_char(out, '\n');
}

static void test_print_values(void **state)
{
    struct sample *s = load("defaults { shelf { share 5%; note x \"y z\"; limits { room 1M } } }\n"
                            "shelf a {\n"
                            "  item x -1\n"
                            "  item y 2 fragile weight 3\n"
                            "  retry 8 backoff 10s..1h\n"
                            "}\n"
                            "tag a; tag \"b c\"; quiet\n");
    const struct conf_block shop = {.words = s->sections[0].words};
    struct text out = TEXT_NONE;
    (void)state;
    assert_right(s);
    for (const struct conf_word *word = s->sections[1].words; word->name; word++)
        if (strcmp(word->name, "shelf") == 0)
            conf_print_values(word->block, shelf(s, 0), add_shown, &out);
    assert_string_equal(text_cstr(&out), "item=x -1 3:8\n"
                                         "item weight=1\n"
                                         "item fragile=\n"
                                         "item=y 2 4:8\n"
                                         "item weight=3 4:20\n"
                                         "item fragile=yes 4:12\n"
                                         "limits wait=10s\n"
                                         "limits room=1M 1:53\n"
                                         "retry=8 5:9\n"
                                         "retry backoff=10s..1h 5:11\n"
                                         "note=x \"y z\" 1:30\n"
                                         "share=5% 1:20\n");
    text_clear(&out);
    conf_print_values(&shop, &s->shop, add_shown, &out);
    assert_non_null(strstr(text_cstr(&out), "quiet=yes 7:19\nlevel=5\n"));
    assert_non_null(strstr(text_cstr(&out), "bind=\n"));
    assert_non_null(strstr(text_cstr(&out), "tag=a 7:1\ntag=\"b c\" 7:8\n"));
    drop(s);
    text_deinit(&out);
}

static bool has(const struct text *text, const char *part)
{
    return strstr(text_cstr(text), part) != NULL;
}

static void test_manual(void **state)
{
    struct sample *s = load("");
    struct text out = TEXT_NONE;
    (void)state;
    conf_print_manual(s->sections, SAMPLE_N_SECTIONS, &out);
    assert_true(has(&out, ".Ss shop\n.Bl -tag -width Ds\n.It Li \"quiet\"\n"));
    assert_true(has(&out, ".It Li \"level N\"\n\\&.level: from low to high.\nFrom 1 to 9.\n"
                          "Default: 5.\nA change takes effect at the next start.\n"));
    assert_true(has(&out, "From 10ms to 1h.\nDefault: 2s.\n"));
    assert_true(has(&out, ".It Li fast\nin a hurry.\n.It Li safe\nwith \\(dqcare\\(dq.\n"
                          ".It Li exact\nNot part of this version yet.\n"));
    assert_true(has(&out, ".It Li \"shelf NAME [COLOUR]\"\nwhere things stand.\n"));
    assert_true(has(&out, ".It Li \"note TEXT...\"\nMay be given several times.\n"));
    assert_true(has(&out, "what stands on it.\nRequired.\nMay be given several times.\n"));
    drop(s);
    text_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_fallbacks),
        cmocka_unit_test(test_line_and_block), cmocka_unit_test(test_inner_words),
        cmocka_unit_test(test_places),         cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_bad_values),     cmocka_unit_test(test_bad_words),
        cmocka_unit_test(test_bad_defaults),   cmocka_unit_test(test_all_at_once),
        cmocka_unit_test(test_print),          cmocka_unit_test(test_print_values),
        cmocka_unit_test(test_manual)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

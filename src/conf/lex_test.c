/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lexer as a table: a text, its lexemes on one line, its mistakes.
 *
 *     lexemes    word  "quoted word"  word!  (told to be wrong)  {  }  ;  | (newline)
 *     mistakes   LINE:COLUMN+LENGTH sentence
 */
#include "base/mem.h"
#include "conf/lex.h"
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *env(void *ctx, struct slice name)
{
    (void)ctx;
    if (slice_is(name, "HOME"))
        return "/root";
    if (slice_is(name, "ODD"))
        return "a b;{}#\"";
    return slice_is(name, "EMPTY") ? "" : NULL;
}

struct fixture {
    struct arena arena;
    struct conf_files files;
    struct conf_diag diag;
    struct text lexemes, mistakes;
};

static void show(struct text *out, enum conf_lexeme lexeme, const struct conf_token *token)
{
    static const char *const marks[] = {[CONF_LEX_OPEN] = "{",
                                        [CONF_LEX_CLOSE] = "}",
                                        [CONF_LEX_SEMICOLON] = ";",
                                        [CONF_LEX_NEWLINE] = "|"};
    text_append(out, out->len ? SLICE(" ") : SLICE(""));
    if (lexeme != CONF_LEX_WORD) {
        text_append(out, slice_from(marks[lexeme]));
        return;
    }
    const char *quote = token->is_quoted ? "\"" : "";
    text_printf(out, "%s%.*s%s%s", quote, SLICE_ARG(token->text), quote, token->is_bad ? "!" : "");
    assert_int_equal(token->text.ptr[token->text.len], 0);
}

static void run(struct fixture *fixture, struct slice bytes)
{
    struct conf_host host = {.env = env};
    struct conf_lexer lexer;
    enum conf_lexeme lexeme;
    memset(fixture, 0, sizeof(*fixture));
    arena_init(&fixture->arena);
    conf_diag_init(&fixture->diag, &fixture->arena, &fixture->files);
    conf_lexer_init(&lexer, 0, bytes, &host, &fixture->arena, &fixture->diag);
    while ((lexeme = conf_lexer_next(&lexer)) != CONF_LEX_EOF)
        show(&fixture->lexemes, lexeme, &lexer.token);
    assert_int_equal(conf_lexer_next(&lexer), CONF_LEX_EOF);
    conf_lexer_deinit(&lexer);
    for (size_t i = 0; i < fixture->diag.n_items; i++) {
        const struct conf_diag_item *item = &fixture->diag.items[i];
        text_printf(&fixture->mistakes, "%u:%u+%u %s\n", item->at.line, item->at.column,
                    item->at.len, item->text);
    }
}

static void fixture_deinit(struct fixture *fixture)
{
    text_deinit(&fixture->lexemes);
    text_deinit(&fixture->mistakes);
    arena_deinit(&fixture->arena);
}

struct row {
    struct slice bytes;
    const char *lexemes, *mistakes;
};

static void check(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fixture fixture;
        run(&fixture, rows[i].bytes);
        assert_string_equal(text_cstr(&fixture.lexemes), rows[i].lexemes);
        assert_string_equal(text_cstr(&fixture.mistakes), rows[i].mistakes);
        fixture_deinit(&fixture);
    }
}

#define ROW(bytes, lexemes, mistakes)            \
    {                                            \
        SLICE_INIT(bytes), (lexemes), (mistakes) \
    }

static void test_right(void **state)
{
    static const struct row rows[] = {
        ROW("", "", ""),
        ROW("pool web", "pool web", ""),
        ROW("\tpool  web {\n a 1; b 2 }\n", "pool web { | a 1 ; b 2 } |", ""),
        ROW("a#", "a!", "1:2+1 a # in the middle of a word\n"),
        ROW("a # b \" ${ \\\nc", "a | c", ""),
        ROW("#only", "", ""),
        ROW("a\r\nb\r\n", "a | b |", ""),
        ROW("{a}b{", "{ a } b {", ""),
        ROW("\"a b\" \"\" \"{;#}\"", "\"a b\" \"\" \"{;#}\"", ""),
        ROW("\"\\\"\\\\\\n\\t\\$\"", "\"\"\\\n\t$\"", ""),
        ROW("\"tab\there\"", "\"tab\there\"", ""),
        ROW("${HOME} ${HOME}/x a${HOME}b \"${HOME}\" ${EMPTY}", "/root /root/x a/rootb \"/root\" ",
            ""),
        ROW("${ODD} x", "a b;{}#\" x", ""),
        ROW("pa$ $1 $", "pa$ $1 $", ""),
        ROW("\"a\";\"b\"{\"c\"}", "\"a\" ; \"b\" { \"c\" }", ""),
        ROW("https://x/?a=b&c=%20 [::1]:80 10s..1h *.x = 50% 10/s",
            "https://x/?a=b&c=%20 [::1]:80 10s..1h *.x = 50% 10/s", ""),
        ROW("caf\xc3\xa9 \"\xe2\x80\x9c\"", "caf\xc3\xa9 \"\xe2\x80\x9c\"", ""),
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_wrong(void **state)
{
    static const struct row rows[] = {
        ROW("a \"b\nc", "a \"b\"! | c", "1:3+2 this quote is not closed on its line\n"),
        ROW("a \"b\r\nc", "a \"b\"! | c", "1:3+2 this quote is not closed on its line\n"),
        ROW("\"", "\"\"!", "1:1+1 this quote is not closed on its line\n"),
        ROW("\"a\"b c", "\"a\"! c", "1:4+1 a space is missing behind the closing quote\n"),
        ROW("a\"b\" c", "ab! c",
            "1:2+1 a quote in the middle of a word\n1:4+1 a quote in the "
            "middle of a word\n"),
        ROW("a \\\n b", "a ! | b", "1:3+1 a backslash does not continue a line\n"),
        ROW("a\\b", "ab!", "1:2+1 a backslash outside of quotes\n"),
        ROW("\"\\q\"", "\"q\"!", "1:2+2 a backslash within quotes means nothing here\n"),
        ROW("\"\\", "\"\"!",
            "1:2+1 a backslash within quotes means nothing here\n"
            "1:1+2 this quote is not closed on its line\n"),
        ROW("${NOT} x", "! x", "1:1+6 the environment variable NOT is not set\n"),
        ROW("$HOME x", "! x", "1:1+5 a variable is written with braces\n"),
        ROW("${} x", "! x", "1:1+2 this variable has no name that is right\n"),
        ROW("${1A} x", "! x", "1:1+4 this variable has no name that is right\n"),
        ROW("${A B} x", "! x", "1:1+3 this variable has no } behind its name\n"),
        ROW("${A", "!", "1:1+3 this variable has no } behind its name\n"),
        ROW("a\x01 b\x02\nc\x03", "a! b! | c!",
            "1:2+1 control character 0x01 has no place in a configuration\n"
            "2:2+1 control character 0x03 has no place in a configuration\n"),
        ROW("a\0b", "ab!", "1:2+1 control character 0x00 has no place in a configuration\n"),
        ROW("a\rb", "a b", "1:2+1 control character 0x0d has no place in a configuration\n"),
        ROW("a \xff\xfe b", "a ! b", "1:3+1 byte 0xff is not UTF-8\n"),
        ROW("\"\xc3\"", "\"\"!", "1:2+1 byte 0xc3 is not UTF-8\n"),
        ROW("\xe2\x80\x9cweb\xe2\x80\x9d", "web!",
            "1:1+3 this is not the character that it looks like\n"
            "1:7+3 this is not the character that it looks like\n"),
        ROW("a \xef\xbb\xbf", "a !", "1:3+3 this is not the character that it looks like\n"),
        ROW("a\xc2\xa0"
            "b",
            "ab!", "1:2+2 this is not the character that it looks like\n"),
    };
    (void)state;
    check(rows, ARRAY_LEN(rows));
}

static void test_limit(void **state)
{
    static char bytes[CONF_TOKEN_MAX + 2];
    struct fixture fixture;
    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    run(&fixture, slice_make(bytes, CONF_TOKEN_MAX));
    assert_int_equal(fixture.diag.n_errors, 0);
    fixture_deinit(&fixture);
    run(&fixture, slice_make(bytes, CONF_TOKEN_MAX + 1));
    assert_string_equal(text_cstr(&fixture.mistakes),
                        "1:1+4097 this word is longer than 4096 bytes\n");
    fixture_deinit(&fixture);
}

/* Cut anywhere, and with every byte put anywhere: it ends, and places stay within the text. */
static void test_cut(void **state)
{
    static const char text[] =
        "pool web { member a \"b\\\"c\" ${HOME};\n # x\n $A \\ \xc3\xa9 }\r\n";
    (void)state;
    for (size_t len = 0; len < sizeof(text); len++) {
        struct fixture fixture;
        char *copy = slice_dup(slice_make(text, len));
        run(&fixture, slice_make(copy, len));
        fixture_deinit(&fixture);
        for (size_t at = 0; len == sizeof(text) - 1 && at < 256 * len; at++) {
            char former = copy[at / 256];
            copy[at / 256] = (char)(at % 256);
            run(&fixture, slice_make(copy, len));
            fixture_deinit(&fixture);
            copy[at / 256] = former;
        }
        mem_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_right), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_limit), cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

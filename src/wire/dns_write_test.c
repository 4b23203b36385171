/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Messages: bytes as they are wanted, every limit, roll-back, and bodies behind other questions.
 */

#include "wire/dns_read.h"
#include "wire/dns_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ORG     "\7example\3org\0"
#define WWW     "\3wWw" ORG
#define WWW_A   WWW "\0\1\0\1"
#define HEAD(n) "\x12\x34\x84\0\0\1\0" n "\0\0\0\0"

static void begin(struct dns_writer *writer, uint8_t *out, size_t cap, struct slice question)
{
    dns_writer_init(writer, out, cap);
    dns_write_header(writer, 0x1234, DNS_QR | DNS_AA);
    dns_write_question(writer, question);
}

static void add(struct dns_writer *writer, struct slice owner, uint16_t type, struct slice rdata)
{
    dns_write_record(writer, DNS_ANSWER, owner, type, DNS_CLASS_IN, 60, rdata);
}

static const struct row {
    const char *what;
    struct slice owner;
    uint16_t type;
    struct slice rdata;
    struct slice want; /* behind the question of WWW_A */
} rows[] = {
    {"the question's name, in other letters", SLICE_INIT("\3WWW" ORG), DNS_A,
     SLICE_INIT("\300\0\2\1"), SLICE_INIT("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\300\0\2\1")},
    {"its parent", SLICE_INIT(ORG), DNS_NS, SLICE_INIT("\2ns" ORG),
     SLICE_INIT("\xc0\x10\0\2\0\1\0\0\0\x3c\0\5\2ns\xc0\x10")},
    {"the root", SLICE_INIT("\0"), DNS_NS, SLICE_INIT("\0"),
     SLICE_INIT("\0\0\2\0\1\0\0\0\x3c\0\1\0")},
    {"another", SLICE_INIT("\1a\3net\0"), DNS_CNAME, SLICE_INIT("\1b\1a\3net\0"),
     SLICE_INIT("\1a\3net\0\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x21")},
    {"a label alike at another place", SLICE_INIT("\7example\3net\0"), DNS_A,
     SLICE_INIT("\0\0\0\0"), SLICE_INIT("\7example\3net\0\0\1\0\1\0\0\0\x3c\0\4\0\0\0\0")},
    {"SOA", SLICE_INIT(ORG), DNS_SOA,
     SLICE_INIT(WWW "\1h" ORG "\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\5"),
     SLICE_INIT(
         "\xc0\x10\0\6\0\1\0\0\0\x3c\0\x1a\xc0\x0c\1h\xc0\x10\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0"
         "\0\5")},
    {"MX", SLICE_INIT(ORG), DNS_MX, SLICE_INIT("\0\12" WWW),
     SLICE_INIT("\xc0\x10\0\x0f\0\1\0\0\0\x3c\0\4\0\12\xc0\x0c")},
    {"SRV, whole", SLICE_INIT(ORG), DNS_SRV, SLICE_INIT("\0\1\0\2\0\3" ORG),
     SLICE_INIT("\xc0\x10\0\x21\0\1\0\0\0\x3c\0\x13\0\1\0\2\0\3" ORG)},
    {"DNAME, whole", SLICE_INIT(ORG), DNS_DNAME, SLICE_INIT(WWW),
     SLICE_INIT("\xc0\x10\0\x27\0\1\0\0\0\x3c\0\x11" WWW)},
    {"HTTPS, whole", SLICE_INIT(WWW), DNS_HTTPS, SLICE_INIT("\0\1" WWW "\0\3\0\2\0\5"),
     SLICE_INIT("\xc0\x0c\0\x41\0\1\0\0\0\x3c\0\x19\0\1" WWW "\0\3\0\2\0\5")},
    {"unknown, whole", SLICE_INIT(WWW), 65280, SLICE_INIT(WWW),
     SLICE_INIT("\xc0\x0c\xff\0\0\1\0\0\0\x3c\0\x11" WWW)},
    {"no data", SLICE_INIT(WWW), 65280, SLICE_INIT(""),
     SLICE_INIT("\xc0\x0c\xff\0\0\1\0\0\0\x3c\0\0")},
};

/* In the room that it takes, and in less, where nothing of the record is written. */
static void test_records(void **state)
{
    (void)state;
    size_t before = DNS_HEADER_BYTES + sizeof(WWW_A) - 1;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (size_t cap = before; cap <= before + rows[i].want.len; cap++) {
            uint8_t *out = malloc(cap);
            struct dns_writer writer;
            assert_non_null(out);
            begin(&writer, out, cap, SLICE(WWW_A));
            add(&writer, rows[i].owner, rows[i].type, rows[i].rdata);
            bool is_whole = cap == before + rows[i].want.len;
            assert_int_equal(writer.is_overflow, !is_whole);
            assert_int_equal(dns_writer_count(&writer, DNS_ANSWER), is_whole);
            assert_int_equal(writer.len, is_whole ? cap : before);
            struct slice body = slice_make((char *)out + before, writer.len - before);
            if (is_whole && !slice_equal(body, rows[i].want))
                fail_msg("%s", rows[i].what);
            free(out);
        }
    }
}

static void test_question(void **state)
{
    (void)state;
    uint8_t out[64];
    struct dns_writer writer;
    begin(&writer, out, sizeof(out), SLICE(WWW_A));
    assert_true(slice_equal(slice_make((char *)out, writer.len), SLICE(HEAD("\0") WWW_A)));
    for (size_t cap = DNS_HEADER_BYTES; cap < writer.len; cap++) {
        struct dns_writer small;
        begin(&small, out, cap, SLICE(WWW_A));
        assert_true(small.is_overflow);
        assert_int_equal(small.len, DNS_HEADER_BYTES);
    }
}

/* Overflow sticks, and goes with what caused it. */
static void test_rollback(void **state)
{
    (void)state;
    uint8_t out[100], copy[100];
    struct dns_writer writer;
    begin(&writer, out, sizeof(out), SLICE(WWW_A));
    add(&writer, SLICE(WWW), DNS_CNAME, SLICE("\1a\3net\0"));
    struct dns_mark mark = dns_writer_mark(&writer);
    size_t len = writer.len;
    memcpy(copy, out, len);
    add(&writer, SLICE("\1b\3net\0"), DNS_A, SLICE("\1\2\3\4"));
    assert_false(writer.is_overflow);
    add(&writer, SLICE("\1c\3com\0"), DNS_TXT, SLICE("\3abc\3abc\3abc\3abc\3abc\3abc"));
    add(&writer, SLICE(WWW), DNS_A, SLICE("\1\2\3\4"));
    assert_true(writer.is_overflow);
    assert_int_equal(dns_writer_count(&writer, DNS_ANSWER), 2);
    dns_writer_rollback(&writer, &mark);
    assert_false(writer.is_overflow);
    assert_int_equal(writer.len, len);
    assert_memory_equal(out, copy, len);
    /* What was forgotten is not pointed to, what stayed is. */
    add(&writer, SLICE("\1x\1b\3net\0"), DNS_A, SLICE("\1\2\3\4"));
    assert_true(slice_equal(slice_make((char *)out + len, writer.len - len),
                            SLICE("\1x\1b\xc0\x2f\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4")));
}

/* All of what both hold, as text. */
static void show(struct slice message, struct text *out)
{
    struct dns_reader reader;
    struct dns_record record;
    int result;
    text_clear(out);
    assert_int_equal(dns_reader_init(&reader, message), 0);
    while ((result = dns_read_record(&reader, &record)) > 0) {
        if (record.section == DNS_QUESTION)
            continue;
        dns_record_show(message, &record, out);
        text_append_char(out, '\n');
    }
    assert_int_equal(result, 0);
}

/* A body that was built for a short name, behind a longer one and back. */
static void test_relocations(void **state)
{
    (void)state;
    static const struct slice questions[] = {
        SLICE_INIT("\1*" ORG "\0\1\0\1"),
        SLICE_INIT("\4long\4name\3www" ORG "\0\1\0\1"),
    };
    static uint16_t relocations[DNS_RELOCATIONS_MAX];
    uint8_t out[512], other[512];
    struct dns_writer writer;
    struct text first = TEXT_NONE, second = TEXT_NONE;
    begin(&writer, out, sizeof(out), questions[0]);
    writer.relocations = relocations;
    add(&writer, SLICE(ORG), DNS_MX, SLICE("\0\12\4mail" ORG));
    struct dns_mark mark = dns_writer_mark(&writer);
    add(&writer, SLICE("\4mail" ORG), DNS_A, SLICE("\1\2\3\4"));
    dns_writer_rollback(&writer, &mark);
    add(&writer, SLICE("\4mail" ORG), DNS_CNAME, SLICE("\1a\4mail" ORG));
    add(&writer, SLICE("\1*" ORG), DNS_NS, SLICE("\1b\1*" ORG)); /* both point to 12 */
    assert_int_equal(writer.n_relocations, 4);

    size_t shift = questions[1].len - questions[0].len;
    size_t body_at = DNS_HEADER_BYTES + questions[0].len;
    memcpy(other, out, DNS_HEADER_BYTES);
    memcpy(other + DNS_HEADER_BYTES, questions[1].ptr, questions[1].len);
    memcpy(other + body_at + shift, out + body_at, writer.len - body_at);
    for (uint32_t i = 0; i < writer.n_relocations; i++) {
        uint8_t *at = other + relocations[i] + shift;
        dns_put16(at, (uint16_t)(dns_get16(at) + shift));
    }
    show(slice_make((char *)out, writer.len), &first);
    show(slice_make((char *)other, writer.len + shift), &second);
    assert_string_equal(text_cstr(&first), "example.org. 60 IN MX 10 mail.example.org.\n"
                                           "mail.example.org. 60 IN CNAME a.mail.example.org.\n"
                                           "*.example.org. 60 IN NS b.*.example.org.\n");
    assert_string_equal(text_cstr(&second),
                        "example.org. 60 IN MX 10 mail.example.org.\n"
                        "mail.example.org. 60 IN CNAME a.mail.example.org.\n"
                        "long.name.www.example.org. 60 IN NS b.long.name.www.example.org.\n");
    text_deinit(&first);
    text_deinit(&second);
}

/* More names than are remembered, beyond what a pointer reaches, up to the largest message: all of
 * it reads as it was written. */
static void test_large(void **state)
{
    (void)state;
    static uint8_t out[DNS_MESSAGE_MAX];
    static uint16_t relocations[DNS_RELOCATIONS_MAX];
    struct dns_writer writer;
    struct dns_reader reader;
    struct dns_record record;
    unsigned n = 0;
    begin(&writer, out, sizeof(out), SLICE(WWW_A));
    writer.relocations = relocations;
    for (; !writer.is_overflow; n++) {
        char name[32];
        int len = snprintf(name, sizeof(name), "%cn%05u%s", 6, n, ORG) + 1;
        add(&writer, slice_make(name, (size_t)len), DNS_NS, slice_make(name, (size_t)len));
    }
    assert_true(writer.len > DNS_MESSAGE_MAX - 64);
    assert_int_equal(dns_writer_count(&writer, DNS_ANSWER), n - 1);
    assert_int_equal(dns_reader_init(&reader, slice_make((char *)out, writer.len)), 0);
    assert_int_equal(dns_read_record(&reader, &record), 1);
    for (unsigned i = 0; i < n - 1; i++) {
        char name[32];
        int len = snprintf(name, sizeof(name), "%cn%05u%s", 6, i, ORG) + 1;
        assert_int_equal(dns_read_record(&reader, &record), 1);
        assert_true(slice_equal(dns_record_name(&record), slice_make(name, (size_t)len)));
    }
    assert_int_equal(dns_read_record(&reader, &record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),  cmocka_unit_test(test_question),
        cmocka_unit_test(test_rollback), cmocka_unit_test(test_relocations),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

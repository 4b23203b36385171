/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common part of the fuzz targets for heads. The second opinion looks at lines and bytes with
 * nothing of the codec's own code, so that a mistake there is not made here again.
 */
#include "wire/h1_fuzz.h"

enum { CUT_ALL_MAX = 96 };

bool fuzz_case_init(struct fuzz_case *fuzz, const uint8_t *data, size_t len)
{
    if (len < FUZZ_OPTION_BYTES)
        return false;
    *fuzz = (struct fuzz_case){.limits = h1_limits_default, .options = data[0]};
    fuzz->buf = (const char *)data + FUZZ_OPTION_BYTES;
    fuzz->len = len - FUZZ_OPTION_BYTES;
    fuzz->cut = fuzz->len ? data[1] % fuzz->len : 0;
    if (fuzz->options & 1) {
        fuzz->limits.head_bytes = 256;
        fuzz->limits.field_bytes = 24;
        fuzz->limits.target_bytes = 16;
        fuzz->limits.n_fields = 4;
    }
    return true;
}

static ssize_t parse(const struct fuzz_case *fuzz, const char *buf, size_t len,
                     struct h1_head *head, enum h1_error *ret_error)
{
    if (fuzz->is_response)
        return h1_parse_response(buf, len, &fuzz->limits, fuzz->asked, head, ret_error);
    return h1_parse_request(buf, len, &fuzz->limits, head, ret_error);
}

/* ---- the same outcome ---- */

static bool is_same_field(const struct h1_field *a, const struct h1_field *b)
{
    return a->name_off == b->name_off && a->name_len == b->name_len &&
           a->value_off == b->value_off && a->value_len == b->value_len && a->id == b->id &&
           a->flags == b->flags;
}

static void check_same_head(const struct h1_head *a, const struct h1_head *b)
{
    FUZZ_CHECK(memcmp(a, b, offsetof(struct h1_head, fields)) == 0);
    for (unsigned i = 0; i < a->n_fields; i++)
        FUZZ_CHECK(is_same_field(&a->fields[i], &b->fields[i]));
}

struct outcome {
    ssize_t used;
    enum h1_error error;
};

static void check_cut(const struct fuzz_case *fuzz, size_t cut, const struct outcome *whole,
                      const struct h1_head *head)
{
    struct h1_head other;
    struct outcome outcome = {0, H1_OK};
    char *copy = malloc(cut);

    FUZZ_CHECK(cut == 0 || copy);
    if (cut > 0)
        memcpy(copy, fuzz->buf, cut);
    h1_head_reset(&other);
    outcome.used = parse(fuzz, copy, cut, &other, &outcome.error);
    free(copy);
    if (outcome.used == 0)
        outcome.used = parse(fuzz, fuzz->buf, fuzz->len, &other, &outcome.error);
    FUZZ_CHECK(outcome.used == whole->used && outcome.error == whole->error);
    FUZZ_CHECK(other.pos == head->pos);
    if (whole->used > 0)
        check_same_head(head, &other);
}

/* ---- the second opinion ---- */

static bool is_tchar(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static size_t count_name(const char *line, size_t len)
{
    size_t n = 0;

    while (n < len && is_tchar(line[n]))
        n++;
    return n;
}

struct counts {
    unsigned n_host;
    unsigned n_length;
    unsigned n_coding;
    unsigned n_fields;
    size_t field_len; /* of the field so far, with its folds */
};

static bool is_name(const char *line, size_t n, const char *name)
{
    return n == strlen(name) && strncasecmp(line, name, n) == 0;
}

/* The value of a framing field on one line. */
static void check_framing_value(const char *line, size_t len, bool is_length)
{
    while (len > 0 && (line[0] == ' ' || line[0] == '\t')) {
        line++;
        len--;
    }
    while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
        len--;
    if (!is_length) {
        FUZZ_CHECK(is_name(line, len, "chunked"));
        return;
    }
    FUZZ_CHECK(len > 0);
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK(line[i] >= '0' && line[i] <= '9');
}

static void count_field(const struct fuzz_case *fuzz, struct counts *counts, const char *line,
                        size_t len)
{
    size_t n = count_name(line, len);
    size_t colon = n;
    bool is_lenient = fuzz->is_response && !fuzz->is_written;
    bool is_length = is_name(line, n, "content-length");
    bool is_coding = is_name(line, n, "transfer-encoding");

    FUZZ_CHECK(n > 0);
    while (is_lenient && colon < len && (line[colon] == ' ' || line[colon] == '\t'))
        colon++;
    FUZZ_CHECK(colon < len && line[colon] == ':');
    counts->n_fields++;
    counts->n_host += is_name(line, n, "host");
    counts->n_length += is_length;
    counts->n_coding += is_coding;
    counts->field_len = len;
    if (!fuzz->is_response && (is_length || is_coding))
        check_framing_value(line + colon + 1, len - colon - 1, is_length);
}

/* One line without its CRLF. */
static void check_line(const struct fuzz_case *fuzz, struct counts *counts, const char *line,
                       size_t len, bool is_first)
{
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK(!is_control(line[i]));
    if (is_first || len == 0)
        return;
    if (line[0] == ' ' || line[0] == '\t') {
        FUZZ_CHECK(fuzz->is_response && !fuzz->is_written && counts->n_fields > 0);
        counts->field_len += 2 + len;
    } else
        count_field(fuzz, counts, line, len);
    FUZZ_CHECK(counts->field_len <= fuzz->limits.field_bytes);
}

static void check_counts(const struct fuzz_case *fuzz, const struct h1_head *head,
                         const struct counts *counts)
{
    FUZZ_CHECK(counts->n_fields == head->n_fields && head->n_fields <= fuzz->limits.n_fields);
    FUZZ_CHECK(counts->n_length + counts->n_coding <= 1);
    FUZZ_CHECK(counts->n_coding == 0 || head->minor == 1);
    FUZZ_CHECK(head->head_len <= fuzz->limits.head_bytes);
    if (fuzz->is_response)
        return;
    FUZZ_CHECK(counts->n_host == 1 || (counts->n_host == 0 && head->minor == 0));
    FUZZ_CHECK(head->target.len <= fuzz->limits.target_bytes);
    FUZZ_CHECK((head->body == H1_BODY_CHUNKED) == (counts->n_coding == 1));
    FUZZ_CHECK((head->body == H1_BODY_LENGTH) == (counts->n_length == 1));
}

static void check_accepted(const struct fuzz_case *fuzz, const struct h1_head *head)
{
    struct counts counts = {0};
    const char *line = fuzz->buf + head->line_off;
    const char *end = fuzz->buf + head->head_len;
    size_t len = 1;

    for (bool is_first = true; len > 0; is_first = false) {
        const char *crlf = memmem(line, (size_t)(end - line), "\r\n", 2);

        FUZZ_CHECK(crlf);
        len = (size_t)(crlf - line);
        check_line(fuzz, &counts, line, len, is_first);
        line = crlf + 2;
    }
    FUZZ_CHECK(line == end);
    check_counts(fuzz, head, &counts);
}

bool fuzz_read(const struct fuzz_case *fuzz, struct h1_head *head)
{
    struct outcome whole = {0, H1_OK};

    h1_head_reset(head);
    whole.used = parse(fuzz, fuzz->buf, fuzz->len, head, &whole.error);
    if (whole.used < 0)
        FUZZ_CHECK(whole.error > H1_OK && whole.error < H1_N_ERRORS && head->pos <= fuzz->len);
    check_cut(fuzz, fuzz->cut, &whole, head);
    for (size_t cut = 0; cut < fuzz->len && fuzz->len <= CUT_ALL_MAX; cut++)
        check_cut(fuzz, cut, &whole, head);
    if (whole.used > 0)
        check_accepted(fuzz, head);
    return whole.used > 0;
}

void fuzz_read_again(const struct fuzz_case *fuzz, const char *buf, size_t len,
                     struct h1_head *head)
{
    struct fuzz_case again = *fuzz;
    enum h1_error error = H1_OK;

    again.limits = h1_limits_default;
    again.limits.head_bytes *= 2;
    again.limits.target_bytes *= 2;
    again.limits.n_fields = H1_FIELDS_MAX;
    again.is_written = true;
    again.buf = buf;
    again.len = len;
    h1_head_reset(head);
    FUZZ_CHECK(parse(&again, buf, len, head, &error) == (ssize_t)len);
    check_accepted(&again, head);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values: one function a type, from a token to the C type of the table in conf/schema.h. Each
 * writes one sentence on what is wrong and what would be right; conf_value() puts it at the token.
 */
#include "base/ascii.h"
#include "base/mem.h"
#include "conf/loader.h"
#include "conf/unit.h"
#include <assert.h>
#include <string.h>

enum { NAME_MAX_BYTES = 63, HOST_MAX_BYTES = 253, LABEL_MAX_BYTES = 63 };

/* What a value is read from and for. */
struct reading {
    struct conf_load *load;
    const struct conf_word *word;
    const struct conf_token *token;
    struct conf_quote quote; /* of the token */
};

typedef int value_fn(struct reading *reading, void *ret_value, struct err *err);

static struct slice text_of(const struct reading *reading)
{
    return reading->token->text;
}

static bool is_bounded(const struct conf_word *word)
{
    return word->min || word->max;
}

/* ---- numbers ---- */

static const char *bound(void (*show)(struct text *out, int64_t value), int64_t value,
                         struct text *out)
{
    show(out, value);
    return text_cstr(out);
}

static void show_int(struct text *out, int64_t value)
{
    text_printf(out, "%lld", (long long)value);
}

/* Within low..high? The words say what too little and too much of it are called. */
static int within(const struct reading *reading, int64_t value, int64_t low, int64_t high,
                  void (*show)(struct text *out, int64_t value), const char *too_little,
                  const char *too_much, struct err *err)
{
    if (value >= low && value <= high)
        return 0;
    struct text out = TEXT_NONE;
    if (value < low)
        err_set(err, "\"%s\" is too %s: at least %s", reading->quote.text, too_little,
                bound(show, low, &out));
    else
        err_set(err, "\"%s\" is too %s: at most %s", reading->quote.text, too_much,
                bound(show, high, &out));
    text_deinit(&out);
    return -1;
}

static int read_int(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    int64_t value;
    if (conf_unit_int(text_of(reading), &value, err) < 0)
        return -1;
    if (within(reading, value, is_bounded(word) ? word->min : 0,
               is_bounded(word) ? word->max : INT64_MAX, show_int, "small", "large", err) < 0)
        return -1;
    *(int64_t *)ret_value = value;
    return 0;
}

static int read_count(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    int64_t value;
    if (slice_is(text_of(reading), "auto")) {
        *(int64_t *)ret_value = 0;
        return 0;
    }
    if (conf_unit_int(text_of(reading), &value, NULL) < 0)
        return err_set(err, "\"%s\" is no count: write a whole number or auto",
                       reading->quote.text);
    if (within(reading, value, word->min > 0 ? word->min : 1,
               is_bounded(word) ? word->max : INT64_MAX, show_int, "small", "large", err) < 0)
        return -1;
    *(int64_t *)ret_value = value;
    return 0;
}

static int parse_status(const struct reading *reading, struct slice text, int64_t *ret_status,
                        struct err *err)
{
    uint64_t status;
    if (text.len != 3 || slice_to_u64(text, &status) < 0 || status < 100 || status > 599)
        return err_set(err, "\"%s\" is not an HTTP status: write 200, or another from 100 to 599",
                       reading->quote.text);
    *ret_status = (int64_t)status;
    return 0;
}

static int read_status(struct reading *reading, void *ret_value, struct err *err)
{
    return parse_status(reading, text_of(reading), ret_value, err);
}

static int read_time(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    int64_t ms;
    if (conf_unit_time(text_of(reading), &ms, err) < 0)
        return -1;
    if (is_bounded(word) &&
        within(reading, ms, word->min, word->max, conf_unit_show_time, "short", "long", err) < 0)
        return -1;
    *(int64_t *)ret_value = ms;
    return 0;
}

static int read_period(struct reading *reading, void *ret_value, struct err *err)
{
    int64_t ms;
    if (slice_is(text_of(reading), "auto")) {
        *(int64_t *)ret_value = 0;
        return 0;
    }
    if (conf_unit_time(text_of(reading), &ms, NULL) < 0)
        return err_set(err, "\"%s\" is no time: write 250ms, 2s or auto", reading->quote.text);
    return read_time(reading, ret_value, err);
}

static int read_size(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    int64_t bytes;
    if (conf_unit_size(text_of(reading), &bytes, err) < 0)
        return -1;
    if (is_bounded(word) && within(reading, bytes, word->min, word->max, conf_unit_show_size,
                                   "small", "large", err) < 0)
        return -1;
    *(int64_t *)ret_value = bytes;
    return 0;
}

static int read_rate(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    struct conf_rate rate;
    if (conf_unit_rate(text_of(reading), &rate.count, &rate.per_ms, err) < 0)
        return -1;
    if (is_bounded(word) &&
        within(reading, rate.count, word->min, word->max, show_int, "small", "large", err) < 0)
        return -1;
    *(struct conf_rate *)ret_value = rate;
    return 0;
}

static int read_percent(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    struct slice digits = text_of(reading);
    uint64_t value;
    bool has_sign = digits.len && digits.ptr[digits.len - 1] == '%';
    digits.len -= has_sign;
    if (slice_to_u64(digits, &value) < 0)
        return err_set(err, "\"%s\" is not a percentage: write 50%%", reading->quote.text);
    if (!has_sign && word->max > 100 && value <= 64)
        return err_set(err, "\"%s\" has no percent sign: one is 100%%, write %llu%%",
                       reading->quote.text, (unsigned long long)value * 100);
    if (!has_sign)
        return err_set(err, "\"%s\" has no percent sign: write %s%%", reading->quote.text,
                       reading->quote.text);
    if (value > 100 && word->max <= 100)
        return err_set(err, "\"%s\" is more than all: at most 100%%", reading->quote.text);
    if (is_bounded(word) &&
        within(reading, (int64_t)value, word->min, word->max, show_int, "small", "large", err) < 0)
        return -1;
    *(int64_t *)ret_value = (int64_t)value;
    return 0;
}

/* ---- ranges ---- */

/* Cuts "a..b"; where there is no "..", both are the whole. */
static bool cut_range(struct slice text, struct slice *ret_low, struct slice *ret_high)
{
    const char *dots = text.len ? memmem(text.ptr, text.len, "..", 2) : NULL;
    *ret_low = *ret_high = text;
    if (!dots)
        return false;
    ret_low->len = (size_t)(dots - text.ptr);
    *ret_high = slice_skip(text, ret_low->len + 2);
    return true;
}

/* "2-8", as ranges are written elsewhere. */
static int refuse_hyphen(const struct reading *reading, struct err *err)
{
    struct slice high = text_of(reading), low;
    struct conf_quote q, r;
    if (high.len == 0 || !ascii_is_digit(high.ptr[0]) || !memchr(high.ptr, '-', high.len) ||
        memmem(high.ptr, high.len, "..", 2))
        return 0;
    low = slice_cut(&high, '-');
    return err_set(err, "\"%s\" is no range: write %s..%s", reading->quote.text,
                   conf_quote(low, &q), conf_quote(high, &r));
}

static int in_order(const struct reading *reading, struct conf_range range, struct err *err)
{
    struct slice low, high;
    cut_range(text_of(reading), &low, &high);
    if (range.low <= range.high)
        return 0;
    struct conf_quote q;
    struct conf_quote r;
    return err_set(err, "\"%s\" runs backwards: write %s..%s", reading->quote.text,
                   conf_quote(high, &q), conf_quote(low, &r));
}

typedef int parse_fn(const struct reading *reading, struct slice text, int64_t *ret_value,
                     struct err *err);

/* Both ends, each as parse() reads it. */
static int read_range(const struct reading *reading, parse_fn *parse, struct conf_range *ret_range,
                      struct err *err)
{
    struct slice low, high;
    cut_range(text_of(reading), &low, &high);
    if (refuse_hyphen(reading, err) < 0 || parse(reading, low, &ret_range->low, err) < 0 ||
        parse(reading, high, &ret_range->high, err) < 0)
        return -1;
    return in_order(reading, *ret_range, err);
}

static int parse_int(const struct reading *reading, struct slice text, int64_t *ret_value,
                     struct err *err)
{
    (void)reading;
    return conf_unit_int(text, ret_value, err);
}

static int parse_time(const struct reading *reading, struct slice text, int64_t *ret_value,
                      struct err *err)
{
    (void)reading;
    return conf_unit_time(text, ret_value, err);
}

static int read_ints(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    struct conf_range range;
    if (read_range(reading, parse_int, &range, err) < 0 ||
        within(reading, range.low, word->min, word->max, show_int, "small", "large", err) < 0 ||
        within(reading, range.high, word->min, word->max, show_int, "small", "large", err) < 0)
        return -1;
    *(struct conf_range *)ret_value = range;
    return 0;
}

static int read_statuses(struct reading *reading, void *ret_value, struct err *err)
{
    struct conf_range range;
    if (read_range(reading, parse_status, &range, err) < 0)
        return -1;
    *(struct conf_range *)ret_value = range;
    return 0;
}

static int read_times(struct reading *reading, void *ret_value, struct err *err)
{
    const struct conf_word *word = reading->word;
    struct conf_range range;
    if (read_range(reading, parse_time, &range, err) < 0)
        return -1;
    if (is_bounded(word) && (within(reading, range.low, word->min, word->max, conf_unit_show_time,
                                    "short", "long", err) < 0 ||
                             within(reading, range.high, word->min, word->max, conf_unit_show_time,
                                    "short", "long", err) < 0))
        return -1;
    *(struct conf_range *)ret_value = range;
    return 0;
}

/* ---- names and text ---- */

static bool is_name_char(char c, bool is_first)
{
    bool is_word =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || ascii_is_digit(c) || c == '_';
    return is_word || (!is_first && (c == '.' || c == '-'));
}

static int parse_name(const struct reading *reading, struct err *err)
{
    struct slice text = text_of(reading);
    if (text.len == 0)
        return err_set(err, "this name is empty");
    if (text.len > NAME_MAX_BYTES)
        return err_set(err, "\"%s\" is longer than %d bytes, the most for a name",
                       reading->quote.text, NAME_MAX_BYTES);
    for (size_t i = 0; i < text.len; i++)
        if (!is_name_char(text.ptr[i], i == 0))
            return err_set(err,
                           i ? "\"%s\" is not a name: letters, digits, _ . and -"
                             : "\"%s\" is not a name: it begins with a letter, a digit or _",
                           reading->quote.text);
    return 0;
}

static int read_name(struct reading *reading, void *ret_value, struct err *err)
{
    if (parse_name(reading, err) < 0)
        return -1;
    *(struct slice *)ret_value = text_of(reading);
    return 0;
}

static int read_ref(struct reading *reading, void *ret_value, struct err *err)
{
    if (parse_name(reading, err) < 0)
        return -1;
    *(struct conf_ref *)ret_value =
        (struct conf_ref){.name = text_of(reading), .at = reading->token->at};
    return 0;
}

static int read_string(struct reading *reading, void *ret_value, struct err *err)
{
    (void)err;
    *(struct slice *)ret_value = text_of(reading);
    return 0;
}

/* The folder of the file that the token stands in, with its slash; empty for the working folder. */
static struct slice folder_of(const struct reading *reading)
{
    const struct conf_files *files = reading->load->files;
    struct conf_at at = reading->token->at;
    if (!files || !at.line || at.file >= files->n_items)
        return SLICE("");
    struct slice path = files->items[at.file].path;
    while (path.len > 0 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path;
}

static int read_path(struct reading *reading, void *ret_value, struct err *err)
{
    struct slice path = text_of(reading);
    if (path.len == 0)
        return err_set(err, "this path is empty");
    if (path.ptr[0] != '/') {
        struct slice folder = folder_of(reading);
        struct slice base = reading->load->files ? reading->load->files->folder : SLICE("");
        bool is_absolute = folder.len && folder.ptr[0] == '/';
        if (is_absolute || base.len == 0)
            base = SLICE("");
        path = slice_from(arena_printf(reading->load->arena, "%.*s%s%.*s%.*s", SLICE_ARG(base),
                                       base.len ? "/" : "", SLICE_ARG(folder), SLICE_ARG(path)));
    }
    *(struct slice *)ret_value = path;
    return 0;
}

static int read_choice(struct reading *reading, void *ret_value, struct err *err)
{
    struct text names = TEXT_NONE;
    for (const struct conf_choice *choice = reading->word->choices; choice->name; choice++) {
        if (slice_is(text_of(reading), choice->name)) {
            *(int *)ret_value = choice->value;
            text_deinit(&names);
            return choice->is_planned
                       ? err_set(err, "\"%s\" is not part of this weir yet", choice->name)
                       : 0;
        }
        if (!choice->is_planned)
            text_printf(&names, "%s%s", names.len ? ", " : "", choice->name);
    }
    err_set(err, "\"%s\" is not known here: write %s%s", reading->quote.text,
            memchr(text_cstr(&names), ',', names.len) ? "one of " : "", text_cstr(&names));
    text_deinit(&names);
    return -1;
}

/* ---- addresses ---- */

/* Letters, digits, - and _ in labels of 1..63 bytes, at most 253 in all (RFC 1123 section 2.1), the
 * last of them not a number, so that a mistyped address is never looked up as a name. */
static bool is_host_name(struct slice host)
{
    if (host.len && host.ptr[host.len - 1] == '.')
        host.len--;
    if (host.len == 0 || host.len > HOST_MAX_BYTES)
        return false;
    bool is_number = true;
    for (struct slice rest = host; rest.ptr;) {
        struct slice label = slice_cut(&rest, '.');
        if (label.len == 0 || label.len > LABEL_MAX_BYTES || label.ptr[0] == '-' ||
            label.ptr[label.len - 1] == '-')
            return false;
        is_number = true;
        for (size_t i = 0; i < label.len; i++) {
            if (!is_name_char(label.ptr[i], label.ptr[i] != '-'))
                return false;
            is_number = is_number && ascii_is_digit(label.ptr[i]);
        }
    }
    return !is_number;
}

static struct conf_addr addr_base(const struct reading *reading)
{
    return (struct conf_addr){
        .host = SLICE(""), .text = text_of(reading), .at = reading->token->at};
}

static int read_addr(struct reading *reading, void *ret_value, struct err *err)
{
    struct conf_addr value = addr_base(reading);
    if (addr_parse(text_of(reading), &value.addr, err) < 0)
        return -1;
    value.port = addr_port(&value.addr);
    *(struct conf_addr *)ret_value = value;
    return 0;
}

static int read_endpoint(struct reading *reading, void *ret_value, struct err *err)
{
    struct slice port = text_of(reading);
    struct slice host = slice_cut(&port, ':');
    uint64_t number;
    if (slice_is(host, "unix") || !is_host_name(host))
        return read_addr(reading, ret_value, err);
    if (port.len == 0)
        return err_set(err, "\"%s\" has no port: write %.*s:80", reading->quote.text,
                       SLICE_ARG(host));
    if (slice_to_u64(port, &number) < 0 || number < 1 || number > 65535 || port.ptr[0] == '0') {
        struct conf_quote q;
        return err_set(err, "\"%s\": \"%s\" is not a port: write a number from 1 to 65535",
                       reading->quote.text, conf_quote(port, &q));
    }
    struct conf_addr value = addr_base(reading);
    value.host = arena_dup(reading->load->arena, host);
    value.port = (uint16_t)number;
    *(struct conf_addr *)ret_value = value;
    return 0;
}

static int read_ip(struct reading *reading, void *ret_value, struct err *err)
{
    struct conf_addr value = addr_base(reading);
    if (addr_parse_ip(text_of(reading), 0, &value.addr, err) < 0)
        return -1;
    *(struct conf_addr *)ret_value = value;
    return 0;
}

static int read_net(struct reading *reading, void *ret_value, struct err *err)
{
    return addr_net_parse(text_of(reading), ret_value, err);
}

static int read_ip_in(struct reading *reading, void *ret_value, struct err *err)
{
    struct conf_ip_in value = {.ip = addr_base(reading)};
    struct slice length = text_of(reading);
    struct slice ip = slice_cut(&length, '/');
    uint64_t n_bits;
    if (addr_parse_ip(ip, 0, &value.ip.addr, err) < 0)
        return -1;
    unsigned n_max = addr_family(&value.ip.addr) == AF_INET ? 32 : 128;
    if (!length.ptr)
        return err_set(err, "\"%s\" has no length of its network: write %.*s/%u",
                       reading->quote.text, SLICE_ARG(ip), n_max == 32 ? 24U : 64U);
    if (slice_to_u64(length, &n_bits) < 0 || n_bits < 1 || n_bits > n_max ||
        (length.len > 1 && length.ptr[0] == '0')) {
        struct conf_quote q;
        return err_set(err, "\"%s\": \"%s\" is not the length of a network: write 1 to %u",
                       reading->quote.text, conf_quote(length, &q), n_max);
    }
    value.n_bits = (uint8_t)n_bits;
    *(struct conf_ip_in *)ret_value = value;
    return 0;
}

/* ---- the table ---- */

struct value_row {
    value_fn *read; /* NULL: the type has no value of one token */
    size_t size;
    const char *usage;
};

static const struct value_row value_rows[CONF_N_TYPES] = {
    [CONF_FLAG] = {NULL, sizeof(bool), ""},
    [CONF_INT] = {read_int, sizeof(int64_t), "N"},
    [CONF_INTS] = {read_ints, sizeof(struct conf_range), "N..N"},
    [CONF_COUNT] = {read_count, sizeof(int64_t), "N|auto"},
    [CONF_NAME] = {read_name, sizeof(struct slice), "NAME"},
    [CONF_STRING] = {read_string, sizeof(struct slice), "TEXT"},
    [CONF_PATH] = {read_path, sizeof(struct slice), "PATH"},
    [CONF_CHOICE] = {read_choice, sizeof(int), NULL},
    [CONF_ADDR] = {read_addr, sizeof(struct conf_addr), "ADDR:PORT"},
    [CONF_ENDPOINT] = {read_endpoint, sizeof(struct conf_addr), "HOST:PORT"},
    [CONF_IP] = {read_ip, sizeof(struct conf_addr), "IP"},
    [CONF_NET] = {read_net, sizeof(struct addr_net), "IP/LEN"},
    [CONF_IP_IN] = {read_ip_in, sizeof(struct conf_ip_in), "IP/LEN"},
    [CONF_STATUS] = {read_status, sizeof(int64_t), "STATUS"},
    [CONF_STATUSES] = {read_statuses, sizeof(struct conf_range), "STATUS..STATUS"},
    [CONF_TIME] = {read_time, sizeof(int64_t), "TIME"},
    [CONF_PERIOD] = {read_period, sizeof(int64_t), "TIME|auto"},
    [CONF_TIMES] = {read_times, sizeof(struct conf_range), "TIME..TIME"},
    [CONF_SIZE] = {read_size, sizeof(int64_t), "SIZE"},
    [CONF_RATE] = {read_rate, sizeof(struct conf_rate), "N/s"},
    [CONF_PERCENT] = {read_percent, sizeof(int64_t), "N%"},
    [CONF_REF] = {read_ref, sizeof(struct conf_ref), "NAME"},
    [CONF_BLOCK] = {NULL, 0, NULL},
    [CONF_CUSTOM] = {NULL, 0, NULL},
};

int conf_value(struct conf_load *load, const struct conf_word *word, const struct conf_token *token,
               void *ret_value)
{
    const struct value_row *row = &value_rows[word->type];
    assert(row->read);
    if (token->is_bad)
        return -1;
    struct reading reading = {.load = load, .word = word, .token = token};
    struct err err = ERR_NONE;
    conf_quote(token->text, &reading.quote);
    if (row->read(&reading, ret_value, &err) < 0)
        return conf_error(load->diag, token->at, NULL, "%s", err.text);
    return 0;
}

size_t conf_value_size(const struct conf_word *row)
{
    return row->type == CONF_BLOCK ? row->block->size : value_rows[row->type].size;
}

void conf_usage_value(const struct conf_word *row, struct text *out)
{
    if (row->type != CONF_CHOICE) {
        text_append(out, slice_from(value_rows[row->type].usage));
        return;
    }
    const char *separator = "";
    for (const struct conf_choice *choice = row->choices; choice->name; choice++) {
        if (choice->is_planned)
            continue;
        text_printf(out, "%s%s", separator, choice->name);
        separator = "|";
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-app: a small HTTP/1.1 application to stand behind weir, for the demo and the system tests.
 * One blocking thread a connection. The request parser is as strict as the standard allows:
 * whatever a proxy should not have let through is answered with 400 and named on standard error.
 * The table behind the answers says what each path does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 16384,
    HEAD_MAX_BYTES = 65536,
    BODY_KEPT_BYTES = 1 << 20, /* what /echo gives back at most */
    PATTERN_PERIOD = 251,      /* byte i of a generated body is i % 251 */
    STACK_BYTES = 256 * 1024,
};

/* The whole program; the connections' threads share it. */
struct app {
    const char *name;
    const char *bind_ip;
    uint16_t port;
    unsigned delay_ms;
    atomic_bool is_sick;
    atomic_ulong n_requests;
    atomic_ulong n_conns; /* accepted since the start */
    atomic_ulong n_open;
};

struct request {
    char method[32];
    int minor;
    bool has_host;
    bool has_length;
    bool is_chunked;
    bool wants_close;
    bool wants_continue;
    uint64_t length;
    uint64_t n_body;
    uint64_t body_hash; /* FNV-1a, 64 bits */
    size_t head_len;
    size_t n_kept;
};

struct conn {
    struct app *app;
    int fd;
    bool is_over;          /* nothing more can be read or written, or nothing should */
    const char *complaint; /* what is wrong with the request, NULL while nothing is */
    size_t in_pos;
    size_t in_len;
    size_t out_len;
    char in[16384];
    char out[65536];
    struct request request;
    char target[LINE_MAX_BYTES];
    char head[HEAD_MAX_BYTES]; /* as it came, with its CRLFs */
    char *body;                /* the first BODY_KEPT_BYTES */
};

/* ---- bytes in and out ---- */

static void out_flush(struct conn *conn)
{
    size_t sent = 0;
    while (sent < conn->out_len && !conn->is_over) {
        ssize_t n = send(conn->fd, conn->out + sent, conn->out_len - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if (errno != EINTR)
            conn->is_over = true;
    }
    conn->out_len = 0;
}

static void out_bytes(struct conn *conn, const char *bytes, size_t len)
{
    while (len > 0 && !conn->is_over) {
        size_t n = sizeof(conn->out) - conn->out_len;
        n = n < len ? n : len;
        memcpy(conn->out + conn->out_len, bytes, n);
        conn->out_len += n;
        bytes += n;
        len -= n;
        if (conn->out_len == sizeof(conn->out))
            out_flush(conn);
    }
}

__attribute__((format(printf, 2, 3))) static void out_text(struct conn *conn, const char *format,
                                                           ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (n > 0)
        out_bytes(conn, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Bytes `from`..`to` of the generated body. */
static void out_pattern(struct conn *conn, uint64_t from, uint64_t to)
{
    char block[PATTERN_PERIOD * 64];
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)(unsigned char)(i % PATTERN_PERIOD);
    while (from < to && !conn->is_over) {
        size_t begin = (size_t)(from % PATTERN_PERIOD);
        uint64_t n = sizeof(block) - begin;
        n = n < to - from ? n : to - from;
        out_bytes(conn, block + begin, (size_t)n);
        from += n;
    }
}

/* Fills the empty input buffer; false at the end of the stream. */
static bool in_fill(struct conn *conn)
{
    out_flush(conn);
    ssize_t n = -1;
    while (!conn->is_over && (n = recv(conn->fd, conn->in, sizeof(conn->in), 0)) < 0) {
        if (errno != EINTR)
            conn->is_over = true;
    }
    if (n <= 0) {
        conn->is_over = true;
        return false;
    }
    conn->in_pos = 0;
    conn->in_len = (size_t)n;
    return true;
}

/* The next byte, or -1 at the end of the stream. */
static int in_byte(struct conn *conn)
{
    if (conn->in_pos == conn->in_len && !in_fill(conn))
        return -1;
    return (unsigned char)conn->in[conn->in_pos++];
}

/* ---- requests ---- */

static bool complain(struct conn *conn, const char *what)
{
    conn->complaint = what;
    return false;
}

/* One line up to its CRLF, which is left out; a NUL is put behind it. */
static bool read_line(struct conn *conn, char line[LINE_MAX_BYTES], size_t *ret_len)
{
    size_t len = 0;
    for (;;) {
        int c = in_byte(conn);
        if (c < 0)
            return false;
        if (c == '\r') {
            if (in_byte(conn) != '\n')
                return complain(conn, "CR without LF");
            line[len] = '\0';
            *ret_len = len;
            return true;
        }
        if (c == '\0' || c == '\n')
            return complain(conn, c == '\0' ? "NUL in the head" : "LF without CR");
        if (len == LINE_MAX_BYTES - 1)
            return complain(conn, "line too long");
        line[len++] = (char)c;
    }
}

static bool is_token(const char *text, size_t len)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && (c == '\0' || !strchr(marks, c)))
            return false;
    }
    return len > 0;
}

/* Digits of the base and nothing else. */
static bool parse_number(const char *text, size_t len, unsigned base, uint64_t *ret_value)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;
    if (len == 0 || len > 15)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
        const char *digit = c == '\0' ? NULL : strchr(digits, c);
        if (!digit || (unsigned)(digit - digits) >= base)
            return false;
        value = value * base + (unsigned)(digit - digits);
    }
    *ret_value = value;
    return true;
}

/* method SP target SP HTTP/1.x, RFC 9112 section 3 */
static bool parse_request_line(struct conn *conn, char *line)
{
    struct request *request = &conn->request;
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!version)
        return complain(conn, "request line without three parts");
    *target++ = '\0';
    *version++ = '\0';
    if (!is_token(line, strlen(line)) || strlen(line) >= sizeof(request->method))
        return complain(conn, "method is no token");
    if (*target != '/' && strcmp(target, "*") != 0)
        return complain(conn, "target is not in origin form");
    for (const char *c = target; *c; c++) {
        if (*c < 0x21 || *c > 0x7e || *c == '#')
            return complain(conn, "byte not allowed in the target");
    }
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return complain(conn, "version is neither HTTP/1.1 nor HTTP/1.0");
    memcpy(request->method, line, strlen(line) + 1);
    memcpy(conn->target, target, strlen(target) + 1);
    request->minor = version[7] - '0';
    return true;
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += strspn(at, ", \t");
        if (strncasecmp(at, word, len) == 0 && strchr(", \t", at[len]))
            return true;
    }
    return false;
}

/* The fields that decide where the request ends and what becomes of the connection. */
static bool apply_field(struct conn *conn, const char *name, const char *value)
{
    struct request *request = &conn->request;
    if (strcasecmp(name, "Host") == 0) {
        if (request->has_host)
            return complain(conn, "Host twice");
        request->has_host = true;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        if (request->has_length)
            return complain(conn, "Content-Length twice");
        if (!parse_number(value, strlen(value), 10, &request->length))
            return complain(conn, "Content-Length is no number");
        request->has_length = true;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        if (request->is_chunked || strcasecmp(value, "chunked") != 0)
            return complain(conn, "Transfer-Encoding is not chunked, once");
        request->is_chunked = true;
    } else if (strcasecmp(name, "Connection") == 0) {
        request->wants_close = request->wants_close || has_word(value, "close");
    } else if (strcasecmp(name, "Expect") == 0) {
        if (strcasecmp(value, "100-continue") != 0)
            return complain(conn, "Expect is not 100-continue");
        request->wants_continue = true;
    }
    return true;
}

/* name ":" OWS value OWS, RFC 9112 section 5; a folded line is refused */
static bool parse_field(struct conn *conn, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon || !is_token(line, (size_t)(colon - line)))
        return complain(conn, "field name is no token");
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t len = strlen(value);
    while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
        value[--len] = '\0';
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c < 0x20 && *c != '\t')
            return complain(conn, "control byte in a field");
    }
    return apply_field(conn, line, value);
}

static bool keep_head(struct conn *conn, const char *line, size_t len)
{
    struct request *request = &conn->request;
    if (request->head_len + len + 2 > sizeof(conn->head))
        return complain(conn, "head too large");
    memcpy(conn->head + request->head_len, line, len);
    memcpy(conn->head + request->head_len + len, "\r\n", 2);
    request->head_len += len + 2;
    return true;
}

static bool check_head(struct conn *conn)
{
    const struct request *request = &conn->request;
    if (request->minor == 1 && !request->has_host)
        return complain(conn, "no Host");
    if (request->is_chunked && request->has_length)
        return complain(conn, "Content-Length beside Transfer-Encoding");
    if (request->is_chunked && request->minor == 0)
        return complain(conn, "Transfer-Encoding in HTTP/1.0");
    return true;
}

static bool read_head(struct conn *conn)
{
    struct request *request = &conn->request;
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    *request = (struct request){0};
    if (!read_line(conn, line, &len) || !keep_head(conn, line, len) ||
        !parse_request_line(conn, line))
        return false;
    for (;;) {
        if (!read_line(conn, line, &len) || !keep_head(conn, line, len))
            return false;
        if (len == 0)
            return check_head(conn);
        if (!parse_field(conn, line))
            return false;
    }
}

static void keep_body(struct conn *conn, const char *bytes, size_t len)
{
    struct request *request = &conn->request;
    for (size_t i = 0; i < len; i++)
        request->body_hash = (request->body_hash ^ (unsigned char)bytes[i]) * 1099511628211U;
    request->n_body += len;
    if (!conn->body)
        conn->body = malloc(BODY_KEPT_BYTES);
    size_t n = BODY_KEPT_BYTES - request->n_kept;
    n = n < len ? n : len;
    if (conn->body && n > 0) {
        memcpy(conn->body + request->n_kept, bytes, n);
        request->n_kept += n;
    }
}

static bool read_body_bytes(struct conn *conn, uint64_t left)
{
    while (left > 0) {
        if (conn->in_pos == conn->in_len && !in_fill(conn))
            return false;
        size_t n = conn->in_len - conn->in_pos;
        n = n < left ? n : (size_t)left;
        keep_body(conn, conn->in + conn->in_pos, n);
        conn->in_pos += n;
        left -= n;
    }
    return true;
}

static bool read_trailers(struct conn *conn)
{
    char line[LINE_MAX_BYTES];
    size_t len = 0;
    do {
        if (!read_line(conn, line, &len))
            return false;
        if (len > 0 && !strchr(line, ':'))
            return complain(conn, "trailer without a colon");
    } while (len > 0);
    return true;
}

/* RFC 9112 section 7.1; extensions are passed over */
static bool read_chunks(struct conn *conn)
{
    char line[LINE_MAX_BYTES];
    for (;;) {
        size_t len = 0;
        uint64_t size = 0;
        if (!read_line(conn, line, &len))
            return false;
        if (!parse_number(line, strcspn(line, ";"), 16, &size))
            return complain(conn, "chunk size is no hexadecimal number");
        if (size == 0)
            return read_trailers(conn);
        if (!read_body_bytes(conn, size) || !read_line(conn, line, &len))
            return false;
        if (len != 0)
            return complain(conn, "chunk longer than its size");
    }
}

static bool read_body(struct conn *conn)
{
    struct request *request = &conn->request;
    request->body_hash = 14695981039346656037U;
    if (request->wants_continue && (request->is_chunked || request->length > 0))
        out_text(conn, "HTTP/1.1 100 Continue\r\n\r\n");
    return request->is_chunked ? read_chunks(conn) : read_body_bytes(conn, request->length);
}

/* ---- answers ---- */

static const char *reason_of(unsigned status)
{
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Status";
}

/* The head of an answer up to the fields that say how long it is. */
static void answer_begin(struct conn *conn, unsigned status)
{
    out_text(conn, "HTTP/1.1 %u %s\r\nX-App: %s\r\nContent-Type: text/plain\r\n", status,
             reason_of(status), conn->app->name);
    if (conn->request.wants_close)
        out_text(conn, "Connection: close\r\n");
}

static bool is_head(const struct conn *conn)
{
    return strcmp(conn->request.method, "HEAD") == 0;
}

static void answer(struct conn *conn, unsigned status, const char *body, size_t len)
{
    answer_begin(conn, status);
    if (status == 204 || status == 304) {
        out_text(conn, "\r\n");
        return;
    }
    out_text(conn, "Content-Length: %zu\r\n\r\n", len);
    if (!is_head(conn))
        out_bytes(conn, body, len);
}

__attribute__((format(printf, 3, 4))) static void answer_text(struct conn *conn, unsigned status,
                                                              const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    answer(conn, status, text, n < 0 ? 0 : strnlen(text, sizeof(text)));
}

static void sleep_ms(uint64_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

static void answer_hello(struct conn *conn, uint64_t unused)
{
    (void)unused;
    answer_text(conn, 200, "hello from %s\n", conn->app->name);
}

static void answer_health(struct conn *conn, uint64_t unused)
{
    (void)unused;
    if (atomic_load(&conn->app->is_sick))
        answer_text(conn, 503, "sick\n");
    else
        answer_text(conn, 200, "well\n");
}

static void answer_health_set(struct conn *conn, uint64_t is_sick)
{
    if (strcmp(conn->request.method, "POST") != 0) {
        answer_text(conn, 405, "POST only\n");
        return;
    }
    atomic_store(&conn->app->is_sick, is_sick != 0);
    answer_health(conn, 0);
}

static void answer_sick(struct conn *conn, uint64_t unused)
{
    (void)unused;
    answer_health_set(conn, 1);
}

static void answer_well(struct conn *conn, uint64_t unused)
{
    (void)unused;
    answer_health_set(conn, 0);
}

static void answer_slow(struct conn *conn, uint64_t ms)
{
    sleep_ms(ms);
    answer_text(conn, 200, "%" PRIu64 " ms later from %s\n", ms, conn->app->name);
}

static void answer_status(struct conn *conn, uint64_t status)
{
    if (status < 200 || status > 599)
        answer_text(conn, 400, "want a status from 200 to 599\n");
    else
        answer_text(conn, (unsigned)status, "%" PRIu64 "\n", status);
}

static void answer_bytes(struct conn *conn, uint64_t n)
{
    answer_begin(conn, 200);
    out_text(conn, "Content-Length: %" PRIu64 "\r\n\r\n", n);
    if (!is_head(conn))
        out_pattern(conn, 0, n);
}

static void answer_until_close(struct conn *conn, uint64_t n)
{
    conn->request.wants_close = true;
    answer_begin(conn, 200);
    out_text(conn, "\r\n");
    if (!is_head(conn))
        out_pattern(conn, 0, n);
}

static void answer_chunked(struct conn *conn, uint64_t n)
{
    if (conn->request.minor == 0) {
        answer_until_close(conn, n);
        return;
    }
    answer_begin(conn, 200);
    out_text(conn, "Transfer-Encoding: chunked\r\n\r\n");
    if (is_head(conn))
        return;
    /* Sizes from one byte up, so that chunk heads fall on every kind of boundary. */
    uint64_t size = 1;
    for (uint64_t at = 0; at < n && !conn->is_over; at += size) {
        size = at * 3 % 8191 + 1;
        size = size < n - at ? size : n - at;
        out_text(conn, "%" PRIx64 "\r\n", size);
        out_pattern(conn, at, at + size);
        out_text(conn, "\r\n");
    }
    out_text(conn, "0\r\n\r\n");
}

static void answer_echo(struct conn *conn, uint64_t unused)
{
    (void)unused;
    const struct request *request = &conn->request;
    if (request->n_body > request->n_kept) {
        answer_text(conn, 413, "echo takes %d bytes\n", BODY_KEPT_BYTES);
        return;
    }
    answer_begin(conn, 200);
    out_text(conn, "Content-Length: %zu\r\n\r\n", request->head_len + request->n_kept);
    if (is_head(conn))
        return;
    out_bytes(conn, conn->head, request->head_len);
    out_bytes(conn, conn->body, request->n_kept);
}

static void answer_digest(struct conn *conn, uint64_t unused)
{
    (void)unused;
    answer_text(conn, 200, "%" PRIu64 " %016" PRIx64 "\n", conn->request.n_body,
                conn->request.body_hash);
}

static void answer_stats(struct conn *conn, uint64_t unused)
{
    (void)unused;
    struct app *app = conn->app;
    answer_text(conn, 200, "requests %lu\nconnections %lu\nopen %lu\n",
                atomic_load(&app->n_requests), atomic_load(&app->n_conns),
                atomic_load(&app->n_open));
}

static void answer_hints(struct conn *conn, uint64_t unused)
{
    out_text(conn, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
    answer_hello(conn, unused);
}

static void answer_garbage(struct conn *conn, uint64_t unused)
{
    (void)unused;
    out_text(conn, "this is no answer of HTTP\r\n\r\n");
    conn->request.wants_close = true;
}

/* Promises n bytes, gives half. */
static void answer_cut(struct conn *conn, uint64_t n)
{
    answer_begin(conn, 200);
    out_text(conn, "Content-Length: %" PRIu64 "\r\n\r\n", n);
    out_pattern(conn, 0, n / 2);
    conn->request.wants_close = true;
}

/* Ends the connection without a byte. */
static void answer_reset(struct conn *conn, uint64_t unused)
{
    (void)unused;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    conn->is_over = true;
}

static const struct action {
    const char *path; /* one that ends in a slash takes a number behind it */
    void (*answer)(struct conn *conn, uint64_t number);
    bool is_prompt; /* --delay does not hold it back */
    const char *help;
} actions[] = {
    {"/healthz", answer_health, true, "200, or 503 while sick"},
    {"/sick", answer_sick, true, "POST: /healthz answers 503 from now on"},
    {"/well", answer_well, true, "POST: /healthz answers 200 again"},
    {"/stats", answer_stats, true, "requests, connections, and how many are open"},
    {"/echo", answer_echo, false, "the request as it came, head and body"},
    {"/digest", answer_digest, false, "length and FNV-1a hash of the request's body"},
    {"/bytes/", answer_bytes, false, "N bytes, byte i is i % 251"},
    {"/chunked/", answer_chunked, false, "the same in chunks"},
    {"/close", answer_until_close, false, "an empty body that ends with the connection"},
    {"/close/", answer_until_close, false, "N bytes that end with the connection"},
    {"/slow/", answer_slow, false, "answers N ms late"},
    {"/status/", answer_status, false, "answers with the status N"},
    {"/hints", answer_hints, false, "103 before the answer"},
    {"/garbage", answer_garbage, false, "an answer that is not HTTP"},
    {"/cut/", answer_cut, false, "promises N bytes and gives half"},
    {"/reset", answer_reset, false, "a reset instead of an answer"},
};

/* Every path that no row names says hello. */
static void dispatch(struct conn *conn)
{
    const char *target = conn->target;
    size_t len = strcspn(target, "?");
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        const struct action *action = &actions[i];
        size_t path_len = strlen(action->path);
        bool has_number = action->path[path_len - 1] == '/';
        if (len < path_len || memcmp(target, action->path, path_len) != 0)
            continue;
        uint64_t number = 0;
        if (has_number ? !parse_number(target + path_len, len - path_len, 10, &number)
                       : len != path_len)
            continue;
        if (!action->is_prompt)
            sleep_ms(conn->app->delay_ms);
        action->answer(conn, number);
        return;
    }
    sleep_ms(conn->app->delay_ms);
    answer_hello(conn, 0);
}

/* ---- connections ---- */

static void refuse(struct conn *conn)
{
    fprintf(stderr, "%s: bad request: %s\n", conn->app->name, conn->complaint);
    conn->request.wants_close = true;
    conn->request.method[0] = '\0';
    answer_text(conn, 400, "%s\n", conn->complaint);
}

/* Lets the peer read what was sent before the socket goes: RFC 9112 section 9.6. */
static void linger(struct conn *conn)
{
    struct timeval patience = {.tv_sec = 2};
    out_flush(conn);
    if (conn->is_over)
        return;
    shutdown(conn->fd, SHUT_WR);
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    while (recv(conn->fd, conn->in, sizeof(conn->in), 0) > 0)
        continue;
}

static void *serve(void *arg)
{
    struct conn *conn = arg;
    struct app *app = conn->app;
    while (!conn->is_over && !conn->request.wants_close) {
        if (read_head(conn) && read_body(conn)) {
            atomic_fetch_add(&app->n_requests, 1);
            conn->request.wants_close = conn->request.wants_close || conn->request.minor == 0;
            dispatch(conn);
        } else if (conn->complaint) {
            refuse(conn);
        }
    }
    linger(conn);
    close(conn->fd);
    free(conn->body);
    free(conn);
    atomic_fetch_sub(&app->n_open, 1);
    return NULL;
}

static void take_conn(struct app *app, int fd, const pthread_attr_t *attr)
{
    int on = 1;
    struct conn *conn = calloc(1, sizeof(*conn));
    pthread_t thread;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    atomic_fetch_add(&app->n_conns, 1);
    atomic_fetch_add(&app->n_open, 1);
    if (conn) {
        conn->app = app;
        conn->fd = fd;
        if (pthread_create(&thread, attr, serve, conn) == 0)
            return;
    }
    fprintf(stderr, "%s: no memory or thread for a connection\n", app->name);
    atomic_fetch_sub(&app->n_open, 1);
    close(fd);
    free(conn);
}

static int listen_on(struct app *app)
{
    int on = 1;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(app->port)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || inet_pton(AF_INET, app->bind_ip, &addr.sin_addr) != 1 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        fprintf(stderr, "%s: cannot listen on %s:%u: %s\n", app->name, app->bind_ip, app->port,
                strerror(errno));
        return -1;
    }
    printf("%s listens on %s:%u\n", app->name, app->bind_ip, ntohs(addr.sin_port));
    fflush(stdout);
    return fd;
}

static int usage(void)
{
    fprintf(stderr, "usage: weir-app NAME PORT [--delay MS] [--bind IP]\n"
                    "Port 0 takes a free one; the first line of output names it. Paths:\n");
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        fprintf(stderr, "  %-10s %s\n", actions[i].path, actions[i].help);
    fprintf(stderr, "  any other  hello from NAME\n");
    return 2;
}

static bool parse_arguments(struct app *app, int argc, char **argv)
{
    uint64_t number = 0;
    if (argc < 3 || argc % 2 == 0)
        return false;
    if (!parse_number(argv[2], strlen(argv[2]), 10, &number) || number > UINT16_MAX)
        return false;
    app->name = argv[1];
    app->port = (uint16_t)number;
    for (int i = 3; i < argc; i += 2) {
        if (strcmp(argv[i], "--bind") == 0)
            app->bind_ip = argv[i + 1];
        else if (strcmp(argv[i], "--delay") == 0 &&
                 parse_number(argv[i + 1], strlen(argv[i + 1]), 10, &number))
            app->delay_ms = (unsigned)number;
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct app app = {.bind_ip = "127.0.0.1"};
    pthread_attr_t attr;
    if (!parse_arguments(&app, argc, argv))
        return usage();
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on(&app);
    if (listener < 0)
        return 1;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            take_conn(&app, fd, &attr);
        else if (errno == EMFILE || errno == ENFILE)
            sleep_ms(10);
    }
}

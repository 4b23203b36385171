/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WIRE_H1_H
#define WIRE_H1_H

/*
 * HTTP/1.0 and HTTP/1.1 as bytes: heads, bodies, and what a proxy writes (RFC 9110, RFC 9112).
 *
 * The codec reads from the caller's buffer and writes into the caller's buffer. It allocates
 * nothing, copies nothing that it reads, makes no system call and keeps no state but the structs
 * that the caller hands in. The HTTP service and the small client of web/ are its users.
 *
 *      bytes ---> h1_parse_request / h1_parse_response ---> struct h1_head: an index into the bytes
 *      bytes ---> h1_body_next -------------------------> DATA, TRAILER, END, MORE, ERROR
 *      struct h1_head and what to change ---> h1_write_request_head / h1_write_response_head
 *
 * One head in the buffer:
 *
 *      buf                 fields_off                            fields_end      head_len
 *      |                   |                                              |      |
 *      [CRLF] GET /a HTTP/1.1 CRLF  Host: h CRLF  ...  Accept: x CRLF    CRLF   (body ...)
 *                                   ^     ^ value_off
 *                                   name_off
 *
 * Every position is an offset from `buf`, so that the bytes may move (be copied to a larger buffer,
 * for instance) as long as they keep their order. The lines of the fields follow each other without
 * a gap: line i ends where line i + 1 begins, the last one at fields_end.
 *
 * Reading a head
 *
 *      h1_head_reset(&head);
 *      used = h1_parse_request(buf, len, &limits, &head, &error);
 *      used > 0: complete, `used` bytes are the head, the body begins there
 *      used = 0: more is needed. Read more *behind* the same bytes and call again with the same
 *                head; the scan goes on where it stopped. A caller that did not keep the head
 *                between the calls resets it, which costs one scan from the start.
 *      used < 0: `error` says why, head.pos where. Wrong bytes are an error as soon as they are
 *                there, whether the head is complete or not; so are limits.
 *
 * What is refused
 *
 * Everything that two implementations are known to read in two ways: bare CR and bare LF, NUL and
 * other control bytes, names that are not tokens, space before the colon, line folding, a Host that
 * is missing, double, invalid or unlike an absolute-form target, Content-Length that is not one
 * decimal number, Transfer-Encoding that is not exactly one `chunked` or stands beside
 * Content-Length or in HTTP/1.0. h1_error.c has the table: for each reason the status to answer,
 * its name in log and metrics, a sentence. After an error the connection cannot be used any more.
 *
 * Responses are read by the same rules with three differences: folded lines are accepted (and
 * written as one line), space before the colon is accepted (and not written), and the reason phrase
 * may be missing altogether. Every error in a response is a 502 for the client.
 *
 * What the caller still decides: h1_check_request() names the requests that are well formed but
 * that weir does not serve (CONNECT, TRACE, foreign expectations).
 */

#include "base/slice.h"
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    H1_FIELDS_MAX = 128, /* rows in the table of a head; h1_limits.n_fields is at most that */
    H1_FIELD_BYTES_MAX = 65000, /* h1_limits.field_bytes is at most that */
    H1_METHOD_MAX = 32,         /* bytes in a method */
    H1_CONNECTION_MAX = 32,     /* options in all Connection fields of a head */
    H1_CHUNK_DIGITS_MAX = 13,   /* hex digits of a chunk size: below 2^52 */
    H1_CHUNK_HEAD_MAX = 18,     /* bytes that h1_write_chunk_head() may write */
};

/* All sizes are bytes on the wire. */
struct h1_limits {
    uint32_t head_bytes;           /* a head, from the first byte to the empty line: 431 */
    uint32_t field_bytes;          /* one field: name, colon, value: 431 */
    uint32_t target_bytes;         /* the request target: 414 */
    uint32_t n_fields;             /* 431 */
    uint32_t trailer_bytes;        /* all trailer fields of a chunked body: 431 */
    uint32_t n_trailers;           /* 431 */
    uint32_t chunk_ext_bytes;      /* extensions of one chunk: 400 */
    uint32_t chunk_overhead_bytes; /* framing of all chunks of a body, an error only where it is */
                                   /* also more than 80 % of what came: 400 */
};

/* 32 KiB, 8 KiB, 8 KiB, 100; 32 KiB, 100; 1 KiB, 100 KiB. */
extern const struct h1_limits h1_limits_default;

/* ---- errors ---- */

enum h1_error {
    H1_OK,
    /* the first line */
    H1_ERR_METHOD,         /* a byte that no method has, or none at all */
    H1_ERR_METHOD_LONG,    /* 501 */
    H1_ERR_TARGET,         /* control bytes, space, #, or a byte above 0x7e */
    H1_ERR_TARGET_FORM,    /* neither /path, http://host, host:port for CONNECT, * for OPTIONS */
    H1_ERR_TARGET_LONG,    /* 414 */
    H1_ERR_VERSION,        /* not HTTP/1.0 or HTTP/1.1; HTTP/0.9 has none */
    H1_ERR_VERSION_MAJOR,  /* HTTP/2 and above: 505 */
    H1_ERR_STATUS,         /* a status line without three digits from 100 up, or bad reason */
    H1_ERR_STATUS_UPGRADE, /* 101 though no upgrade was asked for */
    /* lines and fields */
    H1_ERR_LINE_END,    /* a bare CR or a bare LF */
    H1_ERR_FIELD_NAME,  /* not a token, or empty */
    H1_ERR_FIELD_SPACE, /* space between name and colon */
    H1_ERR_FIELD_FOLD,  /* a line that begins with space */
    H1_ERR_FIELD_VALUE, /* a control byte */
    H1_ERR_FIELD_LONG,  /* 431 */
    H1_ERR_FIELDS_MANY, /* 431 */
    H1_ERR_HEAD_LONG,   /* 431 */
    /* what fields say */
    H1_ERR_HOST_MISSING,
    H1_ERR_HOST_REPEATED,
    H1_ERR_HOST_INVALID,
    H1_ERR_HOST_DIFFERS, /* from the authority of the target */
    H1_ERR_LENGTH_INVALID,
    H1_ERR_LENGTH_REPEATED,
    H1_ERR_CODING_INVALID, /* empty member, chunked twice or not last */
    H1_ERR_CODING_UNKNOWN, /* 501 */
    H1_ERR_CODING_REPEATED,
    H1_ERR_CODING_LENGTH,   /* Transfer-Encoding beside Content-Length */
    H1_ERR_CODING_VERSION,  /* Transfer-Encoding in HTTP/1.0 */
    H1_ERR_CONNECTION_LONG, /* more than H1_CONNECTION_MAX options */
    /* bodies */
    H1_ERR_CHUNK_SIZE, /* no digit, not a digit, or too many of them */
    H1_ERR_CHUNK_EXT,  /* malformed extension */
    H1_ERR_CHUNK_EXT_LONG,
    H1_ERR_CHUNK_END, /* no CRLF behind the size or the data */
    H1_ERR_CHUNK_OVERHEAD,
    H1_ERR_TRAILERS_MANY, /* 431 */
    H1_ERR_TRAILERS_LONG, /* 431 */
    H1_ERR_BODY_SHORT,    /* the peer closed before the end: the client must be able to see it */
    /* well formed, but not served: h1_check_request() */
    H1_ERR_METHOD_REFUSED, /* 405 */
    H1_ERR_EXPECTATION,    /* 417 */
    H1_N_ERRORS,
};

/* What is known of a reason. */
struct h1_error_row {
    uint16_t status;      /* to answer to a request; in a response each of them means 502 */
    const char *name;     /* in log and metrics: lower case, words joined by _ */
    const char *sentence; /* what is wrong and what would be right */
};

/* Never NULL; error is not H1_OK. */
const struct h1_error_row *h1_error_row(enum h1_error error);

/* ---- heads ---- */

enum h1_method {
    H1_METHOD_OTHER, /* a token that weir does not know: forwarded, never repeated */
    H1_METHOD_GET,
    H1_METHOD_HEAD,
    H1_METHOD_POST,
    H1_METHOD_PUT,
    H1_METHOD_DELETE,
    H1_METHOD_OPTIONS,
    H1_METHOD_CONNECT,
    H1_METHOD_TRACE,
    H1_METHOD_PATCH,
};

/* The fields that a proxy acts on; at most 64, so that a set of them is a word. */
enum h1_field_id {
    H1_FIELD_OTHER,
    H1_FIELD_ACCEPT_ENCODING,
    H1_FIELD_AGE,
    H1_FIELD_AUTHORIZATION,
    H1_FIELD_CACHE_CONTROL,
    H1_FIELD_CLIENT_CERT,
    H1_FIELD_CLIENT_CERT_CHAIN,
    H1_FIELD_CONNECTION,
    H1_FIELD_CONTENT_ENCODING,
    H1_FIELD_CONTENT_LENGTH,
    H1_FIELD_CONTENT_RANGE,
    H1_FIELD_CONTENT_TYPE,
    H1_FIELD_COOKIE,
    H1_FIELD_DATE,
    H1_FIELD_ETAG,
    H1_FIELD_EXPECT,
    H1_FIELD_FORWARDED,
    H1_FIELD_HOST,
    H1_FIELD_HTTP2_SETTINGS,
    H1_FIELD_IDEMPOTENCY_KEY,
    H1_FIELD_KEEP_ALIVE,
    H1_FIELD_LOCATION,
    H1_FIELD_MAX_FORWARDS,
    H1_FIELD_PROXY,
    H1_FIELD_PROXY_AUTHENTICATE,
    H1_FIELD_PROXY_AUTHORIZATION,
    H1_FIELD_PROXY_CONNECTION,
    H1_FIELD_RANGE,
    H1_FIELD_REFERER,
    H1_FIELD_RETRY_AFTER,
    H1_FIELD_SERVER,
    H1_FIELD_SET_COOKIE,
    H1_FIELD_TE,
    H1_FIELD_TRAILER,
    H1_FIELD_TRANSFER_ENCODING,
    H1_FIELD_UPGRADE,
    H1_FIELD_USER_AGENT,
    H1_FIELD_VARY,
    H1_FIELD_VIA,
    H1_FIELD_WEIR_ANSWER,
    H1_FIELD_WEIR_ASYNC, /* with _ for a - too */
    H1_FIELD_WEIR_POOL,
    H1_FIELD_WEIR_TIMEOUT,
    H1_FIELD_WWW_AUTHENTICATE,
    H1_FIELD_X_FORWARDED_FOR,
    H1_FIELD_X_FORWARDED_HOST,
    H1_FIELD_X_FORWARDED_PORT,
    H1_FIELD_X_FORWARDED_PROTO,
    H1_FIELD_X_FORWARDED_OTHER, /* any other x-forwarded-; with _ for a - what a proxy alone says */
    H1_FIELD_X_REAL_IP,
    H1_FIELD_X_REQUEST_ID,
    H1_FIELD_X_WEIR_MOVED,
    H1_N_FIELD_IDS,
};

/* The set that holds one id; sets are joined with |. */
#define H1_SET(id) (UINT64_C(1) << (id))

enum h1_field_flag {
    H1_FLAG_FOLDED = 1, /* the value has line breaks (responses only); read them as spaces */
    H1_FLAG_SPACED = 2, /* space between name and colon (responses only) */
};

struct h1_field {
    uint32_t name_off; /* where the line begins */
    uint32_t value_off;
    uint16_t name_len;
    uint16_t value_len; /* without the space around it */
    uint8_t id;         /* enum h1_field_id */
    uint8_t flags;      /* enum h1_field_flag */
};

/* A piece of the buffer. len 0: empty or absent. */
struct h1_span {
    uint32_t off;
    uint32_t len;
};

/* RFC 9112 section 3.2. */
enum h1_form {
    H1_FORM_ORIGIN,    /* /path?query */
    H1_FORM_ABSOLUTE,  /* http://host/path?query */
    H1_FORM_AUTHORITY, /* host:port, CONNECT only */
    H1_FORM_ASTERISK,  /* *, OPTIONS only */
};

/* How the end of a body is found: RFC 9112 section 6.3. */
enum h1_body_kind {
    H1_BODY_NONE,
    H1_BODY_LENGTH, /* head.length bytes, which may be 0 */
    H1_BODY_CHUNKED,
    H1_BODY_UNTIL_CLOSE, /* responses only */
    H1_BODY_TUNNEL,      /* after 101, or 2xx to CONNECT: bytes both ways, no HTTP any more */
};

enum h1_expect {
    H1_EXPECT_NOTHING,
    H1_EXPECT_CONTINUE,
    H1_EXPECT_OTHER,
};

struct h1_head {
    /* How far the scan got. On an error pos is the offset of the byte that is wrong, or of the */
    /* end of the line that says something wrong. The rest is the parser's own. */
    uint32_t pos;
    uint32_t start; /* of the element that is being scanned */
    uint8_t stage;
    bool is_response;

    uint8_t minor;        /* 0 or 1: HTTP/1.0, HTTP/1.1 */
    uint8_t method;       /* enum h1_method; of a response: the request's */
    uint8_t form;         /* enum h1_form */
    bool is_https_target; /* absolute-form with https */
    uint16_t status;      /* responses */
    uint16_t port;        /* of the authority; 0: none was written */

    uint32_t line_off; /* the first byte of the first line: 0, or 2 behind an empty line */
    struct h1_span method_text;
    struct h1_span target; /* as it came */
    struct h1_span path;   /* begins with /; empty for http://host and for * and CONNECT */
    struct h1_span query;  /* without the ? */
    struct h1_span host;   /* of the authority, without the port; of IPv6 with the brackets. */
    /* From the absolute-form target or Host, which agree; as written, */
    /* so compare without case. Empty: HTTP/1.0 without Host. */
    struct h1_span authority; /* host and port */
    struct h1_span reason;    /* responses */

    uint8_t body;    /* enum h1_body_kind */
    uint8_t expect;  /* enum h1_expect; HTTP/1.0 expects nothing */
    uint64_t length; /* of the body, for H1_BODY_LENGTH */

    bool is_keep_alive;     /* the sender wants to keep the connection: version and Connection */
    bool is_upgrade_option; /* Connection names upgrade */
    bool is_websocket;      /* request: GET, 1.1, no body, asks for websocket. Response: 101 */
    bool is_h2c;            /* asked for h2c, which is never forwarded */
    bool is_te_trailers;    /* TE names trailers: the sender takes trailer fields */
    bool is_interim;        /* response: 1xx other than 101; another head follows */
    bool is_query;          /* there was a ?, though the query may be empty */
    bool is_chunked_coding; /* Transfer-Encoding: chunked was there, body or not */
    bool is_connection_foreign; /* Connection names more than close, keep-alive, upgrade, te */
    bool is_line_changed;       /* the first line cannot be copied as it is */
    uint8_t n_options;          /* in the Connection fields */
    uint8_t connection;         /* what they say; is_keep_alive is the result */

    uint32_t fields_off;
    uint32_t fields_end; /* where the empty line is */
    uint32_t head_len;   /* 0 until it is complete */

    uint8_t flags; /* of all fields, or-ed */
    uint8_t n_fields;
    uint64_t present; /* the set of the ids that occur */
    /* Bit i: Connection names field i, which is thus for us alone. Never set for the fields that */
    /* h1_field_is_protected() (RFC 9110 section 7.6.1 forbids it to name them). */
    uint64_t named[H1_FIELDS_MAX / 64];

    struct h1_field fields[H1_FIELDS_MAX]; /* the first n_fields are valid */
};

/* Forgets the last message. The table of fields is not touched: a reset costs a few words. */
void h1_head_reset(struct h1_head *head);

/*
 * The table of a complete head is mostly empty: its first so many bytes, copied elsewhere, serve
 * every function here but the parsers. A loop can thus read into one head and keep little of it.
 */
static inline size_t h1_head_size(const struct h1_head *head)
{
    return offsetof(struct h1_head, fields) + head->n_fields * sizeof(head->fields[0]);
}

/*
 * Reads a request head (RFC 9112 sections 2 to 6); see the top of this file for the result.
 * One empty line before the request line is skipped and counts as part of the head.
 * len may be larger than the head: what follows is not looked at.
 */
ssize_t h1_parse_request(const char *buf, size_t len, const struct h1_limits *limits,
                         struct h1_head *head, enum h1_error *ret_error);

/* What a response answers; it decides whether there is a body (RFC 9112 section 6.3). */
struct h1_asked {
    enum h1_method method;
    bool is_websocket; /* Upgrade: websocket was forwarded, so 101 may come */
};

/* Reads a response head. An interim response (head.is_interim) is followed by another head. */
ssize_t h1_parse_response(const char *buf, size_t len, const struct h1_limits *limits,
                          struct h1_asked asked, struct h1_head *head, enum h1_error *ret_error);

/*
 * H1_OK, or why a request that is well formed is not served: CONNECT and TRACE (405, close), an
 * expectation other than 100-continue (417).
 */
enum h1_error h1_check_request(const struct h1_head *head);

static inline struct slice h1_slice(const char *buf, struct h1_span span)
{
    return slice_make(buf + span.off, span.len);
}

static inline struct slice h1_field_name(const char *buf, const struct h1_field *field)
{
    return slice_make(buf + field->name_off, field->name_len);
}

/* A folded value still has its line breaks in it. */
static inline struct slice h1_field_value(const char *buf, const struct h1_field *field)
{
    return slice_make(buf + field->value_off, field->value_len);
}

static inline bool h1_has(const struct h1_head *head, enum h1_field_id id)
{
    return head->present & H1_SET(id);
}

/* The first field of that id, or NULL. id is not H1_FIELD_OTHER. */
const struct h1_field *h1_find(const struct h1_head *head, enum h1_field_id id);
/* The first field of that name (any case), or NULL. */
const struct h1_field *h1_find_name(const struct h1_head *head, const char *buf, struct slice name);

/* The id of a field name (any case); the bytes must be a token. */
enum h1_field_id h1_field_id(struct slice name);
/* The name of an id as it is written: "Content-Length"; "" for the two OTHER. */
struct slice h1_field_text(enum h1_field_id id);
/* Connection cannot take this field away: Host, Content-Length, Cookie, Authorization, ... */
bool h1_field_is_protected(enum h1_field_id id);

struct slice h1_method_text(enum h1_method method);
/* GET HEAD OPTIONS TRACE PUT DELETE: may be sent twice (RFC 9110 section 9.2.2). */
bool h1_method_is_idempotent(enum h1_method method);
/* RFC 9110 section 5.6.2; the empty string is none. */
bool h1_is_token(struct slice text);

/*
 * host[:port] by RFC 3986 section 3.2, without user information: 0 with the length of the host and
 * the port (0: none), or -1. The host is not empty.
 */
int h1_parse_authority(struct slice text, uint32_t *ret_host_len, uint16_t *ret_port);

/* ---- bodies ---- */

/* The decoder of RFC 9112 section 7.1. Its members are its own. */
struct h1_chunked {
    uint64_t remaining; /* of the chunk whose data is being read */
    uint64_t n_data;
    uint64_t n_overhead;
    uint32_t n_ext; /* bytes of extension in this chunk's line */
    uint32_t n_trailer_bytes;
    uint16_t n_trailers;
    uint8_t n_digits;
    uint8_t state;
};

struct h1_body {
    const struct h1_limits *limits; /* borrowed */
    uint8_t kind;                   /* enum h1_body_kind */
    uint64_t remaining;             /* H1_BODY_LENGTH */
    struct h1_chunked chunked;
};

enum h1_event {
    H1_MORE,    /* give the bytes that were not used again, with more behind them */
    H1_DATA,    /* data: a piece of the body, where it lies in the caller's buffer */
    H1_TRAILER, /* name and value of a trailer field */
    H1_END,     /* the body is complete; what follows belongs to the next message */
    H1_ERROR,   /* error says why; the body cannot be read on */
};

struct h1_piece {
    struct slice data;
    struct slice name;
    struct slice value;
    enum h1_field_id id;
    enum h1_error error;
};

/* For the body that follows `head`, which must be complete. `limits` must outlive the body. */
void h1_body_init(struct h1_body *body, const struct h1_head *head, const struct h1_limits *limits);
/* For a body of known kind without a head. */
void h1_body_init_kind(struct h1_body *body, enum h1_body_kind kind, uint64_t length,
                       const struct h1_limits *limits);

/*
 * The next event from buf[0, len). *ret_used bytes are done with, whatever the event; they include
 * those of the piece. Call until MORE, END or ERROR. After END it says END again and uses nothing.
 *
 * Chunk sizes and extensions may come split at any byte and are used as they come. A trailer field
 * is handed out in one piece, so an incomplete line of it is not used (MORE with the line left
 * over, at most field_bytes). Trailer fields that must not be there (framing, routing,
 * authentication: RFC 9110 section 6.5.1) are checked and dropped. Extensions are checked and
 * dropped.
 *
 * H1_BODY_UNTIL_CLOSE and H1_BODY_TUNNEL hand out all that comes and never end by themselves.
 */
enum h1_event h1_body_next(struct h1_body *body, const char *buf, size_t len, size_t *ret_used,
                           struct h1_piece *ret_piece);

/* The peer has closed: H1_OK where that is the end (or the end was before), H1_ERR_BODY_SHORT. */
enum h1_error h1_body_close(const struct h1_body *body);

/*
 * How many bytes of data must come before the codec has to see bytes again (the rest of a length
 * or of a chunk; UINT64_MAX until close), for those who move bodies past the buffer with splice(2).
 */
uint64_t h1_body_direct(const struct h1_body *body);
/* n bytes of data, at most h1_body_direct(), went past. */
void h1_body_skip(struct h1_body *body, uint64_t n);

/* ---- writing ---- */

/*
 * What to change in a request head on its way to a member. All zero is a good start: what came goes
 * out, less what is between the client and us.
 *
 * Dropped always: Connection and what it names, Keep-Alive, Proxy-Connection, TE,
 * Transfer-Encoding, Upgrade, HTTP2-Settings (RFC 9110 section 7.6.1), Proxy (which CGI takes for
 * HTTP_PROXY). Written anew where they apply: Transfer-Encoding: chunked, TE: trailers, Upgrade:
 * websocket, Connection. Content-Length passes as it is. The target goes out in origin-form and the
 * version as HTTP/1.1.
 */
struct h1_forward {
    const struct slice *lines; /* complete lines with CRLF to add: Via, X-Forwarded-For, ... */
    size_t n_lines;
    uint64_t drop;       /* a set of further ids to leave out (H1_SET) */
    struct slice target; /* instead of the target; ptr NULL: as it came */
    struct slice host;   /* instead of Host; ptr NULL: as it came */
    /* Host for an HTTP/1.0 request that has none; ptr NULL: an empty Host. */
    struct slice fallback_host;
    /* The peer may say who its client is: X-Forwarded-*, X-Real-IP, Forwarded and Client-Cert* */
    /* pass. Otherwise they are left out, and `lines` says the truth. */
    bool is_peer_trusted;
    bool is_upgrade;      /* pass the offer of websocket on (head.is_websocket) */
    bool is_close;        /* Connection: close: this member connection is not kept */
    bool is_length_known; /* the whole body was buffered: send `length`, not chunked */
    uint64_t length;
};

/*
 * Writes the request head that a member gets: its length, or -1 where it does not fit into cap.
 * Room for head_len + H1_WRITE_SLACK + the lines + what replaces target and Host is enough.
 */
ssize_t h1_write_request_head(char *out, size_t cap, const struct h1_head *head, const char *buf,
                              const struct h1_forward *forward);

enum {
    H1_WRITE_SLACK = 160, /* what the head writers may add of their own */
};

/*
 * What to change in a response head on its way to the client. The same fields are dropped. The
 * status line goes out as HTTP/1.1. A folded field becomes one line.
 */
struct h1_reply {
    const struct slice *lines; /* complete lines with CRLF to add: Via, Set-Cookie, ... */
    size_t n_lines;
    uint64_t drop;        /* a set of further ids to leave out */
    uint8_t client_minor; /* version of the request: 0 or 1 */
    bool is_close;        /* the client's connection closes behind this response */
    bool is_length_known; /* the whole body was buffered: send `length`, whatever came */
    uint64_t length;
};

/*
 * How the body must be written to the client: what came as chunks or until close goes to HTTP/1.1
 * as chunks, to HTTP/1.0 until close (the caller then closes; the head says so by itself).
 */
enum h1_body_kind h1_reply_body(const struct h1_head *head, const struct h1_reply *reply);

/* As h1_write_request_head(). Where nothing has to change the head is copied in one piece. */
ssize_t h1_write_response_head(char *out, size_t cap, const struct h1_head *head, const char *buf,
                               const struct h1_reply *reply);

/* The line before n > 0 bytes of chunk data; CRLF goes behind them. Returns the bytes written. */
size_t h1_write_chunk_head(char out[H1_CHUNK_HEAD_MAX], uint64_t n);
/* The end of a chunked body, with complete trailer lines (or an empty slice); -1: does not fit. */
ssize_t h1_write_chunk_end(char *out, size_t cap, struct slice trailer_lines);

/* A short answer of our own. */
struct h1_answer {
    uint16_t status;
    bool is_close;          /* says Connection: close */
    bool is_head;           /* the answer to HEAD: no body, though its length is said */
    uint8_t client_minor;   /* HTTP/1.0 is told of a connection that stays */
    uint32_t retry_after_s; /* 0: no Retry-After */
    struct slice lines;     /* further complete lines with CRLF, or empty */
    struct slice text;      /* the body (text/plain); empty: "503 Service Unavailable\n" */
};

/* Writes head and body: the length, or -1 where they do not fit. */
ssize_t h1_write_answer(char *out, size_t cap, const struct h1_answer *answer);

/* "Not Found" for 404; "" for a status without a name of its own. */
struct slice h1_reason(unsigned status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reasons for which the HTTP/1 codec refuses bytes, as a table: the status to answer, the name
 * in log and metrics, and the sentence for a person.
 */
#include "wire/h1.h"

static const struct h1_error_row rows[H1_N_ERRORS] = {
    [H1_OK] = {200, "ok", "nothing is wrong"},
    [H1_ERR_METHOD] = {400, "method", "the method must be a token with one space behind it"},
    [H1_ERR_METHOD_LONG] = {501, "method_long", "a method has at most 32 bytes"},
    [H1_ERR_TARGET] = {400, "target", "the target must be printable ASCII without space and #"},
    [H1_ERR_TARGET_FORM] = {400, "target_form",
                            "the target must be /path or http://host/path, host:port for CONNECT, "
                            "or * for OPTIONS"},
    [H1_ERR_TARGET_LONG] = {414, "target_long", "the target is longer than the limit"},
    [H1_ERR_VERSION] = {400, "version", "the version must be HTTP/1.0 or HTTP/1.1"},
    [H1_ERR_VERSION_MAJOR] = {505, "version_major", "only the major version 1 is spoken here"},
    [H1_ERR_STATUS] = {502, "status", "a status line is HTTP/1.x, three digits from 100, a reason"},
    [H1_ERR_STATUS_UPGRADE] = {502, "status_upgrade",
                               "101 Switching Protocols came without a matching Upgrade"},
    [H1_ERR_LINE_END] = {400, "line_end", "lines end with CR LF, and neither stands alone"},
    [H1_ERR_FIELD_NAME] = {400, "field_name", "a field name must be a token"},
    [H1_ERR_FIELD_SPACE] = {400, "field_space", "no space may stand before the colon of a field"},
    [H1_ERR_FIELD_FOLD] = {400, "field_fold", "a field line may not begin with space"},
    [H1_ERR_FIELD_VALUE] = {400, "field_value", "a field value may not hold control bytes"},
    [H1_ERR_FIELD_LONG] = {431, "field_long", "a field is longer than the limit"},
    [H1_ERR_FIELDS_MANY] = {431, "fields_many", "there are more fields than the limit"},
    [H1_ERR_HEAD_LONG] = {431, "head_long", "the head is longer than the limit"},
    [H1_ERR_HOST_MISSING] = {400, "host_missing", "an HTTP/1.1 request must have a Host field"},
    [H1_ERR_HOST_REPEATED] = {400, "host_repeated", "there may be only one Host field"},
    [H1_ERR_HOST_INVALID] = {400, "host_invalid", "Host must be a host with an optional :port"},
    [H1_ERR_HOST_DIFFERS] = {400, "host_differs",
                             "Host must be the same as the authority of the target"},
    [H1_ERR_LENGTH_INVALID] = {400, "length_invalid", "Content-Length must be one decimal number"},
    [H1_ERR_LENGTH_REPEATED] = {400, "length_repeated",
                                "there may be only one Content-Length field"},
    [H1_ERR_CODING_INVALID] = {400, "coding_invalid",
                               "Transfer-Encoding must end with chunked, once"},
    [H1_ERR_CODING_UNKNOWN] = {501, "coding_unknown", "the only transfer coding here is chunked"},
    [H1_ERR_CODING_REPEATED] = {400, "coding_repeated",
                                "there may be only one Transfer-Encoding field"},
    [H1_ERR_CODING_LENGTH] = {400, "coding_length",
                              "Transfer-Encoding and Content-Length exclude each other"},
    [H1_ERR_CODING_VERSION] = {400, "coding_version", "HTTP/1.0 has no Transfer-Encoding"},
    [H1_ERR_CONNECTION_LONG] = {400, "connection_long", "Connection names at most 32 options"},
    [H1_ERR_CHUNK_SIZE] = {400, "chunk_size", "a chunk size has 1 to 13 hexadecimal digits"},
    [H1_ERR_CHUNK_EXT] = {400, "chunk_ext", "a chunk extension must be ;name or ;name=value"},
    [H1_ERR_CHUNK_EXT_LONG] = {400, "chunk_ext_long",
                               "the extensions of a chunk are longer than the limit"},
    [H1_ERR_CHUNK_END] = {400, "chunk_end", "a chunk must end with CR LF"},
    [H1_ERR_CHUNK_OVERHEAD] = {400, "chunk_overhead", "the chunks hold far more framing than data"},
    [H1_ERR_TRAILERS_MANY] = {431, "trailers_many", "there are more trailer fields than the limit"},
    [H1_ERR_TRAILERS_LONG] = {431, "trailers_long", "the trailers are longer than the limit"},
    [H1_ERR_BODY_SHORT] = {400, "body_short", "the connection closed before the body was complete"},
    [H1_ERR_METHOD_REFUSED] = {405, "method_refused", "CONNECT and TRACE are not served"},
    [H1_ERR_EXPECTATION] = {417, "expectation", "the only expectation served is 100-continue"},
};

const struct h1_error_row *h1_error_row(enum h1_error error)
{
    assert(error > H1_OK && error < H1_N_ERRORS);
    return &rows[error];
}

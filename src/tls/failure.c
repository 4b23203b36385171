/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Why a handshake failed: OpenSSL's queue of errors and the socket's errno, as one of few reasons
 * and a sentence.
 */

#include "tls/internal.h"
#include <errno.h>
#include <openssl/x509_vfy.h>

struct row {
    int reason; /* of ERR_LIB_SSL */
    uint8_t failure;
    const char *text; /* NULL: OpenSSL's own */
};

static const struct row rows[] = {
    {SSL_R_HTTP_REQUEST, TLS_PLAIN, "a request in the clear"},
    {SSL_R_HTTPS_PROXY_REQUEST, TLS_PLAIN, "a request in the clear"},
    {SSL_R_UNSUPPORTED_PROTOCOL, TLS_VERSION, "no version of TLS in common"},
    {SSL_R_WRONG_SSL_VERSION, TLS_VERSION, "no version of TLS in common"},
    {SSL_R_VERSION_TOO_LOW, TLS_VERSION, "no version of TLS in common"},
    {SSL_R_UNKNOWN_PROTOCOL, TLS_VERSION, "no version of TLS in common"},
    {SSL_R_NO_SHARED_CIPHER, TLS_CIPHER, "no cipher in common"},
    {SSL_R_NO_CIPHERS_AVAILABLE, TLS_CIPHER, "no cipher in common"},
    {SSL_R_NO_SHARED_GROUPS, TLS_CIPHER, "no group in common"},
    {SSL_R_NO_SUITABLE_KEY_SHARE, TLS_CIPHER, "no group in common"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, TLS_CIPHER, "no signature algorithm in common"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, TLS_CIPHER, "no signature algorithm in common"},
    {SSL_R_NO_APPLICATION_PROTOCOL, TLS_PROTOCOL, "the client does not speak http/1.1"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, TLS_CLOSED, "closed in the middle of the handshake"},
    {SSL_R_WRONG_VERSION_NUMBER, TLS_MALFORMED, "the answer is no TLS"},
};

const char *tls_error_text(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return text ? text : "out of memory";
}

static int fail(struct tls_state *state, enum tls_failure failure, const char *reason, int error)
{
    state->failure = (uint8_t)failure;
    state->reason = reason;
    ERR_clear_error();
    return -error;
}

/* Alerts that the peer sent have reasons from here on, RFC 8446 section 6. */
static bool is_alert(int reason)
{
    return reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
}

static enum tls_failure failure_of_alert(int reason)
{
    return reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ? TLS_VERSION : TLS_ALERT;
}

int tls_failed(struct tls_state *state)
{
    unsigned long code = ERR_peek_error();
    int reason = ERR_GET_REASON(code);
    if (state->bio_error)
        return fail(state, TLS_CLOSED, NULL, state->bio_error);
    long verdict = state->is_server ? X509_V_OK : SSL_get_verify_result(state->ssl);
    if (verdict != X509_V_OK)
        return fail(state, TLS_UNTRUSTED, X509_verify_cert_error_string(verdict), EKEYREJECTED);
    if (code && ERR_GET_LIB(code) == ERR_LIB_SSL) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (rows[i].reason == reason)
                return fail(state, rows[i].failure, rows[i].text, EPROTO);
        }
        if (is_alert(reason))
            return fail(state, failure_of_alert(reason), ERR_reason_error_string(code), EPROTO);
    }
    if (!code || state->is_eof)
        return fail(state, TLS_CLOSED, "closed in the middle of the handshake", ECONNRESET);
    const char *text = ERR_reason_error_string(code);
    return fail(state, TLS_MALFORMED, text ? text : "the handshake failed", EPROTO);
}

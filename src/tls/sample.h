/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_SAMPLE_H
#define TLS_SAMPLE_H

/*
 * Certificates for tests, made while they run: an authority, and leaves with whatever names and
 * dates a test wants. Texts are PEM, owned by the sample.
 */

#include "base/text.h"
#include <openssl/evp.h>
#include <openssl/x509.h>

struct sample {
    EVP_PKEY *key;
    X509 *cert;
    struct text cert_pem;
    struct text key_pem;
    struct text both_pem;
};

/* names: "DNS:shop.test,DNS:*.shop.test,IP:127.0.0.1", or NULL for none. Valid from days `from` to
 * `to`, counted from today. Signed by `authority`; NULL: by itself, as an authority. */
void sample_make(struct sample *sample, const struct sample *authority, const char *names, int from,
                 int to);
void sample_deinit(struct sample *sample);

#endif

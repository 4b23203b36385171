/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any bytes as a file of certificates and a key: what is taken has both, which belong together;
 * what is not leaves a sentence; OpenSSL's queue of errors is empty either way.
 */

#include "tls/internal.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool is_so)
{
    if (!is_so)
        abort();
}

static void see_name(void *ctx, struct slice name)
{
    unsigned *sum = ctx; /* so that each byte is looked at */
    for (size_t i = 0; i < name.len; i++)
        *sum += (unsigned char)name.ptr[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice bytes = slice_make((const char *)data, size);
    struct tls_identity identity;
    struct err err = ERR_NONE;
    char text[TLS_DATES_TEXT];
    if (tls_identity_read(bytes, bytes, &identity, &err) == 0) {
        require(identity.leaf && identity.key);
        (void)tls_identity_dates(&identity, text);
        unsigned sum = 0;
        tls_identity_names(&identity, see_name, &sum);
        require(sum < 1u << 30);
        tls_identity_deinit(&identity);
    } else {
        require(err.text[0] != '\0');
    }
    require(ERR_peek_error() == 0);
    X509_STORE *store = X509_STORE_new();
    (void)tls_authorities_read(bytes, store, &err);
    X509_STORE_free(store);
    require(ERR_peek_error() == 0);
    return 0;
}

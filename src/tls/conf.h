/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TLS_CONF_H
#define TLS_CONF_H

/*
 * The words of TLS, the same wherever they stand:
 *
 *     listen shop https 0.0.0.0:443 {             pool web {
 *         tls cert shop.pem                           tls { ca own-ca.pem; name app.internal }
 *         tls cert other.pem key other.key            member app1 10.0.0.11:8443
 *         tls versions 1.2..1.3                   }
 *         tls ciphers "ECDHE+AESGCM"
 *     }
 *
 * Files are read by the supervisor alone. A block names its files by owner ("listen:shop"):
 * _check() makes the names, _files() asks for the bytes, _inspect() looks at them when all are
 * there (`weir check`, every start and reload), and whoever serves with them gets them from its
 * bundle.
 */

#include "base/slice.h"
#include "conf/bundle.h"
#include "conf/schema.h"
#include "core/module.h"
#include <stdbool.h>

enum {
    TLS_CERTS_MAX = 1024,      /* of one listener */
    TLS_FILE_BYTES = 16 << 20, /* of a file with certificates */
    TLS_NAME_MAX = 255,        /* of a host name, RFC 1035 section 2.3.4 */
};

/* Where the system keeps the authorities that it trusts: what a pool without `ca` is verified
 * by. */
#define TLS_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

enum tls_versions { TLS_VERSIONS_BOTH, TLS_VERSIONS_12, TLS_VERSIONS_13 };

/* A certificate with its chain, and its key: in the same file, or in one of its own. */
struct tls_cert_conf {
    struct conf_object object;
    struct slice cert;
    struct slice key; /* empty: in the file of the certificate */
    /* --- filled by check --- */
    const char *cert_blob;
    const char *key_blob; /* that of the certificate where key is empty */
};

struct tls_server_conf {
    struct conf_object object;
    struct conf_list certs; /* of struct tls_cert_conf */
    int versions;           /* enum tls_versions */
    struct slice ciphers;   /* empty: the default */
};

struct tls_client_conf {
    struct conf_object object;
    struct slice ca;            /* empty: TLS_SYSTEM_CA */
    int verify;                 /* by default; bool */
    struct slice name;          /* empty: each member's own */
    struct tls_cert_conf *cert; /* shown to members; NULL: none */
    /* --- filled by check --- */
    const char *ca_blob;
};

extern const struct conf_block tls_server_block; /* CONF_EMBED */
extern const struct conf_block tls_client_block; /* a pointer, NULL when absent */

bool tls_server_is_set(const struct tls_server_conf *conf);
int tls_server_check(struct tls_server_conf *conf, const char *owner, struct conf_load *load);
int tls_server_files(const struct tls_server_conf *conf, file_want_fn *want, void *ctx);
int tls_server_inspect(const struct tls_server_conf *conf, const struct conf_bundle *files,
                       struct conf_diag *diag);

int tls_client_check(struct tls_client_conf *conf, const char *owner, struct conf_load *load);
int tls_client_files(const struct tls_client_conf *conf, file_want_fn *want, void *ctx);
int tls_client_inspect(const struct tls_client_conf *conf, const struct conf_bundle *files,
                       struct conf_diag *diag);

#endif

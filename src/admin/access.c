/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of who may ask admin what: peers by uid on the unix socket, Host and bearer token on
 * TCP.
 */
#include "admin/access.h"

#include "base/addr.h"
#include "base/ascii.h"

void access_add_owner(struct access_policy *policy, uint32_t uid)
{
    for (size_t i = 0; i < policy->n_owners; i++) {
        if (policy->owners[i] == uid)
            return;
    }
    if (policy->n_owners < ACCESS_OWNERS_MAX)
        policy->owners[policy->n_owners++] = uid;
}

static bool is_owner(const struct access_policy *policy, uint32_t uid)
{
    for (size_t i = 0; i < policy->n_owners; i++) {
        if (policy->owners[i] == uid)
            return true;
    }
    return false;
}

static int check_unix(const struct access_policy *policy, const struct access_ask *ask,
                      struct err *err)
{
    if (ask->has_uid && is_owner(policy, ask->uid))
        return 0;
    if (ask->has_uid)
        err_set(err, "user %u may not use this socket; root and the user that started weir may",
                ask->uid);
    else
        err_set(err, "the kernel does not say who asks");
    return 403;
}

static bool is_own_host(struct slice host)
{
    struct addr addr;
    return slice_equal_nocase(host, SLICE("localhost")) ||
           (host.len && addr_parse_ip(host, 0, &addr, NULL) == 0);
}

/* "Bearer TOKEN", the scheme in any case; empty where it is something else. */
static struct slice bearer(struct slice authorization)
{
    struct slice token = authorization;
    struct slice scheme = slice_cut(&token, ' ');
    if (!token.ptr || !slice_equal_nocase(scheme, SLICE("Bearer")))
        return SLICE("");
    return slice_trim(token);
}

static int check_write(const struct access_policy *policy, const struct access_ask *ask,
                       struct err *err)
{
    if (policy->token.len == 0) {
        err_set(err, "writes over TCP need a token-file in the admin block; the unix socket in the "
                     "state directory needs none");
        return 403;
    }
    if (ask->authorization.len == 0) {
        err_set(err, "this needs Authorization: Bearer and the token of the token-file");
        return 401;
    }
    struct slice token = bearer(ask->authorization);
    if (token.len == 0 || token.len > ACCESS_TOKEN_MAX ||
        !slice_equal_secret(token, policy->token)) {
        err_set(err, "the token is not that of the token-file");
        return 401;
    }
    return 0;
}

int access_check(const struct access_policy *policy, const struct access_ask *ask, struct err *err)
{
    if (ask->is_unix)
        return check_unix(policy, ask, err);
    if (!is_own_host(ask->host)) {
        err_set(err,
                "the Host field names \"%.*s\"; only an IP address or localhost is served here",
                SLICE_ARG(ask->host));
        return 403;
    }
    return ask->is_write ? check_write(policy, ask, err) : 0;
}

static bool is_token_char(char c)
{
    return ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
           (c && strchr("-._~+/=", c));
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int access_token(struct slice bytes, struct slice *ret_token, struct err *err)
{
    while (bytes.len && is_space(bytes.ptr[bytes.len - 1]))
        bytes.len--;
    while (bytes.len && is_space(bytes.ptr[0]))
        bytes = slice_skip(bytes, 1);
    if (bytes.len < ACCESS_TOKEN_MIN || bytes.len > ACCESS_TOKEN_MAX)
        return err_set(err,
                       "the token has %zu characters; %d to %d are right, as "
                       "`head -c 24 /dev/urandom | base64` makes them",
                       bytes.len, ACCESS_TOKEN_MIN, ACCESS_TOKEN_MAX);
    for (size_t i = 0; i < bytes.len; i++) {
        if (!is_token_char(bytes.ptr[i]))
            return err_set(err,
                           "character %zu of the token is neither a letter nor a digit nor one of "
                           "-._~+/=",
                           i + 1);
    }
    *ret_token = bytes;
    return 0;
}

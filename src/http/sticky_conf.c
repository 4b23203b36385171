/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The word `sticky` of a listen.
 */

#include "http/sticky.h"

#define AT(field) offsetof(struct sticky_conf, field)

static const struct conf_choice kinds[] = {
    {.name = "cookie", .value = STICKY_COOKIE, .doc = "by a signed cookie that names the member"},
    {.name = "source", .value = STICKY_SOURCE, .doc = "by a hash of the client's address"},
    {.name = "header", .value = STICKY_HEADER, .doc = "by a hash of a header field"},
    {0},
};

static const struct conf_choice same_sites[] = {
    {.name = "lax", .value = STICKY_LAX, .doc = "not with what other sites embed"},
    {.name = "strict", .value = STICKY_STRICT, .doc = "never from other sites, links included"},
    {.name = "none", .value = STICKY_NONE, .doc = "from everywhere; over TLS alone"},
    {0},
};

static const struct conf_word sticky_args[] = {
    {.name = "by",
     .type = CONF_CHOICE,
     .offset = AT(kind),
     .choices = kinds,
     .doc = "what tells clients apart"},
    {.name = "name",
     .type = CONF_NAME,
     .flags = CONF_OPTIONAL,
     .offset = AT(name),
     .doc = "of the cookie, or of the field"},
    {0},
};

static const struct conf_word sticky_words[] = {
    {.name = "idle",
     .type = CONF_TIME,
     .offset = AT(idle_ms),
     .min = 10000,
     .max = 365 * INT64_C(86400000),
     .doc = "cookie: a session ends so long after its last request; without it, never"},
    {.name = "life",
     .type = CONF_TIME,
     .offset = AT(life_ms),
     .min = 10000,
     .max = 365 * INT64_C(86400000),
     .doc = "cookie: a session ends so long after its first request; without it, never"},
    {.name = "same-site",
     .type = CONF_CHOICE,
     .offset = AT(same_site),
     .fallback = "lax",
     .choices = same_sites,
     .doc = "cookie: whether requests from other sites carry it"},
    {.name = "domain",
     .type = CONF_STRING,
     .offset = AT(domain),
     .doc = "cookie: hosts below this one get it as well; without it, only the host that set it"},
    {0},
};

/* A name that does not belong there is told by sticky_finish(). */
static bool has_word(const void *self, const struct conf_word *word)
{
    const struct sticky_conf *conf = self;
    return conf->kind == STICKY_COOKIE || word == &sticky_args[1];
}

/* RFC 6265 section 4.1.1: what may stand in Domain. */
static bool is_domain(struct slice domain)
{
    uint32_t host_len;
    uint16_t port;
    if (domain.len > STICKY_DOMAIN_MAX || slice_find(domain, '[') < domain.len)
        return false;
    return h1_parse_authority(domain, &host_len, &port) == 0 && port == 0 &&
           host_len == domain.len && slice_find(domain, ';') == domain.len;
}

static int finish_words(struct conf_load *load, const struct sticky_conf *conf)
{
    for (const struct conf_word *word = sticky_words; word->name; word++)
        if (conf_is_set(&conf->object, word->name))
            return conf_error(load->diag, conf_where(&conf->object, word->name), NULL,
                              "\"%s\" belongs to a cookie", word->name);
    return 0;
}

static int finish_name(struct conf_load *load, const struct sticky_conf *conf)
{
    const char *kind = kinds[conf->kind].name;
    bool has_name = conf->name.len > 0;
    if (conf->kind == STICKY_SOURCE && has_name)
        return conf_error(load->diag, conf_where(&conf->object, "name"), "sticky source",
                          "a client's address has no name");
    if (conf->kind != STICKY_SOURCE && !has_name)
        return conf_error(load->diag, conf_where(&conf->object, "by"),
                          "sticky cookie WEIR, sticky header X-Session", "the %s needs its name",
                          kind);
    return 0;
}

static int sticky_finish(struct conf_load *load, void *self)
{
    const struct sticky_conf *conf = self;
    if (finish_name(load, conf) < 0)
        return -1;
    if (conf->kind != STICKY_COOKIE)
        return finish_words(load, conf);
    if (conf->domain.len > 0 && !is_domain(conf->domain))
        return conf_error(load->diag, conf_where(&conf->object, "domain"), "domain example.org",
                          "\"%.*s\" is not a domain", SLICE_ARG(conf->domain));
    if (conf->idle_ms && conf->life_ms && conf->idle_ms > conf->life_ms)
        return conf_error(load->diag, conf_where(&conf->object, "idle"), NULL,
                          "a session cannot be idle for longer than it lives");
    return 0;
}

int sticky_check(const struct sticky_conf *conf, bool is_tls, struct conf_load *load)
{
    if (conf->kind != STICKY_COOKIE || conf->same_site != STICKY_NONE || is_tls)
        return 0;
    return conf_error(load->diag, conf_where(&conf->object, "same-site"), "same-site lax",
                      "browsers take a cookie with same-site none over TLS alone");
}

const struct conf_block sticky_block = {
    .size = sizeof(struct sticky_conf),
    .args = sticky_args,
    .words = sticky_words,
    .finish = sticky_finish,
    .has_word = has_word,
};

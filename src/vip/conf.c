/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of `vip`.
 */

#include "vip/conf.h"

#include "vip/need.h"

/* ---- on ---- */

static const struct conf_choice hows[] = {
    {.name = "exec", .value = 0, .doc = "a program is run"},
    {0},
};

#define ON(field) offsetof(struct vip_on_conf, field)

static const struct conf_word on_args[] = {
    {.name = "WHERE",
     .type = CONF_STRING,
     .flags = CONF_REQUIRED,
     .offset = ON(where),
     .doc = "the interface that has the addresses; or the state in which a program is run: active, "
            "backup"},
    {.name = "HOW",
     .type = CONF_CHOICE,
     .flags = CONF_OPTIONAL,
     .offset = ON(how),
     .choices = hows,
     .doc = "active, backup: how it is told that this node has the addresses, or has not"},
    {.name = "PROGRAM",
     .type = CONF_PATH,
     .flags = CONF_OPTIONAL,
     .offset = ON(program),
     .doc = "the file that is executed; it ends with status 0 where all is well, may be repeated, "
            "and finds what it needs in WEIR_VIP, WEIR_ADDRESSES, WEIR_STATE, WEIR_REASON, "
            "WEIR_INTERFACE and WEIR_NODE"},
    {.name = "ARGUMENT",
     .type = CONF_STRING,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = ON(argument_list),
     .doc = "its arguments, up to a word of the vip; quote one that is such a word"},
    {0},
};

static const struct conf_word on_words[] = {
    {.name = "every",
     .type = CONF_TIME,
     .offset = ON(every_ms),
     .fallback = "60s",
     .min = 1000,
     .max = 86400000,
     .doc = "again so long after it ended well, while the state lasts; one that failed is "
            "repeated after 1s, 2s, 4s up to 60s"},
    {.name = "timeout",
     .type = CONF_TIME,
     .offset = ON(timeout_ms),
     .fallback = "10s",
     .min = 100,
     .max = 3600000,
     .doc = "it is killed when it runs for longer, and has failed"},
    {0},
};

/* An interface has nothing but its name. */
static bool on_has_word(const void *self, const struct conf_word *word)
{
    const struct vip_on_conf *on = self;
    bool is_state = slice_is(on->where, "active") || slice_is(on->where, "backup");
    return is_state || word == &on_args[0];
}

static const struct conf_block on_block = {
    .size = sizeof(struct vip_on_conf),
    .args = on_args,
    .words = on_words,
    .has_word = on_has_word,
};

/* ---- unicast ---- */

static const struct conf_word unicast_args[] = {
    {.name = "ADDRESS",
     .type = CONF_IP,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = offsetof(struct vip_unicast_conf, addr_list),
     .doc = "the peers' addresses, this node's own among them or not; without any, those that the "
            "other nodes have in the net of the vip's address, or their only ones"},
    {0},
};

static const struct conf_word unicast_words[] = {
    {.name = "ttl-min",
     .type = CONF_INT,
     .offset = offsetof(struct vip_unicast_conf, ttl_min),
     .fallback = "255",
     .min = 1,
     .max = VRRP_TTL,
     .doc = "the least TTL of an advertisement that counts; less than 255 where routers lie "
            "between, or a peer sends less (keepalived over IPv6: 64)"},
    {0},
};

static const struct conf_block unicast_block = {
    .size = sizeof(struct vip_unicast_conf),
    .args = unicast_args,
    .words = unicast_words,
};

/* ---- vip ---- */

static const struct conf_choice checksums[] = {
    {.name = "rfc5798",
     .value = VRRP_CHECKSUM_RFC5798,
     .doc = "with the pseudo header, as keepalived wants it"},
    {.name = "rfc9568", .value = VRRP_CHECKSUM_RFC9568, .doc = "of the message alone"},
    {0},
};

#define VIP(field) offsetof(struct vip_conf, field)

static const struct conf_word vip_args[] = {
    {.name = "ADDRESS",
     .type = CONF_IP_IN,
     .flags = CONF_OPTIONAL | CONF_REPEAT,
     .offset = VIP(address_list),
     .doc = "the addresses that move; the first of IPv6 is a link-local one"},
    {0},
};

static const struct conf_word vip_inner[] = {
    {.name = "on",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT | CONF_REQUIRED,
     .offset = VIP(on_list),
     .block = &on_block,
     .doc = "the interface that has the addresses; and programs that worker runs when this node "
            "becomes Active or Backup"},
    {.name = "name",
     .type = CONF_NAME,
     .offset = VIP(name),
     .doc = "what facts, metrics and commands call it; without it, its first address"},
    {.name = "id",
     .type = CONF_INT,
     .flags = CONF_REQUIRED,
     .offset = VIP(id),
     .min = 1,
     .max = 255,
     .doc = "the group's number on its link (VRID), the same on every node"},
    {.name = "prefer",
     .type = CONF_REF,
     .offset = VIP(prefer_ref),
     .doc =
         "the node that has the addresses while it can serve: priority 254 there, 253 elsewhere"},
    {.name = "owner",
     .type = CONF_REF,
     .offset = VIP(owner_ref),
     .doc = "the node whose own addresses they are: priority 255 there, whatever it lacks"},
    {.name = "priority",
     .type = CONF_INT,
     .offset = VIP(priority),
     .min = 1,
     .max = VIP_PRIORITY_PREFERRED,
     .doc = "of this node where the file has no nodes, while it lacks nothing; without it, 253"},
    {.name = "interval",
     .type = CONF_TIME,
     .offset = VIP(interval_ms),
     .fallback = "1s",
     .min = 10,
     .max = 40000,
     .doc = "between two advertisements; who is silent for three of them loses the addresses"},
    {.name = "version",
     .type = CONF_INT,
     .offset = VIP(version),
     .fallback = "3",
     .min = 2,
     .max = 3,
     .doc = "of VRRP: 3 (RFC 9568), or 2 (RFC 3768) beside routers that know no other"},
    {.name = "no-preempt",
     .type = CONF_FLAG,
     .offset = VIP(is_no_preempt),
     .doc = "a node that is Active stays so when a better one comes back"},
    {.name = "preempt-delay",
     .type = CONF_TIME,
     .offset = VIP(preempt_delay_ms),
     .fallback = "0s",
     .max = VIP_PREEMPT_DELAY_MAX_MS,
     .doc = "how long a better node leaves the Active alone when it comes back"},
    {.name = "checksum",
     .type = CONF_CHOICE,
     .offset = VIP(checksum),
     .fallback = "rfc5798",
     .choices = checksums,
     .doc = "of what is sent over IPv4; what comes may have either form"},
    {.name = "unicast",
     .type = CONF_BLOCK,
     .offset = VIP(unicast),
     .block = &unicast_block,
     .doc = "advertisements go to the peers one by one, where the network has no multicast"},
    {.name = "virtual-mac",
     .type = CONF_FLAG,
     .offset = VIP(has_virtual_mac),
     .doc = "the addresses are behind a MAC of their own, 00-00-5E-00-01-ID or 00-00-5E-00-02-ID, "
            "which moves with them"},
    {.name = "no-address",
     .type = CONF_FLAG,
     .offset = VIP(has_no_address),
     .doc = "no interface gets the addresses, the programs alone move them: a cloud's"},
    {.name = "needs",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = VIP(need_list),
     .block = &need_block,
     .doc = "what this node must have to be the best; without any, all that it serves"},
    {.name = "move-with",
     .type = CONF_REF,
     .offset = VIP(move_with_ref),
     .doc = "another vip, on whose node this one is to be"},
    {0},
};

/* What vip_finish() would refuse beside the others is not printed with its default. */
static bool vip_has_word(const void *self, const struct conf_word *word)
{
    const struct vip_conf *vip = self;
    if (slice_is(slice_from(word->name), "preempt-delay"))
        return !vip->is_no_preempt;
    if (slice_is(slice_from(word->name), "checksum"))
        return vip->version == 3 && vip->families[VIP_IPV4].n_addresses > 0;
    return true;
}

static const struct conf_block vip_block = {
    .size = sizeof(struct vip_conf),
    .args = vip_args,
    .words = vip_inner,
    .finish = vip_finish,
    .has_word = vip_has_word,
};

const struct conf_word vip_words[] = {
    {.name = "vip",
     .type = CONF_BLOCK,
     .flags = CONF_REPEAT,
     .offset = offsetof(struct vips_conf, vip_list),
     .block = &vip_block,
     .doc =
         "addresses that one of several nodes has, and another takes when that one cannot serve"},
    {0},
};

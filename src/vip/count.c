/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The rows of what is counted.
 */

#include "vip/count.h"

#define MOVE(of, name_)                                                                           \
    {                                                                                             \
        .name = "moves", .word = VIP_WORD_MOVE + (of), .label = "reason", .label_value = (name_), \
        .help = "Changes of a group's state, by their reason."                                    \
    }
#define REFUSED(base, of, name_)                                                             \
    {                                                                                        \
        .name = "refused", .word = (base) + (of), .label = "reason", .label_value = (name_), \
        .help = "Packets that were not believed."                                            \
    }
#define ODD(bit, name_)                                                                       \
    {                                                                                         \
        .name = "odd", .word = VIP_WORD_ODD + (bit), .label = "what", .label_value = (name_), \
        .help = "Advertisements that count, but are not as the configuration has it."         \
    }
#define UNSENT(at, name_)                                                          \
    {                                                                              \
        .name = "unsent", .word = (at), .label = "reason", .label_value = (name_), \
        .help = "Advertisements and announcements that the kernel did not take."   \
    }

/* What parsing and the socket refuse, which belongs to no group in particular. */
#define REFUSED_PARSED(base)                                                                    \
    REFUSED(base, VRRP_REFUSED_SHORT, "short"), REFUSED(base, VRRP_REFUSED_VERSION, "version"), \
        REFUSED(base, VRRP_REFUSED_TYPE, "type"),                                               \
        REFUSED(base, VRRP_REFUSED_VRID_ZERO, "id_zero"),                                       \
        REFUSED(base, VRRP_REFUSED_COUNT, "count"),                                             \
        REFUSED(base, VRRP_REFUSED_INTERVAL, "interval"),                                       \
        REFUSED(base, VRRP_REFUSED_AUTH, "auth"),                                               \
        REFUSED(base, VRRP_REFUSED_CHECKSUM, "checksum"),                                       \
        REFUSED(base, VRRP_REFUSED_LINK_LOCAL, "link_local")

static const struct metric_def vip_defs[] = {
    {.name = "state",
     .type = METRIC_GAUGE,
     .word = VIP_WORD_STATE,
     .help = "0 Initialize, 1 Backup, 2 Active."},
    {.name = "priority",
     .type = METRIC_GAUGE,
     .word = VIP_WORD_PRIORITY,
     .help = "The priority that is advertised."},
    {.name = "lack",
     .type = METRIC_GAUGE,
     .word = VIP_WORD_LACK,
     .help = "By how much it is lowered, for what this node lacks."},
    {.name = "holding",
     .type = METRIC_GAUGE,
     .word = VIP_WORD_HOLDING,
     .help = "1 while VRRP is silent and a peer says that it serves."},
    MOVE(VRRP_WHY_STARTED, "started"),
    MOVE(VRRP_WHY_OWNER, "owner"),
    MOVE(VRRP_WHY_ADOPTED, "adopted"),
    MOVE(VRRP_WHY_SILENCE, "silence"),
    MOVE(VRRP_WHY_RESIGNED, "resigned"),
    MOVE(VRRP_WHY_PREEMPTS, "preempts"),
    MOVE(VRRP_WHY_HOLD_OVER, "hold_over"),
    MOVE(VRRP_WHY_OUTRANKED, "outranked"),
    MOVE(VRRP_WHY_TIE, "tie"),
    MOVE(VRRP_WHY_STALLED, "stalled"),
    MOVE(VRRP_WHY_LINK_DOWN, "link_down"),
    MOVE(VRRP_WHY_LINK_UP, "link_up"),
    MOVE(VRRP_WHY_YIELDED, "yielded"),
    MOVE(VRRP_WHY_PEER_BETTER, "peer_better"),
    MOVE(VRRP_WHY_STOPPED, "stopped"),
    {.name = "adverts_sent", .word = VIP_WORD_SENT, .help = "Advertisements that were sent."},
    {.name = "adverts_received",
     .word = VIP_WORD_RECEIVED,
     .help = "Advertisements that were believed."},
    UNSENT(VIP_WORD_SEND_FULL, "full"),
    UNSENT(VIP_WORD_SEND_FAILED, "error"),
    REFUSED_PARSED(VIP_WORD_REFUSED),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_ECHO, "echo"),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_TTL, "ttl"),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_OTHER_VERSION, "other_version"),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_CAST, "cast"),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_PEER, "peer"),
    REFUSED(VIP_WORD_REFUSED, VRRP_REFUSED_OTHER_INTERVAL, "other_interval"),
    ODD(0, "interval"),
    ODD(1, "addresses"),
    ODD(2, "owner"),
    {.name = "resignations_sent",
     .word = VIP_WORD_RESIGNED,
     .help = "Times that this node said that another is to take over."},
    {.name = "announcements",
     .word = VIP_WORD_ANNOUNCED,
     .help = "Gratuitous ARPs and unsolicited neighbour advertisements."},
    {.name = "holds",
     .word = VIP_WORD_HELD,
     .help = "Times that VRRP was silent while a peer said that it serves."},
    {.name = "late",
     .word = VIP_WORD_LATE,
     .help = "Times that this node came to its timer more than an interval late."},
    {.name = "netlink_errors",
     .word = VIP_WORD_NETLINK_FAILED,
     .help = "Times that the kernel would not put or remove an address."},
    {.name = "taken",
     .word = VIP_WORD_TAKEN,
     .help = "Times that somebody else took an address from the interface of the Active."},
    {0},
};

const struct metric_table vip_metrics = {
    .name = "vip",
    .labels = {"vip"},
    .n_words = VIP_WORDS,
    .defs = vip_defs,
};

static const struct metric_def vrrp_defs[] = {
    {.name = "packets", .word = VRRP_WORD_PACKETS, .help = "VRRP packets that came."},
    REFUSED(VRRP_WORD_REFUSED, VRRP_REFUSED_IP, "ip"),
    REFUSED(VRRP_WORD_REFUSED, VRRP_REFUSED_FRAGMENT, "fragment"),
    REFUSED_PARSED(VRRP_WORD_REFUSED),
    REFUSED(VRRP_WORD_REFUSED, VRRP_REFUSED_VRID, "id"),
    {0},
};

const struct metric_table vrrp_metrics = {
    .name = "vrrp",
    .labels = {"interface"},
    .n_words = VRRP_WORDS,
    .defs = vrrp_defs,
};

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sentences about moves.
 */

#include "vip/why.h"

#include "base/mem.h"
#include <stdio.h>

#define NS_PER_S 1e9

enum { ORDER_MAX = 38 }; /* what is left of a sentence */

void why_who(struct slice node, const char *ip, char ret_who[WHY_WHO_MAX])
{
    int len = node.len ? snprintf(ret_who, WHY_WHO_MAX, "%.*s (%s)", SLICE_ARG(node), ip) : -1;
    if (len < 0)
        snprintf(ret_who, WHY_WHO_MAX, "%s", ip);
    else if (len >= WHY_WHO_MAX)
        snprintf(ret_who, WHY_WHO_MAX, "%.*s", SLICE_ARG(node));
}

static void of_silence(const struct why *why, char text[WHY_MAX])
{
    if (why->who)
        snprintf(text, WHY_MAX, "%s was silent for %.2f s", why->who,
                 (double)why->silent_ns / NS_PER_S);
    else
        snprintf(text, WHY_MAX, "nobody else was heard");
}

static void of_order(const struct why *why, char text[WHY_MAX])
{
    const char *order = why->order ? why->order : vrrp_reason_text(why->reason);
    if (why->who)
        snprintf(text, WHY_MAX, "%s took over: %.*s", why->who, ORDER_MAX, order);
    else
        snprintf(text, WHY_MAX, "%.*s", ORDER_MAX, order);
}

void why_following(const struct why *why, char ret_text[WHY_MAX])
{
    snprintf(ret_text, WHY_MAX, "%s is Active with priority %u", why->who, why->who_priority);
}

/* Only where somebody was heard. */
static void of_other(const struct why *why, char text[WHY_MAX])
{
    switch (why->reason) {
    case VRRP_WHY_RESIGNED:
        snprintf(text, WHY_MAX, "%s resigned", why->who);
        break;
    case VRRP_WHY_PREEMPTS:
        snprintf(text, WHY_MAX, "%s was Active with priority %u, which is below %u", why->who,
                 why->who_priority, why->own_priority);
        break;
    case VRRP_WHY_OUTRANKED:
        snprintf(text, WHY_MAX, "%s is Active with priority %u, which is above %u", why->who,
                 why->who_priority, why->own_priority);
        break;
    case VRRP_WHY_TIE:
        snprintf(text, WHY_MAX, "%s is Active with the same priority and a higher address",
                 why->who);
        break;
    case VRRP_WHY_PEER_BETTER:
        snprintf(text, WHY_MAX, "%s took over: it is better off", why->who);
        break;
    case VRRP_WHY_STARTED:
    case VRRP_WHY_OWNER:
    case VRRP_WHY_ADOPTED:
    case VRRP_WHY_SILENCE:
    case VRRP_WHY_HOLD_OVER:
    case VRRP_WHY_STALLED:
    case VRRP_WHY_LINK_DOWN:
    case VRRP_WHY_LINK_UP:
    case VRRP_WHY_YIELDED:
    case VRRP_WHY_STOPPED:
    case VRRP_REASONS:
        snprintf(text, WHY_MAX, "%s", vrrp_reason_text(why->reason));
        break;
    }
}

void why_text(const struct why *why, char ret_text[WHY_MAX])
{
    if (why->reason == VRRP_WHY_SILENCE)
        of_silence(why, ret_text);
    else if (why->reason == VRRP_WHY_YIELDED)
        of_order(why, ret_text);
    else if (why->who)
        of_other(why, ret_text);
    else
        snprintf(ret_text, WHY_MAX, "%s", vrrp_reason_text(why->reason));
}

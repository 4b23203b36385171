/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the other nodes say of themselves over the second path: facts of the process peer become
 * VRRP_EVENT_PEER. A word counts while its node is up, and the process that brought it is heard.
 * Better off is only who would take the address, not one that drains (FACT_DRAINED).
 */

#include "core/settings.h"
#include "peer/peer.h"
#include "vip/internal.h"
#include <stdio.h>
#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

/* Of the process peer, whose loop wakes each LOOP_HEARTBEAT_MS: what it said last is old. */
enum { PEER_SILENT_MS = 250 };

/* How long a word counts: until the beats that would take it back must have come. */
static uint64_t fresh_ns(const struct vip *vip)
{
    return PEER_PATIENCE_BEATS * (uint64_t)peer_conf_every_ms(vip->snap) * NS_PER_MS;
}

/* The fact by its name; looked for anew where the one that was known has gone. */
static bool read_fact(const struct board *board, struct fact_ref *ref, const char *name,
                      struct fact *ret_fact)
{
    if (!ref->is_set || board_peek(board, *ref) == FACT_NONE)
        *ref = board_find(board, name);
    return ref->is_set && board_read(board, *ref, ret_fact);
}

static bool is_heard(const struct board *board)
{
    int segment = board_segment(board, "peer");
    return segment >= 0 &&
           board_silence(board, (size_t)segment, loop_clock_ns()) < PEER_SILENT_MS * NS_PER_MS;
}

/* What the node says of the vip now; FACT_NONE: nothing that counts. */
static struct fact word_of(const struct vip *vip, struct vip_peer *peer, struct slice node)
{
    const struct board *board = vip->vips->process->board;
    char name[FACT_NAME_MAX];
    struct fact fact = {.state = FACT_NONE};
    snprintf(name, sizeof(name), "peer:%.*s", SLICE_ARG(node));
    if (!read_fact(board, &peer->peer, name, &fact) || fact.state != FACT_UP)
        return (struct fact){.state = FACT_NONE};
    snprintf(name, sizeof(name), "at:%.*s/%s", SLICE_ARG(node), vip->fact);
    if (!read_fact(board, &peer->at, name, &fact))
        return (struct fact){.state = FACT_NONE};
    return fact;
}

static void hear(struct vip *vip, uint8_t index, struct slice node, bool counts)
{
    struct vip_peer *peer = &vip->peers[index];
    struct fact word = {.state = FACT_NONE};
    if (counts)
        word = word_of(vip, peer, node);
    bool is_serving = word.state == FACT_ACTIVE;
    bool is_better = word.state == FACT_BACKUP && word.value < (double)vip->lack;
    bool is_news = is_serving || is_better || peer->is_serving || peer->is_better;
    peer->is_serving = is_serving;
    peer->is_better = is_better;
    for (size_t f = 0; f < VIP_FAMILIES && is_news; f++) {
        struct vip_group *at = &vip->groups[f];
        if (at->is_started)
            group_hear_peer(&at->group, index, is_serving, is_better, fresh_ns(vip),
                            loop_boot_ns());
    }
}

void vip_hear_peers(struct vip *vip)
{
    const struct settings *settings = settings_of(vip->snap);
    if (!settings || !settings->nodes || vip->is_ending)
        return;
    bool counts = is_heard(vip->vips->process->board);
    uint8_t index = 0;
    for (size_t i = 0; i < settings->nodes->list.n_items && index < VRRP_PEERS_MAX; i++) {
        const struct node_conf *node = settings->nodes->list.items[i];
        if (!slice_is(node->name, vip->snap->node))
            hear(vip, index++, node->name, counts);
    }
}

bool vip_is_peers_fact(const char *name)
{
    return strncmp(name, "peer:", 5) == 0 || strncmp(name, "at:", 3) == 0;
}

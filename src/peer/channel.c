/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sockets, and what goes out and comes in by them.
 */

#include "peer/internal.h"

#include "base/mem.h"
#include <errno.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>

enum {
    NS_PER_MS = 1000000,
    NS_PER_US = 1000,
    READ_BATCH = 64,   /* datagrams a round of work */
    FLUSH_MAX = 65536, /* datagrams thrown away at once */
};

/* ---- sending ---- */

/* A fact of this node as it is told: one whose writer is silent is known to nobody. */
static bool read_own(void *ctx, const char *name, struct fact_ref ref, struct fact *ret)
{
    const struct peer *peer = ctx;
    (void)name;
    if (!board_read(peer->board, ref, ret))
        return false;
    uint64_t patience_ns = (uint64_t)PEER_PATIENCE_BEATS * peer->period_ns;
    uint64_t least_ns = (uint64_t)PEER_SLEEP_MS * NS_PER_MS;
    uint64_t silence_ns = board_silence(peer->board, ref.segment, loop_clock_ns());
    if (silence_ns <= (patience_ns > least_ns ? patience_ns : least_ns))
        return true;
    ret->state = FACT_UNKNOWN;
    slice_copy(SLICE("the process that says so is silent"), ret->reason, sizeof(ret->reason));
    return true;
}

static void note_unsent(struct peer_path *path, const struct peer_mate *mate, int error)
{
    static const struct hush_rule rule = {.burst = 1, .every_ns = (uint64_t)10000 * NS_PER_MS};
    uint64_t n_kept;
    metric_add(mate->links[path->index].row, PEER_UNSENT, 1);
    if (!hush_may(&path->unsent, &rule, loop_now_ns(path->peer->loop), &n_kept))
        return;
    log_write(process_log(path->peer->loop), LOG_LEVEL_WARN, "peer %s: cannot send to %s: %s",
              path->name, mate->mate.name, strerror(error));
}

static void send_beat(struct peer_path *path, struct peer_mate *mate, const struct beat *head)
{
    const struct peer *peer = path->peer;
    struct beat_writer writer;
    struct beat beat = *head;
    beat.path = (uint8_t)path->index;
    beat_begin(&writer, &beat);
    for (size_t i = 0; i < peer->round->n_facts; i++)
        if (!beat_add_fact(&writer, &peer->round->facts[i]))
            break;
    size_t len = beat_finish(&writer, &peer->keys->keys);
    const struct addr *to = &mate->links[path->index].addr;
    if (sendto(path->fd, writer.bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL, &to->sa, to->len) < 0)
        note_unsent(path, mate, errno);
    else
        metric_add(mate->links[path->index].row, PEER_SENT, 1);
}

static bool is_due(const struct peer_path *path, uint64_t now_ns)
{
    return path->peer->is_hurried || path->next_ns <= now_ns;
}

static void send_to(struct peer *peer, struct peer_mate *mate, uint64_t now_ns)
{
    struct beat beat = {
        .file_hash = peer->snap->hash,
        .period_ms = (uint16_t)(peer->period_ns / NS_PER_MS),
        .turn = peer->round->turn,
        .flags = peer->asks ? BEAT_ASKS : 0,
        .name = slice_from(peer->snap->node),
    };
    mate_send(&mate->mate, now_ns, &beat);
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (is_due(&peer->paths[i], now_ns))
            send_beat(&peer->paths[i], mate, &beat);
}

static void send_round(struct peer *peer)
{
    uint64_t now_ns = loop_clock_ns();
    outbox_next(&peer->outbox, outbox_room(slice_from(peer->snap->node)), loop_wall_ns(peer->loop),
                read_own, peer, peer->round);
    for (uint32_t i = 0; i < peer->n_mates; i++)
        send_to(peer, peer->mates[i], now_ns);
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (is_due(&peer->paths[i], now_ns))
            peer->paths[i].next_ns = now_ns + peer->paths[i].period_ns;
    metric_add(peer->row, BEATS_ROUNDS, 1);
    metric_add(peer->row, BEATS_HURRIED, peer->is_hurried);
    metric_set(peer->row, BEATS_FACTS, outbox_n_facts(&peer->outbox));
    metric_set(peer->row, BEATS_FACTS_REFUSED, peer->outbox.n_refused);
    peer->round_ns = now_ns;
    peer->is_hurried = peer->asks = false;
}

/* ---- when ---- */

static bool is_any_due(const struct peer *peer, uint64_t now_ns)
{
    if (peer->is_hurried)
        return now_ns - peer->round_ns >= (uint64_t)PEER_HASTE_MS * NS_PER_MS;
    for (uint32_t i = 0; i < peer->n_paths; i++)
        if (peer->paths[i].next_ns <= now_ns)
            return true;
    return false;
}

static void set_timer(struct peer *peer)
{
    uint64_t now_ns = loop_now_ns(peer->loop);
    uint64_t next_ns = UINT64_MAX;
    if (peer->is_hurried)
        next_ns = peer->round_ns + (uint64_t)PEER_HASTE_MS * NS_PER_MS;
    for (uint32_t i = 0; i < peer->n_paths; i++)
        next_ns = peer->paths[i].next_ns < next_ns ? peer->paths[i].next_ns : next_ns;
    for (uint32_t i = 0; i < peer->n_mates; i++) {
        uint64_t at_ns = mate_deadline_ns(&peer->mates[i]->mate, now_ns);
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    loop_timer_set(peer->loop, &peer->timer, next_ns);
}

static void work(struct peer *peer)
{
    if (is_any_due(peer, loop_clock_ns()))
        send_round(peer);
    set_timer(peer);
}

static void on_hurry(struct loop *loop, struct loop_task *task)
{
    struct peer *peer = CONTAINER_OF(task, struct peer, hurry);
    (void)loop;
    peer->is_hurry_deferred = false;
    if (!peer->is_quiet && peer->n_paths > 0)
        work(peer);
}

void channel_hurry(struct peer *peer, bool asks)
{
    if (peer->is_quiet)
        return;
    peer->is_hurried = true;
    peer->asks = peer->asks || asks;
    if (peer->is_hurry_deferred)
        return;
    peer->is_hurry_deferred = true;
    loop_defer(peer->loop, &peer->hurry, on_hurry);
}

/* So that a node that has just started proves itself sooner than with the next beat; not for each
 * datagram of who plays recordings. */
static void greet(struct peer *peer)
{
    uint64_t now_ns = loop_now_ns(peer->loop);
    if (now_ns - peer->greeted_ns < peer->period_ns / 4)
        return;
    peer->greeted_ns = now_ns;
    channel_hurry(peer, false);
}

/* ---- sleep ---- */

/* What came while this process slept is as old as that: whether it is true now nobody knows. */
static void flush(struct peer_path *path)
{
    char byte;
    uint64_t n = 0;
    while (n < FLUSH_MAX && recv(path->fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) >= 0)
        n++;
    metric_add(path->row, PEER_PATH_FLUSHED, n);
}

/* The timer fires at least once a period: a longer gap was a sleep. */
static void look_at_clocks(struct peer *peer)
{
    uint64_t patience_ns = (uint64_t)PEER_PATIENCE_BEATS * peer->period_ns;
    uint64_t least_ns = (uint64_t)PEER_SLEEP_MS * NS_PER_MS;
    uint64_t limit_ns = patience_ns > least_ns ? patience_ns : least_ns;
    uint64_t now_ns = loop_boot_ns();
    uint64_t slept_ns = now_ns - peer->awake_ns;
    peer->awake_ns = now_ns;
    if (slept_ns < limit_ns + peer->period_ns)
        return;
    metric_add(peer->row, BEATS_SLEEPS, 1);
    log_write(process_log(peer->loop), LOG_LEVEL_WARN,
              "peer: this process slept for %.3f s; what came meanwhile is thrown away",
              (double)slept_ns / 1e9);
    for (uint32_t i = 0; i < peer->n_paths; i++)
        flush(&peer->paths[i]);
    for (uint32_t i = 0; i < peer->n_mates; i++)
        mate_sleep(&peer->mates[i]->mate);
    channel_hurry(peer, true);
}

/* ---- reading ---- */

static struct peer_mate *find_mate(const struct peer_path *path, const struct addr *from)
{
    const struct peer *peer = path->peer;
    for (uint32_t i = 0; i < peer->n_mates; i++)
        if (addr_equal(&peer->mates[i]->links[path->index].addr, from))
            return peer->mates[i];
    return NULL;
}

static void take(struct peer_path *path, struct slice datagram, const struct addr *from)
{
    struct peer *peer = path->peer;
    struct peer_mate *mate = find_mate(path, from);
    if (!mate) {
        publish_stranger(path, from);
        return;
    }
    struct inbox_calls calls = publish_calls(mate);
    struct peer_link *link = &mate->links[path->index];
    enum mate_outcome outcome =
        mate_take(&mate->mate, path->index, datagram, &peer->keys->keys, loop_clock_ns(), &calls);
    metric_add(link->row, (uint32_t)PEER_RECEIVED + (uint32_t)outcome, 1);
    if (mate_is_refusal(outcome))
        publish_refusal(mate, path, outcome);
    if (outcome == MATE_NEWS && mate->mate.beats.round_trip_ns)
        metric_observe(link->row, PEER_ROUND_TRIP, mate->mate.beats.round_trip_ns / NS_PER_US);
    publish_mate(mate);
    if (outcome == MATE_UNPROVEN)
        greet(peer);
    if (!mate->mate.wants_answer)
        return;
    mate->mate.wants_answer = false;
    metric_add(peer->row, BEATS_ANSWERS, 1);
    channel_hurry(peer, false);
}

/* One datagram. False: there is none. */
static bool read_one(struct peer_path *path)
{
    char bytes[BEAT_BYTES_MAX + 1]; /* longer ones are cut to what is no beat either */
    struct addr from;
    from.len = sizeof(from.in6);
    ssize_t n = recvfrom(path->fd, bytes, sizeof(bytes), MSG_DONTWAIT, &from.sa, &from.len);
    if (n < 0)
        return errno == EINTR || errno == ECONNREFUSED;
    take(path, slice_make(bytes, (size_t)n), &from);
    return true;
}

/* At most `max` datagrams; false: there may be more. */
static bool read_some(struct peer_path *path, int max)
{
    for (int i = 0; i < max; i++)
        if (!read_one(path))
            return true;
    return false;
}

static void on_readable(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct peer_path *path = CONTAINER_OF(io, struct peer_path, io);
    (void)events;
    look_at_clocks(path->peer);
    if (!read_some(path, READ_BATCH))
        loop_again(loop, io, LOOP_READ);
    else
        set_timer(path->peer);
}

/* Nobody is silent whose beat lies in a socket: they are read before anybody is judged. */
static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct peer *peer = CONTAINER_OF(timer, struct peer, timer);
    (void)loop;
    look_at_clocks(peer);
    for (uint32_t i = 0; i < peer->n_paths; i++)
        read_some(&peer->paths[i], READ_BATCH);
    for (uint32_t i = 0; i < peer->n_mates; i++)
        publish_mate(peer->mates[i]);
    publish_paths(peer);
    work(peer);
}

/* ---- life ---- */

int channel_open(struct peer_path *path, struct err *err)
{
    static const int tos = IPTOS_CLASS_CS6; /* network control, as VRRP has it */
    setsockopt(path->fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
    setsockopt(path->fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
    return loop_io_add_read(path->peer->loop, &path->io, path->fd, on_readable, err);
}

void channel_close(struct peer_path *path)
{
    if (loop_io_is_armed(&path->io))
        loop_io_remove(path->peer->loop, &path->io, false);
}

void channel_timer_init(struct peer *peer)
{
    loop_timer_init(&peer->timer, on_timer);
}

void channel_begin(struct peer *peer)
{
    peer->awake_ns = loop_boot_ns();
    for (uint32_t i = 0; i < peer->n_mates; i++)
        publish_mate(peer->mates[i]);
    publish_paths(peer);
    channel_hurry(peer, false);
}

void channel_end(struct peer *peer)
{
    peer->is_quiet = true;
    loop_timer_clear(peer->loop, &peer->timer);
    for (uint32_t i = 0; i < peer->n_paths; i++)
        channel_close(&peer->paths[i]);
}

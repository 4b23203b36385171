/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Questions between admin and the others. A packet is a letter, the number of the question, and
 * text:
 *
 *     | 'Q' | id 8 | verb |                asked by admin
 *     | 'P' | id 8 | part of the answer |  more follows
 *     | 'A' | id 8 | last part |
 *     | 'N' | id 8 | what is wrong with the question |
 *
 * The one who answers keeps what the socket does not take; the one who asks believes nothing but
 * the numbers of its own open questions.
 */

#include "core/query.h"
#include "base/mem.h"
#include "core/process_life.h"
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    QUERY_HEAD = 9,
    QUERY_PART_MAX = 32 * 1024,
    QUERY_BACKLOG_MAX = 4 << 20, /* bytes of answers that wait for the one who asked */
    QUERY_KIND_MAX = 32,
    NS_PER_MS = 1000000,
};

struct query_link {
    struct list node;
    struct process_life *life;
    char kind[QUERY_KIND_MAX]; /* of the process at the other end */
    struct loop_io io;
    struct list asked; /* questions under way; struct query */
    size_t n_asked;
    struct text backlog; /* packets, each behind its length in 4 bytes */
    size_t backlog_sent;
};

/* A question. It hangs in its link's list, or, when there is none to ask, waits for its timer
 * alone. */
struct query {
    struct list node;
    struct query_link *link; /* NULL: the timer brings the answer */
    struct process_life *life;
    struct list everywhere; /* in the life's list of all, for query_forget() */
    uint64_t id;
    query_fn *fn;
    const char *kind;
    void *ctx;
    bool is_own; /* asked of this process itself */
    struct loop_timer limit;
    struct text answer;
};

void queries_init(struct process_life *life)
{
    list_init(&life->queries.links);
    list_init(&life->queries.all);
}

/* --- the end of a question -------------------------------------------------------------------- */

static void query_destroy(struct query *query)
{
    loop_timer_clear(query->life->process.loops[0], &query->limit);
    if (query->link)
        query->link->n_asked--;
    list_remove(&query->node);
    list_remove(&query->everywhere);
    text_deinit(&query->answer);
    mem_free(query);
}

static void query_end(struct query *query, enum query_result result, struct slice answer)
{
    if (query->fn)
        query->fn(query->ctx, result, answer);
    query_destroy(query);
}

static void query_fail(struct query *query, const char *why)
{
    struct text text = TEXT_NONE;
    text_printf(&text, "%s %s", query->kind, why);
    query_end(query, QUERY_SILENT, text_slice(&text));
    text_deinit(&text);
}

static void query_on_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    struct query *query = CONTAINER_OF(timer, struct query, limit);
    if (query->is_own) {
        process_status(query->life, &query->answer);
        query_end(query, QUERY_ANSWERED, text_slice(&query->answer));
    } else if (!query->link) {
        query_fail(query, text_cstr(&query->answer));
    } else {
        query_fail(query, "did not answer within 1 s");
    }
}

/* --- links ------------------------------------------------------------------------------------ */

static struct query_link *link_find(struct process_life *life, const char *kind)
{
    LIST_EACH (node, &life->queries.links) {
        struct query_link *link = LIST_ENTRY(node, struct query_link, node);
        if (strcmp(link->kind, kind) == 0)
            return link;
    }
    return NULL;
}

static void link_destroy(struct query_link *link, const char *why)
{
    list_remove(&link->node); /* who asks again from a callback finds it gone */
    int fd = link->io.fd;
    if (loop_io_is_armed(&link->io))
        loop_io_remove(link->life->process.loops[0], &link->io, true);
    if (fd >= 0)
        close(fd);
    struct query *query;
    while ((query = LIST_FIRST(&link->asked, struct query, node)) != NULL)
        query_fail(query, why);
    text_deinit(&link->backlog);
    mem_free(link);
}

void queries_deinit(struct process_life *life)
{
    struct query *query;
    while ((query = LIST_FIRST(&life->queries.all, struct query, everywhere)) != NULL)
        query_destroy(query);
    struct query_link *link;
    while ((link = LIST_FIRST(&life->queries.links, struct query_link, node)) != NULL)
        link_destroy(link, "");
}

/* --- answering -------------------------------------------------------------------------------- */

/* Sends what waits. -1: the other side is dead. */
static int link_flush(struct query_link *link)
{
    while (link->backlog_sent < link->backlog.len) {
        const char *at = link->backlog.ptr + link->backlog_sent;
        uint32_t len;
        memcpy(&len, at, sizeof(len));
        if (send(link->io.fd, at + sizeof(len), len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN ? 0 : -1;
        }
        link->backlog_sent += sizeof(len) + len;
    }
    text_clear(&link->backlog);
    link->backlog_sent = 0;
    return 0;
}

static void link_put(struct query_link *link, char letter, uint64_t id, struct slice bytes)
{
    uint32_t len = (uint32_t)(QUERY_HEAD + bytes.len);
    text_append(&link->backlog, slice_make((const char *)&len, sizeof(len)));
    text_append_char(&link->backlog, letter);
    text_append(&link->backlog, slice_make((const char *)&id, sizeof(id)));
    text_append(&link->backlog, bytes);
}

static void link_answer(struct query_link *link, uint64_t id, struct slice answer)
{
    while (answer.len > QUERY_PART_MAX) {
        link_put(link, 'P', id, slice_make(answer.ptr, QUERY_PART_MAX));
        answer = slice_skip(answer, QUERY_PART_MAX);
    }
    link_put(link, 'A', id, answer);
}

static void link_on_question(struct query_link *link, uint64_t id, struct slice verb)
{
    /* Only admin asks; who does not fetch its answers is not given more. */
    if (strcmp(link->kind, "admin") != 0 || link->backlog.len > QUERY_BACKLOG_MAX)
        return;
    struct text answer = TEXT_NONE;
    struct err err = ERR_NONE;
    struct slice word = slice_cut(&verb, ' ');
    if (slice_is(word, "status")) {
        process_status(link->life, &answer);
        link_answer(link, id, text_slice(&answer));
    } else if (slice_is(word, "explain")) {
        if (process_explain(link->life, verb, &answer, &err) == 0)
            link_answer(link, id, text_slice(&answer));
        else
            link_put(link, 'N', id, slice_from(err.text));
    }
    text_deinit(&answer);
}

/* --- asking ----------------------------------------------------------------------------------- */

static void link_on_part(struct query_link *link, char letter, uint64_t id, struct slice part)
{
    struct query *query = NULL;
    LIST_EACH (node, &link->asked) {
        struct query *one = LIST_ENTRY(node, struct query, node);
        if (one->id == id)
            query = one;
    }
    if (!query)
        return; /* too late, or forgotten, or never asked */
    if (query->answer.len + part.len > QUERY_ANSWER_MAX) {
        query_fail(query, "answered too much");
        return;
    }
    text_append(&query->answer, part);
    if (letter != 'P')
        query_end(query, letter == 'A' ? QUERY_ANSWERED : QUERY_REFUSED,
                  text_slice(&query->answer));
}

static void link_on_packet(struct query_link *link, struct slice packet)
{
    if (packet.len < QUERY_HEAD)
        return;
    uint64_t id;
    memcpy(&id, packet.ptr + 1, sizeof(id));
    struct slice rest = slice_skip(packet, QUERY_HEAD);
    switch (packet.ptr[0]) {
    case 'Q':
        link_on_question(link, id, rest);
        break;
    case 'P':
    case 'A':
    case 'N':
        link_on_part(link, packet.ptr[0], id, rest);
        break;
    default:
        break;
    }
}

static void link_on_event(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct query_link *link = CONTAINER_OF(io, struct query_link, io);
    char packet[QUERY_HEAD + QUERY_PART_MAX];
    for (int round = 0; round < LOOP_BUDGET; round++) {
        ssize_t len = recv(io->fd, packet, sizeof(packet), MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0 && errno == EAGAIN) {
            if (link_flush(link) < 0)
                link_destroy(link, "has ended");
            return;
        }
        if (len <= 0) {
            link_destroy(link, "has ended");
            return;
        }
        link_on_packet(link, slice_make(packet, (size_t)len));
    }
    loop_again(loop, io, events);
}

int queries_link(struct process_life *life, const char *kind, int fd, struct err *err)
{
    struct query_link *former = link_find(life, kind);
    if (former)
        link_destroy(former, "was started again");
    struct query_link *link = MEM_NEW(struct query_link);
    link->life = life;
    slice_copy(slice_from(kind), link->kind, sizeof(link->kind));
    list_init(&link->asked);
    loop_io_init(&link->io);
    list_add_back(&life->queries.links, &link->node);
    if (loop_io_add(life->process.loops[0], &link->io, fd, link_on_event, err) == 0)
        return 0;
    link_destroy(link, "");
    close(fd);
    return -1;
}

/* Sends the question, or leaves the reason why not for the timer to bring. */
static void query_ask(struct query *query, const char *verb)
{
    struct query_link *link = link_find(query->life, query->kind);
    if (!link) {
        text_append(&query->answer, SLICE("does not run"));
        return;
    }
    char packet[QUERY_HEAD + QUERY_VERB_MAX];
    size_t len = strlen(verb);
    assert(len <= QUERY_VERB_MAX);
    packet[0] = 'Q';
    memcpy(packet + 1, &query->id, sizeof(query->id));
    memcpy(packet + QUERY_HEAD, verb, len);
    if (link->n_asked >= QUERY_PENDING_MAX ||
        send(link->io.fd, packet, QUERY_HEAD + len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        text_append(&query->answer, SLICE("is asked too much"));
        return;
    }
    query->link = link;
    list_add_back(&link->asked, &query->node);
    link->n_asked++;
}

void query_send(struct process *process, const char *kind, const char *verb, query_fn *fn,
                void *ctx)
{
    struct process_life *life = process_life(process);
    struct query *query = MEM_NEW(struct query);
    *query = (struct query){.life = life, .fn = fn, .ctx = ctx, .id = ++life->queries.last_id};
    list_init(&query->node);
    list_init(&query->everywhere);
    list_add_back(&life->queries.all, &query->everywhere);
    loop_timer_init(&query->limit, query_on_limit);
    query->is_own = strcmp(kind, process->kind) == 0;
    query->kind = module_process_name(process->table, kind);
    if (!query->is_own)
        query_ask(query, verb);
    uint64_t wait_ms = query->link ? QUERY_LIMIT_MS : 0;
    loop_timer_set(process->loops[0], &query->limit,
                   loop_now_ns(process->loops[0]) + wait_ms * NS_PER_MS);
}

void query_forget(struct process *process, const void *ctx)
{
    LIST_EACH (node, &process_life(process)->queries.all) {
        struct query *query = LIST_ENTRY(node, struct query, everywhere);
        if (query->ctx == ctx)
            query_destroy(query);
    }
}

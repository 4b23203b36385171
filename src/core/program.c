/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Requests to start programs and their results: links between the processes, and what waits for an
 * answer.
 */

#include "core/program.h"

#include "base/mem.h"
#include "conf/unit.h"
#include "core/process_life.h"
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NS_PER_MS = 1000000, HEAD_BYTES = 1 + 8, RESULT_BYTES = HEAD_BYTES + 4 + 4 };

struct program_link {
    struct list node;
    struct process_life *life;
    uint64_t number;
    struct loop_io io;
};

struct program_run {
    struct list node; /* in life->programs.runs */
    struct process_life *life;
    uint64_t id;
    uint64_t link; /* 0: it could not be sent */
    program_fn *fn;
    void *ctx;
    struct loop_timer limit;
};

void programs_init(struct process_life *life)
{
    list_init(&life->programs.links);
    list_init(&life->programs.runs);
}

/* ---- how it ended ---- */

void program_describe(const struct program_result *result, int64_t timeout_ms, struct text *out)
{
    const char *name;
    switch (result->outcome) {
    case PROGRAM_EXITED:
        text_printf(out, "exit status %" PRId32, result->number);
        break;
    case PROGRAM_SIGNALED:
        if (result->overrun_bytes > 0) {
            text_append(out, SLICE("killed: more than "));
            conf_unit_show_size(out, result->overrun_bytes);
            text_append(out, SLICE(" of memory (cgroup)"));
            break;
        }
        name = sigabbrev_np(result->number);
        text_printf(out, "ended by SIG%s", name ? name : "?");
        break;
    case PROGRAM_LATE:
        text_append(out, SLICE("killed after "));
        conf_unit_show_time(out, timeout_ms);
        break;
    case PROGRAM_NOT_STARTED:
        text_printf(out, "not started: %s", strerror(result->number));
        break;
    case PROGRAM_REFUSED:
        text_append(out, SLICE("not started: too many programs run"));
        break;
    case PROGRAM_UNKNOWN:
        text_append(out, SLICE("not started: worker has no such program"));
        break;
    case PROGRAM_LOST:
    case PROGRAM_N_OUTCOMES:
        text_append(out, SLICE("not started, or lost: worker is gone or does not answer"));
        break;
    }
}

/* ---- what is started ---- */

const char *const *program_argv(struct slice program, const struct conf_list *arguments,
                                struct arena *arena)
{
    const char **argv = ARENA_NEW_ARRAY(arena, const char *, arguments->n_items + 2);
    argv[0] = program.ptr;
    for (size_t i = 0; i < arguments->n_items; i++)
        argv[i + 1] = ((const struct slice *)arguments->items[i])->ptr;
    argv[arguments->n_items + 1] = NULL;
    return argv;
}

/* ---- packets ---- */

static size_t put_head(char *packet, char letter, uint64_t id)
{
    packet[0] = letter;
    memcpy(packet + 1, &id, sizeof(id));
    return HEAD_BYTES;
}

/* Returns false where the packet is not sent: the other side is dead, or reads nothing any more. */
static bool send_packet(const struct program_link *link, const char *packet, size_t len)
{
    return send(link->io.fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len;
}

/* ---- asking ---- */

static void run_free(struct program_run *run)
{
    loop_timer_clear(run->life->process.loops[0], &run->limit);
    list_remove(&run->node);
    mem_free(run);
}

static void run_end(struct program_run *run, const struct program_result *result)
{
    run->fn(run->ctx, result);
    run_free(run);
}

static void run_lose(struct program_run *run)
{
    const struct program_result result = {.outcome = PROGRAM_LOST};
    run_end(run, &result);
}

static void on_limit(struct loop *loop, struct loop_timer *timer)
{
    (void)loop;
    run_lose(CONTAINER_OF(timer, struct program_run, limit));
}

static struct program_link *newest_link(struct process_life *life)
{
    return LIST_FIRST(&life->programs.links, struct program_link, node);
}

struct program_run *program_start(struct process *process, const char *const *texts, size_t n_texts,
                                  int64_t limit_ms, program_fn *fn, void *ctx)
{
    struct process_life *life = process_life(process);
    struct loop *loop = process->loops[0];
    struct program_run *run = MEM_NEW(struct program_run);
    *run = (struct program_run){.life = life, .id = ++life->programs.last_id, .fn = fn, .ctx = ctx};
    char packet[PROGRAM_PACKET_MAX];
    size_t len = put_head(packet, 'S', run->id);
    for (size_t i = 0; i < n_texts; i++) {
        size_t size = strlen(texts[i]) + 1;
        assert(len + size <= sizeof(packet));
        memcpy(packet + len, texts[i], size);
        len += size;
    }
    list_init(&run->node);
    list_add_back(&life->programs.runs, &run->node);
    const struct program_link *link = newest_link(life);
    if (link && send_packet(link, packet, len))
        run->link = link->number;
    loop_timer_init(&run->limit, on_limit);
    loop_timer_set(loop, &run->limit,
                   loop_now_ns(loop) + (run->link ? (uint64_t)limit_ms * NS_PER_MS : 0));
    return run;
}

static struct program_link *find_link(struct process_life *life, uint64_t number)
{
    LIST_EACH (node, &life->programs.links) {
        struct program_link *link = LIST_ENTRY(node, struct program_link, node);
        if (link->number == number)
            return link;
    }
    return NULL;
}

void program_cancel(struct program_run **run_ptr)
{
    struct program_run *run = *run_ptr;
    *run_ptr = NULL;
    if (!run)
        return;
    const struct program_link *link = find_link(run->life, run->link);
    char packet[HEAD_BYTES];
    if (link)
        (void)send_packet(link, packet, put_head(packet, 'C', run->id));
    run_free(run);
}

static void on_result(struct program_link *link, uint64_t id, struct slice rest)
{
    struct program_result result = {.outcome = PROGRAM_LOST};
    uint32_t outcome;
    if (rest.len < RESULT_BYTES - HEAD_BYTES)
        return;
    memcpy(&outcome, rest.ptr, sizeof(outcome));
    memcpy(&result.number, rest.ptr + sizeof(outcome), sizeof(result.number));
    if (outcome >= PROGRAM_N_OUTCOMES)
        return;
    result.outcome = (enum program_outcome)outcome;
    slice_copy(slice_skip(rest, RESULT_BYTES - HEAD_BYTES), result.line, sizeof(result.line));
    LIST_EACH (node, &link->life->programs.runs) {
        struct program_run *run = LIST_ENTRY(node, struct program_run, node);
        if (run->id != id || run->link != link->number)
            continue;
        run_end(run, &result);
        return;
    }
}

/* ---- serving ---- */

void program_serve(struct process *process, const struct program_calls *calls, void *ctx)
{
    struct process_life *life = process_life(process);
    life->programs.calls = calls;
    life->programs.ctx = ctx;
}

void program_answer(struct process *process, struct program_ticket ticket,
                    const struct program_result *result)
{
    const struct program_link *link = find_link(process_life(process), ticket.link);
    char packet[RESULT_BYTES + PROGRAM_LINE_MAX];
    uint32_t outcome = (uint32_t)result->outcome;
    size_t len = put_head(packet, 'R', ticket.id);
    memcpy(packet + len, &outcome, sizeof(outcome));
    memcpy(packet + len + sizeof(outcome), &result->number, sizeof(result->number));
    size_t n = strlen(result->line);
    memcpy(packet + RESULT_BYTES, result->line, n);
    if (link)
        (void)send_packet(link, packet, RESULT_BYTES + n);
}

static void on_start(const struct program_link *link, uint64_t id, struct slice rest)
{
    const struct process_programs *programs = &link->life->programs;
    struct slice texts[PROGRAM_TEXTS_MAX];
    size_t n_texts = 0;
    if (rest.len == 0 || rest.ptr[rest.len - 1] != '\0')
        return;
    while (rest.len > 0 && n_texts < PROGRAM_TEXTS_MAX)
        texts[n_texts++] = slice_cut(&rest, '\0');
    programs->calls->start(programs->ctx, (struct program_ticket){link->number, id}, texts,
                           n_texts);
}

/* ---- links ---- */

static void link_destroy(struct program_link *link)
{
    struct process_life *life = link->life;
    struct process_programs *programs = &life->programs;
    int fd = link->io.fd;
    list_remove(&link->node); /* who asks again from a callback does not find it */
    if (loop_io_is_armed(&link->io))
        loop_io_remove(life->process.loops[0], &link->io, true);
    close(fd);
    if (programs->calls)
        programs->calls->gone(programs->ctx, link->number);
    for (;;) {
        struct program_run *lost = NULL;
        LIST_EACH (node, &programs->runs) {
            struct program_run *run = LIST_ENTRY(node, struct program_run, node);
            if (run->link == link->number)
                lost = run;
        }
        if (!lost)
            break;
        run_lose(lost);
    }
    mem_free(link);
}

static void on_packet(struct program_link *link, struct slice packet)
{
    const struct process_programs *programs = &link->life->programs;
    uint64_t id;
    if (packet.len < HEAD_BYTES)
        return;
    memcpy(&id, packet.ptr + 1, sizeof(id));
    struct slice rest = slice_skip(packet, HEAD_BYTES);
    if (packet.ptr[0] == 'R')
        on_result(link, id, rest);
    else if (packet.ptr[0] == 'S' && programs->calls)
        on_start(link, id, rest);
    else if (packet.ptr[0] == 'C' && programs->calls)
        programs->calls->cancel(programs->ctx, (struct program_ticket){link->number, id});
}

static void on_event(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct program_link *link = CONTAINER_OF(io, struct program_link, io);
    char packet[PROGRAM_PACKET_MAX];
    for (int round = 0; round < LOOP_BUDGET; round++) {
        ssize_t len = recv(io->fd, packet, sizeof(packet), MSG_DONTWAIT);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0 && errno == EAGAIN)
            return;
        if (len <= 0) {
            link_destroy(link);
            return;
        }
        on_packet(link, slice_make(packet, (size_t)len));
    }
    loop_again(loop, io, events);
}

int programs_link(struct process_life *life, const char *kind, int fd, struct err *err)
{
    struct program_link *link = MEM_NEW(struct program_link);
    link->life = life;
    link->number = ++life->programs.last_link;
    loop_io_init(&link->io);
    list_init(&link->node);
    list_add_front(&life->programs.links, &link->node);
    if (loop_io_add_read(life->process.loops[0], &link->io, fd, on_event, err) == 0)
        return 0;
    list_remove(&link->node);
    mem_free(link);
    close(fd);
    return err_prefix(err, "the socket to %s", kind);
}

void programs_deinit(struct process_life *life)
{
    struct program_link *link;
    life->programs.calls = NULL; /* its module has stopped */
    while ((link = LIST_FIRST(&life->programs.links, struct program_link, node)) != NULL)
        link_destroy(link);
    struct program_run *run;
    while ((run = LIST_FIRST(&life->programs.runs, struct program_run, node)) != NULL)
        run_free(run);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The life of a served program: what it is told, what it says, and how it ends.
 */

#include "worker/servant.h"

#include "base/mem.h"
#include "worker/internal.h"
#include "worker/launch.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)

/* Who closes its end is about to end; what was said before is read then, and no more. */
enum { CLOSED_MS = 1000, LAST_ROUNDS = 64, LINE_MAX_BYTES = 160 };

static struct loop *loop_of(const struct servant *servant)
{
    return servant->crew->shop->loop;
}

static uint64_t grace_of(const struct servant *servant)
{
    return (uint64_t)servant->crew->conf->grace_ms * NS_PER_MS;
}

static void set_timer(struct servant *servant, uint64_t wait_ns)
{
    loop_timer_clear(loop_of(servant), &servant->timer);
    loop_timer_set(loop_of(servant), &servant->timer, loop_now_ns(loop_of(servant)) + wait_ns);
}

/* ---- states ---------------------------------------------------------------------------------- */

static bool may_follow(enum servant_state from, enum servant_state to)
{
    static const unsigned next[] = {
        [SERVANT_STARTING] = 1u << SERVANT_IDLE | 1u << SERVANT_ENDING,
        [SERVANT_IDLE] = 1u << SERVANT_HELD | 1u << SERVANT_ENDING,
        [SERVANT_HELD] = 1u << SERVANT_IDLE | 1u << SERVANT_BUSY | 1u << SERVANT_ENDING,
        [SERVANT_BUSY] = 1u << SERVANT_IDLE | 1u << SERVANT_ENDING,
        [SERVANT_ENDING] = 1u << SERVANT_ENDING,
    };
    return next[from] & 1u << to;
}

static void move(struct servant *servant, enum servant_state state)
{
    assert(may_follow(servant->state, state));
    if (servant->state == SERVANT_IDLE)
        list_remove(&servant->idle);
    if (servant->state == SERVANT_HELD && state == SERVANT_ENDING && servant->hand) {
        servant->hand->servant = NULL; /* its job, when it comes, is given back */
        servant->hand = NULL;
    }
    if (state == SERVANT_IDLE)
        list_add_front(&servant->crew->idle, &servant->idle);
    servant->state = state;
}

/* ---- its end --------------------------------------------------------------------------------- */

static void end_softly(struct servant *servant)
{
    move(servant, SERVANT_ENDING);
    servant->was_asked = true;
    if (conn_is_open(&servant->conn))
        (void)conn_shutdown(&servant->conn);
    set_timer(servant, grace_of(servant));
}

/* It has broken the protocol. */
static void end_for_fault(struct servant *servant, const char *why)
{
    if (servant->fault.len == 0)
        text_append(&servant->fault, slice_from(why));
    crew_count(servant->crew, WORKER_FAULTS);
    move(servant, SERVANT_ENDING);
    conn_close(&servant->conn);
    loop_timer_clear(loop_of(servant), &servant->timer);
    run_kill(servant->run);
}

static bool is_too_big(const struct servant *servant)
{
    char path[64], line[128] = "";
    int64_t most = servant->crew->conf->recycle.memory_bytes;
    if (most == 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)run_pid(servant->run));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof(line) - 1);
    if (fd >= 0)
        close(fd);
    /* All of its pages, and behind them those that are resident. */
    const char *at = n > 0 ? strchr(line, ' ') : NULL;
    uint64_t n_pages = at ? strtoull(at + 1, NULL, 10) : 0;
    return n_pages * (uint64_t)sysconf(_SC_PAGESIZE) > (uint64_t)most;
}

static bool is_worn(const struct servant *servant)
{
    int64_t most = servant->crew->conf->recycle.jobs;
    return (most > 0 && servant->n_jobs >= (uint64_t)most) || is_too_big(servant);
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void on_ready(struct servant *servant)
{
    if (servant->state != SERVANT_STARTING) {
        end_for_fault(servant, "it says twice that it is ready");
        return;
    }
    servant->was_ready = true;
    loop_timer_clear(loop_of(servant), &servant->timer);
    move(servant, SERVANT_IDLE);
    crew_on_ready(servant->crew);
    if (servant->is_stale && servant->state == SERVANT_IDLE)
        end_softly(servant);
}

/* Its job is done with. */
static void on_answer(struct servant *servant, const struct jobline *line)
{
    struct hand *hand = servant->hand;
    servant->hand = NULL;
    servant->n_jobs++;
    run_limit(servant->run, 0);
    hand->servant = NULL;
    bool is_over = servant->is_stale || is_worn(servant);
    if (servant->state == SERVANT_BUSY && is_over) {
        if (!servant->is_stale)
            crew_count(servant->crew, WORKER_RECYCLED);
        end_softly(servant);
    } else if (servant->state == SERVANT_BUSY) {
        move(servant, SERVANT_IDLE);
    }
    hand_on_answer(hand, line, &servant->tail);
}

static void on_line(struct servant *servant, struct slice bytes)
{
    struct jobline line;
    struct err err = ERR_NONE;
    char why[LINE_MAX_BYTES];
    if (jobline_read(bytes, &line, &err) < 0) {
        snprintf(why, sizeof(why), "what it answers is no line: %s", err.text);
        end_for_fault(servant, why);
        return;
    }
    bool has_job = servant->hand && servant->state != SERVANT_HELD;
    if (line.kind == JOBLINE_READY) {
        on_ready(servant);
    } else if (!has_job || servant->hand->id != line.id) {
        snprintf(why, sizeof(why), "it answers for job %" PRIu64 ", which it does not have",
                 line.id);
        end_for_fault(servant, why);
    } else if (line.kind == JOBLINE_PROGRESS) {
        hand_on_progress(servant->hand, line.percent, text_slice(&line.bytes));
    } else {
        on_answer(servant, &line);
    }
    jobline_deinit(&line);
}

/* Nobody hears what one says that has no job and is to end, or whose time is over. */
static bool is_heard(const struct servant *servant)
{
    if (!conn_is_open(&servant->conn) || run_is_late(servant->run))
        return false;
    return servant->state != SERVANT_ENDING || servant->hand;
}

static void take_lines(struct servant *servant)
{
    size_t at = 0;
    while (is_heard(servant)) {
        struct slice rest = slice_skip(text_slice(&servant->in), at);
        size_t n = slice_find(rest, '\n');
        if (n == rest.len)
            break;
        at += n + 1;
        on_line(servant, slice_make(rest.ptr, n));
    }
    size_t n_rest = is_heard(servant) ? servant->in.len - at : 0;
    if (n_rest > 0)
        memmove(servant->in.ptr, servant->in.ptr + at, n_rest);
    servant->in.len = n_rest;
    if (n_rest > JOBLINE_MAX(servant->crew->conf->output_bytes))
        end_for_fault(servant, "it answers a line that is longer than a result may be");
}

/* Reads what is there. Returns true where there may be more. */
static bool read_lines(struct servant *servant, int rounds)
{
    struct conn *conn = &servant->conn;
    char *bytes = loop_buf(loop_of(servant));
    while (conn_is_open(conn) && rounds-- > 0) {
        ssize_t n = conn_recv(conn, bytes, LOOP_BUF_SIZE);
        if (n == -EAGAIN)
            return false;
        if (n <= 0) {
            servant->has_unread |= n == -ECONNRESET;
            conn_close(conn);
            return false;
        }
        if (is_heard(servant))
            text_append(&servant->in, slice_make(bytes, (size_t)n));
        take_lines(servant);
    }
    return conn_is_open(conn);
}

static void on_event(struct conn *conn, uint32_t events)
{
    struct servant *servant = CONTAINER_OF(conn, struct servant, conn);
    if (read_lines(servant, LOOP_BUDGET)) {
        conn_again(conn, events);
    } else if (!conn_is_open(conn) && servant->state != SERVANT_ENDING) {
        /* It ends, which says more; or not, and then it is of no use. */
        move(servant, SERVANT_ENDING);
        set_timer(servant, CLOSED_MS * NS_PER_MS);
        crew_look(servant->crew);
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct servant *servant = CONTAINER_OF(timer, struct servant, timer);
    (void)loop;
    if (servant->state == SERVANT_STARTING) {
        text_append(&servant->fault, SLICE("it did not say in time that it is ready"));
        crew_count(servant->crew, WORKER_FAULTS);
        move(servant, SERVANT_ENDING);
    }
    run_stop(servant->run, UINT64_MAX);
}

/* ---- the program has ended ------------------------------------------------------------------- */

static void servant_free(struct servant *servant)
{
    loop_timer_clear(loop_of(servant), &servant->timer);
    conn_close(&servant->conn);
    list_remove(&servant->node);
    tail_deinit(&servant->tail);
    text_deinit(&servant->in);
    text_deinit(&servant->fault);
    mem_free(servant);
}

/* "exit status 1: no table", or what it did wrong. */
static void describe(const struct servant *servant, const struct program_result *result,
                     struct text *out)
{
    char line[LINE_MAX_BYTES];
    if (servant->fault.len > 0)
        text_append(out, text_slice(&servant->fault));
    else
        program_describe(result, servant->crew->conf->timeout_ms, out);
    tail_last_line(&servant->tail, line, sizeof(line));
    if (line[0])
        text_printf(out, ": %s", line);
}

/* It ended without a job, and unasked: what does that say of the program? */
static void note_end(struct servant *servant, const struct program_result *result, const char *why)
{
    struct crew *crew = servant->crew;
    uint64_t quick_ns = (uint64_t)crew->conf->crashes.within_ms * NS_PER_MS;
    bool is_slow = loop_clock_ns() - servant->started_ns >= quick_ns;
    bool is_fine = result->outcome == PROGRAM_EXITED && result->number == 0 &&
                   servant->n_jobs > 0 && servant->fault.len == 0;
    if (is_fine)
        return;
    enum crash_end end = result->outcome == PROGRAM_NOT_STARTED ? CRASH_NOTHING
                         : servant->was_ready && is_slow        ? CRASH_SLOW
                                                                : CRASH_QUICK;
    if (!crew_on_end(crew, end, why))
        log_write(process_log(loop_of(servant)), LOG_LEVEL_WARN,
                  "worker %s: its program has ended without a job: %s", crew->name, why);
    crew->is_not_ready = !servant->was_ready;
}

static void on_end(void *ctx, const struct program_result *result)
{
    struct servant *servant = ctx;
    struct crew *crew = servant->crew;
    struct text why = TEXT_NONE;
    /* It may have answered, and ended at once. */
    (void)read_lines(servant, LAST_ROUNDS);
    move(servant, SERVANT_ENDING);
    describe(servant, result, &why);
    if (result->outcome == PROGRAM_NOT_STARTED)
        crew_count(crew, WORKER_NOT_STARTED);
    if (run_was_killed(servant->run) && servant->fault.len == 0)
        crew_count(crew, WORKER_KILLED);
    if (result->overrun_bytes > 0)
        crew_count(crew, WORKER_OVERRUN);
    if (servant->hand)
        hand_on_servant_end(servant->hand, result, text_cstr(&why));
    else if (!servant->was_asked)
        note_end(servant, result, text_cstr(&why));
    servant->run = NULL;
    servant_free(servant);
    text_deinit(&why);
    orphans_look(crew->shop->orphans);
    crew_look(crew);
}

/* ---- from without ---------------------------------------------------------------------------- */

static int connect_to(struct servant *servant, int *ret_fd, struct err *err)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return err_set(err, "no socket for a served program: %s", strerror(errno));
    (void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
    if (conn_open(&servant->conn, loop_of(servant), fds[0], on_event, err) < 0) {
        close(fds[0]);
        close(fds[1]);
        return -1;
    }
    *ret_fd = fds[1];
    return 0;
}

struct servant *servant_create(struct crew *crew, struct err *err)
{
    struct servant *servant = MEM_NEW(struct servant);
    const struct launch_var vars[] = {{"WEIR_SERVE", "lines"}};
    struct launch what = {
        .is_served = true, .tail = &servant->tail, .vars = vars, .n_vars = ARRAY_LEN(vars)};
    char tube[JOBPROTO_TUBE_MAX + 1];
    servant->crew = crew;
    conn_init(&servant->conn);
    loop_timer_init(&servant->timer, on_timer);
    list_init(&servant->node);
    list_init(&servant->idle);
    if (connect_to(servant, &what.input_fd, err) < 0) {
        mem_free(servant);
        return NULL;
    }
    slice_copy(crew->conf->queue, tube, sizeof(tube));
    what.tube = tube;
    tail_init(&servant->tail, (size_t)crew->conf->output_bytes);
    list_add_back(&crew->servants, &servant->node);
    servant->started_ns = loop_clock_ns();
    servant->run = launch(crew, &what, on_end, servant);
    close(what.input_fd);
    set_timer(servant, (uint64_t)crew->conf->ready_ms * NS_PER_MS);
    return servant;
}

void servant_hold(struct servant *servant, struct hand *hand)
{
    move(servant, SERVANT_HELD);
    servant->hand = hand;
    hand->servant = servant;
}

void servant_give(struct servant *servant, const struct jobline_job *job, uint64_t timeout_ns)
{
    struct text line = TEXT_NONE;
    move(servant, SERVANT_BUSY);
    servant->given_ns = loop_clock_ns();
    tail_deinit(&servant->tail);
    tail_init(&servant->tail, (size_t)servant->crew->conf->output_bytes);
    jobline_write(job, &line);
    run_limit(servant->run, timeout_ns);
    int result = conn_send(&servant->conn, line.ptr, line.len, false);
    text_deinit(&line);
    /* It is ending, and then that says what becomes of the job; or not, and is ended. */
    if (result < 0) {
        servant->has_unread = true;
        move(servant, SERVANT_ENDING);
        set_timer(servant, CLOSED_MS * NS_PER_MS);
    }
}

void servant_leave(struct servant *servant)
{
    servant->hand->servant = NULL;
    servant->hand = NULL;
    if (servant->state == SERVANT_HELD) {
        move(servant, SERVANT_IDLE);
        if (servant->is_stale)
            end_softly(servant);
        return;
    }
    move(servant, SERVANT_ENDING);
    servant->was_asked = true;
    run_kill(servant->run);
}

void servant_dismiss(struct servant *servant)
{
    servant->is_stale = true;
    if (servant->state == SERVANT_IDLE || servant->state == SERVANT_STARTING)
        end_softly(servant);
}

void servant_stop(struct servant *servant, uint64_t grace_ns)
{
    move(servant, SERVANT_ENDING);
    servant->was_asked = true;
    loop_timer_clear(loop_of(servant), &servant->timer);
    run_stop(servant->run, grace_ns);
}

void servant_destroy(struct servant *servant)
{
    if (servant->hand)
        servant->hand->servant = NULL;
    servant->hand = NULL;
    run_cancel(&servant->run);
    move(servant, SERVANT_ENDING);
    servant_free(servant);
}

/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A hand from one job to the next: what an answer of the queue means, and what is done then.
 */

#include "worker/hand.h"

#include "base/mem.h"
#include "worker/internal.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NS_PER_MS UINT64_C(1000000)
#define NO_BODY   slice_make(NULL, 0)

/* Of a lease so much is left when it is touched again: two thirds of it, if the first gets lost. */
enum { TOUCHES_A_LEASE = 3, AGAIN_MS = 1000, RECONNECT_MS = 100, LEAVE_MS = 1000 };

static uint64_t now_of(const struct hand *hand)
{
    return loop_now_ns(hand->crew->shop->loop);
}

/* ---- its end --------------------------------------------------------------------------------- */

static void forget_job(struct hand *hand)
{
    struct loop *loop = hand->crew->shop->loop;
    loop_timer_clear(loop, &hand->touch);
    loop_timer_clear(loop, &hand->again);
    if (hand->body_fd >= 0)
        close(hand->body_fd);
    hand->body_fd = -1;
    run_cancel(&hand->run);
    if (hand->servant)
        servant_leave(hand->servant);
    text_clear(&hand->body);
    tail_deinit(&hand->tail);
    text_clear(&hand->figures);
    text_clear(&hand->why);
    hand->was_told = hand->is_given_up = hand->is_result_refused = false;
    hand->lost_ns = 0;
}

static void on_free(struct loop *loop, struct loop_task *task)
{
    struct hand *hand = CONTAINER_OF(task, struct hand, task);
    (void)loop;
    text_deinit(&hand->in);
    text_deinit(&hand->body);
    text_deinit(&hand->figures);
    text_deinit(&hand->why);
    mem_free(hand);
}

static void hand_go(struct hand *hand)
{
    enum hand_state former = hand->state;
    if (hand->state == HAND_GONE)
        return;
    hand->state = HAND_GONE;
    hand_close_link(hand);
    forget_job(hand);
    list_remove(&hand->node);
    loop_defer(hand->crew->shop->loop, &hand->task, on_free);
    crew_on_gone(hand->crew, hand, former);
}

void hand_destroy(struct hand *hand)
{
    /* Nobody waits for the answer, but the queue reads it before it sees the end. */
    const struct jobproto_command back = {.verb = JOBPROTO_GIVE_BACK};
    bool may_have_one = hand->state == HAND_ASKING || hand->state == HAND_TAKING ||
                        (hand->state == HAND_WORKING && !hand->is_given_up);
    if (may_have_one && hand->n_asked < HAND_QUESTIONS)
        hand_say(hand, HAND_LEAVE, &back, NO_BODY);
    hand_go(hand);
}

/* ---- what is said ---------------------------------------------------------------------------- */

static void say_of_job(struct hand *hand, enum hand_question question, enum jobproto_verb verb)
{
    const struct jobproto_command command = {.verb = verb, .id = hand->id};
    hand_say(hand, question, &command, NO_BODY);
}

static void say_of_tube(struct hand *hand, enum jobproto_verb verb, struct slice tube)
{
    const struct jobproto_command command = {.verb = verb, .tube = tube};
    hand_say(hand, HAND_WATCH, &command, NO_BODY);
}

void hand_dismiss(struct hand *hand)
{
    struct loop *loop = hand->crew->shop->loop;
    assert(!hand_has_job(hand));
    if (hand->state != HAND_ASKING)
        return;
    hand->state = HAND_LEAVING;
    crew_on_leave(hand->crew, hand);
    loop_timer_set(loop, &hand->again, now_of(hand) + LEAVE_MS * NS_PER_MS);
    say_of_job(hand, HAND_LEAVE, JOBPROTO_GIVE_BACK);
    if (hand->state == HAND_LEAVING && conn_shutdown(&hand->conn) < 0)
        hand_go(hand);
}

static void set_touch(struct hand *hand)
{
    uint64_t ttr_ns = hand->ttr_s * 1000 * NS_PER_MS;
    loop_timer_set(hand->crew->shop->loop, &hand->touch, now_of(hand) + ttr_ns / TOUCHES_A_LEASE);
}

static void on_touch(struct loop *loop, struct loop_timer *timer)
{
    struct hand *hand = CONTAINER_OF(timer, struct hand, touch);
    (void)loop;
    if (hand->n_asked == 0)
        say_of_job(hand, HAND_TOUCH, JOBPROTO_TOUCH);
    if (hand->state != HAND_GONE && conn_is_open(&hand->conn))
        set_touch(hand);
}

void hand_ask(struct hand *hand)
{
    hand->state = HAND_ASKING;
    say_of_job(hand, HAND_JOB, JOBPROTO_RESERVE);
}

/* How the job ended. */
static void tell(struct hand *hand)
{
    struct jobproto_command command = {.verb = JOBPROTO_FAIL, .id = hand->id};
    struct text result = TEXT_NONE;
    if (hand->fate == JOB_DONE && !hand->is_result_refused) {
        tail_append(&hand->tail, hand->tail.len, &result);
        command.verb = JOBPROTO_FINISH;
        command.body_bytes = (uint32_t)result.len;
    } else if (hand->fate == JOB_DONE) {
        command.verb = JOBPROTO_DELETE;
    } else {
        command.fail = job_fate_fail(hand->fate);
        command.text = text_slice(&hand->why);
    }
    hand_say(hand, HAND_END, &command, text_slice(&result));
    text_deinit(&result);
}

/* ---- the connection is lost ------------------------------------------------------------------ */

static void end_program(struct hand *hand, uint64_t grace_ns)
{
    if (hand->run)
        run_stop(hand->run, grace_ns);
    else if (hand->servant)
        servant_stop(hand->servant, grace_ns);
}

/* Somebody else has the job, or will: its program is of no use, and nothing is told. */
static void give_up(struct hand *hand, const char *why)
{
    struct log *log = process_log(hand->crew->shop->loop);
    log_write(log, LOG_LEVEL_WARN, "job %llu of queue %s is lost, and will be done again: %s",
              (unsigned long long)hand->id, hand->tube, why);
    crew_count(hand->crew, WORKER_LOST);
    if (hand->state != HAND_WORKING) {
        hand_go(hand);
        return;
    }
    hand->is_given_up = true;
    hand_close_link(hand);
    loop_timer_clear(hand->crew->shop->loop, &hand->again);
    end_program(hand, UINT64_MAX);
}

/* Not for ever. Returns true where it is given up. */
static bool is_too_late(struct hand *hand, const char *why)
{
    uint64_t patience_ns = (uint64_t)hand->crew->conf->answer_ms * NS_PER_MS;
    hand->lost_ns = hand->lost_ns ? hand->lost_ns : now_of(hand);
    if (now_of(hand) - hand->lost_ns < patience_ns)
        return false;
    give_up(hand, why);
    return true;
}

static void try_again(struct hand *hand, int64_t wait_ms)
{
    loop_timer_set(hand->crew->shop->loop, &hand->again,
                   now_of(hand) + (uint64_t)wait_ms * NS_PER_MS);
}

void hand_on_lost(struct hand *hand, const char *why)
{
    if (hand->state == HAND_LEAVING) {
        hand_go(hand);
        return;
    }
    if (hand->state == HAND_ASKING || hand->state == HAND_TAKING) {
        struct crew *crew = hand->crew;
        hand_go(hand);
        crew_on_trouble(crew, why);
        return;
    }
    if (hand->is_given_up || hand->state == HAND_GONE)
        return;
    bool is_first = hand->lost_ns == 0;
    if (!is_too_late(hand, why))
        try_again(hand, is_first ? 0 : RECONNECT_MS);
}

static void on_again(struct loop *loop, struct loop_timer *timer)
{
    struct hand *hand = CONTAINER_OF(timer, struct hand, again);
    struct err err = ERR_NONE;
    (void)loop;
    if (hand->state == HAND_LEAVING) {
        hand_go(hand);
        return;
    }
    if (conn_is_open(&hand->conn)) {
        if (hand->state == HAND_TELLING)
            tell(hand);
        return;
    }
    if (hand_connect(hand, &err) == 0)
        say_of_job(hand, HAND_JOB_AGAIN, JOBPROTO_RESERVE_JOB);
    else if (!is_too_late(hand, err.text))
        try_again(hand, RECONNECT_MS);
}

static void on_silence(struct loop *loop, struct loop_timer *timer)
{
    struct hand *hand = CONTAINER_OF(timer, struct hand, patience);
    (void)loop;
    crew_count(hand->crew, WORKER_UNANSWERED);
    hand_lose_link(hand, "the queue does not answer");
}

/* The job is this hand's again. */
static void on_job_again(struct hand *hand)
{
    hand->lost_ns = 0;
    set_touch(hand);
    if (hand->state == HAND_TELLING)
        tell(hand);
}

/* ---- what is heard --------------------------------------------------------------------------- */

static const char *reply_name(const struct jobreply *reply, char *name, size_t cap)
{
    struct slice line = jobproto_reply_line(reply->plain);
    bool is_plain = reply->kind == JOBREPLY_PLAIN;
    slice_copy(is_plain ? slice_make(line.ptr, line.len - 2) : SLICE("something else"), name, cap);
    return name;
}

/* The queue gives none: it drains, or its log has failed. */
static void on_no_job(struct hand *hand, const struct jobreply *reply)
{
    struct crew *crew = hand->crew;
    char name[JOBPROTO_OUT_MAX], why[JOBPROTO_OUT_MAX + 32];
    snprintf(why, sizeof(why), "the queue gives no jobs: %s",
             reply_name(reply, name, sizeof(name)));
    hand_go(hand);
    crew_on_trouble(crew, why);
}

static void on_job(struct hand *hand, const struct jobreply *reply)
{
    if (reply->kind != JOBREPLY_RESERVED) {
        on_no_job(hand, reply);
        return;
    }
    hand->state = HAND_TAKING;
    hand->id = reply->id;
    (void)crew_on_link(hand->crew);
    crew_on_job(hand->crew, hand);
}

static void on_free_again(struct hand *hand)
{
    forget_job(hand);
    crew_on_free(hand->crew, hand);
}

/* The queue cannot note it now: its disk is full, or its log has failed. */
static void tell_later(struct hand *hand, const struct jobreply *reply)
{
    char name[JOBPROTO_OUT_MAX];
    if (!is_too_late(hand, reply_name(reply, name, sizeof(name))))
        try_again(hand, AGAIN_MS);
}

static void on_told(struct hand *hand, const struct jobreply *reply)
{
    static const enum worker_word words[JOBPROTO_N_REPLIES] = {
        [JOBPROTO_FINISHED] = WORKER_DONE,  [JOBPROTO_DELETED] = WORKER_DONE,
        [JOBPROTO_BURIED] = WORKER_BURIED,  [JOBPROTO_RELEASED] = WORKER_AGAIN,
        [JOBPROTO_NOT_FOUND] = WORKER_LOST,
    };
    bool is_plain = reply->kind == JOBREPLY_PLAIN;
    if (is_plain && reply->plain == JOBPROTO_JOB_TOO_BIG && !hand->is_result_refused) {
        hand->is_result_refused = true;
        crew_count(hand->crew, WORKER_TOO_BIG);
        tell(hand);
    } else if (!is_plain || !words[reply->plain]) {
        tell_later(hand, reply);
    } else {
        bool is_back = hand->fate == JOB_BACK && reply->plain == JOBPROTO_RELEASED;
        crew_count(hand->crew, is_back ? WORKER_BACK : words[reply->plain]);
        on_free_again(hand);
    }
}

static void on_watching(struct hand *hand, const struct jobreply *reply)
{
    struct crew *crew = hand->crew;
    if (reply->kind != JOBREPLY_WATCHING) {
        on_no_job(hand, reply);
    } else if (crew_on_link(crew)) {
        hand_dismiss(hand);
        crew_look(crew);
    }
}

/* A job that was on its way is given back behind it. */
static void on_reply_leaving(struct hand *hand, enum hand_question question,
                             const struct jobreply *reply)
{
    if (question != HAND_LEAVE)
        return;
    if (reply->kind == JOBREPLY_PLAIN && reply->plain == JOBPROTO_RELEASED)
        crew_count(hand->crew, WORKER_BACK);
    hand_go(hand);
}

void hand_on_reply(struct hand *hand, enum hand_question question, const struct jobreply *reply)
{
    if (hand->state == HAND_LEAVING) {
        on_reply_leaving(hand, question, reply);
        return;
    }
    switch (question) {
    case HAND_WATCH:
        on_watching(hand, reply);
        break;
    case HAND_JOB:
        on_job(hand, reply);
        break;
    case HAND_JOB_AGAIN:
        if (reply->kind != JOBREPLY_RESERVED)
            give_up(hand, "another has it");
        break;
    case HAND_FIGURES:
        if (reply->kind != JOBREPLY_OK)
            give_up(hand, "its lease has ended");
        break;
    case HAND_TOUCH:
        if (reply->kind != JOBREPLY_PLAIN || reply->plain != JOBPROTO_TOUCHED)
            give_up(hand, "its lease has ended");
        break;
    case HAND_END:
        on_told(hand, reply);
        break;
    case HAND_LEAVE:
        break;
    }
}

static void on_figures(struct hand *hand)
{
    struct slice figures = text_slice(&hand->figures);
    if (jobreply_number(figures, "ttr", &hand->ttr_s) < 0 ||
        jobreply_number(figures, "attempts", &hand->attempt) < 0 || hand->ttr_s > UINT32_MAX) {
        hand_lose_link(hand, "the queue does not say how long the lease is");
        return;
    }
    set_touch(hand);
    hand_begin(hand);
}

void hand_on_body(struct hand *hand, enum hand_question question, struct slice part, bool is_last)
{
    if (hand->state == HAND_LEAVING)
        return;
    switch (question) {
    case HAND_JOB:
        hand_keep(hand, part);
        if (is_last)
            say_of_job(hand, HAND_FIGURES, JOBPROTO_STATS_JOB);
        break;
    case HAND_JOB_AGAIN:
        if (is_last)
            on_job_again(hand);
        break;
    case HAND_FIGURES:
        text_append(&hand->figures, part);
        if (is_last)
            on_figures(hand);
        break;
    case HAND_WATCH:
    case HAND_TOUCH:
    case HAND_END:
    case HAND_LEAVE:
        break;
    }
}

/* ---- its life -------------------------------------------------------------------------------- */

void hand_on_program_end(struct hand *hand)
{
    if (hand->is_given_up) {
        hand_go(hand);
        return;
    }
    hand->state = HAND_TELLING;
    crew_on_done(hand->crew);
    if (hand->lost_ns == 0)
        tell(hand);
}

/* A connection watches "default" until it watches another. */
static void watch(struct hand *hand)
{
    struct slice tube = slice_from(hand->tube);
    say_of_tube(hand, JOBPROTO_WATCH, tube);
    if (!slice_is(tube, "default"))
        say_of_tube(hand, JOBPROTO_IGNORE, SLICE("default"));
}

struct hand *hand_create(struct crew *crew, struct err *err)
{
    struct hand *hand = MEM_NEW(struct hand);
    hand->crew = crew;
    hand->body_fd = -1;
    hand->is_served = crew->conf->serve != NULL;
    conn_init(&hand->conn);
    loop_timer_init(&hand->touch, on_touch);
    loop_timer_init(&hand->again, on_again);
    loop_timer_init(&hand->patience, on_silence);
    slice_copy(crew->conf->queue, hand->tube, sizeof(hand->tube));
    if (hand_connect(hand, err) < 0) {
        mem_free(hand);
        return NULL;
    }
    list_init(&hand->node);
    list_add_back(&crew->hands, &hand->node);
    watch(hand);
    if (hand->state != HAND_GONE && crew->has_answered)
        hand_ask(hand);
    return hand;
}

void hand_stop(struct hand *hand, uint64_t grace_ns)
{
    if (hand->state == HAND_ASKING)
        hand_dismiss(hand);
    if (hand->state != HAND_WORKING)
        return;
    hand->was_told = true;
    end_program(hand, grace_ns);
}

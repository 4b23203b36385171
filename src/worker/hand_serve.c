/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A job and the served program that does it: how it is given, and what the answer makes of it.
 */

#include "conf/utf8.h"
#include "worker/internal.h"

#define NS_PER_MS UINT64_C(1000000)

void hand_begin_served(struct hand *hand)
{
    const struct worker_conf *conf = hand->crew->conf;
    struct slice body = text_slice(&hand->body);
    const struct jobline_job job = {.id = hand->id,
                                    .attempt = hand->attempt,
                                    .queue = slice_from(hand->tube),
                                    .body = body,
                                    .is_text = conf_utf8_is_text(body)};
    hand->state = HAND_WORKING;
    hand->started_ns = loop_clock_ns();
    tail_init(&hand->tail, (size_t)conf->output_bytes);
    servant_give(hand->servant, &job, (uint64_t)conf->timeout_ms * NS_PER_MS);
    text_deinit(&hand->body);
}

/* One at a time; what comes faster than the queue answers is left out. */
void hand_on_progress(struct hand *hand, uint32_t percent, struct slice text)
{
    const struct jobproto_command command = {
        .verb = JOBPROTO_PROGRESS, .id = hand->id, .percent = percent, .text = text};
    if (hand->n_asked == 0 && hand->lost_ns == 0)
        hand_say(hand, HAND_TOUCH, &command, slice_make(NULL, 0));
}

void hand_on_answer(struct hand *hand, const struct jobline *line, const struct tail *output)
{
    static const enum job_fate fates[JOBLINE_N_OUTCOMES] = {
        [JOBLINE_DONE] = JOB_DONE, [JOBLINE_AGAIN] = JOB_AGAIN, [JOBLINE_BURY] = JOB_DEAD};
    hand->fate = fates[line->outcome];
    if (hand->fate == JOB_AGAIN && hand->was_told)
        hand->fate = JOB_BACK;
    text_clear(&hand->why);
    if (hand->fate == JOB_DONE)
        tail_add(&hand->tail, text_slice(&line->bytes));
    else
        text_append(&hand->why, text_slice(&line->bytes));
    if (hand->tail.n_total > hand->tail.len)
        crew_count(hand->crew, WORKER_CUT);
    hand_log(hand, output);
    crew_on_end(hand->crew, CRASH_GOOD, "");
    hand_on_program_end(hand);
}

void hand_on_servant_end(struct hand *hand, const struct program_result *result, const char *why)
{
    const struct servant *servant = hand->servant;
    struct crew *crew = hand->crew;
    uint64_t quick_ns = (uint64_t)crew->conf->crashes.within_ms * NS_PER_MS;
    uint64_t lived_ns = loop_clock_ns() - hand->started_ns;
    bool was_told = hand->was_told || hand->is_given_up;
    bool is_unanswered = result->outcome == PROGRAM_EXITED && result->number == 0;
    bool is_fault = servant->fault.len > 0;
    bool is_untouched = is_unanswered && !is_fault && servant->has_unread && servant->n_jobs > 0;
    hand->fate = is_fault ? JOB_AGAIN : job_fate(result, was_told);
    if (hand->fate == JOB_DONE)
        hand->fate = was_told || is_untouched ? JOB_BACK : JOB_AGAIN;
    text_clear(&hand->why);
    text_append(&hand->why, slice_from(why));
    if (is_unanswered && !is_fault)
        text_append(&hand->why, SLICE(", without an answer"));
    if (result->outcome == PROGRAM_LATE)
        crew_count(crew, WORKER_LATE);
    hand_log(hand, &servant->tail);
    hand->servant = NULL;
    enum crash_end end = job_end_crash(result, was_told, lived_ns, quick_ns);
    if (end == CRASH_GOOD && (is_unanswered || is_fault) && !is_untouched)
        end = lived_ns < quick_ns ? CRASH_QUICK : CRASH_SLOW;
    crew_on_end(crew, end, text_cstr(&hand->why));
    hand_on_program_end(hand);
}

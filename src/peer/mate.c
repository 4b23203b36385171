/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another node, as its datagrams show it.
 */

#include "peer/mate.h"

#include "peer/peer.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

_Static_assert((int)MATE_MALFORMED == (int)BEAT_N_VERDICTS, "verdicts come first");

const char *mate_outcome_name(enum mate_outcome outcome)
{
    switch (outcome) {
    case MATE_MALFORMED:
        return "malformed";
    case MATE_NO_KEY:
        return "no_key";
    case MATE_FORGED:
        return "forged";
    case MATE_MISNAMED:
        return "misnamed";
    case MATE_REFLECTED:
        return "reflected";
    case MATE_NEWS:
    case MATE_AGAIN:
    case MATE_UNPROVEN:
    case MATE_OLD:
    case MATE_PAST:
    case MATE_N_OUTCOMES:
        break;
    }
    return beat_verdict_name((enum beat_verdict)outcome);
}

bool mate_is_refusal(enum mate_outcome outcome)
{
    return outcome != MATE_NEWS && outcome != MATE_AGAIN && outcome != MATE_UNPROVEN;
}

/* ---- lives ---- */

void mate_init(struct mate *mate, const struct mate_config *config)
{
    memset(mate, 0, sizeof(*mate));
    slice_copy(config->name, mate->name, sizeof(mate->name));
    slice_copy(config->own_name, mate->own_name, sizeof(mate->own_name));
    beat_peer_init(&mate->beats, config->own_life);
    inbox_init(&mate->inbox, config->seed);
}

void mate_deinit(struct mate *mate)
{
    inbox_deinit(&mate->inbox);
}

void mate_configure(struct mate *mate, const struct mate_path *paths, uint32_t n_paths,
                    uint64_t period_ns)
{
    struct mate_path former[BEAT_PATHS_MAX];
    uint32_t n_former = mate->n_paths;
    assert(n_paths <= BEAT_PATHS_MAX);
    memcpy(former, mate->paths, sizeof(former));
    for (uint32_t i = 0; i < n_paths; i++) {
        mate->paths[i] = paths[i];
        mate->paths[i].heard_ns = 0;
        for (uint32_t k = 0; k < n_former; k++)
            if (strcmp(former[k].name, paths[i].name) == 0)
                mate->paths[i].heard_ns = former[k].heard_ns;
    }
    mate->n_paths = n_paths;
    mate->period_ns = period_ns;
}

void mate_adopt(struct mate *mate, enum fact_state state, uint64_t now_ns)
{
    uint64_t wait_ns = mate_patience_ns(mate);
    uint64_t least_ns = (uint64_t)MATE_ADOPTED_MS * NS_PER_MS;
    mate->was_up = state == FACT_UP || state == FACT_DOWN;
    if (state != FACT_UP)
        return;
    mate->state = FACT_UP;
    mate->adopted_until_ns = now_ns + (wait_ns > least_ns ? wait_ns : least_ns);
}

void mate_sleep(struct mate *mate)
{
    mate->has_slept = true;
    mate->adopted_until_ns = 0;
}

/* ---- patience ---- */

uint64_t mate_patience_ns(const struct mate *mate)
{
    uint64_t period_ns =
        mate->its_period_ns > mate->period_ns ? mate->its_period_ns : mate->period_ns;
    return (uint64_t)PEER_PATIENCE_BEATS * period_ns;
}

static uint64_t refused_patience_ns(const struct mate *mate)
{
    uint64_t patience_ns = mate_patience_ns(mate);
    uint64_t least_ns = (uint64_t)MATE_REFUSED_MS * NS_PER_MS;
    return patience_ns > least_ns ? patience_ns : least_ns;
}

static bool is_fresh(const struct mate *mate, uint64_t now_ns)
{
    return !mate->has_slept && beat_peer_silence_ns(&mate->beats, now_ns) < mate_patience_ns(mate);
}

/* Did something happen at `at_ns`, less than patience_ns ago? */
static bool is_recent(uint64_t at_ns, uint64_t patience_ns, uint64_t now_ns)
{
    return at_ns != 0 && now_ns - at_ns < patience_ns;
}

bool mate_path_is_live(const struct mate *mate, uint32_t path, uint64_t now_ns)
{
    const struct mate_path *self = &mate->paths[path];
    uint64_t patience_ns = (uint64_t)PEER_PATIENCE_BEATS * self->period_ns;
    uint64_t least_ns = mate_patience_ns(mate);
    return is_recent(self->heard_ns, patience_ns > least_ns ? patience_ns : least_ns, now_ns);
}

/* ---- beats ---- */

void mate_send(struct mate *mate, uint64_t now_ns, struct beat *beat)
{
    beat_peer_send(&mate->beats, now_ns, beat);
}

static enum mate_outcome outcome_of(enum beat_result result)
{
    switch (result) {
    case BEAT_NO_KEY:
        return MATE_NO_KEY;
    case BEAT_FORGED:
        return MATE_FORGED;
    case BEAT_OK:
    case BEAT_MALFORMED:
        break;
    }
    return MATE_MALFORMED;
}

static enum mate_outcome refuse(struct mate *mate, enum mate_outcome outcome, struct slice name,
                                uint64_t now_ns)
{
    if (outcome == MATE_FORGED || outcome == MATE_REFLECTED)
        return outcome;
    mate->refused = outcome;
    mate->refused_ns = now_ns;
    slice_copy(name, mate->refused_name, sizeof(mate->refused_name));
    return outcome;
}

/* Which of our beats has it heard? */
static void note_echo(struct mate *mate, const struct beat *beat)
{
    const struct beat_peer *beats = &mate->beats;
    if (beat->heard_life != beats->own_life || beat->heard_number == 0 ||
        beat->heard_number > beats->own_number ||
        beats->own_number - beat->heard_number >= BEAT_SENT_KEPT)
        return;
    uint64_t sent_ns = beats->sent_ns[beat->heard_number & (BEAT_SENT_KEPT - 1)];
    if (sent_ns > mate->echo_ns)
        mate->echo_ns = sent_ns;
}

static void note_unproven(struct mate *mate, uint64_t now_ns)
{
    if (!is_recent(mate->unproven_at_ns, refused_patience_ns(mate), now_ns))
        mate->unproven_ns = now_ns;
    mate->unproven_at_ns = now_ns;
}

static void take_news(struct mate *mate, const struct beat *beat, bool is_new_life,
                      const struct inbox_calls *calls)
{
    mate->has_slept = false;
    mate->adopted_until_ns = 0;
    mate->was_up = true;
    mate->unproven_ns = mate->unproven_at_ns = 0;
    mate->refused_ns = 0;
    mate->its_period_ns = (uint64_t)beat->period_ms * NS_PER_MS;
    mate->file_hash = beat->file_hash;
    mate->wants_answer = is_new_life || (beat->flags & BEAT_ASKS);
    if (is_new_life)
        inbox_begin_life(&mate->inbox, beat->turn);
    inbox_take(&mate->inbox, beat, calls);
}

enum mate_outcome mate_take(struct mate *mate, uint32_t path, struct slice datagram,
                            const struct beat_keys *keys, uint64_t now_ns,
                            const struct inbox_calls *calls)
{
    struct beat beat;
    enum beat_result result = beat_read(datagram, keys, &beat);
    assert(path < mate->n_paths);
    if (result != BEAT_OK)
        return refuse(mate, outcome_of(result), SLICE(""), now_ns);
    if (!slice_is(beat.name, mate->name)) {
        bool is_own = slice_is(beat.name, mate->own_name) && beat.life == mate->beats.own_life;
        return refuse(mate, is_own ? MATE_REFLECTED : MATE_MISNAMED, beat.name, now_ns);
    }
    uint64_t life = mate->beats.life;
    enum beat_verdict verdict = beat_peer_take(&mate->beats, &beat, now_ns);
    if (verdict == BEAT_NEWS || verdict == BEAT_AGAIN)
        mate->paths[path].heard_ns = now_ns;
    if (verdict == BEAT_UNPROVEN)
        note_unproven(mate, now_ns);
    if (verdict == BEAT_NEWS) {
        note_echo(mate, &beat);
        take_news(mate, &beat, mate->beats.life != life, calls);
    }
    return (enum mate_outcome)verdict;
}

void mate_mute(struct mate *mate, const struct inbox_calls *calls)
{
    if (mate->state != FACT_UP)
        inbox_clear(&mate->inbox, calls);
}

/* ---- judging ---- */

__attribute__((format(printf, 3, 4))) static void say(struct mate *mate, enum fact_state state,
                                                      const char *format, ...)
{
    va_list args;
    mate->state = state;
    va_start(args, format);
    vsnprintf(mate->reason, sizeof(mate->reason), format, args);
    va_end(args);
}

/* It does not hear this node, which is as old as the patience at least. */
static bool is_deaf(const struct mate *mate, uint64_t now_ns)
{
    uint64_t patience_ns = 2 * refused_patience_ns(mate);
    uint64_t first_ns = mate->beats.sent_ns[1]; /* overwritten later, by younger ones */
    bool is_young = mate->beats.own_number < BEAT_SENT_KEPT && now_ns - first_ns < patience_ns;
    return !is_young && !is_recent(mate->echo_ns, patience_ns, now_ns);
}

static void judge_up(struct mate *mate, uint64_t own_hash, uint64_t now_ns)
{
    const char *silent = NULL;
    uint32_t n_live = 0;
    for (uint32_t i = 0; i < mate->n_paths; i++) {
        if (mate_path_is_live(mate, i, now_ns))
            n_live++;
        else if (!silent)
            silent = mate->paths[i].name;
    }
    mate->has_other_file = mate->file_hash != own_hash;
    say(mate, FACT_UP, "%u of %u paths%s%s%s%s", n_live, mate->n_paths, silent ? ", silent: " : "",
        silent ? silent : "", is_deaf(mate, now_ns) ? ", it does not hear this node" : "",
        mate->has_other_file ? ", runs another file" : "");
}

static void judge_failed(struct mate *mate)
{
    if (mate->refused == MATE_NO_KEY)
        say(mate, FACT_FAILED, "signs with another secret: give both nodes the same secret-file");
    else if (mate->refused == MATE_MISNAMED && strcmp(mate->refused_name, mate->own_name) == 0)
        say(mate, FACT_FAILED,
            "says that it is %.20s, as this node: start each with its own --node",
            mate->refused_name);
    else if (mate->refused == MATE_MISNAMED)
        say(mate, FACT_FAILED, "says that it is %.20s: compare its --node with nodes { }",
            mate->refused_name);
    else
        say(mate, FACT_FAILED, "sends what is no beat: upgrade the older weir of the two");
}

/* Not up, and nothing was refused with a reason. */
static void judge_silent(struct mate *mate, uint64_t now_ns)
{
    enum fact_state state = mate->was_up ? FACT_DOWN : FACT_UNKNOWN;
    bool is_unproven = is_recent(mate->unproven_at_ns, refused_patience_ns(mate), now_ns);
    if (mate->has_slept)
        say(mate, FACT_UNKNOWN, "this process has slept, and not heard it since");
    else if (is_unproven && now_ns - mate->unproven_ns >= (uint64_t)MATE_UNHEARD_MS * NS_PER_MS)
        say(mate, state, "is heard, and does not hear this node: open its UDP port for this one");
    else if (is_unproven)
        say(mate, state, "is heard, and has not proven itself yet");
    else if (state == FACT_UNKNOWN)
        say(mate, state, "was never heard");
    else if (mate->beats.life == 0)
        say(mate, state, "was not heard since this process started again");
    else
        say(mate, state, "silent for %d beats", PEER_PATIENCE_BEATS);
}

void mate_judge(struct mate *mate, uint64_t own_hash, uint64_t now_ns)
{
    if (is_fresh(mate, now_ns))
        judge_up(mate, own_hash, now_ns);
    else if (now_ns < mate->adopted_until_ns)
        say(mate, FACT_UP, "was up when this process started again");
    else if (is_recent(mate->refused_ns, refused_patience_ns(mate), now_ns))
        judge_failed(mate);
    else
        judge_silent(mate, now_ns);
}

static void sooner(uint64_t *deadline_ns, uint64_t at_ns, uint64_t now_ns)
{
    if (at_ns > now_ns && at_ns < *deadline_ns)
        *deadline_ns = at_ns;
}

uint64_t mate_deadline_ns(const struct mate *mate, uint64_t now_ns)
{
    uint64_t deadline_ns = UINT64_MAX;
    if (is_fresh(mate, now_ns))
        return mate->beats.heard_ns + mate_patience_ns(mate);
    sooner(&deadline_ns, mate->adopted_until_ns, now_ns);
    if (mate->refused_ns)
        sooner(&deadline_ns, mate->refused_ns + refused_patience_ns(mate), now_ns);
    if (mate->unproven_at_ns) {
        sooner(&deadline_ns, mate->unproven_ns + (uint64_t)MATE_UNHEARD_MS * NS_PER_MS, now_ns);
        sooner(&deadline_ns, mate->unproven_at_ns + refused_patience_ns(mate), now_ns);
    }
    return deadline_ns;
}

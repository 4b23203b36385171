/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Processes of former builds until their end.
 */

#include "super/former.h"
#include "base/mem.h"
#include "super/carry.h"
#include "super/handover.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- facts ------------------------------------------------------------------------------------ */

static void fact_name(const struct former *former, char name[FACT_NAME_MAX])
{
    snprintf(name, FACT_NAME_MAX, "former:%s/%d", former->kind, (int)former->pid);
}

/* Since when is that of the retirement, also behind a further upgrade. */
static void make_fact(const struct former *former)
{
    struct fact fact = {.state = FACT_DRAINING, .since_ns = former->since_ns};
    fact_name(former, fact.name);
    board_restore(former->super->board, &fact);
}

static void state_fact(const struct former *former)
{
    char name[FACT_NAME_MAX], reason[FACT_REASON_MAX];
    fact_name(former, name);
    snprintf(reason, sizeof(reason), "build %.40s, pid %d%s", former->build, (int)former->pid,
             former->is_drained ? ", has finished" : "");
    board_state(former->super->board, name, FACT_DRAINING, former->pid, reason,
                loop_wall_ns(former->super->loop));
}

static void remove_fact(const struct former *former)
{
    char name[FACT_NAME_MAX];
    fact_name(former, name);
    board_remove(former->super->board, name, loop_wall_ns(former->super->loop));
}

/* --- counts ----------------------------------------------------------------------------------- */

static void note_count(struct former *former, const struct metric_table *table, const char *object,
                       const uint64_t *words, bool is_news)
{
    char key[FACT_NAME_MAX + 40];
    snprintf(key, sizeof(key), "%s %s", table->name, object);
    struct former_count *count = map_get(&former->counts, slice_from(key));
    if (!count) {
        count = mem_alloc_zero(1, sizeof(*count) + strlen(key) + 1);
        count->table = table;
        count->words = MEM_NEW_ARRAY(uint64_t, table->n_words);
        memcpy(count->key, key, strlen(key) + 1);
        map_put(&former->counts, slice_from(count->key), count);
    }
    if (is_news)
        carry_add(former->super, table, object, words, count->words);
    memcpy(count->words, words, table->n_words * sizeof(*words));
}

/* What is carried already. */
static void on_carried(void *ctx, const struct metric_table *table, const char *object,
                       const uint64_t *words)
{
    note_count(ctx, table, object, words, false);
}

static void on_reported(void *ctx, const struct metric_table *table, const char *object,
                        const uint64_t *words)
{
    note_count(ctx, table, object, words, true);
}

static void drop_counts(struct former *former)
{
    uint32_t cursor = 0;
    struct slice key;
    for (struct former_count *count; (count = map_next(&former->counts, &cursor, &key)) != NULL;) {
        carry_drop_gauges(former->super, count->table, count->key + strlen(count->table->name) + 1,
                          count->words);
        mem_free(count->words);
        mem_free(count);
    }
    map_deinit(&former->counts);
    map_init(&former->counts, 0, false);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void disarm(struct former *former)
{
    if (!loop_io_is_armed(&former->control))
        return;
    int fd = former->control.fd;
    loop_io_remove(former->super->loop, &former->control, false);
    close(fd);
}

static void former_destroy(struct former *former)
{
    uint32_t cursor = 0;
    struct slice key;
    for (struct former_count *count; (count = map_next(&former->counts, &cursor, &key)) != NULL;) {
        mem_free(count->words);
        mem_free(count);
    }
    map_deinit(&former->counts);
    loop_timer_clear(former->super->loop, &former->timer);
    disarm(former);
    if (former->log_fd >= 0)
        close(former->log_fd);
    json_decref(former->source);
    list_remove(&former->node);
    mem_free(former);
}

static void set_timer(struct former *former, int64_t wait_ms)
{
    loop_timer_set(former->super->loop, &former->timer,
                   loop_clock_ns() + (uint64_t)wait_ms * NS_PER_MS);
}

/* --- what it is told -------------------------------------------------------------------------- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Sends a packet that stands in the description; the process is killed where that fails. */
static void send_hex(struct former *former, const char *hex)
{
    size_t len = strlen(hex) / 2;
    char *bytes = mem_alloc(len + 1);
    bool is_ok = len > 0 && len <= CONTROL_BYTES_MAX && loop_io_is_armed(&former->control);
    for (size_t i = 0; i < len && is_ok; i++) {
        int high = digit_of(hex[2 * i]), low = digit_of(hex[2 * i + 1]);
        is_ok = high >= 0 && low >= 0;
        bytes[i] = (char)(high << 4 | low);
    }
    if (!is_ok ||
        control_send_bytes(former->control.fd, slice_make(bytes, len), SEND_WAIT_MS, NULL) < 0)
        kill(former->pid, SIGKILL);
    mem_free(bytes);
}

static void former_stop(struct former *former, int64_t wait_ms)
{
    if (former->is_stopped)
        return;
    former->is_stopped = true;
    send_hex(former, handover_text(former->source, "stop"));
    set_timer(former, wait_ms);
}

static void on_timer(struct loop *loop, struct loop_timer *timer)
{
    struct former *former = CONTAINER_OF(timer, struct former, timer);
    (void)loop;
    if (former->is_stopped) {
        kill(former->pid, SIGKILL);
        return;
    }
    if (!former->is_drained)
        metric_add(metric_row(former->super->upgrade_slab, 0), UPGRADE_CUT, 1);
    log_write(former->super->log, LOG_LEVEL_WARN,
              "%s, pid %d of build %s, is stopped: it had not finished within upgrade-drain",
              former->kind, (int)former->pid, former->build);
    former_stop(former, STOP_WAIT_MS);
}

/* --- what it says ----------------------------------------------------------------------------- */

static bool is_group_drained(const struct super *super, uint32_t group)
{
    LIST_EACH (node, &super->formers) {
        const struct former *former = LIST_ENTRY(node, struct former, node);
        if (former->group == group && !former->is_drained)
            return false;
    }
    return true;
}

static void stop_group(struct super *super, uint32_t group)
{
    if (!is_group_drained(super, group))
        return;
    LIST_EACH (node, &super->formers) {
        struct former *former = LIST_ENTRY(node, struct former, node);
        if (former->group == group)
            former_stop(former, STOP_WAIT_MS);
    }
}

static void on_report(struct former *former, struct slice packet)
{
    struct err err = ERR_NONE;
    if (packet.len == 0 || packet.ptr[0] != '{')
        return; /* in the protocol of its build, which is none of ours */
    json_t *report = json_loadb(packet.ptr, packet.len, 0, NULL);
    if (report && handover_int(report, "weir-former") == 1) {
        if (export_read_slabs(json_object_get(report, "slabs"), former->super->table, on_reported,
                              former, &err) < 0)
            log_write(former->super->log, LOG_LEVEL_ERROR, "the report of %s, pid %d: %s",
                      former->kind, (int)former->pid, err.text);
        bool is_drained = json_is_true(json_object_get(report, "is_drained"));
        if (is_drained != former->is_drained) {
            former->is_drained = is_drained;
            state_fact(former);
        }
    }
    json_decref(report);
}

/* Reads one packet. False: there is none, or there will be none any more. */
static bool read_packet(struct former *former)
{
    ssize_t len;
    if (!loop_io_is_armed(&former->control))
        return false;
    do
        len = recv(former->control.fd, former->super->packet, CONTROL_BYTES_MAX, MSG_DONTWAIT);
    while (len < 0 && errno == EINTR);
    if (len > 0)
        on_report(former, slice_make(former->super->packet, (size_t)len));
    else if (len == 0 || errno != EAGAIN)
        disarm(former);
    return len > 0;
}

static void on_control(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct former *former = CONTAINER_OF(io, struct former, control);
    int n = 0;
    while (n < LOOP_BUDGET && read_packet(former))
        n++;
    if (n == LOOP_BUDGET)
        loop_again(loop, io, events);
    stop_group(former->super, former->group);
    super_on_progress(former->super);
}

/* --- adoption --------------------------------------------------------------------------------- */

static int open_log(const struct former *former, struct err *err)
{
    char name[48];
    if (former->log_fd < 0)
        return 0;
    snprintf(name, sizeof(name), "%s/%d", former->kind, (int)former->pid);
    return log_drain_add(former->super->drain, name, former->log_fd, former->log_bell, err);
}

int formers_open_logs(struct super *super, struct err *err)
{
    LIST_EACH (node, &super->formers) {
        if (open_log(LIST_ENTRY(node, struct former, node), err) < 0)
            return -1;
    }
    return 0;
}

/* The memory of its log, where it lies as ours does. */
static void take_log(struct former *former)
{
    int fd = (int)handover_int(former->source, "log");
    int bell = (int)handover_int(former->source, "log_bell");
    if (bell >= 0)
        fcntl(bell, F_SETFD, FD_CLOEXEC);
    former->log_bell = bell;
    if (fd < 0)
        return;
    if (strcmp(handover_text(former->source, "log_layout"), LOG_LAYOUT) == 0) {
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        former->log_fd = fd;
        return;
    }
    close(fd);
    log_write(former->super->log, LOG_LEVEL_WARN,
              "what %s, pid %d of build %s, logs from now on cannot be read", former->kind,
              (int)former->pid, former->build);
}

static int adopt(struct super *super, json_t *source, struct err *err)
{
    struct former *former = MEM_NEW(struct former);
    former->super = super;
    former->source = json_incref(source);
    former->log_fd = former->log_bell = -1;
    loop_io_init(&former->control);
    loop_timer_init(&former->timer, on_timer);
    map_init(&former->counts, 0, false);
    list_add_back(&super->formers, &former->node);
    slice_copy(slice_from(handover_text(source, "kind")), former->kind, sizeof(former->kind));
    slice_copy(slice_from(handover_text(source, "build")), former->build, sizeof(former->build));
    former->pid = (pid_t)handover_int(source, "pid");
    former->group = (uint32_t)handover_int(source, "group");
    former->until_ns = (uint64_t)handover_int(source, "until");
    former->since_ns = (uint64_t)handover_int(source, "since");
    former->is_retired = former->until_ns != 0;
    int control = (int)handover_int(source, "control");
    if (former->pid <= 1 || control < 0)
        return err_set(err, "a former process without its number or its socket");
    fcntl(control, F_SETFD, FD_CLOEXEC);
    take_log(former);
    if (open_log(former, err) < 0)
        return -1;
    bool is_carried = json_is_true(json_object_get(source, "is_carried"));
    if (export_read_slabs(json_object_get(source, "slabs"), super->table,
                          is_carried ? on_carried : on_reported, former, err) < 0)
        return -1;
    return loop_io_add_read(super->loop, &former->control, control, on_control, err);
}

int formers_adopt(struct super *super, const json_t *list, struct err *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (adopt(super, json_array_get(list, i), err) < 0)
            return err_prefix(err, "former process %zu", i);
    }
    return 0;
}

/* The one who asked for the upgrade hears of its success from the process that it asked. */
static void send_answers(struct former *former)
{
    const json_t *answers = json_object_get(former->source, "answers");
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const char *hex = json_string_value(json_array_get(answers, i));
        if (hex)
            send_hex(former, hex);
    }
}

static void retire(struct former *former)
{
    int64_t wait_ms = handover_int(former->source, "drain_ms");
    former->is_retired = true;
    former->since_ns = loop_wall_ns(former->super->loop);
    former->until_ns = loop_clock_ns() + (uint64_t)wait_ms * NS_PER_MS;
    send_hex(former, handover_text(former->source, "retire"));
}

void formers_retire(struct super *super)
{
    uint64_t now_ns = loop_clock_ns();
    LIST_EACH (node, &super->formers) {
        struct former *former = LIST_ENTRY(node, struct former, node);
        bool is_new = !former->is_retired;
        if (is_new)
            retire(former);
        make_fact(former);
        state_fact(former);
        /* Last: who hears it, and asks what there is now, gets no former process for an answer. */
        if (is_new)
            send_answers(former);
        int64_t left_ms =
            former->until_ns > now_ns ? (int64_t)((former->until_ns - now_ns) / NS_PER_MS) : 0;
        set_timer(former, left_ms + STOP_WAIT_MS);
    }
}

/* --- all of them ------------------------------------------------------------------------------ */

bool formers_are_drained(const struct super *super)
{
    LIST_EACH (node, &super->formers) {
        if (!LIST_ENTRY(node, struct former, node)->is_drained)
            return false;
    }
    return true;
}

void formers_stop(struct super *super, int64_t wait_ms)
{
    LIST_EACH (node, &super->formers)
        former_stop(LIST_ENTRY(node, struct former, node), wait_ms);
}

static void on_death(struct former *former, int status)
{
    struct super *super = former->super;
    uint32_t group = former->group;
    /* Its last report lies in the socket still. */
    while (read_packet(former)) {
    }
    if (!former->is_stopped || status != 0)
        log_write(super->log, former->is_stopped ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
                  "%s, pid %d of build %s, ended by itself%s%s", former->kind, (int)former->pid,
                  former->build, WIFSIGNALED(status) ? " by SIG" : "",
                  WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "");
    drop_counts(former);
    remove_fact(former);
    former_destroy(former);
    stop_group(super, group);
    super_on_progress(super);
}

void formers_on_child(struct super *super)
{
    LIST_EACH (node, &super->formers) {
        struct former *former = LIST_ENTRY(node, struct former, node);
        int status;
        if (waitpid(former->pid, &status, WNOHANG) == former->pid)
            on_death(former, status);
    }
}

void formers_deinit(struct super *super)
{
    LIST_EACH (node, &super->formers)
        former_destroy(LIST_ENTRY(node, struct former, node));
}

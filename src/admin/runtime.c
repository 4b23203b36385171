/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members added and removed at run time: the file, the reload behind it, and what is said of them.
 */
#include "admin/runtime.h"

#include "admin/body.h"
#include "admin/find.h"
#include "admin/internal.h"
#include "admin/keep.h"
#include "admin/render.h"
#include "base/json.h"
#include "base/mem.h"
#include "conf/print.h"
#include "conf/unit.h"
#include "core/rehearse.h"
#include "core/request.h"

enum { WORDS_MAX = 60 };

static struct log *log_of(const struct admin *admin)
{
    return process_log(admin->process->loops[0]);
}

static int write_file(const struct admin *admin, struct slice bytes, struct err *err)
{
    return keep_write(admin->process->state_fd, SNAPSHOT_OVERLAY, bytes, err);
}

/* ---- what is in force ---- */

static const struct conf_overlay_entry *find_entry(const struct snapshot *snap, struct slice pool,
                                                   struct slice name, bool is_removal)
{
    const struct conf_overlay *overlay = snap->overlay;
    for (size_t i = 0; overlay && i < overlay->n_entries; i++) {
        const struct conf_overlay_entry *entry = &overlay->entries[i];
        if (entry->is_in_force && entry->is_removal == is_removal &&
            slice_equal(entry->block, pool) && slice_equal(entry->name, name))
            return entry;
    }
    return NULL;
}

/* The bytes of the overlay that the snapshot was made with. */
static struct slice bytes_in_force(const struct snapshot *snap)
{
    struct slice suffix = SLICE("/" SNAPSHOT_OVERLAY);
    for (size_t i = 0; snap->overlay && i < snap->files->n_items; i++) {
        const struct conf_file *file = &snap->files->items[i];
        if (file->path.len > suffix.len && slice_starts(file->path, slice_from(snap->state_dir)) &&
            slice_equal(slice_skip(file->path, file->path.len - suffix.len), suffix))
            return file->bytes;
    }
    return SLICE("");
}

/* ---- a change ---- */

struct change {
    struct admin *admin;
    struct web_exchange *exchange; /* NULL: the client is gone */
    json_t *document;
    struct text said;         /* what will be answered */
    struct text next, former; /* the file */
};

static void change_destroy(struct change *change)
{
    json_decref(change->document);
    text_deinit(&change->said);
    text_deinit(&change->next);
    text_deinit(&change->former);
    mem_free(change);
}

/* Answers, where somebody is left to be told, and ends. */
static void change_refuse(struct change *change, uint16_t status, const char *why,
                          struct slice diagnostics)
{
    change->admin->n_commands_refused++;
    if (change->exchange && diagnostics.len)
        api_answer_pair(change->exchange, status, "error", slice_from(why), diagnostics);
    else if (change->exchange)
        web_error(change->exchange, status, "%s", why);
    change_destroy(change);
}

/* The overlay in force with one entry more, or one less. */
static void compose(struct change *change, const struct conf_overlay_entry *more,
                    const struct conf_overlay_entry *less)
{
    const struct snapshot *snap = change->admin->snap;
    const struct conf_overlay *overlay = snap->overlay;
    size_t n = overlay ? overlay->n_entries : 0;
    struct conf_overlay next = {.entries = MEM_NEW_ARRAY(struct conf_overlay_entry, n + 1)};
    for (size_t i = 0; i < n; i++) {
        if (&overlay->entries[i] != less)
            next.entries[next.n_entries++] = overlay->entries[i];
    }
    if (more)
        next.entries[next.n_entries++] = *more;
    conf_overlay_print(&next, module_overlay_words(snap->table), &change->next);
    mem_free(next.entries);
}

static void put_back(const struct change *change)
{
    struct err err = ERR_NONE;
    struct slice former = text_slice(&change->former);
    if (write_file(change->admin, former.len ? former : SLICE("runtime 1\n"), &err) < 0)
        log_write(log_of(change->admin), LOG_LEVEL_ERROR,
                  "the former " SNAPSHOT_OVERLAY " cannot be put back: %s", err.text);
}

static void change_on_answer(void *ctx, bool is_ok, struct slice text)
{
    struct change *change = ctx;
    struct admin *admin = change->admin;
    admin->runtime.is_changing = false;
    admin->runtime.change = NULL;
    if (!is_ok) {
        put_back(change);
        change_refuse(change, 422, "the change is refused; nothing has changed", text);
        return;
    }
    admin->n_commands++;
    log_write(log_of(admin), LOG_LEVEL_INFO, "by the operator: %s", text_cstr(&change->said));
    if (change->exchange)
        api_answer_pair(change->exchange, 200, "text", text_slice(&change->said), SLICE(""));
    change_destroy(change);
}

/* The change goes on: it is on the disk. */
static void change_on_gone(struct web_exchange *exchange)
{
    struct change *change = exchange->user;
    change->exchange = NULL;
}

static void change_carry_out(struct change *change)
{
    struct admin *admin = change->admin;
    struct text why = TEXT_NONE;
    struct err err = ERR_NONE;
    if (process_rehearse(admin->process, text_slice(&change->next), NULL, &why) < 0) {
        change_refuse(change, 422, "the change is refused; nothing has changed", text_slice(&why));
        text_deinit(&why);
        return;
    }
    text_append(&change->former, bytes_in_force(admin->snap));
    if (write_file(admin, text_slice(&change->next), &err) < 0) {
        change_refuse(change, 500, err.text, SLICE(""));
        return;
    }
    admin->runtime.is_changing = true;
    admin->runtime.change = change;
    change->exchange->user = change;
    change->exchange->on_gone = change_on_gone;
    supervisor_request(admin->process, "reload", change_on_answer, change);
}

/* NULL: it has been answered. */
static struct change *change_begin(struct web_exchange *exchange, struct admin *admin,
                                   const struct body_want *wants)
{
    struct err err = ERR_NONE;
    struct change *change = MEM_NEW(struct change);
    change->admin = admin;
    change->exchange = exchange;
    if (body_read(exchange->body, wants, &change->document, &err) < 0) {
        change_refuse(change, 400, err.text, SLICE(""));
        return NULL;
    }
    if (admin->runtime.is_changing) {
        change_refuse(change, 409, "another change of members is under way; try again", SLICE(""));
        return NULL;
    }
    return change;
}

/* ---- add ---- */

/* Each word is one word of the language, whatever is in it. 0, or -1 with err. */
static int print_words(const json_t *words, struct text *out, struct err *err)
{
    const json_t *word;
    size_t i;
    if (!json_is_array(words) || json_array_size(words) == 0 || json_array_size(words) > WORDS_MAX)
        return err_set(err, "\"words\" is wanted in the body: what stands behind the name, as "
                            "[\"10.0.1.19:8080\", \"weight\", \"2\"]");
    json_array_foreach(words, i, word)
    {
        if (!json_is_string(word))
            return err_set(err, "\"words\" holds something else than strings");
        text_append_char(out, ' ');
        conf_print_token(slice_make(json_string_value(word), json_string_length(word)), out);
    }
    return 0;
}

static void add(struct change *change, const struct pool *pool, struct slice name, const char *line)
{
    const struct snapshot *snap = change->admin->snap;
    struct conf_overlay_entry more = {
        .block = pool->name, .name = name, .line = line, .is_in_force = true};
    const struct conf_overlay_entry *without = find_entry(snap, pool->name, name, true);
    /* Back as it was: then nothing is changed any more. */
    bool is_undone = without && slice_is(slice_from(line), without->line);
    compose(change, is_undone ? NULL : &more, is_undone ? without : NULL);
    text_printf(&change->said,
                "member:%.*s/%.*s is added: it gets requests as soon as it is found well%s",
                SLICE_ARG(pool->name), SLICE_ARG(name),
                is_undone ? "; it is as in the file again"
                          : "; kept across restarts, and `weir runtime` prints it for the file");
    change_carry_out(change);
}

static bool has_member(const struct pool *pool, struct slice name)
{
    for (uint32_t i = 0; i < pool->n_members; i++) {
        if (slice_equal(pool->members[i]->name, name))
            return true;
    }
    return false;
}

void handle_member_add(struct web_exchange *exchange, void *ctx)
{
    const char *pool_name = NULL, *name = NULL;
    const json_t *words = NULL;
    const struct body_want wants[] = {
        {"pool", "the name of a pool", true, &pool_name, NULL},
        {"name", "the name of the new member", true, &name, NULL},
        {"words", "what stands behind its name, as [\"10.0.1.19:8080\"]", true, NULL, &words},
        {0}};
    struct err err = ERR_NONE;
    struct change *change = change_begin(exchange, ctx, wants);
    if (!change)
        return;
    const struct pool *pool = find_pool(change->admin->snap, slice_from(pool_name), &err);
    if (!pool) {
        change_refuse(change, 404, err.text, SLICE(""));
        return;
    }
    if (has_member(pool, slice_from(name))) {
        err_set(&err,
                "there is a member:%s/%s already; `weir member remove %s/%s` takes it out first",
                pool_name, name, pool_name, name);
        change_refuse(change, 409, err.text, SLICE(""));
        return;
    }
    struct text line = TEXT_NONE;
    text_append(&line, SLICE("member "));
    conf_print_token(slice_from(name), &line);
    if (print_words(words, &line, &err) < 0)
        change_refuse(change, 400, err.text, SLICE(""));
    else
        add(change, pool, slice_from(name), text_cstr(&line));
    text_deinit(&line);
}

/* ---- remove ---- */

static void remove_member(struct change *change, const struct member *member)
{
    const struct snapshot *snap = change->admin->snap;
    struct slice pool = member->pool->name;
    const struct conf_overlay_entry *added = find_entry(snap, pool, member->name, false);
    struct text line = TEXT_NONE;
    conf_print_line(member->object.stmt, 0, &line);
    struct conf_overlay_entry more = {.block = pool,
                                      .name = member->name,
                                      .line = text_cstr(&line),
                                      .is_removal = true,
                                      .is_in_force = true};
    compose(change, added ? NULL : &more, added);
    text_deinit(&line);
    text_printf(&change->said, "member:%s is removed: what it has in flight is finished%s",
                member->label,
                added ? "" : "; the file still names it, `weir runtime` says what to change there");
    change_carry_out(change);
}

void handle_member_remove(struct web_exchange *exchange, void *ctx)
{
    const char *target = NULL;
    const struct body_want wants[] = {
        {"target", "a member, as \"member:web/app1\"", true, &target, NULL}, {0}};
    struct err err = ERR_NONE;
    struct change *change = change_begin(exchange, ctx, wants);
    if (!change)
        return;
    const struct member *member;
    enum find_result result = find_member(change->admin->snap, slice_from(target), &member, &err);
    if (result != FIND_OK)
        change_refuse(change, result == FIND_NOTHING ? 404 : 422, err.text, SLICE(""));
    else
        remove_member(change, member);
}

/* ---- a commit ---- */

static void note_lost(struct admin *admin)
{
    const struct conf_overlay *overlay = admin->snap->overlay;
    bool is_first = true;
    for (size_t i = 0; i < overlay->n_entries; i++) {
        if (overlay->entries[i].is_in_force)
            continue;
        if (is_first)
            text_clear(&admin->runtime.notes);
        is_first = false;
        text_printf(&admin->runtime.notes, "%s\n", overlay->entries[i].why);
    }
}

static bool has_lost(const struct conf_overlay *overlay)
{
    for (size_t i = 0; overlay && i < overlay->n_entries; i++) {
        if (!overlay->entries[i].is_in_force)
            return true;
    }
    return false;
}

/* The file holds only what is in force. */
static void drop_lost(struct admin *admin)
{
    struct text bytes = TEXT_NONE;
    struct err err = ERR_NONE;
    conf_overlay_print(admin->snap->overlay, module_overlay_words(admin->snap->table), &bytes);
    if (write_file(admin, text_slice(&bytes), &err) < 0)
        log_write(log_of(admin), LOG_LEVEL_ERROR, "%s", err.text);
    text_deinit(&bytes);
}

static void compare_on_answer(void *ctx, bool is_ok, struct slice text)
{
    struct admin *admin = ctx;
    struct err err = ERR_NONE;
    admin->runtime.is_changing = false;
    if (is_ok)
        return;
    struct slice former = bytes_in_force(admin->snap);
    log_write(log_of(admin), LOG_LEVEL_WARN,
              "a change of members that was under way is refused, and taken back: %.*s",
              SLICE_ARG(text));
    if (write_file(admin, former.len ? former : SLICE("runtime 1\n"), &err) < 0)
        log_write(log_of(admin), LOG_LEVEL_ERROR, "%s", err.text);
}

/* An earlier life may have been killed between its file and the reload. */
static void compare(struct admin *admin)
{
    struct text bytes = TEXT_NONE;
    struct err err = ERR_NONE;
    int result = keep_read(admin->process->state_fd, SNAPSHOT_OVERLAY, CONF_FILE_MAX, &bytes, &err);
    if (result == 0 && !slice_equal(text_slice(&bytes), bytes_in_force(admin->snap))) {
        admin->runtime.is_changing = true;
        supervisor_request(admin->process, "reload", compare_on_answer, admin);
    }
    text_deinit(&bytes);
}

void runtime_commit(struct admin *admin)
{
    bool is_first = !admin->runtime.has_compared;
    admin->runtime.has_compared = true;
    if (is_first && !admin->process->is_first_life)
        compare(admin);
    if (!has_lost(admin->snap->overlay))
        return;
    note_lost(admin);
    if (!admin->runtime.is_changing)
        drop_lost(admin);
}

void runtime_stop(struct admin *admin)
{
    struct change *change = admin->runtime.change;
    supervisor_request_forget(admin->process, admin);
    if (change) {
        supervisor_request_forget(admin->process, change);
        change_destroy(change);
    }
    text_deinit(&admin->runtime.notes);
}

/* ---- what is said of them ---- */

void handle_runtime(struct web_exchange *exchange, void *ctx)
{
    const struct admin *admin = ctx;
    struct text body = TEXT_NONE;
    struct json json;
    json_init(&json, &body);
    json_object_begin(&json);
    render_changes(&json, admin->snap->overlay, text_slice(&admin->runtime.notes));
    json_object_end(&json);
    json_finish(&json);
    text_append_char(&body, '\n');
    struct web_answer answer = {
        .status = 200, .type = "application/json", .body = text_slice(&body)};
    web_answer(exchange, &answer);
    text_deinit(&body);
}

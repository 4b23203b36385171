/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weir queue repair: what of the queue's log is damaged and what would be lost, and on a second
 * word the mending of it (wal/wal_repair.h). It needs no running weir, and refuses where one has
 * the log.
 */

#include "cli/queue_verbs.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/text.h"
#include "cli/cli.h"
#include "core/sandbox.h"
#include "core/settings.h"
#include "queue/conf.h"
#include "queue/journal.h"
#include "wal/wal_repair.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IDS_SHOWN = 8 };

/* Lost records by what they say; those of the log itself are none of them. */
struct tally {
    uint64_t n_jobs, n_changes, n_deletions;
};

struct mending {
    bool is_mending;
    struct tally here, all; /* of the next damage; of those before it */
    uint64_t ids[IDS_SHOWN];
    bool is_unknown; /* records may be lost of which nobody knows */
};

/* ---- what it says ---------------------------------------------------------------------------- */

static const char *would(const struct mending *mending)
{
    return mending->is_mending ? "is" : "would be";
}

static void on_lose(void *ctx, uint8_t type, uint64_t key)
{
    struct mending *mending = ctx;
    struct tally *here = &mending->here;
    if (type == JOURNAL_PUT || type == JOURNAL_LONG_PUT) {
        if (here->n_jobs < IDS_SHOWN)
            mending->ids[here->n_jobs] = key;
        here->n_jobs++;
    } else if (type == JOURNAL_UPDATE || type == JOURNAL_LONG_UPDATE) {
        here->n_changes++;
    } else if (type == JOURNAL_DEL) {
        here->n_deletions++;
    }
}

static void add_count(struct text *out, const char *before, uint64_t n, const char *noun)
{
    text_printf(out, "%s%" PRIu64 " %s%s", before, n, noun, n == 1 ? "" : "s");
}

/* "2 jobs (id 7, 9), 1 change, 1 deletion" */
static void add_tally(struct text *out, const struct mending *mending)
{
    const struct tally *here = &mending->here;
    add_count(out, "", here->n_jobs, "job");
    for (uint64_t i = 0; i < here->n_jobs && i < IDS_SHOWN; i++)
        text_printf(out, "%s%" PRIu64, i == 0 ? " (id " : ", ", mending->ids[i]);
    if (here->n_jobs > IDS_SHOWN)
        text_append(out, SLICE(" and further"));
    if (here->n_jobs > 0)
        text_append_char(out, ')');
    add_count(out, ", ", here->n_changes, "change");
    add_count(out, ", ", here->n_deletions, "deletion");
}

static void say_records(struct mending *mending, const struct wal_damage *damage, struct text *out)
{
    text_printf(out, ", byte %u: %u bytes that are no records; ", damage->offset, damage->n_bytes);
    if (damage->n_records == 0) {
        text_printf(out, "what was there %s dropped, and nobody knows which jobs it had",
                    would(mending));
        return;
    }
    add_count(out, "", damage->n_records, "record");
    text_printf(out, " of them %s dropped: ", would(mending));
    add_tally(out, mending);
}

static void on_damage(void *ctx, const struct wal_damage *damage)
{
    struct mending *mending = ctx;
    struct text out = TEXT_NONE;
    text_printf(&out, "%08x.wal", damage->segment);
    switch (damage->kind) {
    case WAL_DAMAGE_RECORDS:
        say_records(mending, damage, &out);
        break;
    case WAL_DAMAGE_END:
        text_printf(&out,
                    ", byte %u: what was in the %u bytes behind the last whole record %s dropped; "
                    "nobody knows which jobs it had, if any",
                    damage->offset, damage->n_bytes, would(mending));
        break;
    case WAL_DAMAGE_FILE:
        text_printf(&out,
                    ": nothing in its %u bytes says what they are; it %s set aside as %08x.lost, "
                    "and nobody knows which jobs it had, if any",
                    damage->n_bytes, would(mending), damage->segment);
        break;
    case WAL_DAMAGE_HEADER:
        text_printf(&out, ": its header is damaged and %s written anew; nothing is lost by that",
                    would(mending));
        break;
    case WAL_DAMAGE_FOOTER:
        text_printf(&out,
                    ", byte %u: its footer is damaged and %s written anew; nothing is lost by that",
                    damage->offset, would(mending));
        break;
    }
    printf("%s\n", text_cstr(&out));
    text_deinit(&out);
    bool is_loss = damage->kind <= WAL_DAMAGE_FILE;
    mending->is_unknown = mending->is_unknown || (is_loss && damage->n_records == 0);
    mending->all.n_jobs += mending->here.n_jobs;
    mending->all.n_changes += mending->here.n_changes;
    mending->all.n_deletions += mending->here.n_deletions;
    mending->here = (struct tally){.n_jobs = 0};
}

/* "at most": a job whose record is lost may have been done and deleted long before. */
static void say_loss(const struct mending *mending, const struct wal_repair_sum *sum)
{
    const struct tally *all = &mending->all;
    struct text out = TEXT_NONE;
    add_count(&out, "", sum->lost_bytes, "byte");
    text_printf(&out, " %s dropped, ", mending->is_mending ? "are" : "would be");
    if (mending->is_unknown && all->n_jobs == 0)
        text_append(&out, SLICE("and nobody knows how many jobs with them"));
    else
        add_count(&out, "and with them at most ", all->n_jobs, "job");
    if (mending->is_unknown && all->n_jobs > 0)
        text_append(&out, SLICE(" that are known of, and others that nobody can count"));
    printf("%s.\n", text_cstr(&out));
    if (all->n_changes > 0)
        printf("A job whose last change is lost is as it was before it.\n");
    if (all->n_deletions > 0)
        printf("A job whose deletion is lost may be given to a worker once more.\n");
    text_deinit(&out);
}

static void say_sum(const struct mending *mending, const struct wal_repair_sum *sum)
{
    struct text out = TEXT_NONE;
    if (sum->n_damages == 0)
        text_append(&out, SLICE("Nothing is damaged"));
    else
        add_count(&out, "", sum->n_damages, "damage");
    add_count(&out, "; ", sum->n_records, "whole record");
    add_count(&out, " in ", sum->n_segments, "file");
    printf("%s.\n", text_cstr(&out));
    text_deinit(&out);
    if (sum->lost_bytes > 0)
        say_loss(mending, sum);
    if (sum->n_damages > 0 && mending->is_mending)
        printf("The log is mended: weir starts with what is there.\n");
    else if (sum->n_damages > 0)
        printf("Nothing was changed. `weir queue repair --yes` mends the log so.\n");
}

/* ---- the work -------------------------------------------------------------------------------- */

/*
 * Files that root makes in there would be closed to the user that weir runs as, and whoever can
 * write in the folder must not lead root elsewhere.
 */
static int become_owner(int state_fd, struct err *err)
{
    static const struct sandbox_profile nothing;
    struct stat stat;
    if (fstat(state_fd, &stat) < 0)
        return err_set_errno(err, errno, "cannot look at the state directory");
    const struct sandbox_user owner = {.uid = stat.st_uid, .gid = stat.st_gid};
    if (geteuid() != 0 || owner.uid == 0)
        return 0;
    return sandbox_drop_privileges(&nothing, &owner, err);
}

/* The log's folder, where there is one: looking at it must not make it. */
static int open_log(const char *state_dir, struct wal_disk **ret_disk, struct err *err)
{
    int fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(
            err, errno, "cannot open the state directory %s (another one: --state DIR)", state_dir);
    if (become_owner(fd, err) < 0) {
        close(fd);
        return -1;
    }
    if (faccessat(fd, QUEUE_LOG, F_OK, AT_EACCESS) < 0) {
        int error = errno;
        close(fd);
        return err_set_errno(err, error,
                             "there is no log of a queue in %s (another state directory: "
                             "--state DIR)",
                             state_dir);
    }
    return wal_disk_create_at(fd, QUEUE_LOG, ret_disk, err);
}

static int refuse(const char *state_dir, struct err *err)
{
    if (err->number == EAGAIN)
        err_write(err,
                  "a weir has the log in %s/" QUEUE_LOG ": stop it first (`weir stop`), then ask "
                  "again",
                  state_dir);
    fprintf(stderr, "weir queue: %s\n", err->text);
    return EXIT_FAILURE;
}

static int repair(const char *state_dir, bool is_mending)
{
    struct mending mending = {.is_mending = is_mending};
    struct wal_repair how = {
        .is_mending = is_mending, .ctx = &mending, .lose = on_lose, .tell = on_damage};
    struct wal_repair_sum sum;
    struct wal_disk *disk = NULL;
    struct err err = ERR_NONE;
    if (getrandom(&how.salt, sizeof(how.salt), 0) != sizeof(how.salt))
        err_set_errno(&err, errno, "no random bytes");
    else if (open_log(state_dir, &disk, &err) == 0)
        how.disk = disk;
    int result = how.disk ? wal_repair(&how, &sum, &err) : -1;
    wal_disk_destroy(&disk);
    if (result == 0 && sum.n_segments == 0 && sum.n_damages == 0)
        result = err_set(&err, "%s/" QUEUE_LOG " holds no log: no file is named as 00000001.wal",
                         state_dir);
    if (result < 0)
        return refuse(state_dir, &err);
    say_sum(&mending, &sum);
    if (fflush(stdout) != 0)
        return EXIT_FAILURE;
    return sum.n_damages > 0 && !is_mending ? EXIT_DAMAGED : EXIT_SUCCESS;
}

int queue_repair(const struct command_env *env, int argc, char **argv)
{
    const char *state_dir = NULL, *verb;
    bool is_mending = false;
    const struct cli_option options[] = {{.name = "--yes", .flag = &is_mending},
                                         {.name = "--state", .text = &state_dir},
                                         {.name = NULL}};
    int result = cli_arguments(env, argc, argv, options, &verb, 1);
    if (result != 0)
        return result;
    char *path = cli_state_dir(state_dir);
    result = repair(path ? path : SETTINGS_STATE_DEFAULT, is_mending);
    mem_free(path);
    return result;
}

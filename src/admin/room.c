/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Room in the state directory.
 */

#include "admin/room.h"

#include "base/text.h"
#include "conf/unit.h"
#include "core/settings.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t free_bytes(const struct statvfs *found)
{
    return (uint64_t)found->f_bavail * found->f_frsize;
}

enum fact_state room_judge(const struct statvfs *found, uint64_t least, bool was_full,
                           char *ret_reason)
{
    struct text wanted = TEXT_NONE;
    uint64_t bound = was_full ? least + least / 4 : least;
    ret_reason[0] = '\0';
    if (free_bytes(found) < bound) {
        conf_unit_show_size(&wanted, (int64_t)bound);
        /* Without what is free, which would make other words of it each second. */
        snprintf(ret_reason, FACT_REASON_MAX, "less than %s free in the state directory",
                 text_cstr(&wanted));
    } else if (found->f_files > 0 && found->f_favail == 0) {
        snprintf(ret_reason, FACT_REASON_MAX, "no room for another file in the state directory");
    }
    text_deinit(&wanted);
    return ret_reason[0] ? FACT_FAILED : FACT_UP;
}

void room_look(const struct process *process, const struct snapshot *snap)
{
    const struct settings *settings = settings_of(snap);
    struct board *board = process->board;
    uint64_t wall_ns = loop_wall_ns(process->loops[0]);
    struct statvfs found;
    char reason[FACT_REASON_MAX];
    if (fstatvfs(process->state_fd, &found) < 0) {
        snprintf(reason, sizeof(reason), "cannot be asked for its room: %s", strerror(errno));
        (void)board_state(board, ROOM_FACT, FACT_FAILED, 0, reason, wall_ns);
        return;
    }
    bool was_full = board_peek(board, board_find(board, ROOM_FACT)) == FACT_FAILED;
    enum fact_state state =
        room_judge(&found, (uint64_t)settings->state_room_bytes, was_full, reason);
    (void)board_state(board, ROOM_FACT, state, (double)free_bytes(&found), reason, wall_ns);
}

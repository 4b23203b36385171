/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_BINLOG_DIR_H
#define CLI_BINLOG_DIR_H

/*
 * A binlog directory of a beanstalkd that is stopped, as the jobs that it would have after a start:
 * the last record of each id, in the order of ids. Files are mapped, so that bodies cost no memory
 * of their own.
 */

#include "base/err.h"
#include "base/map.h"
#include "wire/binlog.h"
#include <stddef.h>

struct binlog_dir {
    struct slice *files; /* mapped */
    size_t n_files;
    struct map by_id;            /* id -> struct binlog_record, of mem_alloc() */
    struct binlog_record **jobs; /* those that live; they belong to by_id */
    size_t n_jobs;
    size_t
        n_torn; /* records that a machine stopped in the middle of: left out, as beanstalkd does */
};

/*
 * 0, or -1 with err: no binlog, another version, a file and byte where no record is, a beanstalkd
 * that has it. *ret_dir is for binlog_dir_close() in each case.
 */
int binlog_dir_open(const char *path, struct binlog_dir *ret_dir, struct err *err);
void binlog_dir_close(struct binlog_dir *dir);

#endif

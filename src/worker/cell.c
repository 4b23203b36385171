/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The control groups of programs.
 */

#include "worker/cell.h"

#include "base/mem.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct cell {
    struct list node; /* cells.cells */
    struct cells *cells;
    char name[CGROUP_NAME_LEN];
    int fd, procs_fd;
    uint64_t memory_bytes;
    bool is_left;
};

static void cell_free(struct cell *cell)
{
    list_remove(&cell->node);
    if (cell->fd >= 0)
        close(cell->fd);
    if (cell->procs_fd >= 0)
        close(cell->procs_fd);
    mem_free(cell);
}

/* Returns false while there is something in it. */
static bool remove_group(const struct cell *cell)
{
    return !cell->cells || unlinkat(cell->cells->fd, cell->name, AT_REMOVEDIR) == 0 ||
           errno == ENOENT;
}

void cells_init(struct cells *cells, int fd)
{
    *cells = (struct cells){.fd = fd};
    list_init(&cells->cells);
}

void cells_tidy(struct cells *cells)
{
    LIST_EACH (node, &cells->cells) {
        struct cell *cell = LIST_ENTRY(node, struct cell, node);
        if (cell->is_left && remove_group(cell))
            cell_free(cell);
    }
}

void cells_deinit(struct cells *cells)
{
    LIST_EACH (node, &cells->cells) {
        struct cell *cell = LIST_ENTRY(node, struct cell, node);
        cgroup_kill(cell->fd);
        (void)remove_group(cell);
        cell->cells = NULL;
        if (cell->is_left)
            cell_free(cell);
        else
            list_remove(&cell->node); /* its run, which ends later, has it still */
    }
}

int cell_make(struct cells *cells, const char *name, const struct cgroup_limits *limits,
              struct cell **ret_cell, struct err *err)
{
    *ret_cell = NULL;
    if (cells->fd < 0)
        return 0;
    struct cell *cell = MEM_NEW(struct cell);
    *cell = (struct cell){
        .cells = cells, .fd = -1, .procs_fd = -1, .memory_bytes = limits->memory_bytes};
    list_add_back(&cells->cells, &cell->node);
    snprintf(cell->name, sizeof(cell->name), "%.120s.%" PRIu64, name, ++cells->n_made);
    int result = mkdirat(cells->fd, cell->name, 0755);
    if (result == 0)
        cell->fd = openat(cells->fd, cell->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cell->fd >= 0)
        cell->procs_fd = openat(cell->fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (cell->procs_fd < 0)
        result = err_set_errno(err, errno, "cannot make the control group %s", cell->name);
    else
        result = cgroup_limit(cell->fd, limits, err);
    if (result < 0) {
        (void)remove_group(cell);
        cell_free(cell);
        return -1;
    }
    *ret_cell = cell;
    return 1;
}

int cell_join(const struct cell *cell)
{
    return cgroup_join(cell->procs_fd);
}

void cell_kill(const struct cell *cell)
{
    cgroup_kill(cell->fd);
}

uint64_t cell_overrun(const struct cell *cell)
{
    return cgroup_oom_kills(cell->fd) > 0 ? cell->memory_bytes : 0;
}

void cell_leave(struct cell **cell_ptr)
{
    struct cell *cell = *cell_ptr;
    *cell_ptr = NULL;
    if (!cell)
        return;
    cgroup_kill(cell->fd);
    cell->is_left = true;
    if (remove_group(cell))
        cell_free(cell);
}

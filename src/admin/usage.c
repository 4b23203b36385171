/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading /proc/PID/stat. The name of the program stands in parentheses and may hold spaces and
 * parentheses itself, so the fields are counted from the last one.
 */
#include "admin/usage.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FIELD_UTIME = 14, /* numbers of proc(5) */
    FIELD_STIME = 15,
    FIELD_THREADS = 20,
    FIELD_START = 22,
    FIELD_RSS = 24,
    FIELD_AFTER_NAME = 3,
};

static bool is_wanted(unsigned field)
{
    return field == FIELD_UTIME || field == FIELD_STIME || field == FIELD_THREADS ||
           field == FIELD_START || field == FIELD_RSS;
}

int usage_parse(struct slice line, uint64_t ticks_per_s, uint64_t page_bytes,
                struct usage *ret_usage)
{
    size_t end = line.len;
    while (end && line.ptr[end - 1] != ')')
        end--;
    size_t begin = slice_find(line, '(');
    if (begin >= end)
        return -1;
    slice_copy(slice_make(line.ptr + begin + 1, end - begin - 2), ret_usage->name,
               sizeof(ret_usage->name));
    struct slice rest = slice_skip(line, end + 1);
    uint64_t fields[FIELD_RSS + 1] = {0};
    for (unsigned i = FIELD_AFTER_NAME; i <= FIELD_RSS; i++) {
        if (!rest.ptr)
            return -1;
        struct slice word = slice_cut(&rest, ' ');
        if (is_wanted(i) && slice_to_u64(word, &fields[i]) < 0)
            return -1;
    }
    ret_usage->cpu_s = (double)(fields[FIELD_UTIME] + fields[FIELD_STIME]) / (double)ticks_per_s;
    ret_usage->born_s = (double)fields[FIELD_START] / (double)ticks_per_s;
    ret_usage->n_threads = fields[FIELD_THREADS];
    ret_usage->resident_bytes = fields[FIELD_RSS] * page_bytes;
    return 0;
}

/* The beginning of a file; its length, or -1. */
static ssize_t read_file(const char *path, char *buf, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, buf, cap);
    close(fd);
    return n;
}

int usage_read(pid_t pid, struct usage *ret_usage)
{
    char path[40], line[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    ssize_t n = read_file(path, line, sizeof(line));
    if (n <= 0)
        return -1;
    return usage_parse(slice_make(line, (size_t)n), (uint64_t)sysconf(_SC_CLK_TCK),
                       (uint64_t)sysconf(_SC_PAGESIZE), ret_usage);
}

double usage_now_s(void)
{
    char line[80];
    ssize_t n = read_file("/proc/uptime", line, sizeof(line) - 1);
    if (n <= 0)
        return 0;
    line[n] = '\0';
    return strtod(line, NULL);
}

size_t usage_children(pid_t parent, struct usage_child *ret_children, size_t max)
{
    char path[64], list[4096];
    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    ssize_t n = read_file(path, list, sizeof(list));
    struct slice rest = slice_make(list, n > 0 ? (size_t)n : 0);
    size_t n_children = 0;
    while (rest.ptr && n_children < max) {
        uint64_t pid = 0;
        if (slice_to_u64(slice_cut(&rest, ' '), &pid) < 0)
            continue;
        struct usage_child *child = &ret_children[n_children];
        child->pid = (pid_t)pid;
        n_children += usage_read(child->pid, &child->usage) == 0;
    }
    return n_children;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which segments the folder has, by their names.
 */
#include "wal/internal.h"

#include <stdlib.h>

static int number_of(const char *name, uint32_t *ret_number)
{
    char again[WAL_NAME_MAX];
    uint32_t number = 0;
    for (int i = 0; i < 8; i++) {
        const char *digit = name[i] ? strchr("0123456789abcdef", name[i]) : NULL;
        if (!digit)
            return -1;
        number = number << 4 | (uint32_t)(digit - "0123456789abcdef");
    }
    wal_name(number, again);
    if (strcmp(name, again) != 0 || number == 0)
        return -1;
    *ret_number = number;
    return 0;
}

static void add_file(void *arg, const char *name)
{
    struct wal_files *files = arg;
    uint32_t number;
    if (strcmp(name, WAL_NEW_NAME) == 0)
        files->has_new = true;
    if (number_of(name, &number) < 0)
        return;
    files->numbers = mem_realloc(files->numbers, (files->n + 1) * sizeof(uint32_t));
    files->numbers[files->n++] = number;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int wal_files_list(const struct wal_disk *disk, struct wal_files *ret_files, struct err *err)
{
    *ret_files = (struct wal_files){.n = 0};
    int result = disk->list(disk->ctx, add_file, ret_files);
    if (result < 0)
        return err_set_errno(err, -result, "cannot look through the log's folder");
    if (ret_files->n > 0)
        qsort(ret_files->numbers, ret_files->n, sizeof(uint32_t), compare_numbers);
    return 0;
}

void wal_files_deinit(struct wal_files *files)
{
    mem_free(files->numbers);
    *files = (struct wal_files){.n = 0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator of the C library behind functions that do not fail. Whatever input can make grow
 * is limited where it grows, so that an empty heap here means a machine that cannot go on.
 */
#include "base/mem.h"
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void mem_fail(size_t size)
{
    (void)fprintf(stderr, "weir: out of memory: the system refused %zu bytes\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    void *ptr = malloc(size ? size : 1);
    if (!ptr)
        mem_fail(size);
    return ptr;
}

void *mem_alloc_zero(size_t n, size_t size)
{
    assert(size == 0 || n <= SIZE_MAX / size);
    void *ptr = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);
    if (!ptr)
        mem_fail(n * size);
    return ptr;
}

void *mem_realloc(void *ptr, size_t size)
{
    void *moved = realloc(ptr, size ? size : 1);
    if (!moved)
        mem_fail(size);
    return moved;
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(mem_alloc(size), text, size);
}

void mem_free(void *ptr)
{
    free(ptr);
}

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

/*
 * Memory that is there: these functions do not return NULL. Everything that input can make grow
 * has a limit of its own (see ARCHITECTURE.md), so running out of memory is a broken machine, and
 * the process ends with a message rather than half working.
 */

#include <stddef.h>

/* size may be 0; the result is then a unique pointer that mem_free() takes. */
void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
/* Zeroed; n * size may not overflow (asserted). */
void *mem_alloc_zero(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *ptr, size_t size) __attribute__((returns_nonnull));
char *mem_strdup(const char *text) __attribute__((malloc, returns_nonnull));
void mem_free(void *ptr);

/* One zeroed object of a type. */
#define MEM_NEW(type)          ((type *)mem_alloc_zero(1, sizeof(type)))
#define MEM_NEW_ARRAY(type, n) ((type *)mem_alloc_zero((n), sizeof(type)))

/* The object that embeds `ptr` as its `member`. */
#define CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(void *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MICRO_H
#define BENCH_MICRO_H

/*
 * What the programs share that measure a function by itself: a clock, and a use of what it made, so
 * that the compiler leaves nothing out. Each is one program that includes this once.
 */

#include <time.h>

static inline double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Makes the compiler believe that the memory was read. */
static inline void use(const void *ptr)
{
    __asm__ volatile("" : : "r"(ptr) : "memory");
}

#endif

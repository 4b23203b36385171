/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One planted fault of each kind that a sanitizer must catch. `./run test` builds this program with
 * the flags of the sanitizer builds and expects each run to end with the sanitizer's report: a
 * build that lost its sanitizer would otherwise pass every test.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Volatile, so that the compiler neither sees the fault nor drops it. */
static volatile int one = 1;
static volatile char sink;

static void fault_heap(void)
{
    char *bytes = malloc(8);
    bytes[0] = 1;
    sink = bytes[7 + one];
    free(bytes);
}

static void fault_freed(void)
{
    char *bytes = malloc(8);
    bytes[0] = 1;
    char *volatile again = bytes;
    free(bytes);
    sink = again[0];
}

static void fault_leak(void)
{
    char *volatile bytes = malloc(8);
    bytes[0] = 1;
    bytes = NULL;
}

static void fault_overflow(void)
{
    int value = INT32_MAX;
    value += one;
    sink = (char)value;
}

static void fault_shift(void)
{
    sink = (char)(1 << (31 + one));
}

static void *count(void *arg)
{
    int *counter = arg;
    for (int i = 0; i < 1000; i++)
        *counter += one;
    return NULL;
}

static void fault_race(void)
{
    int counter = 0;
    pthread_t a;
    pthread_t b;
    if (pthread_create(&a, NULL, count, &counter) || pthread_create(&b, NULL, count, &counter))
        exit(2);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    sink = (char)counter;
}

static const struct {
    const char *name;
    void (*run)(void);
} faults[] = {
    {"heap", fault_heap},         {"freed", fault_freed}, {"leak", fault_leak},
    {"overflow", fault_overflow}, {"shift", fault_shift}, {"race", fault_race},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (strcmp(argv[1], faults[i].name) == 0) {
            faults[i].run();
            return 0;
        }
    }
    fprintf(stderr, "usage: weir-fault heap|freed|leak|overflow|shift|race\n");
    return 2;
}

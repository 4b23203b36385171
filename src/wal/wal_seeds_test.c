/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fuzzer of the scan without a fuzzer: its seeds, and some thousand inputs that chance makes of
 * them, in every build. What holds there is asserted there.
 */
#include "base/mem.h"
#include "base/rng.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LEN_MAX = 1024, N_CHANGED = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t seed_read(const char *name, uint8_t *data)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "tests/corpus/wal_scan_fuzz/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(data, 1, LEN_MAX, file);
    (void)fclose(file);
    return n;
}

/* Some bytes are others, and some more are behind them. */
static size_t change(struct rng *rng, uint8_t *data, size_t len)
{
    for (uint64_t n = rng_below(rng, 8); n > 0 && len > 0; n--)
        data[rng_below(rng, len)] = (uint8_t)rng_next(rng);
    for (uint64_t n = rng_below(rng, 40); n > 0 && len < LEN_MAX; n--)
        data[len++] = (uint8_t)rng_next(rng);
    return len;
}

static void test_seeds(void **state)
{
    DIR *dir = opendir("tests/corpus/wal_scan_fuzz");
    struct rng rng;
    unsigned n_seeds = 0;
    const struct dirent *entry;
    (void)state;
    assert_non_null(dir);
    rng_init(&rng, 1);
    while ((entry = readdir(dir))) {
        uint8_t data[LEN_MAX], changed[LEN_MAX];
        if (entry->d_name[0] == '.')
            continue;
        size_t len = seed_read(entry->d_name, data);
        (void)LLVMFuzzerTestOneInput(data, len);
        for (int i = 0; i < N_CHANGED; i++) {
            memcpy(changed, data, len);
            (void)LLVMFuzzerTestOneInput(changed, change(&rng, changed, len));
        }
        n_seeds++;
    }
    closedir(dir);
    assert_true(n_seeds >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

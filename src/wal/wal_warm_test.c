/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pieces of a file that a thread reads, and owners that go before it has. Runs under
 * ThreadSanitizer, too.
 */

#include "base/mem.h"
#include "wal/wal_warm.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIECES = 40, PIECE_BYTES = 300 * 1024 };

struct world {
    struct loop *loop;
    struct wal_warmer *warmer;
    int fd;
    unsigned order[2 * PIECES], n_done;
    unsigned stop_at;
};

struct owner {
    struct world *world;
    unsigned number;
    struct wal_warm *warm;
    struct wal_warm **victim; /* whom its end cancels */
};

static void on_done(void *ctx)
{
    struct owner *owner = ctx;
    struct world *world = owner->world;
    owner->warm = NULL;
    world->order[world->n_done++] = owner->number;
    if (owner->victim)
        wal_warm_cancel(owner->victim);
    if (world->n_done == world->stop_at)
        loop_stop(world->loop);
}

static struct wal_warm *ask(struct owner *owner, size_t len)
{
    return wal_warmer_ask(owner->world->warmer, dup(owner->world->fd),
                          (uint64_t)owner->number * PIECE_BYTES, len, on_done, owner);
}

static void begin(struct world *world, struct owner *owners, size_t n)
{
    struct err err = ERR_NONE;
    *world = (struct world){.fd = memfd_create("pieces", MFD_CLOEXEC)};
    assert_true(world->fd >= 0);
    assert_int_equal(ftruncate(world->fd, (off_t)PIECES * PIECE_BYTES), 0);
    assert_int_equal(loop_create(0, &world->loop, &err), 0);
    world->warmer = wal_warmer_create(world->loop);
    for (unsigned i = 0; i < n; i++)
        owners[i] = (struct owner){.world = world, .number = i};
}

static void end(struct world *world)
{
    wal_warmer_destroy(&world->warmer);
    wal_warmer_destroy(&world->warmer); /* NULL */
    loop_destroy(&world->loop);
    close(world->fd);
}

static void test_in_order(void **state)
{
    (void)state;
    struct world world;
    struct owner owners[PIECES];
    begin(&world, owners, PIECES);
    world.stop_at = PIECES;
    for (unsigned i = 0; i < PIECES; i++) {
        owners[i].warm = ask(&owners[i], PIECE_BYTES);
        assert_non_null(owners[i].warm);
    }
    loop_run(world.loop);
    for (unsigned i = 0; i < PIECES; i++)
        assert_int_equal(world.order[i], i);
    end(&world);
}

/* Behind the end of the file, and a descriptor that cannot be read. */
static void test_what_cannot_be_read(void **state)
{
    (void)state;
    struct world world;
    struct owner owners[2];
    begin(&world, owners, 2);
    world.stop_at = 2;
    owners[0].number = 10 * PIECES;
    assert_non_null(ask(&owners[0], PIECE_BYTES));
    assert_non_null(
        wal_warmer_ask(world.warmer, open("/", O_PATH | O_CLOEXEC), 0, 10, on_done, &owners[1]));
    loop_run(world.loop);
    assert_int_equal(world.n_done, 2);
    end(&world);
}

/* Before the thread has them, and from within the end of another. */
static void test_cancelled(void **state)
{
    (void)state;
    struct world world;
    struct owner owners[PIECES];
    begin(&world, owners, PIECES);
    for (unsigned i = 0; i < PIECES; i++)
        owners[i].warm = ask(&owners[i], PIECE_BYTES);
    for (unsigned i = 0; i < PIECES; i += 4)
        wal_warm_cancel(&owners[i].warm);
    wal_warm_cancel(&owners[0].warm); /* NULL */
    for (unsigned i = 1; i < PIECES; i += 4)
        owners[i].victim = &owners[i + 1].warm;
    world.stop_at = PIECES / 2;
    loop_run(world.loop);
    for (unsigned i = 0; i < world.n_done; i++)
        assert_true(world.order[i] % 4 == 1 || world.order[i] % 4 == 3);
    end(&world);
}

/* The owner goes while the thread reads, and with news on their way. */
static void test_destroyed_at_any_time(void **state)
{
    (void)state;
    for (unsigned k = 0; k < PIECES; k++) {
        struct world world;
        struct owner owners[PIECES];
        begin(&world, owners, PIECES);
        world.stop_at = k / 2 + 1;
        for (unsigned i = 0; i < PIECES; i++)
            owners[i].warm = ask(&owners[i], PIECE_BYTES / (k + 1));
        if (k % 2 == 0)
            loop_run(world.loop);
        for (unsigned i = 0; i < PIECES; i++)
            wal_warm_cancel(&owners[i].warm);
        wal_warmer_destroy(&world.warmer);
        /* News that were posted meet nobody, here or in the loop's end. */
        unsigned n_done = world.n_done;
        loop_turn(world.loop, 1);
        end(&world);
        assert_int_equal(world.n_done, n_done);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_what_cannot_be_read),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_destroyed_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

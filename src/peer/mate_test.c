/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two nodes over two paths of a network that is a list: it loses, doubles, delays, records and
 * plays back. Time is a number, and each node's is another.
 */

#include "peer/mate.h"

#include "base/mem.h"
#include "base/rng.h"
#include "peer/outbox.h"
#include "tls/key.h"
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { A, B, N_NODES, N_PATHS = 2, FLIGHT_MAX = 256, RECORD_MAX = 64, PERIOD_MS = 100 };

#define MS 1000000ull

static const char *const node_names[N_NODES] = {"a", "b"};

/* ---- keys ---- */

static void sign(void *key, struct slice data, uint8_t ret_mac[BEAT_MAC_BYTES])
{
    tls_mac_sign(key, data, ret_mac);
}

static struct tls_mac *old_key, *new_key, *other_key;

static int make_keys(void **state)
{
    (void)state;
    old_key = tls_mac_create(SLICE("the old secret"));
    new_key = tls_mac_create(SLICE("the new secret"));
    other_key = tls_mac_create(SLICE("another secret"));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    tls_mac_destroy(&old_key);
    tls_mac_destroy(&new_key);
    tls_mac_destroy(&other_key);
    return 0;
}

static struct beat_keys keys_of(struct tls_mac *first, struct tls_mac *second)
{
    struct beat_keys keys = {.n_items = 0};
    beat_keys_add(&keys, sign, first);
    if (second)
        beat_keys_add(&keys, sign, second);
    return keys;
}

/* ---- the network ---- */

struct datagram {
    uint8_t bytes[BEAT_BYTES_MAX];
    size_t len;
    int to;
    uint32_t path;
    uint64_t at_ns; /* of its arrival; 0: the place is free */
};

struct node {
    struct mate mate; /* the other node */
    struct beat_keys keys;
    uint64_t clock_ns; /* what its clock shows beyond the world's */
    uint64_t file_hash, period_ns, next_ns;
    bool is_dead;
    double version;                             /* of its one fact, which only grows */
    double known;                               /* of the other's, as it was told; -1: nothing */
    uint64_t n_outcomes[MATE_N_OUTCOMES], n_up; /* n_up: times that it has turned up */
    enum fact_state state;
};

struct world {
    struct rng rng;
    uint64_t now_ns;
    uint64_t n_lives;
    struct node nodes[N_NODES];
    struct datagram flight[FLIGHT_MAX], record[RECORD_MAX];
    size_t n_recorded;
    int loss, doubles, replays; /* percent */
    uint64_t delay_ns;          /* at most */
    bool is_cut[N_NODES];       /* nothing reaches it */
    bool is_path_cut[N_PATHS];
};

static struct world world;

static uint64_t clock_of(const struct node *node)
{
    return world.now_ns + node->clock_ns;
}

static bool happens(int percent)
{
    return (int)(rng_next(&world.rng) % 100) < percent;
}

static void fly(const struct datagram *datagram, uint64_t delay_ns)
{
    for (size_t i = 0; i < FLIGHT_MAX; i++) {
        if (world.flight[i].at_ns)
            continue;
        world.flight[i] = *datagram;
        world.flight[i].at_ns = world.now_ns + 1 + delay_ns;
        return;
    }
}

static void throw(const struct datagram *datagram)
{
    if (world.n_recorded < RECORD_MAX || happens(10))
        world.record[world.n_recorded++ % RECORD_MAX] = *datagram;
    if (world.is_cut[datagram->to] || world.is_path_cut[datagram->path] || happens(world.loss))
        return;
    for (int n = happens(world.doubles) ? 2 : 1; n > 0; n--)
        fly(datagram, world.delay_ns ? rng_next(&world.rng) % world.delay_ns : 0);
}

/* ---- nodes ---- */

static void on_state(void *ctx, const struct beat_fact *fact, bool is_news)
{
    struct node *node = ctx;
    (void)is_news;
    if (fact->value < node->known)
        fail_msg("an older word was believed: %g after %g", fact->value, node->known);
    node->known = fact->value;
}

static void on_remove(void *ctx, const char *name)
{
    struct node *node = ctx;
    (void)name;
    node->known = -1;
}

static struct inbox_calls calls_of(struct node *node)
{
    return (struct inbox_calls){.ctx = node, .state = on_state, .remove = on_remove};
}

static void configure(int who, uint64_t period_ms)
{
    struct mate_path paths[N_PATHS] = {{.name = "10.0.0.0/24", .period_ns = period_ms * MS},
                                       {.name = "10.1.0.0/24", .period_ns = period_ms * MS}};
    world.nodes[who].period_ns = period_ms * MS;
    mate_configure(&world.nodes[who].mate, paths, N_PATHS, period_ms * MS);
}

static void be_born(int who)
{
    struct node *node = &world.nodes[who];
    const struct mate_config config = {.name = slice_from(node_names[!who]),
                                       .own_name = slice_from(node_names[who]),
                                       .own_life = 1000 + ++world.n_lives,
                                       .seed = 1};
    mate_init(&node->mate, &config);
    configure(who, PERIOD_MS);
    node->is_dead = false;
    node->next_ns = world.now_ns;
}

static void judge(int who)
{
    struct node *node = &world.nodes[who];
    struct inbox_calls calls = calls_of(node);
    mate_judge(&node->mate, node->file_hash, clock_of(node));
    node->n_up += node->mate.state == FACT_UP && node->state != FACT_UP;
    node->state = node->mate.state;
    mate_mute(&node->mate, &calls);
}

static void begin_world(uint64_t seed)
{
    memset(&world, 0, sizeof(world));
    rng_init(&world.rng, seed);
    world.now_ns = 1000 * MS;
    for (int who = 0; who < N_NODES; who++) {
        world.nodes[who].clock_ns = rng_next(&world.rng) % (1000000 * MS);
        world.nodes[who].keys = keys_of(old_key, NULL);
        world.nodes[who].known = -1;
        be_born(who);
    }
}

static void end_world(void)
{
    for (int who = 0; who < N_NODES; who++)
        mate_deinit(&world.nodes[who].mate);
}

static void send_round(int who)
{
    struct node *node = &world.nodes[who];
    struct beat beat = {.file_hash = node->file_hash,
                        .period_ms = (uint16_t)(node->period_ns / MS),
                        .turn = (uint8_t)node->version,
                        .name = slice_from(node_names[who])};
    node->version++;
    struct beat_fact fact = {.state = FACT_ACTIVE, .value = node->version, .name = SLICE("vip:x")};
    mate_send(&node->mate, clock_of(node), &beat);
    for (uint8_t path = 0; path < (uint8_t)N_PATHS; path++) {
        struct beat_writer writer;
        beat.path = path;
        beat_begin(&writer, &beat);
        assert_true(beat_add_fact(&writer, &fact));
        struct datagram datagram = {.len = beat_finish(&writer, &node->keys), .to = !who};
        datagram.path = path;
        memcpy(datagram.bytes, writer.bytes, datagram.len);
        throw(&datagram);
    }
}

static enum mate_outcome arrive(const struct datagram *datagram)
{
    struct node *node = &world.nodes[datagram->to];
    struct inbox_calls calls = calls_of(node);
    struct slice bytes = slice_make((const char *)datagram->bytes, datagram->len);
    enum mate_outcome outcome =
        mate_take(&node->mate, datagram->path, bytes, &node->keys, clock_of(node), &calls);
    node->n_outcomes[outcome]++;
    judge(datagram->to);
    return outcome;
}

static void step(void)
{
    world.now_ns += MS;
    for (size_t i = 0; i < FLIGHT_MAX; i++) {
        if (world.flight[i].at_ns == 0 || world.flight[i].at_ns > world.now_ns)
            continue;
        world.flight[i].at_ns = 0;
        if (!world.nodes[world.flight[i].to].is_dead)
            arrive(&world.flight[i]);
    }
    for (int who = 0; who < N_NODES; who++) {
        struct node *node = &world.nodes[who];
        if (node->is_dead)
            continue;
        if (node->next_ns <= world.now_ns) {
            send_round(who);
            node->next_ns = world.now_ns + node->period_ns;
        }
        if (world.n_recorded && happens(world.replays))
            fly(&world.record[rng_next(&world.rng) % RECORD_MAX % world.n_recorded], 0);
        judge(who);
    }
}

static void run_ms(int ms)
{
    while (ms-- > 0)
        step();
}

static void assert_state(int who, enum fact_state state, const char *reason)
{
    const struct mate *mate = &world.nodes[who].mate;
    if (mate->state != state)
        fail_msg("%s says that the other is %s: %s", node_names[who], fact_state_name(mate->state),
                 mate->reason);
    if (reason && !strstr(mate->reason, reason))
        fail_msg("\"%s\" is not in \"%s\"", reason, mate->reason);
}

static void assert_both_up(void)
{
    assert_state(A, FACT_UP, "2 of 2 paths");
    assert_state(B, FACT_UP, "2 of 2 paths");
}

/* ---- scenes ---- */

static void test_meet_and_part(void **state)
{
    (void)state;
    begin_world(1);
    judge(A);
    assert_state(A, FACT_UNKNOWN, "never heard");
    run_ms(2 * PERIOD_MS + 10);
    assert_both_up();
    assert_true(world.nodes[A].known > 0);
    run_ms(1000);
    assert_int_equal(world.nodes[A].n_up, 1);
    assert_string_equal(world.nodes[A].mate.reason, "2 of 2 paths");

    /* b dies: it is up for three beats less a moment, and its facts are gone when it is down. */
    while (world.nodes[B].next_ns != world.now_ns + PERIOD_MS * MS)
        step();
    world.nodes[B].is_dead = true;
    run_ms(3 * PERIOD_MS - 5);
    assert_state(A, FACT_UP, NULL);
    run_ms(10);
    assert_state(A, FACT_DOWN, "silent for 3 beats");
    assert_true(world.nodes[A].known < 0);
    assert_int_equal(world.nodes[A].mate.inbox.n_items, 0);

    mate_deinit(&world.nodes[B].mate);
    be_born(B);
    run_ms(3 * PERIOD_MS);
    assert_both_up();
    assert_int_equal(world.nodes[A].n_up, 2);
    end_world();
}

static void test_deadline(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    const struct node *a = &world.nodes[A];
    world.nodes[B].is_dead = true;
    run_ms(2);
    uint64_t at_ns = mate_deadline_ns(&a->mate, clock_of(a));
    struct mate *mate = &world.nodes[A].mate;
    mate_judge(mate, 0, at_ns - 1);
    assert_state(A, FACT_UP, NULL);
    mate_judge(mate, 0, at_ns);
    assert_state(A, FACT_DOWN, NULL);
    assert_true(mate_deadline_ns(mate, at_ns) == UINT64_MAX);
    end_world();
}

static void test_one_path(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    world.is_path_cut[0] = true;
    run_ms(1000);
    assert_state(A, FACT_UP, "1 of 2 paths, silent: 10.0.0.0/24");
    assert_int_equal(world.nodes[A].n_up, 1);
    world.is_path_cut[0] = false;
    run_ms(200);
    assert_both_up();
    world.is_path_cut[1] = true;
    run_ms(1000);
    assert_state(B, FACT_UP, "1 of 2 paths, silent: 10.1.0.0/24");
    end_world();
}

static void test_one_way(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    world.is_cut[B] = true;
    run_ms(5000);
    assert_state(B, FACT_DOWN, "silent");
    assert_state(A, FACT_UP, "it does not hear this node");
    end_world();

    begin_world(1);
    world.is_cut[B] = true;
    run_ms(500);
    assert_state(A, FACT_UNKNOWN, "not proven itself yet");
    run_ms(1000);
    assert_state(A, FACT_UNKNOWN, "open its UDP port");
    assert_state(B, FACT_UNKNOWN, "never heard");
    world.is_cut[B] = false;
    run_ms(300);
    assert_both_up();
    end_world();
}

static void test_files_and_periods(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    world.nodes[A].file_hash = 7;
    run_ms(200);
    assert_state(A, FACT_UP, "runs another file");
    assert_state(B, FACT_UP, "runs another file");
    assert_true(world.nodes[B].mate.has_other_file);
    /* The new file says `every 1s`: a is slower now, and b knows that it is. */
    configure(A, 1000);
    run_ms(5000);
    assert_int_equal(world.nodes[B].n_up, 1);
    assert_int_equal(world.nodes[A].n_up, 1);
    world.nodes[B].file_hash = 7;
    configure(B, 1000);
    run_ms(3000);
    assert_both_up();
    assert_int_equal(world.nodes[A].n_up, 1);
    assert_string_equal(world.nodes[A].mate.reason, "2 of 2 paths");
    end_world();
}

/* ---- secrets ---- */

static void test_wrong_secret(void **state)
{
    (void)state;
    begin_world(1);
    world.nodes[B].keys = keys_of(other_key, NULL);
    run_ms(500);
    assert_state(A, FACT_FAILED, "give both nodes the same secret-file");
    assert_state(B, FACT_FAILED, "give both nodes the same secret-file");
    world.nodes[B].is_dead = true;
    run_ms(1500);
    assert_state(A, FACT_UNKNOWN, "never heard");
    world.nodes[B].is_dead = false;
    world.nodes[B].keys = keys_of(old_key, NULL);
    run_ms(500);
    assert_both_up();
    world.nodes[B].keys = keys_of(other_key, NULL);
    run_ms(500);
    assert_state(A, FACT_FAILED, "secret-file");
    end_world();
}

/* The new line below the old one on all nodes, then above it, then the old one goes: nobody is
 * silent for a moment. */
static void test_change_of_secret(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    const struct beat_keys steps[] = {keys_of(old_key, new_key), keys_of(new_key, old_key),
                                      keys_of(new_key, NULL)};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        for (int who = 0; who < N_NODES; who++) {
            world.nodes[who].keys = steps[i];
            run_ms(1000);
            assert_both_up();
        }
    }
    assert_true(world.nodes[A].n_up == 1 && world.nodes[B].n_up == 1);
    assert_int_equal(world.nodes[A].n_outcomes[MATE_NO_KEY], 0);
    end_world();
}

/* ---- what is refused ---- */

static struct datagram newest_to(int who)
{
    for (size_t i = world.n_recorded; i-- > 0;)
        if (world.record[i % RECORD_MAX].to == who)
            return world.record[i % RECORD_MAX];
    fail_msg("nothing was recorded");
    return world.record[0];
}

/* A well-formed beat of any name and life, signed with the key. */
static struct datagram forge(const struct beat_keys *keys, const char *name, uint64_t life)
{
    struct beat_writer writer;
    struct beat beat = {
        .life = life, .number = 1000000, .period_ms = PERIOD_MS, .name = slice_from(name)};
    beat_begin(&writer, &beat);
    struct datagram datagram = {.len = beat_finish(&writer, keys), .to = A};
    memcpy(datagram.bytes, writer.bytes, datagram.len);
    return datagram;
}

static void test_refused_while_up(void **state)
{
    (void)state;
    begin_world(1);
    struct beat_keys good = keys_of(old_key, NULL), bad = keys_of(other_key, NULL);
    run_ms(500);
    struct datagram old = newest_to(A), damaged = newest_to(A), short_one = newest_to(A);
    damaged.bytes[60] ^= 1;
    short_one.len = 20;
    struct datagram rows[] = {old,
                              damaged,
                              short_one,
                              forge(&bad, "b", 77),
                              forge(&good, "c", 77),
                              forge(&good, "a", world.nodes[A].mate.beats.own_life),
                              forge(&good, "b", 77)};
    static const enum mate_outcome outcomes[] = {MATE_OLD,     MATE_FORGED,   MATE_MALFORMED,
                                                 MATE_NO_KEY,  MATE_MISNAMED, MATE_REFLECTED,
                                                 MATE_UNPROVEN};
    double known = world.nodes[A].known;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int n = 0; n < 100; n++)
            if (arrive(&rows[i]) != outcomes[i])
                fail_msg("row %zu", i);
        assert_state(A, FACT_UP, "2 of 2 paths");
        assert_true(world.nodes[A].known == known);
    }
    /* They do not keep up a node that is dead either. */
    run_ms(PERIOD_MS + 10);
    world.nodes[B].is_dead = true;
    for (int i = 0; i < 350; i++) {
        step();
        arrive(&rows[0]);
        arrive(&rows[1]);
        arrive(&rows[5]);
    }
    assert_state(A, FACT_DOWN, "silent");
    end_world();
}

static void test_refused_while_not_up(void **state)
{
    (void)state;
    struct {
        const char *name;
        const char *reason;
    } rows[] = {{"a", "start each with its own --node"}, {"c", "says that it is c"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct beat_keys keys = keys_of(old_key, NULL);
        begin_world(1);
        world.nodes[B].is_dead = true;
        struct datagram datagram = forge(&keys, rows[i].name, 77);
        arrive(&datagram);
        assert_state(A, FACT_FAILED, rows[i].reason);
        run_ms(MATE_REFUSED_MS + 10);
        assert_state(A, FACT_UNKNOWN, "never heard");
        end_world();
    }
    begin_world(1);
    world.nodes[B].is_dead = true;
    struct datagram noise = {.len = 3, .bytes = "hi", .to = A};
    arrive(&noise);
    assert_state(A, FACT_FAILED, "upgrade");
    end_world();
}

/* ---- lives ---- */

/* The process of a starts again; what it said of b is kept until b can have proven itself. */
static void test_adopted(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    for (int is_dead = 0; is_dead < 2; is_dead++) {
        world.nodes[B].is_dead = is_dead;
        mate_deinit(&world.nodes[A].mate);
        be_born(A);
        inbox_adopt(&world.nodes[A].mate.inbox, "vip:x");
        mate_adopt(&world.nodes[A].mate, FACT_UP, clock_of(&world.nodes[A]));
        judge(A);
        assert_state(A, FACT_UP, "was up when");
        assert_int_equal(world.nodes[A].mate.inbox.n_items, 1);
        run_ms(2 * PERIOD_MS + 10);
        assert_state(A, FACT_UP, is_dead ? "was up when" : "2 of 2 paths");
        run_ms(PERIOD_MS);
        if (is_dead)
            assert_state(A, FACT_DOWN, "since this process started again");
        assert_int_equal(world.nodes[A].n_up, 1);
    }
    end_world();
}

static void test_sleep(void **state)
{
    (void)state;
    begin_world(1);
    run_ms(500);
    mate_sleep(&world.nodes[A].mate);
    judge(A);
    assert_state(A, FACT_UNKNOWN, "slept");
    assert_true(world.nodes[A].known < 0);
    run_ms(PERIOD_MS + 10);
    assert_both_up();
    assert_int_equal(world.nodes[B].n_up, 1);
    end_world();
}

/* ---- chaos ---- */

static void chaos(uint64_t seed)
{
    begin_world(seed);
    world.loss = (int)(rng_next(&world.rng) % 60);
    world.doubles = (int)(rng_next(&world.rng) % 50);
    world.replays = (int)(rng_next(&world.rng) % 100);
    world.delay_ns = rng_next(&world.rng) % (150 * MS);
    for (int i = 0; i < 20; i++) {
        int who = (int)(rng_next(&world.rng) % N_NODES);
        switch (rng_next(&world.rng) % 6) {
        case 0:
            mate_deinit(&world.nodes[who].mate);
            be_born(who);
            world.nodes[who].known = -1;
            break;
        case 1:
            world.is_cut[who] = !world.is_cut[who];
            break;
        case 2:
            world.is_path_cut[who] = !world.is_path_cut[who];
            break;
        case 3:
            mate_sleep(&world.nodes[who].mate);
            break;
        default:
            break;
        }
        run_ms((int)(rng_next(&world.rng) % 500));
    }
    /* All faults end, but that recordings are played; then the two find each other. */
    world.loss = world.doubles = 0;
    world.delay_ns = 5 * MS;
    memset(world.is_cut, 0, sizeof(world.is_cut));
    memset(world.is_path_cut, 0, sizeof(world.is_path_cut));
    run_ms(10 * PERIOD_MS);
    assert_both_up();
    /* One dies: nothing that was ever said by it keeps it up. */
    world.nodes[B].is_dead = true;
    run_ms(4 * PERIOD_MS);
    assert_state(A, FACT_DOWN, NULL);
    run_ms(10 * PERIOD_MS);
    assert_state(A, FACT_DOWN, NULL);
    assert_true(world.nodes[A].known < 0);
    end_world();
}

static void test_chaos(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %" PRIu64 "\n", seed);
        chaos(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meet_and_part),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_one_path),
        cmocka_unit_test(test_one_way),
        cmocka_unit_test(test_files_and_periods),
        cmocka_unit_test(test_wrong_secret),
        cmocka_unit_test(test_change_of_secret),
        cmocka_unit_test(test_refused_while_up),
        cmocka_unit_test(test_refused_while_not_up),
        cmocka_unit_test(test_adopted),
        cmocka_unit_test(test_sleep),
        cmocka_unit_test(test_chaos),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}

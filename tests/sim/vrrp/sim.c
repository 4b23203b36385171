/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Plays the scenes of a floating address.
 *
 *     vrrp-sim play SEEDS [FIRST]        every scene with so many seeds; what fails is printed
 *     vrrp-sim notice SEEDS              each rule of the machine off once: some scene must fail
 *     vrrp-sim show SCENE SEED [RULES]   one scene, told; RULES: what is off, as a number
 *
 * Exit 0 where all is as it should be.
 */

#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const rule_names[VRRP_RULES] = {
    "skew",  "learn", "resign",  "tie",  "answer",     "owner", "no-preempt",
    "delay", "burst", "suspect", "part", "make-first", "stall", "late",
    "adopt", "hold",  "better",  "link", "refresh"};

/* One scene with one seed; false and the failure where something did not hold. */
static bool play(const struct scene *scene, uint64_t seed, uint32_t rules_off, bool is_verbose,
                 char failure[WORLD_FAILURE_MAX])
{
    static const uint64_t intervals[] = {10 * MS, 100 * MS, 1 * S};
    struct world *world = malloc(sizeof(*world));
    if (!world)
        abort();
    uint64_t mixed = seed * 2654435761U + 12345; /* neighbours differ in all that is drawn */
    unsigned n_nodes =
        scene->n_nodes_min + (unsigned)(seed % (scene->n_nodes_max - scene->n_nodes_min + 1));
    world_init(world, mixed, n_nodes, intervals[seed / 5 % 3], rules_off);
    world->is_verbose = is_verbose;
    scene->play(world);
    memcpy(failure, world->failure, WORLD_FAILURE_MAX);
    world_deinit(world);
    free(world);
    return failure[0] == '\0';
}

static int play_all(uint64_t n_seeds, uint64_t first)
{
    char failure[WORLD_FAILURE_MAX];
    unsigned n_failed = 0;
    for (unsigned i = 0; i < vrrp_n_scenes; i++) {
        for (uint64_t seed = first; seed < first + n_seeds; seed++) {
            if (play(&vrrp_scenes[i], seed, 0, false, failure))
                continue;
            printf("FAILED  scene %s, seed %llu: %s\n", vrrp_scenes[i].name,
                   (unsigned long long)seed, failure);
            n_failed++;
        }
    }
    printf("%u scenes, %llu seeds each, %u failed\n", vrrp_n_scenes, (unsigned long long)n_seeds,
           n_failed);
    return n_failed > 0;
}

/* Whether a scene that looks at the rule fails without it, and a line about it. */
static bool is_noticed(unsigned rule, uint64_t n_seeds)
{
    char failure[WORLD_FAILURE_MAX];
    for (unsigned i = 0; i < vrrp_n_scenes; i++) {
        if (!(vrrp_scenes[i].rule & 1U << rule))
            continue;
        for (uint64_t seed = 1; seed <= n_seeds; seed++) {
            if (play(&vrrp_scenes[i], seed, 1U << rule, false, failure))
                continue;
            printf("without %-11s scene %s, seed %llu: %s\n", rule_names[rule], vrrp_scenes[i].name,
                   (unsigned long long)seed, failure);
            return true;
        }
    }
    printf("FAILED  without %s nothing is noticed in %llu seeds\n", rule_names[rule],
           (unsigned long long)n_seeds);
    return false;
}

static int notice_all(uint64_t n_seeds)
{
    unsigned n_unnoticed = 0;
    for (unsigned rule = 0; rule < VRRP_RULES; rule++)
        n_unnoticed += !is_noticed(rule, n_seeds);
    return n_unnoticed > 0;
}

static int show(const char *name, uint64_t seed, uint32_t rules_off)
{
    char failure[WORLD_FAILURE_MAX];
    for (unsigned i = 0; i < vrrp_n_scenes; i++) {
        if (strcmp(vrrp_scenes[i].name, name) != 0)
            continue;
        bool is_fine = play(&vrrp_scenes[i], seed, rules_off, true, failure);
        printf("%s\n", is_fine ? "fine" : failure);
        return !is_fine;
    }
    printf("no scene %s\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    uint64_t numbers[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        int at = i + (strcmp(verb, "show") == 0 ? 3 : 2);
        numbers[i] = argc > at ? strtoull(argv[at], NULL, 0) : 0;
    }
    if (strcmp(verb, "play") == 0 && numbers[0] > 0)
        return play_all(numbers[0], numbers[1] ? numbers[1] : 1);
    if (strcmp(verb, "notice") == 0 && numbers[0] > 0)
        return notice_all(numbers[0]);
    if (strcmp(verb, "show") == 0 && argc > 3)
        return show(argv[2], numbers[0], (uint32_t)numbers[1]);
    (void)fprintf(stderr, "usage: vrrp-sim play SEEDS [FIRST] | notice SEEDS | "
                          "show SCENE SEED [RULES]\n");
    return 2;
}

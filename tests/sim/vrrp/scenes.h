/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_SIM_VRRP_SCENES_H
#define TESTS_SIM_VRRP_SCENES_H

/*
 * What happens in the simulated world of a floating address, a scene a row: one thing goes wrong in
 * an otherwise calm world, and what must come of it is known to the millisecond; or, in `chaos`,
 * everything at once, after which the world must come to rest. sim.c plays them.
 */

#include "world.h"

struct scene {
    const char *name;
    uint32_t rule; /* the one that it looks at, of enum vrrp_rule; 0: none alone */
    unsigned n_nodes_min, n_nodes_max;
    void (*play)(struct world *world);
};

extern const struct scene vrrp_scenes[];
extern const unsigned vrrp_n_scenes;

/* The last of them; chaos.c. */
void vrrp_play_chaos(struct world *world);

#endif
